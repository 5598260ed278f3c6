/**
 * Whether a run has met what its command asks for: what makes the difference between exit status 0 and 1.
 *
 * | command  | not met when |
 * |----------|--------------|
 * | `trace`  | an item is a defect, or a diagnostic is an error |
 * | `verify` | a selected cell is not verified, n/a or waived |
 * | `matrix` | a cell is refuted, error or vacuous, or of a verdict named beside these, or a diagnostic is an error |
 */
import type { Diagnostic } from '../core/diagnostic.js';
import type { Matrix } from '../core/matrix.js';
import type { Trace } from '../core/trace.js';
import type { Verdict } from '../core/verdict.js';
import { ALL_VERDICTS } from './counts.js';

/** The judgement, with what speaks against it: one phrase each, `3 refuted`, `1 error diagnostic`. */
export interface Judgement {
  readonly met: boolean;
  readonly reasons: readonly string[];
}

/** Verdicts that a matrix never meets. */
const MATRIX_FAILS_ON = ['refuted', 'error', 'vacuous'] as const satisfies readonly Verdict[];

/** Verdicts with which a selected cell is met. */
const VERIFY_MEETS: readonly Verdict[] = ['verified', 'n/a', 'waived'];

function judgement(reasons: readonly string[]): Judgement {
  return { met: reasons.length === 0, reasons };
}

function errorDiagnostics(diagnostics: readonly Diagnostic[]): string[] {
  const errors = diagnostics.filter((one) => one.severity === 'error').length;
  if (errors === 0) return [];
  return [errors === 1 ? '1 error diagnostic' : `${errors} error diagnostics`];
}

/** Judges a trace, with every diagnostic of reading and linking. */
export function judgeTrace(trace: Trace, diagnostics: readonly Diagnostic[] = trace.diagnostics): Judgement {
  const { defects } = trace.summary;
  return judgement([
    ...(defects === 0 ? [] : [defects === 1 ? '1 defect' : `${defects} defects`]),
    ...errorDiagnostics(diagnostics),
  ]);
}

/** Judges a matrix. `failOn` names verdicts beside those of {@link MATRIX_FAILS_ON}. */
export function judgeMatrix(matrix: Matrix, failOn: readonly Verdict[] = []): Judgement {
  const { verdicts } = matrix.summary;
  const failing = new Set<Verdict>([...MATRIX_FAILS_ON, ...failOn]);
  const reasons = ALL_VERDICTS.filter((verdict) => failing.has(verdict) && verdicts[verdict] > 0).map(
    (verdict) => `${verdicts[verdict]} ${verdict}`,
  );
  return judgement([...reasons, ...errorDiagnostics(matrix.diagnostics)]);
}

/**
 * Judges the cells that were selected.
 *
 * @param requirements ids of the requirements
 * @param columns keys of the columns; absent: all
 * @returns undefined if that selects nothing, which is misuse and not a failure
 */
export function judgeVerify(
  matrix: Matrix,
  requirements: Iterable<string>,
  columns: readonly string[] = matrix.columns.map((column) => column.key),
): Judgement | undefined {
  const wanted = new Set(requirements);
  const counts = new Map<Verdict, number>();
  let selected = 0;
  for (const row of matrix.rows) {
    if (row.repeated || !wanted.has(row.id)) continue;
    for (const key of columns) {
      const verdict = Object.hasOwn(row.verdicts, key) ? row.verdicts[key]?.verdict : undefined;
      if (verdict === undefined) continue;
      selected++;
      counts.set(verdict, (counts.get(verdict) ?? 0) + 1);
    }
  }
  if (selected === 0) return undefined;
  return judgement(
    ALL_VERDICTS.filter((verdict) => counts.has(verdict) && !VERIFY_MEETS.includes(verdict)).map(
      (verdict) => `${counts.get(verdict)} ${verdict}`,
    ),
  );
}
