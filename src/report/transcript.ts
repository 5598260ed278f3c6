/** A transcript as text: what happened in a run, in order. */
import type { Transcript, TranscriptEntry } from '../core/transcript.js';
import type { Verdict } from '../core/verdict.js';
import { type ReportOptions, verdictPaint } from './colour.js';
import { columnsOf, padded } from './columns.js';
import { inert } from './text.js';

/** Where the text of an entry begins, at either depth. */
const TEXT_COLUMN = 10;
/** Where the outcome of an assertion stands, if there is room. */
const MARK_COLUMN = 80;
const MARK_WIDTH = 'expected ✔'.length;

/** What is printed above and below the entries. */
export interface TranscriptReport {
  readonly check: string;
  readonly column: string;
  /** The mutant that was in place; absent for the run on the model as it is. */
  readonly mutant?: string;
  readonly transcript: Transcript;
  /** The last line; absent where there is nothing to sum up. */
  readonly verdict?: { readonly verdict: Verdict; readonly killed: number; readonly mutants: number };
}

/** Formats a transcript: `title · platform`, its entries, then the verdict with its strength. */
export function transcriptText(report: TranscriptReport, options: ReportOptions): string {
  const { colour } = options;
  const title = [report.check, report.column, ...(report.mutant === undefined ? [] : [`mutant: ${report.mutant}`])];
  const lines = [
    colour.strong(title.map(inert).join(' · ')),
    ...report.transcript.map((one) => entryLine(one, options)),
  ];
  if (report.verdict !== undefined) {
    const { verdict, killed, mutants } = report.verdict;
    const strength = mutants === 0 ? '' : ` · ${killed} of ${mutants} mutants killed`;
    lines.push(verdictPaint(colour, verdict)(verdict) + strength);
  }
  return `${lines.join('\n')}\n`;
}

function entryLine({ depth, actor, text, held }: TranscriptEntry, { colour, width }: ReportOptions): string {
  const indent = '  '.repeat(depth + 1);
  const name = inert(actor);
  const head = padded(`${indent}${name} `, TEXT_COLUMN);
  const line = `${head}${inert(text)}`;
  if (held === undefined)
    return depth === 0 ? line : `${indent}${colour.faint(name)}${line.slice(indent.length + name.length)}`;
  const mark = held ? colour.good('expected ✔') : colour.bad('expected ✘');
  const column = Math.max(columnsOf(line) + 2, Math.min(MARK_COLUMN, width - MARK_WIDTH));
  return `${padded(line, column)}${mark}`;
}
