/**
 * DOMCTL: what the control domain does with domains (xen/common/domctl.c, xen/drivers/passthrough/{iommu,pci}.c). What it
 * does with platform devices is in `domctl-dt.ts`.
 */
import { join } from '../../hw/address.js';
import { type Field, get, put } from '../../hw/bits.js';
import {
  ASSIGN_DEVICE,
  ASSIGN_DEVICE_BYTES,
  BIND_PT_IRQ_BYTES,
  bytesOf,
  DEV_RDM_RELAXED,
  DOMCTL_BYTES,
  DOMCTL_DEV,
  DOMCTL_HEADER,
  DOMCTL_U,
  GET_DEVICE_GROUP,
  GET_DEVICE_GROUP_BYTES,
  IOMEM_PERMISSION,
  IOMEM_PERMISSION_BYTES,
  IRQ_PERMISSION_BYTES,
  MEMORY_MAPPING,
  MEMORY_MAPPING_BYTES,
  MEMORY_MAPPING_MAX,
  wordsOf,
} from '../abi.js';
import { sbdfOfCell } from '../domain-config.js';
import { failure } from '../errno.js';
import { gfn, mfn, PAGE_SHIFT } from '../frames.js';
import { DOMCTL, DOMCTL_INTERFACE_VERSION, DOMID_INVALID, DOMID_IO } from '../hypervisor.js';
import type { Domain, Xen } from '../xen.js';

const number64 = (words: Uint32Array, hi: Field, lo: Field): number => join(get(words, hi), get(words, lo));

/** The domain that a command is about: undefined for none; -ESRCH if there is no such domain. */
export function target(xen: Xen, command: number, domid: number): Domain | undefined | number {
  const assignment = command === DOMCTL.assign_device || command === DOMCTL.deassign_device;
  if (assignment && domid === DOMID_IO) return xen.domIo;
  if (command === DOMCTL.test_assign_device && domid === DOMID_INVALID) return undefined;
  return xen.domains.get(domid) ?? failure('ESRCH');
}

/** Runs the command whose structure is at `pointer`. */
export function operation(xen: Xen, caller: Domain, pointer: number): number {
  const bytes = xen.steps.hypercall.copyFromGuest(xen, caller, pointer, DOMCTL_BYTES);
  if (bytes === undefined) return failure('EFAULT');
  const header = wordsOf(bytes.subarray(0, DOMCTL_U));
  if (get(header, DOMCTL_HEADER.interface_version) !== DOMCTL_INTERFACE_VERSION) return failure('EACCES');
  const command = get(header, DOMCTL_HEADER.cmd);
  const domain = xen.steps.domctl.target(xen, command, get(header, DOMCTL_HEADER.domain));
  if (typeof domain === 'number') return domain;
  if (!xen.steps.hypercall.isPrivileged(xen, caller)) return failure('EPERM');
  const u = bytes.subarray(DOMCTL_U);
  const { domctl } = xen.steps;
  switch (command) {
    case DOMCTL.test_assign_device:
      return domctl.testAssignDevice(xen, caller, domain, wordsOf(u.subarray(0, ASSIGN_DEVICE_BYTES)));
    case DOMCTL.assign_device:
      if (domain === undefined) return failure('ESRCH');
      return domctl.assignDevice(xen, caller, domain, wordsOf(u.subarray(0, ASSIGN_DEVICE_BYTES)));
    case DOMCTL.deassign_device:
      if (domain === undefined) return failure('ESRCH');
      return domctl.deassignDevice(xen, caller, domain, wordsOf(u.subarray(0, ASSIGN_DEVICE_BYTES)));
    case DOMCTL.get_device_group: {
      if (domain === undefined) return failure('ESRCH');
      return domctl.getDeviceGroup(
        xen,
        caller,
        domain,
        wordsOf(u.subarray(0, GET_DEVICE_GROUP_BYTES)),
        pointer + DOMCTL_U,
      );
    }
    case DOMCTL.iomem_permission:
      if (domain === undefined) return failure('ESRCH');
      return domctl.iomemPermission(xen, caller, domain, wordsOf(u.subarray(0, IOMEM_PERMISSION_BYTES)));
    case DOMCTL.memory_mapping:
      if (domain === undefined) return failure('ESRCH');
      return domctl.memoryMapping(xen, caller, domain, wordsOf(u.subarray(0, MEMORY_MAPPING_BYTES)));
    case DOMCTL.irq_permission:
      if (domain === undefined) return failure('ESRCH');
      return domctl.irqPermission(xen, caller, domain, wordsOf(u.subarray(0, IRQ_PERMISSION_BYTES)));
    case DOMCTL.bind_pt_irq:
      if (domain === undefined) return failure('ESRCH');
      return domctl.bindPtIrq(xen, caller, domain, wordsOf(u.subarray(0, BIND_PT_IRQ_BYTES)));
    case DOMCTL.unbind_pt_irq:
      if (domain === undefined) return failure('ESRCH');
      return domctl.unbindPtIrq(xen, caller, domain, wordsOf(u.subarray(0, BIND_PT_IRQ_BYTES)));
    case DOMCTL.destroydomain:
      if (domain === undefined) return failure('ESRCH');
      return domctl.destroyDomain(xen, caller, domain);
    default:
      return failure('ENOSYS');
  }
}

/** Whether a domain, or the machine if there is none, has use of IOMMUs. */
export function iommuEnabled(xen: Xen, domain: Domain | undefined): boolean {
  return domain === undefined ? xen.options.iommu : domain.iommuEnabled;
}

/**
 * Whether a device could be assigned.
 * @returns 0; -EOPNOTSUPP; -EINVAL for the caller itself, for flags, and for a device that is assigned or does not exist;
 *   -ENODEV for an unknown type of device; see `domctl-dt.ts` for a platform device
 */
export function testAssignDevice(xen: Xen, caller: Domain, domain: Domain | undefined, u: Uint32Array): number {
  if (!xen.steps.domctl.iommuEnabled(xen, domain)) return failure('EOPNOTSUPP');
  if (get(u, ASSIGN_DEVICE.dev) === DOMCTL_DEV.DT) return xen.steps.domctl.testAssignDtDevice(xen, caller, domain, u);
  if (domain === caller) return failure('EINVAL');
  if (get(u, ASSIGN_DEVICE.dev) !== DOMCTL_DEV.PCI) return failure('ENODEV');
  if (get(u, ASSIGN_DEVICE.flags) !== 0) return failure('EINVAL');
  const error = xen.steps.pci.deviceAssigned(xen, sbdfOfCell(get(u, ASSIGN_DEVICE.machine_sbdf)));
  return error === 0 ? 0 : failure('EINVAL');
}

/**
 * Assigns a device.
 * @returns 0; -EOPNOTSUPP; -EINVAL for the caller itself, a dying domain and unknown flags; -ENODEV for a device that does
 *   not exist and for an unknown type of device; -EBUSY; -EBADF; -EXDEV; see `domctl-dt.ts` for a platform device
 */
export function assignDevice(xen: Xen, caller: Domain, domain: Domain, u: Uint32Array): number {
  if (!xen.steps.domctl.iommuEnabled(xen, domain)) return failure('EOPNOTSUPP');
  if (get(u, ASSIGN_DEVICE.dev) === DOMCTL_DEV.DT) return xen.steps.domctl.assignDtDevice(xen, caller, domain, u);
  if (domain === caller) return failure('EINVAL');
  if (get(u, ASSIGN_DEVICE.dev) !== DOMCTL_DEV.PCI) return failure('ENODEV');
  if (domain.dying || (get(u, ASSIGN_DEVICE.flags) & ~DEV_RDM_RELAXED) !== 0) return failure('EINVAL');
  const sbdf = sbdfOfCell(get(u, ASSIGN_DEVICE.machine_sbdf));
  return xen.steps.pci.deviceAssigned(xen, sbdf) || xen.steps.pci.assignDevice(xen, domain, sbdf);
}

/**
 * Takes a device from a domain.
 * @returns 0; -EOPNOTSUPP; -EINVAL for the caller itself and for flags; -ENODEV if the domain does not own it;
 *   see `domctl-dt.ts` for a platform device
 */
export function deassignDevice(xen: Xen, caller: Domain, domain: Domain, u: Uint32Array): number {
  if (!xen.steps.domctl.iommuEnabled(xen, domain)) return failure('EOPNOTSUPP');
  if (get(u, ASSIGN_DEVICE.dev) === DOMCTL_DEV.DT) return xen.steps.domctl.deassignDtDevice(xen, caller, domain, u);
  if (domain === caller) return failure('EINVAL');
  if (get(u, ASSIGN_DEVICE.dev) !== DOMCTL_DEV.PCI) return failure('ENODEV');
  if (get(u, ASSIGN_DEVICE.flags) !== 0) return failure('EINVAL');
  return xen.steps.pci.deassignDevice(xen, domain, sbdfOfCell(get(u, ASSIGN_DEVICE.machine_sbdf)));
}

/**
 * Writes which other devices of a domain an IOMMU cannot tell from this one, each as bus << 16 | devfn << 8, and how many.
 * @returns 0; -EOPNOTSUPP; -EFAULT
 */
export function getDeviceGroup(xen: Xen, caller: Domain, domain: Domain, u: Uint32Array, pointer: number): number {
  if (!xen.steps.domctl.iommuEnabled(xen, domain)) return failure('EOPNOTSUPP');
  const device = xen.steps.pci.findDevice(xen, sbdfOfCell(get(u, GET_DEVICE_GROUP.machine_sbdf)));
  const group = device === undefined ? [] : xen.steps.pci.deviceGroup(xen, domain, device);
  const listed = group.slice(0, get(u, GET_DEVICE_GROUP.max_sdevs));
  const array = number64(u, GET_DEVICE_GROUP.sdev_array_hi, GET_DEVICE_GROUP.sdev_array_lo);
  const words = Uint32Array.from(listed, ({ sbdf }) => (sbdf.bus << 16) | (sbdf.device << 11) | (sbdf.function << 8));
  const written = listed.length === 0 || xen.steps.hypercall.copyToGuest(xen, caller, array, bytesOf(words));
  put(u, GET_DEVICE_GROUP.num_sdevs, written ? listed.length : 0);
  const told = xen.steps.hypercall.copyToGuest(xen, caller, pointer, bytesOf(u));
  return written && told ? 0 : failure('EFAULT');
}

/**
 * Permits or forbids a domain to map device registers.
 * @returns 0; -EINVAL for no frames; -EPERM if the caller itself may not map them
 */
export function iomemPermission(xen: Xen, caller: Domain, domain: Domain, u: Uint32Array): number {
  const first = number64(u, IOMEM_PERMISSION.first_mfn_hi, IOMEM_PERMISSION.first_mfn_lo);
  const count = number64(u, IOMEM_PERMISSION.nr_mfns_hi, IOMEM_PERMISSION.nr_mfns_lo);
  if (count === 0 || first + count > 2 ** (64 - PAGE_SHIFT)) return failure('EINVAL');
  if (!caller.iomem.contains(first, count)) return failure('EPERM');
  if (get(u, IOMEM_PERMISSION.allow_access) !== 0) xen.steps.domain.permitIomem(xen, domain, mfn(first), count);
  else xen.steps.domain.denyIomem(xen, domain, mfn(first), count);
  return 0;
}

/**
 * Maps device registers to a domain, or unmaps them.
 * @returns 0; -EINVAL for no frames or frames beyond the machine; -E2BIG; -EPERM if the caller, or the domain, may not
 *   map them; what the mapping returns
 */
export function memoryMapping(xen: Xen, caller: Domain, domain: Domain, u: Uint32Array): number {
  const guest = number64(u, MEMORY_MAPPING.first_gfn_hi, MEMORY_MAPPING.first_gfn_lo);
  const first = number64(u, MEMORY_MAPPING.first_mfn_hi, MEMORY_MAPPING.first_mfn_lo);
  const count = number64(u, MEMORY_MAPPING.nr_mfns_hi, MEMORY_MAPPING.nr_mfns_lo);
  const frameLimit = 2 ** (48 - PAGE_SHIFT);
  if (count === 0 || first + count > frameLimit || guest + count > 2 ** 52) return failure('EINVAL');
  if (count > MEMORY_MAPPING_MAX) return failure('E2BIG');
  if (!caller.iomem.contains(first, count)) return failure('EPERM');
  if (get(u, MEMORY_MAPPING.add_mapping) === 0)
    return xen.steps.p2m.unmapMmio(xen, domain, gfn(guest), mfn(first), count);
  if (!domain.iomem.contains(first, count)) return failure('EPERM');
  return xen.steps.p2m.mapMmio(xen, domain, gfn(guest), mfn(first), count);
}

/** Destroys a domain. Returns 0; -EINVAL for the caller itself; another negative error code. */
export function destroyDomain(xen: Xen, caller: Domain, domain: Domain): number {
  return domain === caller ? failure('EINVAL') : xen.steps.domain.destroy(xen, domain);
}
