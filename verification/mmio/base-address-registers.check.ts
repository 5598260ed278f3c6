/** Map device memory region: base address registers of PCI functions. */
import { created, MIB } from '../arranging.js';
import { check } from '../bench.js';
import {
  BAR_SIZE,
  BUFFER,
  barAddress,
  cannotUse,
  hasRegisters,
  IDENTIFICATION,
  lacksRegisters,
  uses,
} from '../device-registers.js';
import { pciDevicesOf } from '../devices.js';
import { ELSEWHERE, hasExactly, PAGE } from '../regions.js';

const ID = 'XenSwdgn~passthrough_map_dev_mem_region~1';
const EPERM = -1;

check(ID, 'a domain reaches the base address registers of its devices', { aspect: 'pci' }, ({ bench, expect }) => {
  const { kept, hardwareDomains } = pciDevicesOf(bench);
  const { first, second: behindBridge, apart: otherSegment } = kept;
  const d1 = created(expect, bench.create({ memory: MIB, devices: [first, behindBridge, otherSegment] }));
  // 16 KiB each; the second BARs of the first two have 4 and 8 KiB.
  const second = { machine: barAddress(bench, first, 2), size: PAGE };
  const behind = { machine: barAddress(bench, behindBridge, 4), size: 2 * PAGE };

  for (const device of [first, behindBridge, otherSegment]) {
    hasRegisters(expect, bench, d1, device);
    const bar = barAddress(bench, device, 0);
    for (const address of [bar - 4, bar + BAR_SIZE]) cannotUse(expect, bench, d1, address, 'beside the registers');
  }
  for (const { machine, size } of [second, behind]) hasExactly(expect, bench, d1, { machine, size, guest: machine });
  // Below the base address register of this device, within the same 2 MiB, are those of others.
  for (const device of Object.values(hardwareDomains)) {
    lacksRegisters(expect, bench, d1, device);
  }
});

check(
  ID,
  'a domain reaches base address registers where its configuration says',
  { aspect: 'pci' },
  ({ bench, expect }) => {
    // Two devices of the same numbers in two segments, each with a first base address register.
    const { kept, hardwareDomains } = pciDevicesOf(bench);
    const { first, apart: stays } = kept;
    const moved = hardwareDomains.first;
    const d1 = created(
      expect,
      bench.create({
        memory: MIB,
        devices: [moved, stays, first],
        bars: [
          { device: moved, index: 0, guest: ELSEWHERE },
          { device: first, index: 2, guest: ELSEWHERE + 0x10_0000 },
        ],
      }),
    );

    expect.equal(bench.load(d1, ELSEWHERE), IDENTIFICATION, 'the registers begin there');
    for (const offset of [BUFFER, BAR_SIZE - 4]) {
      uses(expect, bench, d1, ELSEWHERE + offset, barAddress(bench, moved, 0) + offset);
    }
    for (const guest of [ELSEWHERE - 4, ELSEWHERE + BAR_SIZE])
      cannotUse(expect, bench, d1, guest, 'beside the registers');
    hasExactly(expect, bench, d1, { machine: barAddress(bench, first, 2), size: PAGE, guest: ELSEWHERE + 0x10_0000 });
    lacksRegisters(expect, bench, d1, moved);
    cannotUse(expect, bench, d1, barAddress(bench, first, 2), 'the address that the device has');
    for (const device of [stays, first]) hasRegisters(expect, bench, d1, device);

    for (const device of [moved, first]) expect.equal(bench.deassign(d1, device), 0, 'the device is taken away');
    for (const guest of [ELSEWHERE + BUFFER, ELSEWHERE + BAR_SIZE - 4, ELSEWHERE + 0x10_0000]) {
      cannotUse(expect, bench, d1, guest, 'the domain has lost the device');
    }
    lacksRegisters(expect, bench, d1, first);
    hasRegisters(expect, bench, d1, stays);
  },
);

check(
  ID,
  'registers go to the domain that gets the device, and from the one that loses it',
  { aspect: 'pci' },
  ({ bench, expect }) => {
    const device = pciDevicesOf(bench).hardwareDomains.first;
    const d1 = created(expect, bench.create({ memory: MIB, passthrough: 'enabled' }));
    hasRegisters(expect, bench, 0, device);
    lacksRegisters(expect, bench, d1, device);
    // Each owner has them at a second place too.
    const bar = barAddress(bench, device, 0);
    const alsoAt = (domid: number) => {
      expect.equal(bench.memoryMapping(domid, ELSEWHERE / PAGE, bar / PAGE, BAR_SIZE / PAGE), 0, 'a second place');
      uses(expect, bench, domid, ELSEWHERE + BUFFER, bar + BUFFER);
    };
    alsoAt(0);

    expect.equal(bench.assign(d1, device), 0, 'the device is assigned');
    hasRegisters(expect, bench, d1, device);
    lacksRegisters(expect, bench, 0, device);
    cannotUse(expect, bench, 0, ELSEWHERE + BUFFER, 'the second place of its old owner');
    alsoAt(d1);

    expect.equal(bench.deassign(d1, device), 0, 'the device is taken away');
    lacksRegisters(expect, bench, d1, device);
    lacksRegisters(expect, bench, 0, device);
    cannotUse(expect, bench, d1, ELSEWHERE + BUFFER, 'the second place of its old owner');
    for (let page = bar / PAGE; page < (bar + BAR_SIZE) / PAGE; page++) {
      expect.equal(bench.memoryMapping(d1, page, page, 1), EPERM, 'nor may the domain map its registers');
    }
    expect.equal(bench.assign(d1, device), 0, 'it is assigned again');
    hasRegisters(expect, bench, d1, device);
  },
);
