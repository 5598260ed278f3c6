/**
 * List registers: the interrupts that a hypervisor offers a guest, and what they say to the hypervisor. Arm IHI 0069,
 * chapter 6 (virtual interrupts, maintenance interrupts), 12.4 (ICH_LR<n>_EL2, ICH_EISR_EL2, ICH_ELRSR_EL2).
 *
 * A list register that is HW, pending and active is UNPREDICTABLE: the distributor should hold that state. Here ending the
 * active interrupt deactivates the physical one, and the virtual one stays pending.
 */
import { ICH_LR, ICH_LR_SOFT, LR_STATE } from './layout.js';
import type { Group } from './priorities.js';
import { bitsOf, extract, insert } from './register-word.js';

const ACTIVE = LR_STATE.ACTIVE;
const PENDING = LR_STATE.PENDING;

/** The list registers of one PE. */
export class ListRegisters {
  readonly count: number;
  /** Lower and upper halves, by number. */
  readonly lo: Uint32Array;
  readonly hi: Uint32Array;
  readonly #loBits: number;
  readonly #hiBits: number;

  /**
   * @param idBits bits of a virtual INTID
   * @param priorityBits the implemented bits of a priority, in place
   */
  constructor(count: number, idBits: number, priorityBits: number) {
    this.count = count;
    this.lo = new Uint32Array(count);
    this.hi = new Uint32Array(count);
    this.#loBits = 2 ** idBits - 1;
    this.#hiBits =
      insert(0, ICH_LR.Priority, priorityBits) | bitsOf(ICH_LR.pINTID, ICH_LR.Group, ICH_LR.HW, ICH_LR.State);
  }

  write(n: number, hi: number, lo: number): void {
    this.lo[n] = lo & this.#loBits;
    this.hi[n] = hi & this.#hiBits;
  }

  intid(n: number): number {
    return this.lo[n] as number;
  }

  state(n: number): number {
    return extract(this.hi[n] as number, ICH_LR.State);
  }

  priority(n: number): number {
    return extract(this.hi[n] as number, ICH_LR.Priority);
  }

  group(n: number): Group {
    return extract(this.hi[n] as number, ICH_LR.Group) as Group;
  }

  /** INTID of the physical interrupt that goes with it, -1 if there is none. */
  physical(n: number): number {
    const hi = this.hi[n] as number;
    return extract(hi, ICH_LR.HW) === 1 ? extract(hi, ICH_LR.pINTID) : -1;
  }

  #setState(n: number, state: number): void {
    this.hi[n] = insert(this.hi[n] as number, ICH_LR.State, state);
  }

  /** Holds what it must not: the state of a hardware interrupt that is pending and active. */
  isUnpredictable(n: number): boolean {
    return this.physical(n) >= 0 && this.state(n) === LR_STATE.PENDING_ACTIVE;
  }

  /** The guest takes the interrupt. In a list register, an LPI becomes active as any other. */
  acknowledge(n: number): void {
    this.#setState(n, ACTIVE);
  }

  /** Pending no more, with nothing else done. */
  discard(n: number): void {
    this.#setState(n, this.state(n) & ~PENDING);
  }

  /** The guest is done with the interrupt. */
  deactivate(n: number): void {
    this.#setState(n, this.state(n) & ~ACTIVE);
  }

  /** The one that is active with an INTID, -1 if there is none. */
  findActive(intid: number): number {
    for (let n = 0; n < this.count; n++) if (this.lo[n] === intid && (this.state(n) & ACTIVE) !== 0) return n;
    return -1;
  }

  /**
   * The one that is pending with the highest priority, among the groups that count; -1 if there is none. Of equal priority,
   * the lowest number.
   */
  highest(group0: boolean, group1: boolean): number {
    let best = -1;
    let bestPriority = 0x100;
    for (let n = 0; n < this.count; n++) {
      if (this.state(n) !== PENDING || !(this.group(n) === 0 ? group0 : group1)) continue;
      const priority = this.priority(n);
      if (priority >= bestPriority) continue;
      best = n;
      bestPriority = priority;
    }
    return best;
  }

  /** Asks for a maintenance interrupt when it is deactivated. */
  #reportsEnd(n: number): boolean {
    const hi = this.hi[n] as number;
    return extract(hi, ICH_LR.HW) === 0 && extract(hi, ICH_LR_SOFT.EOI) === 1;
  }

  /** ICH_EISR_EL2: those that are invalid and ask for a maintenance interrupt. */
  get ended(): number {
    let bits = 0;
    for (let n = 0; n < this.count; n++) if (this.state(n) === 0 && this.#reportsEnd(n)) bits |= 1 << n;
    return bits;
  }

  /** ICH_ELRSR_EL2: those that can be used without losing anything. */
  get empty(): number {
    let bits = 0;
    for (let n = 0; n < this.count; n++) if (this.state(n) === 0 && !this.#reportsEnd(n)) bits |= 1 << n;
    return bits;
  }

  /** How many hold a valid interrupt. */
  get valid(): number {
    let count = 0;
    for (let n = 0; n < this.count; n++) if (this.state(n) !== 0) count++;
    return count;
  }

  get hasPending(): boolean {
    for (let n = 0; n < this.count; n++) if ((this.state(n) & PENDING) !== 0) return true;
    return false;
  }
}
