/**
 * Result records, sorted into an order that does not depend on the order in which they came.
 *
 * Records with the same object, platform, requirement, check and mutant are copies of one result: from a cache, from
 * overlapping shards. Copies that agree count once; copies that disagree in their outcome make that result an error,
 * because whatever decides between them is not part of the evidence.
 */
import type { ResultRecord } from '../core/record.js';

/** Results by column, requirement, check and mutant. */
export class Results {
  readonly #records = new Map<string, ResultRecord>();
  /** Mutants that have a result, by column and requirement. */
  readonly #mutants = new Map<string, Set<string>>();

  constructor(records: readonly ResultRecord[]) {
    const keyed = records.map((record) => ({ key: recordKey(record), record, order: orderOf(record) }));
    keyed.sort((a, b) => (a.order < b.order ? -1 : a.order > b.order ? 1 : 0));
    for (const { key, record } of keyed) {
      const known = this.#records.get(key);
      this.#records.set(key, known === undefined ? record : reconcile(known, record));
      if (record.mutant === undefined) continue;
      const cell = JSON.stringify([record.object, record.platform, record.requirement]);
      const mutants = this.#mutants.get(cell) ?? new Set();
      this.#mutants.set(cell, mutants.add(record.mutant));
    }
  }

  /** The result of a check, on the object as it is or with a mutant. */
  get(column: Column, requirement: string, check: string, mutant?: string): ResultRecord | undefined {
    return this.#records.get(keyOf(column.object, column.platform, requirement, check, mutant));
  }

  /** The mutants of a requirement that have a result in a column. */
  mutants(column: Column, requirement: string): Iterable<string> {
    return this.#mutants.get(JSON.stringify([column.object, column.platform, requirement])) ?? [];
  }

  /** Every result, in a fixed order. */
  all(): Iterable<ResultRecord> {
    return this.#records.values();
  }
}

interface Column {
  readonly object: string;
  readonly platform: string;
}

function keyOf(object: string, platform: string, requirement: string, check: string, mutant?: string): string {
  return JSON.stringify([object, platform, requirement, check, mutant ?? null]);
}

function recordKey(record: ResultRecord): string {
  return keyOf(record.object, record.platform, record.requirement, record.check, record.mutant);
}

/** A total order over what a record says; the transcript itself is stood for by its digest. */
function orderOf(record: ResultRecord): string {
  const { place } = record;
  return JSON.stringify([
    recordKey(record),
    record.outcome,
    record.assertions,
    record.transcriptDigest,
    record.message ?? '',
    place === undefined ? '' : [place.path, place.line, place.column],
    record.transcript !== undefined,
    Object.entries(record.inputDigests).sort(([a], [b]) => (a < b ? -1 : 1)),
  ]);
}

function reconcile(known: ResultRecord, other: ResultRecord): ResultRecord {
  if (known.outcome === other.outcome) return known;
  const message = 'its results disagree: the same run has ended in more than one way';
  return { ...known, outcome: 'error', message };
}
