/**
 * Arm64 system registers of EL2 that concern guests: where the bits are (Arm DDI 0487 D24.2). All are 64 bits wide. Fields
 * that this model and a hypervisor without nested virtualisation do not look at are left out.
 */
import { layout } from '../bits.js';

export const REGISTER_BITS = 64;

/** HCR_EL2, Hypervisor Configuration Register. */
export const HCR_EL2 = layout('HCR_EL2', REGISTER_BITS, {
  VM: 0,
  SWIO: 1,
  PTW: 2,
  FMO: 3,
  IMO: 4,
  AMO: 5,
  VF: 6,
  VI: 7,
  VSE: 8,
  FB: 9,
  BSU: [11, 10],
  DC: 12,
  TWI: 13,
  TWE: 14,
  TID0: 15,
  TID1: 16,
  TID2: 17,
  TID3: 18,
  TSC: 19,
  TIDCP: 20,
  TACR: 21,
  TSW: 22,
  TPCP: 23,
  TPU: 24,
  TTLB: 25,
  TVM: 26,
  TGE: 27,
  TDZ: 28,
  HCD: 29,
  TRVM: 30,
  RW: 31,
  CD: 32,
  ID: 33,
  E2H: 34,
  TLOR: 35,
  TERR: 36,
  TEA: 37,
  FWB: 46,
});

/** VTCR_EL2, Virtualization Translation Control Register. */
export const VTCR_EL2 = layout('VTCR_EL2', REGISTER_BITS, {
  T0SZ: [5, 0],
  SL0: [7, 6],
  IRGN0: [9, 8],
  ORGN0: [11, 10],
  SH0: [13, 12],
  TG0: [15, 14],
  PS: [18, 16],
  VS: 19,
  HA: 21,
  HD: 22,
  HWU59: 25,
  HWU60: 26,
  HWU61: 27,
  HWU62: 28,
  NSW: 29,
  NSA: 30,
  RES1: 31,
  DS: 32,
  SL2: 33,
});

/** VTTBR_EL2, Virtualization Translation Table Base Register. BADDR is address bits 47:1. */
export const VTTBR_EL2 = layout('VTTBR_EL2', REGISTER_BITS, {
  CnP: 0,
  BADDR: [47, 1],
  VMID: [63, 48],
});

/** VTTBR_EL2 where base addresses have 52 bits (64 KiB granule, PS = 6): BADDR is address bits 47:6, BADDRHigh 51:48. */
export const VTTBR_EL2_52 = layout('VTTBR_EL2, 52-bit', REGISTER_BITS, {
  CnP: 0,
  BADDRHigh: [5, 2],
  BADDR: [47, 6],
  VMID: [63, 48],
});

/** ESR_EL2, Exception Syndrome Register. */
export const ESR_EL2 = layout('ESR_EL2', REGISTER_BITS, {
  ISS: [24, 0],
  IL: 25,
  EC: [31, 26],
  ISS2: [55, 32],
});

/** ESR_EL2.EC: the exception classes that guests of this model cause. */
export const EXCEPTION_CLASS = {
  /** HVC executed in AArch64 state. */
  hvc64: 0x16,
  /** MSR, MRS or System instruction execution in AArch64 state. */
  systemRegister: 0x18,
  /** Instruction Abort from a lower Exception level. */
  instructionAbort: 0x20,
  /** Data Abort from a lower Exception level. */
  dataAbort: 0x24,
} as const;

/** ESR_EL2 of a Data Abort. An Instruction Abort has FnV, EA, S1PTW and the status code in the same places. */
export const ESR_ABORT = layout('ESR_EL2, abort', REGISTER_BITS, {
  /** DFSC or IFSC. */
  FSC: [5, 0],
  WnR: 6,
  S1PTW: 7,
  CM: 8,
  EA: 9,
  FnV: 10,
  SET: [12, 11],
  VNCR: 13,
  AR: 14,
  SF: 15,
  SRT: [20, 16],
  SSE: 21,
  SAS: [23, 22],
  ISV: 24,
  IL: 25,
  EC: [31, 26],
});

/** ESR_EL2 of an HVC. */
export const ESR_HVC = layout('ESR_EL2, HVC', REGISTER_BITS, {
  imm16: [15, 0],
  IL: 25,
  EC: [31, 26],
});

/** ESR_EL2 of a trapped MSR or MRS. */
export const ESR_SYSTEM = layout('ESR_EL2, MSR or MRS', REGISTER_BITS, {
  /** 1: a read, MRS. */
  Direction: 0,
  CRm: [4, 1],
  Rt: [9, 5],
  CRn: [13, 10],
  Op1: [16, 14],
  Op2: [19, 17],
  Op0: [21, 20],
  IL: 25,
  EC: [31, 26],
});

/** Encodings of the GIC's registers that a guest can name (D24.8), in the order of CRn, CRm, Op2. Op0 is 3, Op1 is 0. */
export const ICC_ENCODING = {
  ICC_PMR_EL1: { CRn: 4, CRm: 6, Op2: 0 },
  ICC_IAR0_EL1: { CRn: 12, CRm: 8, Op2: 0 },
  ICC_EOIR0_EL1: { CRn: 12, CRm: 8, Op2: 1 },
  ICC_HPPIR0_EL1: { CRn: 12, CRm: 8, Op2: 2 },
  ICC_BPR0_EL1: { CRn: 12, CRm: 8, Op2: 3 },
  ICC_AP0R0_EL1: { CRn: 12, CRm: 8, Op2: 4 },
  ICC_AP0R1_EL1: { CRn: 12, CRm: 8, Op2: 5 },
  ICC_AP0R2_EL1: { CRn: 12, CRm: 8, Op2: 6 },
  ICC_AP0R3_EL1: { CRn: 12, CRm: 8, Op2: 7 },
  ICC_AP1R0_EL1: { CRn: 12, CRm: 9, Op2: 0 },
  ICC_AP1R1_EL1: { CRn: 12, CRm: 9, Op2: 1 },
  ICC_AP1R2_EL1: { CRn: 12, CRm: 9, Op2: 2 },
  ICC_AP1R3_EL1: { CRn: 12, CRm: 9, Op2: 3 },
  ICC_DIR_EL1: { CRn: 12, CRm: 11, Op2: 1 },
  ICC_RPR_EL1: { CRn: 12, CRm: 11, Op2: 3 },
  ICC_SGI1R_EL1: { CRn: 12, CRm: 11, Op2: 5 },
  ICC_ASGI1R_EL1: { CRn: 12, CRm: 11, Op2: 6 },
  ICC_SGI0R_EL1: { CRn: 12, CRm: 11, Op2: 7 },
  ICC_IAR1_EL1: { CRn: 12, CRm: 12, Op2: 0 },
  ICC_EOIR1_EL1: { CRn: 12, CRm: 12, Op2: 1 },
  ICC_HPPIR1_EL1: { CRn: 12, CRm: 12, Op2: 2 },
  ICC_BPR1_EL1: { CRn: 12, CRm: 12, Op2: 3 },
  ICC_CTLR_EL1: { CRn: 12, CRm: 12, Op2: 4 },
  ICC_SRE_EL1: { CRn: 12, CRm: 12, Op2: 5 },
  ICC_IGRPEN0_EL1: { CRn: 12, CRm: 12, Op2: 6 },
  ICC_IGRPEN1_EL1: { CRn: 12, CRm: 12, Op2: 7 },
} as const;
/** Op0 and Op1 of all of them. */
export const ICC_OP0 = 3;
export const ICC_OP1 = 0;

/** DFSC and IFSC: the level is added to the first five. */
export const FAULT_STATUS = {
  addressSize: 0x00,
  translation: 0x04,
  accessFlag: 0x08,
  permission: 0x0c,
  externalAbortOnWalk: 0x14,
  externalAbort: 0x10,
} as const;

/** HPFAR_EL2, Hypervisor IPA Fault Address Register. FIPA is bits 51:12 of the address. */
export const HPFAR_EL2 = layout('HPFAR_EL2', REGISTER_BITS, {
  FIPA: [43, 4],
  NS: 63,
});

/** SPSR_EL2, Saved Program Status Register, as far as this model sets it. */
export const SPSR_EL2 = layout('SPSR_EL2', REGISTER_BITS, {
  M: [4, 0],
  F: 6,
  I: 7,
  A: 8,
  D: 9,
});

/** SPSR_EL2.M of a guest's kernel: EL1 with its own stack pointer. */
export const MODE_EL1H = 0x5;

/** ID_AA64MMFR0_EL1, AArch64 Memory Model Feature Register 0. */
export const ID_AA64MMFR0_EL1 = layout('ID_AA64MMFR0_EL1', REGISTER_BITS, {
  PARange: [3, 0],
  ASIDBits: [7, 4],
  /** 1 is support, 2 with 52 bits; stage 2 may say otherwise in TGran16_2. */
  TGran16: [23, 20],
  /** 0 is support, 15 none; stage 2 may say otherwise in TGran64_2. */
  TGran64: [27, 24],
  /** 0 is support, 1 with 52 bits, 15 none; stage 2 may say otherwise in TGran4_2. */
  TGran4: [31, 28],
  /** 0 as TGran16, 1 no support at stage 2, 2 support, 3 with 52 bits. The other two in the same way. */
  TGran16_2: [35, 32],
  TGran64_2: [39, 36],
  TGran4_2: [43, 40],
});

/** ID_AA64MMFR1_EL1. */
export const ID_AA64MMFR1_EL1 = layout('ID_AA64MMFR1_EL1', REGISTER_BITS, {
  HAFDBS: [3, 0],
  /** 0 is 8 bits, 2 is 16 bits. */
  VMIDBits: [7, 4],
  VH: [11, 8],
  HPDS: [15, 12],
  PAN: [23, 20],
  XNX: [31, 28],
});

/** ID_AA64MMFR2_EL1. */
export const ID_AA64MMFR2_EL1 = layout('ID_AA64MMFR2_EL1', REGISTER_BITS, {
  CnP: [3, 0],
  VARange: [19, 16],
  /** FEAT_TTST, small translation tables. */
  ST: [31, 28],
  FWB: [43, 40],
});

/** MPIDR_EL1, Multiprocessor Affinity Register. */
export const MPIDR_EL1 = layout('MPIDR_EL1', REGISTER_BITS, {
  Aff0: [7, 0],
  Aff1: [15, 8],
  Aff2: [23, 16],
  RES1: 31,
  Aff3: [39, 32],
});
