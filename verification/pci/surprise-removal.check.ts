/** Provide interface for addition and removal of PCI devices: devices that are gone before anybody says so. */
import { created, hardwareDomainPage, MIB, reaches, unreachable } from '../arranging.js';
import { check } from '../bench.js';
import { barAddress, hasRegisters, IDENTIFICATION, lacksRegisters } from '../device-registers.js';
import { GUEST_RAM, pciDevicesOf } from '../devices.js';
import { saveHeader } from './driving.js';

const ID = 'XenSwdgn~passthrough_provide_if_for_add_rm_pci_devs~1';
const DEVICES = { aspect: 'devices' };

check(
  ID,
  'a device that is pulled out can be removed, and used again when it is back',
  DEVICES,
  ({ bench, expect }) => {
    const { first: device, second: other } = pciDevicesOf(bench).hardwareDomains;
    const memory = hardwareDomainPage(bench);
    reaches(expect, bench, device, 0, memory);
    const restore = saveHeader(bench, device);
    const before = barAddress(bench, device, 0);

    bench.machine.endpoints.unplug(device);

    expect.ok(bench.load(0, before) !== IDENTIFICATION, 'the slot is empty');
    expect.equal(bench.pciDeviceRemove(device), 0, 'the hardware domain says that the device is gone');
    expect.equal(bench.load(0, before), undefined, 'the hardware domain has lost the place of the registers');
    bench.machine.endpoints.plug(device);
    restore();
    unreachable(expect, bench, device, memory, 'nobody has said that the device is back');
    lacksRegisters(expect, bench, 0, device);
    expect.equal(bench.pciDeviceAdd(device), 0, 'the hardware domain says that it is back');
    reaches(expect, bench, device, 0, memory);
    hasRegisters(expect, bench, 0, device);
    reaches(expect, bench, other, 0, memory);
  },
);

check(
  ID,
  'a guest loses a device that is pulled out, and another domain can have it when it is back',
  DEVICES,
  ({ bench, expect }) => {
    const { kept, hardwareDomains } = pciDevicesOf(bench);
    for (const device of [kept.apart, hardwareDomains.first]) {
      const d1 = created(expect, bench.create({ memory: MIB, devices: [device, kept.second] }));
      reaches(expect, bench, device, d1, GUEST_RAM);
      hasRegisters(expect, bench, d1, device);
      const restore = saveHeader(bench, device);
      const place = barAddress(bench, device, 0);

      bench.machine.endpoints.unplug(device);

      expect.equal(bench.pciDeviceRemove(device), 0, 'the hardware domain says that the device is gone');
      expect.equal(bench.load(d1, place), undefined, 'the guest has lost the place of the registers');
      reaches(expect, bench, kept.second, d1, GUEST_RAM);
      bench.machine.endpoints.plug(device);
      restore();
      unreachable(expect, bench, device, GUEST_RAM, 'the guest has lost the device');
      expect.equal(bench.pciDeviceAdd(device), 0, 'the hardware domain says that it is back');
      reaches(expect, bench, device, 0, hardwareDomainPage(bench));
      unreachable(expect, bench, device, GUEST_RAM, 'it is the hardware domain that has it now');
      lacksRegisters(expect, bench, d1, device);
      const d2 = created(expect, bench.create({ memory: MIB, devices: [device] }));
      reaches(expect, bench, device, d2, GUEST_RAM);
      hasRegisters(expect, bench, d2, device);
      for (const domid of [d1, d2]) {
        expect.equal(bench.destroy(domid), 0, 'the domain is destroyed');
        bench.ledger.forget(domid);
      }
    }
  },
);

check(
  ID,
  'of a device of several functions, one that is added goes to no other domain than its mate',
  DEVICES,
  ({ bench, expect }) => {
    const { oneDevice, hardwareDomains } = pciDevicesOf(bench);
    const { first, second } = oneDevice;
    const memory = hardwareDomainPage(bench);
    const d1 = created(expect, bench.create({ memory: MIB, passthrough: 'enabled' }));
    expect.equal(bench.assign(d1, first), -16, 'the hardware domain has the other function: -EBUSY');
    expect.equal(bench.pciDeviceRemove(second), 0, 'the other function is gone');
    expect.equal(bench.assign(d1, first), 0, 'the function is assigned');
    reaches(expect, bench, first, d1, GUEST_RAM);

    expect.equal(bench.pciDeviceAdd(second), 0, 'the other function is back');

    unreachable(expect, bench, second, memory, 'the hardware domain may not have it beside a guest');
    unreachable(expect, bench, second, GUEST_RAM, 'it is not assigned');
    lacksRegisters(expect, bench, 0, second);
    const d2 = created(expect, bench.create({ memory: MIB, passthrough: 'enabled' }));
    expect.equal(bench.assign(d2, second), -16, 'another guest may not have it either: -EBUSY');
    expect.equal(bench.assign(d1, second), 0, 'the guest that has its mate may');
    reaches(expect, bench, second, d1, GUEST_RAM);
    hasRegisters(expect, bench, d1, second);
    reaches(expect, bench, hardwareDomains.first, 0, memory);
  },
);
