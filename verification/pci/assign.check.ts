/** Support assignment of PCI devices: DMA. An assigned device reaches the memory of its domain, all of that and no other. */
import type { Expect } from '../../src/check/index.js';
import type { DmaResult } from '../../src/hw/machine.js';
import { created, hardwareDomainPage, learnt, MIB, machineAddress, reaches, unreachable } from '../arranging.js';
import { check } from '../bench.js';
import { GUEST_RAM, pciDevicesOf } from '../devices.js';
import { nameOf } from '../guest-bench.js';
import type { PassthroughBench } from '../passthrough-bench.js';
import { enablePhantomFunctions } from './driving.js';

const ID = 'XenSwdgn~passthrough_support_assign_pci_devs~1';
const DMA = { aspect: 'dma' };

const PAGE = 0x1000;

check(ID, 'an assigned device reaches the memory of its domain, and no other', DMA, ({ bench, expect }) => {
  const { kept, hardwareDomains } = pciDevicesOf(bench);
  const devices = [kept.first, kept.second, hardwareDomains.first, hardwareDomains.apart];
  const d1 = created(expect, bench.create({ memory: MIB, passthrough: 'enabled' }));
  const d2 = created(expect, bench.create({ memory: MIB, devices: [kept.apart] }));
  const foreign = learnt(expect, bench, d2, GUEST_RAM + PAGE).mfn * PAGE;
  const own = learnt(expect, bench, d1, GUEST_RAM + PAGE).mfn * PAGE;
  for (const device of devices) {
    unreachable(expect, bench, device, GUEST_RAM, 'the device is not assigned');

    expect.equal(bench.assign(d1, device), 0, `${nameOf(device)} is assigned`);

    for (const address of [GUEST_RAM, GUEST_RAM + PAGE, GUEST_RAM + MIB - 4]) {
      reaches(expect, bench, device, d1, address);
    }
    for (const address of [GUEST_RAM + MIB, foreign, own, hardwareDomainPage(bench)]) {
      unreachable(expect, bench, device, address, 'no memory of its domain is there');
    }
  }
  for (const address of [GUEST_RAM, GUEST_RAM + PAGE]) reaches(expect, bench, kept.apart, d2, address);
  reaches(expect, bench, hardwareDomains.second, 0, hardwareDomainPage(bench));
});

check(ID, 'an assignment changes one function, of one segment, and no other', DMA, ({ bench, expect }) => {
  // 00:02.0 is there in both segments, and 00:01.0 too.
  const { kept, hardwareDomains, oneDevice } = pciDevicesOf(bench);
  const memory = hardwareDomainPage(bench);
  const theirs = [
    hardwareDomains.first,
    hardwareDomains.second,
    hardwareDomains.apart,
    oneDevice.first,
    oneDevice.second,
  ];
  const given: (typeof kept.first)[] = [];
  const d1 = created(expect, bench.create({ memory: MIB, passthrough: 'enabled' }));
  for (const device of [kept.apart, kept.first, hardwareDomains.apart]) {
    expect.equal(bench.assign(d1, device), 0, `${nameOf(device)} is assigned`);
    given.push(device);
    for (const each of given) reaches(expect, bench, each, d1, GUEST_RAM);
    for (const other of theirs) if (!given.includes(other)) reaches(expect, bench, other, 0, memory);
    for (const other of Object.values(kept)) {
      if (!given.includes(other)) unreachable(expect, bench, other, GUEST_RAM, 'it is not assigned');
    }
  }
});

check(ID, 'a device that is assigned when its domain is created is as one that is assigned later', DMA, (args) => {
  const { bench, expect } = args;
  const { kept, hardwareDomains } = pciDevicesOf(bench);
  const d1 = created(expect, bench.create({ memory: MIB, devices: [kept.second, hardwareDomains.first] }));
  expect.equal(bench.assign(d1, kept.first), 0, 'a third device is assigned');
  for (const device of [kept.first, kept.second, hardwareDomains.first]) {
    for (const address of [GUEST_RAM, GUEST_RAM + MIB - 4]) reaches(expect, bench, device, d1, address);
    unreachable(expect, bench, device, hardwareDomainPage(bench), 'memory of the hardware domain');
  }
});

check(ID, 'while a device changes hands, it reaches its old domain, then nothing, then the new one', DMA, (args) => {
  const { bench, expect } = args;
  const { first: device, second: stays } = pciDevicesOf(bench).hardwareDomains;
  // Where the hardware domain has its memory, this guest has none, and the other way round.
  const old = hardwareDomainPage(bench);
  const d1 = created(expect, bench.create({ memory: MIB, passthrough: 'enabled' }));
  const page = machineAddress(expect, bench, d1, GUEST_RAM);
  reaches(expect, bench, device, 0, old);
  const seen: string[] = [];
  const flights: (() => DmaResult | undefined)[] = [];
  const see = () => {
    const [ofOld, ofNew] = [bench.dmaWrite(device, old).landed, bench.dmaWrite(device, GUEST_RAM).landed];
    const strange = (ofOld ?? old) !== old || (ofNew ?? page) !== page || (ofOld !== undefined && ofNew !== undefined);
    const what = strange ? 'elsewhere' : ofOld !== undefined ? 'old' : ofNew !== undefined ? 'new' : 'nothing';
    if (seen.at(-1) !== what) seen.push(what);
    flights.push(bench.dmaStart(device, old + 8, bench.ledger.pattern()));
  };

  expect.equal(
    bench.between(see, () => bench.assign(d1, device)),
    0,
    'the device is assigned',
  );

  const mark = bench.ledger.pattern();
  expect.ok(bench.store(0, old + 8, mark).ok, 'the hardware domain uses its memory');
  see();
  expect.deepEqual(seen, ['old', 'nothing', 'new'], 'what the device reaches, one after the other');
  bench.machine.settle();
  expect.equal(bench.load(0, old + 8), mark, 'no write that was under way arrives at the old owner after the call');
  expect.equal(flights[0]?.()?.ok, true, 'the first one arrived before');
  reaches(expect, bench, device, d1, GUEST_RAM);
  reaches(expect, bench, stays, 0, old);
});

check(ID, 'at once after the call a device reaches its new domain, whatever it did for the old one', DMA, (args) => {
  const { bench, expect } = args;
  // How long the IOMMU takes to forget differs from machine to machine.
  for (const seed of [1, 2, 3, 4]) changesAtOnce(expect, bench.powerOnAnother(seed), seed > 2);
});

/** Assigns a busy device of the hardware domain. `known`: the domain has another device at the IOMMU already. */
function changesAtOnce(expect: Expect, fresh: PassthroughBench, known: boolean): void {
  fresh.boot();
  const { kept, hardwareDomains } = pciDevicesOf(fresh);
  const { first: device } = hardwareDomains;
  const old = hardwareDomainPage(fresh);
  const pages = [old, old + PAGE, old + 2 * PAGE];
  const d1 = created(expect, fresh.create({ memory: MIB, passthrough: 'enabled', devices: known ? [kept.first] : [] }));
  const addresses = [GUEST_RAM, GUEST_RAM + PAGE, GUEST_RAM + 2 * PAGE];
  const own = addresses.map((address) => machineAddress(expect, fresh, d1, address));
  for (const page of pages) reaches(expect, fresh, device, 0, page);
  const busy = () => {
    for (const page of pages) fresh.dmaRead(device, page);
    for (const address of addresses) fresh.dmaRead(device, address);
  };

  const assigned = fresh.between(busy, () => fresh.assign(d1, device));

  const landed = addresses.map((address) => fresh.dmaWrite(device, address).landed);
  const leaked = pages.map((page) => fresh.dmaWrite(device, page).landed);
  expect.deepEqual({ assigned, landed }, { assigned: 0, landed: own }, 'it reaches the memory of its new domain');
  expect.deepEqual(leaked, [undefined, undefined, undefined], 'it reaches none of the old one');
}

check(
  ID,
  'a device is assigned under every function number that its requests can have',
  { aspect: 'phantom functions' },
  (args) => {
    const { bench, expect } = args;
    const { phantom, kept } = pciDevicesOf(bench);
    if (phantom === undefined) return expect.fail('the board has a function with phantom functions');
    enablePhantomFunctions(bench, phantom);
    // Its own, and number 4, as the board file says.
    const numbers = [undefined, 4];
    const as = (fn: number | undefined) => (fn === undefined ? {} : { phantom: fn });
    const old = hardwareDomainPage(bench);
    for (const fn of numbers) reaches(expect, bench, phantom, 0, old, as(fn));
    const d1 = created(expect, bench.create({ memory: MIB, devices: [kept.first] }));

    expect.equal(bench.assign(d1, phantom), 0, 'the device is assigned');

    for (const fn of numbers) {
      reaches(expect, bench, phantom, d1, GUEST_RAM, as(fn));
      unreachable(expect, bench, phantom, old, `as function ${fn ?? 0}, memory of the hardware domain`, as(fn));
    }
    const d2 = created(expect, bench.create({ memory: MIB, passthrough: 'enabled' }));
    expect.equal(bench.deassign(d1, phantom), 0, 'the device is taken back');
    expect.equal(bench.assign(d2, phantom), 0, 'another domain gets it');
    for (const fn of numbers) reaches(expect, bench, phantom, d2, GUEST_RAM + PAGE, as(fn));
  },
);
