import t from 'tap';
import { DeviceNode } from '../../firmware/node.js';
import { cellBytes } from '../../firmware/tree.js';
import { pa } from '../../hw/address.js';
import { assignment, createGuest } from '../xen.test-support.js';
import { type Bench, bench, DEVICE, DEVICE_ID, deviceOf } from './its.test-support.js';
import type { HostIts, HostItsDevice } from './state.js';

/** Where the board has its ITS and the first redistributor. */
const ITS = 0x0808_0000;
const GICR = 0x080a_0000;

const service = ({ state }: Bench): HostIts => state.its.services[0] as HostIts;

/** Commands as they are sent, by name and their fields in the order of 5.3. */
function recording(): { readonly commands: string[]; readonly start: () => Bench } {
  const commands: string[] = [];
  const hex = (value: number | undefined) => (value ?? 0).toString(16);
  const start = () =>
    bench((steps) => ({
      its: {
        ...steps.its,
        sendCommand(xen, its, words) {
          const [w0 = 0, device, event, w3, w4 = 0, w5 = 0] = words;
          const name: Record<number, string> = {
            1: `MOVI ${hex(device)} ${hex(event)} coll ${hex(w4 & 0xffff)}`,
            5: `SYNC rd ${hex((w5 * 2 ** 16 + (w4 >>> 16)) >>> 0)}`,
            8: w5 >>> 31 ? `MAPD ${hex(device)} size ${hex((event ?? 0) & 31)}` : `MAPD ${hex(device)} V=0`,
            9: `MAPC ${hex(w4 & 0xffff)} rd ${hex(w4 >>> 16)} ${w5 >>> 31}`,
            10: `MAPTI ${hex(device)} ${hex(event)} lpi ${w3} coll ${hex(w4 & 0xffff)}`,
            13: `INVALL coll ${hex(w4 & 0xffff)}`,
            15: `DISCARD ${hex(device)} ${hex(event)}`,
          };
          commands.push(name[w0 & 0xff] ?? `command ${hex(w0)}`);
          return steps.its.sendCommand(xen, its, words);
        },
      },
    }));
  return { commands, start };
}

t.test('at boot every redistributor has its LPIs enabled, and the service a collection for each CPU', async (t) => {
  const { commands, start } = recording();
  const booted = start();
  const { machine } = booted;
  const read64 = (address: number) => machine.mmio.read64(pa(address));
  t.equal(machine.mmio.read(pa(ITS), 4) & 1, 1, 'GITS_CTLR.Enabled');
  t.equal(read64(ITS + 0x80).hi >>> 31, 1, 'GITS_CBASER.Valid');
  const tables = Array.from({ length: 8 }, (_, n) => read64(ITS + 0x100 + 8 * n).hi);
  const valid = tables.filter((hi) => hi >>> 31).map((hi) => (hi >>> 24) & 7);
  t.same(valid.sort(), [1, 4], 'devices and collections');
  t.same(read64(ITS + 0x90), read64(ITS + 0x88), 'CREADR has reached CWRITER');
  const properties = new Set<number>();
  for (let cpu = 0; cpu < 4; cpu++) {
    const frame = GICR + cpu * 0x2_0000;
    t.equal(machine.mmio.read(pa(frame), 4) & 1, 1, 'GICR_CTLR.EnableLPIs');
    t.equal(read64(frame + 0x70).lo & 31, 13, 'GICR_PROPBASER.IDbits: 14 bits');
    properties.add(Math.floor(read64(frame + 0x70).lo / 0x1000));
    t.equal(read64(frame + 0x78).lo & 0xf000, 0, 'GICR_PENDBASER: a multiple of 64 KiB');
  }
  t.equal(properties.size, 1, 'one property table');
  t.same(
    commands,
    [0, 1, 2, 3].flatMap((cpu) => [`MAPC ${cpu} rd ${cpu} 1`, `SYNC rd ${cpu}`]),
  );
  t.same(booted.problems, []);
});

t.test('a device of a guest has all its events mapped while the guest has it, and none afterwards', async (t) => {
  const { commands, start } = recording();
  const booted = start();
  const before = booted.state.heap.free;
  commands.length = 0;
  const domid = createGuest(booted.xen, [DEVICE]);
  const lpis = Array.from({ length: 32 }, (_, n) => 8192 + n);
  t.same(commands, [
    'MAPD 500 size 4',
    ...lpis.map((lpi, event) => `MAPTI 500 ${event.toString(16)} lpi ${lpi} coll 0`),
    'INVALL coll 0',
    'SYNC rd 0',
  ]);
  const table = service(booted).devices.get(DEVICE_ID) as HostItsDevice;
  t.equal(table.itt.address % 256, 0, 'the table is 256-byte aligned');
  const properties = booted.state.its.lpis?.properties ?? 0;
  t.same([...booted.machine.memory.peek(pa(properties + 31), 2)], [0xa3, 0xa2], 'enabled, and the next one not');
  commands.length = 0;
  t.equal(assignment(booted, 47, domid, DEVICE), 0);
  t.same(commands, [
    ...lpis.map((_, event) => `DISCARD 500 ${event.toString(16)}`),
    'MAPD 500 V=0',
    'INVALL coll 0',
    'SYNC rd 0',
  ]);
  t.same([...booted.machine.memory.peek(pa(properties + 31), 2)], [0xa2, 0xa2]);
  t.equal(service(booted).devices.size, 0);
  t.equal(booted.xen.console.at(-1), `(XEN) ${DEVICE} deassigned from d1, now of d[IO]`);
  const { steps, domains } = booted.state;
  const domain = domains.get(domid);
  t.equal(domain && steps.domain.destroy(booted.state, domain), 0);
  t.equal(booted.state.heap.free, before, 'as many frames are free as before');
  t.same(booted.problems, []);
});

t.test('what a device cannot be mapped with is refused', async (t) => {
  const booted = bench();
  const { state } = booted;
  const its = service(booted);
  const map = (deviceId: number, events: number, on = its) =>
    state.steps.its.mapDevice(state, on, deviceId, events, undefined);
  t.equal(map(2 ** 17, 1), -22, 'EINVAL: 17 bits of DeviceID');
  t.equal(map(7, 2 ** 16 + 1), -22, 'EINVAL: 16 bits of EventID');
  t.equal(map(7, 1, { ...its }), -2, 'ENOENT: no service of the machine');
  const device = map(7, 33) as HostItsDevice;
  t.equal(device.events, 64, 'a power of two');
  t.equal(map(7, 1), -16, 'EBUSY');
  t.equal(map(8, 8192), -28, 'ENOSPC: 64 LPIs are taken');
  t.equal((map(8, 4096) as unknown) instanceof Object, true, 'more commands than the queue holds');
  t.equal(map(9, 4096), -28);
  t.equal(state.steps.its.unmapDevice(state, device), 0);
  t.type(map(7, 64), 'object', 'free again');
  t.same(booted.problems, []);
});

t.test('a service that does not answer: the error is told, and nothing that it may use is free', async (t) => {
  let silent = false;
  const booted = bench((steps) => ({
    its: {
      ...steps.its,
      publish(xen, its) {
        if (!silent) steps.its.publish(xen, its);
      },
    },
  }));
  const { state, xen } = booted;
  const domid = createGuest(xen, [DEVICE]);
  const free = state.its.lpis?.freeBlocks.length;
  silent = true;
  t.equal(assignment(booted, 47, domid, DEVICE), -5, 'EIO');
  t.ok(xen.console.some((line) => line.includes('commands are not consumed')));
  t.equal(state.its.lpis?.freeBlocks.length, free);
  t.ok(service(booted).devices.has(DEVICE_ID));
  silent = false;
  t.equal(assignment(booted, 47, domid, DEVICE), 0, 'the next attempt ends it');
  t.equal(state.its.lpis?.freeBlocks.length, (free ?? 0) + 1);
});

t.test('a service that stops at a command goes on behind it, and whoever waits is told', async (t) => {
  let stalled = 0;
  const booted = bench((steps) => ({
    its: {
      ...steps.its,
      readRegister64(xen, its, offset) {
        const words = steps.its.readRegister64(xen, its, offset);
        if (offset === 0x90 && stalled > 0) {
          stalled--;
          words[0] = ((words[0] ?? 0) | 1) >>> 0;
        }
        return words;
      },
    },
  }));
  const { state, xen } = booted;
  stalled = 1;
  t.equal(state.steps.its.sync(state, service(booted), 0), -5, 'EIO');
  t.match(xen.console.at(-1), /command 0x[0-9a-f]+ failed; skipped/);
  t.equal(state.steps.its.sync(state, service(booted), 0), 0);
});

t.test("DeviceIDs come from the host bridge's msi-map", async (t) => {
  const booted = bench();
  const { state } = booted;
  const idOf = (name: string) => {
    const id = state.steps.its.deviceIdOf(state, deviceOf(booted, name));
    return typeof id === 'object' ? id.deviceId : id;
  };
  t.equal(idOf('0000:00:02.0'), 0x10);
  t.equal(idOf(DEVICE), DEVICE_ID);
  t.equal(idOf('0001:00:02.0'), 0x1_0010, 'segment 1 begins at 0x10000');

  const its = service(booted).node.phandle ?? 0;
  const mapped = (map: readonly number[] | undefined, requester: number, more: Record<string, number[]> = {}) => {
    const node = new DeviceNode('pcie');
    if (map !== undefined) node.properties.set('msi-map', cellBytes(...map));
    for (const [name, cells] of Object.entries(more)) node.properties.set(name, cellBytes(...cells));
    const bridge = { ...(state.platform.hostBridges[0] as (typeof state.platform.hostBridges)[number]), node };
    const id = state.steps.its.mapId(state, bridge, requester);
    return typeof id === 'object' ? id.deviceId : id;
  };
  t.equal(mapped(undefined, 5), undefined, 'no map, no service');
  t.equal(mapped(undefined, 5, { 'msi-parent': [its] }), 5);
  t.equal(mapped([0x100, its, 0x40, 0x10], 0x10f), 0x4f);
  t.equal(mapped([0x100, its, 0x40, 0x10], 0x110), undefined, 'one too far');
  t.equal(mapped([0, its, 0], 0), -22, 'EINVAL: cut short');
  t.equal(mapped([0x100, its, 0, 1], 0x100, { 'msi-map-mask': [0xff] }), -14, 'EFAULT: the mask removes the base');
  t.equal(mapped([0, its + 4711, 0, 1], 0), -19, 'ENODEV: no service');
});

t.test("messages of Xen's own: each has a handler, and a DeviceID of a guest is not for it", async (t) => {
  const booted = bench();
  const { state, machine } = booted;
  const node = new DeviceNode('iommu');
  node.properties.set('msi-parent', cellBytes(service(booted).node.phandle ?? 0, 0x1234));
  const handled: string[] = [];
  const ask = (name: string) => state.steps.its.allocateForXen(state, node, () => void handled.push(name));
  t.same(ask('gerror'), { address: 0x0809_0040, data: 0 });
  t.same(ask('eventq'), { address: 0x0809_0040, data: 1 });
  // INT 0x1234, 1 (5.3).
  state.steps.its.sendCommand(state, service(booted), Uint32Array.of(3, 0x1234, 1, 0, 0, 0, 0, 0));
  t.equal(state.steps.its.sync(state, service(booted), 0), 0);
  machine.cpus.takeInterrupts(0);
  t.same(handled, ['eventq']);
  for (let n = 2; n < 32; n++) t.type(ask('more'), 'object');
  t.equal(ask('one too many'), -28, 'ENOSPC');
  t.equal(
    state.steps.its.allocateForXen(state, new DeviceNode('plain'), () => {}),
    -19,
    'ENODEV',
  );
  createGuest(booted.xen, [DEVICE]);
  node.properties.set('msi-parent', cellBytes(service(booted).node.phandle ?? 0, DEVICE_ID));
  t.equal(ask('of a guest'), -16, 'EBUSY');
  t.same(booted.problems, []);
});
