/**
 * Contexts of IPMMUs: a domain's p2m under a context number, and the micro-TLBs that select it. The number is of the main
 * instance, and the same in all of its caches that the domain has devices behind.
 */
import { encode } from '../../../hw/bits.js';
import {
  CONTEXT_REGISTER,
  IMTTBCR,
  IMTTLBR0,
  IMTTUBR0,
  IPMMU_ADDRESS_BITS,
  SL0_LEVEL_1,
} from '../../../hw/iommu/ipmmu/layout.js';
import { failure } from '../../errno.js';
import { type Mfn, maddr, PAGE_SIZE } from '../../frames.js';
import { type Device, type Domain, type IommuContext, type Ipmmu, print, type Xen } from '../../xen.js';
import { PARKING_CONTEXT } from './probe.js';

/** A context of an IPMMU. */
export type IpmmuContext = IommuContext<Ipmmu>;

/** The instance that walks tables for an instance. */
const mainOf = (ipmmu: Ipmmu): Ipmmu => ipmmu.main ?? ipmmu;

/** IMTTBCR of tables of stage 2, 4 KiB pages, from level 1. */
export function tableControl(_xen: Xen, ipaBits: number): number {
  return encode(IMTTBCR, 32, { EAE: 1, PMB: 1, SL0: SL0_LEVEL_1, TSZ0: 64 - ipaBits })[0] as number;
}

/**
 * Tells a main instance where the tables of a context are, and that it has no faults yet. The context is off.
 * @returns 0, or -ERANGE if the root lies beyond what an IPMMU reaches
 */
export function writeTables(xen: Xen, ipmmu: Ipmmu, context: number, root: Mfn, ipaBits: number): number {
  const address = maddr(root);
  if (address >= 2 ** IPMMU_ADDRESS_BITS) return failure('ERANGE');
  const { tableControl, writeContext } = xen.steps.ipmmu;
  const low = encode(IMTTLBR0, 32, { TTBR: (address % 2 ** 32) / PAGE_SIZE });
  const high = encode(IMTTUBR0, 32, { TTBR: Math.floor(address / 2 ** 32) });
  writeContext(xen, ipmmu, context, CONTEXT_REGISTER.IMTTLBR0, low[0] as number);
  writeContext(xen, ipmmu, context, CONTEXT_REGISTER.IMTTUBR0, high[0] as number);
  writeContext(xen, ipmmu, context, CONTEXT_REGISTER.IMTTBCR, tableControl(xen, ipaBits));
  writeContext(xen, ipmmu, context, CONTEXT_REGISTER.IMSTR, 0);
  return 0;
}

/** Takes a context number of a main instance. Undefined: there is none left. */
export function allocateContext(_xen: Xen, main: Ipmmu): number | undefined {
  return main.contexts.take();
}

/** Gives a context number back. */
export function freeContext(_xen: Xen, main: Ipmmu, context: number): void {
  main.contexts.release(context);
}

/** The contexts that a domain has behind the same main instance. */
function siblings(domain: Domain, ipmmu: Ipmmu): IommuContext[] {
  return domain.contexts.filter(({ iommu }) => iommu.kind === 'ipmmu' && mainOf(iommu) === mainOf(ipmmu));
}

/**
 * Turns on a domain's context in the main instance.
 * @returns its number; -EBUSY if there is none left; -ERANGE; -EIO: then the number is never used again
 */
export function enableMain(xen: Xen, domain: Domain, main: Ipmmu): number {
  const { allocateContext, freeContext, setContext, writeTables } = xen.steps.ipmmu;
  if (domain.p2m === undefined) return failure('EINVAL');
  const context = allocateContext(xen, main);
  if (context === undefined) {
    print(xen, `IPMMU ${main.node.path}: no context left for ${domain.name}`);
    return failure('EBUSY');
  }
  const error = writeTables(xen, main, context, domain.p2m.root, xen.format.ipaBits);
  if (error !== 0) {
    freeContext(xen, main, context);
    return error;
  }
  return setContext(xen, main, context, true) || context;
}

/** Turns off a domain's context in the main instance, and gives its number back. Returns 0 or -EIO. */
export function disableMain(xen: Xen, main: Ipmmu, context: number): number {
  const error = xen.steps.ipmmu.setContext(xen, main, context, false);
  if (error === 0) xen.steps.ipmmu.freeContext(xen, main, context);
  return error;
}

/** Makes a domain's p2m a context of an instance. A negative error code if that cannot be. */
export function createContext(xen: Xen, domain: Domain, ipmmu: Ipmmu): IpmmuContext | number {
  if (domain.p2m === undefined) return failure('EINVAL');
  const main = mainOf(ipmmu);
  const [sibling] = siblings(domain, ipmmu);
  const tag = sibling?.tag ?? xen.steps.ipmmu.enableMain(xen, domain, main);
  if (tag < 0) return tag;
  const error = ipmmu === main ? 0 : xen.steps.ipmmu.setContext(xen, ipmmu, tag, true);
  if (error !== 0) {
    if (sibling === undefined) xen.steps.ipmmu.disableMain(xen, main, tag);
    return error;
  }
  return { domain, number: 0, iommu: ipmmu, root: domain.p2m.root, tag, format: xen.format, devices: new Set() };
}

/** Ends a context without devices: in its instance, and with the last of the domain's, in the main one. */
export function destroyContext(xen: Xen, context: IpmmuContext): number {
  const { iommu: ipmmu, domain, tag } = context;
  const main = mainOf(ipmmu);
  const last = siblings(domain, ipmmu).every((other) => other === context);
  const error = ipmmu === main ? 0 : xen.steps.ipmmu.setContext(xen, ipmmu, tag, false);
  return error !== 0 || !last ? error : xen.steps.ipmmu.disableMain(xen, main, tag);
}

/** Makes an instance, and the one that walks for it, forget the translations of a context. Returns 0 or -EIO. */
export function invalidateContext(xen: Xen, context: IpmmuContext): number {
  const { iommu: ipmmu, tag } = context;
  // The main instance first: what the cache asks for again must not come from there.
  const error = xen.steps.ipmmu.flushContext(xen, mainOf(ipmmu), tag);
  if (error !== 0 || ipmmu.main === undefined) return error;
  return xen.steps.ipmmu.flushContext(xen, ipmmu, tag);
}

/**
 * Whether an instance has these micro-TLBs.
 * @returns 0 or -EINVAL
 */
export function prepareStreams(xen: Xen, ipmmu: Ipmmu, microTlbs: readonly number[]): number {
  const unknown = microTlbs.find((microTlb) => microTlb >= ipmmu.features.microTlbs);
  if (unknown === undefined) return 0;
  print(xen, `IPMMU ${ipmmu.node.path}: there is no micro-TLB ${unknown}`);
  return failure('EINVAL');
}

/**
 * Makes a micro-TLB translate by a context.
 * @returns 0, or -EBUSY if a device of another context has the same
 */
export function attachMicroTlb(xen: Xen, context: IpmmuContext, microTlb: number): number {
  const { iommu: ipmmu, tag } = context;
  const use = ipmmu.streams.get(microTlb);
  if (use !== undefined && use.context !== context) return failure('EBUSY');
  if (use !== undefined && use.devices > 0) {
    use.devices++;
    return 0;
  }
  xen.steps.ipmmu.selectContext(xen, ipmmu, microTlb, tag);
  ipmmu.streams.set(microTlb, { context, devices: 1 });
  return 0;
}

/**
 * Parks a micro-TLB unless another device of the context has it too. What it was told to forget is gone for certain when
 * its context has been flushed.
 * @returns 0, or -EIO: then the micro-TLB still counts as attached
 */
export function detachMicroTlb(xen: Xen, context: IpmmuContext, microTlb: number): number {
  const { iommu: ipmmu } = context;
  const use = ipmmu.streams.get(microTlb);
  if (use === undefined || use.context !== context) return 0;
  if (use.devices > 1) {
    use.devices--;
    return 0;
  }
  xen.steps.ipmmu.selectContext(xen, ipmmu, microTlb, PARKING_CONTEXT);
  const error = xen.steps.ipmmu.invalidateContext(xen, context);
  if (error === 0) ipmmu.streams.delete(microTlb);
  return error;
}

/** Makes all micro-TLBs of a device translate by a context, or none. Returns 0 or a negative error code. */
export function attachStreams(xen: Xen, context: IpmmuContext, device: Device): number {
  const attached: number[] = [];
  for (const microTlb of device.master?.streamIds ?? []) {
    const error = xen.steps.ipmmu.attachMicroTlb(xen, context, microTlb);
    if (error === 0) {
      attached.push(microTlb);
      continue;
    }
    for (const done of attached.reverse()) xen.steps.ipmmu.detachMicroTlb(xen, context, done);
    return error;
  }
  return 0;
}

/** Parks all micro-TLBs of a device, also if one of them fails. Returns 0 or the first error. */
export function detachStreams(xen: Xen, context: IpmmuContext, device: Device): number {
  let first = 0;
  for (const microTlb of device.master?.streamIds ?? []) {
    const error = xen.steps.ipmmu.detachMicroTlb(xen, context, microTlb);
    if (first === 0) first = error;
  }
  return first;
}
