/**
 * The configuration space of one function: registers of which each bit is read-only, writable, or cleared by writing 1.
 *
 * PCI Express Base Specification 7.2 (accesses of 1, 2 and 4 bytes), 7.4 (register attributes RO, RW, RW1C), 7.5.1.1.11
 * (the list of capabilities, each with its id and the offset of the next), 7.6.3 (the list of extended capabilities from
 * 0x100; a space without any reads as zero there).
 */
import { encode } from '../bits.js';
import { EXTENDED_HEADER, EXTENDED_SPACE } from './capabilities-layout.js';
import { ECAM, HEADER, STATUS } from './layout.js';

/** The first byte that a capability may occupy, right behind the header. */
const FIRST_CAPABILITY = 0x40;

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

const header = (values: Partial<Record<keyof typeof EXTENDED_HEADER, number>>) =>
  encode(EXTENDED_HEADER, 32, values)[0] as number;

function setLanes(words: Uint32Array, offset: number, width: 1 | 2 | 4, value: number): void {
  const shift = (offset & 3) * 8;
  const lanes = laneMask(width) << shift;
  words[offset >>> 2] = ((words[offset >>> 2] as number) & ~lanes) | ((value << shift) & lanes);
}

/** The configuration space of one function: 256 bytes, or 4 KiB once it has an extended capability. */
export class ConfigSpace {
  #value = new Uint32Array(EXTENDED_SPACE / 4);
  #reset = new Uint32Array(EXTENDED_SPACE / 4);
  #writable = new Uint32Array(EXTENDED_SPACE / 4);
  #clear = new Uint32Array(EXTENDED_SPACE / 4);
  #nextCapability = FIRST_CAPABILITY;
  #lastPointer: number = HEADER.CAPABILITIES_POINTER;
  #nextExtended: number = EXTENDED_SPACE;
  #lastExtended: number | undefined;

  /**
   * States a register of 1, 2 or 4 bytes. What is stated later replaces what was stated for the same bytes.
   * @throws RangeError if it is not naturally aligned.
   */
  define(offset: number, width: 1 | 2 | 4, bits: RegisterBits): void {
    if (offset % width !== 0 || offset < 0 || offset + width > this.#value.length * 4) {
      throw new RangeError(`no register of ${width} bytes at 0x${offset.toString(16)}`);
    }
    setLanes(this.#reset, offset, width, bits.reset ?? 0);
    setLanes(this.#value, offset, width, bits.reset ?? 0);
    setLanes(this.#writable, offset, width, bits.writable ?? 0);
    setLanes(this.#clear, offset, width, bits.writeOneToClear ?? 0);
  }

  /** Changes a register as the function itself does, whatever software may write. */
  set(offset: number, width: 1 | 2 | 4, value: number): void {
    setLanes(this.#value, offset, width, value);
  }

  /**
   * Appends a capability to the list: id, pointer to the next, then its registers, stated by the caller.
   * @returns the offset of the capability.
   * @throws RangeError if the space is full.
   */
  addCapability(id: number, bytes: number): number {
    const at = this.#nextCapability;
    if (at + bytes > EXTENDED_SPACE)
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

  /**
   * Appends an extended capability to the list from 0x100: its header, then its registers, stated by the caller.
   * @returns the offset of the capability.
   * @throws RangeError if the space is full.
   */
  addExtendedCapability(id: number, version: number, bytes: number): number {
    const at = this.#nextExtended;
    if (at + bytes > ECAM.FUNCTION_BYTES)
      throw new RangeError(`no room for extended capability 0x${id.toString(16)} of ${bytes} bytes`);
    if (at === EXTENDED_SPACE) this.#extend();
    this.define(at, 4, { reset: header({ ID: id, VERSION: version }) });
    if (this.#lastExtended !== undefined) {
      const next = this.read(this.#lastExtended, 4) | header({ NEXT: at });
      this.define(this.#lastExtended, 4, { reset: next });
    }
    this.#lastExtended = at;
    this.#nextExtended = (at + bytes + 3) & ~3;
    return at;
  }

  #extend(): void {
    const grown = (words: Uint32Array) => {
      const all = new Uint32Array(ECAM.FUNCTION_BYTES / 4);
      all.set(words);
      return all;
    };
    this.#value = grown(this.#value);
    this.#reset = grown(this.#reset);
    this.#writable = grown(this.#writable);
    this.#clear = grown(this.#clear);
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
