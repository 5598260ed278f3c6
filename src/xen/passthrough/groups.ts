/**
 * What devices share, so that one domain must have all of them: a stream at an IOMMU, an interrupt, a page of registers, a
 * place on a bus where they reach each other around the IOMMU (`pci-topology.ts`).
 *
 * A mate that another domain has forbids an assignment, the hardware domain's too: it could act on the guest through it. A
 * mate that nobody has, or that is quarantined, aborts and does not.
 */
import { failure } from '../errno.js';
import type { Device, Domain, DtDevice, PciDevice, Xen } from '../xen.js';
import { framesOf } from './dt-setup.js';
import { allDevices } from './pci.js';
import { HEADER_BRIDGE } from './pci-config.js';

/** Whether a domain other than this one can act through a device. */
export function isForeign(xen: Xen, domain: Domain, mate: Device): boolean {
  return mate.domain !== undefined && mate.domain !== domain && mate.domain !== xen.domIo;
}

/** Whether an IOMMU cannot tell two devices apart. */
export function sharesStream(_xen: Xen, a: Device, b: Device): boolean {
  if (a.master === undefined || b.master === undefined || a.master.iommu !== b.master.iommu) return false;
  const theirs = b.master.streamIds;
  return a.master.streamIds.some((streamId) => theirs.includes(streamId));
}

/** Whether two platform devices signal one interrupt. */
export function sharesInterrupt(_xen: Xen, a: DtDevice, b: DtDevice): boolean {
  return a.interrupts.some(({ irq }) => b.interrupts.some((other) => other.irq === irq));
}

/** Whether registers of two platform devices lie in one page. */
export function sharesPage(_xen: Xen, a: DtDevice, b: DtDevice): boolean {
  const theirs = b.regions.map(framesOf);
  return a.regions.map(framesOf).some((ours) => {
    return theirs.some(({ start, count }) => start < ours.start + ours.count && ours.start < start + count);
  });
}

/** The devices that share something with a platform device. */
export function matesOfDt(xen: Xen, device: DtDevice): Device[] {
  const { iommu, dt } = xen.steps;
  const platform = [...xen.dtDevices.values()].filter((other) => {
    if (other === device) return false;
    return (
      iommu.sharesStream(xen, device, other) ||
      dt.sharesInterrupt(xen, device, other) ||
      dt.sharesPage(xen, device, other)
    );
  });
  return [...platform, ...allDevices(xen).filter((other) => iommu.sharesStream(xen, device, other))];
}

/** Whether a platform device shares something with a device of another domain. Returns 0 or -EBUSY. */
export function sharesResources(xen: Xen, domain: Domain, device: DtDevice): number {
  const mates = xen.steps.dt.mates(xen, device);
  return mates.some((mate) => xen.steps.iommu.isForeign(xen, domain, mate)) ? failure('EBUSY') : 0;
}

/**
 * Whether two PCI functions are of one group: they share a stream, or reach each other around the IOMMU. What a bridge does
 * to what is behind it makes a group of that, but not of the bridge: it is nobody's to program but the hardware domain's.
 */
export function sameGroup(xen: Xen, a: PciDevice, b: PciDevice): boolean {
  const { iommu, pci } = xen.steps;
  if (iommu.sharesStream(xen, a, b)) return true;
  if (a.headerType === HEADER_BRIDGE || b.headerType === HEADER_BRIDGE) return false;
  return pci.reaches(xen, a, b) || pci.reaches(xen, b, a);
}

/** The other PCI functions of a device's group, with those that are in it by way of them; by address. */
export function pciMates(xen: Xen, device: PciDevice): PciDevice[] {
  const all = allDevices(xen);
  const group = new Set([device]);
  for (const member of group) {
    for (const other of all) if (!group.has(other) && xen.steps.pci.sameGroup(xen, member, other)) group.add(other);
  }
  return all.filter((other) => other !== device && group.has(other));
}

/** Whether a PCI function is of a group that a device of another domain is of too. Returns 0 or -EBUSY. */
export function sharesGroup(xen: Xen, domain: Domain, device: PciDevice): number {
  const platform = [...xen.dtDevices.values()].filter((other) => xen.steps.iommu.sharesStream(xen, device, other));
  const mates: Device[] = [...xen.steps.pci.mates(xen, device), ...platform];
  return mates.some((mate) => xen.steps.iommu.isForeign(xen, domain, mate)) ? failure('EBUSY') : 0;
}

/** The other devices of a domain that are of this one's group. */
export function deviceGroup(xen: Xen, domain: Domain, device: PciDevice): PciDevice[] {
  return xen.steps.pci.mates(xen, device).filter((mate) => mate.domain === domain);
}
