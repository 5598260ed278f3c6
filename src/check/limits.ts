/** Limits of one run. The first to be met, on every machine alike, is meant to be the count of operations. */
export interface Limits {
  /** Operations of the model, as the bench counts them. */
  readonly operations: number;
  /** Wall clock of one run in milliseconds: a watchdog for what counts no operations. */
  readonly milliseconds: number;
  /** JavaScript heap of a lane in MiB. */
  readonly heapMiB: number;
  /**
   * Resident memory of a lane in MiB, typed arrays included, which live outside of the heap. Watched through /proc, so
   * on Linux only: elsewhere the heap limit is the only one.
   */
  readonly memoryMiB: number;
}

export const DEFAULT_LIMITS: Limits = { operations: 20_000_000, milliseconds: 20_000, heapMiB: 512, memoryMiB: 1536 };
