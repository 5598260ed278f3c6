import t from 'tap';
import { pa } from '../address.js';
import { Bus } from '../bus.js';
import { Latency } from '../latency.js';
import { PhysicalMemory } from '../memory.js';
import { type HardwareEvent, Observer } from '../observer.js';
import type { Transaction } from '../transaction.js';
import { DmaDevice } from './dma-device.js';
import { MemoryRequestPort } from './memory-port.js';
import { segment } from './pci.test-support.js';
import { RootComplex } from './root-complex.js';

/** An endpoint at 00:01.0 with 8 KiB of registers and buffer, enabled, its registers at PCI address 0x10000000. */
function example(maximumLatency = 0) {
  const memory = new PhysicalMemory();
  memory.addRange(pa(0x4000_0000), 0x10_0000);
  const observer = new Observer();
  const events: HardwareEvent[] = [];
  observer.onEvent((event) => events.push(event));
  const latency = new Latency(1, maximumLatency);
  const port = new MemoryRequestPort(new Bus(memory));
  const requests: Transaction[] = [];
  const upstream = {
    request: (transaction: Transaction) => port.request(transaction),
    begin: (transaction: Transaction) => {
      requests.push(transaction);
      return port.begin(transaction);
    },
  };
  const rootComplex = new RootComplex({ name: 'pcie', segment: 0, firstBus: 0, lastBus: 0, upstream, observer });
  const bars = [
    { index: 0, size: 0x2000, is64Bit: false, prefetchable: false },
    { index: 1, size: 0x100, is64Bit: false, prefetchable: false },
  ];
  const endpoint = new DmaDevice({
    rootComplex,
    bus: rootComplex.bus,
    device: 1,
    function: 0,
    bars,
    latency,
    observer,
  });
  const window = rootComplex.window({ physical: 0, pci: 0x1000_0000, size: 0x10_0000, prefetchable: false });
  const config = 0x8000;
  rootComplex.ecam.writeRegister(config + 0x10, 4, 0x1000_0000);
  rootComplex.ecam.writeRegister(config + 0x14, 4, 0x1001_0000);
  rootComplex.ecam.writeRegister(config + 0x04, 2, 6);
  const read = (offset: number, width: 1 | 2 | 4 = 4) => window.readRegister(offset, width);
  const write = (offset: number, value: number, width: 1 | 2 | 4 = 4) => window.writeRegister(offset, width, value);
  return { memory, endpoint, rootComplex, latency, events, requests, read, write };
}

const STATUS = 0x30;
const [BUSY, DONE, ERROR] = [1, 2, 4];

t.test('the registers say what the device is, and where its buffer is', async (t) => {
  const { read } = example();
  t.equal(read(0x00), 0x3144_5754);
  t.equal(read(0x04), 0x1000);
  t.equal(read(0x08), 0x1000);
  t.equal(read(0x02, 2), 0x3144);
  t.equal(read(0x00, 1), 0x54);
  t.equal(read(STATUS), 0);
});

t.test('LOAD, STORE and COPY move bytes by the registers alone', async (t) => {
  const { memory, read, write, events } = example();
  memory.write(0x4000_0ffe, Uint8Array.of(1, 2, 3, 4));
  write(0x10, 0x4000_0ffe); // SOURCE
  write(0x18, 0x4000_8000); // DESTINATION
  write(0x20, 4); // LENGTH
  write(0x2c, 1); // LOAD
  t.equal(read(STATUS), DONE);
  t.equal(read(0x1000), 0x0403_0201, 'the buffer');
  write(0x1001, 0xaa, 1);
  write(STATUS, DONE);
  t.equal(read(STATUS), 0);
  write(0x2c, 2); // STORE
  const out = new Uint8Array(4);
  memory.read(0x4000_8000, out);
  t.same([...out], [1, 0xaa, 3, 4]);
  write(0x18, 0x4000_9000);
  write(0x2c, 3); // COPY
  memory.read(0x4000_9000, out);
  t.same([...out], [1, 2, 3, 4]);
  t.equal(events.filter((e) => e.kind === 'dma').length, 4);
  t.equal(read(0x2c), 0, 'write-only');
});

t.test('PASID, attributes and address type are in the request', async (t) => {
  const { write, requests, read } = example();
  write(0x14, 0x8000_0000); // SOURCE upper half
  write(0x10, 0x1234);
  write(0x20, 1);
  write(0x24, 0x800f_ffff); // PASID 0xfffff, valid
  write(0x28, 0xb); // PRIVILEGED, EXECUTE, translated
  write(0x2c, 1);
  t.match(requests[0], {
    segment: 0,
    requester: 0x08,
    pasid: 0xfffff,
    addressType: 'translated',
    privileged: true,
    execute: true,
    write: false,
    hi: 0x8000_0000,
    lo: 0x1234,
  });
  t.equal(read(STATUS), DONE | ERROR, 'no IOMMU there: unsupported request');
  write(0x24, 0x000f_ffff);
  write(0x28, 0x2);
  write(0x2c, 2);
  t.equal(requests[1]?.pasid, undefined, 'not valid');
  t.equal(requests[1]?.execute, false, 'writes never execute');
});

t.test('commands that cannot be end in an error or do nothing', async (t) => {
  const { write, read, requests } = example();
  write(0x2c, 1);
  t.equal(read(STATUS), DONE | ERROR, 'no length');
  write(0x20, 0x1001);
  write(0x2c, 1);
  t.equal(read(STATUS), DONE | ERROR, 'more than the buffer holds');
  write(STATUS, DONE | ERROR);
  write(0x2c, 9);
  t.equal(read(STATUS), 0, 'no such command');
  write(0x20, 4);
  write(0x10, 0x1000);
  write(0x2c, 1);
  t.equal(read(STATUS), DONE | ERROR, 'no memory there');
  write(0x2c, 3);
  t.equal(requests.filter((r) => r.write).length, 0, 'a copy whose read fails writes nothing');
});

t.test('a request is translated when it leaves and lands later', async (t) => {
  const { write, read, requests, memory, latency } = example(4);
  write(0x1000, 0x55);
  write(0x18, 0x4000_0000);
  write(0x20, 1);
  write(0x2c, 2);
  t.equal(requests.length, 1, 'it left');
  t.equal(read(STATUS), BUSY);
  t.same(memory.changed(), [], 'and has not landed');
  write(0x2c, 2);
  t.equal(requests.length, 1, 'a command while busy is ignored');
  latency.settle();
  t.equal(read(STATUS), DONE);
  t.same(memory.changed(), [{ address: 0x4000_0000, length: 1 }]);
});

t.test('a command of a check: at once with dma, later with start', async (t) => {
  const { endpoint, latency, memory } = example(4);
  const started = endpoint.start({ write: true, hi: 0, lo: 0x4000_0000, data: Uint8Array.of(1) });
  t.equal(started(), undefined);
  t.same(endpoint.run({ write: false, hi: 0, lo: 0x4000_0000, length: 1 }), { ok: true, data: Uint8Array.of(1) });
  t.same(started(), { ok: true, data: undefined }, 'what this endpoint had in flight landed before');
  const bytes = Uint8Array.of(7);
  const late = endpoint.start({ write: true, hi: 0, lo: 0x4000_0001, data: bytes });
  bytes[0] = 8;
  latency.settle();
  t.same(late(), { ok: true, data: undefined });
  const out = new Uint8Array(2);
  memory.read(0x4000_0000, out);
  t.same([...out], [1, 7], 'the bytes are those of the moment it started');
  t.same(endpoint.run({ write: false, hi: 0, lo: 0x1000, length: 1 }), { ok: false, data: undefined });
  t.throws(() => endpoint.run({ write: true, hi: 0, lo: 0 }), /give data/);
  t.throws(() => endpoint.run({ write: false, hi: 0, lo: 0, length: 0x1001 }), /1 to 4096 bytes/);
});

t.test('a function level reset stops what is being done', async (t) => {
  const { write, read, latency, rootComplex } = example(4);
  write(0x20, 1);
  write(0x10, 0x4000_0000);
  write(0x2c, 3);
  rootComplex.ecam.writeRegister(0x8000 + 0x48, 2, 0x8000);
  latency.settle();
  rootComplex.ecam.writeRegister(0x8000 + 0x10, 4, 0x1000_0000);
  rootComplex.ecam.writeRegister(0x8000 + 0x04, 2, 6);
  t.equal(read(STATUS), 0);
  t.equal(read(0x20), 0);
});

t.test('its other registers hold what is written, and all of it is saved', async (t) => {
  const [one, other] = [example(), example()];
  one.write(0x1_0004, 0xcafe, 2);
  one.write(0x1800, 0x1234_5678);
  one.write(0x24, 5);
  other.rootComplex.load(one.rootComplex.save());
  t.equal(other.read(0x1_0004, 2), 0xcafe);
  t.equal(other.read(0x1800), 0x1234_5678);
  t.equal(other.read(0x24), 5);
  t.equal(other.read(0x1_0008), 0);
});

/** An endpoint at 00:01.1 whose requests may carry functions 3, 5 and 7 too, enabled; function 0 is another one. */
function phantoms() {
  const made = segment();
  made.endpoint(made.rootComplex.bus, 1);
  const endpoint = made.endpoint(made.rootComplex.bus, 1, { function: 1, phantomStride: 2 });
  made.config.write(0, 0x09, 0x10, 4, 0x1000_0000);
  made.config.write(0, 0x09, 0x04, 2, 6);
  return { ...made, endpoint };
}

t.test('phantom functions: DEVCAP 4:3 says how many bits, DEVCTL 9 enables them (7.5.3.3, 7.5.3.4)', async (t) => {
  for (const [stride, bits] of [
    [4, 1],
    [2, 2],
    [1, 3],
  ] as const) {
    const { rootComplex, endpoint, config } = segment();
    endpoint(rootComplex.bus, 1, { phantomStride: stride });
    t.equal((config.read(0, 8, 0x44, 4) >>> 3) & 3, bits);
  }
  const { rootComplex, endpoint, config } = segment();
  endpoint(rootComplex.bus, 1);
  config.write(0, 8, 0x48, 2, 0x0200);
  t.equal(config.read(0, 8, 0x48, 2) & 0x0200, 0, 'read-only without them');
  t.throws(() => endpoint(rootComplex.bus, 2, { phantomStride: 3 }), RangeError);
  t.throws(
    () => endpoint(rootComplex.bus, 2, { function: 2, phantomStride: 2 }),
    /function 2 has no phantom functions/,
  );
});

t.test('a request of a phantom function carries its number, once software allows it', async (t) => {
  const { endpoint, config, requests } = phantoms();
  const write = { write: true, hi: 0, lo: 0x4000_0000, data: Uint8Array.of(1) };
  t.throws(() => endpoint.run({ ...write, phantom: 3 }), /0000:00:01.1 has no phantom function 3 enabled/);
  config.write(0, 0x09, 0x48, 2, 0x0200);
  for (const phantom of [3, 5, 7]) t.equal(endpoint.run({ ...write, phantom }).ok, true);
  endpoint.start({ ...write, phantom: 3 });
  endpoint.run(write);
  t.same(
    requests.map(({ requester }) => requester),
    [0x000b, 0x000d, 0x000f, 0x000b, 0x0009],
  );
  for (const phantom of [0, 1, 2, 4, 6, 9]) t.throws(() => endpoint.run({ ...write, phantom }), RangeError);
});

t.test('a driver chooses a phantom function by STREAM, counted from the function itself', async (t) => {
  const { mmio, config, requests } = phantoms();
  const store = (stream: number) => {
    mmio.write(0x1000_003c, stream);
    mmio.write(0x1000_0018, 0x4000_0000);
    mmio.write(0x1000_0020, 1);
    mmio.write(0x1000_002c, 2);
    const status = mmio.read(0x1000_0030);
    mmio.write(0x1000_0030, status);
    return status;
  };
  t.equal(store(2), DONE | ERROR, 'not enabled');
  config.write(0, 0x09, 0x48, 2, 0x0200);
  t.equal(store(2), DONE);
  t.equal(store(1), DONE | ERROR, 'function 2 is none of its');
  t.same(
    requests.map(({ requester }) => requester),
    [0x000b],
  );
});
