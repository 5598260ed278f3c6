/** vCPUs on CPUs: what Xen sets before it returns to a guest (xen/arch/arm/mmu/p2m.c, p2m_restore_state). */
import { encode } from '../../hw/bits.js';
import { HCR_EL2, REGISTER_BITS } from '../../hw/cpu/layout.js';
import type { Vcpu, Xen } from '../xen.js';

/** HCR_EL2.BSU: barriers of guests reach at least the inner shareable domain. */
const BSU_INNER = 1;

/** HCR_EL2 of a guest: stage 2 on, and traps of what it must not do by itself. */
export function hcr(_xen: Xen): Uint32Array {
  return encode(HCR_EL2, REGISTER_BITS, {
    VM: 1,
    SWIO: 1,
    PTW: 1,
    FMO: 1,
    IMO: 1,
    AMO: 1,
    FB: 1,
    BSU: BSU_INNER,
    TWI: 1,
    TWE: 1,
    TSC: 1,
    TIDCP: 1,
    TSW: 1,
    RW: 1,
  });
}

/** Sets the control of stage 2 on every CPU: it is the same for all domains. */
export function setupCpus(xen: Xen): void {
  const [lo, hi] = xen.steps.p2m.vtcr(xen);
  for (let cpu = 0; cpu < xen.machine.cpus.count; cpu++) {
    xen.machine.cpus.writeSystem(cpu, 'VTCR_EL2', hi as number, lo as number);
    xen.machine.cpus.execute(cpu, { op: 'ISB' });
  }
}

/** Sets the registers of a CPU for a vCPU. */
export function restoreState(xen: Xen, cpu: number, vcpu: Vcpu): void {
  const { p2m } = vcpu.domain;
  if (p2m === undefined) return;
  const [lo, hi] = xen.steps.p2m.vttbr(xen, p2m);
  const [hcrLo, hcrHi] = xen.steps.domain.hcr(xen);
  xen.machine.cpus.writeSystem(cpu, 'VTTBR_EL2', hi as number, lo as number);
  xen.machine.cpus.writeSystem(cpu, 'HCR_EL2', hcrHi as number, hcrLo as number);
  xen.steps.vgic.restoreState(xen, cpu, vcpu);
  xen.machine.cpus.execute(cpu, { op: 'ISB' });
}

/** The CPU for a vCPU: where it is, else an idle one, else its number. */
export function pickCpu(xen: Xen, vcpu: Vcpu): number {
  const { count } = xen.machine.cpus;
  const here = xen.running.indexOf(vcpu);
  if (here >= 0) return here;
  for (let cpu = 0; cpu < count; cpu++) if (xen.running[cpu] === undefined) return cpu;
  return vcpu.vcpu % count;
}

/** Puts a vCPU on a CPU, in place of what runs there. Returns the CPU, undefined for a vCPU of a dying domain. */
export function schedule(xen: Xen, vcpu: Vcpu): number | undefined {
  if (vcpu.domain.dying) return undefined;
  const cpu = xen.steps.domain.pickCpu(xen, vcpu);
  const before = xen.running[cpu];
  if (before === vcpu) return cpu;
  if (before !== undefined) xen.steps.domain.deschedule(xen, before);
  xen.steps.domain.restoreState(xen, cpu, vcpu);
  xen.running[cpu] = vcpu;
  xen.machine.cpus.enter(cpu, `${vcpu.domain.name}v${vcpu.vcpu}`);
  return cpu;
}

/** Takes a vCPU off its CPU, if it is on one. */
export function deschedule(xen: Xen, vcpu: Vcpu): void {
  const cpu = xen.running.indexOf(vcpu);
  if (cpu < 0) return;
  xen.machine.cpus.leave(cpu);
  xen.steps.vgic.saveState(xen, cpu, vcpu);
  xen.running[cpu] = undefined;
}
