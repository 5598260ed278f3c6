/**
 * List registers and the control of the virtual CPU interface, GICv3: Arm IHI 0069 12.4 (ICH registers).
 */
import { get, put } from '../../../hw/bits.js';
import { ICH_ELRSR, ICH_HCR, ICH_LR } from '../../../hw/gic/gicv3/layout.js';
import type { SystemRegister } from '../../../hw/machine.js';
import type { PendingIrq, VgicCpu } from '../../vgic/state.js';
import type { Xen } from '../../xen.js';

type LrRegister = Extract<SystemRegister, `ICH_LR${string}`>;

/** ICH_LR<n>_EL2 by number. */
const LR: readonly LrRegister[] = [
  'ICH_LR0_EL2',
  'ICH_LR1_EL2',
  'ICH_LR2_EL2',
  'ICH_LR3_EL2',
  'ICH_LR4_EL2',
  'ICH_LR5_EL2',
  'ICH_LR6_EL2',
  'ICH_LR7_EL2',
  'ICH_LR8_EL2',
  'ICH_LR9_EL2',
  'ICH_LR10_EL2',
  'ICH_LR11_EL2',
  'ICH_LR12_EL2',
  'ICH_LR13_EL2',
  'ICH_LR14_EL2',
  'ICH_LR15_EL2',
];
/** Registers of active priorities, group 0 and group 1. */
const AP0R = ['ICH_AP0R0_EL2', 'ICH_AP0R1_EL2', 'ICH_AP0R2_EL2', 'ICH_AP0R3_EL2'] as const;
const AP1R = ['ICH_AP1R0_EL2', 'ICH_AP1R1_EL2', 'ICH_AP1R2_EL2', 'ICH_AP1R3_EL2'] as const;

const words = new Uint32Array(2);

/**
 * ICH_LR<n>_EL2. All virtual interrupts are of group 1. With HW set, the guest's deactivation is also that of the physical
 * interrupt.
 */
export function encodeLr(_xen: Xen, irq: PendingIrq, state: number, out: Uint32Array): void {
  out[0] = 0;
  out[1] = 0;
  put(out, ICH_LR.vINTID, irq.virq);
  put(out, ICH_LR.Priority, irq.listedPriority);
  put(out, ICH_LR.Group, 1);
  put(out, ICH_LR.State, state);
  if (irq.physical < 0) return;
  put(out, ICH_LR.HW, 1);
  put(out, ICH_LR.pINTID, irq.physical);
}

/** Puts an interrupt into a list register. */
export function writeLr(xen: Xen, cpu: number, lr: number, irq: PendingIrq, state: number): void {
  xen.steps.gicv3.encodeLr(xen, irq, state, words);
  xen.machine.cpus.writeSystem(cpu, LR[lr] as LrRegister, words[1] as number, words[0] as number);
}

/** Makes a list register invalid. */
export function clearLr(xen: Xen, cpu: number, lr: number): void {
  xen.machine.cpus.writeSystem(cpu, LR[lr] as LrRegister, 0, 0);
}

/** ICH_LR<n>_EL2.State. */
export function readLrState(xen: Xen, cpu: number, lr: number): number {
  const { hi, lo } = xen.machine.cpus.readSystem(cpu, LR[lr] as LrRegister);
  words[0] = lo;
  words[1] = hi;
  return get(words, ICH_LR.State);
}

/** ICH_ELRSR_EL2: list registers without an interrupt. */
export function emptyLrs(xen: Xen, cpu: number): number {
  words[0] = xen.machine.cpus.readSystem(cpu, 'ICH_ELRSR_EL2').lo;
  return get(words, ICH_ELRSR.Status);
}

/** ICH_HCR_EL2.En, with UIE if an underflow is to be told. */
export function enableVirtual(xen: Xen, cpu: number, underflow: boolean): void {
  words[0] = 0;
  words[1] = 0;
  put(words, ICH_HCR.En, 1);
  put(words, ICH_HCR.UIE, underflow ? 1 : 0);
  xen.machine.cpus.writeSystem(cpu, 'ICH_HCR_EL2', 0, words[0] as number);
}

/** Nothing is signalled to EL1, and no maintenance interrupt comes. */
export function disableVirtual(xen: Xen, cpu: number): void {
  xen.machine.cpus.writeSystem(cpu, 'ICH_HCR_EL2', 0, 0);
}

/** Reads ICH_VMCR_EL2 and the active priorities. */
export function saveInterface(xen: Xen, cpu: number, own: VgicCpu): void {
  const count = xen.gic?.activePriorityRegisters ?? 0;
  own.vmcr = xen.machine.cpus.readSystem(cpu, 'ICH_VMCR_EL2').lo;
  for (let n = 0; n < count; n++) {
    own.activePriorities[2 * n] = xen.machine.cpus.readSystem(cpu, AP0R[n] as (typeof AP0R)[number]).lo;
    own.activePriorities[2 * n + 1] = xen.machine.cpus.readSystem(cpu, AP1R[n] as (typeof AP1R)[number]).lo;
  }
}

/** Writes ICH_VMCR_EL2 and the active priorities. */
export function restoreInterface(xen: Xen, cpu: number, own: VgicCpu): void {
  const count = xen.gic?.activePriorityRegisters ?? 0;
  xen.machine.cpus.writeSystem(cpu, 'ICH_VMCR_EL2', 0, own.vmcr);
  for (let n = 0; n < count; n++) {
    const [ap0, ap1] = [own.activePriorities[2 * n] ?? 0, own.activePriorities[2 * n + 1] ?? 0];
    xen.machine.cpus.writeSystem(cpu, AP0R[n] as (typeof AP0R)[number], 0, ap0);
    xen.machine.cpus.writeSystem(cpu, AP1R[n] as (typeof AP1R)[number], 0, ap1);
  }
}
