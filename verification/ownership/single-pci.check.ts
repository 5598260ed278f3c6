/** Assign a single device to a single domain: PCI devices. */
import { created, reaches, unreachable } from '../arranging.js';
import { check } from '../bench.js';
import { hasRegisters, lacksRegisters } from '../device-registers.js';
import { GUEST_RAM, type Role } from '../devices.js';
import { Messages, WITH_MESSAGES } from './messages.js';
import { leavesNothing, SMALL } from './standing.js';
import { noneAfter, undisturbed } from './undisturbed.js';

const ID = 'XenSwdgn~passthrough_assign_single_dev_to_single_dom~1';
const PCI = { aspect: 'pci' };
const EBUSY = -16;

check(
  ID,
  'a PCI device that a domain has keeps another domain from being created, which leaves nothing',
  PCI,
  ({ bench, expect }) => {
    const { first, second, apart } = bench.devices.kept;
    const { severalStreams } = bench.devices.platform;
    const d1 = created(expect, bench.create({ ...SMALL, devices: [first] }));
    for (const spare of [second, apart, severalStreams]) {
      leavesNothing(expect, bench, { ...SMALL, devices: [spare] }, () => {
        const asked = bench.create({ ...SMALL, devices: [spare, first] });
        expect.deepEqual(asked, { error: EBUSY }, 'another domain has the device: -EBUSY');
      });
    }
    noneAfter(expect, bench, d1 + 6);
    const d2 = created(expect, bench.create({ ...SMALL, devices: [second] }));
    reaches(expect, bench, second, d2, GUEST_RAM);
    hasRegisters(expect, bench, d2, second);
    lacksRegisters(expect, bench, d2, first);
    reaches(expect, bench, first, d1, GUEST_RAM);
    hasRegisters(expect, bench, d1, first);
  },
);

check(ID, 'PCI devices of one number in two segments are two devices', PCI, ({ bench, expect }) => {
  const { first, apart } = bench.devices.kept;
  if (!('bus' in first) || !('bus' in apart)) return expect.fail('the devices are PCI functions');
  const other = { ...first, segment: apart.segment };
  const d1 = created(expect, bench.create({ ...SMALL, devices: [first, apart] }));
  for (const device of [first, apart]) {
    expect.deepEqual(bench.create({ ...SMALL, devices: [device] }), { error: EBUSY }, 'the device is taken: -EBUSY');
  }
  const d2 = created(expect, bench.create({ ...SMALL, devices: [other] }));
  reaches(expect, bench, other, d2, GUEST_RAM);
  for (const device of [first, apart]) reaches(expect, bench, device, d1, GUEST_RAM);
});

check(ID, 'one configuration gets a PCI device once', PCI, ({ bench, expect }) => {
  const { first, second, apart } = bench.devices.kept;
  const { severalStreams } = bench.devices.platform;
  for (const devices of [
    [first, first],
    [second, apart, second],
    [severalStreams, first, first],
  ] as Role[][]) {
    leavesNothing(expect, bench, { ...SMALL, devices: [...new Set(devices)] }, () => {
      expect.deepEqual(bench.create({ ...SMALL, devices }), { error: EBUSY }, 'a device is there twice: -EBUSY');
    });
    for (const device of devices) unreachable(expect, bench, device, GUEST_RAM, 'nobody has the device');
  }
});

check(ID, 'the domain that has a PCI device has it undisturbed while another asks for it', PCI, ({ bench, expect }) => {
  const { first, second } = bench.devices.kept;
  const { severalStreams } = bench.devices.platform;
  const d1 = created(expect, bench.create({ memory: WITH_MESSAGES, devices: [first] }));
  const messages = new Messages(bench, d1, first);
  messages.arrive(expect);
  undisturbed(expect, bench, first, d1, () => {
    const devices = [severalStreams, second, first];
    expect.equal(bench.signal(first, 0), 'sent', 'the device sends a message meanwhile');
    expect.deepEqual(bench.create({ ...SMALL, devices }), { error: EBUSY }, 'another domain has the device: -EBUSY');
  });
  expect.equal(messages.take().length, 1, 'the message that the device sent meanwhile has arrived, once');
  messages.arrive(expect);
  hasRegisters(expect, bench, d1, first);
  for (const spare of [second, severalStreams]) unreachable(expect, bench, spare, GUEST_RAM, 'nobody has the device');
});
