/**
 * Structures of the public hypercall interface, as they lie in guest memory: little-endian, 64-bit Arm guests.
 * Byte offsets are those of the C structures in the headers that are named.
 */
import { layout } from '../hw/bits.js';

/** Immediate of the HVC instruction that makes a hypercall (xen/include/public/arch-arm.h, XEN_HYPERCALL_TAG). */
export const XEN_HYPERCALL_TAG = 0xea1;
/** Register that holds the hypercall number; X0 to X4 hold arguments, X0 the result (arch-arm.h). */
export const HYPERCALL_NUMBER_REGISTER = 16;

/** `struct physdev_pci_device_add` without `optarr` (xen/include/public/physdev.h). */
export const PCI_DEVICE_ADD_BYTES = 12;
export const PCI_DEVICE_ADD = layout('physdev_pci_device_add', 96, {
  seg: [15, 0],
  bus: [23, 16],
  devfn: [31, 24],
  flags: [63, 32],
  physfn_bus: [71, 64],
  physfn_devfn: [79, 72],
});
/** Offset of `optarr`, whose first word is the proximity domain if `XEN_PCI_DEV_PXM` is set. */
export const PCI_DEVICE_ADD_OPTARR = 12;

/** `struct physdev_pci_device` (physdev.h). */
export const PCI_DEVICE_BYTES = 4;
export const PCI_DEVICE = layout('physdev_pci_device', 32, { seg: [15, 0], bus: [23, 16], devfn: [31, 24] });

/** `struct xen_domctl` (xen/include/public/domctl.h): 16 bytes, then a union of 128 bytes. */
export const DOMCTL_BYTES = 144;
export const DOMCTL_HEADER = layout('xen_domctl', 128, {
  cmd: [31, 0],
  interface_version: [63, 32],
  domain: [79, 64],
});
/** Offset of the union. */
export const DOMCTL_U = 16;

/** `struct xen_domctl_assign_device` with a PCI device, relative to the union. */
export const ASSIGN_DEVICE_BYTES = 24;
export const ASSIGN_DEVICE = layout('xen_domctl_assign_device', 192, {
  dev: [31, 0],
  flags: [63, 32],
  /** segment << 16 | bus << 8 | devfn. */
  machine_sbdf: [95, 64],
});
/** `struct xen_domctl_assign_device` with a platform device: the path of its node, without a terminator. */
export const ASSIGN_DT_DEVICE = layout('xen_domctl_assign_device', 192, {
  dev: [31, 0],
  flags: [63, 32],
  size: [95, 64],
  path_lo: [159, 128],
  path_hi: [191, 160],
});
/** Values of `dev`. */
export const DOMCTL_DEV = { PCI: 0, DT: 1 } as const;
/** Flag of an assignment: tolerate conflicts of reserved regions. None of them has a meaning on Arm. */
export const DEV_RDM_RELAXED = 1;

/** `struct xen_domctl_get_device_group`, relative to the union. */
export const GET_DEVICE_GROUP_BYTES = 24;
export const GET_DEVICE_GROUP = layout('xen_domctl_get_device_group', 192, {
  machine_sbdf: [31, 0],
  max_sdevs: [63, 32],
  num_sdevs: [95, 64],
  sdev_array_lo: [159, 128],
  sdev_array_hi: [191, 160],
});

/** `struct xen_domctl_memory_mapping`, relative to the union. 64-bit numbers as halves. */
export const MEMORY_MAPPING_BYTES = 32;
export const MEMORY_MAPPING = layout('xen_domctl_memory_mapping', 256, {
  first_gfn_lo: [31, 0],
  first_gfn_hi: [63, 32],
  first_mfn_lo: [95, 64],
  first_mfn_hi: [127, 96],
  nr_mfns_lo: [159, 128],
  nr_mfns_hi: [191, 160],
  add_mapping: [223, 192],
});
/** More frames than this are refused in one call on Arm (xen/common/domctl.c). */
export const MEMORY_MAPPING_MAX = 64;

/** `struct xen_domctl_iomem_permission`, relative to the union. */
export const IOMEM_PERMISSION_BYTES = 24;
export const IOMEM_PERMISSION = layout('xen_domctl_iomem_permission', 192, {
  first_mfn_lo: [31, 0],
  first_mfn_hi: [63, 32],
  nr_mfns_lo: [95, 64],
  nr_mfns_hi: [127, 96],
  allow_access: [135, 128],
});

/** `struct xen_domctl_irq_permission`, relative to the union. */
export const IRQ_PERMISSION_BYTES = 8;
export const IRQ_PERMISSION = layout('xen_domctl_irq_permission', 64, { pirq: [31, 0], allow_access: [39, 32] });

/** `struct xen_domctl_bind_pt_irq` with an SPI, relative to the union. */
export const BIND_PT_IRQ_BYTES = 16;
export const BIND_PT_IRQ = layout('xen_domctl_bind_pt_irq', 128, {
  machine_irq: [31, 0],
  irq_type: [63, 32],
  spi: [79, 64],
});
/** Value of `irq_type`: an SPI of an Arm machine. */
export const PT_IRQ_TYPE_SPI = 4;

/** `struct xen_memory_reservation` (xen/include/public/memory.h). */
export const MEMORY_RESERVATION_BYTES = 32;
export const MEMORY_RESERVATION = layout('xen_memory_reservation', 256, {
  extent_start_lo: [31, 0],
  extent_start_hi: [63, 32],
  nr_extents_lo: [95, 64],
  nr_extents_hi: [127, 96],
  extent_order: [159, 128],
  mem_flags: [191, 160],
  domid: [207, 192],
});
/** Bytes of an extent's guest frame number in the list at `extent_start`. */
export const EXTENT_BYTES = 8;
/** Bits of the command of a memory operation; above them, the extent at which a call goes on. */
export const MEMOP_CMD_MASK = 0x3f;
/** Extents of one call, and largest order of an extent: more is left for the next call. */
export const MEMOP_EXTENTS_MAX = 64;
export const MEMOP_ORDER_MAX = 9;

/** The bytes of a structure as the words that layouts speak of. */
export function wordsOf(bytes: Uint8Array): Uint32Array {
  const words = new Uint32Array(Math.ceil(bytes.length / 4));
  new Uint8Array(words.buffer).set(bytes);
  return words;
}

/** The bytes of words. */
export function bytesOf(words: Uint32Array): Uint8Array {
  return new Uint8Array(words.buffer, words.byteOffset, words.byteLength).slice();
}
