/** Registers of an IPMMU as the driver uses them. */
import { pa } from '../../../hw/address.js';
import { encode, get, put } from '../../../hw/bits.js';
import {
  CONTEXT_REGISTER,
  CONTROL_REGISTER,
  contextRegister,
  IMCTR,
  IMUCTR,
  MICRO_TLB,
  microTlbRegister,
} from '../../../hw/iommu/ipmmu/layout.js';
import { failure } from '../../errno.js';
import { type Ipmmu, print, type Xen } from '../../xen.js';

/** How often a register is read before the driver gives up on it. */
const PATIENCE = 4096;

/** Reads a register. */
export function readRegister(xen: Xen, ipmmu: Ipmmu, offset: number): number {
  return xen.machine.mmio.read(pa(ipmmu.base + offset), 4);
}

/** Writes a register. */
export function writeRegister(xen: Xen, ipmmu: Ipmmu, offset: number, value: number): void {
  xen.machine.mmio.write(pa(ipmmu.base + offset), 4, value >>> 0);
}

/** Reads a register of a context. */
export function readContext(xen: Xen, ipmmu: Ipmmu, context: number, register: number): number {
  return xen.steps.ipmmu.readRegister(xen, ipmmu, contextRegister(ipmmu.features, context, register));
}

/** Writes a register of a context. */
export function writeContext(xen: Xen, ipmmu: Ipmmu, context: number, register: number, value: number): void {
  xen.steps.ipmmu.writeRegister(xen, ipmmu, contextRegister(ipmmu.features, context, register), value);
}

/** Sets or clears one bit of a control register. */
export function writeControl(
  xen: Xen,
  ipmmu: Ipmmu,
  register: keyof typeof CONTROL_REGISTER,
  change: (value: Uint32Array) => void,
): void {
  const offset = ipmmu.features.controlBase + CONTROL_REGISTER[register];
  const value = Uint32Array.of(xen.steps.ipmmu.readRegister(xen, ipmmu, offset));
  change(value);
  xen.steps.ipmmu.writeRegister(xen, ipmmu, offset, value[0] as number);
}

/** IMCTR of a context in an instance: VA64 is in main instances alone. */
export function contextControl(_xen: Xen, ipmmu: Ipmmu, enabled: boolean): number {
  const bits = enabled ? { MMUEN: 1, INTEN: 1 } : {};
  const value = encode(IMCTR, 32, { ...bits, FLUSH: 1 });
  if (enabled && ipmmu.main === undefined) put(value, IMCTR.VA64, 1);
  return value[0] as number;
}

/**
 * Waits until an instance has forgotten the translations of a context.
 * @returns 0 or -EIO
 */
export function waitFlushed(xen: Xen, ipmmu: Ipmmu, context: number): number {
  for (let i = 0; i < PATIENCE; i++) {
    const value = xen.steps.ipmmu.readContext(xen, ipmmu, context, CONTEXT_REGISTER.IMCTR);
    if (get(Uint32Array.of(value), IMCTR.FLUSH) === 0) return 0;
  }
  print(xen, `IPMMU ${ipmmu.node.path}: context ${context} is not flushed`);
  return failure('EIO');
}

/** Turns a context on or off in an instance, and waits until nothing of before is cached. Returns 0 or -EIO. */
export function setContext(xen: Xen, ipmmu: Ipmmu, context: number, enabled: boolean): number {
  const { contextControl, waitFlushed, writeContext } = xen.steps.ipmmu;
  writeContext(xen, ipmmu, context, CONTEXT_REGISTER.IMCTR, contextControl(xen, ipmmu, enabled));
  return waitFlushed(xen, ipmmu, context);
}

/** Makes an instance forget the translations of a context, and waits until it has. Returns 0 or -EIO. */
export function flushContext(xen: Xen, ipmmu: Ipmmu, context: number): number {
  const { readContext, waitFlushed, writeContext } = xen.steps.ipmmu;
  const value = Uint32Array.of(readContext(xen, ipmmu, context, CONTEXT_REGISTER.IMCTR));
  put(value, IMCTR.FLUSH, 1);
  writeContext(xen, ipmmu, context, CONTEXT_REGISTER.IMCTR, value[0] as number);
  return waitFlushed(xen, ipmmu, context);
}

/** IMUCTR of a micro-TLB that translates by a context. */
export function microTlbControl(_xen: Xen, context: number): number {
  return encode(IMUCTR, 32, { MMUEN: 1, FLUSH: 1, TTSEL: context })[0] as number;
}

/** Makes a micro-TLB translate by a context, and forget what it holds. It is never disabled: it would let requests pass. */
export function selectContext(xen: Xen, ipmmu: Ipmmu, microTlb: number, context: number): void {
  const { microTlbControl, writeRegister } = xen.steps.ipmmu;
  writeRegister(xen, ipmmu, microTlbRegister(ipmmu.features, microTlb, MICRO_TLB.IMUASID), 0);
  const control = microTlbRegister(ipmmu.features, microTlb, MICRO_TLB.IMUCTR);
  writeRegister(xen, ipmmu, control, microTlbControl(xen, context));
}
