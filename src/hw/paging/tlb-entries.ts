/**
 * The entries of a translation cache, a row of 32-bit words for each: tag, input page, and what the walk said of it. How they are found and
 * dropped is {@link Tlb}'s affair.
 */
import { TWO_32 } from '../address.js';
import { combineShareability, combineTypes, type Translation } from './translation.js';

/** In place of an ASID: the entry holds for all of them, or its regime has none (stage 2, EL2). */
export const GLOBAL_ASID = 0x10000;

/** Masks of the address bits above a size, by log2 of the size. */
export const MASK_HI = Int32Array.from({ length: 65 }, (_, bits) =>
  bits <= 32 ? -1 : bits === 64 ? 0 : -1 << (bits - 32),
);
export const MASK_LO = Int32Array.from({ length: 65 }, (_, bits) => (bits < 32 ? -1 << bits : 0));

/** Words of a row: a line of the host's cache. */
const ROW = 16;
/** Where in its row an entry keeps what. */
const CONTEXT = 0;
const ASID = 1;
const HI = 2;
const LO = 3;
const OUTPUT_HI = 4;
const OUTPUT_LO = 5;
const IPA_HI = 6;
const IPA_LO = 7;
/** Bytes, from the lowest: sizes of the entry, of the leaf of stage 1 and of stage 2, and the range. */
const SIZES = 8;
/** Bytes: permissions of stage 1 and of stage 2. */
const PERMISSIONS = 9;
/** Nibbles, from the lowest: level plus 1, type and shareability, each of stage 1 and of stage 2. */
const KINDS = 10;

const BYTE = 0xff;
const NIBBLE = 0xf;

/** A growing set of entries, numbered from 0 without gaps. */
export class TlbEntries {
  count = 0;
  capacity: number;
  #rows: Int32Array;

  constructor(capacity: number) {
    this.capacity = capacity;
    this.#rows = new Int32Array(capacity * ROW);
  }

  /** Makes room for twice as many. */
  grow(): void {
    const rows = new Int32Array(this.capacity * 2 * ROW);
    rows.set(this.#rows);
    this.capacity *= 2;
    this.#rows = rows;
  }

  /** Takes the entry away; the last one gets its number. */
  remove(entry: number): void {
    const from = --this.count;
    if (from !== entry) this.#rows.copyWithin(entry * ROW, from * ROW, (from + 1) * ROW);
  }

  /** Tag: {@link tlbContext}. */
  context(entry: number): number {
    return this.#rows[entry * ROW + CONTEXT] as number;
  }

  /** Tag: ASID or {@link GLOBAL_ASID}. */
  asid(entry: number): number {
    return this.#rows[entry * ROW + ASID] as number;
  }

  /** Upper half of the input page. */
  hi(entry: number): number {
    return this.#rows[entry * ROW + HI] as number;
  }

  /** Lower half of the input page, its offset bits zero. */
  lo(entry: number): number {
    return this.#rows[entry * ROW + LO] as number;
  }

  /** log2 of the bytes that an entry covers. */
  size(entry: number): number {
    return (this.#rows[entry * ROW + SIZES] as number) & BYTE;
  }

  /** Whether an entry has exactly this key. */
  hasKey(entry: number, context: number, asid: number, hi: number, lo: number, size: number): boolean {
    const rows = this.#rows;
    const at = entry * ROW;
    return (
      rows[at + LO] === lo &&
      rows[at + HI] === hi &&
      rows[at + CONTEXT] === context &&
      rows[at + ASID] === asid &&
      ((rows[at + SIZES] as number) & BYTE) === size
    );
  }

  /** Whether an entry translates an address for an ASID. */
  covers(entry: number, context: number, asid: number, hi: number, lo: number): boolean {
    const rows = this.#rows;
    const at = entry * ROW;
    if (rows[at + CONTEXT] !== context) return false;
    const own = rows[at + ASID];
    if (own !== asid && own !== GLOBAL_ASID) return false;
    const size = (rows[at + SIZES] as number) & BYTE;
    const differs =
      ((hi ^ (rows[at + HI] as number)) & (MASK_HI[size] as number)) |
      ((lo ^ (rows[at + LO] as number)) & (MASK_LO[size] as number));
    return differs === 0;
  }

  /** log2 of the bytes of the leaf in the stage whose input the entry goes by: stage 1 if it took part. */
  leafSize(entry: number): number {
    const sizes = this.#rows[entry * ROW + SIZES] as number;
    return (this.#hasStage1(entry) ? sizes >>> 8 : sizes >>> 16) & BYTE;
  }

  /** Level of that leaf. */
  leafLevel(entry: number): number {
    const kinds = this.#rows[entry * ROW + KINDS] as number;
    return ((this.#hasStage1(entry) ? kinds : kinds >>> 4) & NIBBLE) - 1;
  }

  #hasStage1(entry: number): boolean {
    return ((this.#rows[entry * ROW + KINDS] as number) & NIBBLE) !== 0;
  }

  /** What both stages together permit. */
  permissions(entry: number): number {
    const permissions = this.#rows[entry * ROW + PERMISSIONS] as number;
    return permissions & (permissions >>> 8);
  }

  /** The output address for an input address in the entry's page. */
  output(entry: number, hi: number, lo: number): number {
    return this.#address(entry * ROW + OUTPUT_HI, this.size(entry), hi, lo);
  }

  /** The page at `at` with the offset of an input address. */
  #address(at: number, size: number, hi: number, lo: number): number {
    return (
      ((this.#rows[at] as number) | (hi & ~(MASK_HI[size] as number))) * TWO_32 +
      (((this.#rows[at + 1] as number) | (lo & ~(MASK_LO[size] as number))) >>> 0)
    );
  }

  /** Appends an entry with its tag and input page; {@link write} says the rest. Its number. */
  add(context: number, asid: number, hi: number, lo: number): number {
    const entry = this.count++;
    const rows = this.#rows;
    const at = entry * ROW;
    rows[at + CONTEXT] = context;
    rows[at + ASID] = asid;
    rows[at + HI] = hi;
    rows[at + LO] = lo;
    return entry;
  }

  /** Keeps a walk's result in an entry. */
  write(entry: number, result: Translation): void {
    const maskHi = MASK_HI[result.sizeBits] as number;
    const maskLo = MASK_LO[result.sizeBits] as number;
    const rows = this.#rows;
    const at = entry * ROW;
    rows[at + OUTPUT_HI] = (result.output / TWO_32) & maskHi;
    rows[at + OUTPUT_LO] = (result.output >>> 0) & maskLo;
    rows[at + IPA_HI] = (result.ipa / TWO_32) & maskHi;
    rows[at + IPA_LO] = (result.ipa >>> 0) & maskLo;
    rows[at + SIZES] = result.sizeBits | (result.sizeBits1 << 8) | (result.sizeBits2 << 16) | (result.rangeBits << 24);
    rows[at + PERMISSIONS] = result.permissions1 | (result.permissions2 << 8);
    rows[at + KINDS] =
      (result.level1 + 1) |
      ((result.level2 + 1) << 4) |
      (result.type1 << 8) |
      (result.type2 << 12) |
      (result.shareability1 << 16) |
      (result.shareability2 << 20);
  }

  /** Fills `out` as {@link Tlb.read} says. */
  read(entry: number, hi: number, lo: number, need: number, out: Translation): boolean {
    const at = entry * ROW;
    const sizes = this.#rows[at + SIZES] as number;
    const permissions = this.#rows[at + PERMISSIONS] as number;
    const kinds = this.#rows[at + KINDS] as number;
    out.output = this.output(entry, hi, lo);
    out.sizeBits = sizes & BYTE;
    out.sizeBits1 = (sizes >>> 8) & BYTE;
    out.sizeBits2 = (sizes >>> 16) & BYTE;
    out.rangeBits = sizes >>> 24;
    out.level1 = (kinds & NIBBLE) - 1;
    out.level2 = ((kinds >>> 4) & NIBBLE) - 1;
    out.permissions1 = permissions & BYTE;
    out.permissions2 = (permissions >>> 8) & BYTE;
    out.permissions = out.permissions1 & out.permissions2;
    out.type1 = (kinds >>> 8) & NIBBLE;
    out.type2 = (kinds >>> 12) & NIBBLE;
    out.shareability1 = (kinds >>> 16) & NIBBLE;
    out.shareability2 = (kinds >>> 20) & NIBBLE;
    out.type = combineTypes(out.type1, out.type2);
    out.shareability = combineShareability(out.type, out.shareability1, out.shareability2);
    out.global = out.level1 >= 0 && this.asid(entry) === GLOBAL_ASID;
    out.what = 'input';
    out.fetch = 0;
    const behind = out.level2 >= 0;
    out.ipa = behind ? this.#address(at + IPA_HI, out.sizeBits, hi, lo) : 0;
    out.stage = behind && (out.permissions1 & need) === need ? 2 : 1;
    out.level = out.stage === 2 ? out.level2 : out.level1;
    out.fault = (out.permissions & need) === need ? 'none' : 'permission';
    return out.fault === 'none';
  }
}
