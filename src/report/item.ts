/** One item with all that is known of it: text, links both ways, checks, evidence. */
import { formatPlace } from '../core/diagnostic.js';
import type { CheckBinding, Matrix, MatrixRow } from '../core/matrix.js';
import type { LinkedItem } from '../core/trace.js';
import { fullCellText } from './cell-text.js';
import { type ReportOptions, verdictPaint } from './colour.js';
import { padded, wrapped } from './columns.js';
import { counted, inert } from './text.js';

/** What the report of an item is made from. Without a matrix there is no evidence to show. */
export interface ItemReport {
  readonly linked: LinkedItem;
  readonly bindings: readonly CheckBinding[];
  readonly matrix?: Matrix;
}

/** Formats an item. */
export function itemText({ linked, bindings, matrix }: ItemReport, options: ReportOptions): string {
  const { colour } = options;
  const { item } = linked;
  const state = linked.defect ? colour.bad('✘ defect') : colour.good('✔');
  const blocks: string[][] = [
    [
      `${colour.strong(inert(item.id))}  ${state}`,
      ...(item.title === undefined ? [] : [inert(item.title)]),
      colour.faint(inert(formatPlace(item.place))),
      ...(item.status === 'approved' ? [] : [`status ${item.status}`]),
    ],
    texts(linked, options),
    links(linked, options),
    checks(bindings, item.id, options),
    matrix === undefined ? [] : evidence(matrix, item.id, options),
  ];
  return `${blocks
    .filter((block) => block.length > 0)
    .map((block) => block.join('\n'))
    .join('\n\n')}\n`;
}

function texts({ item }: LinkedItem, { width, colour }: ReportOptions): string[] {
  const parts = [
    ['', item.description],
    ['Rationale', item.rationale],
    ['Comment', item.comment],
  ] as const;
  return parts.flatMap(([head, text]) => {
    if (text === '') return [];
    const lines = text.split('\n').flatMap((line) => (line.trim() === '' ? [''] : wrapped(inert(line), width - 2)));
    return [...(head === '' ? [] : [colour.faint(head)]), ...lines.map((line) => (line === '' ? '' : `  ${line}`))];
  });
}

function links(linked: LinkedItem, { colour }: ReportOptions): string[] {
  const { item } = linked;
  const line = (status: string, arrow: string, id: string, good: boolean, where: string) =>
    `  ${(good ? colour.good : colour.bad)(padded(status, 18))}${arrow} ${inert(id)}  ${colour.faint(inert(where))}`;
  const lines = [
    ...linked.outgoing.map((one) => line(one.status, '→', one.id, one.status === 'covers', formatPlace(one.place))),
    ...linked.incoming.map((one) =>
      line(one.status, '←', one.id, one.status === 'covered shallow', formatPlace(one.place)),
    ),
    ...linked.uncoveredTypes.map((type) => `  ${colour.bad(padded('uncovered', 18))}  needs ${inert(type)}`),
    ...item.depends.map((one) => `  ${padded('depends', 18)}→ ${inert(one.text)}`),
  ];
  const deep = linked.deepCoverage === 'covered' ? colour.good('✔ deep') : colour.bad(`✘ ${linked.deepCoverage}`);
  const needs =
    item.needs.length === 0 ? 'needs nothing' : `needs ${item.needs.map((one) => inert(one.text)).join(', ')}`;
  return [`${colour.strong('links')}  ${deep}, ${needs}`, ...lines];
}

function checks(bindings: readonly CheckBinding[], id: string, { colour }: ReportOptions): string[] {
  const own = bindings.filter((one) => one.requirement === id || one.items.includes(id));
  if (own.length === 0) return [`${colour.strong('checks')}  none`];
  const lines = own.map((one) => {
    const status = (one.status === 'bound' ? colour.good : colour.bad)(padded(one.status, 11));
    const aspect = one.aspect === undefined ? '' : ` (${inert(one.aspect)})`;
    const where = one.place === undefined ? '' : `  ${colour.faint(inert(formatPlace(one.place)))}`;
    return `  ${status}${inert(one.check)}${aspect}${where}`;
  });
  return [colour.strong('checks'), ...lines];
}

function evidence(matrix: Matrix, id: string, options: ReportOptions): string[] {
  const row = matrix.rows.find((one) => one.id === id && !one.repeated);
  if (row === undefined || matrix.columns.length === 0) return [];
  return [
    options.colour.strong('evidence'),
    ...matrix.columns.flatMap(({ key }) => [...columnLines(matrix, row, key, options)]),
  ];
}

/** Where the text of a check or a mutant begins, and its further lines. */
const EVIDENCE_INDENT = 18;

function columnLines(matrix: Matrix, row: MatrixRow, key: string, { colour, width }: ReportOptions): string[] {
  const cell = row.verdicts[key];
  if (cell === undefined) return [];
  const text = inert(fullCellText(row, cell));
  const lines = [`  ${padded(inert(key), 16)}${verdictPaint(colour, cell.verdict)(text)}`];
  const differences = cell.divergences.map(({ from, text }) => `differs from ${from}: ${text}`);
  for (const said of [cell.reason, cell.note, ...differences]) {
    if (said !== undefined) lines.push(...wrapped(inert(said), width - 4).map((line) => `    ${line}`));
  }
  const say = (state: string, paint: (text: string) => string, what: string) => {
    const [first = '', ...more] = wrapped(inert(what), width - EVIDENCE_INDENT);
    lines.push(`    ${paint(padded(state, EVIDENCE_INDENT - 4))}${first}`);
    lines.push(...more.map((line) => ' '.repeat(EVIDENCE_INDENT) + line));
  };
  for (const check of matrix.checks) {
    if (check.requirement !== row.id || check.column !== key) continue;
    const strength = check.ran === 0 ? '' : `, kills ${check.killed} of ${check.ran}`;
    say(check.outcome, (text) => text, `${check.check} (${counted(check.assertions, 'assertion')}${strength})`);
  }
  for (const mutant of matrix.mutants) {
    if (mutant.requirement !== row.id || mutant.column !== key) continue;
    say(mutant.state, mutant.state === 'killed' ? colour.faint : colour.warning, `mutant: ${mutant.mutant}`);
  }
  return lines;
}
