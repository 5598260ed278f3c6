/** Discover PCI devices from Xen: at boot Xen finds the functions that firmware has enumerated, all and no others. */

import { formatSbdf, type Sbdf } from '../../src/hw/machine.js';
import { created, MIB, reaches, unreachable } from '../arranging.js';
import { check } from '../bench.js';
import { configAddress, hasRegisters, lacksRegisters, registerWord, setRegisterWord } from '../device-registers.js';
import { GUEST_RAM } from '../devices.js';
import type { PassthroughBench } from '../passthrough-bench.js';

const ID = 'XenSwdgn~passthrough_discover_pci_devs_from_xen~1';
const ENODEV = -19;

function at(segment: number, bus: number, device: number, fn = 0): Sbdf {
  return { segment, bus, device, function: fn };
}

/** The endpoints of the board file that the hardware domain gets: each is found in another way. */
const HARDWARE_DOMAINS = [
  at(0, 0, 2),
  // Functions 0 and 5 of one device.
  at(0, 0, 3, 0),
  at(0, 0, 3, 5),
  // Behind a hole at device 4.
  at(0, 0, 5),
  at(1, 0, 1),
  // The last device of a bus, behind 28 holes.
  at(1, 0, 0x1f),
];
/** Those that are kept for passthrough; one of them is behind bridge 1c.0. */
const KEPT = [at(0, 0, 1), at(0, 5, 0), at(1, 0, 2)];
const BRIDGES = [at(0, 0, 0x1c), at(0, 0, 0x1d)];
const EXPECTED = [...HARDWARE_DOMAINS, ...KEPT, ...BRIDGES].map(formatSbdf).sort();

/** The device that answers to all eight function numbers and has one function. */
const SINGLE_FUNCTION = at(0, 0, 5);
/** The one device whose function 0 says that there are more. */
const MULTI_FUNCTION = at(0, 0, 3);

/** All functions of the buses that something is on; of others, those that a bridge's bus could begin with. */
function everyFunction(): Sbdf[] {
  const found: Sbdf[] = [];
  for (const [segment, bus] of [
    [0, 0],
    [0, 5],
    [1, 0],
  ] as const) {
    for (let devfn = 0; devfn < 256; devfn++) found.push(at(segment, bus, devfn >> 3, devfn & 7));
  }
  for (let bus = 1; bus < 16; bus++) for (const segment of bus === 5 ? [1] : [0, 1]) found.push(at(segment, bus, 0));
  return found;
}

check(ID, 'Xen knows the functions that firmware has enumerated, and no others', ({ bench, expect }) => {
  const domid = created(expect, bench.create({ memory: MIB, passthrough: 'enabled' }));

  const known = everyFunction().filter((sbdf) => bench.testAssign(domid, sbdf) === 0);

  expect.deepEqual(
    known.map(formatSbdf).sort(),
    EXPECTED,
    'the functions that can be assigned are those of the board file',
  );
});

check(ID, 'devices that Xen has found work for the hardware domain without any announcement', ({ bench, expect }) => {
  const memory = bench.ramOf(0).address + 0x10_0000;
  for (const device of HARDWARE_DOMAINS) {
    reaches(expect, bench, device, 0, memory);
    hasRegisters(expect, bench, 0, device);
  }
  for (const device of KEPT) {
    unreachable(expect, bench, device, memory, 'it is kept for passthrough');
    lacksRegisters(expect, bench, 0, device);
  }
});

check(ID, 'devices that Xen has found work for the domain that they are assigned to', ({ bench, expect }) => {
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
  for (const device of [...KEPT, ...HARDWARE_DOMAINS]) {
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

check(ID, 'Xen looks for functions 1 to 7 only where function 0 says that there are more', ({ bench, expect }) => {
  const accesses = configAccesses(bench.powerOnAnother());
  const touched = (sbdf: Sbdf) => {
    const { from, to } = functionOf(sbdf);
    return accesses.some(({ address }) => from <= address && address < to);
  };
  for (const [segment, bus] of [
    [0, 0],
    [0, 5],
    [1, 0],
  ] as const) {
    for (let device = 0; device < 32; device++) {
      const slot = at(segment, bus, device);
      expect.ok(touched(slot), `${formatSbdf(slot)} was looked at`);
      const more = formatSbdf(slot) === formatSbdf(MULTI_FUNCTION);
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
});

check(
  ID,
  'Xen goes only where firmware has configured a bridge, and leaves all as firmware has set it up',
  ({ bench, expect }) => {
    const fresh = bench.powerOnAnother();
    // Command, BARs or bus numbers and windows: offsets 0x04 to 0x2f of both header types.
    const setUp = () =>
      [...HARDWARE_DOMAINS, ...KEPT, ...BRIDGES].flatMap((sbdf) =>
        [0x04, 0x10, 0x14, 0x18, 0x1c, 0x20, 0x24, 0x28, 0x2c].map((offset) =>
          registerWord(fresh, configAddress(sbdf, offset)),
        ),
      );
    const before = setUp();

    const accesses = configAccesses(fresh);

    const buses = new Set<string>();
    for (const { address } of accesses) {
      const segment = address >= 0x40_2000_0000 ? 1 : 0;
      buses.add(`${segment} ${Math.floor((address - configAddress(at(segment, 0, 0), 0)) / 0x10_0000)}`);
    }
    expect.deepEqual([...buses].sort(), ['0 0', '0 5', '1 0'], 'segments and buses that Xen looked at');
    expect.deepEqual(setUp(), before, 'bus numbers, windows, base addresses and enables are as they were');
  },
);

check(ID, 'bus numbers are those that firmware has given, whatever they are', ({ bench, expect }) => {
  const fresh = bench.powerOnAnother();
  const [used, unused] = BRIDGES as [Sbdf, Sbdf];
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

check(ID, 'while Xen sizes a base address register, its device answers at no address', ({ bench, expect }) => {
  const fresh = bench.powerOnAnother();
  const all = [...HARDWARE_DOMAINS, ...KEPT];
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
});
