/**
 * Where domains see their PCI functions (xen/drivers/vpci/vpci.c, assign_virtual_sbdf). The hardware domain sees them where
 * they are; a guest sees each as function 0 of a device of its own, on bus 0 of segment 0.
 */
import { requesterId, type Sbdf } from '../../hw/machine.js';
import { DOMID_HARDWARE } from '../hypervisor.js';
import type { Domain, PciDevice, Xen } from '../xen.js';

/** Devices of a bus (VPCI_MAX_VIRT_DEV). */
const SLOTS = 32;

/** Whether a domain sees functions where they are. */
export const seesHost = (domain: Domain): boolean => domain.domid === DOMID_HARDWARE;

/** Whether two addresses name one function. */
const same = (a: Sbdf, b: Sbdf): boolean => a.segment === b.segment && requesterId(a) === requesterId(b);

/** The address for a device that a domain is about to see. Undefined: no slot is free. */
export function assignVirtualSbdf(_xen: Xen, domain: Domain, device: PciDevice): Sbdf | undefined {
  if (seesHost(domain)) return device.sbdf;
  for (let slot = 0; slot < SLOTS; slot++) {
    const sbdf: Sbdf = { segment: 0, bus: 0, device: slot, function: 0 };
    const isTaken = domain.devices.some(({ vpci }) => vpci?.domain === domain && same(vpci.sbdf, sbdf));
    if (!isTaken) return sbdf;
  }
  return undefined;
}

/** The device that a domain sees at an address. */
export function findDevice(_xen: Xen, domain: Domain, sbdf: Sbdf): PciDevice | undefined {
  return domain.devices.find(({ vpci }) => vpci?.domain === domain && same(vpci.sbdf, sbdf));
}

/**
 * The DeviceID that a domain knows a device by at its translation service: `msi-map` of a guest's bridge maps requester ids
 * to themselves; the hardware domain's is the machine's. Undefined: the domain does not see the device.
 */
export function deviceId(xen: Xen, domain: Domain, device: PciDevice): number | undefined {
  const { vpci } = device;
  if (vpci === undefined) return undefined;
  const host = seesHost(domain) ? xen.steps.its.deviceIdOf(xen, device) : undefined;
  return typeof host === 'object' ? host.deviceId : requesterId(vpci.sbdf);
}
