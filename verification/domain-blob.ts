/** Configuration blobs of domains, as a toolstack or a boot loader hands them to the hypervisor. */
import { encodeFdt } from '../src/firmware/fdt.js';
import { cellBytes, DeviceNode, DeviceTree, stringBytes } from '../src/firmware/tree.js';
import type { Sbdf } from '../src/hw/machine.js';
import { type MappedRegion, type PassthroughDevice, passthroughTree, twoCells } from './passthrough-tree.js';
import { machineSbdf } from './public-abi.js';

/** What a domain shall be. */
export interface DomainConfig {
  /** RAM in bytes, whole pages. */
  readonly memory: number;
  readonly vcpus?: number;
  /** PCI functions to assign. */
  readonly devices?: readonly Sbdf[];
  /** Platform devices to assign. */
  readonly platform?: readonly PassthroughDevice[];
  /** A passthrough tree of the check's own, in place of the one that `devices` and `platform` make. */
  readonly passthroughTree?: DeviceTree;
  readonly passthrough?: 'enabled' | 'disabled';
  readonly regions?: readonly MappedRegion[];
  /** Where the domain shall see base address registers: others are where the device has them. */
  readonly bars?: readonly { readonly device: Sbdf; readonly index: number; readonly guest: number }[];
  /** Ranges of RAM that the domain may only read: guest address and size in bytes. */
  readonly readOnly?: readonly { readonly guest: number; readonly size: number }[];
  /** Banks of memory that are the domain's, by machine address, in bytes; `direct-map` puts them at the same guest address. */
  readonly staticMemory?: readonly { readonly address: number; readonly size: number }[];
  readonly directMap?: boolean;
}

/** The passthrough tree that a configuration asks for; undefined if it asks for nothing. */
export function passthroughTreeOf(config: DomainConfig): DeviceTree | undefined {
  if (config.passthroughTree !== undefined) return config.passthroughTree;
  const { platform = [], devices = [] } = config;
  return platform.length + devices.length === 0 ? undefined : passthroughTree(platform, devices);
}

/**
 * The domain's node of a configuration.
 * @param module where the boot loader has left the passthrough tree, in bytes
 */
export function domainNode(
  config: DomainConfig,
  module: { readonly address: number; readonly size: number } | undefined,
  name = '',
): DeviceNode {
  const root = new DeviceNode(name);
  const set = (property: string, bytes: Uint8Array) => root.properties.set(property, bytes);
  set('compatible', stringBytes('xen,domain'));
  set('#address-cells', cellBytes(2));
  set('#size-cells', cellBytes(2));
  set('memory', cellBytes(...twoCells(config.memory / 1024)));
  set('cpus', cellBytes(config.vcpus ?? 1));
  if (config.passthrough !== undefined) set('passthrough', stringBytes(config.passthrough));
  if (config.directMap === true) set('direct-map', new Uint8Array(0));
  if (config.staticMemory !== undefined) {
    const banks = config.staticMemory.flatMap(({ address, size }) => [...twoCells(address), ...twoCells(size)]);
    set('#xen,static-mem-address-cells', cellBytes(2));
    set('#xen,static-mem-size-cells', cellBytes(2));
    set('xen,static-mem', cellBytes(...banks));
  }
  if (config.regions?.length) {
    const triples = config.regions.flatMap((r) => [...twoCells(r.machine), ...twoCells(r.size), ...twoCells(r.guest)]);
    set('xen,reg', cellBytes(...triples));
  }
  if (config.bars?.length) {
    const places = config.bars.flatMap((b) => [machineSbdf(b.device), b.index, ...twoCells(b.guest)]);
    set('xen,pci-bars', cellBytes(...places));
  }
  if (config.readOnly?.length) {
    const ranges = config.readOnly.flatMap((r) => [...twoCells(r.guest), ...twoCells(r.size)]);
    set('xen,memory-read-only', cellBytes(...ranges));
  }
  if (module !== undefined) {
    const node = new DeviceNode(`module@${module.address.toString(16)}`);
    node.properties
      .set('compatible', stringBytes('multiboot,device-tree', 'multiboot,module'))
      .set('reg', cellBytes(...twoCells(module.address), ...twoCells(module.size)));
    root.append(node);
  }
  return root;
}

/** The flattened device tree of a configuration. */
export function domainBlob(
  config: DomainConfig,
  module?: { readonly address: number; readonly size: number },
): Uint8Array {
  return encodeFdt(new DeviceTree(domainNode(config, module)));
}
