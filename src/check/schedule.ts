/**
 * Which runs there are for one requirement: on each platform every check by itself, and then with mutants only as much as
 * decides the verdict.
 *
 * 1. Mutants are taken by title, one after the other. With each, the checks that pass by themselves are tried until one kills
 *    it. First comes the check that killed it on an earlier platform; then those that read, by themselves, a part of the
 *    subject that the mutant replaces; of them those first whose titles share words with the mutant's, for what a mistake
 *    breaks and what a check shows are often called the same; then the cheaper ones; and from there by title, from a place
 *    that moves on by one with each mutant, so that each check gets its turn. A mutant that nothing kills has been tried
 *    with all.
 * 2. A check that has killed none so far is run with the mutants that it has not met, those first of which it reads a part,
 *    until it kills one. A check that kills none has met all of them.
 *
 * Which runs are made follows from what becomes of runs alone, never from their order in time, so the records are the
 * same with any number of lanes. Requirements do not wait for each other.
 */
import type { ResultRecord } from '../core/record.js';
import type { LoadedMutant } from './load.js';
import type { RunKey, Runs } from './runs.js';

/** A requirement on one platform. */
export interface PlatformRuns {
  /** A check each, with titles that differ. */
  readonly keys: readonly RunKey[];
  /** Mutants that can exist on the platform and violate the requirement. */
  readonly mutants: readonly LoadedMutant[];
}

type Making = Pick<Runs, 'run' | 'put' | 'inspect'>;

/** A check that passes by itself. */
interface Passing {
  readonly key: RunKey;
  readonly baseline: ResultRecord;
  /** Entries in the journal of the run by itself. */
  readonly cost: number;
  readonly read: ReadonlySet<string>;
  readonly met: Set<string>;
  kills: number;
}

/** A mutant, with the parts of the subject that it replaces. */
interface Changing {
  readonly mutant: LoadedMutant;
  readonly changed: readonly string[];
}

/** Runs the checks of a requirement on its platforms. */
export async function runRequirement(runs: Making, platforms: readonly PlatformRuns[]): Promise<void> {
  // A title names a mutant wherever its results are told, so two of one title are a mistake on different platforms too.
  const all = new Set(platforms.flatMap(({ mutants }) => mutants));
  const isDouble = (mutant: LoadedMutant) => [...all].some((other) => other !== mutant && other.title === mutant.title);
  // What each platform begins with does not depend on the others.
  const begun = platforms.map(({ keys, mutants }) => begin(runs, keys, mutants, isDouble));
  const killers = new Map<string, string>();
  for (const one of begun) {
    const { passing, changing } = await one;
    await tryMutants(runs, passing, changing, killers);
    await tryChecks(runs, passing, changing);
  }
}

/** Every check by itself. */
async function begin(
  runs: Making,
  keys: readonly RunKey[],
  mutants: readonly LoadedMutant[],
  isDouble: (mutant: LoadedMutant) => boolean,
): Promise<{ passing: Passing[]; changing: Changing[] }> {
  const checks = [...keys].sort((a, b) => byText(a.check, b.check));
  const baselines = await Promise.all(checks.map((key) => runs.run(key)));
  const passing = baselines.flatMap(({ record, journaled, read }, at): Passing[] => {
    if (record.outcome !== 'pass') return [];
    const fresh = { met: new Set<string>(), kills: 0 };
    return [{ key: checks[at] as RunKey, baseline: record, cost: journaled, read: new Set(read), ...fresh }];
  });
  const unique = mutants.filter((mutant) => !isDouble(mutant));
  for (const mutant of mutants) {
    if (!isDouble(mutant)) continue;
    const message = 'two mutants of the requirement have this title';
    for (const { key } of passing) runs.put({ ...key, mutant }, { message });
  }
  const sorted = unique.sort((a, b) => byText(a.title, b.title));
  const [first] = passing;
  const parts = first === undefined || sorted.length === 0 ? [] : await runs.inspect(first.key, sorted);
  return { passing, changing: sorted.map((mutant, at) => ({ mutant, changed: parts[at] ?? [] })) };
}

/** Tries each mutant until a check kills it. `killers` says what killed it before, and learns what does now. */
async function tryMutants(
  runs: Making,
  passing: readonly Passing[],
  changing: readonly Changing[],
  killers: Map<string, string>,
): Promise<void> {
  const cheapest = Math.min(...passing.map(({ cost }) => cost));
  const isDear = ({ cost }: Passing) => cost >= 2 * cheapest && cost > cheapest;
  const likeness = likenessOf(passing.map(({ key }) => key.check));
  for (const [at, { mutant, changed }] of changing.entries()) {
    const from = at % Math.max(passing.length, 1);
    const ranked = [...passing.slice(from), ...passing.slice(0, from)].map((check) => ({
      check,
      rank: [
        killers.get(mutant.title) === check.key.check ? 0 : 1,
        reads(check, changed) ? 0 : 1,
        -likeness(mutant.title, check.key.check),
        isDear(check) ? 1 : 0,
      ],
    }));
    // Sorting is stable: those of one rank stay in turn.
    for (const { check } of ranked.sort((a, b) => compareRanks(a.rank, b.rank))) {
      if (!(await kills(runs, check, mutant))) continue;
      killers.set(mutant.title, check.key.check);
      break;
    }
  }
}

function compareRanks(a: readonly number[], b: readonly number[]): number {
  const at = a.findIndex((one, index) => one !== b[index]);
  return at < 0 ? 0 : (a[at] as number) - (b[at] as number);
}

/** Letters by which two words count as the same: `denied` and `denies`. */
const STEM = 5;

/** The words of a title, shortened; short ones say nothing. */
function wordsOf(title: string): Set<string> {
  const words = title.toLowerCase().split(/[^\p{L}\p{N}]+/u);
  return new Set(words.filter((word) => word.length > 2).map((word) => word.slice(0, STEM)));
}

/** How many words two titles share, each the less worth the more titles of `checks` have it. */
function likenessOf(checks: readonly string[]): (mutant: string, check: string) => number {
  const words = new Map(checks.map((title) => [title, wordsOf(title)]));
  const worth = (word: string) => 1 / [...words.values()].filter((set) => set.has(word)).length;
  return (mutant, check) => {
    const shared = [...wordsOf(mutant)].filter((word) => words.get(check)?.has(word));
    return shared.reduce((sum, word) => sum + worth(word), 0);
  };
}

/** Tries each check that has killed none until it does. */
async function tryChecks(runs: Making, passing: readonly Passing[], changing: readonly Changing[]): Promise<void> {
  await Promise.all(
    passing
      .filter((check) => check.kills === 0)
      .map(async (check) => {
        const seen = changing.filter(({ changed }) => reads(check, changed));
        const unseen = changing.filter((one) => !seen.includes(one));
        for (const { mutant } of [...seen, ...unseen]) {
          if (!check.met.has(mutant.title) && (await kills(runs, check, mutant))) return;
        }
      }),
  );
}

/** Whether a check reads what a mutant replaces, as far as that is known. */
function reads({ read }: Passing, changed: readonly string[]): boolean {
  return changed.length === 0 || changed.some((part) => read.has(part));
}

/** Runs a check with a mutant. A kill is an assertion that fails, in a run in which the machine saw something else. */
async function kills(runs: Making, check: Passing, mutant: LoadedMutant): Promise<boolean> {
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
