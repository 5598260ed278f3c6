/** Deliver SPIs to the vCPU that they are routed to, whether it runs or not, and however many there are. */
import { check } from '../bench.js';
import { takesInterrupts } from '../platform/driving.js';
import { cpuOf, crowd, driving, interruptOf, listed, SHOWN_AT_ONCE, withEdge } from './spi-machine.js';

const ID = 'XenSwdgn~passthrough_deliver_spis_to_dom~1';
/** SPIs that no device of the boards has. */
const SOFTWARE = 112;

check(ID, 'an interrupt goes to the vCPU that its domain routes it to, and nowhere else', ({ bench, expect }) => {
  const device = bench.devices.platform.withInterrupt;
  const { controller } = driving(expect, bench, [device], 2);
  const { index, intid } = interruptOf(bench, device);
  const lower = () => bench.setLine(device, index, false);
  for (const vcpu of [1, 0, 1]) {
    controller.enable(intid, { vcpu });
    bench.setLine(device, index, true);
    // Nothing but the CPU of that vCPU is asked: the physical interrupt comes there too.
    expect.deepEqual(controller.take(vcpu, lower), [intid], `vCPU ${vcpu} takes it on its own CPU`);
    bench.setLine(device, index, true);
    bench.rest();
    expect.deepEqual(controller.take(1 - vcpu, lower), [], `vCPU ${1 - vcpu} takes nothing`);
    expect.deepEqual(controller.take(vcpu, lower), [intid], `vCPU ${vcpu} takes it`);
  }
});

check(ID, 'an interrupt that is routed elsewhere while it is pending is taken once', ({ bench, expect }) => {
  const device = bench.devices.platform.withInterrupt;
  const { controller } = driving(expect, bench, [device], 2);
  const { index, intid } = interruptOf(bench, device);
  const lower = () => bench.setLine(device, index, false);
  // Pending at the controller, then routed.
  controller.configure(intid, { vcpu: 0 });
  bench.setLine(device, index, true);
  bench.rest();
  controller.route(intid, 1);
  controller.enable(intid, { vcpu: 1 });
  bench.rest();
  expect.deepEqual(controller.take(0, lower), [], 'the vCPU that it went to before takes nothing');
  expect.deepEqual(controller.take(1, lower), [intid], 'the vCPU that it goes to now takes it');
  // Signalled to one vCPU, disabled, routed to the other.
  bench.setLine(device, index, true);
  bench.rest();
  controller.disable(intid);
  controller.route(intid, 0);
  controller.enable(intid, { vcpu: 0 });
  bench.rest();
  expect.deepEqual(controller.take(1, lower), [], 'the vCPU that it was signalled to takes nothing');
  expect.deepEqual(controller.take(0, lower), [intid], 'the vCPU that it goes to now takes it');
  // Signalled to one vCPU, routed to the other: the controller may let the first one have it still.
  bench.setLine(device, index, true);
  bench.rest();
  controller.route(intid, 1);
  bench.rest();
  const taken = [...controller.take(0, lower), ...controller.take(1, lower)];
  expect.deepEqual(taken, [intid], 'one of them takes it, once');
  bench.setLine(device, index, true);
  bench.rest();
  expect.deepEqual(controller.take(0, lower), [], 'the next one is not for the vCPU that it went to before');
  expect.deepEqual(controller.take(1, lower), [intid], 'but for the other');
});

check(ID, 'an interrupt waits for its vCPU to run, in whatever state it is', ({ bench: given, expect }) => {
  const { bench, device } = withEdge(given);
  const { domid, controller } = driving(expect, bench, [device]);
  const { index, intid } = interruptOf(bench, device);
  const others = crowd(expect, bench);
  controller.enable(intid, { edge: true });
  others();
  bench.pulse(device, index);
  bench.rest();
  expect.deepEqual(listed(bench), [], 'no other vCPU is shown an interrupt that is not for it');
  expect.deepEqual(
    controller.take(),
    [intid],
    'an interrupt that fires while its vCPU does not run is taken when it does',
  );

  bench.pulse(device, index);
  bench.rest();
  others();
  expect.deepEqual(listed(bench), [], 'a pending interrupt leaves the CPU with its vCPU');
  expect.deepEqual(controller.take(), [intid], 'one that was pending when its vCPU was stopped is taken');

  bench.pulse(device, index);
  expect.equal(controller.acknowledge(), intid, 'the vCPU is in the middle of one');
  others();
  bench.pulse(device, index);
  bench.rest();
  const cpu = cpuOf(bench, domid);
  expect.deepEqual(
    listed(bench),
    [{ cpu, virtual: intid, physical: intid, state: 'active' }],
    'an active interrupt comes back with its vCPU, tied to the physical one',
  );
  controller.end(intid);
  expect.deepEqual(controller.take(), [intid], 'after its end the next edge is an interrupt');
});

check(ID, 'a vCPU that comes back is in the middle of what it was in the middle of', ({ bench, expect }) => {
  const device = bench.devices.platform.severalStreams;
  const { controller } = driving(expect, bench, [device]);
  const [urgent, other] = [interruptOf(bench, device, 0), interruptOf(bench, device, 1)];
  const others = crowd(expect, bench);
  controller.enable(urgent.intid, { priority: 0x40 }).enable(other.intid, { priority: 0x80 });
  controller.mask(0, 0xc0);
  bench.setLine(device, urgent.index, true);
  expect.equal(controller.acknowledge(), urgent.intid, 'the vCPU is in the middle of the urgent one');
  others();
  bench.setLine(device, other.index, true);
  bench.rest();
  expect.equal(controller.acknowledge(), undefined, 'the less urgent one does not interrupt it when the vCPU is back');
  bench.setLine(device, urgent.index, false);
  controller.end(urgent.intid);
  const taken = controller.take(0, () => bench.setLine(device, other.index, false));
  expect.deepEqual(taken, [other.intid], 'it is taken after the end of the urgent one');
});

check(ID, 'an interrupt follows its vCPU to another CPU', ({ bench, expect }) => {
  const device = bench.devices.platform.withInterrupt;
  // The first CPU is the hardware domain's, until everybody else needs one.
  expect.ok(bench.guest(0).cpu !== undefined, 'the hardware domain runs');
  const { domid, controller } = driving(expect, bench, [device]);
  const { index, intid } = interruptOf(bench, device);
  const others = crowd(expect, bench);
  controller.enable(intid);
  const taken = () => {
    bench.setLine(device, index, true);
    return controller.take(0, () => bench.setLine(device, index, false));
  };
  const before = cpuOf(bench, domid);
  expect.deepEqual(taken(), [intid], 'the vCPU takes its interrupt on its CPU alone');
  others();
  const after = cpuOf(bench, domid);
  expect.ok(before !== after, 'the vCPU runs on another CPU than before');
  expect.deepEqual(taken(), [intid], 'it takes its interrupt on that CPU alone');
});

check(ID, 'more interrupts than a CPU can be shown at once are all taken, the urgent ones first', (given) => {
  const { bench, expect } = given;
  const { severalStreams, withInterrupt } = bench.devices.platform;
  const { controller } = driving(expect, bench, [severalStreams, withInterrupt]);
  const wires = [
    { device: severalStreams, ...interruptOf(bench, severalStreams, 0) },
    { device: severalStreams, ...interruptOf(bench, severalStreams, 1) },
    { device: withInterrupt, ...interruptOf(bench, withInterrupt) },
  ];
  const [urgent, ...rest] = wires.map(({ intid }) => intid) as [number, number, number];
  const software = Array.from({ length: SHOWN_AT_ONCE + 1 }, (_, n) => SOFTWARE + n);
  controller.enable(urgent, { priority: 0x20 });
  for (const intid of [...rest, ...software]) controller.enable(intid, { priority: 0xa0 });
  const lower = (intid: number) => {
    const wire = wires.find((one) => one.intid === intid);
    if (wire !== undefined) bench.setLine(wire.device, wire.index, false);
  };
  for (let time = 0; time < 2; time++) {
    for (const intid of software) controller.pend(intid);
    for (const { device, index } of wires.toReversed()) bench.setLine(device, index, true);
    bench.rest();
    const taken = controller.take(0, lower);
    expect.equal(taken[0], urgent, 'the urgent one does not wait for those that came before');
    expect.deepEqual(
      taken.toSorted((a, b) => a - b),
      [urgent, ...rest, ...software].sort((a, b) => a - b),
      'each is taken once',
    );
    expect.deepEqual(listed(bench), [], 'nothing is left');
  }
});

check(ID, 'an active interrupt keeps none of other devices from being taken', ({ bench, expect }) => {
  const { severalStreams, withInterrupt } = bench.devices.platform;
  const { domid, controller } = driving(expect, bench, [severalStreams]);
  const second = driving(expect, bench, [withInterrupt]);
  const { index, intid } = interruptOf(bench, severalStreams, 0);
  const own = interruptOf(bench, severalStreams, 1);
  controller.enable(intid, { priority: 0x80 }).enable(own.intid, { priority: 0x40 });
  bench.setLine(severalStreams, index, true);
  expect.equal(controller.acknowledge(), intid, 'the domain is in the middle of one');
  // The other domain's vCPU comes to the same CPU, where the interrupt is active.
  const others = crowd(expect, bench);
  bench.setLine(severalStreams, own.index, true);
  const taken = controller.take(0, () => bench.setLine(severalStreams, own.index, false));
  expect.deepEqual(taken, [own.intid], 'its other interrupt, which is more urgent, is taken');
  others();
  takesInterrupts(expect, bench, second.domid, withInterrupt, second.controller);
  bench.setLine(severalStreams, index, false);
  controller.end(intid);
  takesInterrupts(expect, bench, domid, severalStreams, controller);
});
