/**
 * Registers of the Renesas IPMMU-VMSA of R-Car Gen3 and Gen4.
 *
 * There is no public manual. Offsets and bits are those that the drivers of Linux (drivers/iommu/ipmmu-vmsa.c) and of Xen
 * (xen/drivers/passthrough/arm/ipmmu-vmsa.c) use, and the binding is Linux Documentation/devicetree/bindings/iommu/
 * renesas,ipmmu-vmsa.yaml. What no driver shows is taken to be so, and where a choice is left, so that it protects least:
 *
 * - The main instance holds the contexts and walks the tables. A cache instance has micro-TLBs, to each of which a device is
 *   connected, and for each context a register IMCTR of its own, of which only MMUEN, FLUSH and INTEN exist; the context
 *   must be enabled in both. A main instance may have micro-TLBs too.
 * - IMCTR.FLUSH reads as 1 until every translation of the context is gone from the instance that was told, its micro-TLBs
 *   included; a main instance does not reach into its caches. A flush of the main instance is over no sooner than those
 *   that its caches were told before, for the drivers wait for the main instance alone. IMUCTR.FLUSH empties one
 *   micro-TLB at once, and reads as 0.
 * - A micro-TLB with MMUEN = 0 passes requests untranslated: Linux attaches its identity domain so. So does one that selects
 *   a context which is not enabled, in the main instance or in its own.
 * - IMSTR, IMELAR and IMEUAR hold the first fault of a context until IMSTR is 0 again, which clears all three; a write can
 *   clear bits of IMSTR, none is set by it. The interrupt of the main instance is asserted while a status bit of a context
 *   with INTEN is set.
 * - IMTTBCR.PMB leaves stage 1 out: the tables are those of stage 2. With IMSAUXCTLR.S2PTE these have the format of
 *   VMSAv8-64 stage 2. Else, and without PMB, tables have that of stage 1, which VMSAv7 long descriptors share. Pages have
 *   4 KiB. Addresses have 40 bits at most, without IMCTR.VA64 32.
 *
 * Registers are 32 bits wide.
 */
import { layout } from '../../bits.js';

/** Registers of a context, from its beginning. */
export const CONTEXT_REGISTER = {
  IMCTR: 0x00,
  IMTTBCR: 0x08,
  /** Gen2 alone. */
  IMBUSCR: 0x0c,
  IMTTLBR0: 0x10,
  IMTTUBR0: 0x14,
  IMSTR: 0x20,
  IMMAIR0: 0x28,
  IMELAR: 0x30,
  IMEUAR: 0x34,
} as const;

/** Context control. VA64 is in main instances alone. */
export const IMCTR = layout('IMCTR', 32, { MMUEN: 0, FLUSH: 1, INTEN: 2, VA64: 29 });

/**
 * Translation table base control. TSZ0: 64 minus the bits of input addresses, without IMCTR.VA64 32 minus them, in 3 bits.
 * SL0: where walks begin. IRGN0, ORGN0, SH0: attributes of table accesses. PMB leaves stage 1 out. EAE: long descriptors.
 */
export const IMTTBCR = layout('IMTTBCR', 32, {
  TSZ0: [4, 0],
  SL0: [7, 6],
  IRGN0: [9, 8],
  ORGN0: [11, 10],
  SH0: [13, 12],
  PMB: 30,
  EAE: 31,
});
/** IMTTBCR.SL0 for a root at level 1, with PMB: as VTCR_EL2.SL0 (Arm DDI 0487 D8.2). */
export const SL0_LEVEL_1 = 1;
/** Levels by SL0 without PMB: Linux names its values TWOBIT_LVL_3, _2 and _1. */
export const STAGE1_START_LEVELS = [3, 2, 1, undefined] as const;

/** The table root: bits 31:12 in IMTTLBR0, 39:32 in IMTTUBR0. */
export const IMTTLBR0 = layout('IMTTLBR0', 32, { TTBR: [31, 12] });
export const IMTTUBR0 = layout('IMTTUBR0', 32, { TTBR: [7, 0] });

/** Fault status: translation fault, permission fault, abort of a table walk, several TLB hits. Written as 0 to clear. */
export const IMSTR = layout('IMSTR', 32, { TF: 0, PF: 1, ABORT: 2, MHIT: 4 });

/** Registers of micro-TLB `n`: n < 32 at 0x300 + 16n, the others at 0x600 + 16(n - 32). */
export const MICRO_TLB = { LOW: 0x300, HIGH: 0x600, STRIDE: 0x10, LOW_COUNT: 32, IMUCTR: 0x0, IMUASID: 0x8 } as const;

/** Micro-TLB control. TTSEL: the context; its topmost bit is of Gen4. On Gen3, 8 and above select no context. */
export const IMUCTR = layout('IMUCTR', 32, { MMUEN: 0, FLUSH: 1, TTSEL: [8, 4] });

/** Registers of an instance, from its control registers on. */
export const CONTROL_REGISTER = { IMSCTLR: 0x500, IMSAUXCTLR: 0x504 } as const;
/** Security control: USE_SECGRP tells devices apart by security group. */
export const IMSCTLR = layout('IMSCTLR', 32, { USE_SECGRP: 28 });
/** Auxiliary control: S2PTE takes tables as stage-2 tables. */
export const IMSAUXCTLR = layout('IMSAUXCTLR', 32, { S2PTE: 3 });

/** Guest physical addresses have at most so many bits, and so have the addresses that come out. */
export const IPMMU_ADDRESS_BITS = 40;

/** Contexts from this one on have their registers further on by {@link HIGH_CONTEXT_GAP}. */
export const HIGH_CONTEXT = 8;
export const HIGH_CONTEXT_GAP = 0x800 - HIGH_CONTEXT * 0x40;

/**
 * Where the register groups are, how many of what there is, how wide TTSEL is, and how many bytes the registers take (as
 * Linux arch/arm64/boot/dts/renesas has them), by generation.
 */
export const GENERATION = {
  gen3: {
    contexts: 8,
    microTlbs: 48,
    contextBase: 0x0,
    contextStride: 0x40,
    microTlbBase: 0x0,
    controlBase: 0x0,
    ttselBits: 4,
    bytes: 0x1000,
  },
  gen4: {
    contexts: 16,
    microTlbs: 64,
    contextBase: 0x1_0000,
    contextStride: 0x1040,
    microTlbBase: 0x3000,
    controlBase: 0x1000,
    ttselBits: 5,
    bytes: 0x2_0000,
  },
} as const;
/** A generation. */
export type Generation = keyof typeof GENERATION;

/** Generation by `compatible`. */
export const COMPATIBLE: Readonly<Record<string, Generation>> = {
  'renesas,ipmmu-r8a7795': 'gen3',
  'renesas,ipmmu-r8a7796': 'gen3',
  'renesas,ipmmu-r8a77961': 'gen3',
  'renesas,ipmmu-r8a77965': 'gen3',
  'renesas,ipmmu-r8a779f0': 'gen4',
  'renesas,ipmmu-r8a779g0': 'gen4',
};
/** Property of a cache instance: phandle of its main instance, and the number of the cache there. */
export const MAIN_PROPERTY = 'renesas,ipmmu-main';

/** Offset of a register of a context. */
export function contextRegister(
  { contextBase, contextStride }: { readonly contextBase: number; readonly contextStride: number },
  context: number,
  register: number,
): number {
  return contextBase + context * contextStride + (context >= HIGH_CONTEXT ? HIGH_CONTEXT_GAP : 0) + register;
}

/** Offset of a register of a micro-TLB. */
export function microTlbRegister(
  { microTlbBase }: { readonly microTlbBase: number },
  microTlb: number,
  register: number,
): number {
  const { LOW, HIGH, STRIDE, LOW_COUNT } = MICRO_TLB;
  const at = microTlb < LOW_COUNT ? LOW + microTlb * STRIDE : HIGH + (microTlb - LOW_COUNT) * STRIDE;
  return microTlbBase + at + register;
}
