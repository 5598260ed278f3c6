/** Discover PCI devices from Xen: at boot Xen finds the functions that firmware has enumerated, all and no others. */

import { formatSbdf, type Sbdf } from '../../src/hw/machine.js';
import { created, MIB, reaches, unreachable } from '../arranging.js';
import { check } from '../bench.js';
import { configAddress, hasRegisters, lacksRegisters, registerWord, setRegisterWord } from '../device-registers.js';
import { GUEST_RAM } from '../devices.js';
import type { PassthroughBench } from '../passthrough-bench.js';

const ID = 'XenSwdgn~passthrough_discover_pci_devs_from_xen~1';
const EBUSY = -16;
const ENODEV = -19;

function at(segment: number, bus: number, device: number, fn = 0): Sbdf {
  return { segment, bus, device, function: fn };
}

/** What the functions of a board file are to Xen. */
interface Functions {
  /** The endpoints that the hardware domain gets and that nothing else goes with: each is found in another way. */
  readonly hardwareDomains: readonly Sbdf[];
  /** Those of them that only one domain can have together. */
  readonly groups: readonly (readonly Sbdf[])[];
  /** Those that are kept for passthrough; one of them is behind bridge 1c.0. */
  readonly kept: readonly Sbdf[];
  readonly bridges: readonly Sbdf[];
  /** Devices whose function 0 says that there are more. */
  readonly multiFunction: readonly Sbdf[];
  /** Buses that something is on: segment and number. */
  readonly buses: readonly (readonly [segment: number, bus: number])[];
}

/** What both boards have. Device 5 is behind a hole at device 4, device 1f the last of a bus, behind 28 holes. */
const ON_BOTH: Functions = {
  hardwareDomains: [at(0, 0, 2), at(0, 0, 5), at(1, 0, 1), at(1, 0, 0x1f)],
  // Functions 0 and 5 of one device.
  groups: [[at(0, 0, 3, 0), at(0, 0, 3, 5)]],
  kept: [at(0, 0, 1), at(0, 5, 0), at(1, 0, 2)],
  bridges: [at(0, 0, 0x1c), at(0, 0, 0x1d)],
  multiFunction: [at(0, 0, 3)],
  buses: [
    [0, 0],
    [0, 5],
    [1, 0],
  ],
};

/** By platform. */
const FUNCTIONS: Readonly<Record<string, Functions>> = {
  'arm64-smmuv3': ON_BOTH,
  // Two functions that access control services keep apart, a physical function, a conventional bus behind bridge 1e.0.
  'arm64-smmuv3-dual': {
    hardwareDomains: [
      ...ON_BOTH.hardwareDomains,
      ...[at(0, 0, 6), at(0, 0, 7), at(0, 0, 8), at(0, 0, 9, 0), at(0, 0, 9, 1), at(0, 0, 0xa)],
    ],
    // Registers of 0b and 0c are in one page.
    groups: [...ON_BOTH.groups, [at(0, 8, 0), at(0, 8, 1)], [at(0, 0, 0xb), at(0, 0, 0xc)]],
    kept: ON_BOTH.kept,
    bridges: [...ON_BOTH.bridges, at(0, 0, 0x1e)],
    multiFunction: [...ON_BOTH.multiFunction, at(0, 0, 9)],
    buses: [...ON_BOTH.buses, [0, 8]],
  },
};

function functionsOf({ name }: { readonly name: string }): Functions & { readonly endpoints: readonly Sbdf[] } {
  const functions = FUNCTIONS[name];
  if (functions === undefined) throw new Error(`the functions of ${name} are not written down here`);
  const { hardwareDomains, groups, kept } = functions;
  return { ...functions, endpoints: [...hardwareDomains, ...groups.flat(), ...kept] };
}

/** The device that answers to all eight function numbers and has one function. */
const SINGLE_FUNCTION = at(0, 0, 5);
/** DOMID_IO (xen/include/public/xen.h), who has what is in quarantine. */
const DOMID_IO = 0x7ff1;

/** All functions of the buses that something is on; of others, those that a bridge's bus could begin with. */
function everyFunction(buses: Functions['buses']): Sbdf[] {
  const found: Sbdf[] = [];
  for (const [segment, bus] of buses) {
    for (let devfn = 0; devfn < 256; devfn++) found.push(at(segment, bus, devfn >> 3, devfn & 7));
  }
  for (let bus = 1; bus < 16; bus++) {
    for (const segment of [0, 1]) {
      if (!buses.some(([ofSegment, used]) => ofSegment === segment && used === bus)) found.push(at(segment, bus, 0));
    }
  }
  return found;
}

check(ID, 'Xen knows the functions that firmware has enumerated, and no others', ({ bench, expect, platform }) => {
  const { endpoints, bridges, buses } = functionsOf(platform);
  const domid = created(expect, bench.create({ memory: MIB, passthrough: 'enabled' }));

  const known = everyFunction(buses).filter((sbdf) => bench.testAssign(domid, sbdf) === 0);

  expect.deepEqual(
    known.map(formatSbdf).sort(),
    [...endpoints, ...bridges].map(formatSbdf).sort(),
    'the functions that can be assigned are those of the board file',
  );
});

check(
  ID,
  'devices that Xen has found work for the hardware domain without any announcement',
  ({ bench, expect, platform }) => {
    const { hardwareDomains, groups, kept } = functionsOf(platform);
    const memory = bench.ramOf(0).address + 0x10_0000;
    for (const device of [...hardwareDomains, ...groups.flat()]) {
      reaches(expect, bench, device, 0, memory);
      hasRegisters(expect, bench, 0, device);
    }
    for (const device of kept) {
      unreachable(expect, bench, device, memory, 'it is kept for passthrough');
      lacksRegisters(expect, bench, 0, device);
    }
  },
);

check(ID, 'devices that Xen has found work for the domain that they are assigned to', ({ bench, expect, platform }) => {
  const { hardwareDomains, groups, kept } = functionsOf(platform);
  const absent = [
    at(0, 0, 4),
    at(0, 0, 3, 1),
    at(0, 0, 5, 1),
    at(0, 0, 5, 7),
    at(0, 1, 0),
    at(0, 6, 0),
    at(1, 0, 3),
    at(1, 5, 0),
  ];
  const domid = created(expect, bench.create({ memory: MIB, passthrough: 'enabled' }));
  for (const device of absent) {
    expect.equal(bench.assign(domid, device), ENODEV, `there is no ${formatSbdf(device)} to be assigned`);
  }
  // Of a group, each waits for the others to leave the hardware domain.
  for (const device of groups.flat()) {
    expect.equal(bench.assign(domid, device), EBUSY, `${formatSbdf(device)} has a mate that the hardware domain has`);
  }
  for (const device of groups.flat()) {
    expect.equal(bench.assign(DOMID_IO, device), 0, `${formatSbdf(device)} is put into quarantine`);
  }
  for (const device of [...kept, ...hardwareDomains, ...groups.flat()]) {
    expect.equal(bench.assign(domid, device), 0, `${formatSbdf(device)} is assigned`);
    reaches(expect, bench, device, domid, GUEST_RAM);
    hasRegisters(expect, bench, domid, device);
  }
});

/** What Xen reads or writes in configuration space while it boots on a machine that has just been powered on. */
function configAccesses(fresh: PassthroughBench): { readonly address: number; readonly write: boolean }[] {
  const accesses: { address: number; write: boolean }[] = [];
  fresh.machine.observer.onAccess(({ kind, actor, address }) => {
    if (actor === 'xen' && (kind === 'config read' || kind === 'config write')) {
      accesses.push({ address, write: kind === 'config write' });
    }
  });
  fresh.boot();
  return accesses;
}

const functionOf = (sbdf: Sbdf) => ({ from: configAddress(sbdf, 0), to: configAddress(sbdf, 0x1000) });

check(
  ID,
  'Xen looks for functions 1 to 7 only where function 0 says that there are more',
  ({ bench, expect, platform }) => {
    const { buses, multiFunction } = functionsOf(platform);
    const accesses = configAccesses(bench.powerOnAnother());
    const touched = (sbdf: Sbdf) => {
      const { from, to } = functionOf(sbdf);
      return accesses.some(({ address }) => from <= address && address < to);
    };
    for (const [segment, bus] of buses) {
      for (let device = 0; device < 32; device++) {
        const slot = at(segment, bus, device);
        expect.ok(touched(slot), `${formatSbdf(slot)} was looked at`);
        const more = multiFunction.some((other) => formatSbdf(other) === formatSbdf(slot));
        const others = [1, 2, 3, 4, 5, 6, 7].filter((fn) => touched({ ...slot, function: fn }));
        expect.equal(others.length, more ? 7 : 0, `functions that were looked at beside ${formatSbdf(slot)}`);
      }
    }
    // It answers to all numbers, so it would have been found eight times.
    const answer = registerWord(bench, configAddress(SINGLE_FUNCTION, 0));
    expect.equal(
      registerWord(bench, configAddress({ ...SINGLE_FUNCTION, function: 7 }, 0)),
      answer,
      'the device answers to 7',
    );
  },
);

check(
  ID,
  'Xen goes only where firmware has configured a bridge, and leaves all as firmware has set it up',
  ({ bench, expect, platform }) => {
    const { endpoints, bridges, buses } = functionsOf(platform);
    const fresh = bench.powerOnAnother();
    // Command, BARs or bus numbers and windows: offsets 0x04 to 0x2f of both header types.
    const setUp = () =>
      [...endpoints, ...bridges].flatMap((sbdf) =>
        [0x04, 0x10, 0x14, 0x18, 0x1c, 0x20, 0x24, 0x28, 0x2c].map((offset) =>
          registerWord(fresh, configAddress(sbdf, offset)),
        ),
      );
    const before = setUp();

    const accesses = configAccesses(fresh);

    const seen = new Set<string>();
    for (const { address } of accesses) {
      const segment = address >= 0x40_2000_0000 ? 1 : 0;
      seen.add(`${segment} ${Math.floor((address - configAddress(at(segment, 0, 0), 0)) / 0x10_0000)}`);
    }
    const wanted = buses.map(([segment, bus]) => `${segment} ${bus}`);
    expect.deepEqual([...seen].sort(), wanted.sort(), 'segments and buses that Xen looked at');
    expect.deepEqual(setUp(), before, 'bus numbers, windows, base addresses and enables are as they were');
  },
);

check(ID, 'bus numbers are those that firmware has given, whatever they are', ({ bench, expect, platform }) => {
  const fresh = bench.powerOnAnother();
  const [used, unused] = functionsOf(platform).bridges as [Sbdf, Sbdf];
  // Primary, secondary and subordinate bus from the lowest byte: 0, 4, 7 and 0, 9, 10 instead of 0, 5, 5 and none.
  setRegisterWord(fresh, configAddress(used, 0x18), 0x0007_0400);
  setRegisterWord(fresh, configAddress(unused, 0x18), 0x000a_0900);

  fresh.boot();

  const domid = created(expect, fresh.create({ memory: MIB, passthrough: 'enabled' }));
  for (const found of [at(0, 4, 0), at(0, 9, 0), at(0, 0, 1)]) {
    expect.equal(fresh.testAssign(domid, found), 0, `${formatSbdf(found)} is there`);
  }
  for (const absent of [at(0, 5, 0), at(0, 7, 0), at(0, 10, 0), at(0, 1, 0)]) {
    expect.equal(fresh.assign(domid, absent), ENODEV, `${formatSbdf(absent)} is not there`);
  }
  reaches(expect, fresh, at(0, 4, 0), 0, fresh.ramOf(0).address + 0x10_0000);
});

check(
  ID,
  'while Xen sizes a base address register, its device answers at no address',
  ({ bench, expect, platform }) => {
    const fresh = bench.powerOnAnother();
    const { endpoints: all } = functionsOf(platform);
    const decoding = (sbdf: Sbdf) => (registerWord(fresh, configAddress(sbdf, 0x04)) & 2) !== 0;
    for (const sbdf of all) expect.ok(decoding(sbdf), `firmware lets ${formatSbdf(sbdf)} answer`);
    let sized = 0;
    const answering = new Set<string>();
    fresh.machine.observer.onAccess(({ kind, actor, address, lo }) => {
      if (actor !== 'xen' || kind !== 'config write' || lo !== 0xffff_ffff) return;
      const device = all.find((sbdf) => configAddress(sbdf, 0x10) <= address && address < configAddress(sbdf, 0x28));
      if (device === undefined) return;
      sized++;
      if (decoding(device)) answering.add(formatSbdf(device));
    });

    fresh.boot();

    expect.ok(sized >= all.length, 'Xen sizes base address registers');
    expect.deepEqual([...answering], [], 'devices that answered while a register of theirs held all ones');
    for (const sbdf of all) expect.ok(decoding(sbdf), `${formatSbdf(sbdf)} answers again`);
  },
);
