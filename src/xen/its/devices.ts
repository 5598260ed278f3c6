/**
 * Devices at the machine's translation services: which DeviceID a device has, its interrupt translation table, its LPIs
 * (xen/arch/arm/gic-v3-its.c, gicv3_its_map_guest_device).
 *
 * All events of a device are mapped at once, each to an LPI of the device's own, in the collection of CPU 0. When a guest has
 * mapped an event, its LPI goes to the CPU of the vCPU that it is for, as physical interrupts do.
 */
import type { DeviceNode } from '../../firmware/tree.js';
import { GITS } from '../../hw/gic/its/layout.js';
import { requesterId } from '../../hw/machine.js';
import { failure } from '../errno.js';
import { maddr, maddrToMfn, PAGE_SIZE } from '../frames.js';
import { FIRST_LPI } from '../gic/driver.js';
import { type Domain, type HostBridge, type PciDevice, print, type Xen } from '../xen.js';
import { type HostIts, type HostItsDevice, type HostLpi, LPI_BLOCK, type TranslatedId } from './state.js';

/** The CPU that LPIs go to whose events no guest has mapped. */
const HOST_CPU = 0;

/** The service of a node. Undefined: Xen knows none there. */
function serviceOf(xen: Xen, phandle: number): HostIts | undefined {
  return xen.its.services.find(({ node }) => node.phandle === phandle);
}

/**
 * Where messages of a requester go: `msi-map` and `msi-map-mask` of its host bridge, else `msi-parent` with the requester
 * id as it is (Linux Documentation/devicetree/bindings/pci/pci-msi.txt; xen/common/device-tree, dt_map_id).
 * @returns undefined if there is no service for it; -EINVAL if the map is cut short; -EFAULT if an entry begins at an id
 *   that the mask removes; -ENODEV if the service that is named is none
 */
export function mapId(xen: Xen, bridge: HostBridge, requester: number): TranslatedId | number | undefined {
  const cells = bridge.node.cells('msi-map');
  if (cells === undefined) {
    const parent = bridge.node.cells('msi-parent')?.[0];
    const its = parent === undefined ? undefined : serviceOf(xen, parent);
    return its === undefined ? undefined : { its, deviceId: requester };
  }
  if (cells.length % 4 !== 0) return failure('EINVAL');
  const mask = bridge.node.u32('msi-map-mask') ?? 0xffff_ffff;
  const masked = (requester & mask) >>> 0;
  for (let at = 0; at < cells.length; at += 4) {
    const [first, phandle, output, length] = cells.slice(at, at + 4) as [number, number, number, number];
    if ((first & ~mask) !== 0) return failure('EFAULT');
    if (masked < first || masked >= first + length) continue;
    const its = serviceOf(xen, phandle);
    return its === undefined ? failure('ENODEV') : { its, deviceId: masked - first + output };
  }
  return undefined;
}

/** Where messages of a function go, under the requester id that arrives: its own, or that of the last bridge on the way. */
export function deviceIdOf(xen: Xen, device: PciDevice): TranslatedId | number | undefined {
  if (device.bridge === undefined) return undefined;
  let requester = requesterId(device.sbdf);
  for (const bridge of xen.steps.pci.bridgesAbove(xen, device)) {
    requester = xen.steps.pci.bridgeAlias(xen, bridge) ?? requester;
  }
  return xen.steps.its.mapId(xen, device.bridge, requester);
}

/**
 * Maps a device: table, LPIs, every event.
 * @param events how many it has at least
 * @returns the device; -ENOENT if Xen does not know the service; -EINVAL for a DeviceID or more events than it has; -EBUSY
 *   if the DeviceID is mapped; -ENOMEM; -ENOSPC without LPIs; -EIO
 */
export function mapDevice(
  xen: Xen,
  its: HostIts,
  deviceId: number,
  events: number,
  domain: Domain | undefined,
): HostItsDevice | number {
  const { its: steps } = xen.steps;
  if (its.disabled || !xen.its.services.includes(its)) return failure('ENOENT');
  if (deviceId >= 2 ** its.deviceBits) return failure('EINVAL');
  const count = 2 ** Math.ceil(Math.log2(Math.max(events, LPI_BLOCK)));
  if (count > 2 ** its.eventBits) return failure('EINVAL');
  if (its.devices.has(deviceId)) return failure('EBUSY');
  if (steps.ensureDeviceEntry(xen, its, deviceId) !== 0) return failure('ENOMEM');
  const order = Math.max(0, Math.ceil(Math.log2((count * its.ittEntryBytes) / PAGE_SIZE)));
  const table = xen.steps.heap.allocate(xen, order);
  if (table === undefined) return failure('ENOMEM');
  const intids = steps.allocateLpis(xen, count);
  if (intids === undefined) {
    xen.steps.heap.free(xen, table, 2 ** order);
    return failure('ENOSPC');
  }
  const lpis: HostLpi[] = [];
  const itt = { address: maddr(table), order };
  const device: HostItsDevice = {
    its,
    deviceId,
    events: count,
    itt,
    lpis,
    domain,
    users: new Set(),
    used: 0,
    discarded: 0,
    forgotten: false,
  };
  intids.forEach((intid, event) => {
    lpis.push({ intid, device, event, cpu: HOST_CPU, handler: undefined, bindings: [] });
  });
  its.devices.set(deviceId, device);
  const error = steps.installDevice(xen, device);
  if (error === 0) return device;
  steps.unmapDevice(xen, device);
  return error;
}

/** Tells an ITS of a device and of all its events, and enables their LPIs. Returns 0 or -EIO. */
export function installDevice(xen: Xen, device: HostItsDevice): number {
  const { its: steps } = xen.steps;
  const { its, deviceId, lpis } = device;
  const own = xen.its.lpis;
  let error = steps.sendCommand(
    xen,
    its,
    steps.encodeMapd(xen, deviceId, Math.log2(device.events), device.itt.address),
  );
  for (const lpi of lpis) {
    if (own !== undefined) own.entries[lpi.intid - FIRST_LPI] = lpi;
    const words = steps.encodeMapti(xen, deviceId, lpi.event, lpi.intid, lpi.cpu);
    error ||= steps.sendCommand(xen, its, words);
  }
  return error || steps.setEnabled(xen, device, true);
}

/** Enables or disables all LPIs of a device, and has the redistributors know. Returns 0 or -EIO. */
export function setEnabled(xen: Xen, device: HostItsDevice, enabled: boolean): number {
  const { its: steps } = xen.steps;
  for (let at = 0; at < device.lpis.length; at += LPI_BLOCK) {
    steps.setProperty(xen, (device.lpis[at] as HostLpi).intid, Math.min(LPI_BLOCK, device.lpis.length - at), enabled);
  }
  return steps.invalidateAll(xen, device);
}

/** Has the redistributors of a device's LPIs read their properties again, and waits. Returns 0 or -EIO. */
export function invalidateAll(xen: Xen, { its, lpis }: HostItsDevice): number {
  const { its: steps } = xen.steps;
  let error = 0;
  for (const cpu of new Set(lpis.map((lpi) => lpi.cpu))) {
    error ||= steps.sendCommand(xen, its, steps.encodeInvall(xen, cpu)) || steps.sync(xen, its, cpu);
  }
  return error;
}

/**
 * Has LPIs of a device go to a CPU, what is pending of them too.
 * @returns 0; -EIO, and they may still come to the CPU where they were
 */
export function moveLpis(xen: Xen, device: HostItsDevice, lpis: readonly HostLpi[], cpu: number): number {
  const { its: steps } = xen.steps;
  const away = lpis.filter((lpi) => lpi.cpu !== cpu);
  const before = new Set(away.map((lpi) => lpi.cpu));
  let error = 0;
  for (const lpi of away) {
    error ||= steps.sendCommand(xen, device.its, steps.encodeMovi(xen, device.deviceId, lpi.event, cpu));
    if (error === 0) lpi.cpu = cpu;
  }
  if (before.size === 0) return error;
  // The redistributor there may hold how an LPI was configured for another device that had it before.
  error ||= steps.sendCommand(xen, device.its, steps.encodeInvall(xen, cpu));
  for (const each of [...before, cpu]) error ||= steps.sync(xen, device.its, each);
  return error;
}

/**
 * Ends all events of a device. Only when the ITS has forgotten them and it, its table and its LPIs are free.
 * @returns 0, or -EIO, with everything kept: the next attempt goes on where this one ended
 */
export function unmapDevice(xen: Xen, device: HostItsDevice): number {
  const { its: steps } = xen.steps;
  const { its, deviceId, lpis, itt } = device;
  for (const lpi of lpis) {
    lpi.bindings.length = 0;
    lpi.handler = undefined;
  }
  const error = steps.discardEvents(xen, device) || steps.forgetDevice(xen, device) || steps.invalidateAll(xen, device);
  if (error !== 0) {
    print(xen, `ITS ${its.node.path}: DeviceID 0x${deviceId.toString(16)} cannot be unmapped (${error})`);
    return error;
  }
  its.devices.delete(deviceId);
  steps.freeLpis(
    xen,
    lpis.map(({ intid }) => intid),
  );
  const first = maddrToMfn(itt.address);
  xen.steps.heap.scrub(xen, first, 2 ** itt.order);
  xen.steps.heap.free(xen, first, 2 ** itt.order);
  return 0;
}

/** DISCARD of every event: none of the LPIs is pending any more. Returns 0 or -EIO. */
export function discardEvents(xen: Xen, device: HostItsDevice): number {
  const { its: steps } = xen.steps;
  for (let error = 0; device.discarded < device.lpis.length; device.discarded++) {
    error = steps.sendCommand(xen, device.its, steps.encodeDiscard(xen, device.deviceId, device.discarded));
    if (error !== 0) return error;
  }
  for (let at = 0; at < device.lpis.length; at += LPI_BLOCK) {
    steps.setProperty(xen, (device.lpis[at] as HostLpi).intid, Math.min(LPI_BLOCK, device.lpis.length - at), false);
  }
  return 0;
}

/** MAPD without V. What waits behind it knows that nothing of the device is used any more. Returns 0 or -EIO. */
export function forgetDevice(xen: Xen, device: HostItsDevice): number {
  const { its: steps } = xen.steps;
  if (device.forgotten) return 0;
  const error = steps.sendCommand(xen, device.its, steps.encodeUnmapd(xen, device.deviceId));
  device.forgotten = error === 0;
  return error;
}

/** A message that raises an interrupt of Xen's own. */
export interface XenMessage {
  /** Address and data that the device is to write. */
  readonly address: number;
  readonly data: number;
}

/**
 * Takes a message for Xen itself, of a device whose node has `msi-parent` (Linux bindings/interrupt-controller/msi.txt).
 * @returns the message; -ENODEV if the node names no service; -ENOSPC if its events are used up; what
 *   {@link mapDevice} returns
 */
export function allocateForXen(xen: Xen, node: DeviceNode, handler: (xen: Xen) => void): XenMessage | number {
  const [phandle, deviceId = 0] = node.cells('msi-parent') ?? [];
  const its = phandle === undefined ? undefined : serviceOf(xen, phandle);
  if (its === undefined) return failure('ENODEV');
  const known = its.devices.get(deviceId);
  if (known !== undefined && (known.domain !== undefined || known.users.size > 0)) return failure('EBUSY');
  const device = known ?? xen.steps.its.mapDevice(xen, its, deviceId, LPI_BLOCK, undefined);
  if (typeof device === 'number') return device;
  const lpi = device.lpis[device.used];
  if (lpi === undefined) return failure('ENOSPC');
  device.used++;
  lpi.handler = handler;
  return { address: its.base + GITS.TRANSLATER, data: lpi.event };
}
