/**
 * What the node of a device says of it: registers, interrupts, its place at an IOMMU (Devicetree Specification v0.4, 2.3.6,
 * 2.4.1; Linux Documentation/devicetree/bindings/iommu/iommu.txt and interrupt-controller/arm,gic.yaml).
 *
 * A property that cannot be read as what it ought to be is a {@link DeviceTreeError} with node and property.
 */
import { type DeviceNode, DeviceTreeError } from '../../firmware/tree.js';
import { interruptOf } from '../irq/descriptor.js';
import type { ByteSpan, DeviceInterrupt, Iommu, Xen } from '../xen.js';

/** The controllers whose specifiers are those of a GIC: type, number, flags. */
const GICS = ['arm,gic-v3', 'arm,gic-400', 'arm,cortex-a15-gic', 'arm,cortex-a9-gic', 'arm,cortex-a7-gic'];
/** INTIDs above are no SPIs (Arm IHI 0069 2.2). */
const LAST_SPI = 1019;

const bad = (node: DeviceNode, property: string, text: string): DeviceTreeError =>
  new DeviceTreeError('bad cells', node.path, property, text);

/** A node that controls interrupts, and the cells of one specifier for it. */
interface InterruptSpecifier {
  readonly controller: DeviceNode;
  readonly cells: readonly number[];
}

/** The nearest `interrupt-parent` on the way up, or the nearest node above that has `#interrupt-cells` (2.4.1.2). */
function interruptParent(xen: Xen, node: DeviceNode): DeviceNode {
  for (let at: DeviceNode | undefined = node; at !== undefined; at = at.parent) {
    const phandle = at.u32('interrupt-parent');
    if (phandle !== undefined) {
      const parent = xen.platform.tree.byPhandle(phandle);
      if (parent === undefined) throw bad(at, 'interrupt-parent', `no node has the phandle ${phandle}`);
      return parent;
    }
    if (at.parent?.has('#interrupt-cells')) return at.parent;
  }
  throw bad(node, 'interrupts', 'there is no interrupt-parent');
}

/** The specifiers of a node, in order. `interrupts-extended` goes before `interrupts` (2.4.1.4). */
function specifiers(xen: Xen, node: DeviceNode): { property: string; list: InterruptSpecifier[] } {
  const extended = 'interrupts-extended';
  if (node.has(extended)) {
    const entries = xen.platform.tree.specifiers(node, extended, '#interrupt-cells');
    return { property: extended, list: entries.map((entry) => ({ controller: entry.node, cells: entry.cells })) };
  }
  const property = 'interrupts';
  const cells = node.cells(property) ?? [];
  const list: InterruptSpecifier[] = [];
  if (cells.length === 0) return { property, list };
  const controller = interruptParent(xen, node);
  const each = controller.u32('#interrupt-cells') ?? 0;
  if (each === 0) throw bad(node, property, `${controller.path} has no #interrupt-cells`);
  if (cells.length % each !== 0) throw bad(node, property, `${cells.length} cells are no multiple of ${each}`);
  for (let at = 0; at < cells.length; at += each) list.push({ controller, cells: cells.slice(at, at + each) });
  return { property, list };
}

/** The interrupts of a node at the GIC, in order. Those of other controllers are not Xen's, and are left out. */
export function readInterrupts(xen: Xen, node: DeviceNode): DeviceInterrupt[] {
  const { property, list } = specifiers(xen, node);
  return list
    .filter(({ controller }) => GICS.some((model) => controller.isCompatible(model)))
    .map(({ cells }) => {
      const interrupt = interruptOf(cells);
      if (interrupt !== undefined && interrupt.irq <= LAST_SPI) return interrupt;
      throw bad(node, property, `<${cells.join(' ')}> is no interrupt of a GIC`);
    });
}

/** The registers of a node that CPUs reach, as they see them. */
export function readRegions(_xen: Xen, node: DeviceNode): ByteSpan[] {
  if (node.parent?.sizeCells === 0) return [];
  const regions: ByteSpan[] = [];
  for (const { address, size } of node.reg()) {
    const first = node.translate(address);
    if (first === undefined) continue;
    if (size === 0) throw bad(node, 'reg', 'a region is empty');
    if (node.translate(address + size - 1) !== first + size - 1) {
      throw bad(node, 'reg', 'a region leaves the window of its bus');
    }
    regions.push({ address: first, size });
  }
  return regions;
}

/**
 * The IOMMU and the streams that a node names in `iommus`; undefined if it names none, or if no IOMMU is in use. All
 * entries are of one IOMMU, each of a single cell: the stream id, or the micro-TLB.
 */
export function readStreams(xen: Xen, node: DeviceNode): { iommu: Iommu; streamIds: number[] } | undefined {
  const property = 'iommus';
  const entries = xen.platform.tree.specifiers(node, property, '#iommu-cells');
  const [first] = entries;
  if (first === undefined || !xen.options.iommu) return undefined;
  const streamIds: number[] = [];
  for (const { node: named, cells } of entries) {
    if (named !== first.node) throw bad(node, property, `${first.node.path} and ${named.path} are different IOMMUs`);
    const [streamId] = cells;
    if (streamId === undefined || cells.length !== 1) {
      throw bad(node, property, `${named.path} has #iommu-cells = <${cells.length}>, not <1>`);
    }
    if (!streamIds.includes(streamId)) streamIds.push(streamId);
  }
  const iommu = xen.iommus.find((known) => known.node === first.node);
  if (iommu === undefined) throw bad(node, property, `${first.node.path} is no IOMMU that is in use`);
  if (iommu.disabled) throw bad(node, property, `${first.node.path} could not be brought up`);
  return { iommu, streamIds };
}
