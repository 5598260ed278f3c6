/**
 * `iommu-map` and `msi-map`: which stream a PCI function's requests belong to, and which DeviceID its messages have.
 *
 * Linux Documentation/devicetree/bindings/pci/pci-iommu.txt and pci-msi.txt (now dt-schema pci-iommu.yaml, msi-map of
 * pci-host-bridge.yaml): entries of (requester id base, phandle, specifier base, length); a requester id, masked with
 * `iommu-map-mask` or `msi-map-mask`, in [base, base + length) maps to specifier base + (masked id - base). A requester
 * id that no entry holds is not translated, and has no DeviceID.
 */
import type { DeviceNode } from '../firmware/tree.js';
import type { BoardSource } from './board-error.js';

/** One entry. */
export interface IdMapEntry {
  readonly requesterBase: number;
  /** The IOMMU, or the interrupt translation service. */
  readonly target: DeviceNode;
  readonly idBase: number;
  readonly length: number;
}

/** A map of one host bridge. */
export interface IdMap {
  readonly mask: number;
  readonly entries: readonly IdMapEntry[];
}

/** What a requester id maps to. */
export interface MappedId {
  readonly target: DeviceNode;
  readonly id: number;
}

/**
 * Reads a map of a host bridge; empty if it has none.
 * @throws BoardError if it is no whole number of entries, or names what takes no specifier of one cell.
 */
export function readIdMap(board: BoardSource, host: DeviceNode, kind: 'iommu' | 'msi'): IdMap {
  const property = `${kind}-map`;
  const cells = board.reading(() => host.cells(property)) ?? [];
  const mask = board.u32(host, `${property}-mask`, 0xffff);
  if (cells.length % 4 !== 0) {
    board.fail('bad property', host, `${property}: ${cells.length} cells are no multiple of 4`, property);
  }
  const entries: IdMapEntry[] = [];
  for (let at = 0; at < cells.length; at += 4) {
    const [requesterBase, phandle, idBase, length] = cells.slice(at, at + 4) as [number, number, number, number];
    const target = board.source.tree.byPhandle(phandle);
    if (target === undefined) {
      return board.fail('missing node', host, `${property}: no node has the phandle ${phandle}`, property);
    }
    if (board.u32(target, `#${kind}-cells`, 0) !== 1) {
      board.fail('bad property', host, `${property}: ${target.path} does not have #${kind}-cells = <1>`, property);
    }
    entries.push({ requesterBase, target, idBase, length });
  }
  return { mask, entries };
}

/**
 * The map of a host bridge's messages: `msi-map`, or all requester ids as they are to its `msi-parent`.
 * @throws BoardError as {@link readIdMap}
 */
export function readMsiMap(board: BoardSource, host: DeviceNode): IdMap {
  if (host.has('msi-map') || !host.has('msi-parent')) return readIdMap(board, host, 'msi');
  const [parent] = board.reading(() => board.source.tree.specifiers(host, 'msi-parent', '#msi-cells'));
  if (parent === undefined) return board.fail('bad property', host, 'msi-parent: names nothing', 'msi-parent');
  return { mask: 0xffff, entries: [{ requesterBase: 0, target: parent.node, idBase: 0, length: 0x1_0000 }] };
}

/** What a requester id maps to, or undefined if no entry holds it. */
export function mapId(map: IdMap, requester: number): MappedId | undefined {
  const masked = requester & map.mask;
  for (const { requesterBase, target, idBase, length } of map.entries) {
    if (masked >= requesterBase && masked - requesterBase < length) {
      return { target, id: masked - requesterBase + idBase };
    }
  }
  return undefined;
}
