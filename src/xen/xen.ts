/**
 * Xen's state. Steps (see `steps.ts`) work on it; nothing else does.
 *
 * Words are Xen's: a domain has a p2m (its stage-2 tables, shared by CPUs and IOMMUs), owns PCI devices by sbdf, and its
 * devices are attached to contexts of IOMMUs.
 */

import type { DeviceNode, DeviceTree } from '../firmware/tree.js';
import type { Pa } from '../hw/address.js';
import type { Machine, Sbdf } from '../hw/machine.js';
import type { FrameHeap } from './boot/heap.js';
import type { BootOptions } from './boot/options.js';
import type { Gfn, Mfn } from './frames.js';
import type { P2mType } from './p2m-layout.js';
import type { RangeSet } from './range-set.js';
import type { XenSteps } from './steps.js';
import type { TagBitmap } from './tags.js';

/** The hypervisor as it stands. */
export interface Xen {
  readonly machine: Machine;
  /** The composition: a step reaches every other step through here. */
  readonly steps: XenSteps;
  /** Lines printed so far. */
  readonly console: string[];
  readonly heap: FrameHeap;
  options: BootOptions;
  /** The machine as its firmware describes it. */
  platform: Platform;
  format: P2mFormat;
  /** VMIDs of the CPUs. */
  vmids: TagBitmap;
  readonly smmus: Smmu[];
  /** PCI devices by segment. */
  readonly segments: Map<number, PciSegment>;
  readonly domains: Map<number, Domain>;
  /** Owner of quarantined devices; has no memory and no vCPU. */
  domIo: Domain;
  /** The domain that was created last; the search for a free id goes on behind it. */
  lastDomid: number;
  /** Which vCPU is on which CPU. */
  readonly running: (Vcpu | undefined)[];
  /** The CPU that Xen now executes on. */
  cpu: number;
}

/** What firmware says of the machine. */
export interface Platform {
  readonly tree: DeviceTree;
  /** RAM as byte ranges. */
  readonly memory: readonly ByteSpan[];
  /** Bytes of RAM that are not Xen's to use: the tree's blob, reserved memory. */
  readonly reserved: readonly ByteSpan[];
  readonly cpus: number;
  readonly hostBridges: readonly HostBridge[];
}

/** A run of bytes in the machine's address space. */
export interface ByteSpan {
  readonly address: number;
  readonly size: number;
}

/** A PCI host bridge with its segment (xen/arch/arm/pci/pci-host-common.c). */
export interface HostBridge {
  readonly node: DeviceNode;
  readonly segment: number;
  readonly firstBus: number;
  readonly lastBus: number;
  /** Configuration space of {@link firstBus} and up. */
  readonly ecam: ByteSpan;
  readonly windows: readonly HostBridgeWindow[];
}

/** A window of a host bridge onto PCI memory space. */
export interface HostBridgeWindow {
  /** Address on the PCI bus. */
  readonly bus: number;
  /** Address that CPUs use. */
  readonly address: number;
  readonly size: number;
}

/** The form of all p2m tables of this machine. */
export interface P2mFormat {
  /** Size of guest physical addresses. */
  readonly ipaBits: number;
  /** Level at which walks begin. */
  readonly rootLevel: number;
  /** log2 of the number of concatenated root tables. */
  readonly rootOrder: number;
  /** Size of the CPUs' physical addresses, as PARange and VTCR_EL2.PS encode it. */
  readonly paRange: number;
}

/** A domain's stage-2 tables. */
export interface P2m {
  readonly domain: Domain;
  root: Mfn;
  /** Tables below the root. */
  readonly tables: Set<Mfn>;
  /** Entries were removed that may still be cached. */
  stale: boolean;
  /** Tables that are no longer linked, but that a cached walk may still reach. */
  readonly unlinked: Mfn[];
  /** Tag of the CPUs' TLB entries. */
  vmid: number;
}

/** Frames of a domain's RAM that are adjacent on both sides. */
export interface RamRun {
  readonly gfn: Gfn;
  readonly mfn: Mfn;
  readonly count: number;
}

/** A domain. */
export interface Domain {
  readonly domid: number;
  /** As the console prints it: `d1`, `d[IO]`. */
  readonly name: string;
  readonly vcpus: readonly Vcpu[];
  /** Undefined for system domains, and before creation is done with it. */
  p2m: P2m | undefined;
  /** Whether its devices may use an IOMMU. */
  iommuEnabled: boolean;
  dying: boolean;
  /** RAM, in the order in which it was mapped. */
  ram: RamRun[];
  /** Device registers that are mapped. */
  mmio: RamRun[];
  /** Machine frames of device registers that it may map. */
  readonly iomem: RangeSet;
  /** BARs that it sees elsewhere than the device has them. */
  readonly barPlaces: readonly BarPlace[];
  /** PCI devices that it owns. */
  readonly devices: PciDevice[];
  /** Its contexts of IOMMUs; number 0 on each is its p2m. */
  readonly contexts: IommuContext[];
}

/** Where a domain sees a BAR. */
export interface BarPlace {
  readonly sbdf: Sbdf;
  readonly index: number;
  readonly gfn: Gfn;
}

/** A virtual CPU. */
export interface Vcpu {
  readonly domain: Domain;
  readonly vcpu: number;
}

/** The PCI devices of a segment. */
export interface PciSegment {
  readonly segment: number;
  /** By bus << 8 | devfn. */
  readonly devices: Map<number, PciDevice>;
}

/** What the hardware domain says of a device when it adds it. */
export interface PciDeviceInfo {
  readonly extendedFunction: boolean;
  /** Set for a virtual function: bus and devfn of its physical function. */
  readonly physicalFunction: { readonly bus: number; readonly devfn: number } | undefined;
}

/** A PCI function that Xen knows. */
export interface PciDevice {
  readonly sbdf: Sbdf;
  readonly bridge: HostBridge | undefined;
  /** Header type without the multi-function bit: 0 endpoint, 1 bridge. */
  readonly headerType: number;
  info: PciDeviceInfo;
  domain: Domain | undefined;
  /** It goes to quarantine rather than to the hardware domain when its owner loses it. */
  quarantine: boolean;
  /** Its state is unknown; no guest gets it. */
  broken: boolean;
  /** Distance of its phantom functions, 0 if it has none. */
  phantomStride: number;
  readonly virtualFunctions: PciDevice[];
  bars: readonly Bar[];
  /** Its identity at an IOMMU. */
  master: IommuMaster | undefined;
}

/** A memory BAR, from its CPU's side. */
export interface Bar {
  readonly index: number;
  readonly address: number;
  readonly size: number;
}

/** A device as an IOMMU knows it. */
export interface IommuMaster {
  readonly smmu: Smmu;
  readonly streamIds: readonly number[];
  context: IommuContext | undefined;
}

/** A translation that devices can be attached to. */
export interface IommuContext {
  readonly domain: Domain;
  /** 0: the domain's p2m. */
  readonly number: number;
  readonly smmu: Smmu;
  /** Root of its tables. */
  readonly root: Mfn;
  readonly format: P2mFormat;
  /** What the IOMMU's cached translations are tagged with: the VMID. */
  readonly tag: number;
  readonly devices: Set<PciDevice>;
}

/** A queue shared with an SMMU. */
export interface SmmuQueue {
  readonly base: Pa;
  readonly log2Size: number;
  /** Index with its wrap bit. */
  prod: number;
  cons: number;
}

/** What an SMMU offers (its ID registers). */
export interface SmmuFeatures {
  readonly stage2: boolean;
  readonly aarch64: boolean;
  readonly granule4k: boolean;
  readonly twoLevelTable: boolean;
  readonly hyp: boolean;
  readonly ats: boolean;
  readonly streamIdBits: number;
  readonly vmidBits: number;
  /** Output address size as IDR5.OAS and STE.S2PS encode it, and in bits. */
  readonly oas: number;
  readonly outputBits: number;
  readonly commandQueueLog2: number;
  readonly eventQueueLog2: number;
}

/** The stream table of an SMMU. */
export interface StreamTable {
  readonly base: Pa;
  /** log2 of the number of stream ids. */
  readonly log2Size: number;
  /** Bits of a stream id that index a second-level table; undefined if the table is linear. */
  readonly split: number | undefined;
  /** Second-level tables by first-level index. */
  readonly level2: Map<number, Pa>;
}

/** An SMMUv3. */
export interface Smmu {
  readonly node: DeviceNode;
  readonly base: Pa;
  features: SmmuFeatures;
  streamTable: StreamTable;
  commandQueue: SmmuQueue;
  eventQueue: SmmuQueue;
  vmids: TagBitmap;
  /** The context and the number of attached devices behind each stream id in use. */
  readonly streams: Map<number, { readonly context: IommuContext; devices: number }>;
  /** It could not be brought up; all its traffic aborts. */
  disabled: boolean;
}

/** A mapping as a walk finds it. */
export interface P2mMapping {
  readonly mfn: Mfn;
  readonly type: P2mType;
  /** Level of the entry. */
  readonly level: number;
}

/** Prints a line on Xen's console. */
export function print(xen: Xen, line: string): void {
  xen.console.push(`(XEN) ${line}`);
}
