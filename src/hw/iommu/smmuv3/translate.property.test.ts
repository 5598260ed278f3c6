/** A cached translation judges an access as the walk of its address would. Arm IHI 0070 3.16; Arm DDI 0487 D8.4. */
import fc from 'fast-check';
import t from 'tap';
import type { Transaction } from '../../transaction.js';
import { Bench, contextWords, nestedSte, S1_PAGE, S2_PAGE } from './smmuv3.test-support.js';

const VA = 0x4000;
const PAGE = 0x4300_0000;
const STREAM = 8;

/** What permissions hang on: bits of the descriptors' halves, and of the CD. */
interface Permissions {
  /** AP[2:1] and PXN, UXN of stage 1 (bits 7:6, 53, 54). */
  readonly ap: number;
  readonly xn: number;
  /** S2AP and XN of stage 2 (bits 7:6, 54:53). */
  readonly s2ap: number;
  readonly s2xn: number;
  /** WXN and PAN of the CD (bits 36, 40). */
  readonly wxn: number;
  readonly pan: number;
}

/** Stream 8 of both stages: {@link VA} to {@link PAGE}, with these permissions. */
function nestedBench({ ap, xn, s2ap, s2xn, wxn, pan }: Permissions): Bench {
  const bench = new Bench();
  const [first, second, context] = [bench.page(), bench.page(), bench.page()];
  bench.map(first, VA, PAGE + (xn << 21) * 2 ** 32, (S1_PAGE & ~0xc0) | (ap << 6));
  bench.map(second, PAGE, PAGE + (s2xn << 21) * 2 ** 32, (S2_PAGE & ~0xc0) | (s2ap << 6));
  const end = bench.page();
  for (let page = first; page < end; page += 4096) bench.map(second, page, page, S2_PAGE);
  const words = contextWords(5, first);
  words[1] = ((words[1] as number) | (wxn << 4) | (pan << 8)) >>> 0;
  bench.memory.storeWords(context, words);
  bench.ste(STREAM, nestedSte(1, context, second));
  bench.enable();
  return bench;
}

type Kind = Pick<Transaction, 'privileged' | 'write' | 'execute'>;

const KINDS: readonly Kind[] = [false, true].flatMap((privileged) => [
  { privileged, write: false, execute: false },
  { privileged, write: true, execute: false },
  { privileged, write: false, execute: true },
]);

/** How an access ends, and its record. */
function attempt(bench: Bench, kind: Kind): unknown {
  const before = bench.events().length;
  const done = kind.write ? bench.dmaWrite(STREAM, VA, 1, kind) : bench.dmaRead(STREAM, VA, kind);
  const records = bench.events().slice(before);
  return [done !== undefined && done !== 'abort', ...records.map((record) => [...record])];
}

t.test('whatever brought a translation into the cache, others are judged as on a cold SMMU', async () => {
  const two = fc.integer({ min: 0, max: 3 });
  const one = fc.integer({ min: 0, max: 1 });
  const permissions = fc.record({ ap: two, xn: two, s2ap: two, s2xn: two, wxn: one, pan: one });
  fc.assert(
    fc.property(permissions, fc.constantFrom(...KINDS), fc.constantFrom(...KINDS), (bits, warm, probe) => {
      const bench = nestedBench(bits);
      attempt(bench, warm);
      const [got, expected] = [attempt(bench, probe), attempt(nestedBench(bits), probe)];
      return JSON.stringify(got) === JSON.stringify(expected);
    }),
    { seed: 70, numRuns: 300 },
  );
});
