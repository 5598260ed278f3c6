/**
 * From a PCI requester to a stream of an SMMU: `iommu-map` and `iommu-map-mask` of the host bridge (Linux devicetree
 * binding pci-iommu.txt; xen/common/device-tree, dt_map_id).
 *
 * `iommu-map` holds entries of four cells: first requester id, phandle of an IOMMU, first stream id, number of ids. The
 * requester id is masked before it is looked up.
 */
import { requesterId, type Sbdf } from '../../hw/machine.js';
import { failure } from '../errno.js';
import type { HostBridge, PciDevice, Smmu, Xen } from '../xen.js';

/** A requester as an IOMMU sees it. */
export interface MappedId {
  readonly smmu: Smmu;
  readonly streamId: number;
}

/**
 * Looks up a requester id at a host bridge.
 * @returns undefined if it is not behind an IOMMU; -EFAULT if an entry begins at an id that the mask removes; -ENODEV if
 *   the IOMMU that is named is none
 */
export function mapId(xen: Xen, bridge: HostBridge, requester: number): MappedId | number | undefined {
  const cells = bridge.node.cells('iommu-map') ?? [];
  const mask = bridge.node.u32('iommu-map-mask') ?? 0xffff_ffff;
  const masked = (requester & mask) >>> 0;
  for (let at = 0; at + 4 <= cells.length; at += 4) {
    const [first, phandle, output, length] = cells.slice(at, at + 4) as [number, number, number, number];
    if ((first & ~mask) !== 0) return failure('EFAULT');
    if (masked < first || masked >= first + length) continue;
    const smmu = xen.steps.iommu.findByPhandle(xen, phandle);
    return smmu === undefined ? failure('ENODEV') : { smmu, streamId: masked - first + output };
  }
  return undefined;
}

/** The requester ids that a function uses: its own, and those of its phantom functions. */
export function requesterIds(_xen: Xen, device: PciDevice): number[] {
  const ids: number[] = [];
  const { sbdf, phantomStride: stride } = device;
  for (let fn = sbdf.function; fn < 8; fn += stride) {
    ids.push(requesterId({ ...sbdf, function: fn } satisfies Sbdf));
    if (stride === 0) break;
  }
  return ids;
}

/**
 * The SMMU and the streams of a device.
 * @returns -ENODEV if it is not behind an SMMU that works; -ENXIO if its requester ids lead to different ones; another
 *   negative error code
 */
export function streamIdsOf(xen: Xen, device: PciDevice): { smmu: Smmu; streamIds: number[] } | number {
  if (device.bridge === undefined) return failure('ENODEV');
  let smmu: Smmu | undefined;
  const streamIds: number[] = [];
  for (const requester of xen.steps.iommu.requesterIds(xen, device)) {
    const mapped = xen.steps.iommu.mapId(xen, device.bridge, requester);
    if (mapped === undefined) return failure('ENODEV');
    if (typeof mapped === 'number') return mapped;
    if (mapped.smmu.disabled) return failure('ENODEV');
    if (smmu !== undefined && smmu !== mapped.smmu) return failure('ENXIO');
    smmu = mapped.smmu;
    // A mask can make one stream of several functions.
    if (!streamIds.includes(mapped.streamId)) streamIds.push(mapped.streamId);
  }
  return smmu === undefined ? failure('ENODEV') : { smmu, streamIds };
}
