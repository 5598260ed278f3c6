/**
 * SMMUv3: where the bits are. Arm IHI 0070 (issue G.b), in the order of the manual: commands (4), structures (5),
 * registers (6), events (7), PRI queue (8). Non-secure programming interface only.
 *
 * A structure is a sequence of little-endian 32-bit words; bit numbers run through the whole structure, as the manual
 * prints them (bit 64 is bit 0 of the second doubleword). Fields that belong to features that the model never offers
 * (Secure and Realm state, MPAM, DPT, HTTU, permission indirection) are left out.
 */
import { layout } from '../../bits.js';

// ---- 4 Commands: 128 bits -------------------------------------------------------------------------------------------

/** Bytes of a command. */
export const COMMAND_BYTES = 16;

/** Opcodes, bits 7:0 (4.1.1). */
export const OPCODE = {
  PREFETCH_CONFIG: 0x01, // 4.2.1
  PREFETCH_ADDR: 0x02, // 4.2.2
  CFGI_STE: 0x03, // 4.3.1
  CFGI_STE_RANGE: 0x04, // 4.3.2; 4.3.3 with Range = 31 (CFGI_ALL)
  CFGI_CD: 0x05, // 4.3.4
  CFGI_CD_ALL: 0x06, // 4.3.5
  CFGI_VMS_PIDM: 0x07, // 4.3.6
  TLBI_NH_ALL: 0x10, // 4.4.2.1
  TLBI_NH_ASID: 0x11, // 4.4.2.2
  TLBI_NH_VA: 0x12, // 4.4.2.4
  TLBI_NH_VAA: 0x13, // 4.4.2.3
  TLBI_EL3_ALL: 0x18, // 4.4.2.5
  TLBI_EL3_VA: 0x1a, // 4.4.2.6
  TLBI_EL2_ALL: 0x20, // 4.4.2.7
  TLBI_EL2_ASID: 0x21, // 4.4.2.10
  TLBI_EL2_VA: 0x22, // 4.4.2.8
  TLBI_EL2_VAA: 0x23, // 4.4.2.9
  TLBI_S12_VMALL: 0x28, // 4.4.3.2
  TLBI_S2_IPA: 0x2a, // 4.4.3.1
  TLBI_NSNH_ALL: 0x30, // 4.4.4.1
  ATC_INV: 0x40, // 4.5.1
  PRI_RESP: 0x41, // 4.5.2
  RESUME: 0x44, // 4.7.1
  STALL_TERM: 0x45, // 4.7.2
  SYNC: 0x46, // 4.7.3
} as const;

/** Name of a command of the model. */
export type CommandName = keyof typeof OPCODE;

/** 4.1.6 Common command fields. */
export const CMD = layout('command', 128, {
  OPCODE: [7, 0],
  SSEC: 10,
  SSV: 11,
  SSID: [31, 12],
  SID: [63, 32],
});

/** 4.2.2 CMD_PREFETCH_ADDR, beside the common fields. */
export const CMD_PREFETCH_ADDR = layout('CMD_PREFETCH_ADDR', 128, {
  SIZE: [68, 64],
  STRIDE: [73, 69],
  ADDR: [127, 76],
});

/** 4.3 CMD_CFGI_*, beside the common fields. LEAF and RANGE share a place. */
export const CMD_CFGI = layout('CMD_CFGI', 128, { LEAF: 64 });
export const CMD_CFGI_RANGE = layout('CMD_CFGI_STE_RANGE', 128, { RANGE: [68, 64] });
/** Range of CMD_CFGI_STE_RANGE that covers all StreamIDs: CMD_CFGI_ALL (4.3.3). */
export const CFGI_RANGE_ALL = 31;

/** 4.4 CMD_TLBI_*, with the range fields of 4.4.1.1 (IDR3.RIL). */
export const CMD_TLBI = layout('CMD_TLBI', 128, {
  NUM: [16, 12],
  SCALE: [24, 20],
  VMID: [47, 32],
  ASID: [63, 48],
  LEAF: 64,
  TTL: [73, 72],
  TG: [75, 74],
  ADDR: [127, 76],
});

/** 4.5.1 CMD_ATC_INV, beside the common fields. */
export const CMD_ATC_INV = layout('CMD_ATC_INV', 128, { GLOBAL: 9, SIZE: [69, 64], ADDR: [127, 76] });

/** 4.5.2 CMD_PRI_RESP, beside the common fields. */
export const CMD_PRI_RESP = layout('CMD_PRI_RESP', 128, { PRG_INDEX: [72, 64], RESP: [77, 76] });
/** CMD_PRI_RESP.RESP: response code to a page request group; 3 is reserved. */
export const PRI_RESPONSE_RESERVED = 3;

/** 4.7.1 CMD_RESUME, beside the common fields. AC: retry rather than terminate; AB: terminate with an abort. */
export const CMD_RESUME = layout('CMD_RESUME', 128, { AC: 12, AB: 13, STAG: [79, 64] });

/** 4.7.3 CMD_SYNC. */
export const CMD_SYNC = layout('CMD_SYNC', 128, {
  CS: [13, 12],
  MSH: [23, 22],
  MSI_ATTR: [27, 24],
  MSI_DATA: [63, 32],
  MSI_ADDRESS: [115, 66],
});
/** CMD_SYNC.CS: how completion is signalled. */
export const SYNC_SIGNAL = { NONE: 0, IRQ: 1, SEV: 2, RESERVED: 3 } as const;

// ---- 5 Data structures ----------------------------------------------------------------------------------------------

/** 5.1 Level 1 Stream Table Descriptor: 64 bits. */
export const L1STD_BYTES = 8;
export const L1STD = layout('L1STD', 64, { SPAN: [4, 0], L2PTR: [51, 6] });
/** Largest SPAN that is not reserved: 2^10 STEs. */
export const L1STD_SPAN_MAX = 11;

/** 5.2 Stream Table Entry: 512 bits. */
export const STE_BYTES = 64;
export const STE = layout('STE', 512, {
  V: 0,
  CONFIG: [3, 1],
  S1FMT: [5, 4],
  S1CONTEXTPTR: [51, 6],
  S1CDMAX: [63, 59],
  S1DSS: [65, 64],
  S1CIR: [67, 66],
  S1COR: [69, 68],
  S1CSH: [71, 70],
  S2HWU59: 72,
  S2HWU60: 73,
  S2HWU61: 74,
  S2HWU62: 75,
  DRE: 76,
  CONT: [80, 77],
  DCP: 81,
  PPAR: 82,
  MEV: 83,
  S2FWB: 89,
  S1STALLD: 91,
  EATS: [93, 92],
  STRW: [95, 94],
  MEMATTR: [99, 96],
  MTCFG: 100,
  ALLOCCFG: [104, 101],
  SHCFG: [109, 108],
  NSCFG: [111, 110],
  PRIVCFG: [113, 112],
  INSTCFG: [115, 114],
  S2VMID: [143, 128],
  S2T0SZ: [165, 160],
  S2SL0: [167, 166],
  S2IR0: [169, 168],
  S2OR0: [171, 170],
  S2SH0: [173, 172],
  S2TG: [175, 174],
  S2PS: [178, 176],
  S2AA64: 179,
  S2ENDI: 180,
  S2AFFD: 181,
  S2PTW: 182,
  S2HD: 183,
  S2HA: 184,
  S2S: 185,
  S2R: 186,
  S2SL0_2: 194,
  S2DS: 195,
  S2TTB: [243, 196],
});

/** STE.CONFIG. 0 to 3 abort; bit 2: traffic passes; bit 1: stage 2; bit 0: stage 1. */
export const STE_CONFIG = { ABORT: 0, BYPASS: 4, S1: 5, S2: 6, S1_S2: 7 } as const;
/** STE.S1FMT. 3 behaves as LINEAR. */
export const S1FMT = { LINEAR: 0, TWO_LEVEL_4K: 1, TWO_LEVEL_64K: 2 } as const;
/** STE.S1DSS: what a transaction without a substream does when substreams are on. 3 behaves as TERMINATE. */
export const S1DSS = { TERMINATE: 0, BYPASS: 1, SUBSTREAM0: 2 } as const;
/** STE.EATS. */
export const EATS = { DISABLED: 0, FULL: 1, SPLIT_STAGE: 2, DPT: 3 } as const;
/** STE.STRW: translation regime of stage 1 alone. 1 and 3 are reserved. */
export const STRW = { NS_EL1: 0, EL2: 2 } as const;
/** STE.PRIVCFG and STE.INSTCFG: 0 and 1 leave the incoming attribute. */
export const PRIVCFG = { UNPRIVILEGED: 2, PRIVILEGED: 3 } as const;
export const INSTCFG = { DATA: 2, INSTRUCTION: 3 } as const;
/** STE.SHCFG and GBPA.SHCFG. */
export const SHCFG = { NON_SHAREABLE: 0, INCOMING: 1, OUTER: 2, INNER: 3 } as const;

/** 5.3 Level 1 Context Descriptor: 64 bits. */
export const L1CD_BYTES = 8;
export const L1CD = layout('L1CD', 64, { V: 0, L2PTR: [51, 12] });
/** log2 of the CDs in a second-level table of S1FMT 1 and 2. */
export const L2_CDS_4K = 6;
export const L2_CDS_64K = 10;

/** 5.4 Context Descriptor: 512 bits. */
export const CD_BYTES = 64;
export const CD = layout('CD', 512, {
  T0SZ: [5, 0],
  TG0: [7, 6],
  IR0: [9, 8],
  OR0: [11, 10],
  SH0: [13, 12],
  EPD0: 14,
  ENDI: 15,
  T1SZ: [21, 16],
  TG1: [23, 22],
  IR1: [25, 24],
  OR1: [27, 26],
  SH1: [29, 28],
  EPD1: 30,
  V: 31,
  IPS: [34, 32],
  AFFD: 35,
  WXN: 36,
  UWXN: 37,
  TBI0: 38,
  TBI1: 39,
  PAN: 40,
  AA64: 41,
  HD: 42,
  HA: 43,
  S: 44,
  R: 45,
  A: 46,
  ASET: 47,
  ASID: [63, 48],
  NSCFG0: 64,
  HAD0: 65,
  E0PD0: 66,
  TTB0: [115, 68],
  EPAN: 123,
  NSCFG1: 128,
  HAD1: 129,
  E0PD1: 130,
  TTB1: [179, 132],
  MAIR0: [223, 192],
  MAIR1: [255, 224],
  AMAIR0: [287, 256],
  AMAIR1: [319, 288],
});

// ---- 6 Registers ----------------------------------------------------------------------------------------------------

/** Bytes of the register span: two pages of 64 KiB (6.1). */
export const REGISTER_BYTES = 0x2_0000;

/** 6.2 Register offsets. 64-bit registers are marked; the others have 32 bits. */
export const REGISTER = {
  IDR0: 0x0,
  IDR1: 0x4,
  IDR2: 0x8,
  IDR3: 0xc,
  IDR4: 0x10,
  IDR5: 0x14,
  IIDR: 0x18,
  AIDR: 0x1c,
  CR0: 0x20,
  CR0ACK: 0x24,
  CR1: 0x28,
  CR2: 0x2c,
  STATUSR: 0x40,
  GBPA: 0x44,
  AGBPA: 0x48,
  IRQ_CTRL: 0x50,
  IRQ_CTRLACK: 0x54,
  GERROR: 0x60,
  GERRORN: 0x64,
  GERROR_IRQ_CFG0: 0x68, // 64 bits
  GERROR_IRQ_CFG1: 0x70,
  GERROR_IRQ_CFG2: 0x74,
  STRTAB_BASE: 0x80, // 64 bits
  STRTAB_BASE_CFG: 0x88,
  CMDQ_BASE: 0x90, // 64 bits
  CMDQ_PROD: 0x98,
  CMDQ_CONS: 0x9c,
  EVENTQ_BASE: 0xa0, // 64 bits
  EVENTQ_IRQ_CFG0: 0xb0, // 64 bits
  EVENTQ_IRQ_CFG1: 0xb8,
  EVENTQ_IRQ_CFG2: 0xbc,
  PRIQ_BASE: 0xc0, // 64 bits
  PRIQ_IRQ_CFG0: 0xd0, // 64 bits
  PRIQ_IRQ_CFG1: 0xd8,
  PRIQ_IRQ_CFG2: 0xdc,
  /** First of the twelve CoreSight identification registers PIDR4..7, PIDR0..3, CIDR0..3 (6.3.75). */
  ID_REGS: 0xfd0,
  EVENTQ_PROD: 0x1_00a8,
  EVENTQ_CONS: 0x1_00ac,
  PRIQ_PROD: 0x1_00c8,
  PRIQ_CONS: 0x1_00cc,
} as const;

/** 6.3.1 SMMU_IDR0. */
export const IDR0 = layout('IDR0', 32, {
  S2P: 0,
  S1P: 1,
  TTF: [3, 2],
  COHACC: 4,
  BTM: 5,
  HTTU: [7, 6],
  DORMHINT: 8,
  HYP: 9,
  ATS: 10,
  NS1ATS: 11,
  ASID16: 12,
  MSI: 13,
  SEV: 14,
  ATOS: 15,
  PRI: 16,
  VMW: 17,
  VMID16: 18,
  CD2L: 19,
  VATOS: 20,
  TTENDIAN: [22, 21],
  ATSRECERR: 23,
  STALL_MODEL: [25, 24],
  TERM_MODEL: 26,
  ST_LEVEL: [28, 27],
});
/** IDR0.TTF: table formats. Bit 0: AArch32; bit 1: AArch64. */
export const TTF_AARCH64 = 2;
/** IDR0.TTENDIAN. */
export const TTENDIAN = { MIXED: 0, LITTLE: 2, BIG: 3 } as const;
/** IDR0.STALL_MODEL. */
export const STALL_MODEL = { BOTH: 0, TERMINATE: 1, FORCED: 2 } as const;

/** 6.3.2 SMMU_IDR1. */
export const IDR1 = layout('IDR1', 32, {
  SIDSIZE: [5, 0],
  SSIDSIZE: [10, 6],
  PRIQS: [15, 11],
  EVENTQS: [20, 16],
  CMDQS: [25, 21],
  ATTR_PERMS_OVR: 26,
  ATTR_TYPES_OVR: 27,
  REL: 28,
  QUEUES_PRESET: 29,
  TABLES_PRESET: 30,
  ECMDQ: 31,
});

/** 6.3.4 SMMU_IDR3. */
export const IDR3 = layout('IDR3', 32, {
  HAD: 2,
  PBHA: 3,
  XNX: 4,
  PPS: 5,
  MPAM: 7,
  FWB: 8,
  STT: 9,
  RIL: 10,
  BBML: [12, 11],
  E0PD: 13,
  PTWNNC: 14,
  DPT: 15,
});

/** 6.3.6 SMMU_IDR5. */
export const IDR5 = layout('IDR5', 32, {
  OAS: [2, 0],
  GRAN4K: 4,
  GRAN16K: 5,
  GRAN64K: 6,
  DS: 7,
  D128: 8,
  VAX: [11, 10],
  STALL_MAX: [31, 16],
});
/** Address bits of IDR5.OAS, STE.S2PS and CD.IPS. */
export const ADDRESS_BITS: readonly number[] = [32, 36, 40, 42, 44, 48, 52, 52];

/** 6.3.8 SMMU_AIDR. */
export const AIDR = layout('AIDR', 32, { MINOR: [3, 0], MAJOR: [7, 4] });

/** 6.3.9 SMMU_CR0, and CR0ACK. */
export const CR0 = layout('CR0', 32, {
  SMMUEN: 0,
  PRIQEN: 1,
  EVENTQEN: 2,
  CMDQEN: 3,
  ATSCHK: 4,
  VMW: [8, 6],
});

/** 6.3.11 SMMU_CR1. */
export const CR1 = layout('CR1', 32, {
  QUEUE_IC: [1, 0],
  QUEUE_OC: [3, 2],
  QUEUE_SH: [5, 4],
  TABLE_IC: [7, 6],
  TABLE_OC: [9, 8],
  TABLE_SH: [11, 10],
});

/** 6.3.12 SMMU_CR2. */
export const CR2 = layout('CR2', 32, { E2H: 0, RECINVSID: 1, PTM: 2, REC_CFG_ATS: 3 });

/** 6.3.14 SMMU_GBPA. */
export const GBPA = layout('GBPA', 32, {
  MEMATTR: [3, 0],
  MTCFG: 4,
  ALLOCCFG: [11, 8],
  SHCFG: [13, 12],
  PRIVCFG: [17, 16],
  INSTCFG: [19, 18],
  ABORT: 20,
  UPDATE: 31,
});

/** 6.3.16 SMMU_IRQ_CTRL, and IRQ_CTRLACK. */
export const IRQ_CTRL = layout('IRQ_CTRL', 32, { GERROR: 0, PRIQ: 1, EVENTQ: 2 });

/** 6.3.18 SMMU_GERROR, and GERRORN. */
export const GERROR = layout('GERROR', 32, {
  CMDQ_ERR: 0,
  EVENTQ_ABT_ERR: 2,
  PRIQ_ABT_ERR: 3,
  MSI_CMDQ_ABT_ERR: 4,
  MSI_EVENTQ_ABT_ERR: 5,
  MSI_PRIQ_ABT_ERR: 6,
  MSI_GERROR_ABT_ERR: 7,
  SFM_ERR: 8,
});

/** 6.3.20 SMMU_*_IRQ_CFG0 (64 bits) and CFG2. */
export const IRQ_CFG0 = layout('IRQ_CFG0', 64, { ADDR: [51, 2] });
export const IRQ_CFG2 = layout('IRQ_CFG2', 32, { MEMATTR: [3, 0], SH: [5, 4] });
/** 6.3.36 SMMU_PRIQ_IRQ_CFG2. LO: interrupts tell of last page requests of a group only. */
export const PRIQ_IRQ_CFG2 = layout('PRIQ_IRQ_CFG2', 32, { MEMATTR: [3, 0], SH: [5, 4], LO: 31 });

/** 6.3.24 SMMU_STRTAB_BASE: 64 bits. */
export const STRTAB_BASE = layout('STRTAB_BASE', 64, { ADDR: [51, 6], RA: 62 });

/** 6.3.25 SMMU_STRTAB_BASE_CFG. */
export const STRTAB_BASE_CFG = layout('STRTAB_BASE_CFG', 32, { LOG2SIZE: [5, 0], SPLIT: [10, 6], FMT: [17, 16] });
/** STRTAB_BASE_CFG.FMT. */
export const STRTAB_FMT = { LINEAR: 0, TWO_LEVEL: 1 } as const;

/** 6.3.26 SMMU_CMDQ_BASE, EVENTQ_BASE and PRIQ_BASE: 64 bits. HINT is RA for the command queue, else WA. */
export const QUEUE_BASE = layout('QUEUE_BASE', 64, { LOG2SIZE: [4, 0], ADDR: [51, 5], HINT: 62 });

/** 6.3.27 Queue indices: RD or WR with the wrap bit above the index; bit 31 is OVFLG of PROD, OVACKFLG of CONS. */
export const QUEUE_INDEX = layout('QUEUE_INDEX', 32, { INDEX: [19, 0], OVERFLOW: 31 });
/** 6.3.28 SMMU_CMDQ_CONS. */
export const CMDQ_CONS = layout('CMDQ_CONS', 32, { RD: [19, 0], ERR: [30, 24] });
/** CMDQ_CONS.ERR (7.1). */
export const CERROR = { NONE: 0, ILL: 1, ABT: 2, ATC_INV_SYNC: 3 } as const;

// ---- 7 Events: 256 bits ---------------------------------------------------------------------------------------------

/** Bytes of an event record. */
export const EVENT_BYTES = 32;

/** 7.3 Event numbers, bits 7:0. */
export const EVENT_ID = {
  F_UUT: 0x01,
  C_BAD_STREAMID: 0x02,
  F_STE_FETCH: 0x03,
  C_BAD_STE: 0x04,
  F_BAD_ATS_TREQ: 0x05,
  F_STREAM_DISABLED: 0x06,
  F_TRANSL_FORBIDDEN: 0x07,
  C_BAD_SUBSTREAMID: 0x08,
  F_CD_FETCH: 0x09,
  C_BAD_CD: 0x0a,
  F_WALK_EABT: 0x0b,
  F_TRANSLATION: 0x10,
  F_ADDR_SIZE: 0x11,
  F_ACCESS: 0x12,
  F_PERMISSION: 0x13,
  F_TLB_CONFLICT: 0x20,
  F_CFG_CONFLICT: 0x21,
  E_PAGE_REQUEST: 0x24,
  F_VMS_FETCH: 0x25,
} as const;

/** Name of an event. */
export type EventName = keyof typeof EVENT_ID;

/** 7.3.13 F_TRANSLATION and its kin; the other records have a part of these fields at the same places. */
export const EVENT = layout('event', 256, {
  ID: [7, 0],
  SSV: 11,
  SSID: [31, 12],
  SID: [63, 32],
  STAG: [79, 64],
  STALL: 95,
  PNU: 97,
  IND: 98,
  RNW: 99,
  NSIPA: 100,
  S2: 103,
  CLASS: [105, 104],
  TTRNW: 108,
  INPUT_ADDR_LO: [159, 128],
  INPUT_ADDR_HI: [191, 160],
  IPA: [243, 204],
});
/** 7.3.4, 7.3.10, 7.3.12: FetchAddr, 51:3 of the last doubleword. */
export const EVENT_FETCH = layout('event with FetchAddr', 256, { ADDR: [243, 195] });
/** 7.3.6 F_BAD_ATS_TREQ: what was asked for. The order of the four permissions was not verified. */
export const EVENT_ATS = layout('F_BAD_ATS_TREQ', 256, { SPAN: [67, 64], R: 92, W: 93, X: 94, PRIV: 95 });
/** CLASS: what was being translated. CD: the fetch of a CD; TT: of a stage 1 descriptor; IN: the input address. */
export const EVENT_CLASS = { CD: 0, TT: 1, IN: 2 } as const;

// ---- 8 PRI queue: 128 bits ------------------------------------------------------------------------------------------

/** Bytes of a page request. */
export const PAGE_REQUEST_BYTES = 16;
/** 8.1 Page request record. */
export const PAGE_REQUEST = layout('page request', 128, {
  SID: [31, 0],
  SSID: [51, 32],
  PRIV: 58,
  EXEC: 59,
  READ: 60,
  WRITE: 61,
  LAST: 62,
  SSV: 63,
  PRG_INDEX: [72, 64],
  ADDR: [127, 76],
});
