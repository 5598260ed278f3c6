/**
 * The PCI devices that Xen knows, by segment, bus and devfn, and what the hardware domain tells of them
 * (xen/drivers/passthrough/pci.c).
 */
import { formatSbdf, type Sbdf } from '../../hw/machine.js';
import { failure } from '../errno.js';
import { DOMID_HARDWARE } from '../hypervisor.js';
import { type Domain, type PciDevice, type PciDeviceInfo, print, type Xen } from '../xen.js';

/** A device whose addition said nothing special. */
const PLAIN_DEVICE: PciDeviceInfo = { extendedFunction: false, physicalFunction: undefined };

/** Key of a function within its segment: bus << 8 | devfn. */
export function deviceKey(_xen: Xen, sbdf: Sbdf): number {
  return (sbdf.bus << 8) | (sbdf.device << 3) | sbdf.function;
}

/** The function that a segment, a bus and a devfn name. */
export function sbdfOf(segment: number, bus: number, devfn: number): Sbdf {
  return { segment, bus, device: devfn >>> 3, function: devfn & 7 };
}

/** The device of this address, or undefined. */
export function findDevice(xen: Xen, sbdf: Sbdf): PciDevice | undefined {
  return xen.segments.get(sbdf.segment)?.devices.get(xen.steps.pci.deviceKey(xen, sbdf));
}

/** The device of this address if the domain owns it. */
export function findOwned(xen: Xen, domain: Domain, sbdf: Sbdf): PciDevice | undefined {
  const device = xen.steps.pci.findDevice(xen, sbdf);
  return device?.domain === domain ? device : undefined;
}

/** All devices, by address. */
export function allDevices(xen: Xen): PciDevice[] {
  const segments = [...xen.segments.values()].sort((a, b) => a.segment - b.segment);
  return segments.flatMap(({ devices }) => [...devices].sort(([a], [b]) => a - b).map(([, device]) => device));
}

/** The device of this address; if it is new, what its configuration space says of it is read. It has no owner yet. */
export function allocateDevice(xen: Xen, sbdf: Sbdf): PciDevice {
  const known = xen.steps.pci.findDevice(xen, sbdf);
  if (known !== undefined) return known;
  const { pci } = xen.steps;
  const headerType = pci.readHeaderType(xen, sbdf);
  const portType = pci.portType(xen, sbdf);
  const multiFunction = pci.isMultiFunction(xen, { ...sbdf, function: 0 });
  const device: PciDevice = {
    kind: 'pci',
    sbdf,
    bridge: pci.findHostBridge(xen, sbdf),
    headerType,
    info: PLAIN_DEVICE,
    domain: undefined,
    quarantine: false,
    broken: false,
    phantomStride: pci.phantomStride(xen, sbdf),
    virtualFunctions: [],
    bars: pci.readBars(xen, sbdf, headerType),
    master: undefined,
    portType,
    multiFunction,
    buses: pci.busesBehind(xen, sbdf, headerType),
    isolated: pci.isIsolated(xen, sbdf, portType, multiFunction),
    vpci: undefined,
  };
  let segment = xen.segments.get(sbdf.segment);
  if (segment === undefined) {
    segment = { segment: sbdf.segment, devices: new Map() };
    xen.segments.set(sbdf.segment, segment);
  }
  segment.devices.set(pci.deviceKey(xen, sbdf), device);
  return device;
}

/** Forgets a device. */
export function freeDevice(xen: Xen, device: PciDevice): void {
  xen.segments.get(device.sbdf.segment)?.devices.delete(xen.steps.pci.deviceKey(xen, device.sbdf));
  for (const other of allDevices(xen)) {
    const at = other.virtualFunctions.indexOf(device);
    if (at >= 0) other.virtualFunctions.splice(at, 1);
  }
}

/** Makes a domain, or nobody, the owner of a device. */
export function setOwner(_xen: Xen, device: PciDevice, domain: Domain | undefined): void {
  const owned = device.domain?.devices;
  const at = owned?.indexOf(device) ?? -1;
  if (at >= 0) owned?.splice(at, 1);
  device.domain = domain;
  domain?.devices.push(device);
}

/**
 * Enters what the hardware domain says of a virtual function, and where its memory is.
 * @returns 0, or -ENODEV if its physical function is not known
 */
export function linkVirtualFunction(xen: Xen, device: PciDevice, info: PciDeviceInfo): number {
  if (info.physicalFunction === undefined) return 0;
  const { bus, devfn } = info.physicalFunction;
  const physical = xen.steps.pci.findDevice(xen, sbdfOf(device.sbdf.segment, bus, devfn));
  if (physical === undefined) return failure('ENODEV');
  if (!physical.virtualFunctions.includes(device)) physical.virtualFunctions.push(device);
  // Of one that somebody has, the registers are mapped: they stay what they are.
  if (device.domain === undefined) {
    device.bars = xen.steps.pci.virtualFunctionBars(xen, device, physical) ?? device.bars;
  }
  return 0;
}

/** Whose a device is that has appeared: the hardware domain's, or quarantine's if a guest has a device of its group. */
export function newOwner(xen: Xen, hardwareDomain: Domain, device: PciDevice): Domain {
  return xen.steps.pci.sharesGroup(xen, hardwareDomain, device) === 0 ? hardwareDomain : xen.domIo;
}

/**
 * A device has appeared. A new one belongs to the hardware domain: its IOMMU context, its registers.
 * @returns 0, also if it has an owner already; -ENODEV for a virtual function without its physical function; another
 *   negative error code, with the device unowned
 */
export function addDevice(xen: Xen, sbdf: Sbdf, info: PciDeviceInfo): number {
  const hardwareDomain = xen.domains.get(DOMID_HARDWARE);
  if (hardwareDomain === undefined) return failure('EINVAL');
  const isNew = xen.steps.pci.findDevice(xen, sbdf) === undefined;
  const device = xen.steps.pci.allocateDevice(xen, sbdf);
  device.info = info;
  let error = xen.steps.pci.linkVirtualFunction(xen, device, info);
  if (error !== 0) {
    print(xen, `${formatSbdf(sbdf)}: virtual function without its physical function`);
    if (isNew) xen.steps.pci.freeDevice(xen, device);
    return error;
  }
  if (device.domain === undefined) {
    const owner = xen.steps.pci.newOwner(xen, hardwareDomain, device);
    xen.steps.pci.setOwner(xen, device, owner);
    if (owner === xen.domIo) device.quarantine = true;
    error = xen.steps.iommu.addDevice(xen, device);
    if (error === 0 && owner === hardwareDomain) error = xen.steps.pci.presentDevice(xen, owner, device);
    if (error !== 0) {
      xen.steps.pci.unwindAdd(xen, device);
      print(xen, `${formatSbdf(sbdf)}: cannot be added (${error})`);
      return error;
    }
  }
  print(xen, `PCI add ${info.physicalFunction === undefined ? 'device' : 'virtual function'} ${formatSbdf(sbdf)}`);
  return 0;
}

/** Takes back what an addition did that failed: nobody owns the device, and it aborts. */
export function unwindAdd(xen: Xen, device: PciDevice): void {
  xen.steps.iommu.removeDevice(xen, device);
  xen.steps.pci.setOwner(xen, device, undefined);
}

/**
 * A device has disappeared, whoever owned it.
 * @returns 0; -ENODEV if it is not known; -EBUSY for a physical function with virtual ones, all of which are broken from
 *   now on; another negative error code
 */
export function removeDevice(xen: Xen, sbdf: Sbdf): number {
  const device = xen.steps.pci.findDevice(xen, sbdf);
  if (device === undefined) return failure('ENODEV');
  if (device.virtualFunctions.length > 0) {
    for (const fn of [device, ...device.virtualFunctions]) fn.broken = true;
    print(xen, `${formatSbdf(sbdf)}: physical function removed before its virtual functions`);
    return failure('EBUSY');
  }
  const { domain } = device;
  let error = domain === undefined ? 0 : xen.steps.pci.withdrawDevice(xen, domain, device);
  if (error === 0) error = xen.steps.iommu.removeDevice(xen, device);
  if (error === 0 && domain !== undefined) error = xen.steps.pci.unmapBars(xen, domain, device);
  if (error !== 0) {
    device.broken = true;
    return error;
  }
  xen.steps.pci.setOwner(xen, device, undefined);
  xen.steps.pci.freeDevice(xen, device);
  print(xen, `PCI remove device ${formatSbdf(sbdf)}`);
  return 0;
}

/** Whether the administrator keeps a device for passthrough. */
export function isHidden(xen: Xen, device: PciDevice): boolean {
  return xen.options.hidden.some((sbdf) => formatSbdf(sbdf) === formatSbdf(device.sbdf));
}

/**
 * Gives the devices that were found at boot to the hardware domain, those kept for passthrough to quarantine. One that
 * cannot be given stays without an owner, and aborts.
 */
export function setupHardwareDomain(xen: Xen): void {
  for (const device of allDevices(xen)) {
    if (!xen.steps.pci.isHidden(xen, device)) {
      xen.steps.pci.addDevice(xen, device.sbdf, device.info);
      continue;
    }
    xen.steps.pci.setOwner(xen, device, xen.domIo);
    device.quarantine = true;
    const error = xen.steps.iommu.addDevice(xen, device);
    if (error !== 0) xen.steps.pci.unwindAdd(xen, device);
    print(xen, `${formatSbdf(device.sbdf)}: ${error === 0 ? 'quarantined' : `cannot be quarantined (${error})`}`);
  }
}
