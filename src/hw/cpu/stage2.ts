/**
 * Stage 2 of a CPU: from VTCR_EL2, VTTBR_EL2 and HCR_EL2 to a configuration, and the translations that a CPU keeps.
 * Arm DDI 0487 D8.2 (translation process), D8.16 (TLBs), D8.17 (maintenance).
 *
 * A guest's access leaves two entries, as with a guest that has its stage 1 on: one of both stages combined, by virtual
 * address, and one of stage 2 alone, by IPA. An invalidation by IPA reaches the second only (D8.17).
 */
import { get } from '../bits.js';
import type { CpuInstruction } from '../machine.js';
import type { PhysicalMemory } from '../memory.js';
import { GLOBAL_ASID, REGIME_EL10, REGIME_STAGE2, Tlb, tlbContext } from '../paging/tlb.js';
import { INNER_SHAREABLE, NORMAL_WRITE_BACK, type Translation } from '../paging/translation.js';
import {
  addressBits,
  checkStage2Start,
  type GranuleShift,
  granuleOfTg0,
  stage2StartLevel,
} from '../paging/vmsa-geometry.js';
import { Stage2Config } from '../paging/vmsa-stage2.js';
import { Walker } from '../paging/walk.js';
import {
  HCR_EL2,
  ID_AA64MMFR0_EL1,
  ID_AA64MMFR1_EL1,
  ID_AA64MMFR2_EL1,
  VTCR_EL2,
  VTTBR_EL2,
  VTTBR_EL2_52,
} from './layout.js';

/** The registers that stage 2 depends on, as pairs of words, lower half first. */
export interface Stage2Registers {
  readonly mmfr0: Uint32Array;
  readonly mmfr1: Uint32Array;
  readonly mmfr2: Uint32Array;
  readonly hcr: Uint32Array;
  readonly vtcr: Uint32Array;
  readonly vttbr: Uint32Array;
}

/** Whether stage 2 works with a granule: ID_AA64MMFR0_EL1.TGranX_2, and TGranX where that is 0. */
export function granuleSupported(granule: GranuleShift, mmfr0: Uint32Array): boolean {
  const id = ID_AA64MMFR0_EL1;
  const second = get(mmfr0, granule === 12 ? id.TGran4_2 : granule === 14 ? id.TGran16_2 : id.TGran64_2);
  if (second !== 0) return second >= 2;
  if (granule === 14) return get(mmfr0, id.TGran16) !== 0;
  return get(mmfr0, granule === 12 ? id.TGran4 : id.TGran64) !== 15;
}

const PA_52 = 6;

/**
 * Decodes the stage 2 configuration. What is reserved or inconsistent gives one in which every access takes a level 0
 * translation fault (D8.2); so does a granule that is not implemented, as one of the choices that the manual leaves.
 */
export function decodeStage2(r: Stage2Registers): Stage2Config {
  const t0sz = get(r.vtcr, VTCR_EL2.T0SZ);
  const sl0 = get(r.vtcr, VTCR_EL2.SL0);
  const tg0 = granuleOfTg0(get(r.vtcr, VTCR_EL2.TG0));
  const granule = tg0 ?? 12;
  const paRange = get(r.mmfr0, ID_AA64MMFR0_EL1.PARange);
  const ps = Math.min(get(r.vtcr, VTCR_EL2.PS), paRange);
  const limits = { physicalBits: addressBits(paRange), smallTables: get(r.mmfr2, ID_AA64MMFR2_EL1.ST) !== 0 };
  const consistent =
    tg0 !== undefined && granuleSupported(granule, r.mmfr0) && checkStage2Start(granule, t0sz, sl0, limits);
  const large = granule === 16 && ps === PA_52;
  const base = large
    ? get(r.vttbr, VTTBR_EL2_52.BADDR) * VTTBR_EL2_52.BADDR.weight + get(r.vttbr, VTTBR_EL2_52.BADDRHigh) * 2 ** 48
    : get(r.vttbr, VTTBR_EL2.BADDR) * VTTBR_EL2.BADDR.weight;
  return new Stage2Config({
    granule,
    inputBits: 64 - t0sz,
    startLevel: stage2StartLevel(granule, sl0) ?? 0,
    base,
    outputBits: addressBits(ps),
    largeAddresses: granule === 16 && paRange >= PA_52,
    startFault: consistent ? 'none' : 'translation',
    accessFlagFault: true,
    protectTableWalk: get(r.hcr, HCR_EL2.PTW) === 1,
    xnx: get(r.mmfr1, ID_AA64MMFR1_EL1.XNX) !== 0,
  });
}

/** The VMID of VTTBR_EL2: 16 bits if implemented and VTCR_EL2.VS is set, else 8. */
export function decodeVmid(r: Stage2Registers): number {
  const wide = get(r.mmfr1, ID_AA64MMFR1_EL1.VMIDBits) !== 0 && get(r.vtcr, VTCR_EL2.VS) === 1;
  const vmid = get(r.vttbr, VTTBR_EL2.VMID);
  return wide ? vmid : vmid & 0xff;
}

/** The stage 2 translations of one CPU. */
export class Stage2Mmu {
  readonly #walker: Walker;
  readonly #tlb = new Tlb();
  #config: Stage2Config | undefined;
  #vmid = 0;
  readonly #registers: Stage2Registers;

  constructor(memory: PhysicalMemory, registers: Stage2Registers) {
    this.#walker = new Walker(memory);
    this.#registers = registers;
  }

  /** A register that stage 2 depends on was written. */
  changed(): void {
    this.#config = undefined;
  }

  /** The VMID that stands in VTTBR_EL2. */
  get vmid(): number {
    this.#decoded();
    return this.#vmid;
  }

  #decoded(): Stage2Config {
    if (this.#config === undefined) {
      this.#config = decodeStage2(this.#registers);
      this.#vmid = decodeVmid(this.#registers);
    }
    return this.#config;
  }

  /**
   * Translates an address of a guest whose stage 1 maps it to itself.
   * @param address below 2^52
   * @param need the permission bit of the access
   * @param keep whether the CPU may keep what it finds; false for a look that leaves no trace
   * @returns whether there was no fault
   */
  translate(address: number, need: number, keep: boolean, out: Translation): boolean {
    const config = this.#decoded();
    const hi = (address / 2 ** 32) >>> 0;
    const lo = address >>> 0;
    const combined = tlbContext(REGIME_EL10, this.#vmid);
    let entry = this.#tlb.lookup(combined, GLOBAL_ASID, hi, lo);
    if (entry >= 0) return this.#tlb.read(entry, hi, lo, need, out);
    const alone = tlbContext(REGIME_STAGE2, this.#vmid);
    entry = this.#tlb.lookup(alone, GLOBAL_ASID, hi, lo);
    if (entry >= 0) {
      if (!this.#tlb.read(entry, hi, lo, need, out)) return false;
      if (keep) this.#tlb.insert(combined, GLOBAL_ASID, hi, lo, out);
      return true;
    }
    if (!this.#walker.stage2(config, address, need, NORMAL_WRITE_BACK, INNER_SHAREABLE, out)) return false;
    if (keep) {
      this.#tlb.insert(alone, GLOBAL_ASID, hi, lo, out);
      this.#tlb.insert(combined, GLOBAL_ASID, hi, lo, out);
    }
    return true;
  }

  /** Everything of EL1&0, all VMIDs: TLBI ALLE1. */
  invalidateAll(): void {
    this.#tlb.invalidateAll();
  }

  /** Both stages of a VMID: TLBI VMALLS12E1. */
  invalidateVmid(vmid: number): void {
    this.#tlb.invalidateContext(tlbContext(REGIME_EL10, vmid));
    this.#tlb.invalidateContext(tlbContext(REGIME_STAGE2, vmid));
  }

  /** Stage 1 of a VMID, and with it what combines both stages: TLBI VMALLE1. */
  invalidateStage1(vmid: number): void {
    this.#tlb.invalidateContext(tlbContext(REGIME_EL10, vmid));
  }

  /** Stage 2 alone, of a VMID and an IPA: TLBI IPAS2E1 and IPAS2LE1. */
  invalidateIpa(vmid: number, ipa: number): void {
    this.#tlb.invalidateRange(tlbContext(REGIME_STAGE2, vmid), GLOBAL_ASID, Math.floor(ipa / 4096), 1);
  }
}

/** A TLBI instruction of {@link CpuInstruction}. */
export type TlbiOperation = Exclude<CpuInstruction['op'], 'DSB ISH' | 'ISB'>;

/**
 * What a TLBI does to each CPU once it takes effect (D8.17).
 * @param vmid the VMID in VTTBR_EL2 of the CPU that executed it, then
 * @param ipa its operand, in bytes, where it has one
 */
export function invalidation(op: TlbiOperation, vmid: number, ipa: number): (mmu: Stage2Mmu) => void {
  switch (op) {
    case 'TLBI VMALLS12E1IS':
      return (mmu) => mmu.invalidateVmid(vmid);
    case 'TLBI VMALLE1IS':
      return (mmu) => mmu.invalidateStage1(vmid);
    case 'TLBI IPAS2E1IS':
    case 'TLBI IPAS2LE1IS':
      return (mmu) => mmu.invalidateIpa(vmid, ipa);
    case 'TLBI ALLE1IS':
      return (mmu) => mmu.invalidateAll();
  }
}
