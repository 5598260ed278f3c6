/** What Xen says of its domains, from its own records. */
import { formatSbdf } from '../../hw/machine.js';
import type { DomainClaim } from '../hypervisor.js';
import type { Domain, RamRun, Xen } from '../xen.js';

const claimRuns = (runs: readonly RamRun[]) =>
  [...runs].sort((a, b) => a.gfn - b.gfn).map(({ gfn, mfn, count }) => ({ gfn, mfn, count }));

/** What Xen says that a domain owns. */
export function claimOf(_xen: Xen, domain: Domain): DomainClaim {
  return {
    domid: domain.domid,
    ram: claimRuns(domain.ram),
    mmio: claimRuns(domain.mmio),
    devices: [
      ...domain.devices.map((device) => formatSbdf(device.sbdf)),
      ...domain.dtDevices.map((device) => device.node.path),
    ].sort(),
  };
}

/** Claims of all domains, quarantine included, by id. */
export function claims(xen: Xen): DomainClaim[] {
  const domains = [...xen.domains.values(), xen.domIo].sort((a, b) => a.domid - b.domid);
  return domains.map((domain) => xen.steps.domain.claimOf(xen, domain));
}
