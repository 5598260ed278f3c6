/** A domain's p2m as a whole: its root and tag, from creation to the last table (xen/arch/arm/mmu/p2m.c). */
import { failure } from '../errno.js';
import type { Mfn } from '../frames.js';
import type { Domain, P2m, Xen } from '../xen.js';
import { print } from '../xen.js';

/** Takes the root's tables: adjacent, aligned to their total size, all entries invalid. Undefined: out of memory. */
export function allocateRoot(xen: Xen, order: number): Mfn | undefined {
  return xen.steps.heap.allocate(xen, order);
}

/** Takes a VMID for the CPUs. Undefined: there is none left. */
export function allocateVmid(xen: Xen): number | undefined {
  return xen.vmids.take();
}

/** Gives a VMID back. What is cached under it is removed when it is given out again. */
export function freeVmid(xen: Xen, vmid: number): void {
  xen.vmids.release(vmid);
}

/**
 * Gives a domain an empty p2m.
 * @returns 0 or a negative error code
 */
export function initP2m(xen: Xen, domain: Domain): number {
  const { p2m: steps, heap } = xen.steps;
  const order = xen.format.rootOrder;
  const root = steps.allocateRoot(xen, order);
  if (root === undefined) return failure('ENOMEM');
  const vmid = steps.allocateVmid(xen);
  if (vmid === undefined) {
    print(xen, `p2m: no VMID left for ${domain.name}`);
    heap.free(xen, root, 2 ** order);
    return failure('EBUSY');
  }
  domain.p2m = { domain, root, tables: new Set(), vmid, stale: false, unlinked: [] };
  // Another domain may have run under this VMID.
  steps.flushCpu(xen, domain.p2m);
  return 0;
}

/** Makes every entry of the root invalid: no walk begins any more. */
export function clearRoot(xen: Xen, p2m: P2m): void {
  xen.steps.heap.clear(xen, p2m.root, 2 ** xen.format.rootOrder);
}

/**
 * Removes all mappings.
 * @returns 0 or a negative error code
 */
export function relinquishMappings(xen: Xen, domain: Domain): number {
  const { p2m } = domain;
  if (p2m === undefined) return 0;
  xen.steps.p2m.clearRoot(xen, p2m);
  p2m.stale = true;
  const error = xen.steps.p2m.flush(xen, p2m);
  if (error === 0) domain.mmio = [];
  return error;
}

/** Frees the tables below the root. */
export function freeTables(xen: Xen, p2m: P2m): void {
  for (const table of p2m.tables) {
    xen.steps.heap.clear(xen, table, 1);
    xen.steps.heap.free(xen, table, 1);
  }
  p2m.tables.clear();
}

/** Frees what is left of a p2m: tag and root. */
export function finalTeardown(xen: Xen, domain: Domain): void {
  const { p2m } = domain;
  if (p2m === undefined) return;
  xen.steps.p2m.freeTables(xen, p2m);
  xen.steps.p2m.freeVmid(xen, p2m.vmid);
  xen.steps.heap.free(xen, p2m.root, 2 ** xen.format.rootOrder);
  domain.p2m = undefined;
}
