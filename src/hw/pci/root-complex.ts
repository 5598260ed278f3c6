/**
 * A root complex: one segment, its ECAM window, its memory windows, and the way of its functions to memory.
 *
 * PCI Express Base Specification 7.2.2 (ECAM), 1.3.1 (root complex), 2.3.1 (requests that nothing takes are unsupported
 * requests; software reads all ones).
 *
 * Removal is a surprise (6.7): no slot registers tell of it.
 *
 * Not modelled: I/O windows, root complex register block, error reporting of the root complex, configuration request
 * retry, ordering between functions, requests between root ports (see `routing.ts`).
 */
import { hex } from '../address.js';
import type { RegisterDevice } from '../bus.js';
import { formatSbdf, type SavedBlock, type Sbdf } from '../machine.js';
import type { Observer } from '../observer.js';
import type { Completion, InFlight, RequestPort, Transaction } from '../transaction.js';
import { type MemoryTarget, PciBridge, PciBus } from './bridge.js';
import { ECAM } from './layout.js';
import type { FunctionState, PciFunction } from './pci-function.js';
import { moveToPeer, type Route, route } from './routing.js';

/** A window of physical addresses in which the functions' memory appears. */
export interface MemoryWindow {
  /** Physical address of its beginning. */
  readonly physical: number;
  /** The PCI memory address that appears there. */
  readonly pci: number;
  readonly size: number;
  readonly prefetchable: boolean;
}

/** What a root complex is. */
export interface RootComplexOptions {
  readonly name: string;
  readonly segment: number;
  /** Bus number of the root bus: the first of the ECAM window. */
  readonly firstBus: number;
  readonly lastBus: number;
  /** Takes the functions' requests: an IOMMU, or memory. */
  readonly upstream: RequestPort;
  readonly observer: Observer;
}

const ALL_ONES = { 1: 0xff, 2: 0xffff, 4: 0xffff_ffff } as const;

/** Takes the level of one pin of one device of the root bus: the wired OR of everything behind it. */
export type IntxListener = (device: number, pin: number, level: boolean) => void;

/** One segment. */
export class RootComplex implements SavedBlock {
  readonly options: RootComplexOptions;
  readonly bus = new PciBus();

  /** How many functions assert each pin of each device of the root bus: device * 4 + pin - 1. */
  readonly #asserting = new Uint32Array(32 * 4);
  readonly #intxListeners: IntxListener[] = [];

  constructor(options: RootComplexOptions) {
    this.options = options;
    this.bus.onIntx = (device, pin, level) => {
      const index = device * 4 + pin - 1;
      const before = this.#asserting[index] as number;
      const after = level ? before + 1 : before - 1;
      this.#asserting[index] = after;
      if ((before === 0) === (after === 0)) return;
      for (const listener of this.#intxListeners) listener(device, pin, level);
    };
  }

  /**
   * Calls `listener` whenever the level of an INTx pin changes. Pins count from 1 (INTA) and are those of the device on the
   * root bus, as `interrupt-map` of a host bridge has them: bridges have swizzled what comes from below.
   */
  onIntx(listener: IntxListener): void {
    this.#intxListeners.push(listener);
  }

  /** The registers of the ECAM window: offset is relative to the first bus. */
  readonly ecam: RegisterDevice = {
    readRegister: (offset, width) => {
      const { firstBus } = this.options;
      const devfn = (offset >>> ECAM.FUNCTION_SHIFT) & 0xff;
      const bus = firstBus + Math.floor(offset / 2 ** ECAM.BUS_SHIFT);
      return this.bus.readConfig(firstBus, bus, devfn, offset % ECAM.FUNCTION_BYTES, width);
    },
    writeRegister: (offset, width, value) => {
      const { firstBus } = this.options;
      const devfn = (offset >>> ECAM.FUNCTION_SHIFT) & 0xff;
      const bus = firstBus + Math.floor(offset / 2 ** ECAM.BUS_SHIFT);
      this.bus.writeConfig(firstBus, bus, devfn, offset % ECAM.FUNCTION_BYTES, width, value);
      return true;
    },
  };

  /** The registers of a memory window: what functions decode there. */
  window(window: MemoryWindow): RegisterDevice {
    const find = (offset: number, width: number, write: boolean): MemoryTarget | undefined => {
      const address = window.pci + offset;
      const found = this.bus.decode(address);
      if (found !== undefined) return found;
      this.options.observer.event({
        kind: 'fault',
        device: this.options.name,
        name: 'unsupported request',
        text: `${write ? 'write' : 'read'} of ${width} bytes at PCI address ${hex(address)}: no function decodes it`,
      });
      return undefined;
    };
    return {
      readRegister: (offset, width) => {
        const found = find(offset, width, false);
        return found === undefined ? ALL_ONES[width] : found.target.readMemory(found.bar, found.offset, width);
      },
      writeRegister: (offset, width, value) => {
        const found = find(offset, width, true);
        found?.target.writeMemory(found.bar, found.offset, width, value);
        return true;
      },
    };
  }

  /**
   * The way of a function's requests: its own bus master enable, then every bridge above it, then the root complex's
   * upstream port; or a peer that they meet on their way. A request that is stopped is aborted. It is routed when it leaves.
   */
  portOf(fn: PciFunction, bus: PciBus): RequestPort {
    const { upstream } = this.options;
    return {
      request: (transaction: Transaction): Completion => {
        const way = this.#tell(route(fn, bus, transaction));
        if (way.kind === 'upstream') return upstream.request(way.transaction);
        return way.kind === 'peer' ? moveToPeer(way.peer, transaction) : 'abort';
      },
      begin: (transaction: Transaction): InFlight => {
        const way = this.#tell(route(fn, bus, transaction));
        if (way.kind === 'upstream') return upstream.begin(way.transaction);
        let completion: Completion | undefined = way.kind === 'peer' ? undefined : 'abort';
        return {
          land: () => {
            completion ??= way.kind === 'peer' ? moveToPeer(way.peer, transaction) : 'abort';
            return completion;
          },
        };
      },
    };
  }

  #tell(way: Route): Route {
    if (way.kind === 'blocked' && way.at !== undefined) {
      const { at, name = '', text = '' } = way;
      this.options.observer.event({ kind: 'fault', device: this.nameOf(at), name, text });
    }
    return way;
  }

  /** The function whose slot has an address now, plugged or not. */
  slot({ bus, device, function: fn }: Sbdf): PciFunction | undefined {
    return this.bus.find(bus, this.options.firstBus)?.slot((device << 3) | fn);
  }

  /** Takes a function out of its slot, and a bridge with all that is behind it. */
  unplug(fn: PciFunction): void {
    if (fn instanceof PciBridge) for (const behind of fn.bus.all()) behind.unplug();
    fn.unplug();
  }

  /** Puts a function into its slot, as it comes out of reset, and a bridge with all that is behind it. */
  plug(fn: PciFunction): void {
    fn.plug();
    if (fn instanceof PciBridge) for (const behind of fn.bus.all()) behind.plug();
  }

  /** Every function that has an address now. */
  *functions(): Generator<{ readonly sbdf: Sbdf; readonly fn: PciFunction }> {
    const { segment, firstBus } = this.options;
    for (const { bus, fn } of this.bus.walk(firstBus)) {
      yield { sbdf: { segment, bus, device: fn.description.device, function: fn.description.function }, fn };
    }
  }

  /** The address of a function as it knows it itself: what it puts into its requests. */
  addressOf(fn: PciFunction): Sbdf {
    return {
      segment: this.options.segment,
      bus: fn.capturedBus,
      device: fn.description.device,
      function: fn.description.function,
    };
  }

  /** `0000:03:00.0`, as the function knows itself. */
  nameOf(fn: PciFunction): string {
    return formatSbdf(this.addressOf(fn));
  }

  save(): FunctionState[] {
    return [...this.bus.all()].map((fn) => fn.save());
  }

  load(state: unknown): void {
    const states = state as readonly FunctionState[];
    const functions = [...this.bus.all()];
    if (states.length !== functions.length) {
      throw new RangeError(`${this.options.name} has ${functions.length} functions, ${states.length} were saved`);
    }
    functions.forEach((fn, index) => {
      fn.load(states[index] as FunctionState);
    });
  }
}
