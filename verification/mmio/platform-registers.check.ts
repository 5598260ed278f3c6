/** Map device memory region: registers of platform devices. */
import { created, givenUp, MIB } from '../arranging.js';
import { check } from '../bench.js';
import {
  cannotUse,
  hasRegisters,
  IDENTIFICATION,
  lacksRegisters,
  registersOf,
  registerWord,
  setRegisterWord,
  uses,
} from '../device-registers.js';
import { nameOf } from '../guest-bench.js';
import { hostPassthroughDevice, type MappedRegion } from '../passthrough-tree.js';
import { ELSEWHERE, hasExactly, PAGE } from '../regions.js';

const ID = 'XenSwdgn~passthrough_map_dev_mem_region~1';
const PLATFORM = { aspect: 'platform' } as const;
const EPERM = -1;

check(ID, 'a domain reaches all regions of its platform devices, where the machine has them', PLATFORM, (given) => {
  const { bench, expect } = given;
  const { severalStreams, first, apart } = bench.devices.platform;
  const d1 = created(expect, bench.create({ memory: MIB, devices: [severalStreams, first, apart] }));
  const d2 = created(expect, bench.create({ memory: MIB }));
  for (const device of [severalStreams, first, apart]) {
    hasRegisters(expect, bench, d1, device);
    lacksRegisters(expect, bench, d2, device);
  }
  const [, second] = hostPassthroughDevice(bench.hostTree, severalStreams.path).regions;
  hasExactly(expect, bench, d1, second as MappedRegion);
  for (const device of Object.values(bench.devices.hardwareDomains)) lacksRegisters(expect, bench, d1, device);
});

check(ID, 'a domain reaches the regions of a platform device where its tree says', PLATFORM, ({ bench, expect }) => {
  const { severalStreams } = bench.devices.platform;
  const { path } = severalStreams;
  const { regions } = hostPassthroughDevice(bench.hostTree, path);
  const [registers, second] = regions as [MappedRegion, MappedRegion];
  // The other way round, and the first a page longer away from the second than its size.
  const moved = [
    { ...registers, guest: ELSEWHERE + 0x10_0000 },
    { ...second, guest: ELSEWHERE },
  ];
  const d1 = created(expect, bench.create({ memory: MIB, platform: [{ path, regions: moved }] }));

  hasExactly(expect, bench, d1, moved[1] as MappedRegion);
  const at = ELSEWHERE + 0x10_0000;
  expect.equal(bench.load(d1, at), IDENTIFICATION, 'the registers begin there');
  for (const offset of [registers.size / 2, registers.size - 4]) {
    uses(expect, bench, d1, at + offset, registers.machine + offset);
  }
  for (const guest of [at - 4, at + registers.size]) cannotUse(expect, bench, d1, guest, 'beside the registers');
  lacksRegisters(expect, bench, d1, severalStreams);
  cannotUse(expect, bench, d1, second.machine, 'the address that the machine has it at');
});

check(
  ID,
  'what a tree maps of a platform device is what the domain gets, and no more',
  PLATFORM,
  ({ bench, expect }) => {
    // One that the hardware domain had: it may give away its registers.
    const device = bench.devices.platform.hardwareDomains;
    givenUp(expect, bench, device);
    const { path } = device;
    const { address, size } = registersOf(bench, device);
    // Two pages from the middle of four.
    const pages = { machine: address + PAGE, size: 2 * PAGE, guest: ELSEWHERE };
    const beside = [address + 0x40, address + size - 4];
    for (const at of beside) setRegisterWord(bench, at, 0x0bad_cafe);
    const words = beside.map((at) => registerWord(bench, at));
    const d1 = created(expect, bench.create({ memory: MIB, platform: [{ path, regions: [pages] }] }));

    for (const offset of [PAGE, 2 * PAGE - 4]) uses(expect, bench, d1, ELSEWHERE + offset, pages.machine + offset);
    for (const guest of [ELSEWHERE - 4, ELSEWHERE + 2 * PAGE]) cannotUse(expect, bench, d1, guest, 'beside the region');
    expect.deepEqual(
      beside.map((at) => registerWord(bench, at)),
      words,
      'registers beside the region are as they were',
    );
    const other = ELSEWHERE + 0x10_0000;
    for (const machine of [address, address + size - PAGE]) {
      expect.equal(
        bench.memoryMapping(d1, other / PAGE, machine / PAGE, 1),
        EPERM,
        'a frame that the tree does not give',
      );
      cannotUse(expect, bench, d1, other, 'it was refused');
    }
    expect.equal(bench.memoryMapping(d1, other / PAGE, pages.machine / PAGE, 2), 0, 'those that it gives');
    uses(expect, bench, d1, other + 2 * PAGE - 4, pages.machine + 2 * PAGE - 4);
  },
);

check(ID, 'registers that another domain has are mapped to no second one', PLATFORM, ({ bench, expect }) => {
  const { first, apart, withoutDma } = bench.devices.platform;
  const d1 = created(expect, bench.create({ memory: MIB, devices: [first] }));
  const plain = { ...hostPassthroughDevice(bench.hostTree, withoutDma.path), force: true };
  const d2 = created(expect, bench.create({ memory: MIB, platform: [plain] }));
  const { regions: busy } = hostPassthroughDevice(bench.hostTree, first.path);
  for (const regions of [busy, plain.regions]) {
    const failed = bench.create({ memory: MIB, platform: [{ name: 'thief', regions, force: true }] });
    expect.ok('error' in failed, 'they are in use');
  }
  const { path } = apart;
  const { regions } = hostPassthroughDevice(bench.hostTree, path);
  const both = bench.create({ memory: MIB, platform: [{ path, regions: [...regions, ...busy] }] });
  expect.ok('error' in both, 'nor are they mapped as part of another device');
  hasRegisters(expect, bench, d1, first);
  hasRegisters(expect, bench, d2, withoutDma);
  hasRegisters(expect, bench, created(expect, bench.create({ memory: MIB, devices: [apart] })), apart);
});

check(ID, 'a platform device that a domain loses takes its registers along', PLATFORM, ({ bench, expect }) => {
  const { hardwareDomains: device, apart } = bench.devices.platform;
  givenUp(expect, bench, device);
  const { path } = device;
  const { regions } = hostPassthroughDevice(bench.hostTree, path);
  const [registers] = regions as [MappedRegion];
  const d1 = created(expect, bench.create({ memory: MIB, devices: [apart], platform: [{ path, regions }] }));
  for (const one of [device, apart]) hasRegisters(expect, bench, d1, one);
  // A second place for them.
  const { size, machine } = registers;
  expect.equal(bench.memoryMapping(d1, ELSEWHERE / PAGE, machine / PAGE, size / PAGE), 0, 'a second place');
  expect.equal(bench.load(d1, ELSEWHERE), IDENTIFICATION, 'the registers are there too');

  expect.equal(bench.deassign(d1, device), 0, `${nameOf(device)} is taken away`);

  lacksRegisters(expect, bench, d1, device);
  for (const guest of [ELSEWHERE, ELSEWHERE + size - 4]) cannotUse(expect, bench, d1, guest, 'the second place');
  for (let page = machine / PAGE; page < (machine + size) / PAGE; page++) {
    expect.equal(bench.memoryMapping(d1, page, page, 1), EPERM, 'nor may the domain map its registers');
  }
  hasRegisters(expect, bench, d1, apart);
  hasRegisters(expect, bench, created(expect, bench.create({ memory: MIB, devices: [device] })), device);
});
