/** Support assignment of platform devices: with DMA and without, with interrupts and without. */
import { created, hardwareDomainPage, learnt, MIB, nobodysPage, unreachable } from '../arranging.js';
import { check } from '../bench.js';
import { cannotUse, uses } from '../device-registers.js';
import { GUEST_RAM } from '../devices.js';
import {
  hasAllRegisters,
  interruptsOf,
  lacksAllRegisters,
  ofEachKind,
  reachesOnAllStreams,
  takesInterrupts,
  takesNoInterrupts,
  unreachableOnAllStreams,
  wanted,
} from './driving.js';

const ID = 'XenSwdgn~passthrough_support_assign_dt_devs~1';
const DMA = { aspect: 'dma' };
const MMIO = { aspect: 'mmio' };
const SPI = { aspect: 'spi' };

const PAGE = 0x1000;
const EPERM = -1;
const ESRCH = -3;
const EBUSY = -16;
const EINVAL = -22;
const EOPNOTSUPP = -95;
const ENOBUFS = -105;
/** The domain that PCI devices in quarantine belong to (xen/include/public/xen.h, DOMID_IO). */
const QUARANTINE = 0x7ff1;

check(ID, 'a domain reaches every region of its devices, of whatever kind, and no other', MMIO, ({ bench, expect }) => {
  const devices = ofEachKind(bench);
  const { two, three } = bench.devices.registers;
  // Registers alone, which no node of the host stands for.
  const plain = { regions: [{ machine: two.address, size: two.size, guest: 0x0b00_0000 }], force: true, name: 'plain' };
  const platform = [...devices.map((device) => wanted(bench, device)), plain];
  const d1 = created(expect, bench.create({ memory: MIB, platform }));
  const d2 = created(expect, bench.create({ memory: MIB }));
  for (const device of devices) {
    hasAllRegisters(expect, bench, d1, device);
    for (const other of [0, d2]) lacksAllRegisters(expect, bench, other, device);
  }
  for (const offset of [0, two.size - 4]) uses(expect, bench, d1, 0x0b00_0000 + offset, two.address + offset);
  cannotUse(expect, bench, d1, 0x0b00_0000 + two.size, 'beside the registers');
  for (const address of [three.address, two.address]) cannotUse(expect, bench, d1, address, 'of the hardware domain');
});

check(ID, 'a device of several streams reaches the memory of its domain on each, and no other', DMA, (given) => {
  const { bench, expect } = given;
  const { severalStreams, withInterrupt, withoutInterrupt } = bench.devices.platform;
  const d1 = created(expect, bench.create({ memory: MIB, devices: [severalStreams, withoutInterrupt] }));
  const d2 = created(expect, bench.create({ memory: MIB, devices: [withInterrupt] }));
  const foreign = learnt(expect, bench, d2, GUEST_RAM + PAGE).mfn * PAGE;
  for (const device of [severalStreams, withoutInterrupt, withInterrupt]) {
    const domid = device === withInterrupt ? d2 : d1;
    for (const address of [GUEST_RAM, GUEST_RAM + MIB - 4]) {
      reachesOnAllStreams(expect, bench, device, domid, address);
    }
    for (const address of [GUEST_RAM + MIB, hardwareDomainPage(bench), foreign]) {
      unreachableOnAllStreams(expect, bench, device, address, 'no memory of its domain is there');
    }
  }
});

check(ID, 'a device that makes no requests opens the IOMMU to no other', DMA, ({ bench, expect }) => {
  const { withoutDma, registersOnly, ...others } = bench.devices.platform;
  const quiet = registersOnly === undefined ? [withoutDma] : [withoutDma, registersOnly];
  const platform = quiet.map((device) => wanted(bench, device));
  const d1 = created(expect, bench.create({ memory: MIB, platform }));
  const machine = learnt(expect, bench, d1, GUEST_RAM).mfn * PAGE;
  const { severalStreams, withInterrupt, withoutInterrupt, apart } = others;
  for (const device of [severalStreams, withInterrupt, withoutInterrupt, apart]) {
    for (const address of [GUEST_RAM, machine, hardwareDomainPage(bench)]) {
      unreachableOnAllStreams(expect, bench, device, address, 'nobody has the device');
    }
  }
  const d2 = created(expect, bench.create({ memory: MIB, devices: [severalStreams, withInterrupt, withoutInterrupt] }));
  for (const device of [severalStreams, withInterrupt, withoutInterrupt]) {
    reachesOnAllStreams(expect, bench, device, d2, GUEST_RAM);
  }
});

check(ID, 'a domain takes each interrupt of its devices, and none of other devices', SPI, ({ bench, expect }) => {
  const { severalStreams, withInterrupt, withoutDma } = bench.devices.platform;
  const platform = [severalStreams, withoutDma].map((device) => wanted(bench, device));
  const d1 = created(expect, bench.create({ memory: MIB, platform }));
  const d2 = created(expect, bench.create({ memory: MIB, devices: [withInterrupt] }));
  const [first, second] = [bench.interruptController(d1), bench.interruptController(d2)];
  expect.ok(interruptsOf(bench, severalStreams).length > 1, 'one of the devices has several interrupts');
  for (const device of [severalStreams, withoutDma]) {
    takesInterrupts(expect, bench, d1, device, first);
    takesNoInterrupts(expect, bench, d2, device, second);
  }
  takesInterrupts(expect, bench, d2, withInterrupt, second);
  takesNoInterrupts(expect, bench, d1, withInterrupt, first);
});

check(ID, 'a device that no IOMMU protects is assigned only if that is asked for', MMIO, ({ bench, expect }) => {
  const { withoutDma } = bench.devices.platform;
  const refused = bench.create({ memory: MIB, platform: [{ ...wanted(bench, withoutDma), force: false }] });
  expect.deepEqual(refused, { error: EINVAL }, 'nothing says that the device may go without an IOMMU: -EINVAL');
  const d1 = created(expect, bench.create({ memory: MIB, passthrough: 'enabled' }));
  expect.equal(bench.assign(d1, withoutDma), EINVAL, 'nor can a hypercall say so');
  lacksAllRegisters(expect, bench, d1, withoutDma);

  const d2 = created(expect, bench.create({ memory: MIB, platform: [wanted(bench, withoutDma)] }));
  hasAllRegisters(expect, bench, d2, withoutDma);
  takesInterrupts(expect, bench, d2, withoutDma);
  const again = bench.create({ memory: MIB, platform: [wanted(bench, withoutDma)] });
  expect.deepEqual(again, { error: EBUSY }, 'it has a domain now: -EBUSY');
});

check(ID, 'a device with DMA that no IOMMU protects goes to a direct-mapped domain alone', DMA, ({ bench, expect }) => {
  const { unprotected, severalStreams } = bench.devices.platform;
  const bank = { address: nobodysPage(bench), size: MIB };
  const platform = unprotected === undefined ? [] : [wanted(bench, unprotected)];
  for (const device of platform) {
    const refused = bench.create({ memory: MIB, platform: [device] });
    expect.deepEqual(refused, { error: EINVAL }, 'it would reach the memory of others: -EINVAL');
    const unforced = { memory: MIB, staticMemory: [bank], directMap: true, platform: [{ ...device, force: false }] };
    expect.deepEqual(
      bench.create(unforced),
      { error: EINVAL },
      'nothing says that it may go without an IOMMU: -EINVAL',
    );
  }
  const direct = { memory: MIB, staticMemory: [bank], directMap: true, devices: [severalStreams], platform };
  const d1 = created(expect, bench.create(direct));
  const page = learnt(expect, bench, d1, bank.address);
  expect.equal(page.mfn * PAGE, bank.address, 'the domain has its memory where the machine has it');
  reachesOnAllStreams(expect, bench, severalStreams, d1, bank.address);
  if (unprotected === undefined) return;
  hasAllRegisters(expect, bench, d1, unprotected);
  expect.equal(
    bench.dmaWrite(unprotected, bank.address + 8).landed,
    bank.address + 8,
    'it reaches the page untranslated',
  );
});

check(ID, 'a device that an IOMMU protects is confined also if its assignment is forced', DMA, ({ bench, expect }) => {
  const { severalStreams } = bench.devices.platform;
  const platform = [{ ...wanted(bench, severalStreams), force: true }];
  const d1 = created(expect, bench.create({ memory: MIB, platform }));
  const machine = learnt(expect, bench, d1, GUEST_RAM + PAGE).mfn * PAGE;
  reachesOnAllStreams(expect, bench, severalStreams, d1, GUEST_RAM);
  for (const address of [machine, hardwareDomainPage(bench), GUEST_RAM + MIB]) {
    unreachableOnAllStreams(expect, bench, severalStreams, address, 'no memory of its domain is there');
  }
});

check(ID, 'a hypercall assigns a device at its IOMMU, by the path of its node', DMA, ({ bench, expect }) => {
  const { severalStreams, withoutInterrupt } = bench.devices.platform;
  const d1 = created(expect, bench.create({ memory: MIB, passthrough: 'enabled' }));
  for (const device of [severalStreams, withoutInterrupt]) {
    unreachableOnAllStreams(expect, bench, device, GUEST_RAM, 'nobody has the device');
    expect.equal(bench.testAssign(d1, device), 0, `${device.path} is free`);
    expect.equal(bench.assign(d1, device), 0, `${device.path} is assigned`);
    expect.equal(bench.testAssign(d1, device), EINVAL, `${device.path} is not free any more`);
    reachesOnAllStreams(expect, bench, device, d1, GUEST_RAM);
    unreachableOnAllStreams(expect, bench, device, hardwareDomainPage(bench), 'memory of the hardware domain');
    // Registers and interrupts have commands of their own.
    lacksAllRegisters(expect, bench, d1, device);
    takesNoInterrupts(expect, bench, d1, device);
  }
});

check(ID, 'a device of the hardware domain is given away piece by piece', MMIO, ({ bench, expect }) => {
  const device = bench.devices.platform.hardwareDomains;
  const d1 = created(expect, bench.create({ memory: MIB, passthrough: 'enabled' }));
  expect.equal(bench.assign(d1, device), EBUSY, 'the hardware domain has the device: -EBUSY');
  expect.equal(bench.deassign(0, device), 0, 'the hardware domain gives it up');
  expect.equal(bench.assign(d1, device), 0, 'the domain has it at its IOMMU');
  reachesOnAllStreams(expect, bench, device, d1, GUEST_RAM);
  takesNoInterrupts(expect, bench, d1, device);
  for (const { intid } of interruptsOf(bench, device)) {
    expect.equal(bench.bindSpi(d1, intid, intid), EPERM, 'the domain may not have the interrupt yet');
    expect.equal(bench.irqPermission(d1, intid), 0, 'now it may');
    expect.equal(bench.bindSpi(d1, intid, intid), 0, 'it has it');
  }
  takesInterrupts(expect, bench, d1, device);
  const [{ machine, size } = { machine: 0, size: 0 }] = wanted(bench, device).regions;
  const [frame, count] = [machine / PAGE, size / PAGE];
  expect.equal(bench.memoryMapping(d1, frame, frame, count), EPERM, 'the domain may not have the registers yet');
  expect.equal(bench.iomemPermission(d1, frame, count), 0, 'now it may');
  expect.equal(bench.memoryMapping(d1, frame, frame, count), 0, 'it has them');
  hasAllRegisters(expect, bench, d1, device);
  cannotUse(expect, bench, d1, machine + size, 'beside the registers');
});

check(ID, 'an assignment that cannot be says why and changes nothing', DMA, ({ bench, expect }) => {
  const { severalStreams, withInterrupt, withoutDma, withoutInterrupt } = bench.devices.platform;
  const d1 = created(expect, bench.create({ memory: MIB, passthrough: 'enabled' }));
  const d2 = created(expect, bench.create({ memory: MIB, devices: [withInterrupt] }));
  const d3 = created(expect, bench.create({ memory: MIB, passthrough: 'disabled' }));
  const refusals: readonly (readonly [string, number, number])[] = [
    ['a domain that there is not', bench.assign(77, severalStreams), ESRCH],
    ['a domain without use of IOMMUs', bench.assign(d3, severalStreams), EOPNOTSUPP],
    ['quarantine', bench.assign(QUARANTINE, severalStreams), EINVAL],
    ['a flag', bench.assign(d1, severalStreams, { flags: 1 }), EINVAL],
    ['an unknown node', bench.assign(d1, `${severalStreams.path}0`), ESRCH],
    ['a path that ends early', bench.assign(d1, severalStreams.path.slice(0, -1)), ESRCH],
    ['a path of more than a page', bench.assign(d1, `/${'a'.repeat(PAGE)}`), ENOBUFS],
    ['a node that is no device', bench.assign(d1, '/chosen'), EINVAL],
    ['a device behind no IOMMU', bench.assign(d1, withoutDma), EINVAL],
    ['a device of another domain', bench.assign(d1, withInterrupt), EBUSY],
    ['a device of its own', bench.assign(d2, withInterrupt), EBUSY],
    ['a caller without privilege', bench.assign(d1, severalStreams, { caller: d2 }), EPERM],
  ];
  for (const [what, result, error] of refusals) expect.equal(result, error, `error code for ${what}`);

  unreachableOnAllStreams(expect, bench, severalStreams, GUEST_RAM, 'nobody has the device');
  unreachable(expect, bench, withoutInterrupt, GUEST_RAM, 'nobody has the device');
  reachesOnAllStreams(expect, bench, withInterrupt, d2, GUEST_RAM);
  expect.equal(bench.assign(d1, severalStreams), 0, 'the assignment that can be succeeds');
  reachesOnAllStreams(expect, bench, severalStreams, d1, GUEST_RAM);
});

check(ID, 'a device has one owner by whichever name it is called', DMA, ({ bench, expect }) => {
  const { severalStreams, withInterrupt } = bench.devices.platform;
  const fresh = bench.powerOnAnother(undefined, (tree) => {
    const bytes = new TextEncoder().encode(`${severalStreams.path}\0`);
    tree.root.child('aliases')?.properties.set('display0', bytes);
  });
  fresh.boot();
  const d1 = created(expect, fresh.create({ memory: MIB, passthrough: 'enabled' }));
  const d2 = created(expect, fresh.create({ memory: MIB, devices: [withInterrupt] }));
  expect.equal(fresh.assign(d1, 'display1'), ESRCH, 'there is no such alias');
  expect.equal(fresh.assign(d1, 'display0'), 0, 'the device is assigned by its alias');
  reachesOnAllStreams(expect, fresh, severalStreams, d1, GUEST_RAM);
  expect.equal(fresh.assign(d2, severalStreams), EBUSY, 'its path names the same device: -EBUSY');
  expect.equal(fresh.assign(d2, 'display0'), EBUSY, 'so does the alias');
  reachesOnAllStreams(expect, fresh, severalStreams, d1, GUEST_RAM);
});
