/** Use IOMMU to enforce DMA operations: an assigned device reaches the memory of its domain, and no other. */
import type { Expect } from '../../src/check/index.js';
import { hex } from '../../src/hw/address.js';
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
import { BAR_SIZE, barAddress, IDENTIFICATION } from '../device-registers.js';
import { type Endpoint, GUEST_RAM, HARDWARE_DOMAINS, QUARANTINED, REGISTERS } from '../devices.js';
import type { PassthroughBench } from '../passthrough-bench.js';

const ID = 'XenSwdgn~passthrough_use_iommu_to_enforce_dma_ops_from_dev~1';
const { first, otherSegment } = QUARANTINED;

/** Bits 51:12 of an address that hardware holds in two words, `lo` and `hi`. */
const frameAddress = (lo: number, hi: number) => (hi & 0xfffff) * 2 ** 32 + ((lo & ~0xfff) >>> 0);

/**
 * What the IOMMU finds its way by, with the address of each: its stream table, the second-level table and the stage-2 root
 * of a stream, its queues. Read from its registers (Arm IHI 0070 6.3: STRTAB_BASE at 0x80, CMDQ_BASE at 0x90, EVENTQ_BASE
 * at 0xa0) and from memory (L1STD of 8 bytes, 5.1; STE of 64 bytes with S2TTB in doubleword 3, 5.2).
 */
function structures(bench: PassthroughBench, streamId: number): [number, string][] {
  const register = (offset: number) => {
    const { hi, lo } = bench.machine.mmio.read64((0x0905_0000 + offset) as never);
    return frameAddress(lo, hi);
  };
  const inMemory = (address: number) => frameAddress(bench.peekWord(address), bench.peekWord(address + 4));
  const table = register(0x80);
  const second = inMemory(table + (streamId >> 8) * 8);
  return [
    [table, 'the stream table'],
    [second, 'the second-level stream table'],
    [inMemory(second + (streamId & 0xff) * 64 + 24), 'the root of the stage-2 tables'],
    [register(0x90), 'the command queue'],
    [register(0xa0), 'the event queue'],
  ];
}

/** A denied access must leave one record: of this stream, this address, this direction. */
function deniedAndRecorded(
  expect: Expect,
  bench: PassthroughBench,
  device: Endpoint,
  address: number,
  what: string,
): void {
  for (const write of [true, false]) {
    bench.forgetFaults();
    const probe = write ? bench.dmaWrite(device, address) : bench.dmaRead(device, address);
    denied(expect, probe, `${write ? 'write' : 'read'} at ${hex(address)} (${what})`);
    const faults = bench.faults();
    expect.equal(faults.length, 1, `one fault is recorded for ${what}`);
    expect.equal(faults[0]?.streamId, device.streamId, 'the record names the stream of the device');
    expect.equal(faults[0]?.inputAddress, address, 'the record names the address');
    expect.equal(faults[0]?.write, write, 'the record names the direction');
  }
}

check(
  ID,
  'a device reaches its own domain, not another, not the hypervisor, not registers of others',
  ({ bench, expect }) => {
    const d1 = created(expect, bench.create({ memory: 16 * MIB, devices: [first] }));
    const d2 = created(expect, bench.create({ memory: 16 * MIB, devices: [otherSegment] }));
    const foreign = learnt(expect, bench, d2, GUEST_RAM + 0x1000);
    const hardwareDomain = learnt(expect, bench, 0, hardwareDomainPage(bench));

    const forbidden: [number, string][] = [
      [foreign.mfn * 4096, 'a page of another domain'],
      [hardwareDomain.mfn * 4096, 'a page of the hardware domain'],
      [GUEST_RAM - 4, 'the word below the domain'],
      [GUEST_RAM + 16 * MIB, 'the word above the domain'],
      [REGISTERS.address, 'registers of no one'],
      [0x0905_0020, 'registers of the SMMU'],
      [2 ** 44, 'above the guest addresses'],
      [2 ** 47, 'above the guest addresses by far'],
    ];
    for (const [address, what] of forbidden) deniedAndRecorded(expect, bench, first, address, what);
    deniedAndRecorded(expect, bench, otherSegment, GUEST_RAM + 16 * MIB, 'the word above the other domain');
    denied(expect, bench.dmaWrite(first, 0, { hi: 0xffff_ff00 }), 'write at an address that no stage takes');
    for (const address of [GUEST_RAM, GUEST_RAM + 0x1000, GUEST_RAM + 16 * MIB - 4]) {
      reaches(expect, bench, first, d1, address);
      reaches(expect, bench, otherSegment, d2, address);
    }
  },
);

check(ID, 'the tables that confine a device are not where it can write', ({ bench, expect }) => {
  const d1 = created(expect, bench.create({ memory: 16 * MIB, devices: [first] }));
  for (const [address, what] of structures(bench, first.streamId)) {
    expect.ok(address > 0, `${what} is in memory`);
    // The machine address itself is tried. Where it is a guest address too, the device reaches memory of its domain.
    const { landed } = bench.dmaWrite(first, address);
    expect.notEqual(landed, address, `the write does not arrive in ${what}`);
    const inside = address >= GUEST_RAM && address < GUEST_RAM + 16 * MIB;
    if (inside) reaches(expect, bench, first, d1, address);
    else expect.equal(landed, undefined, `the write at the address of ${what} arrives nowhere`);
  }
});

check(ID, 'memory that the domain may only read, its device may only read', ({ bench, expect }) => {
  const guest = GUEST_RAM + 2 * MIB + 0x3000;
  const size = 0x3000;
  const block = GUEST_RAM + 8 * MIB;
  const readOnly = [
    { guest, size },
    { guest: block, size: 2 * MIB },
  ];
  const d1 = created(expect, bench.create({ memory: 16 * MIB, devices: [first], readOnly }));
  for (let page = guest; page < guest + size; page += 0x1000) {
    expect.ok(bench.load(d1, page) !== undefined, 'the domain reads the page');
    expect.ok(!bench.store(d1, page, 1).ok, 'the domain cannot write the page');
    expect.ok(bench.dmaRead(first, page).ok, 'the device reads the page');
    bench.forgetFaults();
    denied(expect, bench.dmaWrite(first, page), 'write to the page');
    const [fault] = bench.faults();
    expect.equal(fault?.name, 'F_PERMISSION', 'the fault is one of permission');
    expect.ok(fault?.stage2 === true, 'stage 2 found it');
  }
  reaches(expect, bench, first, d1, guest - 4);
  reaches(expect, bench, first, d1, guest + size);

  // Of a block for reading only, a page is given back: the others are what they were.
  const page = block + 0x5000;
  for (const address of [block, page - 4]) denied(expect, bench.dmaWrite(first, address), 'write to the block');
  expect.equal(bench.giveBack(d1, page), 1, 'Xen takes the page');
  for (const address of [block, page - 4, page + 0x1000, block + 2 * MIB - 4]) {
    denied(expect, bench.dmaWrite(first, address), 'write to the rest of the block');
    expect.ok(bench.dmaRead(first, address).ok, 'the device reads the rest of the block');
  }
});

check(ID, 'what is taken from the domain is out of reach of its device at once', ({ bench, expect }) => {
  const guest = 0x1_0000_0000;
  const frames = REGISTERS.size / 4096;
  // It has a tag at the CPUs and none at the IOMMU: from here on they differ.
  created(expect, bench.create({ memory: MIB }));
  const d1 = created(expect, bench.create({ memory: 16 * MIB, devices: [first] }));
  const mfn = REGISTERS.address / 4096;
  expect.equal(bench.iomemPermission(d1, mfn, frames), 0, 'the domain may map the registers');
  expect.equal(bench.memoryMapping(d1, guest / 4096, mfn, frames), 0, 'the registers are mapped');
  const values = [0, 1, 2].map((page) => {
    const value = bench.ledger.pattern();
    bench.store(d1, guest + page * 4096, value);
    return value;
  });
  for (const [page, value] of values.entries()) {
    expect.equal(bench.dmaRead(first, guest + page * 4096).word, value, 'the device reads what the domain stored');
  }
  deniedAndRecorded(expect, bench, first, guest + REGISTERS.size, 'the page above the registers');

  // The device never rests, so the IOMMU has the translation until the moment that it loses it.
  const busy = () => bench.dmaRead(first, guest + 2 * 4096);
  const taken = bench.between(busy, () => bench.memoryMapping(d1, guest / 4096 + 2, mfn + 2, 1, false));
  expect.equal(taken, 0, 'the last page is taken away');
  denied(expect, bench.dmaRead(first, guest + 2 * 4096), 'read of the page that was taken away');
  expect.equal(bench.dmaRead(first, guest + 4096).word, values[1] as number, 'the page before it is still there');

  expect.equal(bench.memoryMapping(d1, guest / 4096, mfn, 2, false), 0, 'the others are taken away');
  denied(expect, bench.dmaRead(first, guest), 'read of the first page');
  denied(expect, bench.dmaRead(first, guest + 4096), 'read of the second page');
  reaches(expect, bench, first, d1, GUEST_RAM);
});

check(
  ID,
  'a page that the domain gives back is out of reach of its device at once, its neighbours are not',
  ({ bench, expect }) => {
    // It has a tag at the CPUs and none at the IOMMU: from here on they differ.
    created(expect, bench.create({ memory: MIB }));
    const d1 = created(expect, bench.create({ memory: 16 * MIB, devices: [first] }));
    const page = GUEST_RAM + 4 * MIB + 0x5000;
    for (const address of [page - 0x1000, page, page + 0x1000]) reaches(expect, bench, first, d1, address);
    const frame = machineAddress(expect, bench, d1, page);

    // The device never rests while the page is taken.
    let landedInTime = 0;
    const busy = () => {
      if (bench.dmaWrite(first, page + 0x10).landed !== undefined) landedInTime++;
    };
    expect.equal(
      bench.between(busy, () => bench.giveBack(d1, page)),
      1,
      'Xen takes the page',
    );

    expect.ok(landedInTime > 0, "while the page was still the domain's, the device reached it");
    expect.equal(bench.peekWord(frame + 0x10), 0, 'nothing was written into the page after Xen had taken it');
    denied(expect, bench.dmaWrite(first, page), 'write to the page that was given back');
    denied(expect, bench.dmaRead(first, page + 0xffc), 'read of its last word');
    for (const address of [page - 4, page + 0x1000]) reaches(expect, bench, first, d1, address);
  },
);

check(ID, 'a block that the domain gives back is out of reach of its device as a whole', ({ bench, expect }) => {
  const block = GUEST_RAM + 4 * MIB;
  const size = 2 * MIB;
  // Of the second block, one page is for reading only, so it cannot be mapped as one.
  const readOnly = [{ guest: block + size + 0x7000, size: 0x1000 }];
  const d1 = created(expect, bench.create({ memory: 16 * MIB, devices: [first], readOnly }));
  for (const from of [block, block + size]) {
    const pages = [0, 0x1000, 0x5000, MIB, size - 0x1000].map((offset) => from + offset);
    for (const page of pages) reaches(expect, bench, first, d1, page);

    expect.equal(bench.giveBack(d1, from, 9), 1, 'Xen takes 512 pages');

    for (const page of pages) unreachable(expect, bench, first, page, 'it was given back');
    reaches(expect, bench, first, d1, block - 4);
    reaches(expect, bench, first, d1, from + size);
  }
});

check(ID, 'a device reaches the registers that its domain has, and no others', ({ bench, expect }) => {
  const moved = otherSegment;
  const d1 = created(expect, bench.create({ memory: MIB, devices: [first, moved] }));
  const d2 = created(expect, bench.create({ memory: MIB, passthrough: 'enabled' }));
  const own = barAddress(bench, first, 0);
  const bar = barAddress(bench, moved, 0);
  for (const address of [own, bar]) {
    for (const device of [first, moved]) {
      expect.equal(bench.dmaRead(device, address).word, IDENTIFICATION, 'a device of the domain reads the registers');
    }
  }
  for (const stranger of [HARDWARE_DOMAINS.second, HARDWARE_DOMAINS.otherSegment]) {
    unreachable(expect, bench, first, barAddress(bench, stranger, 0), 'registers of another owner');
  }
  for (const address of [own - 4, own + BAR_SIZE]) unreachable(expect, bench, first, address, 'beside the registers');

  expect.equal(bench.deassign(d1, moved), 0, 'one device is taken away');
  expect.equal(bench.assign(d2, moved), 0, 'and assigned to another domain');

  expect.equal(bench.dmaRead(moved, bar).word, IDENTIFICATION, 'it reads its own registers');
  unreachable(expect, bench, first, bar, 'registers that the domain has lost');
  expect.equal(bench.dmaRead(first, own).word, IDENTIFICATION, 'the other one reads its own');
  unreachable(expect, bench, moved, own, 'registers of the domain that it has left');
});

check(ID, 'denied accesses are recorded, however many there were before', ({ bench, expect }) => {
  const d1 = created(expect, bench.create({ memory: MIB, devices: [first] }));
  for (let i = 0; i < 300; i++) bench.dmaWrite(first, GUEST_RAM - 0x1000);
  bench.forgetFaults();
  bench.dmaWrite(first, GUEST_RAM - 0x1000);
  expect.equal(bench.faults().length, 0, 'the IOMMU has no room for more');

  // Whatever it is that Xen is asked for, it looks after the IOMMU.
  expect.ok(bench.testAssign(d1, first) < 0, 'the device is not free');

  deniedAndRecorded(expect, bench, first, GUEST_RAM - 4, 'the word below the domain');
  reaches(expect, bench, first, d1, GUEST_RAM);
});
