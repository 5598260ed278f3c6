/**
 * The MSI-X capability: up to 2048 vectors, each with a message of its own in a table in the function's memory.
 *
 * PCI Express Base Specification 7.7.2 (registers, table, pending bit array), 6.1.4 (operation): a vector whose entry is
 * masked, or whose function is, becomes pending and is sent when neither is. Without MSI-X enabled nothing is sent, and
 * what is pending stays so. Entries come out of reset masked.
 *
 * What 6.1.4.2 leaves undefined is told as misuse, and done all the same where it can be: accesses to table and pending
 * bit array that are not whole words; writes to pending bits, which are dropped; a new message for an entry in use.
 *
 * Not modelled: steering tags in Vector Control.
 */
import type { SignalResult } from '../machine.js';
import { MSIX, MSIX_CONTROL, MSIX_ENTRY, MSIX_LOCATION, MSIX_VECTOR_CONTROL } from './capabilities-layout.js';
import { type Capability, type CapabilityHost, field, tellMisuse, VectorPort, word } from './capability.js';
import type { ConfigSpace } from './config-space.js';
import { CAPABILITY } from './layout.js';

/** Where something is in a function's memory: base address register and offset. */
export interface BarPlace {
  readonly bar: number;
  /** A multiple of 8. */
  readonly offset: number;
}

/** What an MSI-X capability is. */
export interface MsixDescription {
  /** 1 to 2048. */
  readonly vectors: number;
  readonly table: BarPlace;
  readonly pendingBits: BarPlace;
}

interface SavedMsix {
  readonly table: Uint32Array;
  readonly pending: Uint32Array;
}

const ENTRY_WORDS = MSIX_ENTRY.BYTES / 4;

/** Bytes of the pending bit array of a table: whole quadwords (7.7.2.9). */
const pendingBytes = (vectors: number) => Math.ceil(vectors / 64) * 8;

/** The MSI-X capability of a function. */
export class MsixCapability implements Capability {
  readonly #host: CapabilityHost;
  readonly #config: ConfigSpace;
  readonly #description: MsixDescription;
  readonly #port: VectorPort;
  readonly #control: number;
  readonly #table: Uint32Array;
  readonly #pending: Uint32Array;

  /**
   * @param bars the function's memory: each base address register's index and bytes
   * @throws RangeError if the table or the pending bits lie outside a base address register, or on each other.
   */
  constructor(
    host: CapabilityHost,
    config: ConfigSpace,
    description: MsixDescription,
    bars: readonly { readonly index: number; readonly size: number }[],
  ) {
    const { vectors, table, pendingBits } = description;
    if (!Number.isInteger(vectors) || vectors < 1 || vectors > 2048) {
      throw new RangeError(`MSI-X has 1 to 2048 vectors, not ${vectors}`);
    }
    this.#host = host;
    this.#port = new VectorPort(host, 'MSI-X');
    this.#config = config;
    this.#description = description;
    const inside = ({ bar, offset }: BarPlace, bytes: number) =>
      offset >= 0 && offset % 8 === 0 && bars.some((b) => b.index === bar && offset + bytes <= b.size);
    if (!inside(table, vectors * MSIX_ENTRY.BYTES))
      throw new RangeError('the MSI-X table lies in no base address register');
    if (!inside(pendingBits, pendingBytes(vectors)))
      throw new RangeError('the MSI-X pending bits lie in no base address register');
    const apart =
      table.bar !== pendingBits.bar ||
      table.offset + vectors * MSIX_ENTRY.BYTES <= pendingBits.offset ||
      pendingBits.offset + pendingBytes(vectors) <= table.offset;
    if (!apart) throw new RangeError('the MSI-X pending bits lie in the table');
    const at = config.addCapability(CAPABILITY.MSIX, MSIX.BYTES);
    this.#control = at + MSIX.CONTROL;
    config.define(this.#control, 2, {
      reset: word(MSIX_CONTROL, { TABLE_SIZE: vectors - 1 }),
      writable: word(MSIX_CONTROL, { FUNCTION_MASK: 1, ENABLE: 1 }),
    });
    const location = ({ bar, offset }: BarPlace) => word(MSIX_LOCATION, { BIR: bar, OFFSET: offset / 8 });
    config.define(at + MSIX.TABLE, 4, { reset: location(table) });
    config.define(at + MSIX.PENDING_BIT_ARRAY, 4, { reset: location(pendingBits) });
    this.#table = new Uint32Array(vectors * ENTRY_WORDS);
    this.#pending = new Uint32Array(pendingBytes(vectors) / 4);
    this.reset();
  }

  get isEnabled(): boolean {
    return field(this.#config.read(this.#control, 2), MSIX_CONTROL.ENABLE) === 1;
  }

  #isMasked(vector: number): boolean {
    if (field(this.#config.read(this.#control, 2), MSIX_CONTROL.FUNCTION_MASK) === 1) return true;
    return field(this.#entry(vector, MSIX_ENTRY.VECTOR_CONTROL), MSIX_VECTOR_CONTROL.MASK) === 1;
  }

  #entry(vector: number, register: number): number {
    return this.#table[vector * ENTRY_WORDS + register / 4] as number;
  }

  /** The function wants the interrupt of a vector. */
  signal(vector: number): SignalResult {
    const { vectors } = this.#description;
    if (!this.isEnabled || !Number.isInteger(vector) || vector < 0 || vector >= vectors) return 'disabled';
    if (this.#isMasked(vector)) {
      this.#pending[vector >>> 5] = (this.#pending[vector >>> 5] as number) | (1 << (vector & 31));
      return 'pending';
    }
    return this.#send(vector) === 'abort' ? 'aborted' : 'sent';
  }

  #send(vector: number) {
    const hi = this.#entry(vector, MSIX_ENTRY.ADDRESS_UPPER);
    const lo = this.#entry(vector, MSIX_ENTRY.ADDRESS);
    return this.#port.send(vector, hi, lo, this.#entry(vector, MSIX_ENTRY.DATA));
  }

  /** Sends what is pending and no longer masked. */
  #sendPending(): void {
    if (!this.isEnabled) return;
    for (let index = 0; index < this.#pending.length; index++) {
      for (let bits = this.#pending[index] as number; bits !== 0; bits &= bits - 1) {
        const vector = index * 32 + 31 - Math.clz32(bits & -bits);
        if (this.#isMasked(vector)) continue;
        this.#pending[index] = (this.#pending[index] as number) & ~(bits & -bits);
        this.#send(vector);
      }
    }
  }

  configWritten(offset: number, width: number): void {
    if (offset < this.#control + 2 && offset + width > this.#control) this.#sendPending();
  }

  /** The table or the pending bits, if either is at a place in the function's memory; the offset is within it. */
  #find(bar: number, offset: number): { readonly words: Uint32Array; readonly at: number } | undefined {
    const { table, pendingBits } = this.#description;
    const inTable = offset - table.offset;
    if (bar === table.bar && inTable >= 0 && inTable < this.#table.length * 4)
      return { words: this.#table, at: inTable };
    const inPending = offset - pendingBits.offset;
    if (bar === pendingBits.bar && inPending >= 0 && inPending < this.#pending.length * 4) {
      return { words: this.#pending, at: inPending };
    }
    return undefined;
  }

  /** Reads the table or the pending bits. Undefined: neither is there. */
  read(bar: number, offset: number, width: 1 | 2 | 4): number | undefined {
    const found = this.#find(bar, offset);
    if (found === undefined) return undefined;
    if (width !== 4) tellMisuse(this.#host, `read of ${width} bytes of the MSI-X table or pending bits`);
    const lanes = width === 4 ? 0xffff_ffff : 2 ** (8 * width) - 1;
    return (((found.words[found.at >>> 2] as number) >>> ((found.at & 3) * 8)) & lanes) >>> 0;
  }

  /** Writes the table or the pending bits. False: neither is there. */
  write(bar: number, offset: number, width: 1 | 2 | 4, value: number): boolean {
    const found = this.#find(bar, offset);
    if (found === undefined) return false;
    if (width !== 4) tellMisuse(this.#host, `write of ${width} bytes to the MSI-X table or pending bits`);
    if (found.words === this.#pending) {
      tellMisuse(this.#host, 'write to the MSI-X pending bits');
      return true;
    }
    const index = found.at >>> 2;
    const shift = (found.at & 3) * 8;
    const lanes = (width === 4 ? 0xffff_ffff : 2 ** (8 * width) - 1) << shift;
    this.#writeEntry(index, ((this.#table[index] as number) & ~lanes) | ((value << shift) & lanes));
    return true;
  }

  #writeEntry(index: number, value: number): void {
    const vector = Math.floor(index / ENTRY_WORDS);
    const register = (index % ENTRY_WORDS) * 4;
    if (register === MSIX_ENTRY.VECTOR_CONTROL) {
      this.#table[index] = word(MSIX_VECTOR_CONTROL, { MASK: field(value, MSIX_VECTOR_CONTROL.MASK) });
      this.#sendPending();
      return;
    }
    // The low two bits of an address may be read-only 0 (7.7.2.5).
    const message = register === MSIX_ENTRY.ADDRESS ? (value & ~3) >>> 0 : value >>> 0;
    if (message !== this.#table[index] && this.isEnabled && !this.#isMasked(vector)) {
      tellMisuse(this.#host, `MSI-X vector ${vector} gets a new message while it is not masked`);
    }
    this.#table[index] = message;
  }

  reset(): void {
    this.#pending.fill(0);
    this.#table.fill(0);
    const masked = word(MSIX_VECTOR_CONTROL, { MASK: 1 });
    for (let vector = 0; vector < this.#description.vectors; vector++) {
      this.#table[vector * ENTRY_WORDS + MSIX_ENTRY.VECTOR_CONTROL / 4] = masked;
    }
  }

  save(): SavedMsix {
    return { table: this.#table.slice(), pending: this.#pending.slice() };
  }

  load(state: unknown): void {
    const { table, pending } = state as SavedMsix;
    this.#table.set(table);
    this.#pending.set(pending);
  }
}
