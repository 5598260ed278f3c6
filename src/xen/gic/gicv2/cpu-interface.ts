/**
 * The CPU interface of a GICv2 and its virtual interface control: Arm IHI 0048B.b 4.4 (GICC), 5.3 (GICH). Both are banked:
 * each CPU finds its own at the same address.
 */
import { pa } from '../../../hw/address.js';
import { encode, get, put } from '../../../hw/bits.js';
import {
  GICC,
  GICC_CTLR,
  GICC_PMR,
  GICH,
  GICH_HCR,
  GICH_LR,
  GICH_LR_SOFT,
  GICH_VTR,
  VIRTUAL_PRIORITY_BITS,
} from '../../../hw/gic/gicv2/layout.js';
import { type PendingIrq, SGIS, type VgicCpu } from '../../vgic/state.js';
import type { Xen } from '../../xen.js';
import { type Gic, LIST_REGISTERS_LIMIT } from '../driver.js';

/** The lowest priority there is: nothing is masked. */
const LOWEST_PRIORITY = 0xff;
/** Bits of a byte's priority that a list register leaves out. */
const PRIORITY_SHIFT = 8 - VIRTUAL_PRIORITY_BITS;

/** Reads a register of a CPU's interface. */
export function readCpuInterface(xen: Xen, cpu: number, offset: number): number {
  return xen.machine.mmio.read(pa((xen.gic?.cpuInterface?.address ?? 0) + offset), 4, cpu);
}

/** Writes a register of a CPU's interface. */
export function writeCpuInterface(xen: Xen, cpu: number, offset: number, value: number): void {
  xen.machine.mmio.write(pa((xen.gic?.cpuInterface?.address ?? 0) + offset), 4, value >>> 0, cpu);
}

/** Reads a register of a CPU's virtual interface control. */
export function readHypervisorInterface(xen: Xen, cpu: number, offset: number): number {
  return xen.machine.mmio.read(pa((xen.gic?.hypervisorInterface?.address ?? 0) + offset), 4, cpu);
}

/** Writes a register of a CPU's virtual interface control. */
export function writeHypervisorInterface(xen: Xen, cpu: number, offset: number, value: number): void {
  xen.machine.mmio.write(pa((xen.gic?.hypervisorInterface?.address ?? 0) + offset), 4, value >>> 0, cpu);
}

/** Lets every priority through, and has EOIR only drop the priority. */
export function initCpuInterface(xen: Xen, cpu: number): void {
  const { writeCpuInterface } = xen.steps.gicv2;
  writeCpuInterface(xen, cpu, GICC.PMR, encode(GICC_PMR, 32, { Priority: LOWEST_PRIORITY })[0] as number);
  writeCpuInterface(xen, cpu, GICC.BPR, 0);
  writeCpuInterface(xen, cpu, GICC.CTLR, encode(GICC_CTLR, 32, { EnableGrp0: 1, EOImode: 1 })[0] as number);
}

/** Empties the virtual interface of a CPU and learns what it offers. */
export function initVirtualInterface(xen: Xen, gic: Gic, cpu: number): void {
  const { gicv2 } = xen.steps;
  const vtr = Uint32Array.of(gicv2.readHypervisorInterface(xen, cpu, GICH.VTR));
  gic.listRegisters = Math.min(get(vtr, GICH_VTR.ListRegs) + 1, LIST_REGISTERS_LIMIT);
  gic.priorityMask = 0x100 - 2 ** PRIORITY_SHIFT;
  gicv2.disableVirtual(xen, cpu);
  for (let lr = 0; lr < gic.listRegisters; lr++) gicv2.clearLr(xen, cpu, lr);
}

/** Brings up what belongs to one CPU: its private interrupts, its interface, its virtual interface. */
export function initCpu(xen: Xen, gic: Gic, cpu: number): number {
  const { gicv2 } = xen.steps;
  gicv2.readTarget(xen, gic, cpu);
  gicv2.initLocalInterrupts(xen, cpu);
  gicv2.initCpuInterface(xen, cpu);
  gicv2.initVirtualInterface(xen, gic, cpu);
  return 0;
}

/** GICC_IAR: acknowledges the highest-priority pending interrupt. INTID and, for an SGI, who sent it. */
export function readIar(xen: Xen, cpu: number): number {
  return xen.steps.gicv2.readCpuInterface(xen, cpu, GICC.IAR);
}

/** GICC_EOIR: drops the priority. An SGI is told with who sent it (4.4.5). */
export function eoi(xen: Xen, cpu: number, acknowledged: number): void {
  xen.steps.gicv2.writeCpuInterface(xen, cpu, GICC.EOIR, acknowledged);
}

/** GICC_DIR: deactivates. */
export function deactivate(xen: Xen, cpu: number, acknowledged: number): void {
  xen.steps.gicv2.writeCpuInterface(xen, cpu, GICC.DIR, acknowledged);
}

const words = new Uint32Array(1);

/** GICH_LR<n>. With HW set, the guest's deactivation is also that of the physical interrupt. */
export function encodeLr(_xen: Xen, irq: PendingIrq, state: number, out: Uint32Array): void {
  out[0] = 0;
  put(out, GICH_LR.VirtualID, irq.virq);
  put(out, GICH_LR.Priority, irq.listedPriority >>> PRIORITY_SHIFT);
  put(out, GICH_LR.State, state);
  if (irq.physical >= 0) {
    put(out, GICH_LR.HW, 1);
    put(out, GICH_LR.PhysicalID, irq.physical);
  } else if (irq.virq < SGIS) {
    put(out, GICH_LR_SOFT.CPUID, irq.source);
  }
}

/** Puts an interrupt into a list register. */
export function writeLr(xen: Xen, cpu: number, lr: number, irq: PendingIrq, state: number): void {
  xen.steps.gicv2.encodeLr(xen, irq, state, words);
  xen.steps.gicv2.writeHypervisorInterface(xen, cpu, GICH.LR + 4 * lr, words[0] as number);
}

/** Makes a list register invalid. */
export function clearLr(xen: Xen, cpu: number, lr: number): void {
  xen.steps.gicv2.writeHypervisorInterface(xen, cpu, GICH.LR + 4 * lr, 0);
}

/** GICH_LR<n>.State. */
export function readLrState(xen: Xen, cpu: number, lr: number): number {
  words[0] = xen.steps.gicv2.readHypervisorInterface(xen, cpu, GICH.LR + 4 * lr);
  return get(words, GICH_LR.State);
}

/** GICH_ELRSR0: list registers without an interrupt. */
export function emptyLrs(xen: Xen, cpu: number): number {
  return xen.steps.gicv2.readHypervisorInterface(xen, cpu, GICH.ELRSR0);
}

/** GICH_HCR.En, with UIE if an underflow is to be told. */
export function enableVirtual(xen: Xen, cpu: number, underflow: boolean): void {
  const hcr = encode(GICH_HCR, 32, { En: 1, UIE: underflow ? 1 : 0 });
  xen.steps.gicv2.writeHypervisorInterface(xen, cpu, GICH.HCR, hcr[0] as number);
}

/** Nothing is signalled to a guest, and no maintenance interrupt comes. */
export function disableVirtual(xen: Xen, cpu: number): void {
  xen.steps.gicv2.writeHypervisorInterface(xen, cpu, GICH.HCR, 0);
}

/** Reads GICH_VMCR and the active priorities. */
export function saveInterface(xen: Xen, cpu: number, own: VgicCpu): void {
  own.vmcr = xen.steps.gicv2.readHypervisorInterface(xen, cpu, GICH.VMCR);
  own.activePriorities[0] = xen.steps.gicv2.readHypervisorInterface(xen, cpu, GICH.APR);
}

/** Writes GICH_VMCR and the active priorities. */
export function restoreInterface(xen: Xen, cpu: number, own: VgicCpu): void {
  xen.steps.gicv2.writeHypervisorInterface(xen, cpu, GICH.VMCR, own.vmcr);
  xen.steps.gicv2.writeHypervisorInterface(xen, cpu, GICH.APR, own.activePriorities[0] ?? 0);
}
