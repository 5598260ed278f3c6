/**
 * How stale a translation can be: it has been in the tables at some time since the earlier of the last flush of the cache
 * and the last flush of the main instance; and it is nothing else. Random tables, accesses and flushes hold to it.
 */
import fc from 'fast-check';
import t from 'tap';
import { Bench, FLUSH, imuctr, MMUEN, S2_PAGE } from './ipmmu.test-support.js';

const IPA = 0x1_2345_6000;
const FRAMES = 0x4300_0000;
const UNMAPPED = 0;

const page = fc.nat(1);
const step = fc.oneof(
  { weight: 4, arbitrary: fc.record({ do: fc.constant('read' as const), page, microTlb: fc.constantFrom(5, 33) }) },
  { weight: 2, arbitrary: fc.record({ do: fc.constant('map' as const), page, frame: fc.nat(2) }) },
  { weight: 2, arbitrary: fc.record({ do: fc.constant('flush' as const), main: fc.boolean() }) },
  {
    weight: 1,
    arbitrary: fc.record({ do: fc.constant('flush micro-TLB' as const), microTlb: fc.constantFrom(5, 33) }),
  },
);

/** What a page has been, oldest first, and since when. */
type History = { readonly frame: number; readonly since: number }[];

/** The frames that a page has been at since a time. */
function framesSince(history: History, time: number): Set<number> {
  return new Set(history.filter((_, i) => (history[i + 1]?.since ?? Infinity) > time).map(({ frame }) => frame));
}

t.test('a translation is never older than both flushes allow', async (t) => {
  let stale = 0;
  fc.assert(
    fc.property(fc.array(step, { minLength: 5, maxLength: 40, size: 'max' }), (steps) => {
      const bench = new Bench();
      const table = bench.root();
      for (let frame = 1; frame <= 2; frame++) bench.memory.storeWords(FRAMES + frame * 0x1000, [frame]);
      bench.stage2Context(1, table);
      bench.select(bench.cache, 5, 1);
      bench.select(bench.cache, 33, 1);
      const histories: History[] = [0, 1].map(() => [{ frame: UNMAPPED, since: 0 }]);
      const flushed = { main: 0, cache: 0 };
      for (const [time, one] of steps.entries()) {
        if (one.do === 'map') {
          const { page, frame } = one;
          bench.map(table, IPA + page * 0x1000, frame === 0 ? 0 : FRAMES + frame * 0x1000, frame === 0 ? 0 : S2_PAGE);
          histories[page]?.push({ frame, since: time });
        } else if (one.do === 'flush') {
          bench.flush(1, [one.main ? bench.main : bench.cache]);
          flushed[one.main ? 'main' : 'cache'] = time;
        } else if (one.do === 'flush micro-TLB') {
          bench.write(bench.cache, imuctr(one.microTlb), 0x10 | FLUSH | MMUEN);
        } else {
          const frame = bench.dmaRead(bench.cache, one.microTlb, IPA + one.page * 0x1000) ?? UNMAPPED;
          const history = histories[one.page] as History;
          const allowed = framesSince(history, Math.min(flushed.main, flushed.cache));
          if (!allowed.has(frame)) throw new Error(`step ${time}: frame ${frame}, not of ${[...allowed]}`);
          if (frame !== history.at(-1)?.frame) stale++;
        }
      }
    }),
    { seed: 7, numRuns: 600 },
  );
  t.ok(stale > 50, `${stale} accesses were stale`);
});
