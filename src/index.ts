/**
 * Tracewright as a library: the trace tower. `analyse` reads and links a requirement tree; `runChecks` runs checks;
 * `foldMatrix` judges them. Authors of checks import from `tracewright/check`.
 */

export type { CheckRequest, CheckRun } from './check/request.js';
export { runChecks } from './check/run.js';
export { type Diagnostic, type DiagnosticCode, formatPlace, type Place, type Severity } from './core/diagnostic.js';
export { DIAGNOSTIC_CODES } from './core/diagnostic-codes.js';
export { type FileSource, memorySource } from './core/file-source.js';
export { compareIds, formatId, type Item, type ItemId, type Mention, parseId } from './core/item.js';
export type { Cell, Matrix, MatrixColumn, MatrixRow } from './core/matrix.js';
export type { Outcome, ResultRecord } from './core/record.js';
export type { DeepCoverage, IncomingStatus, Link, LinkedItem, OutgoingStatus, Trace } from './core/trace.js';
export { VERDICTS, type Verdict, worstVerdict } from './core/verdict.js';
export { type Analysis, type AnalysisConfiguration, analyse } from './engine/analyse.js';
export { rstParse } from './import/rst/parse.js';
export { bindChecks } from './matrix/bind.js';
export { judgeMatrix, judgeTrace, judgeVerify } from './matrix/judge.js';
export { foldMatrix, type MatrixInput } from './matrix/matrix.js';
export { why } from './trace/why.js';
