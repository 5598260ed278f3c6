/**
 * Deassign PCI device from domain: when a domain is destroyed, the registers of its devices leave it before they go to
 * others.
 */
import type { Sbdf } from '../../src/hw/machine.js';
import { created, learnt, MIB, reaches, unreachable } from '../arranging.js';
import { check } from '../bench.js';
import { barAddress, cannotUse, hasRegisters, lacksRegisters } from '../device-registers.js';
import { GUEST_RAM, pciDevicesOf } from '../devices.js';
import type { PassthroughBench } from '../passthrough-bench.js';
import { saveHeader } from './driving.js';

const ID = 'XenSwdgn~passthrough_deassign_pci_dev_from_dom~1';
const MMIO = { aspect: 'mmio' };

/** The devices of these checks. */
function rolesOf(bench: PassthroughBench) {
  const { kept, hardwareDomains } = pciDevicesOf(bench);
  const { first: once, second: stays } = hardwareDomains;
  return { ...kept, once, stays, all: [kept.first, once, kept.second, kept.apart] };
}

check(
  ID,
  "the registers of a dead domain's devices are out of reach of the domains that come after it",
  MMIO,
  ({ bench, expect }) => {
    const { first, once, stays } = rolesOf(bench);
    const d1 = created(expect, bench.create({ memory: MIB, devices: [first, once] }));
    for (const device of [first, once]) hasRegisters(expect, bench, d1, device);

    expect.equal(bench.destroy(d1), 0, 'the domain is destroyed');
    bench.ledger.forget(d1);

    // The next domain has the tag of the dead one at the CPUs.
    const d2 = created(expect, bench.create({ memory: MIB, passthrough: 'enabled' }));
    learnt(expect, bench, d2, GUEST_RAM);
    for (const device of [first, once]) {
      lacksRegisters(expect, bench, d2, device);
      lacksRegisters(expect, bench, 0, device);
    }
    cannotUse(expect, bench, d2, barAddress(bench, first, 2), 'the second base address register');
    hasRegisters(expect, bench, 0, stays);
    const d3 = created(expect, bench.create({ memory: MIB, devices: [first] }));
    hasRegisters(expect, bench, d3, first);
    lacksRegisters(expect, bench, d3, once);
    expect.equal(bench.assign(d2, once), 0, 'the other device is assigned');
    hasRegisters(expect, bench, d2, once);
    lacksRegisters(expect, bench, d2, first);
  },
);

check(
  ID,
  'while domains come and go, each reaches the registers of its own devices alone',
  MMIO,
  ({ bench, expect }) => {
    const { first, apart, once, stays, all } = rolesOf(bench);
    const d1 = created(expect, bench.create({ memory: MIB, devices: [first, once] }));
    const d2 = created(expect, bench.create({ memory: MIB, devices: [apart] }));
    const owned: [number, Sbdf[]][] = [
      [0, [stays]],
      [d1, [first, once]],
      [d2, [apart]],
    ];
    const look = () => {
      for (const [domid, devices] of owned) {
        for (const device of [...all, stays]) {
          if (devices.includes(device)) hasRegisters(expect, bench, domid, device);
          else lacksRegisters(expect, bench, domid, device);
        }
      }
    };
    look();

    expect.equal(bench.destroy(d1), 0, 'the first domain is destroyed');
    owned.splice(1, 1);
    look();

    expect.equal(bench.assign(d2, once), 0, 'the second gets one of its devices');
    owned.splice(1, 1, [d2, [apart, once]]);
    look();
    expect.equal(bench.destroy(d2), 0, 'the second domain is destroyed');
    owned.splice(1, 1);
    owned.push([created(expect, bench.create({ memory: MIB, devices: [first, apart] })), [first, apart]]);
    look();
  },
);

check(ID, 'a CPU that ran the dead domain does not reach the registers of its devices', MMIO, ({ bench, expect }) => {
  const { first } = rolesOf(bench);
  const d1 = created(expect, bench.create({ memory: MIB, devices: [first] }));
  const bar = barAddress(bench, first, 0);
  const cpu = bench.xen.schedule({ domid: d1, vcpu: 0 });
  // What the CPU does by itself, without Xen putting anybody on it. It does nothing if nobody is on it.
  const loads = () => {
    try {
      const access = {
        kind: 'load',
        width: 4,
        hi: Math.floor(bar / 2 ** 32),
        lo: bar >>> 0,
        valueHi: 0,
        valueLo: 0,
      } as const;
      return bench.machine.cpus.guest(cpu as number, access).ok;
    } catch {
      return false;
    }
  };
  expect.ok(loads(), 'the CPU of the domain loads from the registers');

  expect.equal(bench.destroy(d1), 0, 'the domain is destroyed');
  expect.ok(!loads(), 'the CPU does not any more');

  // The next domain has the device, and may have the frames and the tag.
  const d2 = created(expect, bench.create({ memory: MIB, devices: [first] }));
  expect.ok(!loads(), 'nor when another domain has the device');
  bench.ledger.forget(d1);
  hasRegisters(expect, bench, d2, first);
});

check(
  ID,
  'a domain whose device was pulled out can be destroyed, and the device comes back to nobody',
  MMIO,
  ({ bench, expect }) => {
    const { kept } = pciDevicesOf(bench);
    const d1 = created(expect, bench.create({ memory: MIB, devices: [kept.first, kept.second] }));
    for (const device of [kept.first, kept.second]) reaches(expect, bench, device, d1, GUEST_RAM);
    const restore = saveHeader(bench, kept.first);

    bench.machine.endpoints.unplug(kept.first);

    expect.equal(bench.destroy(d1), 0, 'the domain is destroyed');
    bench.ledger.forget(d1);
    bench.machine.endpoints.plug(kept.first);
    restore();
    for (const device of [kept.first, kept.second]) {
      unreachable(expect, bench, device, GUEST_RAM, 'its domain is dead');
      lacksRegisters(expect, bench, 0, device);
    }
    const d2 = created(expect, bench.create({ memory: MIB, devices: [kept.second, kept.first] }));
    for (const device of [kept.first, kept.second]) {
      reaches(expect, bench, device, d2, GUEST_RAM);
      hasRegisters(expect, bench, d2, device);
    }
  },
);
