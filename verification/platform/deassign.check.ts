/** Support deassignment of platform devices: what a domain had of a device it has no more, and nobody else has it. */
import type { Expect } from '../../src/check/index.js';
import type { DmaResult } from '../../src/hw/machine.js';
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
import { GUEST_RAM } from '../devices.js';
import type { PassthroughBench } from '../passthrough-bench.js';
import { hasAllRegisters, reachesOnAllStreams, unreachableOnAllStreams, wanted } from './driving.js';

const ID = 'XenSwdgn~passthrough_support_deassign_dt_devs~1';
const DMA = { aspect: 'dma' };

const PAGE = 0x1000;
const EPERM = -1;
const ESRCH = -3;
const EINVAL = -22;
const EOPNOTSUPP = -95;
/** The domain that PCI devices in quarantine belong to (xen/include/public/xen.h, DOMID_IO). */
const QUARANTINE = 0x7ff1;

check(ID, 'a device that is taken from its domain reaches nothing of what it did before', DMA, ({ bench, expect }) => {
  const { severalStreams, withInterrupt, withoutInterrupt } = bench.devices.platform;
  const taken = [severalStreams, withInterrupt];
  const d1 = created(expect, bench.create({ memory: MIB, devices: [...taken, withoutInterrupt] }));
  const d2 = created(expect, bench.create({ memory: MIB, passthrough: 'enabled' }));
  const addresses = [GUEST_RAM, GUEST_RAM + PAGE, GUEST_RAM + MIB - 4];
  for (const device of taken) {
    for (const address of addresses) reachesOnAllStreams(expect, bench, device, d1, address);

    expect.equal(bench.deassign(d1, device), 0, 'the device is taken away');

    for (const address of [...addresses, hardwareDomainPage(bench)]) {
      unreachableOnAllStreams(expect, bench, device, address, 'nobody has the device');
    }
  }
  // The domain and its other device go on.
  for (const address of addresses) reachesOnAllStreams(expect, bench, withoutInterrupt, d1, address);
  for (const device of taken) {
    expect.equal(bench.testAssign(d2, device), 0, `${device.path} is free`);
    expect.equal(bench.assign(d2, device), 0, `${device.path} is assigned to another domain`);
    for (const address of addresses) reachesOnAllStreams(expect, bench, device, d2, address);
    expect.equal(bench.deassign(d2, device), 0, 'it is taken away again');
    unreachableOnAllStreams(expect, bench, device, GUEST_RAM, 'nobody has the device');
    expect.equal(bench.assign(d1, device), 0, `${device.path} goes back to the first domain`);
    reachesOnAllStreams(expect, bench, device, d1, GUEST_RAM);
  }
});

check(ID, 'a domain that loses its device behind one IOMMU keeps those behind the others', DMA, ({ bench, expect }) => {
  const { severalStreams, apart, withInterrupt, withoutInterrupt } = bench.devices.platform;
  const next = apart.path === withoutInterrupt.path ? withInterrupt : withoutInterrupt;
  const d1 = created(expect, bench.create({ memory: MIB, devices: [severalStreams, apart] }));
  for (const device of [severalStreams, apart]) reachesOnAllStreams(expect, bench, device, d1, GUEST_RAM);

  expect.equal(bench.deassign(d1, apart), 0, 'one device is taken away');

  const d2 = created(expect, bench.create({ memory: MIB, devices: [next] }));
  for (const address of [GUEST_RAM, GUEST_RAM + PAGE]) {
    reachesOnAllStreams(expect, bench, severalStreams, d1, address);
    reaches(expect, bench, next, d2, address);
    unreachable(expect, bench, apart, address, 'nobody has the device');
    unreachableOnAllStreams(expect, bench, severalStreams, hardwareDomainPage(bench), 'memory of the hardware domain');
  }
  expect.equal(bench.assign(d1, apart), 0, 'the domain gets it back');
  reaches(expect, bench, apart, d1, GUEST_RAM);
  expect.equal(bench.deassign(d1, severalStreams), 0, 'the other device is taken away');
  unreachableOnAllStreams(expect, bench, severalStreams, GUEST_RAM, 'nobody has the device');
  reaches(expect, bench, apart, d1, GUEST_RAM);
  reaches(expect, bench, next, d2, GUEST_RAM);
});

check(ID, 'while a device is taken away, it reaches its old domain or nothing', DMA, ({ bench, expect }) => {
  const { severalStreams, withoutInterrupt } = bench.devices.platform;
  const d1 = created(expect, bench.create({ memory: MIB, devices: [severalStreams, withoutInterrupt] }));
  const page = learnt(expect, bench, d1, GUEST_RAM).mfn * PAGE;
  const landed = new Set<number | undefined>();
  const flights: (() => DmaResult | undefined)[] = [];
  let probes = 0;
  const probe = () => {
    const stream = probes++ % severalStreams.streams.length;
    landed.add(bench.dmaWrite(severalStreams, GUEST_RAM, { stream }).landed);
    flights.push(bench.dmaStart(severalStreams, GUEST_RAM + 8, bench.ledger.pattern()));
  };
  expect.equal(
    bench.between(probe, () => bench.deassign(d1, severalStreams)),
    0,
    'the device is taken away',
  );

  for (const stream of severalStreams.streams.keys()) {
    denied(expect, bench.dmaWrite(severalStreams, GUEST_RAM, { stream }), `write of stream ${stream} after the call`);
  }
  landed.delete(undefined);
  expect.deepEqual([...landed], [page], 'what landed, landed in the old page, and at first something did');
  // From here on nothing that was under way may land.
  const mark = bench.ledger.pattern();
  expect.ok(bench.store(d1, GUEST_RAM + 8, mark).ok, 'the domain uses its memory');
  bench.machine.settle();
  expect.equal(bench.load(d1, GUEST_RAM + 8), mark, 'no write that was under way arrives after the call');
  expect.equal(flights[0]?.()?.ok, true, 'the first one arrived before');
  expect.equal(flights.at(-1)?.()?.ok, false, 'the last one was denied');
  reaches(expect, bench, withoutInterrupt, d1, GUEST_RAM);
});

check(
  ID,
  'at once after the call the device reaches nothing, and its next domain alone after the next',
  DMA,
  (given) => {
    const { bench, expect } = given;
    // How long the IOMMU takes to forget differs from machine to machine.
    for (const seed of [1, 2, 3]) changesAtOnce(expect, bench.powerOnAnother(seed), seed > 1);
  },
);

/**
 * Takes a device from one domain and gives it to another; each call must have come to its end when it returns.
 * @param keeps whether the first domain keeps another device behind the same IOMMU, and with it its tag there
 */
function changesAtOnce(expect: Expect, fresh: PassthroughBench, keeps: boolean): void {
  fresh.boot();
  // Nothing but the IOMMU is to be told: it has no interrupt, and its registers are not mapped.
  const { withoutInterrupt: device, severalStreams } = fresh.devices.platform;
  const d1 = created(expect, fresh.create({ memory: 16 * PAGE, passthrough: 'enabled' }));
  const d2 = created(expect, fresh.create({ memory: 16 * PAGE, passthrough: 'enabled' }));
  const addresses = [GUEST_RAM, GUEST_RAM + PAGE, GUEST_RAM + 2 * PAGE];
  const own = addresses.map((address) => machineAddress(expect, fresh, d2, address));
  const lost = machineAddress(expect, fresh, d1, GUEST_RAM) + 8;
  for (const given of keeps ? [device, severalStreams] : [device]) {
    expect.equal(fresh.assign(d1, given), 0, 'the device is assigned');
  }
  for (const address of addresses) reaches(expect, fresh, device, d1, address);
  // The device never rests, so the IOMMU has translations of it until the moment that it loses them, and writes under way.
  const busy = () => {
    fresh.dmaStart(device, GUEST_RAM + 8, fresh.ledger.pattern());
    if (!keeps) for (const address of addresses) fresh.dmaRead(device, address);
  };
  const landed = () => addresses.map((address) => fresh.dmaWrite(device, address).landed);

  const taken = fresh.between(busy, () => fresh.deassign(d1, device));

  const mark = fresh.ledger.pattern();
  fresh.pokeWord(lost, mark);
  const nowhere = addresses.map(() => undefined);
  expect.deepEqual(
    { taken, landed: landed() },
    { taken: 0, landed: nowhere },
    'taken away, the device reaches nothing',
  );
  const assigned = fresh.assign(d2, device);
  expect.deepEqual(
    { assigned, landed: landed() },
    { assigned: 0, landed: own },
    'it reaches memory of the next domain',
  );
  fresh.machine.settle();
  expect.equal(fresh.peekWord(lost), mark, 'no write that was under way has arrived after the call');
}

check(ID, 'a device that the hardware domain gives up has no owner until it is assigned', DMA, ({ bench, expect }) => {
  const device = bench.devices.platform.hardwareDomains;
  const address = bench.ramOf(0).address + 0x10_0000;
  const d1 = created(expect, bench.create({ memory: MIB, passthrough: 'enabled' }));
  reachesOnAllStreams(expect, bench, device, 0, address);

  expect.equal(bench.deassign(0, device), 0, 'the hardware domain gives the device up');

  unreachableOnAllStreams(expect, bench, device, address, 'the hardware domain has given it up');
  expect.equal(bench.deassign(0, device), ESRCH, 'it cannot do so twice');
  expect.equal(bench.assign(d1, device), 0, 'a guest gets it');
  reachesOnAllStreams(expect, bench, device, d1, GUEST_RAM);
  expect.equal(bench.deassign(d1, device), 0, 'the guest loses it');
  unreachableOnAllStreams(expect, bench, device, address, 'nobody has the device');
  unreachableOnAllStreams(expect, bench, device, GUEST_RAM, 'nobody has the device');
  expect.equal(bench.assign(0, device), 0, 'the hardware domain gets it back when it asks for it');
  reachesOnAllStreams(expect, bench, device, 0, address);
});

check(ID, 'a deassignment that cannot be says why and changes nothing', DMA, ({ bench, expect }) => {
  const { severalStreams, withInterrupt, withoutDma, withoutInterrupt } = bench.devices.platform;
  const platform = [severalStreams, withoutDma].map((device) => wanted(bench, device));
  const d1 = created(expect, bench.create({ memory: MIB, platform }));
  const d2 = created(expect, bench.create({ memory: MIB, devices: [withInterrupt] }));
  const d3 = created(expect, bench.create({ memory: MIB, passthrough: 'disabled' }));
  const refusals: readonly (readonly [string, number, number])[] = [
    ['another domain', bench.deassign(d2, severalStreams), ESRCH],
    ['the hardware domain', bench.deassign(0, severalStreams), ESRCH],
    ['a domain that there is not', bench.deassign(77, severalStreams), ESRCH],
    ['a domain without use of IOMMUs', bench.deassign(d3, severalStreams), EOPNOTSUPP],
    ['quarantine', bench.deassign(QUARANTINE, severalStreams), EINVAL],
    ['a flag', bench.deassign(d1, severalStreams, { flags: 1 }), EINVAL],
    ['an unknown node', bench.deassign(d1, `${severalStreams.path}0`), ESRCH],
    ['a device behind no IOMMU', bench.deassign(d1, withoutDma), EINVAL],
    ['a device that nobody has', bench.deassign(d1, withoutInterrupt), ESRCH],
    ['a caller without privilege', bench.deassign(d1, severalStreams, { caller: d2 }), EPERM],
  ];
  for (const [what, result, error] of refusals) expect.equal(result, error, `error code for ${what}`);

  reachesOnAllStreams(expect, bench, severalStreams, d1, GUEST_RAM);
  reachesOnAllStreams(expect, bench, withInterrupt, d2, GUEST_RAM);
  unreachable(expect, bench, withoutInterrupt, GUEST_RAM, 'nobody has the device');
  for (const device of [severalStreams, withoutDma]) hasAllRegisters(expect, bench, d1, device);
  expect.equal(bench.deassign(d1, severalStreams), 0, 'the deassignment that can be succeeds');
  unreachableOnAllStreams(expect, bench, severalStreams, GUEST_RAM, 'nobody has the device');
});
