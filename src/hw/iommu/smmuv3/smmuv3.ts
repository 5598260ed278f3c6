/**
 * The Arm System Memory Management Unit, version 3: Arm IHI 0070 (issue G.b), Non-secure state.
 *
 * Not modelled: Secure and Realm state, VMSAv8-32, HTTU, BTM (broadcast maintenance), ATOS, MPAM, DPT, ECMDQ, RAS, PMCG,
 * merging of events, prefetching and power control. ID registers that offer any of these are refused. Memory types are
 * combined but change nothing: every master is coherent. What is left out of one chapter stands at the head of its file.
 */
import type { Bus, Initiator, RegisterDevice } from '../../bus.js';
import type { Deferral, Latency } from '../../latency.js';
import type { SavedBlock } from '../../machine.js';
import type { Observer } from '../../observer.js';
import { Tlb } from '../../paging/tlb.js';
import type { Completion, Transaction } from '../../transaction.js';
import { type AtsCompletion, AtsInterface, type AtsRequest, encodeCompletion } from './ats.js';
import { type Caches, ConfigurationCache } from './caches.js';
import { CommandQueue, type EndpointCaches } from './command-queue.js';
import { EventQueue, type PageRequest, type PageRequestAnswer, PageRequestQueue } from './event-queue.js';
import { RAZ_WI, STALL } from './events.js';
import { decodeFeatures, type Features, type IdRegisters } from './features.js';
import { Flight, type StallableFlight, StallBuffer } from './flight.js';
import { type InterruptLines, Interrupts } from './interrupts.js';
import { CR0 } from './layout.js';
import { RegisterAccess } from './register-access.js';
import { RegisterFile } from './registers.js';
import { type OutgoingAttributes, Translator } from './translate.js';

/** How an SMMU is made. */
export interface Smmuv3Options {
  /** Its name in transcripts: `smmu@9050000`. */
  readonly name: string;
  /** ID registers: what it implements. Refused if they offer what is not modelled. */
  readonly idr: IdRegisters;
  /** Where its own accesses and those of its clients go. */
  readonly bus: Bus;
  readonly observer: Observer;
  readonly latency: Latency;
  /** The ATS side of the endpoints behind it, if they have any. */
  readonly endpoints?: EndpointCaches;
  /** Its wired interrupt outputs, those that are connected. */
  readonly lines?: InterruptLines;
  /** Who makes its own writes of messages: the DeviceID that the system gives the SMMU itself. */
  readonly from?: Initiator;
}

const PAGE_BYTES = 4096;

/** One SMMUv3. */
export class Smmuv3 implements RegisterDevice, SavedBlock {
  readonly name: string;
  readonly features: Features;
  readonly #bus: Bus;
  readonly #registers: RegisterFile;
  readonly #access: RegisterAccess;
  readonly #caches: Caches = { configuration: new ConfigurationCache(), translations: new Tlb() };
  readonly #translator: Translator;
  readonly #ats: AtsInterface;
  readonly #commands: CommandQueue;
  readonly #events: EventQueue;
  readonly #pageRequests: PageRequestQueue;
  readonly #stalls: StallBuffer;
  readonly #interrupts: Interrupts;
  readonly #room: Deferral;
  readonly #flying = new Set<Flight>();
  readonly #land = (flight: Flight): void => {
    this.#flying.delete(flight);
    this.#stalls.release(flight);
  };

  /** @throws RangeError if the ID registers offer what is not modelled */
  constructor(options: Smmuv3Options) {
    const { name, idr, bus, observer, latency } = options;
    this.name = name;
    this.#bus = bus;
    const features = decodeFeatures(idr);
    this.features = features;
    const misuse = (text: string): void => observer.misuse('software', `${name}: ${text}`);
    this.#registers = new RegisterFile(features, (error) => this.#interrupts.errorActive(error));
    this.#access = new RegisterAccess(
      this.#registers,
      features,
      idr,
      {
        enabled: (now, before) => this.#enabled(now, before),
        commands: () => this.#commands.poke(),
        eventRoom: () => this.#retryUnrecorded(),
        interrupts: () => this.#interrupts.flush(),
        misuse,
      },
      latency.source(),
    );
    this.#room = latency.source();
    this.#translator = new Translator(features, this.#registers, bus.memory, this.#caches);
    this.#ats = new AtsInterface(this.#translator, this.#registers, () => this.#events.record(this.#translator.fault));
    this.#interrupts = new Interrupts({
      features,
      registers: this.#registers,
      lines: options.lines ?? {},
      deliveries: latency.source(),
      writeMsi: (address, data) => bus.write(address, 4, data, 0, options.from) === undefined,
      tell: (source, text) => observer.event({ kind: 'interrupt', device: name, name: source, text }),
    });
    this.#events = new EventQueue(
      this.#registers,
      bus.memory,
      latency.source(),
      (event, text) => observer.event({ kind: 'fault', device: name, name: event, text }),
      () => this.#interrupts.eventQueueNonEmpty(),
    );
    this.#pageRequests = new PageRequestQueue(this.#registers, bus.memory, (first, last) =>
      this.#interrupts.pageRequestQueued(first, last),
    );
    this.#stalls = new StallBuffer(features.stallMax);
    this.#commands = new CommandQueue({
      features,
      registers: this.#registers,
      memory: bus.memory,
      caches: this.#caches,
      latency,
      endpoints: options.endpoints,
      tell: (command, text) => observer.event({ kind: 'command', device: name, name: command, text }),
      effects: {
        synchronize: () => this.#synchronize(),
        resume: (streamId, tag, action) => this.#resume(streamId, tag, action),
        terminateStalled: (streamId) => this.#terminate(this.#stalls.of(streamId)),
        synchronized: (address, data) => this.#interrupts.synchronized(address, data),
        misuse,
      },
    });
  }

  readRegister(offset: number, width: 1 | 2 | 4): number | undefined {
    return this.#access.read(offset, width);
  }

  writeRegister(offset: number, width: 1 | 2 | 4, value: number): boolean {
    return this.#access.write(offset, width, value);
  }

  /**
   * Translates an address of an untranslated transaction that crosses no page, as {@link Translator.translate} does,
   * without moving data and without recording a fault.
   * @param substreamId SubstreamID (PASID), or -1
   * @returns the physical address; negative if there is none
   */
  translate(
    streamId: number,
    substreamId: number,
    hi: number,
    lo: number,
    privileged: boolean,
    write: boolean,
    execute: boolean,
  ): number {
    return this.#translator.translate(streamId, substreamId, hi, lo, privileged, write, execute);
  }

  /**
   * Makes a request of a stream: translates it and moves its data. A request that crosses pages is translated whole
   * before anything moves. One that stalls ends with an abort: its requester does not wait (see {@link begin}).
   * An ATS translation request fills the first 8 bytes of its data with the completion.
   */
  request(streamId: number, transaction: Transaction): Completion {
    const { lo, data, addressType } = transaction;
    if (addressType !== 'untranslated' || (lo & (PAGE_BYTES - 1)) + data.length > PAGE_BYTES) {
      return this.begin(streamId, transaction).land();
    }
    const { hi, pasid, privileged, write, execute, from } = transaction;
    const address = this.#translator.translate(streamId, pasid ?? -1, hi, lo, privileged, write, execute);
    if (address >= 0) return this.#bus.transfer(address, data, write, from) ? 'okay' : 'abort';
    if (address === STALL) return this.begin(streamId, transaction).land();
    if (this.#translator.fault.recorded) this.#events.record(this.#translator.fault);
    if (address !== RAZ_WI) return 'abort';
    if (!write) data.fill(0);
    return 'razwi';
  }

  /**
   * Begins a request: it is translated now, and its data move when it lands, at the latest before the next CMD_SYNC
   * completes. It may stall, and then waits for software.
   */
  begin(streamId: number, transaction: Transaction): StallableFlight {
    const flight = new Flight(streamId, transaction, this.#bus, this.#land);
    this.#start(flight);
    return flight;
  }

  /** Answers an ATS translation request. */
  translationRequest(request: AtsRequest): AtsCompletion {
    return this.#ats.translate(request);
  }

  /**
   * The memory type and shareability that a read of a stream would leave the SMMU with; for checks. It is translated as a
   * read is, caches included, but no fault is recorded. Undefined: it would not leave.
   */
  attributes(streamId: number, transaction: Transaction): OutgoingAttributes | undefined {
    const { pasid, hi, lo } = transaction;
    return this.#translator.attributes(streamId, pasid ?? -1, hi, lo);
  }

  /** Takes a PCIe page request. */
  pageRequest(request: PageRequest): PageRequestAnswer {
    return this.features.pri ? this.#pageRequests.take(request) : 'failure';
  }

  /** Translates a transaction, anew if it was stalled. */
  #start(flight: Flight): void {
    flight.restart();
    const { transaction } = flight;
    if (transaction.addressType === 'translation request') {
      this.#answer(flight);
      return;
    }
    const { data, lo } = transaction;
    let from = 0;
    do {
      const at = (lo >>> 0) + from;
      const to = Math.min(data.length, from + PAGE_BYTES - (at % PAGE_BYTES));
      const address = this.#translatePart(flight, at);
      if (address < 0) {
        this.#refuse(flight, address);
        return;
      }
      flight.add(address, from, to);
      from = to;
    } while (from < data.length);
    this.#flying.add(flight);
  }

  /** @param at lower half of the address of the part, which may exceed 32 bits */
  #translatePart(flight: Flight, at: number): number {
    const { streamId, transaction } = flight;
    const { pasid, privileged, write, execute, addressType } = transaction;
    const hi = (transaction.hi + (at >= 2 ** 32 ? 1 : 0)) >>> 0;
    const lo = at >>> 0;
    if (addressType === 'translated') {
      const address = this.#ats.admit(streamId, hi, lo, write);
      this.#translator.fault.recorded = false;
      return address;
    }
    return this.#translator.translate(streamId, pasid ?? -1, hi, lo, privileged, write, execute);
  }

  #refuse(flight: Flight, outcome: number): void {
    const { fault } = this.#translator;
    if (outcome === STALL) {
      fault.stag = this.#stalls.hold(flight);
      if (fault.stag >= 0) this.#events.record(fault, () => this.#stalls.withhold(flight));
      return;
    }
    if (fault.recorded) this.#events.record(fault);
    flight.end(outcome === RAZ_WI ? 'razwi' : 'abort');
  }

  #answer(flight: Flight): void {
    const { streamId, transaction } = flight;
    const { pasid, privileged, write, execute, hi, lo, data } = transaction;
    const request = { streamId, substreamId: pasid ?? -1, hi, lo, privileged, write, execute };
    const completion = this.#ats.translate(request);
    if (completion.status !== 'success') {
      flight.end('abort');
      return;
    }
    const entry = encodeCompletion(completion);
    const bytes = new Uint8Array(Uint32Array.of(entry.lo, entry.hi).buffer);
    data.set(bytes.subarray(0, Math.min(8, data.length)));
    flight.end('okay');
  }

  #enabled(now: number, before: number): void {
    const smmuen = CR0.SMMUEN.mask << CR0.SMMUEN.shift;
    // 6.3.9.6: stalled transactions end before the update does. What was translated before is still on its way.
    if ((before & smmuen) !== 0 && (now & smmuen) === 0) this.#terminate(this.#stalls.of());
    this.#translator.enabled = (now & smmuen) !== 0;
    this.#commands.poke();
    this.#retryUnrecorded();
  }

  #synchronize(): void {
    this.#landAll();
    this.#events.flush();
  }

  #landAll(): void {
    for (const flight of [...this.#flying]) flight.land();
  }

  #terminate(flights: readonly Flight[]): void {
    for (const flight of flights) flight.end('abort');
    this.#retryUnrecorded();
  }

  #resume(streamId: number, tag: number, action: 'retry' | 'abort' | 'terminate'): void {
    const flight = this.#stalls.find(streamId, tag);
    if (flight === undefined) return;
    this.#stalls.release(flight);
    if (action === 'retry') this.#start(flight);
    else flight.end(action === 'abort' || this.features.abortOnly ? 'abort' : 'razwi');
    this.#retryUnrecorded();
  }

  /** The event queue may have room: stalled transactions whose record found none are translated again (3.5.2). */
  #retryUnrecorded(): void {
    if (!this.#stalls.hasUnrecorded) return;
    this.#room.defer(() => {
      if (!this.#events.isWritable) return;
      for (const flight of this.#stalls.takeUnrecorded()) this.#start(flight);
    });
  }

  /** Registers as plain data. What is under way comes to its end first; caches are not part of it. */
  save(): unknown {
    this.#settle();
    return this.#registers.save();
  }

  /** Takes over saved registers, with cold caches. */
  load(state: unknown): void {
    if (!Array.isArray(state)) throw new TypeError(`${this.name}: not a saved state of an SMMUv3`);
    this.#settle();
    this.#terminate(this.#stalls.of());
    this.#commands.forget();
    this.#caches.configuration.dropAll();
    this.#caches.translations.invalidateAll();
    this.#registers.load(state as number[]);
    this.#translator.enabled = this.#registers.isEnabled(CR0.SMMUEN);
    this.#commands.poke();
  }

  /** Brings everything under way to its end, causes before what they may set going. Stalled transactions stay. */
  #settle(): void {
    this.#access.settle();
    this.#commands.settle();
    this.#room.flush();
    this.#landAll();
    this.#events.flush();
    this.#interrupts.flush();
  }
}
