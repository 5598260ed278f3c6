/**
 * Interrupt prioritization of one CPU interface, physical or virtual. Arm IHI 0048B.b 3.3: priority masking (GICC_PMR),
 * grouping of priorities (GICC_BPR, GICC_ABPR), preemption, and the active priorities (GICC_APR, GICH_APR).
 *
 * Priorities are 8-bit numbers of which the most significant are implemented; a lower number is a higher priority.
 * Not modelled: GICC_NSAPR, which only a GIC with the Security Extensions has.
 */

import { fieldMask, lowestBit } from './fields.js';
import { GICC_BPR, GICC_CTLR } from './layout.js';

const ENABLE_GROUP0 = fieldMask(GICC_CTLR.EnableGrp0);
const ENABLE_GROUP1 = fieldMask(GICC_CTLR.EnableGrp1);
const COMMON_BINARY_POINT = fieldMask(GICC_CTLR.CBPR);

/** Running priority while nothing is active: below any other. */
const IDLE = 0x100;

/** What of it goes into a snapshot. */
export interface SavedPrioritization {
  readonly control: number;
  readonly mask: number;
  readonly binaryPoint: number;
  readonly aliasedBinaryPoint: number;
  readonly active: readonly number[];
}

/** The prioritization of one CPU interface. */
export class Prioritization {
  /** Smallest binary point: every implemented bit but, with 8 of them, the last is a group priority bit (3.3.3). */
  readonly #minimum: number;
  readonly #priorityMask: number;
  /** Bits of the last word of active priorities that exist. */
  readonly #levelMask: number;
  /** A bit per group priority that is active: GICC_APR. */
  readonly #active: Uint32Array;
  /** GICC_CTLR. */
  control = 0;
  #mask = 0;
  #binaryPoint: number;
  #aliasedBinaryPoint: number;

  /** @param bits implemented bits of a priority, 4 to 8 */
  constructor(bits: number) {
    this.#minimum = Math.max(0, 7 - bits);
    this.#priorityMask = (0xff00 >>> bits) & 0xff;
    const levels = 2 ** (7 - this.#minimum);
    this.#active = new Uint32Array(Math.ceil(levels / 32));
    this.#levelMask = levels >= 32 ? 0xffff_ffff : 2 ** levels - 1;
    this.#binaryPoint = this.#minimum;
    this.#aliasedBinaryPoint = this.#minimum + 1;
  }

  /** GICC_PMR. Bits that are not implemented are RAZ/WI. */
  get mask(): number {
    return this.#mask;
  }

  set mask(priority: number) {
    this.#mask = priority & this.#priorityMask;
  }

  /** GICC_BPR. A value below the smallest sets the smallest (4.4.3). */
  get binaryPoint(): number {
    return this.#binaryPoint;
  }

  set binaryPoint(value: number) {
    this.#binaryPoint = Math.max(this.#minimum, value & GICC_BPR.BinaryPoint.mask);
  }

  /** GICC_ABPR: the binary point of Group 1, unless CTLR.CBPR is set; counted from one more (3.3.3). */
  get aliasedBinaryPoint(): number {
    return this.#aliasedBinaryPoint;
  }

  set aliasedBinaryPoint(value: number) {
    this.#aliasedBinaryPoint = Math.max(this.#minimum + 1, value & GICC_BPR.BinaryPoint.mask);
  }

  /** A register of active priorities; those beyond what is implemented read as zero. */
  readActive(register: number): number {
    return this.#active[register] ?? 0;
  }

  writeActive(register: number, value: number): void {
    if (register < this.#active.length) this.#active[register] = value & this.#levelMask;
  }

  /** The group priority of the highest active priority, more than 0xff if none is. */
  get running(): number {
    for (let i = 0; i < this.#active.length; i++) {
      const bits = this.#active[i] as number;
      if (bits !== 0) return (i * 32 + lowestBit(bits)) << (this.#minimum + 1);
    }
    return IDLE;
  }

  isEnabled(group1: boolean): boolean {
    return (this.control & (group1 ? ENABLE_GROUP1 : ENABLE_GROUP0)) !== 0;
  }

  /** Whether a priority is above the mask, and preempts what is active (3.3.1, 3.3.2). */
  isSufficient(priority: number, group1: boolean): boolean {
    if (priority >= this.#mask) return false;
    const { running } = this;
    return running === IDLE || this.#groupPriority(priority, group1) < this.#groupPriority(running, group1);
  }

  /** An interrupt was acknowledged. */
  activate(priority: number, group1: boolean): void {
    const level = this.#groupPriority(priority, group1) >>> (this.#minimum + 1);
    const word = level >>> 5;
    this.#active[word] = (this.#active[word] as number) | (1 << (level & 31));
  }

  /** Drops the highest active priority. Whether there was one. */
  drop(): boolean {
    for (let i = 0; i < this.#active.length; i++) {
      const bits = this.#active[i] as number;
      if (bits === 0) continue;
      this.#active[i] = bits & (bits - 1);
      return true;
    }
    return false;
  }

  #groupPriority(priority: number, group1: boolean): number {
    const own = group1 && (this.control & COMMON_BINARY_POINT) === 0;
    const binaryPoint = own ? this.#aliasedBinaryPoint - 1 : this.#binaryPoint;
    return priority & (0xff << (binaryPoint + 1));
  }

  save(): SavedPrioritization {
    return {
      control: this.control,
      mask: this.#mask,
      binaryPoint: this.#binaryPoint,
      aliasedBinaryPoint: this.#aliasedBinaryPoint,
      active: [...this.#active],
    };
  }

  load(saved: SavedPrioritization): void {
    this.control = saved.control;
    this.#mask = saved.mask;
    this.#binaryPoint = saved.binaryPoint;
    this.#aliasedBinaryPoint = saved.aliasedBinaryPoint;
    this.#active.set(saved.active);
  }
}
