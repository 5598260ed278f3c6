/**
 * Translation services of domains, and the devices behind them (xen/arch/arm/vgic-v3-its.c).
 *
 * A guest's device has two identities: the DeviceID that the guest knows, of its virtual address, and the machine's, which
 * its messages carry. When a guest gets a device, all its events are mapped at the machine's service; what the guest maps
 * ties each to one of its own LPIs. The hardware domain knows the machine's DeviceIDs, and its devices are mapped when it
 * maps them.
 */
import { get } from '../../hw/bits.js';
import { TRANSLATION_FRAME } from '../../hw/gic/its/layout.js';
import { MSI, MSI_CONTROL, MSIX, MSIX_CONTROL } from '../../hw/pci/capabilities-layout.js';
import { CAPABILITY } from '../../hw/pci/layout.js';
import { failure } from '../errno.js';
import { gaddrToGfn, maddrToMfn } from '../frames.js';
import { GUEST_GICV3 } from '../guest-layout.js';
import { DOMID_HARDWARE } from '../hypervisor.js';
import { type Domain, type PciDevice, print, type Vcpu, type Xen } from '../xen.js';
import { DEVICE_BITS } from './guest-registers.js';
import {
  type HostIts,
  type HostItsDevice,
  type HostLpi,
  LPI_ID_BITS,
  type VirtualEvent,
  type VirtualIts,
  type VirtualItsDevice,
} from './state.js';

const isHardware = (domain: Domain): boolean => domain.domid === DOMID_HARDWARE;

/** Gives a domain a translation service: the hardware domain each of the machine's, others one. Returns 0 or an error. */
export function initDomain(xen: Xen, domain: Domain): number {
  const { vgic } = domain;
  const [first] = xen.its.services;
  if (vgic?.version !== 3 || first === undefined) return 0;
  vgic.lpiIdBits = LPI_ID_BITS;
  for (const host of isHardware(domain) ? xen.its.services : [first]) {
    const error = xen.steps.vits.addService(xen, domain, host);
    if (error !== 0) return error;
  }
  return 0;
}

/** One service, where the domain looks for it. Returns 0 or a negative error code. */
export function addService(xen: Xen, domain: Domain, host: HostIts): number {
  const address = isHardware(domain) || domain.directMapped ? host.base : GUEST_GICV3.ITS.address;
  const deviceBits = isHardware(domain) ? Math.max(host.deviceBits, 1) : DEVICE_BITS;
  const vits = xen.steps.vits.makeService(xen, domain, host, address, deviceBits);
  domain.its.services.push(vits);
  domain.mmioHandlers.push(xen.steps.vits.makeHandler(xen, vits));
  return host.disabled ? 0 : xen.steps.vits.mapDoorbell(xen, vits);
}

/**
 * Maps the page with GITS_TRANSLATER where the domain, and its devices through their IOMMU, look for it: nothing else of the
 * machine's service. It is everybody's, and so not among the registers that the domain owns: what a message does there is
 * told by who sent it.
 */
export function mapDoorbell(xen: Xen, { domain, host, address }: VirtualIts): number {
  if (domain.p2m === undefined) return failure('EINVAL');
  const at = gaddrToGfn(address + TRANSLATION_FRAME);
  const frame = maddrToMfn(host.base + TRANSLATION_FRAME);
  return xen.steps.p2m.setEntries(xen, domain.p2m, at, 1, frame, 'mmio_direct_dev');
}

/** Takes a domain's services away; nothing of them is left in the machine's tables. */
export function teardownDomain(xen: Xen, domain: Domain): void {
  for (const vits of domain.its.services) {
    for (const { functions } of [...vits.devices.values()]) {
      for (const device of functions) {
        const error = xen.steps.vits.removeDevice(xen, domain, device);
        if (error !== 0) print(xen, `${domain.name}: messages of a device cannot be ended (${error})`);
      }
    }
  }
  const others = domain.mmioHandlers.filter(({ name }) => name !== 'vITS');
  domain.mmioHandlers.splice(0, domain.mmioHandlers.length, ...others);
  for (const { irq } of domain.its.lpis.values()) xen.steps.vgic.forget(xen, irq);
  domain.its.lpis.clear();
  domain.its.services.length = 0;
  domain.its.limits.length = 0;
}

/** Messages that a function can send, of MSI or MSI-X. */
export function messageCount(xen: Xen, { sbdf }: PciDevice): number {
  const { findCapability, configRead } = xen.steps.pci;
  const control = (id: number, offset: number): Uint32Array | undefined => {
    const at = findCapability(xen, sbdf, id);
    return at === undefined ? undefined : Uint32Array.of(configRead(xen, sbdf, at + offset, 2));
  };
  const msi = control(CAPABILITY.MSI, MSI.CONTROL);
  const msix = control(CAPABILITY.MSIX, MSIX.CONTROL);
  return Math.max(
    msi === undefined ? 0 : 2 ** get(msi, MSI_CONTROL.MULTIPLE_MESSAGE_CAPABLE),
    msix === undefined ? 0 : get(msix, MSIX_CONTROL.TABLE_SIZE) + 1,
  );
}

/**
 * Lets a domain map events of a device that it has been given.
 * @param guestDeviceId the DeviceID that the domain uses for it, of its virtual address; the hardware domain uses the
 *   machine's
 * @returns 0, also if no translation service takes the device's messages; -ENOENT if the domain does not see the one that
 *   does; -EINVAL or -EBUSY for a DeviceID that it cannot use or uses for another device; what mapping it returns
 */
export function assignDevice(xen: Xen, domain: Domain, device: PciDevice, guestDeviceId: number): number {
  const host = xen.steps.its.deviceIdOf(xen, device);
  if (host === undefined || typeof host === 'number') return host ?? 0;
  const vits = domain.its.services.find((service) => service.host === host.its);
  if (vits === undefined) return failure('ENOENT');
  const deviceId = isHardware(domain) ? host.deviceId : guestDeviceId;
  if (deviceId >= 2 ** vits.deviceBits) return failure('EINVAL');
  const known = vits.devices.get(deviceId);
  if (known !== undefined) {
    // Functions behind one bridge can have one DeviceID at the machine.
    if (!isHardware(domain)) return known.functions.has(device) ? 0 : failure('EBUSY');
    known.functions.add(device);
    host.its.devices.get(host.deviceId)?.users.add(device);
    return 0;
  }
  const fresh: VirtualItsDevice = {
    vits,
    deviceId,
    functions: new Set([device]),
    host,
    events: 0,
    mapped: new Map(),
  };
  const events = isHardware(domain) ? 0 : xen.steps.vits.messageCount(xen, device);
  const error = isHardware(domain) ? 0 : xen.steps.vits.attachHost(xen, fresh, events);
  if (error === 0) vits.devices.set(deviceId, fresh);
  return error;
}

/** Maps a device at the machine's service for a domain, unless its DeviceID is mapped for it already. Returns 0 or an error. */
export function attachHost(xen: Xen, device: VirtualItsDevice, events: number): number {
  const { its, deviceId } = device.host;
  const { domain } = device.vits;
  let host: HostItsDevice | number | undefined = its.devices.get(deviceId);
  if (host !== undefined && host.domain !== domain) return failure('EBUSY');
  if (host !== undefined && host.events < events) {
    const error = xen.steps.its.unmapDevice(xen, host);
    if (error !== 0) return error;
    host = undefined;
  }
  host ??= xen.steps.its.mapDevice(xen, its, deviceId, events, domain);
  if (typeof host === 'number') return host;
  for (const fn of device.functions) host.users.add(fn);
  return 0;
}

/**
 * What a domain's MAPD does at the machine's service: nothing for a guest, whose device is mapped for as long as it has it.
 * The hardware domain's device is mapped, or not any more.
 */
export function hostMapd(xen: Xen, device: VirtualItsDevice): number {
  if (!isHardware(device.vits.domain)) return 0;
  if (device.events > 0) return xen.steps.vits.attachHost(xen, device, device.events);
  const host = device.host.its.devices.get(device.host.deviceId);
  return host === undefined || host.domain !== device.vits.domain ? 0 : xen.steps.its.unmapDevice(xen, host);
}

/** Ties an event that the guest has mapped to the LPI that the machine raises for it. */
export function bindEvent(xen: Xen, event: VirtualEvent): void {
  xen.steps.vits.hostLpiOf(xen, event)?.bindings.push(event);
}

/** The LPI that the machine raises for a guest's event. Undefined: none, the device has no such event. */
export function hostLpiOf(_xen: Xen, { device: { host, vits }, event }: VirtualEvent): HostLpi | undefined {
  const known = host.its.devices.get(host.deviceId);
  return known?.domain === vits.domain ? known.lpis[event] : undefined;
}

/**
 * Has the LPIs of a vCPU's events, or those of some of them, come to the CPU that it runs on, or is going to run on. Should the
 * machine's service not do it, they come where they came before, and the vCPU gets them from there.
 */
export function followVcpu(xen: Xen, vcpu: Vcpu, events: Iterable<VirtualEvent> = eventsFor(vcpu)): void {
  const cpu = vcpu.vgic?.lastCpu ?? 0;
  const byDevice = new Map<HostItsDevice, HostLpi[]>();
  for (const event of events) {
    const lpi = xen.steps.vits.hostLpiOf(xen, event);
    if (lpi === undefined || lpi.cpu === cpu) continue;
    const list = byDevice.get(lpi.device) ?? [];
    byDevice.set(lpi.device, list);
    list.push(lpi);
  }
  for (const [device, lpis] of byDevice) xen.steps.its.moveLpis(xen, device, lpis, cpu);
}

/** The events that go to a vCPU. */
function* eventsFor(vcpu: Vcpu): Generator<VirtualEvent> {
  for (const { collections, devices } of vcpu.domain.its.services) {
    for (const { mapped } of devices.values()) {
      for (const event of mapped.values()) if (collections.get(event.icid) === vcpu) yield event;
    }
  }
}

/** Unties it. */
export function unbindEvent(xen: Xen, event: VirtualEvent): void {
  const bindings = xen.steps.vits.hostLpiOf(xen, event)?.bindings;
  const at = bindings?.indexOf(event) ?? -1;
  if (at >= 0) bindings?.splice(at, 1);
}

/**
 * Ends all events of a device: none of its messages is an interrupt of the domain any more. First nothing is the guest's any
 * more, pending or mapped; then the machine's service forgets the device.
 * @returns 0, also if there is nothing to end; -EIO: try again
 */
export function removeDevice(xen: Xen, domain: Domain, device: PciDevice): number {
  for (const vits of domain.its.services) {
    for (const known of vits.devices.values()) {
      if (!known.functions.delete(device) || known.functions.size > 0) continue;
      xen.steps.vits.discardAll(xen, known);
      vits.devices.delete(known.deviceId);
    }
  }
  for (const its of xen.its.services) {
    for (const host of its.devices.values()) {
      if (host.domain !== domain || !host.users.has(device)) continue;
      const error = host.users.size === 1 ? xen.steps.its.unmapDevice(xen, host) : 0;
      if (error !== 0) return error;
      host.users.delete(device);
    }
  }
  return 0;
}
