/** Provide interface for addition and removal of PCI devices: physical functions and their virtual ones. */
import type { Sbdf } from '../../src/hw/machine.js';
import { created, MIB, reaches, unreachable } from '../arranging.js';
import { check } from '../bench.js';
import {
  BAR_SIZE,
  BUFFER,
  cannotUse,
  hasRegisters,
  IDENTIFICATION,
  lacksRegisters,
  uses,
} from '../device-registers.js';
import { GUEST_RAM, pciDevicesOf } from '../devices.js';
import { enableFunction, enableVirtualFunctions, virtualMemory } from './driving.js';

const ID = 'XenSwdgn~passthrough_provide_if_for_add_rm_pci_devs~1';
const DEVICES = { aspect: 'devices' };

/** Error codes (xen/include/public/errno.h), negated as hypercalls return them. */
const EBADF = -9;
const EBUSY = -16;
const ENODEV = -19;

/** The flag of a virtual function (xen/include/public/physdev.h). */
const VIRTFN = 2;

check(ID, 'a virtual function comes after its physical function', DEVICES, ({ bench, expect }) => {
  const { first: device } = pciDevicesOf(bench).hardwareDomains;
  const { first: function0, second: function5 } = pciDevicesOf(bench).oneDevice;
  const memory = bench.ramOf(0).address + 0x10_0000;
  const asVirtual = { flags: VIRTFN, physfn: function0 };
  expect.equal(bench.pciDeviceRemove(function5), 0, 'the function is gone');
  expect.equal(bench.pciDeviceRemove(function0), 0, 'and the one that it belongs to');

  expect.equal(bench.pciDeviceAdd(function5, asVirtual), ENODEV, 'its physical function is not known');

  unreachable(expect, bench, function5, memory, 'it was not taken');
  lacksRegisters(expect, bench, 0, function5);
  expect.equal(bench.pciDeviceRemove(function5), ENODEV, 'it is not known either');
  expect.equal(bench.pciDeviceAdd(function0), 0, 'the physical function first');
  expect.equal(bench.pciDeviceAdd(function5, asVirtual), 0, 'and then the virtual one');
  reaches(expect, bench, function5, 0, memory);
  hasRegisters(expect, bench, 0, function5);
  // Announced as a virtual function of one that is not there, a known device is refused and stays what it is.
  const orphan = { flags: VIRTFN, physfn: { ...function0, device: 4 } };
  expect.equal(bench.pciDeviceAdd(device, orphan), ENODEV, 'its physical function is not known');
  reaches(expect, bench, device, 0, memory);
  expect.equal(bench.pciDeviceRemove(device), 0, 'it is known itself, and can go');
  unreachable(expect, bench, device, memory, 'it has been removed');
});

check(
  ID,
  'the physical function of a virtual one is of the same segment and the bus that is named',
  DEVICES,
  ({ bench, expect }) => {
    const { kept } = pciDevicesOf(bench);
    const { second: function5 } = pciDevicesOf(bench).oneDevice;
    const memory = bench.ramOf(0).address + 0x10_0000;
    const elsewhere = { segment: 1, bus: 0, device: 0x1f, function: 0 };
    expect.equal(bench.pciDeviceRemove(elsewhere), 0, 'a function of segment 1 is gone');

    // 00:05.0 is there in segment 0, not in segment 1; 05:00.0 is there, 00:00.0 is not.
    const inOtherSegment = { flags: VIRTFN, physfn: { ...elsewhere, device: 5 } };
    expect.equal(bench.pciDeviceAdd(elsewhere, inOtherSegment), ENODEV, 'segment 1 has no such physical function');
    unreachable(expect, bench, elsewhere, memory, 'it was not taken');
    const ofSegment = { flags: VIRTFN, physfn: { ...elsewhere, device: 1 } };
    expect.equal(bench.pciDeviceAdd(elsewhere, ofSegment), 0, 'the physical function is of segment 1');
    reaches(expect, bench, elsewhere, 0, memory);
    const behindBridge = { flags: VIRTFN, physfn: kept.second };
    expect.equal(bench.pciDeviceAdd(function5, behindBridge), 0, 'the physical function is on another bus');
    expect.equal(bench.pciDeviceRemove(kept.second), EBUSY, 'and has a virtual function now');
    for (const gone of [function5, kept.second]) {
      expect.equal(bench.pciDeviceRemove(gone), 0, 'first the virtual function goes, then the physical one');
    }
    expect.equal(bench.pciDeviceAdd(kept.second), 0, 'it comes back');
    reaches(expect, bench, kept.second, 0, memory);
  },
);

check(ID, 'a physical function does not go before its virtual functions', DEVICES, ({ bench, expect }) => {
  const { first: device, second: other } = pciDevicesOf(bench).hardwareDomains;
  const { first: function0, second: function5 } = pciDevicesOf(bench).oneDevice;
  const d1 = created(expect, bench.create({ memory: MIB, devices: [other] }));
  for (const time of ['once', 'again']) {
    const result = bench.pciDeviceAdd(function5, { flags: VIRTFN, physfn: function0 });
    expect.equal(result, 0, `a virtual function, announced ${time}`);
  }

  expect.equal(bench.pciDeviceRemove(function0), EBUSY, 'it has a virtual function');

  // Neither is to be trusted from now on, and both are still known.
  for (const broken of [function0, function5]) {
    expect.equal(bench.assign(d1, broken), EBADF, 'no guest gets it');
    unreachable(expect, bench, broken, GUEST_RAM, 'memory of the domain that did not get it');
    lacksRegisters(expect, bench, d1, broken);
  }
  expect.equal(bench.assign(d1, device), 0, 'the domain can have others');
  expect.equal(bench.pciDeviceRemove(function5), 0, 'the virtual function goes');
  expect.equal(bench.pciDeviceRemove(function0), 0, 'and then the physical one');
});

check(
  ID,
  'virtual functions that are enabled are assigned apart from each other',
  { aspect: 'virtual functions' },
  (args) => {
    const { bench, expect } = args;
    const { physical, kept } = pciDevicesOf(bench);
    if (physical === undefined) return expect.fail('the board has a physical function');
    // 00:0a.1 to 00:0a.4, as the board file says.
    const at = (fn: number): Sbdf => ({ ...physical, function: fn });
    const [one, two, later] = [at(1), at(2), at(3)];
    const memory = bench.ramOf(0).address + 0x10_0000;
    const asVirtual = { flags: VIRTFN, physfn: physical };
    const d1 = created(expect, bench.create({ memory: MIB, devices: [kept.first] }));
    const d2 = created(expect, bench.create({ memory: MIB, devices: [kept.second] }));
    expect.equal(bench.assign(d1, one), ENODEV, 'a virtual function that nobody has announced is none');
    enableVirtualFunctions(bench, physical, 2);
    for (const virtual of [one, two]) {
      expect.equal(bench.pciDeviceAdd(virtual, asVirtual), 0, 'the virtual function is announced');
      enableFunction(bench, virtual);
      reaches(expect, bench, virtual, 0, memory);
    }

    expect.equal(bench.assign(d1, one), 0, 'one goes to a guest');
    expect.equal(bench.assign(d2, two), 0, 'the other to another guest');

    reaches(expect, bench, one, d1, GUEST_RAM);
    reaches(expect, bench, two, d2, GUEST_RAM);
    reaches(expect, bench, physical, 0, memory);
    for (const virtual of [one, two]) unreachable(expect, bench, virtual, memory, 'memory of the hardware domain');
    // Memory of virtual functions is where the physical one says, one after the other.
    const place = (number: number) => virtualMemory(bench, physical, number, BAR_SIZE);
    const places = [place(0), place(1), place(2)] as const;
    for (const [domid, own, others] of [
      [d1, places[0], [places[1], places[2]]],
      [d2, places[1], [places[0], places[2]]],
      [0, undefined, [places[0], places[1]]],
    ] as const) {
      if (own !== undefined) {
        expect.equal(bench.load(domid, own), IDENTIFICATION, `d${domid} finds the registers of its virtual function`);
        uses(expect, bench, domid, own + BUFFER);
      }
      for (const other of others) cannotUse(expect, bench, domid, other + BUFFER, 'memory of another virtual function');
    }
    expect.equal(bench.pciDeviceRemove(physical), EBUSY, 'the physical function does not go before its virtual ones');
    for (const gone of [one, two, physical]) expect.equal(bench.pciDeviceRemove(gone), 0, 'the function goes');
    unreachable(expect, bench, one, GUEST_RAM, 'it is gone');
    expect.equal(bench.pciDeviceAdd(later, asVirtual), ENODEV, 'no virtual function comes without its physical one');
  },
);
