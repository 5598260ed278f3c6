/** RAM of domains: guests' from the heap, wherever it is free, in the guest RAM banks; the hardware domain's in one piece. */

import type { GuestRange } from '../dom0less/entries.js';
import type { DomainConfig } from '../domain-config.js';
import { failure } from '../errno.js';
import { type Gfn, gaddrToGfn, gfnAdd, type Mfn, PAGE_SIZE } from '../frames.js';
import { GUEST_RAM } from '../guest-layout.js';
import { withRun } from '../p2m/mappings.js';
import { LEVEL_BITS } from '../p2m-layout.js';
import type { Domain, Xen } from '../xen.js';

/** Whether there is RAM enough at all. Returns 0 or -ENOMEM. */
export function checkMemory(xen: Xen, config: DomainConfig): number {
  if (config.staticMemory?.every(({ mfn, count }) => xen.heap.isFree(mfn, count)) === false) return failure('ENOMEM');
  return config.pages > xen.heap.free ? failure('ENOMEM') : 0;
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

/** Gives a domain the RAM of its configuration, mapped. Returns 0 or a negative error code. */
export function allocateMemory(xen: Xen, domain: Domain, config: DomainConfig): number {
  return config.staticMemory === undefined
    ? xen.steps.domain.populateRam(xen, domain, config.pages)
    : xen.steps.dom0less.mapBanks(xen, domain);
}

/** Takes the hardware domain's RAM: adjacent, aligned to 2 MiB. Undefined: there is none. */
export function allocateHardwareRam(xen: Xen, pages: number): Mfn | undefined {
  return xen.heap.take(pages, 2 ** LEVEL_BITS, 'lowest');
}
