/** Passthrough device trees as text, and the boot loader that leaves them in memory and describes domains in `/chosen`. */
import { readDts } from '../../src/firmware/dts.js';
import { encodeFdt } from '../../src/firmware/fdt.js';
import type { DeviceTree } from '../../src/firmware/tree.js';
import type { PlatformRole } from '../devices.js';
import { type DomainConfig, domainNode, passthroughTreeOf } from '../domain-blob.js';
import { FRAME } from '../frame-ledger.js';
import type { PassthroughBench } from '../passthrough-bench.js';
import { hostRegions, twoCells } from '../passthrough-tree.js';

/** How many cells an address and a size have. */
export interface Cells {
  readonly address: 1 | 2;
  readonly size: 1 | 2;
}

const TWO: Cells = { address: 2, size: 2 };

/** A number as cells of a property. */
function number(value: number, cells: 1 | 2): string {
  return twoCells(value)
    .slice(2 - cells)
    .map((cell) => `0x${cell.toString(16)}`)
    .join(' ');
}

/** A tree from its text, without the version line. */
export function treeOf(text: string): DeviceTree {
  return readDts(`/dts-v1/;\n${text}`, 'passthrough tree').tree;
}

/** Where a guest is to find the regions of a device: from `guest` on, 1 MiB apart. */
export function places(bench: PassthroughBench, device: PlatformRole, guest: number) {
  return hostRegions(bench.hostTree, device.path).map(({ address, size }, index) => {
    return { machine: address, size, guest: guest + index * 0x10_0000 };
  });
}

/**
 * The text of a device's node: what its domain needs to drive it, and what Xen needs to give it away.
 * @param guest where the domain is to find its registers
 * @param more further lines
 */
export function nodeText(
  bench: PassthroughBench,
  device: PlatformRole,
  guest: number,
  { more = '', cells = TWO }: { readonly more?: string; readonly cells?: Cells } = {},
): string {
  const regions = places(bench, device, guest);
  const reg = regions.map((r) => `<${number(r.guest, cells.address)} ${number(r.size, cells.size)}>`);
  const triples = regions.map(
    (r) => `<${number(r.machine, cells.address)} ${number(r.size, cells.size)} ${number(r.guest, cells.address)}>`,
  );
  const host = bench.hostTree.byPath(device.path);
  const interrupts = host?.cells('interrupts');
  return `${modelOf(bench, device).split(',')[1]}@${guest.toString(16)} {
    compatible = ${(host?.strings('compatible') ?? []).map((model) => `"${model}"`).join(', ')};
    reg = ${reg.join(', ')};
    ${interrupts === undefined ? '' : `interrupts = <${interrupts.join(' ')}>;`}
    xen,reg = ${triples.join(', ')};
    xen,path = "${device.path}";
    ${device.streams.length === 0 ? 'xen,force-assign-without-iommu;' : ''}
    ${more}
  };`;
}

/** The first model that the host says a device is compatible with. */
export function modelOf(bench: PassthroughBench, device: PlatformRole): string {
  return bench.hostTree.byPath(device.path)?.strings('compatible')?.[0] ?? '';
}

/** The text of a tree around nodes of devices. `cells`: of `/passthrough`; `root`: of the root. */
export function treeText(nodes: string, { cells = TWO, root = TWO }: { cells?: Cells; root?: Cells } = {}): string {
  return `/ {
  #address-cells = <${root.address}>; #size-cells = <${root.size}>;
  gic: gic { #interrupt-cells = <3>; interrupt-controller; phandle = <0xf1c>; };
  passthrough {
    compatible = "simple-bus"; ranges;
    #address-cells = <${cells.address}>; #size-cells = <${cells.size}>;
    interrupt-parent = <&gic>;
    ${nodes}
  };
};`;
}

/**
 * Boots another machine whose boot loader describes domains in `/chosen`, in order, and leaves their passthrough trees in
 * memory.
 * @param change what else it changes in the host's tree
 */
export function bootedWith(
  bench: PassthroughBench,
  domains: Readonly<Record<string, DomainConfig>>,
  change: (tree: DeviceTree) => void = () => {},
): PassthroughBench {
  const memory = bench.hostTree.byPath('/reserved-memory')?.children.find((node) => node.name.startsWith('modules@'));
  let next = memory?.reg()[0]?.address ?? 0;
  const modules: Uint8Array[] = [];
  const nodes = Object.entries(domains).map(([name, config]) => {
    const tree = passthroughTreeOf(config);
    if (tree === undefined) return domainNode(config, undefined, name);
    const blob = encodeFdt(tree);
    const module = { address: next, size: blob.length };
    next += Math.ceil(blob.length / FRAME) * FRAME;
    modules.push(blob);
    return domainNode(config, module, name);
  });
  const fresh = bench.powerOnAnother(undefined, (tree) => {
    for (const node of nodes) tree.root.child('chosen')?.append(node);
    change(tree);
  });
  for (const blob of modules) fresh.placeModule(blob);
  fresh.boot();
  return fresh;
}
