/** Use IOMMU to enforce DMA operations: an assigned device reaches the memory of its domain, and no other. */
import type { Expect } from '../../src/check/index.js';
import { hex } from '../../src/hw/address.js';
import { created, denied, hardwareDomainPage, learnt, MIB, reaches } from '../arranging.js';
import { check } from '../bench.js';
import { type Endpoint, GUEST_RAM, QUARANTINED, REGISTERS } from '../devices.js';
import type { PassthroughBench } from '../passthrough-bench.js';

const ID = 'XenSwdgn~passthrough_use_iommu_to_enforce_dma_ops_from_dev~1';
const { first, otherSegment } = QUARANTINED;

/** Base address of the stream table: STRTAB_BASE at offset 0x80 (Arm IHI 0070 6.3.24), bits 51:6. */
function streamTable(bench: PassthroughBench): number {
  const { hi, lo } = bench.machine.mmio.read64(0x0905_0080 as never);
  return (hi & 0xfffff) * 2 ** 32 + ((lo & ~0x3f) >>> 0);
}

/** A denied access must leave one record: of this stream, this address, this direction. */
function deniedAndRecorded(expect: Expect, bench: PassthroughBench, device: Endpoint, address: number, what: string): void {
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

check(ID, 'a device reaches its own domain, not another, not the hypervisor, not registers of others', ({ bench, expect }) => {
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
});

check(ID, 'no address leads a device to the tables that confine it', ({ bench, expect }) => {
  created(expect, bench.create({ memory: 16 * MIB, devices: [first] }));
  const table = streamTable(bench);
  expect.ok(table > 0, 'the stream table is in memory');
  // Below guest memory the machine address itself is tried; it is the same number as a guest address inside memory.
  const before = bench.peekWord(table);
  const probe = bench.dmaWrite(first, table);
  expect.notEqual(probe.landed, table, 'the write does not arrive in the stream table');
  expect.equal(bench.peekWord(table), before, 'the stream table is as it was');
});

check(ID, 'memory that the domain may only read, its device may only read', ({ bench, expect }) => {
  const guest = GUEST_RAM + 2 * MIB + 0x3000;
  const d1 = created(expect, bench.create({ memory: 16 * MIB, devices: [first], readOnly: [{ guest, size: 0x1000 }] }));
  expect.ok(bench.load(d1, guest) !== undefined, 'the domain reads the page');
  expect.ok(!bench.store(d1, guest, 1).ok, 'the domain cannot write the page');
  expect.ok(bench.dmaRead(first, guest).ok, 'the device reads the page');
  bench.forgetFaults();
  denied(expect, bench.dmaWrite(first, guest), 'write to the page');
  const [fault] = bench.faults();
  expect.equal(fault?.name, 'F_PERMISSION', 'the fault is one of permission');
  expect.ok(fault?.stage2 === true, 'stage 2 found it');
  reaches(expect, bench, first, d1, guest - 0x1000);
  reaches(expect, bench, first, d1, guest + 0x1000);
});

check(ID, 'what is taken from the domain is out of reach of its device at once', ({ bench, expect }) => {
  const guest = 0x1_0000_0000;
  const frames = REGISTERS.size / 4096;
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

  expect.equal(bench.memoryMapping(d1, guest / 4096 + 2, mfn + 2, 1, false), 0, 'the last page is taken away');
  denied(expect, bench.dmaRead(first, guest + 2 * 4096), 'read of the page that was taken away');
  expect.equal(bench.dmaRead(first, guest + 4096).word, values[1] as number, 'the page before it is still there');

  expect.equal(bench.memoryMapping(d1, guest / 4096, mfn, 2, false), 0, 'the others are taken away');
  denied(expect, bench.dmaRead(first, guest), 'read of the first page');
  denied(expect, bench.dmaRead(first, guest + 4096), 'read of the second page');
  reaches(expect, bench, first, d1, GUEST_RAM);
});

check(ID, 'a page that the domain gives back is out of reach of its device at once, its neighbours are not', ({ bench, expect }) => {
  const d1 = created(expect, bench.create({ memory: 16 * MIB, devices: [first] }));
  const page = GUEST_RAM + 4 * MIB + 0x5000;
  for (const address of [page - 0x1000, page, page + 0x1000]) reaches(expect, bench, first, d1, address);

  expect.equal(bench.giveBack(d1, page), 1, 'Xen takes the page');

  denied(expect, bench.dmaWrite(first, page), 'write to the page that was given back');
  denied(expect, bench.dmaRead(first, page + 0xffc), 'read of its last word');
  for (const address of [page - 4, page + 0x1000]) reaches(expect, bench, first, d1, address);
});
