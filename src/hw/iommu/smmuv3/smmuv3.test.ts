/** The SMMU as a whole: events, latency, requests on their way, stalls, overrides. Arm IHI 0070 3.5, 3.12, 5.5, 7.4. */
import fc from 'fast-check';
import t from 'tap';
import { Latency } from '../../latency.js';
import {
  Bench,
  type BenchOptions,
  cmd,
  contextWords,
  EVENTS,
  nestedSte,
  REG,
  S1_PAGE,
  S2_PAGE,
  stage1Ste,
  stage2Ste,
  transaction,
} from './smmuv3.test-support.js';

const VA = 0x4000;
const PAGE = 0x4300_0000;
const OTHER = 0x4300_1000;

/** Stream 8 of stage 2 with {@link VA} at {@link PAGE}. Its table. */
function stage2Bench(options: BenchOptions = {}): { bench: Bench; table: number } {
  const bench = new Bench(options);
  const table = bench.page();
  bench.map(table, VA, PAGE, S2_PAGE);
  bench.ste(8, stage2Ste(1, table));
  bench.enable();
  return { bench, table };
}

/** Stream 8 of stage 1 with the second word of its CD changed. */
function stage1Bench(
  ids: BenchOptions['ids'],
  change: (word: number) => number,
  attributes = S1_PAGE,
  latency = new Latency(1, 0),
): Bench {
  const bench = new Bench(ids === undefined ? { latency } : { ids, latency });
  const table = bench.page();
  const context = bench.page();
  bench.map(table, VA, PAGE, attributes);
  const words = contextWords(5, table);
  words[1] = change(words[1] as number) >>> 0;
  bench.memory.storeWords(context, words);
  bench.ste(8, stage1Ste(1, context));
  bench.enable();
  return bench;
}

t.test('a fault is recorded with what the transaction was, and told to the observer (7.3.13)', async (t) => {
  const { bench } = stage2Bench();
  t.equal(bench.dmaWrite(8, 0x5678, 1, { privileged: true }), 'abort');
  // F_TRANSLATION; PnU, S2, CLASS IN, RnW = 0; IPA is the page.
  t.same([...(bench.events()[0] ?? [])], [0x10, 8, 0, 0x282, 0x5678, 0, 0x5000, 0]);
  t.same(bench.told, ['F_TRANSLATION stream 0x8 write 0x5678 S2 ipa 0x5678']);
});

t.test('a request that crosses pages moves all its bytes or none', async (t) => {
  const { bench, table } = stage2Bench();
  const data = Uint8Array.from({ length: 16 }, (_, i) => i + 1);
  const crossing = { ...transaction(8, VA + 0xff8, data), write: true };
  t.equal(bench.smmu.request(8, crossing), 'abort');
  t.same([bench.events()[0]?.[4]], [VA + 0x1000], 'the page that faulted');
  t.equal(bench.load32(PAGE + 0xff8), 0, 'nothing has moved');
  bench.map(table, VA + 0x1000, OTHER + 0x5000, S2_PAGE);
  t.equal(bench.smmu.request(8, crossing), 'okay');
  t.equal(bench.load32(PAGE + 0xff8), 0x04030201);
  t.equal(bench.load32(OTHER + 0x5000), 0x0c0b0a09);
  const back = new Uint8Array(16);
  t.equal(bench.smmu.request(8, transaction(8, VA + 0xff8, back)), 'okay');
  t.same(back, data);
});

t.test('a data access that reaches no memory aborts without an event', async (t) => {
  const { bench, table } = stage2Bench();
  bench.map(table, VA + 0x1000, 0xe000_0000, S2_PAGE);
  t.equal(bench.dmaRead(8, VA + 0x1000), undefined);
  t.same(bench.events(), []);
});

t.test('a full event queue loses records and toggles OVFLG once, until it is acknowledged (7.4)', async (t) => {
  const { bench } = stage2Bench();
  for (let i = 0; i < 10; i++) bench.dmaRead(8, 0x10_0000 + i * 4096);
  t.equal(bench.read(REG.EVENTQ_PROD), 0x8000_0008, 'full: wrap bit 3, and OVFLG');
  const last = new Uint32Array(8);
  bench.memory.loadWords(EVENTS + 7 * 32, last, 8);
  t.equal(last[4], 0x10_7000, 'the first eight were kept');
  bench.dmaRead(8, 0x20_0000);
  t.equal(bench.read(REG.EVENTQ_PROD), 0x8000_0008, 'not toggled again');
  // Software consumes all and acknowledges: OVACKFLG = OVFLG.
  bench.write(REG.EVENTQ_CONS, 0x8000_0008);
  bench.dmaRead(8, 0x20_0000);
  t.equal(bench.read(REG.EVENTQ_PROD), 0x8000_0009);
  for (let i = 0; i < 8; i++) bench.dmaRead(8, 0x30_0000);
  t.equal(bench.read(REG.EVENTQ_PROD), 0x0000_0000, 'full again, OVFLG toggled back');
});

t.test('without EVENTQEN records are lost without overflow; an abort of the queue raises EVENTQ_ABT_ERR', async (t) => {
  const { bench } = stage2Bench();
  bench.write(REG.CR0, 0x9);
  bench.dmaRead(8, 0x10_0000);
  t.equal(bench.read(REG.EVENTQ_PROD), 0);
  bench.write(REG.EVENTQ_BASE, 0xe000_0003);
  bench.write(REG.CR0, 0xd);
  bench.dmaRead(8, 0x10_0000);
  t.equal(bench.read(REG.GERROR), 4);
  t.equal(bench.read(REG.EVENTQ_PROD), 0);
});

t.test('with latency a stale translation stays, but never beyond the CMD_SYNC', async (t) => {
  let stale = 0;
  for (let seed = 1; seed <= 16; seed++) {
    const { bench, table } = stage2Bench({ latency: new Latency(seed, 64) });
    bench.memory.storeWords(OTHER, [0x22]);
    t.equal(bench.dmaRead(8, VA), 0);
    bench.map(table, VA, OTHER, S2_PAGE);
    bench.produce(cmd.s12Vmall(1), cmd.sync());
    while ((bench.read(REG.CMDQ_CONS) & 0x1f) !== 2) {
      if (bench.dmaRead(8, VA) === 0) stale++;
      bench.latency.tick();
    }
    t.equal(bench.dmaRead(8, VA), 0x22);
  }
  t.ok(stale > 16, 'the queue takes its time, and entries stay meanwhile');
});

t.test('consuming an invalidation without a CMD_SYNC promises nothing (4.3, 4.4)', async (t) => {
  const seeds = [1, 2, 3, 4, 5, 6, 7, 8];
  const stale = seeds.filter((seed) => {
    const { bench, table } = stage2Bench({ latency: new Latency(seed, 64) });
    bench.memory.storeWords(OTHER, [0x22]);
    bench.dmaRead(8, VA);
    bench.map(table, VA, OTHER, S2_PAGE);
    bench.produce(cmd.s12Vmall(1));
    while ((bench.read(REG.CMDQ_CONS) & 0x1f) !== 1) bench.latency.tick();
    return bench.dmaRead(8, VA) === 0;
  });
  t.equal(stale.length, seeds.length);
});

t.test('what was translated lands at the latest before a CMD_SYNC completes (4.7.3)', async (t) => {
  const { bench, table } = stage2Bench();
  const data = Uint8Array.of(1, 2, 3, 4);
  const flight = bench.smmu.begin(8, { ...transaction(8, VA, data), write: true });
  t.equal(flight.completion, undefined);
  bench.map(table, VA, OTHER, S2_PAGE);
  bench.produce(cmd.s12Vmall(1));
  t.equal(bench.load32(PAGE), 0, 'still on its way');
  bench.produce(cmd.sync());
  t.equal(bench.load32(PAGE), 0x04030201, 'landed where it was translated to');
  t.equal(flight.completion, 'okay');
  bench.memory.storeWords(PAGE, [0]);
  t.equal(flight.land(), 'okay');
  t.equal(bench.load32(PAGE), 0, 'only once');
});

t.test('clearing SMMUEN does not recall what was translated before (6.3.9.6)', async (t) => {
  const { bench } = stage2Bench();
  const flight = bench.smmu.begin(8, { ...transaction(8, VA, Uint8Array.of(9, 9, 9, 9)), write: true });
  bench.write(REG.CR0, 0xc);
  t.equal(flight.completion, undefined);
  t.equal(bench.dmaWrite(8, OTHER, 1), 'okay', 'new transactions bypass');
  t.equal(flight.land(), 'okay');
  t.equal(bench.load32(PAGE), 0x09090909);
});

/** TERM_MODEL 0 (IDR0[26]), STALL_MODEL 0 (25:24), STALL_MAX 2 (IDR5[31:16]). */
const BOTH_MODELS = { IDR0: 0x0844_101b, IDR5: 0x0002_0074 };
/** A, R and S of a CD: bits 14, 13 and 12 of its second word. */
const ars = (a: number, r: number, s: number) => (word: number) => (word & ~0x7000) | (a << 14) | (r << 13) | (s << 12);

t.test('A and R decide between abort and RAZ/WI, and whether there is a record (5.5)', async (t) => {
  for (const [a, r, completion, records] of [
    [0, 0, 'razwi', 0],
    [0, 1, 'razwi', 1],
    [1, 0, 'abort', 0],
    [1, 1, 'abort', 1],
  ] as const) {
    const bench = stage1Bench(BOTH_MODELS, ars(a, r, 0));
    const data = Uint8Array.of(7, 7, 7, 7);
    t.equal(bench.smmu.request(8, transaction(8, 0x9000, data)), completion);
    t.same(data, completion === 'razwi' ? Uint8Array.of(0, 0, 0, 0) : Uint8Array.of(7, 7, 7, 7));
    t.equal(bench.events().length, records);
  }
});

t.test(
  'a stalled transaction waits for CMD_RESUME, and is translated anew when it is retried (3.12.2, 4.7.1)',
  async (t) => {
    const bench = stage1Bench(BOTH_MODELS, ars(1, 1, 1));
    const first = bench.smmu.begin(8, { ...transaction(8, 0x9000, Uint8Array.of(5, 0, 0, 0)), write: true });
    const second = bench.smmu.begin(8, { ...transaction(8, 0xa000, Uint8Array.of(6, 0, 0, 0)), write: true });
    t.same([first.stalled, second.stalled], [true, true]);
    // STALL is bit 31 and STAG 15:0 of the second doubleword.
    t.same(
      bench.events().map((e) => [e[0], e[2]]),
      [
        [0x10, 0x8000_0000],
        [0x10, 0x8000_0001],
      ],
    );
    bench.produce(cmd.resume(8, 0, true));
    t.equal(first.stalled, true, 'stalled again: nothing has changed');
    t.equal(bench.events().length, 3);
    bench.map(0x4100_0000, 0x9000, PAGE, S1_PAGE);
    bench.produce(cmd.resume(9, 0, true));
    t.equal(first.completion, undefined, 'the tag of another stream');
    bench.produce(cmd.resume(8, 0, true), cmd.sync());
    t.equal(first.completion, 'okay');
    t.equal(bench.load32(PAGE), 5);
    bench.produce(cmd.resume(8, 1, false, true));
    t.equal(second.completion, 'abort');
  },
);

t.test('CMD_RESUME without Ab ends a stalled transaction as RAZ/WI, STALL_TERM with an abort', async (t) => {
  const bench = stage1Bench(BOTH_MODELS, ars(1, 1, 1));
  const data = Uint8Array.of(7, 7, 7, 7);
  const first = bench.smmu.begin(8, transaction(8, 0x9000, data));
  const second = bench.smmu.begin(8, transaction(8, 0x9000, Uint8Array.of(1)));
  bench.produce(cmd.resume(8, 0, false));
  t.equal(first.completion, 'razwi');
  t.same(data, Uint8Array.of(0, 0, 0, 0));
  bench.produce(cmd.stallTerm(7));
  t.equal(second.completion, undefined);
  bench.produce(cmd.stallTerm(8));
  t.equal(second.completion, 'abort');
  t.equal(bench.smmu.request(8, transaction(8, 0x9000, data)), 'abort', 'who cannot wait ends with an abort');
});

t.test(
  'a stall record is held back while the queue is full, never lost, and causes no overflow (7.2, 7.4)',
  async (t) => {
    const bench = stage1Bench(BOTH_MODELS, ars(1, 1, 1));
    bench.ste(9, [0]);
    for (let i = 0; i < 8; i++) bench.dmaRead(9, 0);
    const flight = bench.smmu.begin(8, transaction(8, 0x9000, new Uint8Array(4)));
    t.equal(flight.stalled, true);
    t.equal(bench.read(REG.EVENTQ_PROD), 8, 'full, no OVFLG');
    bench.write(REG.EVENTQ_CONS, 8);
    t.same(
      bench.events().map((e) => [e[0], e[2]]),
      [[0x10, 0x8000_0000]],
      'recorded once there is room',
    );
    bench.produce(cmd.stallTerm(8));
    t.equal(flight.completion, 'abort');
  },
);

t.test('with more stalls than STALL_MAX the rest waits for a tag', async (t) => {
  const bench = stage1Bench(BOTH_MODELS, ars(1, 1, 1));
  const flights = [0, 1, 2].map(() => bench.smmu.begin(8, transaction(8, 0x9000, new Uint8Array(4))));
  t.equal(bench.events().length, 2);
  bench.produce(cmd.resume(8, 0, false, true));
  t.equal(bench.events().length, 3);
  bench.write(REG.CR0, 0xc);
  t.same(
    flights.map((f) => f.completion),
    ['abort', 'abort', 'abort'],
    'clearing SMMUEN ends them',
  );
});

t.test('a snapshot waits for what a command lets go on, and for its records', async (t) => {
  const bench = stage1Bench(BOTH_MODELS, ars(1, 1, 1), S1_PAGE, new Latency(1, 50));
  const begin = (address: number) => bench.smmu.begin(8, transaction(8, address, new Uint8Array(4)));
  // Two have the tags there are (STALL_MAX); the others wait for one, and by then one of them has its translation.
  const [, , third, fourth] = [0x9000, 0xa000, 0xb000, 0xc000].map(begin);
  bench.latency.settle();
  t.equal(bench.events().length, 2);
  bench.map(0x4100_0000, 0xb000, PAGE, S1_PAGE);
  bench.produce(cmd.resume(8, 0, false, true));
  bench.smmu.save();
  t.equal(third?.completion, 'okay');
  t.equal(fourth?.stalled, true);
  t.equal(bench.events().length, 3);
});

t.test('PRIVCFG and INSTCFG override the incoming attributes where IDR1.ATTR_PERMS_OVR is set (5.2)', async (t) => {
  // AP = 00: privileged only. PRIVCFG 49:48 and INSTCFG 51:50 of the second doubleword; 3 privileged, instruction.
  const privilegedPage = S1_PAGE & ~0x40;
  for (const [ids, privCfg, completion] of [
    [{ IDR1: 0x0673_0010 }, 3, 0],
    [{ IDR1: 0x0673_0010 }, 0, undefined],
    [{ IDR1: 0x0273_0010 }, 3, undefined],
  ] as const) {
    const bench = stage1Bench(ids, (word) => word, privilegedPage);
    const words = stage1Ste(1, 0x4100_1000);
    words[3] = (words[3] as number) | (privCfg << 16);
    bench.ste(8, words);
    t.equal(bench.dmaRead(8, VA), completion);
  }
  const bench = stage1Bench({ IDR1: 0x0673_0010 }, (word) => word);
  const words = stage1Ste(1, 0x4100_1000);
  words[3] = (words[3] as number) | (3 << 18) | (2 << 16);
  bench.ste(8, words);
  bench.dmaRead(8, 0x9000, { privileged: true });
  t.equal(bench.events()[0]?.[3], 0x20c, 'the record tells them after the override: InD, RnW, not PnU');
});

t.test('a cached entry without the permission is a permission fault of the stage that denies it', async (t) => {
  const bench = new Bench();
  const first = bench.page();
  const second = bench.page();
  const context = bench.page();
  const end = context + 0x1_0000;
  bench.map(first, VA, PAGE, S1_PAGE);
  for (let page = first; page < end; page += 4096) bench.map(second, page, page, S2_PAGE);
  // S2AP = 1: read only.
  bench.map(second, PAGE, PAGE, S2_PAGE & ~0x80);
  bench.memory.storeWords(context, contextWords(5, first));
  bench.ste(8, nestedSte(1, context, second));
  bench.enable();
  t.equal(bench.dmaWrite(8, VA + 4, 1), 'abort');
  t.equal(bench.dmaRead(8, VA), 0);
  t.equal(bench.dmaWrite(8, VA + 4, 1), 'abort');
  const [walked, cached] = bench.events();
  t.same(cached, walked);
  t.same([cached?.[0], cached?.[3], cached?.[6]], [0x13, 0x280, PAGE]);
});

t.test('EL2 streams have one range, no VMID and no ASID; TLBI_EL2_ALL is for them (3.3.3, 4.4.2)', async (t) => {
  // HYP is IDR0[9]; STRW = 2 is bits 31:30 of the second doubleword.
  const bench = stage1Bench({ IDR0: 0x0d44_121b }, (word) => word);
  const words = stage1Ste(1, 0x4100_1000);
  words[2] = 2 << 30;
  bench.ste(8, words);
  bench.memory.storeWords(OTHER, [0x22]);
  t.equal(bench.dmaRead(8, VA), 0);
  bench.map(0x4100_0000, VA, OTHER, S1_PAGE);
  bench.produce(cmd.nsnhAll(), cmd.nhAll(1), cmd.sync());
  t.equal(bench.dmaRead(8, VA), 0, 'commands for EL1 do not concern it');
  bench.produce([0x20, 0, 0, 0], cmd.sync());
  t.equal(bench.dmaRead(8, VA), 0x22);
  bench.dmaRead(8, 0x1_0000_0000 * 0x8_0000);
  t.equal(bench.events()[0]?.[0], 0x10, 'an address of the upper half translates nowhere');
});

t.test('MTCFG, MemAttr and SHCFG override what a transaction came with; stages combine (5.2, 13.1)', async (t) => {
  // ATTR_TYPES_OVR is IDR1[27]. Types are encoded as MemAttr: 0xf Normal write-back, 1 Device-nGnRE, 5 Non-cacheable.
  const bench = new Bench({ ids: { IDR1: 0x0a73_0010 } });
  const table = bench.page();
  bench.map(table, VA, PAGE, S2_PAGE);
  // S2 Device-nGnRE, outer shareable.
  bench.map(table, VA + 0x1000, PAGE, (S2_PAGE & ~0x33c) | 0x204);
  const override = (words: number[], memAttr: number, shareability: number): number[] =>
    words.map((word, i) => (i === 3 ? memAttr | 0x10 | (shareability << 12) : word));
  bench.ste(1, [0x9, 0, 0, 0x1000]);
  bench.ste(2, override([0x9, 0, 0, 0], 0x5, 0));
  bench.ste(3, stage2Ste(1, table));
  bench.ste(4, override(stage2Ste(1, table), 0xf, 0));
  bench.enable();
  const of = (sid: number, address: number) => bench.smmu.attributes(sid, transaction(sid, address, new Uint8Array(4)));
  t.same(of(1, PAGE), { type: 0xf, shareability: 3 });
  t.same(of(2, PAGE), { type: 0x5, shareability: 2 }, 'Non-cacheable is outer shareable whatever SHCFG says');
  t.same(of(3, VA), { type: 0xf, shareability: 3 });
  t.same(of(3, VA + 0x1000), { type: 1, shareability: 2 });
  t.same(of(4, VA), { type: 0xf, shareability: 3 }, 'the wider of both');
  t.equal(of(3, VA + 0x2000), undefined);
  t.equal(of(9, VA), undefined);
});

t.test('whatever STE, CD and tables say, a request ends, and leaves at most one record', async () => {
  const word = fc.oneof(fc.integer({ min: 0, max: 2 ** 32 - 1 }), fc.constantFrom(0, 0xffff_ffff));
  // Most bits come from a legal structure, so that most checks are passed and the walk is reached.
  const legal = nestedSte(1, 0x4100_0000, 0x4100_2000);
  const legalCd = contextWords(5, 0x4100_1000);
  const flips = fc.array(fc.tuple(fc.integer({ min: 0, max: 511 }), fc.boolean()), { maxLength: 6 });
  const apply = (words: readonly number[], bits: readonly (readonly [number, boolean])[]): number[] => {
    const all = Array.from({ length: 16 }, (_, i) => words[i] ?? 0);
    for (const [bit] of bits) all[bit >> 5] = ((all[bit >> 5] as number) ^ (1 << (bit & 31))) >>> 0;
    return all;
  };
  const scenario = fc.record({
    ids: fc.constantFrom({}, BOTH_MODELS, { IDR0: 0x08cd_361b, IDR1: 0x0e73_8510, IDR5: 0x0004_0075 }),
    config: fc.constantFrom(4, 5, 6, 7),
    ste: flips,
    cd: flips,
    table: fc.array(word, { minLength: 64, maxLength: 64 }),
    hi: word,
    lo: word,
    pasid: fc.option(fc.integer({ min: 0, max: 2 ** 20 - 1 }), { nil: undefined }),
    write: fc.boolean(),
    privileged: fc.boolean(),
    addressType: fc.constantFrom('untranslated', 'translated', 'translation request') as fc.Arbitrary<
      'untranslated' | 'translated' | 'translation request'
    >,
  });
  fc.assert(
    fc.property(scenario, ({ ids, config, ste, cd, table, hi, lo, pasid, write, privileged, addressType }) => {
      const bench = new Bench({ ids });
      const words = apply(legal, ste);
      words[0] = (((words[0] as number) & ~0xf) | 1 | (config << 1)) >>> 0;
      bench.ste(8, words);
      bench.memory.storeWords(0x4100_0000, apply(legalCd, cd));
      bench.memory.storeWords(0x4100_1000, table);
      bench.memory.storeWords(0x4100_2000, table);
      bench.enable();
      for (const address of [lo, 0x4000, (lo & 0xffff) >>> 0]) {
        const before = bench.events().length;
        const data = new Uint8Array(8);
        bench.smmu.request(8, {
          ...transaction(8, 0, data),
          hi: address === lo ? hi : 0,
          lo: address,
          pasid,
          write,
          privileged,
          addressType,
        });
        if (bench.events().length > before + 1) return false;
        bench.write(REG.EVENTQ_CONS, bench.read(REG.EVENTQ_PROD));
      }
      return true;
    }),
    { seed: 4, numRuns: 600 },
  );
});

t.test('after everything is invalidated and synchronized, all translates as on a cold SMMU', async () => {
  const streams = [1, 2, 3];
  const pages = [0, 1, 2, 3];
  const step = fc.oneof(
    fc.record({
      kind: fc.constant('map' as const),
      table: fc.constantFrom(0, 1, 2),
      page: fc.constantFrom(...pages),
      frame: fc.integer({ min: 0, max: 7 }),
      valid: fc.boolean(),
    }),
    fc.record({
      kind: fc.constant('ste' as const),
      sid: fc.constantFrom(...streams),
      form: fc.integer({ min: 0, max: 4 }),
    }),
    fc.record({ kind: fc.constant('cd' as const), asid: fc.integer({ min: 1, max: 2 }), table: fc.constantFrom(0, 1) }),
    fc.record({ kind: fc.constant('dma' as const), sid: fc.constantFrom(...streams), page: fc.constantFrom(...pages) }),
    fc.record({ kind: fc.constant('command' as const), which: fc.integer({ min: 0, max: 5 }) }),
  );
  fc.assert(
    fc.property(fc.array(step, { minLength: 5, maxLength: 40 }), (steps) => {
      const bench = new Bench();
      const tables = [bench.page(), bench.page(), bench.page()] as const;
      const context = bench.page();
      bench.memory.storeWords(context, contextWords(1, tables[0]));
      for (let page = 0x4100_0000; page < 0x4110_0000; page += 4096) bench.map(tables[2], page, page, S2_PAGE);
      const forms = (vmid: number) => [
        [0x1],
        [0x9],
        stage1Ste(vmid, context),
        stage2Ste(vmid, tables[2]),
        nestedSte(vmid, context, tables[2]),
      ];
      const commands = [
        cmd.s2Ipa(1, VA),
        cmd.nhAsid(1, 1),
        cmd.cfgiSte(1),
        cmd.cfgiCd(2),
        cmd.nhVa(1, 1, VA),
        cmd.sync(),
      ];
      for (const sid of streams) bench.ste(sid, forms(1)[sid + 1] as number[]);
      bench.enable();
      for (const s of steps) {
        if (s.kind === 'map') {
          const attributes = s.table === 2 ? S2_PAGE : S1_PAGE;
          bench.map(tables[s.table as 0 | 1 | 2], s.page * 4096, PAGE + s.frame * 4096, s.valid ? attributes : 0);
        } else if (s.kind === 'ste') bench.ste(s.sid, forms(1)[s.form] as number[]);
        else if (s.kind === 'cd') bench.memory.storeWords(context, contextWords(s.asid, tables[s.table as 0 | 1]));
        else if (s.kind === 'dma') bench.dmaRead(s.sid, s.page * 4096);
        else bench.produce(commands[s.which] as (typeof commands)[number]);
      }
      bench.produce(cmd.cfgiAll(), cmd.nsnhAll(), cmd.sync());
      const outcomes = () =>
        streams.flatMap((sid) =>
          pages.map((page) => bench.smmu.translate(sid, -1, 0, page * 4096, false, false, false)),
        );
      const warm = outcomes();
      bench.smmu.load(bench.smmu.save());
      const cold = outcomes();
      return warm.every((address, i) => address === cold[i]);
    }),
    { seed: 5, numRuns: 100 },
  );
});
