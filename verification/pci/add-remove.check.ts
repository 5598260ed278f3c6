/** Provide interface for addition and removal of PCI devices: what becomes of devices announced, or gone. */
import { created, learnt, MIB, reaches, unreachable } from '../arranging.js';
import { check } from '../bench.js';
import {
  barAddress,
  cannotUse,
  configAddress,
  hasRegisters,
  lacksRegisters,
  registerWord,
  setRegisterWord,
} from '../device-registers.js';
import { GUEST_RAM, pciDevicesOf } from '../devices.js';

const ID = 'XenSwdgn~passthrough_provide_if_for_add_rm_pci_devs~1';
const DEVICES = { aspect: 'devices' };

/** Error codes (xen/include/public/errno.h), negated as hypercalls return them. */
const ENODEV = -19;

check(ID, 'a device that the hardware domain announces works for it', DEVICES, ({ bench, expect }) => {
  const { first: device } = pciDevicesOf(bench).hardwareDomains;
  const memory = bench.ramOf(0).address + 0x10_0000;
  expect.equal(bench.pciDeviceRemove(device), 0, 'the device is gone');
  unreachable(expect, bench, device, memory, 'nobody has announced the device');
  lacksRegisters(expect, bench, 0, device);

  expect.equal(bench.pciDeviceAdd(device), 0, 'the device is announced');

  reaches(expect, bench, device, 0, memory);
  expect.equal(learnt(expect, bench, 0, memory).mfn, memory / 4096, 'the hardware domain is mapped one to one');
  hasRegisters(expect, bench, 0, device);
  const d1 = created(expect, bench.create({ memory: MIB, devices: [device] }));
  reaches(expect, bench, device, d1, GUEST_RAM);
});

check(
  ID,
  "a device that the hardware domain says is gone reaches nothing and is nobody's",
  DEVICES,
  ({ bench, expect }) => {
    const { first: device, second: other } = pciDevicesOf(bench).hardwareDomains;
    const memory = bench.ramOf(0).address + 0x10_0000;
    const d1 = created(expect, bench.create({ memory: MIB, passthrough: 'enabled' }));
    reaches(expect, bench, device, 0, memory);
    reaches(expect, bench, other, 0, memory);
    hasRegisters(expect, bench, 0, device);

    expect.equal(bench.pciDeviceRemove(device), 0, 'the device is gone');

    unreachable(expect, bench, device, memory, 'it was reachable before');
    unreachable(expect, bench, device, memory + 0x5000, 'memory of the hardware domain');
    lacksRegisters(expect, bench, 0, device);
    expect.equal(bench.assign(d1, device), ENODEV, 'it cannot be assigned');
    unreachable(expect, bench, device, GUEST_RAM, 'memory of the domain that did not get it');
    reaches(expect, bench, other, 0, memory);
    hasRegisters(expect, bench, 0, other);
    expect.equal(bench.assign(d1, other), 0, 'a device that is there can be assigned');
    reaches(expect, bench, other, d1, GUEST_RAM);
  },
);

check(ID, 'a device that is announced twice is one device', DEVICES, ({ bench, expect }) => {
  const { first: device } = pciDevicesOf(bench).hardwareDomains;
  const memory = bench.ramOf(0).address + 0x10_0000;
  expect.equal(bench.pciDeviceAdd(device), 0, 'announced again');
  expect.equal(bench.pciDeviceAdd(device), 0, 'and again');
  reaches(expect, bench, device, 0, memory);
  hasRegisters(expect, bench, 0, device);

  expect.equal(bench.pciDeviceRemove(device), 0, 'removed once, it is gone');
  unreachable(expect, bench, device, memory, 'it has been removed');
  lacksRegisters(expect, bench, 0, device);
  expect.equal(bench.pciDeviceRemove(device), ENODEV, 'there is no second one to remove');

  expect.equal(bench.pciDeviceAdd(device), 0, 'it comes back');
  reaches(expect, bench, device, 0, memory);
});

check(ID, 'announcing a device that a guest has leaves it with the guest', DEVICES, ({ bench, expect }) => {
  const { first: device, second: other } = pciDevicesOf(bench).hardwareDomains;
  const memory = bench.ramOf(0).address + 0x10_0000;
  const d1 = created(expect, bench.create({ memory: MIB, devices: [device] }));
  reaches(expect, bench, device, d1, GUEST_RAM);

  expect.equal(bench.pciDeviceAdd(device), 0, 'announced again');

  reaches(expect, bench, device, d1, GUEST_RAM + 0x1000);
  hasRegisters(expect, bench, d1, device);
  unreachable(expect, bench, device, memory, 'memory of the hardware domain');
  lacksRegisters(expect, bench, 0, device);
  reaches(expect, bench, other, 0, memory);
});

check(ID, 'a guest loses a device that the hardware domain says is gone', DEVICES, ({ bench, expect }) => {
  const { first: device, second: other } = pciDevicesOf(bench).hardwareDomains;
  const d1 = created(expect, bench.create({ memory: MIB, devices: [device, other] }));
  reaches(expect, bench, device, d1, GUEST_RAM);
  hasRegisters(expect, bench, d1, device);

  expect.equal(bench.pciDeviceRemove(device), 0, 'the device is gone');

  unreachable(expect, bench, device, GUEST_RAM, 'it was reachable before');
  lacksRegisters(expect, bench, d1, device);
  reaches(expect, bench, other, d1, GUEST_RAM);
  hasRegisters(expect, bench, d1, other);
  expect.equal(bench.pciDeviceAdd(device), 0, 'it comes back');
  const memory = bench.ramOf(0).address + 0x10_0000;
  reaches(expect, bench, device, 0, memory);
  unreachable(expect, bench, device, GUEST_RAM, "it is not the guest's any more");
  lacksRegisters(expect, bench, d1, device);
  expect.equal(bench.destroy(d1), 0, 'the guest can be destroyed');
  reaches(expect, bench, device, 0, memory);
  hasRegisters(expect, bench, 0, device);
});

check(ID, 'announcing a device that is kept for passthrough leaves it in quarantine', DEVICES, ({ bench, expect }) => {
  const kept = pciDevicesOf(bench).kept.first;
  const memory = bench.ramOf(0).address + 0x10_0000;

  expect.equal(bench.pciDeviceAdd(kept), 0, 'announced again');

  unreachable(expect, bench, kept, memory, 'memory of the hardware domain');
  lacksRegisters(expect, bench, 0, kept);
  const d1 = created(expect, bench.create({ memory: MIB, devices: [kept] }));
  reaches(expect, bench, kept, d1, GUEST_RAM);
});

check(
  ID,
  'a device that comes back with its registers elsewhere is used where they are',
  DEVICES,
  ({ bench, expect }) => {
    const { first: device } = pciDevicesOf(bench).hardwareDomains;
    const before = barAddress(bench, device, 0);
    hasRegisters(expect, bench, 0, device);
    expect.equal(bench.pciDeviceRemove(device), 0, 'the device is gone');
    // Within the window of the host bridge, 16 MiB further on.
    const register = configAddress(device, 0x10);
    setRegisterWord(bench, register, registerWord(bench, register) + 0x100_0000);

    expect.equal(bench.pciDeviceAdd(device), 0, 'it comes back');

    expect.equal(barAddress(bench, device, 0), before + 0x100_0000, 'its registers have moved');
    hasRegisters(expect, bench, 0, device);
    cannotUse(expect, bench, 0, before, 'where they were');
  },
);

check(ID, 'devices of the same bus and function in two segments are two devices', DEVICES, ({ bench, expect }) => {
  const { kept, hardwareDomains } = pciDevicesOf(bench);
  const memory = bench.ramOf(0).address + 0x10_0000;
  // 0000:00:02.0 is the hardware domain's and 0001:00:02.0 is not; with 00:01.0 it is the other way round.
  const pairs = [
    { removed: hardwareDomains.first, stays: kept.apart },
    { removed: hardwareDomains.apart, stays: kept.first },
  ];
  for (const { removed, stays } of pairs) {
    const domid = created(expect, bench.create({ memory: MIB, devices: [stays] }));
    reaches(expect, bench, removed, 0, memory);
    hasRegisters(expect, bench, 0, removed);

    expect.equal(bench.pciDeviceRemove(removed), 0, 'one of them is gone');

    unreachable(expect, bench, removed, memory, 'it has been removed');
    lacksRegisters(expect, bench, 0, removed);
    reaches(expect, bench, stays, domid, GUEST_RAM);
    hasRegisters(expect, bench, domid, stays);

    expect.equal(bench.pciDeviceAdd(removed), 0, 'it comes back');
    reaches(expect, bench, removed, 0, memory);
    hasRegisters(expect, bench, 0, removed);
    reaches(expect, bench, stays, domid, GUEST_RAM);
  }
});
