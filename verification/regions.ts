/** Regions of registers that checks map, on every board. */
import type { Expect } from '../src/check/index.js';
import { cannotUse, uses } from './device-registers.js';
import type { PassthroughBench } from './passthrough-bench.js';
import type { MappedRegion } from './passthrough-tree.js';

/** Bytes of a page. */
export const PAGE = 0x1000;
/** Guest addresses that no check maps anything at unless it says so. */
export const ELSEWHERE = 0x0d00_0000;

/**
 * Two regions of the hardware domain's registers: the middle one of three pages, with registers on both sides that do not
 * belong to it, and two pages elsewhere.
 */
export function regionsOf({ devices }: PassthroughBench): {
  readonly middle: MappedRegion;
  readonly pair: MappedRegion;
} {
  const { three, two } = devices.registers;
  return {
    middle: { machine: three.address + PAGE, size: PAGE, guest: 0x0b00_5000 },
    pair: { machine: two.address, size: two.size, guest: 0x0c00_0000 },
  };
}

/** Where registers are that are Xen's alone: interrupt controllers, IOMMUs, configuration space. */
export function xensOwn({ hostTree }: PassthroughBench): number[] {
  const found: number[] = [];
  for (const node of hostTree.root.walk()) {
    const is = (property: string) => node.has(property);
    const apart = ['interrupt-controller', 'msi-controller', '#iommu-cells', 'linux,pci-domain'].some(is);
    const [region] = apart ? node.reg() : [];
    if (region !== undefined) found.push(node.translate(region.address) ?? region.address);
  }
  return found;
}

/** The pages at which the regions of the interrupt controller begin that a domain finds in its device tree. */
export function registersOfController(bench: PassthroughBench, domid: number): number[] {
  for (const node of bench.guestTree(domid).root.walk()) {
    if (node.has('interrupt-controller')) return node.reg().map(({ address }) => address - (address % PAGE));
  }
  return [];
}

/** A guest must reach a region from its first word to its last, and nothing on either side of it. */
export function hasExactly(
  expect: Expect,
  bench: PassthroughBench,
  domid: number,
  { machine, size, guest }: MappedRegion,
): void {
  for (let page = 0; page < size; page += PAGE) {
    for (const offset of [page, page + 0x7fc, page + PAGE - 4])
      uses(expect, bench, domid, guest + offset, machine + offset);
  }
  const outside = [guest - 4, guest - PAGE, guest + size, guest + size + PAGE - 4];
  for (const address of outside) cannotUse(expect, bench, domid, address, 'beside the region');
}
