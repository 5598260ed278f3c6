/** What a guest's registers do to its interrupts, whichever controller they are of: masks, states, routes, SGIs. */
import { LR_STATE } from '../gic/driver.js';
import type { Domain, Vcpu, Xen } from '../xen.js';
import type { PendingIrq } from './state.js';

/** Enables an interrupt; what is pending goes on its way. */
export function enableIrq(xen: Xen, irq: PendingIrq): void {
  if (irq.enabled) return;
  irq.enabled = true;
  if (irq.pending) xen.steps.vgic.reconsider(xen, irq);
  if (irq.physical >= 0) xen.steps.gic.enable(xen, irq.physical, xen.cpu);
}

/** Disables an interrupt: it is not offered to the guest any more, and stays pending if it was. */
export function disableIrq(xen: Xen, irq: PendingIrq): void {
  if (!irq.enabled) return;
  irq.enabled = false;
  if (irq.physical >= 0) xen.steps.gic.disable(xen, irq.physical, xen.cpu);
  xen.steps.vgic.reconsider(xen, irq);
}

/** GICD_ISPENDR. Behind a physical interrupt the physical one becomes pending, so that deactivation fits. */
export function setPending(xen: Xen, domain: Domain, irq: PendingIrq): void {
  if (irq.physical >= 0) xen.steps.gic.setPending(xen, irq.physical);
  else xen.steps.vgic.injectIrq(xen, domain, irq);
}

/** GICD_ICPENDR. A physical interrupt that was only pending at the guest is inactive again. */
export function clearPending(xen: Xen, irq: PendingIrq): void {
  if (irq.physical >= 0) xen.steps.gic.clearPending(xen, irq.physical);
  xen.steps.vgic.withdraw(xen, irq);
  const wasPending = irq.pending;
  irq.pending = false;
  if (wasPending && !irq.active && irq.physical >= 0) xen.steps.gic.clearActive(xen, irq.physical);
  xen.steps.vgic.reconsider(xen, irq);
}

/** GICD_ISACTIVER. */
export function setActive(xen: Xen, irq: PendingIrq): void {
  if ((xen.steps.vgic.stateOf(xen, irq) & LR_STATE.ACTIVE) !== 0 || irq.target === undefined) return;
  xen.steps.vgic.withdraw(xen, irq);
  irq.active = true;
  if (irq.physical >= 0) xen.steps.gic.setActive(xen, irq.physical);
  xen.steps.vgic.reconsider(xen, irq);
}

/** GICD_ICACTIVER. */
export function clearActive(xen: Xen, irq: PendingIrq): void {
  if ((xen.steps.vgic.stateOf(xen, irq) & LR_STATE.ACTIVE) === 0) return;
  xen.steps.vgic.withdraw(xen, irq);
  irq.active = false;
  if (irq.physical >= 0 && !irq.pending) xen.steps.gic.clearActive(xen, irq.physical);
  xen.steps.vgic.reconsider(xen, irq);
}

/** Sets a priority, as far as it is implemented. One that waits takes its new place. */
export function setPriority(xen: Xen, domain: Domain, irq: PendingIrq, priority: number): void {
  irq.priority = priority & (domain.vgic?.priorityMask ?? 0);
  if (irq.queued) xen.steps.vgic.reconsider(xen, irq);
}

/**
 * Routes an interrupt to another vCPU, or to none. One that waits goes along; one in a list register stays where it is until
 * the guest is done with it.
 */
export function retarget(xen: Xen, domain: Domain, irq: PendingIrq, vcpu: Vcpu | undefined): void {
  if (irq.target === vcpu) return;
  irq.target = vcpu;
  xen.steps.vgic.followTarget(xen, irq);
  if (irq.queued) xen.steps.vgic.reconsider(xen, irq);
  else if (vcpu !== undefined && domain.vgic?.held.has(irq) === true) xen.steps.vgic.deliver(xen, vcpu, irq);
}

/** Has the physical interrupt behind a virtual one come to the CPU of the vCPU that it goes to. */
export function followTarget(xen: Xen, irq: PendingIrq): void {
  const own = irq.target?.vgic;
  if (irq.physical >= 0 && own !== undefined) xen.steps.gic.setAffinity(xen, irq.physical, own.lastCpu);
}

/** GICD_CTLR: lets the interrupts of the domain through, or holds them all back. */
export function setEnabled(xen: Xen, domain: Domain, enabled: boolean): void {
  const { vgic } = domain;
  if (vgic === undefined || vgic.enabled === enabled) return;
  vgic.enabled = enabled;
  if (enabled) {
    for (const irq of [...vgic.held]) xen.steps.vgic.reconsider(xen, irq);
    return;
  }
  for (const { vgic: own } of domain.vcpus) {
    const shown = [...(own?.lrs ?? []), ...(own?.queue ?? [])];
    for (const irq of shown) if (irq !== undefined) xen.steps.vgic.reconsider(xen, irq);
  }
}

/** An SGI of one vCPU to another. */
export function sendSgi(xen: Xen, from: Vcpu, to: Vcpu, sgi: number): void {
  const own = to.vgic;
  const irq = own?.sgis.length === 0 ? own.local[sgi] : own?.sgis[sgi * 8 + from.vcpu];
  if (irq !== undefined) xen.steps.vgic.inject(xen, to, irq);
}
