import t from 'tap';
import { DmaEngine } from './dma-engine.js';
import { Latency } from './latency.js';
import { type HardwareEvent, Observer } from './observer.js';
import type { RequestPort, Transaction } from './transaction.js';

/** An engine of 8 KiB with streams 0 (requester 0x40) and 1 (0x41) on a port that takes every request below 0x8000_0000. */
function example(maximumLatency = 0) {
  const observer = new Observer();
  const events: HardwareEvent[] = [];
  observer.onEvent((event) => events.push(event));
  const latency = new Latency(1, maximumLatency);
  const requests: Transaction[] = [];
  const request = (transaction: Transaction) => {
    requests.push(transaction);
    if (!transaction.write) transaction.data.fill(0x5a);
    return transaction.lo < 0x8000_0000 ? 'okay' : 'abort';
  };
  const port: RequestPort = {
    request,
    begin: (transaction) => {
      const completion = request(transaction);
      return { land: () => completion };
    },
  };
  const wanted: boolean[] = [];
  const engine = new DmaEngine({
    size: 0x2000,
    name: () => 'dma',
    origin: (stream) => (stream === 0 || stream === 1 ? { port, segment: 3, requester: 0x40 + stream } : undefined),
    interrupt: (is) => wanted.push(is),
    latency,
    observer,
  });
  const write = (offset: number, value: number) => engine.write(offset, 4, value);
  const read = (offset: number) => engine.read(offset, 4);
  return { engine, latency, events, requests, wanted, read, write };
}

// The registers, as dma-engine-layout.ts describes them.
const [SOURCE_LO, DESTINATION_LO, LENGTH, COMMAND, STATUS] = [0x10, 0x18, 0x20, 0x2c, 0x30] as const;
const [INTERRUPT_ENABLE, INTERRUPT_STATUS, STREAM] = [0x34, 0x38, 0x3c] as const;
const [LOAD, STORE, COPY] = [1, 2, 3] as const;
const [DONE, ERROR] = [2, 4] as const;

t.test('the interrupt is wanted while a command has ended and the driver has not said that it knows', async (t) => {
  const { read, write, wanted } = example();
  write(LENGTH, 4);
  write(COMMAND, STORE);
  t.same(wanted, [], 'not enabled');
  t.equal(read(INTERRUPT_STATUS), DONE);
  write(INTERRUPT_ENABLE, 0xffff_ffff);
  t.equal(read(INTERRUPT_ENABLE), DONE, 'the register has one bit');
  t.same(wanted, [true]);
  write(COMMAND, STORE);
  t.same(wanted, [true], 'wanted already');
  write(INTERRUPT_STATUS, 0);
  t.same(wanted, [true]);
  write(INTERRUPT_STATUS, DONE);
  t.same(wanted, [true, false]);
  t.equal(read(STATUS), DONE, 'STATUS is another register');
  write(COMMAND, COPY);
  t.same(wanted, [true, false, true]);
  write(INTERRUPT_ENABLE, 0);
  t.same(wanted, [true, false, true, false]);
});

t.test('the interrupt comes when the last byte has landed, also of a command that fails', async (t) => {
  const { read, write, wanted, latency } = example(4);
  write(INTERRUPT_ENABLE, DONE);
  write(LENGTH, 4);
  write(DESTINATION_LO, 0x8000_0000);
  write(COMMAND, COPY);
  t.same(wanted, [], 'in flight');
  latency.settle();
  t.equal(read(STATUS), DONE | ERROR);
  t.same(wanted, [true]);
});

t.test('a request has the requester of its stream', async (t) => {
  const { engine, read, write, requests } = example();
  write(LENGTH, 1);
  write(COMMAND, LOAD);
  write(STREAM, 1);
  write(SOURCE_LO, 0x1234);
  write(COMMAND, LOAD);
  t.match(requests[0], { segment: 3, requester: 0x40 });
  t.match(requests[1], { segment: 3, requester: 0x41, lo: 0x1234 });
  write(STREAM, 2);
  write(COMMAND, LOAD);
  t.equal(read(STATUS), DONE | ERROR, 'the device has no such stream');
  t.equal(requests.length, 2);
  engine.run({ write: false, hi: 0, lo: 0, length: 1, stream: 1 });
  t.match(requests[2], { requester: 0x41 });
  t.throws(() => engine.run({ write: false, hi: 0, lo: 0, length: 1, stream: 2 }), /dma has no stream 2/);
  t.throws(() => engine.start({ write: false, hi: 0, lo: 0, length: 1, stream: -1 }), /dma has no stream -1/);
});

t.test('a reset forgets what runs and wants no interrupt', async (t) => {
  const { engine, read, write, wanted, latency } = example(4);
  write(INTERRUPT_ENABLE, DONE);
  write(LENGTH, 0);
  write(COMMAND, LOAD);
  t.same(wanted, [true], 'a command without a length ends at once');
  write(LENGTH, 1);
  write(COMMAND, LOAD);
  engine.reset();
  latency.settle();
  t.same(wanted, [true, false]);
  t.equal(read(STATUS), 0);
  t.equal(read(INTERRUPT_ENABLE), 0);
});

t.test('what is saved comes back, without an interrupt anew', async (t) => {
  const [one, other] = [example(), example()];
  one.write(INTERRUPT_ENABLE, DONE);
  one.write(COMMAND, LOAD);
  one.write(0x1004, 0x1234_5678);
  other.engine.load(one.engine.save());
  t.equal(other.read(0x1004), 0x1234_5678);
  t.same(other.wanted, []);
  other.write(INTERRUPT_STATUS, DONE);
  t.same(other.wanted, [false]);
});

t.test('it needs room for its registers and a buffer', async (t) => {
  const { latency } = example();
  const origin = () => undefined;
  t.throws(
    () => new DmaEngine({ size: 0x800, name: () => '', origin, latency, observer: new Observer() }),
    /at least 4 KiB/,
  );
});
