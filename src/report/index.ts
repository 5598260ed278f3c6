/**
 * The table of report formats. A format is one file and one line here. A reporter is loaded when it is asked for: what
 * one needs, another need not wait for.
 */
import type { Matrix } from '../core/matrix.js';
import type { ReportOptions } from './colour.js';
import type { TraceReport } from './trace-report.js';

/** A report: a pure function of its data and options. */
export type Reporter<Data> = (data: Data, options: ReportOptions) => string;

/** Formats of the matrix. */
export const MATRIX_REPORTERS = {
  terminal: async () => (await import('./matrix-terminal.js')).matrixTerminal,
  markdown: async () => (await import('./matrix-markdown.js')).matrixMarkdown,
  json: async () => (await import('./matrix-json.js')).matrixJson,
} as const satisfies Record<string, () => Promise<Reporter<Matrix>>>;

/** Formats of the trace. */
export const TRACE_REPORTERS = {
  terminal: async () => (await import('./trace-terminal.js')).traceTerminal,
  json: async () => (await import('./trace-json.js')).traceJson,
} as const satisfies Record<string, () => Promise<Reporter<TraceReport>>>;
