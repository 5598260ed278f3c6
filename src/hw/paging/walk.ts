/**
 * The VMSAv8-64 table walk: stage 1, stage 2, and both nested, for CPUs and SMMUs alike (Arm DDI 0487 D8.2; Arm IHI 0070
 * 3.4 and 15). Levels 0 to 3; granules of 4, 16 and 64 KiB; blocks, pages and contiguous runs; up to 16 start tables side
 * by side in stage 2.
 *
 * Faults come in the order of DDI 0487 D8.15: at each level external abort on the fetch, translation, address size; then,
 * at the leaf, Access flag and permission. A stage 1 is walked and judged whole before stage 2 translates its output.
 *
 * Not modelled: what the headers of the two formats list; TLB conflict aborts; misprogrammed contiguous runs (each
 * entry is taken for itself; {@link Translation.rangeBits} tells how far a cache may go); fetches ahead of use.
 * Tables are little-endian. Table accesses are coherent, so their cacheability does not matter.
 */
import { TWO_32 } from '../address.js';
import { get } from '../bits.js';
import type { PhysicalMemory } from '../memory.js';
import {
  ALL_PERMISSIONS,
  combineShareability,
  combineTypes,
  EXECUTE_UNPRIVILEGED,
  isDevice,
  READ_PRIVILEGED,
  READ_UNPRIVILEGED,
  type Translation,
  type WalkClass,
  type WalkFault,
  WRITE_UNPRIVILEGED,
} from './translation.js';
import { contiguousBits, DESCRIPTOR_BYTES, type TableStart } from './vmsa-geometry.js';
import { BLOCK, DESCRIPTOR, STAGE1_LEAF, STAGE2_LEAF, TABLE_OR_PAGE } from './vmsa-layout.js';
import { isCanonical, rangeOf, type Stage1Config, type Stage1Range, stage1Permissions } from './vmsa-stage1.js';
import { type Stage2Config, stage2Permissions, stage2Type } from './vmsa-stage2.js';

const LAST_LEVEL = 3;
/**
 * Where every walk of stage 2 looks, as numbers: on this path that counts, against going by the field objects. Type, in the
 * lowest bits, AF and SH lie in the lower word of a descriptor, Contiguous in the upper one.
 */
const TYPE_MASK = DESCRIPTOR.Type.mask;
const AF_BIT = STAGE2_LEAF.AF.mask << STAGE2_LEAF.AF.shift;
const { shift: SH_SHIFT, mask: SH_MASK } = STAGE2_LEAF.SH;
const CONTIGUOUS_BIT = STAGE2_LEAF.Contiguous.mask << STAGE2_LEAF.Contiguous.shift;
const UNPRIVILEGED = READ_UNPRIVILEGED | WRITE_UNPRIVILEGED | EXECUTE_UNPRIVILEGED;

/** Where a descent through one tree stands. */
class Descent {
  /** The descriptor fetched last: the leaf, after success. */
  readonly words = new Uint32Array(2);
  /** OR of the upper halves of the table descriptors on the way, at index 1. */
  readonly tables = new Uint32Array(2);
  fault: WalkFault = 'none';
  level = 0;
  /** Output address, by half. */
  hi = 0;
  lo = 0;
  sizeBits = 0;
  /** External abort: the address whose fetch failed. */
  fetch = 0;
  /** The fault is one of stage 2, met by the fetch of a stage 1 descriptor at {@link fetch}. */
  inStage2 = false;
}

function refuse(descent: Descent, fault: WalkFault, level: number): false {
  descent.fault = fault;
  descent.level = level;
  descent.inStage2 = false;
  return false;
}

/** Walks the tables that lie in one physical memory. Not reentrant; a walker per master is cheap. */
export class Walker {
  readonly #memory: PhysicalMemory;
  readonly #first = new Descent();
  readonly #second = new Descent();

  constructor(memory: PhysicalMemory) {
    this.#memory = memory;
  }

  /**
   * Stage 1 alone: a virtual address to a physical one.
   * @param hi upper half of the input address
   * @param lo lower half
   * @param need the permission bit that the access needs ({@link permissionFor}); 0 asks for the translation alone
   * @returns whether there was no fault; `out` says all
   */
  stage1(config: Stage1Config, hi: number, lo: number, need: number, out: Translation): boolean {
    out.ipa = 0;
    out.fetch = 0;
    if (!this.#walkFirst(config, undefined, hi, lo, need, out)) return false;
    out.level2 = -1;
    out.sizeBits2 = 0;
    out.permissions2 = ALL_PERMISSIONS;
    out.permissions = out.permissions1;
    out.type2 = out.type1;
    out.shareability2 = out.shareability1;
    out.type = out.type1;
    out.shareability = combineShareability(out.type1, out.shareability1, out.shareability1);
    return true;
  }

  /**
   * Stage 2 alone: an intermediate physical address (below 2^52) to a physical one.
   * @param type memory type that the access comes with, for the combination with that of stage 2
   * @param shareability shareability that it comes with
   */
  stage2(
    config: Stage2Config,
    ipa: number,
    need: number,
    type: number,
    shareability: number,
    out: Translation,
  ): boolean {
    out.fetch = 0;
    out.level1 = -1;
    out.sizeBits1 = 0;
    out.permissions1 = ALL_PERMISSIONS;
    out.type1 = type;
    out.shareability1 = shareability;
    out.global = false;
    return this.#walkSecond(config, (ipa / TWO_32) >>> 0, ipa >>> 0, need, out);
  }

  /**
   * Both stages: a virtual address to an intermediate physical one, and this to a physical one. Stage 1 tables lie at
   * intermediate physical addresses: each fetch of a descriptor goes through stage 2 (D8.2), as a data read.
   */
  nested(first: Stage1Config, second: Stage2Config, hi: number, lo: number, need: number, out: Translation): boolean {
    out.ipa = 0;
    out.fetch = 0;
    if (!this.#walkFirst(first, second, hi, lo, need, out)) return false;
    const descent = this.#first;
    const { sizeBits, rangeBits } = out;
    if (!this.#walkSecond(second, descent.hi, descent.lo, need, out)) return false;
    if (sizeBits < out.sizeBits) out.sizeBits = sizeBits;
    if (rangeBits < out.rangeBits) out.rangeBits = rangeBits;
    return true;
  }

  /** Stage 1 with its checks; fills what concerns stage 1. */
  #walkFirst(
    config: Stage1Config,
    stage2: Stage2Config | undefined,
    hi: number,
    lo: number,
    need: number,
    out: Translation,
  ): boolean {
    const descent = this.#first;
    const range = rangeOf(config, hi);
    if (!this.#enter(config, range, stage2, hi, lo, need)) {
      if (descent.inStage2) return this.#failFetch(out);
      if (descent.fault !== 'external abort') return fail(out, descent.fault, 1, descent.level, 'input');
      out.fetch = descent.fetch;
      return fail(out, descent.fault, 1, descent.level, 'table walk');
    }
    const leaf = descent.words;
    const { level } = descent;
    if (config.accessFlagFault && get(leaf, STAGE1_LEAF.AF) === 0) return fail(out, 'access flag', 1, level, 'input');
    const permissions = stage1Permissions(config, range, descent.tables, leaf);
    if ((permissions & need) !== need) return fail(out, 'permission', 1, level, 'input');
    out.fault = 'none';
    out.stage = 1;
    out.level = level;
    out.what = 'input';
    out.level1 = level;
    out.permissions1 = permissions;
    out.type1 = config.types[get(leaf, STAGE1_LEAF.AttrIndx)] as number;
    out.shareability1 = get(leaf, STAGE1_LEAF.SH);
    out.global = get(leaf, STAGE1_LEAF.nG) === 0;
    out.output = descent.hi * TWO_32 + descent.lo;
    out.sizeBits = descent.sizeBits;
    out.sizeBits1 = descent.sizeBits;
    out.rangeBits = descent.sizeBits;
    if (get(leaf, STAGE1_LEAF.Contiguous) === 1) out.rangeBits += contiguousBits(range.tables.granule, level);
    return true;
  }

  #enter(
    config: Stage1Config,
    range: Stage1Range,
    stage2: Stage2Config | undefined,
    hi: number,
    lo: number,
    need: number,
  ): boolean {
    const descent = this.#first;
    if (!isCanonical(config, range, hi, lo) || range.walksDisabled) return refuse(descent, 'translation', 0);
    if (range.unprivilegedDisabled && (need & UNPRIVILEGED) !== 0) return refuse(descent, 'translation', 0);
    return this.#descend(range.tables, stage2, hi, lo, descent);
  }

  /** Stage 2 with its checks, on top of what `out` says of stage 1. */
  #walkSecond(config: Stage2Config, hi: number, lo: number, need: number, out: Translation): boolean {
    const descent = this.#second;
    out.ipa = hi * TWO_32 + lo;
    if (!this.#reach(config, hi, lo)) return this.#failSecond(out, 'input');
    const leaf = descent.words;
    const { level } = descent;
    const permissions = stage2Permissions(config, leaf);
    if ((permissions & need) !== need) return fail(out, 'permission', 2, level, 'input');
    out.fault = 'none';
    out.stage = 2;
    out.level = level;
    out.what = 'input';
    out.level2 = level;
    out.permissions2 = permissions;
    out.permissions = out.permissions1 & permissions;
    out.type2 = stage2Type(leaf);
    out.shareability2 = ((leaf[0] as number) >>> SH_SHIFT) & SH_MASK;
    out.type = combineTypes(out.type1, out.type2);
    out.shareability = combineShareability(out.type, out.shareability1, out.shareability2);
    out.output = descent.hi * TWO_32 + descent.lo;
    out.sizeBits = descent.sizeBits;
    out.sizeBits2 = descent.sizeBits;
    out.rangeBits = descent.sizeBits;
    if (((leaf[1] as number) & CONTIGUOUS_BIT) !== 0) out.rangeBits += contiguousBits(config.tables.granule, level);
    return true;
  }

  /** Stage 2 up to a leaf whose Access flag allows its use. */
  #reach(config: Stage2Config, hi: number, lo: number): boolean {
    const descent = this.#second;
    const { tables } = config;
    if (((hi & tables.beyondHi) | (lo & tables.beyondLo)) !== 0) return refuse(descent, 'translation', 0);
    if (!this.#descend(tables, undefined, hi, lo, descent)) return false;
    if (config.accessFlagFault && ((descent.words[0] as number) & AF_BIT) === 0) {
      return refuse(descent, 'access flag', descent.level);
    }
    return true;
  }

  /** Stage 2 for the fetch of a stage 1 descriptor: a read, which may be barred from Device memory (PTW). */
  #reachDescriptor(config: Stage2Config, ipa: number): boolean {
    if (!this.#reach(config, (ipa / TWO_32) >>> 0, ipa >>> 0)) return false;
    const descent = this.#second;
    const readable = (stage2Permissions(config, descent.words) & READ_PRIVILEGED) !== 0;
    if (!readable || (config.protectTableWalk && isDevice(stage2Type(descent.words)))) {
      return refuse(descent, 'permission', descent.level);
    }
    return true;
  }

  #failSecond(out: Translation, what: WalkClass): false {
    const { fault, level, fetch } = this.#second;
    out.fetch = fault === 'external abort' ? fetch : 0;
    return fail(out, fault, 2, level, what);
  }

  #failFetch(out: Translation): false {
    out.ipa = this.#first.fetch;
    return this.#failSecond(out, 'table walk');
  }

  /** Goes down one tree, from its start to the leaf of an address. With `stage2` its tables lie behind that. */
  #descend(start: TableStart, stage2: Stage2Config | undefined, hi: number, lo: number, descent: Descent): boolean {
    if (start.startFault !== 'none') return refuse(descent, start.startFault, 0);
    const memory = this.#memory;
    const { words } = descent;
    const { blockLevel, outputBeyondHi } = start;
    let level = start.startLevel;
    let table = start.base;
    let shift = start.startShift;
    let mask = start.startMask;
    let tablesHi = 0;
    for (;;) {
      const index = (shift < 32 ? (lo >>> shift) | (hi << (32 - shift)) : hi >>> (shift - 32)) & mask;
      let address = table + index * DESCRIPTOR_BYTES;
      if (stage2 !== undefined) {
        if (!this.#reachDescriptor(stage2, address)) {
          descent.inStage2 = true;
          descent.fetch = address;
          return false;
        }
        const second = this.#second;
        address = second.hi * TWO_32 + second.lo;
      }
      if (!memory.load64(address, words)) {
        descent.fetch = address;
        return refuse(descent, 'external abort', level);
      }
      const type = (words[0] as number) & TYPE_MASK;
      const isTable = type === TABLE_OR_PAGE && level < LAST_LEVEL;
      const isLeaf = level === LAST_LEVEL ? type === TABLE_OR_PAGE : type === BLOCK && level >= blockLevel;
      if (!isTable && !isLeaf) return refuse(descent, 'translation', level);
      const addressHi = start.addressHiOf(words);
      if ((addressHi & outputBeyondHi) !== 0) return refuse(descent, 'address size', level);
      if (isLeaf) {
        descent.tables[1] = tablesHi;
        descent.level = level;
        settle(descent, shift, addressHi, start.addressLoOf(words), hi, lo);
        return true;
      }
      table = addressHi * TWO_32 + (start.addressLoOf(words) >>> 0);
      tablesHi |= words[1] as number;
      shift -= start.stride;
      mask = start.indexMask;
      level++;
    }
  }
}

/** Sets the output address: the leaf's address above its size, the input address below. */
function settle(
  descent: Descent,
  sizeBits: number,
  addressHi: number,
  addressLo: number,
  hi: number,
  lo: number,
): void {
  const offsetHi = sizeBits > 32 ? (1 << (sizeBits - 32)) - 1 : 0;
  const offsetLo = sizeBits >= 32 ? -1 : (1 << sizeBits) - 1;
  descent.sizeBits = sizeBits;
  descent.hi = ((addressHi & ~offsetHi) | (hi & offsetHi)) >>> 0;
  descent.lo = ((addressLo & ~offsetLo) | (lo & offsetLo)) >>> 0;
}

function fail(out: Translation, fault: WalkFault, stage: 1 | 2, level: number, what: WalkClass): false {
  out.fault = fault;
  out.stage = stage;
  out.level = level;
  out.what = what;
  out.permissions = 0;
  return false;
}
