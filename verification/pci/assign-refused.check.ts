/** Support assignment of PCI devices: what is refused, what fails, and what is left then. */
import { created, hardwareDomainPage, MIB, reaches, unreachable, withoutCommand } from '../arranging.js';
import { check } from '../bench.js';
import { barAddress, cannotUse, hasRegisters, lacksRegisters, uses } from '../device-registers.js';
import { GUEST_RAM, pciDevicesOf } from '../devices.js';
import type { PassthroughBench } from '../passthrough-bench.js';

const ID = 'XenSwdgn~passthrough_support_assign_pci_devs~1';
const DMA = { aspect: 'dma' };
const MMIO = { aspect: 'mmio' };

/** Error codes (xen/include/public/errno.h), negated as hypercalls return them. */
const EPERM = -1;
const ESRCH = -3;
const EBADF = -9;
const EBUSY = -16;
const ENODEV = -19;
const EINVAL = -22;
const EOPNOTSUPP = -95;

/** DEV_RDM_RELAXED (xen/include/public/domctl.h) is bit 0; there are no other flags. */
const RELAXED = 1;
const NO_FLAG = 2;
/** The flag of a virtual function (xen/include/public/physdev.h). */
const VIRTFN = 2;

check(ID, 'an assignment that cannot be says why and changes nothing', DMA, ({ bench, expect }) => {
  const { kept, hardwareDomains } = pciDevicesOf(bench);
  const { first: device, apart: missing } = kept;
  const d1 = created(expect, bench.create({ memory: MIB, passthrough: 'enabled' }));
  const d2 = created(expect, bench.create({ memory: MIB, devices: [kept.second] }));
  const d3 = created(expect, bench.create({ memory: MIB, passthrough: 'disabled' }));
  const refusals: readonly (readonly [string, number, number])[] = [
    ['a device of another domain', bench.assign(d1, kept.second), EBUSY],
    ['a device of its own', bench.assign(d2, kept.second), EBUSY],
    ['a function that is not there', bench.assign(d1, { ...device, function: 3 }), ENODEV],
    ['a device of another bus', bench.assign(d1, { ...device, bus: 5, device: 1 }), ENODEV],
    ['a segment that is not there', bench.assign(d1, { ...device, segment: 3 }), ENODEV],
    ['a device of the other segment', bench.assign(d1, { ...missing, device: 5 }), ENODEV],
    ['the caller itself', bench.assign(0, device), EINVAL],
    ['a flag that is none', bench.assign(d1, device, { flags: NO_FLAG }), EINVAL],
    ['a domain that there is not', bench.assign(77, device), ESRCH],
    ['a domain without use of IOMMUs', bench.assign(d3, device), EOPNOTSUPP],
    ['a caller without privilege', bench.assign(d1, device, { caller: d2 }), EPERM],
  ];
  for (const [what, result, error] of refusals) expect.equal(result, error, `error code for ${what}`);

  unreachable(expect, bench, device, GUEST_RAM, 'nobody has the device');
  unreachable(expect, bench, device, hardwareDomainPage(bench), 'nobody has the device');
  reaches(expect, bench, kept.second, d2, GUEST_RAM);
  reaches(expect, bench, hardwareDomains.first, 0, hardwareDomainPage(bench));
  expect.equal(bench.assign(d1, device, { flags: RELAXED }), 0, 'the assignment that can be succeeds');
  reaches(expect, bench, device, d1, GUEST_RAM);
});

check(ID, 'a broken device goes to no guest', DMA, ({ bench, expect }) => {
  const { oneDevice, kept } = pciDevicesOf(bench);
  const { first: physical, second: virtual } = oneDevice;
  const d1 = created(expect, bench.create({ memory: MIB, passthrough: 'enabled' }));
  expect.equal(bench.pciDeviceAdd(virtual, { flags: VIRTFN, physfn: physical }), 0, 'a virtual function is announced');
  expect.equal(bench.pciDeviceRemove(physical), EBUSY, 'the physical one cannot go before it, and both are broken');

  for (const broken of [physical, virtual]) {
    expect.equal(bench.assign(d1, broken), EBADF, 'it is not to be trusted');
    unreachable(expect, bench, broken, GUEST_RAM, 'the guest did not get it');
  }
  expect.equal(bench.assign(d1, kept.first), 0, 'another device is assigned');
  reaches(expect, bench, kept.first, d1, GUEST_RAM);
});

check(ID, 'a domain that is being destroyed is given no device', DMA, ({ bench, expect }) => {
  const { kept } = pciDevicesOf(bench);
  const d1 = created(expect, bench.create({ memory: MIB, devices: [kept.first] }));
  const result = withoutCommand(
    bench,
    0,
    () => {},
    () => bench.destroy(d1),
  );
  expect.ok(
    result !== undefined && result < 0,
    'the domain cannot be destroyed, for the IOMMU does not execute a command',
  );

  expect.equal(bench.assign(d1, kept.second), EINVAL, 'the domain is dying');

  unreachable(expect, bench, kept.second, GUEST_RAM, 'nobody has the device');
  const d2 = created(expect, bench.create({ memory: MIB, passthrough: 'enabled' }));
  expect.equal(bench.assign(d2, kept.second), 0, 'a domain that lives gets it');
  reaches(expect, bench, kept.second, d2, GUEST_RAM);
});

check(ID, 'an assignment that fails leaves the device where it was', MMIO, ({ bench, expect }) => {
  const { kept, hardwareDomains } = pciDevicesOf(bench);
  const old = hardwareDomainPage(bench);
  const { two } = bench.devices.registers;
  for (const device of [kept.first, hardwareDomains.first]) {
    const bar = barAddress(bench, device, device === kept.first ? 2 : 0);
    const d1 = created(expect, bench.create({ memory: MIB, passthrough: 'enabled' }));
    // Where registers of the device belong, the domain has others.
    expect.equal(bench.iomemPermission(d1, two.address / 4096, 1), 0, 'the domain may have other registers');
    expect.equal(bench.memoryMapping(d1, bar / 4096, two.address / 4096, 1), 0, 'the place is taken');

    expect.equal(bench.assign(d1, device), EBUSY, 'the assignment fails');

    unreachable(expect, bench, device, GUEST_RAM, 'memory of the domain that did not get it');
    cannotUse(expect, bench, d1, barAddress(bench, device, 0) + 0x1000, 'registers of the device');
    uses(expect, bench, d1, bar, two.address);
    if (device === kept.first) {
      unreachable(expect, bench, device, old, 'it is in quarantine');
      lacksRegisters(expect, bench, 0, device);
    } else {
      reaches(expect, bench, device, 0, old);
      hasRegisters(expect, bench, 0, device);
    }
    expect.equal(bench.memoryMapping(d1, bar / 4096, two.address / 4096, 1, false), 0, 'the place is free');
    expect.equal(bench.assign(d1, device), 0, 'now the assignment succeeds');
    reaches(expect, bench, device, d1, GUEST_RAM);
    hasRegisters(expect, bench, d1, device);
  }
});

/** An assignment while the device never rests and the IOMMU cannot execute one of Xen's commands. */
function without(bench: PassthroughBench, spoilt: number, domid: number): number | undefined {
  const { first: device } = pciDevicesOf(bench).hardwareDomains;
  const busy = () => {
    for (const address of [hardwareDomainPage(bench), GUEST_RAM]) bench.dmaRead(device, address);
  };
  return withoutCommand(bench, spoilt, busy, () => bench.assign(domid, device));
}

check(
  ID,
  'whichever command the IOMMU fails at, the domain has all of the device or nothing',
  DMA,
  ({ bench, expect }) => {
    let failed = 0;
    for (let spoilt = 0, more = true; more; spoilt++) {
      const fresh = bench.powerOnAnother();
      fresh.boot();
      const { first: device, second: other } = pciDevicesOf(fresh).hardwareDomains;
      const d1 = created(expect, fresh.create({ memory: MIB, passthrough: 'enabled' }));
      reaches(expect, fresh, device, 0, hardwareDomainPage(fresh));
      const result = without(fresh, spoilt, d1);
      more = result !== undefined;
      if (result === undefined) continue;
      if (result === 0) {
        reaches(expect, fresh, device, d1, GUEST_RAM);
        continue;
      }
      failed++;
      unreachable(expect, fresh, device, GUEST_RAM, `its assignment failed at command ${spoilt}`);
      lacksRegisters(expect, fresh, d1, device);
      reaches(expect, fresh, other, 0, hardwareDomainPage(fresh));
    }
    expect.ok(failed > 0, 'an assignment depends on commands of Xen');
  },
);
