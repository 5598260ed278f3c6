/**
 * What a guest's translation service reads of the guest's memory: commands, property bytes, pending tables. Everything is
 * read through the guest's own p2m, RAM only; what is not there is as if it were zero, or stops the queue.
 */
import { get, getAddress } from '../../hw/bits.js';
import { GICR_PENDBASER, GICR_PROPBASER, LPI_PENDING_FIRST_BYTE } from '../../hw/gic/gicv3/layout.js';
import { COMMAND_BYTES, GITS_CBASER } from '../../hw/gic/its/layout.js';
import type { Value64 } from '../../hw/machine.js';
import { FIRST_LPI } from '../gic/driver.js';
import type { Vcpu, Xen } from '../xen.js';
import type { VirtualIts } from './state.js';

const wordsOf = ({ hi, lo }: Value64): Uint32Array => Uint32Array.of(lo, hi);

/** One past the largest INTID that the redistributor of a vCPU has whose LPIs are enabled (GICR_PROPBASER.IDbits). */
export function readLimit(_xen: Xen, { domain, vgic }: Vcpu): number {
  if (vgic === undefined) return 0;
  const bits = get(wordsOf(vgic.propbaser), GICR_PROPBASER.IDbits) + 1;
  return 2 ** Math.min(bits, domain.vgic?.lpiIdBits ?? 0);
}

/** What {@link readLimit} found when the vCPU enabled its LPIs; 0 before. */
const limitOf = ({ domain, vcpu }: Vcpu): number => domain.its.limits[vcpu] ?? 0;

/** The command at GITS_CREADR, as words. Undefined: it is not in the guest's RAM. */
export function readCommand(xen: Xen, vits: VirtualIts): Uint32Array | undefined {
  const base = getAddress(wordsOf(vits.cbaser), GITS_CBASER.PHYSICAL_ADDRESS);
  const bytes = xen.steps.hypercall.copyFromGuest(xen, vits.domain, base + vits.creadr, COMMAND_BYTES);
  return bytes === undefined ? undefined : new Uint32Array(bytes.buffer, bytes.byteOffset, COMMAND_BYTES / 4);
}

/** The property byte of an LPI in the table of a vCPU. 0, which is disabled, if there is none. */
export function readProperty(xen: Xen, vcpu: Vcpu, intid: number): number {
  const own = vcpu.vgic;
  if (own === undefined || intid >= limitOf(vcpu)) return 0;
  const base = getAddress(wordsOf(own.propbaser), GICR_PROPBASER.Physical_Address);
  return xen.steps.hypercall.copyFromGuest(xen, vcpu.domain, base + intid - FIRST_LPI, 1)?.[0] ?? 0;
}

/** INTIDs of the LPIs that the pending table of a vCPU says are pending. */
export function readPendingTable(xen: Xen, vcpu: Vcpu): number[] {
  const own = vcpu.vgic;
  const limit = limitOf(vcpu);
  if (own === undefined || limit <= FIRST_LPI) return [];
  const base = getAddress(wordsOf(own.pendbaser), GICR_PENDBASER.Physical_Address);
  const first = LPI_PENDING_FIRST_BYTE;
  const bytes = xen.steps.hypercall.copyFromGuest(xen, vcpu.domain, base + first, limit / 8 - first);
  const pending: number[] = [];
  bytes?.forEach((byte, index) => {
    for (let bit = 0; bit < 8; bit++) if ((byte >>> bit) & 1) pending.push((first + index) * 8 + bit);
  });
  return pending;
}
