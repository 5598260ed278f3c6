/**
 * The Renesas IPMMU-VMSA of R-Car Gen3 and Gen4: a main instance or a cache instance.
 *
 * There is no public manual. It is modelled after its drivers in Linux (drivers/iommu/ipmmu-vmsa.c) and Xen
 * (xen/drivers/passthrough/arm/ipmmu-vmsa.c); what they leave open is decided in the head of `layout.ts`.
 *
 * A request of a device comes in at a micro-TLB. That passes it on untranslated, or asks its own cache, and then the main
 * instance, which asks what it has walked before, and then walks. What either keeps stays until it is flushed. What the
 * main instance had walked before a cache was told to flush its context is not kept in the micro-TLBs of that cache again,
 * so that the two flushes may come in either order; the drivers tell caches first.
 *
 * Not modelled: Gen2; micro-TLBs that use the PMB; security groups (IMSCTLR.USE_SECGRP); ASIDs (IMUASID is kept); the error
 * level and code in IMSTR; several hits (MHIT is never set); the summary of faults by instance in the main instance (IMSSTR), RAM
 * error and performance registers. Registers that no driver uses read as zero and are reported.
 */
import { ADDRESS_LIMIT, TWO_32 } from '../../address.js';
import type { Bus, RegisterDevice } from '../../bus.js';
import type { InterruptLine } from '../../interrupt.js';
import type { Deferral, Latency } from '../../latency.js';
import type { SavedBlock } from '../../machine.js';
import type { Observer } from '../../observer.js';
import { permissionFor } from '../../paging/translation.js';
import type { Completion, InFlight, Transaction } from '../../transaction.js';
import { Contexts } from './contexts.js';
import { Flight } from './flight.js';
import { GENERATION, type Generation, IMCTR, IMUCTR } from './layout.js';
import { MicroTlbs } from './micro-tlb.js';
import { RegisterAccess } from './register-access.js';
import { bits } from './registers.js';

/** How an instance is made. */
export interface IpmmuOptions {
  /** Its name in transcripts: `iommu@e67b0000`. */
  readonly name: string;
  readonly generation: Generation;
  /** Where its own accesses and those of its clients go. */
  readonly bus: Bus;
  readonly observer: Observer;
  readonly latency: Latency;
  /** Of a cache: its main instance. */
  readonly main?: Ipmmu;
  /** Of a main instance: its interrupt output, if that is connected. */
  readonly line?: InterruptLine;
}

const PAGE_BYTES = 4096;
/** In place of an address. */
const ABORT = -1;

const MMUEN = bits(IMCTR.MMUEN);
const MICRO_MMUEN = bits(IMUCTR.MMUEN);

/** One instance. Its streams are its micro-TLBs. */
export class Ipmmu implements RegisterDevice, SavedBlock {
  readonly name: string;
  readonly generation: Generation;
  readonly #main: Ipmmu;
  /** Of a main instance. */
  readonly #caches: Ipmmu[] = [];
  readonly #bus: Bus;
  readonly #observer: Observer;
  /** Those of the main instance. */
  readonly #contexts: Contexts;
  /** Flushes of the main instance and of its caches, which end in the order in which they were told. */
  readonly #flushes: Deferral;
  readonly #registers: RegisterAccess;
  /** Of a cache, by context: when a flush ended last, on the clock of the main instance. */
  readonly #flushed: Float64Array;
  readonly #microTlbs: MicroTlbs;
  readonly #flying = new Set<Flight>();
  readonly #ended = (flight: Flight): void => {
    this.#flying.delete(flight);
  };

  /** @throws RangeError if the main instance is a cache itself, or of another generation */
  constructor(options: IpmmuOptions) {
    const { name, generation, bus, observer, latency, main, line } = options;
    const { contexts, microTlbs } = GENERATION[generation];
    this.name = name;
    this.generation = generation;
    this.#bus = bus;
    this.#observer = observer;
    this.#flushed = new Float64Array(contexts);
    this.#microTlbs = new MicroTlbs(microTlbs);
    this.#main = main ?? this;
    if (main !== undefined && main.#main !== main) throw new RangeError(`${name}: ${main.name} is a cache itself`);
    if (main !== undefined && main.generation !== generation) {
      throw new RangeError(`${name}: ${main.name} is of another generation`);
    }
    const own =
      main === undefined ? new Contexts({ name, count: contexts, memory: bus.memory, observer, line }) : undefined;
    this.#contexts = own ?? this.#main.#contexts;
    this.#flushes = main === undefined ? latency.source() : main.#flushes;
    this.#registers = new RegisterAccess(generation, own, {
      flush: (context) => this.#flushes.defer(() => this.#flush(context)),
      flushMicroTlb: (microTlb) => this.#microTlbs.flush(microTlb),
      misuse: (text) => observer.misuse('software', `${name}: ${text}`),
      unmodelled: (text) => observer.unmodelled(name, text),
    });
    if (main !== undefined) main.#caches.push(this);
  }

  /**
   * Translates an address of a request at a micro-TLB that crosses no page. A fault is recorded.
   * @returns the physical address; negative if there is none
   */
  translate(microTlb: number, hi: number, lo: number, privileged: boolean, write: boolean, execute: boolean): number {
    return this.#translate(microTlb, hi, lo, permissionFor(privileged, write, execute), write);
  }

  #translate(microTlb: number, hi: number, lo: number, need: number, write: boolean): number {
    const control = this.#registers.imuctr[microTlb];
    if (control === undefined) return this.#absent(microTlb);
    this.#microTlbs.origin = -1;
    if ((control & MICRO_MMUEN) === 0) return pass(hi, lo);
    const context = this.#registers.selected(control);
    const enabled = this.#registers.imctr[context];
    if (enabled === undefined) return ABORT;
    if ((enabled & (this.#contexts.imctr[context] as number) & MMUEN) === 0) return pass(hi, lo);
    const entry = this.#microTlbs.lookup(microTlb, context, hi, lo);
    if (entry < 0) return this.#ask(microTlb, context, hi, lo, need, write);
    if ((this.#microTlbs.permissions(entry) & need) === need) return this.#microTlbs.output(entry, hi, lo);
    this.#contexts.fault(context, 'permission', hi, lo, write, this, microTlb);
    return ABORT;
  }

  /** Gets a translation from the main instance, and keeps it unless that had it before this instance was flushed. */
  #ask(microTlb: number, context: number, hi: number, lo: number, need: number, write: boolean): number {
    const walked = this.#contexts.translate(context, hi, lo, need, write, this, microTlb);
    if (walked === undefined) return ABORT;
    const { translation, time } = walked;
    if (time > (this.#flushed[context] as number)) this.#microTlbs.keep(microTlb, context, hi, lo, translation);
    const offset = (lo >>> 0) % PAGE_BYTES;
    return translation.output - (translation.output % PAGE_BYTES) + offset;
  }

  #absent(microTlb: number): number {
    this.#observer.unmodelled(this.name, `there is no micro-TLB ${microTlb}`);
    return ABORT;
  }

  /**
   * Makes a request at a micro-TLB: translates it and moves its data. A request that crosses pages is translated whole before
   * anything moves. Requests with a PASID, and those of ATS, are refused.
   */
  request(microTlb: number, transaction: Transaction): Completion {
    const { hi, lo, data, addressType, pasid, privileged, write, execute, from } = transaction;
    if (addressType !== 'untranslated' || pasid !== undefined) return 'abort';
    if ((lo & (PAGE_BYTES - 1)) + data.length > PAGE_BYTES) return this.begin(microTlb, transaction).land();
    const address = this.#translate(microTlb, hi, lo, permissionFor(privileged, write, execute), write);
    return address >= 0 && this.#bus.transfer(address, data, write, from) ? 'okay' : 'abort';
  }

  /**
   * Begins a request: it is translated now, and its data move when it lands, at the latest before a flush of a context that
   * translated it ends, in this instance or in the main one.
   */
  begin(microTlb: number, transaction: Transaction): InFlight {
    const { hi, lo, data, addressType, pasid, privileged, write, execute } = transaction;
    const flight = new Flight(transaction, this.#bus, this.#ended);
    if (addressType !== 'untranslated' || pasid !== undefined) {
      flight.abort();
      return flight;
    }
    const need = permissionFor(privileged, write, execute);
    let from = 0;
    do {
      const at = (lo >>> 0) + from;
      const to = Math.min(data.length, from + PAGE_BYTES - (at % PAGE_BYTES));
      const address = this.#translate(microTlb, (hi + (at >= TWO_32 ? 1 : 0)) >>> 0, at >>> 0, need, write);
      if (address < 0) {
        flight.abort();
        return flight;
      }
      if (this.#microTlbs.origin >= 0) flight.contexts |= 1 << this.#microTlbs.origin;
      flight.add(address, from, to);
      from = to;
    } while (from < data.length);
    this.#flying.add(flight);
    return flight;
  }

  readRegister(offset: number, width: 1 | 2 | 4): number | undefined {
    if (width !== 4) return undefined;
    return this.#registers.read(offset);
  }

  writeRegister(offset: number, width: 1 | 2 | 4, value: number): boolean {
    if (width !== 4) return false;
    this.#registers.write(offset, value >>> 0);
    return true;
  }

  /** Ends a flush of a context. */
  #flush(index: number): void {
    this.#land(1 << index);
    this.#microTlbs.flushContext(index);
    if (this.#main === this) {
      for (const cache of this.#caches) cache.#land(1 << index);
      this.#contexts.at(index).forget();
    } else this.#flushed[index] = this.#contexts.mark();
    this.#registers.flushed(index);
    this.#observer.event({ kind: 'command', device: this.name, name: 'FLUSH', text: `FLUSH context ${index}` });
  }

  /** Lands what a set of contexts has translated. */
  #land(contexts: number): void {
    for (const flight of [...this.#flying]) if ((flight.contexts & contexts) !== 0) flight.land();
  }

  /** Registers as plain data. What is under way comes to its end first; what is cached is not part of it. */
  save(): unknown {
    this.#settle();
    return this.#registers.save();
  }

  /** Takes over saved registers, with nothing cached. */
  load(state: unknown): void {
    if (!this.#registers.accepts(state)) throw new TypeError(`${this.name}: not a saved state of such an IPMMU`);
    this.#settle();
    this.#microTlbs.flushAll();
    this.#flushed.fill(0);
    this.#registers.load(state);
  }

  #settle(): void {
    this.#flushes.flush();
    for (const flight of [...this.#flying]) flight.land();
  }
}

/** An address that nothing translates. */
function pass(hi: number, lo: number): number {
  const address = (hi >>> 0) * TWO_32 + (lo >>> 0);
  return address < ADDRESS_LIMIT ? address : ABORT;
}
