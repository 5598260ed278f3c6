import t from 'tap';
import { xenSteps } from '../steps.js';
import { assignment, at, createGuest } from '../xen.test-support.js';
import { BOTH, bootVpci, Guest, MSIX_2048, MSIX_BESIDE_REGISTERS, RAM } from './vpci.test-support.js';

// PCI Express Base 7.7.2: control at 2 (entries - 1 10:0, function mask 14, enable 15), table at 4, pending bits at 8. An
// entry has its address at 0, data at 8, mask in bit 0 at 0xc.
const TARGET = RAM + 0x1000;

/** A guest with one device of slot 0, and where its table and pending bits are. */
function withDevice(device: string, vpci: Parameters<typeof bootVpci>[0] = {}) {
  const booted = bootVpci(vpci);
  const domid = createGuest(booted.xen, [device]);
  const guest = new Guest(booted, domid);
  const msix = guest.capability(0, 0x11);
  const place = (register: number) => {
    const value = guest.read(0, msix + register) ?? 0;
    const bar = 0x10 + (value & 7) * 4;
    const low = guest.read(0, bar) ?? 0;
    const high = (low & 4) === 0 ? 0 : (guest.read(0, bar + 4) ?? 0);
    return high * 2 ** 32 + ((low & ~0xf) >>> 0) + (value & ~7);
  };
  const signal = (vector: number) => booted.machine.endpoints.signal(at(device), vector);
  return { booted, domid, guest, msix, table: place(4), pending: place(8), signal };
}

t.test('2048 entries, each with a message of its own', async (t) => {
  const { booted, guest, msix, table, signal } = withDevice(MSIX_2048);
  t.equal(guest.read(0, msix + 2, 2), 0x7ff);
  t.equal(guest.load(table + 0xc), 1, 'masked');
  t.equal(guest.load(table + 2047 * 16 + 0xc), 1);
  guest.write(0, msix + 2, 0x8000, 2);
  t.equal(signal(0), 'pending', 'nothing is sent that has not been set up');
  for (let index = 0; index < 2048; index += 89) {
    guest.store64(table + index * 16, 0, TARGET);
    guest.store64(table + index * 16 + 8, 0, 0x5000 + index);
  }
  for (const index of [89, 0, 2047]) {
    t.equal(signal(index), 'sent');
    t.equal(guest.word(TARGET), 0x5000 + index);
    t.same(guest.load64(table + index * 16 + 8), [0, 0x5000 + index]);
  }
  t.equal(signal(1), 'pending');
  t.same(booted.problems, []);
});

t.test('messages of one kind are enabled at a time', async (t) => {
  const { booted, guest, msix } = withDevice(BOTH);
  const msi = guest.capability(0, 5);
  const enabled = () => [(guest.read(0, msi + 2, 2) ?? 0) & 1, (guest.read(0, msix + 2, 2) ?? 0) >>> 15];
  guest.write(0, msix + 2, 0x8000, 2);
  guest.write(0, msi + 2, 1, 2);
  t.same(enabled(), [0, 1], 'MSI-X is enabled');
  guest.write(0, msix + 2, 0, 2);
  guest.write(0, msi + 2, 1, 2);
  guest.write(0, msix + 2, 0x8000, 2);
  t.same(enabled(), [1, 0], 'MSI is');
  t.same(booted.problems, []);
});

t.test('a masked entry is pending, and sent once when it is unmasked, with what was written meanwhile', async (t) => {
  const { guest, msix, table, pending, signal } = withDevice(BOTH);
  guest.write(0, msix + 2, 0x8000, 2);
  guest.store(table + 16, TARGET);
  guest.store(table + 16 + 8, 0x21);
  guest.store(table + 16 + 12, 0);
  t.equal(signal(1), 'sent');
  t.equal(guest.word(TARGET), 0x21);
  guest.store(table + 16 + 12, 1);
  t.equal(signal(1), 'pending');
  t.equal(guest.load(pending), 2);
  guest.store(table + 16 + 8, 0x31);
  t.equal(guest.word(TARGET), 0x21);
  guest.store(table + 16 + 12, 0);
  t.equal(guest.word(TARGET), 0x31);
  t.equal(guest.load(pending), 0);
});

t.test('what is written to an entry in use takes effect when it is masked', async (t) => {
  const { guest, msix, table, signal } = withDevice(BOTH);
  guest.store(table, TARGET);
  guest.store(table + 8, 0x41);
  guest.store(table + 12, 0);
  guest.write(0, msix + 2, 0x8000, 2);
  guest.store(table + 8, 0x42);
  t.equal(guest.load(table + 8), 0x42, 'it reads what it has written');
  t.equal(signal(0), 'sent');
  t.equal(guest.word(TARGET), 0x41);
  guest.write(0, msix + 2, 0xc000, 2);
  t.equal(signal(0), 'pending', 'the function is masked');
  guest.write(0, msix + 2, 0x8000, 2);
  t.equal(guest.word(TARGET), 0x42);
  guest.write(0, msix + 2, 0, 2);
  t.equal(signal(0), 'disabled');
});

t.test('beside the table the registers are the device’s; pending bits are not written', async (t) => {
  const { guest, table, pending } = withDevice(MSIX_BESIDE_REGISTERS);
  const page = table - 0x800;
  t.equal(guest.load(page), 0x3144_5754, 'IDENTIFICATION');
  t.ok(guest.store(page + 0x18, 0x1357_9bdf), 'DESTINATION');
  t.equal(guest.load(page + 0x18), 0x1357_9bdf);
  t.ok(guest.store64(page + 0x18, 1, 0x2468_ace0));
  t.same(guest.load64(page + 0x18), [1, 0x2468_ace0]);
  t.ok(guest.store(pending, 0xffff_ffff));
  t.equal(guest.load(pending), 0);
  t.ok(guest.store(table, 0x99, 2), 'half a word of the table');
  t.equal(guest.load(table), 0);
  t.equal(guest.load(table, 2), 0xffff);
  t.ok(guest.store(page + 0x2000, 7), 'the rest is mapped');
  t.equal(guest.load(page + 0x2000), 7);
});

t.test('the table moves with its base address register', async (t) => {
  const { guest, msix, table, signal } = withDevice(BOTH);
  guest.write(0, 4, 4, 2);
  t.equal(guest.load(table), undefined, 'memory decode is off');
  guest.write(0, 0x10, 0x2500_0000);
  guest.write(0, 4, 6, 2);
  guest.store(0x2500_1000, TARGET);
  guest.store(0x2500_1008, 0x61);
  guest.store(0x2500_100c, 0);
  guest.write(0, msix + 2, 0x8000, 2);
  t.equal(signal(0), 'sent');
  t.equal(guest.word(TARGET), 0x61);
  t.equal(guest.load(table), undefined);
});

t.test('nothing is left of a table when the device is given on', async (t) => {
  const { booted, domid, guest, msix, table, signal } = withDevice(BOTH);
  const d2 = createGuest(booted.xen, []);
  guest.store(table, TARGET);
  guest.store(table + 8, 0x71);
  guest.store(table + 12, 0);
  guest.write(0, msix + 2, 0x8000, 2);
  guest.write(0, 4, 4, 2);
  t.equal(assignment(booted, 47, domid, BOTH), 0, 'while memory decode is off');
  t.equal(guest.load(table), undefined);
  t.equal(signal(0), 'disabled');
  t.equal(assignment(booted, 37, d2, BOTH), 0);
  const next = new Guest(booted, d2);
  t.equal(next.load(table), 0);
  t.equal(next.load(table + 12), 1);
  next.write(0, msix + 2, 0x8000, 2);
  t.equal(signal(0), 'pending');
  t.equal(next.word(TARGET), 0);
  next.store(table + 12, 0);
  t.equal(next.word(TARGET), 0, 'not to where the last owner had it, nor with its data');
  t.same(booted.problems, []);
});

t.test('a device whose table is not in its memory is given to no guest', async (t) => {
  const { initMsix } = xenSteps().vpci;
  const cases = [
    [{ table: { bar: 0, offset: 0x3ff0, size: 48 } }, /table lies outside/],
    [{ table: { bar: 5, offset: 0, size: 48 } }, /table lies outside/],
    [{ pending: { bar: 0, offset: 0x4000, size: 8 } }, /pending bits lie outside/],
    [{ pending: { bar: 0, offset: 0x1028, size: 8 } }, /pending bits lie in the table/],
  ] as const;
  for (const [wrong, line] of cases) {
    const booted = bootVpci({
      initMsix: (xen, device, list) => {
        const msix = initMsix(xen, device, list);
        return msix === undefined ? undefined : { ...msix, ...wrong };
      },
    });
    const { xen } = booted;
    const d1 = createGuest(xen, []);
    t.equal(assignment(booted, 37, d1, BOTH), -22, 'EINVAL');
    t.match(xen.console.join('\n'), line);
    t.ok(xen.claims()[0]?.devices.includes(BOTH), 'the hardware domain has it');
    const own = new Guest(booted, 0, 0x40_1000_0000);
    t.same(own.capabilities(0x13).filter(([id]) => id === 5).length, 1, 'and can use its MSI');
    t.equal(assignment(booted, 37, d1, '0000:00:01.0'), 0, 'another device can be given');
  }
});
