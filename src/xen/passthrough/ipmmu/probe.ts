/**
 * Bringing up the IPMMUs of an R-Car (after xen/drivers/passthrough/arm/ipmmu-vmsa.c, which does not park).
 *
 * Micro-TLBs that are not enabled let requests pass untranslated. So that what nobody has is denied, every micro-TLB of
 * every instance is *parked* here: it selects context 0, whose table is empty, and from then on it never is disabled.
 *
 * Assumption of use: from reset until a micro-TLB is parked nothing holds its device back. Firmware must hand over the
 * machine with all devices behind IPMMUs quiet (no bus master started, no reset released that starts one).
 *
 * Not modelled: the check of the SoC's product register (renesas,prr) for a revision that can share stage-2 tables; PCI
 * behind an IPMMU; suspend and resume.
 */
import { type DeviceNode, DeviceTreeError } from '../../../firmware/tree.js';
import { type Pa, pa } from '../../../hw/address.js';
import { put } from '../../../hw/bits.js';
import {
  COMPATIBLE,
  CONTEXT_REGISTER,
  GENERATION,
  type Generation,
  IMSAUXCTLR,
  IMSCTLR,
  IPMMU_ADDRESS_BITS,
  MAIN_PROPERTY,
} from '../../../hw/iommu/ipmmu/layout.js';
import { failure } from '../../errno.js';
import { TagBitmap } from '../../tags.js';
import { type Ipmmu, print, type Xen } from '../../xen.js';

/** The context that micro-TLBs of nobody select. */
export const PARKING_CONTEXT = 0;
/** log2 of the parking context's root tables: 40 bits from level 1 take two. */
const PARKING_ROOT_ORDER = 1;

/** Where the registers of an instance are; undefined, and told, if its node does not say. */
export function findRegisters(xen: Xen, node: DeviceNode): Pa | undefined {
  try {
    const [region] = xen.steps.dt.readRegions(xen, node);
    if (region !== undefined) return pa(region.address);
    print(xen, `${node.path}: reg: there are no registers`);
  } catch (error) {
    if (!(error instanceof DeviceTreeError)) throw error;
    print(xen, error.message);
  }
  return undefined;
}

/** The instances of the device tree, main ones first. One whose main instance is none is left out. */
export function findInstances(xen: Xen): Ipmmu[] {
  const { tree } = xen.platform;
  const nodes = [...tree.root.walk()].filter((node) => {
    return node.enabled && (node.strings('compatible') ?? []).some((model) => Object.hasOwn(COMPATIBLE, model));
  });
  const instances: Ipmmu[] = [];
  const make = (node: DeviceNode, main: Ipmmu | undefined): void => {
    const model = (node.strings('compatible') ?? []).find((name) => Object.hasOwn(COMPATIBLE, name)) as string;
    const features = GENERATION[COMPATIBLE[model] as Generation];
    const contexts = new TagBitmap(Math.log2(features.contexts));
    const base = xen.steps.ipmmu.findRegisters(xen, node);
    if (base === undefined) return;
    instances.push({ kind: 'ipmmu', node, base, features, main, contexts, streams: new Map(), disabled: false });
  };
  for (const node of nodes) if (!node.has(MAIN_PROPERTY)) make(node, undefined);
  for (const node of nodes) {
    const [phandle] = node.cells(MAIN_PROPERTY) ?? [];
    if (phandle === undefined) continue;
    const main = instances.find((instance) => instance.main === undefined && instance.node.phandle === phandle);
    if (main !== undefined) make(node, main);
    else print(xen, `${node.path}: ${MAIN_PROPERTY}: there is no such IPMMU`);
  }
  return instances;
}

/** Size of the guest physical addresses that an IPMMU takes. */
export function addressBits(_xen: Xen, _ipmmu: Ipmmu): number {
  return IPMMU_ADDRESS_BITS;
}

/** Makes a main instance ready: no context, tables of stage 2, and the one context that denies everything. */
export function resetMain(xen: Xen, ipmmu: Ipmmu): number {
  const { setContext, writeContext, writeControl, writeTables } = xen.steps.ipmmu;
  for (let context = 0; context < ipmmu.features.contexts; context++) {
    writeContext(xen, ipmmu, context, CONTEXT_REGISTER.IMCTR, 0);
  }
  writeControl(xen, ipmmu, 'IMSAUXCTLR', (value) => put(value, IMSAUXCTLR.S2PTE, 1));
  const root = xen.steps.heap.allocate(xen, PARKING_ROOT_ORDER);
  if (root === undefined) return failure('ENOMEM');
  const error = writeTables(xen, ipmmu, PARKING_CONTEXT, root, IPMMU_ADDRESS_BITS);
  return error !== 0 ? error : setContext(xen, ipmmu, PARKING_CONTEXT, true);
}

/** Parks every micro-TLB of an instance. */
export function parkAll(xen: Xen, ipmmu: Ipmmu): void {
  for (let microTlb = 0; microTlb < ipmmu.features.microTlbs; microTlb++) {
    xen.steps.ipmmu.selectContext(xen, ipmmu, microTlb, PARKING_CONTEXT);
  }
}

/**
 * Brings one instance up. Its micro-TLBs are parked as soon as there is a context to park them on.
 * @returns 0; -ENODEV if its main instance cannot be used; -ENOMEM; -EIO
 */
export function bringUp(xen: Xen, ipmmu: Ipmmu): number {
  const { main } = ipmmu;
  xen.steps.ipmmu.writeControl(xen, ipmmu, 'IMSCTLR', (value) => put(value, IMSCTLR.USE_SECGRP, 0));
  const error =
    main === undefined
      ? xen.steps.ipmmu.resetMain(xen, ipmmu)
      : xen.steps.ipmmu.setContext(xen, ipmmu, PARKING_CONTEXT, true);
  // Whatever became of the context: one that is not enabled denies too, a micro-TLB that is not enabled lets pass.
  xen.steps.ipmmu.parkAll(xen, ipmmu);
  return main?.disabled ? failure('ENODEV') : error;
}

/** Takes charge of an instance. One that cannot be brought up serves no device. */
export function probe(xen: Xen, ipmmu: Ipmmu): void {
  const error = xen.steps.ipmmu.bringUp(xen, ipmmu);
  ipmmu.disabled = error !== 0;
  const kind = ipmmu.main === undefined ? 'main' : 'cache';
  print(
    xen,
    error === 0
      ? `IPMMU ${ipmmu.node.path}: ${kind}, ${ipmmu.features.contexts} contexts, ${ipmmu.features.microTlbs} micro-TLBs`
      : `IPMMU ${ipmmu.node.path}: cannot be used (${error}); its devices cannot be assigned`,
  );
  if (error === 0 && ipmmu.main === undefined) xen.steps.ipmmu.setupInterrupt(xen, ipmmu);
}

/** Finds the IPMMUs of the device tree and takes charge of each, main instances first. */
export function setup(xen: Xen): void {
  for (const ipmmu of xen.steps.ipmmu.findInstances(xen)) {
    xen.iommus.push(ipmmu);
    xen.steps.ipmmu.probe(xen, ipmmu);
  }
}
