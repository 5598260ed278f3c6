/**
 * Applicability: requirement by features of a platform, with the reason for every `n/a`, and the parts that a
 * requirement consists of. Reviewed as a whole; no check excuses itself.
 *
 * Features: `arm64`, `amd64` the instruction set; `pci` PCI devices behind an IOMMU; `msi` a controller that turns
 * message signalled interrupts into interrupts of a CPU; `spi` a controller for wired interrupts; `platform-devices`
 * devices that only the device tree describes.
 */
import type { ApplicabilityRow } from '../src/check/index.js';

/** Every feature that the table and the platforms may name. */
export const FEATURES = ['arm64', 'amd64', 'pci', 'msi', 'spi', 'platform-devices'] as const;

function id(name: string): string {
  return `XenSwdgn~${name}~1`;
}

const AMD64 = { needs: ['amd64'], otherwise: 'the requirement is about AMD64 PVH domains' } as const;
const ARM64 = { needs: ['arm64'], otherwise: 'the requirement is about Arm64 domains' } as const;

const MSI_PART = {
  name: 'msi',
  needs: ['msi'],
  otherwise: 'the platform has no controller for message signalled interrupts, so a device has no interrupt to lose',
} as const;

/** The table. Requirements that no row names apply everywhere, as one whole. */
export const APPLICABILITY: readonly ApplicabilityRow[] = [
  { requirement: id('passthrough_deassign_pci_dev_from_dom'), aspects: [{ name: 'dma' }, { name: 'mmio' }, MSI_PART] },
  {
    requirement: id('passthrough_support_assign_pci_devs'),
    aspects: [{ name: 'dma' }, { name: 'mmio' }, { name: 'msi' }],
  },
  {
    requirement: id('passthrough_support_deassign_pci_devs'),
    aspects: [{ name: 'dma' }, { name: 'mmio' }, { name: 'msi' }],
  },
  { requirement: id('passthrough_support_assign_dt_devs'), ...ARM64 },
  { requirement: id('passthrough_support_deassign_dt_devs'), ...ARM64 },
  { requirement: id('arm64_passthrough_assign_dt_dev_to_dom'), ...ARM64 },
  { requirement: id('passthrough_deassign_dt_dev_from_dom'), ...ARM64 },
  { requirement: id('passthrough_assign_pci_dev_to_dom_arm64'), ...ARM64 },
  { requirement: id('passthrough_support_creation_direct_mapped_doms'), ...ARM64 },
  { requirement: id('passthrough_deliver_spis_to_dom'), ...ARM64 },
  { requirement: id('passthrough_assign_pci_dev_to_dom_x86'), ...AMD64 },
  { requirement: id('passthrough_enable_iommu_to_perform_irq_remapping_for_dev'), ...AMD64 },
  { requirement: id('passthrough_use_iommu_to_enforce_irq_gen_from_dev'), ...AMD64 },
];
