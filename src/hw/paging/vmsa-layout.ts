/**
 * VMSAv8-64 translation table descriptors: where the bits are (Arm DDI 0487 D8.3). Arm IHI 0070 3.4 uses the same
 * formats. Fields that only some contexts have (Realm and Secure states, FEAT_D128, FEAT_S1PIE, 52-bit addresses with
 * 4 KiB and 16 KiB granules) are left out.
 */
import { layout } from '../bits.js';

/** Bits of a descriptor. */
export const DESCRIPTOR_BITS = 64;

/** Bits that every descriptor has: D8.3.1, D8.3.2. */
export const DESCRIPTOR = layout('descriptor', DESCRIPTOR_BITS, {
  Type: [1, 0],
});

/** Values of {@link DESCRIPTOR}.Type. Even values are invalid; 1 is reserved where the granule has no blocks. */
export const BLOCK = 1;
/** A table at levels 0 to 2, a page at level 3. */
export const TABLE_OR_PAGE = 3;

/** Address field with the 4 KiB granule: next-level table or output address. */
export const ADDRESS_4K = layout('4 KiB granule', DESCRIPTOR_BITS, { Address: [47, 12] });
/** Address field with the 16 KiB granule. */
export const ADDRESS_16K = layout('16 KiB granule', DESCRIPTOR_BITS, { Address: [47, 14] });
/** Address fields with the 64 KiB granule; AddressHigh is address bits 51:48 (FEAT_LPA), else reserved. */
export const ADDRESS_64K = layout('64 KiB granule', DESCRIPTOR_BITS, { AddressHigh: [15, 12], Address: [47, 16] });

/** Stage 1 table descriptor: limits for everything below (D8.3.1). Stage 2 table descriptors have none. */
export const STAGE1_TABLE = layout('stage 1 table descriptor', DESCRIPTOR_BITS, {
  Type: [1, 0],
  PXNTable: 59,
  /** XNTable where the regime has one privilege level. */
  UXNTable: 60,
  /** Bit 0 takes unprivileged access away, bit 1 write access. */
  APTable: [62, 61],
  NSTable: 63,
});

/** Stage 1 block or page descriptor (D8.3.2). */
export const STAGE1_LEAF = layout('stage 1 block or page descriptor', DESCRIPTOR_BITS, {
  Type: [1, 0],
  AttrIndx: [4, 2],
  NS: 5,
  /** AP[2:1]: bit 0 allows unprivileged access, bit 1 makes it read-only. */
  AP: [7, 6],
  SH: [9, 8],
  AF: 10,
  nG: 11,
  /** In blocks only. */
  nT: 16,
  GP: 50,
  DBM: 51,
  Contiguous: 52,
  PXN: 53,
  /** XN where the regime has one privilege level. */
  UXN: 54,
  Software: [58, 55],
  PBHA: [62, 59],
});

/** Stage 2 block or page descriptor (D8.3.2). */
export const STAGE2_LEAF = layout('stage 2 block or page descriptor', DESCRIPTOR_BITS, {
  Type: [1, 0],
  MemAttr: [5, 2],
  /** Bit 0 allows reads, bit 1 writes. */
  S2AP: [7, 6],
  SH: [9, 8],
  AF: 10,
  FnXS: 11,
  /** In blocks only. */
  nT: 16,
  DBM: 51,
  Contiguous: 52,
  /** XN[1:0] with FEAT_XNX; without it XN is bit 1 of this field, and bit 0 is reserved. */
  XN: [54, 53],
  Software: [58, 55],
  PBHA: [62, 59],
});
