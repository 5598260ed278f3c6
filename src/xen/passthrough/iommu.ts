/**
 * What the rest of Xen asks of IOMMUs: devices are added and removed, attached to and detached from contexts; a domain's
 * cached translations are flushed (xen/drivers/passthrough/iommu.c, struct iommu_ops).
 */
import { requesterId } from '../../hw/machine.js';
import { failure } from '../errno.js';
import { DOMID_HARDWARE } from '../hypervisor.js';
import type { Device, Domain, Iommu, IommuContext, PciDevice, Xen } from '../xen.js';

/** What every driver does, each for its own kind: the part of its table that the steps here use. */
export interface IommuDriver {
  /** Finds the instances of the device tree, adds each to `xen.iommus` and takes charge of it. */
  setup(xen: Xen): void;
  /** Size of the guest physical addresses that it takes. */
  addressBits(xen: Xen, iommu: Iommu): number;
  /** Makes a domain's p2m a context. A negative error code if that cannot be. */
  createContext(xen: Xen, domain: Domain, iommu: Iommu): IommuContext | number;
  /** Ends a context without devices: nothing is cached of it when this returns 0. */
  destroyContext(xen: Xen, context: IommuContext): number;
  /** Makes ready to attach streams. Returns 0, or a negative error code if it has no such streams. */
  prepareStreams(xen: Xen, iommu: Iommu, streamIds: readonly number[]): number;
  /** Makes all streams of a device translate by a context, or none. Returns 0 or a negative error code. */
  attachStreams(xen: Xen, context: IommuContext, device: Device): number;
  /** Makes all streams of a device abort, also if one of them fails. Returns 0 or the first error. */
  detachStreams(xen: Xen, context: IommuContext, device: Device): number;
  /** Makes it forget the translations of a context. Returns 0 or a negative error code. */
  invalidateContext(xen: Xen, context: IommuContext): number;
  /** Takes what it has to report. */
  service(xen: Xen, iommu: Iommu): void;
}

/** Finds the IOMMUs of the device tree and takes charge of each. */
export function setup(xen: Xen): void {
  for (const driver of [xen.steps.smmuv3, xen.steps.ipmmu]) driver.setup(xen);
}

/** The driver of an IOMMU. */
export function driverOf(xen: Xen, iommu: Iommu): IommuDriver {
  return iommu.kind === 'smmuv3' ? xen.steps.smmuv3 : xen.steps.ipmmu;
}

/** The IOMMU that a phandle names. */
export function findByPhandle(xen: Xen, phandle: number): Iommu | undefined {
  return xen.iommus.find((iommu) => iommu.node.phandle === phandle);
}

/**
 * Makes a device known to its IOMMU, and attaches it for its owner. Quarantined devices stay without a context: they
 * abort. A conventional bridge is not attached: its requester id is that of everything behind it.
 * @returns 0; -EEXIST if it is known; another negative error code
 */
export function addDevice(xen: Xen, device: PciDevice): number {
  const { domain } = device;
  if (domain === undefined) return failure('EINVAL');
  if (!domain.iommuEnabled) return 0;
  if (device.master !== undefined) return failure('EEXIST');
  if (device.buses !== undefined && xen.steps.pci.bridgeAlias(xen, device) === requesterId(device.sbdf)) return 0;
  const found = xen.steps.iommu.streamIdsOf(xen, device);
  if (typeof found === 'number') return found;
  let error = xen.steps.iommu.driverOf(xen, found.iommu).prepareStreams(xen, found.iommu, found.streamIds);
  if (error !== 0) return error;
  device.master = { ...found, context: undefined };
  if (domain === xen.domIo) return 0;
  error = xen.steps.iommu.assignDevice(xen, domain, device);
  if (error !== 0) device.master = undefined;
  return error;
}

/** Makes a device unknown to its IOMMU; its traffic aborts. Returns 0 or a negative error code. */
export function removeDevice(xen: Xen, device: PciDevice): number {
  const context = device.master?.context;
  if (context !== undefined) {
    const error = xen.steps.iommu.deassignDevice(xen, context.domain, device);
    if (error !== 0) return error;
  }
  device.master = undefined;
  return 0;
}

/** A domain's context on an IOMMU, made if there is none. A negative error code if it cannot be. */
export function contextFor(xen: Xen, domain: Domain, iommu: Iommu): IommuContext | number {
  const known = domain.contexts.find((context) => context.number === 0 && context.iommu === iommu);
  if (known !== undefined) return known;
  const context = xen.steps.iommu.driverOf(xen, iommu).createContext(xen, domain, iommu);
  if (typeof context !== 'number') domain.contexts.push(context);
  return context;
}

/** Ends a context that no device is attached to. Returns 0 or a negative error code. */
export function releaseContext(xen: Xen, context: IommuContext): number {
  if (context.devices.size > 0) return 0;
  const error = xen.steps.iommu.driverOf(xen, context.iommu).destroyContext(xen, context);
  if (error !== 0) return error;
  const at = context.domain.contexts.indexOf(context);
  if (at >= 0) context.domain.contexts.splice(at, 1);
  return 0;
}

/** Ends the contexts that a domain still has, none of which has a device any more. Returns 0 or the first error. */
export function teardownDomain(xen: Xen, domain: Domain): number {
  let first = 0;
  for (const context of [...domain.contexts]) {
    const error = xen.steps.iommu.releaseContext(xen, context);
    if (first === 0) first = error;
  }
  return first;
}

/**
 * Attaches a device, or one address space of it, to a context.
 * @returns 0; -ENODEV if no IOMMU knows it; -ENXIO if the context is another IOMMU's; -EOPNOTSUPP for a PASID: nothing here
 *   has address spaces below the device yet; another negative error code, with the device detached
 */
export function attach(xen: Xen, context: IommuContext, device: Device, pasid?: number): number {
  const { master } = device;
  if (master === undefined) return failure('ENODEV');
  if (pasid !== undefined) return failure('EOPNOTSUPP');
  if (context.iommu !== master.iommu) return failure('ENXIO');
  if (master.context !== undefined) {
    const error = xen.steps.iommu.detach(xen, master.context, device);
    if (error !== 0) return error;
  }
  const error = xen.steps.iommu.driverOf(xen, context.iommu).attachStreams(xen, context, device);
  if (error !== 0) return error;
  master.context = context;
  context.devices.add(device);
  return 0;
}

/** Detaches a device from a context: its traffic aborts. Returns 0 or a negative error code. */
export function detach(xen: Xen, context: IommuContext, device: Device): number {
  const error = xen.steps.iommu.driverOf(xen, context.iommu).detachStreams(xen, context, device);
  if (error !== 0) return error;
  context.devices.delete(device);
  if (device.master !== undefined) device.master.context = undefined;
  return 0;
}

/** Attaches a device to a domain's p2m. Returns 0 or a negative error code. */
export function assignDevice(xen: Xen, domain: Domain, device: Device): number {
  if (device.master === undefined) return failure('ENODEV');
  const context = xen.steps.iommu.contextFor(xen, domain, device.master.iommu);
  if (typeof context === 'number') return context;
  const error = xen.steps.iommu.attach(xen, context, device);
  if (error !== 0) xen.steps.iommu.releaseContext(xen, context);
  return error;
}

/**
 * Detaches a device from a domain's p2m.
 * @returns 0; -ESRCH if it is not attached to it; another negative error code
 */
export function deassignDevice(xen: Xen, domain: Domain, device: Device): number {
  const context = device.master?.context;
  if (context === undefined) {
    // Detached before, but the context could not be ended then.
    const left = domain.contexts.find(({ iommu, devices }) => iommu === device.master?.iommu && devices.size === 0);
    return left === undefined ? failure('ESRCH') : xen.steps.iommu.releaseContext(xen, left);
  }
  if (context.domain !== domain) return failure('ESRCH');
  return xen.steps.iommu.detach(xen, context, device) || xen.steps.iommu.releaseContext(xen, context);
}

/**
 * Moves a device from a domain to the one that takes devices back: the hardware domain or quarantine.
 * @returns 0; -EPERM for any other; another negative error code
 */
export function reassignDevice(xen: Xen, from: Domain, to: Domain, device: PciDevice): number {
  if (to.domid !== DOMID_HARDWARE && to !== xen.domIo) return failure('EPERM');
  if (from === to) return 0;
  // Quarantined devices have no context to leave.
  const error = from === xen.domIo ? 0 : xen.steps.iommu.deassignDevice(xen, from, device);
  if (error !== 0 || to === xen.domIo) return error;
  return xen.steps.iommu.assignDevice(xen, to, device);
}

/** Whether a domain may have devices behind an IOMMU. Nothing forbids it on Arm. */
export function usePermitted(_xen: Xen, _domain: Domain): boolean {
  return true;
}

/** Makes all IOMMUs forget a domain's translations. Returns 0 or the first error. */
export function flush(xen: Xen, domain: Domain): number {
  let first = 0;
  for (const context of domain.contexts) {
    const error = xen.steps.iommu.driverOf(xen, context.iommu).invalidateContext(xen, context);
    if (first === 0) first = error;
  }
  return first;
}

/**
 * Takes what the IOMMUs have to report. They interrupt too, but an interrupt waits until a CPU lets it in; whenever Xen is
 * entered to change who has a device, records of what the device did before are told first, while they still say whose.
 */
export function service(xen: Xen): void {
  for (const iommu of xen.iommus) {
    if (!iommu.disabled) xen.steps.iommu.driverOf(xen, iommu).service(xen, iommu);
  }
}
