import t from 'tap';
import { ANY_ASID, GLOBAL_ASID, pageNumber, REGIME_EL2, REGIME_EL10, REGIME_STAGE2, Tlb, tlbContext } from './tlb.js';
import { ALL_PERMISSIONS, READ_PRIVILEGED, READ_UNPRIVILEGED, Translation, WRITE_PRIVILEGED } from './translation.js';

const VMID_1 = tlbContext(REGIME_EL10, 1);
const VMID_2 = tlbContext(REGIME_EL10, 2);

/** A translation of stage 1: 4 KiB unless told. */
function stage1(output: number, change: Partial<Translation> = {}): Translation {
  const out = new Translation();
  Object.assign(out, { output, sizeBits: 12, sizeBits1: 12, level1: 3, permissions1: ALL_PERMISSIONS });
  return Object.assign(out, { permissions2: ALL_PERMISSIONS }, change);
}

t.test('an entry answers for every address in its page, and for no other', async (t) => {
  const tlb = new Tlb();
  tlb.insert(VMID_1, 7, 0xffff_0000, 0x1234_5678, stage1(0x8000_0678));
  const entry = tlb.lookup(VMID_1, 7, 0xffff_0000, 0x1234_5abc);
  t.equal(tlb.output(entry, 0xffff_0000, 0x1234_5abc), 0x8000_0abc);
  t.equal(tlb.lookup(VMID_1, 7, 0xffff_0000, 0x1234_6000), -1);
  t.equal(tlb.lookup(VMID_1, 7, 0xffff_0001, 0x1234_5678), -1);
  t.equal(tlb.lookup(VMID_1, 8, 0xffff_0000, 0x1234_5678), -1);
  t.equal(tlb.lookup(VMID_2, 7, 0xffff_0000, 0x1234_5678), -1);
});

t.test('pages and blocks of every size live side by side', async (t) => {
  const tlb = new Tlb();
  for (const bits of [12, 14, 16, 21, 25, 29, 30, 36, 42]) {
    const base = (bits - 11) * 2 ** 43;
    tlb.insert(VMID_1, 0, base / 2 ** 32, 0, stage1(bits * 2 ** 42, { sizeBits: bits, sizeBits1: bits }));
  }
  for (const bits of [42, 12, 36, 14, 30, 16, 29, 21, 25]) {
    const last = (bits - 11) * 2 ** 43 + 2 ** bits - 1;
    const hi = Math.floor(last / 2 ** 32);
    const entry = tlb.lookup(VMID_1, 0, hi, last % 2 ** 32);
    t.equal(tlb.output(entry, hi, last % 2 ** 32), bits * 2 ** 42 + 2 ** bits - 1, `2^${bits}`);
    t.equal(tlb.lookup(VMID_1, 0, Math.floor((last + 1) / 2 ** 32), (last + 1) % 2 ** 32), -1);
  }
});

t.test('global entries answer for every ASID, also after others', async (t) => {
  const tlb = new Tlb();
  tlb.insert(VMID_1, 7, 0, 0x1000, stage1(0x8000_0000, { global: true }));
  tlb.insert(VMID_1, 7, 0, 0x2000, stage1(0x8000_1000));
  t.equal(tlb.output(tlb.lookup(VMID_1, 9, 0, 0x1004), 0, 0x1004), 0x8000_0004);
  t.equal(tlb.lookup(VMID_1, 9, 0, 0x2004), -1);
});

t.test('an entry reads back as the walk gave it', async (t) => {
  const tlb = new Tlb();
  const walked = stage1(0x9876_5000, {
    stage: 2,
    level: 2,
    ipa: 0x12_3456_7000,
    level1: 3,
    level2: 2,
    sizeBits1: 12,
    sizeBits2: 21,
    rangeBits: 16,
    permissions: READ_PRIVILEGED,
    permissions1: READ_PRIVILEGED | WRITE_PRIVILEGED,
    permissions2: READ_PRIVILEGED | READ_UNPRIVILEGED,
    type1: 0xf,
    type2: 0x1,
    type: 0x1,
    shareability1: 3,
    shareability2: 2,
    shareability: 2,
    global: true,
  });
  tlb.insert(VMID_1, 7, 0, 0x5000, walked);
  const out = new Translation();
  t.ok(tlb.read(tlb.lookup(VMID_1, 7, 0, 0x5000), 0, 0x5000, READ_PRIVILEGED, out));
  t.same({ ...out }, { ...walked });
  t.notOk(tlb.read(0, 0, 0x5010, WRITE_PRIVILEGED, out));
  t.match(out, { fault: 'permission', stage: 2, level: 2, ipa: 0x12_3456_7010, what: 'input' });
  t.notOk(tlb.read(0, 0, 0x5010, READ_UNPRIVILEGED, out));
  t.match(out, { fault: 'permission', stage: 1, level: 3 }, 'stage 1 is judged first');
});

/** Entries a to f, and which of them an invalidation leaves. */
function left(invalidate: (tlb: Tlb) => void): string {
  const tlb = new Tlb();
  const stage2 = tlbContext(REGIME_STAGE2, 1);
  const both = { level1: 2, level2: 3, sizeBits1: 21 };
  const alone = stage1(0, { level1: -1, level2: 3, sizeBits1: 0, sizeBits2: 12 });
  const entries: [string, number, number, number, Translation][] = [
    ['a', VMID_1, 7, 0x1000, stage1(0)],
    ['b', VMID_1, 8, 0x1000, stage1(0)],
    ['c', VMID_1, 7, 0x2000, stage1(0, { global: true })],
    ['d', VMID_2, 7, 0x1000, stage1(0)],
    ['e', stage2, GLOBAL_ASID, 0x1000, alone],
    ['f', tlbContext(REGIME_EL2, 0), GLOBAL_ASID, 0x1000, stage1(0)],
    ['g', VMID_1, 7, 0x40_5000, stage1(0, both)],
    ['h', VMID_1, 7, 0x40_7000, stage1(0, both)],
  ];
  for (const [, context, asid, lo, result] of entries) tlb.insert(context, asid, 0, lo, result);
  invalidate(tlb);
  return entries
    .filter(([, context, asid, lo]) => tlb.lookup(context, asid, 0, lo) >= 0)
    .map(([name]) => name)
    .join('');
}

t.test('each invalidation takes what it names and leaves the rest (IHI 0070 4.4, DDI 0487 D8.17)', async (t) => {
  t.equal(
    left(() => {}),
    'abcdefgh',
  );
  t.equal(
    left((tlb) => tlb.invalidateAll()),
    '',
  );
  t.equal(
    left((tlb) => tlb.invalidateRegime(REGIME_EL10)),
    'ef',
  );
  t.equal(
    left((tlb) => tlb.invalidateContext(VMID_1)),
    'def',
    'NH_ALL: global entries too',
  );
  t.equal(
    left((tlb) => tlb.invalidateContext(tlbContext(REGIME_STAGE2, 1))),
    'abcdfgh',
  );
  t.equal(
    left((tlb) => tlb.invalidateAsid(VMID_1, 7)),
    'bcdef',
    'NH_ASID: global entries stay',
  );
  const va = (asid: number, page: number, pages = 1, level = -1) =>
    left((tlb) => tlb.invalidateRange(VMID_1, asid, page, pages, level));
  t.equal(va(7, 1), 'bcdefgh');
  t.equal(va(7, 2), 'abdefgh', 'NH_VA: a global entry goes');
  t.equal(va(9, 2), 'abdefgh', 'whatever the ASID');
  t.equal(va(ANY_ASID, 1), 'cdefgh', 'NH_VAA');
  t.equal(va(7, 0x400), 'abcdef', 'every entry of the 2 MiB leaf of stage 1 that holds the address');
  t.equal(va(7, 0, 3), 'bdefgh', 'a range');
  t.equal(va(7, 3, 0x3fd), 'abcdefgh', 'a range that ends before the block');
  t.equal(va(7, 0, 0x500, 2), 'abcdef', 'TTL: leaves at level 2 only');
  t.equal(
    left((tlb) => tlb.invalidateRange(tlbContext(REGIME_STAGE2, 1), ANY_ASID, 1, 1)),
    'abcdfgh',
    'S2_IPA',
  );
});

t.test('page numbers are exact for all 64 bits', async (t) => {
  t.equal(pageNumber(0xffff_ffff, 0xffff_f000), 2 ** 52 - 1);
  t.equal(pageNumber(1, 0), 2 ** 20);
});

t.test('many entries come and go', async (t) => {
  const tlb = new Tlb(1000);
  const model = new Map<number, number>();
  let state = 1;
  for (let i = 0; i < 20_000; i++) {
    state = (Math.imul(state, 1664525) + 1013904223) >>> 0;
    const page = (state >>> 8) % 700;
    if (i % 97 === 0) {
      tlb.invalidateRange(VMID_1, 7, page, 40);
      for (let p = page; p < page + 40; p++) model.delete(p);
    } else if (model.has(page)) {
      if (tlb.output(tlb.lookup(VMID_1, 7, 0, page * 4096), 0, page * 4096) !== model.get(page)) t.fail(`page ${page}`);
    } else {
      if (tlb.lookup(VMID_1, 7, 0, page * 4096) !== -1) t.fail(`page ${page} is there`);
      tlb.insert(VMID_1, 7, 0, page * 4096, stage1(i * 4096));
      model.set(page, i * 4096);
    }
  }
  t.equal(tlb.count, model.size);
});

t.test('a full cache forgets all and goes on; a fault is refused', async (t) => {
  const tlb = new Tlb(100);
  for (let page = 0; page < 101; page++) tlb.insert(VMID_1, 7, 0, page * 4096, stage1(page * 4096));
  t.equal(tlb.count, 1);
  t.ok(tlb.lookup(VMID_1, 7, 0, 100 * 4096) >= 0);
  t.throws(() => tlb.insert(VMID_1, 7, 0, 0, stage1(0, { fault: 'permission' })), RangeError);
});
