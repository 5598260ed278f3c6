/** A machine made of a board: the ports of {@link Machine} over the bus, memory and devices of one power-on. */
import type { Bus } from '../hw/bus.js';
import type {
  CpuPort,
  EndpointPort,
  FirmwarePort,
  Machine,
  MachineSnapshot,
  MemoryPort,
  MmioPort,
  SavedBlock,
} from '../hw/machine.js';
import type { Observer } from '../hw/observer.js';
import type { DmaDevice } from '../hw/pci/dma-device.js';
import type { PciFunction } from '../hw/pci/pci-function.js';
import type { RootComplex } from '../hw/pci/root-complex.js';
import type { PlatformDevice } from '../hw/platform/platform-device.js';
import type { Region } from './device-plan.js';
import { BoardEndpoints } from './endpoint-port.js';
import { BoardMemory, BoardMmio, type Interconnect } from './software-ports.js';

/** What a machine is made of. */
export interface MachineParts extends Interconnect {
  readonly name: string;
  readonly cpus: CpuPort & SavedBlock;
  readonly firmware: FirmwarePort;
  readonly rootComplexes: readonly RootComplex[];
  readonly endpoints: ReadonlyMap<PciFunction, DmaDevice>;
  readonly platformDevices: ReadonlyMap<string, PlatformDevice>;
  readonly blocks: ReadonlyMap<string, SavedBlock>;
  readonly configRegions: readonly Region[];
}

/** The machine. */
export class BoardMachine implements Machine {
  readonly name: string;
  readonly memory: MemoryPort;
  readonly mmio: MmioPort;
  readonly endpoints: EndpointPort;
  readonly firmware: FirmwarePort;
  readonly cpus: CpuPort;
  readonly observer: Observer;
  readonly #parts: MachineParts;

  constructor(parts: MachineParts) {
    this.#parts = parts;
    this.name = parts.name;
    this.memory = new BoardMemory(parts);
    this.mmio = new BoardMmio(parts, parts.configRegions);
    this.endpoints = new BoardEndpoints(parts);
    this.firmware = parts.firmware;
    this.cpus = parts.cpus;
    this.observer = parts.observer;
  }

  /** The memory map, RAM and unmodelled regions included, by address. */
  get map(): Bus['map'] {
    return this.#parts.bus.map;
  }

  settle(): void {
    this.#parts.latency.settle();
  }

  /** Saves the state, after the hardware has finished what it has in flight. */
  save(): MachineSnapshot {
    this.settle();
    const blocks: Record<string, unknown> = { cpus: this.#parts.cpus.save() };
    for (const [name, block] of this.#parts.blocks) blocks[name] = block.save();
    return { board: this.name, memory: this.#parts.memory.save(), blocks };
  }

  /**
   * Replaces the state by a saved one; what this machine has in flight ends before.
   * @throws RangeError if the snapshot is of another board.
   */
  load(snapshot: MachineSnapshot): void {
    if (snapshot.board !== this.name)
      throw new RangeError(`this is ${this.name}, the snapshot is of ${snapshot.board}`);
    const missing = [...this.#parts.blocks.keys()].find((name) => !Object.hasOwn(snapshot.blocks, name));
    if (missing !== undefined) throw new RangeError(`the snapshot has no state of ${missing}`);
    this.settle();
    this.#parts.memory.load(snapshot.memory);
    // In the reverse order of building, so that controllers come last: what a device drives again on its way is not new.
    for (const [name, block] of [...this.#parts.blocks].reverse()) block.load(snapshot.blocks[name]);
    this.#parts.cpus.load(snapshot.blocks.cpus);
  }
}
