/**
 * Contexts of an SMMUv3: a set of tables with a VMID, and the streams attached to it (xen/drivers/passthrough/arm/
 * smmu-v3.c). One context for each domain and SMMU; the SMMU's VMIDs have nothing to do with those of the CPUs.
 */
import { failure } from '../../errno.js';
import type { Device, Domain, IommuContext, Smmu, Xen } from '../../xen.js';
import { print } from '../../xen.js';

/** A context of an SMMUv3. */
export type SmmuContext = IommuContext<Smmu>;

/** Takes a VMID of an SMMU. Undefined: there is none left. */
export function allocateVmid(_xen: Xen, smmu: Smmu): number | undefined {
  return smmu.vmids.take();
}

/**
 * Gives a VMID back, when nothing is cached under it any more.
 * @returns 0, or -EIO if the SMMU does not say so: then the VMID is never used again
 */
export function freeVmid(xen: Xen, smmu: Smmu, vmid: number): number {
  const error = xen.steps.smmuv3.invalidateVmid(xen, smmu, vmid);
  if (error === 0) smmu.vmids.release(vmid);
  return error;
}

/** Makes a domain's p2m a context of an SMMU. A negative error code if that cannot be. */
export function createContext(xen: Xen, domain: Domain, smmu: Smmu): SmmuContext | number {
  if (domain.p2m === undefined) return failure('EINVAL');
  const tag = xen.steps.smmuv3.allocateVmid(xen, smmu);
  if (tag === undefined) {
    print(xen, `SMMUv3 ${smmu.node.path}: no VMID left for ${domain.name}`);
    return failure('ENOSPC');
  }
  return { domain, number: 0, iommu: smmu, root: domain.p2m.root, tag, format: xen.format, devices: new Set() };
}

/** Ends a context without devices. Returns 0 or -EIO. */
export function destroyContext(xen: Xen, context: SmmuContext): number {
  return xen.steps.smmuv3.freeVmid(xen, context.iommu, context.tag);
}

/** Makes the SMMU forget the translations of a context. Returns 0 or -EIO. */
export function invalidateContext(xen: Xen, context: SmmuContext): number {
  return xen.steps.smmuv3.invalidateVmid(xen, context.iommu, context.tag);
}

/**
 * Does something for each stream of a device, to the first error.
 * @returns 0 or what was returned for a stream
 */
export function forEachStream(_xen: Xen, device: Device, visit: (streamId: number) => number): number {
  for (const streamId of device.master?.streamIds ?? []) {
    const error = visit(streamId);
    if (error !== 0) return error;
  }
  return 0;
}

/**
 * Makes a stream translate by a context. One that is left in an unknown state has no devices, and is made to abort before
 * it is used again.
 * @returns 0; -EBUSY if a device of another context has the same stream; another negative error code
 */
export function attachStream(xen: Xen, context: SmmuContext, streamId: number): number {
  const { iommu: smmu } = context;
  const { encodeStage2Ste, installSte, installAbortSte } = xen.steps.smmuv3;
  const use = smmu.streams.get(streamId);
  if (use !== undefined && use.devices > 0) {
    if (use.context !== context) return failure('EBUSY');
    use.devices++;
    return 0;
  }
  if (use !== undefined) {
    const unknown = installAbortSte(xen, smmu, streamId);
    if (unknown !== 0) return unknown;
  }
  smmu.streams.set(streamId, { context, devices: 1 });
  const error = installSte(xen, smmu, streamId, encodeStage2Ste(xen, context));
  if (error === 0) return 0;
  if (installAbortSte(xen, smmu, streamId) === 0) smmu.streams.delete(streamId);
  else smmu.streams.set(streamId, { context, devices: 0 });
  return error;
}

/**
 * Makes a stream abort unless another device of the context has it too.
 * @returns 0, or a negative error code: then the stream still counts as attached
 */
export function detachStream(xen: Xen, context: SmmuContext, streamId: number): number {
  const { iommu: smmu } = context;
  const use = smmu.streams.get(streamId);
  if (use === undefined || use.context !== context) return 0;
  if (use.devices > 1) {
    use.devices--;
    return 0;
  }
  const error = xen.steps.smmuv3.installAbortSte(xen, smmu, streamId);
  if (error === 0) smmu.streams.delete(streamId);
  return error;
}

/** Makes all streams of a device translate by a context, or none. Returns 0 or a negative error code. */
export function attachStreams(xen: Xen, context: SmmuContext, device: Device): number {
  const attached: number[] = [];
  const error = xen.steps.smmuv3.forEachStream(xen, device, (streamId) => {
    const result = xen.steps.smmuv3.attachStream(xen, context, streamId);
    if (result === 0) attached.push(streamId);
    return result;
  });
  if (error === 0) return 0;
  for (const streamId of attached.reverse()) xen.steps.smmuv3.detachStream(xen, context, streamId);
  return error;
}

/** Detaches all streams of a device, also if one of them fails. Returns 0 or the first error. */
export function detachStreams(xen: Xen, context: SmmuContext, device: Device): number {
  let first = 0;
  xen.steps.smmuv3.forEachStream(xen, device, (streamId) => {
    const error = xen.steps.smmuv3.detachStream(xen, context, streamId);
    if (first === 0) first = error;
    return 0;
  });
  return first;
}

/**
 * Prepares the entries of a device's streams.
 * @returns 0, -ERANGE if the stream table has no place for one of them, or -ENOMEM
 */
export function prepareStreams(xen: Xen, smmu: Smmu, streamIds: readonly number[]): number {
  for (const streamId of streamIds) {
    if (!xen.steps.smmuv3.streamIdInRange(xen, smmu, streamId)) {
      print(xen, `SMMUv3 ${smmu.node.path}: stream 0x${streamId.toString(16)} is beyond the stream table`);
      return failure('ERANGE');
    }
    const error = xen.steps.smmuv3.initLevel2(xen, smmu, streamId);
    if (error !== 0) return error;
  }
  return 0;
}
