/**
 * The MSI capability: up to 32 vectors that differ in the low bits of one message.
 *
 * PCI Express Base Specification 7.7.1 (registers), 6.1.4 (operation): a message is a write of 32 bits of which the upper
 * half is 0; with 2^n messages enabled, the low n bits of the data are the vector. A masked vector becomes pending and is
 * sent when its mask is cleared. Without MSI enabled nothing is sent, and what is pending stays so.
 *
 * Not modelled: extended message data (7.7.1.2, optional).
 */
import type { SignalResult } from '../machine.js';
import { MSI, MSI_32, MSI_64, MSI_CONTROL } from './capabilities-layout.js';
import { type Capability, type CapabilityHost, field, tellMisuse, VectorPort, word } from './capability.js';
import type { ConfigSpace } from './config-space.js';
import { CAPABILITY } from './layout.js';

/** What an MSI capability is. */
export interface MsiDescription {
  /** A power of two, 1 to 32. */
  readonly vectors: number;
  readonly is64Bit: boolean;
  /** With a mask bit and a pending bit for each vector. */
  readonly isMaskable: boolean;
}

/** The MSI capability of a function. */
export class MsiCapability implements Capability {
  readonly #host: CapabilityHost;
  readonly #config: ConfigSpace;
  readonly #description: MsiDescription;
  readonly #port: VectorPort;
  readonly #at: number;
  readonly #data: number;
  readonly #mask: number;
  readonly #pending: number;

  /** @throws RangeError if the number of vectors is no power of two up to 32. */
  constructor(host: CapabilityHost, config: ConfigSpace, description: MsiDescription) {
    const { vectors, is64Bit, isMaskable } = description;
    const capable = Math.log2(vectors);
    if (!Number.isInteger(capable) || capable < 0 || capable > 5) {
      throw new RangeError(`MSI has 1, 2, 4, 8, 16 or 32 vectors, not ${vectors}`);
    }
    this.#host = host;
    this.#port = new VectorPort(host, 'MSI');
    this.#config = config;
    this.#description = description;
    const form = is64Bit ? MSI_64 : MSI_32;
    const bytes = isMaskable ? form.PENDING + 4 : form.DATA + 2;
    const at = config.addCapability(CAPABILITY.MSI, bytes);
    this.#at = at;
    this.#data = at + form.DATA;
    this.#mask = at + form.MASK;
    this.#pending = at + form.PENDING;
    config.define(at + MSI.CONTROL, 2, {
      reset: word(MSI_CONTROL, {
        MULTIPLE_MESSAGE_CAPABLE: capable,
        ADDRESS_64_CAPABLE: is64Bit ? 1 : 0,
        PER_VECTOR_MASKING_CAPABLE: isMaskable ? 1 : 0,
      }),
      writable: word(MSI_CONTROL, { ENABLE: 1, MULTIPLE_MESSAGE_ENABLE: 7 }),
    });
    config.define(at + MSI.ADDRESS, 4, { writable: 0xffff_fffc });
    if (is64Bit) config.define(at + MSI_64.ADDRESS_UPPER, 4, { writable: 0xffff_ffff });
    config.define(this.#data, 2, { writable: 0xffff });
    // The masks of vectors that are not there are reserved.
    if (isMaskable) config.define(this.#mask, 4, { writable: vectors === 32 ? 0xffff_ffff : 2 ** vectors - 1 });
    if (isMaskable) config.define(this.#pending, 4, {});
  }

  get #control(): number {
    return this.#config.read(this.#at + MSI.CONTROL, 2);
  }

  get isEnabled(): boolean {
    return field(this.#control, MSI_CONTROL.ENABLE) === 1;
  }

  /** How many vectors software has allocated: never more than there are. */
  get #allocated(): number {
    return Math.min(2 ** field(this.#control, MSI_CONTROL.MULTIPLE_MESSAGE_ENABLE), this.#description.vectors);
  }

  /** The function wants the interrupt of a vector. */
  signal(vector: number): SignalResult {
    if (!this.isEnabled || !Number.isInteger(vector) || vector < 0 || vector >= this.#allocated) return 'disabled';
    if (this.#description.isMaskable && (this.#config.read(this.#mask, 4) >>> vector) & 1) {
      this.#config.set(this.#pending, 4, this.#config.read(this.#pending, 4) | (1 << vector));
      return 'pending';
    }
    return this.#send(vector) === 'abort' ? 'aborted' : 'sent';
  }

  #send(vector: number) {
    const lo = this.#config.read(this.#at + MSI.ADDRESS, 4);
    const hi = this.#description.is64Bit ? this.#config.read(this.#at + MSI_64.ADDRESS_UPPER, 4) : 0;
    const data = this.#config.read(this.#data, 2);
    return this.#port.send(vector, hi, lo, (data & ~(this.#allocated - 1)) | vector);
  }

  configWritten(offset: number, width: number): void {
    if (!this.isEnabled) return;
    const control = this.#at + MSI.CONTROL;
    const enabled = 2 ** field(this.#control, MSI_CONTROL.MULTIPLE_MESSAGE_ENABLE);
    if (enabled > this.#description.vectors && offset < control + 2 && offset + width > control) {
      tellMisuse(this.#host, `MSI with ${enabled} messages enabled of ${this.#description.vectors}`);
    }
    if (!this.#description.isMaskable) return;
    const due = this.#config.read(this.#pending, 4) & ~this.#config.read(this.#mask, 4);
    for (let vector = 0; vector < this.#allocated; vector++) {
      if (((due >>> vector) & 1) === 0) continue;
      this.#config.set(this.#pending, 4, this.#config.read(this.#pending, 4) & ~(1 << vector));
      this.#send(vector);
    }
  }

  reset(): void {}

  save(): unknown {
    return undefined;
  }

  load(): void {}
}
