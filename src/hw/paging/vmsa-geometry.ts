/**
 * The shape of a VMSAv8-64 table tree: granule, levels, size of the start table, widths of addresses.
 * Arm DDI 0487 D8.2 (translation process); the encodings are shared by TCR_ELx, VTCR_EL2 and Arm IHI 0070 5.2 and 5.4.
 *
 * Not modelled: FEAT_LPA2 (DS=1: 52-bit addresses with 4 KiB and 16 KiB granules, level -1), FEAT_D128, FEAT_LVA3.
 */
import { type Field, get } from '../bits.js';
import { ADDRESS_4K, ADDRESS_16K, ADDRESS_64K } from './vmsa-layout.js';

/** log2 of the granule: 4 KiB, 16 KiB or 64 KiB. */
export type GranuleShift = 12 | 14 | 16;

/** Bytes of a descriptor. */
export const DESCRIPTOR_BYTES = 8;
const LAST_LEVEL = 3;
/** Largest number of start tables of stage 2 that lie side by side, as log2 (D8.2). */
const CONCATENATION_BITS = 4;

/** Decodes TG0 of TCR_ELx, VTCR_EL2.TG0, CD.TG0 and STE.S2TG. Undefined: reserved. */
export function granuleOfTg0(code: number): GranuleShift | undefined {
  return ([12, 16, 14] as const)[code];
}

/** Decodes TG1 of TCR_EL1 and CD.TG1. Undefined: reserved. */
export function granuleOfTg1(code: number): GranuleShift | undefined {
  return ([undefined, 14, 12, 16] as const)[code];
}

const PHYSICAL_SIZES = [32, 36, 40, 42, 44, 48, 52] as const;

/**
 * Decodes an address size of three bits: PS, IPS, ID_AA64MMFR0_EL1.PARange, SMMU_IDR5.OAS. A reserved or larger code
 * counts as the largest that is implemented, which callers ensure by taking the minimum with it.
 */
export function addressBits(code: number): number {
  return PHYSICAL_SIZES[code] ?? 52;
}

/** log2 of the entries in a full table. */
export function stride(granule: GranuleShift): number {
  return granule - 3;
}

/** log2 of the bytes that one entry at `level` maps. */
export function entryBits(granule: GranuleShift, level: number): number {
  return granule + (LAST_LEVEL - level) * stride(granule);
}

/** Start level of stage 1: the first at which one table resolves all `inputBits` (D8.2). */
export function stage1StartLevel(granule: GranuleShift, inputBits: number): number {
  return LAST_LEVEL + 1 - Math.ceil((inputBits - granule) / stride(granule));
}

/** Start level of stage 2 by SL0 (DDI 0487 D8.2, VTCR_EL2.SL0; IHI 0070 5.2, S2SL0). Undefined: reserved. */
export function stage2StartLevel(granule: GranuleShift, sl0: number): number | undefined {
  return granule === 12 ? ([2, 1, 0, 3] as const)[sl0] : ([3, 2, 1] as const)[sl0];
}

/** What an implementation offers, as far as it decides which stage 2 start is possible. */
export interface Stage2Limits {
  /** Bits of the implemented physical address size: PARange, or OAS. */
  readonly physicalBits: number;
  /** FEAT_TTST, SMMU_IDR3.STT: tables down to 16 input bits. */
  readonly smallTables: boolean;
}

/**
 * Whether T0SZ and SL0 fit each other and the implementation. If they do not, a CPU takes a stage 2 translation fault at
 * level 0 (DDI 0487 D8.2), and an SMMU treats the STE as ILLEGAL (IHI 0070 5.2, S2SL0 and S2T0SZ).
 * @param t0sz 64 minus the bits of the input address
 * @param sl0 the start level as encoded
 */
export function checkStage2Start(granule: GranuleShift, t0sz: number, sl0: number, limits: Stage2Limits): boolean {
  const { physicalBits, smallTables } = limits;
  const level = stage2StartLevel(granule, sl0);
  if (level === undefined) return false;
  // The start level that only large physical addresses make useful: 4K level 0 and 64K level 1 from 44 bits, 16K level 1
  // from 42 bits.
  if (granule === 12 ? level === 0 && physicalBits < 44 : level === 1 && physicalBits < (granule === 14 ? 42 : 44)) {
    return false;
  }
  if (granule === 12 && level === 3 && !smallTables) return false;
  const largestT0sz = smallTables ? (granule === 16 ? 47 : 48) : 39;
  const inputBits = 64 - t0sz;
  const mostInputBits = Math.min(physicalBits, granule === 16 ? 52 : 48);
  if (t0sz > largestT0sz || inputBits > mostInputBits) return false;
  const perEntry = entryBits(granule, level);
  return inputBits > perEntry && inputBits <= perEntry + stride(granule) + CONCATENATION_BITS;
}

/** log2 of the bytes in the start table, all concatenated tables together: the alignment that its base must have. */
export function startTableBits(granule: GranuleShift, inputBits: number, startLevel: number): number {
  return inputBits - entryBits(granule, startLevel) + 3;
}

/** How {@link TableStart} is made. */
export interface TableStartFields {
  readonly granule: GranuleShift;
  /** Bits of the input address: 64 - TxSZ. */
  readonly inputBits: number;
  readonly startLevel: number;
  /** Physical or intermediate physical address of the start table. Bits below its alignment count as zero. */
  readonly base: number;
  /** Bits of output and table addresses: what PS or IPS says, at most the implemented size. At least 32. */
  readonly outputBits: number;
  /** The implementation has 52-bit addresses with the 64 KiB granule (FEAT_LPA; OAS of 52 bits). */
  readonly largeAddresses: boolean;
  /** The configuration cannot be walked: every access takes a level 0 fault. Default: `none`. */
  readonly startFault?: 'none' | 'translation';
}

function lowMask(bits: number): number {
  return bits >= 32 ? 0xffff_ffff : (2 ** bits - 1) >>> 0;
}

/** Where a walk begins and how it goes on, worked out once. One shape, for both stages. */
export class TableStart {
  readonly granule: number;
  readonly stride: number;
  readonly startLevel: number;
  /** First level that may hold blocks. */
  readonly blockLevel: number;
  readonly inputBits: number;
  readonly outputBits: number;
  readonly base: number;
  /** Shift and mask of the index into the start table, and mask of those below. */
  readonly startShift: number;
  readonly startMask: number;
  readonly indexMask: number;
  /** Bits of an input address beyond its size, by half. */
  readonly beyondHi: number;
  readonly beyondLo: number;
  /** Bits of the upper half of an output address beyond its size. */
  readonly outputBeyondHi: number;
  /** Address bits of a descriptor, by half. */
  readonly addressHi: number;
  readonly addressLo: number;
  /** Where the 64 KiB granule keeps address bits 51:48; undefined if there are none. */
  readonly addressHigh: Field | undefined;
  readonly startFault: 'none' | 'translation' | 'address size';

  constructor(fields: TableStartFields) {
    const { granule, inputBits, startLevel, outputBits } = fields;
    const large = fields.largeAddresses && granule === 16;
    this.granule = granule;
    this.stride = stride(granule);
    this.startLevel = startLevel;
    this.blockLevel = granule === 12 || large ? 1 : 2;
    this.inputBits = inputBits;
    this.outputBits = Math.min(outputBits, large ? 52 : 48);
    this.startShift = entryBits(granule, startLevel);
    this.startMask = 2 ** Math.max(0, inputBits - this.startShift) - 1;
    this.indexMask = 2 ** this.stride - 1;
    const alignment = 2 ** Math.max(3, startTableBits(granule, inputBits, startLevel));
    this.base = fields.base - (fields.base % alignment);
    this.beyondHi = inputBits <= 32 ? -1 : ~lowMask(inputBits - 32);
    this.beyondLo = ~lowMask(inputBits);
    this.outputBeyondHi = ~lowMask(this.outputBits - 32);
    const { Address } = granule === 12 ? ADDRESS_4K : granule === 14 ? ADDRESS_16K : ADDRESS_64K;
    this.addressHi = Address.upperMask;
    this.addressLo = Address.mask << Address.shift;
    this.addressHigh = large ? ADDRESS_64K.AddressHigh : undefined;
    this.startFault =
      fields.startFault === 'translation' ? 'translation' : this.base >= 2 ** this.outputBits ? 'address size' : 'none';
  }

  /** The upper half of the address in a descriptor. */
  addressHiOf(words: Uint32Array): number {
    const upper = (words[1] as number) & this.addressHi;
    return this.addressHigh === undefined ? upper : upper | (get(words, this.addressHigh) << 16);
  }

  /** The lower half of the address in a descriptor. */
  addressLoOf(words: Uint32Array): number {
    return (words[0] as number) & this.addressLo;
  }
}

/**
 * log2 of the entries in a contiguous run at a level (D8.6, the Contiguous bit): 16 with 4 KiB, 128 or 32 with 16 KiB,
 * 32 with 64 KiB.
 */
export function contiguousBits(granule: number, level: number): number {
  if (granule === 12) return 4;
  return granule === 14 && level === LAST_LEVEL ? 7 : 5;
}
