/** Configuration blobs of domains, as a toolstack or a boot loader hands them to the hypervisor. */
import { encodeFdt } from '../src/firmware/fdt.js';
import { cellBytes, DeviceNode, DeviceTree, stringBytes } from '../src/firmware/tree.js';
import { TWO_32 } from '../src/hw/address.js';
import { formatSbdf, type Sbdf } from '../src/hw/machine.js';
import { machineSbdf } from './public-abi.js';

/** A region of device registers to map. All are whole pages, in bytes. */
export interface MappedRegion {
  readonly machine: number;
  readonly size: number;
  readonly guest: number;
}

/** What a domain shall be. */
export interface DomainConfig {
  /** RAM in bytes, whole pages. */
  readonly memory: number;
  readonly vcpus?: number;
  readonly devices?: readonly Sbdf[];
  readonly passthrough?: 'enabled' | 'disabled';
  readonly regions?: readonly MappedRegion[];
  /** Where the domain shall see base address registers: others are where the device has them. */
  readonly bars?: readonly { readonly device: Sbdf; readonly index: number; readonly guest: number }[];
  /** Ranges of RAM that the domain may only read: guest address and size in bytes. */
  readonly readOnly?: readonly { readonly guest: number; readonly size: number }[];
}

function twoCells(value: number): readonly [number, number] {
  return [Math.floor(value / TWO_32), value >>> 0];
}

/** The flattened device tree of a configuration. */
export function domainBlob(config: DomainConfig): Uint8Array {
  const root = new DeviceNode('');
  const set = (name: string, bytes: Uint8Array) => root.properties.set(name, bytes);
  set('compatible', stringBytes('xen,domain'));
  set('#address-cells', cellBytes(2));
  set('#size-cells', cellBytes(2));
  set('memory', cellBytes(...twoCells(config.memory / 1024)));
  set('cpus', cellBytes(config.vcpus ?? 1));
  if (config.passthrough !== undefined) set('passthrough', stringBytes(config.passthrough));
  if (config.devices?.length) set('xen,pci-devices', stringBytes(...config.devices.map(formatSbdf)));
  if (config.regions?.length) {
    set(
      'xen,reg',
      cellBytes(...config.regions.flatMap((r) => [...twoCells(r.machine), ...twoCells(r.size), ...twoCells(r.guest)])),
    );
  }
  if (config.bars?.length) {
    set(
      'xen,pci-bars',
      cellBytes(...config.bars.flatMap((b) => [machineSbdf(b.device), b.index, ...twoCells(b.guest)])),
    );
  }
  if (config.readOnly?.length) {
    set(
      'xen,memory-read-only',
      cellBytes(...config.readOnly.flatMap((r) => [...twoCells(r.guest), ...twoCells(r.size)])),
    );
  }
  return encodeFdt(new DeviceTree(root));
}
