/**
 * Memory of a guest as hypercalls see it: by guest physical address, through the guest's own p2m, RAM only
 * (xen/arch/arm/guestcopy.c).
 */
import { pa } from '../../hw/address.js';
import { gaddrToGfn, maddr, PAGE_SIZE } from '../frames.js';
import type { Domain, Xen } from '../xen.js';

/** Where a byte of a guest's RAM is in the machine. Undefined: it is none, or may not be written. */
export function translate(xen: Xen, domain: Domain, address: number, write: boolean): number | undefined {
  if (domain.p2m === undefined || !Number.isSafeInteger(address) || address < 0) return undefined;
  const mapping = xen.steps.p2m.lookup(xen, domain.p2m, gaddrToGfn(address));
  if (mapping === undefined) return undefined;
  if (mapping.type !== 'ram_rw' && (write || mapping.type !== 'ram_ro')) return undefined;
  return maddr(mapping.mfn) + (address % PAGE_SIZE);
}

/** The pieces of a run of guest memory within pages. Undefined if any of it cannot be reached. */
function pieces(xen: Xen, domain: Domain, address: number, length: number, write: boolean) {
  const list: { at: number; from: number; count: number }[] = [];
  for (let done = 0; done < length; ) {
    const at = xen.steps.hypercall.translate(xen, domain, address + done, write);
    if (at === undefined) return undefined;
    const count = Math.min(length - done, PAGE_SIZE - ((address + done) % PAGE_SIZE));
    list.push({ at, from: done, count });
    done += count;
  }
  return list;
}

/** Reads guest memory. Undefined: -EFAULT. */
export function copyFromGuest(xen: Xen, domain: Domain, address: number, length: number): Uint8Array | undefined {
  const found = pieces(xen, domain, address, length, false);
  if (found === undefined) return undefined;
  const bytes = new Uint8Array(length);
  for (const { at, from, count } of found) bytes.set(xen.machine.memory.read(pa(at), count), from);
  return bytes;
}

/** Writes guest memory, all of it or nothing. False: -EFAULT. */
export function copyToGuest(xen: Xen, domain: Domain, address: number, bytes: Uint8Array): boolean {
  const found = pieces(xen, domain, address, bytes.length, true);
  if (found === undefined) return false;
  for (const { at, from, count } of found) xen.machine.memory.write(pa(at), bytes.subarray(from, from + count));
  return true;
}
