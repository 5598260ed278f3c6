/**
 * Memory and device registers as software reaches them.
 *
 * Every access takes effect, then lets the hardware's time advance by one, then is observed. An access to what is not
 * there, or of a kind that its target does not take, is an external abort on real hardware: it reads as all ones,
 * writes nothing, and is reported as misuse by who made it.
 */
import { hex, type Pa } from '../hw/address.js';
import type { Bus, Initiator } from '../hw/bus.js';
import type { Latency } from '../hw/latency.js';
import type { MemoryPort, MmioPort, Value64 } from '../hw/machine.js';
import type { ByteRange, PhysicalMemory } from '../hw/memory.js';
import type { Observer } from '../hw/observer.js';
import type { Region } from './device-plan.js';

const ALL_ONES = { 1: 0xff, 2: 0xffff, 4: 0xffff_ffff, 8: 0xffff_ffff } as const;

/** Bytes that are compared at once. */
const ZEROS = new Uint8Array(0x1_0000);

function isZero(bytes: Uint8Array): boolean {
  for (let at = 0; at < bytes.length; at += ZEROS.length) {
    const part = bytes.subarray(at, at + ZEROS.length);
    if (Buffer.compare(part, ZEROS.subarray(0, part.length)) !== 0) return false;
  }
  return true;
}

/**
 * FNV-1a over 32-bit words, the last one filled up with zeros: what the journal holds of a bulk access, so that different
 * bytes make a different journal. 0 for zeros, of which most bulk accesses are.
 */
function digest(bytes: Uint8Array): number {
  if (isZero(bytes)) return 0;
  const words = new Uint32Array(Math.ceil(bytes.length / 4));
  new Uint8Array(words.buffer).set(bytes);
  let hash = 0x811c_9dc5;
  for (let at = 0; at < words.length; at++) hash = Math.imul(hash ^ (words[at] as number), 0x0100_0193);
  return hash >>> 0;
}

/** What the ports share. */
export interface Interconnect {
  readonly bus: Bus;
  readonly memory: PhysicalMemory;
  readonly latency: Latency;
  readonly observer: Observer;
}

/** {@link MemoryPort} over physical memory. */
export class BoardMemory implements MemoryPort {
  readonly #on: Interconnect;
  readonly #words = new Uint32Array(4);
  readonly #bytes = new Uint8Array(this.#words.buffer);

  constructor(on: Interconnect) {
    this.#on = on;
  }

  get ranges(): readonly ByteRange[] {
    return this.#on.memory.ranges;
  }

  #done(kind: 'load' | 'store', address: number, width: number, hi: number, lo: number, name = ''): void {
    this.#on.latency.tick();
    this.#on.observer.access(kind, address, width, hi, lo, name);
  }

  /** Whether the access can be made; reports it if not. */
  #valid(what: string, address: number, width: number): boolean {
    const { memory, observer } = this.#on;
    if (address % width !== 0) {
      observer.misuse(observer.actor, `${what} of ${width} bytes at ${hex(address)} is not aligned`);
      return false;
    }
    if (memory.contains(address, width)) return true;
    observer.misuse(observer.actor, `${what} of ${width} bytes at ${hex(address)}: no RAM there`);
    return false;
  }

  load(address: Pa, width: 1 | 2 | 4): number {
    let value: number = ALL_ONES[width];
    if (this.#valid('load', address, width)) {
      this.#words[0] = 0;
      this.#on.memory.read(address, this.#bytes.subarray(0, width));
      value = this.#words[0] as number;
    }
    this.#done('load', address, width, 0, value);
    return value;
  }

  load64(address: Pa): Value64 {
    let [hi, lo] = [0xffff_ffff, 0xffff_ffff];
    if (this.#valid('load', address, 8)) {
      this.#on.memory.load64(address, this.#words);
      [lo, hi] = this.#words as unknown as [number, number];
    }
    this.#done('load', address, 8, hi, lo);
    return { hi, lo };
  }

  store(address: Pa, width: 1 | 2 | 4, value: number): void {
    if (this.#valid('store', address, width)) {
      this.#words[0] = value;
      this.#on.memory.write(address, this.#bytes.subarray(0, width));
    }
    this.#done('store', address, width, 0, value >>> 0);
  }

  store64(address: Pa, hi: number, lo: number): void {
    if (this.#valid('store', address, 8)) {
      this.#words[0] = lo;
      this.#words[1] = hi;
      this.#on.memory.storeWords(address, this.#words.subarray(0, 2));
    }
    this.#done('store', address, 8, hi >>> 0, lo >>> 0);
  }

  store128(address: Pa, words: ArrayLike<number>): void {
    if (words.length !== 4) throw new RangeError(`a store of 128 bits has 4 words, not ${words.length}`);
    if (this.#valid('store', address, 16)) this.#on.memory.storeWords(address, words);
    this.#on.latency.tick();
    this.#on.observer.store128(address, words);
  }

  read(address: Pa, length: number): Uint8Array {
    const bytes = new Uint8Array(length);
    if (!this.#on.memory.read(address, bytes)) {
      const { observer } = this.#on;
      observer.misuse(observer.actor, `read of ${length} bytes at ${hex(address)}: not all of them are RAM`);
      bytes.fill(0xff);
    }
    this.#done('load', address, length, 0, digest(bytes));
    return bytes;
  }

  write(address: Pa, bytes: Uint8Array): void {
    if (!this.#on.memory.write(address, bytes)) {
      const { observer } = this.#on;
      observer.misuse(observer.actor, `write of ${bytes.length} bytes at ${hex(address)}: not all of them are RAM`);
    }
    this.#done('store', address, bytes.length, 0, digest(bytes));
  }

  changed(): readonly ByteRange[] {
    return this.#on.memory.changed();
  }

  peek(address: Pa, length: number): Uint8Array {
    const bytes = new Uint8Array(length);
    if (!this.#on.memory.read(address, bytes)) throw new RangeError(`no RAM of ${length} bytes at ${hex(address)}`);
    return bytes;
  }

  poke(address: Pa, bytes: Uint8Array): void {
    if (!this.#on.memory.poke(address, bytes))
      throw new RangeError(`no RAM of ${bytes.length} bytes at ${hex(address)}`);
  }
}

/** How long an access to a device's registers takes, in accesses to memory: it goes out to the device and back. */
const REGISTER_ACCESS = 8;

/** {@link MmioPort} over the bus. */
export class BoardMmio implements MmioPort {
  readonly #on: Interconnect;
  readonly #config: readonly Region[];
  readonly #cpus: Initiator[] = [];

  constructor(on: Interconnect, config: readonly Region[]) {
    this.#on = on;
    this.#config = config;
  }

  #done(write: boolean, address: number, width: number, hi: number, lo: number): void {
    let isConfig = false;
    for (const r of this.#config) if (address >= r.address && address < r.address + r.size) isConfig = true;
    const kind = isConfig ? (write ? 'config write' : 'config read') : write ? 'register write' : 'register read';
    this.#on.latency.tick(REGISTER_ACCESS);
    this.#on.observer.access(kind, address, width, hi, lo);
  }

  #abort(what: string, address: number, width: number, reason: string): void {
    const { bus, observer } = this.#on;
    const where = bus.nameAt(address);
    observer.misuse(
      observer.actor,
      `${what} of ${width} bytes at ${hex(address)}${where === undefined ? '' : ` (${where})`}: ${reason}`,
    );
  }

  #initiator(cpu: number): Initiator {
    this.#cpus[cpu] ??= { cpu };
    return this.#cpus[cpu];
  }

  #read(address: number, width: 1 | 2 | 4 | 8, cpu: number): Value64 {
    const { bus, memory } = this.#on;
    const result = memory.contains(address, 1) ? 'RAM is no device' : bus.read(address, width, this.#initiator(cpu));
    const isAborted = typeof result === 'string';
    const hi = isAborted ? 0xffff_ffff : result.hi;
    const lo = isAborted ? ALL_ONES[width] : result.value;
    if (isAborted) this.#abort('device read', address, width, result);
    this.#done(false, address, width, width === 8 ? hi : 0, lo);
    return { hi, lo };
  }

  #write(address: number, width: 1 | 2 | 4 | 8, hi: number, lo: number, cpu: number): void {
    const { bus, memory } = this.#on;
    const from = this.#initiator(cpu);
    const error = memory.contains(address, 1) ? 'RAM is no device' : bus.write(address, width, lo, hi, from);
    if (error !== undefined) this.#abort('device write', address, width, error);
    this.#done(true, address, width, hi >>> 0, lo >>> 0);
  }

  read(address: Pa, width: 1 | 2 | 4, cpu = 0): number {
    return this.#read(address, width, cpu).lo;
  }

  write(address: Pa, width: 1 | 2 | 4, value: number, cpu = 0): void {
    this.#write(address, width, 0, value, cpu);
  }

  read64(address: Pa, cpu = 0): Value64 {
    return this.#read(address, 8, cpu);
  }

  write64(address: Pa, hi: number, lo: number, cpu = 0): void {
    this.#write(address, 8, hi, lo, cpu);
  }
}
