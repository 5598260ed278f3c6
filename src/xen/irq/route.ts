/**
 * Physical interrupts for domains (xen/arch/arm/irq.c, route_irq_to_guest, release_guest_irq). Only SPIs: SGIs and PPIs are
 * Xen's, or virtual altogether. The guest's enable bit drives the physical one.
 */
import { failure } from '../errno.js';
import { FIRST_SPI, PRIORITY } from '../gic/driver.js';
import { LOCAL_IRQS } from '../vgic/state.js';
import { type Domain, print, type Xen } from '../xen.js';
import type { IrqDescriptor } from './descriptor.js';

/** Whether a domain may be given an interrupt. */
export function isPermitted(_xen: Xen, domain: Domain, irq: number): boolean {
  return domain.irqs.contains(irq, 1);
}

/**
 * Gives a physical interrupt to a domain as a virtual one. Devices of a domain that share an interrupt have it once: each
 * asks for it, and each releases it. Whether the domain may have it is for the caller to ask ({@link isPermitted}).
 * @returns 0; -EINVAL if there is no such virtual or physical SPI, or the domain is dying; -EIO if it is not known how the
 *   interrupt is signalled; -EBUSY if Xen or another domain has it, if this one has it as another virtual interrupt, or has
 *   another interrupt as this virtual one
 */
export function routeToGuest(xen: Xen, domain: Domain, virq: number, irq: number): number {
  const virtual = domain.vgic?.spis[virq - LOCAL_IRQS];
  if (xen.gic === undefined || virtual === undefined || domain.dying) return failure('EINVAL');
  if (irq < FIRST_SPI || irq >= xen.gic.lines) return failure('EINVAL');
  const known = xen.steps.irq.descriptor(xen, irq);
  if (known.type === undefined) return failure('EIO');
  if (known.owner === 'xen') return failure('EBUSY');
  if (known.owner === 'guest') {
    if (known.domain !== domain || known.virtual !== virtual) return failure('EBUSY');
    known.users++;
    return 0;
  }
  if (virtual.physical >= 0) return failure('EBUSY');
  known.owner = 'guest';
  known.domain = domain;
  known.virtual = virtual;
  known.users = 1;
  xen.steps.irq.connect(xen, known);
  return 0;
}

/** Ties a physical interrupt to its virtual one: signalled as the device does it, on the CPU of the vCPU that it goes to. */
export function connect(xen: Xen, irq: IrqDescriptor): void {
  const { domain, virtual, type } = irq;
  if (domain === undefined || virtual === undefined || type === undefined) return;
  virtual.physical = irq.irq;
  virtual.edge = type === 'edge';
  domain.vgic?.routed.set(irq.irq, virtual);
  xen.steps.gic.disable(xen, irq.irq, xen.cpu);
  xen.steps.gic.setType(xen, irq.irq, type);
  xen.steps.gic.setPriority(xen, irq.irq, PRIORITY.IRQ);
  xen.steps.vgic.followTarget(xen, virtual);
  if (virtual.enabled) xen.steps.gic.enable(xen, irq.irq, xen.cpu);
}

/**
 * Takes a physical interrupt from a domain, when the last of its devices releases it: it is off, and nothing of it is left,
 * neither in the controller nor in list registers and queues, for whoever has it next.
 * @returns 0, or -EINVAL if the domain does not have it
 */
export function releaseFromGuest(xen: Xen, domain: Domain, irq: number): number {
  const known = xen.irqs.get(irq);
  if (known?.owner !== 'guest' || known.domain !== domain) return failure('EINVAL');
  known.users--;
  if (known.users > 0) return 0;
  xen.steps.irq.disconnect(xen, known);
  known.owner = 'none';
  known.domain = undefined;
  known.virtual = undefined;
  known.users = 0;
  return 0;
}

/** Unties a physical interrupt from its virtual one. */
export function disconnect(xen: Xen, irq: IrqDescriptor): void {
  const { domain, virtual } = irq;
  xen.steps.gic.disable(xen, irq.irq, xen.cpu);
  if (virtual !== undefined) {
    xen.steps.vgic.forget(xen, virtual);
    virtual.physical = -1;
  }
  xen.steps.gic.clearActive(xen, irq.irq);
  xen.steps.gic.clearPending(xen, irq.irq);
  domain?.vgic?.routed.delete(irq.irq);
}

/** Takes all interrupts from a domain, however many devices share them. Returns 0 or the first error. */
export function releaseAll(xen: Xen, domain: Domain): number {
  let first = 0;
  for (const irq of [...(domain.vgic?.routed.keys() ?? [])]) {
    const known = xen.irqs.get(irq);
    if (known !== undefined) known.users = 1;
    const error = xen.steps.irq.releaseFromGuest(xen, domain, irq);
    if (error !== 0) print(xen, `${domain.name}: irq ${irq} cannot be released (${error})`);
    first ||= error;
  }
  return first;
}

/**
 * A domain that administers another one routes an SPI to it (XEN_DOMCTL_bind_pt_irq with PT_IRQ_TYPE_SPI). Interrupts keep
 * their number.
 * @returns 0; -EINVAL for another virtual number; -EPERM if either domain may not have the interrupt; what
 *   {@link routeToGuest} returns
 */
export function bindSpi(xen: Xen, caller: Domain, domain: Domain, virq: number, irq: number): number {
  if (virq !== irq) return failure('EINVAL');
  if (!xen.steps.irq.isPermitted(xen, caller, irq) || !xen.steps.irq.isPermitted(xen, domain, irq)) {
    return failure('EPERM');
  }
  return xen.steps.irq.routeToGuest(xen, domain, virq, irq);
}

/**
 * Ends that (XEN_DOMCTL_unbind_pt_irq).
 * @returns 0; -EINVAL for another virtual number, or an interrupt that the domain does not have; -EPERM if the caller may
 *   not have it
 */
export function unbindSpi(xen: Xen, caller: Domain, domain: Domain, virq: number, irq: number): number {
  if (virq !== irq) return failure('EINVAL');
  if (!xen.steps.irq.isPermitted(xen, caller, irq)) return failure('EPERM');
  return xen.steps.irq.releaseFromGuest(xen, domain, irq);
}

/**
 * Permits a domain to be given an interrupt, or forbids it (XEN_DOMCTL_irq_permission). What it has it keeps.
 * @returns 0; -EINVAL if there is no such interrupt; -EPERM if the caller may not have it itself
 */
export function permit(xen: Xen, caller: Domain, domain: Domain, irq: number, allow: boolean): number {
  if (irq >= (xen.gic?.lines ?? 0)) return failure('EINVAL');
  if (!xen.steps.irq.isPermitted(xen, caller, irq)) return failure('EPERM');
  if (allow) domain.irqs.add(irq, 1);
  else domain.irqs.remove(irq, 1);
  return 0;
}
