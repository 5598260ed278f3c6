/** `tracewright verify`: the checks of some requirements, with their mutants. */
import type { MatrixRow } from '../../core/matrix.js';
import type { ResultRecord } from '../../core/record.js';
import { judgeVerify } from '../../matrix/judge.js';
import { transcriptText } from '../../report/transcript.js';
import { verifyText } from '../../report/verify.js';
import { type Evaluation, evaluate } from '../evaluate.js';
import { CommandError, EXIT } from '../exit.js';
import type { CommonOptions } from '../options.js';
import { reportOptions, statusOf, tell } from '../reporting.js';
import { selectMany } from '../select.js';
import { deliver, openSession, type Session } from '../session.js';

interface VerifyOptions extends CommonOptions {
  readonly platform?: readonly string[];
  readonly mutant?: string;
  readonly strength?: boolean;
  readonly tree?: readonly string[];
  readonly explain?: boolean;
  readonly list?: boolean;
}

/** Runs the command. */
export async function run(words: readonly string[], options: VerifyOptions): Promise<number> {
  const session = openSession(options, options.tree ?? []);
  if (session.configuration.checks === undefined) {
    throw new CommandError(
      'no-checks',
      'The configuration names no checks',
      "Give 'checks' a bench and files in tracewright.config.json.",
    );
  }
  if (options.strength === false && options.mutant !== undefined) {
    throw new CommandError(
      'options-conflict',
      'Options --mutant and --no-strength exclude each other',
      'Leave one of them out.',
    );
  }
  const evaluation = await evaluate(session, {
    select: (items) => {
      const all = items.map(({ item }) => item);
      return (words.length === 0 ? all : selectMany(all, words)).map(({ id }) => id);
    },
    platforms: options.platform,
    mutants:
      options.strength === false ? 'none' : options.mutant === undefined ? 'all' : { titleContains: options.mutant },
    transcript: options.explain === true ? 'baseline' : 'none',
    listOnly: options.list ?? false,
  });
  const { matrix, selected } = evaluation;
  await tell(matrix.diagnostics, session);
  if (options.list === true) {
    await deliver(listing(evaluation), undefined);
    return statusOf(matrix.diagnostics, true);
  }
  const rows = selectedRows(evaluation, words.length === 0);
  const judgement = judgeVerify(
    matrix,
    rows.map(({ id }) => id),
  );
  if (judgement === undefined) {
    throw new CommandError(
      'nothing-selected',
      `No requirement with a check is selected: ${selected.join(', ') || 'the tree is empty'}`,
    );
  }
  await deliver(verifyText({ matrix, rows }, await reportOptions(session)), undefined);
  if (options.explain === true) await explain(evaluation, session);
  return Math.max(statusOf(matrix.diagnostics, judgement.met), judgement.met ? EXIT.met : EXIT.notMet);
}

/** The rows to print and to judge: what was named, or every requirement that a check binds. */
function selectedRows({ matrix, selected }: Evaluation, everything: boolean): MatrixRow[] {
  const wanted = new Set(selected);
  const bound = new Set(matrix.bindings.flatMap(({ items }) => items));
  return matrix.rows.filter((row) => !row.repeated && wanted.has(row.id) && (!everything || bound.has(row.id)));
}

/** What would run: each check with its platforms' mutants. */
function listing({ run, selected, matrix }: Evaluation): string {
  const lines: string[] = [];
  for (const id of selected) {
    const checks = matrix.bindings.filter(({ items }) => items.includes(id));
    const mutants = run.mutants.filter(({ violates }) => violates.includes(id));
    if (checks.length === 0) continue;
    lines.push(id);
    for (const { check, aspect } of checks)
      lines.push(`  check   ${check}${aspect === undefined ? '' : ` (${aspect})`}`);
    for (const { mutant } of mutants) lines.push(`  mutant  ${mutant}`);
  }
  return lines.length === 0 ? 'no checks\n' : `${lines.join('\n')}\n`;
}

/** Prints the transcript of the first run that failed, else of the first platform's first check. */
async function explain({ records, matrix, selected }: Evaluation, session: Session): Promise<void> {
  const told = records.filter((record) => record.transcript !== undefined && record.mutant === undefined);
  const wanted = told.filter((record) => selected.includes(record.requirement));
  const record: ResultRecord | undefined = wanted.find(({ outcome }) => outcome !== 'pass') ?? wanted[0];
  if (record?.transcript === undefined) return;
  const column = matrix.columns.find(
    ({ platform, object }) => platform === record.platform && object === record.object,
  );
  const cell = column && matrix.rows.find(({ id }) => id === record.requirement)?.verdicts[column.key];
  const text = transcriptText(
    {
      check: record.check,
      column: record.platform,
      transcript: record.transcript,
      ...(cell === undefined ? {} : { verdict: { verdict: cell.verdict, killed: cell.killed, mutants: cell.mutants } }),
    },
    await reportOptions(session),
  );
  await deliver(`\n${text}`, undefined);
}
