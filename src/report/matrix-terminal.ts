/** The matrix for a terminal: a table, or one block an item where the table does not fit. */
import type { Cell, Matrix, MatrixRow } from '../core/matrix.js';
import { VERDICTS, type Verdict } from '../core/verdict.js';
import { cellText, coverageText, differenceText, fullCellText } from './cell-text.js';
import { type ReportOptions, verdictPaint } from './colour.js';
import { columnsOf, padded, shortenedIds, wrapped } from './columns.js';
import { counted, inert } from './text.js';

/** Columns that an id must have for the table to be worth it. */
const NARROWEST_ID = 28;
const GAP = '  ';
/** In a table too narrow for words: the object under check differs from what it stands for. */
const DIFFERS = '≠';
const INDENT = '  ';

/** Formats the matrix. Nothing but the options decides on colour and width. */
export function matrixTerminal(matrix: Matrix, options: ReportOptions): string {
  const lines = [...header(matrix, options), '', ...body(matrix, options), ''];
  lines.push(...summary(matrix, options));
  return `${lines.join('\n')}\n`;
}

/** The table with differences in words; else with marks and a line that explains them; else one block an item. */
function body(matrix: Matrix, options: ReportOptions): string[] {
  const inWords = table(matrix, options, fullCellText);
  if (inWords !== undefined) return inWords;
  const marked = table(matrix, options, (row, cell) => {
    const text = cellText(row, cell);
    return differenceText(cell) === undefined ? text : `${text} ${DIFFERS}`;
  });
  if (marked === undefined) return stack(matrix, options);
  const cells = matrix.rows.flatMap((row) => Object.values(row.verdicts));
  const meant = [...new Set(cells.flatMap((cell) => differenceText(cell) ?? []))].sort();
  return meant.length === 0
    ? marked
    : [...marked, '', ...meant.map((text) => options.colour.faint(`${DIFFERS} ${text}`))];
}

function header(matrix: Matrix, { width, colour }: ReportOptions): string[] {
  const { requirements, checked } = matrix.summary;
  const objects = [...new Set(matrix.columns.map((column) => shortDigests(inert(column.object))))].sort();
  const parts = [counted(requirements, 'requirement'), `${checked} checked`];
  if (objects.length > 0) parts.push(`object under check: ${objects.join(', ')}`);
  return wrapped(parts.join(' · '), width).map((line) => colour.strong(line));
}

/** Digests by their first seven digits: enough to tell two apart by eye; the JSON report has them whole. */
function shortDigests(text: string): string {
  return text.replace(/\b[0-9a-f]{12,}\b/g, (digest) => digest.slice(0, 7));
}

interface TextRow {
  readonly row: MatrixRow;
  readonly indent: string;
  readonly id: string;
  readonly coverage: string;
  readonly cells: readonly { readonly text: string; readonly verdict: Verdict }[];
}

type CellText = (row: MatrixRow, cell: Cell) => string;

function textRows(matrix: Matrix, textOf: CellText): TextRow[] {
  const parents = new Set<string>();
  matrix.rows.forEach((row, r) => {
    if ((matrix.rows[r + 1]?.depth ?? 0) > row.depth) parents.add(row.id);
  });
  return matrix.rows.map((row) => ({
    row,
    indent: INDENT.repeat(row.depth),
    id: inert(row.id),
    coverage: coverageText(row, !parents.has(row.id)),
    cells: matrix.columns.map(({ key }) => {
      const cell = row.verdicts[key] as Cell;
      return { text: inert(textOf(row, cell)), verdict: cell.verdict };
    }),
  }));
}

function paintedCoverage(text: string, { colour }: ReportOptions): string {
  return (text.startsWith('✔') ? colour.good : colour.bad)(text);
}

/** The table; undefined if it would not fit, or ids would have to be shortened beyond telling them apart. */
function table(matrix: Matrix, options: ReportOptions, textOf: CellText): string[] | undefined {
  const { colour, width } = options;
  const rows = textRows(matrix, textOf);
  const heads = ['coverage', ...matrix.columns.map((column) => inert(column.key))];
  const widths = heads.map((head, h) =>
    Math.max(columnsOf(head), ...rows.map((row) => columnsOf(h === 0 ? row.coverage : (row.cells[h - 1]?.text ?? '')))),
  );
  const natural = Math.max(...rows.map((row) => row.indent.length + columnsOf(row.id)), 0);
  const rest = widths.reduce((sum, one) => sum + GAP.length + one, 0);
  const idWidth = Math.min(natural, width - rest);
  if (idWidth < Math.min(natural, NARROWEST_ID)) return undefined;
  const ids = shortenedIds(rows.map((row) => ({ id: row.id, width: idWidth - row.indent.length })));
  if (ids === undefined) return undefined;

  const headLine = ' '.repeat(idWidth) + heads.map((head, h) => GAP + padded(head, widths[h] as number)).join('');
  const lines = [colour.faint(headLine.trimEnd())];
  for (const [r, row] of rows.entries()) {
    const name = padded(row.indent + ids[r], idWidth);
    const cells = [
      { text: row.coverage, painted: paintedCoverage(row.coverage, options) },
      ...row.cells.map(({ text, verdict }) => ({ text, painted: verdictPaint(colour, verdict)(text) })),
    ];
    const line = cells.map(({ text, painted }, c) => {
      const last = c === cells.length - 1;
      return GAP + painted + (last ? '' : ' '.repeat((widths[c] as number) - columnsOf(text)));
    });
    lines.push((row.row.repeated ? colour.faint(name) : name) + line.join(''));
  }
  return lines;
}

/** One block an item: its id, then a line for each column, those that say the same together. */
function stack(matrix: Matrix, options: ReportOptions): string[] {
  const { colour, width } = options;
  const rows = textRows(matrix, fullCellText);
  // Where shortened ids would look the same, they are written in full, whatever the width.
  const ids =
    shortenedIds(rows.map((row) => ({ id: row.id, width: width - row.indent.length }))) ?? rows.map((row) => row.id);
  return rows.flatMap((row, r) => {
    const indent = row.indent + INDENT;
    const groups = new Map<string, { verdict: Verdict; keys: string[] }>();
    for (const [c, { text, verdict }] of row.cells.entries()) {
      const group = groups.get(text) ?? { verdict, keys: [] };
      group.keys.push(inert(matrix.columns[c]?.key ?? ''));
      groups.set(text, group);
    }
    const lines = [...groups].flatMap(([text, { verdict, keys }]) => {
      const [first = '', ...more] = wrapped(keys.join(' '), Math.max(16, width - indent.length - 16));
      const head = `${indent}${verdictPaint(colour, verdict)(text)}${' '.repeat(Math.max(1, 16 - columnsOf(text)))}${first}`;
      return [head, ...more.map((line) => indent + ' '.repeat(16) + line)];
    });
    const id = row.row.repeated ? colour.faint(ids[r] as string) : (ids[r] as string);
    const coverage = paintedCoverage(row.coverage, options);
    const fits = row.indent.length + columnsOf(ids[r] as string) + GAP.length + columnsOf(row.coverage) <= width;
    return [row.indent + id + (fits ? GAP + coverage : ''), ...(fits ? [] : [indent + coverage]), ...lines];
  });
}

/** Verdicts that are counted even where there are none. */
const ALWAYS: readonly Verdict[] = ['refuted', 'error', 'vacuous', 'weak', 'not run', 'verified'];
/** Verdicts that are pointed at. */
const POINTED: readonly Verdict[] = ['refuted', 'error', 'vacuous', 'stale', 'weak', 'not run', 'passes'];

/** The counts of every verdict, over the cells of requirements, then a line for each that asks for something, worst first. */
function summary(matrix: Matrix, { colour, width }: ReportOptions): string[] {
  const { verdicts, defects } = matrix.summary;
  const all: readonly Verdict[] = [...[...VERDICTS].reverse(), 'n/a'];
  const shown = all.filter((verdict) => verdicts[verdict] > 0 || ALWAYS.includes(verdict));
  const parts = shown.map((verdict) => ({ verdict, text: `${verdicts[verdict]} ${verdict}` }));
  const lines: string[] = [];
  let line = '';
  let used = 0;
  for (const [p, { verdict, text }] of parts.entries()) {
    const separator = p === 0 ? '' : ' · ';
    const paint = verdicts[verdict] === 0 ? colour.faint : verdictPaint(colour, verdict);
    if (used > 0 && used + separator.length + text.length > width) {
      lines.push(line);
      line = '';
      used = 0;
    }
    line += (used === 0 ? '' : separator) + paint(text);
    used += (used === 0 ? 0 : separator.length) + text.length;
  }
  lines.push(line);

  if (matrix.columns.length === 0) lines.push(colour.warning('no platform: nothing was run'));
  if (defects > 0) lines.push(`${colour.bad(counted(defects, 'defect'))}: tracewright trace`);
  for (const verdict of POINTED) {
    if (verdicts[verdict] === 0) continue;
    const row = matrix.rows.find((one) => Object.values(one.own ?? {}).some((cell) => cell.verdict === verdict));
    if (row === undefined) continue;
    const count = `${verdicts[verdict]} ${verdict}`;
    lines.push(`${verdictPaint(colour, verdict)(count)}: tracewright why ${shortName(matrix, row)}`);
  }
  return lines;
}

/** The name alone where no other item has it, for the command that is pointed at. */
function shortName(matrix: Matrix, { id }: MatrixRow): string {
  const name = id.split('~')[1] ?? id;
  const same = new Set(matrix.rows.filter((row) => row.id.split('~')[1] === name).map((row) => row.id));
  return inert(same.size === 1 ? name : id);
}
