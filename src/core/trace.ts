/**
 * The trace: items with their links and coverage, the data that every reporter reads.
 *
 * Statuses are OpenFastTrace's. *Defect* is its word for a broken item; an injected mistake is a mutant.
 */
import type { Diagnostic, Place } from './diagnostic.js';
import type { Item } from './item.js';

/** Status of a link seen from the covering item. */
export type OutgoingStatus = 'covers' | 'predated' | 'outdated' | 'ambiguous' | 'unwanted' | 'orphaned' | 'duplicate';

/** Status of a link seen from the covered item. */
export type IncomingStatus =
  | 'covered shallow'
  | 'unwanted coverage'
  | 'predated coverage'
  | 'outdated coverage'
  | 'duplicate';

/** Deep coverage of an item, worst last. */
export type DeepCoverage = 'covered' | 'uncovered' | 'cycle';

/** One end of a link. */
export interface Link<Status extends string> {
  readonly status: Status;
  /** The id at the other end, as written. */
  readonly id: string;
  /** The item at the other end; undefined if there is none (an orphan). */
  readonly other: LinkedItem | undefined;
  /** Where the link is written; for a duplicate, where the other item stands. */
  readonly place: Place;
}

/** An item within the trace. */
export interface LinkedItem {
  readonly item: Item;
  readonly outgoing: readonly Link<OutgoingStatus>[];
  readonly incoming: readonly Link<IncomingStatus>[];
  /** Needed types that some item covers, in the order of `needs`. */
  readonly coveredTypes: readonly string[];
  /** Needed types that nothing covers. */
  readonly uncoveredTypes: readonly string[];
  /** Types that cover although they are not needed. */
  readonly overCoveredTypes: readonly string[];
  readonly deepCoverage: DeepCoverage;
  readonly defect: boolean;
}

/** The result of linking: items sorted by id, every diagnostic, and the counts. */
export interface Trace {
  readonly items: readonly LinkedItem[];
  readonly diagnostics: readonly Diagnostic[];
  readonly summary: { readonly items: number; readonly defects: number };
}
