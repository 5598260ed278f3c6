/** Support assignment of PCI devices: registers. The domain has those of its device, where it is told, and nobody else has. */
import { created, MIB } from '../arranging.js';
import { check } from '../bench.js';
import {
  BUFFER,
  barAddress,
  cannotUse,
  hasRegisters,
  IDENTIFICATION,
  lacksRegisters,
  uses,
} from '../device-registers.js';
import { GUEST_RAM, pciDevicesOf } from '../devices.js';
import { nameOf } from '../guest-bench.js';

const ID = 'XenSwdgn~passthrough_support_assign_pci_devs~1';
const MMIO = { aspect: 'mmio' };

check(ID, 'a domain reaches the registers of its devices, and no other domain does', MMIO, ({ bench, expect }) => {
  const { kept, hardwareDomains } = pciDevicesOf(bench);
  const given = [kept.first, kept.second, hardwareDomains.first];
  const d1 = created(expect, bench.create({ memory: MIB, passthrough: 'enabled' }));
  const d2 = created(expect, bench.create({ memory: MIB, devices: [kept.apart] }));
  for (const device of given) {
    lacksRegisters(expect, bench, d1, device);

    expect.equal(bench.assign(d1, device), 0, `${nameOf(device)} is assigned`);

    hasRegisters(expect, bench, d1, device);
    for (const other of [0, d2]) lacksRegisters(expect, bench, other, device);
  }
  // Memory behind a base address register of another kind: one page of 32 bits, and nothing beside it.
  const second = barAddress(bench, kept.first, 2);
  for (const offset of [0, 0xffc]) uses(expect, bench, d1, second + offset);
  cannotUse(expect, bench, d1, second + 0x1000, 'beside the registers');
  for (const other of [0, d2]) cannotUse(expect, bench, other, second, 'registers of another domain');
  hasRegisters(expect, bench, d2, kept.apart);
  lacksRegisters(expect, bench, d1, kept.apart);
  for (const device of [hardwareDomains.second, hardwareDomains.apart]) {
    hasRegisters(expect, bench, 0, device);
    lacksRegisters(expect, bench, d1, device);
  }
});

check(
  ID,
  'registers are where the configuration of a domain says, and elsewhere they are not',
  MMIO,
  ({ bench, expect }) => {
    const { kept, hardwareDomains } = pciDevicesOf(bench);
    const place = 0x2300_0000;
    const bars = [{ device: kept.first, index: 0, guest: place }];
    const d1 = created(expect, bench.create({ memory: MIB, devices: [kept.first, hardwareDomains.first], bars }));
    const bar = barAddress(bench, kept.first, 0);
    expect.equal(bench.load(d1, place), IDENTIFICATION, 'the domain finds the registers where it wanted them');
    for (const offset of [BUFFER, BUFFER + 0x1ffc]) uses(expect, bench, d1, place + offset, bar + offset);
    for (const outside of [place - 0x1000, place + 0x4000])
      cannotUse(expect, bench, d1, outside, 'beside the registers');
    lacksRegisters(expect, bench, d1, kept.first);
    hasRegisters(expect, bench, d1, hardwareDomains.first);
    expect.ok(bench.store(d1, GUEST_RAM, 1).ok, 'the domain goes on');
  },
);
