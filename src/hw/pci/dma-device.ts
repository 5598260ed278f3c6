/**
 * An endpoint that moves data on command: what checks and guests' drivers use to see what an IOMMU does.
 *
 * It is a device of this project's own: ids in `dma-device-layout.ts`, registers in `../dma-engine-layout.ts`. Requests
 * leave with the function's requester id, when bus master is enabled here and in every bridge above; register STREAM n
 * adds n to the function number, which takes a phantom function that software has enabled. The engine's interrupt is
 * vector 0 of MSI-X or MSI if one is enabled, else INTx.
 *
 * Not modelled: splitting at the maximum payload size (a request has any length), tags and completion timeouts.
 */
import { DmaEngine, type RequestOrigin, readBytes, type SavedDmaEngine, writeBytes } from '../dma-engine.js';
import type { Latency } from '../latency.js';
import type { DmaCommand, DmaResult, SignalResult } from '../machine.js';
import type { Observer } from '../observer.js';
import type { RequestPort } from '../transaction.js';
import type { PciBus } from './bridge.js';
import { DMA_DEVICE_IDS } from './dma-device-layout.js';
import type { BarDescription, FunctionDescription } from './header.js';
import { type BarTarget, PciFunction } from './pci-function.js';
import type { RootComplex } from './root-complex.js';
import { PhysicalFunction, type SriovDescription } from './sr-iov.js';

/** What the endpoint can beyond moving data. */
export type DmaDeviceFeatures = Pick<FunctionDescription, 'interruptPin' | 'msi' | 'msix' | 'acs' | 'phantomStride'>;

/** What the endpoint is to be. */
export interface DmaDeviceOptions extends DmaDeviceFeatures {
  readonly device: number;
  readonly function: number;
  readonly deviceId?: number;
  /** The first holds the registers. */
  readonly bars: readonly BarDescription[];
  readonly rootComplex: RootComplex;
  readonly bus: PciBus;
  readonly latency: Latency;
  readonly observer: Observer;
  /** It answers to every function number. */
  readonly ignoresFunctionNumber?: boolean;
  /** It is a conventional PCI device; behind a bridge to conventional PCI it is one anyhow. */
  readonly isConventional?: boolean;
  /** Virtual functions: each an endpoint of its own, with these interrupts. */
  readonly sriov?: SriovDescription & Pick<FunctionDescription, 'msi' | 'msix'>;
}

interface SavedDmaDevice {
  readonly engine: SavedDmaEngine;
  readonly storage: readonly (readonly [index: number, bytes: Uint8Array])[];
  readonly wantsInterrupt: boolean;
  readonly isLineHigh: boolean;
}

/** The function of an endpoint with the given options. */
function makeFunction(options: DmaDeviceOptions, target: BarTarget): PciFunction {
  const { bus, device, function: fn, bars, deviceId = DMA_DEVICE_IDS.deviceId, sriov } = options;
  const { interruptPin, msi, msix, acs, phantomStride } = options;
  const isConventional = options.isConventional === true || bus.isConventional;
  const portType = isConventional
    ? 'conventional'
    : bus.bridge === undefined
      ? 'root complex integrated endpoint'
      : 'endpoint';
  const description: FunctionDescription = {
    ...DMA_DEVICE_IDS,
    deviceId,
    device,
    function: fn,
    bars,
    portType,
    ...(interruptPin === undefined ? {} : { interruptPin }),
    ...(msi === undefined ? {} : { msi }),
    ...(msix === undefined ? {} : { msix }),
    ...(acs === undefined ? {} : { acs }),
    ...(phantomStride === undefined ? {} : { phantomStride }),
  };
  return sriov === undefined ? new PciFunction(description, target) : new PhysicalFunction(description, sriov, target);
}

/** The endpoint. It puts its function, and its virtual functions, on the bus that it is given. */
export class DmaDevice implements BarTarget {
  readonly fn: PciFunction;
  /** The endpoints of its virtual functions. */
  readonly virtualFunctions: readonly DmaDevice[];
  readonly #rootComplex: RootComplex;
  readonly #port: RequestPort;
  readonly #engine: DmaEngine;
  /** Index of the base address register that holds the engine. */
  readonly #engineBar: number;
  readonly #sizes: ReadonlyMap<number, number>;
  /** Storage behind each further base address register, made when it is first written. */
  readonly #storage = new Map<number, Uint8Array>();

  /** What the engine wants, and what a check drives: either asserts the pin. */
  #wantsInterrupt = false;
  #isLineHigh = false;
  #named: { readonly bus: number; readonly name: string } | undefined;

  /** @throws RangeError if what is asked for contradicts itself or the specification. */
  constructor(options: DmaDeviceOptions, make: (target: BarTarget) => PciFunction = (t) => makeFunction(options, t)) {
    const { bus, bars, rootComplex, latency, observer, ignoresFunctionNumber = false } = options;
    const first = bars[0];
    if (first === undefined || first.size < 4096) {
      throw new RangeError('the DMA endpoint needs a first base address register of at least 4 KiB');
    }
    this.#engineBar = first.index;
    this.#sizes = new Map(bars.map(({ index, size }) => [index, size]));
    this.#rootComplex = rootComplex;
    this.fn = make(this);
    bus.add(this.fn, { ignoresFunctionNumber });
    this.#port = rootComplex.portOf(this.fn, bus);
    this.#engine = new DmaEngine({
      size: first.size,
      name: () => this.#name(),
      origin: (stream) => this.#originOf(stream),
      interrupt: (wanted) => this.#interrupt(wanted),
      latency,
      observer,
    });
    this.fn.connect({
      observer,
      name: () => this.#name(),
      sendMessage: (hi, lo, data) => {
        this.#engine.flush();
        return this.#port.request({
          segment: rootComplex.options.segment,
          requester: (this.fn.capturedBus << 8) | this.fn.devfn,
          pasid: undefined,
          addressType: 'untranslated',
          privileged: false,
          execute: false,
          write: true,
          hi,
          lo,
          data,
        });
      },
    });
    this.virtualFunctions = this.#makeVirtualFunctions(options);
  }

  #makeVirtualFunctions({ sriov, ...options }: DmaDeviceOptions): DmaDevice[] {
    const { fn } = this;
    if (sriov === undefined || !(fn instanceof PhysicalFunction)) return [];
    const { msi, msix } = sriov;
    const interrupts = { ...(msi === undefined ? {} : { msi }), ...(msix === undefined ? {} : { msix }) };
    return Array.from(
      { length: sriov.totalVfs },
      (_, number) =>
        new DmaDevice({ ...options, bars: sriov.vfBars, ignoresFunctionNumber: false }, (target) =>
          fn.virtualFunction(number, interrupts, target),
        ),
    );
  }

  /** What the function is called, kept until it has another bus number. */
  #name(): string {
    const bus = this.fn.capturedBus;
    if (this.#named?.bus !== bus) this.#named = { bus, name: this.#rootComplex.nameOf(this.fn) };
    return this.#named.name;
  }

  #originOf(stream: number): RequestOrigin | undefined {
    const { fn } = this;
    if (stream !== 0 && !fn.isPhantom(fn.description.function + stream)) return undefined;
    const { segment } = this.#rootComplex.options;
    return { port: this.#port, segment, requester: (fn.capturedBus << 8) | (fn.devfn + stream) };
  }

  #interrupt(wanted: boolean): void {
    this.#wantsInterrupt = wanted;
    if (wanted && this.fn.usesMessages) this.fn.signal(0);
    this.#driveIntx();
  }

  #driveIntx(): void {
    if ((this.fn.description.interruptPin ?? 0) !== 0) this.fn.setIntx(this.#wantsInterrupt || this.#isLineHigh);
  }

  /** Wants the interrupt of a message vector: {@link PciFunction.signal}. */
  signal(vector: number): SignalResult {
    return this.fn.signal(vector);
  }

  /**
   * Drives INTx, beside what the engine wants.
   * @throws RangeError if the function has no interrupt pin.
   */
  setIntx(level: boolean): void {
    if ((this.fn.description.interruptPin ?? 0) === 0) {
      throw new RangeError(`${this.#name()} has no interrupt pin`);
    }
    this.#isLineHigh = level && this.fn.isPresent;
    this.#driveIntx();
  }

  /** Bytes that one command can move. */
  get bufferSize(): number {
    return this.#engine.bufferSize;
  }

  readBar(index: number, offset: number, width: 1 | 2 | 4): number {
    if (index === this.#engineBar) return this.#engine.read(offset, width);
    const bytes = this.#storage.get(index);
    return bytes === undefined ? 0 : readBytes(bytes, offset, width);
  }

  writeBar(index: number, offset: number, width: 1 | 2 | 4, value: number): void {
    if (index === this.#engineBar) {
      this.#engine.write(offset, width, value);
      return;
    }
    let bytes = this.#storage.get(index);
    if (bytes === undefined) {
      bytes = new Uint8Array(this.#sizes.get(index) as number);
      this.#storage.set(index, bytes);
    }
    writeBytes(bytes, offset, width, value);
  }

  /**
   * Runs one command of a check to its end: {@link DmaEngine.run}.
   * @throws RangeError as that, or if the command is of a phantom function that is not enabled.
   */
  run(command: DmaCommand): DmaResult {
    return this.#engine.run(this.#withStream(command));
  }

  /**
   * Starts one command of a check: {@link DmaEngine.start}.
   * @throws RangeError as {@link run}.
   */
  start(command: DmaCommand): () => DmaResult | undefined {
    return this.#engine.start(this.#withStream(command));
  }

  #withStream({ phantom, ...command }: DmaCommand): DmaCommand {
    if (phantom === undefined) return command;
    if (!this.fn.isPhantom(phantom)) {
      throw new RangeError(`${this.#name()} has no phantom function ${phantom} enabled`);
    }
    return { ...command, stream: phantom - this.fn.description.function };
  }

  resetBars(): void {
    this.#isLineHigh = false;
    this.#engine.reset();
    this.#storage.clear();
  }

  saveBars(): SavedDmaDevice {
    return {
      engine: this.#engine.save(),
      storage: [...this.#storage].map(([index, bytes]) => [index, bytes.slice()] as const),
      wantsInterrupt: this.#wantsInterrupt,
      isLineHigh: this.#isLineHigh,
    };
  }

  loadBars(state: unknown): void {
    const { engine, storage, wantsInterrupt, isLineHigh } = state as SavedDmaDevice;
    this.#wantsInterrupt = wantsInterrupt;
    this.#isLineHigh = isLineHigh;
    this.#engine.load(engine);
    this.#storage.clear();
    for (const [index, bytes] of storage) this.#storage.set(index, bytes.slice());
  }
}
