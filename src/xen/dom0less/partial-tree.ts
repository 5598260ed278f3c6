/**
 * The passthrough (partial) device tree of a domain: which devices it gets, and what it is to find of them in its own
 * tree (docs/misc/arm/passthrough.txt; xen/common/device-tree/dom0less-build.c).
 *
 * Three children of the root are looked at; whatever else there is, is passed over.
 *
 * - `/gic`: stands for the guest's interrupt controller, which takes its phandle.
 * - `/aliases`: copied.
 * - `/passthrough`: copied. `compatible = "simple-bus"`, `ranges`, `#address-cells` and `#size-cells` are mandatory.
 *
 * At any depth below and in `/passthrough`, these are consumed:
 *
 * | property | meaning |
 * |---|---|
 * | `xen,reg` | triples of machine address, size and guest address, in the cells that the parent states, 1 or 2; whole pages |
 * | `xen,path` | path or alias of the device in the host's tree: its interrupts and its IOMMU. Needs `xen,reg` |
 * | `xen,force-assign-without-iommu` | the device need not be behind an IOMMU, nor have a path |
 * | `xen,pci-assigned` | in `/passthrough` only: PCI functions to assign |
 *
 * Assumptions, where no binding says anything:
 *
 * - `xen,pci-assigned` is a list of cells, segment << 16 | bus << 8 | devfn, as `machine_sbdf` of DOMCTLs. A function
 *   that is named twice has an owner when its turn comes again: -EBUSY.
 * - A list that is cut short, an empty `xen,reg`, two nodes of one phandle, and an `interrupt-parent` that names no node
 *   of the guest's tree are -EINVAL. Xen does not look.
 */
import { decodeFdt } from '../../firmware/fdt.js';
import type { DeviceNode } from '../../firmware/tree.js';
import type { Sbdf } from '../../hw/machine.js';
import { GUEST_PHANDLE_GIC } from '../guest-layout.js';
import { ConfigError } from './config-error.js';
import { type DeviceRegion, deviceRegions, sbdfOfCell, statedCells } from './entries.js';

/** A node below `/passthrough` that asks for something. */
export interface PassthroughDevice {
  /** Path of the node in the partial tree, for messages. */
  readonly node: string;
  readonly regions: readonly DeviceRegion[];
  /** Path or alias in the host's tree. */
  readonly path: string | undefined;
  /** `xen,force-assign-without-iommu`. */
  readonly force: boolean;
}

/** A passthrough device tree. */
export interface PassthroughTree {
  /** In the order of the tree. */
  readonly devices: readonly PassthroughDevice[];
  readonly pci: readonly Sbdf[];
  /** Phandle that the guest's interrupt controller is to have. */
  readonly gicPhandle: number;
  /** All phandles of the tree. */
  readonly phandles: ReadonlySet<number>;
  /** What the guest's tree gets below its root. */
  readonly copied: readonly DeviceNode[];
}

const CONSUMED = ['xen,reg', 'xen,path', 'xen,force-assign-without-iommu'] as const;
const PCI_ASSIGNED = 'xen,pci-assigned';
const MANDATORY = ['ranges', '#address-cells', '#size-cells'] as const;

/** What a node asks for; undefined if nothing. */
function device(node: DeviceNode): PassthroughDevice | undefined {
  const force = node.has('xen,force-assign-without-iommu');
  const path = node.string('xen,path');
  if (!node.has('xen,reg')) {
    if (path !== undefined) throw new ConfigError('EINVAL', node, 'xen,path', 'there is no xen,reg beside it');
    return undefined;
  }
  const regions = deviceRegions(node, node.parent === undefined ? { address: 2, size: 1 } : statedCells(node.parent));
  if (regions.length === 0) throw new ConfigError('EINVAL', node, 'xen,reg', 'is empty');
  if (path === undefined && !force) {
    throw new ConfigError('EINVAL', node, 'xen,path', 'missing, and the assignment is not forced');
  }
  return { node: node.path, regions, path, force };
}

function refuseIncompleteBus(node: DeviceNode): void {
  if (!node.isCompatible('simple-bus')) throw new ConfigError('EINVAL', node, 'compatible', 'is not simple-bus');
  for (const property of MANDATORY) {
    if (!node.has(property)) throw new ConfigError('EINVAL', node, property, 'missing');
  }
}

/** The phandle of the placeholder, else the one that Xen gives the interrupt controller. */
function placeholderPhandle(root: DeviceNode): number {
  const stated = new Set<number>();
  for (const node of root.children) {
    const { phandle } = node;
    if (node.name.split('@')[0] !== 'gic' || phandle === undefined) continue;
    stated.add(phandle);
    if (stated.size > 1) throw new ConfigError('EINVAL', node, 'phandle', 'there are two interrupt controllers');
  }
  return [...stated][0] ?? GUEST_PHANDLE_GIC;
}

/** All phandles of the copied nodes; refuses two of the same. */
function phandlesOf(copied: readonly DeviceNode[], gicPhandle: number): Set<number> {
  const phandles = new Set([gicPhandle]);
  for (const top of copied) {
    for (const node of top.walk()) {
      const { phandle } = node;
      if (phandle === undefined) continue;
      if (phandle === 0 || phandle === 0xffff_ffff || phandles.has(phandle)) {
        throw new ConfigError('EINVAL', node, 'phandle', `${phandle} is taken`);
      }
      phandles.add(phandle);
    }
  }
  return phandles;
}

function refuseUnknownParents(copied: readonly DeviceNode[], phandles: ReadonlySet<number>): void {
  for (const top of copied) {
    for (const node of top.walk()) {
      const parent = node.u32('interrupt-parent');
      if (parent !== undefined && !phandles.has(parent)) {
        throw new ConfigError('EINVAL', node, 'interrupt-parent', `no node has the phandle ${parent}`);
      }
    }
  }
}

/**
 * Reads a passthrough device tree.
 * @throws ConfigError, FirmwareFormatError or DeviceTreeError for one that is wrong, whatever is known of the host
 */
export function parsePassthroughTree(blob: Uint8Array): PassthroughTree {
  const { root } = decodeFdt(blob);
  const copied = root.children.filter((node) => node.name === 'aliases' || node.name === 'passthrough');
  const gicPhandle = placeholderPhandle(root);
  const phandles = phandlesOf(copied, gicPhandle);
  refuseUnknownParents(copied, phandles);
  const passthrough = root.children.find((node) => node.name === 'passthrough');
  const devices: PassthroughDevice[] = [];
  let pci: Sbdf[] = [];
  if (passthrough !== undefined) {
    refuseIncompleteBus(passthrough);
    pci = (passthrough.cells(PCI_ASSIGNED) ?? []).map(sbdfOfCell);
    for (const node of passthrough.walk()) {
      const wanted = device(node);
      if (wanted !== undefined) devices.push(wanted);
    }
    passthrough.properties.delete(PCI_ASSIGNED);
    for (const node of passthrough.walk()) for (const property of CONSUMED) node.properties.delete(property);
  }
  return { devices, pci, gicPhandle, phandles, copied };
}
