/**
 * What caches p2m entries: the CPUs' TLBs under the domain's VMID, and the IOMMUs' under the tags of its contexts.
 */
import type { P2m, Xen } from '../xen.js';

/** Whatever the CPUs have cached for a domain is gone when this returns. */
export function flushCpu(xen: Xen, p2m: P2m): void {
  const { cpus } = xen.machine;
  const { cpu } = xen;
  // TLBI works on the VMID that VTTBR_EL2 holds: borrow it.
  const before = cpus.readSystem(cpu, 'VTTBR_EL2');
  const [lo, hi] = xen.steps.p2m.vttbr(xen, p2m) as unknown as [number, number];
  const foreign = before.hi !== hi || before.lo !== lo;
  if (foreign) {
    cpus.writeSystem(cpu, 'VTTBR_EL2', hi, lo);
    cpus.execute(cpu, { op: 'ISB' });
  }
  cpus.execute(cpu, { op: 'DSB ISH' });
  xen.steps.p2m.invalidateCpu(xen, cpu);
  cpus.execute(cpu, { op: 'DSB ISH' });
  cpus.execute(cpu, { op: 'ISB' });
  if (foreign) {
    cpus.writeSystem(cpu, 'VTTBR_EL2', before.hi, before.lo);
    cpus.execute(cpu, { op: 'ISB' });
  }
}

/** Invalidates both stages of the current VMID on all CPUs. */
export function invalidateCpu(xen: Xen, cpu: number): void {
  xen.machine.cpus.execute(cpu, { op: 'TLBI VMALLS12E1IS' });
}

/** Whatever IOMMUs have cached for a domain is gone when this returns 0. */
export function flushIommu(xen: Xen, p2m: P2m): number {
  return xen.steps.iommu.flush(xen, p2m.domain);
}

/**
 * Completes removals of entries: afterwards nothing reaches what they mapped, and tables that are no longer linked are
 * free.
 * @returns 0, or a negative error code if an IOMMU did not answer: its caches are unknown, and nothing is freed
 */
export function flush(xen: Xen, p2m: P2m): number {
  xen.steps.p2m.flushCpu(xen, p2m);
  const error = xen.steps.p2m.flushIommu(xen, p2m);
  if (error !== 0) return error;
  p2m.stale = false;
  for (const table of p2m.unlinked.splice(0)) {
    p2m.tables.delete(table);
    xen.steps.heap.clear(xen, table, 1);
    xen.steps.heap.free(xen, table, 1);
  }
  return 0;
}
