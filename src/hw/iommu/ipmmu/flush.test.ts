/** What is cached stays until it is flushed, and a flush takes its time. */
import t from 'tap';
import { Latency } from '../../latency.js';
import {
  Bench,
  FLUSH,
  INTEN,
  imuctr,
  MMUEN,
  PF,
  REG,
  S2_PAGE,
  S2_READ_ONLY,
  transaction,
  VA64,
} from './ipmmu.test-support.js';

const IPA = 0x1_2345_6000;
const PAGE = 0x4300_0000;
const OTHER = 0x4300_1000;

/** Context 1 with {@link IPA} at {@link PAGE} behind micro-TLB 5 of a cache, which has been used. */
function usedBench(latency?: Latency): { bench: Bench; table: number } {
  const bench = new Bench(latency);
  const table = bench.root();
  bench.map(table, IPA, PAGE, S2_PAGE);
  bench.memory.storeWords(PAGE, [0x1111]);
  bench.memory.storeWords(OTHER, [0x2222]);
  bench.stage2Context(1, table);
  bench.select(bench.cache, 5, 1);
  bench.dmaRead(bench.cache, 5, IPA);
  return { bench, table };
}

t.test('a translation outlives its page until cache and main instance are flushed, in either order', async (t) => {
  const flushed = (pick: (bench: Bench) => Bench['main'][]) => {
    const { bench, table } = usedBench();
    bench.map(table, IPA, OTHER, S2_PAGE);
    t.equal(bench.dmaRead(bench.cache, 5, IPA), 0x1111, 'stale');
    for (const instance of pick(bench)) {
      bench.flush(1, [instance]);
      bench.dmaRead(bench.cache, 5, IPA);
    }
    return bench.dmaRead(bench.cache, 5, IPA);
  };
  t.equal(
    flushed(({ cache, main }) => [cache, main]),
    0x2222,
  );
  t.equal(
    flushed(({ cache, main }) => [main, cache]),
    0x2222,
  );
  t.equal(
    flushed(({ main }) => [main]),
    0x1111,
    'the micro-TLB has it still',
  );
  t.equal(
    flushed(({ cache }) => [cache]),
    0x1111,
    'the main instance has it still',
  );
  t.equal(
    flushed(({ other, main }) => [other, main]),
    0x1111,
    'another cache was told',
  );
});

t.test('a flush is of one context', async (t) => {
  const { bench, table } = usedBench();
  bench.stage2Context(2, bench.root());
  bench.map(table, IPA, OTHER, S2_PAGE);
  bench.flush(2);
  t.equal(bench.dmaRead(bench.cache, 5, IPA), 0x1111);
  bench.flush(1);
  t.equal(bench.dmaRead(bench.cache, 5, IPA), 0x2222);
});

t.test('stale permissions deny as well, with a fault', async (t) => {
  const { bench, table } = usedBench();
  bench.map(table, IPA, PAGE, S2_READ_ONLY);
  t.equal(bench.dmaWrite(bench.cache, 5, IPA, 1), 'okay', 'what it was');
  bench.flush(1);
  t.equal(bench.dmaWrite(bench.cache, 5, IPA, 1), 'abort');
  bench.dmaRead(bench.cache, 5, IPA);
  bench.map(table, IPA, PAGE, S2_PAGE);
  t.equal(bench.dmaWrite(bench.cache, 5, IPA, 1), 'abort');
  t.equal(bench.read(bench.main, 0x40 + REG.IMSTR), PF);
  bench.select(bench.cache, 6, 1);
  t.equal(bench.dmaWrite(bench.cache, 6, IPA, 1), 'abort', 'by way of the main instance too');
});

t.test('faults are not cached', async (t) => {
  const { bench, table } = usedBench();
  t.equal(bench.dmaRead(bench.cache, 5, 0x8000), undefined);
  bench.map(table, 0x8000, OTHER, S2_PAGE);
  t.equal(bench.dmaRead(bench.cache, 5, 0x8000), 0x2222);
});

t.test('new registers of a context do not reach what is cached; new tables are walked for the rest', async (t) => {
  const { bench } = usedBench();
  const second = bench.root();
  bench.map(second, IPA, OTHER, S2_PAGE);
  bench.map(second, IPA + 0x1000, OTHER, S2_PAGE);
  bench.write(bench.main, 0x40 + REG.IMTTLBR0, second);
  t.equal(bench.dmaRead(bench.cache, 5, IPA), 0x1111);
  t.equal(bench.dmaRead(bench.cache, 5, IPA + 0x1000), 0x2222);
  bench.flush(1);
  t.equal(bench.dmaRead(bench.cache, 5, IPA), 0x2222);
});

t.test('a micro-TLB that selects another context has its old translations until it is flushed', async (t) => {
  const { bench } = usedBench();
  bench.stage2Context(2, bench.root());
  bench.select(bench.cache, 5, 2);
  t.equal(bench.dmaRead(bench.cache, 5, IPA), 0x1111, 'stale: context 2 is empty');
  t.equal(bench.dmaRead(bench.cache, 5, IPA + 0x1000), undefined, 'what is not cached goes by the new context');
  bench.write(bench.cache, imuctr(5), 0);
  bench.select(bench.cache, 5, 2);
  t.equal(bench.dmaRead(bench.cache, 5, IPA), 0x1111, 'turning it off and on is no flush');
  bench.flush(2);
  t.equal(bench.dmaRead(bench.cache, 5, IPA), 0x1111, 'nor is that of the new context');
  bench.write(bench.cache, imuctr(5), 0x20 | FLUSH | MMUEN);
  t.equal(bench.dmaRead(bench.cache, 5, IPA), undefined);

  const { bench: second } = usedBench();
  second.stage2Context(2, second.root());
  second.select(second.cache, 5, 2);
  second.flush(1, [second.cache]);
  t.equal(second.dmaRead(second.cache, 5, IPA), undefined, 'that of the old context is');
});

t.test('IMUCTR.FLUSH empties one micro-TLB, and not the main instance', async (t) => {
  const { bench, table } = usedBench();
  bench.map(table, IPA, OTHER, S2_PAGE);
  bench.write(bench.cache, imuctr(5), 0x10 | FLUSH | MMUEN);
  t.equal(bench.dmaRead(bench.cache, 5, IPA), 0x1111, 'from the main instance');
  bench.flush(1, [bench.main]);
  t.equal(bench.dmaRead(bench.cache, 5, IPA), 0x1111, 'kept again');
  bench.write(bench.cache, imuctr(6), 0x10 | FLUSH | MMUEN);
  t.equal(bench.dmaRead(bench.cache, 6, IPA), 0x2222, 'the next one never had it');
  t.equal(bench.dmaRead(bench.cache, 5, IPA), 0x1111);
  bench.write(bench.cache, imuctr(5), 0x10 | FLUSH | MMUEN);
  t.equal(bench.dmaRead(bench.cache, 5, IPA), 0x2222);
});

t.test('two devices at one micro-TLB share what it has', async (t) => {
  const { bench, table } = usedBench();
  bench.unmap(table, IPA);
  t.equal(bench.dmaRead(bench.cache, 5, IPA, { requester: 99 }), 0x1111);
});

t.test('with latency FLUSH reads as 1 until nothing stale is left; the main instance is last', async (t) => {
  let stale = 0;
  let waited = 0;
  for (let seed = 1; seed <= 16; seed++) {
    const { bench, table } = usedBench(new Latency(seed, 64));
    bench.map(table, IPA, OTHER, S2_PAGE);
    bench.flush(1);
    if (bench.dmaRead(bench.cache, 5, IPA) === 0x1111) stale++;
    for (let polls = 0; (bench.read(bench.main, 0x40) & FLUSH) !== 0; polls++) {
      if (polls === 0) waited++;
      if (polls > 200) t.fail('it never ends');
    }
    t.equal(bench.read(bench.cache, 0x40) & FLUSH, 0, 'caches that were told before are done');
    t.equal(bench.dmaRead(bench.cache, 5, IPA), 0x2222);
    t.equal(bench.read(bench.main, 0x40), VA64 | INTEN | MMUEN);
  }
  t.ok(stale > 4, `stale ${stale} of 16`);
  t.ok(waited > 8, `waited ${waited} of 16`);
});

t.test('FLUSH stays 1 until the last of several flushes has ended, whatever else is written', async (t) => {
  const { bench } = usedBench(new Latency(3, 64));
  bench.write(bench.main, 0x40, VA64 | FLUSH | MMUEN);
  bench.write(bench.main, 0x40, VA64 | FLUSH | MMUEN);
  bench.write(bench.main, 0x40, VA64 | MMUEN);
  t.equal(bench.read(bench.main, 0x40), VA64 | FLUSH | MMUEN);
  bench.latency.settle();
  t.equal(bench.read(bench.main, 0x40), VA64 | MMUEN);
});

t.test('a write under way lands before a flush of its context ends, and not for that of another', async (t) => {
  const { bench } = usedBench();
  bench.stage2Context(2, bench.root());
  const data = Uint8Array.of(9, 0, 0, 0);
  const start = () => bench.cache.begin(5, { ...transaction(IPA + 8, data), write: true });
  const flight = start();
  bench.flush(2);
  bench.write(bench.cache, imuctr(5), 0x20 | FLUSH | MMUEN);
  t.equal(bench.load32(PAGE + 8), 0, 'on its way; that it was translated already does not change');
  bench.flush(1, [bench.main]);
  t.equal(bench.load32(PAGE + 8), 9);
  bench.memory.storeWords(PAGE + 8, [0]);
  t.equal(flight.land(), 'okay');
  t.equal(bench.load32(PAGE + 8), 0, 'once');
  bench.select(bench.cache, 5, 1);
  start();
  bench.flush(1, [bench.cache]);
  t.equal(bench.load32(PAGE + 8), 9, 'for that of the cache as well');
  const passing = bench.cache.begin(7, { ...transaction(OTHER + 8, data), write: true });
  bench.flush(1);
  t.equal(bench.load32(OTHER + 8), 0, 'what no context translated waits for no flush');
  t.equal(passing.land(), 'okay');
  t.equal(bench.load32(OTHER + 8), 9);
});

t.test('what a stale translation lets through lands with a flush of the context that it came from', async (t) => {
  const { bench } = usedBench();
  const second = bench.root();
  bench.map(second, IPA + 0x1000, OTHER, S2_PAGE);
  bench.stage2Context(2, second);
  bench.select(bench.cache, 5, 2);
  const write = (address: number) => ({ ...transaction(address, Uint8Array.of(9, 0, 0, 0)), write: true });
  bench.cache.begin(5, write(IPA + 8));
  bench.cache.begin(5, write(IPA + 0x1008));
  bench.flush(2);
  t.same([bench.load32(PAGE + 8), bench.load32(OTHER + 8)], [0, 9]);
  bench.flush(1);
  t.same([bench.load32(PAGE + 8), bench.load32(OTHER + 8)], [9, 9]);
});

t.test('a saved state has nothing under way', async (t) => {
  const { bench } = usedBench(new Latency(3, 64));
  bench.flush(1);
  const flight = bench.cache.begin(5, { ...transaction(IPA + 8, Uint8Array.of(9, 0, 0, 0)), write: true });
  bench.cache.save();
  t.equal(bench.load32(PAGE + 8), 9);
  t.equal(flight.land(), 'okay');
  bench.main.save();
  t.equal(bench.main.readRegister(0x40, 4), VA64 | INTEN | MMUEN);
});

t.test('a context that is disabled and flushed, and set up anew, has nothing of before', async (t) => {
  const { bench } = usedBench();
  bench.write(bench.cache, imuctr(5), 0);
  bench.write(bench.cache, 0x40, FLUSH);
  bench.write(bench.main, 0x40, FLUSH);
  t.equal(bench.read(bench.main, 0x40), 0);
  bench.stage2Context(1, bench.root());
  bench.select(bench.cache, 5, 1);
  t.equal(bench.dmaRead(bench.cache, 5, IPA), undefined);
});
