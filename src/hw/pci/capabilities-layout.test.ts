import t from 'tap';
import { encode } from '../bits.js';
import * as layouts from './capabilities-layout.js';

// Numbers restated from PCI Express Base 5.0. What is behaviour too is tested there; this is about what is layout alone.
const bit = (form: Parameters<typeof encode>[0], name: string) => encode(form, 32, { [name]: 1 })[0];

t.test('the ids of extended capabilities (PCI Code and ID Assignment, chapter 3)', async (t) => {
  t.same(layouts.EXTENDED_CAPABILITY, { ACS: 13, ARI: 14, ATS: 15, SRIOV: 16, PAGE_REQUEST: 19, PASID: 27 });
});

t.test('ATS (10.5.1): capability at 4, control at 6', async (t) => {
  t.same(layouts.ATS, { CAPABILITY: 4, CONTROL: 6, BYTES: 8 });
  t.equal(encode(layouts.ATS_CAPABILITY, 32, { INVALIDATE_QUEUE_DEPTH: 0x1f })[0], 0x1f);
  t.equal(bit(layouts.ATS_CAPABILITY, 'PAGE_ALIGNED_REQUEST'), 0x20);
  t.equal(bit(layouts.ATS_CAPABILITY, 'GLOBAL_INVALIDATE'), 0x40);
  t.equal(encode(layouts.ATS_CONTROL, 32, { SMALLEST_TRANSLATION_UNIT: 0x1f })[0], 0x1f);
  t.equal(bit(layouts.ATS_CONTROL, 'ENABLE'), 0x8000);
});

t.test('page request (10.5.2): control at 4, status at 6, capacity at 8, allocation at 12', async (t) => {
  t.same(layouts.PAGE_REQUEST, { CONTROL: 4, STATUS: 6, CAPACITY: 8, ALLOCATION: 12, BYTES: 16 });
  t.equal(bit(layouts.PAGE_REQUEST_CONTROL, 'ENABLE'), 1);
  t.equal(bit(layouts.PAGE_REQUEST_CONTROL, 'RESET'), 2);
});

t.test('PASID (7.8.8): capability at 4, control at 6', async (t) => {
  t.same(layouts.PASID, { CAPABILITY: 4, CONTROL: 6, BYTES: 8 });
  t.equal(bit(layouts.PASID_CAPABILITY, 'EXECUTE'), 2);
  t.equal(bit(layouts.PASID_CAPABILITY, 'PRIVILEGED'), 4);
  t.equal(encode(layouts.PASID_CAPABILITY, 32, { MAX_WIDTH: 20 })[0], 0x1400);
  t.equal(bit(layouts.PASID_CONTROL, 'ENABLE'), 1);
  t.equal(bit(layouts.PASID_CONTROL, 'EXECUTE_ENABLE'), 2);
  t.equal(bit(layouts.PASID_CONTROL, 'PRIVILEGED_ENABLE'), 4);
});

t.test('ACS bits 0 to 6 in the order of 7.7.8.2, SR-IOV control bits 0 to 4 in that of 9.3.3.3', async (t) => {
  const acs = ['SOURCE_VALIDATION', 'TRANSLATION_BLOCKING', 'REQUEST_REDIRECT', 'COMPLETION_REDIRECT'];
  acs.push('UPSTREAM_FORWARDING', 'EGRESS_CONTROL', 'DIRECT_TRANSLATED');
  t.same(
    acs.map((name) => bit(layouts.ACS_BITS, name)),
    [1, 2, 4, 8, 0x10, 0x20, 0x40],
  );
  t.equal(layouts.ACS.EGRESS_CONTROL_VECTOR, 8);
  t.equal(bit(layouts.SRIOV_CONTROL, 'VF_MIGRATION_ENABLE'), 2);
  t.equal(bit(layouts.SRIOV_CONTROL, 'ARI_CAPABLE_HIERARCHY'), 0x10);
});
