/**
 * Interrupt Translation Service of GICv3. Arm IHI 0069 (issue H), chapter 5, 12.18 and 12.19.
 *
 * Turns a write of GITS_TRANSLATER into an LPI: the DeviceID of who writes and the EventID that it writes are looked up
 * in tables in memory, and the LPI becomes pending at the redistributor of its collection. The DeviceID comes with the
 * access and never from the data (5.2).
 *
 * What the architecture leaves to the implementation, and this one does:
 * - Entries are cached when they are used, and stay until a command maintains them (`mappings.ts`). Commands take
 *   effect when they are executed, but for MAPD with V = 0 and DISCARD: a message that arrives before a SYNC has
 *   completed may still use what was cached of the device or event, and here it does (5.3, SYNC: only what comes after
 *   it is sure to observe what came before it). A SYNC for any redistributor completes all commands before it.
 * - A message that cannot be translated is ignored; a command error stalls the queue (`command-queue.ts`).
 * - GITS_CTLR.Quiescent is 0 while the ITS is enabled (12.19: UNKNOWN). Writing GITS_BASER<n> empties the caches
 *   (GITS_TYPER.INV is 0: no promise).
 * - The formats of table entries (`layout.ts`).
 *
 * Not modelled: GICv4 (virtual LPIs, vPEs, doorbells, VSGI), GITS_STATUSR, GITS_UMSIR, GITS_MPAMIDR and GITS_PARTIDR,
 * SErrors, Secure accesses. Cacheability and shareability are kept and without effect.
 */
import { hex } from '../../address.js';
import type { Initiator, RegisterDevice } from '../../bus.js';
import type { Deferral, Latency } from '../../latency.js';
import type { SavedBlock } from '../../machine.js';
import type { PhysicalMemory } from '../../memory.js';
import type { Actor, HardwareEvent, Observer } from '../../observer.js';
import type { LpiTarget } from '../lpi.js';
import { CommandQueue } from './command-queue.js';
import { GITS, ITS_BYTES, PAGE_SIZE, TRANSLATION_FRAME } from './layout.js';
import { Mappings, type Missing } from './mappings.js';
import { type Features, RegisterAccess, resetTables } from './register-access.js';
import { RegisterFile } from './registers.js';
import { decodeTable } from './tables.js';

/** How an ITS is built. Widths are in bits. */
export interface ItsOptions {
  /** Name in events: `its@8080000`. */
  readonly name: string;
  /** The redistributors, as collections can be mapped to them. */
  readonly targets: readonly LpiTarget[];
  /** Width of a DeviceID, 1 to 32. */
  readonly deviceBits: number;
  /** Width of an EventID, 1 to 32. */
  readonly eventBits: number;
  /** GITS_TYPER.PTA: RDbase is the address of a redistributor rather than a processor number. */
  readonly pta: boolean;
  /** Bytes of an interrupt translation entry. */
  readonly ittEntryBytes?: 8 | 16;
  /** Width of an INTID: GICD_TYPER.IDbits + 1. LPIs end there. */
  readonly intidBits?: number;
  /** Width of a collection ID; other than 16, GITS_TYPER.CIL tells it. */
  readonly collectionIdBits?: number;
  /** Collections without a table in memory (GITS_TYPER.HCC). */
  readonly hardwareCollections?: number;
  /** The GITS_BASER<n>.Page_Size that are supported, the first as the reset value. */
  readonly pageSizes?: readonly (0 | 1 | 2)[];
  readonly memory: PhysicalMemory;
  readonly observer: Observer;
  readonly latency: Latency;
}

/** An ITS as saved. */
interface SavedIts {
  readonly registers: readonly number[];
  readonly collections: readonly (readonly number[])[];
}

/** Why a message was ignored: names of events. */
const DEVICE_FAULT: Readonly<Record<Missing, string>> = {
  'out of range': 'DeviceID out of range',
  unmapped: 'unmapped DeviceID',
  'external abort': 'external abort',
};
const EVENT_FAULT: Readonly<Record<Missing, string>> = {
  'out of range': 'EventID out of range',
  unmapped: 'unmapped EventID',
  'external abort': 'external abort',
};
const COLLECTION_FAULT: Readonly<Record<Missing, string>> = {
  'out of range': 'collection out of range',
  unmapped: 'unmapped collection',
  'external abort': 'external abort',
};

/** An ITS: the ITS_base frame, and the translation frame behind it. */
export class Its implements RegisterDevice, SavedBlock {
  readonly name: string;
  readonly #registers = new RegisterFile();
  readonly #observer: Observer;
  readonly #mappings: Mappings;
  readonly #access: RegisterAccess;
  readonly #queue: CommandQueue;
  readonly #quiescence: Deferral;
  /** Who wrote GITS_CWRITER last: the commands are that one's, whoever acts when they are executed. */
  #commander: Actor;

  /** @throws RangeError if an option is beyond what its register field can tell. */
  constructor(options: ItsOptions) {
    const { name, observer, latency, memory, targets } = options;
    const features = featuresOf(options);
    this.name = name;
    this.#observer = observer;
    this.#commander = observer.actor;
    this.#mappings = new Mappings({ ...features, memory, targets, intidBits: options.intidBits ?? 16 });
    this.#queue = new CommandQueue({
      registers: this.#registers,
      memory,
      latency,
      context: {
        mappings: this.#mappings,
        eventBits: features.eventBits,
        misuse: (text) => observer.misuse(this.#commander, `${name}: ${text}`),
      },
      tell: (kind, command, text) => observer.event({ kind, device: name, name: command, text }),
    });
    this.#quiescence = latency.source();
    this.#access = new RegisterAccess(this.#registers, features, {
      disabled: () => this.#quiesce(),
      commands: () => {
        this.#commander = observer.actor;
        this.#queue.poke();
      },
      tables: () => this.#takeTables(),
      misuse: (text) => observer.misuse(observer.actor, `${name}: ${text}`),
    });
    resetTables(this.#registers, features);
    this.#takeTables();
  }

  /** Reads a register. GITS_TRANSLATER is write-only; the translation frame reads as zero. */
  readRegister(offset: number, width: 1 | 2 | 4): number | undefined {
    if (offset < 0 || offset >= ITS_BYTES || offset % width !== 0) return undefined;
    if (offset >= TRANSLATION_FRAME) return width === 1 ? undefined : 0;
    return width === 4 ? this.#access.read(offset) >>> 0 : undefined;
  }

  /** Writes a register. GITS_TRANSLATER takes 16 and 32 bits, the others 32. */
  writeRegister(offset: number, width: 1 | 2 | 4, value: number, from?: Initiator): boolean {
    if (offset === GITS.TRANSLATER && width !== 1) {
      this.#message(value, from);
      return true;
    }
    if (offset < 0 || offset >= ITS_BYTES || offset % width !== 0) return false;
    if (offset >= TRANSLATION_FRAME) return width !== 1;
    if (width !== 4) return false;
    this.#access.write(offset, value);
    return true;
  }

  /** A message. Ignored while the ITS is disabled. */
  #message(eventId: number, from: Initiator | undefined): void {
    if (!this.#registers.enabled) return;
    const deviceId = from?.deviceId;
    if (deviceId === undefined) {
      const who = from?.cpu === undefined ? 'an unknown requester' : `cpu ${from.cpu}`;
      this.#tellFault('no DeviceID', `EventID ${eventId} from ${who}`);
      return;
    }
    const mappings = this.#mappings;
    const device = mappings.sendingDevice(deviceId);
    if (typeof device === 'string') {
      this.#ignore(DEVICE_FAULT[device], deviceId, eventId);
      return;
    }
    const translation = mappings.sendingTranslation(device, eventId);
    if (typeof translation === 'string') {
      this.#ignore(EVENT_FAULT[translation], deviceId, eventId);
      return;
    }
    const target = mappings.collection(translation.icid);
    if (typeof target === 'string') {
      this.#ignore(COLLECTION_FAULT[target], deviceId, eventId);
      return;
    }
    const { intid } = translation;
    let { message } = translation;
    if (message === undefined || translation.target !== target) {
      if (!mappings.isLpi(intid)) {
        this.#ignore('INTID out of range', deviceId, eventId);
        return;
      }
      message = this.#describe(deviceId, eventId, intid, target);
      translation.target = target;
      translation.message = message;
    }
    this.#observer.event(message);
    target.setPending(intid);
  }

  #describe(deviceId: number, eventId: number, intid: number, target: LpiTarget): HardwareEvent {
    const text = `DeviceID ${hex(deviceId)} EventID ${eventId}: LPI ${intid} to cpu ${target.processorNumber}`;
    return { kind: 'interrupt', device: this.name, name: 'message', text };
  }

  #ignore(name: string, deviceId: number, eventId: number): void {
    this.#tellFault(name, `DeviceID ${hex(deviceId)} EventID ${eventId}`);
  }

  #tellFault(name: string, text: string): void {
    this.#observer.event({ kind: 'fault', device: this.name, name, text });
  }

  #quiesce(): void {
    this.#quiescence.defer(() => {
      this.#registers.quiescent = true;
    });
  }

  #takeTables(): void {
    const [devices, collections] = this.#registers.basers as readonly [Uint32Array, Uint32Array];
    this.#mappings.setTables(decodeTable(devices), decodeTable(collections));
  }

  /** Registers as plain data. What is under way comes to its end first; tables are in memory, caches are not saved. */
  save(): unknown {
    this.#settle();
    return { registers: this.#registers.save(), collections: this.#mappings.saveCollections() } satisfies SavedIts;
  }

  /**
   * Takes over saved registers, with cold caches.
   * @throws TypeError if the state is not that of an ITS.
   */
  load(state: unknown): void {
    if (!isSavedIts(state)) throw new TypeError(`${this.name}: not a saved state of an ITS`);
    this.#settle();
    this.#registers.load(state.registers);
    this.#mappings.loadCollections(state.collections);
    this.#takeTables();
    this.#queue.poke();
  }

  #settle(): void {
    this.#queue.settle();
    this.#quiescence.flush();
  }
}

function isSavedIts(state: unknown): state is SavedIts {
  const saved = state as Partial<SavedIts> | null;
  return typeof saved === 'object' && Array.isArray(saved?.registers) && Array.isArray(saved?.collections);
}

function featuresOf(options: ItsOptions): Features {
  const features: Features = {
    deviceBits: options.deviceBits,
    eventBits: options.eventBits,
    ittEntryBytes: options.ittEntryBytes ?? 8,
    collectionIdBits: options.collectionIdBits ?? 16,
    hardwareCollections: options.hardwareCollections ?? 0,
    pta: options.pta,
    pageSizes: options.pageSizes ?? [PAGE_SIZE.KIB_4, PAGE_SIZE.KIB_16, PAGE_SIZE.KIB_64],
  };
  check(options.name, 'deviceBits', features.deviceBits, 1, 32);
  check(options.name, 'eventBits', features.eventBits, 1, 32);
  check(options.name, 'collectionIdBits', features.collectionIdBits, 1, 16);
  check(options.name, 'hardwareCollections', features.hardwareCollections, 0, 255);
  check(options.name, 'intidBits', options.intidBits ?? 16, 14, 24);
  return features;
}

function check(its: string, option: string, value: number, least: number, most: number): void {
  if (Number.isInteger(value) && value >= least && value <= most) return;
  throw new RangeError(`${its}: ${option} ${value} is not within ${least} to ${most}`);
}
