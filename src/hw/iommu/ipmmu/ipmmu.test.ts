/** Translation, faults and the interrupt of an IPMMU, as its drivers set it up. */
import t from 'tap';
import {
  ABORTED,
  Bench,
  INTEN,
  imuctr,
  LINUX_TTBCR,
  MMUEN,
  PF,
  REG,
  S1_PAGE,
  S1_READ_ONLY,
  S2_PAGE,
  S2_READ_ONLY,
  TF,
  transaction,
  VA64,
  XEN_TTBCR,
} from './ipmmu.test-support.js';

const IPA = 0x1_2345_6000;
const PAGE = 0x4300_0000;
const OTHER = 0x4300_1000;

/** Context 1 with {@link IPA} at {@link PAGE}, selected by micro-TLB 5 of a cache. Its table. */
function stage2Bench(attributes = S2_PAGE): { bench: Bench; table: number } {
  const bench = new Bench();
  const table = bench.root();
  bench.map(table, IPA, PAGE, attributes);
  bench.memory.storeWords(PAGE, [0x1111]);
  bench.memory.storeWords(OTHER, [0x2222]);
  bench.stage2Context(1, table);
  bench.select(bench.cache, 5, 1);
  return { bench, table };
}

t.test('a micro-TLB that is not enabled passes requests untranslated', async (t) => {
  const { bench } = stage2Bench();
  t.equal(bench.dmaRead(bench.cache, 6, PAGE), 0x1111);
  t.equal(bench.dmaWrite(bench.cache, 6, OTHER, 3), 'okay');
  t.equal(bench.load32(OTHER), 3);
  t.equal(bench.dmaRead(bench.cache, 6, 0x1000), undefined, 'nothing is there');
  t.equal(bench.dmaRead(bench.cache, 6, 2 ** 52), undefined, 'beyond all addresses');
  t.equal(bench.read(bench.main, 0x40 + REG.IMSTR), 0, 'and no fault');
});

t.test('one that is goes through the stage 2 table of its context', async (t) => {
  const { bench } = stage2Bench();
  t.equal(bench.dmaRead(bench.cache, 5, IPA), 0x1111);
  t.equal(bench.dmaWrite(bench.cache, 5, IPA + 0x10, 7), 'okay');
  t.equal(bench.load32(PAGE + 0x10), 7);
  t.equal(bench.dmaRead(bench.cache, 5, IPA + 0x10), 7);
  t.equal(bench.dmaRead(bench.cache, 5, PAGE), undefined);
  t.same(bench.problems, []);
});

t.test('micro-TLBs of the same number in two caches, and two of one cache, select apart', async (t) => {
  const { bench } = stage2Bench();
  const second = bench.root();
  bench.map(second, IPA, OTHER, S2_PAGE);
  bench.stage2Context(7, second);
  bench.select(bench.other, 5, 7);
  bench.select(bench.cache, 40, 7);
  t.equal(bench.dmaRead(bench.cache, 5, IPA), 0x1111);
  t.equal(bench.dmaRead(bench.other, 5, IPA), 0x2222);
  t.equal(bench.dmaRead(bench.cache, 40, IPA), 0x2222, 'in the second bank');
});

t.test('a main instance may have micro-TLBs too', async (t) => {
  const { bench } = stage2Bench();
  bench.select(bench.main, 0, 1);
  t.equal(bench.dmaRead(bench.main, 0, IPA), 0x1111);
});

t.test('an empty context denies everything, and a context that is not enabled nothing', async (t) => {
  const { bench } = stage2Bench();
  bench.stage2Context(2, bench.root());
  bench.select(bench.cache, 5, 2);
  t.equal(bench.dmaRead(bench.cache, 5, PAGE), undefined);
  t.equal(bench.dmaWrite(bench.cache, 5, PAGE, 1), 'abort');
  t.equal(bench.read(bench.main, 0x80 + REG.IMSTR), TF);
  bench.select(bench.cache, 5, 3);
  t.equal(bench.dmaRead(bench.cache, 5, PAGE), 0x1111);
  bench.write(bench.cache, 0x80, 0);
  bench.select(bench.cache, 5, 2);
  t.equal(bench.dmaRead(bench.cache, 5, PAGE), 0x1111, 'enabled in the main instance alone');
});

t.test('blocks of 2 MiB and 1 GiB, and a root above 4 GiB', async (t) => {
  const bench = new Bench();
  bench.memory.addRange(0x5_0000_0000 as never, 0x1_0000);
  const [root, level2] = [0x5_0000_2000, bench.page()];
  // Level 1: entry 4 (4 GiB) is a table, entry 1023 a block. Level 2: entry 3 is a block.
  bench.memory.storeWords(root + 4 * 8, [level2 | 3, 0]);
  bench.memory.storeWords(root + 1023 * 8, [0x4000_0000 | (S2_PAGE & ~2), 0]);
  bench.memory.storeWords(level2 + 3 * 8, [0x4320_0000 | (S2_PAGE & ~2), 0]);
  bench.memory.storeWords(0x4325_4320, [0x33]);
  bench.stage2Context(1, root);
  bench.select(bench.cache, 0, 1);
  t.equal(bench.dmaRead(bench.cache, 0, 0x1_0065_4320), 0x33);
  t.equal(bench.dmaRead(bench.cache, 0, 0xff_c325_4320), 0x33);
  t.equal(bench.dmaRead(bench.cache, 0, 0xff_c325_5320), 0);
  t.equal(bench.dmaRead(bench.cache, 0, 0x100_0000_0000), undefined, 'more than 40 bits');
  t.equal(bench.read(bench.main, 0x40 + REG.IMEUAR), 0x100);
});

t.test('the tables of Linux: stage 1 of 32 bits, SL0 = 2', async (t) => {
  const bench = new Bench();
  const table = bench.page();
  bench.map(table, 0xfffe_d000, PAGE, S1_PAGE);
  bench.map(table, 0x5000, OTHER, S1_READ_ONLY);
  bench.stage1Context(1, table);
  bench.select(bench.cache, 0, 1);
  t.equal(bench.dmaWrite(bench.cache, 0, 0xfffe_d008, 5), 'okay');
  t.equal(bench.load32(PAGE + 8), 5);
  t.equal(bench.dmaRead(bench.cache, 0, 0x5000), 0);
  t.equal(bench.dmaWrite(bench.cache, 0, 0x5000, 5), 'abort');
  t.equal(bench.read(bench.main, 0x40 + REG.IMSTR), PF);
  t.equal(bench.dmaRead(bench.cache, 0, 0x1_0000_5000), undefined, 'more than 32 bits');
  t.same(bench.problems, []);
});

t.test('without S2PTE the tables of stage 2 are read as those of stage 1', async (t) => {
  const { bench } = stage2Bench();
  bench.write(bench.main, REG.IMSAUXCTLR, 0);
  t.equal(bench.dmaRead(bench.cache, 5, IPA), 0x1111);
  t.equal(bench.dmaWrite(bench.cache, 5, IPA, 1), 'abort', 'S2AP = 3 is AP[2:1] = 3: read-only');
});

t.test('a start that cannot be walked faults and is misuse; short descriptors are not modelled', async (t) => {
  const { bench } = stage2Bench();
  // Without PMB, SL0 = 1 is level 2, which does not hold 40 bits.
  bench.write(bench.main, 0x40 + REG.IMTTBCR, 0x8000_0058);
  t.equal(bench.dmaRead(bench.cache, 5, IPA), undefined);
  // TSZ0 = 16: 48 bits.
  bench.write(bench.main, 0x40 + REG.IMTTBCR, 0xc000_0050);
  t.equal(bench.dmaRead(bench.cache, 5, IPA), undefined);
  bench.write(bench.main, 0x40 + REG.IMTTBCR, XEN_TTBCR & 0x7fff_ffff);
  t.equal(bench.dmaRead(bench.cache, 5, IPA), undefined);
  t.same(
    bench.problems.map((problem) => `${problem.channel} ${problem.text}`),
    [
      'misuse mm: context 1: IMTTBCR 0x80000058: no walk begins so',
      'misuse mm: context 1: IMTTBCR 0xc0000050: no walk begins so',
      'unmodelled context 1: short descriptors (IMTTBCR.EAE = 0)',
    ],
  );
  t.equal(LINUX_TTBCR, 0x8000_0080);
});

t.test('without VA64 addresses have 32 bits', async (t) => {
  const { bench, table } = stage2Bench();
  bench.map(table, 0x8000_0000, OTHER, S2_PAGE);
  bench.write(bench.main, 0x40, INTEN | MMUEN);
  t.equal(bench.dmaRead(bench.cache, 5, IPA), undefined);
  t.equal(bench.dmaRead(bench.cache, 5, 0x8000_0000), 0x2222);
  bench.write(bench.main, 0x40, VA64 | INTEN | MMUEN);
  t.equal(bench.dmaRead(bench.cache, 5, IPA), 0x1111);
});

t.test('the first fault of a context stays until IMSTR is written as 0; the address goes with it', async (t) => {
  const { bench, table } = stage2Bench();
  bench.map(table, IPA + 0x1000, OTHER, S2_READ_ONLY);
  t.equal(bench.dmaWrite(bench.cache, 5, IPA + 0x1234, 1), 'abort');
  t.equal(bench.load32(OTHER + 0x234), 0);
  bench.dmaRead(bench.cache, 5, 0x7000);
  const shown = () => [REG.IMSTR, REG.IMEUAR, REG.IMELAR].map((offset) => bench.read(bench.main, 0x40 + offset));
  t.same(shown(), [PF, 1, 0x2345_7234], 'the one that came first');
  bench.write(bench.main, 0x40 + REG.IMSTR, PF);
  t.same(shown(), [PF, 1, 0x2345_7234], 'not by writing 1');
  bench.write(bench.main, 0x40 + REG.IMELAR, 0);
  bench.write(bench.main, 0x40 + REG.IMSTR, 0);
  t.same(shown(), [0, 0, 0]);
  bench.write(bench.main, 0x40 + REG.IMSTR, 0x17);
  t.same(shown(), [0, 0, 0], 'nothing is set by a write');
  bench.dmaRead(bench.cache, 5, 0x7000);
  t.same(shown(), [TF, 0, 0x7000]);
  t.same(
    bench.told.filter((text) => text.includes('micro-TLB')),
    [
      'PF context 1 ds0 micro-TLB 5 write 0x123457234',
      'TF context 1 ds0 micro-TLB 5 read 0x7000 (not recorded)',
      'TF context 1 ds0 micro-TLB 5 read 0x7000',
    ],
  );
});

t.test('a table that is not there is an abort of the walk; an output beyond 40 bits is not translated', async (t) => {
  const { bench, table } = stage2Bench();
  bench.memory.storeWords(table, [0xe000_0003, 0]);
  t.equal(bench.dmaRead(bench.cache, 5, 0x1000), undefined);
  t.equal(bench.read(bench.main, 0x40 + REG.IMSTR), ABORTED);
  bench.write(bench.main, 0x40 + REG.IMSTR, 0);
  bench.map(table, IPA + 0x2000, 0x100_0000_0000, S2_PAGE);
  t.equal(bench.dmaRead(bench.cache, 5, IPA + 0x2000), undefined);
  t.equal(bench.read(bench.main, 0x40 + REG.IMSTR), TF);
});

t.test('data that reach no memory abort without a fault; AF does not count', async (t) => {
  const { bench, table } = stage2Bench();
  bench.map(table, IPA + 0x1000, 0xe000_0000, S2_PAGE);
  bench.map(table, IPA + 0x2000, OTHER, S2_PAGE & ~0x400);
  t.equal(bench.dmaRead(bench.cache, 5, IPA + 0x1000), undefined);
  t.equal(bench.read(bench.main, 0x40 + REG.IMSTR), 0);
  t.equal(bench.dmaRead(bench.cache, 5, IPA + 0x2000), 0x2222);
});

t.test('the interrupt is a level: while a context with INTEN has a status bit', async (t) => {
  const { bench } = stage2Bench();
  bench.stage2Context(2, bench.root());
  bench.select(bench.cache, 6, 2);
  bench.dmaRead(bench.cache, 5, 0);
  t.equal(bench.line, true);
  bench.dmaRead(bench.cache, 6, 0);
  bench.write(bench.main, 0x40 + REG.IMSTR, 0);
  t.equal(bench.line, true, 'the other context has one too');
  bench.write(bench.main, 0x80 + REG.IMCTR, VA64 | MMUEN);
  t.equal(bench.line, false, 'masked');
  bench.write(bench.main, 0x80 + REG.IMCTR, VA64 | MMUEN | INTEN);
  t.equal(bench.line, true);
  bench.write(bench.main, 0x80 + REG.IMSTR, 0);
  t.equal(bench.line, false);
  t.same(
    bench.told.filter((text) => text === 'asserted'),
    ['asserted', 'asserted'],
  );
});

t.test('a request that crosses pages moves all its bytes or none', async (t) => {
  const { bench, table } = stage2Bench();
  const data = Uint8Array.from({ length: 16 }, (_, i) => i + 1);
  const crossing = { ...transaction(IPA + 0xff8, data), write: true };
  t.equal(bench.cache.request(5, crossing), 'abort');
  t.equal(bench.load32(PAGE + 0xff8), 0);
  t.equal(bench.read(bench.main, 0x40 + REG.IMELAR), 0x2345_7000, 'the page that faulted');
  bench.map(table, IPA + 0x1000, 0x4300_5000, S2_PAGE);
  t.equal(bench.cache.request(5, crossing), 'okay');
  t.equal(bench.load32(PAGE + 0xff8), 0x0403_0201);
  t.equal(bench.load32(0x4300_5000), 0x0c0b_0a09);
});

t.test('a request keeps what its requester is known by', async (t) => {
  const { bench, table } = stage2Bench();
  const seen: unknown[] = [];
  bench.bus.add('doorbell', 0x1000_0000 as never, 0x1000, {
    readRegister: () => 0,
    writeRegister: (...write) => seen.push(write) > 0,
  });
  bench.map(table, 0x9000, 0x1000_0000, S2_PAGE);
  const message = { ...transaction(0x9040, Uint8Array.of(7, 0, 0, 0)), write: true, from: { deviceId: 12 } };
  t.equal(bench.cache.request(5, message), 'okay');
  t.equal(bench.cache.begin(6, { ...message, hi: 0, lo: 0x1000_0040 }).land(), 'okay');
  t.same(seen, Array(2).fill([0x40, 4, 7, { deviceId: 12 }]));
});

t.test('requests with a PASID or of ATS, and at a micro-TLB that is not there, are refused', async (t) => {
  const { bench } = stage2Bench();
  t.equal(bench.dmaRead(bench.cache, 5, IPA, { pasid: 1 }), undefined);
  t.equal(bench.dmaRead(bench.cache, 6, PAGE, { addressType: 'translated' }), undefined);
  t.equal(bench.cache.begin(6, { ...transaction(PAGE, new Uint8Array(4)), pasid: 0 }).land(), 'abort');
  t.same(bench.problems, []);
  t.equal(bench.dmaRead(bench.cache, 48, PAGE), undefined);
  t.match(bench.problems, [{ channel: 'unmodelled', actor: 'ds0', text: 'there is no micro-TLB 48' }]);
  bench.write(bench.cache, imuctr(6), 0x81);
  t.equal(bench.dmaRead(bench.cache, 6, PAGE), undefined, 'TTSEL = 8: no context');
});

t.test('registers are saved and loaded, caches are cold after', async (t) => {
  const { bench, table } = stage2Bench();
  t.equal(bench.dmaRead(bench.cache, 5, IPA), 0x1111);
  bench.dmaRead(bench.cache, 5, 0x7000);
  const saved = [bench.main, bench.cache].map((instance) => instance.save());
  const copy = JSON.parse(JSON.stringify(saved));
  bench.map(table, IPA, OTHER, S2_PAGE);
  bench.write(bench.main, 0x40 + REG.IMSTR, 0);
  bench.write(bench.cache, imuctr(5), 0);
  bench.main.load(copy[0]);
  bench.cache.load(copy[1]);
  t.equal(bench.line, true);
  t.equal(bench.read(bench.main, 0x40 + REG.IMELAR), 0x7000);
  t.equal(bench.dmaRead(bench.cache, 5, IPA), 0x2222, 'S2PTE, tables and micro-TLB are back, what was cached is not');
  t.same(
    [bench.main, bench.cache].map((instance) => instance.save()),
    saved,
  );
  t.throws(() => bench.cache.load(saved[0]), TypeError);
  t.throws(() => bench.main.load({}), TypeError);
});
