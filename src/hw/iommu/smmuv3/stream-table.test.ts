/** The stream table: Arm IHI 0070 3.3.1, 5.1, 5.2, and what CFGI commands drop (4.3). */
import t from 'tap';
import { Bench, cmd, REG, S2_PAGE, STREAM_TABLE, stage2Ste } from './smmuv3.test-support.js';

const VA = 0x4000;
const PAGE = 0x4300_0000;

function mapped(bench: Bench): number {
  const table = bench.page();
  bench.map(table, VA, PAGE, S2_PAGE);
  return table;
}

t.test('a stream beyond the table aborts, and is recorded only with RECINVSID (6.3.12)', async (t) => {
  const bench = new Bench();
  bench.enable();
  t.equal(bench.dmaRead(256, VA), undefined);
  t.same(bench.events(), []);
  bench.write(REG.CR0, 0xc);
  bench.write(REG.CR2, 2);
  bench.write(REG.CR0, 0xd);
  t.equal(bench.dmaRead(256, VA), undefined);
  t.same([...(bench.events()[0] ?? [])], [0x02, 256, 0, 0, 0, 0, 0, 0], 'C_BAD_STREAMID');
});

t.test('Config 0 aborts silently, 4 passes up to the output size, V = 0 is C_BAD_STE (5.2)', async (t) => {
  const bench = new Bench();
  bench.ste(1, [0x1]);
  bench.ste(2, [0x9]);
  bench.ste(3, [0x8]);
  bench.enable();
  t.equal(bench.dmaWrite(1, PAGE, 1), 'abort');
  t.same(bench.events(), []);
  t.equal(bench.dmaWrite(2, PAGE, 2), 'okay');
  t.equal(bench.dmaWrite(3, PAGE, 3), 'abort');
  t.equal(bench.dmaWrite(2, 2 ** 44, 4), 'abort');
  t.equal(bench.load32(PAGE), 2);
  const [badSte, addressSize] = bench.events();
  t.same([...(badSte ?? [])], [0x04, 3, 0, 0, 0, 0, 0, 0]);
  // F_ADDR_SIZE: a write (RnW 0), S2 0, CLASS IN (2 in bits 41:40).
  t.same([...(addressSize ?? [])], [0x11, 2, 0, 0x200, 0, 0x1000, 0, 0]);
});

t.test('a two-level table is indexed by SPLIT, and bounded by SPAN (3.3.1, 5.1)', async (t) => {
  const bench = new Bench();
  const second = bench.page(0x4000);
  // SPLIT 6, FMT 1, LOG2SIZE 10. Descriptor 1: SPAN 4, 2^3 STEs. Descriptor 2: SPAN 8, more than SPLIT + 1.
  bench.write(REG.STRTAB_BASE, STREAM_TABLE);
  bench.write(REG.STRTAB_CFG, (1 << 16) | (6 << 6) | 10);
  bench.store64(STREAM_TABLE + 8, second | 4);
  bench.store64(STREAM_TABLE + 16, second | 8);
  const table = mapped(bench);
  for (const index of [0, 7, 8])
    bench.memory.storeWords(second + index * 64, [...stage2Ste(1, table), 0, 0, 0, 0, 0, 0, 0, 0]);
  bench.write(REG.EVENTQ_BASE, 0x4021_0003);
  bench.write(REG.CR2, 2);
  bench.write(REG.CR0, 0x5);
  t.equal(bench.dmaWrite(64, VA, 1), 'okay');
  t.equal(bench.dmaWrite(71, VA, 1), 'okay');
  t.equal(bench.dmaWrite(72, VA, 1), 'abort', 'beyond the span');
  t.equal(bench.dmaWrite(0, VA, 1), 'abort', 'SPAN 0');
  t.equal(bench.dmaWrite(128, VA, 1), 'abort', 'SPAN too large for SPLIT');
  t.equal(bench.dmaWrite(1024, VA, 1), 'abort', 'beyond LOG2SIZE');
  t.same(
    bench.events().map((e) => [e[0], e[1]]),
    [
      [2, 72],
      [2, 0],
      [2, 128],
      [2, 1024],
    ],
  );
});

t.test('a fetch outside memory is F_STE_FETCH with its address', async (t) => {
  const bench = new Bench();
  bench.write(REG.STRTAB_BASE, 0xe000_0000);
  bench.write(REG.STRTAB_CFG, 8);
  bench.write(REG.EVENTQ_BASE, 0x4021_0003);
  bench.write(REG.CR0, 0x5);
  t.equal(bench.dmaRead(3, VA), undefined);
  t.same([...(bench.events()[0] ?? [])], [0x03, 3, 0, 0, 0, 0, 0xe000_00c0, 0]);
});

t.test('an STE stays cached until CFGI_STE and CMD_SYNC; an invalid one is not cached (4.3.1)', async (t) => {
  const bench = new Bench();
  bench.enable();
  t.equal(bench.dmaRead(8, PAGE), undefined, 'V = 0');
  bench.ste(8, [0x9]);
  t.equal(bench.dmaRead(8, PAGE), 0, 'fetched anew');
  bench.ste(8, [0x1]);
  t.equal(bench.dmaRead(8, PAGE), 0, 'stale');
  bench.produce(cmd.cfgiSte(9), cmd.sync());
  t.equal(bench.dmaRead(8, PAGE), 0, 'another stream');
  bench.produce(cmd.cfgiSte(8), cmd.sync());
  t.equal(bench.dmaRead(8, PAGE), undefined);
});

t.test('CFGI_STE_RANGE covers an aligned power of two of streams, CFGI_ALL all (4.3.2, 4.3.3)', async (t) => {
  const bench = new Bench();
  for (const sid of [4, 7, 8]) bench.ste(sid, [0x9]);
  bench.enable();
  const passes = () => [4, 7, 8].map((sid) => bench.dmaRead(sid, PAGE) === 0);
  t.same(passes(), [true, true, true]);
  for (const sid of [4, 7, 8]) bench.ste(sid, [0x1]);
  // Range 1: 2^2 streams, 4 to 7, given by any of them.
  bench.produce([0x04, 6, 1, 0], cmd.sync());
  t.same(passes(), [false, false, true]);
  bench.produce(cmd.cfgiAll(), cmd.sync());
  t.same(passes(), [false, false, false]);
});

t.test('an L1STD stays cached until a CFGI_STE without Leaf for any of its streams (5.1.1)', async (t) => {
  const bench = new Bench();
  const before = bench.page();
  const after = bench.page();
  bench.write(REG.CMDQ_BASE, 0x4020_0004);
  bench.write(REG.STRTAB_BASE, STREAM_TABLE);
  bench.write(REG.STRTAB_CFG, (1 << 16) | (6 << 6) | 10);
  bench.store64(STREAM_TABLE, before | 7);
  bench.memory.storeWords(before + 64, [0x9]);
  bench.write(REG.CR0, 0x9);
  t.equal(bench.dmaRead(1, PAGE), 0);
  bench.store64(STREAM_TABLE, after | 7);
  bench.produce(cmd.cfgiSte(1, true), cmd.sync());
  t.equal(bench.dmaRead(1, PAGE), 0, 'the STE is fetched again, through the stale descriptor');
  bench.produce(cmd.cfgiSte(5, false), cmd.cfgiSte(1, true), cmd.sync());
  t.equal(bench.dmaRead(1, PAGE), undefined);
});

/** Words of an STE of stage 2 that is legal, with the third doubleword's upper word changed. */
function changed(table: number, change: (word: number) => number): number[] {
  const words = stage2Ste(1, table);
  words[5] = change(words[5] as number);
  return words;
}

t.test('an ILLEGAL STE of stage 2 is C_BAD_STE (5.2.2)', async (t) => {
  const cases: readonly (readonly [string, (table: number) => number[]])[] = [
    ['S2AA64 = 0', (table) => changed(table, (w) => w & ~(1 << 19))],
    ['S2TG = 3', (table) => changed(table, (w) => w | (3 << 14))],
    ['S2ENDI', (table) => changed(table, (w) => w | (1 << 20))],
    ['S2HA without HTTU', (table) => changed(table, (w) => w | (1 << 24))],
    ['S2HD without HTTU', (table) => changed(table, (w) => w | (1 << 23))],
    ['S2S without stalls', (table) => changed(table, (w) => w | (1 << 25))],
    ['S2T0SZ 40 without STT', (table) => changed(table, (w) => (w & ~0xff) | 40)],
    ['S2T0SZ 19: 45 bits with an input size of 44', (table) => changed(table, (w) => (w & ~0xff) | 19 | (2 << 6))],
    ['S2T0SZ 25 does not start at level 0', (table) => changed(table, (w) => (w & ~0xff) | 25 | (2 << 6))],
    ['S2SL0 = 3 without STT', (table) => changed(table, (w) => w | (3 << 6))],
    [
      'S2TTB beyond S2PS of 32 bits',
      (table) => {
        const words = changed(table, (w) => w & ~(7 << 16));
        words[7] = 1;
        return words;
      },
    ],
  ];
  for (const [what, make] of cases) {
    const bench = new Bench();
    bench.ste(8, make(mapped(bench)));
    bench.enable();
    t.equal(bench.dmaRead(8, VA), undefined, what);
    t.equal(bench.events()[0]?.[0], 0x04, what);
  }
});

t.test('an SMMU without 16-bit VMIDs refuses them (5.2.2)', async (t) => {
  const bench = new Bench({ ids: { IDR0: 0x0d40_101b } });
  const table = mapped(bench);
  bench.ste(8, stage2Ste(0xff, table));
  bench.ste(9, stage2Ste(0x100, table));
  bench.enable();
  t.equal(bench.dmaRead(8, VA), 0);
  t.equal(bench.dmaRead(9, VA), undefined);
});

t.test('an input beyond the address size is a fault of stage 1, beyond S2T0SZ one of stage 2 (3.4)', async (t) => {
  const bench = new Bench();
  bench.ste(8, stage2Ste(1, mapped(bench)));
  bench.enable();
  bench.dmaRead(8, 2 ** 44);
  bench.dmaRead(8, 2 ** 39);
  const [size, translation] = bench.events();
  t.same([size?.[0], size?.[3]], [0x11, 0x208], 'F_ADDR_SIZE: RnW, CLASS IN, S2 = 0');
  t.same([translation?.[0], translation?.[3]], [0x10, 0x288], 'F_TRANSLATION: S2 = 1');
  t.same([translation?.[6], translation?.[7]], [0, 0x80], 'IPA');
});
