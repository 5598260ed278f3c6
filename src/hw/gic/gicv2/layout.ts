/**
 * GICv2: where the bits are. Arm IHI 0048B.b, in the order of the manual: distributor (4.3), CPU interface (4.4),
 * virtual interface control (5.3), virtual CPU interface (5.5). All registers have 32 bits. What only the Security
 * Extensions add is left out.
 */
import { layout } from '../../bits.js';

// ---- 2.2 Interrupt IDs ----------------------------------------------------------------------------------------------

/** First PPI, first SPI. SGIs are 0 to 15. */
export const FIRST_PPI = 16;
export const FIRST_SPI = 32;
/** INTIDs from here on are no interrupts (2.2.1). */
export const FIRST_SPECIAL = 1020;
/** A Group 1 interrupt is pending that the register read does not acknowledge (3.2.5). */
export const GROUP1_PENDING = 1022;
/** No interrupt, or none of sufficient priority. */
export const SPURIOUS = 1023;

/** INTID of the virtual maintenance interrupt, a PPI, as the GIC-400 has it (Arm DDI 0471). */
export const MAINTENANCE_PPI = 25;

// ---- 4.3 Distributor ------------------------------------------------------------------------------------------------

/** Bytes of the distributor's registers (4.1.2). */
export const GICD_BYTES = 0x1000;

/** Table 4-1. Arrays are named by their first register. */
export const GICD = {
  CTLR: 0x000, // 4.3.1
  TYPER: 0x004, // 4.3.2
  IIDR: 0x008, // 4.3.3
  IGROUPR: 0x080, // 4.3.4, a bit per interrupt
  ISENABLER: 0x100, // 4.3.5
  ICENABLER: 0x180, // 4.3.6
  ISPENDR: 0x200, // 4.3.7
  ICPENDR: 0x280, // 4.3.8
  ISACTIVER: 0x300, // 4.3.9
  ICACTIVER: 0x380, // 4.3.10
  IPRIORITYR: 0x400, // 4.3.11, a byte per interrupt
  ITARGETSR: 0x800, // 4.3.12, a byte per interrupt
  ICFGR: 0xc00, // 4.3.13, two bits per interrupt
  NSACR: 0xe00, // 4.3.14
  SGIR: 0xf00, // 4.3.15
  CPENDSGIR: 0xf10, // 4.3.16, a byte per SGI
  SPENDSGIR: 0xf20, // 4.3.17, a byte per SGI
  PIDR4: 0xfd0, // 4.3.18, first of the identification registers
  PIDR2: 0xfe8,
  CIDR0: 0xff0,
} as const;

/** 4.3.1 GICD_CTLR without the Security Extensions. */
export const GICD_CTLR = layout('GICD_CTLR', 32, { EnableGrp0: 0, EnableGrp1: 1 });

/** 4.3.2 GICD_TYPER. */
export const GICD_TYPER = layout('GICD_TYPER', 32, {
  ITLinesNumber: [4, 0],
  CPUNumber: [7, 5],
  SecurityExtn: 10,
  LSPI: [15, 11],
});

/** 4.3.3 GICD_IIDR. */
export const GICD_IIDR = layout('GICD_IIDR', 32, {
  Implementer: [11, 0],
  Revision: [15, 12],
  Variant: [19, 16],
  ProductID: [31, 24],
});

/** 4.3.13 GICD_ICFGR: the upper bit of each pair, edge-triggered rather than level-sensitive; the lower is reserved. */
export const ICFGR_EDGE = 2;

/** 4.3.15 GICD_SGIR. */
export const GICD_SGIR = layout('GICD_SGIR', 32, {
  SGIINTID: [3, 0],
  NSATT: 15,
  CPUTargetList: [23, 16],
  TargetListFilter: [25, 24],
});
/** GICD_SGIR.TargetListFilter; 3 is reserved. */
export const TARGET_LIST_FILTER = { LIST: 0, OTHERS: 1, SELF: 2 } as const;

/** 4.3.18 ICPIDR2. */
export const GICD_PIDR2 = layout('ICPIDR2', 32, { ArchRev: [7, 4] });

// ---- 4.4 CPU interface ----------------------------------------------------------------------------------------------

/** Bytes of the CPU interface's registers (4.1.3). */
export const GICC_BYTES = 0x2000;

/** Table 4-2. The virtual CPU interface, GICV, has its registers at the same offsets (5.5), but for GICC_NSAPR. */
export const GICC = {
  CTLR: 0x0000, // 4.4.1
  PMR: 0x0004, // 4.4.2
  BPR: 0x0008, // 4.4.3
  IAR: 0x000c, // 4.4.4
  EOIR: 0x0010, // 4.4.5
  RPR: 0x0014, // 4.4.6
  HPPIR: 0x0018, // 4.4.7
  ABPR: 0x001c, // 4.4.8
  AIAR: 0x0020, // 4.4.9
  AEOIR: 0x0024, // 4.4.10
  AHPPIR: 0x0028, // 4.4.11
  APR: 0x00d0, // 4.4.12, four registers
  NSAPR: 0x00e0, // 4.4.13, four registers
  IIDR: 0x00fc, // 4.4.14
  DIR: 0x1000, // 4.4.15
} as const;

/** 4.4.1 GICC_CTLR without the Security Extensions. */
export const GICC_CTLR = layout('GICC_CTLR', 32, {
  EnableGrp0: 0,
  EnableGrp1: 1,
  AckCtl: 2,
  FIQEn: 3,
  CBPR: 4,
  FIQBypDisGrp0: 5,
  IRQBypDisGrp0: 6,
  FIQBypDisGrp1: 7,
  IRQBypDisGrp1: 8,
  EOImode: 9,
});

/** 4.4.2 GICC_PMR. 4.4.6 GICC_RPR has its priority there too. */
export const GICC_PMR = layout('GICC_PMR', 32, { Priority: [7, 0] });
/** 4.4.3 GICC_BPR, and 4.4.8 GICC_ABPR. */
export const GICC_BPR = layout('GICC_BPR', 32, { BinaryPoint: [2, 0] });
/** 4.4.4 GICC_IAR; EOIR, HPPIR, AIAR, AEOIR, AHPPIR and DIR have both fields in the same places. */
export const GICC_IAR = layout('GICC_IAR', 32, { INTID: [9, 0], CPUID: [12, 10] });
/** 4.4.14 GICC_IIDR. */
export const GICC_IIDR = layout('GICC_IIDR', 32, {
  Implementer: [11, 0],
  Revision: [15, 12],
  ArchitectureVersion: [19, 16],
  ProductID: [31, 20],
});

// ---- 5.3 Virtual interface control ----------------------------------------------------------------------------------

/** Bytes of one virtual interface control block. */
export const GICH_BYTES = 0x1000;

/** Offsets of GICH (5.3). */
export const GICH = {
  HCR: 0x000, // 5.3.1
  VTR: 0x004, // 5.3.2
  VMCR: 0x008, // 5.3.3
  MISR: 0x010, // 5.3.4
  EISR0: 0x020, // 5.3.5
  EISR1: 0x024,
  ELRSR0: 0x030, // 5.3.6
  ELRSR1: 0x034,
  APR: 0x0f0, // 5.3.7
  LR: 0x100, // 5.3.8, one per list register
} as const;

/** Most list registers that the map has room for. */
export const LIST_REGISTERS_MAX = 64;

/** 5.3.1 GICH_HCR. */
export const GICH_HCR = layout('GICH_HCR', 32, {
  En: 0,
  UIE: 1,
  LRENPIE: 2,
  NPIE: 3,
  VGrp0EIE: 4,
  VGrp0DIE: 5,
  VGrp1EIE: 6,
  VGrp1DIE: 7,
  EOICount: [31, 27],
});

/** 5.3.2 GICH_VTR. Each field is one less than the number it tells. */
export const GICH_VTR = layout('GICH_VTR', 32, { ListRegs: [5, 0], PREbits: [28, 26], PRIbits: [31, 29] });

/** 5.3.3 GICH_VMCR: what GICV_CTLR, GICV_ABPR, GICV_BPR and GICV_PMR hold. */
export const GICH_VMCR = layout('GICH_VMCR', 32, {
  VMGrp0En: 0,
  VMGrp1En: 1,
  VMAckCtl: 2,
  VMFIQEn: 3,
  VMCBPR: 4,
  VEM: 9,
  VMABP: [20, 18],
  VMBP: [23, 21],
  VMPriMask: [31, 27],
});

/** 5.3.4 GICH_MISR. */
export const GICH_MISR = layout('GICH_MISR', 32, {
  EOI: 0,
  U: 1,
  LRENP: 2,
  NP: 3,
  VGrp0E: 4,
  VGrp0D: 5,
  VGrp1E: 6,
  VGrp1D: 7,
});

/** Bits of a virtual priority, in list registers and GICH_VMCR, and in GICV registers above 7 - this. */
export const VIRTUAL_PRIORITY_BITS = 5;

/** 5.3.8 GICH_LR with HW = 1. */
export const GICH_LR = layout('GICH_LR', 32, {
  VirtualID: [9, 0],
  PhysicalID: [19, 10],
  Priority: [27, 23],
  State: [29, 28],
  Grp1: 30,
  HW: 31,
});
/** 5.3.8 GICH_LR with HW = 0: what stands in the place of PhysicalID. */
export const GICH_LR_SOFT = layout('GICH_LR, HW = 0', 32, { CPUID: [12, 10], EOI: 19 });
/** GICH_LR.State. */
export const LR_STATE = { INVALID: 0, PENDING: 1, ACTIVE: 2, PENDING_ACTIVE: 3 } as const;

// ---- 5.5 Virtual CPU interface --------------------------------------------------------------------------------------

/** Bytes of the virtual CPU interface's registers. */
export const GICV_BYTES = 0x2000;

/** 5.5.1 GICV_CTLR. */
export const GICV_CTLR = layout('GICV_CTLR', 32, {
  EnableGrp0: 0,
  EnableGrp1: 1,
  AckCtl: 2,
  FIQEn: 3,
  CBPR: 4,
  EOImode: 9,
});
