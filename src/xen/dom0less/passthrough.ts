/**
 * Devices of a passthrough device tree, given to a domain that is being created, node by node in the order of the tree
 * (xen/common/device-tree/dom0less-build.c, handle_passthrough_prop): registers are permitted and mapped, the host's node
 * is looked up, its interrupts are routed, and the device is assigned at its IOMMU.
 *
 * Assumptions, where Xen does not look or no binding says anything:
 *
 * - Registers of another guest are -EBUSY. Registers in `xen,reg` beside `xen,path` lie in frames of the host node's
 *   `reg`, else -EINVAL.
 * - A device that is not behind an IOMMU has an owner too: a second assignment is -EBUSY.
 * - A device makes requests if its node in the host's tree has `iommus`, `dma-coherent`, `dma-noncoherent` (Devicetree
 *   Specification v0.4, 2.3.10 and 2.3.11), `#dma-cells`, or `tracewright,dma` of this project's own boards.
 * - A device that makes requests and is not behind an IOMMU goes to direct-mapped domains only, also when it is forced:
 *   anywhere else it would reach the memory of others. -EINVAL.
 * - Registers without `xen,path` are not a way around that: those of a device that makes requests are refused like the
 *   device itself, -EINVAL, or -EBUSY if another domain has it, the hardware domain too.
 */
import { failure } from '../errno.js';
import { DOMID_HARDWARE } from '../hypervisor.js';
import { framesOf } from '../passthrough/dt-setup.js';
import { RangeSet } from '../range-set.js';
import type { Domain, DtDevice, Xen } from '../xen.js';
import { reportConfig } from './config-error.js';
import { type DeviceRegion, regionName } from './entries.js';
import type { PassthroughDevice, PassthroughTree } from './partial-tree.js';

const DMA_PROPERTIES = ['iommus', 'dma-coherent', 'dma-noncoherent', '#dma-cells', 'tracewright,dma'] as const;

/** Whether a device makes requests of its own. */
export function isDmaCapable(_xen: Xen, device: DtDevice): boolean {
  return DMA_PROPERTIES.some((property) => device.node.has(property));
}

/** Whether another guest may map any of a region's registers. */
export function isOthers(xen: Xen, domain: Domain, region: DeviceRegion): boolean {
  return [...xen.domains.values()].some(
    (other) => other !== domain && other.domid !== DOMID_HARDWARE && other.iomem.overlaps(region.mfn, region.count),
  );
}

/** The frames that hold registers of a device. */
function registerFrames(device: DtDevice): RangeSet {
  const own = new RangeSet();
  for (const { start, count } of device.regions.map(framesOf)) own.add(start, count);
  return own;
}

/** Whether all frames of a region hold registers of a device. */
export function liesWithin(_xen: Xen, device: DtDevice, region: DeviceRegion): boolean {
  return registerFrames(device).contains(region.mfn, region.count);
}

/**
 * Whether a domain can have a region for itself, without the device that it is of. Who has the registers of a device that
 * makes requests has its requests.
 * @returns 0; -EBUSY if a device that makes requests is another domain's; -EINVAL if such a device is behind no IOMMU, and
 *   the domain is not direct-mapped
 */
export function checkPathless(xen: Xen, domain: Domain, region: DeviceRegion): number {
  for (const device of xen.dtDevices.values()) {
    if (!registerFrames(device).overlaps(region.mfn, region.count)) continue;
    if (!xen.steps.dom0less.isDmaCapable(xen, device)) continue;
    if (device.domain !== undefined && device.domain !== domain) return failure('EBUSY');
    if (device.master === undefined && !domain.directMapped) return failure('EINVAL');
  }
  return 0;
}

/**
 * Permits a domain to use the interrupts of a device, and routes each, under its own number.
 * @returns 0 or a negative error code
 */
export function routeInterrupts(xen: Xen, domain: Domain, device: DtDevice): number {
  for (const { irq } of device.interrupts) {
    domain.irqs.add(irq, 1);
    const error = xen.steps.irq.routeToGuest(xen, domain, irq, irq);
    if (error !== 0) return error;
  }
  return 0;
}

/**
 * Gives a device that is not behind an IOMMU to a domain.
 * @returns 0; -EINVAL if it makes requests and the domain is not direct-mapped
 */
export function assignUnprotected(xen: Xen, domain: Domain, device: DtDevice): number {
  if (xen.steps.dom0less.isDmaCapable(xen, device) && !domain.directMapped) return failure('EINVAL');
  xen.steps.dt.setOwner(xen, device, domain);
  return 0;
}

/**
 * Assigns a device.
 * @returns 0; -EINVAL if it is not behind an IOMMU and not forced, or if the domain has no use of IOMMUs
 */
export function assignPlatformDevice(xen: Xen, domain: Domain, device: DtDevice, force: boolean): number {
  if (force && device.master === undefined) return xen.steps.dom0less.assignUnprotected(xen, domain, device);
  if (device.master === undefined || !domain.iommuEnabled) return failure('EINVAL');
  return xen.steps.dt.assignDevice(xen, domain, device);
}

/** Gives a domain what a node of its passthrough device tree asks for. Returns 0, or a negative error code, printed. */
export function passThrough(xen: Xen, domain: Domain, wanted: PassthroughDevice): number {
  const { dom0less, dt } = xen.steps;
  const report = (property: string, text: string, error: number): number =>
    reportConfig(xen, `${wanted.node}: ${property}: ${text}`, error);
  for (const region of wanted.regions) {
    if (dom0less.isOthers(xen, domain, region))
      return report('xen,reg', `${regionName(region)} is of another domain`, failure('EBUSY'));
    const pathless = wanted.path === undefined ? dom0less.checkPathless(xen, domain, region) : 0;
    if (pathless !== 0) return report('xen,path', 'missing for a device that makes requests', pathless);
    const error = xen.steps.domain.mapRegion(xen, domain, region);
    if (error !== 0) return report('xen,reg', `${regionName(region)} cannot be mapped`, error);
  }
  if (wanted.path === undefined) return 0;
  const device = dt.findDevice(xen, wanted.path);
  if (device === undefined) return report('xen,path', `the host has no device ${wanted.path}`, failure('EINVAL'));
  const name = device.node.path;
  if (device.domain !== undefined) return report('xen,path', `${name} is ${device.domain.name}'s`, failure('EBUSY'));
  const outside = wanted.regions.find((region) => !dom0less.liesWithin(xen, device, region));
  if (outside !== undefined)
    return report('xen,reg', `${regionName(outside)} is no register of ${name}`, failure('EINVAL'));
  let error = dt.sharesResources(xen, domain, device);
  if (error !== 0) return report('xen,path', `${name} shares resources with a device of another domain`, error);
  error = dom0less.routeInterrupts(xen, domain, device);
  if (error !== 0) return report('xen,path', `an interrupt of ${name} cannot be routed`, error);
  error = dom0less.assignDevice(xen, domain, device, wanted.force);
  return error === 0 ? 0 : report('xen,path', `${name} cannot be assigned`, error);
}

/** Gives a domain all that its passthrough device tree asks for. Returns 0 or a negative error code. */
export function passThroughAll(xen: Xen, domain: Domain, tree: PassthroughTree | undefined): number {
  for (const wanted of tree?.devices ?? []) {
    const error = xen.steps.dom0less.passThrough(xen, domain, wanted);
    if (error !== 0) return error;
  }
  return 0;
}

/** Gives platform devices back, last first, when the creation of their domain has failed. */
export function unwindDevices(xen: Xen, domain: Domain): void {
  for (const device of domain.dtDevices.toReversed()) xen.steps.dt.releaseDevice(xen, domain, device);
}
