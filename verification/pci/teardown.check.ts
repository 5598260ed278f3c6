/**
 * Deassign PCI device from domain: when a domain is destroyed, its devices leave it before its memory goes to others.
 */
import type { Expect } from '../../src/check/index.js';
import { pa } from '../../src/hw/address.js';
import { type DmaResult, formatSbdf, type Sbdf } from '../../src/hw/machine.js';
import { created, denied, learnt, reaches, unreachable } from '../arranging.js';
import { check } from '../bench.js';
import { GUEST_RAM, pciDevicesOf } from '../devices.js';
import type { PassthroughBench } from '../passthrough-bench.js';

const ID = 'XenSwdgn~passthrough_deassign_pci_dev_from_dom~1';
const DMA = { aspect: 'dma' };

const PAGE = 0x1000;
/** Small, so that every page can be looked at after every step. */
const MEMORY = 16 * PAGE;
const ESRCH = -3;
const EINVAL = -22;

/** The devices of these checks. */
function rolesOf(bench: PassthroughBench) {
  const { kept, hardwareDomains } = pciDevicesOf(bench);
  const { first: once, second: stays } = hardwareDomains;
  // Three devices kept for passthrough, in two segments, one behind a bridge, and one that was the hardware domain's.
  return { ...kept, once, stays, all: [kept.first, once, kept.second, kept.apart] };
}

/** Guest addresses of a domain's pages. */
const PAGES = Array.from({ length: MEMORY / PAGE }, (_, page) => GUEST_RAM + page * PAGE);

/** The machine addresses of a domain's pages, each learnt by a store of its own. */
function machinePages(expect: Expect, bench: PassthroughBench, domid: number): number[] {
  return PAGES.map((address) => learnt(expect, bench, domid, address).mfn * PAGE);
}

/** Whether there is nothing but zeros in the pages. */
function areClean(bench: PassthroughBench, pages: readonly number[]): boolean {
  return pages.every((page) => bench.machine.memory.peek(pa(page), PAGE).every((byte) => byte === 0));
}

/** The warm translations of devices: each has just reached every page. */
function warmUp(expect: Expect, bench: PassthroughBench, devices: readonly Sbdf[], domid: number): void {
  for (const device of devices) for (const address of PAGES) reaches(expect, bench, device, domid, address);
}

check(ID, 'no device writes into memory that its dying domain has lost', DMA, ({ bench, expect }) => {
  const { first, second, apart, once, all } = rolesOf(bench);
  const d1 = created(expect, bench.create({ memory: MEMORY, devices: all }));
  const pages = machinePages(expect, bench, d1);
  warmUp(expect, bench, all, d1);
  // What Xen has written over, it has taken back.
  const taken = new Set<number>();
  bench.machine.observer.onAccess(({ kind, actor, address }) => {
    if (actor === 'xen' && kind === 'store' && pages.includes(address - (address % PAGE)))
      taken.add(address - (address % PAGE));
  });
  // After every access that Xen makes, three devices write at once, and one begins a write that lands a little later.
  const strays: string[] = [];
  const flights: (() => DmaResult | undefined)[] = [];
  let landedInTime = 0;
  let step = 0;
  const probe = () => {
    const next = PAGES[step++ % PAGES.length] as number;
    for (const device of [first, once, second]) {
      for (const address of [GUEST_RAM, next]) {
        const { landed } = bench.dmaWrite(device, address);
        if (landed === undefined) continue;
        const page = landed - (landed % PAGE);
        if (pages.includes(page) && !taken.has(page)) landedInTime++;
        else strays.push(`${formatSbdf(device)} at step ${step}`);
      }
    }
    flights.push(bench.dmaStart(apart, step % 2 === 0 ? GUEST_RAM : next, bench.ledger.pattern()));
  };

  expect.equal(
    bench.between(probe, () => bench.destroy(d1)),
    0,
    'the domain is destroyed',
  );

  bench.machine.settle();
  expect.deepEqual(strays, [], "writes that arrived in memory that was no longer the domain's");
  expect.ok(landedInTime > 0, "while the memory was still the domain's, the devices reached it");
  expect.equal(flights[0]?.()?.ok, true, 'the first write that was under way arrived');
  expect.equal(flights.at(-1)?.()?.ok, false, 'the last one did not');
  expect.equal(taken.size, pages.length, 'Xen has taken every page');
  expect.ok(areClean(bench, pages), 'nothing was written into a page after Xen had taken it');
  for (const device of all) {
    for (const address of PAGES)
      denied(expect, bench.dmaWrite(device, address), `write of ${formatSbdf(device)} after all`);
  }
  expect.ok(areClean(bench, pages), 'and nothing is now');
});

check(
  ID,
  "the next owners of a dead domain's frames and tags are out of reach of its devices",
  DMA,
  ({ bench, expect }) => {
    const { first, once } = rolesOf(bench);
    // A domain without devices has a tag at the CPUs and none at the IOMMU: from here on they differ.
    created(expect, bench.create({ memory: MEMORY }));
    const d1 = created(expect, bench.create({ memory: MEMORY, devices: [first, once] }));
    const old = machinePages(expect, bench, d1);
    warmUp(expect, bench, [first, once], d1);
    // The devices never rest, so the IOMMU has translations of them until the moment that they lose them.
    const busy = () => {
      for (const device of [first, once]) bench.dmaRead(device, GUEST_RAM);
    };
    expect.equal(
      bench.between(busy, () => bench.destroy(d1)),
      0,
      'the domain is destroyed',
    );
    bench.ledger.forget(d1);

    // The frames go to a domain without devices, while the old devices go on writing.
    const strays: string[] = [];
    const probe = () => {
      for (const device of [first, once])
        if (bench.dmaWrite(device, GUEST_RAM).landed !== undefined) strays.push(formatSbdf(device));
    };
    const d2 = created(
      expect,
      bench.between(probe, () => bench.create({ memory: MEMORY })),
    );
    expect.deepEqual(strays, [], 'writes that arrived while the next domain was created');
    const frames = machinePages(expect, bench, d2);
    expect.ok(
      frames.some((page) => old.includes(page)),
      'it has frames of the dead domain',
    );
    // The tag goes to a domain that has one of the devices, at the same addresses, and other frames.
    const d3 = created(expect, bench.create({ memory: MEMORY, devices: [first] }));
    const left = PAGES.map((address) => ({ address, pattern: bench.ledger.pattern() }));
    for (const { address, pattern } of left) expect.ok(bench.store(d2, address, pattern).ok, 'd2 uses its memory');

    warmUp(expect, bench, [first], d3);
    for (const address of [...PAGES, ...frames]) unreachable(expect, bench, once, address, 'nobody has the device');
    for (const page of frames) unreachable(expect, bench, first, page, 'memory of d2 at its machine address');

    for (const { address, pattern } of left) {
      expect.equal(bench.load(d2, address), pattern, 'the memory of d2 is as d2 left it');
    }
  },
);

check(
  ID,
  'a device that a domain was given at run time leaves it as those do that it had from the beginning',
  DMA,
  ({ bench, expect }) => {
    const { first, second, apart, once } = rolesOf(bench);
    const d1 = created(expect, bench.create({ memory: MEMORY, devices: [first] }));
    for (const device of [once, apart]) expect.equal(bench.assign(d1, device), 0, 'assigned at run time');
    const given = [first, once, apart];
    warmUp(expect, bench, given, d1);

    expect.equal(bench.destroy(d1), 0, 'the domain is destroyed');
    bench.ledger.forget(d1);

    // Frames and tag go to others.
    machinePages(expect, bench, created(expect, bench.create({ memory: MEMORY })));
    const d3 = created(expect, bench.create({ memory: MEMORY, devices: [second] }));
    for (const device of given) {
      for (const address of PAGES) unreachable(expect, bench, device, address, 'nobody has the device');
    }
    warmUp(expect, bench, [second], d3);
    for (const device of given) expect.equal(bench.assign(d3, device), 0, 'the device is free');
    warmUp(expect, bench, given, d3);
  },
);

check(
  ID,
  "all devices of a dead domain are free, and are nobody's until they are assigned",
  DMA,
  ({ bench, expect }) => {
    const { stays, all } = rolesOf(bench);
    const memory = bench.ramOf(0).address + 0x10_0000;
    const d1 = created(expect, bench.create({ memory: MEMORY, devices: all }));
    const d2 = created(expect, bench.create({ memory: MEMORY, passthrough: 'enabled' }));
    warmUp(expect, bench, all, d1);
    for (const device of all) expect.ok(bench.assign(d2, device) < 0, `${formatSbdf(device)} is not free`);

    expect.equal(bench.destroy(d1), 0, 'the domain is destroyed');

    bench.ledger.forget(d1);
    for (const device of all) {
      unreachable(expect, bench, device, GUEST_RAM, 'memory of its old domain');
      unreachable(expect, bench, device, memory, 'memory of the hardware domain');
      expect.equal(bench.deassign(d1, device), ESRCH, 'there is no domain to take it from');
    }
    reaches(expect, bench, stays, 0, memory);
    for (const device of all) {
      expect.equal(bench.testAssign(d2, device), 0, `${formatSbdf(device)} is free`);
      expect.equal(bench.assign(d2, device), 0, `${formatSbdf(device)} is assigned`);
    }
    warmUp(expect, bench, all, d2);
  },
);

/**
 * Destroys a domain of two devices that never rest while the IOMMU cannot execute one of Xen's commands: it finds an
 * opcode there that it does not know, stops, and says so (Arm IHI 0070 7.1).
 * @param spoilt which command it is, from 0
 * @returns whether Xen gave that many
 */
function destroyWithout(expect: Expect, bench: PassthroughBench, spoilt: number): boolean {
  const { first, second, once, stays } = rolesOf(bench);
  const d1 = created(expect, bench.create({ memory: MEMORY, devices: [first, once] }));
  const pages = machinePages(expect, bench, d1);
  const busy = () => {
    for (const device of [first, once]) for (const address of PAGES.slice(0, 4)) bench.dmaRead(device, address);
  };
  let commands = 0;
  bench.machine.observer.onAccess(({ kind, actor, address, width }) => {
    if (actor !== 'xen' || kind !== 'store' || width !== 16) return;
    if (commands === spoilt) bench.pokeWord(address, 0xff);
    commands++;
  });
  const result = bench.between(busy, () => bench.destroy(d1));
  if (commands <= spoilt) return false;

  expect.ok(result < 0, `without command ${spoilt}, the destruction does not succeed`);
  expect.ok(!pages.some((page) => areClean(bench, [page])), 'the domain keeps its memory');
  const left = [first, once].filter((device) => !bench.dmaWrite(device, GUEST_RAM).ok);
  expect.ok(left.length > 0, 'one of the devices has left');
  expect.equal(bench.assign(d1, second), EINVAL, 'a domain that is half destroyed is given no device');
  expect.equal(bench.load(d1, GUEST_RAM), undefined, 'nor does it run');
  // A domain that comes in between shares nothing with the one that is still there.
  const d2 = created(expect, bench.create({ memory: MEMORY, devices: [stays] }));
  for (const address of PAGES) reaches(expect, bench, stays, d2, address);

  expect.equal(
    bench.between(busy, () => bench.destroy(d1)),
    0,
    'the second time it succeeds',
  );
  bench.ledger.forget(d1);
  expect.ok(areClean(bench, pages), 'its memory has been taken');
  // Frames go to the one that has no devices, and tags to the other.
  machinePages(expect, bench, created(expect, bench.create({ memory: MEMORY })));
  const d4 = created(expect, bench.create({ memory: MEMORY, devices: [second] }));
  for (const address of PAGES) {
    for (const device of [first, once]) unreachable(expect, bench, device, address, 'nobody has the device');
    reaches(expect, bench, stays, d2, address);
    reaches(expect, bench, second, d4, address);
  }
  return true;
}

check(
  ID,
  'whichever command the IOMMU fails at, memory stays until every device has left, and none keeps the others',
  DMA,
  ({ bench, expect }) => {
    let tried = 0;
    for (let more = true; more; ) {
      const fresh = bench.powerOnAnother();
      fresh.boot();
      more = destroyWithout(expect, fresh, tried);
      if (more) tried++;
    }
    expect.ok(tried > 0, 'Xen gives commands to take the devices away');
  },
);
