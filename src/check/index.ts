/** What authors of benches, checks and mutants import. The engine that runs them is `run.ts`. */

export type { Divergence } from '../core/matrix.js';
export type { Applicability, ApplicabilityRow, Aspect } from './applicability.js';
export { applies } from './applicability.js';
export type {
  BenchDefinition,
  BoundBench,
  CheckArguments,
  CheckBody,
  CheckOptions,
  MutantOptions,
  ObjectDefinition,
  Platform,
  RunContext,
  TranscriptSink,
} from './bench.js';
export { defineBench } from './bench.js';
export type { Expect } from './expect.js';
