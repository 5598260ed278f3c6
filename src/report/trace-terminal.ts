/**
 * The trace for a terminal: every defect with the links that are not clean and the needs that nothing covers, then the
 * counts. The words of the links are OpenFastTrace's.
 */
import { formatPlace } from '../core/diagnostic.js';
import type { LinkedItem } from '../core/trace.js';
import type { ReportOptions } from './colour.js';
import { counted, inert } from './text.js';
import type { TraceReport } from './trace-report.js';

/** Formats a trace. */
export function traceTerminal({ trace, diagnostics }: TraceReport, options: ReportOptions): string {
  const { colour } = options;
  const { items, defects } = trace.summary;
  const lines = trace.items.filter((linked) => linked.defect).flatMap((linked) => defectLines(linked, options));
  if (lines.length > 0) lines.push('');
  const errors = diagnostics.filter(({ severity }) => severity === 'error').length;
  const counts = [
    counted(items, 'item'),
    counted(defects, 'defect'),
    ...(errors === 0 ? [] : [counted(errors, 'error')]),
  ];
  lines.push(`${defects + errors === 0 ? colour.good('✔') : colour.bad('✘')} ${counts.join(', ')}`);
  return `${lines.join('\n')}\n`;
}

/** The lines for one item: its id and place, then what is wrong with it. */
function defectLines(linked: LinkedItem, { colour }: ReportOptions): string[] {
  const { item } = linked;
  const lines = [
    `${colour.bad('✘')} ${colour.strong(inert(item.id))}  ${colour.faint(inert(formatPlace(item.place)))}`,
  ];
  const say = (word: string, text: string) => lines.push(`    ${word.padEnd(18)}${text}`);
  for (const type of linked.uncoveredTypes) say('uncovered', `needs ${inert(type)}`);
  for (const link of linked.outgoing) if (link.status !== 'covers') say(link.status, `→ ${inert(link.id)}`);
  for (const link of linked.incoming) if (link.status !== 'covered shallow') say(link.status, `← ${inert(link.id)}`);
  if (linked.deepCoverage === 'cycle') say('cycle', 'it, or an item below it, is covered by itself');
  if (lines.length > 1 || linked.deepCoverage !== 'uncovered') return lines;
  const below = linked.incoming.find((link) => link.other !== undefined && link.other.deepCoverage !== 'covered');
  if (below !== undefined) say('not deep', `← ${inert(below.id)} is not covered`);
  return lines;
}
