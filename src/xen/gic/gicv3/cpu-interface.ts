/**
 * The CPU interface of a GICv3 by system registers: Arm IHI 0069 12.2 (ICC), 12.4 (ICC_SRE_EL2, ICH_VTR_EL2); 4.4 (priority
 * drop and deactivation apart).
 */
import { encode, get, put } from '../../../hw/bits.js';
import { MPIDR_EL1 } from '../../../hw/cpu/layout.js';
import {
  ICC_BPR,
  ICC_CTLR,
  ICC_IAR,
  ICC_IGRPEN,
  ICC_PMR,
  ICC_SGIR,
  ICC_SRE,
  ICH_VTR,
  IDLE_PRIORITY,
  LIST_REGISTERS_MAX,
  SYSTEM_REGISTER_BITS,
} from '../../../hw/gic/gicv3/layout.js';
import type { SystemRegister } from '../../../hw/machine.js';
import { failure } from '../../errno.js';
import { print, type Xen } from '../../xen.js';
import type { Affinity, Gic } from '../driver.js';

/** The affinity of a CPU, read once. */
export function affinity(xen: Xen, cpu: number): Affinity {
  const known = xen.gic?.affinities[cpu];
  if (known !== undefined) return known;
  const { hi, lo } = xen.machine.cpus.readSystem(cpu, 'MPIDR_EL1');
  const mpidr = Uint32Array.of(lo, hi);
  const { Aff0, Aff1, Aff2, Aff3 } = MPIDR_EL1;
  const read = { Aff0: get(mpidr, Aff0), Aff1: get(mpidr, Aff1), Aff2: get(mpidr, Aff2), Aff3: get(mpidr, Aff3) };
  if (xen.gic !== undefined) xen.gic.affinities[cpu] = read;
  return read;
}

function write(xen: Xen, cpu: number, register: SystemRegister, words: Uint32Array): void {
  xen.machine.cpus.writeSystem(cpu, register, words[1] as number, words[0] as number);
}

/**
 * Turns the system registers on, here and for EL1, lets every priority through, and has EOIR only drop the priority.
 * @returns 0, or -ENODEV if the CPU has no system registers
 */
export function initCpuInterface(xen: Xen, cpu: number): number {
  const { cpus } = xen.machine;
  const sre = { SRE: 1, DFB: 1, DIB: 1, Enable: 1 };
  write(xen, cpu, 'ICC_SRE_EL2', encode(ICC_SRE, SYSTEM_REGISTER_BITS, sre));
  cpus.execute(cpu, { op: 'ISB' });
  if (get(Uint32Array.of(cpus.readSystem(cpu, 'ICC_SRE_EL2').lo, 0), ICC_SRE.SRE) === 0) {
    print(xen, `GICv3: CPU ${cpu} has no system registers`);
    return failure('ENODEV');
  }
  write(xen, cpu, 'ICC_SRE_EL1', encode(ICC_SRE, SYSTEM_REGISTER_BITS, { SRE: 1, DFB: 1, DIB: 1 }));
  write(xen, cpu, 'ICC_BPR1_EL1', encode(ICC_BPR, SYSTEM_REGISTER_BITS, { BinaryPoint: 0 }));
  write(xen, cpu, 'ICC_PMR_EL1', encode(ICC_PMR, SYSTEM_REGISTER_BITS, { Priority: IDLE_PRIORITY }));
  write(xen, cpu, 'ICC_CTLR_EL1', encode(ICC_CTLR, SYSTEM_REGISTER_BITS, { EOImode: 1 }));
  write(xen, cpu, 'ICC_IGRPEN1_EL1', encode(ICC_IGRPEN, SYSTEM_REGISTER_BITS, { Enable: 1 }));
  cpus.execute(cpu, { op: 'ISB' });
  return 0;
}

/** Empties the virtual interface of a CPU and learns what it offers. */
export function initVirtualInterface(xen: Xen, gic: Gic, cpu: number): void {
  const { hi, lo } = xen.machine.cpus.readSystem(cpu, 'ICH_VTR_EL2');
  const vtr = Uint32Array.of(lo, hi);
  const priorityBits = get(vtr, ICH_VTR.PRIbits) + 1;
  const preemptionBits = get(vtr, ICH_VTR.PREbits) + 1;
  gic.listRegisters = Math.min(get(vtr, ICH_VTR.ListRegs) + 1, LIST_REGISTERS_MAX);
  gic.priorityMask = 0x100 - 2 ** (8 - priorityBits);
  gic.activePriorityRegisters = 2 ** Math.max(0, preemptionBits - 5);
  xen.steps.gicv3.disableVirtual(xen, cpu);
  for (let lr = 0; lr < gic.listRegisters; lr++) xen.steps.gicv3.clearLr(xen, cpu, lr);
}

const word = new Uint32Array(2);

/** ICC_IAR1_EL1: acknowledges the highest-priority pending interrupt of group 1. */
export function readIar(xen: Xen, cpu: number): number {
  word[0] = xen.machine.cpus.readSystem(cpu, 'ICC_IAR1_EL1').lo;
  return get(word, ICC_IAR.INTID);
}

/** ICC_EOIR1_EL1: drops the priority. */
export function eoi(xen: Xen, cpu: number, acknowledged: number): void {
  xen.machine.cpus.writeSystem(cpu, 'ICC_EOIR1_EL1', 0, acknowledged);
}

/** ICC_DIR_EL1: deactivates. */
export function deactivate(xen: Xen, cpu: number, acknowledged: number): void {
  xen.machine.cpus.writeSystem(cpu, 'ICC_DIR_EL1', 0, acknowledged);
}

/** PEs that one value of ICC_SGI1R_EL1.RS reaches. */
const TARGETS = 16;

/** ICC_SGI1R_EL1: an SGI of group 1 to one CPU, from the one that Xen runs on. */
export function sendSgi(xen: Xen, to: number, sgi: number): void {
  const { Aff0, Aff1, Aff2, Aff3 } = xen.steps.gicv3.affinity(xen, to);
  const words = encode(ICC_SGIR, SYSTEM_REGISTER_BITS, { INTID: sgi, Aff1, Aff2, Aff3 });
  put(words, ICC_SGIR.TargetList, 2 ** (Aff0 % TARGETS));
  put(words, ICC_SGIR.RS, Math.floor(Aff0 / TARGETS));
  write(xen, xen.cpu, 'ICC_SGI1R_EL1', words);
  xen.machine.cpus.execute(xen.cpu, { op: 'ISB' });
}
