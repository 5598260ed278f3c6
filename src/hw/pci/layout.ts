/**
 * PCI configuration space: where the registers and their bits are.
 *
 * PCI Express Base Specification 7.5.1 (type 0 and type 1 headers), 7.5.3 (PCI Express capability), 7.2.2 (enhanced
 * configuration access mechanism). Offsets are bytes, widths are those of the registers.
 */
import { layout } from '../bits.js';

/** ECAM: each function has 4 KiB, at bus << 20 | device << 15 | function << 12 (7.2.2, table 7-1). */
export const ECAM = { BUS_SHIFT: 20, DEVICE_SHIFT: 15, FUNCTION_SHIFT: 12, FUNCTION_BYTES: 0x1000 } as const;

/** Registers that both header types have (7.5.1.1). */
export const HEADER = {
  VENDOR_ID: 0x00,
  DEVICE_ID: 0x02,
  COMMAND: 0x04,
  STATUS: 0x06,
  REVISION_ID: 0x08,
  /** 24 bits: programming interface, sub-class, base class. */
  CLASS_CODE: 0x09,
  CACHE_LINE_SIZE: 0x0c,
  LATENCY_TIMER: 0x0d,
  HEADER_TYPE: 0x0e,
  BIST: 0x0f,
  BAR0: 0x10,
  CAPABILITIES_POINTER: 0x34,
  INTERRUPT_LINE: 0x3c,
  INTERRUPT_PIN: 0x3d,
} as const;

/** Registers of a type 0 header (7.5.1.2). BARs are at 0x10 to 0x24. */
export const TYPE_0 = { SUBSYSTEM_VENDOR_ID: 0x2c, SUBSYSTEM_ID: 0x2e, EXPANSION_ROM: 0x30 } as const;
/** Number of base address registers of a type 0 header. */
export const TYPE_0_BARS = 6;

/** Registers of a type 1 header (7.5.1.3). BARs are at 0x10 and 0x14. */
export const TYPE_1 = {
  PRIMARY_BUS: 0x18,
  SECONDARY_BUS: 0x19,
  SUBORDINATE_BUS: 0x1a,
  SECONDARY_LATENCY_TIMER: 0x1b,
  IO_BASE: 0x1c,
  IO_LIMIT: 0x1d,
  SECONDARY_STATUS: 0x1e,
  MEMORY_BASE: 0x20,
  MEMORY_LIMIT: 0x22,
  PREFETCHABLE_BASE: 0x24,
  PREFETCHABLE_LIMIT: 0x26,
  PREFETCHABLE_BASE_UPPER: 0x28,
  PREFETCHABLE_LIMIT_UPPER: 0x2c,
  BRIDGE_CONTROL: 0x3e,
} as const;

/** Command register (7.5.1.1.3). */
export const COMMAND = layout('Command', 32, {
  IO_SPACE_ENABLE: 0,
  MEMORY_SPACE_ENABLE: 1,
  BUS_MASTER_ENABLE: 2,
  PARITY_ERROR_RESPONSE: 6,
  SERR_ENABLE: 8,
  INTERRUPT_DISABLE: 10,
});

/** Status register (7.5.1.1.4). The error bits are cleared by writing 1. */
export const STATUS = layout('Status', 32, {
  INTERRUPT_STATUS: 3,
  CAPABILITIES_LIST: 4,
  MASTER_DATA_PARITY_ERROR: 8,
  SIGNALED_TARGET_ABORT: 11,
  RECEIVED_TARGET_ABORT: 12,
  RECEIVED_MASTER_ABORT: 13,
  SIGNALED_SYSTEM_ERROR: 14,
  DETECTED_PARITY_ERROR: 15,
});

/** Header Type register (7.5.1.1.9). */
export const HEADER_TYPE = layout('Header Type', 32, { LAYOUT: [6, 0], MULTI_FUNCTION: 7 });

/** A memory base address register (7.5.1.2.1). TYPE: 0 for 32 bits, 2 for 64 bits. */
export const BAR = layout('Base Address', 32, { IO: 0, TYPE: [2, 1], PREFETCHABLE: 3, ADDRESS: [31, 4] });

/** Bridge Control register (7.5.1.3.13). */
export const BRIDGE_CONTROL = layout('Bridge Control', 32, {
  PARITY_ERROR_RESPONSE: 0,
  SERR_ENABLE: 1,
  SECONDARY_BUS_RESET: 6,
});

/** Capability ids (PCI Code and ID Assignment Specification, chapter 2). */
export const CAPABILITY = { MSI: 0x05, PCI_EXPRESS: 0x10, MSIX: 0x11 } as const;

/** The PCI Express capability (7.5.3): offsets from its beginning. */
export const EXPRESS = {
  CAPABILITIES: 0x02,
  DEVICE_CAPABILITIES: 0x04,
  DEVICE_CONTROL: 0x08,
  DEVICE_STATUS: 0x0a,
  LINK_CAPABILITIES: 0x0c,
  LINK_CONTROL: 0x10,
  LINK_STATUS: 0x12,
  /** Size of a version 2 capability. */
  BYTES: 0x3c,
} as const;

/** PCI Express Capabilities register (7.5.3.2). */
export const EXPRESS_CAPABILITIES = layout('PCI Express Capabilities', 32, {
  VERSION: [3, 0],
  DEVICE_PORT_TYPE: [7, 4],
  SLOT_IMPLEMENTED: 8,
});

/** Device/Port Type (7.5.3.2). */
export const PORT_TYPE = {
  endpoint: 0,
  'root port': 4,
  'upstream port': 5,
  'downstream port': 6,
  'pcie-to-pci bridge': 7,
  'root complex integrated endpoint': 9,
} as const;
/** What a function is in the hierarchy. */
export type PortType = keyof typeof PORT_TYPE;

/** Device Capabilities register (7.5.3.3). */
export const DEVICE_CAPABILITIES = layout('Device Capabilities', 32, {
  PHANTOM_FUNCTIONS: [4, 3],
  EXTENDED_TAG: 5,
  ROLE_BASED_ERROR_REPORTING: 15,
  FUNCTION_LEVEL_RESET: 28,
});

/** Device Control register (7.5.3.4). */
export const DEVICE_CONTROL = layout('Device Control', 32, {
  ERROR_REPORTING: [3, 0],
  RELAXED_ORDERING: 4,
  MAX_PAYLOAD_SIZE: [7, 5],
  EXTENDED_TAG: 8,
  PHANTOM_FUNCTIONS: 9,
  NO_SNOOP: 11,
  MAX_READ_REQUEST_SIZE: [14, 12],
  INITIATE_FUNCTION_LEVEL_RESET: 15,
});
