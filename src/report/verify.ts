/** The outcome of `verify`: each requirement with its cells, its checks, and what speaks against it. */
import { formatPlace } from '../core/diagnostic.js';
import type { Cell, Matrix, MatrixRow } from '../core/matrix.js';
import { cellText, differenceText } from './cell-text.js';
import { type ReportOptions, verdictPaint } from './colour.js';
import { columnsOf, padded, wrapped } from './columns.js';
import { counted, inert } from './text.js';

/** What the report is made from: a matrix, and the rows of it that were asked for. */
export interface VerifyReport {
  readonly matrix: Matrix;
  readonly rows: readonly MatrixRow[];
}

/** Formats the outcome. */
export function verifyText({ matrix, rows }: VerifyReport, options: ReportOptions): string {
  const { colour } = options;
  const keys = matrix.columns.map(({ key }) => key);
  const keyWidth = Math.max(0, ...keys.map((key) => columnsOf(inert(key))));
  const blocks = rows.map((row) => [
    colour.strong(inert(row.id)),
    ...keys.flatMap((key) => {
      const cell = row.verdicts[key];
      return cell === undefined ? [] : cellLines(matrix, row, key, cell, keyWidth, options);
    }),
  ]);
  return `${blocks.map((lines) => lines.join('\n')).join('\n\n')}\n`;
}

function cellLines(
  matrix: Matrix,
  row: MatrixRow,
  key: string,
  cell: Cell,
  keyWidth: number,
  { colour, width }: ReportOptions,
): string[] {
  const killed = cell.mutants === 0 ? '' : ` · ${cell.killed} of ${counted(cell.mutants, 'mutant')} killed`;
  const verdict = verdictPaint(colour, cell.verdict)(cell.mutants === 0 ? cellText(row, cell) : cell.verdict);
  const difference = differenceText(cell);
  const differs = difference === undefined ? '' : ` · ${inert(difference)}`;
  const lines = [`  ${padded(inert(key), keyWidth)}  ${verdict}${killed}${differs}`];
  if (cell.reason !== undefined) lines.push(...wrapped(inert(cell.reason), width - 4).map((line) => `    ${line}`));
  if (cell.note !== undefined)
    lines.push(...wrapped(inert(cell.note), width - 4).map((line) => `    ${colour.faint(line)}`));
  for (const check of matrix.checks) {
    if (check.requirement !== row.id || check.column !== key) continue;
    const good = check.outcome === 'pass';
    const mark = good ? colour.good('✔') : check.outcome === 'not run' ? colour.warning('·') : colour.bad('✘');
    const count = `(${counted(check.assertions, 'assertion')})`;
    const [title = '', ...more] = wrapped(`${inert(check.check)} ${count}`, width - 6);
    const whole = more.length === 0 && title.endsWith(` ${count}`);
    lines.push(`    ${mark} ${whole ? `${title.slice(0, -count.length)}${colour.faint(count)}` : title}`);
    lines.push(...more.map((line) => `      ${line}`));
    if (good || check.message === undefined) continue;
    lines.push(...wrapped(inert(check.message), width - 8).map((line) => `        ${colour.bad(line)}`));
    if (check.place !== undefined) lines.push(`        ${colour.faint(inert(formatPlace(check.place)))}`);
  }
  for (const mutant of matrix.mutants) {
    if (mutant.requirement !== row.id || mutant.column !== key || mutant.state === 'killed') continue;
    const state = `mutant ${mutant.state}`;
    const [first = '', ...rest] = wrapped(inert(mutant.mutant), width - 6 - state.length);
    lines.push(`    ${colour.warning(state)}: ${first}`, ...rest.map((line) => `      ${line}`));
    if (mutant.message !== undefined)
      lines.push(...wrapped(inert(mutant.message), width - 8).map((line) => `        ${line}`));
  }
  return lines;
}
