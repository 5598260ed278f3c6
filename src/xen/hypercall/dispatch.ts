/** Hypercalls: by number to their handlers. */
import { failure } from '../errno.js';
import { DOMID_HARDWARE, HYPERCALL } from '../hypervisor.js';
import type { Domain, Vcpu, Xen } from '../xen.js';

/** Runs a hypercall of a vCPU. Returns what the guest gets in X0. */
export function dispatch(xen: Xen, vcpu: Vcpu, number: number, args: readonly number[]): number {
  const cpu = xen.running.indexOf(vcpu);
  xen.cpu = Math.max(cpu, 0);
  xen.steps.iommu.service(xen);
  const [first = 0, second = 0] = args;
  switch (number) {
    case HYPERCALL.memory_op:
      return xen.steps.memory.operation(xen, vcpu.domain, first, second);
    case HYPERCALL.physdev_op:
      return xen.steps.physdev.operation(xen, vcpu.domain, first, second);
    case HYPERCALL.domctl:
      return xen.steps.domctl.operation(xen, vcpu.domain, first);
    default:
      return failure('ENOSYS');
  }
}

/** Whether a domain may do what only the hardware domain may. */
export function isPrivileged(_xen: Xen, domain: Domain): boolean {
  return domain.domid === DOMID_HARDWARE;
}
