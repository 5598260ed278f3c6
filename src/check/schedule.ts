/**
 * Which runs there are for one requirement on one platform: every check by itself, and then with mutants only as much as
 * decides the verdict.
 *
 * 1. For each mutant, by title, the checks that pass by themselves are tried until one kills it. They are tried by title,
 *    from a place that moves on by one with each mutant, so that each check gets its turn; those that cost twice what the
 *    cheapest does, or more, come last. A mutant that nothing kills has been tried with all of them.
 * 2. A check that has killed none so far is run with the mutants that it has not met, by title, until it kills one. A
 *    check that kills none has met all of them.
 *
 * Which runs are made follows from what becomes of runs alone, never from their order in time, so the records are the
 * same with any number of lanes. Runs that do not wait for each other are submitted at once.
 */
import type { ResultRecord } from '../core/record.js';
import type { LoadedMutant } from './load.js';
import type { RunKey, Runs } from './runs.js';

/** A check that passes by itself. */
interface Passing {
  readonly key: RunKey;
  readonly baseline: ResultRecord;
  /** Entries in the journal of the run by itself. */
  readonly cost: number;
  readonly met: Set<string>;
  kills: number;
}

/**
 * Runs the checks of a requirement on a platform.
 * @param keys a check each, with titles that differ
 * @param mutants those that can exist on the platform and violate the requirement
 */
export async function runRequirement(
  runs: Pick<Runs, 'run' | 'put'>,
  keys: readonly RunKey[],
  mutants: readonly LoadedMutant[],
): Promise<void> {
  const checks = [...keys].sort((a, b) => byText(a.check, b.check));
  const baselines = await Promise.all(checks.map((key) => runs.run(key)));
  const passing: Passing[] = [];
  for (const [at, { record, journaled }] of baselines.entries()) {
    const key = checks[at] as RunKey;
    if (record.outcome === 'pass') passing.push({ key, baseline: record, cost: journaled, met: new Set(), kills: 0 });
  }
  const unique = mutants.filter((mutant) => mutants.every((other) => other === mutant || other.title !== mutant.title));
  for (const mutant of mutants) {
    if (unique.includes(mutant)) continue;
    const message = 'two mutants of the requirement have this title';
    for (const { key } of passing) runs.put({ ...key, mutant }, { message });
  }
  const sorted = unique.sort((a, b) => byText(a.title, b.title));
  const cheapest = Math.min(...passing.map(({ cost }) => cost));
  const isDear = ({ cost }: Passing) => cost >= 2 * cheapest && cost > cheapest;
  const cheap = passing.filter((check) => !isDear(check));
  const dear = passing.filter(isDear).sort((a, b) => a.cost - b.cost);
  await Promise.all(
    sorted.map(async (mutant, at) => {
      const from = at % Math.max(cheap.length, 1);
      for (const check of [...cheap.slice(from), ...cheap.slice(0, from), ...dear]) {
        if (await kills(runs, check, mutant)) return;
      }
    }),
  );
  await Promise.all(
    passing
      .filter((check) => check.kills === 0)
      .map(async (check) => {
        for (const mutant of sorted) {
          if (!check.met.has(mutant.title) && (await kills(runs, check, mutant))) return;
        }
      }),
  );
}

/** Runs a check with a mutant. A kill is an assertion that fails, in a run in which the machine saw something else. */
async function kills(runs: Pick<Runs, 'run'>, check: Passing, mutant: LoadedMutant): Promise<boolean> {
  check.met.add(mutant.title);
  const { outcome, transcriptDigest } = (await runs.run({ ...check.key, mutant })).record;
  const isKill = outcome === 'fail' && transcriptDigest !== check.baseline.transcriptDigest;
  if (isKill) check.kills++;
  return isKill;
}

/** UTF-16 code units, the same wherever it runs. */
function byText(a: string, b: string): number {
  return a < b ? -1 : a > b ? 1 : 0;
}
