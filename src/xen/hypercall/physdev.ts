/** PHYSDEVOP: the hardware domain tells of PCI devices (xen/drivers/pci/physdev.c). */
import { get } from '../../hw/bits.js';
import {
  PCI_DEVICE,
  PCI_DEVICE_ADD,
  PCI_DEVICE_ADD_BYTES,
  PCI_DEVICE_ADD_OPTARR,
  PCI_DEVICE_BYTES,
  wordsOf,
} from '../abi.js';
import { failure } from '../errno.js';
import { PHYSDEVOP, XEN_PCI_DEV } from '../hypervisor.js';
import { sbdfOf } from '../passthrough/pci.js';
import type { Domain, Xen } from '../xen.js';

/** Runs a command whose structure is at `pointer`. */
export function operation(xen: Xen, caller: Domain, command: number, pointer: number): number {
  switch (command) {
    case PHYSDEVOP.pci_device_add:
      return xen.steps.physdev.pciDeviceAdd(xen, caller, pointer);
    case PHYSDEVOP.pci_device_remove:
      return xen.steps.physdev.pciDeviceRemove(xen, caller, pointer);
    default:
      return failure('ENOSYS');
  }
}

/** Whether PCI devices are passed through at all. */
export function isEnabled(xen: Xen): boolean {
  return xen.options.pciPassthrough;
}

/**
 * A device has appeared.
 * @returns 0; -EOPNOTSUPP without PCI passthrough; -EFAULT; -EPERM; what the addition returns
 */
export function pciDeviceAdd(xen: Xen, caller: Domain, pointer: number): number {
  if (!xen.steps.physdev.isEnabled(xen)) return failure('EOPNOTSUPP');
  const bytes = xen.steps.hypercall.copyFromGuest(xen, caller, pointer, PCI_DEVICE_ADD_BYTES);
  if (bytes === undefined) return failure('EFAULT');
  const add = wordsOf(bytes);
  const flags = get(add, PCI_DEVICE_ADD.flags);
  if ((flags & XEN_PCI_DEV.PXM) !== 0) {
    // The proximity domain has no meaning here, but it must be there.
    const pxm = xen.steps.hypercall.copyFromGuest(xen, caller, pointer + PCI_DEVICE_ADD_OPTARR, 4);
    if (pxm === undefined) return failure('EFAULT');
  }
  if (!xen.steps.hypercall.isPrivileged(xen, caller)) return failure('EPERM');
  const sbdf = sbdfOf(get(add, PCI_DEVICE_ADD.seg), get(add, PCI_DEVICE_ADD.bus), get(add, PCI_DEVICE_ADD.devfn));
  const virtual = (flags & XEN_PCI_DEV.VIRTFN) !== 0;
  return xen.steps.pci.addDevice(xen, sbdf, {
    extendedFunction: (flags & XEN_PCI_DEV.EXTFN) !== 0,
    physicalFunction: virtual
      ? { bus: get(add, PCI_DEVICE_ADD.physfn_bus), devfn: get(add, PCI_DEVICE_ADD.physfn_devfn) }
      : undefined,
  });
}

/**
 * A device has disappeared.
 * @returns 0; -EOPNOTSUPP without PCI passthrough; -EFAULT; -EPERM; what the removal returns
 */
export function pciDeviceRemove(xen: Xen, caller: Domain, pointer: number): number {
  if (!xen.steps.physdev.isEnabled(xen)) return failure('EOPNOTSUPP');
  const bytes = xen.steps.hypercall.copyFromGuest(xen, caller, pointer, PCI_DEVICE_BYTES);
  if (bytes === undefined) return failure('EFAULT');
  if (!xen.steps.hypercall.isPrivileged(xen, caller)) return failure('EPERM');
  const device = wordsOf(bytes);
  return xen.steps.pci.removeDevice(
    xen,
    sbdfOf(get(device, PCI_DEVICE.seg), get(device, PCI_DEVICE.bus), get(device, PCI_DEVICE.devfn)),
  );
}
