/**
 * Deassign PCI device from domain: when a domain is destroyed, messages of its devices are nobody's interrupts, and what Xen
 * had for them serves the domains that come after it.
 */
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

const ID = 'XenSwdgn~passthrough_deassign_pci_dev_from_dom~1';
const MSI = { aspect: 'msi' };

check(ID, "messages of a dead domain's devices reach nobody, whoever comes after it", MSI, ({ bench, expect }) => {
  const { kept, hardwareDomains } = pciDevicesOf(bench);
  const devices = [kept.first, hardwareDomains.first, kept.apart];
  const lives = guestWith(expect, bench, hardwareDomains.second);
  const d1 = guestWith(expect, bench, ...devices);
  for (const device of devices) {
    const { lpis } = d1.enableMessages(device);
    takesMessage(expect, bench, d1, device, [0, lpis[0] as number]);
  }
  const { doorbell } = d1.service;

  expect.equal(bench.destroy(d1.domid), 0, 'the domain is destroyed');

  const d2 = guestWith(expect, bench, kept.second);
  const { lpis } = d2.enableMessages(kept.second, { vectors: 8 });
  takesMessage(expect, bench, d2, kept.second, [1, lpis[1] as number]);
  for (const device of devices) {
    expect.equal(bench.signal(device, 0), 'disabled', `messages of ${nameOf(device)} are off`);
    expect.ok(!writes(bench, device, doorbell, 0), 'it does not reach the doorbell');
  }
  takesNothing(expect, bench, 'nobody has the devices', d2, lives);
  for (const vector of [0, 7]) takesMessage(expect, bench, d2, kept.second, [vector, lpis[vector] as number]);
  for (const device of devices) {
    expect.equal(bench.assign(d2.domid, device), 0, `${nameOf(device)} is free`);
    expect.equal(bench.signal(device, 0), 'disabled', 'nobody has enabled its messages again');
    const { lpis: own } = d2.enableMessages(device);
    takesMessage(expect, bench, d2, device, [0, own[0] as number]);
  }
  takesNothing(expect, bench, 'it has none of the devices', lives);
});

check(ID, 'a message that is pending when its domain dies does not survive it', MSI, ({ bench, expect }) => {
  const { kept } = pciDevicesOf(bench);
  const d1 = guestWith(expect, bench, kept.first, kept.second);
  d1.enableMessages(kept.first);
  const { lpis, deviceId } = d1.enableMessages(kept.second, { vectors: 8 });
  // Offered to the guest, disabled by it, not yet taken by the CPU.
  d1.service.configure(deviceId, 2, lpis[2] as number, false);
  for (const vector of [1, 2]) expect.equal(bench.signal(kept.second, vector), 'sent', 'a device sends a message');
  bench.rest();
  occupyCpus(bench);
  expect.equal(bench.signal(kept.second, 3), 'sent', 'a device sends a message');
  expect.equal(bench.signal(kept.first, 0), 'sent', 'and the other one');
  bench.machine.settle();

  expect.equal(bench.destroy(d1.domid), 0, 'the domain is destroyed');

  // The next domain has the same devices, the other way round, at the same numbers.
  const d2 = guestWith(expect, bench, kept.second, kept.first);
  const several = d2.enableMessages(kept.second, { vectors: 8, lpi: FIRST_LPI });
  const one = d2.enableMessages(kept.first);
  takesNothing(expect, bench, 'the devices have sent nothing for it', d2);
  for (const vector of [3, 2, 1, 0])
    takesMessage(expect, bench, d2, kept.second, [vector, several.lpis[vector] as number]);
  takesMessage(expect, bench, d2, kept.first, [0, one.lpis[0] as number]);
});

check(ID, "a dead domain's events do not come back with the interrupts that others get", MSI, ({ bench, expect }) => {
  const { kept } = pciDevicesOf(bench);
  const d0 = hardwareDomain(bench);
  const d1 = guestWith(expect, bench, kept.first, kept.apart);
  for (const device of [kept.first, kept.apart]) d1.enableMessages(device);
  takesMessage(expect, bench, d1, kept.apart, [0, FIRST_LPI + 1]);

  expect.equal(bench.destroy(d1.domid), 0, 'the domain is destroyed');

  const d2 = guestWith(expect, bench, kept.second);
  const { lpis } = d2.enableMessages(kept.second, { vectors: 8 });
  // The hardware domain has a device now and has mapped none of its events: it reaches the doorbell, and nobody.
  expect.equal(bench.deassign(QUARANTINE, kept.first), 0, 'the hardware domain gets a device');
  enableFunction(bench, kept.first);
  for (const event of [0, 7, 31]) {
    expect.ok(writes(bench, kept.first, d0.service.doorbell, event), 'the device reaches the doorbell');
    takesNothing(expect, bench, `event ${event} of the device is not mapped`, d0, d2);
  }
  expect.equal(bench.assign(d2.domid, kept.apart), 0, 'the next domain gets the other one');
  for (const event of [0, 1]) {
    expect.ok(writes(bench, kept.apart, d2.service.doorbell, event), 'the device reaches the doorbell');
    takesNothing(expect, bench, `event ${event} of the device is not mapped`, d0, d2);
  }
  takesMessage(expect, bench, d2, kept.second, [7, lpis[7] as number]);
  const own = d0.enableMessages(kept.first);
  takesMessage(expect, bench, d0, kept.first, [0, own.lpis[0] as number]);
});

check(
  ID,
  'while a domain is destroyed, its devices send what they like, and nobody else is interrupted',
  MSI,
  (args) => {
    const { bench, expect } = args;
    const { kept, hardwareDomains } = pciDevicesOf(bench);
    const lives = guestWith(expect, bench, hardwareDomains.first);
    lives.enableMessages(hardwareDomains.first);
    const d1 = guestWith(expect, bench, kept.second, kept.apart);
    for (const device of [kept.second, kept.apart]) d1.enableMessages(device, { vectors: 4 });
    let sent = 0;
    let step = 0;
    const send = () => {
      if (step++ % 16 !== 0) return;
      for (const device of [kept.second, kept.apart]) if (bench.signal(device, (step >> 4) % 4) === 'sent') sent++;
    };

    expect.equal(
      bench.between(send, () => bench.destroy(d1.domid)),
      0,
      'the domain is destroyed',
    );

    expect.ok(sent > 0, 'at first messages were on');
    takesNothing(expect, bench, 'its device has sent nothing', lives);
    takesMessage(expect, bench, lives, hardwareDomains.first, [0, FIRST_LPI]);
    const d2 = guestWith(expect, bench, kept.apart, kept.second);
    for (const device of [kept.apart, kept.second]) d2.enableMessages(device, { vectors: 4 });
    takesNothing(expect, bench, 'its devices have sent nothing for it', d2, lives);
    takesMessage(expect, bench, d2, kept.second, [3, FIRST_LPI + 7]);
  },
);

check(
  ID,
  'a message that no CPU has taken when its domain dies is not for the next domain of the device',
  MSI,
  (args) => {
    const { bench, expect } = args;
    const { kept } = pciDevicesOf(bench);
    const d1 = guestWith(expect, bench, kept.second);
    const { lpis } = d1.enableMessages(kept.second, { vectors: 8, vcpu: 1 });
    for (const vector of [0, 7]) takesMessage(expect, bench, d1, kept.second, [vector, lpis[vector] as number, 1]);
    // CPUs are busy with others, and do not look at what is pending before the device has its next domain.
    occupyCpus(bench);
    for (const vector of lpis.keys())
      expect.equal(bench.signal(kept.second, vector), 'sent', `message ${vector} is sent`);

    expect.equal(bench.destroy(d1.domid), 0, 'the domain is destroyed');

    // The next domain runs on one CPU, and not on that which the messages went to.
    const d2 = new MessageGuest(
      bench,
      created(expect, bench.create({ memory: MESSAGE_GUEST_MEMORY, devices: [kept.second] })),
    );
    const next = d2.enableMessages(kept.second, { vectors: 8 });
    expect.deepEqual(d2.take(), [], 'what the device sent before was not for its next domain');
    expect.equal(bench.signal(kept.second, 7), 'sent', 'the device sends a message');
    expect.deepEqual(d2.take(), [next.lpis[7]], 'this one is, and it comes once');
  },
);
