/**
 * The machine as its device tree describes it: RAM and what of it is taken, CPUs, PCI host bridges
 * (xen/common/device-tree/bootfdt.c, xen/arch/arm/pci/pci-host-common.c).
 */
import { decodeFdt } from '../../firmware/fdt.js';
import { type DeviceNode, type DeviceTree, DeviceTreeError } from '../../firmware/tree.js';
import { moduleSpans } from '../dom0less/module.js';
import { frames, type Mfn, maddrToMfn, mfn, PAGE_SIZE } from '../frames.js';
import type { Run } from '../range-set.js';
import { RangeSet } from '../range-set.js';
import type { ByteSpan, HostBridge, HostBridgeWindow, Platform, Xen } from '../xen.js';
import { type BootOptions, parseBootOptions } from './options.js';

/** Space code of memory in the first cell of a PCI address: 2 for 32 bits, 3 for 64 bits (IEEE 1275 PCI binding, 2.2.1.1). */
const isMemorySpace = (cell: number): boolean => ((cell >>> 24) & 2) !== 0;

/** Xen cannot boot on this machine. */
export class BootError extends Error {
  constructor(message: string) {
    super(message);
    this.name = 'BootError';
  }
}

/** Reads the device tree from where firmware left it. Throws {@link BootError} if there is none. */
export function readDeviceTree(xen: Xen): DeviceTree {
  const { fdt } = xen.machine.firmware;
  if (fdt === undefined) throw new BootError('the machine has no device tree');
  return decodeFdt(xen.machine.memory.read(fdt.address, fdt.size));
}

/** Reads the command lines. */
export function readOptions(_xen: Xen, tree: DeviceTree): BootOptions {
  const chosen = tree.byPath('/chosen');
  const own = chosen?.string('xen,xen-bootargs') ?? chosen?.string('bootargs') ?? '';
  return parseBootOptions(chosen?.string('xen,dom0-bootargs') ?? '', own);
}

/** RAM. */
export function findMemory(_xen: Xen, tree: DeviceTree): ByteSpan[] {
  const banks = tree.root.children.filter((node) => node.string('device_type') === 'memory' && node.enabled);
  return banks.flatMap((node) => node.reg().map(({ address, size }) => ({ address, size })));
}

/** RAM that is taken: the blob, what its reservation block and `/reserved-memory` name, modules for domains. */
export function findReserved(xen: Xen, tree: DeviceTree): ByteSpan[] {
  const { fdt } = xen.machine.firmware;
  const spans: ByteSpan[] = tree.reservations.map(({ address, size }) => ({
    address: Number(address),
    size: Number(size),
  }));
  if (fdt !== undefined) spans.push({ address: fdt.address, size: fdt.size });
  for (const node of tree.byPath('/reserved-memory')?.children ?? []) {
    for (const { address, size } of node.reg()) spans.push({ address, size });
  }
  spans.push(...moduleSpans(tree.byPath('/chosen')));
  return spans;
}

/** CPUs that the tree lists and the machine has. */
export function countCpus(xen: Xen, tree: DeviceTree): number {
  const listed = (tree.byPath('/cpus')?.children ?? []).filter(
    (node) => node.string('device_type') === 'cpu' && node.enabled,
  );
  return Math.max(1, Math.min(listed.length, xen.machine.cpus.count));
}

/** Windows of a host bridge onto PCI memory space. */
function windowsOf(node: DeviceNode): HostBridgeWindow[] {
  const windows: HostBridgeWindow[] = [];
  for (const range of node.ranges() ?? []) {
    const address = node.translate(range.parent);
    if (!isMemorySpace(range.cells[0] ?? 0) || address === undefined) continue;
    windows.push({ bus: range.child, address, size: range.size });
  }
  return windows;
}

/** Host bridges with their segments. One that names no segment gets the lowest that is free. */
export function findHostBridges(_xen: Xen, tree: DeviceTree): HostBridge[] {
  const nodes = tree.compatible('pci-host-ecam-generic').filter((node) => node.enabled);
  const taken = new Set(nodes.map((node) => node.u32('linux,pci-domain')));
  let next = 0;
  const bridges: HostBridge[] = [];
  for (const node of nodes) {
    const reg = node.reg()[0];
    const address = reg === undefined ? undefined : node.translate(reg.address);
    if (reg === undefined || address === undefined) continue;
    const [firstBus = 0, lastBus = 0xff] = node.cells('bus-range') ?? [];
    let segment = node.u32('linux,pci-domain');
    if (segment === undefined) {
      while (taken.has(next)) next++;
      segment = next;
      taken.add(segment);
    }
    const buses = Math.floor(reg.size / 0x10_0000);
    bridges.push({
      node,
      segment,
      firstBus,
      lastBus: Math.min(lastBus, firstBus + buses - 1, 0xff),
      ecam: { address, size: reg.size },
      windows: windowsOf(node),
    });
  }
  return bridges;
}

/** Everything that Xen wants to know of the machine. */
export function discoverPlatform(xen: Xen, tree: DeviceTree): Platform {
  const { boot, dom0less } = xen.steps;
  const memory = boot.findMemory(xen, tree);
  const reserved = boot.findReserved(xen, tree);
  const hostBridges = boot.findHostBridges(xen, tree);
  return {
    tree,
    memory,
    reserved,
    cpus: boot.countCpus(xen, tree),
    hostBridges,
    iomem: boot.findIomem(xen, tree, memory, hostBridges),
    staticBanks: dom0less.findStaticBanks(xen, tree, memory, reserved),
  };
}

/** Puts the RAM that nobody has taken into the heap, whole frames only. */
export function setupHeap(xen: Xen): void {
  for (const { address, size } of xen.platform.memory) {
    const first = frames(address);
    const end = maddrToMfn(address + size);
    if (end > first) xen.heap.add(mfn(first), end - first);
  }
  for (const { address, size } of xen.platform.reserved) {
    const first = maddrToMfn(address);
    xen.heap.reserve(first, frames(address + size) - first);
  }
  for (const { mfn: first, count } of xen.platform.staticBanks) xen.heap.reserve(first, count);
}

/** The frames that a span of bytes lies in. */
function framesOf({ address, size }: ByteSpan): Run {
  const first = maddrToMfn(address);
  return { start: first, count: frames(address + size - first * PAGE_SIZE) };
}

/** The registers of a node, as spans of the machine's address space; none if they cannot be read. */
function registersOf(node: DeviceNode): ByteSpan[] {
  if (node.parent === undefined || node.parent.sizeCells === 0) return [];
  try {
    return node.reg().flatMap(({ address, size }) => {
      const translated = node.translate(address);
      return translated === undefined || size === 0 ? [] : [{ address: translated, size }];
    });
  } catch (error) {
    // The steps of platform devices tell of it.
    if (error instanceof DeviceTreeError) return [];
    throw error;
  }
}

/** Nodes whose `reg` is no registers, with all below them. */
const NOT_REGISTERS = ['reserved-memory', 'chosen', 'cpus'];

/** Whether Xen keeps the registers of a node: IOMMUs, and interrupt controllers with what belongs to them. */
function isXens(node: DeviceNode): boolean {
  for (let at: DeviceNode | undefined = node; at !== undefined; at = at.parent) {
    if (at.has('#iommu-cells') || at.isCompatible('arm,smmu-v3') || at.has('msi-controller')) return true;
    if (at.has('interrupt-controller') && at.parent !== undefined) return true;
  }
  return false;
}

/**
 * Machine frames of device registers that a domain can be given: the windows of the host bridges, and the registers of
 * every other device but those that Xen keeps: IOMMUs, configuration space, interrupt controllers.
 */
export function findIomem(
  _xen: Xen,
  tree: DeviceTree,
  memory: readonly ByteSpan[],
  hostBridges: readonly HostBridge[],
): RangeSet {
  const set = new RangeSet();
  const kept: Run[] = [...memory, ...hostBridges.map(({ ecam }) => ecam)].map(framesOf);
  for (const { windows } of hostBridges) {
    for (const { start, count } of windows.map(framesOf)) set.add(start, count);
  }
  const bridges = new Set(hostBridges.map(({ node }) => node));
  const waiting = tree.root.children.filter((node) => !NOT_REGISTERS.includes(node.name));
  for (let node = waiting.pop(); node !== undefined; node = waiting.pop()) {
    if (bridges.has(node)) continue;
    waiting.push(...node.children);
    if (node.string('device_type') !== undefined) continue;
    for (const span of registersOf(node)) {
      const { start, count } = framesOf(span);
      if (isXens(node)) kept.push({ start, count });
      else set.add(start, count);
    }
  }
  for (const { start, count } of kept) set.remove(start, count);
  return set;
}

/**
 * Machine frames of device registers that the hardware domain may map: all that a domain can be given, but for those of
 * devices that are reserved for passthrough (`xen,passthrough`).
 */
export function hardwareIomem(xen: Xen): { mfn: Mfn; count: number }[] {
  const set = new RangeSet();
  for (const { start, count } of xen.platform.iomem.runs) set.add(start, count);
  for (const node of xen.platform.tree.root.walk()) {
    if (!isReserved(node)) continue;
    for (const { start, count } of registersOf(node).map(framesOf)) set.remove(start, count);
  }
  return set.runs.map(({ start, count }) => ({ mfn: mfn(start), count }));
}

/** Whether a node, or one that it is below, is reserved for passthrough. */
export function isReserved(node: DeviceNode): boolean {
  for (let at: DeviceNode | undefined = node; at !== undefined; at = at.parent)
    if (at.has('xen,passthrough')) return true;
  return false;
}
