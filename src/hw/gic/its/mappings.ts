/**
 * What the ITS knows of devices, events and collections: the tables in memory, and its caches of them. Arm IHI 0069
 * 5.2, and for what is cached 5.3 (MAPD, DISCARD, SYNC).
 *
 * An entry is cached when it is first used. A command that changes an entry writes it to memory and drops it from the
 * cache; memory that changes otherwise is not looked at again. Two things go on after their command: a device that was
 * unmapped (MAPD with V = 0) and an event that was discarded are still translated, if they were cached, until a SYNC
 * completes. A new MAPD of the device, a new MAPTI or MAPI of the event, ends that too.
 */
import { encode, get, getAddress, put, putAddress } from '../../bits.js';
import type { PhysicalMemory } from '../../memory.js';
import type { HardwareEvent } from '../../observer.js';
import type { LpiTarget } from '../lpi.js';
import { CTE, DTE, FIRST_LPI, ITE } from './layout.js';
import { capacity, entryAddress, NOT_ALLOCATED, TABLE_ABORT, type Table } from './tables.js';

/** Why there is no mapping. */
export type Missing = 'out of range' | 'unmapped' | 'external abort';

/** A cached interrupt translation entry. */
export interface Translation {
  readonly intid: number;
  readonly icid: number;
  /** Where its last message went, and what was told of it. */
  target: LpiTarget | undefined;
  message: HardwareEvent | undefined;
}

/** A cached device table entry, with what is cached of its ITT. */
export interface Device {
  readonly id: number;
  readonly ittAddress: number;
  readonly eventBits: number;
  readonly events: Map<number, Translation>;
  /** Events that were discarded and may still be translated. */
  readonly discarded: Map<number, Translation>;
}

/** What the mappings need to know of the ITS. */
export interface MappingOptions {
  readonly memory: PhysicalMemory;
  readonly targets: readonly LpiTarget[];
  /** GITS_TYPER.PTA: RDbase is an address rather than a processor number. */
  readonly pta: boolean;
  readonly deviceBits: number;
  readonly collectionIdBits: number;
  readonly intidBits: number;
  readonly ittEntryBytes: number;
  /** Collections that the ITS holds itself while no collection table is valid (GITS_TYPER.HCC). */
  readonly hardwareCollections: number;
}

const NO_TABLE: Table = { valid: false, indirect: false, base: 0, pageBytes: 4096, entryBytes: 8, bytes: 0 };

/** Devices, events and collections. */
export class Mappings {
  readonly #options: MappingOptions;
  readonly #targets = new Map<number, LpiTarget>();
  readonly #devices = new Map<number, Device>();
  readonly #unmapped = new Map<number, Device>();
  readonly #discarding = new Set<Device>();
  readonly #collections = new Map<number, LpiTarget>();
  /** RDbase by ICID, of the collections that are held here. */
  readonly #held = new Map<number, number>();
  readonly #words = new Uint32Array(2);
  #deviceTable = NO_TABLE;
  #collectionTable = NO_TABLE;

  constructor(options: MappingOptions) {
    this.#options = options;
    for (const target of options.targets) {
      this.#targets.set(options.pta ? target.address / 2 ** 16 : target.processorNumber, target);
    }
  }

  /** Takes over the tables of GITS_BASER<n>, with cold caches. */
  setTables(devices: Table, collections: Table): void {
    this.#deviceTable = devices;
    this.#collectionTable = collections;
    this.drop();
  }

  /** Empties the caches. */
  drop(): void {
    this.#devices.clear();
    this.#collections.clear();
    this.synchronize();
  }

  /** Ends what goes on after an unmapping: a SYNC completes. */
  synchronize(): void {
    this.#unmapped.clear();
    for (const device of this.#discarding) device.discarded.clear();
    this.#discarding.clear();
  }

  /** The redistributor that a RDbase names, if there is one. */
  target(rdbase: number): LpiTarget | undefined {
    return this.#targets.get(rdbase);
  }

  /** Whether an INTID is that of an LPI that the ITS can make pending. */
  isLpi(intid: number): boolean {
    return intid >= FIRST_LPI && intid < 2 ** this.#options.intidBits;
  }

  // ---- Devices ------------------------------------------------------------------------------------------------------

  /** The device of a message: also one whose unmapping has not been synchronized. */
  sendingDevice(id: number): Device | Missing {
    return this.#devices.get(id) ?? this.#unmapped.get(id) ?? this.#readDevice(id);
  }

  /** The device that a command names, as the device table has it now. */
  device(id: number): Device | Missing {
    return this.#devices.get(id) ?? this.#readDevice(id);
  }

  /** Whether there is memory for the entry of a device. An entry that cannot be reached counts as memory. */
  hasDevice(id: number): boolean {
    return this.#deviceEntry(id) !== NOT_ALLOCATED;
  }

  #deviceEntry(id: number): number {
    return id < 2 ** this.#options.deviceBits
      ? entryAddress(this.#deviceTable, id, this.#options.memory)
      : NOT_ALLOCATED;
  }

  #readDevice(id: number): Device | Missing {
    const words = this.#words;
    const at = this.#deviceEntry(id);
    if (at < 0) return missing(at);
    if (!this.#options.memory.loadWords(at, words, 2)) return 'external abort';
    if (get(words, DTE.VALID) === 0) return 'unmapped';
    const device: Device = {
      id,
      ittAddress: getAddress(words, DTE.ITT_ADDRESS),
      eventBits: get(words, DTE.SIZE) + 1,
      events: new Map(),
      discarded: new Map(),
    };
    this.#devices.set(id, device);
    return device;
  }

  /** MAPD with V = 1. Undefined: it was mapped. */
  mapDevice(id: number, ittAddress: number, eventBits: number): Missing | undefined {
    const entry = encode(DTE, 64, { VALID: 1, SIZE: eventBits - 1 });
    putAddress(entry, DTE.ITT_ADDRESS, ittAddress);
    const failure = this.#write(this.#deviceEntry(id), entry);
    if (failure !== undefined) return failure;
    this.#devices.delete(id);
    this.#unmapped.delete(id);
    return undefined;
  }

  /** MAPD with V = 0. Undefined: it was unmapped; if it was cached, messages still find it until a SYNC. */
  unmapDevice(id: number): Missing | undefined {
    const failure = this.#write(this.#deviceEntry(id), new Uint32Array(2));
    if (failure !== undefined) return failure;
    const device = this.#devices.get(id);
    if (device === undefined) return undefined;
    this.#devices.delete(id);
    this.#unmapped.set(id, device);
    return undefined;
  }

  // ---- Events -------------------------------------------------------------------------------------------------------

  /** The translation of a message: also one whose discarding has not been synchronized. */
  sendingTranslation(device: Device, eventId: number): Translation | Missing {
    return device.events.get(eventId) ?? device.discarded.get(eventId) ?? this.#readTranslation(device, eventId);
  }

  /** The translation that a command names, as the ITT has it now. */
  translation(device: Device, eventId: number): Translation | Missing {
    return device.events.get(eventId) ?? this.#readTranslation(device, eventId);
  }

  #translationEntry(device: Device, eventId: number): number {
    return eventId < 2 ** device.eventBits ? device.ittAddress + eventId * this.#options.ittEntryBytes : NOT_ALLOCATED;
  }

  #readTranslation(device: Device, eventId: number): Translation | Missing {
    const words = this.#words;
    const at = this.#translationEntry(device, eventId);
    if (at < 0) return missing(at);
    if (!this.#options.memory.loadWords(at, words, 2)) return 'external abort';
    if (get(words, ITE.VALID) === 0) return 'unmapped';
    const translation: Translation = {
      intid: get(words, ITE.INTID),
      icid: get(words, ITE.ICID),
      target: undefined,
      message: undefined,
    };
    device.events.set(eventId, translation);
    return translation;
  }

  /** MAPTI, MAPI and MOVI: writes an ITT entry. Undefined: it was mapped. */
  mapEvent(device: Device, eventId: number, intid: number, icid: number): Missing | undefined {
    const entry = new Uint32Array(this.#options.ittEntryBytes / 4);
    put(entry, ITE.VALID, 1);
    put(entry, ITE.INTID, intid);
    put(entry, ITE.ICID, icid);
    const failure = this.#write(this.#translationEntry(device, eventId), entry);
    if (failure !== undefined) return failure;
    device.events.delete(eventId);
    device.discarded.delete(eventId);
    return undefined;
  }

  /** DISCARD. Undefined: it was unmapped; if it was cached, messages still find it until a SYNC. */
  discardEvent(device: Device, eventId: number): Missing | undefined {
    const entry = new Uint32Array(this.#options.ittEntryBytes / 4);
    const failure = this.#write(this.#translationEntry(device, eventId), entry);
    if (failure !== undefined) return failure;
    const translation = device.events.get(eventId);
    if (translation === undefined) return undefined;
    device.events.delete(eventId);
    device.discarded.set(eventId, translation);
    this.#discarding.add(device);
    return undefined;
  }

  // ---- Collections --------------------------------------------------------------------------------------------------

  /** Whether the ITS has room for a collection. */
  hasCollection(icid: number): boolean {
    const { collectionIdBits, hardwareCollections } = this.#options;
    if (icid >= 2 ** collectionIdBits) return false;
    return icid < (this.#collectionTable.valid ? capacity(this.#collectionTable) : hardwareCollections);
  }

  /** The redistributor that a collection is mapped to. */
  collection(icid: number): LpiTarget | Missing {
    return this.#collections.get(icid) ?? this.#readCollection(icid);
  }

  #readCollection(icid: number): LpiTarget | Missing {
    if (!this.hasCollection(icid)) return 'out of range';
    let rdbase = this.#held.get(icid);
    if (this.#collectionTable.valid) {
      const words = this.#words;
      const at = entryAddress(this.#collectionTable, icid, this.#options.memory);
      if (at < 0) return missing(at);
      if (!this.#options.memory.loadWords(at, words, 2)) return 'external abort';
      rdbase = get(words, CTE.VALID) === 1 ? get(words, CTE.RDBASE) : undefined;
    }
    const target = rdbase === undefined ? undefined : this.#targets.get(rdbase);
    if (target === undefined) return 'unmapped';
    this.#collections.set(icid, target);
    return target;
  }

  /** MAPC; `rdbase` undefined for V = 0. Undefined: it was written. */
  mapCollection(icid: number, rdbase: number | undefined): Missing | undefined {
    if (!this.hasCollection(icid)) return 'out of range';
    if (this.#collectionTable.valid) {
      const entry = rdbase === undefined ? new Uint32Array(2) : encode(CTE, 64, { VALID: 1, RDBASE: rdbase });
      const failure = this.#write(entryAddress(this.#collectionTable, icid, this.#options.memory), entry);
      if (failure !== undefined) return failure;
    } else if (rdbase === undefined) {
      this.#held.delete(icid);
    } else {
      this.#held.set(icid, rdbase);
    }
    this.#collections.delete(icid);
    return undefined;
  }

  // -------------------------------------------------------------------------------------------------------------------

  #write(at: number, entry: Uint32Array): Missing | undefined {
    if (at < 0) return missing(at);
    return this.#options.memory.storeWords(at, entry) ? undefined : 'external abort';
  }

  /** The collections that are held here, as plain data: ICID and RDbase. */
  saveCollections(): number[][] {
    return [...this.#held].sort(([a], [b]) => a - b);
  }

  /** Takes over saved collections. */
  loadCollections(saved: readonly (readonly number[])[]): void {
    this.#held.clear();
    for (const [icid, rdbase] of saved) this.#held.set(icid as number, rdbase as number);
  }
}

function missing(at: number): Missing {
  return at === TABLE_ABORT ? 'external abort' : 'out of range';
}
