/**
 * From a PCI requester to a stream of an IOMMU: `iommu-map` and `iommu-map-mask` of the host bridge (Linux devicetree
 * binding pci-iommu.txt; xen/common/device-tree, dt_map_id).
 *
 * `iommu-map` holds entries of four cells: first requester id, phandle of an IOMMU, first stream id, number of ids. The
 * requester id is masked before it is looked up.
 */
import { failure } from '../errno.js';
import type { HostBridge, Iommu, PciDevice, Xen } from '../xen.js';

/** A requester as an IOMMU sees it. */
export interface MappedId {
  readonly iommu: Iommu;
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
    const iommu = xen.steps.iommu.findByPhandle(xen, phandle);
    return iommu === undefined ? failure('ENODEV') : { iommu, streamId: masked - first + output };
  }
  return undefined;
}

/**
 * The IOMMU and the streams of a device.
 * @returns -ENODEV if it is not behind an IOMMU that works; -ENXIO if its requester ids lead to different ones; another
 *   negative error code
 */
export function streamIdsOf(xen: Xen, device: PciDevice): { iommu: Iommu; streamIds: number[] } | number {
  if (device.bridge === undefined) return failure('ENODEV');
  let iommu: Iommu | undefined;
  const streamIds: number[] = [];
  for (const requester of xen.steps.iommu.requesterIds(xen, device)) {
    const mapped = xen.steps.iommu.mapId(xen, device.bridge, requester);
    if (mapped === undefined) return failure('ENODEV');
    if (typeof mapped === 'number') return mapped;
    if (mapped.iommu.disabled) return failure('ENODEV');
    if (iommu !== undefined && iommu !== mapped.iommu) return failure('ENXIO');
    iommu = mapped.iommu;
    // A mask can make one stream of several functions.
    if (!streamIds.includes(mapped.streamId)) streamIds.push(mapped.streamId);
  }
  return iommu === undefined ? failure('ENODEV') : { iommu, streamIds };
}
