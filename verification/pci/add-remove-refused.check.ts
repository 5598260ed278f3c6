/** Provide interface for addition and removal of PCI devices: what is refused, what fails, and what is left then. */
import { type Pa, pa } from '../../src/hw/address.js';
import { created, MIB, reaches, unreachable, withoutCommand } from '../arranging.js';
import { check } from '../bench.js';
import { barAddress, cannotUse, hasRegisters, lacksRegisters, uses } from '../device-registers.js';
import { GUEST_RAM, pciDevicesOf } from '../devices.js';
import type { PassthroughBench } from '../passthrough-bench.js';

const ID = 'XenSwdgn~passthrough_provide_if_for_add_rm_pci_devs~1';
const DEVICES = { aspect: 'devices' };

/** Error codes (xen/include/public/errno.h), negated as hypercalls return them. */
const EPERM = -1;
const EFAULT = -14;
const ENODEV = -19;
const EINVAL = -22;
const EOPNOTSUPP = -95;

/** PHYSDEVOP numbers (xen/include/public/physdev.h). */
const PCI_DEVICE_ADD = 25;
const PCI_DEVICE_REMOVE = 26;

check(ID, 'only the hardware domain adds and removes devices', DEVICES, ({ bench, expect }) => {
  const { first: device, second: other } = pciDevicesOf(bench).hardwareDomains;
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

check(ID, "a pointer that does not lead into the caller's memory is refused", DEVICES, ({ bench, expect }) => {
  const { first: device } = pciDevicesOf(bench).hardwareDomains;
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

check(
  ID,
  'an addition that fails leaves nothing of the device with the hardware domain',
  DEVICES,
  ({ bench, expect }) => {
    const { kept } = pciDevicesOf(bench);
    const memory = bench.ramOf(0).address + 0x10_0000;
    const added = kept.first;
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
  },
);

check(ID, 'a device of a segment without host bridge cannot be added', DEVICES, ({ bench, expect }) => {
  const { first: device } = pciDevicesOf(bench).hardwareDomains;
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
  const { first: device } = pciDevicesOf(bench).hardwareDomains;
  const memory = bench.ramOf(0).address + 0x10_0000;
  return withoutCommand(bench, spoilt, () => bench.dmaRead(device, memory), call);
}

check(
  ID,
  'whichever command the IOMMU fails at, a removal that failed is not forgotten',
  DEVICES,
  ({ bench, expect }) => {
    const { first: device } = pciDevicesOf(bench).hardwareDomains;
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
  },
);

check(
  ID,
  'whichever command the IOMMU fails at, an addition that failed leaves the device with nobody',
  DEVICES,
  ({ bench, expect }) => {
    const { first: device } = pciDevicesOf(bench).hardwareDomains;
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

check(ID, 'where PCI passthrough is switched off, nothing is added or removed', DEVICES, ({ bench, expect }) => {
  const { first: device } = pciDevicesOf(bench).hardwareDomains;
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
