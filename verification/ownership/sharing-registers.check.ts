/** Assign devices sharing resources to same domain: PCI functions with base address registers in one page. */
import { created, hardwareDomainPage, reaches, unreachable } from '../arranging.js';
import { check } from '../bench.js';
import { barAddress, cannotUse, hasRegisters, uses } from '../device-registers.js';
import { GUEST_RAM } from '../devices.js';
import { nameOf } from '../guest-bench.js';
import { sharingOf } from './sharing-roles.js';
import { leavesNothing, SMALL } from './standing.js';

const ID = 'XenSwdgn~passthrough_assign_devs_sharing_res_to_same_dom~1';
const REGISTERS = { aspect: 'base address registers' };
const EBUSY = -16;
const PAGE = 0x1000;
/** The domain that PCI devices in quarantine belong to (xen/include/public/xen.h, DOMID_IO). */
const QUARANTINE = 0x7ff1;

check(
  ID,
  'of functions with registers in one page, one domain has one and no other gets the other',
  REGISTERS,
  ({ bench, expect }) => {
    const { page: pair } = sharingOf(bench);
    if (pair === undefined) return expect.fail('the board has two such functions');
    const { first, second } = bench.devices.kept;
    const [a, b] = pair.map((device) => barAddress(bench, device, 2));
    expect.equal(Math.floor((a ?? 0) / PAGE), Math.floor((b ?? 1) / PAGE), 'their registers are in one page');
    leavesNothing(expect, bench, SMALL, () => {
      expect.deepEqual(
        bench.create({ ...SMALL, devices: [pair[0]] }),
        { error: EBUSY },
        'the hardware domain has the other',
      );
    });
    reaches(expect, bench, pair[0], 0, hardwareDomainPage(bench));
    for (const device of pair) expect.equal(bench.assign(QUARANTINE, device), 0, `${nameOf(device)} is quarantined`);
    for (const [mine, theirs] of [pair, [pair[1], pair[0]]] as const) {
      const d1 = created(expect, bench.create({ ...SMALL, devices: [mine] }));
      leavesNothing(expect, bench, { ...SMALL, devices: [second] }, () => {
        const asked = bench.create({ ...SMALL, devices: [second, theirs] });
        expect.deepEqual(
          asked,
          { error: EBUSY },
          `${nameOf(theirs)} has registers in a page of ${nameOf(mine)}: -EBUSY`,
        );
      });
      const d2 = created(expect, bench.create({ ...SMALL, devices: [first] }));
      expect.equal(bench.assign(d2, theirs), EBUSY, 'nor is it assigned by a hypercall: -EBUSY');
      for (const device of pair) cannotUse(expect, bench, d2, barAddress(bench, device, 2), 'registers in the page');
      unreachable(expect, bench, theirs, GUEST_RAM, 'nobody has it');
      reaches(expect, bench, mine, d1, GUEST_RAM);
      uses(expect, bench, d1, barAddress(bench, mine, 2));
      for (const domid of [d1, d2]) {
        expect.equal(bench.destroy(domid), 0, `d${domid} is destroyed`);
        bench.ledger.forget(domid);
      }
    }
  },
);

check(ID, 'functions with registers in one page work in one domain', REGISTERS, ({ bench, expect }) => {
  const { page: pair } = sharingOf(bench);
  if (pair === undefined) return expect.fail('the board has two such functions');
  for (const device of pair) expect.equal(bench.assign(QUARANTINE, device), 0, `${nameOf(device)} is quarantined`);
  const d1 = created(expect, bench.create({ ...SMALL, devices: [...pair] }));
  for (const device of pair) {
    hasRegisters(expect, bench, d1, device);
    uses(expect, bench, d1, barAddress(bench, device, 2));
    reaches(expect, bench, device, d1, GUEST_RAM);
  }
  // When one of them is taken away, the other goes on.
  expect.equal(bench.deassign(d1, pair[0]), 0, `${nameOf(pair[0])} is taken from the domain`);
  uses(expect, bench, d1, barAddress(bench, pair[1], 2));
  reaches(expect, bench, pair[1], d1, GUEST_RAM);
  unreachable(expect, bench, pair[0], GUEST_RAM, 'nobody has it');
});
