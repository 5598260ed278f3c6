/** Direct-mapped domains: memory, interrupt controller and devices where the machine has them. */
import { encodeFdt } from '../../src/firmware/fdt.js';
import { created, hardwareDomainPage, learnt, MIB, nobodysPage, unreachable } from '../arranging.js';
import { check } from '../bench.js';
import type { BenchDomainConfig } from '../control-bench.js';
import { cannotUse, uses } from '../device-registers.js';
import { GUEST_RAM, type PlatformRole } from '../devices.js';
import { domainNode } from '../domain-blob.js';
import type { PassthroughBench } from '../passthrough-bench.js';
import { hostRegions, passthroughTree } from '../passthrough-tree.js';
import {
  hasAllRegisters,
  lacksAllRegisters,
  reachesOnAllStreams,
  takesInterrupts,
  takesNoInterrupts,
  wanted,
} from './driving.js';

const ID = 'XenSwdgn~passthrough_support_creation_direct_mapped_doms~1';
const PAGE = 0x1000;
const ENOMEM = -12;
const EINVAL = -22;
/** Where other domains see their distributor (GUEST_GICV3_GICD_BASE, GUEST_GICD_BASE of arch-arm.h). */
const GUEST_DISTRIBUTOR = 0x0300_1000;

interface Bank {
  readonly address: number;
  readonly size: number;
}

const spanOf = ({ address, size }: Bank): Bank => ({ address, size });

/** RAM that nobody has after a boot, below and above 4 GiB: not in the order of addresses, the second one for the tree. */
function banksOf(bench: PassthroughBench): readonly [Bank, Bank, Bank] {
  const lowest = bench.machine.memory.ranges[0]?.address ?? 0;
  const high = nobodysPage(bench);
  return [
    { address: high, size: 3 * PAGE },
    { address: lowest + 0x4000_0000, size: 16 * PAGE },
    { address: high + MIB, size: PAGE },
  ];
}

/** A direct-mapped domain of these banks. */
function direct(banks: readonly Bank[]): { memory: number; staticMemory: readonly Bank[]; directMap: true } {
  return { memory: banks.reduce((sum, { size }) => sum + size, 0), staticMemory: banks, directMap: true };
}

check(ID, "every page of every bank is where the machine has it, and nothing beside is the domain's", (given) => {
  const { bench, expect } = given;
  const banks = banksOf(bench);
  const d1 = created(expect, bench.create(direct(banks)));
  const d2 = created(expect, bench.create({ memory: MIB }));
  const told = bench.guestTree(d1).root.children.find((node) => node.name.startsWith('memory@'));
  const byAddress = banks.toSorted((a, b) => a.address - b.address);
  expect.deepEqual(told?.reg().map(spanOf), byAddress, 'the domain is told of its banks');
  for (const { address, size } of banks) {
    for (let at = address; at < address + size; at += PAGE) {
      expect.equal(learnt(expect, bench, d1, at).mfn * PAGE, at, 'the page is at its own machine address');
    }
    cannotUse(expect, bench, d1, address - PAGE, 'the page before the bank');
    cannotUse(expect, bench, d1, address + size, 'the page behind the bank');
    expect.equal(bench.load(d2, address), undefined, 'another domain does not reach the bank');
  }
  for (const address of [GUEST_RAM, hardwareDomainPage(bench)])
    cannotUse(expect, bench, d1, address, 'not of its banks');
});

check(ID, 'a device reaches the pages of its direct-mapped domain at their machine addresses', ({ bench, expect }) => {
  const { severalStreams } = bench.devices.platform;
  const banks = banksOf(bench);
  const d1 = created(expect, bench.create({ ...direct(banks), devices: [severalStreams] }));
  for (const { address, size } of banks) {
    for (const at of [address, address + size - PAGE]) {
      expect.equal(learnt(expect, bench, d1, at).mfn * PAGE, at, 'the page is at its own machine address');
      reachesOnAllStreams(expect, bench, severalStreams, d1, at);
    }
    for (const at of [address - PAGE, address + size]) {
      unreachable(expect, bench, severalStreams, at, 'beside the bank');
    }
  }
  unreachable(expect, bench, severalStreams, hardwareDomainPage(bench), 'memory of the hardware domain');
});

check(ID, 'interrupt controller and devices are where the machine has them, and work there', ({ bench, expect }) => {
  const { withInterrupt, severalStreams } = bench.devices.platform;
  const controllers = ['arm,gic-v3', 'arm,gic-400'];
  const host = controllers.flatMap((model) => bench.hostTree.compatible(model))[0];
  const registers = hostRegions(bench.hostTree, host?.path ?? '').slice(0, 2);
  const [distributor = { address: 0 }] = registers;
  const config = { ...direct([{ address: nobodysPage(bench), size: MIB }]), vcpus: 2 };
  const d1 = created(expect, bench.create({ ...config, devices: [withInterrupt, severalStreams] }));
  const d2 = created(expect, bench.create({ memory: MIB }));
  const tree = bench.guestTree(d1);
  const own = controllers.flatMap((model) => tree.compatible(model))[0];
  expect.deepEqual(own?.reg().map(spanOf), registers, 'the domain is told of the controller where the machine has it');
  // GICD_TYPER; of a redistributor and of a CPU interface, their second word.
  for (const { address } of registers) expect.ok(bench.load(d1, address + 4) !== undefined, 'it answers there');
  cannotUse(expect, bench, d1, GUEST_DISTRIBUTOR, 'where other domains have their controller');
  expect.ok(bench.load(d2, GUEST_DISTRIBUTOR + 4) !== undefined, 'another domain has its own there');
  expect.equal(bench.load(d2, distributor.address + 4), undefined, 'and none where the machine has it');
  const controller = bench.interruptController(d1, 2);
  for (const device of [withInterrupt, severalStreams]) {
    hasAllRegisters(expect, bench, d1, device);
    takesInterrupts(expect, bench, d1, device, controller);
  }
});

/** A device that makes requests past every IOMMU. */
interface Unprotected {
  readonly bench: PassthroughBench;
  readonly device: PlatformRole;
  /** Whether it really does. */
  readonly makesRequests: boolean;
}

/**
 * On a board without such a device, a boot loader says of one that it makes requests: whether it may be assigned is the
 * same question, only that nothing can be seen of its requests.
 */
function unprotectedOn(bench: PassthroughBench): Unprotected {
  const { unprotected, withoutDma } = bench.devices.platform;
  if (unprotected !== undefined) return { bench, device: unprotected, makesRequests: true };
  const other = bench.powerOnAnother(undefined, (tree) => {
    tree.byPath(withoutDma.path)?.properties.set('dma-noncoherent', new Uint8Array(0));
  });
  other.boot();
  return { bench: other, device: withoutDma, makesRequests: false };
}

check(ID, 'a device that no IOMMU protects reaches the memory of its direct-mapped domain as it is', (given) => {
  const { expect } = given;
  const { bench, device, makesRequests } = unprotectedOn(given.bench);
  const banks = banksOf(bench);
  const d1 = created(expect, bench.create({ ...direct(banks), platform: [wanted(bench, device)] }));
  const controller = bench.interruptController(d1);
  for (const { address, size } of banks) {
    for (const at of [address, address + size - PAGE]) {
      expect.equal(learnt(expect, bench, d1, at).mfn * PAGE, at, 'the page is at its own machine address');
      if (!makesRequests) continue;
      expect.equal(bench.dmaWrite(device, at).landed, at, 'the write of the device arrives in it');
      expect.equal(bench.load(d1, at), bench.peekWord(at), 'the domain finds it there');
      expect.equal(bench.dmaRead(device, at).word, bench.load(d1, at), 'the device reads it from there');
    }
  }
  takesInterrupts(expect, bench, d1, device, controller);
  const [{ address, size } = { address: 0, size: 0 }] = hostRegions(bench.hostTree, device.path);
  uses(expect, bench, d1, address + size - 4);
});

check(
  ID,
  'a device that no IOMMU protects is for direct-mapped domains alone, and a refusal leaves nothing',
  (given) => {
    const { expect } = given;
    const { bench, device } = unprotectedOn(given.bench);
    const platform = [wanted(bench, device)];
    const { memory, staticMemory } = direct(banksOf(bench));
    const d1 = created(expect, bench.create({ memory: MIB }));
    const nothingIsLeft = (): void => {
      for (const domid of [0, d1]) lacksAllRegisters(expect, bench, domid, device);
      takesNoInterrupts(expect, bench, d1, device);
      // The same without the device, of the same memory.
      const again = created(expect, bench.create({ memory, staticMemory }));
      expect.equal(bench.destroy(again), 0, 'and is destroyed');
    };
    const refused = (config: BenchDomainConfig, why: string): void => {
      expect.deepEqual(bench.create(config), { error: EINVAL }, `${why}: -EINVAL`);
      nothingIsLeft();
    };
    refused({ memory: MIB, platform }, 'the domain has its memory anywhere');
    refused({ memory, staticMemory, platform }, 'its memory is named, and the domain sees it elsewhere');
    const pathless = platform.map(({ regions }) => ({ regions, force: true }));
    refused({ memory, staticMemory, platform: pathless }, 'its registers alone are its requests');
    const unforced = platform.map((one) => ({ ...one, force: false }));
    refused(
      { memory, staticMemory, directMap: true, platform: unforced },
      'nothing says that it may go without an IOMMU',
    );
    const d2 = created(expect, bench.create({ memory, staticMemory, directMap: true, platform }));
    takesInterrupts(expect, bench, d2, device);
    hasAllRegisters(expect, bench, d2, device);
  },
);

check(ID, 'memory that cannot be had where it is named makes no domain', ({ bench, expect }) => {
  const at = nobodysPage(bench);
  const bank = { address: at, size: MIB };
  const d1 = created(expect, bench.create(direct([bank])));
  const end = bench.machine.memory.ranges.map(({ address, length }) => address + length).at(-1) ?? 0;
  const modules = bench.hostTree.byPath('/reserved-memory')?.children[0]?.reg()[0] ?? { address: 0 };
  const refused = (what: string, config: BenchDomainConfig, error: number): void =>
    expect.deepEqual(bench.create(config), { error }, `${what}: ${error}`);
  const free = { address: at - MIB, size: MIB };
  const overlapping = { ...free, address: free.address - PAGE };
  refused('direct-map without named memory', { memory: MIB, directMap: true }, EINVAL);
  refused('less memory than its banks have', { ...direct([free]), memory: MIB / 2 }, EINVAL);
  refused('more memory than its banks have', { ...direct([free]), memory: 2 * MIB }, EINVAL);
  refused('banks that overlap', direct([free, overlapping]), EINVAL);
  refused('a bank that is named twice', direct([free, free]), EINVAL);
  refused('registers', direct([{ address: bench.devices.registers.three.address, size: 2 * PAGE }]), EINVAL);
  refused('a bank that leaves RAM', direct([free, { address: end - PAGE, size: 2 * PAGE }]), EINVAL);
  refused('a bank that is no whole page', direct([{ address: free.address + 0x800, size: MIB }]), EINVAL);
  refused('memory of the hardware domain', direct([{ address: bench.ramOf(0).address, size: MIB }]), ENOMEM);
  refused('what the boot loader has left', direct([{ address: modules.address, size: MIB }]), ENOMEM);
  refused('memory of another domain', direct([bank]), ENOMEM);
  refused('a bank whose last page another domain has', direct([{ ...free, size: MIB + PAGE }]), ENOMEM);
  refused('a second bank that another domain has', direct([free, { ...bank, size: PAGE }]), ENOMEM);
  expect.equal(learnt(expect, bench, d1, at).mfn * PAGE, at, 'the domain that has a bank keeps it');
  const d2 = created(expect, bench.create(direct([free])));
  expect.equal(learnt(expect, bench, d2, free.address).mfn * PAGE, free.address, 'what nobody has can be had');
});

check(ID, 'banks of a destroyed domain are clean, and can be had again', ({ bench, expect }) => {
  const banks = banksOf(bench);
  const pages = banks.flatMap(({ address, size }) => [address, address + size - PAGE]);
  const has = (domid: number): void => {
    for (const at of pages) {
      expect.equal(learnt(expect, bench, domid, at).mfn * PAGE, at, 'the page is at its own machine address');
    }
  };
  for (let time = 0; time < 2; time++) {
    const domid = created(expect, bench.create(direct(banks)));
    has(domid);
    expect.equal(bench.destroy(domid), 0, 'the domain is destroyed');
    bench.ledger.forget(domid);
    for (const at of pages) expect.equal(bench.peekWord(at), 0, 'nothing is left of what it stored');
  }
  const { memory, staticMemory } = direct(banks);
  const other = created(expect, bench.create({ memory, staticMemory }));
  const page = learnt(expect, bench, other, GUEST_RAM);
  expect.equal(
    page.mfn * PAGE,
    banks[0].address,
    'a domain that is not direct-mapped sees the first bank in its own RAM',
  );
  expect.equal(bench.load(other, banks[0].address), undefined, 'and not where the machine has it');
});

check(ID, 'a direct-mapped domain of the boot loader has its memory and its device', ({ bench, expect }) => {
  const { withInterrupt } = bench.devices.platform;
  // Where the hardware domain would be otherwise.
  const bank = { address: bench.ramOf(0).address, size: MIB };
  const module = encodeFdt(passthroughTree([wanted(bench, withInterrupt)]));
  const modules = bench.hostTree.byPath('/reserved-memory')?.children[0]?.reg()[0] ?? { address: 0 };
  const other = bench.powerOnAnother(undefined, (tree) => {
    const place = { address: modules.address, size: module.length };
    tree.root.child('chosen')?.append(domainNode(direct([bank]), place, 'domain'));
  });
  expect.equal(other.placeModule(module).address, modules.address, 'the passthrough tree is where the domain names it');
  other.boot();
  const told = other.ramOf(0);
  const apart = told.address >= bank.address + bank.size || told.address + told.length <= bank.address;
  expect.ok(apart, 'the hardware domain is elsewhere');
  const controller = other.interruptController(1);
  for (const at of [bank.address, bank.address + MIB / 2]) {
    expect.equal(learnt(expect, other, 1, at).mfn * PAGE, at, 'the page is at its own machine address');
    expect.equal(other.load(0, at), undefined, 'it is not of the hardware domain');
  }
  hasAllRegisters(expect, other, 1, withInterrupt);
  takesInterrupts(expect, other, 1, withInterrupt, controller);
  reachesOnAllStreams(expect, other, withInterrupt, 1, bank.address);
});
