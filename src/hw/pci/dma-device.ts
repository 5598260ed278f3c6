/**
 * An endpoint that moves data on command: what checks and guests' drivers use to see what an IOMMU does.
 *
 * It is a device of this project's own, described in `dma-device-layout.ts`.
 *
 * Requests leave with the function's requester id, when bus master is enabled here and in every bridge above; they are
 * translated when they leave and reach memory some time later. A posted write tells a real device nothing; here it is
 * told of an abort, so that a check can see it.
 *
 * Not modelled: splitting at the maximum payload size (a request has any length), tags and completion timeouts.
 */
import { get } from '../bits.js';
import type { Deferral, Latency } from '../latency.js';
import { type DmaCommand, type DmaResult, requesterId } from '../machine.js';
import type { Observer } from '../observer.js';
import type { Completion, InFlight, RequestPort, Transaction } from '../transaction.js';
import type { PciBus } from './bridge.js';
import {
  DMA_ADDRESS_TYPES,
  DMA_ATTRIBUTES,
  DMA_COMMAND,
  DMA_DEVICE_IDS,
  DMA_IDENTIFICATION,
  DMA_PASID,
  DMA_REGISTER,
  DMA_STATUS_WORD,
} from './dma-device-layout.js';
import { type BarDescription, type BarTarget, PciFunction } from './pci-function.js';
import type { RootComplex } from './root-complex.js';

/** What the endpoint is to be. */
export interface DmaDeviceOptions {
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
}

interface SavedDmaDevice {
  readonly registers: Uint32Array;
  readonly storage: readonly (readonly [index: number, bytes: Uint8Array])[];
}

/** Reads 1, 2 or 4 bytes, little-endian. */
function readBytes(bytes: Uint8Array, offset: number, width: 1 | 2 | 4): number {
  let value = 0;
  for (let i = width - 1; i >= 0; i--) value = value * 256 + (bytes[offset + i] ?? 0);
  return value;
}

function writeBytes(bytes: Uint8Array, offset: number, width: 1 | 2 | 4, value: number): void {
  for (let i = 0; i < width; i++) bytes[offset + i] = (value >>> (8 * i)) & 0xff;
}

/** The endpoint. It puts its function on the bus that it is given. */
export class DmaDevice implements BarTarget {
  readonly fn: PciFunction;
  readonly #options: DmaDeviceOptions;
  readonly #port: RequestPort;
  readonly #registers = new Uint32Array(16);
  readonly #word = new Uint32Array(1);
  /** Storage behind each base address register, made when it is first written. The first one's is the buffer. */
  readonly #storage = new Map<number, Uint8Array>();
  readonly #engine: BarDescription;
  readonly #inFlight: Deferral;
  /** Counts resets: a command that was begun before one does not finish after it. */
  #epoch = 0;

  constructor(options: DmaDeviceOptions) {
    const engine = options.bars[0];
    if (engine === undefined || engine.size < 4096) {
      throw new RangeError('the DMA endpoint needs a first base address register of at least 4 KiB');
    }
    this.#options = options;
    this.#engine = engine;
    this.#inFlight = options.latency.source();
    this.fn = new PciFunction(
      {
        ...DMA_DEVICE_IDS,
        ...(options.deviceId === undefined ? {} : { deviceId: options.deviceId }),
        device: options.device,
        function: options.function,
        bars: options.bars,
        portType: options.bus.bridge === undefined ? 'root complex integrated endpoint' : 'endpoint',
      },
      this,
    );
    options.bus.add(this.fn, { ignoresFunctionNumber: options.ignoresFunctionNumber ?? false });
    this.#port = options.rootComplex.portOf(this.fn, options.bus);
  }

  /** Bytes that one command can move. */
  get bufferSize(): number {
    return this.#engine.size / 2;
  }

  #memory(index: number): Uint8Array {
    let bytes = this.#storage.get(index);
    if (bytes === undefined) {
      const bar = this.#options.bars.find((b) => b.index === index) as BarDescription;
      bytes = new Uint8Array(bar === this.#engine ? this.bufferSize : bar.size);
      this.#storage.set(index, bytes);
    }
    return bytes;
  }

  readBar(index: number, offset: number, width: 1 | 2 | 4): number {
    const isEngine = index === this.#engine.index;
    if (isEngine && offset < this.bufferSize) {
      const word = this.#readRegister(offset & ~3);
      return ((word >>> ((offset & 3) * 8)) & (width === 4 ? 0xffff_ffff : width === 2 ? 0xffff : 0xff)) >>> 0;
    }
    const bytes = this.#storage.get(index);
    return bytes === undefined ? 0 : readBytes(bytes, isEngine ? offset - this.bufferSize : offset, width);
  }

  writeBar(index: number, offset: number, width: 1 | 2 | 4, value: number): void {
    const isEngine = index === this.#engine.index;
    if (!isEngine || offset >= this.bufferSize) {
      writeBytes(this.#memory(index), isEngine ? offset - this.bufferSize : offset, width, value);
      return;
    }
    // Registers take whole words; narrower writes are ignored.
    if (width === 4) this.#writeRegister(offset, value >>> 0);
  }

  #register(offset: number): number {
    return this.#registers[offset >>> 2] ?? 0;
  }

  #readRegister(offset: number): number {
    if (offset === DMA_REGISTER.IDENTIFICATION) return DMA_IDENTIFICATION;
    if (offset === DMA_REGISTER.BUFFER_OFFSET || offset === DMA_REGISTER.BUFFER_SIZE) return this.bufferSize;
    return offset === DMA_REGISTER.COMMAND ? 0 : this.#register(offset);
  }

  #writeRegister(offset: number, value: number): void {
    if (offset === DMA_REGISTER.COMMAND) {
      this.#command(value);
    } else if (offset === DMA_REGISTER.STATUS) {
      const clear = value & (DMA_STATUS_WORD.DONE | DMA_STATUS_WORD.ERROR);
      this.#setStatus(this.#register(DMA_REGISTER.STATUS) & ~clear);
    } else if (offset >= DMA_REGISTER.SOURCE_LO && offset <= DMA_REGISTER.ATTRIBUTES) {
      this.#registers[offset >>> 2] = value;
    }
  }

  #setStatus(value: number): void {
    this.#registers[DMA_REGISTER.STATUS >>> 2] = value;
  }

  /** The doorbell. */
  #command(command: number): void {
    if (this.#register(DMA_REGISTER.STATUS) & DMA_STATUS_WORD.BUSY) return;
    if (command !== DMA_COMMAND.LOAD && command !== DMA_COMMAND.STORE && command !== DMA_COMMAND.COPY) return;
    const length = this.#register(DMA_REGISTER.LENGTH);
    if (length === 0 || length > this.bufferSize) {
      this.#setStatus(DMA_STATUS_WORD.DONE | DMA_STATUS_WORD.ERROR);
      return;
    }
    this.#setStatus(DMA_STATUS_WORD.BUSY);
    const buffer = this.#memory(this.#engine.index).subarray(0, length);
    const epoch = this.#epoch;
    const finish = (completion: Completion) => {
      if (epoch !== this.#epoch) return;
      this.#setStatus(DMA_STATUS_WORD.DONE | (completion === 'abort' ? DMA_STATUS_WORD.ERROR : 0));
    };
    const store = () => this.#issue(this.#fromRegisters(true, buffer.slice()), finish);
    const load = (then: (completion: Completion) => void) => this.#issue(this.#fromRegisters(false, buffer), then);
    if (command === DMA_COMMAND.STORE) store();
    else if (command === DMA_COMMAND.LOAD) load(finish);
    else load((completion) => (completion === 'abort' || epoch !== this.#epoch ? finish(completion) : store()));
  }

  #fromRegisters(write: boolean, data: Uint8Array): Transaction {
    const word = this.#word;
    word[0] = this.#register(DMA_REGISTER.PASID);
    const pasid = get(word, DMA_PASID.VALID) === 1 ? get(word, DMA_PASID.VALUE) : undefined;
    word[0] = this.#register(DMA_REGISTER.ATTRIBUTES);
    return this.#transaction({
      pasid,
      addressType: DMA_ADDRESS_TYPES[get(word, DMA_ATTRIBUTES.ADDRESS_TYPE)] ?? 'untranslated',
      privileged: get(word, DMA_ATTRIBUTES.PRIVILEGED) === 1,
      execute: !write && get(word, DMA_ATTRIBUTES.EXECUTE) === 1,
      write,
      hi: this.#register(write ? DMA_REGISTER.DESTINATION_HI : DMA_REGISTER.SOURCE_HI),
      lo: this.#register(write ? DMA_REGISTER.DESTINATION_LO : DMA_REGISTER.SOURCE_LO),
      data,
    });
  }

  #transaction(request: Omit<Transaction, 'segment' | 'requester'>): Transaction {
    const sbdf = this.#options.rootComplex.addressOf(this.fn);
    return { segment: sbdf.segment, requester: requesterId(sbdf), ...request };
  }

  /** Sends a request: translated now, landed later. */
  #issue(transaction: Transaction, then: (completion: Completion) => void): void {
    const flight: InFlight = this.#port.begin(transaction);
    this.#inFlight.defer(() => {
      const completion = flight.land();
      this.#report(transaction, completion);
      then(completion);
    });
  }

  #report(transaction: Transaction, completion: Completion): void {
    const { write, hi, lo, data } = transaction;
    const device = this.#options.rootComplex.nameOf(this.fn);
    this.#options.observer.event({ kind: 'dma', device, write, hi, lo, length: data.length, completion });
  }

  #fromCommand(command: DmaCommand): Transaction {
    const { write } = command;
    const length = write ? command.data?.length : command.length;
    if (length === undefined || length < 1 || length > this.bufferSize) {
      throw new RangeError(
        `a DMA command moves 1 to ${this.bufferSize} bytes, not ${length}: give ${write ? 'data' : 'length'}`,
      );
    }
    return this.#transaction({
      pasid: command.pasid,
      addressType: command.addressType ?? 'untranslated',
      privileged: command.privileged ?? false,
      execute: !write && (command.execute ?? false),
      write,
      hi: command.hi >>> 0,
      lo: command.lo >>> 0,
      data: write ? (command.data as Uint8Array).slice() : new Uint8Array(length),
    });
  }

  /**
   * Runs one command of a check to its end, behind whatever this endpoint has in flight.
   * @throws RangeError if it moves no bytes, or more than the buffer holds.
   */
  run(command: DmaCommand): DmaResult {
    const transaction = this.#fromCommand(command);
    this.#inFlight.flush();
    const completion = this.#port.request(transaction);
    this.#report(transaction, completion);
    return resultOf(transaction, completion);
  }

  /**
   * Starts one command of a check: translated now, landed when the machine's latency lets it.
   * @returns what tells how it ended; undefined until then.
   * @throws RangeError as {@link run}.
   */
  start(command: DmaCommand): () => DmaResult | undefined {
    const transaction = this.#fromCommand(command);
    let result: DmaResult | undefined;
    this.#issue(transaction, (completion) => {
      result = resultOf(transaction, completion);
    });
    return () => result;
  }

  resetBars(): void {
    this.#epoch++;
    this.#registers.fill(0);
    this.#storage.clear();
  }

  saveBars(): SavedDmaDevice {
    return {
      registers: this.#registers.slice(),
      storage: [...this.#storage].map(([index, bytes]) => [index, bytes.slice()] as const),
    };
  }

  loadBars(state: unknown): void {
    const { registers, storage } = state as SavedDmaDevice;
    this.#epoch++;
    this.#registers.set(registers);
    this.#storage.clear();
    for (const [index, bytes] of storage) this.#storage.set(index, bytes.slice());
  }
}

function resultOf(transaction: Transaction, completion: Completion): DmaResult {
  const ok = completion !== 'abort';
  return { ok, data: ok && !transaction.write ? transaction.data : undefined };
}
