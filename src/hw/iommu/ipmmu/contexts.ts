/** The contexts of a main instance, with the walker that they share, their faults, and the interrupt. */

import { hex, TWO_32 } from '../../address.js';
import type { InterruptLine } from '../../interrupt.js';
import type { PhysicalMemory } from '../../memory.js';
import type { Observer } from '../../observer.js';
import { pageNumber } from '../../paging/tlb.js';
import { INNER_SHAREABLE, NORMAL_WRITE_BACK, Translation, type WalkFault } from '../../paging/translation.js';
import { Stage2Config } from '../../paging/vmsa-stage2.js';
import { Walker } from '../../paging/walk.js';
import { Context, type ContextState, type Tables, type Walked } from './context.js';
import { IMCTR, IMSTR } from './layout.js';
import { bits } from './registers.js';

const INTEN = bits(IMCTR.INTEN);
const VA64 = bits(IMCTR.VA64);
/** What raises the interrupt. */
const STATUS = bits(IMSTR.TF, IMSTR.PF, IMSTR.ABORT, IMSTR.MHIT);

/** The bit of IMSTR for each fault. No driver tells of others: an address that is too large counts as not translated. */
const FAULTS = {
  translation: 'TF',
  'address size': 'TF',
  'access flag': 'PF',
  permission: 'PF',
  'external abort': 'ABORT',
} as const satisfies Record<Exclude<WalkFault, 'none'>, keyof typeof IMSTR>;

/** The instance that asks for a translation, for the transcript. */
export interface Asker {
  readonly name: string;
}

/** How {@link Contexts} are made. */
export interface ContextsOptions {
  readonly name: string;
  readonly count: number;
  readonly memory: PhysicalMemory;
  readonly observer: Observer;
  readonly line: InterruptLine | undefined;
}

/** The contexts. */
export class Contexts {
  readonly #all: readonly Context[];
  /** IMCTR of each, without FLUSH. */
  readonly imctr: Uint32Array;
  /** IMSAUXCTLR.S2PTE. */
  #s2pte = false;
  readonly #name: string;
  readonly #observer: Observer;
  readonly #walker: Walker;
  readonly #line: InterruptLine | undefined;
  #asserted = false;
  /** Where the next walk puts its result. */
  #next = new Translation();
  #time = 0;

  constructor({ name, count, memory, observer, line }: ContextsOptions) {
    this.#all = Array.from({ length: count }, () => new Context());
    this.imctr = new Uint32Array(count);
    this.#name = name;
    this.#observer = observer;
    this.#walker = new Walker(memory);
    this.#line = line;
  }

  /** A point in time: what is walked from now on is later. */
  mark(): number {
    return ++this.#time;
  }

  /** The context of a number. */
  at(index: number): Context {
    return this.#all[index] as Context;
  }

  /** IMSAUXCTLR.S2PTE was written. */
  set s2pte(value: boolean) {
    this.#s2pte = value;
    for (const context of this.#all) context.tables = undefined;
  }

  /** IMCTR of a context was written. */
  controlled(index: number): void {
    this.at(index).tables = undefined;
    this.drive();
  }

  /**
   * Finds the translation of an address: what was walked for it, or else by a walk, which is kept.
   * @param need the permission bit that the access needs
   * @param microTlb of the instance that asks, for the transcript
   * @returns undefined if there was a fault, which is recorded
   */
  translate(
    index: number,
    hi: number,
    lo: number,
    need: number,
    write: boolean,
    asker: Asker,
    microTlb: number,
  ): Walked | undefined {
    const context = this.at(index);
    const page = pageNumber(hi, lo);
    const known = context.walked(page);
    if (known !== undefined) {
      if ((known.translation.permissions & need) === need) return known;
      this.fault(index, 'permission', hi, lo, write, asker, microTlb);
      return undefined;
    }
    const out = this.#next;
    if (!this.#walk(this.#tablesOf(context, index), hi, lo, need, out)) {
      this.fault(index, out.fault as Exclude<WalkFault, 'none'>, hi, lo, write, asker, microTlb);
      return undefined;
    }
    this.#next = new Translation();
    const walked = { translation: out, time: ++this.#time };
    context.keep(page, walked);
    return walked;
  }

  #tablesOf(context: Context, index: number): Tables {
    if (context.tables !== undefined) return context.tables;
    const tables = context.decode(((this.imctr[index] as number) & VA64) !== 0, this.#s2pte);
    context.tables = tables;
    const { misuse, unmodelled } = tables;
    if (misuse !== undefined) this.#observer.misuse('software', `${this.#name}: context ${index}: ${misuse}`);
    if (unmodelled !== undefined) this.#observer.unmodelled(this.#name, `context ${index}: ${unmodelled}`);
    return tables;
  }

  #walk({ config }: Tables, hi: number, lo: number, need: number, out: Translation): boolean {
    if (!(config instanceof Stage2Config)) return this.#walker.stage1(config, hi, lo, need, out);
    const ipa = (hi >>> 0) * TWO_32 + (lo >>> 0);
    return this.#walker.stage2(config, ipa, need, NORMAL_WRITE_BACK, INNER_SHAREABLE, out);
  }

  /** Records a fault of a context, unless an earlier one is there, and tells it. */
  fault(
    index: number,
    fault: Exclude<WalkFault, 'none'>,
    hi: number,
    lo: number,
    write: boolean,
    asker: Asker,
    microTlb: number,
  ): void {
    const name = FAULTS[fault];
    const recorded = this.at(index).record(bits(IMSTR[name]), hi, lo);
    const access = `${asker.name} micro-TLB ${microTlb} ${write ? 'write' : 'read'} ${hex(hi, lo)}`;
    const text = `${name} context ${index} ${access}${recorded ? '' : ' (not recorded)'}`;
    this.#observer.event({ kind: 'fault', device: this.#name, name, text });
    if (recorded) this.drive();
  }

  /** Lets the interrupt follow INTEN and the status of the contexts. */
  drive(): void {
    const asserted = this.#all.some((context, index) => {
      return ((this.imctr[index] as number) & INTEN) !== 0 && (context.read('IMSTR') & STATUS) !== 0;
    });
    if (asserted === this.#asserted) return;
    this.#asserted = asserted;
    if (asserted) {
      this.#observer.event({ kind: 'interrupt', device: this.#name, name: 'fault', text: 'asserted' });
    }
    this.#line?.set(asserted);
  }

  /** The registers of all contexts but for IMCTR, as plain data. */
  save(): ContextState[] {
    return this.#all.map((context) => context.save());
  }

  /** Takes over saved registers; IMCTR has been set before. */
  load(states: readonly ContextState[]): void {
    for (const [index, context] of this.#all.entries()) context.load(states[index] as ContextState);
    this.drive();
  }
}
