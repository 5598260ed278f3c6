/**
 * Applicability: requirement by features of a platform, with the reason for every `n/a`, and the parts that a
 * requirement consists of. Reviewed as a whole; no check excuses itself. It has a row for each design requirement.
 *
 * Features: `arm64`, `amd64` the instruction set; `pci` PCI devices behind an IOMMU; `msi` a controller that turns
 * message signalled interrupts into interrupts of a CPU; `phantom-functions`, `sr-iov` a PCI device with that; `spi` a
 * controller for wired interrupts; `platform-devices` devices that only the device tree describes; and which IOMMU and interrupt controller there is, for mutants that are
 * mistakes of one driver.
 */
import type { ApplicabilityRow, Aspect } from '../src/check/index.js';

/** Every feature that the table and the platforms may name. */
export const FEATURES = [
  'arm64',
  'amd64',
  'pci',
  'msi',
  'phantom-functions',
  'sr-iov',
  'spi',
  'platform-devices',
  'smmuv3',
  'two-smmus',
  'ipmmu',
  'gicv3',
  'gicv2',
] as const;

function id(name: string): string {
  return `XenSwdgn~${name}~1`;
}

const AMD64 = { needs: ['amd64'], otherwise: 'the requirement is about AMD64 PVH domains' } as const;
const ARM64 = { needs: ['arm64', 'platform-devices'], otherwise: 'the requirement is about Arm64 domains' } as const;
const PCI = { needs: ['pci'], otherwise: 'the platform has no PCI host bridge' } as const;
const SPI = { needs: ['spi'], otherwise: 'the platform has no shared peripheral interrupts' } as const;
const MSI = {
  needs: ['msi'],
  otherwise: 'the platform has no controller for message signalled interrupts, so a device has no interrupt to send',
} as const;
const PLATFORM = {
  needs: ['platform-devices'],
  otherwise: 'the platform has no devices that only a device tree describes',
} as const;

/** What assigning and taking a device consists of. */
const PCI_PARTS: readonly Aspect[] = [{ name: 'dma' }, { name: 'mmio' }, { name: 'msi', ...MSI }];
const PHANTOM: Aspect = {
  name: 'phantom functions',
  needs: ['phantom-functions'],
  otherwise: 'no function of the board makes requests under another function number',
};
const VIRTUAL: Aspect = {
  name: 'virtual functions',
  needs: ['sr-iov'],
  otherwise: 'no physical function of the board has virtual functions',
};
const PLATFORM_PARTS: readonly Aspect[] = [{ name: 'dma' }, { name: 'mmio' }, { name: 'spi', ...SPI }];
/** A device of either kind. */
const KINDS: readonly Aspect[] = [
  { name: 'pci', ...PCI },
  { name: 'platform', ...PLATFORM },
];

/** What an SMMU finds in memory, and may fail at: stream tables, commands, records. */
const SMMU: Aspect = {
  name: 'structures in memory',
  needs: ['smmuv3'],
  otherwise: 'the IOMMU takes neither tables of devices nor commands from memory',
};

/** What an IPMMU records. */
const IPMMU: Aspect = {
  name: 'one record for each context',
  needs: ['ipmmu'],
  otherwise: 'the IOMMU records faults in a queue',
};

/** The table, in the order of the requirements. */
export const APPLICABILITY: readonly ApplicabilityRow[] = [
  // Common.
  { requirement: id('passthrough_configure_iommu_at_boot'), aspects: KINDS },
  { requirement: id('passthrough_provide_if_for_add_rm_pci_devs'), ...PCI, aspects: [{ name: 'devices' }, VIRTUAL] },
  { requirement: id('passthrough_discover_pci_devs_from_xen'), ...PCI },
  { requirement: id('passthrough_support_assign_pci_devs'), ...PCI, aspects: [...PCI_PARTS, PHANTOM] },
  { requirement: id('passthrough_support_deassign_pci_devs'), ...PCI, aspects: [...PCI_PARTS, PHANTOM] },
  { requirement: id('passthrough_deassign_pci_dev_from_dom'), ...PCI, aspects: PCI_PARTS },
  { requirement: id('passthrough_assign_single_dev_to_single_dom'), aspects: KINDS },
  {
    requirement: id('passthrough_assign_devs_sharing_res_to_same_dom'),
    aspects: [
      { name: 'stream' },
      { name: 'interrupt line', ...SPI },
      { name: 'requester alias', ...PCI },
      { name: 'registers', ...PLATFORM },
      {
        name: 'base address registers',
        needs: ['pci', 'two-smmus'],
        otherwise: 'no two functions of the board have base address registers in one page',
      },
    ],
  },
  { requirement: id('passthrough_enable_iommu_to_perform_dma_remapping_for_dev'), aspects: KINDS },
  { requirement: id('passthrough_use_iommu_to_enforce_dma_ops_from_dev'), aspects: [...KINDS, SMMU, IPMMU] },
  { requirement: id('passthrough_use_iommu_to_deny_dma_ops_from_dev'), aspects: [...KINDS, SMMU] },
  { requirement: id('passthrough_map_dev_mem_region'), aspects: KINDS },
  { requirement: id('passthrough_deliver_msis_to_dom'), ...MSI },
  // Arm64.
  { requirement: id('passthrough_support_assign_dt_devs'), ...ARM64, aspects: PLATFORM_PARTS },
  { requirement: id('passthrough_support_deassign_dt_devs'), ...ARM64, aspects: PLATFORM_PARTS },
  { requirement: id('arm64_passthrough_assign_dt_dev_to_dom'), ...ARM64 },
  { requirement: id('passthrough_deassign_dt_dev_from_dom'), ...ARM64, aspects: [...PLATFORM_PARTS, SMMU] },
  {
    requirement: id('passthrough_assign_pci_dev_to_dom_arm64'),
    needs: ['arm64', 'pci'],
    otherwise: 'the requirement is about PCI devices of Arm64 domains, and the platform does not have both',
  },
  { requirement: id('passthrough_support_creation_direct_mapped_doms'), ...ARM64 },
  { requirement: id('passthrough_deliver_spis_to_dom'), ...ARM64 },
  // AMD64.
  { requirement: id('passthrough_assign_pci_dev_to_dom_x86'), ...AMD64 },
  { requirement: id('passthrough_enable_iommu_to_perform_irq_remapping_for_dev'), ...AMD64 },
  { requirement: id('passthrough_use_iommu_to_enforce_irq_gen_from_dev'), ...AMD64 },
];
