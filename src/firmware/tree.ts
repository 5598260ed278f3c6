/**
 * A device tree: its root, what is reserved, and finding nodes (Devicetree Specification v0.4, chapters 2 and 3).
 */
import { DeviceNode, DeviceTreeError } from './node.js';

export { DeviceNode, DeviceTreeError } from './node.js';

/** An entry of the memory reservation block: bytes that a client must not use as ordinary memory (5.3). */
export interface Reservation {
  readonly address: bigint;
  readonly size: bigint;
}

/** A node that a property names, and the cells that follow its phandle. */
export interface Specifier {
  readonly node: DeviceNode;
  readonly cells: readonly number[];
}

/** A whole tree. */
export class DeviceTree {
  readonly root: DeviceNode;
  readonly reservations: Reservation[] = [];
  /** `reg` of the CPU that boots. */
  bootCpu = 0;

  constructor(root: DeviceNode = new DeviceNode('')) {
    this.root = root;
  }

  /** The node at a path, or at an alias followed by a path (2.2.3, 3.3); undefined if there is none. */
  byPath(path: string): DeviceNode | undefined {
    const parts = path.split('/').filter((part) => part !== '');
    let node: DeviceNode | undefined = this.root;
    if (!path.startsWith('/')) {
      const alias = parts.shift();
      const target = alias === undefined ? undefined : this.root.child('aliases')?.string(alias);
      node = target?.startsWith('/') ? this.byPath(target) : undefined;
    }
    for (const part of parts) node = node?.child(part);
    return node;
  }

  /** The node with a phandle, or undefined. */
  byPhandle(phandle: number): DeviceNode | undefined {
    for (const node of this.root.walk()) if (node.phandle === phandle) return node;
    return undefined;
  }

  /**
   * The entries of a property of specifiers, each a phandle followed by as many cells as the node it names says in
   * `cellsProperty` (for example `iommus` and `#iommu-cells`). Empty if the node does not have the property.
   * @throws DeviceTreeError if a phandle names no node, or an entry is cut short.
   */
  specifiers(node: DeviceNode, property: string, cellsProperty: string): Specifier[] {
    const cells = node.cells(property) ?? [];
    const entries: Specifier[] = [];
    for (let at = 0; at < cells.length; ) {
      const phandle = cells[at] as number;
      const named = this.byPhandle(phandle);
      if (named === undefined) {
        throw new DeviceTreeError('bad cells', node.path, property, `no node has the phandle ${phandle}`);
      }
      const count = named.u32(cellsProperty);
      if (count === undefined) {
        throw new DeviceTreeError('bad cells', node.path, property, `${named.path} has no ${cellsProperty}`);
      }
      if (at + 1 + count > cells.length) {
        throw new DeviceTreeError('bad property length', node.path, property, 'the last entry is cut short');
      }
      entries.push({ node: named, cells: cells.slice(at + 1, at + 1 + count) });
      at += 1 + count;
    }
    return entries;
  }

  /** All nodes that are compatible with a model, in order. */
  compatible(model: string): DeviceNode[] {
    return [...this.root.walk()].filter((node) => node.isCompatible(model));
  }
}

/** The bytes of cells, big-endian. */
export function cellBytes(...cells: readonly number[]): Uint8Array {
  const bytes = new Uint8Array(cells.length * 4);
  const view = new DataView(bytes.buffer);
  cells.forEach((cell, index) => {
    view.setUint32(index * 4, cell);
  });
  return bytes;
}

/** The bytes of strings, each with its terminator. */
export function stringBytes(...strings: readonly string[]): Uint8Array {
  return new TextEncoder().encode(strings.map((s) => `${s}\0`).join(''));
}
