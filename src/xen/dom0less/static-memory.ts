/**
 * RAM that a configuration names by its machine addresses (docs/misc/arm/device-tree/booting.txt, static allocation;
 * xen/common/device-tree/static-memory.c).
 *
 * Assumptions: banks that overlap, or that are no RAM of the machine, are -EINVAL; banks of which something is not free
 * are -ENOMEM. Once the domain is gone its banks are free like any other frames. The banks of the domains of `/chosen`
 * are set aside until these have been created.
 */
import type { DeviceNode, DeviceTree } from '../../firmware/tree.js';
import { failure } from '../errno.js';
import { frames, gaddrToGfn, gfn, gfnAdd, maddr, maddrToMfn, mfnAdd, PAGE_SIZE } from '../frames.js';
import { GUEST_RAM } from '../guest-layout.js';
import { withRun } from '../p2m/mappings.js';
import { RangeSet } from '../range-set.js';
import type { ByteSpan, Domain, RamRun, Xen } from '../xen.js';
import { ConfigError } from './config-error.js';
import { type Cells, inheritedCells, pages, type StaticBank } from './entries.js';
import { isDomain, isRam } from './module.js';

const PROPERTY = 'xen,static-mem';

/** Cells of the banks: the node's own counts for them, else what holds for the node itself. */
function bankCells(node: DeviceNode): Cells {
  const inherited = inheritedCells(node.parent ?? node);
  return {
    address: node.u32('#xen,static-mem-address-cells') ?? inherited.address,
    size: node.u32('#xen,static-mem-size-cells') ?? inherited.size,
  };
}

/**
 * The banks of a domain's node; undefined if it names none.
 * @param memory RAM of the machine
 * @param wanted frames that they are to be in all; undefined: any number
 * @throws ConfigError (-EINVAL) if they are no RAM, overlap, or are more or less than wanted
 */
export function staticBanks(memory: readonly ByteSpan[], node: DeviceNode, wanted?: number): StaticBank[] | undefined {
  if (!node.has(PROPERTY)) return undefined;
  const taken = new RangeSet();
  const banks = pages(node, PROPERTY, ['address', 'size'], bankCells(node)).map(([address = 0, size = 0]) => {
    const name = `0x${address.toString(16)}, 0x${size.toString(16)}`;
    if (!isRam(memory, { address, size })) throw new ConfigError('EINVAL', node, PROPERTY, `${name} is no RAM`);
    const bank = { mfn: maddrToMfn(address), count: size / PAGE_SIZE };
    if (taken.overlaps(bank.mfn, bank.count))
      throw new ConfigError('EINVAL', node, PROPERTY, `${name} overlaps another`);
    taken.add(bank.mfn, bank.count);
    return bank;
  });
  const sum = banks.reduce((all, { count }) => all + count, 0);
  if (wanted !== undefined && sum !== wanted) {
    throw new ConfigError('EINVAL', node, PROPERTY, `${sum} pages, and memory says ${wanted}`);
  }
  return banks;
}

/** Takes banks out of the heap: none, if not all of them are free. Returns 0 or -ENOMEM. */
export function acquireBanks(xen: Xen, banks: readonly StaticBank[]): number {
  if (!banks.every(({ mfn, count }) => xen.heap.isFree(mfn, count))) return failure('ENOMEM');
  for (const { mfn, count } of banks) xen.heap.reserve(mfn, count);
  return 0;
}

/**
 * Where a domain sees its banks: a direct-mapped one where they are, any other one behind the other in the guest RAM
 * banks.
 */
export function bankRuns(_xen: Xen, domain: Domain, banks: readonly StaticBank[]): RamRun[] {
  if (domain.directMapped) return banks.map(({ mfn, count }) => ({ gfn: gaddrToGfn(maddr(mfn)), mfn, count }));
  const runs: RamRun[] = [];
  let bank = 0;
  let used = 0;
  for (const { mfn, count } of banks) {
    for (let done = 0; done < count; ) {
      const room = GUEST_RAM[bank];
      if (room === undefined) return runs;
      const part = Math.min(count - done, room.size / PAGE_SIZE - used);
      if (part > 0) runs.push({ gfn: gfnAdd(gfn(room.base / PAGE_SIZE), used), mfn: mfnAdd(mfn, done), count: part });
      done += part;
      used += part;
      if (used < room.size / PAGE_SIZE) continue;
      bank++;
      used = 0;
    }
  }
  return runs;
}

/**
 * Makes banks a domain's RAM, not mapped yet: before anything else is taken for the domain that might lie in them.
 * @returns 0, or -ENOMEM if any is not free
 */
export function takeBanks(xen: Xen, domain: Domain, banks: readonly StaticBank[] | undefined): number {
  if (banks === undefined) return 0;
  const error = xen.steps.dom0less.acquireBanks(xen, banks);
  if (error !== 0) return error;
  for (const run of xen.steps.dom0less.bankRuns(xen, domain, banks)) domain.ram = withRun(domain.ram, run);
  return 0;
}

/**
 * Maps the banks that a domain has taken.
 * @returns 0; -EINVAL if Xen emulates something for the domain where one of them is; another negative error code
 */
export function mapBanks(xen: Xen, domain: Domain): number {
  for (const { gfn: at, mfn, count } of domain.ram) {
    if (xen.steps.domain.isEmulated(xen, domain, at, count)) return failure('EINVAL');
    const error = xen.steps.p2m.mapRam(xen, domain, at, mfn, count);
    if (error !== 0) return error;
  }
  return 0;
}

/** Banks of a domain that the boot loader describes. */
export interface ChosenBank extends StaticBank {
  /** The domain's node. */
  readonly node: DeviceNode;
}

/** The banks of a domain of `/chosen`, none if they are wrong: whoever creates the domain says what is. */
function banksOf(memory: readonly ByteSpan[], node: DeviceNode): StaticBank[] {
  try {
    return isDomain(node) ? (staticBanks(memory, node) ?? []) : [];
  } catch {
    return [];
  }
}

/**
 * The banks of the domains of `/chosen`, to be set aside so that neither Xen nor another domain takes them. A bank that
 * overlaps an earlier one, or what is reserved, is left out.
 */
export function findStaticBanks(
  _xen: Xen,
  tree: DeviceTree,
  memory: readonly ByteSpan[],
  reserved: readonly ByteSpan[],
): ChosenBank[] {
  const taken = new RangeSet();
  for (const { address, size } of reserved) {
    const first = maddrToMfn(address);
    taken.add(first, frames(address + size) - first);
  }
  const found: ChosenBank[] = [];
  for (const node of tree.byPath('/chosen')?.children ?? []) {
    for (const bank of banksOf(memory, node)) {
      if (taken.overlaps(bank.mfn, bank.count)) continue;
      taken.add(bank.mfn, bank.count);
      found.push({ node, ...bank });
    }
  }
  return found;
}

/** Gives the banks of a domain of `/chosen` to the heap, for the domain to take. */
export function releaseChosenBanks(xen: Xen, node: DeviceNode): void {
  for (const bank of xen.platform.staticBanks) if (bank.node === node) xen.heap.add(bank.mfn, bank.count);
}
