/**
 * DOMCTL for platform devices (xen/drivers/passthrough/device_tree.c, iommu_do_dt_domctl): the device is named by the path
 * of its node, in the caller's memory. The caller may assign to itself what a guest has given back.
 */
import { join } from '../../hw/address.js';
import { get } from '../../hw/bits.js';
import { ASSIGN_DT_DEVICE } from '../abi.js';
import { failure } from '../errno.js';
import { PAGE_SIZE } from '../frames.js';
import type { Domain, DtDevice, Xen } from '../xen.js';

/**
 * The device that a command names, whether it can be used or not.
 * @returns undefined if the node is no device; -ENOBUFS for more than a page; -EFAULT; -ESRCH if there is no such node
 */
export function namedDevice(xen: Xen, caller: Domain, u: Uint32Array): DtDevice | undefined | number {
  const size = get(u, ASSIGN_DT_DEVICE.size);
  if (size > PAGE_SIZE) return failure('ENOBUFS');
  const pointer = join(get(u, ASSIGN_DT_DEVICE.path_hi), get(u, ASSIGN_DT_DEVICE.path_lo));
  const bytes = size === 0 ? new Uint8Array() : xen.steps.hypercall.copyFromGuest(xen, caller, pointer, size);
  if (bytes === undefined) return failure('EFAULT');
  const end = bytes.indexOf(0);
  const path = new TextDecoder().decode(end < 0 ? bytes : bytes.subarray(0, end));
  const node = xen.steps.dt.findNode(xen, path);
  return node === undefined ? failure('ESRCH') : xen.dtDevices.get(node.path);
}

/**
 * Whether a platform device could be assigned.
 * @returns 0; -EINVAL for a dying domain, for flags, and for a device that somebody has or that cannot be used; -ESRCH for
 *   an unknown node
 */
export function testAssignDtDevice(xen: Xen, caller: Domain, domain: Domain | undefined, u: Uint32Array): number {
  if ((domain?.dying ?? false) || get(u, ASSIGN_DT_DEVICE.flags) !== 0) return failure('EINVAL');
  const device = xen.steps.domctl.namedDevice(xen, caller, u);
  if (typeof device === 'number') return device;
  if (device === undefined) return 0;
  const taken = device.master !== undefined && device.domain !== undefined;
  return taken || device.broken ? failure('EINVAL') : 0;
}

/**
 * Assigns a platform device.
 * @returns 0; -EINVAL for a dying domain, for flags, for quarantine, and for a device that is behind no IOMMU or cannot be
 *   used; -ESRCH for an unknown node; -EBUSY
 */
export function assignDtDevice(xen: Xen, caller: Domain, domain: Domain, u: Uint32Array): number {
  if (domain.dying || get(u, ASSIGN_DT_DEVICE.flags) !== 0) return failure('EINVAL');
  const device = xen.steps.domctl.namedDevice(xen, caller, u);
  if (typeof device === 'number') return device;
  return device === undefined ? failure('EINVAL') : xen.steps.dt.assignDevice(xen, domain, device);
}

/**
 * Takes a platform device from a domain.
 * @returns 0; -EINVAL for flags, for quarantine, and for a device that is behind no IOMMU; -ESRCH for an unknown node and if
 *   the domain does not have it
 */
export function deassignDtDevice(xen: Xen, caller: Domain, domain: Domain, u: Uint32Array): number {
  if (get(u, ASSIGN_DT_DEVICE.flags) !== 0) return failure('EINVAL');
  const device = xen.steps.domctl.namedDevice(xen, caller, u);
  if (typeof device === 'number') return device;
  return device === undefined ? failure('EINVAL') : xen.steps.dt.deassignDevice(xen, domain, device);
}
