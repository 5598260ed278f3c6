/**
 * Modules that a boot loader leaves in RAM for a domain: children of its node that are compatible with
 * `multiboot,module`, `reg` says where (docs/misc/arm/device-tree/booting.txt). Of these, the passthrough device tree is
 * read. Kernels and ramdisks are left alone: checks are the guests.
 */
import { fdtSize } from '../../firmware/fdt.js';
import type { DeviceNode } from '../../firmware/tree.js';
import { pa } from '../../hw/address.js';
import { RangeSet } from '../range-set.js';
import type { ByteSpan, Xen } from '../xen.js';
import { ConfigError } from './config-error.js';
import { inheritedCells, numbers } from './entries.js';

/** Most bytes of a device tree (Linux, Documentation/arch/arm64/booting.rst, section 2). */
export const TREE_LIMIT = 0x20_0000;
/** Bytes of a blob that say how long it is: magic and total size. */
const SIZE_BYTES = 8;

/** Whether a node is a domain's. */
export const isDomain = (node: DeviceNode): boolean => node.isCompatible('xen,domain');

/** Whether a node is a module. */
export const isModule = (node: DeviceNode): boolean =>
  node.isCompatible('multiboot,module') || node.isCompatible('xen,multiboot-module');

/** The bytes of a module. @throws ConfigError (-EINVAL) if `reg` is not one entry */
export function moduleSpan(module: DeviceNode): ByteSpan {
  const cells = inheritedCells(module.parent ?? module);
  const [entry, ...more] = numbers(module, 'reg', ['address', 'size'], cells);
  if (entry === undefined || more.length > 0) throw new ConfigError('EINVAL', module, 'reg', 'is not one entry');
  const [address = 0, size = 0] = entry;
  return { address, size };
}

/** Whether all of a span is RAM. */
export function isRam(memory: readonly ByteSpan[], { address, size }: ByteSpan): boolean {
  const ram = new RangeSet();
  for (const bank of memory) ram.add(bank.address, bank.size);
  return ram.contains(address, size);
}

/**
 * The module with a domain's passthrough device tree: compatible with `multiboot,module` and `multiboot,device-tree`.
 * Undefined if there is none. @throws ConfigError (-EINVAL) if there are several
 */
export function deviceTreeModule(domain: DeviceNode): DeviceNode | undefined {
  const [module, other] = domain.children.filter(
    (node) => isModule(node) && node.isCompatible('multiboot,device-tree'),
  );
  if (other !== undefined) {
    throw new ConfigError('EINVAL', other, 'compatible', 'a domain has one passthrough device tree');
  }
  return module;
}

/** Reads a module that is a blob, as far as it says that it goes. @throws ConfigError (-EINVAL) if it is not in RAM */
export function readModule(xen: Xen, module: DeviceNode): Uint8Array {
  const span = moduleSpan(module);
  if (span.size < SIZE_BYTES || !isRam(xen.platform.memory, span)) {
    throw new ConfigError(
      'EINVAL',
      module,
      'reg',
      `0x${span.address.toString(16)}, 0x${span.size.toString(16)} is no RAM`,
    );
  }
  const size = fdtSize(xen.machine.memory.read(pa(span.address), SIZE_BYTES));
  if (size < SIZE_BYTES || size > span.size || size > TREE_LIMIT) {
    throw new ConfigError('EINVAL', module, 'reg', 'there is no device tree of this size');
  }
  return xen.machine.memory.read(pa(span.address), size);
}

/** What boot loaders left in RAM for domains: not free until Xen has read it, nor later. Bad modules are passed over. */
export function moduleSpans(chosen: DeviceNode | undefined): ByteSpan[] {
  const spans: ByteSpan[] = [];
  for (const node of chosen?.walk() ?? []) {
    try {
      if (isModule(node)) spans.push(moduleSpan(node));
    } catch {
      // Whoever reads the module says what is wrong with it.
    }
  }
  return spans;
}
