/**
 * Physical memory: sparse, byte addressable, 52 bits of address, little-endian, zero until written.
 *
 * Memory knows which bytes changed since it was last asked: where a device's bytes went is learnt here, never from the
 * device. Pages come into being when they are first written.
 *
 * Not modelled: caches in front of memory (all masters are coherent), ECC, and the timing of accesses.
 */
import type { Pa } from './address.js';

const PAGE_BYTES = 4096;
const PAGE_WORDS = PAGE_BYTES / 4;
const CACHE_SLOTS = 1024;

if (new Uint8Array(Uint32Array.of(1).buffer)[0] !== 1) throw new Error('the memory model needs a little-endian host');

/** A run of bytes. */
export interface ByteRange {
  readonly address: Pa;
  readonly length: number;
}

/** Memory as saved: page address and its bytes. */
export type MemorySnapshot = readonly { readonly address: number; readonly bytes: Uint8Array }[];

class Page {
  readonly words = new Uint32Array(PAGE_WORDS);
  readonly bytes = new Uint8Array(this.words.buffer);
  /** The contents when changes were last asked for; undefined while the page is as it was then. */
  before: Uint32Array | undefined = undefined;
  readonly number: number;
  constructor(number: number) {
    this.number = number;
  }
}

const NO_PAGE = new Page(-1);

/** What a page was before it came into being. Shared, so never written. */
const ZEROS = new Uint32Array(PAGE_WORDS);
const ZERO_BYTES = new Uint8Array(ZEROS.buffer);

const bytesOf = (words: Uint32Array): Uint8Array => new Uint8Array(words.buffer, words.byteOffset, words.byteLength);

/** Sparse physical memory over one or more RAM ranges. */
export class PhysicalMemory {
  readonly #ranges: ByteRange[] = [];
  readonly #pages = new Map<number, Page>();
  readonly #cache: Page[] = new Array(CACHE_SLOTS).fill(NO_PAGE);
  #dirty: Page[] = [];
  /** Room for earlier contents, to be used again: these are taken and given back all the time. */
  readonly #spare: Uint32Array[] = [];

  /**
   * Adds a RAM range, whole 4 KiB pages.
   * @throws RangeError if it is not page aligned or overlaps another range, naming both.
   */
  addRange(address: Pa, length: number): void {
    if (address % PAGE_BYTES !== 0 || length % PAGE_BYTES !== 0 || length <= 0) {
      throw new RangeError(`RAM at 0x${address.toString(16)}, length 0x${length.toString(16)}, is not whole pages`);
    }
    for (const r of this.#ranges) {
      if (address < r.address + r.length && r.address < address + length) {
        throw new RangeError(
          `RAM at 0x${address.toString(16)} overlaps RAM at 0x${r.address.toString(16)}, ` +
            `length 0x${r.length.toString(16)}`,
        );
      }
    }
    this.#ranges.push({ address, length });
    this.#ranges.sort((a, b) => a.address - b.address);
  }

  /** The RAM ranges, by address. */
  get ranges(): readonly ByteRange[] {
    return this.#ranges;
  }

  /** Whether all `length` bytes at `address` are RAM. */
  contains(address: number, length: number): boolean {
    for (const r of this.#ranges) {
      if (address >= r.address && address + length <= r.address + r.length) return true;
    }
    return false;
  }

  /** The page that holds `address`, or undefined if nothing was ever written to it. */
  #find(address: number): Page | undefined {
    const number = Math.floor(address / PAGE_BYTES);
    const slot = number & (CACHE_SLOTS - 1);
    const cached = this.#cache[slot] as Page;
    if (cached.number === number) return cached;
    const page = this.#pages.get(number);
    if (page !== undefined) this.#cache[slot] = page;
    return page;
  }

  /** The page that holds `address`, made if nothing was ever written to it. */
  #existing(address: number): Page {
    const found = this.#find(address);
    if (found !== undefined) return found;
    const number = Math.floor(address / PAGE_BYTES);
    const page = new Page(number);
    this.#pages.set(number, page);
    this.#cache[number & (CACHE_SLOTS - 1)] = page;
    return page;
  }

  /** The page that holds `address`, about to be written: what it holds is kept, for {@link changed}. */
  #writable(address: number): Page {
    const found = this.#find(address);
    const page = found ?? this.#existing(address);
    if (page.before === undefined) {
      page.before = found === undefined ? ZEROS : this.#copyOf(page.words);
      this.#dirty.push(page);
    }
    return page;
  }

  #copyOf(words: Uint32Array): Uint32Array {
    const copy = this.#spare.pop() ?? new Uint32Array(PAGE_WORDS);
    copy.set(words);
    return copy;
  }

  /** Begins a new period for a page. Gives what it was in the last. */
  #forget(page: Page): Uint32Array {
    const before = page.before as Uint32Array;
    page.before = undefined;
    if (before !== ZEROS) this.#spare.push(before);
    return before;
  }

  /**
   * Loads a 64-bit doubleword into `out[0]` (lower half) and `out[1]` (upper half).
   * This is how devices fetch descriptors; the address is rounded down to a multiple of 8.
   * @returns false if there is no RAM at the address: an external abort.
   */
  load64(address: number, out: Uint32Array): boolean {
    const page = this.#find(address);
    if (page === undefined) {
      out[0] = 0;
      out[1] = 0;
      return this.contains(address - (address % 8), 8);
    }
    const index = (address & (PAGE_BYTES - 8)) >>> 2;
    out[0] = page.words[index] as number;
    out[1] = page.words[index + 1] as number;
    return true;
  }

  /**
   * Loads `count` 32-bit words from a multiple of 4 that does not cross a 4 KiB page.
   * @returns false if there is no RAM at the address.
   */
  loadWords(address: number, out: Uint32Array, count: number): boolean {
    if (!this.contains(address, count * 4)) return false;
    const page = this.#find(address);
    if (page === undefined) {
      out.fill(0, 0, count);
      return true;
    }
    const index = (address & (PAGE_BYTES - 1)) >>> 2;
    for (let i = 0; i < count; i++) out[i] = page.words[index + i] as number;
    return true;
  }

  /**
   * Stores 32-bit words at a multiple of 4 that does not cross a 4 KiB page.
   * @returns false, with nothing stored, if there is no RAM at the address.
   */
  storeWords(address: number, words: ArrayLike<number>): boolean {
    if (!this.contains(address, words.length * 4)) return false;
    const page = this.#writable(address);
    const index = (address & (PAGE_BYTES - 1)) >>> 2;
    for (let i = 0; i < words.length; i++) page.words[index + i] = words[i] as number;
    return true;
  }

  /** Reads bytes into `out`, across pages. Returns false, with `out` zeroed, unless all of them are RAM. */
  read(address: number, out: Uint8Array): boolean {
    if (!this.contains(address, out.length)) {
      out.fill(0);
      return false;
    }
    for (let done = 0; done < out.length; ) {
      const at = (address + done) % PAGE_BYTES;
      const count = Math.min(PAGE_BYTES - at, out.length - done);
      const page = this.#find(address + done);
      if (page === undefined) out.fill(0, done, done + count);
      else out.set(page.bytes.subarray(at, at + count), done);
      done += count;
    }
    return true;
  }

  /** Writes bytes, across pages. Returns false, with nothing written, unless all of them are RAM. */
  write(address: number, bytes: Uint8Array): boolean {
    if (!this.contains(address, bytes.length)) return false;
    for (let done = 0; done < bytes.length; ) {
      const at = (address + done) % PAGE_BYTES;
      const count = Math.min(PAGE_BYTES - at, bytes.length - done);
      const part = bytes.subarray(done, done + count);
      // Zeros where nothing was ever written change nothing: a cleared page does not come into being.
      if (count < PAGE_BYTES || this.#find(address + done) !== undefined || Buffer.compare(part, ZERO_BYTES) !== 0) {
        this.#writable(address + done).bytes.set(part, at);
      }
      done += count;
    }
    return true;
  }

  /**
   * Writes bytes as if they had been there all along: {@link changed} does not report them. For whoever arranges a
   * state. Returns false, with nothing written, unless all of them are RAM.
   */
  poke(address: number, bytes: Uint8Array): boolean {
    if (!this.contains(address, bytes.length)) return false;
    for (let done = 0; done < bytes.length; ) {
      const at = (address + done) % PAGE_BYTES;
      const part = bytes.subarray(done, done + Math.min(PAGE_BYTES - at, bytes.length - done));
      const page = this.#existing(address + done);
      page.bytes.set(part, at);
      if (page.before === ZEROS) page.before = this.#copyOf(ZEROS);
      if (page.before !== undefined) bytesOf(page.before).set(part, at);
      done += part.length;
    }
    return true;
  }

  /**
   * The byte ranges whose contents differ from what they were at the last call (or at the start), by address, adjacent
   * bytes joined. Asking starts a new period.
   */
  changed(): ByteRange[] {
    const pages = this.#dirty.sort((a, b) => a.number - b.number);
    this.#dirty = [];
    const ranges: { address: Pa; length: number }[] = [];
    for (const page of pages) {
      const before = this.#forget(page);
      const { words } = page;
      for (let i = 0; i < PAGE_WORDS; i++) {
        const difference = (words[i] as number) ^ (before[i] as number);
        if (difference === 0) continue;
        for (let byte = 0; byte < 4; byte++) {
          if (((difference >>> (byte * 8)) & 0xff) === 0) continue;
          const address = page.number * PAGE_BYTES + i * 4 + byte;
          const last = ranges[ranges.length - 1];
          if (last !== undefined && last.address + last.length === address) last.length++;
          else ranges.push({ address: address as Pa, length: 1 });
        }
      }
    }
    return ranges;
  }

  /** A copy of every page that holds anything but zeros. */
  save(): MemorySnapshot {
    const pages = [...this.#pages.values()].sort((a, b) => a.number - b.number);
    return pages
      .filter((page) => page.words.some((word) => word !== 0))
      .map((page) => ({ address: page.number * PAGE_BYTES, bytes: page.bytes.slice() }));
  }

  /** Replaces all contents. The next {@link changed} speaks of what changes after this. */
  load(snapshot: MemorySnapshot): void {
    this.#pages.clear();
    this.#cache.fill(NO_PAGE);
    for (const { address, bytes } of snapshot) {
      if (!this.contains(address, bytes.length))
        throw new RangeError(`no RAM for the saved page 0x${address.toString(16)}`);
      this.#writable(address).bytes.set(bytes);
    }
    for (const page of this.#dirty) this.#forget(page);
    this.#dirty = [];
  }
}
