/** Support deassignment of PCI devices: what a domain had of a device it has no more. DMA and registers. */
import type { Expect } from '../../src/check/index.js';
import type { DmaResult, Sbdf } from '../../src/hw/machine.js';
import {
  created,
  denied,
  hardwareDomainPage,
  learnt,
  MIB,
  machineAddress,
  reaches,
  unreachable,
} from '../arranging.js';
import { check } from '../bench.js';
import { barAddress, cannotUse, hasRegisters, lacksRegisters, uses } from '../device-registers.js';
import { GUEST_RAM, pciDevicesOf } from '../devices.js';
import { nameOf } from '../guest-bench.js';
import type { PassthroughBench } from '../passthrough-bench.js';

const ID = 'XenSwdgn~passthrough_support_deassign_pci_devs~1';
const DMA = { aspect: 'dma' };
const MMIO = { aspect: 'mmio' };

const PAGE = 0x1000;
const ENODEV = -19;
const ADDRESSES = [GUEST_RAM, GUEST_RAM + PAGE, GUEST_RAM + MIB - 4];

check(ID, 'a device that is taken from its domain reaches nothing of what it did before', DMA, ({ bench, expect }) => {
  const { kept, hardwareDomains } = pciDevicesOf(bench);
  const taken = [kept.first, kept.apart, hardwareDomains.first];
  const d1 = created(expect, bench.create({ memory: MIB, devices: [...taken, kept.second] }));
  const d2 = created(expect, bench.create({ memory: MIB, passthrough: 'enabled' }));
  const old = hardwareDomainPage(bench);
  for (const device of taken) {
    for (const address of ADDRESSES) reaches(expect, bench, device, d1, address);

    expect.equal(bench.deassign(d1, device), 0, `${nameOf(device)} is taken away`);

    for (const address of ADDRESSES) unreachable(expect, bench, device, address, 'it was reachable before');
    for (const address of ADDRESSES) reaches(expect, bench, kept.second, d1, address);
  }
  // Whoever had it before, a device that a guest has had is in quarantine.
  for (const device of taken) unreachable(expect, bench, device, old, 'it is in quarantine');
  reaches(expect, bench, hardwareDomains.second, 0, old);
  for (const device of taken) {
    expect.equal(bench.testAssign(d2, device), 0, `${nameOf(device)} is free`);
    expect.equal(bench.assign(d2, device), 0, `${nameOf(device)} is assigned to another domain`);
    for (const address of ADDRESSES) reaches(expect, bench, device, d2, address);
    expect.equal(bench.deassign(d2, device), 0, 'it is taken away again');
    unreachable(expect, bench, device, GUEST_RAM, 'no guest has the device');
    expect.equal(bench.assign(d1, device), 0, `${nameOf(device)} goes back to the first domain`);
    for (const address of ADDRESSES) reaches(expect, bench, device, d1, address);
  }
});

/** What a device reaches while an action goes on, one after the other; and how writes ended that it began meanwhile. */
function watch(bench: PassthroughBench, device: Sbdf, page: number, action: () => number) {
  const old = hardwareDomainPage(bench);
  const seen: string[] = [];
  const flights: (() => DmaResult | undefined)[] = [];
  const see = () => {
    const [ofDomain, ofNext] = [bench.dmaWrite(device, GUEST_RAM).landed, bench.dmaWrite(device, old).landed];
    const strange = (ofDomain ?? page) !== page || (ofNext ?? old) !== old;
    const both = ofDomain !== undefined && ofNext !== undefined;
    const what = ofDomain !== undefined ? 'domain' : ofNext !== undefined ? 'hardware domain' : 'nothing';
    const found = strange || both ? 'elsewhere' : what;
    if (seen.at(-1) !== found) seen.push(found);
    flights.push(bench.dmaStart(device, GUEST_RAM + 8, bench.ledger.pattern()));
  };
  const result = bench.between(see, action);
  const denied = bench.dmaWrite(device, GUEST_RAM);
  return { result, seen, flights, denied };
}

check(ID, 'while a device is taken away, it reaches its old domain, then nothing', DMA, ({ bench, expect }) => {
  const { kept, hardwareDomains } = pciDevicesOf(bench);
  const quick = bench.powerOnAnother(undefined, (tree) => {
    const options = new TextEncoder().encode('console=dtuart dom0_mem=64M iommu=no-quarantine\0');
    tree.byPath('/chosen')?.properties.set('xen,xen-bootargs', options);
  });
  quick.boot();
  const cases = [
    { on: bench, device: kept.first, next: [] },
    { on: bench, device: hardwareDomains.first, next: [] },
    // Without quarantine, a device goes back to the hardware domain, and reaches nothing in between.
    { on: quick, device: hardwareDomains.first, next: ['hardware domain'] },
  ];
  for (const { on, device, next } of cases) {
    const d1 = created(expect, on.create({ memory: MIB, devices: [device, kept.second] }));
    const page = machineAddress(expect, on, d1, GUEST_RAM);
    const { result, seen, flights, denied: after } = watch(on, device, page, () => on.deassign(d1, device));

    expect.equal(result, 0, 'the device is taken away');
    denied(expect, after, `write of ${nameOf(device)} after the call`);
    const mark = on.ledger.pattern();
    expect.ok(on.store(d1, GUEST_RAM + 8, mark).ok, 'the domain uses its memory');
    expect.deepEqual(seen, ['domain', 'nothing', ...next], `what ${nameOf(device)} reaches, one after the other`);
    on.machine.settle();
    expect.equal(on.load(d1, GUEST_RAM + 8), mark, 'no write that was under way arrives after the call');
    expect.equal(flights[0]?.()?.ok, true, 'the first one arrived before');
    expect.equal(flights.at(-1)?.()?.ok, false, 'the last one was denied');
    reaches(expect, on, kept.second, d1, GUEST_RAM);
    if (next.length > 0) reaches(expect, on, device, 0, hardwareDomainPage(on));
    expect.equal(on.deassign(d1, kept.second), 0, 'the other device can go too');
  }
});

check(ID, 'at once after the call a device reaches nothing, and its next domain alone after the next', DMA, (args) => {
  const { bench, expect } = args;
  // How long the IOMMU takes to forget differs from machine to machine.
  for (const seed of [1, 2, 3, 4]) changesAtOnce(expect, bench.powerOnAnother(seed), seed > 2);
});

/** Takes a busy device from one domain and gives it to another. `keeps`: the first keeps its tag at the IOMMU. */
function changesAtOnce(expect: Expect, fresh: PassthroughBench, keeps: boolean): void {
  fresh.boot();
  const { first: device, second } = pciDevicesOf(fresh).kept;
  const d1 = created(expect, fresh.create({ memory: MIB, devices: keeps ? [device, second] : [device] }));
  const d2 = created(expect, fresh.create({ memory: MIB, passthrough: 'enabled' }));
  const addresses = [GUEST_RAM, GUEST_RAM + PAGE, GUEST_RAM + 2 * PAGE];
  const own = addresses.map((address) => machineAddress(expect, fresh, d2, address));
  for (const address of addresses) reaches(expect, fresh, device, d1, address);
  const busy = () => {
    for (const address of addresses) fresh.dmaRead(device, address);
  };
  const landed = () => addresses.map((address) => fresh.dmaWrite(device, address).landed);

  const taken = fresh.between(busy, () => fresh.deassign(d1, device));

  const nowhere = addresses.map(() => undefined);
  expect.deepEqual(
    { taken, landed: landed() },
    { taken: 0, landed: nowhere },
    'taken away, the device reaches nothing',
  );
  const assigned = fresh.between(busy, () => fresh.assign(d2, device));
  expect.deepEqual(
    { assigned, landed: landed() },
    { assigned: 0, landed: own },
    'it reaches memory of the next domain',
  );
  if (keeps) for (const address of addresses) reaches(expect, fresh, second, d1, address);
}

check(ID, 'a domain loses the registers of a device that is taken, and those alone', MMIO, ({ bench, expect }) => {
  const { kept, hardwareDomains } = pciDevicesOf(bench);
  const devices = [kept.first, kept.apart, hardwareDomains.first];
  const d1 = created(expect, bench.create({ memory: MIB, devices: [...devices, kept.second] }));
  const d2 = created(expect, bench.create({ memory: MIB, passthrough: 'enabled' }));
  for (const device of [...devices, kept.second]) hasRegisters(expect, bench, d1, device);
  const second = barAddress(bench, kept.first, 2);
  uses(expect, bench, d1, second);

  for (const device of devices) {
    expect.equal(bench.deassign(d1, device), 0, `${nameOf(device)} is taken away`);

    for (const domid of [d1, d2]) lacksRegisters(expect, bench, domid, device);
    lacksRegisters(expect, bench, 0, device);
    hasRegisters(expect, bench, d1, kept.second);
  }
  for (const domid of [0, d1]) cannotUse(expect, bench, domid, second, 'the second base address register');
  // It may not map them again either.
  const [frame] = [barAddress(bench, kept.first, 0) / PAGE];
  expect.ok(bench.memoryMapping(d1, frame, frame, 1) < 0, 'the registers are not among those that it may have');
  for (const device of devices) {
    expect.equal(bench.assign(d2, device), 0, `${nameOf(device)} is assigned to another domain`);
    hasRegisters(expect, bench, d2, device);
    lacksRegisters(expect, bench, d1, device);
  }
});

check(ID, 'registers that a domain has elsewhere go with the device too', MMIO, ({ bench, expect }) => {
  const { kept } = pciDevicesOf(bench);
  const place = 0x2300_0000;
  const bars = [{ device: kept.first, index: 0, guest: place }];
  const d1 = created(expect, bench.create({ memory: MIB, devices: [kept.first, kept.second], bars }));
  const bar = barAddress(bench, kept.first, 0);
  uses(expect, bench, d1, place + 0x2000, bar + 0x2000);

  expect.equal(bench.deassign(d1, kept.first), 0, 'the device is taken away');

  for (let offset = 0; offset < 0x4000; offset += PAGE) cannotUse(expect, bench, d1, place + offset, 'where they were');
  lacksRegisters(expect, bench, d1, kept.first);
  hasRegisters(expect, bench, d1, kept.second);
});

check(ID, 'while a device is taken away, no domain but its old and its next one has its registers', MMIO, (args) => {
  const { bench, expect } = args;
  const { kept } = pciDevicesOf(bench);
  const device = kept.first;
  const d1 = created(expect, bench.create({ memory: MIB, devices: [device] }));
  const page = learnt(expect, bench, d1, GUEST_RAM).mfn * PAGE;
  expect.equal(bench.deassign(d1, device), 0, 'the device is taken away');
  expect.equal(bench.deassign(d1, device), ENODEV, 'it is gone');
  for (const domid of [0, d1]) lacksRegisters(expect, bench, domid, device);
  unreachable(expect, bench, device, page, 'memory of its old domain at its machine address');
  expect.equal(bench.assign(d1, device), 0, 'it comes back');
  hasRegisters(expect, bench, d1, device);
  reaches(expect, bench, device, d1, GUEST_RAM);
});
