/**
 * Creation of domains: guests from their configuration, the hardware domain at boot. A guest is complete before anything of
 * it runs: its memory, its p2m, the registers of its devices, and their contexts at the IOMMU.
 */

import type { DeviceNode } from '../../firmware/tree.js';
import { formatSbdf, type Sbdf } from '../../hw/machine.js';
import { type BadConfig, reportConfig } from '../dom0less/config-error.js';
import type { DomainConfig } from '../domain-config.js';
import { failure } from '../errno.js';
import { gfn, PAGE_SIZE } from '../frames.js';
import { type CreateResult, DOMID_HARDWARE, DOMID_IO } from '../hypervisor.js';
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
  { directMapped = false, barPlaces = [] }: { directMapped?: boolean; barPlaces?: readonly BarPlace[] } = {},
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
    directMapped,
    irqs: new RangeSet(),
    mmioHandlers: [],
    vgic: undefined,
    its: { services: [], lpis: new Map(), limits: [] },
    dtDevices: [],
    fdt: undefined,
    barPlaces,
    devices: [],
    contexts: [],
  };
  for (let vcpu = 0; vcpu < vcpus; vcpu++) list.push({ domain, vcpu, vgic: undefined });
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

/** Node and property that name a PCI device. */
function devicesProperty(config: DomainConfig, sbdf: Sbdf): string {
  const name = formatSbdf(sbdf);
  const isInTree = config.passthroughTree?.pci.some((other) => formatSbdf(other) === name) ?? false;
  return isInTree ? '/passthrough: xen,pci-assigned' : `${config.node}: xen,pci-devices`;
}

/**
 * Whether all devices of a configuration can be assigned, before anything is done.
 * @returns 0; -EOPNOTSUPP without use of IOMMUs; -ENODEV or -EBUSY for a device
 */
export function checkDevices(xen: Xen, config: DomainConfig): number {
  if (config.devices.length === 0) return 0;
  if (!config.passthrough || !xen.options.iommu || !xen.options.pciPassthrough) {
    return reportConfig(xen, `${config.node}: passthrough: PCI devices cannot be assigned`, failure('EOPNOTSUPP'));
  }
  for (const sbdf of config.devices) {
    const error = xen.steps.pci.deviceAssigned(xen, sbdf);
    if (error !== 0) return reportConfig(xen, `${devicesProperty(config, sbdf)}: ${formatSbdf(sbdf)}`, error);
  }
  return 0;
}

/** Assigns the devices of a configuration, and notes whose they were. Returns 0 or a negative error code. */
export function assignDevices(xen: Xen, domain: Domain, config: DomainConfig, owners: PreviousOwner[]): number {
  for (const sbdf of config.devices) {
    const owner = xen.steps.pci.findDevice(xen, sbdf)?.domain;
    const error = xen.steps.pci.deviceAssigned(xen, sbdf) || xen.steps.pci.assignDevice(xen, domain, sbdf);
    if (error !== 0) return reportConfig(xen, `${devicesProperty(config, sbdf)}: ${formatSbdf(sbdf)}`, error);
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
  const because = (property: string, error: number): number =>
    error === 0 ? 0 : reportConfig(xen, `${config.node}: ${property}: ${domain.name} cannot have it`, error);
  return (
    because('xen,static-mem', xen.steps.dom0less.takeBanks(xen, domain, config.staticMemory)) ||
    xen.steps.p2m.init(xen, domain) ||
    because('cpus', xen.steps.vgic.initDomain(xen, domain)) ||
    xen.steps.vits.initDomain(xen, domain) ||
    xen.steps.vpci.initDomain(xen, domain) ||
    because('memory', xen.steps.domain.allocateMemory(xen, domain, config)) ||
    because('xen,memory-read-only', xen.steps.domain.protectRam(xen, domain, config.readOnly)) ||
    xen.steps.domain.mapRegions(xen, domain, config) ||
    xen.steps.dom0less.passThroughAll(xen, domain, config.passthroughTree) ||
    xen.steps.domain.assignDevices(xen, domain, config, owners) ||
    because('memory', xen.steps.dom0less.placeTree(xen, domain, xen.steps.dom0less.guestTree(xen, domain, config)))
  );
}

/** Creates a guest from a configuration blob. One that fails leaves nothing behind. */
export function createDomain(xen: Xen, blob: Uint8Array): CreateResult {
  return xen.steps.domain.construct(xen, xen.steps.domain.parseConfig(xen, blob));
}

/** Creates a guest from a node of the host's device tree. One that fails leaves nothing behind. */
export function createFromNode(xen: Xen, node: DeviceNode): CreateResult {
  return xen.steps.domain.construct(xen, xen.steps.domain.readConfig(xen, node));
}

/** Creates a guest of a configuration, however it was read. */
export function construct(xen: Xen, config: DomainConfig | BadConfig): CreateResult {
  if ('error' in config) return { error: reportConfig(xen, config.reason, config.error) };
  const noMemory = xen.steps.domain.checkMemory(xen, config);
  if (noMemory !== 0)
    return { error: reportConfig(xen, `${config.node}: memory: ${config.pages} pages are not free`, noMemory) };
  const impossible = xen.steps.domain.checkDevices(xen, config);
  if (impossible !== 0) return { error: impossible };
  const domid = xen.steps.domain.allocateDomid(xen);
  if (domid === undefined) return { error: failure('ENOMEM') };
  const domain = makeDomain(domid, `d${domid}`, config.vcpus, config.passthrough && xen.options.iommu, config);
  xen.domains.set(domid, domain);
  const owners: PreviousOwner[] = [];
  const error = xen.steps.domain.build(xen, domain, config, owners);
  if (error !== 0) {
    print(xen, `${domain.name}: creation failed (${error})`);
    xen.steps.domain.rollback(xen, domain, owners);
    return { error };
  }
  const devices = domain.devices.length + domain.dtDevices.length;
  print(xen, `${domain.name}: ${config.pages * (PAGE_SIZE / 1024)} KiB, ${config.vcpus} vCPUs, ${devices} devices`);
  return { domid };
}

/** Takes a domain apart that could not be put together, in reverse: devices go back to whose they were, memory is freed. */
export function rollback(xen: Xen, domain: Domain, owners: readonly PreviousOwner[]): void {
  for (const { sbdf, owner } of owners.toReversed()) {
    const device = xen.steps.pci.findOwned(xen, domain, sbdf);
    if (device !== undefined) xen.steps.pci.returnDevice(xen, owner, device);
  }
  xen.steps.dom0less.unwindDevices(xen, domain);
  const error = xen.steps.domain.destroy(xen, domain);
  if (error !== 0) print(xen, `${domain.name}: remains, it cannot be taken apart (${error})`);
}

/**
 * Creates the hardware domain: RAM at its own address, registers of everything that Xen does not keep.
 * @returns 0 or a negative error code
 */
export function createHardwareDomain(xen: Xen): number {
  const domain = makeDomain(DOMID_HARDWARE, 'd0', xen.platform.cpus, xen.options.iommu, { directMapped: true });
  xen.domains.set(DOMID_HARDWARE, domain);
  const error =
    xen.steps.p2m.init(xen, domain) ||
    xen.steps.vgic.initDomain(xen, domain) ||
    xen.steps.vits.initDomain(xen, domain) ||
    xen.steps.vpci.initDomain(xen, domain);
  if (error !== 0) return error;
  const wanted = Math.max(1, Math.floor(xen.options.dom0Memory / PAGE_SIZE));
  const first = xen.steps.domain.allocateHardwareRam(xen, wanted);
  if (first === undefined) return failure('ENOMEM');
  domain.ram = [{ gfn: gfn(first), mfn: first, count: wanted }];
  for (const run of xen.steps.domain.hardwareIomem(xen)) xen.steps.domain.permitIomem(xen, domain, run.mfn, run.count);
  return (
    xen.steps.p2m.mapRam(xen, domain, gfn(first), first, wanted) ||
    xen.steps.dom0less.placeTree(xen, domain, xen.steps.dom0less.hardwareTree(xen, domain))
  );
}
