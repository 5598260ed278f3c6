/**
 * The distributor: Arm IHI 0069 12.8, 12.9. The controller has one Security state, or Xen sees the Non-secure side of it:
 * interrupts are of group 1, with affinity routing.
 */
import type { DeviceNode } from '../../../firmware/tree.js';
import { pa } from '../../../hw/address.js';
import { encode, get } from '../../../hw/bits.js';
import {
  GICD,
  GICD_CTLR,
  GICD_IROUTER,
  GICD_TYPER,
  GICR_SGI,
  ICC_IAR,
  ICFGR_EDGE,
  SGI_BASE,
} from '../../../hw/gic/gicv3/layout.js';
import { failure } from '../../errno.js';
import { print, type Xen } from '../../xen.js';
import {
  FIRST_SPI,
  type Gic,
  type IrqType,
  inEveryByte,
  PATIENCE,
  PRIORITY,
  registerOf,
  SPECIAL,
  shiftOf,
} from '../driver.js';
import { maintenanceOf, regionsOf } from '../node.js';

const ALL = 0xffff_ffff;

/** `arm,gic-v3`: the distributor, then regions of redistributors. */
export function discover(_xen: Xen, node: DeviceNode): Gic | undefined {
  const [distributor, ...rest] = regionsOf(node);
  const regions = rest.slice(0, node.u32('#redistributor-regions') ?? 1);
  if (distributor === undefined || regions.length === 0) return undefined;
  return {
    version: 3,
    node,
    distributor,
    redistributorRegions: regions,
    redistributorStride: node.number('redistributor-stride') ?? 0,
    redistributors: [],
    affinities: [],
    cpuInterface: undefined,
    hypervisorInterface: undefined,
    virtualInterface: undefined,
    maintenance: maintenanceOf(node),
    lines: 0,
    intidMask: ICC_IAR.INTID.mask,
    listRegisters: 0,
    priorityMask: 0,
    activePriorityRegisters: 1,
    targets: [],
    calls: [],
  };
}

function base(xen: Xen): number {
  return xen.gic?.distributor.address ?? 0;
}

/** Reads a register of the distributor. */
export function readDistributor(xen: Xen, offset: number): number {
  return xen.machine.mmio.read(pa(base(xen) + offset), 4, xen.cpu);
}

/** Writes a register of the distributor. */
export function writeDistributor(xen: Xen, offset: number, value: number): void {
  xen.machine.mmio.write(pa(base(xen) + offset), 4, value >>> 0, xen.cpu);
}

/**
 * Waits until what was disabled is not forwarded any more (GICD_CTLR.RWP).
 * @returns 0, or -EIO
 */
export function awaitDistributor(xen: Xen): number {
  for (let i = 0; i < PATIENCE; i++) {
    if (get(Uint32Array.of(xen.steps.gicv3.readDistributor(xen, GICD.CTLR)), GICD_CTLR.RWP) === 0) return 0;
  }
  print(xen, 'GICv3: the distributor does not answer (RWP)');
  return failure('EIO');
}

/** Brings the distributor up: every SPI off, inactive, level-sensitive, of Xen's priority, to CPU 0. Returns 0 or -EIO. */
export function initDistributor(xen: Xen, gic: Gic): number {
  const { gicv3 } = xen.steps;
  const write = (offset: number, value: number) => gicv3.writeDistributor(xen, offset, value);
  const control = (values: Parameters<typeof encode<keyof typeof GICD_CTLR>>[2]) =>
    write(GICD.CTLR, encode(GICD_CTLR, 32, values)[0] as number);
  control({});
  const stopped = gicv3.awaitDistributor(xen);
  if (stopped !== 0) return stopped;
  const typer = Uint32Array.of(gicv3.readDistributor(xen, GICD.TYPER));
  gic.lines = Math.min(32 * (get(typer, GICD_TYPER.ITLinesNumber) + 1), SPECIAL.FIRST);
  for (let irq = FIRST_SPI; irq < gic.lines; irq += 16) write(registerOf(GICD.ICFGR, irq, 2), 0);
  for (let irq = FIRST_SPI; irq < gic.lines; irq += 4) {
    write(registerOf(GICD.IPRIORITYR, irq, 8), inEveryByte(PRIORITY.IRQ));
  }
  for (let irq = FIRST_SPI; irq < gic.lines; irq += 32) {
    write(registerOf(GICD.ICENABLER, irq, 1), ALL);
    write(registerOf(GICD.ICACTIVER, irq, 1), ALL);
    write(registerOf(GICD.IGROUPR, irq, 1), ALL);
  }
  control({ ARE: 1 });
  const quiet = gicv3.awaitDistributor(xen);
  if (quiet !== 0) return quiet;
  for (let irq = FIRST_SPI; irq < gic.lines; irq++) gicv3.setAffinity(xen, irq, 0);
  // Group 1 is bit 0 as well where Xen sees a Non-secure side without affinity routing (12.9.4).
  control({ ARE: 1, EnableGrp1: 1, EnableGrp0: 1 });
  return 0;
}

/** Writes the bit of an interrupt in a register of one bit for each: an SPI's, or a private one's of `cpu`. */
export function writeBit(xen: Xen, irq: number, cpu: number, offset: number): void {
  const bit = 2 ** shiftOf(irq, 1);
  if (irq >= FIRST_SPI) xen.steps.gicv3.writeDistributor(xen, registerOf(offset, irq, 1), bit);
  else xen.steps.gicv3.writeRedistributor(xen, localFrame(xen, cpu), offset, bit);
}

/** SGI_base of a CPU: its registers have the offsets that the distributor's first ones have. */
function localFrame(xen: Xen, cpu: number): number {
  return (xen.gic?.redistributors[cpu]?.address ?? 0) + SGI_BASE;
}

/** Enables an interrupt. */
export function enable(xen: Xen, irq: number, cpu: number): void {
  xen.steps.gicv3.writeBit(xen, irq, cpu, GICD.ISENABLER);
}

/** Disables an interrupt and waits until it is not offered any more. */
export function disable(xen: Xen, irq: number, cpu: number): void {
  xen.steps.gicv3.writeBit(xen, irq, cpu, GICD.ICENABLER);
  if (irq >= FIRST_SPI) xen.steps.gicv3.awaitDistributor(xen);
  else xen.steps.gicv3.awaitRedistributor(xen, xen.gic?.redistributors[cpu]?.address ?? 0);
}

/** Sets how an SPI, or a PPI of the CPU that Xen runs on, is signalled. Only while it is disabled. */
export function setType(xen: Xen, irq: number, type: IrqType): void {
  const { readDistributor, writeDistributor, readRedistributor, writeRedistributor } = xen.steps.gicv3;
  const shift = shiftOf(irq, 2);
  const bits = type === 'edge' ? ICFGR_EDGE : 0;
  const merge = (value: number) => ((value & ~(ICFGR_EDGE << shift)) | (bits << shift)) >>> 0;
  if (irq < FIRST_SPI) {
    const frame = localFrame(xen, xen.cpu);
    writeRedistributor(xen, frame, GICR_SGI.ICFGR1, merge(readRedistributor(xen, frame, GICR_SGI.ICFGR1)));
    return;
  }
  const offset = registerOf(GICD.ICFGR, irq, 2);
  writeDistributor(xen, offset, merge(readDistributor(xen, offset)));
}

/** Sets the physical priority of an SPI. */
export function setPriority(xen: Xen, irq: number, priority: number): void {
  xen.machine.mmio.write(pa(base(xen) + GICD.IPRIORITYR + irq), 1, priority, xen.cpu);
}

/** GICD_IROUTER<n>: an SPI goes to one CPU. */
export function setAffinity(xen: Xen, irq: number, cpu: number): void {
  const words = encode(GICD_IROUTER, 64, { ...xen.steps.gicv3.affinity(xen, cpu) });
  xen.machine.mmio.write64(pa(base(xen) + GICD.IROUTER + 8 * irq), words[1] as number, words[0] as number, xen.cpu);
}

/** Whether an SPI is pending. */
export function isPending(xen: Xen, irq: number): boolean {
  const value = xen.steps.gicv3.readDistributor(xen, registerOf(GICD.ISPENDR, irq, 1));
  return ((value >>> shiftOf(irq, 1)) & 1) === 1;
}

/** Makes an SPI pending. */
export function setPending(xen: Xen, irq: number): void {
  xen.steps.gicv3.writeBit(xen, irq, 0, GICD.ISPENDR);
}

/** Takes the pending state from an SPI; one whose line is high stays pending. */
export function clearPending(xen: Xen, irq: number): void {
  xen.steps.gicv3.writeBit(xen, irq, 0, GICD.ICPENDR);
}

/** Makes an SPI active. */
export function setActive(xen: Xen, irq: number): void {
  xen.steps.gicv3.writeBit(xen, irq, 0, GICD.ISACTIVER);
}

/** Takes the active state from an SPI. */
export function clearActive(xen: Xen, irq: number): void {
  xen.steps.gicv3.writeBit(xen, irq, 0, GICD.ICACTIVER);
}
