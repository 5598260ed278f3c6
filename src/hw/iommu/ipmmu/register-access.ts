/**
 * The registers of an instance as software sees them: 32 bits wide. What a write sets going is told to
 * {@link RegisterEffects}. Values after reset are not known and taken to be zero: every micro-TLB and context is off.
 */
import type { ContextState } from './context.js';
import type { Contexts } from './contexts.js';
import { GENERATION, type Generation, IMCTR, IMSAUXCTLR, IMSCTLR, IMUCTR } from './layout.js';
import { bits, type ContextRegister, REGISTER_MAPS, type RegisterMap } from './registers.js';

/** What writes set going, and what is wrong with them. */
export interface RegisterEffects {
  /** IMCTR.FLUSH of a context was written as 1; {@link RegisterAccess.flushed} is to follow. */
  flush(context: number): void;
  /** IMUCTR.FLUSH of a micro-TLB was. */
  flushMicroTlb(microTlb: number): void;
  misuse(text: string): void;
  unmodelled(text: string): void;
}

/** Registers as they are saved; `contexts` of a main instance alone. */
export interface RegisterState {
  readonly imctr: readonly number[];
  readonly imuctr: readonly number[];
  readonly imuasid: readonly number[];
  readonly imsctlr: number;
  readonly imsauxctlr: number;
  readonly contexts?: readonly ContextState[];
}

const FLUSH = bits(IMCTR.FLUSH);
const CACHE_CONTROL = bits(IMCTR.MMUEN, IMCTR.INTEN);
const MAIN_CONTROL = bits(IMCTR.MMUEN, IMCTR.INTEN, IMCTR.VA64);
const MICRO_MMUEN = bits(IMUCTR.MMUEN);
const MICRO_FLUSH = bits(IMUCTR.FLUSH);
const USE_SECGRP = bits(IMSCTLR.USE_SECGRP);
const S2PTE = bits(IMSAUXCTLR.S2PTE);

/** The registers of one instance. Those of contexts, but for IMCTR, are in {@link Contexts} of the main instance. */
export class RegisterAccess {
  /** IMCTR by context, without FLUSH. */
  readonly imctr: Uint32Array;
  /** IMUCTR by micro-TLB. */
  readonly imuctr: Uint32Array;
  readonly #imuasid: Uint32Array;
  #imsctlr = 0;
  #imsauxctlr = 0;
  /** Flushes under way, by context. */
  readonly #flushing: Uint32Array;
  readonly #map: RegisterMap;
  /** IMUCTR.TTSEL, as wide as the generation has it. */
  readonly #ttsel: number;
  /** Of a main instance: its contexts. */
  readonly #contexts: Contexts | undefined;
  readonly #effects: RegisterEffects;

  /** @param contexts those of a main instance; undefined for a cache */
  constructor(generation: Generation, contexts: Contexts | undefined, effects: RegisterEffects) {
    const features = GENERATION[generation];
    this.imctr = contexts?.imctr ?? new Uint32Array(features.contexts);
    this.imuctr = new Uint32Array(features.microTlbs);
    this.#imuasid = new Uint32Array(features.microTlbs);
    this.#flushing = new Uint32Array(features.contexts);
    this.#map = REGISTER_MAPS[generation];
    this.#ttsel = (2 ** features.ttselBits - 1) << IMUCTR.TTSEL.shift;
    this.#contexts = contexts;
    this.#effects = effects;
  }

  /** The context that a value of IMUCTR selects, which may be none that there is. */
  selected(imuctr: number): number {
    return (imuctr & this.#ttsel) >>> IMUCTR.TTSEL.shift;
  }

  /** A flush of a context has ended. */
  flushed(context: number): void {
    (this.#flushing[context] as number)--;
  }

  /** Reads a register. Those that are not there read as zero. */
  read(offset: number): number {
    const place = this.#map.get(offset);
    if (place === undefined) {
      this.#effects.unmodelled(`register 0x${offset.toString(16)}`);
      return 0;
    }
    const { name, index } = place;
    switch (name) {
      case 'IMCTR':
        return ((this.imctr[index] as number) | ((this.#flushing[index] as number) > 0 ? FLUSH : 0)) >>> 0;
      case 'IMUCTR':
        return this.imuctr[index] as number;
      case 'IMUASID':
        return this.#imuasid[index] as number;
      case 'IMSCTLR':
        return this.#imsctlr;
      case 'IMSAUXCTLR':
        return this.#imsauxctlr;
      default:
        if (this.#contexts === undefined) this.#refuse(name, index);
        return this.#contexts?.at(index).read(name) ?? 0;
    }
  }

  /** Writes a register. Writes to those that are not there are ignored. */
  write(offset: number, value: number): void {
    const place = this.#map.get(offset);
    if (place === undefined) {
      this.#effects.unmodelled(`register 0x${offset.toString(16)}`);
      return;
    }
    const { name, index } = place;
    switch (name) {
      case 'IMCTR':
        this.#writeControl(index, value);
        return;
      case 'IMUCTR':
        this.#writeMicroTlb(index, value);
        return;
      case 'IMUASID':
        this.#imuasid[index] = value;
        return;
      case 'IMSCTLR':
        if ((value & USE_SECGRP) !== 0) this.#effects.unmodelled('security groups (IMSCTLR.USE_SECGRP)');
        this.#imsctlr = value;
        return;
      case 'IMSAUXCTLR':
        this.#imsauxctlr = value;
        if (this.#contexts !== undefined) this.#contexts.s2pte = (value & S2PTE) !== 0;
        return;
      default:
        this.#writeContext(name, index, value);
    }
  }
  /** Of the registers of contexts, caches have IMCTR alone. */
  #refuse(name: ContextRegister, index: number): void {
    this.#effects.misuse(`a cache has no ${name} (context ${index})`);
  }

  #writeContext(name: ContextRegister, index: number, value: number): void {
    if (this.#contexts === undefined) {
      this.#refuse(name, index);
      return;
    }
    this.#reserved(name, this.#contexts.at(index).write(name, value));
    if (name === 'IMSTR') this.#contexts.drive();
  }

  #writeControl(index: number, value: number): void {
    const isMain = this.#contexts !== undefined;
    this.#reserved('IMCTR', value & ~(MAIN_CONTROL | FLUSH));
    this.imctr[index] = value & (isMain ? MAIN_CONTROL : CACHE_CONTROL);
    this.#contexts?.controlled(index);
    if ((value & FLUSH) === 0) return;
    (this.#flushing[index] as number)++;
    this.#effects.flush(index);
  }

  #writeMicroTlb(index: number, value: number): void {
    this.#reserved('IMUCTR', value & ~(MICRO_MMUEN | MICRO_FLUSH | this.#ttsel));
    this.imuctr[index] = value & (MICRO_MMUEN | this.#ttsel);
    const context = this.selected(value);
    if ((value & MICRO_MMUEN) !== 0 && context >= this.imctr.length) {
      this.#effects.unmodelled(`micro-TLB ${index} selects ${context}, which is no context`);
    }
    if ((value & MICRO_FLUSH) !== 0) this.#effects.flushMicroTlb(index);
  }

  /** Tells of bits that were set and do nothing here. */
  #reserved(name: string, unknown: number): void {
    if (unknown !== 0) this.#effects.unmodelled(`${name} bits 0x${(unknown >>> 0).toString(16)}`);
  }

  /** Registers as plain data. */
  save(): RegisterState {
    return {
      imctr: [...this.imctr],
      imuctr: [...this.imuctr],
      imuasid: [...this.#imuasid],
      imsctlr: this.#imsctlr,
      imsauxctlr: this.#imsauxctlr,
      ...(this.#contexts === undefined ? {} : { contexts: this.#contexts.save() }),
    };
  }

  /** Whether something is what {@link save} of such an instance gave. */
  accepts(state: unknown): state is RegisterState {
    const saved = state as Partial<RegisterState> | null | undefined;
    const fits = saved?.imctr?.length === this.imctr.length && saved.imuctr?.length === this.imuctr.length;
    return fits && (this.#contexts === undefined) === (saved.contexts === undefined);
  }

  /** Takes over saved registers. */
  load(state: RegisterState): void {
    this.imctr.set(state.imctr);
    this.imuctr.set(state.imuctr);
    this.#imuasid.set(state.imuasid);
    this.#imsctlr = state.imsctlr;
    this.#imsauxctlr = state.imsauxctlr;
    if (this.#contexts === undefined || state.contexts === undefined) return;
    this.#contexts.s2pte = (state.imsauxctlr & S2PTE) !== 0;
    this.#contexts.load(state.contexts);
  }
}
