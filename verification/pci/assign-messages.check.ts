/** Support assignment of PCI devices: messages. Those of an assigned device are interrupts of its domain, and of no other. */
import { check } from '../bench.js';
import { pciDevicesOf } from '../devices.js';
import { FIRST_LPI } from '../guest/message-guest.js';
import { nameOf } from '../guest-bench.js';
import { guestWith, hardwareDomain, takesMessage, takesNothing, writes } from '../interrupts/msi-driving.js';

const ID = 'XenSwdgn~passthrough_support_assign_pci_devs~1';
const MSI = { aspect: 'msi' };

check(
  ID,
  'messages of a device interrupt the domain that it is assigned to, and no other',
  MSI,
  ({ bench, expect }) => {
    const { kept, hardwareDomains } = pciDevicesOf(bench);
    const d1 = guestWith(expect, bench, hardwareDomains.second);
    const d2 = guestWith(expect, bench, kept.second);
    d2.enableMessages(kept.second, { vectors: 2 });
    for (const device of [kept.first, kept.apart, hardwareDomains.first]) {
      expect.equal(d1.find(device), undefined, `the domain does not see ${nameOf(device)} before it has it`);

      expect.equal(bench.assign(d1.domid, device), 0, `${nameOf(device)} is assigned`);

      expect.equal(bench.signal(device, 0), 'disabled', 'nobody has enabled its messages');
      const { lpis } = d1.enableMessages(device);
      takesMessage(expect, bench, d1, device, [0, lpis[0] as number]);
      takesNothing(expect, bench, 'the device is another domain', d2);
    }
    takesMessage(expect, bench, d2, kept.second, [1, FIRST_LPI + 1]);
    takesNothing(expect, bench, 'the device is another domain', d1);
  },
);

check(ID, 'each of the devices of a domain has an identity of its own', MSI, ({ bench, expect }) => {
  const { kept, hardwareDomains } = pciDevicesOf(bench);
  // 0000:00:02.0 and 0001:00:02.0 differ in their segment alone.
  const devices = [hardwareDomains.first, kept.apart, kept.second];
  const d1 = guestWith(expect, bench, ...devices);
  const d2 = guestWith(expect, bench, kept.first);
  d2.enableMessages(kept.first);
  const found = devices.map((device) => d1.find(device));
  expect.equal(new Set(found).size, devices.length, 'the domain sees each at an address of its own');
  expect.ok(!found.includes(undefined), 'and sees them all');
  expect.equal(d1.pci.scan().length, devices.length, 'it sees no others');
  expect.equal(d1.find(kept.first), undefined, 'and not that of another domain');
  const lpis = devices.map((device) => d1.enableMessages(device, { vectors: 2 }).lpis);
  for (const [index, device] of devices.entries()) {
    for (const vector of [1, 0]) takesMessage(expect, bench, d1, device, [vector, lpis[index]?.[vector] as number]);
  }
  takesNothing(expect, bench, 'its device has sent nothing', d2);
  takesMessage(expect, bench, d2, kept.first, [0, FIRST_LPI]);
});

check(ID, 'a device brings nothing along of what its old owner had of its messages', MSI, ({ bench, expect }) => {
  const { kept, hardwareDomains } = pciDevicesOf(bench);
  const device = hardwareDomains.first;
  const d0 = hardwareDomain(bench);
  const before = d0.enableMessages(device, { vectors: 4, kind: 'msi' });
  takesMessage(expect, bench, d0, device, [3, before.lpis[3] as number]);
  const d1 = guestWith(expect, bench, kept.second);
  d1.enableMessages(kept.second);
  // On its way when the device goes.
  expect.equal(bench.signal(device, 2), 'sent', 'the device sends a message to its old owner');

  expect.equal(bench.assign(d1.domid, device), 0, 'the device is assigned');

  for (const vector of [0, 2]) expect.equal(bench.signal(device, vector), 'disabled', 'its messages are off');
  takesNothing(expect, bench, 'the message was not for it', d1);
  expect.equal(d0.find(device), undefined, 'the old owner does not see the device');
  const { lpis } = d1.enableMessages(device, { vectors: 4, kind: 'msi' });
  d0.take();
  takesNothing(expect, bench, 'no message has been sent since', d0, d1);
  for (const vector of [2, 0]) takesMessage(expect, bench, d1, device, [vector, lpis[vector] as number]);
  takesNothing(expect, bench, 'the device is its no more', d0);
  // The doorbell of the old owner is nothing to the device now.
  writes(bench, device, d0.service.doorbell, 3);
  takesNothing(expect, bench, 'the device is its no more', d0);
});
