/**
 * Redistributors: Arm IHI 0069 12.10, 12.11 (registers), 11.1 (power: waking one), 12.1 (their frames lie one after another,
 * up to the one that says that it is the last).
 */
import { pa } from '../../../hw/address.js';
import { get, put } from '../../../hw/bits.js';
import {
  GICR,
  GICR_BYTES,
  GICR_CTLR,
  GICR_SGI,
  GICR_TYPER,
  GICR_WAKER,
  SGI_BASE,
} from '../../../hw/gic/gicv3/layout.js';
import { failure } from '../../errno.js';
import { print, type Xen } from '../../xen.js';
import { type Gic, inEveryByte, PATIENCE, PRIORITY, type Redistributor } from '../driver.js';

/** Redistributors of a GICv4 have two more frames. */
const GICV4_BYTES = 2 * GICR_BYTES;
const ALL = 0xffff_ffff;
const SGI_BITS = 0x0000_ffff;
const PPI_BITS = 0xffff_0000;
/** INTIDs whose priorities are in one register. */
const PRIORITIES = 4;
const LOCAL = 32;
const FIRST_PPI = 16;

/** Reads a register of a CPU's redistributor. */
export function readRedistributor(xen: Xen, address: number, offset: number): number {
  return xen.machine.mmio.read(pa(address + offset), 4, xen.cpu);
}

/** Writes a register of a CPU's redistributor. */
export function writeRedistributor(xen: Xen, address: number, offset: number, value: number): void {
  xen.machine.mmio.write(pa(address + offset), 4, value >>> 0, xen.cpu);
}

/** The redistributor of a CPU: the frame whose GICR_TYPER has the CPU's affinity. Undefined: there is none. */
export function findRedistributor(xen: Xen, gic: Gic, cpu: number): Redistributor | undefined {
  const wanted = xen.steps.gicv3.affinity(xen, cpu);
  for (const region of gic.redistributorRegions) {
    for (let address = region.address; address + GICR_BYTES <= region.address + region.size; ) {
      const { hi, lo } = xen.machine.mmio.read64(pa(address + GICR.TYPER), xen.cpu);
      const typer = Uint32Array.of(lo, hi);
      const { Aff0, Aff1, Aff2, Aff3 } = GICR_TYPER;
      const isOwn =
        get(typer, Aff0) === wanted.Aff0 &&
        get(typer, Aff1) === wanted.Aff1 &&
        get(typer, Aff2) === wanted.Aff2 &&
        get(typer, Aff3) === wanted.Aff3;
      if (isOwn) {
        const processorNumber = get(typer, GICR_TYPER.Processor_Number);
        return { cpu, address, processorNumber, lpis: get(typer, GICR_TYPER.PLPIS) === 1 };
      }
      if (get(typer, GICR_TYPER.Last) === 1) break;
      const frames = get(typer, GICR_TYPER.VLPIS) === 1 ? GICV4_BYTES : GICR_BYTES;
      address += gic.redistributorStride === 0 ? frames : gic.redistributorStride;
    }
  }
  return undefined;
}

/**
 * Reads a register until a field is 0.
 * @returns 0, or -EIO if it never was
 */
function awaitZero(xen: Xen, address: number, offset: number, field: typeof GICR_CTLR.RWP): number {
  for (let i = 0; i < PATIENCE; i++) {
    if (get(Uint32Array.of(xen.steps.gicv3.readRedistributor(xen, address, offset)), field) === 0) return 0;
  }
  print(xen, `GICv3: redistributor 0x${address.toString(16)} does not answer (${field.name})`);
  return failure('EIO');
}

/** Waits until what was disabled here is not offered any more. Returns 0 or -EIO. */
export function awaitRedistributor(xen: Xen, address: number): number {
  return awaitZero(xen, address, GICR.CTLR, GICR_CTLR.RWP);
}

/** Wakes a redistributor: from now on it forwards interrupts to its CPU. Returns 0 or -EIO. */
export function wakeRedistributor(xen: Xen, address: number): number {
  const { readRedistributor, writeRedistributor } = xen.steps.gicv3;
  const waker = Uint32Array.of(readRedistributor(xen, address, GICR.WAKER));
  put(waker, GICR_WAKER.ProcessorSleep, 0);
  writeRedistributor(xen, address, GICR.WAKER, waker[0] as number);
  return awaitZero(xen, address, GICR.WAKER, GICR_WAKER.ChildrenAsleep);
}

/** SGIs on, PPIs off, all inactive, of group 1. Returns 0 or -EIO. */
export function initLocalInterrupts(xen: Xen, address: number): number {
  const { writeRedistributor, awaitRedistributor } = xen.steps.gicv3;
  const sgi = address + SGI_BASE;
  for (let irq = 0; irq < LOCAL; irq += PRIORITIES) {
    const priority = irq < FIRST_PPI ? PRIORITY.IPI : PRIORITY.IRQ;
    writeRedistributor(xen, sgi, GICR_SGI.IPRIORITYR0 + irq, inEveryByte(priority));
  }
  writeRedistributor(xen, sgi, GICR_SGI.ICENABLER0, PPI_BITS);
  const error = awaitRedistributor(xen, address);
  writeRedistributor(xen, sgi, GICR_SGI.ICACTIVER0, ALL);
  writeRedistributor(xen, sgi, GICR_SGI.IGROUPR0, ALL);
  writeRedistributor(xen, sgi, GICR_SGI.ISENABLER0, SGI_BITS);
  return error;
}

/**
 * Brings up what belongs to one CPU: its redistributor, its CPU interface, its virtual interface.
 * @returns 0; -ENODEV without a redistributor; -EIO
 */
export function initCpu(xen: Xen, gic: Gic, cpu: number): number {
  const { gicv3 } = xen.steps;
  const redistributor = gicv3.findRedistributor(xen, gic, cpu);
  if (redistributor === undefined) {
    print(xen, `GICv3: CPU ${cpu} has no redistributor`);
    return failure('ENODEV');
  }
  gic.redistributors[cpu] = redistributor;
  const error =
    gicv3.wakeRedistributor(xen, redistributor.address) ||
    gicv3.initLocalInterrupts(xen, redistributor.address) ||
    gicv3.initCpuInterface(xen, cpu);
  if (error === 0) gicv3.initVirtualInterface(xen, gic, cpu);
  return error;
}
