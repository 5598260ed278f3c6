/**
 * LPIs that wait to be taken, the highest priority first: a binary heap whose entries are checked when they are looked at,
 * so that an LPI that is no longer pending costs nothing to take out.
 */

/** INTIDs have at most 24 bits, so priority and INTID make one exact number that sorts by priority, then INTID. */
const PRIORITY_WEIGHT = 2 ** 24;
/** Stale entries that are put up with before all are looked through. */
const STALE_MAX = 64;

/** The waiting LPIs of one redistributor. */
export class PendingLpis {
  #heap: number[] = [];
  /** The priority at which an LPI waits, -1 if it does not. */
  readonly #priorityOf: (intid: number) => number;

  /** @param priorityOf the priority at which an LPI waits now, -1 if it does not */
  constructor(priorityOf: (intid: number) => number) {
    this.#priorityOf = priorityOf;
  }

  clear(): void {
    this.#heap = [];
  }

  /**
   * An LPI waits from now on, at this priority.
   * @param waiting how many LPIs wait at all
   */
  add(intid: number, priority: number, waiting: number): void {
    const heap = this.#heap;
    if (heap.length >= 2 * waiting + STALE_MAX) this.#sweep();
    const key = priority * PRIORITY_WEIGHT + intid;
    let at = heap.push(key) - 1;
    while (at > 0) {
      const parent = (at - 1) >>> 1;
      if ((heap[parent] as number) <= key) break;
      heap[at] = heap[parent] as number;
      at = parent;
    }
    heap[at] = key;
  }

  /** INTID of the first in order, -1 if none waits. */
  first(): number {
    for (let key = this.#heap[0]; key !== undefined; key = this.#heap[0]) {
      const intid = key % PRIORITY_WEIGHT;
      if (this.#priorityOf(intid) * PRIORITY_WEIGHT + intid === key) return intid;
      this.#removeFirst();
    }
    return -1;
  }

  #removeFirst(): void {
    const heap = this.#heap;
    const key = heap.pop() as number;
    const length = heap.length;
    if (length === 0) return;
    let at = 0;
    for (let child = 1; child < length; child = 2 * at + 1) {
      if (child + 1 < length && (heap[child + 1] as number) < (heap[child] as number)) child++;
      if ((heap[child] as number) >= key) break;
      heap[at] = heap[child] as number;
      at = child;
    }
    heap[at] = key;
  }

  /** Drops stale and repeated entries. A sorted array is a heap. */
  #sweep(): void {
    const keys = [...new Set(this.#heap)].filter((key) => {
      const intid = key % PRIORITY_WEIGHT;
      return this.#priorityOf(intid) * PRIORITY_WEIGHT + intid === key;
    });
    keys.sort((a, b) => a - b);
    this.#heap.length = 0;
    this.#heap.push(...keys);
  }
}
