/**
 * Walks by hand: every number below is worked out from Arm DDI 0487 D8.2 (indexes), D8.3 (descriptor bits), D8.4
 * (permissions) and D8.6 (attributes).
 */
import t from 'tap';
import { pa } from '../address.js';
import { PhysicalMemory } from '../memory.js';
import {
  memoryTypeName,
  permissionFor,
  READ_PRIVILEGED,
  READ_UNPRIVILEGED,
  shareabilityName,
  Translation,
  WRITE_UNPRIVILEGED,
} from './translation.js';
import {
  addressBits,
  checkStage2Start,
  contiguousBits,
  granuleOfTg0,
  granuleOfTg1,
  stage1StartLevel,
  stage2StartLevel,
  type TableStartFields,
} from './vmsa-geometry.js';
import { mairType, Stage1Config, type Stage1Fields, type Stage1RangeFields, untaggedHi } from './vmsa-stage1.js';
import { Stage2Config, type Stage2Fields } from './vmsa-stage2.js';
import { Walker } from './walk.js';

function world() {
  const memory = new PhysicalMemory();
  memory.addRange(pa(0x8000_0000), 0x1000_0000);
  const store = (at: number, lo: number, hi = 0) => memory.storeWords(at, [lo, hi]);
  return { walker: new Walker(memory), store, out: new Translation() };
}

const FOUR_LEVELS: TableStartFields = {
  granule: 12,
  inputBits: 48,
  startLevel: 0,
  base: 0x8000_0000,
  outputBits: 44,
  largeAddresses: false,
};
const s2 = (change: Partial<Stage2Fields>) =>
  new Stage2Config({ ...FOUR_LEVELS, accessFlagFault: true, protectTableWalk: false, xnx: true, ...change });
const range = (change: Partial<Stage1RangeFields>): Stage1RangeFields => ({
  ...FOUR_LEVELS,
  walksDisabled: false,
  topByteIgnored: false,
  hierarchyDisabled: false,
  unprivilegedDisabled: false,
  ...change,
});
const s1 = (change: Partial<Stage1Fields>) =>
  new Stage1Config({
    low: range({}),
    high: undefined,
    twoPrivileges: true,
    accessFlagFault: true,
    writeExecuteNever: false,
    privilegedAccessNever: false,
    enhancedPan: false,
    mairLo: 0xff,
    mairHi: 0,
    ...change,
  });
const WRITE_BACK = 0xf;
const INNER = 3;

t.test('a stage 2 walk of four levels, 4 KiB granule', async (t) => {
  const { walker, store, out } = world();
  // IPA 0x1234_5678_9abc: indexes 46:39 = 0x24, 38:30 = 0xd1, 29:21 = 0xb3, 20:12 = 0x189, offset 0xabc.
  store(0x8000_0000 + 0x24 * 8, 0x8000_1003);
  store(0x8000_1000 + 0xd1 * 8, 0x8000_2003);
  store(0x8000_2000 + 0xb3 * 8, 0x8000_3003);
  // Page: AF (10), SH outer (2 at 9:8), S2AP read-only (1 at 7:6), MemAttr 5 (Normal Non-cacheable) at 5:2.
  store(0x8000_3000 + 0x189 * 8, 0x8777_7000 + 0x657);
  t.ok(walker.stage2(s2({}), 0x1234_5678_9abc, READ_UNPRIVILEGED, WRITE_BACK, INNER, out));
  t.equal(out.output, 0x8777_7abc);
  t.match(out, { level2: 3, level1: -1, sizeBits: 12, ipa: 0x1234_5678_9abc, stage: 2 });
  t.equal(memoryTypeName(out.type), 'Normal NC');
  t.equal(shareabilityName(out.shareability), 'outer');
  t.notOk(walker.stage2(s2({}), 0x1234_5678_9abc, WRITE_UNPRIVILEGED, WRITE_BACK, INNER, out));
  t.match(out, { fault: 'permission', stage: 2, level: 3, ipa: 0x1234_5678_9abc, what: 'input' });
});

t.test('blocks of each granule map 1 GiB, 2 MiB, 32 MiB and 512 MiB', async (t) => {
  const cases = [
    { granule: 12, level: 1, bits: 30 },
    { granule: 12, level: 2, bits: 21 },
    { granule: 14, level: 2, bits: 25 },
    { granule: 16, level: 2, bits: 29 },
  ] as const;
  for (const { granule, level, bits } of cases) {
    const { walker, store, out } = world();
    store(0x8000_0000 + 8, 0x7fd, 0x3); // the second entry of the start table: block at 0x3_0000_0000
    const config = s2({ granule, startLevel: level, inputBits: bits + 4 });
    t.ok(walker.stage2(config, 2 ** bits + 0x12345, READ_PRIVILEGED, WRITE_BACK, INNER, out));
    t.equal(out.output, 0x3_0000_0000 + 0x12345);
    t.equal(out.sizeBits, bits);
  }
});

t.test('block descriptors where the granule has no blocks are translation faults', async (t) => {
  const cases = [
    { granule: 12, level: 0, large: false },
    { granule: 12, level: 3, large: false },
    { granule: 14, level: 1, large: false },
    { granule: 14, level: 3, large: false },
    { granule: 16, level: 1, large: false },
    { granule: 16, level: 3, large: true },
  ] as const;
  for (const { granule, level, large } of cases) {
    const { walker, store, out } = world();
    store(0x8000_0000, 0x7fd);
    const inputBits = granule + (3 - level) * (granule - 3) + 2;
    const config = s2({ granule, startLevel: level, inputBits, largeAddresses: large });
    t.notOk(walker.stage2(config, 0, READ_PRIVILEGED, WRITE_BACK, INNER, out));
    t.match(out, { fault: 'translation', level }, `${granule} at level ${level}`);
  }
  const { walker, store, out } = world();
  store(0x8000_0000, 0x7fd);
  const config = s2({ granule: 16, startLevel: 1, inputBits: 44, largeAddresses: true });
  t.ok(walker.stage2(config, 0, READ_PRIVILEGED, WRITE_BACK, INNER, out), '4 TiB with 52-bit addresses');
  t.equal(out.sizeBits, 42);
});

t.test('sixteen concatenated start tables are one table; the base is aligned to them', async (t) => {
  const { walker, store, out } = world();
  // 43-bit IPA from level 1: 2^13 entries, 64 KiB. IPA bits 42:30 are the index. Base bits 15:0 do not count.
  const config = s2({ startLevel: 1, inputBits: 43, base: 0x8001_3000 });
  store(0x8001_0000 + 0x1fff * 8, 0x4000_07fd, 0x2);
  t.ok(walker.stage2(config, 2 ** 43 - 1, READ_PRIVILEGED, WRITE_BACK, INNER, out));
  t.equal(out.output, 0x2_7fff_ffff);
});

t.test('52-bit addresses with 64 KiB: bits 15:12 of a descriptor are address bits 51:48', async (t) => {
  const { walker, store, out } = world();
  const geometry = { granule: 16, startLevel: 3, inputBits: 31, outputBits: 52 } as const;
  store(0x8000_0000, 0x1_a7ff);
  t.ok(walker.stage2(s2({ ...geometry, largeAddresses: true }), 0, READ_PRIVILEGED, WRITE_BACK, INNER, out));
  t.equal(out.output, 0xa_0000_0001_0000);
  t.ok(walker.stage2(s2({ ...geometry, largeAddresses: false }), 0, READ_PRIVILEGED, WRITE_BACK, INNER, out));
  t.equal(out.output, 0x1_0000, 'reserved, and ignored, without them');
  const narrow = s2({ ...geometry, largeAddresses: true, outputBits: 48 });
  t.notOk(walker.stage2(narrow, 0, READ_PRIVILEGED, WRITE_BACK, INNER, out));
  t.match(out, { fault: 'address size', level: 3 });
});

t.test('a start table beyond the output size is an address size fault at level 0', async (t) => {
  const { walker, out } = world();
  t.notOk(walker.stage2(s2({ base: 2 ** 44 }), 0, READ_PRIVILEGED, WRITE_BACK, INNER, out));
  t.match(out, { fault: 'address size', level: 0, stage: 2 });
  const wide = s2({ base: 2 ** 48, outputBits: 52 });
  t.notOk(walker.stage2(wide, 0, READ_PRIVILEGED, WRITE_BACK, INNER, out), '4 KiB tables lie below 2^48');
  t.match(out, { fault: 'address size', level: 0, stage: 2 });
});

t.test('an external abort names the address of the descriptor', async (t) => {
  const { walker, store, out } = world();
  store(0x8000_0000, 0x1000_0003);
  t.notOk(walker.stage2(s2({}), 0x4000_0000, READ_PRIVILEGED, WRITE_BACK, INNER, out));
  t.match(out, { fault: 'external abort', level: 1, fetch: 0x1000_0008, stage: 2, what: 'input', ipa: 0x4000_0000 });
  t.notOk(walker.stage1(s1({ low: range({ base: 0 }) }), 0, 0, READ_PRIVILEGED, out));
  t.match(out, { fault: 'external abort', level: 0, fetch: 0, stage: 1, what: 'table walk', ipa: 0 });
});

t.test('stage 1 has two ranges, told apart by bit 55', async (t) => {
  const { walker, store, out } = world();
  const at = (base: number, level: number) => range({ base, startLevel: level, inputBits: 39 });
  const config = s1({ low: at(0x8000_0000, 1), high: { ...at(0x8001_0000, 1), topByteIgnored: true } });
  // Block of 1 GiB: AF, SH inner, AP 1 (read-write for all), AttrIndx 0.
  store(0x8000_0000, 0x4000_0741);
  store(0x8001_0000 + 0x1ff * 8, 0xc000_0741);
  t.ok(walker.stage1(config, 0, 0x10, READ_UNPRIVILEGED, out));
  t.equal(out.output, 0x4000_0010);
  t.ok(walker.stage1(config, 0xffff_ffff, 0xc000_0020, READ_UNPRIVILEGED, out));
  t.equal(out.output, 0xc000_0020);
  t.ok(walker.stage1(config, 0x12ff_ffff, 0xc000_0020, READ_UNPRIVILEGED, out), 'TBI1: the top byte does not count');
  t.notOk(walker.stage1(config, 0xfeff_ffff & 0xff7f_ffff, 0, READ_UNPRIVILEGED, out), 'bit 55 clear: range 0');
  t.match(out, { fault: 'translation', level: 0, stage: 1 });
  t.notOk(walker.stage1(config, 0x0100_0000, 0x10, READ_UNPRIVILEGED, out), 'TBI0 is off');
  t.equal(untaggedHi(config, 0x12ff_ffff), 0xffff_ffff);
  t.equal(untaggedHi(config, 0x1200_0000), 0x1200_0000);
});

t.test('EPD and E0PD are translation faults at level 0', async (t) => {
  const { walker, store, out } = world();
  store(0x8000_0000, 0x4000_0741);
  const low = range({ startLevel: 1, inputBits: 39 });
  t.notOk(walker.stage1(s1({ low: { ...low, walksDisabled: true } }), 0, 0, READ_PRIVILEGED, out));
  t.match(out, { fault: 'translation', level: 0 });
  const e0pd = s1({ low: { ...low, unprivilegedDisabled: true } });
  t.notOk(walker.stage1(e0pd, 0, 0, READ_UNPRIVILEGED, out));
  t.match(out, { fault: 'translation', level: 0 });
  t.ok(walker.stage1(e0pd, 0, 0, READ_PRIVILEGED, out));
});

t.test('permissions of stage 1 (D8.4)', async (t) => {
  const { walker, store, out } = world();
  const names = ['r0', 'w0', 'x0', 'r1', 'w1', 'x1'];
  const permits = (lo: number, hi: number, change: Partial<Stage1Fields> = {}) => {
    store(0x8000_0000, 0x4000_0401 + lo, hi);
    walker.stage1(s1({ low: range({ startLevel: 1, inputBits: 39 }), ...change }), 0, 0, 0, out);
    return names.filter((_, i) => (out.permissions & (1 << i)) !== 0).join(' ');
  };
  const AP = (ap: number) => ap << 6;
  const PXN = 1 << 21; // bit 53
  const UXN = 1 << 22; // bit 54
  t.equal(permits(AP(0), 0), 'x0 r1 w1 x1');
  t.equal(permits(AP(1), 0), 'r0 w0 x0 r1 w1', 'writable for EL0: never executable at EL1');
  t.equal(permits(AP(2), 0), 'x0 r1 x1');
  t.equal(permits(AP(3), 0), 'r0 x0 r1 x1');
  t.equal(permits(AP(3), PXN), 'r0 x0 r1');
  t.equal(permits(AP(3), UXN), 'r0 r1 x1');
  t.equal(permits(AP(0), 0, { writeExecuteNever: true }), 'x0 r1 w1');
  t.equal(permits(AP(1), 0, { writeExecuteNever: true }), 'r0 w0 r1 w1');
  t.equal(permits(AP(1), 0, { privilegedAccessNever: true }), 'r0 w0 x0');
  t.equal(permits(AP(0), 0, { privilegedAccessNever: true, enhancedPan: true }), 'x0 x1');
  t.equal(permits(AP(2), UXN, { twoPrivileges: false }), 'r0 r1', 'one privilege level: XN is for all');
  t.equal(permits(AP(0), PXN, { twoPrivileges: false }), 'r0 w0 x0 r1 w1 x1', 'and AP[1] and PXN do not count');
});

t.test('table descriptors of stage 1 limit what lies below, unless HAD', async (t) => {
  const { walker, store, out } = world();
  store(0x8000_0000, 0x8000_1003, 0x6000_0000); // APTable (62:61) 3: read-only, no EL0
  store(0x8000_1000, 0x8000_2003, 0x0800_0000); // PXNTable 59
  store(0x8000_2000, 0x8000_3003, 0x1000_0000); // UXNTable 60
  store(0x8000_3000, 0x8800_0443, 0); // page, AP 1, AF
  walker.stage1(s1({}), 0, 0, 0, out);
  t.equal(out.permissions, READ_PRIVILEGED);
  walker.stage1(s1({ low: range({ hierarchyDisabled: true }) }), 0, 0, 0, out);
  t.equal(out.permissions, 0b011111, 'all but privileged execution of what EL0 may write');
});

t.test('stage 2 execute permission by XN[1:0], with and without FEAT_XNX', async (t) => {
  const { walker, store, out } = world();
  const executes = (xn: number, xnx: boolean, s2ap = 3) => {
    store(0x8000_0000, 0x4000_073d + (s2ap << 6), xn << 21);
    walker.stage2(s2({ startLevel: 1, inputBits: 39, xnx }), 0, 0, WRITE_BACK, INNER, out);
    const by = (privileged: boolean) => (out.permissions & permissionFor(privileged, false, true)) !== 0;
    return `${by(false) ? 'EL0 ' : ''}${by(true) ? 'EL1' : ''}`;
  };
  t.same(
    [0, 1, 2, 3].map((xn) => executes(xn, true)),
    ['EL0 EL1', 'EL0 ', '', 'EL1'],
  );
  t.same(
    [0, 1, 2, 3].map((xn) => executes(xn, false)),
    ['EL0 EL1', 'EL0 EL1', '', ''],
  );
  t.equal(executes(0, true, 2), '', 'execution needs read permission');
});

t.test('nested: tables of stage 1 are reached through stage 2', async (t) => {
  const { walker, store, out } = world();
  // Stage 2: blocks of 1 GiB from level 1; IPA 0x4000_0000 is PA 0x8000_0000. Stage 1 starts at IPA 0x4010_0000.
  const config2 = s2({ startLevel: 1, inputBits: 39, base: 0x8000_0000 });
  const config1 = s1({ low: range({ startLevel: 1, inputBits: 39, base: 0x4010_0000 }) });
  store(0x8000_0008, 0x8000_07fd);
  store(0x8010_0000 + 3 * 8, 0x4000_0741); // VA 0xc000_0000: block at IPA 0x4000_0000
  store(0x8010_0000, 0x0000_0741); // VA 0: block at IPA 0, which stage 2 does not map
  t.ok(walker.nested(config1, config2, 0, 0xc012_3456, READ_UNPRIVILEGED, out));
  t.equal(out.output, 0x8012_3456);
  t.match(out, { ipa: 0x4012_3456, level1: 1, level2: 1, sizeBits: 30, stage: 2 });
  t.notOk(walker.nested(config1, config2, 0, 0x123, READ_UNPRIVILEGED, out));
  t.match(out, { fault: 'translation', stage: 2, level: 1, what: 'input', ipa: 0x123 });
  const elsewhere = s1({ low: range({ startLevel: 1, inputBits: 39, base: 0x10_0000 }) });
  t.notOk(walker.nested(elsewhere, config2, 0, 0xc000_0000, READ_UNPRIVILEGED, out));
  t.match(out, { fault: 'translation', stage: 2, level: 1, what: 'table walk', ipa: 0x10_0018, ttRnW: true });
});

t.test('PTW: tables of stage 1 in Device memory are a permission fault of stage 2', async (t) => {
  const { walker, store, out } = world();
  const config1 = s1({ low: range({ startLevel: 1, inputBits: 39, base: 0x4010_0000 }) });
  store(0x8000_0008, 0x8000_07c5); // MemAttr 1: Device-nGnRE
  store(0x8010_0000, 0x4000_0741);
  const tables = { startLevel: 1, inputBits: 39 };
  t.notOk(walker.nested(config1, s2({ ...tables, protectTableWalk: true }), 0, 0, READ_UNPRIVILEGED, out));
  t.match(out, { fault: 'permission', stage: 2, level: 1, what: 'table walk', ipa: 0x4010_0000 });
  t.ok(walker.nested(config1, s2(tables), 0, 0, READ_UNPRIVILEGED, out));
  t.equal(memoryTypeName(out.type), 'Device-nGnRE', 'Device of one stage wins');
  t.equal(shareabilityName(out.shareability), 'outer');
});

t.test('a contiguous run counts as one range for caches', async (t) => {
  const { walker, store, out } = world();
  store(0x8000_0000, 0x8000_07ff, 1 << 20); // bit 52
  t.ok(walker.stage2(s2({ startLevel: 3, inputBits: 21 }), 0, 0, WRITE_BACK, INNER, out));
  t.same([out.sizeBits, out.rangeBits], [12, 16]);
  t.same([contiguousBits(14, 2), contiguousBits(14, 3), contiguousBits(16, 2), contiguousBits(16, 3)], [5, 7, 5, 5]);
});

t.test('MAIR bytes (D24.2, MAIR_EL1)', async (t) => {
  const name = (byte: number) => memoryTypeName(mairType(byte));
  t.same([0x00, 0x04, 0x08, 0x0c].map(name), ['Device-nGnRnE', 'Device-nGnRE', 'Device-nGRE', 'Device-GRE']);
  t.same([0x44, 0xff, 0xbb, 0x77, 0x33].map(name), ['Normal NC', 'Normal WB', 'Normal WT', 'Normal WB', 'Normal WT']);
  t.equal(name(0x4f), 'Normal inner WB outer NC');
  t.equal(name(0xf0), 'Normal WB', 'tagged memory');
});

t.test('encodings', async (t) => {
  t.same([0, 1, 2, 3].map(granuleOfTg0), [12, 16, 14, undefined]);
  t.same([0, 1, 2, 3].map(granuleOfTg1), [undefined, 14, 12, 16]);
  t.same([0, 1, 2, 3, 4, 5, 6].map(addressBits), [32, 36, 40, 42, 44, 48, 52]);
  t.same(
    [0, 1, 2, 3].map((sl0) => stage2StartLevel(12, sl0)),
    [2, 1, 0, 3],
  );
  t.same(
    [0, 1, 2, 3].map((sl0) => stage2StartLevel(14, sl0)),
    [3, 2, 1, undefined],
  );
  t.same(
    [0, 1, 2, 3].map((sl0) => stage2StartLevel(16, sl0)),
    [3, 2, 1, undefined],
  );
  t.same(
    [48, 40, 39, 31, 30, 25].map((bits) => stage1StartLevel(12, bits)),
    [0, 0, 1, 1, 2, 2],
  );
  t.same(
    [48, 47, 36, 25].map((bits) => stage1StartLevel(14, bits)),
    [0, 1, 2, 3],
  );
  t.same(
    [52, 48, 42, 29].map((bits) => stage1StartLevel(16, bits)),
    [1, 1, 2, 3],
  );
});

t.test('what limits a stage 2 start beside its size', async (t) => {
  const pe = (physicalBits: number, smallTables = false) => ({ physicalBits, smallTables });
  t.ok(checkStage2Start(12, 24, 1, pe(40)), '40 bits: two tables at level 1');
  t.notOk(checkStage2Start(12, 23, 1, pe(40)), 'more input than physical bits');
  t.notOk(checkStage2Start(12, 24, 2, pe(40)), '4 KiB level 0 from 44 physical bits on');
  t.ok(checkStage2Start(12, 24, 2, pe(44)));
  t.notOk(checkStage2Start(14, 26, 2, pe(40)), '16 KiB level 1 from 42 on');
  t.notOk(checkStage2Start(16, 21, 2, pe(42)), '64 KiB level 1 from 44 on');
  t.ok(checkStage2Start(12, 39, 0, pe(44)));
  t.notOk(checkStage2Start(12, 40, 0, pe(44)), 'T0SZ above 39 needs FEAT_TTST');
  t.ok(checkStage2Start(12, 40, 0, pe(44, true)));
  t.notOk(checkStage2Start(12, 39, 3, pe(44)), 'and so does level 3 with 4 KiB');
  t.notOk(checkStage2Start(14, 20, 3, pe(48)), 'reserved SL0');
});
