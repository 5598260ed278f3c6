/**
 * The distributor of a GICv2: Arm IHI 0048B.b 4.3. Xen sees a controller without Security Extensions, or the Non-secure side
 * of one; interrupts are all of the group that bit 0 of the control registers enables. Registers of SGIs and PPIs are
 * banked: each CPU has its own at the same address.
 */
import type { DeviceNode } from '../../../firmware/tree.js';
import { pa } from '../../../hw/address.js';
import { encode, get } from '../../../hw/bits.js';
import {
  GICC_IAR,
  GICD,
  GICD_CTLR,
  GICD_SGIR,
  GICD_TYPER,
  ICFGR_EDGE,
  TARGET_LIST_FILTER,
} from '../../../hw/gic/gicv2/layout.js';
import type { ByteSpan, Xen } from '../../xen.js';
import {
  FIRST_PPI,
  FIRST_SPI,
  type Gic,
  type IrqType,
  inEveryByte,
  PRIORITY,
  registerOf,
  SPECIAL,
  shiftOf,
} from '../driver.js';
import { maintenanceOf, regionsOf } from '../node.js';

const ALL = 0xffff_ffff;
const SGI_BITS = 0x0000_ffff;
const PPI_BITS = 0xffff_0000;

/** `arm,gic-400`, `arm,cortex-a15-gic`: GICD, GICC, GICH, GICV. */
export function discover(_xen: Xen, node: DeviceNode): Gic | undefined {
  const [distributor, cpuInterface, hypervisorInterface, virtualInterface] = regionsOf(node) as (
    | ByteSpan
    | undefined
  )[];
  if (distributor === undefined || cpuInterface === undefined) return undefined;
  if (hypervisorInterface === undefined || virtualInterface === undefined) return undefined;
  return {
    version: 2,
    node,
    distributor,
    redistributorRegions: [],
    redistributorStride: 0,
    redistributors: [],
    affinities: [],
    cpuInterface,
    hypervisorInterface,
    virtualInterface,
    maintenance: maintenanceOf(node),
    lines: 0,
    intidMask: GICC_IAR.INTID.mask,
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

/** Reads a register of the distributor as `cpu` does. */
export function readDistributor(xen: Xen, offset: number, cpu: number = xen.cpu): number {
  return xen.machine.mmio.read(pa(base(xen) + offset), 4, cpu);
}

/** Writes a register of the distributor as `cpu` does. */
export function writeDistributor(xen: Xen, offset: number, value: number, cpu: number = xen.cpu): void {
  xen.machine.mmio.write(pa(base(xen) + offset), 4, value >>> 0, cpu);
}

/** Brings the distributor up: every SPI off, inactive, level-sensitive, of Xen's priority, to CPU 0. */
export function initDistributor(xen: Xen, gic: Gic): number {
  const { gicv2 } = xen.steps;
  const write = (offset: number, value: number) => gicv2.writeDistributor(xen, offset, value);
  write(GICD.CTLR, 0);
  const typer = Uint32Array.of(gicv2.readDistributor(xen, GICD.TYPER));
  gic.lines = Math.min(32 * (get(typer, GICD_TYPER.ITLinesNumber) + 1), SPECIAL.FIRST);
  const target = gicv2.readTarget(xen, gic, 0);
  for (let irq = FIRST_SPI; irq < gic.lines; irq += 16) write(registerOf(GICD.ICFGR, irq, 2), 0);
  for (let irq = FIRST_SPI; irq < gic.lines; irq += 4) {
    write(registerOf(GICD.IPRIORITYR, irq, 8), inEveryByte(PRIORITY.IRQ));
    write(registerOf(GICD.ITARGETSR, irq, 8), inEveryByte(target));
  }
  for (let irq = FIRST_SPI; irq < gic.lines; irq += 32) {
    write(registerOf(GICD.ICENABLER, irq, 1), ALL);
    write(registerOf(GICD.ICACTIVER, irq, 1), ALL);
  }
  write(GICD.CTLR, encode(GICD_CTLR, 32, { EnableGrp0: 1 })[0] as number);
  return 0;
}

/** The bit that a CPU has in target fields: its GICD_ITARGETSR0 reads as it, in every byte (4.3.12). */
export function readTarget(xen: Xen, gic: Gic, cpu: number): number {
  const value = xen.steps.gicv2.readDistributor(xen, GICD.ITARGETSR, cpu) & 0xff;
  // One CPU: the fields read as zero, and do not matter.
  const target = value === 0 ? 1 : value;
  gic.targets[cpu] = target;
  return target;
}

/** SGIs on, PPIs off, all inactive, on one CPU. */
export function initLocalInterrupts(xen: Xen, cpu: number): void {
  const write = (offset: number, value: number) => xen.steps.gicv2.writeDistributor(xen, offset, value, cpu);
  for (let irq = 0; irq < FIRST_SPI; irq += 4) {
    write(registerOf(GICD.IPRIORITYR, irq, 8), inEveryByte(irq < FIRST_PPI ? PRIORITY.IPI : PRIORITY.IRQ));
  }
  write(GICD.ICENABLER, PPI_BITS);
  write(GICD.ICACTIVER, ALL);
  write(GICD.ISENABLER, SGI_BITS);
}

/** Writes the bit of an interrupt in a register of one bit for each. */
export function writeBit(xen: Xen, irq: number, cpu: number, offset: number): void {
  xen.steps.gicv2.writeDistributor(xen, registerOf(offset, irq, 1), 2 ** shiftOf(irq, 1), cpu);
}

/** Enables an interrupt. */
export function enable(xen: Xen, irq: number, cpu: number): void {
  xen.steps.gicv2.writeBit(xen, irq, cpu, GICD.ISENABLER);
}

/** Disables an interrupt. A GICv2 has no register that tells when: nothing is waited for. */
export function disable(xen: Xen, irq: number, cpu: number): void {
  xen.steps.gicv2.writeBit(xen, irq, cpu, GICD.ICENABLER);
}

/** Sets how an SPI, or a PPI of the CPU that Xen runs on, is signalled. Only while it is disabled. */
export function setType(xen: Xen, irq: number, type: IrqType): void {
  const offset = registerOf(GICD.ICFGR, irq, 2);
  const shift = shiftOf(irq, 2);
  const rest = xen.steps.gicv2.readDistributor(xen, offset) & ~(ICFGR_EDGE << shift);
  xen.steps.gicv2.writeDistributor(xen, offset, rest | ((type === 'edge' ? ICFGR_EDGE : 0) << shift));
}

/** Sets the physical priority of an SPI. */
export function setPriority(xen: Xen, irq: number, priority: number): void {
  xen.machine.mmio.write(pa(base(xen) + GICD.IPRIORITYR + irq), 1, priority, xen.cpu);
}

/** GICD_ITARGETSR<n>: an SPI goes to one CPU. */
export function setAffinity(xen: Xen, irq: number, cpu: number): void {
  const target = xen.gic?.targets[cpu] ?? 2 ** cpu;
  xen.machine.mmio.write(pa(base(xen) + GICD.ITARGETSR + irq), 1, target, xen.cpu);
}

/** Whether an SPI is pending. */
export function isPending(xen: Xen, irq: number): boolean {
  const value = xen.steps.gicv2.readDistributor(xen, registerOf(GICD.ISPENDR, irq, 1));
  return ((value >>> shiftOf(irq, 1)) & 1) === 1;
}

/** Makes an SPI pending. */
export function setPending(xen: Xen, irq: number): void {
  xen.steps.gicv2.writeBit(xen, irq, xen.cpu, GICD.ISPENDR);
}

/** Takes the pending state from an SPI; one whose line is high stays pending. */
export function clearPending(xen: Xen, irq: number): void {
  xen.steps.gicv2.writeBit(xen, irq, xen.cpu, GICD.ICPENDR);
}

/** Makes an SPI active. */
export function setActive(xen: Xen, irq: number): void {
  xen.steps.gicv2.writeBit(xen, irq, xen.cpu, GICD.ISACTIVER);
}

/** Takes the active state from an SPI. */
export function clearActive(xen: Xen, irq: number): void {
  xen.steps.gicv2.writeBit(xen, irq, xen.cpu, GICD.ICACTIVER);
}

/** GICD_SGIR: an SGI to one CPU, from the one that Xen runs on. */
export function sendSgi(xen: Xen, to: number, sgi: number): void {
  const target = xen.gic?.targets[to] ?? 2 ** to;
  const words = encode(GICD_SGIR, 32, {
    SGIINTID: sgi,
    CPUTargetList: target,
    TargetListFilter: TARGET_LIST_FILTER.LIST,
  });
  xen.steps.gicv2.writeDistributor(xen, GICD.SGIR, words[0] as number);
}
