/**
 * State of a domain's virtual interrupt controller: what the domain programmed into it, and where each of its interrupts
 * is now.
 *
 * A virtual interrupt that is pending or active is in one place: in a list register of the CPU that its vCPU runs on, in
 * the queue of its vCPU, or held back because the domain masks it. The state of one in a list register is the hardware's;
 * the flags here are then clear.
 */
import type { Value64 } from '../../hw/machine.js';
import type { Vcpu } from '../xen.js';

/** SGIs and PPIs: INTIDs that each vCPU has of its own (Arm IHI 0069 2.2, Arm IHI 0048B.b 2.2). */
export const LOCAL_IRQS = 32;
export const SGIS = 16;
/** vCPUs that a GICv2 knows: the width of its target fields. */
export const GICV2_CPUS = 8;

/** A virtual interrupt of any kind. */
export interface PendingIrq {
  /** Virtual INTID. */
  readonly virq: number;
  /** Number of the vCPU that sent it: SGIs of a GICv2; 0 otherwise. */
  readonly source: number;
  /** The physical interrupt behind it, which is deactivated with it; -1 if there is none. */
  physical: number;
  /** 0 is the highest. */
  priority: number;
  /**
   * The priority in its list register. It stays what it was while the interrupt is active: the guest's end of interrupt
   * finds the active one by it.
   */
  listedPriority: number;
  edge: boolean;
  enabled: boolean;
  pending: boolean;
  active: boolean;
  /** GICD_IROUTER as a number, or the byte of GICD_ITARGETSR. */
  route: number;
  /** The vCPU that it goes to; undefined if it is routed to none. */
  target: Vcpu | undefined;
  /** In whose list register or queue it is. */
  holder: Vcpu | undefined;
  /** Number of its list register, -1 if it is in none. */
  lr: number;
  queued: boolean;
}

/** What a domain has. */
export interface Vgic {
  readonly version: 2 | 3;
  /** Guest addresses of the redistributors: regions of frames, in the order of the vCPUs. Empty for a GICv2. */
  readonly redistributors: readonly VgicRegion[];
  /** SPIs, from INTID 32. */
  readonly spis: readonly PendingIrq[];
  /** Bits of a priority that are there. */
  readonly priorityMask: number;
  /** GICD_CTLR lets interrupts through. */
  enabled: boolean;
  /** Interrupts that are pending and masked, or routed nowhere. */
  readonly held: Set<PendingIrq>;
  /** Physical interrupts that are routed to the domain, each with its virtual one. */
  readonly routed: Map<number, PendingIrq>;
  /** Bits of INTID if it has LPIs (GICD_TYPER.IDbits + 1), 0 if it has none. */
  lpiIdBits: number;
}

/** A run of redistributors. */
export interface VgicRegion {
  readonly address: number;
  readonly size: number;
  readonly firstVcpu: number;
  readonly vcpus: number;
}

/** What one vCPU has. */
export interface VgicCpu {
  /** SGIs and PPIs by INTID. */
  readonly local: readonly PendingIrq[];
  /** GICv2: the SGIs apart by who sent them, 8 for each. */
  readonly sgis: readonly PendingIrq[];
  /** Interrupts that wait for a list register, the most urgent first. */
  readonly queue: PendingIrq[];
  /** What is in each list register as far as Xen knows: the guest may be done with it. */
  readonly lrs: (PendingIrq | undefined)[];
  /** A bit for each entry of {@link lrs}. */
  used: number;
  /** The CPU that it runs on, -1 if on none. */
  cpu: number;
  /** The CPU that it ran on last, or is going to run on. */
  lastCpu: number;
  /** An SGI is on its way to its CPU, to have the queue looked at. */
  kicked: boolean;
  /** The maintenance interrupt is asked for when list registers run empty. */
  underflow: boolean;
  /** The virtual CPU interface while the vCPU does not run. */
  vmcr: number;
  readonly activePriorities: number[];
  /** GICR_PROPBASER, GICR_PENDBASER and GICR_CTLR.EnableLPIs. */
  propbaser: Value64;
  pendbaser: Value64;
  lpisEnabled: boolean;
}

/** A virtual interrupt in the state after reset: disabled, inactive, of the highest priority. */
export function makePendingIrq(virq: number, target: Vcpu | undefined, source = 0): PendingIrq {
  return {
    virq,
    source,
    physical: -1,
    priority: 0,
    listedPriority: 0,
    edge: virq < SGIS,
    enabled: false,
    pending: false,
    active: false,
    route: 0,
    target,
    holder: undefined,
    lr: -1,
    queued: false,
  };
}
