/** Provide interface for addition and removal of PCI devices: what becomes of devices announced, or gone. */
import { created, learnt, MIB, reaches, unreachable } from '../arranging.js';
import { check } from '../bench.js';
import { barAddress, cannotUse, hasRegisters, lacksRegisters, uses } from '../device-registers.js';
import { GUEST_RAM, HARDWARE_DOMAINS, QUARANTINED } from '../devices.js';

const ID = 'XenSwdgn~passthrough_provide_if_for_add_rm_pci_devs~1';

/** Error codes (xen/include/public/errno.h), negated as hypercalls return them. */
const EPERM = -1;
const EBADF = -9;
const EFAULT = -14;
const EBUSY = -16;
const ENODEV = -19;
const EINVAL = -22;

/** PHYSDEVOP numbers, and the flag of a virtual function (xen/include/public/physdev.h). */
const PCI_DEVICE_ADD = 25;
const PCI_DEVICE_REMOVE = 26;
const VIRTFN = 2;

const device = HARDWARE_DOMAINS.first;
const other = HARDWARE_DOMAINS.second;
/** Two functions of one device, both the hardware domain's. */
const FUNCTION_0 = { segment: 0, bus: 0, device: 3, function: 0 } as const;
const FUNCTION_5 = { ...FUNCTION_0, function: 5 } as const;

check(ID, 'a device that the hardware domain announces works for it', ({ bench, expect }) => {
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

check(ID, "a device that the hardware domain says is gone reaches nothing and is nobody's", ({ bench, expect }) => {
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
});

check(ID, 'a device that is announced twice is one device', ({ bench, expect }) => {
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

check(ID, 'announcing a device that a guest has leaves it with the guest', ({ bench, expect }) => {
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

check(ID, 'a guest loses a device that the hardware domain says is gone', ({ bench, expect }) => {
  const d1 = created(expect, bench.create({ memory: MIB, devices: [device, other] }));
  reaches(expect, bench, device, d1, GUEST_RAM);
  hasRegisters(expect, bench, d1, device);

  expect.equal(bench.pciDeviceRemove(device), 0, 'the device is gone');

  unreachable(expect, bench, device, GUEST_RAM, 'it was reachable before');
  lacksRegisters(expect, bench, d1, device);
  reaches(expect, bench, other, d1, GUEST_RAM);
  hasRegisters(expect, bench, d1, other);
  expect.equal(bench.pciDeviceAdd(device), 0, 'it comes back');
  reaches(expect, bench, device, 0, bench.ramOf(0).address + 0x10_0000);
  unreachable(expect, bench, device, GUEST_RAM, "it is not the guest's any more");
  lacksRegisters(expect, bench, d1, device);
});

check(ID, 'devices of the same bus and function in two segments are two devices', ({ bench, expect }) => {
  const memory = bench.ramOf(0).address + 0x10_0000;
  // 0000:00:02.0 is the hardware domain's and 0001:00:02.0 is not; with 00:01.0 it is the other way round.
  const pairs = [
    { removed: HARDWARE_DOMAINS.first, stays: QUARANTINED.otherSegment },
    { removed: HARDWARE_DOMAINS.otherSegment, stays: QUARANTINED.first },
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

check(ID, 'a virtual function comes after its physical function', ({ bench, expect }) => {
  const memory = bench.ramOf(0).address + 0x10_0000;
  const asVirtual = { flags: VIRTFN, physfn: FUNCTION_0 };
  expect.equal(bench.pciDeviceRemove(FUNCTION_5), 0, 'the function is gone');
  expect.equal(bench.pciDeviceRemove(FUNCTION_0), 0, 'and the one that it belongs to');

  expect.equal(bench.pciDeviceAdd(FUNCTION_5, asVirtual), ENODEV, 'its physical function is not known');

  unreachable(expect, bench, FUNCTION_5, memory, 'it was not taken');
  lacksRegisters(expect, bench, 0, FUNCTION_5);
  expect.equal(bench.pciDeviceRemove(FUNCTION_5), ENODEV, 'it is not known either');
  expect.equal(bench.pciDeviceAdd(FUNCTION_0), 0, 'the physical function first');
  expect.equal(bench.pciDeviceAdd(FUNCTION_5, asVirtual), 0, 'and then the virtual one');
  reaches(expect, bench, FUNCTION_5, 0, memory);
  hasRegisters(expect, bench, 0, FUNCTION_5);
});

check(ID, 'a physical function does not go before its virtual functions', ({ bench, expect }) => {
  const d1 = created(expect, bench.create({ memory: MIB, devices: [other] }));
  expect.equal(bench.pciDeviceAdd(FUNCTION_5, { flags: VIRTFN, physfn: FUNCTION_0 }), 0, 'a virtual function');

  expect.equal(bench.pciDeviceRemove(FUNCTION_0), EBUSY, 'it has a virtual function');

  // Neither is to be trusted from now on, and both are still known.
  for (const broken of [FUNCTION_0, FUNCTION_5]) {
    expect.equal(bench.assign(d1, broken), EBADF, 'no guest gets it');
    unreachable(expect, bench, broken, GUEST_RAM, 'memory of the domain that did not get it');
    lacksRegisters(expect, bench, d1, broken);
  }
  expect.equal(bench.assign(d1, device), 0, 'the domain can have others');
  expect.equal(bench.pciDeviceRemove(FUNCTION_5), 0, 'the virtual function goes');
  expect.equal(bench.pciDeviceRemove(FUNCTION_0), 0, 'and then the physical one');
});

check(ID, 'only the hardware domain adds and removes devices', ({ bench, expect }) => {
  const memory = bench.ramOf(0).address + 0x10_0000;
  const d1 = created(expect, bench.create({ memory: MIB, devices: [other] }));

  expect.equal(bench.pciDeviceRemove(device, { caller: d1 }), EPERM, 'a guest cannot remove a device');
  reaches(expect, bench, device, 0, memory);
  hasRegisters(expect, bench, 0, device);
  expect.equal(bench.pciDeviceRemove(other, { caller: d1 }), EPERM, 'nor its own');
  reaches(expect, bench, other, d1, GUEST_RAM);

  expect.equal(bench.pciDeviceRemove(device), 0, 'the hardware domain can');
  expect.equal(bench.pciDeviceAdd(device, { caller: d1 }), EPERM, 'a guest cannot add it');
  unreachable(expect, bench, device, memory, 'nobody has added it');
  expect.equal(bench.pciDeviceAdd(device), 0, 'the hardware domain can');
  reaches(expect, bench, device, 0, memory);
});

check(ID, "a pointer that does not lead into the caller's memory is refused", ({ bench, expect }) => {
  const { address, length } = bench.ramOf(0);
  reaches(expect, bench, device, 0, address + 0x10_0000);
  // Behind its memory, across the end of it, in a device's registers, beyond all guest addresses.
  const pointers = [address + length, address + length - 2, barAddress(bench, device, 0), 2 ** 50];
  for (const pointer of pointers) {
    expect.equal(bench.physdevAt(PCI_DEVICE_ADD, pointer), EFAULT, 'an addition');
    expect.equal(bench.physdevAt(PCI_DEVICE_REMOVE, pointer), EFAULT, 'a removal');
  }
  reaches(expect, bench, device, 0, address + 0x10_0000);
  expect.equal(bench.pciDeviceRemove(device), 0, 'a good pointer is taken');
});

check(ID, 'an addition that fails leaves nothing of the device with the hardware domain', ({ bench, expect }) => {
  const memory = bench.ramOf(0).address + 0x10_0000;
  const added = QUARANTINED.first;
  const secondBar = barAddress(bench, added, 2);
  expect.equal(bench.pciDeviceRemove(added), 0, 'the device is gone');
  // The hardware domain has other registers where the second BAR belongs, so it cannot be given the whole device.
  expect.equal(bench.memoryMapping(0, secondBar / 4096, 0x0a000, 1), 0, 'the place is taken');

  expect.ok(bench.pciDeviceAdd(added) < 0, 'the addition fails');

  unreachable(expect, bench, added, memory, 'the addition failed');
  lacksRegisters(expect, bench, 0, added);
  uses(expect, bench, 0, secondBar, 0x0a00_0000);
  expect.equal(bench.memoryMapping(0, secondBar / 4096, 0x0a000, 1, false), 0, 'the place is free');
  cannotUse(expect, bench, 0, secondBar, 'nothing is there');
  expect.equal(bench.pciDeviceAdd(added), 0, 'now the addition succeeds');
  reaches(expect, bench, added, 0, memory);
  hasRegisters(expect, bench, 0, added);
  uses(expect, bench, 0, secondBar);
});

check(ID, 'a device of a segment without host bridge cannot be added', ({ bench, expect }) => {
  const nowhere = { ...device, segment: 7 };
  const d1 = created(expect, bench.create({ memory: MIB, passthrough: 'enabled' }));

  expect.equal(bench.pciDeviceAdd(nowhere), ENODEV, 'there is no such segment');

  expect.equal(bench.pciDeviceAdd(nowhere), ENODEV, 'nor is it there the second time');
  expect.equal(bench.testAssign(d1, nowhere), EINVAL, 'it cannot be assigned');
  expect.ok(bench.assign(d1, nowhere) < 0, 'nor is it');
  expect.equal(bench.testAssign(d1, device), 0, 'the device of segment 0 can be');
  reaches(expect, bench, device, 0, bench.ramOf(0).address + 0x10_0000);
});
