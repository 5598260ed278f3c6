/**
 * Registers with some bits for each interrupt, which distributors and redistributors have in common: Arm IHI 0069 12.9 (GICD)
 * and 12.11 (SGI_base of GICR), Arm IHI 0048B.b 4.3. Their offsets are the same in all three; what differs is which
 * interrupts are there.
 *
 * All interrupts of a domain are of one group: IGROUPR, IGRPMODR and NSACR read as zero and ignore writes, as they do for
 * Non-secure software.
 */
import { GICD, ICFGR_EDGE } from '../../hw/gic/gicv3/layout.js';
import { LR_STATE } from '../gic/driver.js';
import type { Domain, Vcpu, Xen } from '../xen.js';
import { GICV2_CPUS, LOCAL_IRQS, type PendingIrq, SGIS } from './state.js';

/** Bytes of an array of one bit, of two and of eight for each of 1024 interrupts. */
const BIT_BYTES = 0x80;
const CONFIG_BYTES = 0x100;
const BYTE_BYTES = 0x400;

/** Which interrupts a frame shows: those from `first` below `end`. */
export interface Shown {
  readonly first: number;
  readonly end: number;
}

/** The interrupt of a number as a vCPU knows it. Undefined: the domain has none. */
export function irqOf(vcpu: Vcpu, virq: number): PendingIrq | undefined {
  return virq < LOCAL_IRQS ? vcpu.vgic?.local[virq] : vcpu.domain.vgic?.spis[virq - LOCAL_IRQS];
}

/** The interrupt of a number, if the frame shows it. */
function shownIrq(vcpu: Vcpu, virq: number, { first, end }: Shown): PendingIrq | undefined {
  return virq >= first && virq < end ? irqOf(vcpu, virq) : undefined;
}

/** SGIs of a GICv2 are apart by sender: whether one is in a state from any. */
function stateOf(xen: Xen, vcpu: Vcpu, irq: PendingIrq): number {
  const sgis = vcpu.vgic?.sgis ?? [];
  if (irq.virq >= SGIS || sgis.length === 0) return xen.steps.vgic.stateOf(xen, irq);
  let state = 0;
  for (let source = 0; source < GICV2_CPUS; source++) {
    state |= xen.steps.vgic.stateOf(xen, sgis[irq.virq * GICV2_CPUS + source] as PendingIrq);
  }
  return state;
}

const within = (offset: number, first: number, bytes: number): boolean => offset >= first && offset < first + bytes;

/** Reads a word of one bit for each interrupt. */
function readBits(offset: number, first: number, test: (virq: number) => boolean): number {
  let value = 0;
  const from = ((offset - first) / 4) * 32;
  for (let bit = 0; bit < 32; bit++) if (test(from + bit)) value |= 1 << bit;
  return value >>> 0;
}

/**
 * Reads the arrays of bits, bytes and pairs.
 * @returns undefined if the offset is none of theirs, or they do not take the width
 */
export function readArrays(xen: Xen, vcpu: Vcpu, offset: number, width: number, shown: Shown): number | undefined {
  if (within(offset, GICD.IPRIORITYR, BYTE_BYTES)) {
    if (width !== 1 && width !== 4) return undefined;
    let value = 0;
    for (let byte = 0; byte < width; byte++) {
      value |= (shownIrq(vcpu, offset - GICD.IPRIORITYR + byte, shown)?.priority ?? 0) << (8 * byte);
    }
    return value >>> 0;
  }
  if (width !== 4) return undefined;
  const stateBits = (first: number, mask: number): number =>
    readBits(offset, first, (virq) => {
      const irq = shownIrq(vcpu, virq, shown);
      return irq !== undefined && (stateOf(xen, vcpu, irq) & mask) !== 0;
    });
  const enabledBits = (first: number): number =>
    readBits(offset, first, (virq) => shownIrq(vcpu, virq, shown)?.enabled === true);
  if (within(offset, GICD.IGROUPR, BIT_BYTES) || within(offset, GICD.IGRPMODR, BIT_BYTES)) return 0;
  if (within(offset, GICD.NSACR, CONFIG_BYTES)) return 0;
  if (within(offset, GICD.ISENABLER, BIT_BYTES)) return enabledBits(GICD.ISENABLER);
  if (within(offset, GICD.ICENABLER, BIT_BYTES)) return enabledBits(GICD.ICENABLER);
  if (within(offset, GICD.ISPENDR, BIT_BYTES)) return stateBits(GICD.ISPENDR, LR_STATE.PENDING);
  if (within(offset, GICD.ICPENDR, BIT_BYTES)) return stateBits(GICD.ICPENDR, LR_STATE.PENDING);
  if (within(offset, GICD.ISACTIVER, BIT_BYTES)) return stateBits(GICD.ISACTIVER, LR_STATE.ACTIVE);
  if (within(offset, GICD.ICACTIVER, BIT_BYTES)) return stateBits(GICD.ICACTIVER, LR_STATE.ACTIVE);
  if (!within(offset, GICD.ICFGR, CONFIG_BYTES)) return undefined;
  let value = 0;
  const from = ((offset - GICD.ICFGR) / 4) * 16;
  for (let n = 0; n < 16; n++) {
    if (shownIrq(vcpu, from + n, shown)?.edge === true) value |= ICFGR_EDGE << (2 * n);
  }
  return value >>> 0;
}

/**
 * Writes to the arrays of bits, bytes and pairs.
 * @returns false if the offset is none of theirs, or they do not take the width
 */
export function writeArrays(xen: Xen, vcpu: Vcpu, offset: number, width: number, value: number, shown: Shown): boolean {
  const { domain } = vcpu;
  const { vgic } = xen.steps;
  if (within(offset, GICD.IPRIORITYR, BYTE_BYTES)) {
    if (width !== 1 && width !== 4) return false;
    for (let byte = 0; byte < width; byte++) {
      const irq = shownIrq(vcpu, offset - GICD.IPRIORITYR + byte, shown);
      if (irq !== undefined) setPriority(xen, vcpu, irq, (value >>> (8 * byte)) & 0xff);
    }
    return true;
  }
  if (width !== 4) return false;
  const eachBit = (first: number, act: (irq: PendingIrq) => void): true => {
    const from = ((offset - first) / 4) * 32;
    for (let bit = 0; bit < 32; bit++) {
      const irq = ((value >>> bit) & 1) === 0 ? undefined : shownIrq(vcpu, from + bit, shown);
      if (irq !== undefined) act(irq);
    }
    return true;
  };
  if (within(offset, GICD.IGROUPR, BIT_BYTES) || within(offset, GICD.IGRPMODR, BIT_BYTES)) return true;
  if (within(offset, GICD.NSACR, CONFIG_BYTES)) return true;
  // A GICv2's SGIs are always enabled, and made pending by registers of their own (Arm IHI 0048B.b 4.3.5, 4.3.7).
  const isFixed = (irq: PendingIrq): boolean => irq.virq < SGIS && domain.vgic?.version === 2;
  if (within(offset, GICD.ISENABLER, BIT_BYTES)) return eachBit(GICD.ISENABLER, (irq) => vgic.enableIrq(xen, irq));
  if (within(offset, GICD.ICENABLER, BIT_BYTES)) {
    return eachBit(GICD.ICENABLER, (irq) => {
      if (!isFixed(irq)) vgic.disableIrq(xen, irq);
    });
  }
  if (within(offset, GICD.ISPENDR, BIT_BYTES)) {
    return eachBit(GICD.ISPENDR, (irq) => {
      if (!isFixed(irq)) vgic.setPending(xen, domain, irq);
    });
  }
  if (within(offset, GICD.ICPENDR, BIT_BYTES)) {
    return eachBit(GICD.ICPENDR, (irq) => {
      if (!isFixed(irq)) vgic.clearPending(xen, irq);
    });
  }
  if (within(offset, GICD.ISACTIVER, BIT_BYTES)) {
    return eachBit(GICD.ISACTIVER, (irq) => {
      if (!isFixed(irq)) vgic.setActive(xen, irq);
    });
  }
  if (within(offset, GICD.ICACTIVER, BIT_BYTES)) {
    return eachBit(GICD.ICACTIVER, (irq) => {
      for (const each of irqsOf(vcpu, irq)) vgic.clearActive(xen, each);
    });
  }
  if (!within(offset, GICD.ICFGR, CONFIG_BYTES)) return false;
  const from = ((offset - GICD.ICFGR) / 4) * 16;
  for (let n = 0; n < 16; n++) {
    const irq = shownIrq(vcpu, from + n, shown);
    if (irq !== undefined) setConfiguration(domain, irq, ((value >>> (2 * n)) & ICFGR_EDGE) !== 0);
  }
  return true;
}

/** An interrupt, or for an SGI of a GICv2 those of all senders. */
function irqsOf(vcpu: Vcpu, irq: PendingIrq): readonly PendingIrq[] {
  const sgis = vcpu.vgic?.sgis ?? [];
  if (irq.virq >= SGIS || sgis.length === 0) return [irq];
  return [irq, ...sgis.slice(irq.virq * GICV2_CPUS, (irq.virq + 1) * GICV2_CPUS)];
}

function setPriority(xen: Xen, vcpu: Vcpu, irq: PendingIrq, priority: number): void {
  for (const each of irqsOf(vcpu, irq)) xen.steps.vgic.setPriority(xen, vcpu.domain, each, priority);
}

/** GICD_ICFGR: how an SPI is signalled. What a device is wired to is as the machine has it, and SGIs and PPIs are fixed. */
function setConfiguration(_domain: Domain, irq: PendingIrq, edge: boolean): void {
  if (irq.virq >= LOCAL_IRQS && irq.physical < 0) irq.edge = edge;
}
