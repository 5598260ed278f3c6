/**
 * The list registers of one CPU: the virtual interrupts that a hypervisor offers to a virtual machine. Arm IHI 0048B.b
 * 5.2 and 5.3.8, and what GICH_EISR, GICH_ELRSR and GICH_MISR tell of them (5.3.4 to 5.3.6).
 *
 * Which of them are valid, pending, or empty is kept up to date write by write.
 */
import { fieldMask, fieldOf, inField } from './fields.js';
import { FIRST_PPI, GICC_IAR, GICH_LR, GICH_LR_SOFT, LR_STATE, VIRTUAL_PRIORITY_BITS } from './layout.js';

const WRITABLE = fieldMask(...Object.values(GICH_LR));
const HW = fieldMask(GICH_LR.HW);
const EOI = fieldMask(GICH_LR_SOFT.EOI);
const STATE = fieldMask(GICH_LR.State);
/** Virtual priorities stand in the upper bits of a byte. */
const PRIORITY_SHIFT = 8 - VIRTUAL_PRIORITY_BITS;

/** A bit per list register, in two words. */
type Bitmap = Uint32Array;

/** The list registers. */
export class ListRegisters {
  readonly count: number;
  readonly #values: Uint32Array;
  /** State is not invalid. */
  readonly #valid: Bitmap = new Uint32Array(2);
  /** State is pending and not active. */
  readonly #pending: Bitmap = new Uint32Array(2);
  /** GICH_EISR: ended by the virtual machine, with an EOI maintenance interrupt asked for. */
  readonly #ended: Bitmap = new Uint32Array(2);
  /** GICH_ELRSR: holds no interrupt, and no EOI maintenance interrupt. */
  readonly #empty: Bitmap = new Uint32Array(2);
  /** The highest-priority pending one, -1 for none; valid unless stale. */
  #highest = -1;
  #stale = false;

  constructor(count: number) {
    this.count = count;
    this.#values = new Uint32Array(count);
    for (let index = 0; index < count; index++) this.write(index, 0);
  }

  /** The value of a list register; those that do not exist read as zero. */
  read(index: number): number {
    return this.#values[index] ?? 0;
  }

  /** Sets a list register; writes to those that do not exist are ignored. */
  write(index: number, value: number): void {
    if (index >= this.count) return;
    const next = (value & WRITABLE) >>> 0;
    this.#values[index] = next;
    const state = fieldOf(next, GICH_LR.State);
    const invalid = state === LR_STATE.INVALID;
    const wantsEoi = (next & HW) === 0 && (next & EOI) !== 0;
    setBit(this.#valid, index, !invalid);
    setBit(this.#pending, index, state === LR_STATE.PENDING);
    setBit(this.#ended, index, invalid && wantsEoi);
    setBit(this.#empty, index, invalid && !wantsEoi);
    this.#stale = true;
  }

  /** GICH_EISR0 and 1. */
  ended(word: number): number {
    return this.#ended[word] as number;
  }

  /** GICH_ELRSR0 and 1. */
  empty(word: number): number {
    return this.#empty[word] as number;
  }

  get hasEnded(): boolean {
    return ((this.#ended[0] as number) | (this.#ended[1] as number)) !== 0;
  }

  get hasPending(): boolean {
    return ((this.#pending[0] as number) | (this.#pending[1] as number)) !== 0;
  }

  /** Whether none or one is valid: an underflow (5.3.4, GICH_MISR.U). */
  get isUnderflow(): boolean {
    const [low, high] = [this.#valid[0] as number, this.#valid[1] as number];
    return (low === 0 || high === 0) && (low & (low - 1)) === 0 && (high & (high - 1)) === 0;
  }

  /** Index of the highest-priority pending one, the first of equals; -1 if there is none. */
  highest(): number {
    if (this.#stale) this.#look();
    return this.#highest;
  }

  /** Priority of a list register, as a byte. */
  priority(index: number): number {
    return fieldOf(this.read(index), GICH_LR.Priority) << PRIORITY_SHIFT;
  }

  isGroup1(index: number): boolean {
    return fieldOf(this.read(index), GICH_LR.Grp1) === 1;
  }

  /** INTID and CPUID of a list register, as GICV_IAR has them: the CPUID of a software interrupt only (5.5.4). */
  id(index: number): number {
    const value = this.read(index);
    const cpu = (value & HW) === 0 ? fieldOf(value, GICH_LR_SOFT.CPUID) : 0;
    return fieldOf(value, GICH_LR.VirtualID) | inField(GICC_IAR.CPUID, cpu);
  }

  /** Pending becomes active. */
  activate(index: number): void {
    this.#setState(index, LR_STATE.ACTIVE);
  }

  /**
   * The one that is active with an INTID, and CPUID for an SGI; -1 if there is none.
   * @param written as a virtual machine writes it to GICV_EOIR or GICV_DIR
   */
  findActive(written: number): number {
    const intid = fieldOf(written, GICC_IAR.INTID);
    const cpuid = fieldOf(written, GICC_IAR.CPUID);
    for (let index = 0; index < this.count; index++) {
      const value = this.read(index);
      if ((fieldOf(value, GICH_LR.State) & LR_STATE.ACTIVE) === 0) continue;
      if (fieldOf(value, GICH_LR.VirtualID) !== intid) continue;
      if (intid >= FIRST_PPI || fieldOf(this.id(index), GICC_IAR.CPUID) === cpuid) return index;
    }
    return -1;
  }

  /**
   * Removes the active state.
   * @returns INTID of the physical interrupt to deactivate with it, -1 if the interrupt is of software
   */
  deactivate(index: number): number {
    const value = this.read(index);
    this.#setState(index, fieldOf(value, GICH_LR.State) & LR_STATE.PENDING);
    return (value & HW) === 0 ? -1 : fieldOf(value, GICH_LR.PhysicalID);
  }

  /** Another valid list register with the same virtual interrupt; -1 if there is none. */
  duplicate(index: number): number {
    const value = this.read(index);
    if ((value & STATE) === 0) return -1;
    for (let other = 0; other < this.count; other++) {
      if (other === index || (this.read(other) & STATE) === 0) continue;
      if (this.id(other) === this.id(index)) return other;
    }
    return -1;
  }

  #setState(index: number, state: number): void {
    this.write(index, (this.read(index) & ~STATE) | inField(GICH_LR.State, state));
  }

  #look(): void {
    this.#highest = -1;
    this.#stale = false;
    for (let index = 0; index < this.count; index++) {
      if ((((this.#pending[index >>> 5] as number) >>> (index & 31)) & 1) === 0) continue;
      if (this.#highest < 0 || this.priority(index) < this.priority(this.#highest)) this.#highest = index;
    }
  }

  save(): readonly number[] {
    return [...this.#values];
  }

  load(values: readonly number[]): void {
    for (let index = 0; index < this.count; index++) this.write(index, values[index] ?? 0);
  }
}

function setBit(bitmap: Bitmap, index: number, set: boolean): void {
  const word = index >>> 5;
  const bit = 1 << (index & 31);
  bitmap[word] = set ? (bitmap[word] as number) | bit : (bitmap[word] as number) & ~bit;
}
