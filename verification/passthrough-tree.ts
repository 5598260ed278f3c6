/**
 * Passthrough device trees, as an integrator writes them: which devices of the machine a domain gets, and how the domain is
 * to see them (docs/misc/arm/passthrough.txt of Xen; `xen,pci-assigned` as XenSwdgn~passthrough_assign_pci_dev_to_dom_arm64~1
 * names it).
 */
import { cellBytes, DeviceNode, DeviceTree, stringBytes } from '../src/firmware/tree.js';
import { TWO_32 } from '../src/hw/address.js';
import type { Sbdf } from '../src/hw/machine.js';
import { FRAME } from './frame-ledger.js';
import { machineSbdf } from './public-abi.js';

/** A region of device registers to map. All are whole pages, in bytes. */
export interface MappedRegion {
  readonly machine: number;
  readonly size: number;
  readonly guest: number;
}

/** A platform device for a domain. */
export interface PassthroughDevice {
  /** `xen,path`: its node in the host's tree; absent for registers that no node of the host stands for. */
  readonly path?: string;
  /** Name of the node in the passthrough tree; from its first region if absent. */
  readonly name?: string;
  readonly regions: readonly MappedRegion[];
  /** `xen,force-assign-without-iommu`. */
  readonly force?: boolean;
  /** Further properties that the domain's driver is to find. */
  readonly properties?: Readonly<Record<string, Uint8Array>>;
}

/**
 * A platform device of the host's tree as a domain gets it that has its registers where the machine has them, whole pages.
 * @throws Error if the host has no such device
 */
export function hostPassthroughDevice(host: DeviceTree, path: string): PassthroughDevice {
  const regions = hostRegions(host, path).map(({ address, size }) => {
    const machine = address - (address % FRAME);
    return { machine, guest: machine, size: Math.ceil((address + size - machine) / FRAME) * FRAME };
  });
  return { path, regions };
}

/** Registers of a platform device of the host's tree, as CPUs see them, in bytes. */
export function hostRegions(host: DeviceTree, path: string): { readonly address: number; readonly size: number }[] {
  const node = host.byPath(path);
  if (node === undefined) throw new Error(`the host's tree has no ${path}`);
  return node.reg().map(({ address, size }) => ({ address: node.translate(address) ?? address, size }));
}

/** Phandle of the placeholder of the guest's interrupt controller. */
export const GIC_PLACEHOLDER = 1;

/** A number as two cells. */
export function twoCells(value: number): readonly [number, number] {
  return [Math.floor(value / TWO_32), value >>> 0];
}

function deviceNode({ path, name, regions, force, properties }: PassthroughDevice): DeviceNode {
  const [first] = regions;
  const node = new DeviceNode(name ?? `device@${(first?.guest ?? 0).toString(16)}`);
  const set = (property: string, bytes: Uint8Array) => node.properties.set(property, bytes);
  set('reg', cellBytes(...regions.flatMap(({ guest, size }) => [...twoCells(guest), ...twoCells(size)])));
  for (const [property, bytes] of Object.entries(properties ?? {})) set(property, bytes);
  set(
    'xen,reg',
    cellBytes(...regions.flatMap((r) => [...twoCells(r.machine), ...twoCells(r.size), ...twoCells(r.guest)])),
  );
  if (path !== undefined) set('xen,path', stringBytes(path));
  if (force === true) set('xen,force-assign-without-iommu', new Uint8Array(0));
  return node;
}

/** The tree for a domain that gets these devices. */
export function passthroughTree(platform: readonly PassthroughDevice[], pci: readonly Sbdf[] = []): DeviceTree {
  const tree = new DeviceTree();
  const { root } = tree;
  root.properties.set('#address-cells', cellBytes(2)).set('#size-cells', cellBytes(2));
  const gic = new DeviceNode('gic');
  gic.properties.set('#interrupt-cells', cellBytes(3)).set('interrupt-controller', new Uint8Array(0));
  gic.properties.set('phandle', cellBytes(GIC_PLACEHOLDER));
  root.append(gic);
  const passthrough = new DeviceNode('passthrough');
  passthrough.properties
    .set('compatible', stringBytes('simple-bus'))
    .set('ranges', new Uint8Array(0))
    .set('#address-cells', cellBytes(2))
    .set('#size-cells', cellBytes(2))
    .set('interrupt-parent', cellBytes(GIC_PLACEHOLDER));
  if (pci.length > 0) passthrough.properties.set('xen,pci-assigned', cellBytes(...pci.map(machineSbdf)));
  for (const device of platform) passthrough.append(deviceNode(device));
  root.append(passthrough);
  return tree;
}
