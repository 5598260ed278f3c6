/** Deassign platform device from domain: when a domain is destroyed, its devices leave it before its memory goes to others. */
import type { Expect } from '../../src/check/index.js';
import { pa } from '../../src/hw/address.js';
import type { DmaResult } from '../../src/hw/machine.js';
import { created, denied, hardwareDomainPage, learnt, reaches, unreachable, withoutCommand } from '../arranging.js';
import { check } from '../bench.js';
import { GUEST_RAM, type PlatformRole } from '../devices.js';
import { nameOf } from '../guest-bench.js';
import type { PassthroughBench } from '../passthrough-bench.js';
import { ofEachKind, reachesOnAllStreams, unreachableOnAllStreams, wanted } from './driving.js';

const ID = 'XenSwdgn~passthrough_deassign_dt_dev_from_dom~1';
const DMA = { aspect: 'dma' };

const PAGE = 0x1000;
/** Small, so that every page can be looked at after every step. */
const MEMORY = 16 * PAGE;
const ESRCH = -3;
const EINVAL = -22;

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

/** The warm translations of devices: each has just reached every page, on each of its streams. */
function warmUp(expect: Expect, bench: PassthroughBench, devices: readonly PlatformRole[], domid: number): void {
  for (const device of devices) for (const address of PAGES) reachesOnAllStreams(expect, bench, device, domid, address);
}

/** Devices that make requests. */
function busyDevices(bench: PassthroughBench): PlatformRole[] {
  return ofEachKind(bench).filter(({ streams }) => streams.length > 0);
}

/** Devices that never rest, so that the IOMMU has translations of them until the moment that they lose them. */
function restless(bench: PassthroughBench, devices: readonly PlatformRole[]): () => void {
  return () => {
    for (const device of devices) {
      for (const stream of device.streams.keys())
        for (const at of [0, 1]) bench.dmaRead(device, PAGES[at] ?? 0, { stream });
    }
  };
}

check(ID, 'no device writes into memory that its dying domain has lost', DMA, ({ bench, expect }) => {
  const { severalStreams, withInterrupt, withoutInterrupt } = bench.devices.platform;
  const platform = ofEachKind(bench).map((device) => wanted(bench, device));
  const d1 = created(expect, bench.create({ memory: MEMORY, platform }));
  const pages = machinePages(expect, bench, d1);
  const foreign = hardwareDomainPage(bench);
  warmUp(expect, bench, busyDevices(bench), d1);
  // What Xen has written over, it has taken back.
  const taken = new Set<number>();
  bench.machine.observer.onAccess(({ kind, actor, address }) => {
    const page = address - (address % PAGE);
    if (actor === 'xen' && kind === 'store' && pages.includes(page)) taken.add(page);
  });
  // After every access that Xen makes, two devices write at once, and one begins a write that lands a little later.
  const strays: string[] = [];
  const flights: (() => DmaResult | undefined)[] = [];
  let landedInTime = 0;
  let step = 0;
  const probe = () => {
    const next = PAGES[step++ % PAGES.length] as number;
    const stream = step % severalStreams.streams.length;
    for (const [device, address] of [
      [severalStreams, next],
      [withInterrupt, next],
      [withInterrupt, GUEST_RAM],
      [withInterrupt, foreign],
    ] as const) {
      const { landed } = bench.dmaWrite(device, address, { stream: device === severalStreams ? stream : 0 });
      if (landed === undefined) continue;
      const page = landed - (landed % PAGE);
      if (pages.includes(page) && !taken.has(page)) landedInTime++;
      else strays.push(`${nameOf(device)} at step ${step}`);
    }
    flights.push(bench.dmaStart(withoutInterrupt, step % 2 === 0 ? GUEST_RAM : next, bench.ledger.pattern()));
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
  for (const device of busyDevices(bench)) {
    for (const stream of device.streams.keys()) {
      denied(expect, bench.dmaWrite(device, GUEST_RAM, { stream }), `write of ${nameOf(device)} after all`);
    }
  }
  expect.ok(areClean(bench, pages), 'and nothing is now');
});

check(ID, "the next owners of a dead domain's frames and tags are out of reach of its devices", DMA, (given) => {
  const { bench, expect } = given;
  const { severalStreams, withInterrupt } = bench.devices.platform;
  // A domain without devices has a tag at the CPUs and none at the IOMMU: from here on they differ.
  created(expect, bench.create({ memory: MEMORY }));
  const devices = [severalStreams, withInterrupt];
  const d1 = created(expect, bench.create({ memory: MEMORY, devices }));
  const old = machinePages(expect, bench, d1);
  warmUp(expect, bench, devices, d1);
  expect.equal(
    bench.between(restless(bench, devices), () => bench.destroy(d1)),
    0,
    'the domain is destroyed',
  );
  bench.ledger.forget(d1);

  // The frames go to a domain without devices, while the old devices go on writing.
  const strays: string[] = [];
  const probe = () => {
    for (const device of devices) {
      if (bench.dmaWrite(device, GUEST_RAM).landed !== undefined) strays.push(nameOf(device));
    }
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
  const d3 = created(expect, bench.create({ memory: MEMORY, devices: [severalStreams] }));
  const left = PAGES.map((address) => ({ address, pattern: bench.ledger.pattern() }));
  for (const { address, pattern } of left) expect.ok(bench.store(d2, address, pattern).ok, 'd2 uses its memory');
  warmUp(expect, bench, [severalStreams], d3);
  for (const address of [...PAGES, ...frames])
    unreachable(expect, bench, withInterrupt, address, 'nobody has the device');
  for (const page of frames)
    unreachableOnAllStreams(expect, bench, severalStreams, page, 'memory of d2, by its machine address');
  for (const { address, pattern } of left) {
    expect.equal(bench.load(d2, address), pattern, 'the memory of d2 is as d2 left it');
  }
});

check(ID, 'all devices of a dead domain are free, and of no use to anybody until they are assigned', DMA, (given) => {
  const { bench, expect } = given;
  const { withoutInterrupt, hardwareDomains, withInterrupt, severalStreams } = bench.devices.platform;
  const memory = bench.ramOf(0).address + 0x10_0000;
  const d1 = created(expect, bench.create({ memory: MEMORY, devices: [severalStreams, withInterrupt] }));
  const devices = [severalStreams, withInterrupt, withoutInterrupt, hardwareDomains];
  expect.equal(bench.assign(d1, withoutInterrupt), 0, 'one is assigned at run time');
  expect.equal(bench.deassign(0, hardwareDomains), 0, 'the hardware domain gives one up');
  expect.equal(bench.assign(d1, hardwareDomains), 0, 'it is assigned at run time too');
  const d2 = created(expect, bench.create({ memory: MEMORY, passthrough: 'enabled' }));
  warmUp(expect, bench, devices, d1);
  for (const device of devices) expect.ok(bench.assign(d2, device) < 0, `${device.path} is not free`);

  expect.equal(bench.destroy(d1), 0, 'the domain is destroyed');
  expect.equal(bench.destroy(d1), ESRCH, 'it cannot be destroyed twice');

  bench.ledger.forget(d1);
  for (const device of devices) {
    unreachableOnAllStreams(expect, bench, device, GUEST_RAM, 'memory of its old domain');
    unreachableOnAllStreams(expect, bench, device, memory, 'memory of the hardware domain');
    expect.equal(bench.deassign(d1, device), ESRCH, 'there is no domain to take it from');
    expect.equal(bench.testAssign(d2, device), 0, `${device.path} is free`);
    expect.equal(bench.assign(d2, device), 0, `${device.path} is assigned`);
  }
  warmUp(expect, bench, devices, d2);
});

/**
 * Destroys a domain of two devices that never rest while the IOMMU cannot execute one of Xen's commands.
 * @param spoilt which command it is, from 0
 * @returns whether Xen gave that many
 */
function destroyWithout(expect: Expect, bench: PassthroughBench, spoilt: number): boolean {
  const { severalStreams, withInterrupt, withoutInterrupt } = bench.devices.platform;
  const devices = [severalStreams, withInterrupt];
  const d1 = created(expect, bench.create({ memory: MEMORY, devices }));
  const pages = PAGES.slice(0, 4).map((address) => learnt(expect, bench, d1, address).mfn * PAGE);
  const busy = () => {
    for (const device of devices)
      for (const stream of device.streams.keys()) bench.dmaRead(device, GUEST_RAM, { stream });
  };
  for (const device of devices) reachesOnAllStreams(expect, bench, device, d1, GUEST_RAM);
  const result = withoutCommand(bench, spoilt, busy, () => bench.destroy(d1));
  if (result === undefined) return false;

  expect.ok(result < 0, `without command ${spoilt}, the destruction does not succeed`);
  expect.ok(!pages.some((page) => areClean(bench, [page])), 'the domain keeps its memory');
  const left = devices.filter((device) => !bench.dmaWrite(device, GUEST_RAM).ok);
  expect.ok(left.length > 0, 'one of the devices has left');
  expect.equal(bench.assign(d1, withoutInterrupt), EINVAL, 'a domain that is half destroyed is given no device');
  expect.equal(bench.load(d1, GUEST_RAM), undefined, 'nor does it run');
  // A domain that comes in between shares nothing with the one that is still there.
  const d2 = created(expect, bench.create({ memory: MEMORY, devices: [withoutInterrupt] }));
  for (const address of PAGES.slice(0, 4)) reaches(expect, bench, withoutInterrupt, d2, address);

  const writing = () => {
    for (const device of devices)
      for (const stream of device.streams.keys()) bench.dmaWrite(device, GUEST_RAM, { stream });
  };
  expect.equal(
    bench.between(writing, () => bench.destroy(d1)),
    0,
    'the second time it succeeds',
  );
  bench.ledger.forget(d1);
  expect.ok(areClean(bench, pages), 'its memory has been taken, and nothing was written into it afterwards');
  for (const device of devices) unreachableOnAllStreams(expect, bench, device, GUEST_RAM, 'nobody has the device');
  const d3 = created(expect, bench.create({ memory: MEMORY, devices }));
  for (const device of devices) reachesOnAllStreams(expect, bench, device, d3, GUEST_RAM);
  for (const address of PAGES.slice(0, 4)) reaches(expect, bench, withoutInterrupt, d2, address);
  for (const domid of [d2, d3]) {
    expect.equal(bench.destroy(domid), 0, 'these go without a word');
    bench.ledger.forget(domid);
  }
  return true;
}

check(
  ID,
  'whichever command the IOMMU fails at, memory stays until every device has left, and none keeps the others',
  { aspect: 'structures in memory' },
  ({ bench, expect }) => {
    let tried = 0;
    while (destroyWithout(expect, bench, tried)) tried++;
    expect.ok(tried > 0, 'Xen gives commands to take the devices away');
  },
);
