/**
 * Finding the platform devices of the host's device tree, and making them known to their IOMMUs (xen/drivers/passthrough/
 * device_tree.c, iommu_add_dt_device; xen/arch/arm/domain_build.c, handle_device).
 *
 * A device whose node cannot be read as it ought to be is told on the console, with node and property, and nobody gets it:
 * what Xen does not understand it cannot confine.
 */
import { type DeviceNode, DeviceTreeError } from '../../firmware/tree.js';
import { isReserved } from '../boot/platform.js';
import { failure } from '../errno.js';
import { frames, maddrToMfn, PAGE_SIZE } from '../frames.js';
import { DOMID_HARDWARE } from '../hypervisor.js';
import type { Run } from '../range-set.js';
import { type ByteSpan, type DtDevice, print, type Xen } from '../xen.js';

/** Nodes at the root that are no devices, with all below them (Devicetree Specification 3). */
const NOT_DEVICES = ['aliases', 'chosen', 'cpus', 'memory', 'psci', 'reserved-memory', '__symbols__', 'hypervisor'];
/** Devices of each CPU, which Xen shows to domains itself. */
const TIMERS = ['arm,armv8-timer', 'arm,armv7-timer'];
/** What makes a node a device. */
const DEVICE_PROPERTIES = ['reg', 'interrupts', 'interrupts-extended', 'iommus'];

/** The frames that registers lie in. */
export function framesOf({ address, size }: ByteSpan): Run {
  const first = maddrToMfn(address);
  return { start: first, count: frames(address + size - first * PAGE_SIZE) };
}

/** Whether a node, with all below it, is none of the platform's devices: Xen's own, or found another way. */
export function isApart(xen: Xen, node: DeviceNode): boolean {
  if (node.parent?.parent === undefined && NOT_DEVICES.includes(node.name.split('@')[0] as string)) return true;
  const kept = ['#iommu-cells', 'interrupt-controller', 'msi-controller'].some((property) => node.has(property));
  if (kept || node.has('device_type') || !node.enabled) return true;
  if (xen.platform.hostBridges.some((bridge) => bridge.node === node)) return true;
  return TIMERS.some((model) => node.isCompatible(model));
}

/** The nodes of platform devices, parents first. */
export function findNodes(xen: Xen): DeviceNode[] {
  const found: DeviceNode[] = [];
  const visit = (parent: DeviceNode): void => {
    for (const node of parent.children) {
      if (xen.steps.dt.isApart(xen, node)) continue;
      if (DEVICE_PROPERTIES.some((property) => node.has(property))) found.push(node);
      visit(node);
    }
  };
  visit(xen.platform.tree.root);
  return found;
}

/** Says why a device cannot be used, and gives it up. */
function refuse(xen: Xen, device: DtDevice, why: string): void {
  print(xen, `${why}; the device cannot be assigned`);
  device.broken = true;
}

/** Reads what a node says of its device. */
export function describe(xen: Xen, node: DeviceNode): DtDevice {
  const { dt } = xen.steps;
  const errors: string[] = [];
  const read = <T>(reading: () => T, otherwise: T): T => {
    try {
      return reading();
    } catch (error) {
      if (!(error instanceof DeviceTreeError)) throw error;
      errors.push(error.message);
      return otherwise;
    }
  };
  const device: DtDevice = {
    kind: 'dt',
    node,
    domain: undefined,
    reserved: isReserved(node),
    regions: read(() => dt.readRegions(xen, node), []),
    interrupts: read(() => dt.readInterrupts(xen, node), []),
    master: undefined,
    broken: false,
  };
  const streams = read(() => dt.readStreams(xen, node), undefined);
  if (streams !== undefined) {
    const { iommu, streamIds } = streams;
    const error = xen.steps.iommu.driverOf(xen, iommu).prepareStreams(xen, iommu, streamIds);
    if (error === 0) device.master = { iommu, streamIds, context: undefined };
    else errors.push(`${node.path}: iommus: ${iommu.node.path} has no such streams (${error})`);
  }
  for (const error of errors) refuse(xen, device, error);
  return device;
}

/** Gives up devices whose registers are not theirs alone: another device's too, RAM, or what Xen keeps. */
export function refuseOverlaps(xen: Xen): void {
  const all = [...xen.dtDevices.values()].flatMap((device) => device.regions.map((region) => ({ device, region })));
  for (const { device, region } of all) {
    const at = `${device.node.path}: reg: 0x${region.address.toString(16)}`;
    const { start, count } = framesOf(region);
    if (!xen.platform.iomem.contains(start, count)) refuse(xen, device, `${at} is no register that can be given away`);
    for (const other of all) {
      if (other.device === device) continue;
      const [from, to] = [other.region.address, other.region.address + other.region.size];
      if (from < region.address + region.size && region.address < to) {
        refuse(xen, device, `${at} overlaps ${other.device.node.path}`);
      }
    }
  }
}

/** Finds the platform devices of the device tree and makes them known to their IOMMUs. */
export function setup(xen: Xen): void {
  for (const node of xen.steps.dt.findNodes(xen)) xen.dtDevices.set(node.path, xen.steps.dt.describe(xen, node));
  xen.steps.dt.refuseOverlaps(xen);
}

/**
 * The node of the host's device tree at a path, at an alias that a path may follow (Devicetree Specification 3.3), or with
 * a label, if the tree was built with them (`/__symbols__`).
 */
export function findNode(xen: Xen, path: string): DeviceNode | undefined {
  const { tree } = xen.platform;
  const label = path.includes('/') ? undefined : tree.byPath('/__symbols__')?.string(path);
  return tree.byPath(path) ?? (label?.startsWith('/') ? tree.byPath(label) : undefined);
}

/**
 * The device of a node of the host's device tree, however it is named: see {@link findNode}. Undefined if it is no device,
 * or none that can be used.
 */
export function findDevice(xen: Xen, path: string): DtDevice | undefined {
  const node = xen.steps.dt.findNode(xen, path);
  const device = node === undefined ? undefined : xen.dtDevices.get(node.path);
  return device?.broken === false ? device : undefined;
}

/**
 * Gives a device to the hardware domain at boot: its interrupts, and its IOMMU's context if it is behind one.
 * @returns 0 or a negative error code, with the device nobody's
 */
export function giveToHardwareDomain(xen: Xen, device: DtDevice): number {
  const domain = xen.domains.get(DOMID_HARDWARE);
  if (domain === undefined) return failure('EINVAL');
  const error = device.master === undefined ? 0 : xen.steps.iommu.assignDevice(xen, domain, device);
  if (error !== 0) return error;
  xen.steps.dt.setOwner(xen, device, domain);
  for (const { irq } of device.interrupts) domain.irqs.add(irq, 1);
  return 0;
}

/** Gives the devices that nobody reserved to the hardware domain. One that cannot be given stays nobody's, and aborts. */
export function setupHardwareDomain(xen: Xen): void {
  for (const device of xen.dtDevices.values()) {
    if (device.reserved || device.broken) continue;
    const error = xen.steps.dt.giveToHardwareDomain(xen, device);
    if (error !== 0) print(xen, `${device.node.path}: cannot be given to the hardware domain (${error})`);
  }
}
