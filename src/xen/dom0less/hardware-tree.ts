/**
 * The device tree that the hardware domain finds: the host's, without what it does not get (xen/arch/arm/domain_build.c,
 * handle_node, write_properties).
 *
 * Left out: devices reserved for passthrough, IOMMUs and what ties devices to them, RAM that is not its own, domains and
 * modules of `/chosen`, aliases of what is left out, properties that are for Xen (`xen,`), and of the interrupt controller
 * what guests have no use of.
 *
 * Assumption: what `/reserved-memory` names is never RAM of the hardware domain, so that node is left out too.
 */
import { cellBytes, type DeviceNode, DeviceTree } from '../../firmware/tree.js';
import type { Gic } from '../gic/driver.js';
import { GUEST_PHANDLE_GIC } from '../guest-layout.js';
import type { Domain, Xen } from '../xen.js';
import { guestRegisters, hypervisorNode, memoryNode, psciNode } from './guest-tree.js';
import { isDomain, isModule } from './module.js';

const IOMMU_PROPERTIES = ['iommus', 'iommu-map', 'iommu-map-mask'] as const;

/** Whether the hardware domain does not get a node and what is below it. */
function isLeftOut(node: DeviceNode): boolean {
  const top = node.parent?.parent === undefined;
  if (top && (node.string('device_type') === 'memory' || node.name === 'reserved-memory')) return true;
  if (node.has('xen,passthrough') || node.has('#iommu-cells') || node.isCompatible('arm,smmu-v3')) return true;
  return isDomain(node) || isModule(node);
}

/** Takes nodes away that are not for it, and of those that stay the properties that are not. */
function strip(root: DeviceNode): void {
  const waiting = [root];
  for (let node = waiting.pop(); node !== undefined; node = waiting.pop()) {
    for (const property of [...node.properties.keys()]) {
      if (property.startsWith('xen,')) node.properties.delete(property);
    }
    for (const property of IOMMU_PROPERTIES) node.properties.delete(property);
    for (const child of [...node.children]) {
      if (isLeftOut(child)) node.remove(child);
      else waiting.push(child);
    }
  }
}

/** Its command line: what is meant for it, never Xen's own. */
function setArguments(root: DeviceNode, host: DeviceNode | undefined): void {
  const chosen = root.child('chosen');
  const own = host?.properties.get('xen,dom0-bootargs');
  const isShared = host?.has('xen,xen-bootargs') ?? false;
  if (own !== undefined) chosen?.properties.set('bootargs', own);
  else if (!isShared) chosen?.properties.delete('bootargs');
}

function dropDeadAliases(tree: DeviceTree): void {
  const aliases = tree.root.child('aliases');
  for (const name of [...(aliases?.properties.keys() ?? [])]) {
    const path = aliases?.string(name);
    if (path !== undefined && tree.byPath(path.split(':')[0] as string) === undefined) aliases?.properties.delete(name);
  }
}

/** Leaves of the interrupt controller what guests use of one: not the maintenance interrupt, nor what hypervisors program. */
function trimGic(tree: DeviceTree, gic: Gic | undefined): void {
  const node = gic === undefined ? undefined : tree.byPath(gic.node.path);
  const bytes = node?.properties.get('reg');
  if (gic === undefined || node?.parent === undefined || bytes === undefined) return;
  node.properties.delete('interrupts');
  const entry = (node.parent.addressCells + node.parent.sizeCells) * 4;
  node.properties.set('reg', bytes.slice(0, guestRegisters(gic) * entry));
}

/** Makes the tree of a hardware domain that has its memory. */
export function hardwareTree(xen: Xen, domain: Domain): DeviceTree {
  const host = xen.platform.tree;
  const tree = new DeviceTree(host.root.clone());
  tree.bootCpu = host.bootCpu;
  const { root } = tree;
  strip(root);
  setArguments(root, host.root.child('chosen'));
  dropDeadAliases(tree);
  trimGic(tree, xen.gic);
  for (const psci of tree.compatible('arm,psci-1.0').concat(tree.compatible('arm,psci-0.2'))) psci.parent?.remove(psci);
  root.append(psciNode());
  const memory = memoryNode(domain);
  // Addresses of the host's root may have one cell.
  memory.properties.set('reg', reencoded(memory, root));
  root.append(memory);
  const hypervisor = root.child('hypervisor');
  if (hypervisor !== undefined) root.remove(hypervisor);
  root.append(hypervisorNode(xen.gic?.node.phandle ?? GUEST_PHANDLE_GIC));
  return tree;
}

/** `reg` of two cells each, in the cells of a root. */
function reencoded(node: DeviceNode, root: DeviceNode): Uint8Array {
  const { addressCells, sizeCells } = root;
  const cells = node.cells('reg') ?? [];
  const entries: number[] = [];
  for (let at = 0; at < cells.length; at += 4) {
    entries.push(...cells.slice(at + 2 - addressCells, at + 2), ...cells.slice(at + 4 - sizeCells, at + 4));
  }
  return cellBytes(...entries);
}
