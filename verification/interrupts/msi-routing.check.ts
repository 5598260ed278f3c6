/** Deliver MSIs to a domain: the guest moves its interrupts, and its vCPUs are not always running. */
import { check } from '../bench.js';
import {
  arrived,
  guestWith,
  messageDevices,
  occupyCpus,
  taken,
  takenTogether,
  takesMessage,
  takesNothing,
} from './msi-driving.js';

const ID = 'XenSwdgn~passthrough_deliver_msis_to_dom~1';

check(ID, 'an interrupt that the guest moves to another vCPU is taken there, once, also if it was pending', (given) => {
  const { bench, expect } = given;
  const { several } = messageDevices(bench);
  const d1 = guestWith(expect, bench, several);
  const { deviceId, lpis } = d1.enableMessages(several, { vectors: 2, kind: 'msi' });
  const [a, b] = lpis as [number, number];
  d1.service.moveEvent(deviceId, 0, 1);
  d1.service.sync(0);
  d1.service.sync(1);
  takesMessage(expect, bench, d1, several, [0, a, 1]);
  takesMessage(expect, bench, d1, several, [1, b, 0]);
  d1.service.moveEvent(deviceId, 0, 0);
  takesMessage(expect, bench, d1, several, [0, a, 0]);

  // Sent, and not arrived at the vCPU; then signalled to it.
  for (const [when, pass] of [
    ['on its way', () => {}],
    ['signalled to the first vCPU', () => arrived(bench)],
  ] as const) {
    expect.equal(bench.signal(several, 0), 'sent', `the device sends; the interrupt is ${when}`);
    pass();
    d1.service.moveEvent(deviceId, 0, 1);
    d1.service.sync(1);
    expect.deepEqual(taken(bench, d1), [[], [a]], `what was ${when} is taken by the second, once`);
    takesNothing(expect, bench, 'it was taken already', d1);
    takesMessage(expect, bench, d1, several, [0, a, 1]);
    d1.service.moveEvent(deviceId, 0, 0);
    d1.service.sync(0);
    takesMessage(expect, bench, d1, several, [0, a, 0]);
  }
});

check(ID, 'an interrupt that is disabled moves with its pending state', ({ bench, expect }) => {
  const { one } = messageDevices(bench);
  const d1 = guestWith(expect, bench, one);
  const { deviceId, lpis } = d1.enableMessages(one);
  const lpi = lpis[0] as number;
  d1.service.configure(deviceId, 0, lpi, false);
  bench.signal(one, 0);
  arrived(bench);
  d1.service.moveEvent(deviceId, 0, 1);
  takesNothing(expect, bench, 'the interrupt is disabled', d1);
  d1.service.configure(deviceId, 0, lpi, true);
  expect.deepEqual(taken(bench, d1), [[], [lpi]], 'it is taken where it was moved to');
});

check(ID, 'all interrupts of a collection go where the guest moves the collection', ({ bench, expect }) => {
  const { several, one } = messageDevices(bench);
  const d1 = guestWith(expect, bench, several, one);
  const first = d1.enableMessages(several, { vectors: 2, kind: 'msi', vcpu: 0 });
  const second = d1.enableMessages(one, { vcpu: 1 });
  bench.signal(several, 1);
  arrived(bench);
  d1.service.mapCollection(0, 1);
  d1.service.sync(1);
  expect.deepEqual(taken(bench, d1), [[], [first.lpis[1]]], 'what was pending is taken by the other vCPU, once');
  for (const vector of [0, 1]) {
    takesMessage(expect, bench, d1, several, [vector, first.lpis[vector] as number, 1]);
  }
  takesMessage(expect, bench, d1, one, [0, second.lpis[0] as number, 1]);
  d1.service.mapCollection(0, 0);
  d1.service.mapCollection(1, 0);
  takesMessage(expect, bench, d1, several, [0, first.lpis[0] as number, 0]);
  takesMessage(expect, bench, d1, one, [0, second.lpis[0] as number, 0]);
});

check(ID, 'a message for a vCPU that does not run is taken when it runs', ({ bench, expect }) => {
  const { several, one } = messageDevices(bench);
  const d1 = guestWith(expect, bench, several);
  const d2 = guestWith(expect, bench, one);
  const first = d1.enableMessages(several, { vectors: 4, kind: 'msi', vcpu: 1 });
  const second = d2.enableMessages(one);
  for (let round = 0; round < 2; round++) {
    occupyCpus(bench);
    for (const vector of [0, 2, 2])
      expect.equal(bench.signal(several, vector), 'sent', 'nobody runs, the device sends');
    expect.equal(bench.signal(one, 0), 'sent', 'so does that of another guest');
    arrived(bench);
    occupyCpus(bench);
    const all = takenTogether(bench, d1);
    expect.deepEqual(all, [[], [first.lpis[0], first.lpis[2]]], 'each message is taken when the vCPU runs, once');
    expect.deepEqual(taken(bench, d2), [second.lpis, []], 'and those of the other guest by that one');
    takesNothing(expect, bench, 'all of it was taken', d1, d2);
  }
});
