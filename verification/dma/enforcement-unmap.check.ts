/** Use IOMMU to enforce DMA operations: a device loses what its domain loses, and may write what its domain may. */
import { created, denied, MIB, machineAddress, reaches, unreachable } from '../arranging.js';
import { check } from '../bench.js';
import { GUEST_RAM } from '../devices.js';

const ID = 'XenSwdgn~passthrough_use_iommu_to_enforce_dma_ops_from_dev~1';

check(ID, 'memory that the domain may only read, its device may only read', ({ bench, expect }) => {
  const { first, apart } = bench.devices.kept;
  const guest = GUEST_RAM + 2 * MIB + 0x3000;
  const size = 0x3000;
  const block = GUEST_RAM + 8 * MIB;
  const readOnly = [
    { guest, size },
    { guest: block, size: 2 * MIB },
  ];
  const d1 = created(expect, bench.create({ memory: 16 * MIB, devices: [first, apart], readOnly }));
  for (let page = guest; page < guest + size; page += 0x1000) {
    expect.ok(bench.load(d1, page) !== undefined, 'the domain reads the page');
    expect.ok(!bench.store(d1, page, 1).ok, 'the domain cannot write the page');
    expect.ok(bench.dmaRead(first, page).ok, 'the device reads the page');
    bench.forgetFaults();
    denied(expect, bench.dmaWrite(first, page), 'write to the page');
    const [fault] = bench.faults();
    expect.equal(fault?.kind, 'permission', 'the fault is one of permission');
    denied(expect, bench.dmaWrite(apart, page), 'write of another device to the page');
    expect.ok(bench.dmaRead(apart, page).ok, 'which reads it too');
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

check(ID, 'what is taken from the domain is out of reach of its devices at once', ({ bench, expect }) => {
  const { first, apart } = bench.devices.kept;
  const { address: machine, size } = bench.devices.registers.three;
  const guest = 0x1_0000_0000;
  const frames = size / 4096;
  // It has a tag at the CPUs and none at an IOMMU: from here on they differ. So do those of two IOMMUs.
  created(expect, bench.create({ memory: MIB }));
  created(expect, bench.create({ memory: MIB, devices: [bench.devices.platform.apart] }));
  const d1 = created(expect, bench.create({ memory: 16 * MIB, devices: [first, apart] }));
  const mfn = machine / 4096;
  expect.equal(bench.iomemPermission(d1, mfn, frames), 0, 'the domain may map the registers');
  expect.equal(bench.memoryMapping(d1, guest / 4096, mfn, frames), 0, 'the registers are mapped');
  const values = [0, 1, 2].map((page) => {
    const value = bench.ledger.pattern();
    bench.store(d1, guest + page * 4096, value);
    return value;
  });
  for (const device of [first, apart]) {
    for (const [page, value] of values.entries()) {
      expect.equal(bench.dmaRead(device, guest + page * 4096).word, value, 'the device reads what the domain stored');
    }
    denied(expect, bench.dmaRead(device, guest + size), 'read of the page above the registers');
  }

  // The devices never rest, so the IOMMUs have the translation until the moment that they lose it.
  const busy = () => {
    for (const device of [first, apart]) bench.dmaRead(device, guest + 2 * 4096);
  };
  const taken = bench.between(busy, () => bench.memoryMapping(d1, guest / 4096 + 2, mfn + 2, 1, false));
  expect.equal(taken, 0, 'the last page is taken away');
  for (const device of [apart, first]) {
    denied(expect, bench.dmaRead(device, guest + 2 * 4096), 'read of the page that was taken away');
    expect.equal(bench.dmaRead(device, guest + 4096).word, values[1] as number, 'the page before it is still there');
  }

  expect.equal(bench.memoryMapping(d1, guest / 4096, mfn, 2, false), 0, 'the others are taken away');
  for (const device of [apart, first]) {
    denied(expect, bench.dmaRead(device, guest), 'read of the first page');
    denied(expect, bench.dmaRead(device, guest + 4096), 'read of the second page');
    reaches(expect, bench, device, d1, GUEST_RAM);
  }
});

check(
  ID,
  'a page that the domain gives back is out of reach of its devices at once, its neighbours are not',
  ({ bench, expect }) => {
    const { first, apart } = bench.devices.kept;
    // It has a tag at the CPUs and none at an IOMMU: from here on they differ.
    created(expect, bench.create({ memory: MIB }));
    const d1 = created(expect, bench.create({ memory: 16 * MIB, devices: [first, apart] }));
    const page = GUEST_RAM + 4 * MIB + 0x5000;
    for (const device of [first, apart]) {
      for (const address of [page - 0x1000, page, page + 0x1000]) reaches(expect, bench, device, d1, address);
    }
    const frame = machineAddress(expect, bench, d1, page);

    // The devices never rest while the page is taken.
    let landedInTime = 0;
    let tried = 0;
    const busy = () => {
      const device = tried++ % 2 === 0 ? first : apart;
      if (bench.dmaWrite(device, page + 0x10).landed !== undefined) landedInTime++;
    };
    expect.equal(
      bench.between(busy, () => bench.giveBack(d1, page)),
      1,
      'Xen takes the page',
    );

    expect.ok(landedInTime > 0, "while the page was still the domain's, the devices reached it");
    expect.equal(bench.peekWord(frame + 0x10), 0, 'nothing was written into the page after Xen had taken it');
    for (const device of [apart, first]) {
      denied(expect, bench.dmaWrite(device, page), 'write to the page that was given back');
      denied(expect, bench.dmaRead(device, page + 0xffc), 'read of its last word');
      for (const address of [page - 4, page + 0x1000]) reaches(expect, bench, device, d1, address);
    }
  },
);

check(ID, 'a block that the domain gives back is out of reach of its device as a whole', ({ bench, expect }) => {
  const { first, apart } = bench.devices.kept;
  const block = GUEST_RAM + 4 * MIB;
  const size = 2 * MIB;
  // Of the second block, one page is for reading only, so it cannot be mapped as one.
  const readOnly = [{ guest: block + size + 0x7000, size: 0x1000 }];
  const d1 = created(expect, bench.create({ memory: 16 * MIB, devices: [first, apart], readOnly }));
  for (const from of [block, block + size]) {
    const pages = [0, 0x1000, 0x5000, MIB, size - 0x1000].map((offset) => from + offset);
    for (const page of pages) for (const device of [first, apart]) reaches(expect, bench, device, d1, page);

    expect.equal(bench.giveBack(d1, from, 9), 1, 'Xen takes 512 pages');

    for (const page of pages) {
      for (const device of [apart, first]) unreachable(expect, bench, device, page, 'it was given back');
    }
    reaches(expect, bench, first, d1, block - 4);
    reaches(expect, bench, first, d1, from + size);
  }
});
