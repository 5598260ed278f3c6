import t from 'tap';
import { pa } from '../address.js';
import { Bus } from '../bus.js';
import { Latency } from '../latency.js';
import { PhysicalMemory } from '../memory.js';
import { type HardwareEvent, Observer } from '../observer.js';
import type { Transaction } from '../transaction.js';
import { PciBridge } from './bridge.js';
import { DmaDevice } from './dma-device.js';
import { MemoryRequestPort } from './memory-port.js';
import { RootComplex } from './root-complex.js';

const BAR = { index: 0, size: 0x1000, is64Bit: false, prefetchable: false };

/** Segment 2, buses 0x10 to 0x1f: an endpoint at 1.0, a root port at 2.0, behind it a switch of one downstream port. */
function example() {
  const memory = new PhysicalMemory();
  memory.addRange(pa(0x4000_0000), 0x10_0000);
  const observer = new Observer();
  const events: HardwareEvent[] = [];
  observer.onEvent((event) => events.push(event));
  const latency = new Latency(1, 0);
  const port = new MemoryRequestPort(new Bus(memory));
  const requests: Transaction[] = [];
  const upstream = {
    request: (transaction: Transaction) => {
      requests.push(transaction);
      return port.request(transaction);
    },
    begin: (transaction: Transaction) => {
      requests.push(transaction);
      return port.begin(transaction);
    },
  };
  const rootComplex = new RootComplex({ name: 'pcie', segment: 2, firstBus: 0x10, lastBus: 0x1f, upstream, observer });
  const common = { rootComplex, latency, observer, bars: [BAR], function: 0 };
  const first = new DmaDevice({ ...common, bus: rootComplex.bus, device: 1 });
  const bridge = { function: 0, vendorId: 0x1234, deviceId: 1 };
  const rootPort = new PciBridge({ ...bridge, device: 2, portType: 'root port' }, rootComplex.bus);
  rootComplex.bus.add(rootPort);
  const upstreamPort = new PciBridge({ ...bridge, device: 0, portType: 'upstream port' }, rootPort.bus);
  rootPort.bus.add(upstreamPort);
  const last = new DmaDevice({ ...common, bus: upstreamPort.bus, device: 4 });
  const { ecam } = rootComplex;
  // ECAM offsets count from the first bus of the window: (bus - 0x10) << 20 | device << 15 | function << 12.
  const config = {
    read: (bus: number, device: number, offset: number, width: 1 | 2 | 4) =>
      ecam.readRegister((bus - 0x10) * 0x10_0000 + device * 0x8000 + offset, width),
    write: (bus: number, device: number, offset: number, width: 1 | 2 | 4, value: number) =>
      ecam.writeRegister((bus - 0x10) * 0x10_0000 + device * 0x8000 + offset, width, value),
  };
  const number = () => {
    config.write(0x10, 2, 0x18, 4, 0x12_11_10); // primary 0x10, secondary 0x11, subordinate 0x12
    config.write(0x11, 0, 0x18, 4, 0x12_12_11);
  };
  return { rootComplex, first, last, rootPort, upstreamPort, config, number, events, requests, memory };
}

t.test('ECAM reaches functions on the root bus; elsewhere it reads as all ones', async (t) => {
  const { config, rootComplex } = example();
  t.equal(config.read(0x10, 1, 0, 4), 0x0001_5457);
  t.equal(config.read(0x10, 0, 0, 4), 0xffff_ffff);
  t.equal(config.read(0x10, 0, 0, 2), 0xffff);
  t.equal(config.read(0x10, 0, 0, 1), 0xff);
  t.equal(rootComplex.ecam.readRegister(0x8000 + 0x1000, 4), 0xffff_ffff, 'function 1 of device 1');
  t.equal(config.read(0x11, 0, 0, 4), 0xffff_ffff, 'no bridge leads to bus 0x11 yet');
  t.ok(config.write(0x11, 0, 4, 2, 6), 'a write to nothing is dropped');
});

t.test('configuration requests pass bridges by their bus numbers (7.3.3)', async (t) => {
  const { config, number } = example();
  t.equal(config.read(0x10, 2, 0x0e, 1), 1, 'type 1 header');
  t.equal(config.read(0x10, 2, 0x08, 4), 0x0604_0000, 'PCI-to-PCI bridge');
  t.equal(config.read(0x10, 2, 0x42, 2), 0x0042, 'root port');
  number();
  t.equal(config.read(0x11, 0, 0x42, 2), 0x0052, 'upstream port of a switch');
  t.equal(config.read(0x12, 4, 0, 4), 0x0001_5457);
  t.equal(config.read(0x13, 4, 0, 4), 0xffff_ffff, 'beyond the subordinate bus');
  config.write(0x10, 2, 0x1a, 1, 0x11);
  t.equal(config.read(0x12, 4, 0, 4), 0xffff_ffff, 'the root port no longer forwards bus 0x12');
});

t.test('the functions that have an address are those that bus numbers reach', async (t) => {
  const { rootComplex, number } = example();
  const list = () =>
    [...rootComplex.functions()].map(({ sbdf }) => `${sbdf.segment}:${sbdf.bus}:${sbdf.device}.${sbdf.function}`);
  t.same(list(), ['2:16:1.0', '2:16:2.0']);
  number();
  t.same(list(), ['2:16:1.0', '2:16:2.0', '2:17:0.0', '2:18:4.0']);
});

t.test('memory goes down through windows, with memory space enabled in every bridge', async (t) => {
  const { config, number, rootComplex, events } = example();
  const window = rootComplex.window({ physical: 0x5000_0000, pci: 0x1000_0000, size: 0x100_0000, prefetchable: false });
  number();
  config.write(0x12, 4, 0x10, 4, 0x1020_0000);
  config.write(0x12, 4, 0x04, 2, 2);
  for (const [bus, device] of [
    [0x10, 2],
    [0x11, 0],
  ] as const) {
    config.write(bus, device, 0x20, 4, 0x1020_1020); // memory base and limit: 0x10200000 to 0x102fffff
    config.write(bus, device, 0x24, 4, 0x0000_fff0); // no prefetchable window
  }
  t.equal(window.readRegister(0x20_0000, 4), 0xffff_ffff, 'the bridges do not forward yet');
  t.same(events.pop(), {
    kind: 'fault',
    device: 'pcie',
    name: 'unsupported request',
    text: 'read of 4 bytes at PCI address 0x10200000: no function decodes it',
  });
  config.write(0x10, 2, 0x04, 2, 2);
  config.write(0x11, 0, 0x04, 2, 2);
  t.equal(window.readRegister(0x20_0000, 4), 0x3144_5754);
  t.equal(window.readRegister(0x20_1000, 2), 0xffff, 'behind the register');
  t.ok(window.writeRegister(0x20_1000, 4, 1), 'dropped');
  t.equal(events.length, 2);
  config.write(0x10, 2, 0x20, 4, 0x1010_1010);
  t.equal(window.readRegister(0x20_0000, 4), 0xffff_ffff, 'the window of the root port is elsewhere');
  config.write(0x10, 2, 0x20, 4, 0x1000_1020);
  t.equal(window.readRegister(0x20_0000, 4), 0xffff_ffff, 'base above limit: closed');
});

t.test('the prefetchable window has 64-bit addresses', async (t) => {
  const { config, number, rootPort } = example();
  number();
  t.equal(config.read(0x10, 2, 0x24, 4), 0x0001_0001, 'it says so');
  config.write(0x10, 2, 0x04, 2, 2);
  config.write(0x10, 2, 0x20, 4, 0x0000_fff0);
  config.write(0x10, 2, 0x24, 4, 0x0010_0010); // 0x00100000 to 0x001fffff
  config.write(0x10, 2, 0x28, 4, 0x80);
  config.write(0x10, 2, 0x2c, 4, 0x80);
  t.ok(rootPort.forwards(0x80_0010_0000));
  t.ok(rootPort.forwards(0x80_001f_ffff));
  t.notOk(rootPort.forwards(0x80_0020_0000));
  t.notOk(rootPort.forwards(0x0010_0000));
});

t.test('requests go up only through bus masters, under the id that the function learnt', async (t) => {
  const { config, number, last, requests, memory } = example();
  const write = { write: true, hi: 0, lo: 0x4000_0000, data: Uint8Array.of(0xab) };
  number();
  const steps = [
    [0x12, 4],
    [0x11, 0],
    [0x10, 2],
  ] as const;
  for (const [bus, device] of steps) {
    t.equal(last.run(write).ok, false);
    config.write(bus, device, 4, 2, 4);
  }
  t.equal(requests.length, 0, 'nothing reached the root complex');
  t.same(last.run(write), { ok: true, data: undefined });
  t.equal(requests[0]?.segment, 2);
  t.equal(requests[0]?.requester, 0x1220, 'bus 0x12, device 4, function 0');
  t.same(memory.changed(), [{ address: 0x4000_0000, length: 1 }]);
});

t.test('a secondary bus reset resets what is behind the bridge', async (t) => {
  const { config, number } = example();
  number();
  config.write(0x12, 4, 4, 2, 6);
  config.write(0x10, 2, 0x3e, 2, 0x40);
  t.equal(config.read(0x11, 0, 0x18, 4), 0, 'the bus numbers of the switch are gone');
  config.write(0x10, 2, 0x3e, 2, 0);
  number();
  t.equal(config.read(0x12, 4, 4, 2), 0);
});

t.test('a saved root complex is loaded as it was', async (t) => {
  const [one, other] = [example(), example()];
  one.number();
  one.config.write(0x12, 4, 4, 2, 4);
  one.config.write(0x10, 2, 4, 2, 4);
  one.config.write(0x11, 0, 4, 2, 4);
  other.rootComplex.load(one.rootComplex.save());
  t.equal(other.config.read(0x12, 4, 4, 2), 4);
  t.equal(other.last.run({ write: false, hi: 0, lo: 0x4000_0000, length: 1 }).ok, true);
  t.equal(other.requests[0]?.requester, 0x1220);
  t.throws(() => other.rootComplex.load([]), RangeError);
});

t.test('two functions cannot have one address', async (t) => {
  const { rootComplex } = example();
  const description = { device: 2, function: 0, vendorId: 1, deviceId: 1, portType: 'root port' } as const;
  t.throws(() => rootComplex.bus.add(new PciBridge(description, rootComplex.bus)), /two functions at 2\.0/);
});
