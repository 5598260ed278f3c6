/**
 * Assign PCI devices to a domain on Arm64: the configuration space that the guest has of them. Whatever it writes
 * there, it changes its own view alone.
 */
import { created, MIB, reaches, unreachable } from '../arranging.js';
import { check } from '../bench.js';
import {
  BUFFER,
  barAddress,
  cannotUse,
  configAddress,
  IDENTIFICATION,
  registerWord,
  uses,
} from '../device-registers.js';
import { GUEST_RAM, type PciRole, pciDevicesOf } from '../devices.js';
import { MESSAGE_GUEST_MEMORY, MessageGuest } from '../guest/message-guest.js';
import { GuestPci } from '../guest/pci.js';
import type { PassthroughBench } from '../passthrough-bench.js';

const ID = 'XenSwdgn~passthrough_assign_pci_dev_to_dom_arm64~1';
/** Registers of a header of type 0 (PCI Express Base 7.5.1), and what Command lets a device do. */
const COMMAND = 0x04;
const BAR = 0x10;
const MEMORY = 2;
const BUS_MASTER = 4;
/** The device of the guest: the first of its bus. */
const AT = 0;
const ALL_ONES = 0xffff_ffff;

/** Lets a device decode its memory, or not; always issue requests. */
function decode(pci: GuestPci, on: boolean): void {
  pci.write(AT, COMMAND, (on ? MEMORY : 0) | BUS_MASTER, 2);
}

/** Writes a base address register of 64 bits, and the third, of 32. */
function place(pci: GuestPci, first: number, third: number): void {
  pci.write(AT, BAR, first >>> 0);
  pci.write(AT, BAR + 4, Math.floor(first / 2 ** 32));
  pci.write(AT, BAR + 8, third >>> 0);
}

/** A device's header as the machine has it, but for Command and Status: no guest changes any of it. */
function hostConfig(bench: PassthroughBench, device: PciRole): string {
  const words: number[] = [];
  for (let offset = 0; offset < 0x40; offset += 4) {
    if (offset !== COMMAND) words.push(registerWord(bench, configAddress(device, offset)));
  }
  return words.map((word) => word.toString(16)).join(' ');
}

check(ID, 'base address registers have the sizes of the device, and move while memory decode is off', (given) => {
  const { bench, expect } = given;
  const { first } = pciDevicesOf(bench).kept;
  const d1 = created(expect, bench.create({ memory: MIB, devices: [first] }));
  reaches(expect, bench, first, d1, GUEST_RAM);
  const pci = new GuestPci(bench.guestTree(d1), bench.guest(d1));
  const host = hostConfig(bench, first);
  const [zero, two] = [barAddress(bench, first, 0), barAddress(bench, first, 2)];
  const before = [pci.bar(AT, 0), pci.bar(AT, 2)] as const;
  uses(expect, bench, d1, before[0] + BUFFER, zero + BUFFER);

  place(pci, 0x2300_0000, 0x2301_0000);
  expect.deepEqual([pci.bar(AT, 0), pci.bar(AT, 2)], before, 'nothing moves while memory decode is on');
  uses(expect, bench, d1, before[0] + BUFFER, zero + BUFFER);
  cannotUse(expect, bench, d1, 0x2300_0000, 'nothing is there yet');

  decode(pci, false);
  cannotUse(expect, bench, d1, before[0] + BUFFER, 'memory decode is off');
  cannotUse(expect, bench, d1, before[1], 'memory decode is off');
  for (const offset of [BAR, BAR + 4, BAR + 8, BAR + 12]) pci.write(AT, offset, ALL_ONES);
  // 16 KiB of 64 bits; 4 KiB of 32 bits; nothing.
  const sizes = [0, 4, 8, 12].map((offset) => pci.read(AT, BAR + offset));
  expect.deepEqual(sizes, [0xffff_c004, ALL_ONES, 0xffff_f000, 0], 'after all ones were written, they tell sizes');

  place(pci, 0x2_3400_0000, 0x2301_0000);
  decode(pci, true);
  expect.deepEqual([pci.bar(AT, 0), pci.bar(AT, 2)], [0x2_3400_0000, 0x2301_0000], 'they show where they were put');
  expect.equal(bench.load(d1, 0x2_3400_0000), IDENTIFICATION, 'the device answers there');
  uses(expect, bench, d1, 0x2_3400_0000 + BUFFER, zero + BUFFER);
  uses(expect, bench, d1, 0x2301_0000, two);
  for (const at of before) cannotUse(expect, bench, d1, at + 0x10, 'where it was before');
  cannotUse(expect, bench, d1, 0x2_3400_4000, 'behind it');
  expect.equal(hostConfig(bench, first), host, 'the device itself has not moved');
  expect.equal(bench.deassign(d1, first), 0, 'the device is taken away');
  for (const at of [0x2_3400_0000, 0x2301_0000]) cannotUse(expect, bench, d1, at, 'it has lost the device');
});

check(ID, 'registers are not placed over anything that the guest has', ({ bench, expect }) => {
  const { first } = pciDevicesOf(bench).kept;
  const d1 = created(expect, bench.create({ memory: MIB, devices: [first] }));
  reaches(expect, bench, first, d1, GUEST_RAM);
  const pci = new GuestPci(bench.guestTree(d1), bench.guest(d1));
  const zero = barAddress(bench, first, 0);
  const [own, third] = [pci.bar(AT, 0), pci.bar(AT, 2)];
  const ram = bench.ledger.pattern();
  expect.ok(bench.store(d1, GUEST_RAM + 0x1000, ram).ok, 'the guest has memory');
  // xen/include/public/arch-arm.h: distributor and redistributors, configuration space. The service is behind them.
  for (const [what, at, other] of [
    ['its memory', GUEST_RAM, third],
    ['the end of its memory', GUEST_RAM + MIB - 0x4000, third],
    ['its memory, with the other register', own, GUEST_RAM],
    ['its distributor', 0x0300_0000, third],
    ['its redistributors', 0x0302_0000, third],
    ['its translation service', 0x0408_0000, third],
    ['its doorbell', 0x0409_0000, third],
    ['its configuration space', 0x1000_0000, third],
    ['the other register', 0x2400_0000, 0x2400_2000],
  ] as const) {
    decode(pci, false);
    place(pci, at, other);
    decode(pci, true);
    expect.equal(pci.read(AT, COMMAND, 2) & MEMORY, 0, `memory decode does not go on over ${what}`);
    expect.equal(bench.load(d1, GUEST_RAM + 0x1000), ram, `its memory is its memory (${what})`);
    expect.ok(pci.read(AT, 0) !== ALL_ONES, `its configuration space is there (${what})`);
    reaches(expect, bench, first, d1, GUEST_RAM + 0x2000);
  }
  place(pci, own, third);
  decode(pci, true);
  expect.equal(pci.read(AT, COMMAND, 2) & MEMORY, MEMORY, 'where there is nothing, it goes on');
  uses(expect, bench, d1, own + BUFFER, zero + BUFFER);
});

check(ID, 'whatever a guest does to configuration space, it keeps to its own device', ({ bench, expect }) => {
  const { kept, hardwareDomains } = pciDevicesOf(bench);
  const [mine, victims] = [kept.second, kept.first];
  const d1 = created(expect, bench.create({ memory: MESSAGE_GUEST_MEMORY, devices: [mine] }));
  const d2 = created(expect, bench.create({ memory: MESSAGE_GUEST_MEMORY, devices: [victims] }));
  reaches(expect, bench, mine, d1, GUEST_RAM);
  reaches(expect, bench, victims, d2, GUEST_RAM);
  const victim = new MessageGuest(bench, d2);
  const { lpis } = victim.enableMessages(victims);
  const others = [mine, victims, hardwareDomains.first, kept.apart];
  const before = others.map((device) => hostConfig(bench, device));
  const commands = [victims, hardwareDomains.first].map((device) =>
    registerWord(bench, configAddress(device, COMMAND)),
  );
  const cpu = bench.guest(d1);
  const pci = new GuestPci(bench.guestTree(d1), cpu);
  const ecam = pci.configAddress(0, 0);
  for (const value of [ALL_ONES, 0]) {
    for (const width of [1, 2, 4, 8] as const) {
      for (let offset = 0; offset < 0x100; offset += width) {
        cpu.access('store', ecam + offset, width, { hi: value, lo: value });
        cpu.access('load', ecam + offset, width);
      }
    }
    for (let offset = 0x100; offset < 0x1000; offset += 0x24)
      cpu.access('store', ecam + offset, 4, { hi: 0, lo: value });
    // Accesses that are not aligned, devices that it does not have, also where the machine has one.
    for (const offset of [1, COMMAND + 1, BAR + 2, 0x3e, 0xffe])
      cpu.access('store', ecam + offset, 4, { hi: 0, lo: value });
    for (const { bus, device, function: fn } of others) {
      const there = ((bus << 8) | (device << 3) | fn) * 0x1000;
      for (const offset of [COMMAND, BAR, 0x18, 0x40, 0x44, 0x48]) {
        if (there !== 0) cpu.store(ecam + there + offset, value);
      }
      if (there !== 0) expect.equal(pci.read(there / 0x1000, 0), ALL_ONES, 'a device that the guest does not have');
    }
    expect.deepEqual(
      others.map((device) => hostConfig(bench, device)),
      before,
      'every device of the machine is as it was',
    );
    const now = [victims, hardwareDomains.first].map((device) => registerWord(bench, configAddress(device, COMMAND)));
    expect.deepEqual(now, commands, "so are the Command registers of others' devices");
    // Interrupt Disable (7.5.1.1.3): nobody in the guest would get INTx.
    expect.ok((registerWord(bench, configAddress(mine, COMMAND)) & 0x400) !== 0, 'its own device raises no INTx');
    expect.equal(bench.signal(victims, 0), 'sent', 'the device of another guest sends');
    bench.rest();
    expect.deepEqual(victim.take(), lpis, 'and that one takes it');
    reaches(expect, bench, victims, d2, GUEST_RAM);
    unreachable(expect, bench, mine, GUEST_RAM + MESSAGE_GUEST_MEMORY, "beyond its domain's memory");
  }
  expect.equal(bench.deassign(d1, mine), 0, 'the device can be taken away');
  const d3 = created(expect, bench.create({ memory: MESSAGE_GUEST_MEMORY, devices: [mine] }));
  const next = new MessageGuest(bench, d3);
  const { lpis: own } = next.enableMessages(mine);
  uses(expect, bench, d3, next.pci.bar(AT, 0) + BUFFER, barAddress(bench, mine, 0) + BUFFER);
  expect.equal(bench.signal(mine, 0), 'sent', 'the next owner finds it as if nothing had been');
  bench.rest();
  expect.deepEqual(next.take(), own, 'and takes its messages');
});
