/**
 * Interrupt Translation Service of GICv3: where the bits are. Arm IHI 0069 (issue H), in the order of the manual:
 * tables (5.2), commands (5.3), registers (12.18, 12.19). Physical interrupts only; what only GICv4 adds is left out.
 *
 * A structure is a sequence of little-endian 32-bit words; bit numbers run through the whole structure (bit 64 is bit 0
 * of the second doubleword). Commands have 256 bits.
 */
import { layout } from '../../bits.js';

// ---- 2.2 Interrupt IDs ----------------------------------------------------------------------------------------------

/** First LPI (2.2). */
export const FIRST_LPI = 8192;

// ---- 5.2 Tables in memory -------------------------------------------------------------------------------------------

/** A level 1 entry of an indirect table: 64 bits. The address is that of a page of GITS_BASER<n>.Page_Size. */
export const L1_ENTRY_BYTES = 8;
export const L1_ENTRY = layout('level 1 entry', 64, { PHYSICAL_ADDRESS: [51, 12], VALID: 63 });

/*
 * The formats of device, collection and interrupt translation table entries are IMPLEMENTATION DEFINED (5.2). Those
 * below are this model's own: software knows nothing of them but their sizes. All bits that are not named are written
 * as zero and ignored when read; an interrupt translation entry of 16 bytes holds nothing in its second half.
 */

/** Device table entry. SIZE: number of EventID bits, minus one. */
export const DTE_BYTES = 8;
export const DTE = layout('device table entry', 64, { SIZE: [4, 0], ITT_ADDRESS: [51, 8], VALID: 63 });

/** Collection table entry. RDBASE as in MAPC. */
export const CTE_BYTES = 8;
export const CTE = layout('collection table entry', 64, { RDBASE: [51, 16], VALID: 63 });

/** Interrupt translation entry, of GITS_TYPER.ITT_entry_size + 1 bytes. */
export const ITE = layout('interrupt translation entry', 64, { INTID: [31, 0], ICID: [47, 32], VALID: 63 });

// ---- 5.3 Commands: 256 bits -----------------------------------------------------------------------------------------

/** Bytes of a command. */
export const COMMAND_BYTES = 32;

/** Command numbers, bits 7:0 of the first doubleword (5.3). GICv4 adds those with bit 5 set. */
export const COMMAND = {
  MOVI: 0x01,
  INT: 0x03,
  CLEAR: 0x04,
  SYNC: 0x05,
  MAPD: 0x08,
  MAPC: 0x09,
  MAPTI: 0x0a,
  MAPI: 0x0b,
  INV: 0x0c,
  INVALL: 0x0d,
  MOVALL: 0x0e,
  DISCARD: 0x0f,
} as const;

/** Name of a command. */
export type CommandName = keyof typeof COMMAND;

/** What all commands have. */
export const CMD = layout('command', 256, { COMMAND: [7, 0] });

/** CLEAR, DISCARD, INT and INV: an event of a device. */
export const CMD_EVENT = layout('CLEAR, DISCARD, INT or INV', 256, {
  COMMAND: [7, 0],
  DEVICE_ID: [63, 32],
  EVENT_ID: [95, 64],
});

/** INVALL. */
export const CMD_INVALL = layout('INVALL', 256, { COMMAND: [7, 0], ICID: [143, 128] });

/** MAPC. RDBASE: bits 51:16 of a redistributor's address, or the processor number, as GITS_TYPER.PTA says. */
export const CMD_MAPC = layout('MAPC', 256, {
  COMMAND: [7, 0],
  ICID: [143, 128],
  RDBASE: [179, 144],
  V: 191,
});

/** MAPD. SIZE: number of EventID bits, minus one. ITT_ADDRESS: bits 51:8. */
export const CMD_MAPD = layout('MAPD', 256, {
  COMMAND: [7, 0],
  DEVICE_ID: [63, 32],
  SIZE: [68, 64],
  ITT_ADDRESS: [179, 136],
  V: 191,
});

/** MAPI: EVENT_ID is the INTID too. */
export const CMD_MAPI = layout('MAPI', 256, {
  COMMAND: [7, 0],
  DEVICE_ID: [63, 32],
  EVENT_ID: [95, 64],
  ICID: [143, 128],
});

/** MAPTI, MAPVI in older issues. */
export const CMD_MAPTI = layout('MAPTI', 256, {
  COMMAND: [7, 0],
  DEVICE_ID: [63, 32],
  EVENT_ID: [95, 64],
  PINTID: [127, 96],
  ICID: [143, 128],
});

/** MOVALL: pending LPIs of RDBASE1 move to RDBASE2. */
export const CMD_MOVALL = layout('MOVALL', 256, { COMMAND: [7, 0], RDBASE1: [179, 144], RDBASE2: [243, 208] });

/** MOVI. */
export const CMD_MOVI = layout('MOVI', 256, {
  COMMAND: [7, 0],
  DEVICE_ID: [63, 32],
  EVENT_ID: [95, 64],
  ICID: [143, 128],
});

/** SYNC. */
export const CMD_SYNC = layout('SYNC', 256, { COMMAND: [7, 0], RDBASE: [179, 144] });

/**
 * Command errors: bits 23:16 are 1, 15:8 name the command (CLEAR by 05, not by its number), 7:0 the error. The
 * encodings as Arm prints them: IHI 0069 5.3; CoreLink GIC-600AE TRM (101206), Table 4-15, where IERR is 0.
 */
export const COMMAND_ERROR = {
  MOVI_DEVICE_OOR: 0x010101,
  MOVI_COLLECTION_OOR: 0x010103,
  MOVI_UNMAPPED_DEVICE: 0x010104,
  MOVI_ID_OOR: 0x010105,
  MOVI_UNMAPPED_INTERRUPT: 0x010107,
  MOVI_UNMAPPED_COLLECTION: 0x010109,
  INT_DEVICE_OOR: 0x010301,
  INT_UNMAPPED_DEVICE: 0x010304,
  INT_ID_OOR: 0x010305,
  INT_UNMAPPED_INTERRUPT: 0x010307,
  CLEAR_DEVICE_OOR: 0x010501,
  CLEAR_UNMAPPED_DEVICE: 0x010504,
  CLEAR_ID_OOR: 0x010505,
  CLEAR_UNMAPPED_INTERRUPT: 0x010507,
  MAPD_DEVICE_OOR: 0x010801,
  MAPD_ITTSIZE_OOR: 0x010802,
  MAPC_PROCNUM_OOR: 0x010902,
  MAPC_COLLECTION_OOR: 0x010903,
  MAPTI_DEVICE_OOR: 0x010a01,
  MAPTI_COLLECTION_OOR: 0x010a03,
  MAPTI_UNMAPPED_DEVICE: 0x010a04,
  MAPTI_ID_OOR: 0x010a05,
  MAPTI_PHYSICALID_OOR: 0x010a06,
  MAPI_DEVICE_OOR: 0x010b01,
  MAPI_COLLECTION_OOR: 0x010b03,
  MAPI_UNMAPPED_DEVICE: 0x010b04,
  MAPI_ID_OOR: 0x010b05,
  MAPI_PHYSICALID_OOR: 0x010b06,
  INV_DEVICE_OOR: 0x010c01,
  INV_UNMAPPED_DEVICE: 0x010c04,
  INV_ID_OOR: 0x010c05,
  INV_UNMAPPED_INTERRUPT: 0x010c07,
  INVALL_COLLECTION_OOR: 0x010d03,
  INVALL_UNMAPPED_COLLECTION: 0x010d09,
  MOVALL_PROCNUM_OOR: 0x010e01,
  DISCARD_DEVICE_OOR: 0x010f01,
  DISCARD_UNMAPPED_DEVICE: 0x010f04,
  DISCARD_ID_OOR: 0x010f05,
  DISCARD_UNMAPPED_INTERRUPT: 0x010f07,
  // This model's own, where the manual has none: a SYNC to no redistributor, a command number that is none (of GICv4
  // here), a table or the queue outside memory.
  SYNC_PROCNUM_OOR: 0x0105f0,
  UNKNOWN_COMMAND: 0x0100f1,
  EXTERNAL_ABORT: 0x0100f2,
} as const;

/** Name of a command error. */
export type CommandError = keyof typeof COMMAND_ERROR;

// ---- 12.18 ITS register map -----------------------------------------------------------------------------------------

/** Bytes of both frames, and where the translation frame begins (12.18). */
export const ITS_BYTES = 0x20000;
export const TRANSLATION_FRAME = 0x10000;

/** Number of GITS_BASER registers. */
export const BASER_COUNT = 8;

/** Offsets from ITS_base. 64-bit registers are named by their lower half. */
export const GITS = {
  CTLR: 0x0000,
  IIDR: 0x0004,
  TYPER: 0x0008,
  CBASER: 0x0080,
  CWRITER: 0x0088,
  CREADR: 0x0090,
  BASER: 0x0100, // 8 registers of 64 bits
  PIDR4: 0xffd0, // first of the identification registers
  PIDR2: 0xffe8,
  TRANSLATER: 0x10040, // in the translation frame
} as const;

// ---- 12.19 Registers ------------------------------------------------------------------------------------------------

/** GITS_BASER<n>. With pages of 64 KiB bits 15:12 of the register are bits 51:48 of the address. */
export const GITS_BASER = layout('GITS_BASER', 64, {
  SIZE: [7, 0],
  PAGE_SIZE: [9, 8],
  SHAREABILITY: [11, 10],
  PHYSICAL_ADDRESS: [47, 12],
  ENTRY_SIZE: [52, 48],
  OUTER_CACHE: [55, 53],
  TYPE: [58, 56],
  INNER_CACHE: [61, 59],
  INDIRECT: 62,
  VALID: 63,
});
/** The address fields of GITS_BASER<n> as they are with pages of 64 KiB. */
export const GITS_BASER_64K = layout('GITS_BASER with 64 KiB pages', 64, {
  PHYSICAL_ADDRESS_51_48: [15, 12],
  PHYSICAL_ADDRESS_47_16: [47, 16],
});
/** GITS_BASER<n>.Type; others are reserved. */
export const TABLE_TYPE = { NONE: 0, DEVICES: 1, VPES: 2, COLLECTIONS: 4 } as const;
/** GITS_BASER<n>.Page_Size; 3 is reserved and treated as 2. */
export const PAGE_SIZE = { KIB_4: 0, KIB_16: 1, KIB_64: 2 } as const;
/** Bytes of a page, by GITS_BASER<n>.Page_Size. */
export const PAGE_BYTES = [0x1000, 0x4000, 0x10000, 0x10000] as const;

/** GITS_CBASER. SIZE: number of 4 KiB pages, minus one. Bits 15:12 of the address are to be zero. */
export const GITS_CBASER = layout('GITS_CBASER', 64, {
  SIZE: [7, 0],
  SHAREABILITY: [11, 10],
  PHYSICAL_ADDRESS: [51, 12],
  OUTER_CACHE: [55, 53],
  INNER_CACHE: [61, 59],
  VALID: 63,
});
/** The queue is counted in pages of this many bytes, and begins at a multiple of COMMAND_QUEUE_ALIGNMENT. */
export const COMMAND_QUEUE_PAGE_BYTES = 0x1000;
export const COMMAND_QUEUE_ALIGNMENT = 0x10000;

/** Cacheability (12.19, GITS_BASER<n>): Device-nGnRnE; Normal Non-cacheable; Normal Write-Back that allocates. */
export const INNER_CACHE = { DEVICE: 0, NON_CACHEABLE: 1, RAWAWB: 7 } as const;
export const OUTER_CACHE = { AS_INNER: 0, NON_CACHEABLE: 1, RAWAWB: 7 } as const;
/** Shareability (12.19, GITS_BASER<n>); 3 is reserved and treated as 0. */
export const SHAREABILITY = { NON_SHAREABLE: 0, INNER: 1, OUTER: 2 } as const;

/** GITS_CREADR. OFFSET counts commands. */
export const GITS_CREADR = layout('GITS_CREADR', 64, { STALLED: 0, OFFSET: [19, 5] });

/** GITS_CTLR. */
export const GITS_CTLR = layout('GITS_CTLR', 32, { ENABLED: 0, QUIESCENT: 31 });

/** GITS_CWRITER. OFFSET counts commands; RETRY is written only. */
export const GITS_CWRITER = layout('GITS_CWRITER', 64, { RETRY: 0, OFFSET: [19, 5] });

/** GITS_IIDR. */
export const GITS_IIDR = layout('GITS_IIDR', 32, {
  IMPLEMENTER: [11, 0],
  REVISION: [15, 12],
  VARIANT: [19, 16],
  PRODUCT_ID: [31, 24],
});

/** GITS_PIDR2. */
export const GITS_PIDR2 = layout('GITS_PIDR2', 32, { ARCH_REV: [7, 4] });
/** GITS_PIDR2.ArchRev. */
export const ARCH_REV = { GICV3: 3, GICV4: 4 } as const;

/** GITS_TYPER. Widths and sizes are minus one; HCC is a count. */
export const GITS_TYPER = layout('GITS_TYPER', 64, {
  PHYSICAL: 0,
  VIRTUAL: 1,
  CCT: 2,
  ITT_ENTRY_SIZE: [7, 4],
  ID_BITS: [12, 8],
  DEVBITS: [17, 13],
  SEIS: 18,
  PTA: 19,
  HCC: [31, 24],
  CIDBITS: [35, 32],
  CIL: 36,
  VMOVP: 37,
  MPAM: 38,
  VSGI: 39,
  VMAPP: 40,
  SVPET: [42, 41],
  NID: 43,
  UMSI: 44,
  UMSI_IRQ: 45,
  INV: 46,
});
