/** Device registers of domains: which they may map, and mapping those of their configuration. */

import { reportConfig } from '../dom0less/config-error.js';
import { type DeviceRegion, regionName } from '../dom0less/entries.js';
import type { DomainConfig } from '../domain-config.js';
import { failure } from '../errno.js';
import { type Gfn, type Mfn, PAGE_SIZE } from '../frames.js';
import { GUEST_GICV2, GUEST_GICV3 } from '../guest-layout.js';
import type { ByteSpan, Domain, Xen } from '../xen.js';

/** Permits a domain to map machine frames of device registers. */
export function permitIomem(_xen: Xen, domain: Domain, first: Mfn, count: number): void {
  domain.iomem.add(first, count);
}

/** Forbids a domain to map machine frames of device registers. */
export function denyIomem(_xen: Xen, domain: Domain, first: Mfn, count: number): void {
  domain.iomem.remove(first, count);
}

/** Whether machine frames are device registers that a domain can be given: no RAM, nothing of Xen's own. */
export function isAssignableIomem(xen: Xen, first: Mfn, count: number): boolean {
  return xen.platform.iomem.contains(first, count);
}

/**
 * Whether guest frames are Xen's to say what is there: registers that it emulates, and the pages of interrupt controllers
 * that it shows to every domain, the CPU interface of a GICv2 and the doorbell of a translation service.
 */
export function isEmulated(xen: Xen, domain: Domain, first: Gfn, count: number): boolean {
  const start = first * PAGE_SIZE;
  const end = start + count * PAGE_SIZE;
  const { address } = (domain.directMapped ? xen.gic?.cpuInterface : undefined) ?? GUEST_GICV2.GICC;
  const spans: readonly ByteSpan[] = [
    ...domain.mmioHandlers,
    ...(xen.gic?.version === 2 ? [{ address, size: GUEST_GICV2.GICC.size }] : []),
    ...domain.its.services.map((its) => ({ address: its.address, size: GUEST_GICV3.ITS.size })),
  ];
  return spans.some((span) => span.address < end && start < span.address + span.size);
}

/**
 * Maps a region: permits exactly these frames, then maps them.
 * @returns 0; -EPERM if the frames are no device registers; -EFAULT if they cannot be mapped there
 */
export function mapRegion(xen: Xen, domain: Domain, region: DeviceRegion): number {
  if (!xen.steps.domain.isAssignableIomem(xen, region.mfn, region.count)) return failure('EPERM');
  if (xen.steps.domain.isEmulated(xen, domain, region.gfn, region.count)) return failure('EFAULT');
  xen.steps.domain.permitIomem(xen, domain, region.mfn, region.count);
  const error = xen.steps.p2m.mapMmio(xen, domain, region.gfn, region.mfn, region.count);
  return error === 0 ? 0 : failure('EFAULT');
}

/** Maps the regions of a configuration. Returns 0 or a negative error code. */
export function mapRegions(xen: Xen, domain: Domain, config: DomainConfig): number {
  for (const region of config.regions) {
    const error = xen.steps.domain.mapRegion(xen, domain, region);
    if (error !== 0) return reportConfig(xen, `${config.node}: xen,reg: ${regionName(region)} cannot be mapped`, error);
  }
  return 0;
}
