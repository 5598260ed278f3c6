/** Deliver MSIs to a domain: what is masked waits, and comes once when it is let through. */
import { check } from '../bench.js';
import { FIRST_LPI } from '../guest/message-guest.js';
import { guestWith, messageDevices, taken, takesMessage, takesNothing } from './msi-driving.js';

const ID = 'XenSwdgn~passthrough_deliver_msis_to_dom~1';

check(ID, 'a masked message by MSI waits at the device and comes once when it is unmasked', ({ bench, expect }) => {
  const { several } = messageDevices(bench);
  const d1 = guestWith(expect, bench, several);
  const { requester, lpis } = d1.enableMessages(several, { vectors: 4, kind: 'msi' });
  const at = d1.pci.capability(requester, 5);
  // 64-bit, with masks: mask bits at 0x10, pending bits at 0x14 (PCI Express Base 7.7.1).
  const [mask, pending] = [at + 0x10, at + 0x14];
  d1.pci.write(requester, mask, 0b0110);
  for (const vector of [1, 2, 2]) expect.equal(bench.signal(several, vector), 'pending', `message ${vector} waits`);
  takesNothing(expect, bench, 'its messages are masked', d1);
  expect.equal(d1.pci.read(requester, pending), 0b0110, 'the guest sees which are pending');
  takesMessage(expect, bench, d1, several, [0, lpis[0] as number]);
  d1.pci.write(requester, mask, 0b0010);
  expect.deepEqual(taken(bench, d1), [[lpis[2]], []], 'the unmasked one comes, once, and the other one waits on');
  d1.pci.write(requester, mask, 0);
  expect.deepEqual(taken(bench, d1), [[lpis[1]], []], 'then the other one');
  expect.equal(d1.pci.read(requester, pending), 0, 'nothing is pending any more');
  takesNothing(expect, bench, 'each has come once', d1);
  d1.pci.disableMsi(requester);
  expect.equal(bench.signal(several, 0), 'disabled', 'a device whose messages are disabled sends none');
  takesNothing(expect, bench, 'messages are disabled', d1);
});

check(ID, 'a masked entry of MSI-X waits at the device and comes once when it is unmasked', ({ bench, expect }) => {
  const { msix } = messageDevices(bench);
  const d1 = guestWith(expect, bench, msix);
  const { requester, lpis } = d1.enableMessages(msix, { vectors: 4 });
  const { table } = d1.pci.msix(requester);
  d1.pci.maskEntry(table, 1, true);
  for (let time = 0; time < 2; time++) expect.equal(bench.signal(msix, 1), 'pending', 'the masked message waits');
  takesNothing(expect, bench, 'the entry is masked', d1);
  takesMessage(expect, bench, d1, msix, [2, lpis[2] as number]);
  d1.pci.maskEntry(table, 1, false);
  expect.deepEqual(taken(bench, d1), [[lpis[1]], []], 'it comes when its entry is unmasked, once');

  d1.pci.enableMsix(requester, true);
  for (const vector of [0, 3]) expect.equal(bench.signal(msix, vector), 'pending', `message ${vector} waits`);
  takesNothing(expect, bench, 'the function is masked', d1);
  d1.pci.maskEntry(table, 3, true);
  d1.pci.enableMsix(requester, false);
  expect.deepEqual(taken(bench, d1), [[lpis[0]], []], 'with the function unmasked, the entry that is not masked comes');
  d1.pci.maskEntry(table, 3, false);
  expect.deepEqual(taken(bench, d1), [[lpis[3]], []], 'and the other one when it is unmasked');
  takesNothing(expect, bench, 'each has come once', d1);
});

check(ID, 'an entry that is masked while it is written goes where it was written last', ({ bench, expect }) => {
  const { msix } = messageDevices(bench);
  const d1 = guestWith(expect, bench, msix);
  const { requester, lpis } = d1.enableMessages(msix, { vectors: 4 });
  const { table } = d1.pci.msix(requester);
  const address = d1.service.doorbell;
  d1.pci.maskEntry(table, 0, true);
  expect.equal(bench.signal(msix, 0), 'pending', 'the masked message waits');
  d1.pci.setEntry(table, 0, { address, data: 3 }, true);
  takesNothing(expect, bench, 'the entry is still masked', d1);
  d1.pci.maskEntry(table, 0, false);
  expect.deepEqual(taken(bench, d1), [[lpis[3]], []], 'what waited goes by the new data');
  takesMessage(expect, bench, d1, msix, [0, lpis[3] as number]);
});

check(
  ID,
  'an interrupt that the guest has disabled is pending, and taken once when it enables it',
  ({ bench, expect }) => {
    const { one } = messageDevices(bench);
    const d1 = guestWith(expect, bench, one);
    const { deviceId, lpis } = d1.enableMessages(one);
    const lpi = lpis[0] as number;
    d1.service.configure(deviceId, 0, lpi, false);
    d1.service.sync();
    for (let time = 0; time < 2; time++) expect.equal(bench.signal(one, 0), 'sent', 'the device sends');
    takesNothing(expect, bench, 'the interrupt is disabled', d1);
    d1.service.configure(deviceId, 0, lpi, true);
    d1.service.sync();
    expect.deepEqual(taken(bench, d1), [[lpi], []], 'it is taken when it is enabled, once');
    takesMessage(expect, bench, d1, one, [0, lpi]);

    // Signalled to the vCPU already.
    bench.signal(one, 0);
    bench.rest();
    d1.service.configure(deviceId, 0, lpi, false);
    takesNothing(expect, bench, 'it was disabled before it was taken', d1);
    d1.service.configure(deviceId, 0, lpi, true);
    expect.deepEqual(taken(bench, d1), [[lpi], []], 'nothing is lost by that');
    takesNothing(expect, bench, 'nor taken twice', d1);
  },
);

check(ID, 'the more urgent interrupt is taken first, and one that the guest masks by its priority waits', (given) => {
  const { bench, expect } = given;
  const { several } = messageDevices(bench);
  const d1 = guestWith(expect, bench, several);
  const { deviceId, lpis } = d1.enableMessages(several, { vectors: 4, kind: 'msi' });
  const [a, b, c, d] = lpis as [number, number, number, number];
  // In the order in which they are to be taken: 2, 0, 3, 1.
  for (const [vector, priority] of [0x40, 0xb0, 0x20, 0x80].entries()) {
    d1.service.configure(deviceId, vector, a + vector, true, priority);
  }
  d1.service.sync();
  for (let vector = 0; vector < 4; vector++) bench.signal(several, vector);
  expect.deepEqual(taken(bench, d1), [[c, a, d, b], []], 'interrupts are taken by priority');

  d1.controller.mask(0, 0x80);
  for (let vector = 0; vector < 4; vector++) bench.signal(several, vector);
  expect.deepEqual(taken(bench, d1), [[c, a], []], 'only those above the mask are taken');
  // One that may be on its way to the CPU interface already is disabled while its priority changes.
  d1.service.configure(deviceId, 1, b, false, 0x10);
  d1.service.configure(deviceId, 1, b, true, 0x10);
  expect.deepEqual(taken(bench, d1), [[b], []], 'one is given a priority above the mask');
  d1.controller.mask(0, 0xff);
  expect.deepEqual(taken(bench, d1), [[d], []], 'the other is taken without the mask');
});

check(ID, 'an event that the guest has discarded is no interrupt, nor does it stay pending', ({ bench, expect }) => {
  const { several } = messageDevices(bench);
  const d1 = guestWith(expect, bench, several);
  const { deviceId, lpis } = d1.enableMessages(several, { vectors: 4, kind: 'msi' });
  const [a, b, c] = lpis as [number, number, number];
  for (const vector of [0, 1]) bench.signal(several, vector);
  bench.rest();
  d1.service.discardEvent(deviceId, 0);
  d1.service.sync();
  expect.deepEqual(taken(bench, d1), [[b], []], 'what was pending of the discarded event is gone');
  expect.equal(bench.signal(several, 0), 'sent', 'the device goes on sending it');
  takesNothing(expect, bench, 'the event is discarded', d1);
  takesMessage(expect, bench, d1, several, [2, c]);

  d1.service.mapEvent(deviceId, 0, a + 20, 1);
  d1.service.configure(deviceId, 0, a + 20, true);
  takesMessage(expect, bench, d1, several, [0, a + 20, 1]);
  bench.signal(several, 2);
  d1.service.unmapDevice(deviceId);
  d1.service.sync();
  for (let vector = 0; vector < 4; vector++) bench.signal(several, vector);
  takesNothing(expect, bench, 'it has unmapped the device', d1);
  d1.service.mapDevice(deviceId, 2);
  d1.service.mapEvent(deviceId, 3, FIRST_LPI + 50);
  d1.service.configure(deviceId, 3, FIRST_LPI + 50, true);
  takesNothing(expect, bench, 'what was sent in between is gone', d1);
  takesMessage(expect, bench, d1, several, [3, FIRST_LPI + 50]);
});
