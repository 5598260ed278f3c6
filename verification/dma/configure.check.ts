/** Configure IOMMU at boot: what a device sees is what the domain's stage-2 tables say, from the domain's creation on. */
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
import { barAddress, IDENTIFICATION } from '../device-registers.js';
import { GUEST_RAM, QUARANTINED, REGISTERS } from '../devices.js';

const ID = 'XenSwdgn~passthrough_configure_iommu_at_boot~1';
const { first, behindBridge } = QUARANTINED;

check(ID, 'before the domain runs its device sees all of its memory and nothing beside it', ({ bench, expect }) => {
  const memory = 1536 * MIB;
  const d1 = created(expect, bench.create({ memory, devices: [first] }));
  const end = GUEST_RAM + memory;

  const landed = new Map<number, number | undefined>();
  for (let address = GUEST_RAM; address < end; address += 32 * MIB) {
    for (const probed of [address, address + 32 * MIB - 4]) landed.set(probed, bench.dmaWrite(first, probed).landed);
  }
  unreachable(expect, bench, first, GUEST_RAM - 4, 'the word below memory');
  unreachable(expect, bench, first, end, 'the word above memory');
  unreachable(expect, bench, first, end + 2 * MIB, 'above memory');
  unreachable(expect, bench, first, 2 ** 44, 'above all guest addresses');

  // Only now does the domain run, and tells by its own stores where its pages are.
  for (const [address, where] of landed) {
    expect.equal(where, machineAddress(expect, bench, d1, address), 'the device and the domain see the same page');
  }
});

check(
  ID,
  'a device sees a page at the top of the guest address space where the domain sees it',
  ({ bench, expect }) => {
    const guest = 2 ** 43;
    const d1 = created(
      expect,
      bench.create({
        memory: 16 * MIB,
        devices: [first],
        regions: [{ machine: REGISTERS.address, size: 0x1000, guest }],
      }),
    );
    const value = bench.ledger.pattern();
    expect.ok(bench.store(d1, guest + 8, value).ok, 'the domain stores to the page');
    expect.equal(bench.dmaRead(first, guest + 8).word, value, 'the device reads what the domain stored');
    unreachable(expect, bench, first, guest + 0x1000, 'the page above');
  },
);

check(ID, 'a device sees registers above the 36 bits of memory where the domain sees them', ({ bench, expect }) => {
  const d1 = created(expect, bench.create({ memory: 16 * MIB, devices: [first, behindBridge] }));
  const bar = barAddress(bench, behindBridge, 0);
  expect.ok(bar >= 2 ** 36, 'the registers are above all memory');
  expect.equal(bench.load(d1, bar), IDENTIFICATION, 'the domain loads the registers');
  expect.equal(bench.dmaRead(first, bar).word, IDENTIFICATION, 'another device of the domain reads the same');
  unreachable(expect, bench, first, bar - 4, 'below the registers');
});

check(ID, 'each of two domains is given a configuration of its own', ({ bench, expect }) => {
  const d1 = created(expect, bench.create({ memory: 16 * MIB, devices: [first] }));
  const d2 = created(expect, bench.create({ memory: 16 * MIB, devices: [behindBridge] }));
  const one = bench.dmaWrite(first, GUEST_RAM + 0x1000);
  const two = bench.dmaWrite(behindBridge, GUEST_RAM + 0x1000);
  expect.equal(
    one.landed,
    machineAddress(expect, bench, d1, GUEST_RAM + 0x1000),
    'the first device sees the first domain',
  );
  expect.equal(
    two.landed,
    machineAddress(expect, bench, d2, GUEST_RAM + 0x1000),
    'the second device sees the second domain',
  );
});

check(ID, 'while a domain is created its device reaches nothing but memory of that domain', ({ bench, expect }) => {
  const foreign = learnt(expect, bench, 0, hardwareDomainPage(bench)).gfn * 4096;
  const landed = new Set<number>();
  let probes = 0;
  const result = bench.between(
    () => {
      probes++;
      for (const address of [GUEST_RAM + 0x2000, foreign]) {
        const probe = bench.dmaWrite(first, address);
        if (probe.landed !== undefined) landed.add(probe.landed);
      }
    },
    () => bench.create({ memory: 16 * MIB, devices: [first] }),
  );
  const d1 = created(expect, result);
  expect.ok(probes > 20, 'the device was tried between the accesses of the creation');
  const own = machineAddress(expect, bench, d1, GUEST_RAM + 0x2000);
  for (const address of landed) expect.equal(address, own, 'what landed, landed in the page of the domain');
  expect.equal(bench.dmaWrite(first, GUEST_RAM + 0x2000).landed, own, 'afterwards it lands there');
});

check(
  ID,
  'what a stream was configured with before does not show while its next domain is created',
  ({ bench, expect }) => {
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

check(ID, 'a creation that fails leaves the device denied', ({ bench, expect }) => {
  const twice = bench.create({ memory: 16 * MIB, devices: [first, first] });
  expect.deepEqual(twice, { error: -16 }, 'a device cannot be given twice: -EBUSY');
  for (const address of [GUEST_RAM, GUEST_RAM + 0x1000, 0x8_8000_0000]) {
    unreachable(expect, bench, first, address, 'after the creation has failed');
  }
  const d1 = created(expect, bench.create({ memory: 16 * MIB, devices: [first] }));
  reaches(expect, bench, first, d1, GUEST_RAM);
});

check(ID, 'a domain without passthrough has no configuration at the IOMMU', ({ bench, expect }) => {
  const d1 = created(expect, bench.create({ memory: 16 * MIB, passthrough: 'disabled' }));
  expect.equal(bench.assign(d1, first), -95, 'assigning a device to it is refused: -EOPNOTSUPP');
  const withDevice = bench.create({ memory: 16 * MIB, passthrough: 'disabled', devices: [first] });
  expect.deepEqual(withDevice, { error: -95 }, 'nor is one created that is to have a device all the same');
  denied(expect, bench.dmaWrite(first, GUEST_RAM), 'write of the device');
  const d2 = created(expect, bench.create({ memory: 16 * MIB, passthrough: 'enabled' }));
  expect.equal(bench.assign(d2, first), 0, 'a domain with passthrough gets it');
  reaches(expect, bench, first, d2, GUEST_RAM);
});
