/**
 * The system bus: one visible map from physical addresses to RAM and device registers.
 *
 * It has four errors and no more: a range that overlaps another, a range that is no range, an access to an address
 * where nothing is, and an access whose length or alignment its target does not take. The first two are mistakes of
 * who builds the machine and throw; the last two happen on the wire and are values.
 */
import { hex, type Pa } from './address.js';
import type { PhysicalMemory } from './memory.js';

/** Width of a register access in bytes. 8-byte accesses reach a device as two of 4, the lower half first. */
export type Width = 1 | 2 | 4 | 8;

/**
 * Who makes an access, for the few devices that ask: banked registers tell CPUs apart, and an interrupt translation service
 * knows a message by its device.
 */
export interface Initiator {
  /** Number of the CPU. */
  readonly cpu?: number;
  /** DeviceID that the system gives the requester of a message (Arm IHI 0069 5.2); never part of the data. */
  readonly deviceId?: number;
}

/** A device with registers. Offsets are relative to its region; values are unsigned 32-bit numbers. */
export interface RegisterDevice {
  /** Reads 1, 2 or 4 naturally aligned bytes. Undefined: the device does not take such an access there. */
  readRegister(offset: number, width: 1 | 2 | 4, from?: Initiator): number | undefined;
  /** Writes 1, 2 or 4 naturally aligned bytes. False: the device does not take such an access there. */
  writeRegister(offset: number, width: 1 | 2 | 4, value: number, from?: Initiator): boolean;
}

/** Why an access failed on the wire. */
export type AccessError = 'device not found' | 'invalid access length';

/** Why a region was refused. */
export class BusMapError extends Error {
  readonly code: 'device overlap' | 'invalid range';
  constructor(code: 'device overlap' | 'invalid range', message: string) {
    super(message);
    this.name = 'BusMapError';
    this.code = code;
  }
}

interface Region {
  readonly name: string;
  readonly base: number;
  readonly size: number;
  readonly device: RegisterDevice;
}

/** The result of a read: a number, or why there is none. */
export type ReadResult = { readonly value: number; readonly hi: number } | AccessError;

/** The system bus. RAM is part of the map through {@link PhysicalMemory}'s ranges. */
export class Bus {
  readonly memory: PhysicalMemory;
  #regions: Region[] = [];
  /** Where the last access went: the next one often goes there too. */
  #last: Region | undefined;

  constructor(memory: PhysicalMemory) {
    this.memory = memory;
  }

  /** The regions of the map, RAM included, by address: what a board prints as its memory map. */
  get map(): readonly { readonly name: string; readonly base: number; readonly size: number }[] {
    return [
      ...this.#regions.map(({ name, base, size }) => ({ name, base, size })),
      ...this.memory.ranges.map((r) => ({ name: 'RAM', base: r.address as number, size: r.length })),
    ].sort((a, b) => a.base - b.base);
  }

  /**
   * Puts a device on the bus.
   * @throws BusMapError if the range is empty or beyond 52 bits, or overlaps another region, naming both.
   */
  add(name: string, base: Pa, size: number, device: RegisterDevice): void {
    if (!Number.isInteger(size) || size <= 0 || base < 0 || base + size > 2 ** 52) {
      throw new BusMapError('invalid range', `${name} at ${hex(base)}, size ${size}, is no range of the address space`);
    }
    const overlaps = (other: { readonly base: number; readonly size: number }) =>
      base < other.base + other.size && other.base < base + size;
    if (this.#regions.some(overlaps) || this.memory.ranges.some((r) => overlaps({ base: r.address, size: r.length }))) {
      const other = this.map.find(overlaps) as { readonly name: string; readonly base: number; readonly size: number };
      throw new BusMapError(
        'device overlap',
        `${name} at ${hex(base)}, size ${hex(size)}, overlaps ${other.name} at ${hex(other.base)}, size ${hex(other.size)}`,
      );
    }
    this.#regions.push({ name, base, size, device });
    this.#regions.sort((a, b) => a.base - b.base);
  }

  /** Takes a device off the bus (a BAR that moves, a device that is removed). */
  remove(base: Pa): void {
    this.#regions = this.#regions.filter((region) => region.base !== base);
    this.#last = undefined;
  }

  /** The name of what is at an address, or undefined. */
  nameAt(address: number): string | undefined {
    return this.#find(address)?.name ?? (this.memory.contains(address, 1) ? 'RAM' : undefined);
  }

  #find(address: number): Region | undefined {
    const last = this.#last;
    if (last !== undefined && address >= last.base && address < last.base + last.size) return last;
    for (const region of this.#regions) {
      if (address < region.base || address >= region.base + region.size) continue;
      this.#last = region;
      return region;
    }
    return undefined;
  }

  /** Reads 1, 2, 4 or 8 naturally aligned bytes of RAM or of a device. */
  read(address: number, width: Width, from?: Initiator): ReadResult {
    if (address % width !== 0) return 'invalid access length';
    const region = this.#find(address);
    if (region === undefined) {
      const bytes = new Uint8Array(8);
      if (!this.memory.read(address, bytes.subarray(0, width))) return 'device not found';
      const view = new DataView(bytes.buffer);
      return { value: view.getUint32(0, true), hi: view.getUint32(4, true) };
    }
    const offset = address - region.base;
    if (offset + width > region.size) return 'invalid access length';
    const value = region.device.readRegister(offset, width === 8 ? 4 : width, from);
    if (value === undefined) return 'invalid access length';
    if (width !== 8) return { value, hi: 0 };
    const hi = region.device.readRegister(offset + 4, 4, from);
    return hi === undefined ? 'invalid access length' : { value, hi };
  }

  /** Writes 1, 2, 4 or 8 naturally aligned bytes to RAM or a device. Undefined: it was taken. */
  write(address: number, width: Width, value: number, hi = 0, from?: Initiator): AccessError | undefined {
    if (address % width !== 0) return 'invalid access length';
    const region = this.#find(address);
    if (region === undefined) {
      const bytes = new Uint8Array(8);
      const view = new DataView(bytes.buffer);
      view.setUint32(0, value >>> 0, true);
      view.setUint32(4, hi >>> 0, true);
      return this.memory.write(address, bytes.subarray(0, width)) ? undefined : 'device not found';
    }
    const offset = address - region.base;
    if (offset + width > region.size) return 'invalid access length';
    if (width !== 8)
      return region.device.writeRegister(offset, width, value >>> 0, from) ? undefined : 'invalid access length';
    const taken =
      region.device.writeRegister(offset, 4, value >>> 0, from) &&
      region.device.writeRegister(offset + 4, 4, hi >>> 0, from);
    return taken ? undefined : 'invalid access length';
  }

  /**
   * Moves the bytes of a device's request to or from RAM or device registers at a physical address.
   * @returns false if any byte has no target: the whole request is aborted (writes may have reached what came before).
   */
  transfer(address: number, data: Uint8Array, write: boolean, from?: Initiator): boolean {
    if (write ? this.memory.write(address, data) : this.memory.read(address, data)) return true;
    for (let done = 0; done < data.length; ) {
      const at = address + done;
      const left = data.length - done;
      const width: Width = at % 4 === 0 && left >= 4 ? 4 : at % 2 === 0 && left >= 2 ? 2 : 1;
      const view = new DataView(data.buffer, data.byteOffset + done, width);
      if (write) {
        const value = width === 4 ? view.getUint32(0, true) : width === 2 ? view.getUint16(0, true) : view.getUint8(0);
        if (this.write(at, width, value, 0, from) !== undefined) return false;
      } else {
        const result = this.read(at, width, from);
        if (typeof result === 'string') return false;
        if (width === 4) view.setUint32(0, result.value, true);
        else if (width === 2) view.setUint16(0, result.value, true);
        else view.setUint8(0, result.value);
      }
      done += width;
    }
    return true;
  }
}
