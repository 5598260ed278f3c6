import fc from 'fast-check';
import t from 'tap';
import { assignment, at, createGuest } from '../xen.test-support.js';
import { bootVpci, Guest, MSI_32_VECTORS, MSI_PLAIN, physical, RAM } from './vpci.test-support.js';

// PCI Express Base 7.7.1: control at 2 (enable 0, capable 3:1, vectors 6:4, 64-bit 7, masks 8), address at 4, with 64 bits
// upper address at 8, data at 0xc, mask at 0x10, pending at 0x14; with 32 bits data at 8.
const TARGET = RAM + 0x1000;

t.test('a message is what the guest has written, translated like every request of the device', async (t) => {
  const booted = bootVpci();
  const guest = new Guest(booted, createGuest(booted.xen, ['0000:00:01.0', MSI_32_VECTORS]));
  const msi = guest.capability(1, 5);
  t.equal(guest.read(1, msi + 2, 2), 0x18a, '32 vectors, 64-bit, with masks; disabled');
  t.equal(booted.machine.endpoints.signal(at(MSI_32_VECTORS), 3), 'disabled');
  guest.write(1, msi + 4, TARGET + 3);
  t.equal(guest.read(1, msi + 4), TARGET, 'the low two bits are zero');
  guest.write(1, msi + 8, 0);
  guest.write(1, msi + 0xc, 0x1220, 2);
  guest.write(1, msi + 2, 0x51, 2);
  t.equal(guest.read(1, msi + 2, 2), 0x1db);
  for (const vector of [0, 3, 31]) {
    t.equal(booted.machine.endpoints.signal(at(MSI_32_VECTORS), vector), 'sent');
    t.equal(guest.word(TARGET), 0x1220 + vector);
  }
  guest.write(1, msi + 0xc, 0x1240, 2);
  t.equal(booted.machine.endpoints.signal(at(MSI_32_VECTORS), 1), 'sent');
  t.equal(guest.word(TARGET), 0x1241, 'changed while enabled');
  guest.write(1, msi + 2, 0x50, 2);
  t.equal(booted.machine.endpoints.signal(at(MSI_32_VECTORS), 1), 'disabled');
  t.same(booted.problems, []);
});

t.test('a device uses no more vectors than it has', async (t) => {
  const booted = bootVpci();
  const guest = new Guest(booted, createGuest(booted.xen, [MSI_PLAIN]));
  const msi = guest.capability(0, 5);
  t.equal(guest.read(0, msi + 2, 2), 0x4, 'four vectors, 32-bit, no masks');
  guest.write(0, msi + 4, TARGET);
  guest.write(0, msi + 8, 0xffff_0018);
  t.equal(guest.read(0, msi + 8), 0x18);
  guest.write(0, msi + 2, 0x71, 2);
  t.equal(guest.read(0, msi + 2, 2), 0x25, 'four in use');
  t.equal(booted.machine.endpoints.signal(at(MSI_PLAIN), 3), 'sent');
  t.equal(guest.word(TARGET), 0x1b);
  t.equal(booted.machine.endpoints.signal(at(MSI_PLAIN), 4), 'disabled');
  t.equal(guest.read(0, msi + 0xc), 0, 'no mask register');
});

t.test('a masked vector is pending, and sent when it is unmasked', async (t) => {
  const booted = bootVpci();
  const guest = new Guest(booted, createGuest(booted.xen, [MSI_32_VECTORS]));
  const msi = guest.capability(0, 5);
  guest.write(0, msi + 4, TARGET);
  guest.write(0, msi + 0xc, 0x100, 2);
  guest.write(0, msi + 0x10, 0x8000_0002);
  guest.write(0, msi + 2, 0x51, 2);
  t.equal(booted.machine.endpoints.signal(at(MSI_32_VECTORS), 31), 'pending');
  t.equal(booted.machine.endpoints.signal(at(MSI_32_VECTORS), 1), 'pending');
  t.equal(guest.word(TARGET), 0);
  t.equal(guest.read(0, msi + 0x14), 0x8000_0002);
  guest.write(0, msi + 0x14, 0);
  t.equal(guest.read(0, msi + 0x14), 0x8000_0002, 'read-only');
  guest.write(0, msi + 0x10, 2, 1);
  t.equal(guest.read(0, msi + 0x10), 0x8000_0002, 'a byte of it');
  guest.write(0, msi + 0x10, 2);
  t.equal(guest.word(TARGET), 0x11f);
  t.equal(guest.read(0, msi + 0x14), 2);
});

t.test('after deassignment the device sends nothing, and the next owner finds nothing of it', async (t) => {
  const booted = bootVpci();
  const d1 = createGuest(booted.xen, [MSI_32_VECTORS]);
  const d2 = createGuest(booted.xen, []);
  const guest = new Guest(booted, d1);
  const msi = guest.capability(0, 5);
  guest.write(0, msi + 4, TARGET);
  guest.write(0, msi + 0xc, 0x100, 2);
  guest.write(0, msi + 2, 0x1, 2);
  t.equal(booted.machine.endpoints.signal(at(MSI_32_VECTORS), 0), 'sent');
  t.equal(assignment(booted, 47, d1, MSI_32_VECTORS), 0);
  t.equal(booted.machine.endpoints.signal(at(MSI_32_VECTORS), 0), 'disabled');
  t.equal(assignment(booted, 37, d2, MSI_32_VECTORS), 0);
  const next = new Guest(booted, d2);
  t.equal(next.read(0, msi + 4), 0);
  t.equal(next.read(0, msi + 2, 2), 0x18a);
  t.equal(next.read(0, msi + 0x14), 0);
  t.equal(booted.machine.endpoints.signal(at(MSI_32_VECTORS), 0), 'disabled');
});

t.test('the hardware domain sets messages of its devices up in the same way', async (t) => {
  const booted = bootVpci();
  const own = new Guest(booted, 0, 0x40_1000_0000);
  const target = (booted.xen.claims()[0]?.ram[0]?.gfn ?? 0) * 4096 + 0x3000;
  const msi = own.capability(0x10, 5);
  t.equal(own.read(0x10, msi + 1, 1), physical(booted, MSI_32_VECTORS, msi + 1, 1), 'the list as it is');
  own.write(0x10, msi + 4, target);
  own.write(0x10, msi + 0xc, 0x77, 2);
  own.write(0x10, msi + 2, 1, 2);
  t.equal(booted.machine.endpoints.signal(at(MSI_32_VECTORS), 0), 'sent');
  t.equal(own.word(target), 0x77);
});

t.test('whatever a guest writes to configuration space, it keeps to its device and Xen keeps going', async (t) => {
  const booted = bootVpci();
  const d1 = createGuest(booted.xen, [MSI_32_VECTORS, '0000:05:00.0']);
  const guest = new Guest(booted, d1);
  const bars = (device: string) => [0x10, 0x14, 0x20].map((offset) => physical(booted, device, offset));
  const before = [bars(MSI_32_VECTORS), bars('0000:05:00.0'), bars('0000:00:02.0')];
  const write = fc.tuple(
    fc.constantFrom(0, 1, 2),
    fc.oneof(fc.nat({ max: 0xff }), fc.nat({ max: 0xfff })),
    fc.constantFrom(1 as const, 2 as const, 4 as const),
    fc.nat({ max: 0xffff_ffff }),
  );
  fc.assert(
    fc.property(fc.array(write, { maxLength: 40 }), (writes) => {
      for (const [slot, offset, width, value] of writes) guest.write(slot, offset - (offset % width), value, width);
      if (guest.read(0, 0) !== physical(booted, MSI_32_VECTORS, 0)) return false;
      if ((physical(booted, MSI_32_VECTORS, 4, 2) & 0x400) === 0) return false;
      const after = [bars(MSI_32_VECTORS), bars('0000:05:00.0'), bars('0000:00:02.0')];
      return JSON.stringify(after) === JSON.stringify(before);
    }),
    { numRuns: 60, seed: 7 },
  );
  t.equal(assignment(booted, 47, d1, MSI_32_VECTORS), 0);
  t.equal(guest.read(0, 0), 0xffff_ffff);
  t.equal(guest.read(1, 0), physical(booted, '0000:05:00.0', 0), 'the other device is still there');
  t.same(booted.problems, []);
});
