/** Use IOMMU to enforce DMA operations: an assigned device reaches the memory of its domain, and no other. */
import type { Expect } from '../../src/check/index.js';
import { hex } from '../../src/hw/address.js';
import { created, denied, hardwareDomainPage, learnt, MIB, nobodysPage, reaches, unreachable } from '../arranging.js';
import { check } from '../bench.js';
import { barAddress, IDENTIFICATION, registersOf } from '../device-registers.js';
import { GUEST_RAM, pciDevicesOf, type Role } from '../devices.js';
import type { PassthroughBench } from '../passthrough-bench.js';
import { structures } from '../structures.js';

const ID = 'XenSwdgn~passthrough_use_iommu_to_enforce_dma_ops_from_dev~1';

/** A denied access must leave one record: of this stream and this direction, if the IOMMU tells, and of this address. */
function deniedAndRecorded(
  expect: Expect,
  bench: PassthroughBench,
  device: Role,
  address: number,
  what: string,
  stream = 0,
): void {
  for (const write of [true, false]) {
    bench.forgetFaults();
    const probe = write ? bench.dmaWrite(device, address, { stream }) : bench.dmaRead(device, address, { stream });
    denied(expect, probe, `${write ? 'write' : 'read'} at ${hex(address)} (${what})`);
    const [fault, ...more] = bench.faults();
    expect.deepEqual([fault !== undefined, more.length], [true, 0], `one fault is recorded for ${what}`);
    expect.equal(fault?.inputAddress, address, 'the record names the address');
    if (fault?.streamId === undefined) continue;
    const identity = { iommu: fault.iommu, id: fault.streamId };
    expect.deepEqual(identity, device.streams[stream], 'the record names the stream of the device');
    expect.equal(fault.write, write, 'the record names the direction');
  }
}

check(
  ID,
  'a device reaches its own domain, not another, not the hypervisor, not registers of others',
  ({ bench, expect }) => {
    const { first, second, apart } = bench.devices.kept;
    // One page more than whole blocks: what is behind it is in the same table.
    const memory = 16 * MIB + 0x1000;
    const d1 = created(expect, bench.create({ memory, devices: [first, apart] }));
    const d2 = created(expect, bench.create({ memory, devices: [second] }));
    const foreign = learnt(expect, bench, d2, GUEST_RAM + 0x1000);
    const hardwareDomain = learnt(expect, bench, 0, hardwareDomainPage(bench));
    const bits = bench.devices.guestAddressBits;

    const forbidden: [number, string][] = [
      [foreign.mfn * 4096, 'a page of another domain'],
      [hardwareDomain.mfn * 4096, 'a page of the hardware domain'],
      [nobodysPage(bench), 'a page of nobody'],
      [GUEST_RAM - 4, 'the word below the domain'],
      [GUEST_RAM + memory, 'the word above the domain'],
      [bench.devices.registers.three.address, 'registers of the hardware domain'],
      ...bench.iommus.map(({ base }): [number, string] => [base + 0x20, 'registers of an IOMMU']),
      [2 ** (bits - 1), 'an address that no table leads to'],
    ];
    for (const [address, what] of forbidden) {
      deniedAndRecorded(expect, bench, first, address, what);
      deniedAndRecorded(expect, bench, apart, address, what);
    }
    deniedAndRecorded(expect, bench, second, GUEST_RAM + memory, 'the word above the other domain');
    for (const device of [first, second, apart]) {
      for (const beyond of [2 ** bits, 2 ** 47])
        unreachable(expect, bench, device, beyond, 'beyond all guest addresses');
      denied(expect, bench.dmaWrite(device, 0, { hi: 0xffff_ff00 }), 'write at an address that no stage takes');
    }
    for (const address of [GUEST_RAM, GUEST_RAM + 0x1000, GUEST_RAM + memory - 4]) {
      for (const device of [first, apart]) reaches(expect, bench, device, d1, address);
      reaches(expect, bench, second, d2, address);
    }
  },
);

check(ID, 'a platform device is confined on each of its streams', { aspect: 'platform' }, ({ bench, expect }) => {
  const { severalStreams, apart } = bench.devices.platform;
  const d1 = created(expect, bench.create({ memory: MIB, devices: [severalStreams] }));
  const d2 = created(expect, bench.create({ memory: MIB, devices: [apart] }));
  const foreign = learnt(expect, bench, d2, GUEST_RAM).mfn * 4096;
  const own = registersOf(bench, severalStreams);
  const behind = own.address + own.size;
  for (const stream of severalStreams.streams.keys()) {
    expect.equal(bench.dmaRead(severalStreams, own.address, { stream }).word, IDENTIFICATION, 'it reads its own');
    for (const address of [GUEST_RAM - 4, GUEST_RAM + MIB, foreign, hardwareDomainPage(bench), behind]) {
      deniedAndRecorded(expect, bench, severalStreams, address, 'nothing of its domain', stream);
    }
    reaches(expect, bench, severalStreams, d1, GUEST_RAM, { stream });
    unreachable(expect, bench, severalStreams, registersOf(bench, apart).address, 'registers of another', { stream });
  }
  reaches(expect, bench, apart, d2, GUEST_RAM);
});

check(ID, 'the tables that confine a device are not where it can write', ({ bench, expect }) => {
  const { first, apart } = bench.devices.kept;
  const d1 = created(expect, bench.create({ memory: 16 * MIB, devices: [first, apart] }));
  const tables = [first, apart].flatMap(({ streams }) => streams.flatMap((stream) => structures(bench, stream)));
  for (const [address, what] of tables) {
    expect.ok(address > 0, `${what} is in memory`);
    for (const device of [first, apart]) {
      // The machine address itself is tried. Where it is a guest address too, the device reaches memory of its domain.
      const { landed } = bench.dmaWrite(device, address);
      expect.notEqual(landed, address, `the write does not arrive in ${what}`);
      const inside = address >= GUEST_RAM && address < GUEST_RAM + 16 * MIB;
      if (inside) reaches(expect, bench, device, d1, address);
      else expect.equal(landed, undefined, `the write at the address of ${what} arrives nowhere`);
    }
  }
});

check(ID, 'a device reaches the registers that its domain has, and no others', ({ bench, expect }) => {
  const { first, second, apart } = bench.devices.kept;
  const three = bench.devices.registers.three.address;
  const region = { machine: three, size: 0x1000, guest: 0x1_0000_0000 };
  const d1 = created(expect, bench.create({ memory: MIB, devices: [first, second, apart], regions: [region] }));
  const own = registersOf(bench, first);
  for (const { address } of [first, second, apart].map((device) => registersOf(bench, device))) {
    // Not the second one: a bridge that it is behind keeps requests to what is behind it.
    for (const device of [first, apart]) {
      expect.equal(bench.dmaRead(device, address).word, IDENTIFICATION, 'a device of the domain reads the registers');
    }
  }
  expect.ok(bench.dmaRead(first, region.guest).ok, 'it reads a region of its domain');
  unreachable(expect, bench, first, region.guest + 0x1000, 'the page of registers behind the region');
  for (const stranger of Object.values(bench.devices.hardwareDomains)) {
    unreachable(expect, bench, first, registersOf(bench, stranger).address, 'registers of another owner');
  }
  for (const address of [own.address - 4, own.address + own.size]) {
    unreachable(expect, bench, first, address, 'beside the registers');
  }

  for (const moved of [second, apart]) {
    // A domain that had no device before.
    const domid = created(expect, bench.create({ memory: MIB, passthrough: 'enabled' }));
    expect.equal(bench.deassign(d1, moved), 0, 'one device is taken away');
    expect.equal(bench.assign(domid, moved), 0, 'and assigned to another domain');

    reaches(expect, bench, moved, domid, GUEST_RAM);
    reaches(expect, bench, first, d1, GUEST_RAM);
    unreachable(expect, bench, first, registersOf(bench, moved).address, 'registers that the domain has lost');
    expect.equal(bench.dmaRead(first, own.address).word, IDENTIFICATION, 'the other one reads its own');
    unreachable(expect, bench, moved, own.address, 'registers of the domain that it has left');
  }
});

check(
  ID,
  'a function reaches the base address registers of its domain from end to end, and no others',
  { aspect: 'pci' },
  ({ bench, expect }) => {
    const { first, apart } = pciDevicesOf(bench).kept;
    const d1 = created(expect, bench.create({ memory: MIB, devices: [first, apart] }));
    // The second base address register of the first, of 4 KiB.
    const bar = barAddress(bench, first, 2);
    for (const address of [bar, bar + 0xffc]) {
      const value = bench.ledger.pattern();
      expect.ok(bench.store(d1, address, value).ok, 'the domain has the registers');
      expect.equal(bench.dmaRead(apart, address).word, value, 'the device reads what the domain stored');
    }
    for (const address of [bar - 4, bar + 0x1000])
      deniedAndRecorded(expect, bench, apart, address, 'beside the registers');
    expect.equal(bench.deassign(d1, first), 0, 'the function is taken away');
    for (const address of [bar, registersOf(bench, first).address]) {
      deniedAndRecorded(expect, bench, apart, address, 'registers that the domain has lost');
    }
    reaches(expect, bench, apart, d1, GUEST_RAM);
  },
);

check(
  ID,
  'registers of a platform device are out of reach of the devices of a domain that has lost it',
  { aspect: 'platform' },
  ({ bench, expect }) => {
    const { severalStreams, first, apart } = bench.devices.platform;
    const d1 = created(expect, bench.create({ memory: MIB, devices: [severalStreams, first, apart] }));
    for (const lost of [first, apart]) {
      const { address } = registersOf(bench, lost);
      expect.equal(bench.dmaRead(severalStreams, address).word, IDENTIFICATION, 'the registers are there');
      expect.equal(bench.deassign(d1, lost), 0, 'the device is taken away');
      for (const stream of severalStreams.streams.keys()) {
        unreachable(expect, bench, severalStreams, address, 'registers that the domain has lost', { stream });
      }
    }
    reaches(expect, bench, severalStreams, d1, GUEST_RAM);
  },
);

check(ID, 'denied accesses are recorded, however many there were before', ({ bench, expect }) => {
  const { first } = bench.devices.kept;
  const d1 = created(expect, bench.create({ memory: MIB, devices: [first] }));
  bench.forgetFaults();
  for (let i = 0; i < 300; i++) bench.dmaWrite(first, GUEST_RAM - 0x1000);
  expect.ok(bench.faults().length > 0, 'there are records');
  // Whatever it is that Xen is asked for, it looks after the IOMMU.
  expect.ok(bench.testAssign(d1, first) < 0, 'the device is not free');

  bench.forgetFaults();
  deniedAndRecorded(expect, bench, first, GUEST_RAM - 4, 'the word below the domain');
  reaches(expect, bench, first, d1, GUEST_RAM);
});

check(
  ID,
  'a queue of records that is full has room again when Xen was entered',
  { aspect: 'structures in memory' },
  ({ bench, expect }) => {
    const { first, apart } = bench.devices.kept;
    const devices = [first, apart];
    const d1 = created(expect, bench.create({ memory: MIB, devices }));
    for (let i = 0; i < 300; i++) for (const device of devices) bench.dmaWrite(device, GUEST_RAM - 0x1000);
    bench.forgetFaults();
    for (const device of devices) bench.dmaWrite(device, GUEST_RAM - 0x1000);
    expect.equal(bench.faults().length, 0, 'the IOMMUs have no room for more');

    expect.ok(bench.testAssign(d1, first) < 0, 'the device is not free');

    for (const device of devices) deniedAndRecorded(expect, bench, device, GUEST_RAM - 4, 'the word below the domain');
  },
);

check(
  ID,
  'a context that has recorded a fault has room for the next when Xen was entered',
  { aspect: 'one record for each context' },
  ({ bench, expect }) => {
    const { first, apart } = bench.devices.kept;
    const d1 = created(expect, bench.create({ memory: MIB, devices: [first, apart] }));
    for (const device of [first, apart]) {
      bench.forgetFaults();
      bench.dmaWrite(device, GUEST_RAM - 0x1000);
      expect.ok(bench.testAssign(d1, first) < 0, 'the device is not free');
      // What reads faults here clears them too, so nothing is read before.
      bench.dmaWrite(device, GUEST_RAM - 0x2000);
      const [fault, ...more] = bench.faults();
      expect.equal(fault?.inputAddress, GUEST_RAM - 0x2000, 'the second fault is recorded');
      expect.equal(more.length, 0, 'and the first was taken');
    }
  },
);

check(
  ID,
  'a request that says it is translated already, or names an address space, is confined all the same',
  ({ bench, expect }) => {
    const { kept, platform } = bench.devices;
    const devices = [kept.first, kept.apart, platform.severalStreams];
    const d1 = created(expect, bench.create({ memory: MIB, devices }));
    const victim = learnt(expect, bench, 0, hardwareDomainPage(bench)).mfn * 4096;
    for (const device of devices) {
      for (const options of [
        { addressType: 'translated' },
        { addressType: 'translation request' },
        { pasid: 0 },
        { pasid: 1 },
        { privileged: true },
        { execute: true },
      ] as const) {
        unreachable(expect, bench, device, victim, `a request with ${Object.keys(options)}`, options);
        unreachable(expect, bench, device, nobodysPage(bench), `a request with ${Object.keys(options)}`, options);
      }
      reaches(expect, bench, device, d1, GUEST_RAM);
      reaches(expect, bench, device, d1, GUEST_RAM, { privileged: true });
    }
  },
);
