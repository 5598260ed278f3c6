/** Enable IOMMU to perform DMA Remapping: assignment turns the device's addresses into the domain's. */
import { formatSbdf, type Sbdf } from '../../src/hw/machine.js';
import { created, denied, hardwareDomainPage, learnt, MIB, machineAddress, reaches } from '../arranging.js';
import { check } from '../bench.js';
import { GUEST_RAM, HARDWARE_DOMAINS, QUARANTINED } from '../devices.js';

const ID = 'XenSwdgn~passthrough_enable_iommu_to_perform_dma_remapping_for_dev~1';
/** Streams 0x18 and 0x1d: two functions of one device. */
const FUNCTION_0: Sbdf = { segment: 0, bus: 0, device: 3, function: 0 };
const FUNCTION_5: Sbdf = { ...FUNCTION_0, function: 5 };
/** Stream 0x80f8: the last device of a bus, in the upper half of its second-level stream table. */
const LAST: Sbdf = { segment: 1, bus: 0, device: 0x1f, function: 0 };
/** Every device of the board that can be assigned. */
const ALL: readonly Sbdf[] = [
  ...Object.values(QUARANTINED),
  ...Object.values(HARDWARE_DOMAINS),
  FUNCTION_0,
  FUNCTION_5,
  LAST,
];

/** CR0 of the SMMU, read by the check itself: SMMUEN is bit 0 of CR0ACK at offset 0x24 (Arm IHI 0070 6.3.10). */
const CR0ACK = 0x0905_0024;

check(ID, 'the DMA of every device of a domain is translated by the stage-2 of the domain', ({ bench, expect }) => {
  // Those that nobody has are denied; so the SMMU holds an entry of theirs that is about to change.
  for (const device of Object.values(QUARANTINED)) {
    denied(expect, bench.dmaWrite(device, GUEST_RAM), `write of ${formatSbdf(device)} before`);
  }
  const d1 = created(expect, bench.create({ memory: 64 * MIB, devices: ALL }));
  for (const device of ALL) {
    for (const address of [GUEST_RAM, GUEST_RAM + 0x5004, GUEST_RAM + 64 * MIB - 4]) {
      reaches(expect, bench, device, d1, address);
      const word = bench.ledger.pattern();
      bench.pokeWord(machineAddress(expect, bench, d1, address), word);
      expect.equal(bench.dmaRead(device, address).word, word, 'a read gets what the page of the domain holds');
    }
  }
  expect.equal(bench.machine.mmio.read(CR0ACK as never, 4) & 1, 1, 'the SMMU translates');
});

check(ID, 'the address that a device uses is not the one that it reaches', ({ bench, expect }) => {
  const d1 = created(expect, bench.create({ memory: 16 * MIB, devices: [QUARANTINED.first] }));
  const probe = bench.dmaWrite(QUARANTINED.first, GUEST_RAM + 0x3000);
  expect.ok(probe.ok, 'the device may write');
  expect.notEqual(probe.landed, GUEST_RAM + 0x3000, 'the write does not go to the machine address of the same number');
  expect.equal(probe.landed, machineAddress(expect, bench, d1, GUEST_RAM + 0x3000), 'it goes where stage-2 leads');
});

check(
  ID,
  'equal addresses of devices of two domains reach the pages of each, however often they are used',
  ({ bench, expect }) => {
    const d1 = created(expect, bench.create({ memory: 16 * MIB, devices: [QUARANTINED.first] }));
    const d2 = created(expect, bench.create({ memory: 16 * MIB, devices: [QUARANTINED.otherSegment] }));
    const address = GUEST_RAM + 0x4000;
    for (let round = 0; round < 3; round++) {
      reaches(expect, bench, QUARANTINED.first, d1, address);
      reaches(expect, bench, QUARANTINED.otherSegment, d2, address);
    }
  },
);

check(ID, 'a device that changes hands at run time is translated for its new domain at once', ({ bench, expect }) => {
  const device = HARDWARE_DOMAINS.first;
  const address = hardwareDomainPage(bench);
  reaches(expect, bench, device, 0, address + 0x7000);
  const d1 = created(expect, bench.create({ memory: 16 * MIB, passthrough: 'enabled' }));
  learnt(expect, bench, d1, GUEST_RAM + 0x7000);

  // The device never rests, so the IOMMU holds every form that its configuration goes through.
  const busy = () => bench.dmaRead(device, GUEST_RAM + 0x7000);
  const result = bench.between(busy, () => bench.assign(d1, device));
  expect.equal(result, 0, 'the device is assigned to the domain');

  const own = bench.dmaWrite(device, GUEST_RAM + 0x7000);
  expect.equal(own.landed, bench.ledger.machineAddress(d1, GUEST_RAM + 0x7000), 'it reaches its new domain');
  const before = bench.dmaWrite(device, address + 0x7000);
  expect.equal(before.landed, undefined, 'it does not reach the hardware domain any more');
});

check(ID, 'when one of two devices changes hands, each is translated for its own domain', ({ bench, expect }) => {
  const { first, otherSegment } = QUARANTINED;
  const address = GUEST_RAM + 0x6000;
  const d1 = created(expect, bench.create({ memory: 16 * MIB, devices: [first, otherSegment] }));
  const d2 = created(expect, bench.create({ memory: 16 * MIB, passthrough: 'enabled' }));
  for (const device of [first, otherSegment]) reaches(expect, bench, device, d1, address);

  expect.equal(bench.deassign(d1, first), 0, 'one of them is taken away');
  reaches(expect, bench, otherSegment, d1, address);
  expect.equal(bench.assign(d2, first), 0, 'and assigned to another domain');

  for (let round = 0; round < 2; round++) {
    reaches(expect, bench, first, d2, address);
    reaches(expect, bench, otherSegment, d1, address);
  }
});
