/**
 * The configuration space of one function: registers of which each bit is read-only, writable, or cleared by writing 1.
 *
 * PCI Express Base Specification 7.2 (accesses of 1, 2 and 4 bytes), 7.4 (register attributes RO, RW, RW1C), 7.5.1.1.11
 * (the list of capabilities, each with its id and the offset of the next).
 *
 * Not modelled: extended capabilities; 0x100 to 0xfff read as zero, which says that there are none (7.6.3).
 */
import { HEADER, STATUS } from './layout.js';

/** The first byte that a capability may occupy, right behind the header. */
const FIRST_CAPABILITY = 0x40;
const CONFIG_BYTES = 0x100;

/** What the bits of a register are; what is named in neither mask is read-only. */
export interface RegisterBits {
  readonly reset?: number;
  readonly writable?: number;
  /** Cleared by writing 1. */
  readonly writeOneToClear?: number;
}

/** Registers as saved. */
export type ConfigSnapshot = Uint32Array;

const laneMask = (width: 1 | 2 | 4) => (width === 4 ? 0xffffffff : width === 2 ? 0xffff : 0xff);

/** The configuration space of one function. */
export class ConfigSpace {
  readonly #value = new Uint32Array(CONFIG_BYTES / 4);
  readonly #reset = new Uint32Array(CONFIG_BYTES / 4);
  readonly #writable = new Uint32Array(CONFIG_BYTES / 4);
  readonly #clear = new Uint32Array(CONFIG_BYTES / 4);
  #nextCapability = FIRST_CAPABILITY;
  #lastPointer: number = HEADER.CAPABILITIES_POINTER;

  /**
   * States a register of 1, 2 or 4 bytes. What is stated later replaces what was stated for the same bytes.
   * @throws RangeError if it is not naturally aligned.
   */
  define(offset: number, width: 1 | 2 | 4, bits: RegisterBits): void {
    if (offset % width !== 0 || offset < 0 || offset + width > CONFIG_BYTES) {
      throw new RangeError(`no register of ${width} bytes at 0x${offset.toString(16)}`);
    }
    const index = offset >>> 2;
    const shift = (offset & 3) * 8;
    const keep = ~(laneMask(width) << shift);
    const set = (words: Uint32Array, value: number) => {
      words[index] = ((words[index] as number) & keep) | ((value & laneMask(width)) << shift);
    };
    set(this.#reset, bits.reset ?? 0);
    set(this.#value, bits.reset ?? 0);
    set(this.#writable, bits.writable ?? 0);
    set(this.#clear, bits.writeOneToClear ?? 0);
  }

  /**
   * Appends a capability to the list: id, pointer to the next, then its registers, stated by the caller.
   * @returns the offset of the capability.
   * @throws RangeError if the space is full.
   */
  addCapability(id: number, bytes: number): number {
    const at = this.#nextCapability;
    if (at + bytes > CONFIG_BYTES)
      throw new RangeError(`no room for capability 0x${id.toString(16)} of ${bytes} bytes`);
    this.define(at, 1, { reset: id });
    this.define(at + 1, 1, {});
    this.define(this.#lastPointer, 1, { reset: at });
    this.#lastPointer = at + 1;
    this.#nextCapability = (at + bytes + 3) & ~3;
    const word = HEADER.STATUS >>> 2;
    const listBit = STATUS.CAPABILITIES_LIST.mask << (STATUS.CAPABILITIES_LIST.shift + (HEADER.STATUS & 3) * 8);
    this.#reset[word] = (this.#reset[word] as number) | listBit;
    this.#value[word] = (this.#value[word] as number) | listBit;
    return at;
  }

  /** Reads 1, 2 or 4 naturally aligned bytes. */
  read(offset: number, width: 1 | 2 | 4): number {
    const word = this.#value[offset >>> 2] ?? 0;
    return ((word >>> ((offset & 3) * 8)) & laneMask(width)) >>> 0;
  }

  /** Writes 1, 2 or 4 naturally aligned bytes, as software does. */
  write(offset: number, width: 1 | 2 | 4, value: number): void {
    const index = offset >>> 2;
    if (index >= this.#value.length) return;
    const shift = (offset & 3) * 8;
    const lanes = laneMask(width) << shift;
    const written = value << shift;
    const writable = (this.#writable[index] as number) & lanes;
    const kept = ((this.#value[index] as number) & ~writable) | (written & writable);
    this.#value[index] = kept & ~(written & (this.#clear[index] as number) & lanes);
  }

  /** All registers as after a reset. */
  reset(): void {
    this.#value.set(this.#reset);
  }

  save(): ConfigSnapshot {
    return this.#value.slice();
  }

  load(snapshot: ConfigSnapshot): void {
    this.#value.set(snapshot);
  }
}
