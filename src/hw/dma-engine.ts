/**
 * The DMA engine of the model's devices: moves data on command of a driver, or of a check.
 *
 * Its registers are described in `dma-engine-layout.ts`. Requests are translated when they leave and reach memory some
 * time later. A posted write tells a real device nothing; here it is told of an abort, so that a check can see it.
 *
 * Not modelled: splitting of requests (one has any length), more than one command at a time.
 */
import { get } from './bits.js';
import {
  DMA_ADDRESS_TYPES,
  DMA_ATTRIBUTES,
  DMA_COMMAND,
  DMA_IDENTIFICATION,
  DMA_INTERRUPT_WORD,
  DMA_PASID,
  DMA_REGISTER,
  DMA_STATUS_WORD,
} from './dma-engine-layout.js';
import type { Deferral, Latency } from './latency.js';
import type { DmaCommand, DmaResult } from './machine.js';
import type { Observer } from './observer.js';
import type { Completion, RequestPort, Transaction } from './transaction.js';

/** Where a request leaves, and as whom. */
export interface RequestOrigin {
  readonly port: RequestPort;
  readonly segment: number;
  readonly requester: number;
}

/** What the engine is part of. */
export interface DmaEngineOptions {
  /** Bytes of the region that holds registers and buffer, at least 4096. */
  readonly size: number;
  /** What events call the device, at that moment. */
  readonly name: () => string;
  /** Where requests on a stream leave, at that moment; undefined if the device does not have it. Most have 0 alone. */
  readonly origin: (stream: number) => RequestOrigin | undefined;
  /** The device begins or ends wanting its interrupt. Not called by {@link DmaEngine.load}. */
  readonly interrupt?: (wanted: boolean) => void;
  readonly latency: Latency;
  readonly observer: Observer;
}

/** The engine as saved. */
export interface SavedDmaEngine {
  readonly registers: Uint32Array;
  /** Undefined if it was never written. */
  readonly buffer: Uint8Array | undefined;
}

const { DONE, BUSY, ERROR } = DMA_STATUS_WORD;

/** Reads 1, 2 or 4 bytes, little-endian; bytes beyond the end are zero. */
export function readBytes(bytes: Uint8Array, offset: number, width: 1 | 2 | 4): number {
  let value = 0;
  for (let i = width - 1; i >= 0; i--) value = value * 256 + (bytes[offset + i] ?? 0);
  return value;
}

/** Writes 1, 2 or 4 bytes, little-endian. */
export function writeBytes(bytes: Uint8Array, offset: number, width: 1 | 2 | 4, value: number): void {
  for (let i = 0; i < width; i++) bytes[offset + i] = (value >>> (8 * i)) & 0xff;
}

/** The engine. */
export class DmaEngine {
  readonly #options: DmaEngineOptions;
  readonly #registers = new Uint32Array(16);
  readonly #word = new Uint32Array(1);
  /** Made when it is first used. */
  #buffer: Uint8Array | undefined;
  readonly #inFlight: Deferral;
  #isInterruptWanted = false;
  /** Counts resets: a command that was begun before one does not finish after it. */
  #epoch = 0;

  constructor(options: DmaEngineOptions) {
    if (options.size < 4096) throw new RangeError('the DMA engine needs a region of at least 4 KiB');
    this.#options = options;
    this.#inFlight = options.latency.source();
  }

  /** Bytes that one command can move. */
  get bufferSize(): number {
    return this.#options.size / 2;
  }

  #bufferBytes(): Uint8Array {
    this.#buffer ??= new Uint8Array(this.bufferSize);
    return this.#buffer;
  }

  /** Reads naturally aligned bytes of the region. */
  read(offset: number, width: 1 | 2 | 4): number {
    if (offset >= this.bufferSize) {
      return this.#buffer === undefined ? 0 : readBytes(this.#buffer, offset - this.bufferSize, width);
    }
    const word = this.#readRegister(offset & ~3);
    return ((word >>> ((offset & 3) * 8)) & (width === 4 ? 0xffff_ffff : width === 2 ? 0xffff : 0xff)) >>> 0;
  }

  /** Writes naturally aligned bytes of the region. */
  write(offset: number, width: 1 | 2 | 4, value: number): void {
    if (offset >= this.bufferSize) writeBytes(this.#bufferBytes(), offset - this.bufferSize, width, value);
    else if (width === 4) this.#writeRegister(offset, value >>> 0);
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
      this.#set(offset, this.#register(offset) & ~(value & (DONE | ERROR)));
    } else if (offset === DMA_REGISTER.INTERRUPT_STATUS) {
      this.#set(offset, this.#register(offset) & ~value);
      this.#updateInterrupt();
    } else if (offset === DMA_REGISTER.INTERRUPT_ENABLE) {
      this.#set(offset, value & DMA_INTERRUPT_WORD.DONE);
      this.#updateInterrupt();
    } else if (
      (offset >= DMA_REGISTER.SOURCE_LO && offset <= DMA_REGISTER.ATTRIBUTES) ||
      offset === DMA_REGISTER.STREAM
    ) {
      this.#set(offset, value);
    }
  }

  #set(offset: number, value: number): void {
    this.#registers[offset >>> 2] = value;
  }

  #wantsInterrupt(): boolean {
    return (this.#register(DMA_REGISTER.INTERRUPT_ENABLE) & this.#register(DMA_REGISTER.INTERRUPT_STATUS)) !== 0;
  }

  #updateInterrupt(): void {
    const wanted = this.#wantsInterrupt();
    if (wanted === this.#isInterruptWanted) return;
    this.#isInterruptWanted = wanted;
    this.#options.interrupt?.(wanted);
  }

  /** The doorbell. */
  #command(command: number): void {
    if (this.#register(DMA_REGISTER.STATUS) & BUSY) return;
    if (command !== DMA_COMMAND.LOAD && command !== DMA_COMMAND.STORE && command !== DMA_COMMAND.COPY) return;
    const length = this.#register(DMA_REGISTER.LENGTH);
    const origin = this.#options.origin(this.#register(DMA_REGISTER.STREAM));
    if (length === 0 || length > this.bufferSize || origin === undefined) {
      this.#end('abort');
      return;
    }
    this.#set(DMA_REGISTER.STATUS, BUSY);
    const buffer = this.#bufferBytes().subarray(0, length);
    const epoch = this.#epoch;
    const finish = (completion: Completion) => {
      if (epoch === this.#epoch) this.#end(completion);
    };
    const store = () => this.#issue(origin.port, this.#fromRegisters(origin, true, buffer.slice()), finish);
    const load = (then: (completion: Completion) => void) =>
      this.#issue(origin.port, this.#fromRegisters(origin, false, buffer), then);
    if (command === DMA_COMMAND.STORE) store();
    else if (command === DMA_COMMAND.LOAD) load(finish);
    else load((completion) => (completion === 'abort' || epoch !== this.#epoch ? finish(completion) : store()));
  }

  #end(completion: Completion): void {
    this.#set(DMA_REGISTER.STATUS, DONE | (completion === 'abort' ? ERROR : 0));
    this.#set(DMA_REGISTER.INTERRUPT_STATUS, DMA_INTERRUPT_WORD.DONE);
    this.#updateInterrupt();
  }

  #fromRegisters({ segment, requester }: RequestOrigin, write: boolean, data: Uint8Array): Transaction {
    const word = this.#word;
    word[0] = this.#register(DMA_REGISTER.PASID);
    const pasid = get(word, DMA_PASID.VALID) === 1 ? get(word, DMA_PASID.VALUE) : undefined;
    word[0] = this.#register(DMA_REGISTER.ATTRIBUTES);
    return {
      segment,
      requester,
      pasid,
      addressType: DMA_ADDRESS_TYPES[get(word, DMA_ATTRIBUTES.ADDRESS_TYPE)] ?? 'untranslated',
      privileged: get(word, DMA_ATTRIBUTES.PRIVILEGED) === 1,
      execute: !write && get(word, DMA_ATTRIBUTES.EXECUTE) === 1,
      write,
      hi: this.#register(write ? DMA_REGISTER.DESTINATION_HI : DMA_REGISTER.SOURCE_HI),
      lo: this.#register(write ? DMA_REGISTER.DESTINATION_LO : DMA_REGISTER.SOURCE_LO),
      data,
    };
  }

  /** Sends a request: translated now, landed later. */
  #issue(port: RequestPort, transaction: Transaction, then: (completion: Completion) => void): void {
    const flight = port.begin(transaction);
    this.#inFlight.defer(() => {
      const completion = flight.land();
      this.#report(transaction, completion);
      then(completion);
    });
  }

  #report({ write, hi, lo, data }: Transaction, completion: Completion): void {
    const { observer, name } = this.#options;
    observer.event({ kind: 'dma', device: name(), write, hi, lo, length: data.length, completion });
  }

  #originOf(command: DmaCommand): RequestOrigin {
    const stream = command.stream ?? 0;
    const origin = this.#options.origin(stream);
    if (origin === undefined) throw new RangeError(`${this.#options.name()} has no stream ${stream}`);
    return origin;
  }

  #fromCommand(command: DmaCommand, { segment, requester }: RequestOrigin): Transaction {
    const { write } = command;
    const length = write ? command.data?.length : command.length;
    if (length === undefined || length < 1 || length > this.bufferSize) {
      throw new RangeError(
        `a DMA command moves 1 to ${this.bufferSize} bytes, not ${length}: give ${write ? 'data' : 'length'}`,
      );
    }
    return {
      segment,
      requester,
      pasid: command.pasid,
      addressType: command.addressType ?? 'untranslated',
      privileged: command.privileged ?? false,
      execute: !write && (command.execute ?? false),
      write,
      hi: command.hi >>> 0,
      lo: command.lo >>> 0,
      data: write ? (command.data as Uint8Array).slice() : new Uint8Array(length),
    };
  }

  /**
   * Runs one command of a check to its end, behind whatever this engine has in flight.
   * @throws RangeError if it moves no bytes, or more than the buffer holds, or on a stream that the device does not have.
   */
  run(command: DmaCommand): DmaResult {
    const origin = this.#originOf(command);
    const transaction = this.#fromCommand(command, origin);
    this.#inFlight.flush();
    const completion = origin.port.request(transaction);
    this.#report(transaction, completion);
    return resultOf(transaction, completion);
  }

  /**
   * Starts one command of a check: translated now, landed when the machine's latency lets it.
   * @returns what tells how it ended; undefined until then.
   * @throws RangeError as {@link run}.
   */
  start(command: DmaCommand): () => DmaResult | undefined {
    const origin = this.#originOf(command);
    const transaction = this.#fromCommand(command, origin);
    let result: DmaResult | undefined;
    this.#issue(origin.port, transaction, (completion) => {
      result = resultOf(transaction, completion);
    });
    return () => result;
  }

  /** Lands everything that is in flight: before a message of the device, which does not pass it. */
  flush(): void {
    this.#inFlight.flush();
  }

  /** Comes out of reset: registers and buffer are zero, a command that runs ends unseen, no interrupt is wanted. */
  reset(): void {
    this.#epoch++;
    this.#registers.fill(0);
    this.#buffer = undefined;
    this.#updateInterrupt();
  }

  save(): SavedDmaEngine {
    return { registers: this.#registers.slice(), buffer: this.#buffer?.slice() };
  }

  load({ registers, buffer }: SavedDmaEngine): void {
    this.#epoch++;
    this.#registers.set(registers);
    this.#buffer = buffer?.slice();
    this.#isInterruptWanted = this.#wantsInterrupt();
  }
}

function resultOf(transaction: Transaction, completion: Completion): DmaResult {
  const ok = completion !== 'abort';
  return { ok, data: ok && !transaction.write ? transaction.data : undefined };
}
