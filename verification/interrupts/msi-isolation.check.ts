/** Deliver MSIs to a domain: only those of its own devices, under its own names for them, as long as it has them. */
import { denied, hardwareDomainPage, machineAddress, reaches } from '../arranging.js';
import { check } from '../bench.js';
import { cannotUse } from '../device-registers.js';
import { GUEST_RAM } from '../devices.js';
import { FIRST_LPI } from '../guest/message-guest.js';
import { TRANSLATER } from '../guest/translation-service.js';
import { nameOf } from '../guest-bench.js';
import {
  guestWith,
  hardwareDomain,
  messageDevices,
  occupyCpus,
  taken,
  takesMessage,
  takesNothing,
  writes,
} from './msi-driving.js';

const ID = 'XenSwdgn~passthrough_deliver_msis_to_dom~1';
const PAGE = 0x1000;
/** The domain that devices in quarantine belong to (xen/include/public/xen.h, DOMID_IO). */
const QUARANTINE = 0x7ff1;
/** The machine's translation service, where the boards have it (`arm,gic-v3-its`). */
const MACHINE_SERVICE = 0x0808_0000;

check(ID, 'whatever a device writes at the doorbell, it raises events of its own alone', ({ bench, expect }) => {
  const { several, msix } = messageDevices(bench);
  const d1 = guestWith(expect, bench, several);
  const d2 = guestWith(expect, bench, msix);
  const { deviceId, lpis } = d1.enableMessages(several, { vectors: 8, kind: 'msi' });
  const other = d2.enableMessages(msix, { vectors: 2, lpi: FIRST_LPI + 200 });
  expect.equal(other.deviceId, deviceId, 'the guests have one DeviceID for their devices');
  // Events that the other device has; events of neither; LPIs and DeviceIDs of the machine taken for events.
  for (const event of [0, 1, 2, 7, 8, 31, 32, 63, FIRST_LPI, FIRST_LPI + 33, several.streamId, 0x1_0000, 0xffff_ffff]) {
    writes(bench, msix, d2.service.doorbell, event);
    const own = other.lpis[event];
    expect.deepEqual(
      taken(bench, d2),
      [own === undefined ? [] : [own], []],
      `event ${event} is of its own device or none`,
    );
    takesNothing(expect, bench, `the device of d${d2.domid} has written event ${event}`, d1);
  }
  takesMessage(expect, bench, d1, several, [7, lpis[7] as number]);
});

check(ID, 'a guest commands its own devices alone, by the names that it has for them', ({ bench, expect }) => {
  const { several, msix, one } = messageDevices(bench);
  const d1 = guestWith(expect, bench, one, several);
  const d2 = guestWith(expect, bench, msix);
  const mine = d1.enableMessages(several, { vectors: 2, kind: 'msi' });
  const victim = d2.enableMessages(msix, { vectors: 2, lpi: FIRST_LPI + 30 });
  const machine = ({ bus, device, function: fn }: typeof msix) => (bus << 8) | (device << 3) | fn;
  // The machine's DeviceIDs of both guests' devices (`msi-map` of the boards), and some that nobody has.
  const names = [machine(several), machine(msix), machine(msix) + 0x1_0000, 3 << 3, 0xffff, 0x2_0000];
  for (const name of names) {
    expect.notEqual(name, mine.deviceId, 'the name is not the one that the guest has for its device');
    d1.service.mapDevice(name, 3);
    for (const event of [0, 1]) {
      d1.service.mapEvent(name, event, FIRST_LPI + 60 + event);
      d1.service.configure(name, event, FIRST_LPI + 60 + event, true);
      d1.service.raise(name, event);
    }
    d1.service.sync();
    takesNothing(expect, bench, `DeviceID ${name} is none of d${d1.domid}'s`, d1, d2);
    for (const vector of [0, 1]) {
      takesMessage(expect, bench, d2, msix, [vector, victim.lpis[vector] as number]);
      takesMessage(expect, bench, d1, several, [vector, mine.lpis[vector] as number]);
    }
    d1.service.moveEvent(name, 0, 1);
    d1.service.discardEvent(name, 1);
    d1.service.unmapDevice(name);
    d1.service.sync();
  }
  for (const vector of [0, 1]) takesMessage(expect, bench, d2, msix, [vector, victim.lpis[vector] as number]);
  d1.service.raise(mine.deviceId, 1);
  expect.deepEqual(taken(bench, d1), [[mine.lpis[1]], []], 'its own device obeys');
});

check(
  ID,
  'a message to another address is DMA like any other, and the doorbell is all there is',
  ({ bench, expect }) => {
    const { several } = messageDevices(bench);
    const d1 = guestWith(expect, bench, several);
    const { requester, lpis } = d1.enableMessages(several, { vectors: 2, kind: 'msi' });
    const { doorbell } = d1.service;
    const base = doorbell - TRANSLATER;
    d1.pci.enableMsi(requester, { address: GUEST_RAM + PAGE, data: 0x1230 }, 1);
    const landing = machineAddress(expect, bench, d1.domid, GUEST_RAM + PAGE);
    expect.equal(bench.signal(several, 1), 'sent', 'a message into memory is sent');
    expect.equal(bench.peekWord(landing), 0x1231, 'and is in the memory of the guest');
    for (const [what, address] of [
      ['memory of the hardware domain', hardwareDomainPage(bench)],
      ["the machine's own doorbell", MACHINE_SERVICE + TRANSLATER],
      ["the machine's command queue register", MACHINE_SERVICE + 0x88],
      ['the page behind the doorbell', doorbell + PAGE],
      ["the registers of the guest's service", base],
    ] as const) {
      d1.pci.enableMsi(requester, { address, data: 0 }, 1);
      expect.equal(bench.signal(several, 0), 'aborted', `a message at ${what} is aborted`);
      denied(expect, bench.dmaWrite(several, address), `DMA at ${what}`);
    }
    takesNothing(expect, bench, 'none was written at the doorbell', d1);
    for (let page = 1; page < 16; page++) {
      cannotUse(expect, bench, d1.domid, base + 0x1_0000 + page * PAGE, 'beside the doorbell');
    }
    for (const offset of [0, 0x88, TRANSLATER]) {
      cannotUse(expect, bench, d1.domid, MACHINE_SERVICE + offset, "the machine's service");
    }
    bench.store(d1.domid, doorbell, 0);
    takesNothing(expect, bench, 'a CPU has no DeviceID', d1);
    d1.pci.enableMsi(requester, { address: doorbell, data: 0 }, 1);
    takesMessage(expect, bench, d1, several, [1, lpis[1] as number]);
    reaches(expect, bench, several, d1.domid, GUEST_RAM + PAGE);
  },
);

check(
  ID,
  'after deassignment nothing comes of a device, neither what was pending nor what it goes on writing',
  (given) => {
    const { bench, expect } = given;
    const { several, one, msix } = messageDevices(bench);
    const d1 = guestWith(expect, bench, several, one);
    const { deviceId, lpis } = d1.enableMessages(several, { vectors: 8, kind: 'msi' });
    const stays = d1.enableMessages(one, { vcpu: 1 });
    // Pending at the vCPU; disabled and pending; and on its way to a CPU.
    bench.signal(several, 0);
    d1.service.configure(deviceId, 1, lpis[1] as number, false);
    bench.signal(several, 1);
    bench.rest();
    occupyCpus(bench);
    bench.signal(several, 2);
    let accesses = 0;
    const busy = () => {
      if (accesses++ % 4 === 0) bench.dmaStart(several, d1.service.doorbell, 3);
    };
    expect.equal(
      bench.between(busy, () => bench.deassign(d1.domid, several)),
      0,
      'the device is taken away',
    );
    expect.equal(bench.signal(several, 0), 'disabled', 'its messages are off');
    expect.ok(!writes(bench, several, d1.service.doorbell, 0), 'the doorbell is out of its reach');
    takesNothing(expect, bench, 'it has lost the device', d1);
    d1.service.configure(deviceId, 1, lpis[1] as number, true);
    for (const event of [0, 1, 2, 3]) d1.service.raise(deviceId, event);
    takesNothing(expect, bench, 'its events are gone', d1);
    takesMessage(expect, bench, d1, one, [0, stays.lpis[0] as number, 1]);

    // Whoever gets an interrupt of the machine that was used for it gets nothing that was meant for another.
    const d2 = guestWith(expect, bench, msix);
    d2.enableMessages(msix, { vectors: 4 });
    takesNothing(expect, bench, 'its own device has sent nothing', d2);
    expect.equal(bench.assign(d2.domid, several), 0, 'the device goes to the next domain');
    takesNothing(expect, bench, 'that has enabled none of its messages', d1, d2);
    const next = d2.enableMessages(several, { vectors: 8, kind: 'msi' });
    takesNothing(expect, bench, 'the device has sent nothing since', d1, d2);
    for (const vector of [0, 1, 2, 7]) {
      takesMessage(expect, bench, d2, several, [vector, next.lpis[vector] as number]);
      takesNothing(expect, bench, 'the device is not its own any more', d1);
    }
    takesMessage(expect, bench, d2, msix, [0, FIRST_LPI]);
  },
);

check(
  ID,
  'an interrupt of the machine that changes hands brings nothing of the device that had it',
  ({ bench, expect }) => {
    const { several, one, msix } = messageDevices(bench);
    const d1 = guestWith(expect, bench, several);
    const d2 = guestWith(expect, bench, one);
    const { lpis } = d1.enableMessages(several, { vectors: 4, kind: 'msi', vcpu: 1 });
    takesMessage(expect, bench, d1, several, [0, lpis[0] as number, 1]);
    // Sent to a CPU that takes no interrupts until another guest has its own messages there.
    occupyCpus(bench);
    for (let vector = 0; vector < 4; vector++) expect.equal(bench.signal(several, vector), 'sent', 'the device sends');
    expect.equal(bench.deassign(d1.domid, several), 0, 'the device is taken away');
    expect.equal(bench.assign(d2.domid, msix), 0, 'another guest gets a device');
    const own = d2.enableMessages(msix, { vectors: 4 });
    takesNothing(expect, bench, 'its device has sent nothing', d1, d2);
    for (let vector = 0; vector < 4; vector++) {
      takesMessage(expect, bench, d2, msix, [vector, own.lpis[vector] as number]);
    }
    takesNothing(expect, bench, 'it has lost its device', d1);
  },
);

check(ID, "a device of a domain that is gone raises nobody's interrupt", ({ bench, expect }) => {
  const { several, msix, hardwareDomains } = messageDevices(bench);
  const d1 = guestWith(expect, bench, several, msix);
  d1.enableMessages(several, { vectors: 8, kind: 'msi' });
  d1.enableMessages(msix, { vectors: 4 });
  for (const device of [several, msix]) bench.signal(device, 0);
  bench.rest();
  occupyCpus(bench);
  for (const device of [several, msix]) for (const vector of [1, 2, 3]) bench.signal(device, vector);
  expect.equal(bench.destroy(d1.domid), 0, 'the domain is destroyed');
  const d2 = guestWith(expect, bench, hardwareDomains);
  const others = d2.enableMessages(hardwareDomains, { vectors: 4, kind: 'msi' });
  takesNothing(expect, bench, 'its device has sent nothing', d2);
  for (const device of [several, msix]) {
    expect.equal(bench.signal(device, 1), 'disabled', `messages of ${nameOf(device)} are off`);
    expect.ok(!writes(bench, device, d1.service.doorbell, 1), `the doorbell is out of reach of ${nameOf(device)}`);
  }
  takesNothing(expect, bench, 'the devices are in quarantine', d2);
  const d3 = guestWith(expect, bench, several);
  const { lpis } = d3.enableMessages(several, { vectors: 8, kind: 'msi' });
  takesNothing(expect, bench, 'the device has sent nothing since', d2, d3);
  takesMessage(expect, bench, d3, several, [5, lpis[5] as number]);
  takesMessage(expect, bench, d2, hardwareDomains, [3, others.lpis[3] as number]);
});

check(ID, "events of a device that goes back to the hardware domain end as a guest's do", ({ bench, expect }) => {
  const { one, msix, hardwareDomains } = messageDevices(bench);
  const d1 = guestWith(expect, bench, hardwareDomains);
  const d2 = guestWith(expect, bench, one);
  const before = d1.enableMessages(hardwareDomains, { vectors: 4, kind: 'msi' });
  for (const [vector, lpi] of before.lpis.entries()) takesMessage(expect, bench, d1, hardwareDomains, [vector, lpi]);
  expect.equal(bench.deassign(d1.domid, hardwareDomains), 0, 'the guest loses the device');
  expect.equal(bench.deassign(QUARANTINE, hardwareDomains), 0, 'the hardware domain gets it back');
  // What is free at the machine now is used for another.
  expect.equal(bench.assign(d2.domid, msix), 0, 'another guest gets another device');
  d2.enableMessages(msix, { vectors: 4 });
  const d0 = hardwareDomain(bench);
  const requester = d0.find(hardwareDomains) as number;
  d0.pci.enable(requester);
  for (const event of [0, 1, 2, 31]) {
    expect.ok(writes(bench, hardwareDomains, d0.service.doorbell, event), 'the device reaches the doorbell');
    takesNothing(expect, bench, 'no event of the device is mapped', d0, d1, d2);
  }
  const { lpis } = d0.enableMessages(hardwareDomains, { vectors: 4, kind: 'msi' });
  takesMessage(expect, bench, d0, hardwareDomains, [3, lpis[3] as number]);
  takesNothing(expect, bench, 'the device is not its own', d1, d2);
});
