/**
 * The command queue: consumption, errors, and what each command sets going. Arm IHI 0070 3.5.1, 4, 6.3.27, 6.3.28 and
 * 7.1 (errors stop consumption until GERRORN acknowledges them).
 *
 * Consuming an invalidation promises nothing: its effect comes some accesses later, at the latest when a CMD_SYNC after it
 * completes. A CMD_SYNC is consumed when it completes.
 *
 * Not modelled: prefetching (a hint; commands are consumed and do nothing), SEV.
 */
import { get, getAddress } from '../../bits.js';
import type { Deferral, Latency } from '../../latency.js';
import type { PhysicalMemory } from '../../memory.js';
import { type Caches, configurationInvalidation, translationInvalidation } from './caches.js';
import { decodeCommand, describeCommand, isMisalignedRange } from './commands.js';
import type { Tell } from './event-queue.js';
import type { Features } from './features.js';
import {
  CERROR,
  CMD,
  CMD_ATC_INV,
  CMD_PRI_RESP,
  CMD_RESUME,
  CMD_SYNC,
  CMDQ_CONS,
  COMMAND_BYTES,
  type CommandName,
  CR0,
  CR2,
  GERROR,
  SYNC_SIGNAL,
} from './layout.js';
import { advance, entryAddress, isEmpty, occupancy } from './queues.js';
import type { RegisterFile } from './registers.js';

/** An ATS invalidation that goes to an endpoint (PCI Express Base 10.3). */
export interface AtsInvalidation {
  readonly streamId: number;
  /** PASID, or undefined for translations without one. */
  readonly substreamId: number | undefined;
  readonly global: boolean;
  /** Number of the first 4 KiB page, and log2 of their number: 52 for all. */
  readonly page: number;
  readonly sizeBits: number;
}

/** The way to the translation caches and page request interfaces of endpoints. */
export interface EndpointCaches {
  /** Sends an invalidation. False: the endpoint does not answer in time. */
  invalidate(invalidation: AtsInvalidation): boolean;
  /** Sends a page request group response: 0 failure, 1 invalid request, 2 success. */
  respond(streamId: number, substreamId: number | undefined, group: number, response: number): void;
}

/** What commands do outside the caches. */
export interface CommandEffects {
  /** A CMD_SYNC is about to complete: what was translated lands, and events become visible. */
  synchronize(): void;
  /** Resumes a stalled transaction: retries it, or ends it with an abort or as RAZ/WI. */
  resume(streamId: number, tag: number, action: 'retry' | 'abort' | 'terminate'): void;
  /** Ends all stalled transactions of a stream with an abort. */
  terminateStalled(streamId: number): void;
  /** A CMD_SYNC with CS = IRQ completed: an MSI to its address, or, if that is 0, the wired interrupt. */
  synchronized(address: number, data: number): void;
  misuse(text: string): void;
}

/** What a command queue needs. */
export interface CommandQueueParts {
  readonly features: Features;
  readonly registers: RegisterFile;
  readonly memory: PhysicalMemory;
  readonly caches: Caches;
  readonly latency: Latency;
  readonly effects: CommandEffects;
  readonly endpoints: EndpointCaches | undefined;
  readonly tell: Tell;
}

/** The command queue. */
export class CommandQueue {
  readonly #parts: CommandQueueParts;
  /** Commands that wait to be consumed. */
  readonly #consumption: Deferral;
  /** Invalidations that were consumed and wait to take effect. */
  readonly #invalidations: Deferral;
  readonly #words = new Uint32Array(COMMAND_BYTES / 4);
  readonly #register = new Uint32Array(1);
  #scheduled = false;
  /** An ATS invalidation timed out since the last CMD_SYNC. */
  #atsTimeout = false;

  constructor(parts: CommandQueueParts) {
    this.#parts = parts;
    this.#consumption = parts.latency.source();
    this.#invalidations = parts.latency.source();
  }

  /** There may be commands: consumes them, in time. */
  poke(): void {
    const { registers, effects } = this.#parts;
    const bits = registers.queueBits('CMDQ');
    if (this.#runs() && occupancy(registers.commandProd, registers.commandCons, bits) > 2 ** bits) {
      // 6.3.27: PROD passed CONS by more than the queue holds. Here stale entries are consumed until the two are equal.
      effects.misuse('CMDQ_PROD is further from CMDQ_CONS than the queue is long');
    }
    if (this.#parts.latency.maximum === 0) {
      while (this.#consume());
    } else {
      this.#schedule();
    }
  }

  #schedule(): void {
    if (this.#scheduled || !this.#hasWork()) return;
    this.#scheduled = true;
    this.#consumption.defer(() => {
      this.#scheduled = false;
      if (this.#consume()) this.#schedule();
    });
  }

  /** Consumes everything that waits and makes every invalidation take effect: before a snapshot. */
  settle(): void {
    while (this.#consumption.pending > 0) this.#consumption.flush();
    this.#invalidations.flush();
  }

  /** Forgets what is in no register, before saved registers are taken over. */
  forget(): void {
    this.#atsTimeout = false;
  }

  #runs(): boolean {
    const { registers } = this.#parts;
    return registers.isEnabled(CR0.CMDQEN) && !registers.isActive(GERROR.CMDQ_ERR);
  }

  #hasWork(): boolean {
    const { registers } = this.#parts;
    return this.#runs() && !isEmpty(registers.commandProd, registers.commandCons, registers.queueBits('CMDQ'));
  }

  /** Consumes one command. Whether there may be more to do. */
  #consume(): boolean {
    if (!this.#hasWork()) return false;
    const { registers, memory } = this.#parts;
    const bits = registers.queueBits('CMDQ');
    const base = registers.queueAddress('CMDQ', COMMAND_BYTES);
    const words = this.#words;
    const index = registers.commandCons;
    const fetched = memory.loadWords(entryAddress(base, index, bits, COMMAND_BYTES), words, words.length);
    const error = fetched ? this.#execute(words) : CERROR.ABT;
    if (error !== CERROR.NONE) {
      this.#stop(error);
      return false;
    }
    const sticky = registers.commandCons & ~INDEX_MASK;
    registers.commandCons = (sticky | advance(index & INDEX_MASK, bits)) >>> 0;
    return true;
  }

  /** Records an error: CONS stays on the command, and nothing is consumed until GERRORN acknowledges it. */
  #stop(error: number): void {
    const { registers, tell } = this.#parts;
    registers.commandCons = ((registers.commandCons & INDEX_MASK) | (error << CMDQ_CONS.ERR.shift)) >>> 0;
    registers.raise(GERROR.CMDQ_ERR);
    const name = ['', 'CERROR_ILL', 'CERROR_ABT', 'CERROR_ATC_INV_SYNC'][error] as string;
    tell(name, `${name} at command ${registers.commandCons & INDEX_MASK}`);
  }

  /** Executes a command. A value of {@link CERROR}. */
  #execute(words: Uint32Array): number {
    const { features, tell } = this.#parts;
    const name = decodeCommand(words, features);
    if (name === undefined) return CERROR.ILL;
    if (name === 'SYNC') {
      const error = this.#synchronize(words);
      if (error !== CERROR.NONE) return error;
    } else {
      this.#perform(name, words);
    }
    tell(name, describeCommand(name, words, features));
    return CERROR.NONE;
  }

  #perform(name: CommandName, words: Uint32Array): void {
    const { features, caches, registers, effects, endpoints } = this.#parts;
    this.#register[0] = registers.cr2;
    const invalidation =
      configurationInvalidation(name, words, caches) ??
      translationInvalidation(name, words, caches, features, get(this.#register, CR2.E2H) === 1);
    if (isMisalignedRange(name, words, features)) {
      effects.misuse(`${describeCommand(name, words, features)}: the address is not aligned to TG and TTL`);
    }
    if (invalidation !== undefined) {
      this.#invalidations.defer(invalidation);
      return;
    }
    const streamId = get(words, CMD.SID);
    const substreamId = get(words, CMD.SSV) === 1 ? get(words, CMD.SSID) : undefined;
    switch (name) {
      case 'ATC_INV': {
        // 4.5: ignored while the SMMU is off.
        if (!registers.isEnabled(CR0.SMMUEN) || endpoints === undefined) return;
        const sizeBits = Math.min(52, get(words, CMD_ATC_INV.SIZE));
        const page = get(words, CMD_ATC_INV.ADDR);
        const first = page - (page % 2 ** sizeBits);
        const global = get(words, CMD_ATC_INV.GLOBAL) === 1;
        if (!endpoints.invalidate({ streamId, substreamId, global, page: first, sizeBits })) this.#atsTimeout = true;
        return;
      }
      case 'PRI_RESP': {
        if (!registers.isEnabled(CR0.SMMUEN)) return;
        endpoints?.respond(streamId, substreamId, get(words, CMD_PRI_RESP.PRG_INDEX), get(words, CMD_PRI_RESP.RESP));
        return;
      }
      case 'RESUME': {
        const action =
          get(words, CMD_RESUME.AC) === 1 ? 'retry' : get(words, CMD_RESUME.AB) === 1 ? 'abort' : 'terminate';
        effects.resume(streamId, get(words, CMD_RESUME.STAG), action);
        return;
      }
      case 'STALL_TERM':
        effects.terminateStalled(streamId);
        return;
      default:
        return;
    }
  }

  /** 4.7.3: completes everything before it, then signals. */
  #synchronize(words: Uint32Array): number {
    if (this.#atsTimeout) {
      this.#atsTimeout = false;
      return CERROR.ATC_INV_SYNC;
    }
    const { effects } = this.#parts;
    this.#invalidations.flush();
    effects.synchronize();
    if (get(words, CMD_SYNC.CS) === SYNC_SIGNAL.IRQ) {
      effects.synchronized(getAddress(words, CMD_SYNC.MSI_ADDRESS), get(words, CMD_SYNC.MSI_DATA));
    }
    return CERROR.NONE;
  }
}

const INDEX_MASK = CMDQ_CONS.RD.mask;
