/**
 * GICv3 without its ITS: where the bits are. Arm IHI 0069 (issue H), in the order of the manual: interrupt identifiers
 * (2.2), LPI tables (5.1), system registers (12.2 to 12.4), distributor (12.8, 12.9), redistributor (12.10, 12.11).
 *
 * Registers are named by their manual's names without the frame's prefix; arrays by their first register. What belongs to
 * GICv4 (virtual LPIs, vPEs), extended SPI and PPI ranges and two Security states is left out, but for the fields that
 * tell that it is absent.
 */
import { layout } from '../../bits.js';

// ---- 2.2 INTIDs -----------------------------------------------------------------------------------------------------

/** First PPI; SGIs are 0 to 15. */
export const FIRST_PPI = 16;
/** First SPI. */
export const FIRST_SPI = 32;
/** INTIDs from here to 1023 are special: no interrupts (2.2.1). */
export const FIRST_SPECIAL = 1020;
/** No interrupt is pending that the register can acknowledge. */
export const SPURIOUS = 1023;
/** First LPI. */
export const FIRST_LPI = 8192;
/** The maintenance interrupt: a PPI, by convention this one (Arm BSA, PPI assignments). */
export const MAINTENANCE_INTID = 25;
/** Priority of an idle interface, and the lowest that PMR can hold back from. */
export const IDLE_PRIORITY = 0xff;

// ---- 5.1 LPIs -------------------------------------------------------------------------------------------------------

/** 5.1.1 An entry of the LPI Configuration table: one byte per LPI, the first is that of INTID 8192. */
export const LPI_CONFIGURATION = layout('LPI configuration', 32, { Enable: 0, RES1: 1, Priority: [7, 2] });
/**
 * 5.1.2 The LPI Pending table has one bit per INTID from INTID 0 up: bit INTID mod 8 of byte INTID div 8. The first 1 KiB
 * (INTIDs below 8192) is the implementation's own.
 */
export const LPI_PENDING_FIRST_BYTE = FIRST_LPI / 8;

// ---- 12.2 System registers, ICC -------------------------------------------------------------------------------------

/** All system registers of the CPU interface are accessed as 64 bits. */
export const SYSTEM_REGISTER_BITS = 64;

/** ICC_AP0R<n>_EL1 and ICC_AP1R<n>_EL1, at most; ICH_AP0R<n>_EL2 and ICH_AP1R<n>_EL2 as well. */
export const ACTIVE_PRIORITIES_MAX = 4;

/** ICC_BPR0_EL1, ICC_BPR1_EL1. */
export const ICC_BPR = layout('ICC_BPR_EL1', 64, { BinaryPoint: [2, 0] });

/** ICC_CTLR_EL1; ICV_CTLR_EL1 has CBPR, EOImode and what is read-only, in the same places. */
export const ICC_CTLR = layout('ICC_CTLR_EL1', 64, {
  CBPR: 0,
  EOImode: 1,
  PMHE: 6,
  /** Implemented bits of priority, minus one. */
  PRIbits: [10, 8],
  /** 0: 16 bits of INTID, 1: 24 bits. */
  IDbits: [13, 11],
  SEIS: 14,
  A3V: 15,
  RSS: 18,
  ExtRange: 19,
});

/** ICC_IAR0_EL1 and ICC_IAR1_EL1; EOIR0, EOIR1, HPPIR0, HPPIR1 and DIR have their INTID there too. */
export const ICC_IAR = layout('ICC_IAR_EL1', 64, { INTID: [23, 0] });

/** ICC_IGRPEN0_EL1, ICC_IGRPEN1_EL1. */
export const ICC_IGRPEN = layout('ICC_IGRPEN_EL1', 64, { Enable: 0 });

/** ICC_PMR_EL1; ICC_RPR_EL1 has its priority there too. */
export const ICC_PMR = layout('ICC_PMR_EL1', 64, { Priority: [7, 0] });

/** ICC_SGI0R_EL1, ICC_SGI1R_EL1, ICC_ASGI1R_EL1. */
export const ICC_SGIR = layout('ICC_SGI1R_EL1', 64, {
  /** A bit for each PE with Aff0 = 16 * RS + its number. */
  TargetList: [15, 0],
  Aff1: [23, 16],
  INTID: [27, 24],
  Aff2: [39, 32],
  /** 1: all PEs but the one that writes. */
  IRM: 40,
  RS: [47, 44],
  Aff3: [55, 48],
});

/** ICC_SRE_EL1, and ICC_SRE_EL2, which alone has Enable. */
export const ICC_SRE = layout('ICC_SRE_EL2', 64, { SRE: 0, DFB: 1, DIB: 2, Enable: 3 });

// ---- 12.4 System registers, ICH -------------------------------------------------------------------------------------

/** ICH_HCR_EL2, Interrupt Controller Hyp Control Register. */
export const ICH_HCR = layout('ICH_HCR_EL2', 64, {
  En: 0,
  UIE: 1,
  LRENPIE: 2,
  NPIE: 3,
  VGrp0EIE: 4,
  VGrp0DIE: 5,
  VGrp1EIE: 6,
  VGrp1DIE: 7,
  vSGIEOICount: 8,
  TC: 10,
  TALL0: 11,
  TALL1: 12,
  TSEI: 13,
  TDIR: 14,
  DVIM: 15,
  EOIcount: [31, 27],
});

/** ICH_LR<n>_EL2, List Registers. */
export const LIST_REGISTERS_MAX = 16;
export const ICH_LR = layout('ICH_LR_EL2', 64, {
  vINTID: [31, 0],
  /** With HW = 1: the physical INTID that is deactivated with the virtual one. */
  pINTID: [44, 32],
  Priority: [55, 48],
  NMI: 59,
  Group: 60,
  HW: 61,
  State: [63, 62],
});
/** ICH_LR<n>_EL2 with HW = 0, where pINTID would be: EOI asks for a maintenance interrupt when it is deactivated. */
export const ICH_LR_SOFT = layout('ICH_LR_EL2, HW = 0', 64, { EOI: 41 });
/** ICH_LR<n>_EL2.State. */
export const LR_STATE = { INVALID: 0, PENDING: 1, ACTIVE: 2, PENDING_ACTIVE: 3 } as const;

/** ICH_MISR_EL2, Maintenance Interrupt State Register. */
export const ICH_MISR = layout('ICH_MISR_EL2', 64, {
  EOI: 0,
  U: 1,
  LRENP: 2,
  NP: 3,
  VGrp0E: 4,
  VGrp0D: 5,
  VGrp1E: 6,
  VGrp1D: 7,
});

/** ICH_EISR_EL2 and ICH_ELRSR_EL2 have a bit for each list register. */
export const ICH_EISR = layout('ICH_EISR_EL2', 64, { Status: [15, 0] });
export const ICH_ELRSR = layout('ICH_ELRSR_EL2', 64, { Status: [15, 0] });

/** ICH_VMCR_EL2, Virtual Machine Control Register: what the guest's ICV registers hold. */
export const ICH_VMCR = layout('ICH_VMCR_EL2', 64, {
  VENG0: 0,
  VENG1: 1,
  VAckCtl: 2,
  VFIQEn: 3,
  VCBPR: 4,
  VEOIM: 9,
  VBPR1: [20, 18],
  VBPR0: [23, 21],
  VPMR: [31, 24],
});

/** ICH_VTR_EL2, VGIC Type Register. ListRegs, PREbits and PRIbits are one less than the number they tell. */
export const ICH_VTR = layout('ICH_VTR_EL2', 64, {
  ListRegs: [4, 0],
  DVIM: 18,
  TDS: 19,
  nV4: 20,
  A3V: 21,
  SEIS: 22,
  /** 0: 16 bits of virtual INTID, 1: 24 bits. */
  IDbits: [25, 23],
  PREbits: [28, 26],
  PRIbits: [31, 29],
});

// ---- 12.8, 12.9 Distributor -----------------------------------------------------------------------------------------

/** Bytes of the distributor's frame. */
export const GICD_BYTES = 0x1_0000;

/** Offsets of the distributor. */
export const GICD = {
  CTLR: 0x0000,
  TYPER: 0x0004,
  IIDR: 0x0008,
  TYPER2: 0x000c,
  STATUSR: 0x0010,
  SETSPI_NSR: 0x0040,
  CLRSPI_NSR: 0x0048,
  SETSPI_SR: 0x0050,
  CLRSPI_SR: 0x0058,
  /** A bit per INTID, 32 to a register: this and those up to ICACTIVER. */
  IGROUPR: 0x0080,
  ISENABLER: 0x0100,
  ICENABLER: 0x0180,
  ISPENDR: 0x0200,
  ICPENDR: 0x0280,
  ISACTIVER: 0x0300,
  ICACTIVER: 0x0380,
  /** A byte per INTID; byte accesses as well. */
  IPRIORITYR: 0x0400,
  /** With affinity routing RES0, as are SGIR, CPENDSGIR and SPENDSGIR. */
  ITARGETSR: 0x0800,
  /** Two bits per INTID. */
  ICFGR: 0x0c00,
  IGRPMODR: 0x0d00,
  NSACR: 0x0e00,
  SGIR: 0x0f00,
  CPENDSGIR: 0x0f10,
  SPENDSGIR: 0x0f20,
  /** 64 bits per INTID: that of INTID n is at IROUTER + 8 n, the first is n = 32. */
  IROUTER: 0x6000,
  /** First of the identification registers, PIDR4. */
  PIDR4: 0xffd0,
  PIDR2: 0xffe8,
  CIDR0: 0xfff0,
} as const;

/** GICD_CTLR with a single Security state (DS = 1). */
export const GICD_CTLR = layout('GICD_CTLR', 32, {
  EnableGrp0: 0,
  EnableGrp1: 1,
  ARE: 4,
  DS: 6,
  E1NWF: 7,
  nASSGIreq: 8,
  RWP: 31,
});

/** GICD_TYPER. */
export const GICD_TYPER = layout('GICD_TYPER', 32, {
  /** INTIDs below 32 * (ITLinesNumber + 1) are SGIs, PPIs and SPIs. */
  ITLinesNumber: [4, 0],
  CPUNumber: [7, 5],
  ESPI: 8,
  NMI: 9,
  SecurityExtn: 10,
  num_LPIs: [15, 11],
  /** SPIs by message: SETSPI_NSR. */
  MBIS: 16,
  LPIS: 17,
  DVIS: 18,
  /** Bits of INTID, minus one. */
  IDbits: [23, 19],
  A3V: 24,
  No1N: 25,
  RSS: 26,
  ESPI_range: [31, 27],
});

/** GICD_IIDR and GICR_IIDR. */
export const GICD_IIDR = layout('GICD_IIDR', 32, {
  Implementer: [11, 0],
  Revision: [15, 12],
  Variant: [19, 16],
  ProductID: [31, 24],
});

/** GICD_TYPER2. */
export const GICD_TYPER2 = layout('GICD_TYPER2', 32, { VID: [4, 0], VIL: 7, nASSGIcap: 8 });

/** GICD_STATUSR and GICR_STATUSR: accesses that went wrong. A bit is cleared by writing 1. */
export const GICD_STATUSR = layout('GICD_STATUSR', 32, {
  /** Read of a reserved location. */
  RRD: 0,
  /** Write to a reserved location. */
  WRD: 1,
  /** Read of a write-only location. */
  RWOD: 2,
  /** Write to a read-only location. */
  WROD: 3,
});

/** GICD_SETSPI_NSR, GICD_CLRSPI_NSR. */
export const GICD_SETSPI = layout('GICD_SETSPI_NSR', 32, { INTID: [12, 0] });

/** GICD_ICFGR<n>, GICR_ICFGR<n>: the upper bit of each pair, edge-triggered rather than level-sensitive. */
export const ICFGR_EDGE = 2;

/** GICD_IROUTER<n>. */
export const GICD_IROUTER = layout('GICD_IROUTER', 64, {
  Aff0: [7, 0],
  Aff1: [15, 8],
  Aff2: [23, 16],
  /** 1: any one PE that takes part (1 of N). */
  IRM: 31,
  Aff3: [39, 32],
});

/** GICD_PIDR2, GICR_PIDR2. */
export const GICD_PIDR2 = layout('GICD_PIDR2', 32, { ArchRev: [7, 4] });
/** PIDR2.ArchRev. */
export const ARCH_REV = { GICv3: 3, GICv4: 4 } as const;

// ---- 12.10, 12.11 Redistributor -------------------------------------------------------------------------------------

/** Bytes of a redistributor: the frames RD_base and SGI_base. */
export const GICR_BYTES = 0x2_0000;
/** SGI_base, from RD_base. */
export const SGI_BASE = 0x1_0000;

/** Offsets of the frame RD_base. */
export const GICR = {
  CTLR: 0x0000,
  IIDR: 0x0004,
  TYPER: 0x0008, // 64 bits
  STATUSR: 0x0010,
  WAKER: 0x0014,
  SETLPIR: 0x0040, // 64 bits, as are those below but for SYNCR
  CLRLPIR: 0x0048,
  PROPBASER: 0x0070,
  PENDBASER: 0x0078,
  INVLPIR: 0x00a0,
  INVALLR: 0x00b0,
  SYNCR: 0x00c0,
  PIDR4: 0xffd0,
  PIDR2: 0xffe8,
  CIDR0: 0xfff0,
} as const;

/** Offsets of the frame SGI_base, from SGI_base. */
export const GICR_SGI = {
  IGROUPR0: 0x0080,
  ISENABLER0: 0x0100,
  ICENABLER0: 0x0180,
  ISPENDR0: 0x0200,
  ICPENDR0: 0x0280,
  ISACTIVER0: 0x0300,
  ICACTIVER0: 0x0380,
  IPRIORITYR0: 0x0400,
  ICFGR0: 0x0c00,
  ICFGR1: 0x0c04,
  IGRPMODR0: 0x0d00,
  NSACR: 0x0e00,
} as const;

/** GICR_CTLR. */
export const GICR_CTLR = layout('GICR_CTLR', 32, {
  EnableLPIs: 0,
  /** Read-only: EnableLPIs can be cleared. */
  CES: 1,
  /** Read-only: INVLPIR, INVALLR and SYNCR are there. */
  IR: 2,
  RWP: 3,
  DPG0: 24,
  DPG1NS: 25,
  DPG1S: 26,
  UWP: 31,
});

/** GICR_TYPER. */
export const GICR_TYPER = layout('GICR_TYPER', 64, {
  PLPIS: 0,
  VLPIS: 1,
  Dirty: 2,
  DirectLPI: 3,
  Last: 4,
  DPGS: 5,
  MPAM: 6,
  RVPEID: 7,
  Processor_Number: [23, 8],
  CommonLPIAff: [25, 24],
  VSGI: 26,
  PPInum: [31, 27],
  Aff0: [39, 32],
  Aff1: [47, 40],
  Aff2: [55, 48],
  Aff3: [63, 56],
});

/** GICR_WAKER. */
export const GICR_WAKER = layout('GICR_WAKER', 32, { ProcessorSleep: 1, ChildrenAsleep: 2 });

/** GICR_SETLPIR, GICR_CLRLPIR. */
export const GICR_SETLPIR = layout('GICR_SETLPIR', 64, { pINTID: [31, 0] });

/** GICR_PROPBASER. Physical_Address is bits 51:12. */
export const GICR_PROPBASER = layout('GICR_PROPBASER', 64, {
  /** Bits of INTID, minus one. */
  IDbits: [4, 0],
  InnerCache: [9, 7],
  Shareability: [11, 10],
  Physical_Address: [51, 12],
  OuterCache: [58, 56],
});

/** GICR_PENDBASER. Physical_Address is bits 51:16. */
export const GICR_PENDBASER = layout('GICR_PENDBASER', 64, {
  InnerCache: [9, 7],
  Shareability: [11, 10],
  Physical_Address: [51, 16],
  OuterCache: [58, 56],
  /** Write-only: the table is all zeros. */
  PTZ: 62,
});

/** GICR_INVLPIR. */
export const GICR_INVLPIR = layout('GICR_INVLPIR', 64, { INTID: [31, 0], vPEID: [47, 32], V: 63 });

/** GICR_SYNCR. */
export const GICR_SYNCR = layout('GICR_SYNCR', 32, { Busy: 0 });
