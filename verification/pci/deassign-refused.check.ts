/** Support deassignment of PCI devices: what is refused, what fails, and what is left then. */
import { created, hardwareDomainPage, MIB, reaches, unreachable, withoutCommand } from '../arranging.js';
import { check } from '../bench.js';
import { hasRegisters, lacksRegisters } from '../device-registers.js';
import { GUEST_RAM, pciDevicesOf } from '../devices.js';
import { enablePhantomFunctions, QUARANTINE } from './driving.js';

const ID = 'XenSwdgn~passthrough_support_deassign_pci_devs~1';
const DMA = { aspect: 'dma' };

/** Error codes (xen/include/public/errno.h), negated as hypercalls return them. */
const EPERM = -1;
const ESRCH = -3;
const ENODEV = -19;
const EINVAL = -22;
const EOPNOTSUPP = -95;

check(ID, 'a deassignment that cannot be says why and changes nothing', DMA, ({ bench, expect }) => {
  const { kept, hardwareDomains } = pciDevicesOf(bench);
  const { first: device } = kept;
  const d1 = created(expect, bench.create({ memory: MIB, devices: [device] }));
  const d2 = created(expect, bench.create({ memory: MIB, devices: [kept.second] }));
  const d3 = created(expect, bench.create({ memory: MIB, passthrough: 'disabled' }));
  const refusals: readonly (readonly [string, number, number])[] = [
    ['a domain that does not have the device', bench.deassign(d2, device), ENODEV],
    ['a device of the hardware domain', bench.deassign(d1, hardwareDomains.first), ENODEV],
    ['a device in quarantine', bench.deassign(d1, kept.apart), ENODEV],
    ['a function that is not there', bench.deassign(d1, { ...device, function: 3 }), ENODEV],
    ['a device of the other segment', bench.deassign(d1, { ...device, segment: 1 }), ENODEV],
    ['the caller itself', bench.deassign(0, hardwareDomains.first), EINVAL],
    ['a flag', bench.deassign(d1, device, { flags: 1 }), EINVAL],
    ['a domain that there is not', bench.deassign(77, device), ESRCH],
    ['a domain without use of IOMMUs', bench.deassign(d3, device), EOPNOTSUPP],
    ['a caller without privilege', bench.deassign(d1, device, { caller: d2 }), EPERM],
    ['a caller that has the device', bench.deassign(d1, device, { caller: d1 }), EPERM],
  ];
  for (const [what, result, error] of refusals) expect.equal(result, error, `error code for ${what}`);

  reaches(expect, bench, device, d1, GUEST_RAM);
  hasRegisters(expect, bench, d1, device);
  reaches(expect, bench, kept.second, d2, GUEST_RAM);
  unreachable(expect, bench, kept.apart, GUEST_RAM, 'nobody has the device');
  reaches(expect, bench, hardwareDomains.first, 0, hardwareDomainPage(bench));
  expect.equal(bench.deassign(d1, device), 0, 'the deassignment that can be succeeds');
  unreachable(expect, bench, device, GUEST_RAM, 'nobody has the device');
});

check(
  ID,
  'whichever command the IOMMU fails at, the device goes to nobody before it has left',
  DMA,
  ({ bench, expect }) => {
    let failed = 0;
    for (let spoilt = 0, more = true; more; spoilt++) {
      const fresh = bench.powerOnAnother();
      fresh.boot();
      const { first: device, second: other } = pciDevicesOf(fresh).hardwareDomains;
      const d1 = created(expect, fresh.create({ memory: MIB, devices: [device] }));
      const d2 = created(expect, fresh.create({ memory: MIB, passthrough: 'enabled' }));
      const addresses = [GUEST_RAM, GUEST_RAM + 0x1000];
      for (const address of addresses) reaches(expect, fresh, device, d1, address);
      const busy = () => {
        for (const address of addresses) fresh.dmaRead(device, address);
      };
      const result = withoutCommand(fresh, spoilt, busy, () => fresh.deassign(d1, device));
      more = result !== undefined;
      if (result === undefined || result === 0) continue;
      failed++;
      const old = hardwareDomainPage(fresh);
      unreachable(expect, fresh, device, old, `its deassignment failed at command ${spoilt}`);
      lacksRegisters(expect, fresh, 0, device);
      expect.ok(fresh.assign(d2, device) < 0, 'no other domain gets it');
      expect.equal(fresh.deassign(d1, device), 0, 'the second time it succeeds');
      for (const address of addresses) unreachable(expect, fresh, device, address, 'memory of its old domain');
      reaches(expect, fresh, other, 0, old);
      lacksRegisters(expect, fresh, d1, device);
      expect.equal(fresh.deassign(QUARANTINE, device), 0, 'it leaves quarantine');
      reaches(expect, fresh, device, 0, old);
      hasRegisters(expect, fresh, 0, device);
    }
    expect.ok(failed > 0, 'a deassignment depends on commands of Xen');
  },
);

check(
  ID,
  'a device is taken under every function number that its requests can have',
  { aspect: 'phantom functions' },
  (args) => {
    const { bench, expect } = args;
    const { phantom, kept } = pciDevicesOf(bench);
    if (phantom === undefined) return expect.fail('the board has a function with phantom functions');
    enablePhantomFunctions(bench, phantom);
    const d1 = created(expect, bench.create({ memory: MIB, devices: [phantom, kept.first] }));
    for (const options of [{}, { phantom: 4 }]) reaches(expect, bench, phantom, d1, GUEST_RAM, options);

    expect.equal(bench.deassign(d1, phantom), 0, 'the device is taken away');

    for (const options of [{}, { phantom: 4 }]) {
      unreachable(expect, bench, phantom, GUEST_RAM, 'memory of its old domain', options);
      unreachable(expect, bench, phantom, hardwareDomainPage(bench), 'it is in quarantine', options);
    }
    reaches(expect, bench, kept.first, d1, GUEST_RAM);
  },
);
