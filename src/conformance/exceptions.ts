/**
 * Where the manual contradicts what was observed, the manual wins, and the difference is an exception: data, with the
 * place in the manual. There is none at present for the bundled cases.
 */
import type { StepDifference } from './replay.js';
import type { VectorCase } from './vectors.js';

/** A kind of difference that the manual explains. */
export interface Exception {
  readonly device: string;
  /** Class of the cases. */
  readonly class: string;
  /** Which steps: their kind, and what their expected and actual outcome look like. */
  readonly step: { readonly kind: StepDifference['kind']; readonly expected?: RegExp; readonly got?: RegExp };
  readonly reason: string;
  /** Document and section. */
  readonly reference: string;
}

/** The exceptions. */
export const EXCEPTIONS: readonly Exception[] = [];

/** Whether an exception explains a difference. */
export function explains(exception: Exception, vector: VectorCase, difference: StepDifference): boolean {
  const { kind, expected, got } = exception.step;
  return (
    exception.device === vector.device &&
    exception.class === vector.class &&
    kind === difference.kind &&
    (expected === undefined || expected.test(difference.expected)) &&
    (got === undefined || got.test(difference.got))
  );
}
