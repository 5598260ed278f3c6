/** Properties that are lists of addresses and sizes: how many cells each has, and what numbers they make. */
import type { DeviceNode } from '../../firmware/tree.js';
import type { Sbdf } from '../../hw/machine.js';
import { type Gfn, gaddrToGfn, type Mfn, maddrToMfn, PAGE_SIZE } from '../frames.js';
import { ConfigError } from './config-error.js';

/** Registers to map. */
export interface DeviceRegion {
  readonly mfn: Mfn;
  readonly gfn: Gfn;
  readonly count: number;
}

/** A run of guest frames. */
export interface GuestRange {
  readonly gfn: Gfn;
  readonly count: number;
}

/** Machine frames that a domain's RAM shall be. */
export interface StaticBank {
  readonly mfn: Mfn;
  readonly count: number;
}

/** Cells of an address and of a size. */
export interface Cells {
  readonly address: number;
  readonly size: number;
}

/** What a node states for its children, 2 and 1 unless it says otherwise (Devicetree Specification v0.4, 2.3.5). */
export const statedCells = (node: DeviceNode): Cells => ({ address: node.addressCells, size: node.sizeCells });

/**
 * What holds below a node as Xen reads its host's tree: what the node states, else its nearest ancestor that states it
 * (xen/common/device-tree/device-tree.c, dt_n_addr_cells).
 */
export function inheritedCells(node: DeviceNode): Cells {
  const nearest = (property: string, otherwise: number): number => {
    for (let at: DeviceNode | undefined = node; at !== undefined; at = at.parent) {
      const stated = at.u32(property);
      if (stated !== undefined) return stated;
    }
    return otherwise;
  };
  return { address: nearest('#address-cells', 2), size: nearest('#size-cells', 1) };
}

/**
 * The entries of a property, each some addresses and sizes in bytes.
 * @throws ConfigError (-EINVAL) if a count of cells is not 1 or 2, or entries are cut short
 */
export function numbers(
  node: DeviceNode,
  property: string,
  shape: readonly (keyof Cells)[],
  count: Cells,
): readonly (readonly number[])[] {
  const cells = node.cells(property) ?? [];
  if (cells.length === 0) return [];
  for (const part of ['address', 'size'] as const) {
    if (count[part] !== 1 && count[part] !== 2) {
      throw new ConfigError('EINVAL', node, property, `#${part}-cells is ${count[part]}, not 1 or 2`);
    }
  }
  const each = shape.reduce((sum, part) => sum + count[part], 0);
  if (cells.length % each !== 0) {
    throw new ConfigError('EINVAL', node, property, `${cells.length} cells are no whole number of entries of ${each}`);
  }
  const entries: number[][] = [];
  for (let at = 0; at < cells.length; ) {
    const entry: number[] = [];
    for (const part of shape) {
      entry.push(cells.slice(at, at + count[part]).reduce((value, cell) => value * 2 ** 32 + cell, 0));
      at += count[part];
    }
    entries.push(entry);
  }
  return entries;
}

/** Like {@link numbers}, of whole pages below 2^52. @throws ConfigError (-EINVAL) if any is not, or a size is 0 */
export function pages(
  node: DeviceNode,
  property: string,
  shape: readonly (keyof Cells)[],
  count: Cells,
): readonly (readonly number[])[] {
  const entries = numbers(node, property, shape, count);
  for (const entry of entries) {
    for (const [index, number] of entry.entries()) {
      if (number % PAGE_SIZE !== 0 || number >= 2 ** 52) {
        throw new ConfigError('EINVAL', node, property, `0x${number.toString(16)} is no page address or size`);
      }
      if (shape[index] === 'size' && number === 0) throw new ConfigError('EINVAL', node, property, 'a size is 0');
    }
  }
  return entries;
}

/** `xen,reg`: triples of machine address, size and guest address. */
export function deviceRegions(node: DeviceNode, count: Cells): DeviceRegion[] {
  return pages(node, 'xen,reg', ['address', 'size', 'address'], count).map(([machine = 0, size = 0, guest = 0]) => ({
    mfn: maddrToMfn(machine),
    gfn: gaddrToGfn(guest),
    count: size / PAGE_SIZE,
  }));
}

/** A region as messages name it: machine address, size and guest address. */
export const regionName = ({ mfn, gfn, count }: DeviceRegion): string =>
  `0x${(mfn * PAGE_SIZE).toString(16)}, 0x${(count * PAGE_SIZE).toString(16)} at 0x${(gfn * PAGE_SIZE).toString(16)}`;

/** The PCI function that a cell names: segment << 16 | bus << 8 | devfn. */
export const sbdfOfCell = (cell: number): Sbdf => ({
  segment: cell >>> 16,
  bus: (cell >>> 8) & 0xff,
  device: (cell >>> 3) & 0x1f,
  function: cell & 7,
});
