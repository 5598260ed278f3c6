/**
 * The composition of the model: tables of small steps. A step works on {@link Xen} and reaches every other step through
 * `xen.steps`, so that replacing one in a table replaces it everywhere.
 */
import { heapSteps } from './boot/heap.js';
import { bootSteps } from './boot/steps.js';
import { dom0lessSteps } from './dom0less/steps.js';
import { domainSteps } from './domain/steps.js';
import { gicv2Steps } from './gic/gicv2/steps.js';
import { gicv3Steps } from './gic/gicv3/steps.js';
import { gicSteps } from './gic/steps.js';
import { domctlSteps, hypercallSteps, memorySteps, physdevSteps, trapSteps } from './hypercall/steps.js';
import { irqSteps } from './irq/steps.js';
import { itsSteps, vitsSteps } from './its/steps.js';
import { p2mSteps } from './p2m/steps.js';
import { dtSteps } from './passthrough/dt-steps.js';
import { ipmmuSteps } from './passthrough/ipmmu/steps.js';
import { smmuv3Steps } from './passthrough/smmu-v3/steps.js';
import { iommuSteps, pciSteps } from './passthrough/steps.js';
import { vgicSteps } from './vgic/steps.js';
import { vpciSteps } from './vpci/steps.js';

export type BootSteps = typeof bootSteps;
export type HeapSteps = typeof heapSteps;
export type P2mSteps = typeof p2mSteps;
export type PciSteps = typeof pciSteps;
export type IommuSteps = typeof iommuSteps;
export type Smmuv3Steps = typeof smmuv3Steps;
export type IpmmuSteps = typeof ipmmuSteps;
export type DtSteps = typeof dtSteps;
export type GicSteps = typeof gicSteps;
export type Gicv3Steps = typeof gicv3Steps;
export type Gicv2Steps = typeof gicv2Steps;
export type IrqSteps = typeof irqSteps;
export type VgicSteps = typeof vgicSteps;
export type ItsSteps = typeof itsSteps;
export type VitsSteps = typeof vitsSteps;
export type VpciSteps = typeof vpciSteps;
export type Dom0lessSteps = typeof dom0lessSteps;
export type DomainSteps = typeof domainSteps;
export type HypercallSteps = typeof hypercallSteps;
export type MemorySteps = typeof memorySteps;
export type PhysdevSteps = typeof physdevSteps;
export type DomctlSteps = typeof domctlSteps;
export type TrapSteps = typeof trapSteps;

/** All tables. */
export interface XenSteps {
  /** From the firmware's tables to a running hardware domain. */
  readonly boot: BootSteps;
  /** Frames that nobody owns. */
  readonly heap: HeapSteps;
  /** Stage-2 tables of domains. */
  readonly p2m: P2mSteps;
  /** PCI devices: finding, owning, assigning them. */
  readonly pci: PciSteps;
  /** IOMMUs in general: contexts, attachment, `iommu-map`. */
  readonly iommu: IommuSteps;
  /** The driver of SMMUv3. */
  readonly smmuv3: Smmuv3Steps;
  /** The driver of IPMMU-VMSA. */
  readonly ipmmu: IpmmuSteps;
  /** Platform devices: finding, owning, assigning them. */
  readonly dt: DtSteps;
  /** The machine's interrupt controller, whichever it is. */
  readonly gic: GicSteps;
  readonly gicv3: Gicv3Steps;
  readonly gicv2: Gicv2Steps;
  /** Physical interrupts. */
  readonly irq: IrqSteps;
  /** Virtual interrupt controllers. */
  readonly vgic: VgicSteps;
  /** Interrupt translation services of the machine. */
  readonly its: ItsSteps;
  /** Interrupt translation services of guests. */
  readonly vits: VitsSteps;
  /** PCI as guests see it. */
  readonly vpci: VpciSteps;
  /** Domains that the boot loader describes. */
  readonly dom0less: Dom0lessSteps;
  /** Life of domains and their vCPUs. */
  readonly domain: DomainSteps;
  /** Access to guest memory, privilege, dispatch. */
  readonly hypercall: HypercallSteps;
  /** What guests do with their RAM. */
  readonly memory: MemorySteps;
  readonly physdev: PhysdevSteps;
  readonly domctl: DomctlSteps;
  /** What guests trap on. */
  readonly trap: TrapSteps;
}

/** The default composition: Xen as it should be. */
export function xenSteps(): XenSteps {
  return {
    boot: { ...bootSteps },
    heap: { ...heapSteps },
    p2m: { ...p2mSteps },
    pci: { ...pciSteps },
    iommu: { ...iommuSteps },
    smmuv3: { ...smmuv3Steps },
    ipmmu: { ...ipmmuSteps },
    dt: { ...dtSteps },
    gic: { ...gicSteps },
    gicv3: { ...gicv3Steps },
    gicv2: { ...gicv2Steps },
    irq: { ...irqSteps },
    vgic: { ...vgicSteps },
    its: { ...itsSteps },
    vits: { ...vitsSteps },
    vpci: { ...vpciSteps },
    dom0less: { ...dom0lessSteps },
    domain: { ...domainSteps },
    hypercall: { ...hypercallSteps },
    memory: { ...memorySteps },
    physdev: { ...physdevSteps },
    domctl: { ...domctlSteps },
    trap: { ...trapSteps },
  };
}
