/** Verdicts of a requirement on a platform, and how they fold. */

/**
 * Verdicts, worst first. `n/a` stands apart: it is left out of a fold.
 *
 * - `refuted`: a check of the requirement failed.
 * - `error`: a check did not come to an end: it threw, hung, ran out of memory, met what the model lacks, or its
 *   binding is broken.
 * - `vacuous`: a check without assertions, or one that kills none of the mutants that it meets.
 * - `stale`: the evidence is older than what it is about.
 * - `weak`: a mutant survives, or there is none.
 * - `not run`: no check, or a part of the requirement has none.
 * - `passes`: the checks pass; their strength was not measured.
 * - `waived`: accepted as it is, with a reason and an end.
 * - `verified`: the checks pass and kill every mutant that applies.
 */
export const VERDICTS = [
  'refuted',
  'error',
  'vacuous',
  'stale',
  'weak',
  'not run',
  'passes',
  'waived',
  'verified',
] as const;

/** A verdict, `n/a` included. */
export type Verdict = (typeof VERDICTS)[number] | 'n/a';

/** The worst of several verdicts; `n/a` if all are, or if there are none. */
export function worstVerdict(verdicts: Iterable<Verdict>): Verdict {
  let worst: number = VERDICTS.length;
  for (const verdict of verdicts) {
    if (verdict === 'n/a') continue;
    worst = Math.min(worst, VERDICTS.indexOf(verdict));
  }
  return VERDICTS[worst] ?? 'n/a';
}
