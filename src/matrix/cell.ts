/**
 * The verdict of one requirement in one column, from the results of its checks.
 *
 * - A check *kills* a mutant if it passed without it, fails with it, and the mutant left a trace in the machine.
 * - A mutant that some check kills is killed. If another check met an error with it, the cell keeps a note.
 * - A mutant that no check kills and with which some check met an error is an error: what it shows is not known.
 * - A mutant that leaves the machine's trace as it was for every check is *not exercised*. It counts, and not as killed.
 * - A check that asserts nothing, or that kills none of the mutants with which it came to an end, is vacuous, even if
 *   another check kills them all.
 * - With a choice of mutants only, survivors make a requirement weak; it is `passes` at best, and no check is vacuous for
 *   killing none of them.
 * - A mutant that applies and has no result is a survivor: what was not tried is not killed.
 *
 * Not every check need have met every mutant: one kill decides a mutant, and one kill clears a check of being vacuous. A
 * mutant that survives, and a check that kills none, should have met all of the other.
 *
 * The verdict is the worst that anything says; the reasons of the verdict shown are kept in a fixed order.
 */
import type {
  Cell,
  CheckBinding,
  CheckResult,
  MatrixColumn,
  MutantDeclaration,
  MutantResult,
  NotApplicable,
} from '../core/matrix.js';
import type { ResultRecord } from '../core/record.js';
import { type Verdict, worstVerdict } from '../core/verdict.js';
import { bindingProblem } from './bind.js';
import { countVerdicts } from './counts.js';
import type { Results } from './results.js';

/** How far strength was measured: with all mutants, with a choice of them, or not at all. */
export type Strength = 'measured' | 'partial' | 'none';

/** All that concerns one requirement, in every column. */
export interface Evidence {
  readonly requirement: string;
  /** The checks that bind it, and those that mean it at another revision; sorted by title. */
  readonly bindings: readonly CheckBinding[];
  readonly mutants: readonly MutantDeclaration[];
  /** The parts that the requirement has in a column. */
  readonly aspects: readonly string[];
  readonly notApplicable: NotApplicable | undefined;
  /** What the object does otherwise than what it stands for, in a column. */
  readonly divergences: Cell['divergences'];
  /** Whether mutants were run: all, some of them, or none. */
  readonly strength: Strength;
}

/** A cell with what it was made of. */
export interface Judged {
  readonly cell: Cell;
  readonly checks: readonly CheckResult[];
  readonly mutants: readonly MutantResult[];
}

interface Finding {
  readonly verdict: Verdict;
  readonly reason: string;
}

/** Judges a requirement in a column. */
export function judgeCell(evidence: Evidence, column: MatrixColumn, results: Results): Judged {
  const { notApplicable } = evidence;
  if (notApplicable !== undefined) return emptyCell('n/a', notApplicable.reason);

  const findings: Finding[] = [];
  for (const binding of evidence.bindings) {
    const problem = bindingProblem(binding);
    if (problem !== undefined) findings.push({ verdict: 'error', reason: problem });
  }
  const bound = evidence.bindings.filter((binding) => binding.status === 'bound' && runsOn(binding, column.platform));
  if (bound.length === 0) findings.push({ verdict: 'not run', reason: whyNoCheck(evidence, column) });

  const baselines = new Map(
    bound.map(({ check }) => [check, results.get(column, evidence.requirement, check)] as const),
  );
  for (const [check, record] of baselines) findings.push(...judgeBaseline(check, record));

  const missingAspects = evidence.aspects
    .filter((aspect) => !bound.some((binding) => binding.aspect === aspect && baselines.get(binding.check)))
    .sort();
  if (missingAspects.length > 0 && bound.length > 0) {
    findings.push({ verdict: 'not run', reason: `no check speaks of: ${missingAspects.join(', ')}` });
  }

  // Where no check has run at all, its mutants were not tried either: that is said once, by the verdict.
  const ran = [...baselines.values()].some((record) => record !== undefined);
  const mutants = evidence.strength !== 'none' && ran ? judgeMutants(evidence, column, results, baselines) : [];
  const checks = bound.map((binding) =>
    checkResult(binding, column, baselines.get(binding.check), mutants, results, evidence.strength),
  );
  if (evidence.strength !== 'none') findings.push(...judgeMutantStates(mutants));
  if (evidence.strength === 'measured') findings.push(...judgeStrength(mutants, checks));
  else if (bound.length > 0) {
    const measured = evidence.strength === 'none' ? 'strength was not measured' : 'only some mutants were run';
    findings.push({ verdict: 'passes', reason: measured });
  }

  const verdict = worstVerdict([...findings.map((finding) => finding.verdict), 'verified']);
  const reasons = findings.filter((finding) => finding.verdict === verdict).map((finding) => finding.reason);
  const notes = mutants
    .filter((mutant) => mutant.state === 'killed' && mutant.message !== undefined)
    .map((mutant) => `mutant '${mutant.mutant}' is killed, and ${mutant.message}`);
  const cell: Cell = {
    verdict,
    killed: mutants.filter((mutant) => mutant.state === 'killed').length,
    mutants: mutants.length,
    notExercised: mutants.filter((mutant) => mutant.state === 'not exercised').length,
    ...(reasons.length === 0 ? {} : { reason: reasons.join('; ') }),
    ...(notes.length === 0 ? {} : { note: notes.join('; ') }),
    checks: countOutcomes(checks),
    survivors: mutants.filter((mutant) => mutant.state !== 'killed').map((mutant) => mutant.mutant),
    divergences: evidence.divergences,
    missingAspects,
    counts: countVerdicts([verdict]),
  };
  return { cell, checks, mutants };
}

function runsOn({ platforms }: { readonly platforms?: readonly string[] }, platform: string): boolean {
  return platforms === undefined || platforms.includes(platform);
}

function emptyCell(verdict: Verdict, reason: string): Judged {
  const cell: Cell = {
    verdict,
    killed: 0,
    mutants: 0,
    notExercised: 0,
    reason,
    checks: { passed: 0, failed: 0, error: 0, notRun: 0 },
    survivors: [],
    divergences: [],
    missingAspects: [],
    counts: countVerdicts([verdict]),
  };
  return { cell, checks: [], mutants: [] };
}

function whyNoCheck(evidence: Evidence, column: MatrixColumn): string {
  if (!evidence.bindings.some((binding) => binding.status === 'bound')) return 'no check binds it';
  return `none of its checks can run on ${column.platform}`;
}

function judgeBaseline(check: string, record: ResultRecord | undefined): Finding[] {
  if (record === undefined) return [{ verdict: 'not run', reason: `check '${check}' has no result` }];
  const message = record.message ?? '';
  switch (record.outcome) {
    case 'fail':
      return [{ verdict: 'refuted', reason: `check '${check}' fails${message === '' ? '' : `: ${message}`}` }];
    case 'error':
      return [{ verdict: 'error', reason: `check '${check}': ${message === '' ? 'error' : message}` }];
    case 'pass':
      return record.assertions > 0 ? [] : [{ verdict: 'vacuous', reason: `check '${check}' asserts nothing` }];
  }
}

function judgeMutants(
  evidence: Evidence,
  column: MatrixColumn,
  results: Results,
  baselines: ReadonlyMap<string, ResultRecord | undefined>,
): MutantResult[] {
  const { requirement } = evidence;
  const declared = new Map<string, MutantDeclaration | undefined>();
  for (const mutant of results.mutants(column, requirement)) declared.set(mutant, undefined);
  for (const mutant of evidence.mutants) if (runsOn(mutant, column.platform)) declared.set(mutant.mutant, mutant);

  return [...declared.keys()].sort().map((mutant): MutantResult => {
    const runs = [...baselines].flatMap(([check, baseline]) => {
      // A check that does not pass by itself says nothing of a mutant.
      const record = baseline?.outcome === 'pass' ? results.get(column, requirement, check, mutant) : undefined;
      return record === undefined ? [] : [{ check, baseline, record }];
    });
    const killedBy = runs.filter((run) => kills(run.baseline, run.record)).map((run) => run.check);
    const failed = runs.find((run) => run.record.outcome === 'error');
    const message = failed && `check '${failed.check}' met an error: ${failed.record.message ?? 'no message'}`;
    const exercised = runs.some((run) => run.record.transcriptDigest !== run.baseline?.transcriptDigest);
    const place = declared.get(mutant)?.place;
    return {
      requirement,
      mutant,
      column: column.key,
      state:
        killedBy.length > 0
          ? 'killed'
          : failed !== undefined
            ? 'error'
            : runs.length === 0
              ? 'not run'
              : exercised
                ? 'survived'
                : 'not exercised',
      killedBy,
      ...(message === undefined ? {} : { message }),
      ...(place === undefined ? {} : { place }),
    };
  });
}

function kills(baseline: ResultRecord | undefined, run: ResultRecord): boolean {
  return baseline?.outcome === 'pass' && run.outcome === 'fail' && run.transcriptDigest !== baseline.transcriptDigest;
}

function checkResult(
  binding: CheckBinding,
  column: MatrixColumn,
  record: ResultRecord | undefined,
  mutants: readonly MutantResult[],
  results: Results,
  strength: Strength,
): CheckResult {
  const { requirement, check, aspect } = binding;
  const ended = mutants.filter((mutant) => {
    const outcome = results.get(column, requirement, check, mutant.mutant)?.outcome;
    return outcome === 'pass' || outcome === 'fail';
  });
  const killed = mutants.filter((mutant) => mutant.killedBy.includes(check)).length;
  const passed = record?.outcome === 'pass';
  const place = record?.place ?? binding.place;
  return {
    requirement,
    check,
    ...(aspect === undefined ? {} : { aspect }),
    column: column.key,
    outcome: record?.outcome ?? 'not run',
    assertions: record?.assertions ?? 0,
    ...(record?.message === undefined ? {} : { message: record.message }),
    ...(place === undefined ? {} : { place }),
    killed,
    ran: ended.length,
    vacuous: passed && (record.assertions === 0 || (strength === 'measured' && ended.length > 0 && killed === 0)),
  };
}

const MUTANT_REASONS = {
  survived: 'survives',
  'not exercised': 'is not exercised',
  'not run': 'has no result',
} as const;

/** What each mutant that no check kills says of the requirement. */
function judgeMutantStates(mutants: readonly MutantResult[]): Finding[] {
  const findings: Finding[] = [];
  for (const { state, mutant, message } of mutants) {
    if (state === 'killed') continue;
    if (state === 'error')
      findings.push({ verdict: 'error', reason: `mutant '${mutant}': ${message}; that is no kill` });
    else findings.push({ verdict: 'weak', reason: `mutant '${mutant}' ${MUTANT_REASONS[state]}` });
  }
  return findings;
}

/** What all mutants together say of a requirement; nothing where no check passes, so that there is nothing to measure. */
function judgeStrength(mutants: readonly MutantResult[], checks: readonly CheckResult[]): Finding[] {
  if (!checks.some((check) => check.outcome === 'pass')) return [];
  const findings: Finding[] = [];
  for (const check of checks) {
    if (!check.vacuous || check.assertions === 0) continue;
    const met = check.ran === 1 ? 'the one mutant' : `any of ${check.ran} mutants`;
    findings.push({
      verdict: 'vacuous',
      reason: `check '${check.check}' does not kill ${met} that it was run against`,
    });
  }
  if (mutants.length === 0) {
    findings.push({ verdict: 'weak', reason: 'no mutant applies, so nothing shows its strength' });
  }
  return findings;
}

function countOutcomes(checks: readonly CheckResult[]): Cell['checks'] {
  const count = (outcome: CheckResult['outcome']) => checks.filter((check) => check.outcome === outcome).length;
  return { passed: count('pass'), failed: count('fail'), error: count('error'), notRun: count('not run') };
}
