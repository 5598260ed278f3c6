/** Map device memory region: a domain reaches the registers of its devices as device memory, these frames alone. */
import { decodeFdt, encodeFdt } from '../../src/firmware/fdt.js';
import { cellBytes } from '../../src/firmware/tree.js';
import { created, givenUp, learnt, MIB } from '../arranging.js';
import { check } from '../bench.js';
import { cannotUse, IDENTIFICATION, registersOf, registerWord, setRegisterWord, uses } from '../device-registers.js';
import { GUEST_RAM } from '../devices.js';
import { domainBlob } from '../domain-blob.js';
import { type MappedRegion, twoCells } from '../passthrough-tree.js';
import { ELSEWHERE, hasExactly, PAGE, regionsOf, registersOfController, xensOwn } from '../regions.js';

const ID = 'XenSwdgn~passthrough_map_dev_mem_region~1';
const EPERM = -1;
const EINVAL = -22;

check(ID, 'a domain reaches its regions where its configuration says, frame by frame', ({ bench, expect }) => {
  const { middle, pair } = regionsOf(bench);
  const d1 = created(expect, bench.create({ memory: MIB, regions: [middle, pair] }));
  const d2 = created(expect, bench.create({ memory: MIB }));
  const { address } = bench.devices.registers.three;
  const neighbours = [address, middle.machine - 4, middle.machine + PAGE, middle.machine + 2 * PAGE - 4];
  for (const neighbour of neighbours) setRegisterWord(bench, neighbour, 0x0bad_cafe);

  hasExactly(expect, bench, d1, middle);
  hasExactly(expect, bench, d1, pair);

  for (const neighbour of neighbours) {
    expect.equal(registerWord(bench, neighbour), 0x0bad_cafe, 'registers beside the region are as they were');
  }
  for (const { machine, guest } of [middle, pair]) {
    cannotUse(expect, bench, d1, machine, 'the address that the machine has them at');
    cannotUse(expect, bench, d2, guest, 'the region of another domain');
    cannotUse(expect, bench, d2, machine, 'the region of another domain');
  }
  learnt(expect, bench, d2, GUEST_RAM);
});

check(ID, 'device registers are device memory for a domain, and nothing that it can execute', ({ bench, expect }) => {
  const { middle, pair } = regionsOf(bench);
  const { first, second, apart } = bench.devices.kept;
  const devices = [first, second, apart];
  const d1 = created(expect, bench.create({ memory: MIB, regions: [middle, pair], devices }));
  const places = [middle.guest, pair.guest, pair.guest + 2 * PAGE - 4];
  for (const device of devices) {
    const { address, size } = registersOf(bench, device);
    places.push(address, address + size - 4);
  }
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
  const { middle } = regionsOf(bench);
  // A device that the hardware domain had: it may give away its registers.
  const device = bench.devices.hardwareDomains.first;
  givenUp(expect, bench, device);
  const d1 = created(expect, bench.create({ memory: MIB, regions: [middle], devices: [device] }));
  const { address: own, size } = registersOf(bench, device);
  const refused = [middle.machine - PAGE, middle.machine + PAGE, own + size];
  for (const machine of refused) {
    expect.equal(bench.memoryMapping(d1, ELSEWHERE / PAGE, machine / PAGE, 1), EPERM, 'a frame beside what was given');
    cannotUse(expect, bench, d1, ELSEWHERE, 'it was refused');
  }
  expect.equal(bench.memoryMapping(d1, ELSEWHERE / PAGE, middle.machine / PAGE, 2), EPERM, 'one frame too many');
  cannotUse(expect, bench, d1, ELSEWHERE, 'it was refused as a whole');

  expect.equal(bench.memoryMapping(d1, ELSEWHERE / PAGE, middle.machine / PAGE, 1), 0, 'the frame that was given');
  hasExactly(expect, bench, d1, { ...middle, guest: ELSEWHERE });
  const second = ELSEWHERE + 0x10_0000;
  expect.equal(bench.memoryMapping(d1, second / PAGE, own / PAGE, size / PAGE), 0, 'registers of its device');
  expect.equal(bench.load(d1, second), IDENTIFICATION, 'they are there');

  // A frame more, once it is given, can be mapped.
  const next = middle.machine + PAGE;
  expect.equal(bench.iomemPermission(d1, next / PAGE, 1), 0, 'the next frame is given');
  expect.equal(bench.memoryMapping(d1, (ELSEWHERE + 0x20_0000) / PAGE, next / PAGE, 1), 0, 'and mapped');
  uses(expect, bench, d1, ELSEWHERE + 0x20_0000, next);

  // What is mapped stays until it is taken away; what may be mapped is asked each time.
  expect.equal(bench.iomemPermission(d1, next / PAGE, 1, false), 0, 'the permission is withdrawn');
  const again = (ELSEWHERE + 0x30_0000) / PAGE;
  expect.equal(bench.memoryMapping(d1, again, next / PAGE, 1), EPERM, 'it cannot be mapped again');
  expect.equal(bench.memoryMapping(d1, again, middle.machine / PAGE, 1), 0, 'another can');

  // What is not the hardware domain's is not its to give: Xen's controllers, memory of a guest.
  for (const machine of [...xensOwn(bench), learnt(expect, bench, d1, GUEST_RAM).mfn * PAGE]) {
    expect.equal(bench.iomemPermission(d1, machine / PAGE, 1), EPERM, 'it is not to be given');
    expect.equal(bench.memoryMapping(d1, (ELSEWHERE + 0x40_0000) / PAGE, machine / PAGE, 1), EPERM, 'nor mapped');
    cannotUse(expect, bench, d1, ELSEWHERE + 0x40_0000, 'it was refused');
  }
});

check(ID, 'a region that is no whole pages makes no domain', ({ bench, expect }) => {
  const { middle, pair } = regionsOf(bench);
  const unaligned: MappedRegion[] = [
    { ...middle, machine: middle.machine + 0x800 },
    { ...middle, size: PAGE - 4 },
    { ...middle, size: PAGE + 0x10 },
    { ...middle, guest: middle.guest + 4 },
    { ...middle, size: 0 },
  ];
  for (const region of unaligned) {
    expect.deepEqual(
      bench.create({ memory: MIB, regions: [pair, region] }),
      { error: EINVAL },
      'the region is no whole pages',
    );
  }
  const d1 = created(expect, bench.create({ memory: MIB, regions: [pair, middle] }));
  hasExactly(expect, bench, d1, middle);
});

check(ID, 'a region whose addresses are too long to be any makes no domain', ({ bench, expect }) => {
  const { middle } = regionsOf(bench);
  // Three cells for an address, two for a size.
  const tree = decodeFdt(domainBlob({ memory: MIB, regions: [middle] }));
  const long = cellBytes(0, ...twoCells(middle.machine), ...twoCells(middle.size), 0, ...twoCells(middle.guest));
  tree.root.properties.set('#address-cells', cellBytes(3)).set('xen,reg', long);

  expect.deepEqual(bench.xen.createDomain(encodeFdt(tree)), { error: EINVAL }, 'there are no such addresses');

  // The same region, told as it should be.
  tree.root.properties.set('#address-cells', cellBytes(2));
  tree.root.properties.set('xen,reg', cellBytes(0, middle.machine, 0, middle.size, 0, middle.guest));
  hasExactly(expect, bench, created(expect, bench.xen.createDomain(encodeFdt(tree))), middle);
});

check(ID, 'what is not the registers of a device is no region, nor goes a region over memory', ({ bench, expect }) => {
  const { middle, pair } = regionsOf(bench);
  const { address: memory } = bench.ramOf(0);
  // What Xen shows to every domain itself, as a domain finds it in its device tree.
  const other = created(expect, bench.create({ memory: MIB }));
  const emulated = registersOfController(bench, other);
  expect.ok(emulated.length > 1, 'a domain has an interrupt controller');
  const impossible: MappedRegion[] = [
    // Memory of the hardware domain, Xen's controllers, a region that goes on behind its device.
    { ...middle, machine: memory },
    ...xensOwn(bench).map((machine) => ({ ...middle, machine })),
    { ...middle, machine: middle.machine + PAGE, size: 2 * PAGE },
    // The first and the last page of the guest's own memory.
    { ...middle, guest: GUEST_RAM },
    { ...middle, guest: GUEST_RAM + MIB - PAGE },
    { ...pair, guest: GUEST_RAM - PAGE },
    // Over another region of it, and over the interrupt controller that it is shown.
    { ...middle, guest: pair.guest + PAGE },
    ...emulated.map((guest) => ({ ...middle, guest })),
  ];
  for (const region of impossible) {
    const result = bench.create({ memory: MIB, regions: [pair, region] });
    expect.ok('error' in result && result.error < 0, 'there can be no such region');
  }
  // None of them has left anything that is in the way of a region that there can be.
  const d1 = created(expect, bench.create({ memory: MIB, regions: [pair, { ...middle, guest: GUEST_RAM - PAGE }] }));
  uses(expect, bench, d1, GUEST_RAM - PAGE, middle.machine);
  learnt(expect, bench, d1, GUEST_RAM);
  learnt(expect, bench, d1, GUEST_RAM + MIB - PAGE);
});

check(ID, 'a region that is taken away is gone at once', ({ bench, expect }) => {
  const { middle, pair } = regionsOf(bench);
  const d1 = created(expect, bench.create({ memory: MIB, regions: [middle, pair] }));
  hasExactly(expect, bench, d1, pair);
  hasExactly(expect, bench, d1, middle);

  // The second page of two, which the domain has just used.
  expect.equal(
    bench.memoryMapping(d1, pair.guest / PAGE + 1, pair.machine / PAGE + 1, 1, false),
    0,
    'it is taken away',
  );

  cannotUse(expect, bench, d1, pair.guest + PAGE, 'it was taken away');
  cannotUse(expect, bench, d1, pair.guest + 2 * PAGE - 4, 'it was taken away');
  hasExactly(expect, bench, d1, { ...pair, size: PAGE });
  hasExactly(expect, bench, d1, middle);
  expect.equal(bench.memoryMapping(d1, pair.guest / PAGE + 1, pair.machine / PAGE + 1, 1), 0, 'it comes back');
  hasExactly(expect, bench, d1, pair);

  // The first page of two, and the second stays.
  expect.equal(bench.memoryMapping(d1, pair.guest / PAGE, pair.machine / PAGE, 1, false), 0, 'the first is taken away');
  hasExactly(expect, bench, d1, { machine: pair.machine + PAGE, size: PAGE, guest: pair.guest + PAGE });

  // Told of registers that are not there, Xen takes nothing: neither other registers nor memory.
  for (const guest of [middle.guest, GUEST_RAM]) {
    const result = bench.memoryMapping(d1, guest / PAGE, pair.machine / PAGE, 1, false);
    expect.ok(result < 0, 'these registers are not mapped there');
  }
  hasExactly(expect, bench, d1, middle);
  learnt(expect, bench, d1, GUEST_RAM);
});
