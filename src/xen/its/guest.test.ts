import t from 'tap';
import { pa } from '../../hw/address.js';
import { assignment, createGuest, domctl, machineAddress } from '../xen.test-support.js';
import { bench, DEVICE, DEVICE_ID, deviceOf, send, startDrivers, startGuest } from './its.test-support.js';

const LPI = 8200;
/** The DeviceID of the first device of a guest: function 0 of device 0 on its bus 0. */
const FIRST = 0;

/** A guest whose device has events 0 and 1 as LPIs 8200, to vCPU 0, and 8201, to vCPU 1. */
function twoEvents(booted = bench()) {
  const guest = startGuest(booted);
  guest.its.mapDevice(FIRST, 3);
  for (const event of [0, 1]) {
    guest.its.mapEvent(FIRST, event, LPI + event, event);
    guest.its.configure(FIRST, event, LPI + event, true);
  }
  guest.its.sync();
  // CPUs run at the same time: what one tells another arrives before the guest is asked.
  const taken = () => {
    for (const cpu of [0, 1, 0, 1]) booted.machine.cpus.takeInterrupts(cpu);
    return [guest.gic.take(0), guest.gic.take(1)];
  };
  return { booted, guest, taken };
}

t.test('a message of a device is the LPI of the guest, at the vCPU of its collection, once', async (t) => {
  const { booted, guest, taken } = twoEvents();
  t.ok(guest.its.idle);
  t.ok(send(booted, guest, DEVICE, 0));
  t.same(taken(), [[LPI], []]);
  t.ok(send(booted, guest, DEVICE, 1));
  t.same(taken(), [[], [LPI + 1]]);
  t.ok(send(booted, guest, DEVICE, 2), 'an event of the device that the guest has not mapped');
  t.ok(send(booted, guest, DEVICE, 40), 'one that the machine has not mapped');
  t.same(taken(), [[], []]);
  send(booted, guest, DEVICE, 0);
  send(booted, guest, DEVICE, 0);
  t.same(taken(), [[LPI], []], 'pending is pending');
  t.same(booted.problems, []);
});

t.test('an LPI that the guest has disabled stays pending until it enables it', async (t) => {
  const { booted, guest, taken } = twoEvents();
  guest.its.configure(FIRST, 0, LPI, false);
  send(booted, guest, DEVICE, 0);
  t.same(taken(), [[], []]);
  guest.its.configure(FIRST, 0, LPI, true);
  t.same(taken(), [[LPI], []]);
  t.same(taken(), [[], []]);
  // Pending in a list register, then disabled.
  send(booted, guest, DEVICE, 0);
  booted.machine.cpus.takeInterrupts(0);
  guest.its.configure(FIRST, 0, LPI, false);
  t.same(taken(), [[], []]);
  guest.its.configure(FIRST, 0, LPI, true);
  t.same(taken(), [[LPI], []]);
});

t.test('what changed in the property table counts from INV on, or from INVALL', async (t) => {
  const { booted, guest, taken } = twoEvents();
  const property = machineAddress(booted.xen, guest.domid, 0x4011_0000 + LPI - 8192);
  booted.machine.memory.poke(pa(property), Uint8Array.of(0xa2));
  send(booted, guest, DEVICE, 0);
  t.same(taken(), [[LPI], []], 'not yet');
  guest.its.command(0x0d, 0, 0, 0, 0, 0); // INVALL, collection 0
  send(booted, guest, DEVICE, 0);
  t.same(taken(), [[], []]);
  booted.machine.memory.poke(pa(property), Uint8Array.of(0xa3));
  guest.its.command(0x0d, 0, 0, 0, 0, 0);
  t.same(taken(), [[LPI], []]);
});

t.test('the guest moves an interrupt: what is pending goes along and comes once', async (t) => {
  const { booted, guest, taken } = twoEvents();
  for (const where of ['queue', 'list register'] as const) {
    send(booted, guest, DEVICE, 0);
    if (where === 'list register') booted.machine.cpus.takeInterrupts(0);
    guest.its.moveEvent(FIRST, 0, 1);
    t.same(taken(), [[], [LPI]], `MOVI, from a ${where}`);
    send(booted, guest, DEVICE, 0);
    t.same(taken(), [[], [LPI]], 'where it comes from now on');
    guest.its.moveEvent(FIRST, 0, 0);
  }
  send(booted, guest, DEVICE, 0);
  booted.machine.cpus.takeInterrupts(0);
  guest.its.mapCollection(0, 1);
  t.same(taken(), [[], [LPI]], 'MAPC of its collection');
  send(booted, guest, DEVICE, 0);
  t.same(taken(), [[], [LPI]]);
  guest.its.mapCollection(0, 0);
  send(booted, guest, DEVICE, 0);
  booted.machine.cpus.takeInterrupts(0);
  guest.its.command(0x0e, 0, 0, 0, 0, 0, 1 << 16, 0); // MOVALL from vCPU 0 to vCPU 1
  t.same(taken(), [[], [LPI]], 'MOVALL');
  send(booted, guest, DEVICE, 0);
  t.same(taken(), [[LPI], []], 'which changes no route');
});

t.test('an LPI that a device had before is enabled for the next one, on whichever CPU that wants it', async (t) => {
  const { booted, guest, taken } = twoEvents();
  send(booted, guest, DEVICE, 1);
  t.same(taken(), [[], [LPI + 1]], 'the redistributor of CPU 1 knows the LPI, enabled');
  // Now it knows it disabled; the same LPIs are given again.
  t.equal(assignment(booted, 47, guest.domid, DEVICE), 0);
  t.equal(assignment(booted, 37, guest.domid, DEVICE), 0);
  guest.its.mapDevice(FIRST, 3);
  guest.its.mapEvent(FIRST, 1, LPI + 1, 1);
  guest.its.configure(FIRST, 1, LPI + 1, true);
  send(booted, guest, DEVICE, 1);
  t.same(taken(), [[], [LPI + 1]]);
});

t.test('what is pending and disabled moves too', async (t) => {
  const { booted, guest, taken } = twoEvents();
  guest.its.configure(FIRST, 0, LPI, false);
  send(booted, guest, DEVICE, 0);
  t.same(taken(), [[], []]);
  guest.its.moveEvent(FIRST, 0, 1);
  guest.its.configure(FIRST, 0, LPI, true);
  t.same(taken(), [[], [LPI]]);
});

t.test('INT, CLEAR and DISCARD', async (t) => {
  const { booted, guest, taken } = twoEvents();
  guest.its.raise(FIRST, 1);
  t.same(taken(), [[], [LPI + 1]]);
  guest.its.raise(FIRST, 1);
  guest.its.command(0x04, FIRST, 1); // CLEAR
  t.same(taken(), [[], []]);
  guest.its.raise(FIRST, 1);
  guest.its.discardEvent(FIRST, 1);
  t.same(taken(), [[], []], 'the pending state goes with the event');
  send(booted, guest, DEVICE, 1);
  t.same(taken(), [[], []]);
  guest.its.mapEvent(FIRST, 1, LPI + 7, 0);
  guest.its.configure(FIRST, 1, LPI + 7, true);
  send(booted, guest, DEVICE, 1);
  t.same(taken(), [[LPI + 7], []]);
  guest.its.unmapDevice(FIRST);
  send(booted, guest, DEVICE, 1);
  t.same(taken(), [[], []], 'MAPD without V');
});

t.test('MAPTI of a mapped event changes nothing; MAPI takes the EventID', async (t) => {
  const { booted, guest, taken } = twoEvents();
  guest.its.mapEvent(FIRST, 0, LPI + 9, 1);
  send(booted, guest, DEVICE, 0);
  t.same(taken(), [[LPI], []]);
  const errors = booted.xen.console.length;
  guest.its.command(0x0b, FIRST, 5, 0, 0, 0); // MAPI: INTID 5 is no LPI
  t.match(booted.xen.console.slice(errors), [/MAPI_PHYSICALID_OOR/]);
});

t.test('a vCPU without LPIs gets none, and what its pending table holds when it enables them', async (t) => {
  const booted = bench();
  const domid = createGuest(booted.xen, [DEVICE]);
  // Property 0xa3 for LPI 8195, and its bit in the pending table, byte 8195 / 8.
  const room = 0x4010_0000;
  const poke = (address: number, value: number) =>
    booted.machine.memory.poke(pa(machineAddress(booted.xen, domid, address)), Uint8Array.of(value));
  poke(room + 0x1_0000 + 3, 0xa3);
  poke(room + 0x2_0000 + 1024, 1 << 3);
  const guest = startDrivers(booted, domid, 1, room);
  t.same(guest.gic.take(0), [8195]);
  t.same(guest.gic.take(0), []);
});

t.test(
  "the guest reaches only its own device by its own number; the machine's tables do not follow its MAPD",
  async (t) => {
    const { booted, guest, taken } = twoEvents();
    const [its] = booted.state.its.services;
    const before = [...(its?.devices.keys() ?? [])];
    t.same(before, [DEVICE_ID]);
    for (const unknown of [DEVICE_ID, 8, 1]) {
      guest.its.mapDevice(unknown, 3);
      guest.its.mapEvent(unknown, 0, LPI + 20, 0);
      guest.its.configure(unknown, 0, LPI + 20, true);
      guest.its.raise(unknown, 0);
    }
    t.same(taken(), [[], []]);
    t.same([...(its?.devices.keys() ?? [])], before);
    guest.its.mapDevice(FIRST, 4, 0x4017_0000);
    guest.its.unmapDevice(FIRST);
    t.same([...(its?.devices.keys() ?? [])], before, 'mapped for as long as the guest has it');
  },
);

t.test('the doorbell is all that a guest sees of the machine', async (t) => {
  const booted = bench();
  const guest = startGuest(booted);
  const base = guest.its.doorbell - 0x1_0040;
  const [cpu] = guest.cpus;
  t.equal(cpu?.load(base + 0xffe8), 0x30, 'GITS_PIDR2: GICv3, emulated');
  t.equal(cpu?.load(base + 0x1_1000), undefined, 'the rest of the translation frame');
  t.equal(cpu?.load(0x0808_0000), undefined, "the machine's own registers");
  const run = booted.xen.claims().find(({ domid }) => domid === guest.domid);
  t.notOk(
    run?.mmio.some(({ mfn }) => mfn === 0x0809),
    "it is nobody's own",
  );
  t.ok(cpu?.store(guest.its.doorbell, 0), 'a store of a CPU has no DeviceID');
  t.same([guest.gic.take(0), guest.gic.take(1)], [[], []]);
});

t.test(
  'after deassignment nothing comes to the guest, pending or new; the next owner has the device to itself',
  async (t) => {
    const { booted, guest, taken } = twoEvents();
    send(booted, guest, DEVICE, 0);
    booted.machine.cpus.takeInterrupts(0);
    guest.its.configure(FIRST, 1, LPI + 1, false);
    send(booted, guest, DEVICE, 1);
    t.equal(assignment(booted, 47, guest.domid, DEVICE), 0);
    t.same(taken(), [[], []]);
    guest.its.raise(FIRST, 0);
    guest.its.configure(FIRST, 1, LPI + 1, true);
    t.same(taken(), [[], []]);
    const next = startGuest(booted);
    next.its.mapDevice(FIRST, 3);
    next.its.mapEvent(FIRST, 0, LPI + 2, 1);
    next.its.configure(FIRST, 0, LPI + 2, true);
    send(booted, next, DEVICE, 0);
    t.same([next.gic.take(0), next.gic.take(1)], [[], [LPI + 2]]);
    t.same(taken(), [[], []]);
    t.equal(domctl(booted, 2, next.domid, []), 0, 'destroyed with the device');
    t.equal(booted.state.its.services[0]?.devices.size, 0);
    t.same(booted.problems, []);
  },
);

t.test('two guests, each with a device that it knows as DeviceID 0', async (t) => {
  const booted = bench();
  const guests = [startGuest(booted, [DEVICE]), startGuest(booted, ['0001:00:02.0'])];
  for (const [index, { its }] of guests.entries()) {
    its.mapDevice(FIRST, 3);
    its.mapEvent(FIRST, 0, LPI + index, 0);
    its.configure(FIRST, 0, LPI + index, true);
  }
  const [one, two] = guests as [(typeof guests)[number], (typeof guests)[number]];
  send(booted, one, DEVICE, 0);
  t.same([one.gic.take(0), two.gic.take(0)], [[LPI], []]);
  send(booted, two, '0001:00:02.0', 0);
  t.same([one.gic.take(0), two.gic.take(0)], [[], [LPI + 1]]);
});

t.test('the hardware domain maps its devices by the numbers of the machine', async (t) => {
  const booted = bench();
  const run = booted.xen.claims()[0]?.ram[0];
  const guest = startDrivers(booted, 0, 4, Math.ceil(((run?.gfn ?? 0) * 4096 + 0x10_0000) / 0x1_0000) * 0x1_0000);
  const [its] = booted.state.its.services;
  t.same([...(its?.devices.keys() ?? [])], [], 'until it does, none is mapped');
  guest.its.mapDevice(0x10, 3);
  guest.its.mapEvent(0x10, 2, LPI, 3);
  guest.its.configure(0x10, 2, LPI, true);
  t.same([...(its?.devices.keys() ?? [])], [0x10]);
  send(booted, guest, '0000:00:02.0', 2);
  t.same([guest.gic.take(0), guest.gic.take(3)], [[], [LPI]]);
  guest.its.mapDevice(0x10, 6);
  t.equal(its?.devices.get(0x10)?.events, 64, 'with more events');
  guest.its.unmapDevice(0x10);
  t.equal(its?.devices.size, 0);
  guest.its.mapDevice(DEVICE_ID, 3);
  t.equal(its?.devices.size, 0, 'a quarantined device is not its own');
  guest.its.mapDevice(0x10, 3);
  const domid = createGuest(booted.xen, ['0000:00:02.0']);
  t.equal(its?.devices.get(0x10)?.domain?.domid, domid, 'a guest that gets the device has it mapped anew');
  t.equal(deviceOf(booted, '0000:00:02.0').domain?.domid, domid);
  t.same(booted.problems, []);
});
