/**
 * The composition of the model: tables of small steps. A step works on {@link Xen} and reaches every other step through
 * `xen.steps`, so that replacing one in a table replaces it everywhere.
 */
import { heapSteps } from './boot/heap.js';
import { bootSteps } from './boot/steps.js';
import { domainSteps } from './domain/steps.js';
import { domctlSteps, hypercallSteps, memorySteps, physdevSteps, trapSteps } from './hypercall/steps.js';
import { p2mSteps } from './p2m/steps.js';
import { smmuv3Steps } from './passthrough/smmu-v3/steps.js';
import { iommuSteps, pciSteps } from './passthrough/steps.js';

export type BootSteps = typeof bootSteps;
export type HeapSteps = typeof heapSteps;
export type P2mSteps = typeof p2mSteps;
export type PciSteps = typeof pciSteps;
export type IommuSteps = typeof iommuSteps;
export type Smmuv3Steps = typeof smmuv3Steps;
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
    domain: { ...domainSteps },
    hypercall: { ...hypercallSteps },
    memory: { ...memorySteps },
    physdev: { ...physdevSteps },
    domctl: { ...domctlSteps },
    trap: { ...trapSteps },
  };
}
