/** A bitmap of the tags that translations are cached under: VMIDs of the CPUs, and of each SMMU. */

/** Tags from 0 to 2^bits - 1. The lowest free one is given first, so that tags are recycled soon. */
export class TagBitmap {
  readonly #used = new Set<number>();
  readonly bits: number;

  /** Tag 0 is never given: it marks entries without a stage 2. */
  constructor(bits: number) {
    this.bits = bits;
    this.#used.add(0);
  }

  /** The lowest free tag, now used; undefined if there is none. */
  take(): number | undefined {
    for (let tag = 1; tag < 2 ** this.bits; tag++) {
      if (this.#used.has(tag)) continue;
      this.#used.add(tag);
      return tag;
    }
    return undefined;
  }

  /** Gives a tag back. */
  release(tag: number): void {
    if (tag !== 0) this.#used.delete(tag);
  }

  /** How many tags are in use. */
  get inUse(): number {
    return this.#used.size - 1;
  }
}
