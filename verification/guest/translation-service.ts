/**
 * A guest's driver of its interrupt translation service: Arm IHI 0069, chapter 5 (LPIs, tables), 5.3 (commands), 12.19
 * (registers). Positions are restated by hand.
 */
import type { DeviceTree } from '../../src/firmware/tree.js';
import type { GuestCpu } from './guest-cpu.js';
import type { GuestInterruptController } from './interrupt-controller.js';

const GITS = { CTLR: 0x0, TYPER: 0x8, CBASER: 0x80, CWRITER: 0x88, CREADR: 0x90, BASER: 0x100 } as const;
/** GITS_TRANSLATER, in the second frame of 64 KiB. */
export const TRANSLATER = 0x1_0040;
const VALID_HI = 0x8000_0000;
const COMMAND_BYTES = 32;
const QUEUE_BYTES = 4096;
const TABLE = { DEVICES: 1, COLLECTIONS: 4 } as const;
const FIRST_LPI = 8192;
/** INTIDs of 14 bits: 8192 LPIs. */
const INTID_BITS = 14;
/** Priority in 7:2 and enable in 0 of a property byte; bit 1 is one. */
const property = (priority: number, enabled: boolean) => (priority & 0xfc) | 2 | (enabled ? 1 : 0);

/** Guest memory that the driver may use: 512 KiB, from a multiple of 64 KiB. */
interface Room {
  readonly queue: number;
  readonly properties: number;
  readonly pending: number;
  readonly devices: number;
  readonly collections: number;
  readonly tables: number;
}

/** The driver. */
export class GuestTranslationService {
  readonly #cpu: GuestCpu;
  readonly #base: number;
  readonly #room: Room;
  #write = 0;
  #nextTable: number;

  /**
   * Brings the service up: tables, command queue, LPIs of every vCPU, and one collection for each vCPU.
   * @param tree the guest's own device tree
   * @param room guest address of 1 MiB of its memory, a multiple of 64 KiB, that the driver may use
   * @throws Error if the tree describes none
   */
  constructor(tree: DeviceTree, cpu: GuestCpu, controller: GuestInterruptController, room: number, vcpus: number = 1) {
    const [region] = tree.compatible('arm,gic-v3-its')[0]?.reg() ?? [];
    if (region === undefined) throw new Error("the guest's tree has no translation service");
    this.#cpu = cpu;
    this.#base = region.address;
    this.#room = {
      queue: room,
      properties: room + 0x1_0000,
      pending: room + 0x2_0000,
      devices: room + 0x6_0000,
      collections: room + 0x7_0000,
      tables: room + 0x8_0000,
    };
    this.#nextTable = this.#room.tables;
    cpu.store64(this.#base + GITS.CBASER, { hi: VALID_HI, lo: this.#room.queue + QUEUE_BYTES / 4096 - 1 });
    cpu.store64(this.#base + GITS.CWRITER, 0);
    for (let index = 0; index < 8; index++) this.#giveTable(this.#base + GITS.BASER + index * 8);
    cpu.store(this.#base + GITS.CTLR, 1);
    for (let vcpu = 0; vcpu < vcpus; vcpu++) {
      controller.startLpis(vcpu, this.#room.properties, this.#room.pending + vcpu * 0x1_0000, INTID_BITS);
      this.mapCollection(vcpu, vcpu);
    }
    this.sync(0);
  }

  #giveTable(register: number): void {
    const type = ((this.#cpu.load64(register)?.hi ?? 0) >>> 24) & 7;
    const place = type === TABLE.DEVICES ? this.#room.devices : type === TABLE.COLLECTIONS ? this.#room.collections : 0;
    // Sixteen pages of 4 KiB.
    if (place !== 0) this.#cpu.store64(register, { hi: VALID_HI, lo: place + 15 });
  }

  /** Where the service takes messages, as the guest tells a device: the doorbell. */
  get doorbell(): number {
    return this.#base + TRANSLATER;
  }

  /** Gives a command: four doublewords as halves, lower first. */
  command(...words: readonly number[]): void {
    const at = this.#room.queue + this.#write;
    for (let index = 0; index < 4; index++) {
      this.#cpu.store64(at + index * 8, { lo: (words[index * 2] ?? 0) >>> 0, hi: (words[index * 2 + 1] ?? 0) >>> 0 });
    }
    this.#write = (this.#write + COMMAND_BYTES) % QUEUE_BYTES;
    this.#cpu.store64(this.#base + GITS.CWRITER, this.#write);
  }

  /** Whether the service has consumed every command: CREADR is where CWRITER is, and not stalled. */
  get idle(): boolean {
    return (this.#cpu.load64(this.#base + GITS.CREADR)?.lo ?? -1) === this.#write;
  }

  /** MAPC: a collection of interrupts to a vCPU. */
  mapCollection(collection: number, vcpu: number): void {
    this.command(0x09, 0, 0, 0, ((vcpu << 16) | collection) >>> 0, VALID_HI);
  }

  /** MAPD: a device with 2^bits events. `table` is where its translations are kept; fresh memory if absent. */
  mapDevice(deviceId: number, bits: number, table = this.#takeTable(bits)): void {
    this.command(0x08, deviceId, bits - 1, 0, table >>> 0, VALID_HI);
  }

  #takeTable(bits: number): number {
    const table = this.#nextTable;
    this.#nextTable += Math.max(256, Math.ceil((16 * 2 ** bits) / 256) * 256);
    return table;
  }

  /** MAPD without V: the device and all its events are gone. */
  unmapDevice(deviceId: number): void {
    this.command(0x08, deviceId, 0, 0, 0, 0);
  }

  /** MAPTI: an event of a device to an LPI of a collection. */
  mapEvent(deviceId: number, event: number, lpi: number, collection = 0): void {
    this.command(0x0a, deviceId, event, lpi, collection, 0);
  }

  /** MOVI: an event to another collection. */
  moveEvent(deviceId: number, event: number, collection: number): void {
    this.command(0x01, deviceId, event, 0, collection, 0);
  }

  /** DISCARD: an event. */
  discardEvent(deviceId: number, event: number): void {
    this.command(0x0f, deviceId, event, 0);
  }

  /** INT: an event as if the device had sent it. */
  raise(deviceId: number, event: number): void {
    this.command(0x03, deviceId, event, 0);
  }

  /** Sets the property byte of an LPI, and has the service look at it (INV). */
  configure(deviceId: number, event: number, lpi: number, enabled: boolean, priority = 0xa0): void {
    this.#cpu.store(this.#room.properties + lpi - FIRST_LPI, property(priority, enabled), 1);
    this.command(0x0c, deviceId, event, 0);
  }

  /** SYNC for a vCPU. */
  sync(vcpu = 0): void {
    this.command(0x05, 0, 0, 0, (vcpu << 16) >>> 0, 0);
  }
}
