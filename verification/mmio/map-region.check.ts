/** Map device memory region: a domain reaches the registers of its devices as device memory, these frames alone. */
import type { Expect } from '../../src/check/index.js';
import { decodeFdt, encodeFdt } from '../../src/firmware/fdt.js';
import { cellBytes } from '../../src/firmware/tree.js';
import { created, learnt, MIB } from '../arranging.js';
import { check } from '../bench.js';
import {
  BAR_SIZE,
  BUFFER,
  barAddress,
  cannotUse,
  hasRegisters,
  IDENTIFICATION,
  lacksRegisters,
  registerWord,
  setRegisterWord,
  uses,
} from '../device-registers.js';
import { GUEST_RAM, HARDWARE_DOMAINS, QUARANTINED, REGISTERS } from '../devices.js';
import { domainBlob, type MappedRegion } from '../domain-blob.js';
import type { PassthroughBench } from '../passthrough-bench.js';

const ID = 'XenSwdgn~passthrough_map_dev_mem_region~1';
const EPERM = -1;
const EINVAL = -22;

const PAGE = 0x1000;
/** The middle one of three pages of registers: on both sides are registers that do not belong to it. */
const MIDDLE: MappedRegion = { machine: REGISTERS.address + PAGE, size: PAGE, guest: 0x0b00_5000 };
/** The last region of the other registers device, of two pages. */
const PAIR: MappedRegion = { machine: 0x0a00_8000, size: 2 * PAGE, guest: 0x0c00_0000 };
/** Guest addresses that no test maps anything at. */
const ELSEWHERE = 0x0d00_0000;

/** A guest must reach a region from its first word to its last, and nothing on either side of it. */
function hasExactly(
  expect: Expect,
  bench: PassthroughBench,
  domid: number,
  { machine, size, guest }: MappedRegion,
): void {
  for (let page = 0; page < size; page += PAGE) {
    for (const offset of [page, page + 0x7fc, page + PAGE - 4])
      uses(expect, bench, domid, guest + offset, machine + offset);
  }
  const outside = [guest - 4, guest - PAGE, guest + size, guest + size + PAGE - 4];
  for (const address of outside) cannotUse(expect, bench, domid, address, 'beside the region');
}

check(ID, 'a domain reaches its regions where its configuration says, frame by frame', ({ bench, expect }) => {
  const d1 = created(expect, bench.create({ memory: MIB, regions: [MIDDLE, PAIR] }));
  const d2 = created(expect, bench.create({ memory: MIB }));
  const neighbours = [REGISTERS.address, MIDDLE.machine - 4, MIDDLE.machine + PAGE, MIDDLE.machine + 2 * PAGE - 4];
  for (const neighbour of neighbours) setRegisterWord(bench, neighbour, 0x0bad_cafe);

  hasExactly(expect, bench, d1, MIDDLE);
  hasExactly(expect, bench, d1, PAIR);

  for (const neighbour of neighbours) {
    expect.equal(registerWord(bench, neighbour), 0x0bad_cafe, 'registers beside the region are as they were');
  }
  for (const { machine, guest } of [MIDDLE, PAIR]) {
    cannotUse(expect, bench, d1, machine, 'the address that the machine has them at');
    cannotUse(expect, bench, d2, guest, 'the region of another domain');
    cannotUse(expect, bench, d2, machine, 'the region of another domain');
  }
  learnt(expect, bench, d2, GUEST_RAM);
});

check(ID, 'a domain reaches the base address registers of its devices', ({ bench, expect }) => {
  const { first, behindBridge, otherSegment } = QUARANTINED;
  const d1 = created(expect, bench.create({ memory: MIB, devices: [first, behindBridge, otherSegment] }));
  // 16 KiB each; the second BARs of the first two have 4 and 8 KiB.
  const second = { machine: barAddress(bench, first, 2), size: PAGE };
  const behind = { machine: barAddress(bench, behindBridge, 4), size: 2 * PAGE };

  for (const device of [first, behindBridge, otherSegment]) {
    hasRegisters(expect, bench, d1, device);
    const bar = barAddress(bench, device, 0);
    for (const address of [bar - 4, bar + BAR_SIZE]) cannotUse(expect, bench, d1, address, 'beside the registers');
  }
  for (const { machine, size } of [second, behind]) hasExactly(expect, bench, d1, { machine, size, guest: machine });
  // Below the base address register of this device, within the same 2 MiB, are those of others.
  for (const device of [HARDWARE_DOMAINS.first, HARDWARE_DOMAINS.second, HARDWARE_DOMAINS.otherSegment]) {
    lacksRegisters(expect, bench, d1, device);
  }
});

check(ID, 'a domain reaches base address registers where its configuration says', ({ bench, expect }) => {
  // Two devices of the same numbers in two segments, each with a first base address register.
  const [moved, stays] = [HARDWARE_DOMAINS.first, QUARANTINED.otherSegment];
  const { first } = QUARANTINED;
  const d1 = created(
    expect,
    bench.create({
      memory: MIB,
      devices: [moved, stays, first],
      bars: [
        { device: moved, index: 0, guest: ELSEWHERE },
        { device: first, index: 2, guest: ELSEWHERE + 0x10_0000 },
      ],
    }),
  );

  expect.equal(bench.load(d1, ELSEWHERE), IDENTIFICATION, 'the registers begin there');
  for (const offset of [BUFFER, BAR_SIZE - 4]) {
    uses(expect, bench, d1, ELSEWHERE + offset, barAddress(bench, moved, 0) + offset);
  }
  for (const guest of [ELSEWHERE - 4, ELSEWHERE + BAR_SIZE])
    cannotUse(expect, bench, d1, guest, 'beside the registers');
  hasExactly(expect, bench, d1, { machine: barAddress(bench, first, 2), size: PAGE, guest: ELSEWHERE + 0x10_0000 });
  lacksRegisters(expect, bench, d1, moved);
  cannotUse(expect, bench, d1, barAddress(bench, first, 2), 'the address that the device has');
  for (const device of [stays, first]) hasRegisters(expect, bench, d1, device);

  for (const device of [moved, first]) expect.equal(bench.deassign(d1, device), 0, 'the device is taken away');
  for (const guest of [ELSEWHERE + BUFFER, ELSEWHERE + BAR_SIZE - 4, ELSEWHERE + 0x10_0000]) {
    cannotUse(expect, bench, d1, guest, 'the domain has lost the device');
  }
  lacksRegisters(expect, bench, d1, first);
  hasRegisters(expect, bench, d1, stays);
});

check(ID, 'device registers are device memory for a domain, and nothing that it can execute', ({ bench, expect }) => {
  const d1 = created(expect, bench.create({ memory: MIB, regions: [MIDDLE, PAIR], devices: [QUARANTINED.first] }));
  const places = [
    MIDDLE.guest,
    PAIR.guest,
    PAIR.guest + 2 * PAGE - 4,
    barAddress(bench, QUARANTINED.first, 0),
    barAddress(bench, QUARANTINED.first, 2),
  ];
  for (const address of places) {
    const attributes = { type: 'Device-nGnRE', shareability: 'outer' };
    expect.deepEqual(bench.attributes(d1, address), attributes, 'what kind of memory the registers are');
    expect.ok(!bench.fetch(d1, address), 'the domain cannot execute from them');
    expect.notEqual(bench.load(d1, address), undefined, 'it can load');
    expect.ok(bench.store(d1, address, 0).ok, 'and store');
  }
  // Its memory is another kind, and can be executed.
  expect.equal(bench.attributes(d1, GUEST_RAM)?.type, 'Normal WB', 'what kind of memory RAM is');
  expect.ok(bench.fetch(d1, GUEST_RAM), 'the domain can execute from RAM');
});

check(ID, 'a domain may map the frames that it was given, and those alone', ({ bench, expect }) => {
  const d1 = created(expect, bench.create({ memory: MIB, regions: [MIDDLE], devices: [QUARANTINED.first] }));
  const bar = barAddress(bench, QUARANTINED.first, 0);
  const refused = [MIDDLE.machine - PAGE, MIDDLE.machine + PAGE, bar + BAR_SIZE];
  for (const machine of refused) {
    expect.equal(bench.memoryMapping(d1, ELSEWHERE / PAGE, machine / PAGE, 1), EPERM, 'a frame beside what was given');
    cannotUse(expect, bench, d1, ELSEWHERE, 'it was refused');
  }
  expect.equal(bench.memoryMapping(d1, ELSEWHERE / PAGE, MIDDLE.machine / PAGE, 2), EPERM, 'one frame too many');
  cannotUse(expect, bench, d1, ELSEWHERE, 'it was refused as a whole');

  expect.equal(bench.memoryMapping(d1, ELSEWHERE / PAGE, MIDDLE.machine / PAGE, 1), 0, 'the frame that was given');
  hasExactly(expect, bench, d1, { ...MIDDLE, guest: ELSEWHERE });
  expect.equal(
    bench.memoryMapping(d1, (ELSEWHERE + 0x10_0000) / PAGE, bar / PAGE, BAR_SIZE / PAGE),
    0,
    'registers of its device',
  );
  expect.equal(bench.load(d1, ELSEWHERE + 0x10_0000), IDENTIFICATION, 'they are there');

  // A frame more, once it is given, can be mapped.
  const next = MIDDLE.machine + PAGE;
  expect.equal(bench.iomemPermission(d1, next / PAGE, 1), 0, 'the next frame is given');
  expect.equal(bench.memoryMapping(d1, (ELSEWHERE + 0x20_0000) / PAGE, next / PAGE, 1), 0, 'and mapped');
  uses(expect, bench, d1, ELSEWHERE + 0x20_0000, next);

  // What is mapped stays until it is taken away; what may be mapped is asked each time.
  expect.equal(bench.iomemPermission(d1, next / PAGE, 1, false), 0, 'the permission is withdrawn');
  const again = (ELSEWHERE + 0x30_0000) / PAGE;
  expect.equal(bench.memoryMapping(d1, again, next / PAGE, 1), EPERM, 'it cannot be mapped again');
  expect.equal(bench.memoryMapping(d1, again, MIDDLE.machine / PAGE, 1), 0, 'another can');

  // What is not the hardware domain's is not its to give: the IOMMU, configuration space, memory of a guest.
  for (const machine of [0x0905_0000, 0x40_1000_0000, learnt(expect, bench, d1, GUEST_RAM).mfn * PAGE]) {
    expect.equal(bench.iomemPermission(d1, machine / PAGE, 1), EPERM, 'it is not to be given');
    expect.equal(bench.memoryMapping(d1, (ELSEWHERE + 0x40_0000) / PAGE, machine / PAGE, 1), EPERM, 'nor mapped');
    cannotUse(expect, bench, d1, ELSEWHERE + 0x40_0000, 'it was refused');
  }
});

check(ID, 'a region that is no whole pages makes no domain', ({ bench, expect }) => {
  const unaligned: MappedRegion[] = [
    { ...MIDDLE, machine: MIDDLE.machine + 0x800 },
    { ...MIDDLE, size: PAGE - 4 },
    { ...MIDDLE, size: PAGE + 0x10 },
    { ...MIDDLE, guest: MIDDLE.guest + 4 },
    { ...MIDDLE, size: 0 },
  ];
  for (const region of unaligned) {
    expect.deepEqual(
      bench.create({ memory: MIB, regions: [PAIR, region] }),
      { error: EINVAL },
      'the region is no whole pages',
    );
  }
  const d1 = created(expect, bench.create({ memory: MIB, regions: [PAIR, MIDDLE] }));
  hasExactly(expect, bench, d1, MIDDLE);
});

check(ID, 'a region whose addresses are too long to be any makes no domain', ({ bench, expect }) => {
  // Three cells for an address, two for a size.
  const tree = decodeFdt(domainBlob({ memory: MIB, regions: [MIDDLE] }));
  const long = cellBytes(0, 0, MIDDLE.machine, 0, MIDDLE.size, 0, 0, MIDDLE.guest);
  tree.root.properties.set('#address-cells', cellBytes(3)).set('xen,reg', long);

  expect.deepEqual(bench.xen.createDomain(encodeFdt(tree)), { error: EINVAL }, 'there are no such addresses');

  // The same region, told as it should be.
  tree.root.properties.set('#address-cells', cellBytes(2));
  tree.root.properties.set('xen,reg', cellBytes(0, MIDDLE.machine, 0, MIDDLE.size, 0, MIDDLE.guest));
  hasExactly(expect, bench, created(expect, bench.xen.createDomain(encodeFdt(tree))), MIDDLE);
});

check(ID, 'what is not the registers of a device is no region, nor goes a region over memory', ({ bench, expect }) => {
  const { address: memory } = bench.ramOf(0);
  const smmu = 0x0905_0000;
  const impossible: MappedRegion[] = [
    // Memory of the hardware domain, Xen's IOMMU and interrupt controller, configuration space, a region that goes on behind its device.
    { ...MIDDLE, machine: memory },
    { ...MIDDLE, machine: smmu },
    { ...MIDDLE, machine: 0x0800_0000 },
    { ...MIDDLE, machine: 0x40_1000_0000 },
    { ...MIDDLE, machine: REGISTERS.address + 2 * PAGE, size: 2 * PAGE },
    // The first and the last page of the guest's own memory.
    { ...MIDDLE, guest: GUEST_RAM },
    { ...MIDDLE, guest: GUEST_RAM + MIB - PAGE },
    { ...PAIR, guest: GUEST_RAM - PAGE },
    // Over another region of it.
    { ...MIDDLE, guest: PAIR.guest + PAGE },
  ];
  for (const region of impossible) {
    const result = bench.create({ memory: MIB, regions: [PAIR, region] });
    expect.ok('error' in result && result.error < 0, 'there can be no such region');
  }
  // None of them has left anything that is in the way of a region that there can be.
  const d1 = created(expect, bench.create({ memory: MIB, regions: [PAIR, { ...MIDDLE, guest: GUEST_RAM - PAGE }] }));
  uses(expect, bench, d1, GUEST_RAM - PAGE, MIDDLE.machine);
  learnt(expect, bench, d1, GUEST_RAM);
  learnt(expect, bench, d1, GUEST_RAM + MIB - PAGE);
});

check(ID, 'a region that is taken away is gone at once', ({ bench, expect }) => {
  const d1 = created(expect, bench.create({ memory: MIB, regions: [MIDDLE, PAIR] }));
  hasExactly(expect, bench, d1, PAIR);
  hasExactly(expect, bench, d1, MIDDLE);

  // The second page of two, which the domain has just used.
  expect.equal(
    bench.memoryMapping(d1, PAIR.guest / PAGE + 1, PAIR.machine / PAGE + 1, 1, false),
    0,
    'it is taken away',
  );

  cannotUse(expect, bench, d1, PAIR.guest + PAGE, 'it was taken away');
  cannotUse(expect, bench, d1, PAIR.guest + 2 * PAGE - 4, 'it was taken away');
  hasExactly(expect, bench, d1, { ...PAIR, size: PAGE });
  hasExactly(expect, bench, d1, MIDDLE);
  expect.equal(bench.memoryMapping(d1, PAIR.guest / PAGE + 1, PAIR.machine / PAGE + 1, 1), 0, 'it comes back');
  hasExactly(expect, bench, d1, PAIR);

  // The first page of two, and the second stays.
  expect.equal(bench.memoryMapping(d1, PAIR.guest / PAGE, PAIR.machine / PAGE, 1, false), 0, 'the first is taken away');
  hasExactly(expect, bench, d1, { machine: PAIR.machine + PAGE, size: PAGE, guest: PAIR.guest + PAGE });

  // Told of registers that are not there, Xen takes nothing: neither other registers nor memory.
  for (const guest of [MIDDLE.guest, GUEST_RAM]) {
    const result = bench.memoryMapping(d1, guest / PAGE, PAIR.machine / PAGE, 1, false);
    expect.ok(result < 0, 'these registers are not mapped there');
  }
  hasExactly(expect, bench, d1, MIDDLE);
  learnt(expect, bench, d1, GUEST_RAM);
});

check(ID, 'registers go to the domain that gets the device, and from the one that loses it', ({ bench, expect }) => {
  const device = HARDWARE_DOMAINS.first;
  const d1 = created(expect, bench.create({ memory: MIB, passthrough: 'enabled' }));
  hasRegisters(expect, bench, 0, device);
  lacksRegisters(expect, bench, d1, device);
  // Each owner has them at a second place too.
  const bar = barAddress(bench, device, 0);
  const alsoAt = (domid: number) => {
    expect.equal(bench.memoryMapping(domid, ELSEWHERE / PAGE, bar / PAGE, BAR_SIZE / PAGE), 0, 'a second place');
    uses(expect, bench, domid, ELSEWHERE + BUFFER, bar + BUFFER);
  };
  alsoAt(0);

  expect.equal(bench.assign(d1, device), 0, 'the device is assigned');
  hasRegisters(expect, bench, d1, device);
  lacksRegisters(expect, bench, 0, device);
  cannotUse(expect, bench, 0, ELSEWHERE + BUFFER, 'the second place of its old owner');
  alsoAt(d1);

  expect.equal(bench.deassign(d1, device), 0, 'the device is taken away');
  lacksRegisters(expect, bench, d1, device);
  lacksRegisters(expect, bench, 0, device);
  cannotUse(expect, bench, d1, ELSEWHERE + BUFFER, 'the second place of its old owner');
  for (let page = bar / PAGE; page < (bar + BAR_SIZE) / PAGE; page++) {
    expect.equal(bench.memoryMapping(d1, page, page, 1), EPERM, 'nor may the domain map its registers');
  }
  expect.equal(bench.assign(d1, device), 0, 'it is assigned again');
  hasRegisters(expect, bench, d1, device);
});
