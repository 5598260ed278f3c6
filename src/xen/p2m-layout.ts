/**
 * What Xen writes into stage-2 tables: VMSAv8-64, 4 KiB granule (Arm DDI 0487 D8.3). Stated here on its own; what the
 * hardware makes of it is the hardware's affair.
 */
import { layout } from '../hw/bits.js';

/** A stage-2 descriptor of 64 bits. In a table descriptor only `VALID`, `TABLE` and `BASE` mean anything. */
export const P2M_ENTRY = layout('p2m entry', 64, {
  VALID: 0,
  /** At levels 0 to 2: a table rather than a block. At level 3: always set. */
  TABLE: 1,
  MATTR: [5, 2],
  READ: 6,
  WRITE: 7,
  SH: [9, 8],
  AF: 10,
  BASE: [47, 12],
  CONTIG: 52,
  XN: 54,
  /** Software bits: Xen's type of the frame. */
  TYPE: [58, 55],
});

/** MemAttr with HCR_EL2.FWB = 0 (D8.6.6). */
export const MATTR = {
  /** Device-nGnRE. */
  DEV: 0x1,
  /** Normal, inner and outer non-cacheable. */
  NC: 0x5,
  /** Normal, inner and outer write-back. */
  MEM: 0xf,
} as const;

/** SH[1:0] (D8.6.7). */
export const SHAREABILITY = { NON: 0, OUTER: 2, INNER: 3 } as const;

/** Entries of a table, and bits that a level resolves. */
export const ENTRIES = 512;
export const LEVEL_BITS = 9;
/** Bytes of a descriptor. */
export const ENTRY_BYTES = 8;
/** The level that maps single frames. */
export const LEAF_LEVEL = 3;
/** The lowest level at which a block may stand: 1 GiB (level 0 has none with 4 KiB granule). */
export const FIRST_BLOCK_LEVEL = 1;

/** Frames that an entry of a level covers. */
export const levelFrames = (level: number): number => 2 ** (LEVEL_BITS * (LEAF_LEVEL - level));

/** What a frame is to Xen; the number stands in the software bits of its entry. */
export const P2M_TYPE = {
  invalid: 0,
  ram_rw: 1,
  ram_ro: 2,
  /** Device registers: Device-nGnRE, never executable. */
  mmio_direct_dev: 3,
} as const;

/** Name of a frame's type. */
export type P2mType = keyof typeof P2M_TYPE;

/** The type with a number. */
export function p2mTypeOf(value: number): P2mType {
  for (const [name, number] of Object.entries(P2M_TYPE)) if (number === value) return name as P2mType;
  return 'invalid';
}
