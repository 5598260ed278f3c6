/** A set of integers kept as disjoint runs: free frames, frames that a domain may map. */

/** A run of integers. */
export interface Run {
  readonly start: number;
  readonly count: number;
}

/** Runs in order, never touching each other. */
export class RangeSet {
  #runs: Run[] = [];

  /** The runs, lowest first. */
  get runs(): readonly Run[] {
    return this.#runs;
  }

  /** Whether all of `count` integers from `start` are in the set. Of none, they are. */
  contains(start: number, count: number): boolean {
    if (count <= 0) return true;
    return this.#runs.some((run) => run.start <= start && start + count <= run.start + run.count);
  }

  /** Whether any of `count` integers from `start` is in the set. */
  overlaps(start: number, count: number): boolean {
    return this.#runs.some((run) => run.start < start + count && start < run.start + run.count);
  }

  add(start: number, count: number): void {
    if (count <= 0) return;
    let from = start;
    let to = start + count;
    const rest: Run[] = [];
    for (const run of this.#runs) {
      if (run.start + run.count < from || run.start > to) {
        rest.push(run);
        continue;
      }
      from = Math.min(from, run.start);
      to = Math.max(to, run.start + run.count);
    }
    rest.push({ start: from, count: to - from });
    this.#runs = rest.sort((a, b) => a.start - b.start);
  }

  remove(start: number, count: number): void {
    if (count <= 0) return;
    const end = start + count;
    const rest: Run[] = [];
    for (const run of this.#runs) {
      const runEnd = run.start + run.count;
      if (run.start < start) rest.push({ start: run.start, count: Math.min(runEnd, start) - run.start });
      if (runEnd > end) {
        const from = Math.max(run.start, end);
        rest.push({ start: from, count: runEnd - from });
      }
    }
    this.#runs = rest.filter((run) => run.count > 0);
  }

  clear(): void {
    this.#runs = [];
  }
}
