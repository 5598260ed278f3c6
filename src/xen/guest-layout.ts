/**
 * Where guests see what Xen emulates for them (xen/include/public/arch-arm.h). Direct-mapped domains see interrupt
 * controllers where the machine has them instead.
 */

/** RAM banks (GUEST_RAM0_BASE, GUEST_RAM1_BASE). */
export const GUEST_RAM = [
  { base: 0x4000_0000, size: 0xc000_0000 },
  { base: 0x2_0000_0000, size: 0xfe_0000_0000 },
] as const;

/** GICv3 (GUEST_GICV3_GICD_BASE, GUEST_GICV3_GICR0_BASE). */
export const GUEST_GICV3 = {
  GICD: { address: 0x0300_1000, size: 0x1_0000 },
  GICR: { address: 0x0302_0000, size: 0x100_0000 },
  /** Xen gives guests no ITS yet; behind the redistributors and the place kept for a virtual SMMU. */
  ITS: { address: 0x0408_0000, size: 0x2_0000 },
} as const;

/** GICv2 (GUEST_GICD_BASE, GUEST_GICC_BASE). */
export const GUEST_GICV2 = {
  GICD: { address: 0x0300_1000, size: 0x1000 },
  GICC: { address: 0x0300_2000, size: 0x2000 },
} as const;

/** PCI host bridge (GUEST_VPCI_ECAM_BASE, GUEST_VPCI_MEM_ADDR, GUEST_VPCI_PREFETCH_MEM_ADDR). */
export const GUEST_VPCI = {
  ECAM: { address: 0x1000_0000, size: 0x1000_0000 },
  MEMORY: { address: 0x2300_0000, size: 0x1000_0000 },
  PREFETCHABLE: { address: 0x1_0000_0000, size: 0x1_0000_0000 },
} as const;

/** Phandle of the interrupt controller in guests' device trees (xen/include/public/device_tree_defs.h). */
export const GUEST_PHANDLE_GIC = 65000;
