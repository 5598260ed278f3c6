/**
 * What a run and its lanes say to each other. Orders go out and replies come back over the IPC channel only; each
 * message carries the lane's token, and one without it is ignored. Every order gets one reply, and after it the token
 * with the order's number on standard output and standard error, so that what a check prints is told apart by run.
 */
import type { Divergence } from '../core/matrix.js';
import type { Outcome } from '../core/record.js';
import type { Transcript } from '../core/transcript.js';
import type { ApplicabilityRow } from './applicability.js';
import type { MutantOptions, Platform } from './bench.js';

/** First message to a lane. */
export interface Greeting {
  readonly token: string;
  readonly operations: number;
  /** `file:` URL of the bench module; it is loaded before anything else. */
  readonly bench: string;
}

/**
 * Describe the bench; load a check or mutants file (`file:` URL) and tell what it registers; tell which parts of the subject
 * mutants replace; or run a check.
 */
export type Order =
  | { readonly kind: 'describe' }
  | { readonly kind: 'load'; readonly file: string }
  | {
      readonly kind: 'inspect';
      /** Files that must be loaded first. */
      readonly files: readonly string[];
      readonly requirement: string;
      readonly mutants: readonly string[];
      readonly platform: string;
    }
  | {
      readonly kind: 'run';
      /** Files that must be loaded first. */
      readonly files: readonly string[];
      readonly requirement: string;
      readonly check: string;
      readonly mutant: string | undefined;
      readonly platform: string;
      readonly transcript: boolean;
    };

/** What the bench states, without its functions. */
export interface BenchDescription {
  readonly object: {
    readonly name: string;
    readonly digestFiles: readonly string[];
    readonly digestRoot: string | undefined;
  };
  readonly platforms: readonly Platform[];
  readonly applicability: readonly ApplicabilityRow[];
  readonly divergences: readonly Divergence[];
  readonly features: readonly string[] | undefined;
  readonly digestFiles: readonly string[];
}

/** A check or a mutant as a file registers it. */
export interface CheckDescription {
  readonly requirement: string;
  readonly title: string;
  readonly aspect: string | undefined;
  readonly stack: string;
}

export interface MutantDescription extends MutantOptions {
  readonly title: string;
  readonly stack: string;
}

/** How a run in a lane ended. */
export interface RunReply {
  readonly kind: 'run';
  readonly outcome: Outcome;
  readonly assertions: number;
  readonly message?: string;
  /** Stack of what went wrong. */
  readonly stack?: string;
  /** True if a throw in the model or the bench is what went wrong: its own place says more than the check's. */
  readonly thrown?: boolean;
  readonly digest: string;
  /** Calls of `journal`. */
  readonly journaled: number;
  readonly transcript?: Transcript;
  /** Parts of the subject that were read, by name; of a run without a mutant. */
  readonly read?: readonly string[];
}

export type Reply =
  | { readonly kind: 'described'; readonly bench: BenchDescription }
  | {
      readonly kind: 'loaded';
      readonly checks: readonly CheckDescription[];
      readonly mutants: readonly MutantDescription[];
    }
  /** For each mutant the names of the parts that it replaces; none if that cannot be said. */
  | { readonly kind: 'inspected'; readonly changed: readonly (readonly string[])[] }
  | { readonly kind: 'broken'; readonly what: 'bench' | 'file'; readonly message: string; readonly stack: string }
  | RunReply;

/** A message of a lane. */
export type LaneMessage =
  | { readonly token: string; readonly kind: 'ready' }
  | {
      readonly token: string;
      readonly kind: 'reply';
      readonly order: number;
      readonly reply: Reply;
      /** Why this lane must not be used again, if it must not. */
      readonly spoilt: string | undefined;
      /** Why the marks are not on the output, if they are not. */
      readonly unmarked: string | undefined;
    }
  | { readonly token: string; readonly kind: 'late'; readonly message: string };

/** What stands on both outputs after an order. */
export function outputMark(token: string, order: number): string {
  return `\u0000${token}:${order}\u0000`;
}
