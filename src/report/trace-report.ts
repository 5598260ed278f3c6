/** What the reports of a trace are made from. */
import type { Diagnostic } from '../core/diagnostic.js';
import type { Trace } from '../core/trace.js';

/** A trace with every diagnostic of reading and linking. */
export interface TraceReport {
  readonly trace: Trace;
  readonly diagnostics: readonly Diagnostic[];
}
