/**
 * Creation of domains: guests from their configuration, the hardware domain at boot. A guest is complete before anything of
 * it runs: its memory, its p2m, the registers of its devices, and their contexts at the IOMMU.
 */

import type { Sbdf } from '../../hw/machine.js';
import { type DeviceRegion, type DomainConfig, GUEST_RAM, type GuestRange } from '../domain-config.js';
import { failure } from '../errno.js';
import { type Gfn, gaddrToGfn, gfn, gfnAdd, type Mfn, PAGE_SIZE } from '../frames.js';
import { type CreateResult, DOMID_HARDWARE, DOMID_IO } from '../hypervisor.js';
import { withRun } from '../p2m/mappings.js';
import { LEVEL_BITS } from '../p2m-layout.js';
import { RangeSet } from '../range-set.js';
import { type BarPlace, type Domain, print, type Vcpu, type Xen } from '../xen.js';

/** Ids from here on are not of ordinary domains (xen/include/public/xen.h, DOMID_FIRST_RESERVED). */
const DOMID_FIRST_RESERVED = 0x7ff0;

/** A domain with nothing in it. */
function makeDomain(
  domid: number,
  name: string,
  vcpus: number,
  iommuEnabled: boolean,
  barPlaces: readonly BarPlace[] = [],
): Domain {
  const list: Vcpu[] = [];
  const domain: Domain = {
    domid,
    name,
    vcpus: list,
    p2m: undefined,
    iommuEnabled,
    dying: false,
    ram: [],
    mmio: [],
    iomem: new RangeSet(),
    barPlaces,
    devices: [],
    contexts: [],
  };
  for (let vcpu = 0; vcpu < vcpus; vcpu++) list.push({ domain, vcpu });
  return domain;
}

/** The owner of quarantined devices. */
export function makeDomIo(): Domain {
  return makeDomain(DOMID_IO, 'd[IO]', 0, true);
}

/** The next free id behind the last one given. Undefined: there is none. */
export function allocateDomid(xen: Xen): number | undefined {
  for (let i = 1; i < DOMID_FIRST_RESERVED; i++) {
    const domid = 1 + ((xen.lastDomid - 1 + i) % (DOMID_FIRST_RESERVED - 1));
    if (xen.domains.has(domid)) continue;
    xen.lastDomid = domid;
    return domid;
  }
  return undefined;
}

/** Permits a domain to map machine frames of device registers. */
export function permitIomem(_xen: Xen, domain: Domain, first: Mfn, count: number): void {
  domain.iomem.add(first, count);
}

/** Forbids a domain to map machine frames of device registers. */
export function denyIomem(_xen: Xen, domain: Domain, first: Mfn, count: number): void {
  domain.iomem.remove(first, count);
}

/**
 * Takes one piece of RAM for some guest frames: the largest that fits, of at most 2 MiB, and never at the guest's own
 * address, so that no guest is direct-mapped by accident.
 */
export function allocateRamChunk(xen: Xen, at: Gfn, wanted: number): { mfn: Mfn; count: number } | undefined {
  let order = Math.min(LEVEL_BITS, Math.floor(Math.log2(wanted)));
  while (order > 0 && at % 2 ** order !== 0) order--;
  for (; order >= 0; order--) {
    const mfn = xen.steps.heap.allocateForDomain(xen, order);
    if (mfn === undefined) continue;
    if ((mfn as number) !== (at as number)) return { mfn, count: 2 ** order };
    const other = xen.steps.heap.allocateForDomain(xen, order);
    xen.steps.heap.free(xen, mfn, 2 ** order);
    if (other !== undefined) return { mfn: other, count: 2 ** order };
  }
  return undefined;
}

/**
 * Gives a domain RAM, in the guest RAM banks, and maps it.
 * @returns 0, -ENOMEM, or another negative error code; what has been taken is in the domain's record
 */
export function populateRam(xen: Xen, domain: Domain, pages: number): number {
  let left = pages;
  for (const bank of GUEST_RAM) {
    let at = gaddrToGfn(bank.base);
    const end = at + bank.size / PAGE_SIZE;
    while (left > 0 && at < end) {
      const chunk = xen.steps.domain.allocateRamChunk(xen, at, Math.min(left, end - at));
      if (chunk === undefined) return failure('ENOMEM');
      domain.ram = withRun(domain.ram, { gfn: at, ...chunk });
      const error = xen.steps.p2m.mapRam(xen, domain, at, chunk.mfn, chunk.count);
      if (error !== 0) return error;
      at = gfnAdd(at, chunk.count);
      left -= chunk.count;
    }
  }
  return 0;
}

/** Makes parts of a domain's RAM read-only. Returns 0 or -EINVAL. */
export function protectRam(xen: Xen, domain: Domain, ranges: readonly GuestRange[]): number {
  for (const range of ranges) {
    const error = xen.steps.p2m.setRamType(xen, domain, range.gfn, range.count, 'ram_ro');
    if (error !== 0) return error;
  }
  return 0;
}

/** Whether machine frames are device registers that the hardware domain could give away: no RAM, nothing of Xen's own. */
export function isAssignableIomem(xen: Xen, first: Mfn, count: number): boolean {
  return xen.domains.get(DOMID_HARDWARE)?.iomem.contains(first, count) ?? false;
}

/**
 * Maps a region: permits exactly these frames, then maps them.
 * @returns 0; -EPERM if the frames are no device registers; -EFAULT if they cannot be mapped there
 */
export function mapRegion(xen: Xen, domain: Domain, region: DeviceRegion): number {
  if (!xen.steps.domain.isAssignableIomem(xen, region.mfn, region.count)) return failure('EPERM');
  xen.steps.domain.permitIomem(xen, domain, region.mfn, region.count);
  const error = xen.steps.p2m.mapMmio(xen, domain, region.gfn, region.mfn, region.count);
  return error === 0 ? 0 : failure('EFAULT');
}

/** Maps the regions of a configuration. Returns 0 or a negative error code. */
export function mapRegions(xen: Xen, domain: Domain, config: DomainConfig): number {
  for (const region of config.regions) {
    const error = xen.steps.domain.mapRegion(xen, domain, region);
    if (error !== 0) return error;
  }
  return 0;
}

/** Whether there is RAM enough at all. Returns 0 or -ENOMEM. */
export function checkMemory(xen: Xen, config: DomainConfig): number {
  return config.pages > xen.heap.free ? failure('ENOMEM') : 0;
}

/**
 * Whether all devices of a configuration can be assigned, before anything is done.
 * @returns 0; -EOPNOTSUPP without use of IOMMUs; -ENODEV or -EBUSY for a device
 */
export function checkDevices(xen: Xen, config: DomainConfig): number {
  if (config.devices.length === 0) return 0;
  if (!config.passthrough || !xen.options.iommu || !xen.options.pciPassthrough) return failure('EOPNOTSUPP');
  for (const sbdf of config.devices) {
    const error = xen.steps.pci.deviceAssigned(xen, sbdf);
    if (error !== 0) return error;
  }
  return 0;
}

/** Assigns the devices of a configuration, and notes whose they were. Returns 0 or a negative error code. */
export function assignDevices(xen: Xen, domain: Domain, config: DomainConfig, owners: PreviousOwner[]): number {
  for (const sbdf of config.devices) {
    const owner = xen.steps.pci.findDevice(xen, sbdf)?.domain;
    const error = xen.steps.pci.deviceAssigned(xen, sbdf) || xen.steps.pci.assignDevice(xen, domain, sbdf);
    if (error !== 0) return error;
    owners.push({ sbdf, owner });
  }
  return 0;
}

/** Whose a device was before a domain that is being created got it. */
export interface PreviousOwner {
  readonly sbdf: Sbdf;
  readonly owner: Domain | undefined;
}

/** Puts a domain together. Returns 0 or a negative error code, with the domain as far as it came. */
export function buildDomain(xen: Xen, domain: Domain, config: DomainConfig, owners: PreviousOwner[]): number {
  return (
    xen.steps.p2m.init(xen, domain) ||
    xen.steps.domain.populateRam(xen, domain, config.pages) ||
    xen.steps.domain.protectRam(xen, domain, config.readOnly) ||
    xen.steps.domain.mapRegions(xen, domain, config) ||
    xen.steps.domain.assignDevices(xen, domain, config, owners)
  );
}

/** Creates a guest from a configuration blob. One that fails leaves nothing behind. */
export function createDomain(xen: Xen, blob: Uint8Array): CreateResult {
  const config = xen.steps.domain.parseConfig(xen, blob);
  if ('error' in config) {
    print(xen, `domain configuration: ${config.reason}`);
    return { error: config.error };
  }
  const impossible = xen.steps.domain.checkMemory(xen, config) || xen.steps.domain.checkDevices(xen, config);
  if (impossible !== 0) return { error: impossible };
  const domid = xen.steps.domain.allocateDomid(xen);
  if (domid === undefined) return { error: failure('ENOMEM') };
  const domain = makeDomain(
    domid,
    `d${domid}`,
    config.vcpus,
    config.passthrough && xen.options.iommu,
    config.barPlaces,
  );
  xen.domains.set(domid, domain);
  const owners: PreviousOwner[] = [];
  const error = xen.steps.domain.build(xen, domain, config, owners);
  if (error !== 0) {
    print(xen, `${domain.name}: creation failed (${error})`);
    xen.steps.domain.rollback(xen, domain, owners);
    return { error };
  }
  print(
    xen,
    `${domain.name}: ${config.pages * (PAGE_SIZE / 1024)} KiB, ${config.vcpus} vCPUs, ${config.devices.length} devices`,
  );
  return { domid };
}

/** Takes a domain apart that could not be put together, in reverse: devices go back to whose they were, memory is freed. */
export function rollback(xen: Xen, domain: Domain, owners: readonly PreviousOwner[]): void {
  for (const { sbdf, owner } of owners.toReversed()) {
    const device = xen.steps.pci.findOwned(xen, domain, sbdf);
    if (device !== undefined) xen.steps.pci.returnDevice(xen, owner, device);
  }
  const error = xen.steps.domain.destroy(xen, domain);
  if (error !== 0) print(xen, `${domain.name}: remains, it cannot be taken apart (${error})`);
}

/**
 * Creates the hardware domain: RAM at its own address, registers of everything that Xen does not keep.
 * @returns 0 or a negative error code
 */
export function createHardwareDomain(xen: Xen): number {
  const domain = makeDomain(DOMID_HARDWARE, 'd0', xen.platform.cpus, xen.options.iommu);
  xen.domains.set(DOMID_HARDWARE, domain);
  const error = xen.steps.p2m.init(xen, domain);
  if (error !== 0) return error;
  const wanted = Math.max(1, Math.floor(xen.options.dom0Memory / PAGE_SIZE));
  const first = xen.steps.domain.allocateHardwareRam(xen, wanted);
  if (first === undefined) return failure('ENOMEM');
  domain.ram = [{ gfn: gfn(first), mfn: first, count: wanted }];
  for (const run of xen.steps.domain.hardwareIomem(xen)) xen.steps.domain.permitIomem(xen, domain, run.mfn, run.count);
  return xen.steps.p2m.mapRam(xen, domain, gfn(first), first, wanted);
}

/** Takes the hardware domain's RAM: adjacent, aligned to 2 MiB. Undefined: there is none. */
export function allocateHardwareRam(xen: Xen, pages: number): Mfn | undefined {
  return xen.heap.take(pages, 2 ** LEVEL_BITS, 'lowest');
}
