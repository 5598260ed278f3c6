/**
 * A domain's virtual interrupt controller: of the machine's version, in the state after reset (xen/arch/arm/vgic.c,
 * vgic-v2.c, vgic-v3.c). The hardware domain and direct-mapped domains see it where the machine has its own; others in the
 * guest layout.
 */
import { GICR_BYTES } from '../../hw/gic/gicv3/layout.js';
import { failure } from '../errno.js';
import { gaddrToGfn, maddrToMfn, PAGE_SIZE } from '../frames.js';
import { type Gic, LIST_REGISTERS_LIMIT } from '../gic/driver.js';
import { GUEST_GICV2, GUEST_GICV3 } from '../guest-layout.js';
import { DOMID_HARDWARE } from '../hypervisor.js';
import type { Domain, Vcpu, Xen } from '../xen.js';
import { vcpuAffinity } from './distributor-v3.js';
import {
  GICV2_CPUS,
  LOCAL_IRQS,
  makePendingIrq,
  type PendingIrq,
  SGIS,
  type Vgic,
  type VgicCpu,
  type VgicRegion,
} from './state.js';

/** Whether a domain finds the controller where the machine has it. */
const usesHostLayout = (domain: Domain): boolean => domain.domid === DOMID_HARDWARE || domain.directMapped;

/** Regions of redistributors for a domain's vCPUs. Undefined: there is no room for all of them. */
export function placeRedistributors(_xen: Xen, domain: Domain, gic: Gic): VgicRegion[] | undefined {
  const places = usesHostLayout(domain) ? gic.redistributorRegions : [GUEST_GICV3.GICR];
  const regions: VgicRegion[] = [];
  let next = 0;
  for (const { address, size } of places) {
    const vcpus = Math.min(Math.floor(size / GICR_BYTES), domain.vcpus.length - next);
    if (vcpus > 0) regions.push({ address, size: vcpus * GICR_BYTES, firstVcpu: next, vcpus });
    next += vcpus;
  }
  return next < domain.vcpus.length ? undefined : regions;
}

/** SPIs after reset: disabled, to the first vCPU. As many as the machine has. */
function makeSpis(domain: Domain, gic: Gic): PendingIrq[] {
  const first = domain.vcpus[0];
  return Array.from({ length: gic.lines - LOCAL_IRQS }, (_, n) => {
    const irq = makePendingIrq(LOCAL_IRQS + n, first);
    irq.route = gic.version === 2 ? 1 : vcpuAffinity(0);
    return irq;
  });
}

/** A vCPU's part after reset. SGIs of a GICv2 are always enabled. */
function makeVgicCpu(xen: Xen, vcpu: Vcpu, gic: Gic): VgicCpu {
  const local = Array.from({ length: LOCAL_IRQS }, (_, virq) => makePendingIrq(virq, vcpu));
  const isBanked = gic.version === 2;
  const sgis = Array.from({ length: isBanked ? SGIS * GICV2_CPUS : 0 }, (_, n) =>
    makePendingIrq(Math.floor(n / GICV2_CPUS), vcpu, n % GICV2_CPUS),
  );
  if (isBanked) for (const sgi of [...local.slice(0, SGIS), ...sgis]) sgi.enabled = true;
  return {
    local,
    sgis,
    queue: [],
    lrs: new Array(Math.min(gic.listRegisters, LIST_REGISTERS_LIMIT)).fill(undefined),
    used: 0,
    cpu: -1,
    lastCpu: vcpu.vcpu % xen.machine.cpus.count,
    kicked: false,
    underflow: false,
    vmcr: 0,
    activePriorities: [],
    propbaser: { hi: 0, lo: 0 },
    pendbaser: { hi: 0, lo: 0 },
    lpisEnabled: false,
  };
}

/**
 * Gives a domain its interrupt controller, before it has memory. None on a machine without one.
 * @returns 0; -EINVAL for more vCPUs than the controller can have; what mapping the virtual CPU interface returns
 */
export function initDomain(xen: Xen, domain: Domain): number {
  const { gic } = xen;
  if (gic === undefined) return 0;
  const redistributors = gic.version === 3 ? xen.steps.vgic.placeRedistributors(xen, domain, gic) : [];
  if (redistributors === undefined || (gic.version === 2 && domain.vcpus.length > GICV2_CPUS)) {
    return failure('EINVAL');
  }
  const vgic: Vgic = {
    version: gic.version,
    redistributors,
    spis: makeSpis(domain, gic),
    priorityMask: gic.priorityMask,
    enabled: false,
    held: new Set(),
    routed: new Map(),
    lpiIdBits: 0,
  };
  domain.vgic = vgic;
  for (const vcpu of domain.vcpus) vcpu.vgic = makeVgicCpu(xen, vcpu, gic);
  return gic.version === 3 ? placeV3(xen, domain, gic, vgic) : placeV2(xen, domain, gic);
}

function placeV3(xen: Xen, domain: Domain, gic: Gic, vgic: Vgic): number {
  const distributor = usesHostLayout(domain) ? gic.distributor.address : GUEST_GICV3.GICD.address;
  domain.mmioHandlers.push(xen.steps.vgic.makeGicdV3(xen, distributor));
  for (const region of vgic.redistributors) domain.mmioHandlers.push(xen.steps.vgic.makeRedistributors(xen, region));
  return 0;
}

function placeV2(xen: Xen, domain: Domain, gic: Gic): number {
  const isHost = usesHostLayout(domain);
  const distributor = isHost ? gic.distributor.address : GUEST_GICV2.GICD.address;
  domain.mmioHandlers.push(xen.steps.vgic.makeGicdV2(xen, distributor));
  return xen.steps.vgic.mapCpuInterface(xen, domain, isHost ? gic.cpuInterface?.address : GUEST_GICV2.GICC.address);
}

/**
 * Maps the virtual CPU interface, GICV, where the domain looks for a CPU interface. It is everybody's: each CPU shows its own
 * there, so it is not among the registers that the domain owns.
 */
export function mapCpuInterface(xen: Xen, domain: Domain, at: number | undefined): number {
  const from = xen.gic?.virtualInterface;
  if (from === undefined || at === undefined || domain.p2m === undefined) return failure('EINVAL');
  const pages = GUEST_GICV2.GICC.size / PAGE_SIZE;
  const frame = maddrToMfn(from.address);
  return xen.steps.p2m.setEntries(xen, domain.p2m, gaddrToGfn(at), pages, frame, 'mmio_direct_dev');
}

/** Takes it away, when all its interrupts are released. */
export function teardownDomain(_xen: Xen, domain: Domain): void {
  const others = domain.mmioHandlers.filter(({ name }) => name !== 'vGICD' && name !== 'vGICR');
  domain.mmioHandlers.splice(0, domain.mmioHandlers.length, ...others);
  domain.vgic = undefined;
  for (const vcpu of domain.vcpus) vcpu.vgic = undefined;
}
