/**
 * A bus and the bridge above it: a root port, a switch port, a bridge to conventional PCI, or a conventional bridge.
 *
 * PCI Express Base Specification 7.5.1.3 (type 1 header: bus numbers, memory and prefetchable windows, bridge control),
 * 7.3.3 (routing of configuration requests), 7.5.1.1.3 (what the enables of a bridge's Command register gate: Memory
 * Space downstream, Bus Master upstream; what is not forwarded is an unsupported request), 2.2.8.1 and PCI-to-PCI Bridge
 * Architecture Specification 1.2, 9.1 (a pin below a bridge is pin + device modulo 4 above it). Which way requests go up is
 * in `routing.ts`.
 *
 * Not modelled: I/O windows (read-only zero: none), subtractive decode, ISA and VGA enables, slot registers, the rule that
 * a link has device 0 alone (7.3.1): any device number may be below a port.
 */
import { join } from '../address.js';
import type { BarDescription } from './header.js';
import { BRIDGE_CONTROL, type PortType, TYPE_1 } from './layout.js';
import { PciFunction } from './pci-function.js';
import { VirtualFunction } from './sr-iov.js';

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

  /** Takes the changes of INTx at a root bus: device on it, pin, and whether one more or one less asserts it. */
  onIntx: ((device: number, pin: number, level: boolean) => void) | undefined;

  constructor(bridge?: PciBridge) {
    this.bridge = bridge;
  }

  /** Whether it is a bus of conventional PCI. */
  get isConventional(): boolean {
    return this.bridge?.requesterAlias !== undefined;
  }

  /** A device on this bus asserts a pin, or no longer does: passed on to the root bus, swizzled by every bridge. */
  #passIntx(device: number, pin: number, level: boolean): void {
    if (this.bridge === undefined) {
      this.onIntx?.(device, pin, level);
      return;
    }
    this.bridge.primaryBus.#passIntx(this.bridge.description.device, ((pin - 1 + device) % 4) + 1, level);
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
    fn.onIntx = (pin, level) => this.#passIntx(fn.description.device, pin, level);
    if (fn instanceof VirtualFunction) return;
    if (fn instanceof PciBridge) this.#bridges.push(fn);
    if (options.ignoresFunctionNumber) this.#undecoded.add(fn.description.device);
    const { device } = fn.description;
    const mates = [...this.#functions.values()].filter(
      (other) => other.description.device === device && !(other instanceof VirtualFunction),
    );
    if (mates.length > 1) {
      if (this.#undecoded.has(device)) throw new RangeError(`device ${device.toString(16)} has one function`);
      this.#functions.get(device << 3)?.markMultiFunction();
    }
  }

  /** The function that answers to a type 0 configuration request. */
  function(devfn: number): PciFunction | undefined {
    const fn =
      this.#functions.get(devfn) ?? (this.#undecoded.has(devfn >> 3) ? this.#functions.get(devfn & ~7) : undefined);
    return fn?.isPresent ? fn : undefined;
  }

  /** The function whose slot has an address, in it or not; no virtual function has one. */
  slot(devfn: number): PciFunction | undefined {
    const fn = this.#functions.get(devfn);
    return fn instanceof VirtualFunction ? undefined : fn;
  }

  /** The bus behind this one, or this one, that has a number now. `own` is this bus's number. */
  find(number: number, own: number): PciBus | undefined {
    if (number === own) return this;
    for (const bridge of this.#bridges) {
      if (bridge.isPresent && number >= bridge.secondary && number <= bridge.subordinate)
        return bridge.bus.find(number, bridge.secondary);
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

  /** What decodes a PCI memory address on this bus or below, `except` and what is behind it left out. */
  decode(address: number, except?: PciFunction): MemoryTarget | undefined {
    for (const fn of this.#functions.values()) {
      if (fn === except) continue;
      const hit = fn.decode(address);
      if (hit !== undefined) return { target: fn, ...hit };
    }
    for (const bridge of this.#bridges) {
      if (bridge !== except && bridge.forwards(address)) return bridge.bus.decode(address);
    }
    return undefined;
  }

  /** Whether something on this bus takes an address, `except` left out: a base address register, or a bridge's window. */
  claims(address: number, except: PciFunction): boolean {
    for (const fn of this.#functions.values()) {
      if (fn === except) continue;
      if (fn instanceof PciBridge ? fn.forwards(address) : fn.decode(address) !== undefined) return true;
    }
    return false;
  }

  /** What decodes a PCI memory address among the other functions of a function's own device, VFs and their PF included. */
  decodeWithin(fn: PciFunction, address: number): MemoryTarget | undefined {
    const physical = (of: PciFunction) => (of instanceof VirtualFunction ? of.physical : of);
    for (const other of this.#functions.values()) {
      const isSame = other.description.device === fn.description.device || physical(other) === physical(fn);
      if (!isSame || other === fn || other instanceof PciBridge) continue;
      const hit = other.decode(address);
      if (hit !== undefined) return { target: other, ...hit };
    }
    return undefined;
  }

  /**
   * Every function on this bus and below, with the number of the bus that it is on; what no number reaches is left out.
   */
  *walk(own: number): Generator<{ readonly bus: number; readonly fn: PciFunction }> {
    for (const fn of this.#functions.values()) {
      if (!fn.isPresent) continue;
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
}

/** What a bridge is. */
export interface BridgeDescription {
  readonly device: number;
  readonly function: number;
  readonly vendorId: number;
  readonly deviceId: number;
  /** A conventional bridge has no PCI Express capability, whichever bus it is on. */
  readonly portType:
    | Extract<PortType, 'root port' | 'upstream port' | 'downstream port' | 'pcie-to-pci bridge'>
    | 'conventional';
  readonly acs?: boolean;
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

  /** Whether it is the port above a link: a root port, or a downstream port of a switch. */
  get isDownstreamPort(): boolean {
    const { portType } = this.description;
    return portType === 'root port' || portType === 'downstream port';
  }

  /**
   * The requester id of whatever comes from a conventional bus, which has none; undefined if the secondary side is PCI
   * Express. A bridge to conventional PCI takes one of its secondary bus, a conventional bridge is the requester itself.
   */
  get requesterAlias(): number | undefined {
    const { portType } = this.description;
    if (portType === 'pcie-to-pci bridge') return this.secondary << 8;
    return portType === 'conventional' ? (this.capturedBus << 8) | this.devfn : undefined;
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
    if (!this.isPresent || !this.memorySpaceEnabled) return false;
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
