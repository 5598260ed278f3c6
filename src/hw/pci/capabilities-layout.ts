/**
 * PCI capabilities: where their registers and bits are. The PCI Express capability is in `layout.ts`.
 *
 * PCI Express Base Specification 5.0: 7.7.1 (MSI), 7.7.2 (MSI-X), 7.6.3 (extended capabilities), 7.7.8 (ACS), 9.3.3
 * (SR-IOV), 10.5.1 (ATS), 10.5.2 (page request), 7.8.8 (PASID). Offsets are from the beginning of the capability.
 */
import { layout } from '../bits.js';

/** The MSI capability (7.7.1): what every form has. */
export const MSI = { CONTROL: 0x02, ADDRESS: 0x04 } as const;
/** The MSI capability with 32-bit addresses. Without per-vector masking it ends before MASK. */
export const MSI_32 = { DATA: 0x08, MASK: 0x0c, PENDING: 0x10 } as const;
/** The MSI capability with 64-bit addresses. */
export const MSI_64 = { ADDRESS_UPPER: 0x08, DATA: 0x0c, MASK: 0x10, PENDING: 0x14 } as const;

/** Message Control of MSI (7.7.1.2). The vector counts are logarithms. */
export const MSI_CONTROL = layout('MSI Message Control', 32, {
  ENABLE: 0,
  MULTIPLE_MESSAGE_CAPABLE: [3, 1],
  MULTIPLE_MESSAGE_ENABLE: [6, 4],
  ADDRESS_64_CAPABLE: 7,
  PER_VECTOR_MASKING_CAPABLE: 8,
});

/** The MSI-X capability (7.7.2). */
export const MSIX = { CONTROL: 0x02, TABLE: 0x04, PENDING_BIT_ARRAY: 0x08, BYTES: 0x0c } as const;

/** Message Control of MSI-X (7.7.2.2). TABLE_SIZE is the number of entries less one. */
export const MSIX_CONTROL = layout('MSI-X Message Control', 32, {
  TABLE_SIZE: [10, 0],
  FUNCTION_MASK: 14,
  ENABLE: 15,
});

/** Table Offset/Table BIR and PBA Offset/PBA BIR (7.7.2.3, 7.7.2.4): the offset, in place, has its low three bits 0. */
export const MSIX_LOCATION = layout('MSI-X Offset/BIR', 32, { BIR: [2, 0], OFFSET: [31, 3] });

/** An entry of the MSI-X table (7.7.2.5 to 7.7.2.8). */
export const MSIX_ENTRY = { ADDRESS: 0x0, ADDRESS_UPPER: 0x4, DATA: 0x8, VECTOR_CONTROL: 0xc, BYTES: 0x10 } as const;
/** Vector Control of an entry (7.7.2.8). */
export const MSIX_VECTOR_CONTROL = layout('MSI-X Vector Control', 32, { MASK: 0 });

/** Extended configuration space begins here, with an extended capability or with a word of 0 (7.6.3). */
export const EXTENDED_SPACE = 0x100;
/** Header of an extended capability (7.6.3). NEXT is 0 in the last. */
export const EXTENDED_HEADER = layout('Extended Capability Header', 32, {
  ID: [15, 0],
  VERSION: [19, 16],
  NEXT: [31, 20],
});
/** Extended capability ids (PCI Code and ID Assignment Specification, chapter 3). */
export const EXTENDED_CAPABILITY = {
  ACS: 0x000d,
  ARI: 0x000e,
  ATS: 0x000f,
  SRIOV: 0x0010,
  PAGE_REQUEST: 0x0013,
  PASID: 0x001b,
} as const;

/** Access Control Services (7.7.8). The egress control vector is there only with EGRESS_CONTROL. */
export const ACS = { CAPABILITY: 0x04, CONTROL: 0x06, EGRESS_CONTROL_VECTOR: 0x08, BYTES: 0x08 } as const;
/** ACS Capability (7.7.8.2), and the enables of ACS Control (7.7.8.3) at the same places. */
export const ACS_BITS = layout('ACS', 32, {
  SOURCE_VALIDATION: 0,
  TRANSLATION_BLOCKING: 1,
  REQUEST_REDIRECT: 2,
  COMPLETION_REDIRECT: 3,
  UPSTREAM_FORWARDING: 4,
  EGRESS_CONTROL: 5,
  DIRECT_TRANSLATED: 6,
});

/** Single Root I/O Virtualization (9.3.3). */
export const SRIOV = {
  CAPABILITIES: 0x04,
  CONTROL: 0x08,
  STATUS: 0x0a,
  INITIAL_VFS: 0x0c,
  TOTAL_VFS: 0x0e,
  NUM_VFS: 0x10,
  FUNCTION_DEPENDENCY_LINK: 0x12,
  FIRST_VF_OFFSET: 0x14,
  VF_STRIDE: 0x16,
  VF_DEVICE_ID: 0x1a,
  SUPPORTED_PAGE_SIZES: 0x1c,
  SYSTEM_PAGE_SIZE: 0x20,
  VF_BAR0: 0x24,
  VF_MIGRATION_STATE_ARRAY: 0x3c,
  BYTES: 0x40,
} as const;
/** SR-IOV Control (9.3.3.3). */
export const SRIOV_CONTROL = layout('SR-IOV Control', 32, {
  VF_ENABLE: 0,
  VF_MIGRATION_ENABLE: 1,
  VF_MIGRATION_INTERRUPT_ENABLE: 2,
  VF_MEMORY_SPACE_ENABLE: 3,
  ARI_CAPABLE_HIERARCHY: 4,
});

/** Address Translation Services (10.5.1). */
export const ATS = { CAPABILITY: 0x04, CONTROL: 0x06, BYTES: 0x08 } as const;
/** ATS Capability (10.5.1.2). */
export const ATS_CAPABILITY = layout('ATS Capability', 32, {
  INVALIDATE_QUEUE_DEPTH: [4, 0],
  PAGE_ALIGNED_REQUEST: 5,
  GLOBAL_INVALIDATE: 6,
});
/** ATS Control (10.5.1.3). */
export const ATS_CONTROL = layout('ATS Control', 32, { SMALLEST_TRANSLATION_UNIT: [4, 0], ENABLE: 15 });

/** Page Request (10.5.2). */
export const PAGE_REQUEST = { CONTROL: 0x04, STATUS: 0x06, CAPACITY: 0x08, ALLOCATION: 0x0c, BYTES: 0x10 } as const;
/** Page Request Control (10.5.2.2). */
export const PAGE_REQUEST_CONTROL = layout('Page Request Control', 32, { ENABLE: 0, RESET: 1 });

/** PASID (7.8.8). */
export const PASID = { CAPABILITY: 0x04, CONTROL: 0x06, BYTES: 0x08 } as const;
/** PASID Capability (7.8.8.2). */
export const PASID_CAPABILITY = layout('PASID Capability', 32, { EXECUTE: 1, PRIVILEGED: 2, MAX_WIDTH: [12, 8] });
/** PASID Control (7.8.8.3). */
export const PASID_CONTROL = layout('PASID Control', 32, { ENABLE: 0, EXECUTE_ENABLE: 1, PRIVILEGED_ENABLE: 2 });
