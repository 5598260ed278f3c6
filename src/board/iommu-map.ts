/**
 * `iommu-map`: which stream a PCI function's requests belong to.
 *
 * Linux Documentation/devicetree/bindings/pci/pci-iommu.txt (now dt-schema pci-iommu.yaml): entries of (requester id
 * base, IOMMU phandle, IOMMU specifier base, length); a requester id, masked with `iommu-map-mask`, in [base, base +
 * length) maps to specifier base + (masked id - base). A requester id that no entry holds is not translated.
 */
import type { DeviceNode } from '../firmware/tree.js';
import type { BoardSource } from './board-error.js';

/** One entry. */
export interface IommuMapEntry {
  readonly requesterBase: number;
  readonly iommu: DeviceNode;
  readonly streamBase: number;
  readonly length: number;
}

/** The map of one host bridge. */
export interface IommuMap {
  readonly mask: number;
  readonly entries: readonly IommuMapEntry[];
}

/** Reads the map of a host bridge. */
export function readIommuMap(board: BoardSource, host: DeviceNode): IommuMap {
  const cells = board.reading(() => host.cells('iommu-map')) ?? [];
  const mask = board.u32(host, 'iommu-map-mask', 0xffff);
  if (cells.length % 4 !== 0) {
    board.fail('bad property', host, `iommu-map: ${cells.length} cells are no multiple of 4`, 'iommu-map');
  }
  const entries: IommuMapEntry[] = [];
  for (let at = 0; at < cells.length; at += 4) {
    const [requesterBase, phandle, streamBase, length] = cells.slice(at, at + 4) as [number, number, number, number];
    const iommu = board.source.tree.byPhandle(phandle);
    if (iommu === undefined) {
      return board.fail('missing node', host, `iommu-map: no node has the phandle ${phandle}`, 'iommu-map');
    }
    if (board.u32(iommu, '#iommu-cells', 0) !== 1) {
      board.fail('bad property', host, `iommu-map: ${iommu.path} does not have #iommu-cells = <1>`, 'iommu-map');
    }
    entries.push({ requesterBase, iommu, streamBase, length });
  }
  return { mask, entries };
}

/** The stream of a requester id, or undefined if its requests are not translated. */
export function streamOf(map: IommuMap, requester: number): { iommu: DeviceNode; stream: number } | undefined {
  const masked = requester & map.mask;
  for (const { requesterBase, iommu, streamBase, length } of map.entries) {
    if (masked >= requesterBase && masked - requesterBase < length) {
      return { iommu, stream: masked - requesterBase + streamBase };
    }
  }
  return undefined;
}
