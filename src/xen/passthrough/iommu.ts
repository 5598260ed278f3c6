/**
 * What the rest of Xen asks of IOMMUs: devices are added and removed, attached to and detached from contexts; a domain's
 * cached translations are flushed (xen/drivers/passthrough/iommu.c, struct iommu_ops).
 */
import { pa } from '../../hw/address.js';
import { failure } from '../errno.js';
import { DOMID_HARDWARE } from '../hypervisor.js';
import { TagBitmap } from '../tags.js';
import type { Domain, IommuContext, PciDevice, Smmu, SmmuFeatures, Xen } from '../xen.js';

const NO_FEATURES: SmmuFeatures = {
  stage2: false,
  aarch64: false,
  granule4k: false,
  twoLevelTable: false,
  hyp: false,
  ats: false,
  streamIdBits: 0,
  vmidBits: 0,
  oas: 0,
  outputBits: 0,
  commandQueueLog2: 0,
  eventQueueLog2: 0,
};

/** Finds the SMMUs of the device tree and takes charge of each. */
export function setup(xen: Xen): void {
  for (const node of xen.platform.tree.compatible('arm,smmu-v3')) {
    const reg = node.reg()[0];
    const address = reg === undefined ? undefined : node.translate(reg.address);
    if (address === undefined || !node.enabled) continue;
    const empty = { base: pa(0), log2Size: 0, prod: 0, cons: 0 };
    const smmu: Smmu = {
      node,
      base: pa(address),
      features: NO_FEATURES,
      streamTable: { base: pa(0), log2Size: 0, split: undefined, level2: new Map() },
      commandQueue: empty,
      eventQueue: empty,
      vmids: new TagBitmap(0),
      streams: new Map(),
      disabled: false,
    };
    xen.smmus.push(smmu);
    xen.steps.smmuv3.probe(xen, smmu);
  }
}

/** The SMMU that a phandle names. */
export function findByPhandle(xen: Xen, phandle: number): Smmu | undefined {
  return xen.smmus.find((smmu) => smmu.node.phandle === phandle);
}

/**
 * Makes a device known to its IOMMU, and attaches it for its owner. Quarantined devices stay without a context: they
 * abort.
 * @returns 0; -EEXIST if it is known; another negative error code
 */
export function addDevice(xen: Xen, device: PciDevice): number {
  const { domain } = device;
  if (domain === undefined) return failure('EINVAL');
  if (!domain.iommuEnabled) return 0;
  if (device.master !== undefined) return failure('EEXIST');
  const found = xen.steps.iommu.streamIdsOf(xen, device);
  if (typeof found === 'number') return found;
  let error = xen.steps.smmuv3.prepareStreams(xen, found.smmu, found.streamIds);
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

/** A domain's context on an SMMU, made if there is none. A negative error code if it cannot be. */
export function contextFor(xen: Xen, domain: Domain, smmu: Smmu): IommuContext | number {
  const known = domain.contexts.find((context) => context.number === 0 && context.smmu === smmu);
  if (known !== undefined) return known;
  const context = xen.steps.smmuv3.createContext(xen, domain, smmu);
  if (typeof context !== 'number') domain.contexts.push(context);
  return context;
}

/** Ends a context that no device is attached to. Returns 0 or a negative error code. */
export function releaseContext(xen: Xen, context: IommuContext): number {
  if (context.devices.size > 0) return 0;
  const error = xen.steps.smmuv3.destroyContext(xen, context);
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
export function attach(xen: Xen, context: IommuContext, device: PciDevice, pasid?: number): number {
  const { master } = device;
  if (master === undefined) return failure('ENODEV');
  if (pasid !== undefined) return failure('EOPNOTSUPP');
  if (context.smmu !== master.smmu) return failure('ENXIO');
  if (master.context !== undefined) {
    const error = xen.steps.iommu.detach(xen, master.context, device);
    if (error !== 0) return error;
  }
  const error = xen.steps.smmuv3.attachStreams(xen, context, device);
  if (error !== 0) return error;
  master.context = context;
  context.devices.add(device);
  return 0;
}

/** Detaches a device from a context: its traffic aborts. Returns 0 or a negative error code. */
export function detach(xen: Xen, context: IommuContext, device: PciDevice): number {
  const error = xen.steps.smmuv3.detachStreams(xen, context, device);
  if (error !== 0) return error;
  context.devices.delete(device);
  if (device.master !== undefined) device.master.context = undefined;
  return 0;
}

/** Attaches a device to a domain's p2m. Returns 0 or a negative error code. */
export function assignDevice(xen: Xen, domain: Domain, device: PciDevice): number {
  if (device.master === undefined) return failure('ENODEV');
  const context = xen.steps.iommu.contextFor(xen, domain, device.master.smmu);
  if (typeof context === 'number') return context;
  const error = xen.steps.iommu.attach(xen, context, device);
  if (error !== 0) xen.steps.iommu.releaseContext(xen, context);
  return error;
}

/**
 * Detaches a device from a domain's p2m.
 * @returns 0; -ESRCH if it is not attached to it; another negative error code
 */
export function deassignDevice(xen: Xen, domain: Domain, device: PciDevice): number {
  const context = device.master?.context;
  if (context === undefined) {
    // Detached before, but the context could not be ended then.
    const left = domain.contexts.find(({ smmu, devices }) => smmu === device.master?.smmu && devices.size === 0);
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
    const error = xen.steps.smmuv3.invalidateVmid(xen, context.smmu, context.tag);
    if (first === 0) first = error;
  }
  return first;
}

/** Takes what the IOMMUs have to report. */
export function service(xen: Xen): void {
  for (const smmu of xen.smmus) {
    if (smmu.disabled) continue;
    xen.steps.smmuv3.drainEvents(xen, smmu);
    xen.steps.smmuv3.handleGlobalErrors(xen, smmu);
  }
}
