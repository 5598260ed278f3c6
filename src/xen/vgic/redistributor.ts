/**
 * The redistributors that a domain sees on a GICv3, one for each vCPU: Arm IHI 0069 12.11, as Non-secure software finds them.
 * A vCPU may use those of others, as CPUs may.
 *
 * Not offered: LPIs by register (GICR_SETLPIR, GICR_INVLPIR and those with them). GICR_WAKER reads as zero and ignores
 * writes: a vCPU's redistributor is awake. EnableLPIs cannot be cleared once it is set (GICR_CTLR.CES = 0).
 */
import { encode, get, put } from '../../hw/bits.js';
import {
  ARCH_REV,
  GICD_IIDR,
  GICD_PIDR2,
  GICR,
  GICR_BYTES,
  GICR_CTLR,
  GICR_PENDBASER,
  GICR_TYPER,
  SGI_BASE,
} from '../../hw/gic/gicv3/layout.js';
import type { Value64 } from '../../hw/machine.js';
import type { MmioHandler } from '../mmio.js';
import type { Vcpu, Xen } from '../xen.js';
import { IMPLEMENTER_ARM, vcpuAffinity } from './distributor-v3.js';
import { LOCAL_IRQS, type VgicRegion } from './state.js';

type Width = 1 | 2 | 4 | 8;
const word = (value: number): Value64 => ({ hi: 0, lo: value >>> 0 });
const ZERO: Value64 = { hi: 0, lo: 0 };
const SHOWN = { first: 0, end: LOCAL_IRQS };
/** End of the arrays of SGI_base. */
const ARRAYS = { first: 0x80, end: 0xf00 };

/** The part of a 64-bit register that an access wants. Undefined: it is not accessed in that width. */
function part(value: Value64, offset: number, width: Width): Value64 | undefined {
  if (width === 8) return value;
  return width === 4 ? word(offset % 8 === 0 ? value.lo : value.hi) : undefined;
}

/** A 64-bit register after a write to it or to a half of it. Undefined: it is not accessed in that width. */
function merged(old: Value64, offset: number, width: Width, value: Value64): Value64 | undefined {
  if (width === 8) return value;
  if (width !== 4) return undefined;
  return offset % 8 === 0 ? { hi: old.hi, lo: value.lo } : { hi: value.lo, lo: old.lo };
}

/** GICR_TYPER. */
export function redistributorTyper(_xen: Xen, vcpu: Vcpu, isLast: boolean): Value64 {
  const affinity = vcpuAffinity(vcpu.vcpu);
  const words = encode(GICR_TYPER, 64, {
    PLPIS: (vcpu.domain.vgic?.lpiIdBits ?? 0) > 0 ? 1 : 0,
    Last: isLast ? 1 : 0,
    Processor_Number: vcpu.vcpu,
    Aff0: affinity & 0xff,
    Aff1: affinity >>> 8,
  });
  return { hi: words[1] as number, lo: words[0] as number };
}

/** The vCPU that a frame of a region belongs to. */
function ownerOf(region: VgicRegion, by: Vcpu, offset: number): Vcpu | undefined {
  return by.domain.vcpus[region.firstVcpu + Math.floor(offset / GICR_BYTES)];
}

/** Reads a register of the redistributor of `vcpu`; `offset` is from its RD_base. Undefined: not accessed in that width. */
export function readRedistributor(
  xen: Xen,
  vcpu: Vcpu,
  offset: number,
  width: Width,
  isLast: boolean,
): Value64 | undefined {
  const own = vcpu.vgic;
  if (own === undefined) return undefined;
  if (offset >= SGI_BASE) return readSgiBase(xen, vcpu, offset - SGI_BASE, width);
  const hasLpis = (vcpu.domain.vgic?.lpiIdBits ?? 0) > 0;
  switch (offset - (offset % 8)) {
    case GICR.TYPER:
      return part(redistributorTyper(xen, vcpu, isLast), offset, width);
    case GICR.PROPBASER:
      return part(hasLpis ? own.propbaser : ZERO, offset, width);
    case GICR.PENDBASER:
      return part(hasLpis ? own.pendbaser : ZERO, offset, width);
    case GICR.SETLPIR:
    case GICR.CLRLPIR:
    case GICR.INVLPIR:
    case GICR.INVALLR:
      return part(ZERO, offset, width);
  }
  if (width !== 4) return undefined;
  switch (offset) {
    case GICR.CTLR:
      return word(encode(GICR_CTLR, 32, { EnableLPIs: own.lpisEnabled ? 1 : 0 })[0] as number);
    case GICR.IIDR:
      return word(encode(GICD_IIDR, 32, { Implementer: IMPLEMENTER_ARM })[0] as number);
    case GICR.PIDR2:
      return word(encode(GICD_PIDR2, 32, { ArchRev: ARCH_REV.GICv3 })[0] as number);
    default:
      return ZERO;
  }
}

function readSgiBase(xen: Xen, vcpu: Vcpu, offset: number, width: Width): Value64 | undefined {
  const value = xen.steps.vgic.readArrays(xen, vcpu, offset, width, SHOWN);
  if (value !== undefined) return word(value);
  if (offset === GICR.PIDR2 && width === 4) {
    return word(encode(GICD_PIDR2, 32, { ArchRev: ARCH_REV.GICv3 })[0] as number);
  }
  return width === 4 ? ZERO : undefined;
}

/** Writes a register of the redistributor of `vcpu`. False: it is not accessed in that width. */
export function writeRedistributor(xen: Xen, vcpu: Vcpu, offset: number, width: Width, value: Value64): boolean {
  const own = vcpu.vgic;
  if (own === undefined) return false;
  if (offset >= SGI_BASE) return writeSgiBase(xen, vcpu, offset - SGI_BASE, width, value);
  const hasLpis = (vcpu.domain.vgic?.lpiIdBits ?? 0) > 0;
  switch (offset - (offset % 8)) {
    case GICR.PROPBASER: {
      const next = merged(own.propbaser, offset, width, value);
      if (next !== undefined && hasLpis && !own.lpisEnabled) own.propbaser = next;
      return next !== undefined;
    }
    case GICR.PENDBASER: {
      const next = merged(own.pendbaser, offset, width, value);
      if (next !== undefined && hasLpis && !own.lpisEnabled) own.pendbaser = withoutPtz(next);
      return next !== undefined;
    }
    case GICR.TYPER:
    case GICR.SETLPIR:
    case GICR.CLRLPIR:
    case GICR.INVLPIR:
    case GICR.INVALLR:
      return width === 4 || width === 8;
  }
  if (width !== 4) return false;
  if (offset === GICR.CTLR && hasLpis && get(Uint32Array.of(value.lo), GICR_CTLR.EnableLPIs) === 1) {
    if (!own.lpisEnabled) {
      own.lpisEnabled = true;
      xen.steps.vgic.lpisEnabled(xen, vcpu);
    }
  }
  return true;
}

/** GICR_PENDBASER.PTZ reads as zero. Nothing depends on it: no LPI is pending before LPIs are enabled. */
function withoutPtz({ hi, lo }: Value64): Value64 {
  const words = Uint32Array.of(lo, hi);
  put(words, GICR_PENDBASER.PTZ, 0);
  return { hi: words[1] as number, lo: words[0] as number };
}

function writeSgiBase(xen: Xen, vcpu: Vcpu, offset: number, width: Width, value: Value64): boolean {
  if (offset >= ARRAYS.first && offset < ARRAYS.end) {
    if (xen.steps.vgic.writeArrays(xen, vcpu, offset, width, value.lo, SHOWN)) return true;
  }
  return width === 4;
}

/** A guest has set GICR_CTLR.EnableLPIs: for the emulation of translation services. */
export function lpisEnabled(xen: Xen, vcpu: Vcpu): void {
  xen.steps.vits.enableLpis(xen, vcpu);
}

/** The frames of a region of redistributors. */
export function makeRedistributors(_xen: Xen, region: VgicRegion): MmioHandler {
  const isLast = (offset: number): boolean => Math.floor(offset / GICR_BYTES) === region.vcpus - 1;
  return {
    name: 'vGICR',
    address: region.address,
    size: region.vcpus * GICR_BYTES,
    read(xen, vcpu, offset, width) {
      const owner = ownerOf(region, vcpu, offset);
      if (owner === undefined) return undefined;
      return xen.steps.vgic.readRedistributor(xen, owner, offset % GICR_BYTES, width, isLast(offset));
    },
    write(xen, vcpu, offset, width, value) {
      const owner = ownerOf(region, vcpu, offset);
      if (owner === undefined) return false;
      return xen.steps.vgic.writeRedistributor(xen, owner, offset % GICR_BYTES, width, value);
    },
  };
}
