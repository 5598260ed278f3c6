/** Support deassignment of platform devices: registers and interrupts of a device that is taken from its domain. */
import { created, MIB } from '../arranging.js';
import { check } from '../bench.js';
import { uses } from '../device-registers.js';
import {
  hasAllRegisters,
  interruptsOf,
  lacksAllRegisters,
  takesInterrupts,
  takesNoInterrupts,
  wanted,
} from './driving.js';

const ID = 'XenSwdgn~passthrough_support_deassign_dt_devs~1';
const MMIO = { aspect: 'mmio' };
const SPI = { aspect: 'spi' };

const PAGE = 0x1000;
const EPERM = -1;

check(ID, 'no interrupt of a taken device reaches its old domain, and the next has it afresh', SPI, (given) => {
  const { bench, expect } = given;
  const { severalStreams, withInterrupt } = bench.devices.platform;
  const d1 = created(expect, bench.create({ memory: MIB, devices: [severalStreams, withInterrupt] }));
  const controller = bench.interruptController(d1);
  // When the device goes, one of its interrupts is pending at the domain and the domain is in the midst of the other.
  const [begun, offered] = interruptsOf(bench, severalStreams);
  if (begun === undefined || offered === undefined) return expect.fail('the device has two interrupts');
  for (const { intid } of [begun, offered]) controller.enable(intid);
  bench.setLine(severalStreams, begun.index, true);
  expect.equal(controller.acknowledge(), begun.intid, 'the domain begins with an interrupt');
  bench.setLine(severalStreams, offered.index, true);
  bench.rest();

  expect.equal(bench.deassign(d1, severalStreams), 0, 'the device is taken away');

  controller.end(begun.intid);
  expect.deepEqual(controller.take(), [], 'what was pending does not arrive any more');
  for (const { index } of [begun, offered]) bench.setLine(severalStreams, index, false);
  takesNoInterrupts(expect, bench, d1, severalStreams, controller);
  takesInterrupts(expect, bench, d1, withInterrupt, controller);
  const d2 = created(expect, bench.create({ memory: MIB, devices: [severalStreams] }));
  takesInterrupts(expect, bench, d2, severalStreams);
  takesNoInterrupts(expect, bench, d1, severalStreams, controller);
  takesInterrupts(expect, bench, d1, withInterrupt, controller);
});

check(ID, 'an interrupt that its old domain has made pending does not reach the next', SPI, ({ bench, expect }) => {
  const { withInterrupt } = bench.devices.platform;
  const [interrupt] = interruptsOf(bench, withInterrupt);
  if (interrupt === undefined) return expect.fail('the device has an interrupt');
  const d1 = created(expect, bench.create({ memory: MIB, devices: [withInterrupt] }));
  const tree = bench.guestTree(d1);
  const controller = bench.interruptController(d1);
  controller.configure(interrupt.intid, {});
  // GICD_ISPENDR (Arm IHI 0069 12.9, IHI 0048 4.3.7), of an interrupt that the domain has not enabled.
  const [distributor] = tree.root.children.find((node) => node.has('interrupt-controller'))?.reg() ?? [];
  const register = (distributor?.address ?? 0) + 0x200 + (interrupt.intid >>> 5) * 4;
  expect.ok(bench.store(d1, register, 1 << (interrupt.intid & 31)).ok, 'the domain makes the interrupt pending');
  expect.ok(controller.state(interrupt.intid).pending, 'it is');

  expect.equal(bench.deassign(d1, withInterrupt), 0, 'the device is taken away');

  const d2 = created(expect, bench.create({ memory: MIB, devices: [withInterrupt] }));
  takesInterrupts(expect, bench, d2, withInterrupt);
});

check(ID, 'a domain loses the registers of a device that is taken, and those alone', MMIO, ({ bench, expect }) => {
  const { severalStreams, withInterrupt } = bench.devices.platform;
  const d1 = created(expect, bench.create({ memory: MIB, devices: [severalStreams, withInterrupt] }));
  for (const device of [severalStreams, withInterrupt]) hasAllRegisters(expect, bench, d1, device);

  expect.equal(bench.deassign(d1, severalStreams), 0, 'the device is taken away');

  for (const domid of [0, d1]) lacksAllRegisters(expect, bench, domid, severalStreams);
  hasAllRegisters(expect, bench, d1, withInterrupt);
  expect.equal(bench.assign(d1, severalStreams), 0, 'assigned again by a hypercall');
  lacksAllRegisters(expect, bench, d1, severalStreams);
  expect.equal(bench.deassign(d1, severalStreams), 0, 'and taken away again');
  const d2 = created(expect, bench.create({ memory: MIB, devices: [severalStreams] }));
  hasAllRegisters(expect, bench, d2, severalStreams);
  lacksAllRegisters(expect, bench, d1, severalStreams);
});

check(ID, 'what a domain was permitted of a device goes with it', MMIO, ({ bench, expect }) => {
  const { hardwareDomains, severalStreams } = bench.devices.platform;
  const d1 = created(expect, bench.create({ memory: MIB, devices: [severalStreams] }));
  // The hardware domain, which gives the device away piece by piece, may go on doing so.
  const [region] = wanted(bench, hardwareDomains).regions;
  const [interrupt] = interruptsOf(bench, hardwareDomains);
  if (region === undefined || interrupt === undefined) return expect.fail('the device has registers and an interrupt');
  const [frame, { intid }] = [region.machine / PAGE, interrupt];
  expect.equal(bench.deassign(0, hardwareDomains), 0, 'the hardware domain gives the device up');
  for (const domid of [d1, created(expect, bench.create({ memory: MIB, passthrough: 'enabled' }))]) {
    const map = () => bench.memoryMapping(domid, frame, frame, 1);
    const bind = () => bench.bindSpi(domid, intid, intid);
    expect.equal(bench.assign(domid, hardwareDomains), 0, 'the device is assigned');
    expect.deepEqual([map(), bind()], [EPERM, EPERM], 'what the domain has not been permitted');
    expect.equal(bench.iomemPermission(domid, frame, 1), 0, 'the registers are permitted');
    expect.equal(bench.irqPermission(domid, intid), 0, 'the interrupt is permitted');
    expect.deepEqual([map(), bind()], [0, 0], 'the domain has both');
    uses(expect, bench, domid, region.machine + 0x10);
    takesInterrupts(expect, bench, domid, hardwareDomains);

    expect.equal(bench.deassign(domid, hardwareDomains), 0, 'the device is taken away');

    expect.deepEqual([map(), bind()], [EPERM, EPERM], 'the domain has lost both');
    lacksAllRegisters(expect, bench, domid, hardwareDomains);
  }
  takesNoInterrupts(expect, bench, d1, hardwareDomains);
  expect.equal(bench.deassign(d1, severalStreams), 0, 'the other device is taken away');
  const d2 = created(expect, bench.create({ memory: MIB, devices: [severalStreams] }));
  hasAllRegisters(expect, bench, d2, severalStreams);
});
