/**
 * The machine's interrupt controller as Xen knows it, and what its drivers offer. Two drivers: GICv3 and GICv2.
 *
 * Registers of the CPU interface, of the list registers and of private interrupts are those of one CPU, and only Xen's
 * code on that CPU reaches them: `cpu` is the CPU that Xen runs on.
 */
import type { DeviceNode } from '../../firmware/tree.js';
import type { PendingIrq, VgicCpu } from '../vgic/state.js';
import type { ByteSpan, Xen } from '../xen.js';

/** How an interrupt is signalled: GICD_ICFGR, and the flags of an interrupt specifier. */
export type IrqType = 'edge' | 'level';

/** SGIs that CPUs send each other. */
export const SGI = {
  /** Look at the queue of the vCPU that runs. */
  EVENT_CHECK: 0,
  /** Run what another CPU asks for. */
  CALL_FUNCTION: 2,
} as const;

/** Priorities of Xen's SGIs and of everything else. Guests' priorities are their own affair. */
export const PRIORITY = { IPI: 0x90, IRQ: 0xa0 } as const;

/** INTIDs from 1020 to 1023 are no interrupts (Arm IHI 0069 2.2.1, Arm IHI 0048B.b 3.2.5). */
export const SPECIAL = { FIRST: 1020, LAST: 1023 } as const;
/** First LPI (Arm IHI 0069 2.2). */
export const FIRST_LPI = 8192;
/** First PPI and first SPI. */
export const FIRST_PPI = 16;
export const FIRST_SPI = 32;
/** Xen looks at no more list registers than this: they are a bit each in a word. */
export const LIST_REGISTERS_LIMIT = 31;

/** State of a list register; of both versions (Arm IHI 0069 12.4, ICH_LR<n>_EL2; Arm IHI 0048B.b 5.3.8). */
export const LR_STATE = { INVALID: 0, PENDING: 1, ACTIVE: 2, PENDING_ACTIVE: 3 } as const;

/** The affinity of a CPU (MPIDR_EL1): what tells its redistributor, and what interrupts are sent to. */
export interface Affinity {
  readonly Aff0: number;
  readonly Aff1: number;
  readonly Aff2: number;
  readonly Aff3: number;
}

/** A redistributor. */
export interface Redistributor {
  readonly cpu: number;
  /** Of its RD_base frame. */
  readonly address: number;
  /** GICR_TYPER.Processor_Number. */
  readonly processorNumber: number;
  /** GICR_TYPER.PLPIS: it has physical LPIs. */
  readonly lpis: boolean;
}

/** The controller. */
export interface Gic {
  readonly version: 2 | 3;
  readonly node: DeviceNode;
  readonly distributor: ByteSpan;
  /** GICv3: where the redistributors are, and the distance between them if the tree tells it. */
  readonly redistributorRegions: readonly ByteSpan[];
  readonly redistributorStride: number;
  /** GICv3: by CPU. */
  readonly redistributors: (Redistributor | undefined)[];
  /** GICv3: by CPU, once asked for. */
  readonly affinities: (Affinity | undefined)[];
  /** GICv2: GICC, GICH and GICV. */
  readonly cpuInterface: ByteSpan | undefined;
  readonly hypervisorInterface: ByteSpan | undefined;
  readonly virtualInterface: ByteSpan | undefined;
  /** The maintenance interrupt. */
  readonly maintenance: number;
  /** INTIDs of SGIs, PPIs and SPIs are below this. */
  lines: number;
  /** Bits of an IAR that are the INTID. */
  readonly intidMask: number;
  /** What the list registers offer, the same on every CPU. */
  listRegisters: number;
  /** Implemented bits of a virtual priority, in a byte. */
  priorityMask: number;
  /** Registers of active priorities of each group. */
  activePriorityRegisters: number;
  /** GICv2: the bit of each CPU in target fields. */
  readonly targets: number[];
  /** What other CPUs ask each CPU to run. */
  readonly calls: ((xen: Xen) => void)[][];
}

/** What a driver does. Every function is a step of its own. */
export interface GicDriver {
  /** The controller of a node of the device tree. Undefined: the node lacks what the driver needs. */
  discover(xen: Xen, node: DeviceNode): Gic | undefined;
  /** Brings the distributor up: everything off, of Xen's priority, to CPU 0. Returns 0 or -EIO. */
  initDistributor(xen: Xen, gic: Gic): number;
  /** Brings one CPU's part up. Returns 0 or a negative error code. */
  initCpu(xen: Xen, gic: Gic, cpu: number): number;

  /** Acknowledges an interrupt. Returns what the register holds: INTID, and on a GICv2 who sent an SGI. */
  readIar(xen: Xen, cpu: number): number;
  /** Drops the priority of an acknowledged interrupt; it stays active. */
  eoi(xen: Xen, cpu: number, acknowledged: number): void;
  /** Deactivates an acknowledged interrupt. */
  deactivate(xen: Xen, cpu: number, acknowledged: number): void;
  /** Sends an SGI to a CPU. */
  sendSgi(xen: Xen, to: number, sgi: number): void;

  /** Enables an interrupt; a private one on `cpu`. */
  enable(xen: Xen, irq: number, cpu: number): void;
  /** Disables an interrupt and waits until no CPU is offered it any more. */
  disable(xen: Xen, irq: number, cpu: number): void;
  setType(xen: Xen, irq: number, type: IrqType): void;
  setPriority(xen: Xen, irq: number, priority: number): void;
  /** Has an SPI go to a CPU. */
  setAffinity(xen: Xen, irq: number, cpu: number): void;
  /** Whether an SPI is pending. */
  isPending(xen: Xen, irq: number): boolean;
  setPending(xen: Xen, irq: number): void;
  clearPending(xen: Xen, irq: number): void;
  setActive(xen: Xen, irq: number): void;
  clearActive(xen: Xen, irq: number): void;

  /** The two words of a list register, least significant first, for an interrupt in a state. */
  encodeLr(xen: Xen, irq: PendingIrq, state: number, out: Uint32Array): void;
  writeLr(xen: Xen, cpu: number, lr: number, irq: PendingIrq, state: number): void;
  clearLr(xen: Xen, cpu: number, lr: number): void;
  readLrState(xen: Xen, cpu: number, lr: number): number;
  /** A bit for each list register that is invalid. */
  emptyLrs(xen: Xen, cpu: number): number;
  /** The virtual interface on, asking for the maintenance interrupt on underflow or not. */
  enableVirtual(xen: Xen, cpu: number, underflow: boolean): void;
  /** The virtual interface off: nothing is signalled to a guest, no maintenance interrupt comes. */
  disableVirtual(xen: Xen, cpu: number): void;
  /** Takes what the virtual CPU interface holds for a vCPU, but for list registers; and puts it back. */
  saveInterface(xen: Xen, cpu: number, own: VgicCpu): void;
  restoreInterface(xen: Xen, cpu: number, own: VgicCpu): void;
}

/** How often a register is read before a driver gives up on it. */
export const PATIENCE = 4096;

/** Four bytes of the same value. */
export const inEveryByte = (value: number): number => (value * 0x0101_0101) >>> 0;

/** The registers and bits of an interrupt, in arrays of so many bits for each. */
export const registerOf = (first: number, irq: number, bits: number): number =>
  first + Math.floor((irq * bits) / 32) * 4;
export const shiftOf = (irq: number, bits: number): number => (irq * bits) % 32;
