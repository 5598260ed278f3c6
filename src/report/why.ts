/** Why an item is not green, as text. */
import { formatPlace } from '../core/diagnostic.js';
import type { Explanation, Why } from '../core/explanation.js';
import type { ReportOptions } from './colour.js';
import { wrapped } from './columns.js';
import { inert } from './text.js';

/** Formats the explanations. Those that say the same apart from their path are not folded: each is a column's. */
export function whyText(why: Why, options: ReportOptions): string {
  const { colour } = options;
  if (why.explanations.length === 0) return `${colour.good('✔')} ${inert(why.id)}: nothing is wrong with it\n`;
  return `${why.explanations.map((one) => explanationLines(one, options).join('\n')).join('\n\n')}\n`;
}

function explanationLines(explanation: Explanation, { colour, width }: ReportOptions): string[] {
  const { path, cause, details, mend, place } = explanation;
  const [first, ...rest] = wrapped(inert(cause), width);
  const lines = path.length > 1 ? path.map(stepLine) : [];
  lines.push(colour.bad(first ?? ''), ...rest.map((line) => colour.bad(`  ${line}`)));
  for (const text of [...details, mend]) {
    lines.push(...wrapped(inert(text), width - 2).map((line, i) => (i === 0 ? `  ${line}` : `    ${line}`)));
  }
  if (place !== undefined) lines.push(`  ${colour.faint(inert(formatPlace(place)))}`);
  return lines;
}

function stepLine({ id, relation }: Explanation['path'][number], depth: number): string {
  return `${'  '.repeat(depth)}${relation === '' ? '' : `${relation} `}${inert(id)}`;
}
