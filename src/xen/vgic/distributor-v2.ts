/**
 * The distributor that a domain sees on a GICv2: Arm IHI 0048B.b 4.3, as Non-secure software finds it. SGIs and PPIs are
 * banked; the CPU interface is the machine's virtual one, and nothing of it is emulated.
 *
 * An SPI goes to one vCPU: the first that its targets name.
 */
import { encode, get } from '../../hw/bits.js';
import {
  GICD,
  GICD_BYTES,
  GICD_CTLR,
  GICD_IIDR,
  GICD_PIDR2,
  GICD_SGIR,
  GICD_TYPER,
  TARGET_LIST_FILTER,
} from '../../hw/gic/gicv2/layout.js';
import type { Value64 } from '../../hw/machine.js';
import type { MmioHandler } from '../mmio.js';
import type { Domain, Vcpu, Xen } from '../xen.js';
import { IMPLEMENTER_ARM } from './distributor-v3.js';
import { irqOf } from './registers.js';
import { GICV2_CPUS, LOCAL_IRQS, type PendingIrq, SGIS } from './state.js';

type Width = 1 | 2 | 4 | 8;
const word = (value: number): Value64 => ({ hi: 0, lo: value >>> 0 });
/** INTIDs of a distributor. */
const SHOWN = { first: 0, end: 1020 };
const TARGET_BYTES = 0x400;
/** ICPIDR2.ArchRev. */
const ARCH_GICV2 = 2;
/** GICD_CPENDSGIR and GICD_SPENDSGIR: a byte for each SGI, a bit for each sender. */
const SGI_BYTES = SGIS;

const within = (offset: number, first: number, bytes: number): boolean => offset >= first && offset < first + bytes;

/** The byte of GICD_ITARGETSR: those of SGIs and PPIs are the reader's own. */
function targetsOf(vcpu: Vcpu, virq: number): number {
  return virq < LOCAL_IRQS ? 1 << vcpu.vcpu : (irqOf(vcpu, virq)?.route ?? 0);
}

/** Has an SPI go to the first vCPU that its targets name. */
export function setTargets(xen: Xen, domain: Domain, irq: PendingIrq, targets: number): void {
  irq.route = targets & ((1 << domain.vcpus.length) - 1);
  const first = irq.route === 0 ? undefined : domain.vcpus[31 - Math.clz32(irq.route & -irq.route)];
  xen.steps.vgic.retarget(xen, domain, irq, first);
}

/** The SGIs to a vCPU by who sends them: which are pending, a bit each. */
function pendingSources(xen: Xen, vcpu: Vcpu, sgi: number): number {
  let sources = 0;
  for (let source = 0; source < GICV2_CPUS; source++) {
    const irq = vcpu.vgic?.sgis[sgi * GICV2_CPUS + source];
    if (irq !== undefined && (xen.steps.vgic.stateOf(xen, irq) & 1) !== 0) sources |= 1 << source;
  }
  return sources;
}

/** Bytes of an access, the first in the lowest bits. */
function joinBytes(width: number, byte: (n: number) => number): number {
  let value = 0;
  for (let n = 0; n < width; n++) value |= byte(n) << (8 * n);
  return value >>> 0;
}

/** Reads a register. Undefined: it is not accessed in that width. */
export function read(xen: Xen, vcpu: Vcpu, offset: number, width: Width): Value64 | undefined {
  if (width === 2 || width === 8) return undefined;
  if (within(offset, GICD.ITARGETSR, TARGET_BYTES)) {
    return word(joinBytes(width, (n) => targetsOf(vcpu, offset - GICD.ITARGETSR + n)));
  }
  for (const first of [GICD.CPENDSGIR, GICD.SPENDSGIR]) {
    if (!within(offset, first, SGI_BYTES)) continue;
    return word(joinBytes(width, (n) => pendingSources(xen, vcpu, offset - first + n)));
  }
  const value = xen.steps.vgic.readArrays(xen, vcpu, offset, width, SHOWN);
  if (value !== undefined) return word(value);
  if (width !== 4) return undefined;
  switch (offset) {
    case GICD.CTLR:
      return word(encode(GICD_CTLR, 32, { EnableGrp0: vcpu.domain.vgic?.enabled === true ? 1 : 0 })[0] as number);
    case GICD.TYPER: {
      const lines = LOCAL_IRQS + (vcpu.domain.vgic?.spis.length ?? 0);
      const fields = { ITLinesNumber: Math.floor((lines + 31) / 32) - 1, CPUNumber: vcpu.domain.vcpus.length - 1 };
      return word(encode(GICD_TYPER, 32, fields)[0] as number);
    }
    case GICD.IIDR:
      return word(encode(GICD_IIDR, 32, { Implementer: IMPLEMENTER_ARM })[0] as number);
    case GICD.PIDR2:
      return word(encode(GICD_PIDR2, 32, { ArchRev: ARCH_GICV2 })[0] as number);
    default:
      return word(0);
  }
}

/** Writes a register. False: it is not accessed in that width. */
export function write(xen: Xen, vcpu: Vcpu, offset: number, width: Width, { lo }: Value64): boolean {
  const { domain } = vcpu;
  if (width === 2 || width === 8) return false;
  const byte = (n: number): number => (lo >>> (8 * n)) & 0xff;
  if (within(offset, GICD.ITARGETSR, TARGET_BYTES)) {
    for (let n = 0; n < width; n++) {
      const virq = offset - GICD.ITARGETSR + n;
      const irq = virq < LOCAL_IRQS ? undefined : irqOf(vcpu, virq);
      if (irq !== undefined) xen.steps.vgic.setTargets(xen, domain, irq, byte(n));
    }
    return true;
  }
  for (const first of [GICD.CPENDSGIR, GICD.SPENDSGIR]) {
    if (!within(offset, first, SGI_BYTES)) continue;
    for (let n = 0; n < width; n++) setSgi(xen, vcpu, offset - first + n, byte(n), first === GICD.SPENDSGIR);
    return true;
  }
  if (xen.steps.vgic.writeArrays(xen, vcpu, offset, width, lo, SHOWN)) return true;
  if (width !== 4) return false;
  if (offset === GICD.CTLR) {
    xen.steps.vgic.setEnabled(xen, domain, get(Uint32Array.of(lo), GICD_CTLR.EnableGrp0) === 1);
  } else if (offset === GICD.SGIR) {
    xen.steps.vgic.writeSgir(xen, vcpu, lo);
  }
  return true;
}

/** GICD_SPENDSGIR and GICD_CPENDSGIR: SGIs to the vCPU itself, from the senders of a byte's bits. */
function setSgi(xen: Xen, vcpu: Vcpu, sgi: number, sources: number, pending: boolean): void {
  for (let source = 0; source < GICV2_CPUS; source++) {
    const irq = vcpu.vgic?.sgis[sgi * GICV2_CPUS + source];
    if (irq === undefined || (sources & (1 << source)) === 0) continue;
    if (pending) xen.steps.vgic.inject(xen, vcpu, irq);
    else xen.steps.vgic.clearPending(xen, irq);
  }
}

/** GICD_SGIR: sends an SGI (4.3.15). */
export function writeSgir(xen: Xen, vcpu: Vcpu, value: number): void {
  const words = Uint32Array.of(value);
  const filter = get(words, GICD_SGIR.TargetListFilter);
  const list = get(words, GICD_SGIR.CPUTargetList);
  for (const to of vcpu.domain.vcpus) {
    const isTarget =
      filter === TARGET_LIST_FILTER.LIST
        ? (list & (1 << to.vcpu)) !== 0
        : filter === TARGET_LIST_FILTER.OTHERS
          ? to !== vcpu
          : filter === TARGET_LIST_FILTER.SELF && to === vcpu;
    if (isTarget) xen.steps.vgic.sendSgi(xen, vcpu, to, get(words, GICD_SGIR.SGIINTID));
  }
}

/** The frame of the distributor. */
export function makeDistributor(_xen: Xen, address: number): MmioHandler {
  return {
    name: 'vGICD',
    address,
    size: GICD_BYTES,
    read: (xen, vcpu, offset, width) => xen.steps.vgic.readGicdV2(xen, vcpu, offset, width),
    write: (xen, vcpu, offset, width, value) => xen.steps.vgic.writeGicdV2(xen, vcpu, offset, width, value),
  };
}
