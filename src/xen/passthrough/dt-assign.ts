/**
 * Who a platform device works for (xen/drivers/passthrough/device_tree.c). A device that its domain loses is nobody's, and
 * aborts, until it is assigned again.
 */
import { failure } from '../errno.js';
import { gfn, mfn } from '../frames.js';
import { DOMID_HARDWARE } from '../hypervisor.js';
import { type Domain, type DtDevice, print, type Xen } from '../xen.js';
import { framesOf } from './dt-setup.js';

/** Makes a domain, or nobody, the owner of a device. */
export function setOwner(_xen: Xen, device: DtDevice, domain: Domain | undefined): void {
  const owned = device.domain?.dtDevices;
  const at = owned?.indexOf(device) ?? -1;
  if (at >= 0) owned?.splice(at, 1);
  device.domain = domain;
  domain?.dtDevices.push(device);
}

/**
 * Gives a device to a domain at its IOMMU.
 * @returns 0; -EINVAL if the device is behind no IOMMU or cannot be used, and for quarantine or a domain without use of
 *   IOMMUs; -EBUSY if somebody has it, or has a device that shares something with it; another negative error code, with
 *   the device as it was
 */
export function assignDevice(xen: Xen, domain: Domain, device: DtDevice): number {
  if (domain === xen.domIo || !domain.iommuEnabled) return failure('EINVAL');
  if (device.master === undefined || device.broken) return failure('EINVAL');
  if (device.domain !== undefined) return failure('EBUSY');
  const error = xen.steps.dt.sharesResources(xen, domain, device) || xen.steps.iommu.assignDevice(xen, domain, device);
  if (error !== 0) {
    print(xen, `${domain.name}: assign (${device.node.path}) failed (${error})`);
    return error;
  }
  xen.steps.dt.setOwner(xen, device, domain);
  print(xen, `${device.node.path} assigned to ${domain.name}`);
  return 0;
}

/** Takes the registers of a device from a domain, wherever they are mapped, and forbids a guest to map them. */
export function unmapRegions(xen: Xen, domain: Domain, device: DtDevice): number {
  let firstError = 0;
  for (const { start, count } of device.regions.map(framesOf)) {
    // Frames that hold registers of another device of the domain stay.
    const held = domain.dtDevices.some((other) => {
      return (
        other !== device &&
        other.regions.map(framesOf).some((r) => r.start < start + count && start < r.start + r.count)
      );
    });
    if (held) continue;
    for (const run of [...domain.mmio]) {
      const from = Math.max(run.mfn, start);
      const end = Math.min(run.mfn + run.count, start + count);
      if (from >= end) continue;
      const error = xen.steps.p2m.unmapMmio(xen, domain, gfn(run.gfn + from - run.mfn), mfn(from), end - from);
      if (firstError === 0) firstError = error;
    }
    if (domain.domid !== DOMID_HARDWARE) xen.steps.domain.denyIomem(xen, domain, mfn(start), count);
  }
  return firstError;
}

/** Takes the interrupts of a device from a domain, those that it was given. Returns 0 or the first error. */
export function releaseInterrupts(xen: Xen, domain: Domain, device: DtDevice): number {
  let firstError = 0;
  for (const { irq } of device.interrupts) {
    const error = xen.steps.irq.releaseFromGuest(xen, domain, irq);
    if (error !== 0 && error !== failure('EINVAL')) {
      if (firstError === 0) firstError = error;
      continue;
    }
    const held = domain.dtDevices.some((other) => other !== device && other.interrupts.some((its) => its.irq === irq));
    if (!held && domain.domid !== DOMID_HARDWARE) domain.irqs.remove(irq, 1);
  }
  return firstError;
}

/**
 * Takes a device from its domain, DMA first: whatever the device still does, it does not reach the domain while its
 * interrupts and registers go.
 * @returns 0, or a negative error code with the device still the domain's: try again
 */
export function releaseDevice(xen: Xen, domain: Domain, device: DtDevice): number {
  const attached = device.master?.context !== undefined;
  const error =
    (attached ? xen.steps.iommu.deassignDevice(xen, domain, device) : 0) ||
    xen.steps.dt.releaseInterrupts(xen, domain, device) ||
    xen.steps.dt.unmapRegions(xen, domain, device);
  if (error !== 0) {
    print(xen, `${domain.name}: deassign (${device.node.path}) failed (${error})`);
    return error;
  }
  xen.steps.dt.setOwner(xen, device, undefined);
  print(xen, `${device.node.path} deassigned from ${domain.name}`);
  return 0;
}

/**
 * Takes a device from a domain: unassigned, its DMA aborts.
 * @returns 0; -EINVAL if it is behind no IOMMU, and for quarantine or a domain without use of IOMMUs; -ESRCH if it is not
 *   the domain's; another negative error code, with the device still the domain's
 */
export function deassignDevice(xen: Xen, domain: Domain, device: DtDevice): number {
  if (domain === xen.domIo || !domain.iommuEnabled || device.master === undefined) return failure('EINVAL');
  if (device.domain !== domain) return failure('ESRCH');
  return xen.steps.dt.releaseDevice(xen, domain, device);
}

/**
 * Takes all devices from a domain, behind an IOMMU or not, also if one of them fails. Those that are left are tried again
 * when this is called again.
 * @returns 0 or the first error
 */
export function releaseDevices(xen: Xen, domain: Domain): number {
  let first = 0;
  for (const device of [...domain.dtDevices]) {
    const error = xen.steps.dt.releaseDevice(xen, domain, device);
    if (first === 0) first = error;
  }
  return first;
}
