/**
 * State of interrupt translation: the machine's translation services (ITS) with the LPIs that they raise, and what guests
 * see of them.
 */
import type { DeviceNode } from '../../firmware/tree.js';
import type { Pa } from '../../hw/address.js';
import type { Value64 } from '../../hw/machine.js';
import type { PendingIrq } from '../vgic/state.js';
import type { Domain, PciDevice, Vcpu, Xen } from '../xen.js';

/** LPIs are given in blocks of this many (xen/arch/arm/include/asm/gic_v3_its.h, LPI_BLOCK). */
export const LPI_BLOCK = 32;
/** Bits of INTID of guests with LPIs, and the most that Xen uses of the machine's: 8192 LPIs. */
export const LPI_ID_BITS = 14;

/** The LPIs of the machine. */
export interface HostLpis {
  /** Bits of INTID (GICR_PROPBASER.IDbits + 1). */
  readonly idBits: number;
  /** The property table of all redistributors. */
  readonly properties: Pa;
  /** By INTID, from INTID 8192. Undefined: nobody's. */
  readonly entries: (HostLpi | undefined)[];
  /** First INTIDs of free blocks, the next to give last. */
  readonly freeBlocks: number[];
}

/** An LPI that an event of a device raises. */
export interface HostLpi {
  readonly intid: number;
  readonly device: HostItsDevice;
  readonly event: number;
  /** The CPU that it goes to, and the collection that it is in. */
  cpu: number;
  /** Xen's own: what is done about it. */
  handler: ((xen: Xen) => void) | undefined;
  /** A guest's: what it is to the guest. More than one only where several functions have one DeviceID. */
  readonly bindings: VirtualEvent[];
}

/** An ITS. */
export interface HostIts {
  readonly node: DeviceNode;
  /** ITS_base. */
  readonly base: Pa;
  /** Bits of a DeviceID and of an EventID. */
  deviceBits: number;
  eventBits: number;
  /** Bytes of an interrupt translation table for each event. */
  ittEntryBytes: number;
  /** GITS_TYPER.PTA: commands name a redistributor by its address, not by its number. */
  redistributorByAddress: boolean;
  /** GITS_TYPER.HCC: collections that need no memory. */
  ownCollections: number;
  /** The device table, if it has two levels. */
  deviceTable: IndirectTable | undefined;
  queue: HostItsQueue;
  /** By DeviceID. */
  readonly devices: Map<number, HostItsDevice>;
  /** It could not be brought up: no device gets messages through it. */
  disabled: boolean;
}

/** The device table of two levels. */
export interface IndirectTable {
  readonly level1: Pa;
  /** Bytes of a level 2 table, and devices in it. */
  readonly pageBytes: number;
  readonly devicesPerPage: number;
  /** Level 1 entries that have a level 2 table. */
  readonly pages: Set<number>;
}

/** The command queue. */
export interface HostItsQueue {
  readonly base: Pa;
  /** Commands that it holds. */
  readonly entries: number;
  /** Where the next command goes, and up to where the ITS was seen to have come. */
  write: number;
  read: number;
}

/** A device with an interrupt translation table. */
export interface HostItsDevice {
  readonly its: HostIts;
  readonly deviceId: number;
  /** Number of events, a power of two. */
  readonly events: number;
  readonly itt: { readonly address: Pa; readonly order: number };
  /** By event. */
  readonly lpis: readonly HostLpi[];
  /** Whose it is; undefined: Xen's. */
  readonly domain: Domain | undefined;
  /** The functions with its DeviceID. */
  readonly users: Set<PciDevice>;
  /** Xen's: events that have a handler. */
  used: number;
  /** How far its end has come: events that are discarded, and whether the service was told to forget it. */
  discarded: number;
  forgotten: boolean;
}

/** Where a device sends its messages. */
export interface TranslatedId {
  readonly its: HostIts;
  readonly deviceId: number;
}

/** What the machine has of interrupt translation. */
export interface ItsState {
  readonly services: HostIts[];
  /** Undefined: no LPIs. */
  lpis: HostLpis | undefined;
}

/** A guest's ITS. */
export interface VirtualIts {
  readonly domain: Domain;
  /** Whose doorbell the guest's devices reach through it. */
  readonly host: HostIts;
  /** Guest address of ITS_base. */
  readonly address: number;
  readonly deviceBits: number;
  readonly eventBits: number;
  /** GITS_CTLR.Enabled. */
  enabled: boolean;
  cbaser: Value64;
  /** GITS_CWRITER and GITS_CREADR as byte offsets. */
  cwriter: number;
  creadr: number;
  /** GITS_CREADR.Stalled: the command at CREADR cannot be read. */
  stalled: boolean;
  /** GITS_BASER0, the device table, and GITS_BASER1, the collection table. */
  readonly baser: [devices: Value64, collections: Value64];
  /** Where each collection goes, by ICID. */
  readonly collections: Map<number, Vcpu>;
  /** The devices that the domain has been given, by the DeviceID that it knows. */
  readonly devices: Map<number, VirtualItsDevice>;
  /** Commands that could not be executed, so far. */
  errors: number;
}

/** A device as a guest's ITS knows it. */
export interface VirtualItsDevice {
  readonly vits: VirtualIts;
  readonly deviceId: number;
  /** The functions that have it: more than one only of the hardware domain. */
  readonly functions: Set<PciDevice>;
  readonly host: TranslatedId;
  /** Number of events that the guest has mapped it with (MAPD); 0: it has not. */
  events: number;
  /** By EventID. */
  readonly mapped: Map<number, VirtualEvent>;
}

/** An event that a guest has mapped to an LPI. */
export interface VirtualEvent {
  readonly device: VirtualItsDevice;
  readonly event: number;
  readonly irq: PendingIrq;
  icid: number;
}

/** An LPI of a guest. */
export interface VirtualLpi {
  readonly irq: PendingIrq;
  /** Events that are mapped to it. */
  users: number;
}

/** What a domain has of interrupt translation. */
export interface DomainLpis {
  readonly services: VirtualIts[];
  /** By INTID. */
  readonly lpis: Map<number, VirtualLpi>;
  /** By vCPU whose LPIs are enabled: one past the largest INTID that it has. */
  readonly limits: number[];
}
