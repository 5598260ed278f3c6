/**
 * The result record: the only thing that passes from running checks to judging them. The matrix is a pure fold over
 * records, in any order, so shards, caches and imported results are all just records.
 */
import type { Place } from './diagnostic.js';
import type { Transcript } from './transcript.js';

/**
 * What became of one run.
 *
 * - `pass`: ended, every assertion held.
 * - `fail`: an assertion failed.
 * - `error`: anything else; `message` says what.
 */
export type Outcome = 'pass' | 'fail' | 'error';

/** One run of one check on one platform, on the model as it is or with one mutant. */
export interface ResultRecord {
  /** The object under check, with its digest: `reference model 3f2a91c…`. */
  readonly object: string;
  readonly platform: string;
  /** The requirement's id at its exact revision, as the check binds it. */
  readonly requirement: string;
  /** The check's title, unique within its requirement. */
  readonly check: string;
  /** The part of the requirement that the check speaks of, where the requirement has parts. */
  readonly aspect?: string;
  /** The mutant's title; absent for the run on the model as it is. */
  readonly mutant?: string;
  readonly outcome: Outcome;
  /** Assertions that were evaluated. */
  readonly assertions: number;
  /** For `fail` and `error`: what went wrong, one line. */
  readonly message?: string;
  /** For `fail`: where the assertion stands, in the source. For `error`: where it was thrown, if known. */
  readonly place?: Place;
  /** SHA-256 over every access and event of the run; equal digests mean that the machine saw the same. */
  readonly transcriptDigest: string;
  /** Digests of what the result depends on, by name. */
  readonly inputDigests: Readonly<Record<string, string>>;
  /** The transcript, when it was asked for. */
  readonly transcript?: Transcript;
}
