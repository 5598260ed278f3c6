/**
 * The state of every interrupt, as the distributor keeps it. Arm IHI 0048B.b 2.2 (INTIDs), 3.2.4 (states), 4.3.7 and
 * 4.3.8 (what makes a level-sensitive interrupt pending).
 *
 * A bit per interrupt, in words of 32: the SGIs and PPIs of each CPU have a word of their own, the SPIs share theirs.
 */

import { fieldOf, lowestBit } from './fields.js';
import { Forwarding } from './forwarding.js';
import { FIRST_PPI, FIRST_SPECIAL, FIRST_SPI, GICD_CTLR } from './layout.js';

/** SGIs of a word of private interrupts. */
export const SGI_BITS = 2 ** FIRST_PPI - 1;

/** How many interrupts there are, and for whom. */
export interface InterruptsOptions {
  readonly cpus: number;
  /** Number of SPIs. */
  readonly spis: number;
  /** Implemented bits of a priority, the most significant of 8. */
  readonly priorityBits: number;
}

/** What of it goes into a snapshot. */
export interface SavedInterrupts {
  readonly control: number;
  readonly bits: readonly (readonly number[])[];
  readonly priorities: readonly number[];
  readonly targets: readonly number[];
  readonly sources: readonly number[];
}

/** The interrupts of a distributor. */
export class Interrupts {
  readonly cpus: number;
  /** Registers of 32 interrupts that the distributor has, the private one counted once. */
  readonly registers: number;
  /** One word per CPU, then the words of SPIs. */
  readonly #words: number;
  readonly #lastIntid: number;
  readonly #priorityMask: number;
  readonly #enabled: Uint32Array;
  /** Pending by an edge, by software, or, for SGIs, from any CPU; not by the level of a line. */
  readonly #latched: Uint32Array;
  /** Levels of the lines. */
  readonly #levels: Uint32Array;
  readonly #edge: Uint32Array;
  readonly #active: Uint32Array;
  readonly #group1: Uint32Array;
  readonly #priorities: Uint8Array;
  /** CPUs that each SPI goes to. */
  readonly #targets: Uint8Array;
  /** Which CPUs an SGI is pending from, for each CPU and SGI. */
  readonly #sources: Uint8Array;
  readonly #forwarding: Forwarding;
  /** GICD_CTLR. */
  #control = 0;

  constructor({ cpus, spis, priorityBits }: InterruptsOptions) {
    this.cpus = cpus;
    this.#lastIntid = Math.min(FIRST_SPI + spis, FIRST_SPECIAL) - 1;
    this.registers = (this.#lastIntid >>> 5) + 1;
    this.#words = cpus + this.registers - 1;
    this.#priorityMask = (0xff00 >>> priorityBits) & 0xff;
    const words = () => new Uint32Array(this.#words);
    this.#enabled = words();
    this.#latched = words();
    this.#levels = words();
    this.#edge = words();
    this.#active = words();
    this.#group1 = words();
    // 4.3.5: whether SGIs can be disabled is IMPLEMENTATION DEFINED; they cannot. They are edge-triggered (4.3.13).
    this.#enabled.fill(SGI_BITS, 0, cpus);
    this.#edge.fill(SGI_BITS, 0, cpus);
    this.#priorities = new Uint8Array(this.#words * 32);
    // 4.3.12: with one CPU the target registers are RAZ/WI, and every SPI goes to it.
    this.#targets = new Uint8Array((this.registers - 1) * 32).fill(cpus === 1 ? 1 : 0);
    this.#sources = new Uint8Array(cpus * FIRST_PPI);
    this.#forwarding = new Forwarding(this);
  }

  /** The word that holds the interrupts of register `register` as a CPU sees it. */
  word(cpu: number, register: number): number {
    return register === 0 ? cpu : this.cpus + register - 1;
  }

  /** The bits of a register that are interrupts. */
  implemented(register: number): number {
    const beyond = register * 32 + 31 - this.#lastIntid;
    return beyond <= 0 ? 0xffff_ffff : beyond >= 32 ? 0 : 0xffff_ffff >>> beyond;
  }

  /** Whether there is such an interrupt. */
  has(intid: number): boolean {
    return intid <= this.#lastIntid;
  }

  get control(): number {
    return this.#control;
  }

  /** Sets GICD_CTLR. */
  set control(value: number) {
    this.#control = value;
    this.#forwarding.forgetAll();
  }

  enabled(word: number): number {
    return this.#enabled[word] as number;
  }

  active(word: number): number {
    return this.#active[word] as number;
  }

  group1(word: number): number {
    return this.#group1[word] as number;
  }

  edge(word: number): number {
    return this.#edge[word] as number;
  }

  /** What is pending: latched, or level-sensitive with its line high. */
  pending(word: number): number {
    return ((this.#latched[word] as number) | ((this.#levels[word] as number) & ~(this.#edge[word] as number))) >>> 0;
  }

  enable(word: number, bits: number): void {
    this.#enabled[word] = (this.#enabled[word] as number) | bits;
    this.#forwarding.changed(word, bits);
  }

  disable(word: number, bits: number): void {
    this.#enabled[word] = (this.#enabled[word] as number) & ~bits;
    this.#forwarding.changed(word, bits);
  }

  /** Makes interrupts pending by software. A level-sensitive one stays so when its line falls (4.3.7). */
  setPending(word: number, bits: number): void {
    this.#latched[word] = (this.#latched[word] as number) | bits;
    this.#forwarding.changed(word, bits);
  }

  /** Removes what is latched. A level-sensitive interrupt whose line is high stays pending (4.3.8). */
  clearPending(word: number, bits: number): void {
    this.#latched[word] = (this.#latched[word] as number) & ~bits;
    this.#forwarding.changed(word, bits);
  }

  setActive(word: number, bits: number): void {
    this.#active[word] = (this.#active[word] as number) | bits;
    this.#forwarding.changed(word, bits);
  }

  clearActive(word: number, bits: number): void {
    this.#active[word] = (this.#active[word] as number) & ~bits;
    this.#forwarding.changed(word, bits);
  }

  setGroups(word: number, group1: number): void {
    this.#group1[word] = group1;
    this.#forwarding.forget(word);
  }

  setEdge(word: number, edge: number): void {
    this.#edge[word] = edge;
    this.#forwarding.forget(word);
  }

  /** Drives the line of an interrupt. */
  setLevel(cpu: number, intid: number, level: boolean): void {
    const word = this.word(cpu, intid >>> 5);
    const bit = (1 << (intid & 31)) >>> 0;
    const levels = this.#levels[word] as number;
    if (((levels & bit) !== 0) === level) return;
    this.#levels[word] = level ? levels | bit : levels & ~bit;
    if (level && ((this.#edge[word] as number) & bit) !== 0)
      this.#latched[word] = (this.#latched[word] as number) | bit;
    this.#forwarding.changed(word, bit);
  }

  priority(cpu: number, intid: number): number {
    return this.#priorities[this.#slot(cpu, intid)] as number;
  }

  setPriority(cpu: number, intid: number, priority: number): void {
    this.#priorities[this.#slot(cpu, intid)] = priority & this.#priorityMask;
    this.#forwarding.forget(this.word(cpu, intid >>> 5));
  }

  /** CPUs that an SPI goes to, a bit each. */
  targets(intid: number): number {
    return this.#targets[intid - FIRST_SPI] as number;
  }

  setTargets(intid: number, cpus: number): void {
    this.#targets[intid - FIRST_SPI] = cpus & (2 ** this.cpus - 1);
    this.#forwarding.forgetAll();
  }

  /** CPUs that an SGI is pending from on a CPU, a bit each. */
  sources(cpu: number, sgi: number): number {
    return this.#sources[cpu * FIRST_PPI + sgi] as number;
  }

  /** Sets which CPUs an SGI is pending from. It is pending while there is one. */
  setSources(cpu: number, sgi: number, sources: number): void {
    this.#sources[cpu * FIRST_PPI + sgi] = sources & (2 ** this.cpus - 1);
    const pending = this.sources(cpu, sgi) !== 0;
    if (pending) this.setPending(cpu, 1 << sgi);
    else this.clearPending(cpu, 1 << sgi);
  }

  isActive(cpu: number, intid: number): boolean {
    return (((this.#active[this.word(cpu, intid >>> 5)] as number) >>> (intid & 31)) & 1) === 1;
  }

  isGroup1(cpu: number, intid: number): boolean {
    return (((this.#group1[this.word(cpu, intid >>> 5)] as number) >>> (intid & 31)) & 1) === 1;
  }

  /** What of a word may be forwarded to the CPUs that it is for: pending, enabled, not active, its group enabled. */
  candidates(word: number): number {
    const group1 = this.#group1[word] as number;
    const groups =
      (fieldOf(this.#control, GICD_CTLR.EnableGrp0) === 1 ? ~group1 : 0) |
      (fieldOf(this.#control, GICD_CTLR.EnableGrp1) === 1 ? group1 : 0);
    return this.pending(word) & (this.#enabled[word] as number) & ~(this.#active[word] as number) & groups;
  }

  /**
   * The interrupt of the highest priority that the distributor forwards to a CPU: pending, not active, enabled, in a
   * group that GICD_CTLR enables, and targeted at the CPU. The lowest INTID of equals (3.3). -1 if there is none.
   */
  highest(cpu: number): number {
    return this.#forwarding.highest(cpu);
  }

  /**
   * Makes a pending interrupt active.
   * @returns the CPU that an SGI comes from, the lowest if there are several; 0 for others
   */
  acknowledge(cpu: number, intid: number): number {
    const word = this.word(cpu, intid >>> 5);
    const bit = (1 << (intid & 31)) >>> 0;
    this.#active[word] = (this.#active[word] as number) | bit;
    if (intid >= FIRST_PPI) {
      this.clearPending(word, bit);
      return 0;
    }
    const sources = this.sources(cpu, intid);
    this.setSources(cpu, intid, sources & (sources - 1));
    return lowestBit(sources);
  }

  /** Removes the active state. Whether the interrupt was active. */
  deactivate(cpu: number, intid: number): boolean {
    if (!this.isActive(cpu, intid)) return false;
    this.clearActive(this.word(cpu, intid >>> 5), (1 << (intid & 31)) >>> 0);
    return true;
  }

  save(): SavedInterrupts {
    return {
      control: this.#control,
      bits: this.#bitmaps().map((words) => [...words]),
      priorities: [...this.#priorities],
      targets: [...this.#targets],
      sources: [...this.#sources],
    };
  }

  load(saved: SavedInterrupts): void {
    this.#control = saved.control;
    this.#bitmaps().forEach((words, i) => {
      words.set(saved.bits[i] as readonly number[]);
    });
    this.#priorities.set(saved.priorities);
    this.#targets.set(saved.targets);
    this.#sources.set(saved.sources);
    this.#forwarding.forgetAll();
  }

  #bitmaps(): Uint32Array[] {
    return [this.#enabled, this.#latched, this.#levels, this.#edge, this.#active, this.#group1];
  }

  #slot(cpu: number, intid: number): number {
    return this.word(cpu, intid >>> 5) * 32 + (intid & 31);
  }
}
