/** Deliver SPIs: from a device's wire to a vCPU of its domain, and back to the controller when the guest ends the interrupt. */
import { check } from '../bench.js';
import { takesInterrupts, takesNoInterrupts } from '../platform/driving.js';
import { cpuOf, driving, interruptOf, listed, physicalState, withEdge } from './spi-machine.js';

const ID = 'XenSwdgn~passthrough_deliver_spis_to_dom~1';

check(ID, 'a domain takes every interrupt of its devices under its own number, and no other domain does', (given) => {
  const { bench, expect } = given;
  const { severalStreams, withInterrupt, withoutDma } = bench.devices.platform;
  const first = driving(expect, bench, [severalStreams, withoutDma]);
  const second = driving(expect, bench, [withInterrupt]);
  for (const device of [severalStreams, withoutDma]) {
    takesInterrupts(expect, bench, first.domid, device, first.controller);
    takesNoInterrupts(expect, bench, second.domid, device, second.controller);
  }
  takesInterrupts(expect, bench, second.domid, withInterrupt, second.controller);
  takesNoInterrupts(expect, bench, first.domid, withInterrupt, first.controller);
  takesNoInterrupts(expect, bench, 0, withInterrupt);
  takesInterrupts(expect, bench, second.domid, withInterrupt, second.controller);
});

check(ID, 'each edge of an edge-triggered interrupt is one interrupt', ({ bench: given, expect }) => {
  const { bench, device } = withEdge(given);
  const { controller } = driving(expect, bench, [device]);
  const { index, intid } = interruptOf(bench, device);
  controller.enable(intid, { edge: true });
  for (let time = 0; time < 2; time++) {
    bench.pulse(device, index);
    expect.deepEqual(controller.take(), [intid], 'one interrupt for one edge');
  }
  bench.setLine(device, index, true);
  expect.deepEqual(controller.take(), [intid], 'an edge whose line stays high is one interrupt');
  bench.setLine(device, index, false);
  expect.deepEqual(controller.take(), [], 'a falling line is none');

  bench.pulse(device, index);
  expect.equal(controller.acknowledge(), intid, 'the next edge is an interrupt again');
  bench.pulse(device, index);
  expect.equal(controller.acknowledge(), undefined, 'an active interrupt is not taken twice');
  controller.end(intid);
  expect.deepEqual(controller.take(), [intid], 'the edge that came meanwhile is an interrupt after its end');
});

check(
  ID,
  'a level-sensitive interrupt is taken again while its line is high, and not any more when it is low',
  (given) => {
    const { bench, expect } = given;
    const device = bench.devices.platform.withInterrupt;
    const { controller } = driving(expect, bench, [device]);
    const { index, intid } = interruptOf(bench, device);
    controller.enable(intid);
    for (const times of [1, 3]) {
      bench.setLine(device, index, true);
      let left = times;
      const taken = controller.take(0, () => {
        left--;
        if (left === 0) bench.setLine(device, index, false);
      });
      expect.deepEqual(taken, Array(times).fill(intid), `taken ${times} times while the line is high`);
      bench.rest();
      expect.deepEqual(controller.take(), [], 'not taken while the line is low');
    }
  },
);

check(ID, 'the guest deactivates the physical interrupt with the virtual one', ({ bench, expect }) => {
  const device = bench.devices.platform.withInterrupt;
  const { domid, controller } = driving(expect, bench, [device]);
  const { index, intid } = interruptOf(bench, device);
  controller.enable(intid);
  expect.deepEqual(listed(bench), [], 'no list register holds anything before the device wants something');
  bench.setLine(device, index, true);
  bench.rest();
  const cpu = cpuOf(bench, domid);
  const shown = { cpu, virtual: intid, physical: intid };
  expect.deepEqual(
    listed(bench),
    [{ ...shown, state: 'pending' }],
    'the interrupt is pending at its vCPU, tied to the physical one',
  );
  expect.ok(physicalState(bench, intid).active, 'the physical interrupt is active meanwhile');
  expect.equal(controller.acknowledge(), intid, 'the guest acknowledges it');
  expect.deepEqual(listed(bench), [{ ...shown, state: 'active' }], 'it is active at its vCPU');
  expect.ok(physicalState(bench, intid).active, 'the physical one stays active until the guest ends it');
  bench.setLine(device, index, false);
  controller.end(intid);
  expect.deepEqual(listed(bench), [], 'nothing is left in a list register after the end');
  expect.ok(!physicalState(bench, intid).active, 'the physical interrupt is inactive');
  takesInterrupts(expect, bench, domid, device, controller);
});

check(ID, 'of two pending interrupts the more urgent one is taken first, also from within the other', (given) => {
  const { bench, expect } = given;
  const device = bench.devices.platform.severalStreams;
  const { controller } = driving(expect, bench, [device]);
  const [one, two] = [interruptOf(bench, device, 0), interruptOf(bench, device, 1)];
  for (const [first, then] of [
    [one, two],
    [two, one],
  ] as const) {
    controller.enable(first.intid, { priority: 0x40 }).enable(then.intid, { priority: 0x80 });
    for (const { index } of [then, first]) bench.setLine(device, index, true);
    bench.rest();
    const taken = controller.take(0, (intid) =>
      bench.setLine(device, intid === one.intid ? one.index : two.index, false),
    );
    expect.deepEqual(taken, [first.intid, then.intid], 'the more urgent one first');

    bench.setLine(device, then.index, true);
    expect.equal(controller.acknowledge(), then.intid, 'the less urgent one is there alone');
    bench.setLine(device, first.index, true);
    expect.equal(controller.acknowledge(), first.intid, 'the more urgent one interrupts it');
    for (const { index, intid } of [first, then]) {
      bench.setLine(device, index, false);
      controller.end(intid);
    }
    bench.setLine(device, first.index, true);
    expect.equal(controller.acknowledge(), first.intid, 'the more urgent one is there alone');
    bench.setLine(device, then.index, true);
    expect.equal(controller.acknowledge(), undefined, 'the less urgent one waits for its end');
    bench.setLine(device, first.index, false);
    controller.end(first.intid);
    bench.setLine(device, then.index, false);
    expect.deepEqual(controller.take(), [then.intid], 'then it is taken');
  }
});

check(ID, 'an interrupt below the mask of its vCPU waits until it is unmasked', ({ bench, expect }) => {
  const device = bench.devices.platform.severalStreams;
  const { controller } = driving(expect, bench, [device]);
  const [urgent, other] = [interruptOf(bench, device, 0), interruptOf(bench, device, 1)];
  controller.enable(urgent.intid, { priority: 0x40 }).enable(other.intid, { priority: 0x80 });
  controller.mask(0, 0x80);
  for (const { index } of [other, urgent]) bench.setLine(device, index, true);
  bench.rest();
  const lower = (intid: number) => bench.setLine(device, intid === urgent.intid ? urgent.index : other.index, false);
  expect.deepEqual(controller.take(0, lower), [urgent.intid], 'only what is more urgent than the mask is taken');
  controller.mask(0, 0xff);
  expect.deepEqual(controller.take(0, lower), [other.intid], 'what was masked is taken when the mask is lifted');
});

check(ID, 'an interrupt that its domain has disabled stays pending until it is enabled', ({ bench: given, expect }) => {
  const { bench, device } = withEdge(given);
  const level = bench.devices.platform.withInterrupt;
  const { controller } = driving(expect, bench, [device, level]);
  for (const [source, edge] of [
    [device, true],
    [level, false],
  ] as const) {
    const { index, intid } = interruptOf(bench, source);
    const before = edge ? () => bench.pulse(source, index) : () => bench.setLine(source, index, true);
    const lower = () => bench.setLine(source, index, false);
    const how = edge ? 'an edge' : 'a level';
    controller.configure(intid, { edge });
    before();
    bench.rest();
    expect.deepEqual(controller.take(), [], `${how} that was never enabled is not taken`);
    expect.ok(controller.state(intid).pending, `${how}: the domain sees it pending`);
    controller.enable(intid, { edge });
    expect.deepEqual(controller.take(0, lower), [intid], `${how} from before is taken when it is enabled`);

    before();
    bench.rest();
    controller.disable(intid);
    expect.deepEqual(controller.take(), [], `${how} is not taken after it is disabled, though it was signalled before`);
    expect.ok(controller.state(intid).pending, `${how}: the domain sees it pending`);
    controller.enable(intid, { edge });
    expect.deepEqual(controller.take(0, lower), [intid], `${how} is taken once when it is enabled again`);

    controller.disable(intid);
    before();
    bench.rest();
    expect.deepEqual(controller.take(), [], `${how} after the interrupt was disabled is not taken`);
    controller.enable(intid, { edge });
    expect.deepEqual(controller.take(0, lower), [intid], `${how} is taken when it is enabled`);
  }
});
