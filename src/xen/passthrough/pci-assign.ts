/**
 * Who a PCI device works for: assignment to a domain, the way back, and the registers that go with it
 * (xen/drivers/passthrough/pci.c).
 */
import { formatSbdf, type Sbdf } from '../../hw/machine.js';
import { failure } from '../errno.js';
import { frames, type Gfn, gaddrToGfn, gfn, type Mfn, maddrToMfn, PAGE_SIZE } from '../frames.js';
import { GUEST_VPCI } from '../guest-layout.js';
import { DOMID_HARDWARE } from '../hypervisor.js';
import { type Bar, type Domain, type PciDevice, print, type Xen } from '../xen.js';
import { allDevices } from './pci.js';

/** A domain that is neither the hardware domain nor quarantine. */
const isGuest = (xen: Xen, domain: Domain): boolean => domain.domid !== DOMID_HARDWARE && domain !== xen.domIo;

/** The frames that a BAR lies in. */
export function barFrames(_xen: Xen, bar: Bar): { first: Mfn; count: number } {
  const first = maddrToMfn(bar.address);
  return { first, count: frames(bar.address + bar.size - first * PAGE_SIZE) };
}

/**
 * Where a guest sees a BAR: where its configuration says, else at the address that the device has. Where that would hide the
 * guest's configuration space, it is as far into the guest's window as it is into the host bridge's.
 */
export function barGuestFrame(xen: Xen, domain: Domain, device: PciDevice, bar: Bar): Gfn {
  const configured = domain.barPlaces.find(
    (place) => place.index === bar.index && formatSbdf(place.sbdf) === formatSbdf(device.sbdf),
  );
  if (configured !== undefined) return configured.gfn;
  const { ECAM, MEMORY } = GUEST_VPCI;
  const { address, size } = bar;
  const hides = isGuest(xen, domain) && address < ECAM.address + ECAM.size && ECAM.address < address + size;
  const window = device.bridge?.windows.find((w) => w.address <= address && address < w.address + w.size);
  const moved = address - (window?.address ?? 0) + MEMORY.address;
  const fits = hides && moved + size <= MEMORY.address + MEMORY.size;
  return fits ? gaddrToGfn(moved) : gfn(xen.steps.pci.barFrames(xen, bar).first);
}

/** Whether registers of a device lie in a frame that a BAR lies in. */
function liesIn(xen: Xen, device: PciDevice, bar: Bar): boolean {
  const { first, count } = xen.steps.pci.barFrames(xen, bar);
  return device.bars.some((theirs) => {
    const taken = xen.steps.pci.barFrames(xen, theirs);
    return taken.first < first + count && first < taken.first + taken.count;
  });
}

/** Whether a BAR shares a frame with a device of another domain, which must not see the registers of this one. */
export function sharesFrame(xen: Xen, domain: Domain, device: PciDevice, bar: Bar): boolean {
  const foreign = (other: PciDevice) => other !== device && xen.steps.iommu.isForeign(xen, domain, other);
  return allDevices(xen).some((other) => foreign(other) && liesIn(xen, other, bar));
}

/** Whether a BAR shares a frame with another device of its domain, which goes on using it when this one leaves. */
export function framesHeld(xen: Xen, domain: Domain, device: PciDevice, bar: Bar): boolean {
  return domain.devices.some((other) => other !== device && liesIn(xen, other, bar));
}

/**
 * Maps a device's registers to a domain that has memory, and permits it to map them.
 * @returns 0; -EBUSY if a frame holds another domain's registers too, or the guest has something else there; another
 *   negative error code. None is mapped unless all are
 */
export function mapBars(xen: Xen, domain: Domain, device: PciDevice): number {
  if (domain.p2m === undefined) return 0;
  for (const bar of device.bars) {
    const { first, count } = xen.steps.pci.barFrames(xen, bar);
    let error = xen.steps.pci.sharesFrame(xen, domain, device, bar) ? failure('EBUSY') : 0;
    if (error === 0) {
      xen.steps.domain.permitIomem(xen, domain, first, count);
      error = xen.steps.vpci.mapBar(xen, domain, device, bar, xen.steps.pci.barGuestFrame(xen, domain, device, bar));
    }
    if (error === 0) continue;
    xen.steps.pci.unmapBars(xen, domain, device);
    return error;
  }
  return 0;
}

/**
 * Takes a device's registers from a domain, wherever they are mapped, and forbids it to map them: but for frames that hold
 * those of another device of the domain.
 * @returns 0 or the first error
 */
export function unmapBars(xen: Xen, domain: Domain, device: PciDevice): number {
  let firstError = 0;
  for (const bar of device.bars) {
    if (xen.steps.pci.framesHeld(xen, domain, device, bar)) continue;
    const { first, count } = xen.steps.pci.barFrames(xen, bar);
    const error = xen.steps.vpci.unmapBar(xen, domain, device, bar);
    if (firstError === 0) firstError = error;
    if (isGuest(xen, domain)) xen.steps.domain.denyIomem(xen, domain, first, count);
  }
  return firstError;
}

/**
 * Whether a device can be assigned at all.
 * @returns 0; -ENODEV if there is none; -EBUSY unless the hardware domain or quarantine owns it
 */
export function deviceAssigned(xen: Xen, sbdf: Sbdf): number {
  const device = xen.steps.pci.findDevice(xen, sbdf);
  if (device === undefined) return failure('ENODEV');
  const { domain } = device;
  return domain === undefined || isGuest(xen, domain) ? failure('EBUSY') : 0;
}

/**
 * Shows a device that is attached to its owner: in configuration space, to its translation service, its registers.
 * @returns 0 or a negative error code, with nothing shown
 */
export function presentDevice(xen: Xen, domain: Domain, device: PciDevice): number {
  const { pci, vits, vpci } = xen.steps;
  let error = vpci.assignDevice(xen, domain, device);
  const deviceId = error === 0 ? vpci.deviceId(xen, domain, device) : undefined;
  if (deviceId !== undefined) error = vits.assignDevice(xen, domain, device, deviceId);
  if (error === 0) error = pci.mapBars(xen, domain, device);
  if (error !== 0) pci.withdrawDevice(xen, domain, device);
  return error;
}

/**
 * Hides a device from its owner, before it is detached: it sends no messages any more, then those that it has sent are
 * nobody's interrupts. Its registers are left.
 * @returns 0 or a negative error code
 */
export function withdrawDevice(xen: Xen, domain: Domain, device: PciDevice): number {
  if (domain === xen.domIo) return 0;
  return xen.steps.vpci.removeDevice(xen, domain, device) || xen.steps.vits.removeDevice(xen, domain, device);
}

/**
 * Takes a device from its owner: no messages, no context, no registers, in this order. It aborts when this returns 0.
 * @returns 0 or a negative error code
 */
export function releaseDevice(xen: Xen, device: PciDevice): number {
  const { domain } = device;
  if (domain === undefined) return 0;
  const attached = device.master?.context !== undefined;
  return (
    xen.steps.pci.withdrawDevice(xen, domain, device) ||
    (attached ? xen.steps.iommu.deassignDevice(xen, domain, device) : 0) ||
    xen.steps.pci.unmapBars(xen, domain, device)
  );
}

/** Gives a device that has been released to a domain: ownership, context, what it sees. All of it or nothing but ownership. */
export function giveDevice(xen: Xen, domain: Domain, device: PciDevice): number {
  xen.steps.pci.setOwner(xen, device, domain);
  if (domain === xen.domIo) return 0;
  const error = xen.steps.iommu.assignDevice(xen, domain, device);
  if (error !== 0) return error;
  const shown = xen.steps.pci.presentDevice(xen, domain, device);
  if (shown !== 0) xen.steps.iommu.deassignDevice(xen, domain, device);
  return shown;
}

/**
 * Assigns a device to a domain. {@link deviceAssigned} has cleared it.
 * @returns 0; -EOPNOTSUPP if the domain has no use of IOMMUs; -EXDEV if it may not use them; -EBADF for a broken device and
 *   a guest; -EBUSY if another domain has a device of its group; another negative error code, with the device back at its
 *   owner
 */
export function assignDevice(xen: Xen, domain: Domain, sbdf: Sbdf): number {
  if (!domain.iommuEnabled) return failure('EOPNOTSUPP');
  if (!xen.steps.iommu.usePermitted(xen, domain)) return failure('EXDEV');
  const device = xen.steps.pci.findDevice(xen, sbdf);
  if (device === undefined) return failure('ENODEV');
  if (device.broken && isGuest(xen, domain)) return failure('EBADF');
  const shared = domain === xen.domIo ? 0 : xen.steps.pci.sharesGroup(xen, domain, device);
  if (shared !== 0) {
    print(xen, `${domain.name}: assign (${formatSbdf(sbdf)}) failed: another domain has a device of its group`);
    return shared;
  }
  const owner = device.domain;
  let error = xen.steps.pci.releaseDevice(xen, device);
  if (error === 0) error = xen.steps.pci.giveDevice(xen, domain, device);
  if (error !== 0) {
    print(xen, `${domain.name}: assign (${formatSbdf(sbdf)}) failed (${error})`);
    xen.steps.pci.returnDevice(xen, owner, device);
    return error;
  }
  if (domain === xen.domIo) device.quarantine = true;
  print(xen, `${formatSbdf(sbdf)} assigned to ${domain.name}`);
  return 0;
}

/** Gives a device back to the owner that it had before an assignment that failed. If that fails too, it is broken. */
export function returnDevice(xen: Xen, owner: Domain | undefined, device: PciDevice): void {
  const error =
    owner === undefined ? 0 : xen.steps.pci.releaseDevice(xen, device) || xen.steps.pci.giveDevice(xen, owner, device);
  if (error !== 0) device.broken = true;
}

/**
 * Who gets a device that its domain loses: quarantine, or the hardware domain. From quarantine, the hardware domain. A
 * device of whose group a guest still has another is quarantined in any case.
 */
export function deassignTarget(xen: Xen, from: Domain, device: PciDevice): Domain {
  const hardware = xen.domains.get(DOMID_HARDWARE);
  if (hardware === undefined) return xen.domIo;
  if (from === xen.domIo) return hardware;
  const shared = xen.steps.pci.sharesGroup(xen, hardware, device) !== 0;
  return device.quarantine || xen.options.quarantine || shared ? xen.domIo : hardware;
}

/**
 * Takes a device from a domain.
 * @returns 0; -EINVAL if the domain has no use of IOMMUs; -ENODEV if it does not own the device; -EBUSY if the hardware
 *   domain would get it from quarantine while a guest has a device of its group; another negative error code, with the
 *   device still the domain's
 */
export function deassignDevice(xen: Xen, domain: Domain, sbdf: Sbdf): number {
  if (!domain.iommuEnabled) return failure('EINVAL');
  const device = xen.steps.pci.findOwned(xen, domain, sbdf);
  if (device === undefined) return failure('ENODEV');
  const target = xen.steps.pci.deassignTarget(xen, domain, device);
  if (target !== xen.domIo && xen.steps.pci.sharesGroup(xen, target, device) !== 0) return failure('EBUSY');
  // Messages end first, while the device is known by whom they are for. The context goes before the registers: whatever the
  // device still does, it does not reach the domain while they go. An attempt that failed after that has moved it already.
  const moved = device.broken && device.master?.context?.domain === (target === xen.domIo ? undefined : target);
  let error = xen.steps.pci.withdrawDevice(xen, domain, device);
  if (error === 0 && !moved) error = xen.steps.iommu.reassignDevice(xen, domain, target, device);
  if (error === 0) error = xen.steps.pci.unmapBars(xen, domain, device);
  if (error === 0) {
    xen.steps.pci.setOwner(xen, device, target);
    if (target.domid === DOMID_HARDWARE) {
      device.quarantine = false;
      error = xen.steps.pci.presentDevice(xen, target, device);
    }
  }
  if (error !== 0) {
    device.broken = true;
    print(xen, `${domain.name}: deassign (${formatSbdf(sbdf)}) failed (${error})`);
    return error;
  }
  print(xen, `${formatSbdf(sbdf)} deassigned from ${domain.name}, now of ${target.name}`);
  return 0;
}

/** Takes all devices from a domain, also if one of them fails. Returns 0 or the first error. */
export function releaseDevices(xen: Xen, domain: Domain): number {
  let first = 0;
  for (const device of [...domain.devices]) {
    const error = xen.steps.pci.deassignDevice(xen, domain, device.sbdf);
    if (first === 0) first = error;
  }
  return first;
}
