/** Xen's heap: frames of RAM that belong to nobody yet. */
import { type Mfn, maddr, mfn, mfnAdd, PAGE_SIZE } from '../frames.js';
import { RangeSet } from '../range-set.js';
import type { Xen } from '../xen.js';

/** Free frames. Blocks are aligned to their size, as the SMMU and concatenated root tables ask. */
export class FrameHeap {
  readonly #free = new RangeSet();

  /** Gives frames to the heap. */
  add(start: Mfn, count: number): void {
    this.#free.add(start, count);
  }

  /** Takes these very frames from the heap. */
  reserve(start: number, count: number): void {
    this.#free.remove(start, count);
  }

  /** Whether all of these frames are free. */
  isFree(start: Mfn, count: number): boolean {
    return this.#free.contains(start, count);
  }

  /** Free frames in all. */
  get free(): number {
    return this.#free.runs.reduce((sum, run) => sum + run.count, 0);
  }

  /**
   * Takes `count` adjacent frames aligned to `alignment` frames: the lowest that there are, or the highest.
   * @returns the first of them, or undefined if there are none
   */
  take(count: number, alignment: number, from: 'lowest' | 'highest'): Mfn | undefined {
    const runs = from === 'lowest' ? this.#free.runs : this.#free.runs.toReversed();
    for (const run of runs) {
      const start =
        from === 'lowest'
          ? Math.ceil(run.start / alignment) * alignment
          : Math.floor((run.start + run.count - count) / alignment) * alignment;
      if (start < run.start || start + count > run.start + run.count) continue;
      this.#free.remove(start, count);
      return mfn(start);
    }
    return undefined;
  }
}

/** Takes 2^order frames for Xen's own tables, all zero. Undefined: out of memory. */
function allocateXenFrames(xen: Xen, order: number): Mfn | undefined {
  const first = xen.heap.take(2 ** order, 2 ** order, 'lowest');
  if (first !== undefined) xen.steps.heap.clear(xen, first, 2 ** order);
  return first;
}

/** Takes 2^order frames for a domain's RAM. Undefined: out of memory. Free frames are clean since they were freed. */
function allocateDomainFrames(xen: Xen, order: number): Mfn | undefined {
  return xen.heap.take(2 ** order, 2 ** order, 'highest');
}

/** Gives frames back to the heap. */
function freeFrames(xen: Xen, first: Mfn, count: number): void {
  xen.heap.add(first, count);
}

/** Writes zeros over frames. */
function clearFrames(xen: Xen, first: Mfn, count: number): void {
  const zeros = new Uint8Array(PAGE_SIZE);
  for (let i = 0; i < count; i++) xen.machine.memory.write(maddr(mfnAdd(first, i)), zeros);
}

/** Frames looked at in one read while scrubbing. */
const SCRUB_RUN = 16;
const CLEAN = new Uint8Array(SCRUB_RUN * PAGE_SIZE);

/** Whether all bytes are zero. */
const isClean = (bytes: Uint8Array): boolean => Buffer.compare(bytes, CLEAN.subarray(0, bytes.length)) === 0;

/** Removes what a domain left in its frames. Frames that are clean already are only read. */
function scrubFrames(xen: Xen, first: Mfn, count: number): void {
  for (let done = 0; done < count; done += SCRUB_RUN) {
    const run = Math.min(SCRUB_RUN, count - done);
    const bytes = xen.machine.memory.read(maddr(mfnAdd(first, done)), run * PAGE_SIZE);
    if (isClean(bytes)) continue;
    for (let i = 0; i < run; i++) {
      if (isClean(bytes.subarray(i * PAGE_SIZE, (i + 1) * PAGE_SIZE))) continue;
      xen.steps.heap.clear(xen, mfnAdd(first, done + i), 1);
    }
  }
}

/** Steps of the heap. */
export const heapSteps = {
  allocate: allocateXenFrames,
  allocateForDomain: allocateDomainFrames,
  free: freeFrames,
  clear: clearFrames,
  scrub: scrubFrames,
} as const;
