/** Memory operations: a guest gives RAM back (xen/common/memory.c). */
import { join } from '../../hw/address.js';
import { get } from '../../hw/bits.js';
import {
  EXTENT_BYTES,
  MEMOP_CMD_MASK,
  MEMOP_EXTENTS_MAX,
  MEMOP_ORDER_MAX,
  MEMORY_RESERVATION,
  MEMORY_RESERVATION_BYTES,
  wordsOf,
} from '../abi.js';
import { failure } from '../errno.js';
import { gfn } from '../frames.js';
import { DOMID_SELF, XENMEM } from '../hypervisor.js';
import { type Domain, print, type Xen } from '../xen.js';

/** Runs a command whose structure is at `pointer`. */
export function operation(xen: Xen, caller: Domain, command: number, pointer: number): number {
  switch (command & MEMOP_CMD_MASK) {
    case XENMEM.decrease_reservation:
      return xen.steps.memory.decreaseReservation(xen, caller, pointer);
    default:
      return failure('ENOSYS');
  }
}

/**
 * Takes extents of RAM from a domain: the caller, or another one if the caller is privileged. At most 64 in a call; the
 * guest asks again for the rest.
 * @returns how many extents were taken, 0 also if the structure cannot be read or the domain is not the caller's to change
 */
export function decreaseReservation(xen: Xen, caller: Domain, pointer: number): number {
  const bytes = xen.steps.hypercall.copyFromGuest(xen, caller, pointer, MEMORY_RESERVATION_BYTES);
  if (bytes === undefined) return 0;
  const reservation = wordsOf(bytes);
  const domid = get(reservation, MEMORY_RESERVATION.domid);
  const domain = domid === DOMID_SELF ? caller : xen.domains.get(domid);
  if (domain === undefined || (domain !== caller && !xen.steps.hypercall.isPrivileged(xen, caller))) return 0;
  const order = get(reservation, MEMORY_RESERVATION.extent_order);
  if (order > MEMOP_ORDER_MAX) return 0;
  const list = join(
    get(reservation, MEMORY_RESERVATION.extent_start_hi),
    get(reservation, MEMORY_RESERVATION.extent_start_lo),
  );
  const wanted = join(
    get(reservation, MEMORY_RESERVATION.nr_extents_hi),
    get(reservation, MEMORY_RESERVATION.nr_extents_lo),
  );
  for (let i = 0; i < Math.min(wanted, MEMOP_EXTENTS_MAX); i++) {
    const extent = xen.steps.hypercall.copyFromGuest(xen, caller, list + i * EXTENT_BYTES, EXTENT_BYTES);
    if (extent === undefined) return i;
    const [lo = 0, hi = 0] = wordsOf(extent);
    const error = xen.steps.p2m.removeRam(xen, domain, gfn(join(hi, lo)), 2 ** order);
    if (error !== 0) {
      print(xen, `${domain.name}: cannot give back frame 0x${join(hi, lo).toString(16)} (${error})`);
      return i;
    }
  }
  return Math.min(wanted, MEMOP_EXTENTS_MAX);
}
