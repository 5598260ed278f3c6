/** Assign a single device to a single domain: a domain that asks for a device of another is not created. */
import { DeviceNode, stringBytes } from '../../src/firmware/tree.js';
import { created, givenUp, hardwareDomainPage, learnt, reaches, unreachable } from '../arranging.js';
import { check } from '../bench.js';
import { hasRegisters } from '../device-registers.js';
import { GUEST_RAM, type PlatformRole, type Role } from '../devices.js';
import { hostPassthroughDevice } from '../passthrough-tree.js';
import {
  hasAllRegisters,
  interruptsOf,
  lacksAllRegisters,
  reachesOnAllStreams,
  takesInterrupts,
  takesNoInterrupts,
  unreachableOnAllStreams,
} from '../platform/driving.js';
import { changes, leavesNothing, SMALL, standing } from './standing.js';
import { noneAfter, undisturbed } from './undisturbed.js';

const ID = 'XenSwdgn~passthrough_assign_single_dev_to_single_dom~1';
const PCI = { aspect: 'pci' };
const PLATFORM = { aspect: 'platform' };

const PAGE = 0x1000;
const ESRCH = -3;
const ENODEV = -19;
const EBUSY = -16;
const EINVAL = -22;

check(
  ID,
  'a platform device that a domain has keeps another domain from being created, which leaves nothing',
  PLATFORM,
  ({ bench, expect }) => {
    const { withInterrupt, severalStreams } = bench.devices.platform;
    const d1 = created(expect, bench.create({ ...SMALL, devices: [withInterrupt] }));
    for (const devices of [[withInterrupt], [severalStreams, withInterrupt], [withInterrupt, severalStreams]]) {
      const without = devices.filter((device) => device !== withInterrupt);
      leavesNothing(expect, bench, { ...SMALL, devices: without }, () => {
        expect.deepEqual(
          bench.create({ ...SMALL, devices }),
          { error: EBUSY },
          'another domain has the device: -EBUSY',
        );
      });
    }
    noneAfter(expect, bench, d1 + 6);
    const d2 = created(expect, bench.create({ ...SMALL, devices: [severalStreams] }));
    hasAllRegisters(expect, bench, d2, severalStreams);
    lacksAllRegisters(expect, bench, d2, withInterrupt);
    reachesOnAllStreams(expect, bench, severalStreams, d2, GUEST_RAM);
    takesInterrupts(expect, bench, d2, severalStreams);
    takesNoInterrupts(expect, bench, d2, withInterrupt);
    hasAllRegisters(expect, bench, d1, withInterrupt);
    takesInterrupts(expect, bench, d1, withInterrupt);
    reachesOnAllStreams(expect, bench, withInterrupt, d1, GUEST_RAM);
    lacksAllRegisters(expect, bench, d1, severalStreams);
  },
);

check(
  ID,
  'the domain that has a platform device has it undisturbed while another asks for it',
  PLATFORM,
  ({ bench, expect }) => {
    const { withInterrupt, severalStreams } = bench.devices.platform;
    const [line] = interruptsOf(bench, withInterrupt);
    const d1 = created(expect, bench.create({ ...SMALL, devices: [withInterrupt] }));
    const controller = bench.interruptController(d1);
    takesInterrupts(expect, bench, d1, withInterrupt, controller);
    if (line !== undefined) controller.enable(line.intid, { edge: line.edge });
    undisturbed(expect, bench, withInterrupt, d1, () => {
      bench.setLine(withInterrupt, 0, true);
      const result = bench.create({ ...SMALL, devices: [severalStreams, withInterrupt] });
      expect.deepEqual(result, { error: EBUSY }, 'another domain has the device: -EBUSY');
    });
    expect.deepEqual(
      controller.take(0, () => bench.setLine(withInterrupt, 0, false)),
      line === undefined ? [] : [line.intid],
      'the interrupt that the device raised meanwhile has arrived, once',
    );
    takesInterrupts(expect, bench, d1, withInterrupt, controller);
    hasAllRegisters(expect, bench, d1, withInterrupt);
    unreachable(expect, bench, withInterrupt, hardwareDomainPage(bench), 'memory of the hardware domain');
    unreachableOnAllStreams(expect, bench, severalStreams, GUEST_RAM, 'nobody has the device');
  },
);

check(ID, 'a node is one device by whatever name it is asked for', PLATFORM, ({ bench: first, expect }) => {
  const { severalStreams } = first.devices.platform;
  const bench = first.powerOnAnother(undefined, ({ root }) => {
    const aliases = root.children.find(({ name }) => name === 'aliases') ?? new DeviceNode('aliases');
    if (aliases.parent === undefined) root.append(aliases);
    aliases.properties.set('card', stringBytes(severalStreams.path));
    const symbols = new DeviceNode('__symbols__');
    symbols.properties.set('gpu_label', stringBytes(severalStreams.path));
    root.append(symbols);
  });
  bench.boot();
  // Each asks for other registers, so that only the node is what they have in common.
  const { regions } = hostPassthroughDevice(bench.hostTree, severalStreams.path);
  const named = (path: string, region: number) => ({
    path,
    name: `part-${region}`,
    regions: regions.slice(region, region + 1),
  });
  const names = [severalStreams.path, 'card', 'gpu_label'];
  const twice = { ...SMALL, platform: [named(severalStreams.path, 0), named('card', 1)] };
  leavesNothing(expect, bench, SMALL, () => {
    expect.deepEqual(bench.create(twice), { error: EBUSY }, 'one configuration has the node twice: -EBUSY');
  });
  for (const first of names) {
    const d1 = created(expect, bench.create({ ...SMALL, platform: [named(first, 0)] }));
    const d2 = created(expect, bench.create({ ...SMALL, passthrough: 'enabled' }));
    for (const other of names) {
      const asked = bench.create({ ...SMALL, platform: [named(other, 1)] });
      expect.deepEqual(asked, { error: EBUSY }, `${other} is the device that ${first} is: -EBUSY`);
      expect.equal(bench.assign(d2, other), EBUSY, `nor is ${other} assigned by a hypercall: -EBUSY`);
      expect.equal(bench.testAssign(d2, other), EINVAL, `${other} is not free`);
    }
    reachesOnAllStreams(expect, bench, severalStreams, d1, GUEST_RAM);
    for (const domid of [d1, d2]) {
      expect.equal(bench.destroy(domid), 0, `d${domid} is destroyed`);
      bench.ledger.forget(domid);
    }
  }
});

check(
  ID,
  'a platform device of the hardware domain is refused to a guest until it is given up',
  PLATFORM,
  ({ bench, expect }) => {
    const { hardwareDomains, withoutInterrupt, severalStreams } = bench.devices.platform;
    const device: PlatformRole = hardwareDomains ?? withoutInterrupt;
    if (hardwareDomains === undefined) expect.equal(bench.assign(0, device), 0, 'the hardware domain takes the device');
    const page = hardwareDomainPage(bench);
    reaches(expect, bench, device, 0, page);
    leavesNothing(expect, bench, { ...SMALL, devices: [severalStreams] }, () => {
      const asked = bench.create({ ...SMALL, devices: [severalStreams, device] });
      expect.deepEqual(asked, { error: EBUSY }, 'the hardware domain has the device: -EBUSY');
    });
    const d1 = created(expect, bench.create({ ...SMALL, passthrough: 'enabled' }));
    expect.equal(bench.assign(d1, device), EBUSY, 'nor is it assigned by a hypercall: -EBUSY');
    expect.equal(bench.testAssign(d1, device), EINVAL, 'it is not free');
    reaches(expect, bench, device, 0, page);

    givenUp(expect, bench, device);
    const d2 = created(expect, bench.create({ ...SMALL, devices: [device] }));
    reaches(expect, bench, device, d2, GUEST_RAM);
    unreachable(expect, bench, device, page, 'memory of the hardware domain');
  },
);

check(
  ID,
  'registers that a domain has are refused to every other, with a path or without',
  PLATFORM,
  ({ bench, expect }) => {
    const { withoutDma, withInterrupt } = bench.devices.platform;
    const { two } = bench.devices.registers;
    const wanted = (device: PlatformRole, force: boolean) => ({
      ...hostPassthroughDevice(bench.hostTree, device.path),
      force,
    });
    const plain = {
      regions: [{ machine: two.address, size: two.size, guest: 0x0b00_0000 }],
      force: true,
      name: 'plain',
    };
    const d1 = created(
      expect,
      bench.create({ ...SMALL, platform: [wanted(withoutDma, true), wanted(withInterrupt, false), plain] }),
    );
    for (const device of [withoutDma, withInterrupt]) {
      const { regions } = wanted(device, true);
      const pathless = {
        regions: regions.map((one) => ({ ...one, guest: 0x0c00_0000 })),
        force: true,
        name: 'pathless',
      };
      for (const platform of [[wanted(device, true)], [pathless]]) {
        leavesNothing(expect, bench, SMALL, () => {
          expect.deepEqual(
            bench.create({ ...SMALL, platform }),
            { error: EBUSY },
            'another domain has the registers: -EBUSY',
          );
        });
      }
      hasAllRegisters(expect, bench, d1, device);
      takesInterrupts(expect, bench, d1, device);
    }
    const part = { ...plain, regions: [{ machine: two.address + two.size - PAGE, size: PAGE, guest: 0x0b00_0000 }] };
    expect.deepEqual(bench.create({ ...SMALL, platform: [part] }), { error: EBUSY }, 'nor a page of them: -EBUSY');
  },
);

for (const aspect of [PCI, PLATFORM]) {
  const kind = aspect === PCI ? 'PCI' : 'platform';
  check(
    ID,
    `hypercalls give a ${kind} device to one domain, and take it from that one alone`,
    aspect,
    ({ bench, expect }) => {
      const { kept, platform } = bench.devices;
      const device: Role = aspect === PCI ? kept.first : platform.withoutInterrupt;
      const d1 = created(expect, bench.create({ ...SMALL, devices: [device] }));
      const d2 = created(expect, bench.create({ ...SMALL, passthrough: 'enabled' }));
      learnt(expect, bench, d2, GUEST_RAM);
      const before = standing(bench);
      for (const domid of [d1, d2]) {
        expect.equal(bench.assign(domid, device), EBUSY, `d${d1} has the device: -EBUSY for d${domid}`);
        expect.equal(bench.testAssign(domid, device), EINVAL, `the device is not free for d${domid}`);
      }
      expect.equal(bench.deassign(d2, device), aspect === PCI ? ENODEV : ESRCH, 'the other domain has nothing to lose');
      expect.deepEqual(changes(before, standing(bench)), [], 'what hardware goes by is as it was');
      reaches(expect, bench, device, d1, GUEST_RAM);

      expect.equal(bench.deassign(d1, device), 0, 'the device is taken from its domain');
      unreachable(expect, bench, device, GUEST_RAM, 'nobody has the device');
      expect.equal(bench.testAssign(d2, device), 0, 'the device is free');
      expect.equal(bench.assign(d2, device), 0, 'the device is assigned to the other domain');
      reaches(expect, bench, device, d2, GUEST_RAM);
      expect.deepEqual(bench.create({ ...SMALL, devices: [device] }), { error: EBUSY }, 'it is not free again: -EBUSY');
      expect.equal(bench.assign(d1, device), EBUSY, 'nor for the domain that had it: -EBUSY');
      reaches(expect, bench, device, d2, GUEST_RAM);
    },
  );

  check(
    ID,
    `a ${kind} device can be another domain's when its domain has been destroyed`,
    aspect,
    ({ bench, expect }) => {
      const { kept, platform } = bench.devices;
      const device: Role = aspect === PCI ? kept.first : platform.withInterrupt;
      const d1 = created(expect, bench.create({ ...SMALL, devices: [device] }));
      expect.deepEqual(bench.create({ ...SMALL, devices: [device] }), { error: EBUSY }, 'the device is taken: -EBUSY');
      expect.equal(bench.destroy(d1), 0, 'its domain is destroyed');
      bench.ledger.forget(d1);
      const d2 = created(expect, bench.create({ ...SMALL, devices: [device] }));
      reaches(expect, bench, device, d2, GUEST_RAM);
      hasRegisters(expect, bench, d2, device);
      expect.deepEqual(bench.create({ ...SMALL, devices: [device] }), { error: EBUSY }, 'and taken again: -EBUSY');
      reaches(expect, bench, device, d2, GUEST_RAM);
    },
  );
}
