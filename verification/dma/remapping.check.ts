/** Enable IOMMU to perform DMA Remapping: assignment turns the device's addresses into the domain's. */
import { created, denied, givenUp, hardwareDomainPage, learnt, MIB, machineAddress, reaches } from '../arranging.js';
import { check } from '../bench.js';
import { type Devices, GUEST_RAM, isPlatformDevice, type Role } from '../devices.js';
import { nameOf } from '../guest-bench.js';

const ID = 'XenSwdgn~passthrough_enable_iommu_to_perform_dma_remapping_for_dev~1';

/** The devices that a domain can have all at once, with all their streams. */
function everyStream({ kept, hardwareDomains, platform }: Devices): { device: Role; stream: number }[] {
  const { first, apart, severalStreams } = platform;
  const devices = [...Object.values(kept), ...Object.values(hardwareDomains), first, apart, severalStreams];
  const once = new Map(devices.map((device) => [nameOf(device), device]));
  return [...once.values()].flatMap((device) => device.streams.map((_, stream) => ({ device, stream })));
}

check(ID, 'the DMA of every device of a domain is translated by the stage-2 of the domain', ({ bench, expect }) => {
  const { devices } = bench;
  // Those that nobody has are denied; so the IOMMU holds what is about to change.
  for (const device of Object.values(devices.kept)) {
    denied(expect, bench.dmaWrite(device, GUEST_RAM), `write of ${nameOf(device)} before`);
  }
  const all = everyStream(devices);
  const given = [...new Set(all.map(({ device }) => device))];
  givenUp(expect, bench, ...Object.values(devices.hardwareDomains));
  const d1 = created(expect, bench.create({ memory: 64 * MIB, devices: given }));
  for (const { device, stream } of all) {
    for (const address of [GUEST_RAM, GUEST_RAM + 0x5004, GUEST_RAM + 64 * MIB - 4]) {
      reaches(expect, bench, device, d1, address, { stream });
      const word = bench.ledger.pattern();
      bench.pokeWord(machineAddress(expect, bench, d1, address), word);
      const read = bench.dmaRead(device, address, { stream });
      expect.equal(read.word, word, 'a read gets what the page of the domain holds');
    }
  }
});

check(ID, 'the address that a device uses is not the one that it reaches', ({ bench, expect }) => {
  for (const device of Object.values(bench.devices.kept)) {
    const domid = created(expect, bench.create({ memory: MIB, devices: [device] }));
    const probe = bench.dmaWrite(device, GUEST_RAM + 0x3000);
    expect.ok(probe.ok, 'the device may write');
    expect.notEqual(probe.landed, GUEST_RAM + 0x3000, 'the write does not go to the machine address of that number');
    const own = machineAddress(expect, bench, domid, GUEST_RAM + 0x3000);
    expect.equal(probe.landed, own, 'it goes where stage-2 leads');
  }
});

check(
  ID,
  'equal addresses of devices of several domains reach the pages of each, however often they are used',
  ({ bench, expect }) => {
    const { first, second, apart } = bench.devices.kept;
    const owners = [first, second, apart].map((device) => {
      return { device, domid: created(expect, bench.create({ memory: MIB, devices: [device] })) };
    });
    for (let round = 0; round < 3; round++) {
      for (const { device, domid } of owners) reaches(expect, bench, device, domid, GUEST_RAM + 0x4000);
    }
  },
);

check(
  ID,
  'a domain with devices behind two IOMMUs is told apart from domains with devices behind one, at each',
  ({ bench, expect }) => {
    const { kept, platform } = bench.devices;
    // Each IOMMU gives tags of its own: the first of the second one before the first of the first one.
    const d1 = created(expect, bench.create({ memory: MIB, devices: [platform.apart] }));
    const d2 = created(expect, bench.create({ memory: MIB, devices: [kept.first, kept.apart] }));
    const d3 = created(expect, bench.create({ memory: MIB, devices: [kept.second] }));
    const owners = [
      [platform.apart, d1],
      [kept.first, d2],
      [kept.apart, d2],
      [kept.second, d3],
    ] as const;
    for (let round = 0; round < 2; round++) {
      for (const [device, domid] of owners) reaches(expect, bench, device, domid, GUEST_RAM + 0x2000);
    }
  },
);

check(ID, 'a device that changes hands at run time is translated for its new domain at once', ({ bench, expect }) => {
  const device = bench.devices.hardwareDomains.first;
  const address = hardwareDomainPage(bench);
  reaches(expect, bench, device, 0, address + 0x7000);
  const d1 = created(expect, bench.create({ memory: 16 * MIB, passthrough: 'enabled' }));
  learnt(expect, bench, d1, GUEST_RAM + 0x7000);

  // The device never rests, so the IOMMU holds every form that its configuration goes through.
  const busy = () => bench.dmaRead(device, GUEST_RAM + 0x7000);
  const result = bench.between(busy, () => {
    const left = isPlatformDevice(device) ? bench.deassign(0, device) : 0;
    return left || bench.assign(d1, device);
  });
  expect.equal(result, 0, 'the device is assigned to the domain');

  const own = bench.dmaWrite(device, GUEST_RAM + 0x7000);
  expect.equal(own.landed, bench.ledger.machineAddress(d1, GUEST_RAM + 0x7000), 'it reaches its new domain');
  const before = bench.dmaWrite(device, address + 0x7000);
  expect.equal(before.landed, undefined, 'it does not reach the hardware domain any more');
});

check(ID, 'when one of several devices changes hands, each is translated for its own domain', ({ bench, expect }) => {
  const { first, second, apart } = bench.devices.kept;
  const address = GUEST_RAM + 0x6000;
  const d1 = created(expect, bench.create({ memory: 16 * MIB, devices: [first, second, apart] }));
  const d2 = created(expect, bench.create({ memory: 16 * MIB, passthrough: 'enabled' }));
  for (const device of [first, second, apart]) reaches(expect, bench, device, d1, address);

  for (const device of [first, apart]) {
    expect.equal(bench.deassign(d1, device), 0, 'one of them is taken away');
    reaches(expect, bench, second, d1, address);
    expect.equal(bench.assign(d2, device), 0, 'and assigned to another domain');
  }

  for (let round = 0; round < 2; round++) {
    reaches(expect, bench, first, d2, address);
    reaches(expect, bench, second, d1, address);
    reaches(expect, bench, apart, d2, address);
  }
});

check(ID, 'what a domain before had is not what the next one with the same devices gets', ({ bench, expect }) => {
  const devices = Object.values(bench.devices.kept);
  const address = GUEST_RAM + 0x3000;
  const d1 = created(expect, bench.create({ memory: MIB, devices }));
  for (const device of devices) reaches(expect, bench, device, d1, address);
  expect.equal(bench.destroy(d1), 0, 'the domain is destroyed');
  bench.ledger.forget(d1);
  // What was its memory is another's now.
  learnt(expect, bench, created(expect, bench.create({ memory: MIB })), address);
  const d3 = created(expect, bench.create({ memory: MIB, devices }));
  for (const device of devices) reaches(expect, bench, device, d3, address);
});
