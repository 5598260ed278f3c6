/**
 * The micro-TLBs of an instance. Each keeps what it got from the main instance until it is flushed, or the context that it
 * got it from is. A translation answers whatever context the micro-TLB selects now: a changed TTSEL does not empty it.
 */
import { GLOBAL_ASID, Tlb, tlbContext } from '../../paging/tlb.js';
import type { Translation } from '../../paging/translation.js';

/** The translations in the micro-TLBs of one instance. */
export class MicroTlbs {
  readonly #translations = new Tlb();
  /** By micro-TLB, a set of bits: the contexts that it may have translations of. */
  readonly #contexts: Uint32Array;
  /** The context that the entry found last came from. */
  origin = 0;

  constructor(count: number) {
    this.#contexts = new Uint32Array(count);
  }

  /** An entry of a micro-TLB for an address, the one of its selected context first; -1: none. */
  lookup(microTlb: number, context: number, hi: number, lo: number): number {
    this.origin = context;
    const entry = this.#translations.lookup(tlbContext(context, microTlb), GLOBAL_ASID, hi, lo);
    if (entry >= 0) return entry;
    const others = (this.#contexts[microTlb] as number) & ~(1 << context);
    return others === 0 ? -1 : this.#lookupOthers(others, microTlb, hi, lo);
  }

  #lookupOthers(others: number, microTlb: number, hi: number, lo: number): number {
    for (let rest = others; rest !== 0; rest &= rest - 1) {
      const context = 31 - Math.clz32(rest & -rest);
      const entry = this.#translations.lookup(tlbContext(context, microTlb), GLOBAL_ASID, hi, lo);
      if (entry < 0) continue;
      this.origin = context;
      return entry;
    }
    return -1;
  }

  /** What an entry permits. */
  permissions(entry: number): number {
    return this.#translations.permissions(entry);
  }

  /** The physical address of an entry for an address that it matches. */
  output(entry: number, hi: number, lo: number): number {
    return this.#translations.output(entry, hi, lo);
  }

  /** Keeps a translation. */
  keep(microTlb: number, context: number, hi: number, lo: number, translation: Translation): void {
    this.#translations.insert(tlbContext(context, microTlb), GLOBAL_ASID, hi | 0, lo | 0, translation);
    (this.#contexts[microTlb] as number) |= 1 << context;
  }

  /** Empties one micro-TLB. */
  flush(microTlb: number): void {
    for (let rest = this.#contexts[microTlb] as number; rest !== 0; rest &= rest - 1) {
      this.#translations.invalidateContext(tlbContext(31 - Math.clz32(rest & -rest), microTlb));
    }
    this.#contexts[microTlb] = 0;
  }

  /** Drops what came from a context. */
  flushContext(context: number): void {
    this.#translations.invalidateRegime(context);
    for (let n = 0; n < this.#contexts.length; n++) (this.#contexts[n] as number) &= ~(1 << context);
  }

  /** Drops everything. */
  flushAll(): void {
    this.#translations.invalidateAll();
    this.#contexts.fill(0);
  }
}
