/**
 * The distributor that a domain sees on a GICv3: Arm IHI 0069 12.9, as Non-secure software with affinity routing finds it.
 *
 * Not offered: SPIs by message, extended SPIs, 1 of N routing (TYPER.No1N), disabling affinity routing.
 */
import { encode, get } from '../../hw/bits.js';
import {
  ARCH_REV,
  GICD,
  GICD_BYTES,
  GICD_CTLR,
  GICD_IIDR,
  GICD_IROUTER,
  GICD_PIDR2,
  GICD_TYPER,
  SPURIOUS,
} from '../../hw/gic/gicv3/layout.js';
import type { Value64 } from '../../hw/machine.js';
import type { MmioHandler } from '../mmio.js';
import type { Domain, Vcpu, Xen } from '../xen.js';
import { irqOf } from './registers.js';
import { LOCAL_IRQS, type PendingIrq } from './state.js';

/** Arm, as JEP106 has it. */
export const IMPLEMENTER_ARM = 0x43b;
/** Bits of INTID of a domain without LPIs. */
const ID_BITS = 10;
/** vCPUs with one value of affinity level 1 (vcpuid_to_vaffinity in xen/arch/arm/include/asm/domain.h). */
const CLUSTER = 16;
const TWO_32 = 2 ** 32;

/** Affinity of a vCPU as IROUTER and GICR_TYPER have it: Aff1 in 15:8, Aff0 in 7:0. */
export function vcpuAffinity(vcpu: number): number {
  return (Math.floor(vcpu / CLUSTER) << 8) | (vcpu % CLUSTER);
}

/** The vCPU that an affinity names. Undefined: none. */
export function vcpuByAffinity(_xen: Xen, domain: Domain, affinity: number): Vcpu | undefined {
  const [Aff0, Aff1] = [affinity % 0x100, Math.floor(affinity / 0x100) % 0x100];
  if (affinity >= 0x1_0000 || Aff0 >= CLUSTER) return undefined;
  return domain.vcpus[Aff1 * CLUSTER + Aff0];
}

const word = (value: number): Value64 => ({ hi: 0, lo: value >>> 0 });

/** GICD_IROUTER<n> without IRM, which does nothing here. */
function routeOf({ hi, lo }: Value64): number {
  const words = Uint32Array.of(lo, hi);
  const { Aff0, Aff1, Aff2, Aff3 } = GICD_IROUTER;
  const low = (get(words, Aff2) << Aff2.shift) | (get(words, Aff1) << Aff1.shift) | get(words, Aff0);
  return get(words, Aff3) * TWO_32 + low;
}

/** The SPI whose IROUTER an offset lies in. */
function routedIrq(vcpu: Vcpu, offset: number): PendingIrq | undefined {
  const virq = Math.floor((offset - GICD.IROUTER) / 8);
  return virq >= LOCAL_IRQS && virq <= SPURIOUS ? irqOf(vcpu, virq) : undefined;
}

const isRouter = (offset: number): boolean =>
  offset >= GICD.IROUTER + 8 * LOCAL_IRQS && offset < GICD.IROUTER + 8 * (SPURIOUS + 1);

/** Has an SPI go where its IROUTER says. */
export function setRoute(xen: Xen, domain: Domain, irq: PendingIrq, route: number): void {
  irq.route = route;
  xen.steps.vgic.retarget(xen, domain, irq, xen.steps.vgic.vcpuByAffinity(xen, domain, route));
}

/** GICD_TYPER. */
export function typer(_xen: Xen, domain: Domain): number {
  const { vgic } = domain;
  const words = encode(GICD_TYPER, 32, {
    ITLinesNumber: Math.floor((LOCAL_IRQS + (vgic?.spis.length ?? 0) + 31) / 32) - 1,
    CPUNumber: Math.min(domain.vcpus.length, 8) - 1,
    SecurityExtn: 1,
    LPIS: vgic !== undefined && vgic.lpiIdBits > 0 ? 1 : 0,
    IDbits: Math.max(vgic?.lpiIdBits ?? 0, ID_BITS) - 1,
    No1N: 1,
  });
  return words[0] as number;
}

/** Reads a register. Undefined: it is not accessed in that width. */
export function read(xen: Xen, vcpu: Vcpu, offset: number, width: 1 | 2 | 4 | 8): Value64 | undefined {
  if (isRouter(offset)) {
    if (width !== 4 && width !== 8) return undefined;
    const route = routedIrq(vcpu, offset)?.route ?? 0;
    const [hi, lo] = [Math.floor(route / TWO_32), route >>> 0];
    return width === 8 ? { hi, lo } : word(offset % 8 === 0 ? lo : hi);
  }
  const isAffinityRouted = offset >= GICD.ITARGETSR && offset < GICD.ICFGR;
  const shown = { first: LOCAL_IRQS, end: SPURIOUS + 1 };
  const value = isAffinityRouted ? undefined : xen.steps.vgic.readArrays(xen, vcpu, offset, width, shown);
  if (value !== undefined) return word(value);
  if (width !== 4) return undefined;
  switch (offset) {
    case GICD.CTLR:
      return word(
        encode(GICD_CTLR, 32, { ARE: 1, EnableGrp1: vcpu.domain.vgic?.enabled === true ? 1 : 0 })[0] as number,
      );
    case GICD.TYPER:
      return word(typer(xen, vcpu.domain));
    case GICD.IIDR:
      return word(encode(GICD_IIDR, 32, { Implementer: IMPLEMENTER_ARM })[0] as number);
    case GICD.PIDR2:
      return word(encode(GICD_PIDR2, 32, { ArchRev: ARCH_REV.GICv3 })[0] as number);
    default:
      return word(0);
  }
}

/** Writes a register. False: it is not accessed in that width. */
export function write(xen: Xen, vcpu: Vcpu, offset: number, width: 1 | 2 | 4 | 8, value: Value64): boolean {
  const { domain } = vcpu;
  if (isRouter(offset)) {
    if (width !== 4 && width !== 8) return false;
    const irq = routedIrq(vcpu, offset);
    if (irq === undefined) return true;
    const [hi, lo] = [Math.floor(irq.route / TWO_32), irq.route >>> 0];
    const whole = width === 8 ? value : offset % 8 === 0 ? { hi, lo: value.lo } : { hi: value.lo, lo };
    setRoute(xen, domain, irq, routeOf(whole));
    return true;
  }
  const isAffinityRouted = offset >= GICD.ITARGETSR && offset < GICD.ICFGR;
  const shown = { first: LOCAL_IRQS, end: SPURIOUS + 1 };
  if (!isAffinityRouted && xen.steps.vgic.writeArrays(xen, vcpu, offset, width, value.lo, shown)) return true;
  if (width !== 4) return false;
  if (offset === GICD.CTLR) {
    xen.steps.vgic.setEnabled(xen, domain, get(Uint32Array.of(value.lo), GICD_CTLR.EnableGrp1) === 1);
  }
  return true;
}

/** The frame of the distributor. */
export function makeDistributor(_xen: Xen, address: number): MmioHandler {
  return {
    name: 'vGICD',
    address,
    size: GICD_BYTES,
    read: (xen, vcpu, offset, width) => xen.steps.vgic.readGicdV3(xen, vcpu, offset, width),
    write: (xen, vcpu, offset, width, value) => xen.steps.vgic.writeGicdV3(xen, vcpu, offset, width, value),
  };
}
