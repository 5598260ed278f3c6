/**
 * The entries of a translation cache, in columns: tag, input page, and what the walk said of it. How they are found and
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

/** Where an entry keeps what, among its attribute bytes. Levels are kept plus 1. */
const SIZE = 0;
const SIZE1 = 1;
const SIZE2 = 2;
const RANGE = 3;
const LEVEL1 = 4;
const LEVEL2 = 5;
const PERMISSIONS1 = 6;
const PERMISSIONS2 = 7;
const TYPE1 = 8;
const TYPE2 = 9;
const SHAREABILITY1 = 10;
const SHAREABILITY2 = 11;
const ATTRIBUTES = 12;

/** A growing set of entries, numbered from 0 without gaps. */
export class TlbEntries {
  count = 0;
  capacity: number;
  /** Tag: {@link tlbContext}, and ASID or {@link GLOBAL_ASID}. */
  context: Int32Array;
  asid: Int32Array;
  /** Input page, its offset bits zero. */
  hi: Int32Array;
  lo: Int32Array;
  #outputHi: Int32Array;
  #outputLo: Int32Array;
  #ipaHi: Int32Array;
  #ipaLo: Int32Array;
  #attributes: Uint8Array;

  constructor(capacity: number) {
    this.capacity = capacity;
    this.context = new Int32Array(capacity);
    this.asid = new Int32Array(capacity);
    this.hi = new Int32Array(capacity);
    this.lo = new Int32Array(capacity);
    this.#outputHi = new Int32Array(capacity);
    this.#outputLo = new Int32Array(capacity);
    this.#ipaHi = new Int32Array(capacity);
    this.#ipaLo = new Int32Array(capacity);
    this.#attributes = new Uint8Array(capacity * ATTRIBUTES);
  }

  /** Makes room for twice as many. */
  grow(): void {
    const grown = new TlbEntries(this.capacity * 2);
    grown.context.set(this.context);
    grown.asid.set(this.asid);
    grown.hi.set(this.hi);
    grown.lo.set(this.lo);
    grown.#outputHi.set(this.#outputHi);
    grown.#outputLo.set(this.#outputLo);
    grown.#ipaHi.set(this.#ipaHi);
    grown.#ipaLo.set(this.#ipaLo);
    grown.#attributes.set(this.#attributes);
    this.capacity = grown.capacity;
    this.context = grown.context;
    this.asid = grown.asid;
    this.hi = grown.hi;
    this.lo = grown.lo;
    this.#outputHi = grown.#outputHi;
    this.#outputLo = grown.#outputLo;
    this.#ipaHi = grown.#ipaHi;
    this.#ipaLo = grown.#ipaLo;
    this.#attributes = grown.#attributes;
  }

  /** Takes the entry away; the last one gets its number. */
  remove(entry: number): void {
    const from = --this.count;
    if (from === entry) return;
    this.context[entry] = this.context[from] as number;
    this.asid[entry] = this.asid[from] as number;
    this.hi[entry] = this.hi[from] as number;
    this.lo[entry] = this.lo[from] as number;
    this.#outputHi[entry] = this.#outputHi[from] as number;
    this.#outputLo[entry] = this.#outputLo[from] as number;
    this.#ipaHi[entry] = this.#ipaHi[from] as number;
    this.#ipaLo[entry] = this.#ipaLo[from] as number;
    this.#attributes.copyWithin(entry * ATTRIBUTES, from * ATTRIBUTES, (from + 1) * ATTRIBUTES);
  }

  /** log2 of the bytes that an entry covers. */
  size(entry: number): number {
    return this.#attributes[entry * ATTRIBUTES + SIZE] as number;
  }

  /** log2 of the bytes of the leaf in the stage whose input the entry goes by: stage 1 if it took part. */
  leafSize(entry: number): number {
    const at = entry * ATTRIBUTES;
    return this.#attributes[at + (this.#attributes[at + LEVEL1] !== 0 ? SIZE1 : SIZE2)] as number;
  }

  /** Level of that leaf. */
  leafLevel(entry: number): number {
    const at = entry * ATTRIBUTES;
    const first = this.#attributes[at + LEVEL1] as number;
    return (first !== 0 ? first : (this.#attributes[at + LEVEL2] as number)) - 1;
  }

  /** What both stages together permit. */
  permissions(entry: number): number {
    const at = entry * ATTRIBUTES;
    return (this.#attributes[at + PERMISSIONS1] as number) & (this.#attributes[at + PERMISSIONS2] as number);
  }

  /** The output address for an input address in the entry's page. */
  output(entry: number, hi: number, lo: number): number {
    const size = this.size(entry);
    return (
      ((this.#outputHi[entry] as number) | (hi & ~(MASK_HI[size] as number))) * TWO_32 +
      (((this.#outputLo[entry] as number) | (lo & ~(MASK_LO[size] as number))) >>> 0)
    );
  }

  #ipa(entry: number, hi: number, lo: number): number {
    const size = this.size(entry);
    return (
      ((this.#ipaHi[entry] as number) | (hi & ~(MASK_HI[size] as number))) * TWO_32 +
      (((this.#ipaLo[entry] as number) | (lo & ~(MASK_LO[size] as number))) >>> 0)
    );
  }

  /** Keeps a walk's result in an entry whose tag and page are set. */
  write(entry: number, result: Translation): void {
    const maskHi = MASK_HI[result.sizeBits] as number;
    const maskLo = MASK_LO[result.sizeBits] as number;
    this.#outputHi[entry] = (result.output / TWO_32) & maskHi;
    this.#outputLo[entry] = (result.output >>> 0) & maskLo;
    this.#ipaHi[entry] = (result.ipa / TWO_32) & maskHi;
    this.#ipaLo[entry] = (result.ipa >>> 0) & maskLo;
    const a = this.#attributes;
    const at = entry * ATTRIBUTES;
    a[at + SIZE] = result.sizeBits;
    a[at + SIZE1] = result.sizeBits1;
    a[at + SIZE2] = result.sizeBits2;
    a[at + RANGE] = result.rangeBits;
    a[at + LEVEL1] = result.level1 + 1;
    a[at + LEVEL2] = result.level2 + 1;
    a[at + PERMISSIONS1] = result.permissions1;
    a[at + PERMISSIONS2] = result.permissions2;
    a[at + TYPE1] = result.type1;
    a[at + TYPE2] = result.type2;
    a[at + SHAREABILITY1] = result.shareability1;
    a[at + SHAREABILITY2] = result.shareability2;
  }

  /** Fills `out` as {@link Tlb.read} says. */
  read(entry: number, hi: number, lo: number, need: number, out: Translation): boolean {
    const a = this.#attributes;
    const at = entry * ATTRIBUTES;
    out.output = this.output(entry, hi, lo);
    out.sizeBits = a[at + SIZE] as number;
    out.sizeBits1 = a[at + SIZE1] as number;
    out.sizeBits2 = a[at + SIZE2] as number;
    out.rangeBits = a[at + RANGE] as number;
    out.level1 = (a[at + LEVEL1] as number) - 1;
    out.level2 = (a[at + LEVEL2] as number) - 1;
    out.permissions1 = a[at + PERMISSIONS1] as number;
    out.permissions2 = a[at + PERMISSIONS2] as number;
    out.permissions = out.permissions1 & out.permissions2;
    out.type1 = a[at + TYPE1] as number;
    out.type2 = a[at + TYPE2] as number;
    out.shareability1 = a[at + SHAREABILITY1] as number;
    out.shareability2 = a[at + SHAREABILITY2] as number;
    out.type = combineTypes(out.type1, out.type2);
    out.shareability = combineShareability(out.type, out.shareability1, out.shareability2);
    out.global = out.level1 >= 0 && this.asid[entry] === GLOBAL_ASID;
    out.what = 'input';
    out.fetch = 0;
    const behind = out.level2 >= 0;
    out.ipa = behind ? this.#ipa(entry, hi, lo) : 0;
    out.stage = behind && (out.permissions1 & need) === need ? 2 : 1;
    out.level = out.stage === 2 ? out.level2 : out.level1;
    out.fault = (out.permissions & need) === need ? 'none' : 'permission';
    return out.fault === 'none';
  }
}
