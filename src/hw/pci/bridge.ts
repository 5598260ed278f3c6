/**
 * A bus and the PCI-to-PCI bridge (root port or switch port) above it.
 *
 * PCI Express Base Specification 7.5.1.3 (type 1 header: bus numbers, memory and prefetchable windows, bridge control),
 * 7.3.3 (routing of configuration requests), 7.5.1.1.3 (what the enables of a bridge's Command register gate: Memory
 * Space downstream, Bus Master upstream; what is not forwarded is an unsupported request).
 *
 * Not modelled: I/O windows (read-only zero: none), subtractive decode, ISA and VGA enables, slots, and peer-to-peer
 * requests: whatever a function issues goes up to the root complex, as it does with the upstream forwarding and request
 * redirection of ACS (6.12).
 */
import { join } from '../address.js';
import { BRIDGE_CONTROL, type PortType, TYPE_1 } from './layout.js';
import { type BarDescription, PciFunction } from './pci-function.js';

const ONE_MIB = 0x10_0000;
const ALL_ONES = { 1: 0xff, 2: 0xffff, 4: 0xffff_ffff } as const;

/** A memory access that found its target. */
export interface MemoryTarget {
  readonly target: PciFunction;
  readonly bar: BarDescription;
  readonly offset: number;
}

/** A bus: a set of functions. */
export class PciBus {
  /** The bridge whose secondary side this is; undefined for a root bus. */
  readonly bridge: PciBridge | undefined;
  readonly #functions = new Map<number, PciFunction>();
  readonly #bridges: PciBridge[] = [];
  /**
   * Devices that answer to every function number (Conventional PCI 3.0, 3.2.2.3.4, allows a single-function device to).
   */
  readonly #undecoded = new Set<number>();

  constructor(bridge?: PciBridge) {
    this.bridge = bridge;
  }

  get functions(): Iterable<PciFunction> {
    return this.#functions.values();
  }

  /**
   * Puts a function on the bus. Function 0 of a device with several gets its multi-function bit.
   * @throws RangeError if the number is taken.
   */
  add(fn: PciFunction, options: { readonly ignoresFunctionNumber?: boolean } = {}): void {
    if (this.#functions.has(fn.devfn)) {
      throw new RangeError(`two functions at ${fn.description.device.toString(16)}.${fn.description.function}`);
    }
    this.#functions.set(fn.devfn, fn);
    if (fn instanceof PciBridge) this.#bridges.push(fn);
    if (options.ignoresFunctionNumber) this.#undecoded.add(fn.description.device);
    const { device } = fn.description;
    const mates = [...this.#functions.values()].filter((other) => other.description.device === device);
    if (mates.length > 1) {
      if (this.#undecoded.has(device)) throw new RangeError(`device ${device.toString(16)} has one function`);
      this.#functions.get(device << 3)?.markMultiFunction();
    }
  }

  /** The function that answers to a type 0 configuration request. */
  function(devfn: number): PciFunction | undefined {
    return (
      this.#functions.get(devfn) ?? (this.#undecoded.has(devfn >> 3) ? this.#functions.get(devfn & ~7) : undefined)
    );
  }

  /** The bus behind this one, or this one, that has a number now. `own` is this bus's number. */
  find(number: number, own: number): PciBus | undefined {
    if (number === own) return this;
    for (const bridge of this.#bridges) {
      if (number >= bridge.secondary && number <= bridge.subordinate) return bridge.bus.find(number, bridge.secondary);
    }
    return undefined;
  }

  /** Reads configuration space of `bus`:`devfn` from here; all ones where no function answers (2.3.2). */
  readConfig(own: number, bus: number, devfn: number, offset: number, width: 1 | 2 | 4): number {
    const fn = this.find(bus, own)?.function(devfn);
    return fn === undefined ? ALL_ONES[width] : fn.readConfig(offset, width);
  }

  /** Writes configuration space of `bus`:`devfn` from here; dropped where no function answers. */
  writeConfig(own: number, bus: number, devfn: number, offset: number, width: 1 | 2 | 4, value: number): void {
    this.find(bus, own)?.function(devfn)?.writeConfig(bus, offset, width, value);
  }

  /** What decodes a PCI memory address on this bus or below. */
  decode(address: number): MemoryTarget | undefined {
    for (const fn of this.#functions.values()) {
      const hit = fn.decode(address);
      if (hit !== undefined) return { target: fn, ...hit };
    }
    for (const bridge of this.#bridges) {
      if (bridge.forwards(address)) return bridge.bus.decode(address);
    }
    return undefined;
  }

  /**
   * Every function on this bus and below, with the number of the bus that it is on; what no number reaches is left out.
   */
  *walk(own: number): Generator<{ readonly bus: number; readonly fn: PciFunction }> {
    for (const fn of this.#functions.values()) {
      yield { bus: own, fn };
      if (fn instanceof PciBridge && fn.secondary > own) yield* fn.bus.walk(fn.secondary);
    }
  }

  /** Every function on this bus and below, reached or not: for reset, save and load. */
  *all(): Generator<PciFunction> {
    for (const fn of this.#functions.values()) {
      yield fn;
      if (fn instanceof PciBridge) yield* fn.bus.all();
    }
  }

  /** Whether every bridge between this bus and the root forwards memory requests upstream. */
  get forwardsUpstream(): boolean {
    for (let bridge = this.bridge; bridge !== undefined; bridge = bridge.primaryBus.bridge) {
      if (!bridge.busMasterEnabled) return false;
    }
    return true;
  }
}

/** What a bridge is. */
export interface BridgeDescription {
  readonly device: number;
  readonly function: number;
  readonly vendorId: number;
  readonly deviceId: number;
  readonly portType: Extract<PortType, 'root port' | 'upstream port' | 'downstream port'>;
}

/** A PCI-to-PCI bridge. After reset its bus numbers are 0: nothing behind it is reached. */
export class PciBridge extends PciFunction {
  /** The bus that the bridge is on. */
  readonly primaryBus: PciBus;
  /** The bus behind it. */
  readonly bus: PciBus = new PciBus(this);

  constructor(description: BridgeDescription, primaryBus: PciBus) {
    super({ ...description, classCode: 0x06_0400, bars: [] }, undefined, 1);
    this.primaryBus = primaryBus;
    const { config } = this;
    for (const offset of [TYPE_1.PRIMARY_BUS, TYPE_1.SECONDARY_BUS, TYPE_1.SUBORDINATE_BUS]) {
      config.define(offset, 1, { writable: 0xff });
    }
    config.define(TYPE_1.SECONDARY_STATUS, 2, { writeOneToClear: 0xf900 });
    config.define(TYPE_1.MEMORY_BASE, 2, { writable: 0xfff0 });
    config.define(TYPE_1.MEMORY_LIMIT, 2, { writable: 0xfff0 });
    // The low bits say that the prefetchable window has 64-bit addresses (7.5.1.3.9).
    config.define(TYPE_1.PREFETCHABLE_BASE, 2, { reset: 1, writable: 0xfff0 });
    config.define(TYPE_1.PREFETCHABLE_LIMIT, 2, { reset: 1, writable: 0xfff0 });
    config.define(TYPE_1.PREFETCHABLE_BASE_UPPER, 4, { writable: 0xffff_ffff });
    config.define(TYPE_1.PREFETCHABLE_LIMIT_UPPER, 4, { writable: 0xffff_ffff });
    config.define(TYPE_1.BRIDGE_CONTROL, 2, {
      writable:
        (1 << BRIDGE_CONTROL.PARITY_ERROR_RESPONSE.shift) |
        (1 << BRIDGE_CONTROL.SERR_ENABLE.shift) |
        (1 << BRIDGE_CONTROL.SECONDARY_BUS_RESET.shift),
    });
  }

  get secondary(): number {
    return this.config.read(TYPE_1.SECONDARY_BUS, 1);
  }

  get subordinate(): number {
    return this.config.read(TYPE_1.SUBORDINATE_BUS, 1);
  }

  #inReset(): boolean {
    return ((this.config.read(TYPE_1.BRIDGE_CONTROL, 2) >>> BRIDGE_CONTROL.SECONDARY_BUS_RESET.shift) & 1) === 1;
  }

  override writeConfig(bus: number, offset: number, width: 1 | 2 | 4, value: number): void {
    const wasInReset = this.#inReset();
    super.writeConfig(bus, offset, width, value);
    if (!wasInReset && this.#inReset()) for (const fn of this.bus.all()) fn.reset();
  }

  /** Whether an address on the primary side lies in one of the windows, and the bridge forwards it. */
  forwards(address: number): boolean {
    if (!this.memorySpaceEnabled) return false;
    const { config } = this;
    const base = (config.read(TYPE_1.MEMORY_BASE, 2) & 0xfff0) * 0x1_0000;
    const limit = (config.read(TYPE_1.MEMORY_LIMIT, 2) & 0xfff0) * 0x1_0000 + ONE_MIB;
    if (address >= base && address < limit) return true;
    const upper = (offset: number, low: number) =>
      join(config.read(offset, 4), (config.read(low, 2) & 0xfff0) * 0x1_0000);
    const prefetchableBase = upper(TYPE_1.PREFETCHABLE_BASE_UPPER, TYPE_1.PREFETCHABLE_BASE);
    const prefetchableLimit = upper(TYPE_1.PREFETCHABLE_LIMIT_UPPER, TYPE_1.PREFETCHABLE_LIMIT) + ONE_MIB;
    return address >= prefetchableBase && address < prefetchableLimit;
  }
}
