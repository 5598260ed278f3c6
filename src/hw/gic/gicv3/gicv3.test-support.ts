/** A GICv3 on a bus of its own, for tests that know its registers by their offsets. */
import { pa } from '../../address.js';
import { Bus } from '../../bus.js';
import type { GicSystemRegister, IccRegister } from '../../interrupt.js';
import { Latency } from '../../latency.js';
import { PhysicalMemory } from '../../memory.js';
import { Observer, type Problem } from '../../observer.js';
import { Gicv3, type Gicv3Options } from './gicv3.js';

/** Where its memory is, and its first redistributor. */
export const RAM = 0x8000_0000;
export const REDISTRIBUTORS = 0x080a_0000;

/** A controller, with short ways to its registers. */
export function gicv3(options: Partial<Gicv3Options> & { lag?: number } = {}) {
  const problems: Problem[] = [];
  const memory = new PhysicalMemory();
  memory.addRange(pa(RAM), 0x100_0000);
  const bus = new Bus(memory);
  const observer = new Observer({ problem: (problem) => problems.push(problem) });
  const latency = new Latency(1, options.lag ?? 0);
  const gic = new Gicv3({
    name: 'gic',
    cpus: 2,
    spis: 64,
    redistributorBase: REDISTRIBUTORS,
    bus,
    observer,
    latency,
    ...options,
  });
  const cpu = (number: number) => gic.interfaces[number] as (typeof gic.interfaces)[number];
  const machine = {
    gic,
    memory,
    latency,
    problems,
    /** The distributor. */
    read: (offset: number, width: 1 | 2 | 4 = 4) => gic.distributor.readRegister(offset, width) ?? -1,
    write: (offset: number, value: number, width: 1 | 2 | 4 = 4) => gic.distributor.writeRegister(offset, width, value),
    /** A redistributor: RD_base, and SGI_base from 0x10000. */
    readR: (number: number, offset: number) => gic.redistributors.readRegister(number * 0x2_0000 + offset, 4) ?? -1,
    writeR: (number: number, offset: number, value: number, width: 1 | 2 | 4 = 4) =>
      gic.redistributors.writeRegister(number * 0x2_0000 + offset, width, value),
    sys: (number: number, register: GicSystemRegister) => cpu(number).readSystem(register)?.lo ?? -1,
    set: (number: number, register: GicSystemRegister, lo: number, hi = 0) => cpu(number).writeSystem(register, hi, lo),
    /** As a guest on the CPU sees it. */
    guest: (number: number, register: IccRegister) => cpu(number).readVirtual(register)?.lo ?? -1,
    setGuest: (number: number, register: IccRegister, lo: number) => cpu(number).writeVirtual(register, 0, lo),
    cpu,
    line: (spi: number) => {
      const line = gic.line([0, spi, 4]);
      if (line === undefined) throw new Error(`no SPI ${spi}`);
      return line;
    },
    /** Both PEs awake, everything in group 1 and let through. */
    start() {
      machine.write(0x0, 0x12); // GICD_CTLR: EnableGrp1, ARE
      for (const number of [0, 1]) {
        machine.writeR(number, 0x14, 0); // GICR_WAKER
        machine.set(number, 'ICC_PMR_EL1', 0xff);
        machine.set(number, 'ICC_IGRPEN1_EL1', 1);
      }
      for (let word = 1; word <= 2; word++) machine.write(0x80 + word * 4, 0xffff_ffff); // IGROUPR
      return machine;
    },
    /** Enables SPI n (INTID 32 + n) of group 1 at a priority, for a PE. */
    enable(spi: number, priority = 0xa0, target = 0, edge = false) {
      const intid = 32 + spi;
      const config = 0xc00 + (intid >> 4) * 4;
      const bit = 2 << ((intid & 15) * 2);
      machine.write(config, edge ? machine.read(config) | bit : machine.read(config) & ~bit);
      machine.write(0x400 + intid, priority, 1);
      machine.write(0x6000 + intid * 8, target);
      machine.write(0x100 + (intid >> 5) * 4, 1 << (intid & 31));
    },
    pending: (intid: number) => (machine.read(0x200 + (intid >> 5) * 4) >>> (intid & 31)) & 1,
    active: (intid: number) => (machine.read(0x300 + (intid >> 5) * 4) >>> (intid & 31)) & 1,
  };
  return machine;
}
