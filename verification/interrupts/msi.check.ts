/** Deliver MSIs to a domain: each message is the interrupt that the guest has mapped, at the vCPU of its choice. */
import { created, MIB } from '../arranging.js';
import { check } from '../bench.js';
import { FIRST_LPI } from '../guest/message-guest.js';
import { nameOf } from '../guest-bench.js';
import {
  guestWith,
  hardwareDomain,
  messageDevices,
  taken,
  takenTogether,
  takesMessage,
  takesNothing,
} from './msi-driving.js';

const ID = 'XenSwdgn~passthrough_deliver_msis_to_dom~1';

check(
  ID,
  'each message by MSI is the interrupt that the guest has mapped for it, and no other guest takes it',
  (given) => {
    const { bench, expect } = given;
    const { one, several } = messageDevices(bench);
    const d1 = guestWith(expect, bench, several);
    const d2 = guestWith(expect, bench, one);
    const { lpis } = d1.enableMessages(several, { vectors: 8, lpi: FIRST_LPI + 100, kind: 'msi' });
    d2.enableMessages(one, { lpi: FIRST_LPI + 100 });
    for (const vector of [0, 1, 2, 5, 7]) {
      takesMessage(expect, bench, d1, several, [vector, lpis[vector] as number]);
      takesNothing(expect, bench, 'the device of another domain has sent the message', d2);
    }
    takesMessage(expect, bench, d2, one, [0, FIRST_LPI + 100]);
    takesNothing(expect, bench, 'LPIs of two guests with one number are two', d1);

    for (let vector = 0; vector < 8; vector++) bench.signal(several, vector);
    const all = takenTogether(bench, d1);
    expect.deepEqual(all, [lpis, []], 'messages that come together are all taken, each once');
    expect.equal(bench.signal(several, 8), 'disabled', 'there is no ninth message');
    takesNothing(expect, bench, 'nothing more was sent', d1, d2);
  },
);

check(ID, 'the data of a message names the event, wherever the messages of the device begin', ({ bench, expect }) => {
  const { several } = messageDevices(bench);
  const d1 = guestWith(expect, bench, several);
  const { requester, deviceId } = d1.enableMessages(several, { vectors: 4, kind: 'msi' });
  d1.pci.disableMsi(requester);
  d1.service.mapDevice(deviceId, 5);
  // Two messages, events 18 and 19; the events beside them are mapped too.
  for (const [at, event] of [17, 18, 19, 20].entries()) {
    d1.service.mapEvent(deviceId, event, FIRST_LPI + 40 - at);
    d1.service.configure(deviceId, event, FIRST_LPI + 40 - at, true);
  }
  d1.pci.enableMsi(requester, { address: d1.service.doorbell, data: 18 }, 1);
  takesMessage(expect, bench, d1, several, [0, FIRST_LPI + 39]);
  takesMessage(expect, bench, d1, several, [1, FIRST_LPI + 38]);
  expect.equal(bench.signal(several, 2), 'disabled', 'two messages are enabled, no more');
  takesNothing(expect, bench, 'the third is not sent', d1);
});

check(ID, 'each entry of an MSI-X table is the interrupt that the guest has mapped for it', ({ bench, expect }) => {
  const { msix, one } = messageDevices(bench);
  const d1 = guestWith(expect, bench, msix);
  const d2 = guestWith(expect, bench, one);
  d2.enableMessages(one);
  const { requester, lpis } = d1.enableMessages(msix, { vectors: 4 });
  const { table, entries } = d1.pci.msix(requester);
  expect.equal(entries, 4, 'the guest sees as many entries as the device has');
  for (let vector = 0; vector < entries; vector++) {
    takesMessage(expect, bench, d1, msix, [vector, lpis[vector] as number]);
    takesNothing(expect, bench, 'the device of another domain has sent the message', d2);
  }
  // The other way round, entry by entry, while messages are enabled.
  for (let vector = 0; vector < entries; vector++) {
    d1.pci.maskEntry(table, vector, true);
    d1.pci.setEntry(table, vector, { address: d1.service.doorbell, data: entries - 1 - vector });
  }
  for (let vector = 0; vector < entries; vector++) {
    takesMessage(expect, bench, d1, msix, [vector, lpis[entries - 1 - vector] as number]);
  }
  expect.equal(bench.signal(msix, entries), 'disabled', 'there is no entry behind the last');
});

check(ID, 'a message comes to the vCPU of its collection', ({ bench, expect }) => {
  const { several, msix } = messageDevices(bench);
  const d1 = guestWith(expect, bench, several, msix);
  const first = d1.enableMessages(several, { vectors: 2, vcpu: 1 });
  const second = d1.enableMessages(msix, { vectors: 2, vcpu: 0 });
  for (const vector of [0, 1]) {
    takesMessage(expect, bench, d1, several, [vector, first.lpis[vector] as number, 1]);
    takesMessage(expect, bench, d1, msix, [vector, second.lpis[vector] as number, 0]);
  }
  for (const vector of [0, 1]) for (const device of [several, msix]) bench.signal(device, vector);
  const all = takenTogether(bench, d1);
  expect.deepEqual(all, [second.lpis, first.lpis], 'each vCPU takes its own');
});

check(ID, 'devices of two segments with one bus, device and function number are told apart', ({ bench, expect }) => {
  const { msix, hardwareDomains } = messageDevices(bench);
  const same = [msix, hardwareDomains].map(({ bus, device, function: fn }) => [bus, device, fn]);
  expect.deepEqual(same[0], same[1], 'the two differ in their segment alone');
  const d1 = guestWith(expect, bench, msix);
  const d2 = guestWith(expect, bench, hardwareDomains);
  d1.enableMessages(msix, { lpi: FIRST_LPI + 1 });
  d2.enableMessages(hardwareDomains, { lpi: FIRST_LPI + 2 });
  takesMessage(expect, bench, d1, msix, [0, FIRST_LPI + 1]);
  takesNothing(expect, bench, 'the device of segment 1 has sent the message', d2);
  takesMessage(expect, bench, d2, hardwareDomains, [0, FIRST_LPI + 2]);
  takesNothing(expect, bench, 'the device of segment 0 has sent the message', d1);
});

check(ID, 'no message of a guest passes through the hardware domain', ({ bench, expect }) => {
  const { several, hardwareDomains } = messageDevices(bench);
  const d1 = guestWith(expect, bench, several);
  const d0 = hardwareDomain(bench);
  const { lpis } = d1.enableMessages(several, { vectors: 2 });
  const own = d0.enableMessages(hardwareDomains, { vectors: 2, lpi: FIRST_LPI + 64 });
  // The hardware domain has those numbers enabled too, and maps the guest's device by the machine's number.
  const { bus, device, function: fn } = several;
  const deviceId = d0.pci.deviceId((bus << 8) | (device << 3) | fn) ?? -1;
  d0.service.mapDevice(deviceId, 2);
  for (const [event, lpi] of lpis.entries()) {
    d0.service.mapEvent(deviceId, event, lpi);
    d0.service.configure(deviceId, event, lpi, true);
  }
  d0.service.sync();
  for (const vector of [0, 1]) {
    expect.equal(bench.signal(several, vector), 'sent', `${nameOf(several)} sends message ${vector}`);
    takesNothing(expect, bench, `the message is d${d1.domid}'s`, d0);
    expect.deepEqual(taken(bench, d1), [[lpis[vector]], []], `d${d1.domid} takes it`);
  }
  for (const vector of [0, 1]) takesMessage(expect, bench, d0, hardwareDomains, [vector, own.lpis[vector] as number]);
  takesNothing(expect, bench, 'the device of the hardware domain has sent the message', d1);
});

check(ID, 'a guest that has mapped nothing is interrupted by nothing', ({ bench, expect }) => {
  const { several } = messageDevices(bench);
  const idle = guestWith(expect, bench, several);
  const requester = idle.find(several) as number;
  idle.pci.enable(requester);
  idle.pci.enableMsi(requester, { address: idle.service.doorbell, data: 0 }, 3);
  for (let vector = 0; vector < 8; vector++) expect.equal(bench.signal(several, vector), 'sent', 'the message is sent');
  takesNothing(expect, bench, 'none of the events is mapped', idle);
  const d2 = created(expect, bench.create({ memory: MIB }));
  expect.deepEqual(bench.interruptController(d2).take(), [], 'nor is a guest without devices');
  const { lpis } = idle.enableMessages(several, { vectors: 8, kind: 'msi' });
  takesNothing(expect, bench, 'what came before an event was mapped is gone', idle);
  takesMessage(expect, bench, idle, several, [3, lpis[3] as number]);
});
