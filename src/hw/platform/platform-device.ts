/**
 * A platform device: one that no bus enumerates and that only the device tree describes. A device of this project's own.
 *
 * It has one or more regions of registers, any number of wired interrupts, and may make requests: then its first region
 * holds the engine of `../dma-engine-layout.ts`, and its first interrupt is driven while the engine wants one, until
 * INTERRUPT_STATUS is cleared. Every other region is plain storage. A check drives any interrupt on command.
 *
 * Not modelled: power, clocks and reset lines.
 */
import type { RegisterDevice } from '../bus.js';
import { DmaEngine, type RequestOrigin, readBytes, type SavedDmaEngine, writeBytes } from '../dma-engine.js';
import type { InterruptLine } from '../interrupt.js';
import type { Latency } from '../latency.js';
import type { DmaCommand, DmaResult, SavedBlock } from '../machine.js';
import type { Observer } from '../observer.js';

/** What the device is to be. */
export interface PlatformDeviceOptions {
  /** Path of its node: what events call it. */
  readonly name: string;
  /** Bytes of each region. */
  readonly sizes: readonly number[];
  /** Where its interrupts go, in order. */
  readonly lines: readonly InterruptLine[];
  /** Where its requests on each of its streams leave; undefined if it makes none. */
  readonly origins: readonly RequestOrigin[] | undefined;
  readonly latency: Latency;
  readonly observer: Observer;
}

interface SavedPlatformDevice {
  readonly engine: SavedDmaEngine | undefined;
  readonly storage: readonly (readonly [region: number, bytes: Uint8Array])[];
  /** Interrupts that a check drives. */
  readonly driven: readonly boolean[];
  readonly wanted: boolean;
}

/** A platform device. */
export class PlatformDevice implements SavedBlock {
  readonly name: string;
  readonly #sizes: readonly number[];
  readonly #lines: readonly InterruptLine[];
  readonly #engine: DmaEngine | undefined;
  /** Bytes of each region of storage, made when it is first written. */
  readonly #storage = new Map<number, Uint8Array>();
  /** Which lines a check drives; the engine drives the first one too. */
  readonly #driven: boolean[];
  #isWanted = false;

  /** @throws RangeError if it makes requests and its first region is smaller than 4 KiB. */
  constructor(options: PlatformDeviceOptions) {
    const { name, sizes, lines, origins, latency, observer } = options;
    this.name = name;
    this.#sizes = sizes;
    this.#lines = lines;
    this.#driven = lines.map(() => false);
    if (origins === undefined) return;
    this.#engine = new DmaEngine({
      size: sizes[0] ?? 0,
      name: () => name,
      origin: (stream) => origins[stream],
      interrupt: (wanted) => {
        this.#isWanted = wanted;
        this.#drive(0);
      },
      latency,
      observer,
    });
  }

  /** Number of its interrupts. */
  get lineCount(): number {
    return this.#lines.length;
  }

  /** Whether it makes requests. */
  get hasDma(): boolean {
    return this.#engine !== undefined;
  }

  /** The registers of a region. */
  region(index: number): RegisterDevice {
    const engine = index === 0 ? this.#engine : undefined;
    if (engine !== undefined) {
      return {
        readRegister: (offset, width) => engine.read(offset, width),
        writeRegister: (offset, width, value) => {
          engine.write(offset, width, value);
          return true;
        },
      };
    }
    return {
      readRegister: (offset, width) => {
        const bytes = this.#storage.get(index);
        return bytes === undefined ? 0 : readBytes(bytes, offset, width);
      },
      writeRegister: (offset, width, value) => {
        writeBytes(this.#bytes(index), offset, width, value);
        return true;
      },
    };
  }

  #bytes(region: number): Uint8Array {
    let bytes = this.#storage.get(region);
    if (bytes === undefined) {
      bytes = new Uint8Array(this.#sizes[region] as number);
      this.#storage.set(region, bytes);
    }
    return bytes;
  }

  #drive(index: number): void {
    this.#lines[index]?.set((this.#driven[index] ?? false) || (index === 0 && this.#isWanted));
  }

  #requireEngine(): DmaEngine {
    if (this.#engine === undefined) throw new RangeError(`${this.name} makes no requests`);
    return this.#engine;
  }

  /**
   * Runs one command of a check to its end: {@link DmaEngine.run}.
   * @throws RangeError also if the device makes no requests.
   */
  run(command: DmaCommand): DmaResult {
    return this.#requireEngine().run(command);
  }

  /**
   * Starts one command of a check: {@link DmaEngine.start}.
   * @throws RangeError also if the device makes no requests.
   */
  start(command: DmaCommand): () => DmaResult | undefined {
    return this.#requireEngine().start(command);
  }

  /**
   * Drives an interrupt by command of a check; the first one is high also while the engine wants it.
   * @throws RangeError if the device does not have it.
   */
  setLine(index: number, level: boolean): void {
    if (this.#driven[index] === undefined) {
      throw new RangeError(`${this.name} has no interrupt ${index}: it has ${this.#lines.length}`);
    }
    this.#driven[index] = level;
    this.#drive(index);
  }

  save(): SavedPlatformDevice {
    return {
      engine: this.#engine?.save(),
      storage: [...this.#storage].map(([region, bytes]) => [region, bytes.slice()] as const),
      driven: this.#driven.slice(),
      wanted: this.#isWanted,
    };
  }

  load(state: unknown): void {
    const { engine, storage, driven, wanted } = state as SavedPlatformDevice;
    if (engine !== undefined) this.#engine?.load(engine);
    this.#storage.clear();
    for (const [region, bytes] of storage) this.#storage.set(region, bytes.slice());
    this.#isWanted = wanted;
    for (const index of this.#driven.keys()) {
      this.#driven[index] = driven[index] ?? false;
      this.#drive(index);
    }
  }
}
