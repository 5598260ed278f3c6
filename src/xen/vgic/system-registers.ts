/**
 * Registers of the CPU interface that a guest's write traps on, on a GICv3: those that send SGIs. Arm IHI 0069 12.2
 * (ICC_SGI0R_EL1, ICC_SGI1R_EL1, ICC_ASGI1R_EL1). All others are the hardware's virtual ones.
 */
import { get } from '../../hw/bits.js';
import { ICC_SGIR } from '../../hw/gic/gicv3/layout.js';
import type { Value64 } from '../../hw/machine.js';
import type { Vcpu, Xen } from '../xen.js';

/** PEs that one value of RS reaches. */
const TARGETS = 16;

/** ICC_SGI1R_EL1: sends an SGI of group 1. Targets that the domain does not have are passed over. */
export function writeSgi1r(xen: Xen, vcpu: Vcpu, { hi, lo }: Value64): void {
  const words = Uint32Array.of(lo, hi);
  const sgi = get(words, ICC_SGIR.INTID);
  const { domain } = vcpu;
  if (get(words, ICC_SGIR.IRM) === 1) {
    for (const to of domain.vcpus) if (to !== vcpu) xen.steps.vgic.sendSgi(xen, vcpu, to, sgi);
    return;
  }
  const cluster = get(words, ICC_SGIR.Aff1) * 0x100 + get(words, ICC_SGIR.Aff2) * 0x1_0000;
  const above = get(words, ICC_SGIR.Aff3);
  const list = get(words, ICC_SGIR.TargetList);
  const first = get(words, ICC_SGIR.RS) * TARGETS;
  for (let n = 0; above === 0 && n < TARGETS; n++) {
    if ((list & (1 << n)) === 0) continue;
    const to = xen.steps.vgic.vcpuByAffinity(xen, domain, cluster + first + n);
    if (to !== undefined) xen.steps.vgic.sendSgi(xen, vcpu, to, sgi);
  }
}
