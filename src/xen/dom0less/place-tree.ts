/**
 * Where a domain finds its device tree: in whole pages at the end of its first RAM bank, like Xen's of small domains
 * (xen/arch/arm/kernel.c, place_modules: as high as the bank allows if there is less than 128 MiB).
 */
import { encodeFdt } from '../../firmware/fdt.js';
import type { DeviceTree } from '../../firmware/tree.js';
import { failure } from '../errno.js';
import { frames, type Gfn, gfn, gfnAdd, maddr, PAGE_SIZE } from '../frames.js';
import type { Domain, Xen } from '../xen.js';
import { TREE_LIMIT } from './module.js';

/** The first frames of RAM without a gap: where they begin and end. */
function firstBank(domain: Domain): { first: number; end: number } {
  const runs = domain.ram.toSorted((a, b) => a.gfn - b.gfn);
  const first: number = runs[0]?.gfn ?? 0;
  let end = first;
  for (const run of runs) if (run.gfn === end) end += run.count;
  return { first, end };
}

/** Writes pages of a domain's RAM, also of RAM that it may only read. False if any is none. */
export function writeRam(xen: Xen, domain: Domain, at: Gfn, bytes: Uint8Array): boolean {
  const { p2m } = domain;
  if (p2m === undefined) return false;
  for (let done = 0; done < bytes.length; done += PAGE_SIZE) {
    const mapping = xen.steps.p2m.lookup(xen, p2m, gfnAdd(at, done / PAGE_SIZE));
    if (mapping === undefined || (mapping.type !== 'ram_rw' && mapping.type !== 'ram_ro')) return false;
    xen.machine.memory.write(maddr(mapping.mfn), bytes.subarray(done, done + PAGE_SIZE));
  }
  return true;
}

/** Puts a tree into a domain's RAM, and notes where it is. Returns 0, or -ENOMEM if there is no room for it. */
export function placeTree(xen: Xen, domain: Domain, tree: DeviceTree): number {
  const blob = encodeFdt(tree);
  const { first, end } = firstBank(domain);
  const at = end - frames(blob.length);
  if (at < first || blob.length > TREE_LIMIT) return failure('ENOMEM');
  if (!xen.steps.dom0less.writeRam(xen, domain, gfn(at), blob)) return failure('EFAULT');
  domain.fdt = { address: at * PAGE_SIZE, size: blob.length };
  return 0;
}
