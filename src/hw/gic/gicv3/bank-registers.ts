/**
 * The registers of a bank of interrupts: IGROUPR to IGRPMODR, which the distributor has for SPIs (Arm IHI 0069 12.9) and
 * the frame SGI_base of a redistributor for SGIs and PPIs (12.11), at the same offsets.
 *
 * Bits of interrupts that do not exist are RAZ/WI. With a single Security state IGRPMODR and NSACR are RAZ/WI.
 */

import type { InterruptBank } from './interrupt-bank.js';
import { FIRST_PPI, GICD, ICFGR_EDGE } from './layout.js';

/** What writes set going. */
export interface BankEffects {
  /** Interrupts of a word were disabled: to be withheld once that has taken effect. */
  disabled(word: number): void;
  /** Software did what the manual calls UNPREDICTABLE. */
  misuse(text: string): void;
}

/** Bytes of a register array with a bit per INTID. */
const BIT_ARRAY = GICD.ISENABLER - GICD.IGROUPR;
/** One past IPRIORITYR, ICFGR, NSACR. */
const IPRIORITYR_END = GICD.ITARGETSR;
const ICFGR_END = GICD.IGRPMODR;
const NSACR_END = GICD.SGIR;

/** Spreads 16 bits to the upper bits of 16 pairs. */
function spread(bits: number): number {
  let pairs = 0;
  for (let i = 0; i < 16; i++) if (((bits >>> i) & 1) === 1) pairs |= ICFGR_EDGE << (2 * i);
  return pairs >>> 0;
}

/** Gathers the upper bits of 16 pairs. */
function gather(pairs: number): number {
  let bits = 0;
  for (let i = 0; i < 16; i++) if (((pairs >>> (2 * i)) & ICFGR_EDGE) !== 0) bits |= 1 << i;
  return bits;
}

/** The register map of a bank. */
export class BankRegisters {
  readonly #bank: InterruptBank;
  readonly #effects: BankEffects;
  readonly #priorityBits: number;

  /** @param priorityBits the implemented bits of a priority, in place */
  constructor(bank: InterruptBank, priorityBits: number, effects: BankEffects) {
    this.#bank = bank;
    this.#priorityBits = priorityBits;
    this.#effects = effects;
  }

  /** Whether a register of a bank is at an offset. */
  covers(offset: number): boolean {
    return (
      (offset >= GICD.IGROUPR && offset < IPRIORITYR_END) ||
      (offset >= GICD.ICFGR && offset < GICD.IGRPMODR + BIT_ARRAY) ||
      (offset >= GICD.NSACR && offset < NSACR_END)
    );
  }

  /** Reads. Undefined: not such an access. */
  read(offset: number, width: 1 | 2 | 4): number | undefined {
    if (offset >= GICD.IPRIORITYR && offset < IPRIORITYR_END) return this.#readPriority(offset, width);
    if (width !== 4) return undefined;
    if (offset >= GICD.NSACR) return 0;
    if (offset >= GICD.IGRPMODR) return 0;
    if (offset >= GICD.ICFGR) {
      const half = (offset - GICD.ICFGR) >>> 2;
      return spread(((this.#bank.edge[half >>> 1] ?? 0) >>> (16 * (half & 1))) & 0xffff);
    }
    const word = (offset & (BIT_ARRAY - 1)) >>> 2;
    return (this.#readBits(offset - (offset & (BIT_ARRAY - 1)), word) & (this.#bank.implemented[word] ?? 0)) >>> 0;
  }

  #readBits(register: number, word: number): number {
    const bank = this.#bank;
    switch (register) {
      case GICD.IGROUPR:
        return bank.group[word] ?? 0;
      case GICD.ISENABLER:
      case GICD.ICENABLER:
        return bank.enabled[word] ?? 0;
      case GICD.ISPENDR:
      case GICD.ICPENDR:
        return bank.pending(word);
      default:
        return bank.active[word] ?? 0;
    }
  }

  #readPriority(offset: number, width: 1 | 2 | 4): number | undefined {
    if (width === 2) return undefined;
    const first = offset - GICD.IPRIORITYR;
    let value = 0;
    for (let i = 0; i < width; i++) value |= (this.#bank.priority[first + i] ?? 0) << (8 * i);
    return value >>> 0;
  }

  /** Writes. False: not such an access. */
  write(offset: number, width: 1 | 2 | 4, value: number): boolean {
    if (offset >= GICD.IPRIORITYR && offset < IPRIORITYR_END) return this.#writePriority(offset, width, value);
    if (width !== 4) return false;
    if (offset >= GICD.IGRPMODR) return true;
    if (offset >= GICD.ICFGR && offset < ICFGR_END) this.#writeConfiguration((offset - GICD.ICFGR) >>> 2, value);
    else {
      const word = (offset & (BIT_ARRAY - 1)) >>> 2;
      const bits = value & (this.#bank.implemented[word] ?? 0);
      const register = offset - (offset & (BIT_ARRAY - 1));
      // IGROUPR is the one that is not a matter of setting or clearing single bits.
      if (bits !== 0 || register === GICD.IGROUPR) this.#writeBits(register, word, bits);
    }
    return true;
  }

  #writeBits(register: number, word: number, bits: number): void {
    const bank = this.#bank;
    switch (register) {
      case GICD.IGROUPR:
        if (word < bank.group.length) bank.group[word] = bits;
        break;
      case GICD.ISENABLER:
        bank.enabled[word] = (bank.enabled[word] as number) | bits;
        bank.forwarded[word] = (bank.forwarded[word] as number) | bits;
        break;
      case GICD.ICENABLER: {
        const before = bank.enabled[word] as number;
        bank.enabled[word] = before & ~bits;
        if ((before & bits) !== 0) this.#effects.disabled(word);
        return;
      }
      case GICD.ISPENDR:
        bank.setPending(word, bits);
        return;
      case GICD.ICPENDR:
        bank.clearPending(word, bits);
        return;
      case GICD.ISACTIVER:
        bank.active[word] = (bank.active[word] as number) | bits;
        break;
      case GICD.ICACTIVER:
        bank.active[word] = (bank.active[word] as number) & ~bits;
        break;
    }
    bank.changed(word);
  }

  #writePriority(offset: number, width: 1 | 2 | 4, value: number): boolean {
    if (width === 2) return false;
    const first = offset - GICD.IPRIORITYR;
    for (let i = 0; i < width; i++) {
      if (this.#bank.has(first + i)) this.#bank.priority[first + i] = (value >>> (8 * i)) & this.#priorityBits;
    }
    if (first >>> 5 < this.#bank.implemented.length) this.#bank.changed(first >>> 5);
    return true;
  }

  /** @param half number of the register: 16 INTIDs */
  #writeConfiguration(half: number, value: number): void {
    const bank = this.#bank;
    const word = half >>> 1;
    // SGIs are edge-triggered, whatever is written.
    if (word >= bank.implemented.length || 16 * half < FIRST_PPI) return;
    const shift = 16 * (half & 1);
    const bits = (gather(value) << shift) & (bank.implemented[word] as number);
    const before = bank.edge[word] as number;
    const after = (before & ~(0xffff << shift)) | bits;
    const changed = (before ^ after) & (bank.enabled[word] as number);
    if (changed !== 0) {
      const intid = 32 * word + 31 - Math.clz32(changed);
      this.#effects.misuse(`ICFGR changed the trigger of INTID ${intid} while it is enabled`);
    }
    bank.edge[word] = after;
    bank.changed(word);
  }
}
