/**
 * Interrupt priorities: which bits are implemented, what preempts what, and the active priorities of an interface. Arm IHI
 * 0069 4.8 (prioritization), 12.2 and 12.4 (BPR, AP0R, AP1R). The physical and the virtual interface follow the same rules.
 *
 * A lower number is a higher priority. Without EL3 the Non-secure rule holds for Group 1: its binary point is one more than
 * that of Group 0 for the same split.
 */
import { ACTIVE_PRIORITIES_MAX, IDLE_PRIORITY } from './layout.js';

/** Interrupt groups: 0 is signalled as FIQ, 1 as IRQ. */
export type Group = 0 | 1;

/** A binary point can be at most this: no preemption within the group. */
const BINARY_POINT_MAX = 7;

/** The implemented bits of a priority, of 8. */
export function priorityMask(bits: number): number {
  return 0xff & (0xff << (8 - bits));
}

/** The bits of priority that take part in preemption: at most 7 of the implemented. */
export function preemptionBits(bits: number): number {
  return Math.min(bits, 7);
}

/** The smallest binary point of Group 0: all implemented bits that can, take part in preemption. That of Group 1 is one more. */
export function binaryPointMinimum(bits: number): number {
  return 7 - preemptionBits(bits);
}

/** What BPR1 reads as where CBPR has Group 1 follow BPR0. */
export function commonBinaryPoint(bpr0: number): number {
  return Math.min(bpr0 + 1, BINARY_POINT_MAX);
}

/** The bits of a priority that are its group priority (4.8, priority grouping). */
export function groupPriorityMask(group: Group, bpr0: number, bpr1: number, common: boolean): number {
  return group === 0 || common ? 0xff & (0xff << (bpr0 + 1)) : 0xff & (0xff << bpr1);
}

/** AP0R and AP1R: the group priorities of the interrupts that are being handled. */
export class ActivePriorities {
  /** AP0R<n>, AP1R<n>. */
  readonly words: readonly [Uint32Array, Uint32Array] = [
    new Uint32Array(ACTIVE_PRIORITIES_MAX),
    new Uint32Array(ACTIVE_PRIORITIES_MAX),
  ];
  /** How many registers each group has: 1, 2 or 4. */
  readonly registers: number;
  readonly #shift: number;

  /** @param bits implemented bits of priority */
  constructor(bits: number) {
    const levels = preemptionBits(bits);
    this.registers = 2 ** (levels - 5);
    this.#shift = 8 - levels;
  }

  /** Number of the highest active level, -1 if none is. */
  #highest(): number {
    const [group0, group1] = this.words;
    for (let n = 0; n < this.registers; n++) {
      const word = (group0[n] as number) | (group1[n] as number);
      if (word !== 0) return 32 * n + 31 - Math.clz32(word & -word);
    }
    return -1;
  }

  /** The running priority; {@link IDLE_PRIORITY} if nothing is active. */
  get running(): number {
    const level = this.#highest();
    return level < 0 ? IDLE_PRIORITY : level << this.#shift;
  }

  /** Whether the running priority is one of `group`. */
  isRunning(group: Group): boolean {
    const level = this.#highest();
    return level >= 0 && ((this.words[group][level >>> 5] as number) & (1 << (level & 31))) !== 0;
  }

  /** An interrupt of this group priority is acknowledged. */
  raise(group: Group, groupPriority: number): void {
    const level = groupPriority >>> this.#shift;
    const words = this.words[group];
    words[level >>> 5] = (words[level >>> 5] as number) | (1 << (level & 31));
  }

  /** Priority drop: the highest active priority is no longer. Gives it, {@link IDLE_PRIORITY} if there was none. */
  drop(): number {
    const level = this.#highest();
    if (level < 0) return IDLE_PRIORITY;
    const bit = 1 << (level & 31);
    const words = ((this.words[0][level >>> 5] as number) & bit) !== 0 ? this.words[0] : this.words[1];
    words[level >>> 5] = (words[level >>> 5] as number) & ~bit;
    return level << this.#shift;
  }

  save(): number[] {
    return [...this.words[0], ...this.words[1]];
  }

  load(values: readonly number[]): void {
    this.words[0].set(values.slice(0, ACTIVE_PRIORITIES_MAX));
    this.words[1].set(values.slice(ACTIVE_PRIORITIES_MAX));
  }
}

/** The highest priority pending interrupt among those that were offered. Of equal priority, the lowest INTID. */
export class HighestPending {
  /** -1 if there is none. */
  intid = -1;
  /** Above every priority if there is none. */
  priority = IDLE_PRIORITY + 1;
  group: Group = 0;

  reset(): void {
    this.intid = -1;
    this.priority = IDLE_PRIORITY + 1;
  }

  offer(intid: number, priority: number, group: Group): void {
    if (priority > this.priority || (priority === this.priority && intid > this.intid)) return;
    this.intid = intid;
    this.priority = priority;
    this.group = group;
  }
}
