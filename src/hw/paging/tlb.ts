/**
 * A translation cache: what walks found, kept until software invalidates it.
 *
 * Entries are tagged as Arm DDI 0487 D8.16 and Arm IHI 0070 3.17 require: translation regime, VMID, ASID or global. They
 * may be stage 1, stage 2, or both stages combined. An entry stays, however memory and configuration change, until an
 * invalidation matches it; when that takes effect is up to the owner (D8.17: at the DSB; IHI 0070 4.8: at CMD_SYNC).
 * - By VMID (TLBI VMALLS12E1, TLBI_S12_VMALL): {@link Tlb.invalidateContext} of each of the VMID's contexts.
 * - By ASID (TLBI_NH_ASID): leaves global entries ({@link Tlb.invalidateAsid}).
 * - By VA (TLBI_NH_VA): this ASID and global entries; TLBI_NH_VAA: any ASID ({@link Tlb.invalidateRange}). A combined
 *   entry goes when the address lies in the leaf of stage 1 that it came from, however small the leaf of stage 2.
 * - By IPA (TLBI IPAS2E1, TLBI_S2_IPA): entries of stage 2 alone. Combined entries stay: hardware may keep
 *   no IPA with them (D8.17), so they need an invalidation by VMID or VA as well.
 *
 * Only leaves are cached, so that invalidations with and without Leaf do the same. Nothing is fetched ahead of use. Which
 * results to insert is the owner's choice: results with a fault must not be.
 *
 * Not modelled: TLB conflicts (where pages and blocks overlap, either may answer), replacement (a full cache forgets all).
 */
import { GLOBAL_ASID, MASK_HI, MASK_LO, TlbEntries } from './tlb-entries.js';
import type { Translation } from './translation.js';

export { GLOBAL_ASID } from './tlb-entries.js';

/** Translation regimes, the upper part of a context. Further ones up to 15 are free for the owner. */
export const REGIME_STAGE2 = 0;
/** EL1&0: stage 1 alone, or both stages combined. */
export const REGIME_EL10 = 1;
export const REGIME_EL2 = 2;

const VMID_BITS = 16;

/** The context of an entry: regime and VMID (0 where the regime has none). */
export function tlbContext(regime: number, vmid: number): number {
  return (regime << VMID_BITS) | vmid;
}

/** For invalidations: entries of any ASID, global ones too. */
export const ANY_ASID = 0x20000;

/** 4 KiB, the unit in which invalidations count. */
const PAGE_BITS = 12;
const PAGES_PER_HI = 2 ** (32 - PAGE_BITS);

/** The number of the 4 KiB page that holds a 64-bit address; exact. */
export function pageNumber(hi: number, lo: number): number {
  return (hi >>> 0) * PAGES_PER_HI + (lo >>> PAGE_BITS);
}

const START_CAPACITY = 64;
/** Slots of the index per entry, so that probes stay short. */
const SPREAD = 4;

function hash(context: number, asid: number, hi: number, lo: number, size: number): number {
  const h =
    Math.imul(lo ^ Math.imul(hi, 0x9e3779b1), 0x85ebca6b) ^ Math.imul(context ^ (asid << 7) ^ (size << 25), 0xc2b2ae35);
  return h ^ (h >>> 15) ^ (h >>> 24);
}

/** A translation cache. Entries are numbered; a number holds until the next insertion or invalidation. */
export class Tlb {
  readonly #limit: number;
  readonly #entries = new TlbEntries(START_CAPACITY);
  /** Open addressing: number of the entry plus 1, or 0. */
  #index = new Int32Array(START_CAPACITY * SPREAD);
  /** Sizes that are present (log2), and how many entries have each. */
  readonly #sizes = new Uint8Array(64);
  #sizeCount = 0;
  readonly #ofSize = new Int32Array(65);
  #globals = 0;
  /** The entry that answered last. */
  #last = 0;

  /** @param limit the most entries; one more, and all are forgotten */
  constructor(limit = 0x10000) {
    this.#limit = limit;
  }

  /** How many entries there are. */
  get count(): number {
    return this.#entries.count;
  }

  /**
   * Finds an entry.
   * @param context {@link tlbContext}
   * @param asid the ASID of the access (entries that are global match too), or {@link GLOBAL_ASID} if it has none
   * @param hi upper half of the input address, untagged
   * @returns the entry's number, or -1
   */
  lookup(context: number, asid: number, hi: number, lo: number): number {
    const last = this.#last;
    if (last < this.#entries.count && this.#entries.covers(last, context, asid, hi, lo)) return last;
    for (let i = 0; i < this.#sizeCount; i++) {
      const size = this.#sizes[i] as number;
      const maskedHi = hi & (MASK_HI[size] as number);
      const maskedLo = lo & (MASK_LO[size] as number);
      let entry = this.#probe(hash(context, asid, maskedHi, maskedLo, size), context, asid, maskedHi, maskedLo, size);
      if (entry < 0 && this.#globals > 0 && asid !== GLOBAL_ASID) {
        const global = hash(context, GLOBAL_ASID, maskedHi, maskedLo, size);
        entry = this.#probe(global, context, GLOBAL_ASID, maskedHi, maskedLo, size);
      }
      if (entry >= 0) {
        this.#last = entry;
        return entry;
      }
    }
    return -1;
  }

  /** The entry of exactly this key, or -1; `hashed` is the key's {@link hash}. */
  #probe(hashed: number, context: number, asid: number, hi: number, lo: number, size: number): number {
    const entries = this.#entries;
    const index = this.#index;
    const mask = index.length - 1;
    for (let at = hashed & mask; ; at = (at + 1) & mask) {
      const entry = (index[at] as number) - 1;
      if (entry < 0) return -1;
      if (entries.hasKey(entry, context, asid, hi, lo, size)) return entry;
    }
  }

  /** What both stages together permit, of an entry. */
  permissions(entry: number): number {
    return this.#entries.permissions(entry);
  }

  /** The output address of an entry for an input address that it matches. */
  output(entry: number, hi: number, lo: number): number {
    return this.#entries.output(entry, hi, lo);
  }

  /**
   * Fills `out` from an entry, as the walk of the address would have, and judges the permission of the access: `fault`
   * becomes `none`, or `permission` of the stage that denies it.
   * @param need the permission bit that the access needs; 0 for none
   * @returns whether there was no fault
   */
  read(entry: number, hi: number, lo: number, need: number, out: Translation): boolean {
    return this.#entries.read(entry, hi, lo, need, out);
  }

  /**
   * Keeps the result of a walk for the input address that was walked. What stage 1 says is global is kept as such.
   * @throws RangeError if the walk ended in a fault
   */
  insert(context: number, asid: number, hi: number, lo: number, result: Translation): void {
    if (result.fault !== 'none') throw new RangeError(`a translation with a fault (${result.fault}) cannot be cached`);
    const entries = this.#entries;
    const size = result.sizeBits;
    const key = result.global ? GLOBAL_ASID : asid;
    const maskedHi = hi & (MASK_HI[size] as number);
    const maskedLo = lo & (MASK_LO[size] as number);
    const hashed = hash(context, key, maskedHi, maskedLo, size);
    const known = this.#probe(hashed, context, key, maskedHi, maskedLo, size);
    if (known >= 0) {
      entries.write(known, result);
      this.#last = known;
      return;
    }
    if (entries.count === this.#limit) this.invalidateAll();
    if (entries.count === entries.capacity) {
      entries.grow();
      this.#index = new Int32Array(entries.capacity * SPREAD);
      this.#relink();
    }
    const entry = entries.add(context, key, maskedHi, maskedLo);
    entries.write(entry, result);
    this.#link(entry, hashed);
    this.#last = entry;
  }

  #hashOf(entry: number): number {
    const entries = this.#entries;
    return hash(entries.context(entry), entries.asid(entry), entries.hi(entry), entries.lo(entry), entries.size(entry));
  }

  /** Puts an entry into the index, at the place of its hash, and counts it. */
  #link(entry: number, hashed: number): void {
    const own = this.#entries.asid(entry);
    const size = this.#entries.size(entry);
    const mask = this.#index.length - 1;
    let at = hashed & mask;
    while (this.#index[at] !== 0) at = (at + 1) & mask;
    this.#index[at] = entry + 1;
    if (own === GLOBAL_ASID) this.#globals++;
    if (this.#ofSize[size] === 0) this.#sizes[this.#sizeCount++] = size;
    (this.#ofSize[size] as number)++;
  }

  #relink(): void {
    this.#index.fill(0);
    this.#ofSize.fill(0);
    this.#sizeCount = 0;
    this.#globals = 0;
    for (let entry = 0; entry < this.#entries.count; entry++) this.#link(entry, this.#hashOf(entry));
  }

  #removeWhere(matches: (entry: number) => boolean): void {
    const before = this.#entries.count;
    for (let entry = before - 1; entry >= 0; entry--) if (matches(entry)) this.#entries.remove(entry);
    if (this.#entries.count !== before) this.#relink();
  }

  /** Drops everything. */
  invalidateAll(): void {
    this.#entries.count = 0;
    this.#relink();
  }

  /** Drops every entry of a regime, whatever its VMID and ASID. */
  invalidateRegime(regime: number): void {
    const entries = this.#entries;
    this.#removeWhere((entry) => entries.context(entry) >> VMID_BITS === regime);
  }

  /** Drops every entry of a context (a regime and VMID), global ones too. */
  invalidateContext(context: number): void {
    const entries = this.#entries;
    this.#removeWhere((entry) => entries.context(entry) === context);
  }

  /** Drops the entries of a context and ASID. Global entries stay. */
  invalidateAsid(context: number, asid: number): void {
    const entries = this.#entries;
    this.#removeWhere((entry) => entries.context(entry) === context && entries.asid(entry) === asid);
  }

  /**
   * Drops the entries of a context that map anything in a range of input addresses.
   * @param asid entries of this ASID and global ones, or {@link ANY_ASID}
   * @param page {@link pageNumber} of the first address
   * @param pages length in pages of 4 KiB
   * @param level only entries whose leaf is at this level (a TTL hint); -1 for any
   */
  invalidateRange(context: number, asid: number, page: number, pages: number, level = -1): void {
    const entries = this.#entries;
    this.#removeWhere((entry) => {
      if (entries.context(entry) !== context) return false;
      const own = entries.asid(entry);
      if (asid !== ANY_ASID && own !== asid && own !== GLOBAL_ASID) return false;
      if (level >= 0 && entries.leafLevel(entry) !== level) return false;
      // The leaf of the stage whose input the address is, not the part of it that was cached.
      const size = entries.leafSize(entry);
      const hi = entries.hi(entry) & (MASK_HI[size] as number);
      const start = pageNumber(hi, entries.lo(entry) & (MASK_LO[size] as number));
      return start < page + pages && page < start + 2 ** (size - PAGE_BITS);
    });
  }
}
