/**
 * What the distributor forwards to each CPU interface: the highest-priority interrupt that is pending. Arm IHI 0048B.b
 * 3.2.1 and 3.3.
 *
 * It is kept for each CPU, and looked for again only after a change that it may not have survived.
 */
import { lowestBit } from './fields.js';
import { FIRST_SPI } from './layout.js';

/** The state of interrupts, as far as forwarding looks at it. */
export interface ForwardedInterrupts {
  readonly cpus: number;
  readonly registers: number;
  word(cpu: number, register: number): number;
  candidates(word: number): number;
  targets(intid: number): number;
  priority(cpu: number, intid: number): number;
}

/** Lower than any priority. */
const NO_PRIORITY = 0x100;

/** The highest-priority pending interrupt of each CPU. */
export class Forwarding {
  readonly #interrupts: ForwardedInterrupts;
  /** INTID, -1 for none; valid unless stale. */
  readonly #highest: Int32Array;
  readonly #stale: Uint8Array;

  constructor(interrupts: ForwardedInterrupts) {
    this.#interrupts = interrupts;
    this.#highest = new Int32Array(interrupts.cpus).fill(-1);
    this.#stale = new Uint8Array(interrupts.cpus);
  }

  /** INTID of the highest-priority pending interrupt of a CPU, the lowest of equals; -1 if there is none. */
  highest(cpu: number): number {
    if (this.#stale[cpu] !== 0) this.#look(cpu);
    return this.#highest[cpu] as number;
  }

  /** Looks again for every CPU, when asked. */
  forgetAll(): void {
    this.#stale.fill(1);
  }

  /** Looks again for the CPUs that a word concerns, when asked. */
  forget(word: number): void {
    if (word < this.#interrupts.cpus) this.#stale[word] = 1;
    else this.#stale.fill(1);
  }

  /** Bits of a word may or may not be candidates now: a single one is compared with the highest that is known. */
  changed(word: number, bits: number): void {
    if ((bits & (bits - 1)) !== 0) {
      this.forget(word);
      return;
    }
    if (bits === 0) return;
    const { cpus } = this.#interrupts;
    const bit = lowestBit(bits);
    const candidate = (this.#interrupts.candidates(word) & bits) !== 0;
    if (word < cpus) {
      this.#reconsider(word, bit, candidate);
      return;
    }
    const intid = FIRST_SPI + (word - cpus) * 32 + bit;
    const targets = this.#interrupts.targets(intid);
    for (let cpu = 0; cpu < cpus; cpu++) if (((targets >>> cpu) & 1) === 1) this.#reconsider(cpu, intid, candidate);
  }

  #reconsider(cpu: number, intid: number, candidate: boolean): void {
    if (this.#stale[cpu] !== 0) return;
    const highest = this.#highest[cpu] as number;
    if (!candidate) {
      if (highest === intid) this.#stale[cpu] = 1;
      return;
    }
    if (highest === -1) {
      this.#highest[cpu] = intid;
      return;
    }
    const difference = this.#interrupts.priority(cpu, intid) - this.#interrupts.priority(cpu, highest);
    if (difference < 0 || (difference === 0 && intid < highest)) this.#highest[cpu] = intid;
  }

  #look(cpu: number): void {
    const interrupts = this.#interrupts;
    let highest = -1;
    let best = NO_PRIORITY;
    for (let register = 0; register < interrupts.registers; register++) {
      for (let bits = interrupts.candidates(interrupts.word(cpu, register)); bits !== 0; bits &= bits - 1) {
        const intid = register * 32 + lowestBit(bits);
        if (intid >= FIRST_SPI && ((interrupts.targets(intid) >>> cpu) & 1) === 0) continue;
        const priority = interrupts.priority(cpu, intid);
        if (priority >= best) continue;
        best = priority;
        highest = intid;
      }
    }
    this.#highest[cpu] = highest;
    this.#stale[cpu] = 0;
  }
}
