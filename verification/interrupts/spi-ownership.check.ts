/** Deliver SPIs to the domain that the device is assigned to: to one, as long as it is, and only what is an SPI. */
import { cellBytes } from '../../src/firmware/tree.js';
import { created, MIB } from '../arranging.js';
import { check } from '../bench.js';
import { interruptsOf, takesInterrupts, takesNoInterrupts, wanted } from '../platform/driving.js';
import { booted, driving, interruptOf, listed, physicalState, withEdge } from './spi-machine.js';

const ID = 'XenSwdgn~passthrough_deliver_spis_to_dom~1';
const EPERM = -1;
const EBUSY = -16;
const EINVAL = -22;

/** The serial port, which is the hardware domain's on every board. */
const SERIAL = { path: 'serial0', streams: [] };

check(ID, 'an interrupt has one domain, which must be permitted to have it', ({ bench, expect }) => {
  const { intid } = interruptOf(bench, SERIAL);
  const d1 = created(expect, bench.create({ memory: MIB }));
  const d2 = created(expect, bench.create({ memory: MIB }));
  expect.equal(bench.bindSpi(d1, intid, intid), EPERM, 'the domain is not permitted to have it: -EPERM');
  for (const domid of [d1, d2]) expect.equal(bench.irqPermission(domid, intid), 0, `d${domid} is permitted to have it`);
  expect.equal(bench.bindSpi(d1, intid, intid + 1), EINVAL, 'an interrupt keeps its number: -EINVAL');
  expect.equal(
    bench.bindSpi(d2, intid, intid, false),
    EINVAL,
    'a domain cannot give up what it does not have: -EINVAL',
  );
  expect.equal(bench.bindSpi(d1, intid, intid), 0, 'it has the interrupt');
  expect.equal(bench.bindSpi(d1, intid, intid), 0, 'the same again is no error');
  expect.equal(bench.bindSpi(d2, intid, intid), EBUSY, 'another domain has it: -EBUSY');
  expect.equal(bench.bindSpi(d2, intid, intid, false), EINVAL, 'nor can another domain give it up: -EINVAL');
  for (let time = 0; time < 2; time++)
    expect.equal(bench.bindSpi(d1, intid, intid, false), 0, 'it gives the interrupt up');
  expect.ok(!physicalState(bench, intid).enabled, 'the interrupt is off');
  expect.equal(bench.bindSpi(d2, intid, intid), 0, 'the other domain has it now');
});

check(ID, 'what is no SPI of the machine is routed to no domain', ({ bench, expect }) => {
  const d1 = created(expect, bench.create({ memory: MIB }));
  for (const intid of [0, 15, 16, 27, 31, 1019, 1020, 1023, 8192]) {
    bench.irqPermission(d1, intid);
    expect.ok(bench.bindSpi(d1, intid, intid) < 0, `interrupt ${intid} is refused`);
  }
  const { severalStreams, withInterrupt, withoutDma } = bench.devices.platform;
  // Of a CPU's own; and beyond the last line.
  const cells = [[1, 5, 4] as const, [0, 900, 4] as const];
  const other = booted(bench, (tree) => {
    for (const [at, { path }] of [withoutDma, severalStreams].entries()) {
      tree.byPath(path)?.properties.set('interrupts', cellBytes(...(cells[at] ?? [])));
    }
  });
  for (const device of [withoutDma, severalStreams]) {
    const config = { memory: MIB, platform: [wanted(other, device)] };
    expect.deepEqual(other.create(config), { error: EINVAL }, `${device.path} has no SPI of the machine: -EINVAL`);
  }
  const { domid, controller } = driving(expect, other, [withInterrupt]);
  takesInterrupts(expect, other, domid, withInterrupt, controller);
});

check(ID, 'devices on one line are for one domain, which takes the interrupt of either', ({ bench, expect }) => {
  const { severalStreams, sharedInterrupt, withoutDma } = bench.devices.platform;
  // Where no devices share a line, a boot loader says that two do: the wire of the first one.
  const { intid } = interruptOf(bench, severalStreams);
  const [first, second] = sharedInterrupt ?? [severalStreams, withoutDma];
  const on =
    sharedInterrupt === undefined
      ? booted(bench, (tree) => {
          tree.byPath(withoutDma.path)?.properties.set('interrupts', cellBytes(0, intid - 32, 4));
        })
      : bench;
  const { domid, controller } = driving(expect, on, [first]);
  expect.deepEqual(
    on.create({ memory: MIB, platform: [wanted(on, second)] }),
    { error: EBUSY },
    'the line is taken: -EBUSY',
  );
  takesInterrupts(expect, on, domid, first, controller);
  expect.equal(on.destroy(domid), 0, 'the domain is destroyed');
  const both = driving(expect, on, [first, second]);
  const shared = interruptOf(on, second);
  both.controller.enable(shared.intid);
  const wires = sharedInterrupt === undefined ? [first] : [first, second];
  for (const device of wires) on.setLine(device, 0, true);
  const high = [...wires];
  const taken = both.controller.take(0, () => {
    const device = high.pop();
    if (device !== undefined) on.setLine(device, 0, false);
  });
  expect.deepEqual(
    taken,
    wires.map(() => shared.intid),
    'taken for as long as any of them wants it',
  );
});

check(ID, 'nothing of an interrupt is left in the domain that its device is taken from', ({ bench, expect }) => {
  const device = bench.devices.platform.withInterrupt;
  const { domid, controller } = driving(expect, bench, [device]);
  const { index, intid } = interruptOf(bench, device);
  controller.enable(intid);
  bench.setLine(device, index, true);
  bench.rest();
  expect.equal(listed(bench).length, 1, 'the interrupt is pending at its vCPU');
  expect.equal(bench.deassign(domid, device), 0, 'the device is taken from the domain');
  expect.deepEqual(controller.take(), [], 'the domain does not take what was pending');
  expect.deepEqual(listed(bench), [], 'nothing is left in a list register');
  const { enabled, active } = physicalState(bench, intid);
  expect.ok(!enabled && !active, 'the physical interrupt is off, and inactive');
  bench.setLine(device, index, false);
  takesNoInterrupts(expect, bench, domid, device, controller);
  controller.enable(intid);
  expect.ok(!physicalState(bench, intid).enabled, 'nor does enabling it in the domain turn it on');
  const second = driving(expect, bench, [device]);
  takesInterrupts(expect, bench, second.domid, device, second.controller);
  takesNoInterrupts(expect, bench, domid, device, controller);
  second.controller.enable(intid);
  controller.enable(intid);
  controller.disable(intid);
  bench.setLine(device, index, true);
  const taken = second.controller.take(0, () => bench.setLine(device, index, false));
  expect.deepEqual(taken, [intid], 'nor does disabling it there turn it off for the next domain');
});

check(ID, 'nothing of an interrupt comes to the next domain of its device', ({ bench: given, expect }) => {
  const { bench, device } = withEdge(given);
  const { index, intid } = interruptOf(bench, device);
  const fires = () => bench.pulse(device, index);
  const states: readonly (readonly [string, (one: ReturnType<typeof driving>) => void])[] = [
    [
      'pending at the controller',
      ({ controller }) => {
        controller.disable(intid);
        fires();
      },
    ],
    [
      'pending at its vCPU',
      () => {
        fires();
        bench.rest();
      },
    ],
    [
      'active',
      ({ controller }) => {
        fires();
        expect.equal(controller.acknowledge(), intid, 'the domain is in the middle of one');
      },
    ],
    [
      'active and pending',
      ({ controller }) => {
        fires();
        expect.equal(controller.acknowledge(), intid, 'the domain is in the middle of one');
        fires();
      },
    ],
  ];
  let one = driving(expect, bench, [device]);
  for (const [what, arrange] of states) {
    one.controller.enable(intid, { edge: true });
    arrange(one);
    expect.equal(bench.destroy(one.domid), 0, 'its domain is destroyed');
    const { enabled, pending, active } = physicalState(bench, intid);
    expect.ok(!enabled && !pending && !active, `an interrupt that was ${what} is off and at rest`);
    one = driving(expect, bench, [device]);
    one.controller.enable(intid, { edge: true });
    bench.rest();
    expect.deepEqual(one.controller.take(), [], `what was ${what} does not come to the next domain`);
    takesInterrupts(expect, bench, one.domid, device, one.controller);
  }
});

check(ID, 'a device whose domain has disabled or never enabled its interrupt disturbs nobody', ({ bench, expect }) => {
  const { severalStreams, withInterrupt } = bench.devices.platform;
  const quiet = driving(expect, bench, [severalStreams]);
  const other = driving(expect, bench, [withInterrupt]);
  for (const { index, intid } of interruptsOf(bench, severalStreams)) {
    bench.setLine(severalStreams, index, true);
    bench.rest();
    expect.ok(!physicalState(bench, intid).active, 'no CPU takes what nobody has enabled');
    expect.deepEqual(listed(bench), [], 'and no vCPU is shown it');
  }
  takesInterrupts(expect, bench, other.domid, withInterrupt, other.controller);
  for (const { index } of interruptsOf(bench, severalStreams)) bench.setLine(severalStreams, index, false);
  takesInterrupts(expect, bench, quiet.domid, severalStreams, quiet.controller);
});
