/** Support deassignment of PCI devices: messages. What a device sent for its old domain, or sends now, is nobody's interrupt. */
import { created } from '../arranging.js';
import { check } from '../bench.js';
import { pciDevicesOf } from '../devices.js';
import { FIRST_LPI, MESSAGE_GUEST_MEMORY, MessageGuest } from '../guest/message-guest.js';
import { nameOf } from '../guest-bench.js';
import {
  guestWith,
  hardwareDomain,
  occupyCpus,
  takesMessage,
  takesNothing,
  writes,
} from '../interrupts/msi-driving.js';
import { enableFunction, QUARANTINE } from './driving.js';

const ID = 'XenSwdgn~passthrough_support_deassign_pci_devs~1';
const MSI = { aspect: 'msi' };

check(
  ID,
  'a device that is taken from its domain interrupts nobody, and its next domain when that wants',
  MSI,
  (args) => {
    const { bench, expect } = args;
    const { kept, hardwareDomains } = pciDevicesOf(bench);
    // MSI of one message and of four, MSI-X.
    const devices = [kept.first, hardwareDomains.first, kept.apart];
    const d1 = guestWith(expect, bench, ...devices, hardwareDomains.second);
    const d2 = guestWith(expect, bench, kept.second);
    d2.enableMessages(kept.second, { vectors: 8 });
    const set = devices.map((device) => d1.enableMessages(device));
    for (const [index, device] of devices.entries()) {
      takesMessage(expect, bench, d1, device, [0, set[index]?.lpis[0] as number]);

      expect.equal(bench.deassign(d1.domid, device), 0, `${nameOf(device)} is taken away`);

      expect.equal(bench.signal(device, 0), 'disabled', 'its messages are off');
      expect.ok(!writes(bench, device, d1.service.doorbell, 0), 'it does not reach the doorbell');
      takesNothing(expect, bench, 'the device is in quarantine', d1, d2);
      expect.equal(d1.find(device), undefined, 'its old domain does not see it');
      // What the domain still asks of its translation service comes to nothing.
      d1.service.raise(set[index]?.deviceId as number, 0);
      d1.service.mapEvent(set[index]?.deviceId as number, 0, FIRST_LPI + 100);
      takesNothing(expect, bench, 'the device is in quarantine', d1, d2);

      expect.equal(bench.assign(d2.domid, device), 0, `${nameOf(device)} goes to another domain`);
      expect.equal(bench.signal(device, 0), 'disabled', 'nobody has enabled its messages again');
      const { lpis } = d2.enableMessages(device);
      takesMessage(expect, bench, d2, device, [0, lpis[0] as number]);
      takesNothing(expect, bench, 'the device is another domain', d1);
    }
    takesMessage(expect, bench, d2, kept.second, [7, FIRST_LPI + 7]);
  },
);

check(ID, 'a message that is pending when its device is taken away is never taken', MSI, ({ bench, expect }) => {
  const { kept, hardwareDomains } = pciDevicesOf(bench);
  const d1 = guestWith(expect, bench, kept.second, hardwareDomains.second);
  const { lpis, requester, deviceId } = d1.enableMessages(kept.second, { vectors: 8 });
  const [begun, offered, masked] = lpis as [number, number, number];
  // One that the guest is in the midst of, one offered to it, one that it has disabled, one that the CPU has not taken.
  expect.equal(bench.signal(kept.second, 0), 'sent', 'the device sends a message');
  bench.rest();
  expect.equal(d1.controller.acknowledge(), begun, 'the guest begins with it');
  d1.service.configure(deviceId, 2, masked, false);
  for (const vector of [1, 2])
    expect.equal(bench.signal(kept.second, vector), 'sent', 'the device sends another message');
  bench.rest();
  occupyCpus(bench);
  expect.equal(bench.signal(kept.second, 3), 'sent', 'the device sends a fourth message');
  bench.machine.settle();

  expect.equal(bench.deassign(d1.domid, kept.second), 0, 'the device is taken away');

  d1.controller.end(begun);
  takesNothing(expect, bench, `messages that were pending are gone, LPI ${offered} too`, d1);
  // The next owner begins at the same numbers, with the same events.
  const d2 = guestWith(expect, bench, kept.second);
  d2.enableMessages(kept.second, { vectors: 8, lpi: begun });
  takesNothing(expect, bench, 'the device has sent nothing for it', d1, d2);
  for (const vector of [3, 2, 0]) takesMessage(expect, bench, d2, kept.second, [vector, begun + vector]);
  takesNothing(expect, bench, 'the device is another domain', d1);
  // The old one may use the numbers for another device of its own.
  expect.equal(bench.assign(d1.domid, kept.first), 0, 'it gets another device');
  d1.enableMessages(kept.first, { lpi: masked });
  takesNothing(expect, bench, 'that device has sent nothing', d1);
  takesMessage(expect, bench, d1, kept.first, [0, masked]);
  expect.ok(requester !== undefined, 'the guest saw the device');
});

check(
  ID,
  'events of a device that was taken away are not those of the devices that get its interrupts',
  MSI,
  (args) => {
    const { bench, expect } = args;
    const { kept, hardwareDomains } = pciDevicesOf(bench);
    const d0 = hardwareDomain(bench);
    const d1 = guestWith(expect, bench, kept.first);
    d1.enableMessages(kept.first);
    takesMessage(expect, bench, d1, kept.first, [0, FIRST_LPI]);

    expect.equal(bench.deassign(d1.domid, kept.first), 0, 'the device is taken away');

    // Others come, and may get what Xen had for it: table, interrupts.
    const d2 = guestWith(expect, bench, kept.second);
    const { lpis } = d2.enableMessages(kept.second, { vectors: 8 });
    expect.equal(bench.assign(d1.domid, kept.apart), 0, 'the old domain gets another device');
    const other = d1.enableMessages(kept.apart, { vectors: 2 });
    // The hardware domain has the device now, and has mapped no events of it: it reaches the doorbell, and nobody.
    expect.equal(bench.deassign(QUARANTINE, kept.first), 0, 'the hardware domain gets the device');
    enableFunction(bench, kept.first);
    for (const event of [0, 1, 7, 31]) {
      expect.ok(writes(bench, kept.first, d0.service.doorbell, event), 'the device reaches the doorbell');
      takesNothing(expect, bench, `event ${event} of the device is not mapped`, d0, d1, d2);
    }
    takesMessage(expect, bench, d2, kept.second, [7, lpis[7] as number]);
    takesMessage(expect, bench, d1, kept.apart, [1, other.lpis[1] as number]);
    const own = d0.enableMessages(kept.first);
    takesMessage(expect, bench, d0, kept.first, [0, own.lpis[0] as number]);
    takesNothing(expect, bench, 'the hardware domain has the device', d1, d2);
    expect.equal(d0.find(hardwareDomains.second) !== undefined, true, 'the hardware domain sees its devices');
  },
);

check(ID, 'while a device is taken away, its messages reach its old domain or nobody', MSI, ({ bench, expect }) => {
  const { kept } = pciDevicesOf(bench);
  const d1 = guestWith(expect, bench, kept.second);
  const d2 = guestWith(expect, bench, kept.first);
  d1.enableMessages(kept.second, { vectors: 8 });
  d2.enableMessages(kept.first);
  let sent = 0;
  let step = 0;
  const { doorbell } = d1.service;
  const send = () => {
    // Now and then: each message makes Xen do something, after which there is another.
    if (step++ % 16 !== 0) return;
    if (bench.signal(kept.second, (step >> 4) % 8) === 'sent') sent++;
    bench.dmaStart(kept.second, doorbell, (step >> 4) % 32);
  };

  expect.equal(
    bench.between(send, () => bench.deassign(d1.domid, kept.second)),
    0,
    'the device is taken away',
  );

  expect.ok(sent > 0, 'at first its messages were on');
  expect.equal(bench.signal(kept.second, 0), 'disabled', 'in the end they are off');
  takesNothing(expect, bench, 'the device is gone', d1, d2);
  takesMessage(expect, bench, d2, kept.first, [0, FIRST_LPI]);
  expect.equal(bench.assign(d2.domid, kept.second), 0, 'the device is assigned again');
  takesNothing(expect, bench, 'it has sent nothing since', d1, d2);
  const { lpis } = d2.enableMessages(kept.second, { vectors: 8 });
  takesNothing(expect, bench, 'it has sent nothing since', d1, d2);
  takesMessage(expect, bench, d2, kept.second, [5, lpis[5] as number]);
});

check(ID, 'a message that no CPU has taken is not for the next domain of its device', MSI, (args) => {
  const { bench, expect } = args;
  const { kept } = pciDevicesOf(bench);
  const d1 = guestWith(expect, bench, kept.second);
  const { lpis } = d1.enableMessages(kept.second, { vectors: 8, vcpu: 1 });
  for (const vector of [0, 7]) takesMessage(expect, bench, d1, kept.second, [vector, lpis[vector] as number, 1]);
  // CPUs are busy with others, and do not look at what is pending before the device has its next domain.
  occupyCpus(bench);
  for (const vector of lpis.keys())
    expect.equal(bench.signal(kept.second, vector), 'sent', `message ${vector} is sent`);

  expect.equal(bench.deassign(d1.domid, kept.second), 0, 'the device is taken away');

  // The next domain runs on one CPU, and not on that which the messages went to.
  const d2 = new MessageGuest(
    bench,
    created(expect, bench.create({ memory: MESSAGE_GUEST_MEMORY, devices: [kept.second] })),
  );
  const next = d2.enableMessages(kept.second, { vectors: 8 });
  expect.deepEqual(d2.take(), [], 'what the device sent before was not for its next domain');
  expect.equal(bench.signal(kept.second, 7), 'sent', 'the device sends a message');
  expect.deepEqual(d2.take(), [next.lpis[7]], 'this one is, and it comes once');
  // Where its messages went before, they go again when it is back.
  expect.equal(bench.deassign(d2.domid, kept.second), 0, 'the device is taken from its next domain');
  expect.equal(bench.assign(d1.domid, kept.second), 0, 'the first one gets it back');
  const again = d1.enableMessages(kept.second, { vectors: 8, vcpu: 1 });
  for (const vector of [7, 0]) takesMessage(expect, bench, d1, kept.second, [vector, again.lpis[vector] as number, 1]);
  expect.deepEqual(d2.take(), [], 'the device is its no more');
});
