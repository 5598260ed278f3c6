/** DOMCTL about interrupts (xen/common/domctl.c; xen/arch/arm/domctl.c: only SPIs are bound, each as its own number). */
import { get } from '../../hw/bits.js';
import { BIND_PT_IRQ, IRQ_PERMISSION, PT_IRQ_TYPE_SPI } from '../abi.js';
import { failure } from '../errno.js';
import type { Domain, Xen } from '../xen.js';

/**
 * Permits or forbids a domain to be given an interrupt.
 * @returns 0; -EINVAL if there is no such interrupt; -EPERM if the caller itself may not have it
 */
export function irqPermission(xen: Xen, caller: Domain, domain: Domain, u: Uint32Array): number {
  const allow = get(u, IRQ_PERMISSION.allow_access) !== 0;
  return xen.steps.irq.permit(xen, caller, domain, get(u, IRQ_PERMISSION.pirq), allow);
}

/**
 * Gives a domain an SPI.
 * @returns 0; -EOPNOTSUPP for anything but an SPI; what `irq.bindSpi` returns
 */
export function bindPtIrq(xen: Xen, caller: Domain, domain: Domain, u: Uint32Array): number {
  if (get(u, BIND_PT_IRQ.irq_type) !== PT_IRQ_TYPE_SPI) return failure('EOPNOTSUPP');
  return xen.steps.irq.bindSpi(xen, caller, domain, get(u, BIND_PT_IRQ.machine_irq), get(u, BIND_PT_IRQ.spi));
}

/**
 * Takes an SPI from a domain.
 * @returns 0; -EOPNOTSUPP for anything but an SPI; what `irq.unbindSpi` returns
 */
export function unbindPtIrq(xen: Xen, caller: Domain, domain: Domain, u: Uint32Array): number {
  if (get(u, BIND_PT_IRQ.irq_type) !== PT_IRQ_TYPE_SPI) return failure('EOPNOTSUPP');
  return xen.steps.irq.unbindSpi(xen, caller, domain, get(u, BIND_PT_IRQ.machine_irq), get(u, BIND_PT_IRQ.spi));
}
