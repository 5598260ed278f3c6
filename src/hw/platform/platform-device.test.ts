import t from 'tap';
import { Latency } from '../latency.js';
import { type HardwareEvent, Observer } from '../observer.js';
import type { RequestPort, Transaction } from '../transaction.js';
import { PlatformDevice } from './platform-device.js';

/** A device with a region of 4 KiB and one of 64 bytes, two interrupts, and streams 0x10 and 0x11 if it makes requests. */
function example({ dma = true } = {}) {
  const observer = new Observer();
  const events: HardwareEvent[] = [];
  observer.onEvent((event) => events.push(event));
  const requests: Transaction[] = [];
  const port: RequestPort = {
    request: (transaction) => {
      requests.push(transaction);
      return 'okay';
    },
    begin: (transaction) => {
      requests.push(transaction);
      return { land: () => 'okay' };
    },
  };
  const levels = [false, false];
  const device = new PlatformDevice({
    name: '/soc/gpu@0',
    sizes: [0x1000, 0x40],
    lines: [0, 1].map((index) => ({
      set: (level: boolean) => {
        levels[index] = level;
      },
    })),
    origins: dma ? [0x10, 0x11].map((requester) => ({ port, segment: 0, requester })) : undefined,
    latency: new Latency(1, 0),
    observer,
  });
  return { device, events, requests, levels };
}

t.test('its first region is the engine, the others are storage', async (t) => {
  const { device } = example();
  const [engine, storage] = [device.region(0), device.region(1)];
  t.equal(engine.readRegister(0, 4), 0x3144_5754, 'IDENTIFICATION');
  t.equal(engine.readRegister(8, 4), 0x800, 'BUFFER_SIZE: half of the region');
  t.equal(storage.readRegister(0, 4), 0);
  storage.writeRegister(0x3e, 2, 0xcafe);
  t.equal(storage.readRegister(0x3c, 4), 0xcafe_0000);
  t.equal(storage.readRegister(0x3f, 1), 0xca);
});

t.test('a device that makes no requests is all storage, and refuses commands', async (t) => {
  const { device } = example({ dma: false });
  t.equal(device.region(0).readRegister(0, 4), 0);
  device.region(0).writeRegister(0, 4, 5);
  t.equal(device.region(0).readRegister(0, 4), 5);
  t.equal(device.hasDma, false);
  t.throws(() => device.run({ write: false, hi: 0, lo: 0, length: 1 }), /\/soc\/gpu@0 makes no requests/);
  t.throws(() => device.start({ write: false, hi: 0, lo: 0, length: 1 }), RangeError);
});

t.test('its requests have the stream that the command or the register names', async (t) => {
  const { device, requests, events } = example();
  device.run({ write: true, hi: 0, lo: 0x1000, data: Uint8Array.of(1) });
  device.start({ write: true, hi: 0, lo: 0x1000, data: Uint8Array.of(1), stream: 1 });
  device.region(0).writeRegister(0x20, 4, 1); // LENGTH
  device.region(0).writeRegister(0x3c, 4, 1); // STREAM
  device.region(0).writeRegister(0x2c, 4, 1); // COMMAND: LOAD
  t.same(
    requests.map((r) => r.requester),
    [0x10, 0x11, 0x11],
  );
  t.match(events[0], { kind: 'dma', device: '/soc/gpu@0' });
  t.throws(() => device.run({ write: false, hi: 0, lo: 0, length: 1, stream: 2 }), /no stream 2/);
});

t.test('the first interrupt is high while the engine or a check wants it', async (t) => {
  const { device, levels } = example();
  const engine = device.region(0);
  engine.writeRegister(0x34, 4, 2); // INTERRUPT_ENABLE.DONE
  engine.writeRegister(0x20, 4, 1);
  engine.writeRegister(0x2c, 4, 1);
  t.same(levels, [true, false]);
  device.setLine(0, true);
  engine.writeRegister(0x38, 4, 2); // INTERRUPT_STATUS.DONE
  t.same(levels, [true, false], 'the check still drives it');
  device.setLine(0, false);
  t.same(levels, [false, false]);
  device.setLine(1, true);
  t.same(levels, [false, true]);
  t.equal(device.lineCount, 2);
  t.throws(() => device.setLine(2, true), /no interrupt 2: it has 2/);
});

t.test('all of it is saved, and a load drives the lines as they were', async (t) => {
  const [one, other] = [example(), example()];
  one.device.region(0).writeRegister(0x34, 4, 2);
  one.device.region(0).writeRegister(0x20, 4, 1);
  one.device.region(0).writeRegister(0x2c, 4, 1);
  one.device.region(1).writeRegister(4, 4, 7);
  other.device.setLine(1, true);
  other.device.load(one.device.save());
  t.same(other.levels, [true, false]);
  t.equal(other.device.region(1).readRegister(4, 4), 7);
  other.device.region(0).writeRegister(0x38, 4, 2);
  t.same(other.levels, [false, false]);
});
