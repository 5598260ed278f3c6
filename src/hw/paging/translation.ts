/**
 * What a table walk gives: an address with its permissions and attributes, or a fault. Shared by every table format, by
 * the caches that hold translations, and by the devices and CPUs that ask for them.
 *
 * A {@link Translation} is made once by whoever asks and filled again by every walk: nothing is allocated on that path.
 */

/** Fault kinds, named as in Arm DDI 0487 D8.15 (memory aborts) and Arm IHI 0070 3.12 (F_WALK_EABT, F_TRANSLATION, ...). */
export type WalkFault = 'none' | 'external abort' | 'translation' | 'address size' | 'access flag' | 'permission';

/**
 * What was being translated when a fault arose: the input address itself, or the address of a stage 1 descriptor on the
 * way (CLASS in Arm IHI 0070 7.3: IN and TT; S1PTW in ESR_ELx).
 */
export type WalkClass = 'input' | 'table walk';

/** Permission bits. A set of them is a number, so that the permission of two stages together is `a & b`. */
export const READ_UNPRIVILEGED = 1;
export const WRITE_UNPRIVILEGED = 2;
export const EXECUTE_UNPRIVILEGED = 4;
export const READ_PRIVILEGED = 8;
export const WRITE_PRIVILEGED = 16;
export const EXECUTE_PRIVILEGED = 32;
export const ALL_PERMISSIONS = 63;

/** The permission bit that one access needs. An instruction fetch needs execute permission alone. */
export function permissionFor(privileged: boolean, write: boolean, execute: boolean): number {
  const bit = write ? WRITE_UNPRIVILEGED : execute ? EXECUTE_UNPRIVILEGED : READ_UNPRIVILEGED;
  return privileged ? bit << 3 : bit;
}

/**
 * Memory types as four bits, in the encoding of the stage 2 MemAttr field (Arm DDI 0487 D8.6): 0 to 3 are Device; else
 * bits 3:2 are the outer and bits 1:0 the inner cacheability, each 1 Non-cacheable, 2 Write-Through, 3 Write-Back.
 * In this encoding the stricter of two Device types, or of two cacheabilities, is the smaller.
 */
/** Device types: nGnRnE 0, nGnRE 1, nGRE 2, GRE 3. */
export const DEVICE_NGNRNE = 0;
export const DEVICE_GRE = 3;
export const NORMAL_NON_CACHEABLE = 0x5;
export const NORMAL_WRITE_BACK = 0xf;

/** Whether a memory type is one of the Device types. */
export function isDevice(type: number): boolean {
  return type <= DEVICE_GRE;
}

/** Shareability as the SH fields encode it (Arm DDI 0487 D8.6). 1 is reserved. */
export const NON_SHAREABLE = 0;
export const OUTER_SHAREABLE = 2;
export const INNER_SHAREABLE = 3;

/**
 * The result of a walk, or of a look-up in a cache of walks. Addresses are byte addresses below 2^52.
 *
 * When `fault` is `none`, everything holds; with a fault only `fault`, `stage`, `level`, `what`, `ipa`, `fetch` and
 * `ttRnW` do, and the rest is what an earlier walk left.
 */
export class Translation {
  fault: WalkFault = 'none';
  /** Stage that faulted, or the last stage that took part. */
  stage: 1 | 2 = 1;
  /** Level of the table entry that decided, within {@link stage}: 0 to 3. */
  level = 0;
  what: WalkClass = 'input';
  /**
   * The intermediate physical address that stage 2 translated: of the access, or of the stage 1 descriptor when a fault
   * of stage 2 has `what` = `table walk`. 0 in faults of stage 1, and if stage 2 took no part.
   */
  ipa = 0;
  /** External abort: the physical address whose fetch failed. Else 0. */
  fetch = 0;
  /** For `what` = `table walk`: the descriptor was read, not written. Tables are never written here, so always true. */
  ttRnW = true;

  /** Output address of the access, with the offset in the page or block. */
  output = 0;
  /** log2 of the bytes that the leaf maps; with two stages the smaller of the two. */
  sizeBits = 0;
  /** log2 of the bytes that the leaf of each stage maps; 0 if the stage took no part. */
  sizeBits1 = 0;
  sizeBits2 = 0;
  /** log2 of the bytes that may share one cached translation: a contiguous run counts as a whole. At least `sizeBits`. */
  rangeBits = 0;
  /** Level of the leaf of each stage; -1 if the stage took no part. */
  level1 = -1;
  level2 = -1;
  /** What both stages together permit; a set of permission bits. */
  permissions = 0;
  /** What each stage permits; {@link ALL_PERMISSIONS} if it took no part. */
  permissions1 = 0;
  permissions2 = 0;
  /** Memory type and shareability of both stages together. */
  type = 0;
  shareability = 0;
  /** Stage 1 alone; what the access came with, if stage 1 took no part. */
  type1 = 0;
  shareability1 = 0;
  /** Stage 2 alone; equal to stage 1 if it took no part. */
  type2 = 0;
  shareability2 = 0;
  /** Stage 1 nG is 0: the translation holds for every ASID. False when stage 1 took no part. */
  global = false;
}

const CACHEABILITY = ['', 'NC', 'WT', 'WB'] as const;
const DEVICE_NAMES = ['Device-nGnRnE', 'Device-nGnRE', 'Device-nGRE', 'Device-GRE'] as const;

/** `Device-nGnRE`, `Normal WB`, or, where inner and outer differ, `Normal inner WT outer WB` (Arm DDI 0487 B2.10). */
export function memoryTypeName(type: number): string {
  if (isDevice(type)) return DEVICE_NAMES[type] as string;
  const inner = CACHEABILITY[type & 3];
  const outer = CACHEABILITY[type >> 2];
  return inner === outer ? `Normal ${inner}` : `Normal inner ${inner} outer ${outer}`;
}

/** The name of a shareability; the reserved encoding counts as outer, the widest that it may be taken for. */
export function shareabilityName(shareability: number): 'non-shareable' | 'inner' | 'outer' {
  if (shareability === NON_SHAREABLE) return 'non-shareable';
  return shareability === INNER_SHAREABLE ? 'inner' : 'outer';
}

const OUTER = 0xc;
const INNER = 0x3;

/** The memory type of two stages together: the stricter one; Device beats Normal (Arm DDI 0487 D8.6, FEAT_S2FWB off). */
export function combineTypes(a: number, b: number): number {
  if (isDevice(a) || isDevice(b)) return Math.min(a, b);
  return Math.min(a & OUTER, b & OUTER) | Math.min(a & INNER, b & INNER);
}

/**
 * The shareability of two stages together: the wider one. What is Device, or Normal and Non-cacheable both ways, is outer
 * shareable whatever its SH fields say (Arm DDI 0487 D8.6). The reserved encoding counts as outer.
 * @param type the memory type of both stages together
 */
export function combineShareability(type: number, a: number, b: number): number {
  if (type <= NORMAL_NON_CACHEABLE) return OUTER_SHAREABLE;
  if (a === NON_SHAREABLE && b === NON_SHAREABLE) return NON_SHAREABLE;
  const onlyInner = (a === INNER_SHAREABLE || a === NON_SHAREABLE) && (b === INNER_SHAREABLE || b === NON_SHAREABLE);
  return onlyInner ? INNER_SHAREABLE : OUTER_SHAREABLE;
}
