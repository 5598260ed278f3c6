/**
 * What the board's firmware does with PCI at power-on: numbers the buses, sizes and places the base address registers,
 * opens the windows of the bridges, and turns memory space and bus master on. By configuration accesses alone. For virtual
 * functions it places their memory, all that there can be, and enables none.
 *
 * PCI Express Base Specification 7.5.1.2.1 (sizing: write all ones, read back), 7.5.1.3 (bridges), 9.3.3.14 (a VF BAR sizes
 * the memory of one VF, and lies before that of TotalVFs); PCI Local Bus 3.0, 6.2.5.1, for the procedure.
 */

import { encode, get } from '../hw/bits.js';
import type { RegisterDevice } from '../hw/bus.js';
import { EXTENDED_CAPABILITY, EXTENDED_HEADER, EXTENDED_SPACE, SRIOV } from '../hw/pci/capabilities-layout.js';
import { BAR, COMMAND, ECAM, HEADER, HEADER_TYPE, TYPE_0_BARS, TYPE_1 } from '../hw/pci/layout.js';
import type { MemoryWindow } from '../hw/pci/root-complex.js';

const ONE_MIB = 0x10_0000;
const TWO_32 = 0x1_0000_0000;
const MULTI_FUNCTION = 1 << HEADER_TYPE.MULTI_FUNCTION.shift;
const ENABLE = encode(COMMAND, 32, { MEMORY_SPACE_ENABLE: 1, BUS_MASTER_ENABLE: 1 })[0] as number;
const BAR_64 = 2;
/** More extended capabilities than fit: a list of this length has a loop. */
const EXTENDED_CAPABILITIES_MAX = 480;

/** How firmware is to number a bridge that it finds. */
export type SecondaryBus = number | 'next' | 'leave';

/** What firmware knows of its board. */
export interface PciFirmwareOptions {
  readonly ecam: RegisterDevice;
  readonly firstBus: number;
  readonly lastBus: number;
  readonly windows: readonly MemoryWindow[];
  /** The board's wish for the bridge at a place, by devfn from the root bus down. */
  readonly secondaryBus: (path: readonly number[]) => SecondaryBus;
}

/** Firmware ran out of bus numbers or of window. */
export class PciFirmwareError extends Error {
  constructor(text: string) {
    super(text);
    this.name = 'PciFirmwareError';
  }
}

interface FoundBar {
  readonly bus: number;
  readonly devfn: number;
  readonly offset: number;
  /** Bytes that it decodes: its alignment. */
  readonly size: number;
  /** How many functions have memory there, one behind the other. */
  readonly count: number;
  readonly is64Bit: boolean;
  readonly prefetchable: boolean;
}

interface FoundBus {
  readonly number: number;
  readonly functions: { readonly devfn: number }[];
  readonly bars: FoundBar[];
  readonly bridges: { readonly devfn: number; readonly behind: FoundBus | undefined }[];
}

/** A stretch of PCI addresses, given out from its beginning. */
interface Pool {
  next: number;
  readonly end: number;
}

/** Sets a segment up. Throws {@link PciFirmwareError} if something does not fit. */
export function configurePci(options: PciFirmwareOptions): void {
  const firmware = new PciFirmware(options);
  const root = firmware.discover(options.firstBus, []);
  firmware.assign(root);
  firmware.enable(root);
}

class PciFirmware {
  readonly #options: PciFirmwareOptions;
  #nextBus: number;
  readonly #low: Pool;
  readonly #high: Pool | undefined;

  constructor(options: PciFirmwareOptions) {
    this.#options = options;
    this.#nextBus = options.firstBus + 1;
    const pool = ({ pci, size }: MemoryWindow): Pool => ({ next: pci, end: pci + size });
    const low = options.windows.find((w) => w.pci + w.size <= TWO_32);
    const high = options.windows.find((w) => w.pci >= TWO_32);
    // An address of 0 means unassigned to much software: nothing is placed there.
    this.#low = low === undefined ? { next: 0, end: 0 } : pool(low);
    if (this.#low.next === 0) this.#low.next = ONE_MIB;
    this.#high = high && pool(high);
  }

  #offset(bus: number, devfn: number, register: number): number {
    return (bus - this.#options.firstBus) * 2 ** ECAM.BUS_SHIFT + devfn * ECAM.FUNCTION_BYTES + register;
  }

  #read(bus: number, devfn: number, register: number, width: 1 | 2 | 4): number {
    return this.#options.ecam.readRegister(this.#offset(bus, devfn, register), width) ?? 0xffff_ffff;
  }

  #write(bus: number, devfn: number, register: number, width: 1 | 2 | 4, value: number): void {
    this.#options.ecam.writeRegister(this.#offset(bus, devfn, register), width, value >>> 0);
  }

  /** Finds what is on a bus, and numbers what is behind its bridges. */
  discover(number: number, path: readonly number[]): FoundBus {
    const found: FoundBus = { number, functions: [], bars: [], bridges: [] };
    for (let device = 0; device < 32; device++) {
      const hasMore = this.#discoverFunction(found, device << 3, path);
      for (let fn = 1; fn < 8 && hasMore; fn++) this.#discoverFunction(found, (device << 3) | fn, path);
    }
    return found;
  }

  /** Looks at one function. True if it says that there are more of its device. */
  #discoverFunction(found: FoundBus, devfn: number, path: readonly number[]): boolean {
    const { number } = found;
    if (this.#read(number, devfn, HEADER.VENDOR_ID, 2) === 0xffff) return false;
    const type = this.#read(number, devfn, HEADER.HEADER_TYPE, 1);
    found.functions.push({ devfn });
    if ((type & ~MULTI_FUNCTION) === 1) {
      found.bridges.push({ devfn, behind: this.#number(number, devfn, [...path, devfn]) });
    } else {
      this.#size(found, devfn);
    }
    return (type & MULTI_FUNCTION) !== 0;
  }

  #number(bus: number, devfn: number, path: readonly number[]): FoundBus | undefined {
    const wish = this.#options.secondaryBus(path);
    if (wish === 'leave') return undefined;
    const secondary = wish === 'next' ? this.#nextBus : Math.max(wish, this.#nextBus);
    if (secondary > this.#options.lastBus) throw new PciFirmwareError(`no bus number is left for bus ${secondary}`);
    this.#nextBus = secondary + 1;
    this.#write(bus, devfn, TYPE_1.PRIMARY_BUS, 1, bus);
    this.#write(bus, devfn, TYPE_1.SECONDARY_BUS, 1, secondary);
    this.#write(bus, devfn, TYPE_1.SUBORDINATE_BUS, 1, this.#options.lastBus);
    const behind = this.discover(secondary, path);
    this.#write(bus, devfn, TYPE_1.SUBORDINATE_BUS, 1, this.#nextBus - 1);
    return behind;
  }

  #size(found: FoundBus, devfn: number): void {
    this.#sizeBars(found, devfn, HEADER.BAR0, 1);
    const sriov = this.#findExtended(found.number, devfn, EXTENDED_CAPABILITY.SRIOV);
    if (sriov === undefined) return;
    const count = this.#read(found.number, devfn, sriov + SRIOV.TOTAL_VFS, 2);
    this.#sizeBars(found, devfn, sriov + SRIOV.VF_BAR0, count);
  }

  /** Offset of an extended capability, or undefined. */
  #findExtended(bus: number, devfn: number, id: number): number | undefined {
    const header = new Uint32Array(1);
    for (let at: number = EXTENDED_SPACE, i = 0; at >= EXTENDED_SPACE && i < EXTENDED_CAPABILITIES_MAX; i++) {
      header[0] = this.#read(bus, devfn, at, 4);
      // Nothing there; or all ones: a function without extended configuration space.
      if (header[0] === 0 || header[0] === 0xffff_ffff) return undefined;
      if (get(header, EXTENDED_HEADER.ID) === id) return at;
      at = get(header, EXTENDED_HEADER.NEXT);
    }
    return undefined;
  }

  #sizeBars(found: FoundBus, devfn: number, first: number, count: number): void {
    const { number } = found;
    for (let index = 0; index < TYPE_0_BARS; index++) {
      const offset = first + index * 4;
      this.#write(number, devfn, offset, 4, 0xffff_ffff);
      const low = this.#read(number, devfn, offset, 4);
      if (low === 0 || (low & 1) !== 0) continue;
      const is64Bit = ((low >>> BAR.TYPE.shift) & BAR.TYPE.mask) === BAR_64;
      let size = TWO_32 - ((low & 0xffff_fff0) >>> 0);
      if (is64Bit) {
        this.#write(number, devfn, offset + 4, 4, 0xffff_ffff);
        const high = this.#read(number, devfn, offset + 4, 4);
        size += (0xffff_ffff - high) * TWO_32;
        index++;
      }
      const prefetchable = ((low >>> BAR.PREFETCHABLE.shift) & 1) === 1;
      found.bars.push({ bus: number, devfn, offset, size, count, is64Bit, prefetchable });
    }
  }

  #take(pool: Pool, { size, count }: FoundBar): number {
    const at = Math.ceil(pool.next / size) * size;
    const bytes = size * count;
    if (at + bytes > pool.end)
      throw new PciFirmwareError(`no window has room for a base address register of 0x${bytes.toString(16)} bytes`);
    pool.next = at + bytes;
    return at;
  }

  /** Places the base address registers of a bus, largest first, then what is behind its bridges. */
  assign(found: FoundBus): void {
    const isRoot = found.number === this.#options.firstBus;
    for (const bar of [...found.bars].sort((a, b) => b.size - a.size)) {
      // The other window of a bridge has 32-bit addresses, so behind one only prefetchable memory may go high.
      const mayGoHigh = bar.is64Bit && (isRoot || bar.prefetchable) && this.#high !== undefined;
      const address = this.#take(mayGoHigh ? (this.#high as Pool) : this.#low, bar);
      this.#write(bar.bus, bar.devfn, bar.offset, 4, address % TWO_32);
      if (bar.is64Bit) this.#write(bar.bus, bar.devfn, bar.offset + 4, 4, Math.floor(address / TWO_32));
    }
    for (const { devfn, behind } of found.bridges) {
      if (behind === undefined) continue;
      const [low, high] = [this.#open(this.#low), this.#open(this.#high)];
      this.assign(behind);
      const memory = this.#close(this.#low, low);
      const prefetchable = this.#close(this.#high, high);
      this.#write(found.number, devfn, TYPE_1.MEMORY_BASE, 2, (memory.base / 0x1_0000) & 0xfff0);
      this.#write(found.number, devfn, TYPE_1.MEMORY_LIMIT, 2, (memory.limit / 0x1_0000) & 0xfff0);
      this.#write(found.number, devfn, TYPE_1.PREFETCHABLE_BASE, 2, ((prefetchable.base % TWO_32) / 0x1_0000) & 0xfff0);
      this.#write(
        found.number,
        devfn,
        TYPE_1.PREFETCHABLE_LIMIT,
        2,
        ((prefetchable.limit % TWO_32) / 0x1_0000) & 0xfff0,
      );
      this.#write(found.number, devfn, TYPE_1.PREFETCHABLE_BASE_UPPER, 4, Math.floor(prefetchable.base / TWO_32));
      this.#write(found.number, devfn, TYPE_1.PREFETCHABLE_LIMIT_UPPER, 4, Math.floor(prefetchable.limit / TWO_32));
    }
  }

  /** Begins a bridge's window: windows are whole MiB. */
  #open(pool: Pool | undefined): number {
    if (pool === undefined) return 0;
    pool.next = Math.ceil(pool.next / ONE_MIB) * ONE_MIB;
    return pool.next;
  }

  /** Ends a bridge's window. An empty one has its base above its limit, which closes it. */
  #close(pool: Pool | undefined, base: number): { readonly base: number; readonly limit: number } {
    if (pool === undefined || pool.next === base) return { base: 0xfff0_0000, limit: 0 };
    pool.next = Math.ceil(pool.next / ONE_MIB) * ONE_MIB;
    return { base, limit: pool.next - ONE_MIB };
  }

  /** Turns on what was placed. */
  enable(found: FoundBus): void {
    const unconfigured = new Set(found.bridges.filter((b) => b.behind === undefined).map((b) => b.devfn));
    for (const { devfn } of found.functions) {
      if (!unconfigured.has(devfn)) this.#write(found.number, devfn, HEADER.COMMAND, 2, ENABLE);
    }
    for (const { behind } of found.bridges) if (behind !== undefined) this.enable(behind);
  }
}
