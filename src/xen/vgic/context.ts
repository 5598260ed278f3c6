/**
 * A vCPU's interrupts when it leaves a CPU and when it comes to one (xen/arch/arm/gic.c, gic_save_state, gic_restore_state).
 * While it does not run, everything is in its queue; the list registers of a CPU without a vCPU are empty.
 */
import type { Vcpu, Xen } from '../xen.js';

/** Takes the state of a vCPU's interrupts from the CPU that it leaves. */
export function saveState(xen: Xen, cpu: number, vcpu: Vcpu): void {
  const own = vcpu.vgic;
  if (own === undefined || own.cpu !== cpu) return;
  const before = xen.cpu;
  xen.cpu = cpu;
  const left = own.lrs.filter((irq) => irq !== undefined);
  for (const irq of left) xen.steps.vgic.unload(xen, own, irq);
  xen.steps.gic.saveInterface(xen, cpu, own);
  xen.steps.gic.disableVirtual(xen, cpu);
  own.underflow = false;
  own.kicked = false;
  own.cpu = -1;
  for (const irq of left) xen.steps.vgic.deliver(xen, irq.active ? vcpu : (irq.target ?? vcpu), irq);
  xen.cpu = before;
}

/** Loads the virtual interface of a CPU for a vCPU that is about to run there. Its physical interrupts come along. */
export function restoreState(xen: Xen, cpu: number, vcpu: Vcpu): void {
  const own = vcpu.vgic;
  if (own === undefined) return;
  const before = xen.cpu;
  xen.cpu = cpu;
  own.cpu = cpu;
  if (own.lastCpu !== cpu) {
    own.lastCpu = cpu;
    xen.steps.vgic.moveIrqs(xen, vcpu);
  }
  xen.steps.gic.restoreInterface(xen, cpu, own);
  xen.steps.gic.enableVirtual(xen, cpu, false);
  xen.steps.vgic.refill(xen, vcpu);
  xen.cpu = before;
}

/** Has the physical interrupts that go to a vCPU come to the CPU that it runs on. */
export function moveIrqs(xen: Xen, vcpu: Vcpu): void {
  for (const irq of vcpu.domain.vgic?.routed.values() ?? []) {
    if (irq.target === vcpu) xen.steps.vgic.followTarget(xen, irq);
  }
  xen.steps.vits.followVcpu(xen, vcpu);
}
