import t from 'tap';
import { pa } from '../../hw/address.js';
import { assignment, createGuest, dma } from '../xen.test-support.js';
import { bench, deviceOf, dualBoard, send, startGuest } from './its.test-support.js';

/** Two functions behind a bridge to conventional PCI: their requests carry the same requester id, that of the bridge. */
const BEHIND = ['0000:08:00.0', '0000:08:01.0'] as const;

t.test('SMMUs without wires send messages: an event is told without Xen being entered otherwise', async (t) => {
  const booted = bench(undefined, dualBoard());
  const { machine, xen, state } = booted;
  const devices = [...(state.its.services[0]?.devices.keys() ?? [])];
  t.same(devices, [0x2_0000, 0x2_0001], 'the DeviceIDs of their msi-parent');
  for (const base of [0x0905_0000, 0x0907_0000]) {
    // Arm IHI 0070 6.2: EVENTQ_IRQ_CFG0 0xb0, CFG1 0xb8; GERROR_IRQ_CFG0 0x68, CFG1 0x70; IRQ_CTRL 0x50.
    t.same(machine.mmio.read64(pa(base + 0xb0)), { hi: 0, lo: 0x0809_0040 }, 'GITS_TRANSLATER');
    t.same(machine.mmio.read64(pa(base + 0x68)), { hi: 0, lo: 0x0809_0040 });
    t.same([machine.mmio.read(pa(base + 0xb8), 4), machine.mmio.read(pa(base + 0x70), 4)], [0, 1], 'EventIDs');
    t.equal(machine.mmio.read(pa(base + 0x50), 4), 0b101);
  }
  const told = () => xen.console.filter((line) => line.includes('F_TRANSLATION')).length;
  t.notOk(dma(machine, '0000:00:02.0', 0x700_0000_0000).ok);
  machine.settle();
  t.equal(told(), 0);
  machine.cpus.takeInterrupts(0);
  t.equal(told(), 1);
  t.same(booted.problems, []);
});

t.test('two functions with one DeviceID go to a domain together', async (t) => {
  const booted = bench(undefined, dualBoard(BEHIND));
  const { state } = booted;
  const ids = BEHIND.map((name) => state.steps.its.deviceIdOf(state, deviceOf(booted, name)));
  t.same(new Set(ids.map((id) => (typeof id === 'object' ? id.deviceId : id))).size, 1);
  const guest = startGuest(booted, [...BEHIND]);
  const [its] = state.its.services;
  t.equal(its?.devices.size, 3, 'one of the guest, two of the SMMUs');
  guest.its.mapDevice(8, 3); // the second device of its bus 0
  guest.its.mapEvent(8, 4, 8192, 0);
  guest.its.configure(8, 4, 8192, true);
  send(booted, guest, BEHIND[0], 4);
  t.same(guest.gic.take(0), [8192], 'the machine cannot tell them apart');
  t.equal(assignment(booted, 47, guest.domid, BEHIND[0]), 0);
  t.equal(its?.devices.size, 3, 'the other one still has it');
  t.equal(assignment(booted, 47, guest.domid, BEHIND[1]), 0);
  t.equal(its?.devices.size, 2);
  t.type(createGuest(booted.xen, [...BEHIND]), 'number');
  t.same(booted.problems, []);
});
