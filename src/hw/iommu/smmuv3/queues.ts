/**
 * Circular queues. Arm IHI 0070 3.5: indices with a wrap bit, empty and full; 3.5.2 to 3.5.3 and 7.4: what happens to a
 * record that finds its queue full.
 *
 * An index register holds the index in bits [LOG2SIZE-1:0] and the wrap bit in bit LOG2SIZE.
 */
import type { PhysicalMemory } from '../../memory.js';

/** Whether nothing is left to consume: index and wrap bit are equal. */
export function isEmpty(prod: number, cons: number, log2size: number): boolean {
  return ((prod ^ cons) & (2 ** (log2size + 1) - 1)) === 0;
}

/** Whether there is no room: the indices are equal and the wrap bits differ. */
export function isFull(prod: number, cons: number, log2size: number): boolean {
  return ((prod ^ cons) & (2 ** (log2size + 1) - 1)) === 2 ** log2size;
}

/** How many entries are held; more than 2^log2size if software moved an index past the other. */
export function occupancy(prod: number, cons: number, log2size: number): number {
  return (prod - cons) & (2 ** (log2size + 1) - 1);
}

/** The next index, wrap bit included. */
export function advance(index: number, log2size: number): number {
  return (index + 1) & (2 ** (log2size + 1) - 1);
}

/** Where the entry of an index lies. */
export function entryAddress(base: number, index: number, log2size: number, entryBytes: number): number {
  return base + (index & (2 ** log2size - 1)) * entryBytes;
}

/** The index registers of a queue that the SMMU fills, as the register file keeps them. */
export interface OutputIndices {
  prod: number;
  cons: number;
}

/** Bit 31 of PROD (OVFLG) and of CONS (OVACKFLG). */
const OVERFLOW_FLAG = 0x8000_0000;

/** What became of a record. */
export type Push = 'written' | 'full' | 'abort';

/**
 * Appends a record to a queue that the SMMU fills.
 * @returns `full` if there is no room, `abort` if the queue is not in memory; nothing is written then
 */
export function push(
  memory: PhysicalMemory,
  base: number,
  log2size: number,
  indices: OutputIndices,
  record: Uint32Array,
): Push {
  if (isFull(indices.prod, indices.cons, log2size)) return 'full';
  if (!memory.storeWords(entryAddress(base, indices.prod, log2size, record.length * 4), record)) return 'abort';
  indices.prod = ((indices.prod & OVERFLOW_FLAG) | advance(indices.prod & ~OVERFLOW_FLAG, log2size)) >>> 0;
  return 'written';
}

/**
 * Notes that a record was lost because the queue was full: toggles OVFLG, unless an overflow already awaits its
 * acknowledgement (OVFLG differs from OVACKFLG). Section 7.4.
 */
export function overflow(indices: OutputIndices): void {
  if (((indices.prod ^ indices.cons) & OVERFLOW_FLAG) === 0) indices.prod = (indices.prod ^ OVERFLOW_FLAG) >>> 0;
}
