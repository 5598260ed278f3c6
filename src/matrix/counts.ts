/** Counting verdicts. */
import type { VerdictCounts } from '../core/matrix.js';
import { VERDICTS, type Verdict } from '../core/verdict.js';

/** Every verdict, `n/a` last. */
export const ALL_VERDICTS: readonly Verdict[] = [...VERDICTS, 'n/a'];

/** Counts verdicts; every verdict has an entry. */
export function countVerdicts(verdicts: Iterable<Verdict>): VerdictCounts {
  const counts = Object.fromEntries(ALL_VERDICTS.map((verdict) => [verdict, 0])) as Record<Verdict, number>;
  for (const verdict of verdicts) counts[verdict]++;
  return counts;
}

/** Adds up counts. */
export function addCounts(all: Iterable<VerdictCounts>): VerdictCounts {
  const sum = { ...countVerdicts([]) } as Record<Verdict, number>;
  for (const counts of all) for (const verdict of ALL_VERDICTS) sum[verdict] += counts[verdict];
  return sum;
}
