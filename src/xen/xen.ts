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
import type { ChosenBank } from './dom0less/static-memory.js';
import type { Gfn, Mfn } from './frames.js';
import type { Gic } from './gic/driver.js';
import type { IrqDescriptor } from './irq/descriptor.js';
import type { DomainLpis, ItsState } from './its/state.js';
import type { MmioHandler } from './mmio.js';
import type { P2mType } from './p2m-layout.js';
import type { RangeSet } from './range-set.js';
import type { XenSteps } from './steps.js';
import type { TagBitmap } from './tags.js';
import type { Vgic, VgicCpu } from './vgic/state.js';
import type { VpciDevice } from './vpci/state.js';

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
  readonly iommus: Iommu[];
  /** PCI devices by segment. */
  readonly segments: Map<number, PciSegment>;
  /** Platform devices by the path of their node. */
  readonly dtDevices: Map<string, DtDevice>;
  readonly domains: Map<number, Domain>;
  /** Owner of quarantined devices; has no memory and no vCPU. */
  domIo: Domain;
  /** The domain that was created last; the search for a free id goes on behind it. */
  lastDomid: number;
  /** Which vCPU is on which CPU. */
  readonly running: (Vcpu | undefined)[];
  /** The CPU that Xen now executes on. */
  cpu: number;
  /** The machine's interrupt controller; undefined if it has none that Xen knows. */
  gic: Gic | undefined;
  /** What Xen knows of physical interrupts, by INTID. */
  readonly irqs: Map<number, IrqDescriptor>;
  /** The machine's translation services, and the LPIs that they raise. */
  readonly its: ItsState;
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
  /** Machine frames of registers that a domain can be given: no RAM, nothing that Xen keeps. */
  readonly iomem: RangeSet;
  /** RAM that domains of `/chosen` name as theirs. */
  readonly staticBanks: readonly ChosenBank[];
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
  /** Its RAM is where the machine has it (gfn equals mfn), and so are the registers that Xen emulates for it. */
  readonly directMapped: boolean;
  /** Physical interrupts that it may be given. */
  readonly irqs: RangeSet;
  /** Registers that Xen emulates for it. */
  readonly mmioHandlers: MmioHandler[];
  vgic: Vgic | undefined;
  /** Its translation services and its LPIs. */
  readonly its: DomainLpis;
  /** Platform devices that it owns. */
  readonly dtDevices: DtDevice[];
  /** The device tree that it finds at its start: guest address and size in bytes. */
  fdt: { readonly address: number; readonly size: number } | undefined;
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
  vgic: VgicCpu | undefined;
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
  readonly kind: 'pci';
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
  /** Device/Port Type of its PCI Express capability; undefined for conventional PCI. */
  readonly portType: number | undefined;
  /** Its header says that its device has several functions. */
  readonly multiFunction: boolean;
  /** Buses behind it, if it is a bridge that firmware configured. */
  readonly buses: { readonly secondary: number; readonly subordinate: number } | undefined;
  /** Access Control Services are on as Xen wants them: its requests, or those that it passes on, are not redirected. */
  isolated: boolean;
  /** What its owner sees of it in configuration space; undefined while nobody does. */
  vpci: VpciDevice | undefined;
}

/** An interrupt of a device, as the host's device tree gives it. */
export interface DeviceInterrupt {
  /** INTID. */
  readonly irq: number;
  readonly type: 'edge' | 'level';
}

/** A device that only the device tree describes. */
export interface DtDevice {
  readonly kind: 'dt';
  /** Its node in the host's device tree. */
  readonly node: DeviceNode;
  /** Whom it is assigned to. */
  domain: Domain | undefined;
  /** `xen,passthrough`: the hardware domain does not get it. */
  readonly reserved: boolean;
  /** Its registers, as bytes of the machine's address space. */
  readonly regions: readonly ByteSpan[];
  readonly interrupts: readonly DeviceInterrupt[];
  /** Its identity at an IOMMU; undefined if it is behind none. */
  master: IommuMaster | undefined;
  /** What its node says of it cannot be used, as the console tells: nobody gets it. */
  broken: boolean;
}

/** A device that can be assigned. */
export type Device = PciDevice | DtDevice;

/** A memory BAR, from its CPU's side. */
export interface Bar {
  readonly index: number;
  readonly address: number;
  readonly size: number;
}

/** An IOMMU of the machine. */
export type Iommu = Smmu | Ipmmu;

/** A device as an IOMMU knows it. */
export interface IommuMaster {
  readonly iommu: Iommu;
  /** Stream ids of an SMMU, micro-TLBs of an IPMMU. */
  readonly streamIds: readonly number[];
  context: IommuContext | undefined;
}

/** A translation that devices can be attached to. */
export interface IommuContext<Kind extends Iommu = Iommu> {
  readonly domain: Domain;
  /** 0: the domain's p2m. */
  readonly number: number;
  readonly iommu: Kind;
  /** Root of its tables. */
  readonly root: Mfn;
  readonly format: P2mFormat;
  /** What the IOMMU's cached translations are tagged with: the VMID of an SMMU, the context number of an IPMMU. */
  readonly tag: number;
  readonly devices: Set<Device>;
}

/** The context and the number of attached devices behind a stream in use. */
export interface StreamUse {
  readonly context: IommuContext;
  devices: number;
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
  /** It can send its interrupts as messages. */
  readonly msi: boolean;
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
  readonly kind: 'smmuv3';
  readonly node: DeviceNode;
  readonly base: Pa;
  features: SmmuFeatures;
  streamTable: StreamTable;
  commandQueue: SmmuQueue;
  eventQueue: SmmuQueue;
  vmids: TagBitmap;
  /** By stream id. */
  readonly streams: Map<number, StreamUse>;
  /** It could not be brought up; all its traffic aborts. */
  disabled: boolean;
}

/** Where a generation of IPMMUs has its registers, and how many of what. */
export interface IpmmuFeatures {
  readonly contexts: number;
  readonly microTlbs: number;
  readonly contextBase: number;
  readonly contextStride: number;
  readonly microTlbBase: number;
  readonly controlBase: number;
}

/** An IPMMU-VMSA instance: the main one, which walks tables, or a cache in front of devices. */
export interface Ipmmu {
  readonly kind: 'ipmmu';
  readonly node: DeviceNode;
  readonly base: Pa;
  readonly features: IpmmuFeatures;
  /** The instance that walks for this one; undefined: it is one itself. */
  readonly main: Ipmmu | undefined;
  /** Context numbers, of a main instance. 0 is never given: micro-TLBs of nobody are parked there. */
  readonly contexts: TagBitmap;
  /** By micro-TLB. */
  readonly streams: Map<number, StreamUse>;
  /** It could not be brought up, or the instance that walks for it. */
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
