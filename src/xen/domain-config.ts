/**
 * Configuration of a domain: a flattened device tree whose root is the domain's node. Properties are those of Xen's
 * dom0less binding (docs/misc/arm/device-tree/booting.txt) where it has them, otherwise this project's own.
 *
 * | property | default | meaning |
 * |---|---|---|
 * | `compatible` | required | `xen,domain` |
 * | `memory` | required | RAM in KiB, 64 bits (one cell is taken too); whole pages, more than none |
 * | `cpus` | 1 | vCPUs, 1 to 128 |
 * | `passthrough` | `enabled` if there are devices, else `disabled` | whether its devices may use an IOMMU |
 * | `xen,pci-devices` | none | own: PCI devices to assign, as strings `0000:03:00.0`, or as cells segment << 16 \| bus << 8 \| devfn |
 * | `xen,pci-bars` | none | own: where the domain sees BARs, as four cells: device as above, index of the BAR, guest address in two cells. Other BARs keep their address |
 * | `xen,reg` | none | device registers to map, as in passthrough device trees: triples of physical address, size and guest address, in the root's `#address-cells` and `#size-cells`, which must be 1 or 2; all whole pages |
 * | `xen,memory-read-only` | none | own: RAM that the domain and its devices may only read: pairs of guest address and size, in the root's cells; whole pages |
 *
 * RAM begins at 0x40000000 (GUEST_RAM0_BASE of xen/include/public/arch-arm.h), 3 GiB there, the rest at 0x200000000.
 */

import { decodeFdt, FirmwareFormatError } from '../firmware/fdt.js';
import { type DeviceNode, DeviceTreeError } from '../firmware/tree.js';
import type { Sbdf } from '../hw/machine.js';
import { parseSbdf } from './boot/options.js';
import { failure } from './errno.js';
import { type Gfn, gaddrToGfn, type Mfn, maddrToMfn, PAGE_SIZE } from './frames.js';
import type { BarPlace, Xen } from './xen.js';

/** Guest RAM banks (arch-arm.h). */
export const GUEST_RAM = [
  { base: 0x4000_0000, size: 0xc000_0000 },
  { base: 0x2_0000_0000, size: 0xfe_0000_0000 },
] as const;
/** Most vCPUs of a guest (arch-arm.h, GUEST_MAX_VCPUS). */
const GUEST_MAX_VCPUS = 128;

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

/** What a domain shall be. */
export interface DomainConfig {
  /** Frames of RAM. */
  readonly pages: number;
  readonly vcpus: number;
  readonly passthrough: boolean;
  readonly devices: readonly Sbdf[];
  readonly barPlaces: readonly BarPlace[];
  readonly regions: readonly DeviceRegion[];
  readonly readOnly: readonly GuestRange[];
}

class ConfigError extends Error {}

function check(condition: boolean, what: string): asserts condition {
  if (!condition) throw new ConfigError(what);
}

/** The device that a cell names. */
export const sbdfOfCell = (cell: number): Sbdf => ({
  segment: cell >>> 16,
  bus: (cell >>> 8) & 0xff,
  device: (cell >>> 3) & 0x1f,
  function: cell & 7,
});

function devices(root: DeviceNode): Sbdf[] {
  const bytes = root.properties.get('xen,pci-devices');
  if (bytes === undefined || bytes.length === 0) return [];
  if (bytes[bytes.length - 1] === 0 && bytes.every((byte) => byte === 0 || (byte > 0x20 && byte < 0x7f))) {
    const named = (root.strings('xen,pci-devices') ?? []).map(parseSbdf);
    if (named.every((sbdf) => sbdf !== undefined)) return named;
  }
  return (root.cells('xen,pci-devices') ?? []).map(sbdfOfCell);
}

/** Entries of numbers of one or two cells each. */
function entries(root: DeviceNode, property: string, shape: readonly ('address' | 'size')[]): number[][] {
  const cells = root.cells(property) ?? [];
  if (cells.length === 0) return [];
  const count = { address: root.addressCells, size: root.sizeCells };
  check([1, 2].includes(count.address) && [1, 2].includes(count.size), `${property}: cells must be 1 or 2`);
  const each = shape.reduce((sum, part) => sum + count[part], 0);
  check(cells.length % each === 0, `${property}: no whole number of entries`);
  const result: number[][] = [];
  for (let at = 0; at < cells.length; ) {
    const entry: number[] = [];
    for (const part of shape) {
      const number = cells.slice(at, at + count[part]).reduce((value, cell) => value * 2 ** 32 + cell, 0);
      check(
        number % PAGE_SIZE === 0 && number < 2 ** 52,
        `${property}: 0x${number.toString(16)} is no page address or size`,
      );
      entry.push(number);
      at += count[part];
    }
    result.push(entry);
  }
  return result;
}

function parse(root: DeviceNode): DomainConfig {
  check(root.isCompatible('xen,domain'), 'compatible is not xen,domain');
  const memory = root.number('memory');
  check(memory !== undefined && memory > 0 && memory % (PAGE_SIZE / 1024) === 0, 'memory is missing or no whole pages');
  check(memory * 1024 <= GUEST_RAM[0].size + GUEST_RAM[1].size, 'memory is larger than the guest RAM banks');
  const vcpus = root.u32('cpus') ?? 1;
  check(vcpus >= 1 && vcpus <= GUEST_MAX_VCPUS, 'cpus is out of range');
  const assigned = devices(root);
  const passthrough = root.string('passthrough') ?? (assigned.length > 0 ? 'enabled' : 'disabled');
  check(passthrough === 'enabled' || passthrough === 'disabled', 'passthrough is neither enabled nor disabled');
  const regions = entries(root, 'xen,reg', ['address', 'size', 'address']).map(([phys = 0, size = 0, guest = 0]) => {
    check(size > 0, 'xen,reg: empty region');
    return { mfn: maddrToMfn(phys), gfn: gaddrToGfn(guest), count: size / PAGE_SIZE };
  });
  const readOnly = entries(root, 'xen,memory-read-only', ['address', 'size']).map(([guest = 0, size = 0]) => {
    check(size > 0, 'xen,memory-read-only: empty range');
    return { gfn: gaddrToGfn(guest), count: size / PAGE_SIZE };
  });
  const bars = root.cells('xen,pci-bars') ?? [];
  check(bars.length % 4 === 0, 'xen,pci-bars: no whole number of entries');
  const barPlaces: BarPlace[] = [];
  for (let at = 0; at < bars.length; at += 4) {
    const [device, index, hi, lo] = bars.slice(at, at + 4) as [number, number, number, number];
    const address = hi * 2 ** 32 + lo;
    check(address % PAGE_SIZE === 0 && address < 2 ** 52, 'xen,pci-bars: no page address');
    barPlaces.push({ sbdf: sbdfOfCell(device), index, gfn: gaddrToGfn(address) });
  }
  return {
    pages: (memory * 1024) / PAGE_SIZE,
    vcpus,
    passthrough: passthrough === 'enabled',
    devices: assigned,
    barPlaces,
    regions,
    readOnly,
  };
}

/**
 * Reads a configuration.
 * @returns the configuration, or why it is none: a negative error code with the reason
 */
export function parseDomainConfig(
  _xen: Xen,
  blob: Uint8Array,
): DomainConfig | { readonly error: number; readonly reason: string } {
  try {
    return parse(decodeFdt(blob).root);
  } catch (error) {
    if (error instanceof ConfigError || error instanceof FirmwareFormatError || error instanceof DeviceTreeError) {
      return { error: failure('EINVAL'), reason: error.message };
    }
    throw error;
  }
}
