/** What Xen keeps of a PCI function for the domain that sees it. */
import type { Sbdf } from '../../hw/machine.js';
import type { MmioHandler } from '../mmio.js';
import type { Domain } from '../xen.js';

/** A function as its domain sees it. */
export interface VpciDevice {
  readonly domain: Domain;
  /** Where its domain sees it: 0000:00:slot.0, or for the hardware domain where it is. */
  readonly sbdf: Sbdf;
  /**
   * The hardware domain's: it sees the function as it is, but for what Xen has to know of, memory decode, base address
   * registers and messages.
   */
  readonly isHardware: boolean;
  /** The device's Command register before its domain got it. */
  readonly hostCommand: number;
  /** The Command register as a guest sees it. */
  command: number;
  /** The Interrupt Line register as a guest has written it: a place for notes, nothing depends on it. */
  interruptLine: number;
  /** Memory decode is on, and the base address registers are mapped. */
  decoding: boolean;
  readonly bars: VpciBars;
  /** What a guest finds in the list of capabilities, in order. */
  readonly capabilities: readonly VpciCapability[];
  readonly msi: VpciMsi | undefined;
  readonly msix: VpciMsix | undefined;
  /** Pages of MSI-X tables that are trapped, by index of the base address register. */
  readonly traps: { readonly bar: number; readonly handler: MmioHandler }[];
}

/** Base address registers as a guest sees them, by register. */
export interface VpciBars {
  /** What it has written, as far as the register can hold it. */
  readonly values: Uint32Array;
  /** The bits that hold an address: none of a register that is not there. */
  readonly masks: Uint32Array;
  /** The low bits, which tell what kind of memory it is. */
  readonly flags: Uint32Array;
}

/** A capability that is shown. */
export interface VpciCapability {
  readonly id: number;
  readonly offset: number;
  readonly bytes: number;
  /** The next one that is shown; 0: none. */
  readonly next: number;
}

/** Message-signalled interrupts of a function. */
export interface VpciMsi {
  readonly offset: number;
  readonly is64Bit: boolean;
  readonly isMaskable: boolean;
  /** log2 of the number of vectors that it has. */
  readonly capable: number;
  enabled: boolean;
  /** log2 of the number of vectors in use. */
  vectors: number;
  addressLo: number;
  addressHi: number;
  data: number;
  mask: number;
}

/** A place in the memory of a base address register. */
export interface VpciLocation {
  readonly bar: number;
  readonly offset: number;
  readonly size: number;
}

/** MSI-X of a function. */
export interface VpciMsix {
  readonly offset: number;
  readonly table: VpciLocation;
  readonly pending: VpciLocation;
  readonly count: number;
  enabled: boolean;
  functionMask: boolean;
  /** Entries as their domain sees them, each of four words as in the table (PCI Express Base 7.7.2.5 to 7.7.2.8). */
  readonly entries: Uint32Array;
  /** Entries whose address or data the device does not have yet. */
  readonly stale: Set<number>;
  /** Entries that the device's table may hold unmasked. */
  readonly touched: Set<number>;
}
