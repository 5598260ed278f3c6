/**
 * Configuration of a domain: a node of a device tree. At boot it is a child of the host's `/chosen`; at run time it is the
 * root of a blob. Properties are those of Xen's dom0less binding (docs/misc/arm/device-tree/booting.txt) where it has
 * them, otherwise this project's own.
 *
 * | property | default | meaning |
 * |---|---|---|
 * | `compatible` | required | `xen,domain` |
 * | `memory` | required | RAM in KiB, 64 bits (one cell is taken too); whole pages, more than none |
 * | `cpus` | 1 | vCPUs, 1 to 128 |
 * | `passthrough` | `enabled` if there are devices or a passthrough device tree, else `disabled` | whether its devices may use an IOMMU |
 * | `xen,static-mem` | none | RAM to use: pairs of machine address and size, whole pages, `memory` in all. Cells: `#xen,static-mem-address-cells` and `#xen,static-mem-size-cells`, else those that hold for the node, of its parent or further up |
 * | `direct-map` | no | RAM is where the machine has it, and so are the registers that Xen emulates. Needs `xen,static-mem` |
 * | `xen,pci-devices` | none | own: PCI devices to assign, as strings `0000:03:00.0`, or as cells segment << 16 \| bus << 8 \| devfn |
 * | `xen,pci-bars` | none | own: where the domain sees BARs, as four cells: device as above, index of the BAR, guest address in two cells. Other BARs keep their address |
 * | `xen,reg` | none | own: device registers to map, as in passthrough device trees: triples of physical address, size and guest address, in the node's `#address-cells` and `#size-cells`, which must be 1 or 2; all whole pages |
 * | `xen,memory-read-only` | none | own: RAM that the domain and its devices may only read: pairs of guest address and size, in the node's cells; whole pages |
 *
 * Children are modules (`dom0less/module.ts`), of which the passthrough device tree is read (`dom0less/partial-tree.ts`).
 * `vpl011` and everything else is passed over.
 *
 * RAM begins at 0x40000000 (GUEST_RAM0_BASE of xen/include/public/arch-arm.h), 3 GiB there, the rest at 0x200000000.
 */

import { decodeFdt } from '../firmware/fdt.js';
import type { DeviceNode } from '../firmware/tree.js';
import type { Sbdf } from '../hw/machine.js';
import { parseSbdf } from './boot/options.js';
import { type BadConfig, ConfigError, reading } from './dom0less/config-error.js';
import {
  type DeviceRegion,
  deviceRegions,
  type GuestRange,
  pages,
  type StaticBank,
  sbdfOfCell,
  statedCells,
} from './dom0less/entries.js';
import { deviceTreeModule } from './dom0less/module.js';
import { type PassthroughTree, parsePassthroughTree } from './dom0less/partial-tree.js';
import { staticBanks } from './dom0less/static-memory.js';
import { gaddrToGfn, PAGE_SIZE } from './frames.js';
import { GUEST_RAM } from './guest-layout.js';
import { type BarPlace, print, type Xen } from './xen.js';

export type { DeviceRegion, GuestRange, StaticBank } from './dom0less/entries.js';
export { sbdfOfCell } from './dom0less/entries.js';

/** Most vCPUs of a guest (arch-arm.h, GUEST_MAX_VCPUS). */
const GUEST_MAX_VCPUS = 128;

/** What a domain shall be. */
export interface DomainConfig {
  /** Path of its node, for messages. */
  readonly node: string;
  /** Frames of RAM. */
  readonly pages: number;
  /** What its RAM shall be; undefined: whatever is free. */
  readonly staticMemory: readonly StaticBank[] | undefined;
  readonly directMapped: boolean;
  readonly vcpus: number;
  readonly passthrough: boolean;
  readonly devices: readonly Sbdf[];
  readonly barPlaces: readonly BarPlace[];
  readonly regions: readonly DeviceRegion[];
  readonly readOnly: readonly GuestRange[];
  readonly passthroughTree: PassthroughTree | undefined;
}

function devices(node: DeviceNode): Sbdf[] {
  const bytes = node.properties.get('xen,pci-devices');
  if (bytes === undefined || bytes.length === 0) return [];
  if (bytes[bytes.length - 1] === 0 && bytes.every((byte) => byte === 0 || (byte > 0x20 && byte < 0x7f))) {
    const named = (node.strings('xen,pci-devices') ?? []).map(parseSbdf);
    if (named.every((sbdf) => sbdf !== undefined)) return named;
  }
  return (node.cells('xen,pci-devices') ?? []).map(sbdfOfCell);
}

function barPlaces(node: DeviceNode): BarPlace[] {
  const bars = node.cells('xen,pci-bars') ?? [];
  if (bars.length % 4 !== 0) throw new ConfigError('EINVAL', node, 'xen,pci-bars', 'no whole number of entries');
  const places: BarPlace[] = [];
  for (let at = 0; at < bars.length; at += 4) {
    const [device, index, hi, lo] = bars.slice(at, at + 4) as [number, number, number, number];
    const address = hi * 2 ** 32 + lo;
    if (address % PAGE_SIZE !== 0 || address >= 2 ** 52) {
      throw new ConfigError('EINVAL', node, 'xen,pci-bars', `0x${address.toString(16)} is no page address`);
    }
    places.push({ sbdf: sbdfOfCell(device), index, gfn: gaddrToGfn(address) });
  }
  return places;
}

function memoryPages(node: DeviceNode): number {
  const memory = node.number('memory');
  if (memory === undefined || memory === 0 || memory % (PAGE_SIZE / 1024) !== 0) {
    throw new ConfigError('EINVAL', node, 'memory', 'missing, or no whole pages');
  }
  if (memory * 1024 > GUEST_RAM[0].size + GUEST_RAM[1].size) {
    throw new ConfigError('EINVAL', node, 'memory', 'larger than the guest RAM banks');
  }
  return (memory * 1024) / PAGE_SIZE;
}

function passthroughTree(xen: Xen, node: DeviceNode): PassthroughTree | undefined {
  const module = deviceTreeModule(node);
  return module === undefined ? undefined : parsePassthroughTree(xen.steps.dom0less.readModule(xen, module));
}

function parse(xen: Xen, node: DeviceNode): DomainConfig {
  if (!node.isCompatible('xen,domain')) throw new ConfigError('EINVAL', node, 'compatible', 'is not xen,domain');
  const ram = memoryPages(node);
  const vcpus = node.u32('cpus') ?? 1;
  if (vcpus < 1 || vcpus > GUEST_MAX_VCPUS) {
    throw new ConfigError('EINVAL', node, 'cpus', `${vcpus} is not 1 to ${GUEST_MAX_VCPUS}`);
  }
  const directMapped = node.has('direct-map');
  const staticMemory = staticBanks(xen.platform.memory, node, ram);
  if (directMapped && staticMemory === undefined) {
    throw new ConfigError('EINVAL', node, 'direct-map', 'there is no xen,static-mem');
  }
  const tree = passthroughTree(xen, node);
  const assigned = [...devices(node), ...(tree?.pci ?? [])];
  const wanted = assigned.length > 0 || tree !== undefined;
  const passthrough = node.string('passthrough') ?? (wanted ? 'enabled' : 'disabled');
  if (passthrough !== 'enabled' && passthrough !== 'disabled') {
    throw new ConfigError('EINVAL', node, 'passthrough', 'neither enabled nor disabled');
  }
  const readOnly = pages(node, 'xen,memory-read-only', ['address', 'size'], statedCells(node));
  if (node.has('vpl011'))
    print(xen, `domain configuration: ${node.path}: vpl011: ignored, there is no virtual serial port`);
  return {
    node: node.path,
    pages: ram,
    staticMemory,
    directMapped,
    vcpus,
    passthrough: passthrough === 'enabled',
    devices: assigned,
    barPlaces: barPlaces(node),
    regions: deviceRegions(node, statedCells(node)),
    readOnly: readOnly.map(([guest = 0, size = 0]) => ({ gfn: gaddrToGfn(guest), count: size / PAGE_SIZE })),
    passthroughTree: tree,
  };
}

/**
 * Reads the configuration that a node is.
 * @returns the configuration, or why it is none: a negative error code with node, property and reason
 */
export function readDomainConfig(xen: Xen, node: DeviceNode): DomainConfig | BadConfig {
  return reading(() => parse(xen, node));
}

/** Reads the configuration that the root of a blob is. Returns it, or why it is none. */
export function parseDomainConfig(xen: Xen, blob: Uint8Array): DomainConfig | BadConfig {
  const tree = reading(() => decodeFdt(blob));
  return 'error' in tree ? tree : xen.steps.domain.readConfig(xen, tree.root);
}
