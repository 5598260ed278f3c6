/** Provide interface for addition and removal of PCI devices: what becomes of devices announced, or gone. */
import { type Pa, pa } from '../../src/hw/address.js';
import { created, learnt, MIB, reaches, unreachable, withoutCommand } from '../arranging.js';
import { check } from '../bench.js';
import {
  barAddress,
  cannotUse,
  configAddress,
  hasRegisters,
  lacksRegisters,
  registerWord,
  setRegisterWord,
  uses,
} from '../device-registers.js';
import { GUEST_RAM, HARDWARE_DOMAINS, QUARANTINED } from '../devices.js';
import type { PassthroughBench } from '../passthrough-bench.js';

const ID = 'XenSwdgn~passthrough_provide_if_for_add_rm_pci_devs~1';

/** Error codes (xen/include/public/errno.h), negated as hypercalls return them. */
const EPERM = -1;
const EBADF = -9;
const EFAULT = -14;
const EBUSY = -16;
const ENODEV = -19;
const EINVAL = -22;
const EOPNOTSUPP = -95;

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
  const memory = bench.ramOf(0).address + 0x10_0000;
  reaches(expect, bench, device, 0, memory);
  unreachable(expect, bench, device, GUEST_RAM, "it is not the guest's any more");
  lacksRegisters(expect, bench, d1, device);
  expect.equal(bench.destroy(d1), 0, 'the guest can be destroyed');
  reaches(expect, bench, device, 0, memory);
  hasRegisters(expect, bench, 0, device);
});

check(ID, 'announcing a device that is kept for passthrough leaves it in quarantine', ({ bench, expect }) => {
  const memory = bench.ramOf(0).address + 0x10_0000;
  const kept = QUARANTINED.first;

  expect.equal(bench.pciDeviceAdd(kept), 0, 'announced again');

  unreachable(expect, bench, kept, memory, 'memory of the hardware domain');
  lacksRegisters(expect, bench, 0, kept);
  const d1 = created(expect, bench.create({ memory: MIB, devices: [kept] }));
  reaches(expect, bench, kept, d1, GUEST_RAM);
});

check(ID, 'a device that comes back with its registers elsewhere is used where they are', ({ bench, expect }) => {
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
  // Announced as a virtual function of one that is not there, a known device is refused and stays what it is.
  const orphan = { flags: VIRTFN, physfn: { ...FUNCTION_0, device: 4 } };
  expect.equal(bench.pciDeviceAdd(device, orphan), ENODEV, 'its physical function is not known');
  reaches(expect, bench, device, 0, memory);
  expect.equal(bench.pciDeviceRemove(device), 0, 'it is known itself, and can go');
  unreachable(expect, bench, device, memory, 'it has been removed');
});

check(
  ID,
  'the physical function of a virtual one is of the same segment and the bus that is named',
  ({ bench, expect }) => {
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
    const behindBridge = { flags: VIRTFN, physfn: QUARANTINED.behindBridge };
    expect.equal(bench.pciDeviceAdd(FUNCTION_5, behindBridge), 0, 'the physical function is on another bus');
    expect.equal(bench.pciDeviceRemove(QUARANTINED.behindBridge), EBUSY, 'and has a virtual function now');
    for (const gone of [FUNCTION_5, QUARANTINED.behindBridge]) {
      expect.equal(bench.pciDeviceRemove(gone), 0, 'first the virtual function goes, then the physical one');
    }
    expect.equal(bench.pciDeviceAdd(QUARANTINED.behindBridge), 0, 'it comes back');
    reaches(expect, bench, QUARANTINED.behindBridge, 0, memory);
  },
);

check(ID, 'a physical function does not go before its virtual functions', ({ bench, expect }) => {
  const d1 = created(expect, bench.create({ memory: MIB, devices: [other] }));
  for (const time of ['once', 'again']) {
    const result = bench.pciDeviceAdd(FUNCTION_5, { flags: VIRTFN, physfn: FUNCTION_0 });
    expect.equal(result, 0, `a virtual function, announced ${time}`);
  }

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
  expect.equal(bench.pciDeviceRemove(added), 0, 'and it can go again');
  lacksRegisters(expect, bench, 0, added);
  cannotUse(expect, bench, 0, secondBar, 'the device has been removed');
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

/** A hypercall while the device never rests and the IOMMU cannot execute one of Xen's commands. */
function without(bench: PassthroughBench, spoilt: number, call: () => number): number | undefined {
  const memory = bench.ramOf(0).address + 0x10_0000;
  return withoutCommand(bench, spoilt, () => bench.dmaRead(device, memory), call);
}

check(ID, 'whichever command the IOMMU fails at, a removal that failed is not forgotten', ({ bench, expect }) => {
  let tried = 0;
  for (let more = true; more; ) {
    const fresh = bench.powerOnAnother();
    fresh.boot();
    const memory = fresh.ramOf(0).address + 0x10_0000;
    reaches(expect, fresh, device, 0, memory);
    const result = without(fresh, tried, () => fresh.pciDeviceRemove(device));
    more = result !== undefined;
    if (result === undefined) continue;
    expect.ok(result < 0, `without command ${tried}, the removal fails`);
    expect.equal(fresh.pciDeviceRemove(device), 0, 'the device is still known, and can go');
    unreachable(expect, fresh, device, memory, 'it has been removed');
    lacksRegisters(expect, fresh, 0, device);
    tried++;
  }
  expect.ok(tried > 0, 'Xen gives commands to remove the device');
});

check(
  ID,
  'whichever command the IOMMU fails at, an addition that failed leaves the device with nobody',
  ({ bench, expect }) => {
    let failed = 0;
    for (let spoilt = 0, more = true; more; spoilt++) {
      const fresh = bench.powerOnAnother();
      fresh.boot();
      const memory = fresh.ramOf(0).address + 0x10_0000;
      expect.equal(fresh.pciDeviceRemove(device), 0, 'the device is gone');
      const result = without(fresh, spoilt, () => fresh.pciDeviceAdd(device));
      more = result !== undefined;
      if (result === undefined || result === 0) continue;
      failed++;
      unreachable(expect, fresh, device, memory, `its addition failed at command ${spoilt}`);
      lacksRegisters(expect, fresh, 0, device);
      expect.equal(fresh.pciDeviceAdd(device), 0, 'the second time it succeeds');
      reaches(expect, fresh, device, 0, memory);
      hasRegisters(expect, fresh, 0, device);
    }
    expect.ok(failed > 0, 'an addition depends on commands of Xen');
  },
);

check(ID, 'where PCI passthrough is switched off, nothing is added or removed', ({ bench, expect }) => {
  const fresh = bench.powerOnAnother();
  const { address, size } = fresh.machine.firmware.fdt as { address: Pa; size: number };
  // The command line in the blob, in as many bytes.
  const option = 'console=dtuart dom0_mem=64M';
  const at = Buffer.from(fresh.machine.memory.peek(address, size)).indexOf(option);
  expect.ok(at > 0, 'the blob has the command line of the board file');
  fresh.machine.memory.poke(pa(address + at), Buffer.from('pci-passthrough=no'.padEnd(option.length)));
  fresh.boot();
  const memory = fresh.ramOf(0).address + 0x10_0000;

  expect.equal(fresh.pciDeviceRemove(device), EOPNOTSUPP, 'a removal');
  expect.equal(fresh.pciDeviceAdd(device), EOPNOTSUPP, 'an addition');

  reaches(expect, fresh, device, 0, memory);
  hasRegisters(expect, fresh, 0, device);
});
