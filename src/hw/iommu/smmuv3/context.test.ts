/** Context Descriptors and substreams: Arm IHI 0070 3.3.2, 5.2 (S1CDMax, S1Fmt, S1DSS), 5.3, 5.4. */
import t from 'tap';
import { Bench, cmd, contextWords, nestedSte, S1_PAGE, S2_PAGE, stage1Ste } from './smmuv3.test-support.js';

const VA = 0x4000;
const PAGE = 0x4300_0000;

/** SSIDSIZE 8 (IDR1[10:6]), CD2L (IDR0[19]). */
const SUBSTREAMS = { IDR0: 0x0d4c_101b, IDR1: 0x0273_0210 };

/** A stage 1 table in which {@link VA} leads to a page of its own that holds `mark`. */
function tableWith(bench: Bench, mark: number): number {
  const table = bench.page();
  const page = bench.page();
  bench.map(table, VA, page, S1_PAGE);
  bench.memory.storeWords(page, [mark]);
  return table;
}

/** A linear table of 4 CDs, substream n marked 0x100 + n, and an STE with S1CDMax = 2 and the given S1DSS. */
function linear(s1dss: number): Bench {
  const bench = new Bench({ ids: SUBSTREAMS });
  const contexts = bench.page();
  for (let n = 0; n < 4; n++) {
    bench.memory.storeWords(contexts + n * 64, contextWords(n + 1, tableWith(bench, 0x100 + n)));
  }
  const words = stage1Ste(1, contexts);
  words[1] = 2 << 27;
  words[2] = s1dss;
  bench.ste(8, words);
  bench.enable();
  return bench;
}

t.test('a substream selects its CD; one beyond S1CDMax is C_BAD_SUBSTREAMID', async (t) => {
  const bench = linear(0);
  t.equal(bench.dmaRead(8, VA, { pasid: 0 }), 0x100);
  t.equal(bench.dmaRead(8, VA, { pasid: 3 }), 0x103);
  t.equal(bench.dmaRead(8, VA, { pasid: 4 }), undefined);
  t.same([...(bench.events()[0] ?? [])], [0x08 | (4 << 12), 8, 0, 0, 0, 0, 0, 0], 'SSID without SSV');
});

t.test('S1DSS 0 and 3 terminate what comes without a substream', async (t) => {
  for (const s1dss of [0, 3]) {
    const bench = linear(s1dss);
    t.equal(bench.dmaRead(8, VA), undefined);
    t.same([...(bench.events()[0] ?? [])], [0x06, 8, 0, 0, 0, 0, 0, 0], 'F_STREAM_DISABLED');
  }
});

t.test('S1DSS 1 lets it bypass stage 1', async (t) => {
  const bench = linear(1);
  bench.memory.storeWords(PAGE, [0x77]);
  t.equal(bench.dmaRead(8, PAGE), 0x77);
  t.equal(bench.dmaRead(8, VA, { pasid: 1 }), 0x101);
});

t.test('S1DSS 2 gives it substream 0, which none may name then', async (t) => {
  const bench = linear(2);
  t.equal(bench.dmaRead(8, VA), 0x100);
  t.equal(bench.dmaRead(8, VA, { pasid: 0 }), undefined);
  t.same([...(bench.events()[0] ?? [])], [0x06, 8, 0, 0, 0, 0, 0, 0]);
});

t.test('a substream where there are none is C_BAD_SUBSTREAMID: S1CDMax 0, and stage 1 off', async (t) => {
  const bench = new Bench({ ids: SUBSTREAMS });
  const context = bench.page();
  bench.memory.storeWords(context, contextWords(1, tableWith(bench, 1)));
  bench.ste(8, stage1Ste(1, context));
  bench.ste(9, [0x9]);
  bench.enable();
  t.equal(bench.dmaRead(8, VA, { pasid: 0 }), undefined);
  t.equal(bench.dmaRead(9, VA, { pasid: 1 }), undefined);
  t.same(
    bench.events().map((e) => e[0]),
    [0x08, 0x1008],
  );
});

t.test('two-level tables hold 64 or 1024 CDs a leaf; an L1CD with V = 0 is C_BAD_SUBSTREAMID (5.3)', async (t) => {
  for (const [format, split] of [
    [1, 6],
    [2, 10],
  ] as const) {
    const bench = new Bench({ ids: { IDR0: 0x0d4c_101b, IDR1: 0x0273_0310 } });
    const first = bench.page();
    const leaf = bench.page(0x1_0000);
    const ssid = 2 ** split + 5;
    bench.store64(first + 8, leaf | 1);
    bench.memory.storeWords(leaf + 5 * 64, contextWords(1, tableWith(bench, 0x55)));
    const words = stage1Ste(1, first);
    words[0] = (words[0] as number) | (format << 4);
    words[1] = 12 << 27;
    bench.ste(8, words);
    bench.enable();
    t.equal(bench.dmaRead(8, VA, { pasid: ssid }), 0x55);
    t.equal(bench.dmaRead(8, VA, { pasid: 5 }), undefined);
    t.equal(bench.events()[0]?.[0], 0x08 | (5 << 12));
  }
});

t.test('CFGI_CD drops one CD of one stream, CFGI_CD_ALL all of them, CFGI_STE too (4.3)', async (t) => {
  for (const [command, mark] of [
    [cmd.cfgiCd(8, 2), 0x103],
    [cmd.cfgiCd(8, 3), 0x999],
    [cmd.cfgiCd(9, 3), 0x103],
    [cmd.cfgiCdAll(8), 0x999],
    [cmd.cfgiSte(8), 0x999],
  ] as const) {
    const bench = linear(0);
    t.equal(bench.dmaRead(8, VA, { pasid: 3 }), 0x103);
    const contexts = 0x4100_0000;
    // Another ASID as well, so that no cached translation answers.
    bench.memory.storeWords(contexts + 3 * 64, contextWords(9, tableWith(bench, 0x999)));
    t.equal(bench.dmaRead(8, VA, { pasid: 3 }), 0x103, 'stale');
    bench.produce(command, cmd.sync());
    t.equal(bench.dmaRead(8, VA, { pasid: 3 }), mark);
  }
});

t.test('a CD outside memory is F_CD_FETCH, an ILLEGAL one C_BAD_CD', async (t) => {
  const bench = new Bench();
  const context = bench.page();
  bench.ste(8, stage1Ste(1, 0xe000_0000));
  bench.ste(9, stage1Ste(1, context));
  bench.enable();
  bench.dmaRead(8, VA);
  bench.dmaRead(9, VA);
  t.same([...(bench.events()[0] ?? [])], [0x09, 8, 0, 0, 0, 0, 0xe000_0000, 0]);
  t.same([...(bench.events()[1] ?? [])], [0x0a, 9, 0, 0, 0, 0, 0, 0]);
});

t.test('what makes a CD ILLEGAL (5.4.2)', async (t) => {
  const cases: readonly (readonly [string, (words: number[]) => void])[] = [
    ['V = 0', (w) => (w[0] = (w[0] as number) & ~(1 << 31))],
    ['T0SZ 15', (w) => (w[0] = ((w[0] as number) & ~0x3f) | 15)],
    ['T0SZ 40', (w) => (w[0] = ((w[0] as number) & ~0x3f) | 40)],
    ['TG0 = 3', (w) => (w[0] = (w[0] as number) | (3 << 6))],
    ['ENDI', (w) => (w[0] = (w[0] as number) | (1 << 15))],
    ['TG1 = 0 with EPD1 = 0', (w) => (w[0] = ((w[0] as number) & ~(1 << 30)) | (25 << 16))],
    ['AA64 = 0', (w) => (w[1] = (w[1] as number) & ~(1 << 9))],
    ['HA without HTTU', (w) => (w[1] = (w[1] as number) | (1 << 11))],
    ['A = 0 with TERM_MODEL = 1', (w) => (w[1] = (w[1] as number) & ~(1 << 14))],
    ['S without stalls', (w) => (w[1] = (w[1] as number) | (1 << 12))],
    [
      'TTB0 beyond IPS of 32 bits',
      (w) => {
        w[1] = (w[1] as number) & ~7;
        w[3] = 1;
      },
    ],
  ];
  for (const [what, change] of cases) {
    const bench = new Bench();
    const context = bench.page();
    const words = contextWords(1, tableWith(bench, 1));
    change(words);
    bench.memory.storeWords(
      context,
      words.map((word) => word >>> 0),
    );
    bench.ste(8, stage1Ste(1, context));
    bench.enable();
    t.equal(bench.dmaRead(8, VA), undefined, what);
    t.equal(bench.events()[0]?.[0], 0x0a, what);
  }
});

t.test('with both stages a CD is fetched through stage 2, whose fault has CLASS = CD (7.3.13)', async (t) => {
  const bench = new Bench();
  const second = bench.page();
  const context = 0x20_0000;
  const physical = bench.page();
  const table = tableWith(bench, 0x42);
  bench.memory.storeWords(physical, contextWords(1, table));
  for (let page = table; page < table + 0x10_0000; page += 4096) bench.map(second, page, page, S2_PAGE);
  bench.ste(8, nestedSte(1, context, second));
  bench.enable();
  t.equal(bench.dmaRead(8, VA), undefined);
  // F_TRANSLATION: RnW, S2, CLASS CD (0); InputAddr is the transaction's, IPA the CD's.
  t.same([...(bench.events()[0] ?? [])], [0x10, 8, 0, 0x88, VA, 0, context, 0]);
  bench.map(second, context, physical, S2_PAGE);
  t.equal(bench.dmaRead(8, VA), 0x42);
});

t.test('S2PTW bars a CD from Device memory (5.2, S2PTW)', async (t) => {
  const bench = new Bench();
  const second = bench.page();
  const context = bench.page();
  const table = tableWith(bench, 0x42);
  bench.memory.storeWords(context, contextWords(1, table));
  for (let page = table; page < table + 0x10_0000; page += 4096) bench.map(second, page, page, S2_PAGE);
  // MemAttr 1: Device-nGnRE.
  bench.map(second, context, context, (S2_PAGE & ~0x3c) | 0x4);
  const words = nestedSte(1, context, second);
  bench.ste(8, words);
  bench.ste(
    9,
    words.map((word, i) => (i === 5 ? word | (1 << 22) : word)),
  );
  bench.enable();
  t.equal(bench.dmaRead(8, VA), 0x42);
  t.equal(bench.dmaRead(9, VA), undefined);
  t.same([bench.events()[0]?.[0], bench.events()[0]?.[3], bench.events()[0]?.[6]], [0x13, 0x88, context]);
});

t.test('TBI lets the top byte pass, and what is cached and invalidated goes without it (5.4, TBI0)', async (t) => {
  // TBI0 is bit 38 of the CD.
  const bench = new Bench();
  const table = tableWith(bench, 0x42);
  const context = bench.page();
  const words = contextWords(5, table);
  words[1] = (words[1] as number) | (1 << 6);
  bench.memory.storeWords(context, words);
  bench.ste(8, stage1Ste(1, context));
  bench.enable();
  t.equal(bench.dmaRead(8, VA, { hi: 0x5a00_0000 }), 0x42);
  const other = bench.page();
  bench.memory.storeWords(other, [0x43]);
  bench.map(table, VA, other, S1_PAGE);
  t.equal(bench.dmaRead(8, VA), 0x42, 'one entry, whatever the top byte');
  bench.produce(cmd.nhVa(1, 5, VA), cmd.sync());
  t.equal(bench.dmaRead(8, VA, { hi: 0x5a00_0000 }), 0x43);
  t.equal(bench.dmaRead(8, VA, { hi: 0x0001_0000 }), undefined, 'bits 55:48 count');
});
