/** A vCPU as the guest's own code uses it: loads, stores, fetches, registers of its interrupt interface. */
import { TWO_32 } from '../../src/hw/address.js';
import type { IccRegister } from '../../src/hw/interrupt.js';
import type { GuestResult, Machine, Value64 } from '../../src/hw/machine.js';
import type { Hypervisor } from '../../src/xen/hypervisor.js';

/** One vCPU. It is put on a CPU before each thing that it does. */
export class GuestCpu {
  readonly domid: number;
  readonly vcpu: number;
  readonly #machine: Machine;
  readonly #xen: Hypervisor;

  constructor(machine: Machine, xen: Hypervisor, domid: number, vcpu: number) {
    this.#machine = machine;
    this.#xen = xen;
    this.domid = domid;
    this.vcpu = vcpu;
  }

  /** The CPU that it is on now; undefined if there is no such vCPU. */
  get cpu(): number | undefined {
    return this.#xen.schedule({ domid: this.domid, vcpu: this.vcpu });
  }

  /** An access of 1, 2, 4 or 8 bytes. */
  access(
    kind: 'load' | 'store' | 'fetch',
    address: number,
    width: 1 | 2 | 4 | 8,
    value: Value64 = { hi: 0, lo: 0 },
  ): GuestResult {
    const { cpu } = this;
    if (cpu === undefined) return { ok: false };
    return this.#machine.cpus.guest(cpu, {
      kind,
      hi: Math.floor(address / TWO_32),
      lo: address >>> 0,
      width,
      valueHi: value.hi,
      valueLo: value.lo,
    });
  }

  /** Loads up to 32 bits. Undefined: it was given an abort. */
  load(address: number, width: 1 | 2 | 4 = 4): number | undefined {
    const result = this.access('load', address, width);
    return result.ok ? result.lo : undefined;
  }

  /** Loads 64 bits. Undefined: it was given an abort. */
  load64(address: number): Value64 | undefined {
    const result = this.access('load', address, 8);
    return result.ok ? { hi: result.hi, lo: result.lo } : undefined;
  }

  /** Stores up to 32 bits. False: it was given an abort. */
  store(address: number, value: number, width: 1 | 2 | 4 = 4): boolean {
    return this.access('store', address, width, { hi: 0, lo: value >>> 0 }).ok;
  }

  /** Stores 64 bits, given as a number below 2^53 or as halves. False: it was given an abort. */
  store64(address: number, value: number | Value64): boolean {
    const halves = typeof value === 'number' ? { hi: Math.floor(value / TWO_32), lo: value >>> 0 } : value;
    return this.access('store', address, 8, halves).ok;
  }

  /** Reads a register of its interrupt interface, lower half. Undefined: it took an exception. */
  read(register: IccRegister): number | undefined {
    const { cpu } = this;
    return cpu === undefined ? undefined : this.#machine.cpus.guestRead(cpu, register)?.lo;
  }

  /** Writes a register of its interrupt interface. False: it took an exception. */
  write(register: IccRegister, lo: number, hi = 0): boolean {
    const { cpu } = this;
    return cpu === undefined ? false : this.#machine.cpus.guestWrite(cpu, register, hi, lo >>> 0);
  }

  /** Whether an interrupt is signalled to it, once its CPU has taken what is pending there. */
  get interrupted(): boolean {
    const { cpu } = this;
    if (cpu === undefined) return false;
    this.#machine.cpus.takeInterrupts(cpu);
    return this.#machine.cpus.virtualInterrupt(cpu);
  }
}
