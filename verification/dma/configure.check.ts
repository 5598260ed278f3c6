/** Configure IOMMU at boot: what a device sees is what the domain's stage-2 tables say, from the domain's creation on. */
import {
  created,
  denied,
  hardwareDomainPage,
  learnt,
  MIB,
  machineAddress,
  nobodysPage,
  reaches,
  unreachable,
} from '../arranging.js';
import { check } from '../bench.js';
import { barAddress, IDENTIFICATION, registersOf } from '../device-registers.js';
import { GUEST_RAM, pciDevicesOf } from '../devices.js';
import { nameOf } from '../guest-bench.js';

const ID = 'XenSwdgn~passthrough_configure_iommu_at_boot~1';

check(ID, 'before the domain runs its devices see all of its memory and nothing beside it', ({ bench, expect }) => {
  // Beyond the first GiB, which is one entry of a table.
  const memory = 1088 * MIB;
  const { first, apart } = bench.devices.kept;
  const d1 = created(expect, bench.create({ memory, devices: [first, apart] }));
  const end = GUEST_RAM + memory;

  const landed: [number, number | undefined][] = [];
  for (let address = GUEST_RAM; address < end; address += 64 * MIB) {
    for (const probed of [address, address + 64 * MIB - 4]) landed.push([probed, bench.dmaWrite(first, probed).landed]);
  }
  for (const address of [GUEST_RAM, end - 4]) landed.push([address, bench.dmaWrite(apart, address).landed]);
  for (const device of [first, apart]) {
    unreachable(expect, bench, device, GUEST_RAM - 4, 'the word below memory');
    unreachable(expect, bench, device, end, 'the word above memory');
    unreachable(expect, bench, device, end + 2 * MIB, 'above memory');
    unreachable(expect, bench, device, 2 ** bench.devices.guestAddressBits, 'above all guest addresses');
    // Were an address cut short, memory would be seen again above.
    for (const bit of [32, 36, 39]) unreachable(expect, bench, device, 2 ** bit + GUEST_RAM, 'memory seen again');
  }

  // Only now does the domain run, and tells by its own stores where its pages are.
  for (const [address, where] of landed) {
    expect.equal(where, machineAddress(expect, bench, d1, address), 'the device and the domain see the same page');
  }
});

check(
  ID,
  'a device sees a page at the top of the guest address space where the domain sees it',
  ({ bench, expect }) => {
    const { first } = bench.devices.kept;
    const { address: machine } = bench.devices.registers.three;
    const guest = 2 ** (bench.devices.guestAddressBits - 1);
    const regions = [{ machine, size: 0x1000, guest }];
    const d1 = created(expect, bench.create({ memory: 16 * MIB, devices: [first], regions }));
    const value = bench.ledger.pattern();
    expect.ok(bench.store(d1, guest + 8, value).ok, 'the domain stores to the page');
    expect.equal(bench.dmaRead(first, guest + 8).word, value, 'the device reads what the domain stored');
    unreachable(expect, bench, first, guest + 0x1000, 'the page above');
    unreachable(expect, bench, first, 8, 'the page of the same number without its highest bit');
  },
);

check(
  ID,
  'a device sees registers above the 36 bits of memory where the domain sees them',
  { aspect: 'pci' },
  ({ bench, expect }) => {
    const { first, second: behindBridge } = pciDevicesOf(bench).kept;
    const d1 = created(expect, bench.create({ memory: 16 * MIB, devices: [first, behindBridge] }));
    const bar = barAddress(bench, behindBridge, 0);
    expect.ok(bar >= 2 ** 36, 'the registers are above all memory');
    expect.equal(bench.load(d1, bar), IDENTIFICATION, 'the domain loads the registers');
    expect.equal(bench.dmaRead(first, bar).word, IDENTIFICATION, 'another device of the domain reads the same');
    unreachable(expect, bench, first, bar - 4, 'below the registers');
  },
);

check(ID, 'each of several domains is given a configuration of its own', ({ bench, expect }) => {
  const { first, second, apart } = bench.devices.kept;
  const address = GUEST_RAM + 0x1000;
  const given = [first, second, apart].map((device) => {
    const domid = created(expect, bench.create({ memory: MIB, devices: [device] }));
    return { device, domid };
  });
  const landed = given.map(({ device }) => bench.dmaWrite(device, address).landed);
  for (const [index, { device, domid }] of given.entries()) {
    const own = machineAddress(expect, bench, domid, address);
    expect.equal(landed[index], own, `${nameOf(device)} sees memory of d${domid}`);
  }
});

check(
  ID,
  'a platform device sees the memory of its domain on each of its streams before the domain runs',
  { aspect: 'platform' },
  ({ bench, expect }) => {
    const { severalStreams, apart } = bench.devices.platform;
    const d1 = created(expect, bench.create({ memory: MIB, devices: [severalStreams, apart] }));
    const landed = severalStreams.streams.map(
      (_, stream) => bench.dmaWrite(severalStreams, GUEST_RAM, { stream }).landed,
    );
    landed.push(bench.dmaWrite(apart, GUEST_RAM).landed);
    for (const stream of severalStreams.streams.keys()) {
      unreachable(expect, bench, severalStreams, GUEST_RAM + MIB, 'the word above memory', { stream });
    }
    const own = machineAddress(expect, bench, d1, GUEST_RAM);
    for (const where of landed) expect.equal(where, own, 'the device and the domain see the same page');
    const { address } = registersOf(bench, apart);
    expect.equal(bench.dmaRead(severalStreams, address).word, IDENTIFICATION, 'it sees registers of the other');
  },
);

check(ID, 'while a domain is created its devices reach nothing but memory of that domain', ({ bench, expect }) => {
  const { first, apart } = bench.devices.kept;
  const foreign = learnt(expect, bench, 0, hardwareDomainPage(bench)).gfn * 4096;
  const landed = new Set<number>();
  let probes = 0;
  const result = bench.between(
    () => {
      probes++;
      for (const address of [GUEST_RAM + 0x2000, foreign]) {
        const probe = bench.dmaWrite(probes % 4 === 0 ? apart : first, address);
        if (probe.landed !== undefined) landed.add(probe.landed);
      }
    },
    () => bench.create({ memory: 16 * MIB, devices: [first, apart] }),
  );
  const d1 = created(expect, result);
  expect.ok(probes > 20, 'the devices were tried between the accesses of the creation');
  const own = machineAddress(expect, bench, d1, GUEST_RAM + 0x2000);
  for (const address of landed) expect.equal(address, own, 'what landed, landed in the page of the domain');
  for (const device of [first, apart]) {
    expect.equal(bench.dmaWrite(device, GUEST_RAM + 0x2000).landed, own, 'afterwards it lands there');
  }
});

check(
  ID,
  'what a stream was configured with before does not show while its next domain is created',
  ({ bench, expect }) => {
    const { first } = bench.devices.kept;
    const d1 = created(expect, bench.create({ memory: 16 * MIB, devices: [first] }));
    reaches(expect, bench, first, d1, GUEST_RAM + 0x2000);
    expect.equal(bench.destroy(d1), 0, 'the domain that had the device is destroyed');
    bench.ledger.forget(d1);
    // Where the tables of the dead domain were are now those of one that has nothing to do with the device.
    const d2 = created(expect, bench.create({ memory: 16 * MIB }));
    learnt(expect, bench, d2, GUEST_RAM + 0x2000);
    const landed = new Set<number>();
    const d3 = created(
      expect,
      bench.between(
        () => {
          const probe = bench.dmaWrite(first, GUEST_RAM + 0x2000);
          if (probe.landed !== undefined) landed.add(probe.landed);
        },
        () => bench.create({ memory: 16 * MIB, devices: [first] }),
      ),
    );
    const own = machineAddress(expect, bench, d3, GUEST_RAM + 0x2000);
    expect.deepEqual([...landed], [own], 'what landed, landed in the page of the new domain');
  },
);

check(ID, 'a creation that fails leaves all its devices denied', ({ bench, expect }) => {
  const { first, apart } = bench.devices.kept;
  const failed = bench.create({ memory: 16 * MIB, devices: [first, apart, first] });
  expect.ok('error' in failed, 'a device cannot be given twice');
  // What was to be the memory and the tables of that domain is now another's.
  learnt(expect, bench, created(expect, bench.create({ memory: 16 * MIB })), GUEST_RAM);
  for (const device of [first, apart]) {
    for (const address of [GUEST_RAM, GUEST_RAM + 0x1000, hardwareDomainPage(bench), nobodysPage(bench)]) {
      unreachable(expect, bench, device, address, 'after the creation has failed');
    }
  }
  const d1 = created(expect, bench.create({ memory: 16 * MIB, devices: [first, apart] }));
  for (const device of [first, apart]) reaches(expect, bench, device, d1, GUEST_RAM);
});

check(
  ID,
  'a creation that fails at a platform device leaves those before it denied',
  { aspect: 'platform' },
  ({ bench, expect }) => {
    const { severalStreams, first, apart } = bench.devices.platform;
    const d1 = created(expect, bench.create({ memory: MIB, devices: [apart] }));
    const failed = bench.create({ memory: MIB, devices: [severalStreams, first, apart] });
    expect.ok('error' in failed, 'the last one is of another domain');
    // What was to be the memory and the tables of that domain is now another's.
    learnt(expect, bench, created(expect, bench.create({ memory: MIB })), GUEST_RAM);
    const streams = severalStreams.streams.map((_, stream) => ({ device: severalStreams, stream }));
    for (const { device, stream } of [...streams, { device: first, stream: 0 }]) {
      for (const address of [GUEST_RAM, hardwareDomainPage(bench), nobodysPage(bench)]) {
        unreachable(expect, bench, device, address, 'after the creation has failed', { stream });
      }
    }
    reaches(expect, bench, apart, d1, GUEST_RAM);
    const d2 = created(expect, bench.create({ memory: MIB, devices: [severalStreams, first] }));
    for (const device of [severalStreams, first]) reaches(expect, bench, device, d2, GUEST_RAM);
  },
);

check(ID, 'a domain without passthrough has no configuration at the IOMMU', ({ bench, expect }) => {
  const { first } = bench.devices.kept;
  const d1 = created(expect, bench.create({ memory: 16 * MIB, passthrough: 'disabled' }));
  expect.ok(bench.assign(d1, first) < 0, 'assigning a device to it is refused');
  const withDevice = bench.create({ memory: 16 * MIB, passthrough: 'disabled', devices: [first] });
  expect.ok('error' in withDevice, 'nor is one created that is to have a device all the same');
  denied(expect, bench.dmaWrite(first, GUEST_RAM), 'write of the device');
  const d2 = created(expect, bench.create({ memory: 16 * MIB, passthrough: 'enabled' }));
  expect.equal(bench.assign(d2, first), 0, 'a domain with passthrough gets it');
  reaches(expect, bench, first, d2, GUEST_RAM);
});
