/** From a session to the matrix: import, trace, run, bind, fold. What `matrix`, `verify`, `show` and `why` share. */

import type { PreparedLane } from '../check/prepare.js';
import type { CheckRun, TranscriptMode } from '../check/request.js';
import { runChecks } from '../check/run.js';
import type { Diagnostic } from '../core/diagnostic.js';
import type { Matrix } from '../core/matrix.js';
import type { ResultRecord } from '../core/record.js';
import type { LinkedItem } from '../core/trace.js';
import { type Analysis, analyse } from '../engine/analyse.js';
import { bindChecks, diagnoseMutants } from '../matrix/bind.js';
import { foldMatrix } from '../matrix/matrix.js';
import { CommandError } from './exit.js';
import { limitsOf, takeLane } from './lane-ahead.js';
import type { CommonOptions } from './options.js';
import { selectOne, withAllBelow } from './select.js';
import { onInterrupt, openSession, progressLine, type Session } from './session.js';

/** What to evaluate. */
export interface EvaluationRequest {
  /** Which items to run checks of; absent: of all, and bindings to what does not exist are looked for as well. */
  readonly select?: (items: readonly LinkedItem[]) => readonly string[];
  readonly platforms?: readonly string[] | undefined;
  /** `all`, `none`, or those whose title holds a text. */
  readonly mutants: 'all' | 'none' | { readonly titleContains: string };
  readonly transcript?: TranscriptMode;
  /** True to load and list only. */
  readonly listOnly?: boolean;
}

/** What evaluating gives. */
export interface Evaluation {
  readonly analysis: Analysis;
  readonly matrix: Matrix;
  readonly records: readonly ResultRecord[];
  readonly run: CheckRun;
  /** The requirements whose checks were run. */
  readonly selected: readonly string[];
}

/** A run of no checks: for a tree whose configuration names none. */
const NO_RUN: CheckRun = {
  records: [],
  checks: [],
  mutants: [],
  columns: [],
  applicability: { notApplicable: [], aspects: [] },
  divergences: [],
  platforms: [],
  diagnostics: [],
};

/** Evaluates a session's tree. A lane has been forked ahead and starts while the tree is being read. */
export async function evaluate(session: Session, request: EvaluationRequest): Promise<Evaluation> {
  const { checks, root } = session.configuration;
  const limits = limitsOf(session.limits);
  const abort = new AbortController();
  const release = onInterrupt(() => abort.abort(new CommandError('interrupted', 'The run was interrupted')));
  let prepared: PreparedLane | undefined;
  try {
    if (checks !== undefined) prepared = takeLane(session.configuration, checks);
    const analysis = await analyse(session.source, { paths: session.tree, types: session.configuration.types });
    const selected = request.select?.(analysis.trace.items) ?? analysis.trace.items.map(({ item }) => item.id);
    let run = NO_RUN;
    if (checks !== undefined && prepared !== undefined) {
      const progress = progressLine();
      run = await runChecks({
        root,
        configuration: checks,
        requirements: selected,
        loadAll: request.select === undefined,
        ...(request.platforms === undefined ? {} : { platforms: request.platforms }),
        mutants: request.mutants,
        listOnly: request.listOnly ?? false,
        limits,
        transcript: request.transcript ?? 'none',
        prepared,
        signal: abort.signal,
        onProgress: ({ done, total }) => progress.show(`running checks: ${done} of ${total}`),
      });
      progress.clear();
      requirePlatforms(run, request.platforms);
    }
    return { analysis, ...fold(session, request, analysis, run, selected), run, selected };
  } finally {
    prepared?.dispose();
    release();
  }
}

/** Fails if a platform was asked for that the bench does not have. */
function requirePlatforms(run: CheckRun, asked: readonly string[] | undefined): void {
  if (asked === undefined || run.columns.length > 0 || run.platforms.length === 0) return;
  throw new CommandError(
    'unknown-platform',
    `No platform matches ${asked.map((name) => `'${name}'`).join(' or ')}`,
    `The bench has: ${run.platforms.map(({ name }) => name).join(', ')}.`,
  );
}

function fold(
  session: Session,
  request: EvaluationRequest,
  analysis: Analysis,
  run: CheckRun,
  selected: readonly string[],
): { matrix: Matrix; records: readonly ResultRecord[] } {
  const { trace } = analysis;
  const wanted = request.select === undefined ? undefined : new Set(selected);
  // A check of another revision concerns a requirement as well, though its own id was not asked for.
  const concerned = new Set([...(wanted ?? [])].map(withoutRevision));
  const isConcerned = ({ requirement }: { readonly requirement: string }) =>
    wanted === undefined || concerned.has(withoutRevision(requirement));
  const here = new Set(trace.items.map(({ item }) => item.id));
  // With all of the tree selected, an entry about no item of it is a mistake; with some, it may speak of another part.
  const isHere = ({ requirement }: { readonly requirement: string }) => wanted === undefined || here.has(requirement);
  const bound = bindChecks(trace, run.checks.filter(isConcerned));
  const diagnostics: Diagnostic[] = [...analysis.diagnostics, ...run.diagnostics, ...bound.diagnostics];
  if (wanted === undefined) diagnostics.push(...diagnoseMutants(trace, run.mutants));
  const mutants = typeof request.mutants === 'string' ? run.mutants : chosenMutants(run, request.mutants.titleContains);
  const matrix = foldMatrix({
    trace,
    bindings: bound.bindings,
    records: run.records,
    columns: run.columns,
    applicability: {
      notApplicable: run.applicability.notApplicable.filter(isHere),
      aspects: run.applicability.aspects.filter(isHere),
    },
    divergences: run.divergences.filter(isHere),
    mutants,
    strength: typeof request.mutants === 'string' ? request.mutants === 'all' : 'partial',
    types: session.configuration.types,
    diagnostics,
  });
  return { matrix, records: run.records };
}

function withoutRevision(id: string): string {
  return id.slice(0, id.lastIndexOf('~'));
}

function chosenMutants(run: CheckRun, text: string): CheckRun['mutants'] {
  const chosen = run.mutants.filter(({ mutant }) => mutant.includes(text));
  if (chosen.length > 0) return chosen;
  throw new CommandError(
    'unknown-mutant',
    `No mutant's title holds '${text}'`,
    'tracewright verify --list lists them.',
  );
}

/** Options of the commands that are about one item. */
export interface ItemOptions extends CommonOptions {
  readonly strength?: boolean;
  readonly tree?: readonly string[];
}

/** One item, evaluated with all that is below it. */
export interface ItemEvaluation extends Evaluation {
  readonly session: Session;
  readonly id: string;
}

/**
 * Evaluates the item that a word means, and all below it.
 * @throws CommandError if the word means none, or several
 */
export async function evaluateItem(word: string, options: ItemOptions): Promise<ItemEvaluation> {
  const session = openSession(options, options.tree ?? []);
  const named = (items: readonly LinkedItem[]) =>
    selectOne(
      items.map(({ item }) => item),
      word,
    ).id;
  const evaluation = await evaluate(session, {
    select: (items) => withAllBelow(items, named(items)),
    mutants: options.strength === false ? 'none' : 'all',
  });
  return { ...evaluation, session, id: named(evaluation.analysis.trace.items) };
}
