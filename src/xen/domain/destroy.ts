/**
 * Destruction of domains (xen/arch/arm/domain.c, domain_relinquish_resources): devices leave first, so that nothing reaches
 * memory that is being freed; then memory, mappings, tables, tags.
 */
import { type Domain, print, type Xen } from '../xen.js';

/** Gives a domain's RAM back to the heap, without what the domain left in it. */
export function relinquishMemory(xen: Xen, domain: Domain): number {
  for (const run of domain.ram) {
    xen.steps.heap.scrub(xen, run.mfn, run.count);
    xen.steps.heap.free(xen, run.mfn, run.count);
  }
  domain.ram = [];
  return 0;
}

/** Takes everything from a domain, in order. Returns 0, or a negative error code where it stopped. */
export function relinquish(xen: Xen, domain: Domain): number {
  return (
    xen.steps.dt.releaseDevices(xen, domain) ||
    xen.steps.pci.releaseDevices(xen, domain) ||
    xen.steps.irq.releaseAll(xen, domain) ||
    xen.steps.iommu.teardownDomain(xen, domain) ||
    xen.steps.domain.relinquishMemory(xen, domain) ||
    xen.steps.p2m.relinquishMappings(xen, domain)
  );
}

/**
 * Destroys a domain. If that stops half-way, the domain stays, dying, and keeps what it has: try again.
 * @returns 0 or a negative error code
 */
export function destroyDomain(xen: Xen, domain: Domain): number {
  domain.dying = true;
  for (const vcpu of domain.vcpus) xen.steps.domain.deschedule(xen, vcpu);
  const error = xen.steps.domain.relinquish(xen, domain);
  if (error !== 0) {
    print(xen, `${domain.name}: destruction failed (${error})`);
    return error;
  }
  xen.steps.vpci.teardownDomain(xen, domain);
  xen.steps.vits.teardownDomain(xen, domain);
  xen.steps.vgic.teardownDomain(xen, domain);
  xen.steps.p2m.finalTeardown(xen, domain);
  domain.iomem.clear();
  domain.irqs.clear();
  domain.fdt = undefined;
  xen.domains.delete(domain.domid);
  print(xen, `${domain.name} destroyed`);
  return 0;
}
