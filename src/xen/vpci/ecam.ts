/**
 * Configuration space as domains reach it: ECAM that Xen traps (PCI Express Base 7.2.2; xen/arch/arm/vpci.c). A guest has
 * one bridge, in the guest layout; the hardware domain has each of the host's where it is.
 */
import type { Sbdf } from '../../hw/machine.js';
import { ECAM } from '../../hw/pci/layout.js';
import { GUEST_VPCI } from '../guest-layout.js';
import type { MmioHandler } from '../mmio.js';
import type { ByteSpan, Domain, Xen } from '../xen.js';
import { seesHost } from './slots.js';

/** Name of the handlers. */
const ECAM_NAME = 'vPCI';

/** Makes the handler of a window onto configuration space, of a segment from a bus on. */
export function makeEcam(_xen: Xen, window: ByteSpan, segment: number, firstBus: number): MmioHandler {
  const sbdfAt = (offset: number): Sbdf => ({
    segment,
    bus: firstBus + Math.floor(offset / 2 ** ECAM.BUS_SHIFT),
    device: (offset >>> ECAM.DEVICE_SHIFT) & 0x1f,
    function: (offset >>> ECAM.FUNCTION_SHIFT) & 7,
  });
  return {
    name: ECAM_NAME,
    ...window,
    read(xen, { domain }, offset, width) {
      const sbdf = sbdfAt(offset);
      const register = offset % ECAM.FUNCTION_BYTES;
      const { configRead } = xen.steps.vpci;
      if (width !== 8) return { hi: 0, lo: configRead(xen, domain, sbdf, register, width) };
      const lo = configRead(xen, domain, sbdf, register, 4);
      return { hi: configRead(xen, domain, sbdf, register + 4, 4), lo };
    },
    write(xen, { domain }, offset, width, value) {
      const sbdf = sbdfAt(offset);
      const register = offset % ECAM.FUNCTION_BYTES;
      const { configWrite } = xen.steps.vpci;
      configWrite(xen, domain, sbdf, register, width === 8 ? 4 : width, value.lo);
      if (width === 8) configWrite(xen, domain, sbdf, register + 4, 4, value.hi);
      return true;
    },
  };
}

/**
 * Gives a guest its host bridge, if its devices may use an IOMMU and the machine has one; the hardware domain the machine's.
 * @returns 0
 */
export function initDomain(xen: Xen, domain: Domain): number {
  const { hostBridges } = xen.platform;
  const { makeEcam } = xen.steps.vpci;
  if (seesHost(domain)) {
    for (const { ecam, segment, firstBus } of hostBridges) {
      domain.mmioHandlers.push(makeEcam(xen, ecam, segment, firstBus));
    }
  } else if (domain.iommuEnabled && hostBridges.length > 0) {
    domain.mmioHandlers.push(makeEcam(xen, GUEST_VPCI.ECAM, 0, 0));
  }
  return 0;
}

/** Takes it away, when it has no device left. */
export function teardownDomain(_xen: Xen, domain: Domain): void {
  const others = domain.mmioHandlers.filter(({ name }) => name !== ECAM_NAME);
  domain.mmioHandlers.splice(0, domain.mmioHandlers.length, ...others);
}

/** Whether a domain has a host bridge. */
export function hasBridge(_xen: Xen, domain: Domain): boolean {
  return domain.mmioHandlers.some(({ name }) => name === ECAM_NAME);
}

const ALL_ONES = { 1: 0xff, 2: 0xffff, 4: 0xffff_ffff } as const;

/**
 * Whether the hardware domain reaches configuration space itself at an address where it has no device: of functions that
 * Xen does not know, so that it can find out what to announce.
 */
const isUnknown = (xen: Xen, domain: Domain, sbdf: Sbdf): boolean =>
  seesHost(domain) && xen.steps.pci.findDevice(xen, sbdf) === undefined;

/** A domain's read of 1, 2 or 4 bytes. All ones where it has no device. */
export function configRead(xen: Xen, domain: Domain, sbdf: Sbdf, offset: number, width: 1 | 2 | 4): number {
  const device = xen.steps.vpci.findDevice(xen, domain, sbdf);
  if (device === undefined) {
    return isUnknown(xen, domain, sbdf) ? xen.steps.pci.configRead(xen, sbdf, offset, width) : ALL_ONES[width];
  }
  const word = xen.steps.vpci.readWord(xen, device, offset & ~3);
  if (word === undefined) return xen.steps.pci.configRead(xen, device.sbdf, offset, width);
  return ((word >>> ((offset & 3) * 8)) & ALL_ONES[width]) >>> 0;
}

/** A domain's write of 1, 2 or 4 bytes. Dropped where it has no device. */
export function configWrite(
  xen: Xen,
  domain: Domain,
  sbdf: Sbdf,
  offset: number,
  width: 1 | 2 | 4,
  value: number,
): void {
  const device = xen.steps.vpci.findDevice(xen, domain, sbdf);
  if (device === undefined) {
    if (isUnknown(xen, domain, sbdf)) xen.steps.pci.configWrite(xen, sbdf, offset, width, value);
    return;
  }
  const shift = (offset & 3) * 8;
  const mask = (ALL_ONES[width] << shift) >>> 0;
  const isTaken = xen.steps.vpci.writeWord(xen, device, offset & ~3, ((value << shift) & mask) >>> 0, mask);
  if (isTaken) return;
  xen.steps.pci.configWrite(xen, device.sbdf, offset, width, value);
}
