/**
 * One PE's share of a GICv3: its redistributor, its physical and its virtual CPU interface, and how they connect. Arm IHI
 * 0069, chapter 3.
 */

import type { CpuInterface, GicSystemRegister, IccRegister } from '../../interrupt.js';
import type { Latency } from '../../latency.js';
import type { Value64 } from '../../machine.js';
import type { PhysicalMemory } from '../../memory.js';
import { implementedControl, PhysicalInterface, type PhysicalSource, type SavedInterface } from './cpu-interface.js';
import type { Distributor } from './distributor.js';
import type { InterruptBank } from './interrupt-bank.js';
import { FIRST_LPI, FIRST_SPECIAL, FIRST_SPI, GICR_BYTES, MAINTENANCE_INTID } from './layout.js';
import { type Group, type HighestPending, priorityMask } from './priorities.js';
import { Redistributor, type SavedRedistributor } from './redistributor.js';
import { type SavedVirtualControl, VirtualControl } from './virtual-control.js';
import { VirtualInterface } from './virtual-interface.js';

/** PEs of one value of Aff1: those that ICC_SGI1R_EL1.TargetList has room for. */
export const CLUSTER = 16;

/** What every PE of a controller has in common. */
export interface PeOptions {
  readonly cpus: number;
  readonly lpis: boolean;
  readonly directLpi: boolean;
  readonly idBits: number;
  readonly listRegisters: number;
  readonly priorityBits: number;
  readonly redistributorBase: number;
  readonly memory: PhysicalMemory;
  readonly latency: Latency;
}

/** What a PE's share asks of the whole. */
export interface Shared {
  readonly distributor: Distributor;
  changed(): void;
  generate(from: number, group: Group, intid: number, hi: number, lo: number): void;
  event(name: string, text: string): void;
  misuse(text: string): void;
}

/** A PE's share as saved. */
export interface SavedPe {
  readonly redistributor: SavedRedistributor;
  readonly physical: SavedInterface;
  readonly virtual: SavedVirtualControl;
}

/** One PE's share of the controller, and its interface to it. */
export class ProcessingElement implements CpuInterface, PhysicalSource {
  readonly redistributor: Redistributor;
  readonly physical: PhysicalInterface;
  readonly control: VirtualControl;
  readonly virtual: VirtualInterface;
  readonly #gic: Shared;
  readonly #number: number;

  constructor(gic: Shared, number: number, options: PeOptions) {
    const { latency, priorityBits, idBits } = options;
    this.#gic = gic;
    this.#number = number;
    this.physical = new PhysicalInterface(this, priorityBits, idBits);
    this.redistributor = new Redistributor({
      number,
      address: options.redistributorBase + number * GICR_BYTES,
      aff0: number % CLUSTER,
      aff1: Math.floor(number / CLUSTER),
      last: number === options.cpus - 1,
      lpis: options.lpis,
      directLpi: options.directLpi,
      memory: options.memory,
      idBits,
      priorityBits: priorityMask(priorityBits),
      disabling: latency.source(),
      invalidating: latency.source(),
      sleeping: latency.source(),
      changed: () => this.physical.changed(),
      slept: () => gic.changed(),
      misuse: (text) => this.misuse(text),
    });
    this.control = new VirtualControl(
      {
        maintenance: (level) => this.redistributor.bank.setLine(MAINTENANCE_INTID, level),
        misuse: (text) => this.misuse(text),
      },
      options.listRegisters,
      priorityBits,
      idBits > 16 ? 24 : 16,
    );
    this.virtual = new VirtualInterface(
      this.control,
      {
        acknowledged: (intid) => this.#event('virtual acknowledge', intid),
        deactivated: (intid) => this.#event('virtual deactivate', intid),
        deactivate: (intid) => this.deactivate(intid),
      },
      implementedControl(priorityBits, idBits),
    );
  }

  // ---- CpuInterface ----

  get irq(): boolean {
    return this.physical.irq;
  }

  get fiq(): boolean {
    return this.physical.fiq;
  }

  get virq(): boolean {
    return this.virtual.virq;
  }

  get vfiq(): boolean {
    return this.virtual.vfiq;
  }

  readSystem(register: GicSystemRegister): Value64 | undefined {
    return (this.physical.ports.get(register) ?? this.control.ports.get(register))?.read?.();
  }

  writeSystem(register: GicSystemRegister, hi: number, lo: number): boolean {
    const write = (this.physical.ports.get(register) ?? this.control.ports.get(register))?.write;
    write?.(hi >>> 0, lo >>> 0);
    return write !== undefined;
  }

  readVirtual(register: IccRegister): Value64 | undefined {
    return this.virtual.ports.get(register)?.read?.();
  }

  writeVirtual(register: IccRegister, hi: number, lo: number): boolean {
    const write = this.virtual.ports.get(register)?.write;
    write?.(hi >>> 0, lo >>> 0);
    return write !== undefined;
  }

  // ---- PhysicalSource ----

  offer(group0: boolean, group1: boolean, best: HighestPending): void {
    if (!this.redistributor.isAwake) return;
    const { distributor } = this.#gic;
    const takes0 = group0 && distributor.forwards(0);
    const takes1 = group1 && distributor.forwards(1);
    const { bank, lpis } = this.redistributor;
    const group = bank.group[0] as number;
    bank.offer(0, bank.candidates(0) & ((takes1 ? group : 0) | (takes0 ? ~group : 0)), best);
    if (takes1) lpis.offer(best);
    distributor.offer(this.#number, takes0, takes1, best);
  }

  /** The bank that an SGI, PPI or SPI is in. */
  #bank(intid: number): InterruptBank {
    return intid < FIRST_SPI ? this.redistributor.bank : this.#gic.distributor.bank;
  }

  acknowledge(intid: number): void {
    if (intid >= FIRST_LPI) this.redistributor.lpis.clearPending(intid);
    else this.#bank(intid).acknowledge(intid);
    this.#event('acknowledge', intid);
  }

  isActive(intid: number): boolean {
    return intid < FIRST_SPECIAL && this.#bank(intid).isActive(intid);
  }

  deactivate(intid: number): void {
    if (!this.isActive(intid)) return;
    this.#bank(intid).deactivate(intid);
    this.#event('deactivate', intid);
  }

  generate(group: Group, intid: number, hi: number, lo: number): void {
    this.#gic.generate(this.#number, group, intid, hi, lo);
  }

  enabled(): void {
    this.#gic.changed();
  }

  misuse(text: string): void {
    this.#gic.misuse(`${text} (cpu ${this.#number})`);
  }

  /** Takes part in the choice of one PE among N. */
  takesPart(group: Group): boolean {
    return this.redistributor.isAwake && this.physical.takes(group);
  }

  #event(name: string, intid: number): void {
    this.#gic.event(name, `INTID ${intid}, cpu ${this.#number}`);
  }

  save(): SavedPe {
    return {
      redistributor: this.redistributor.save(),
      physical: this.physical.save(),
      virtual: this.control.save(),
    };
  }

  load(saved: SavedPe): void {
    this.control.load(saved.virtual);
    this.physical.load(saved.physical);
    this.redistributor.load(saved.redistributor);
  }
}
