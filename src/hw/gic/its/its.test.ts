/**
 * The interrupt translation service by the manual (Arm IHI 0069): chapter 5 (tables, messages), 5.3 (commands and their
 * errors), 12.18 and 12.19 (registers). Positions and error codes are restated by hand.
 */
import t from 'tap';
import { pa } from '../../address.js';
import { Latency } from '../../latency.js';
import { PhysicalMemory } from '../../memory.js';
import { Observer } from '../../observer.js';
import type { LpiTarget } from '../lpi.js';
import { Its, type ItsOptions } from './its.js';

const RAM = 0x8000_0000;
const QUEUE = RAM;
const DEVICES = RAM + 0x1_0000;
const COLLECTIONS = RAM + 0x2_0000;
const ITT = RAM + 0x3_0000;
const VALID = 0x8000_0000;
const PAGES = 3;

/** Commands as four doublewords, each lower half first. */
const command = {
  mapd: (device: number, bits: number, itt: number, valid = true) =>
    [0x08, device, bits - 1, 0, itt, valid ? VALID : 0] as const,
  mapc: (collection: number, pe: number, valid = true) =>
    [0x09, 0, 0, 0, (pe << 16) | collection, valid ? VALID : 0] as const,
  mapti: (device: number, event: number, lpi: number, collection: number) =>
    [0x0a, device, event, lpi, collection, 0] as const,
  mapi: (device: number, event: number, collection: number) => [0x0b, device, event, 0, collection, 0] as const,
  movi: (device: number, event: number, collection: number) => [0x01, device, event, 0, collection, 0] as const,
  int: (device: number, event: number) => [0x03, device, event] as const,
  clear: (device: number, event: number) => [0x04, device, event] as const,
  inv: (device: number, event: number) => [0x0c, device, event] as const,
  invall: (collection: number) => [0x0d, 0, 0, 0, collection] as const,
  movall: (from: number, to: number) => [0x0e, 0, 0, 0, from << 16, 0, to << 16, 0] as const,
  discard: (device: number, event: number) => [0x0f, device, event] as const,
  sync: (pe = 0) => [0x05, 0, 0, 0, pe << 16, 0] as const,
};

/** A redistributor that notes what is asked of it. */
function redistributor(processorNumber: number) {
  const pending = new Set<number>();
  const asked: string[] = [];
  const target: LpiTarget = {
    processorNumber,
    address: 0x080a_0000 + processorNumber * 0x2_0000,
    setPending: (lpi) => void pending.add(lpi),
    clearPending: (lpi) => void pending.delete(lpi),
    isPending: (lpi) => pending.has(lpi),
    invalidate: (lpi) => void asked.push(`inv ${lpi}`),
    invalidateAll: () => void asked.push('invall'),
    sync: () => void asked.push('sync'),
    pendingLpis: () => pending,
  };
  return { target, pending, asked };
}

/** A service with two redistributors, its tables and queue in place, and the events that it tells. */
function service(options: Partial<ItsOptions> & { lag?: number; indirect?: boolean } = {}) {
  const memory = new PhysicalMemory();
  memory.addRange(pa(RAM), 0x100_0000);
  const events: string[] = [];
  const problems: string[] = [];
  const observer = new Observer({ problem: ({ text }) => problems.push(text) });
  observer.onEvent((event) => events.push(event.kind === 'dma' ? 'dma' : `${event.name} ${event.text}`));
  const latency = new Latency(1, options.lag ?? 0);
  const [a, b] = [redistributor(0), redistributor(1)];
  const its = new Its({
    name: 'its',
    targets: [a.target, b.target],
    deviceBits: 16,
    eventBits: 8,
    pta: false,
    memory,
    observer,
    latency,
    ...options,
  });
  const read = (offset: number) => its.readRegister(offset, 4) ?? -1;
  const write = (offset: number, lo: number, hi = 0) => {
    its.writeRegister(offset, 4, lo >>> 0);
    if (offset !== 0) its.writeRegister(offset + 4, 4, hi >>> 0);
  };
  let at = 0;
  const machine = {
    its,
    memory,
    latency,
    events,
    problems,
    a,
    b,
    read,
    write,
    stalled: () => (read(0x90) & 1) === 1,
    /** Puts commands into the queue and rings. */
    run(...commands: readonly (readonly number[])[]) {
      for (const words of commands) {
        const bytes = new DataView(new ArrayBuffer(32));
        for (const [index, word] of words.entries()) bytes.setUint32(index * 4, word >>> 0, true);
        memory.poke(pa(QUEUE + at), new Uint8Array(bytes.buffer));
        at = (at + 32) % 4096;
      }
      write(0x88, at);
      return machine;
    },
    /** A device writes an event to the doorbell. */
    message(deviceId: number | undefined, event: number, width: 2 | 4 = 4) {
      its.writeRegister(0x1_0040, width, event, deviceId === undefined ? undefined : { deviceId });
    },
  };
  write(0x80, QUEUE, VALID);
  for (let index = 0; index < 8; index++) {
    const register = 0x100 + index * 8;
    const type = (read(register + 4) >>> 24) & 7;
    if (type === 1) write(register, DEVICES + PAGES, VALID | (options.indirect ? 0x4000_0000 : 0));
    if (type === 4) write(register, COLLECTIONS + PAGES, VALID);
  }
  its.writeRegister(0, 4, 1);
  return machine;
}

/** Device 5 with 16 events, collections 0 and 1 at the two PEs, event 3 at LPI 8200 of collection 0. */
function mapped(options: Parameters<typeof service>[0] = {}) {
  const { mapd, mapc, mapti, sync } = command;
  return service(options).run(mapc(0, 0), mapc(1, 1), mapd(5, 4, ITT), mapti(5, 3, 8200, 0), sync(0), sync(1));
}

t.test('identification', async (t) => {
  const { read } = service({ deviceBits: 17, eventBits: 12 });
  t.equal(read(0x8) & 1, 1, 'GITS_TYPER.Physical');
  t.equal((read(0x8) >>> 13) & 0x1f, 16, 'Devbits: 17');
  t.equal((read(0x8) >>> 8) & 0x1f, 11, 'ID_bits: 12');
  t.equal((read(0x8) >>> 19) & 1, 0, 'PTA');
  t.equal((read(0xffe8) >>> 4) & 0xf, 3, 'ArchRev');
});

t.test('a message becomes the LPI that its event is mapped to, at the PE of its collection', async (t) => {
  const m = mapped();
  t.notOk(m.stalled());
  t.equal(m.read(0x90), m.read(0x88), 'every command is consumed');
  m.message(5, 3);
  t.same([...m.a.pending], [8200]);
  t.equal(m.b.pending.size, 0);
  t.same(m.problems, []);
});

t.test('a message of 16 bits is one too', async (t) => {
  const m = mapped();
  m.message(5, 3, 2);
  t.same([...m.a.pending], [8200]);
});

t.test(
  'what is not mapped is no interrupt: device, event, collection, DeviceID, or the whole service off',
  async (t) => {
    const m = mapped();
    m.run(command.mapti(5, 4, 8201, 7));
    t.ok(m.stalled() || m.read(0x90) === m.read(0x88), 'a collection that is not mapped may be named (5.3, MAPTI)');
    for (const [device, event] of [
      [6, 3],
      [5, 2],
      [5, 16],
      [5, 0x1_0003],
      [0x1_0005, 3],
    ] as const)
      m.message(device, event);
    m.message(undefined, 3);
    t.equal(m.a.pending.size + m.b.pending.size, 0);
    m.its.writeRegister(0, 4, 0);
    m.message(5, 3);
    t.equal(m.a.pending.size, 0);
  },
);

t.test('the device is who writes, whatever it writes', async (t) => {
  const m = mapped().run(command.mapd(6, 4, ITT + 0x1000), command.mapti(6, 3, 8300, 1), command.sync());
  m.message(6, 3);
  t.same([...m.a.pending], []);
  t.same([...m.b.pending], [8300]);
});

t.test('MAPI takes the EventID for the INTID', async (t) => {
  const m = service({ eventBits: 16 }).run(command.mapc(1, 1), command.mapd(5, 14, ITT), command.mapi(5, 8205, 1));
  m.message(5, 8205);
  t.same([...m.b.pending], [8205]);
});

t.test('MOVI takes an event and its pending LPI to another collection', async (t) => {
  const m = mapped();
  m.message(5, 3);
  m.run(command.movi(5, 3, 1), command.sync(1));
  t.same([[...m.a.pending], [...m.b.pending]], [[], [8200]]);
  m.b.pending.clear();
  m.message(5, 3);
  t.same([...m.b.pending], [8200]);
});

t.test('MOVALL takes all pending LPIs of a PE to another', async (t) => {
  const m = mapped().run(command.mapti(5, 4, 8201, 0));
  m.message(5, 3);
  m.message(5, 4);
  m.run(command.movall(0, 1), command.sync(1));
  t.same([[...m.a.pending], [...m.b.pending].sort()], [[], [8200, 8201]]);
});

t.test('INT and CLEAR make an LPI pending and not', async (t) => {
  const m = mapped().run(command.int(5, 3));
  t.same([...m.a.pending], [8200]);
  m.run(command.clear(5, 3));
  t.same([...m.a.pending], []);
});

t.test('DISCARD: the event is gone once a SYNC has completed, and so is its pending state', async (t) => {
  const m = mapped();
  m.message(5, 3);
  m.run(command.discard(5, 3), command.sync());
  t.same([...m.a.pending], []);
  m.message(5, 3);
  t.same([...m.a.pending], []);
  t.notOk(m.stalled());
});

t.test('MAPD without V: the device is gone once a SYNC has completed', async (t) => {
  const m = mapped();
  m.message(5, 3);
  m.a.pending.clear();
  m.run(command.mapd(5, 1, 0, false), command.sync());
  m.message(5, 3);
  t.same([...m.a.pending], []);
});

t.test('INV and INVALL have the redistributor look at properties again', async (t) => {
  const m = mapped();
  m.a.asked.length = 0;
  m.run(command.inv(5, 3), command.invall(0), command.sync(0));
  t.same(m.a.asked, ['inv 8200', 'invall', 'sync']);
});

t.test('a command in error stalls the queue until it is told to try again', async (t) => {
  const m = mapped();
  m.run(command.int(5, 9), command.int(5, 3));
  t.ok(m.stalled(), 'GITS_CREADR.Stalled');
  t.same([...m.a.pending], [], 'nothing behind it is executed');
  t.match(m.events.at(-1), /0x010307/, 'INT of an event that is not mapped');
  const stalledAt = m.read(0x90) & ~0x1f;
  // Software repairs the command in place, and rings with Retry (bit 0).
  const fixed = new DataView(new ArrayBuffer(32));
  for (const [index, word] of command.sync().entries()) fixed.setUint32(index * 4, word >>> 0, true);
  m.memory.poke(pa(QUEUE + stalledAt), new Uint8Array(fixed.buffer));
  m.write(0x88, (m.read(0x88) & ~0x1f) | 1);
  t.notOk(m.stalled());
  t.same([...m.a.pending], [8200]);
});

t.test('commands in error, each with its code', async (t) => {
  const { mapd, mapc, mapti, movi, int, clear, inv, invall, movall, discard } = command;
  const wrong: readonly (readonly [string, readonly number[]])[] = [
    ['0x010801', mapd(0x1_0000, 4, ITT)],
    ['0x010802', mapd(6, 9, ITT)],
    ['0x010902', mapc(2, 9)],
    ['0x010a04', mapti(6, 0, 8200, 0)],
    ['0x010a05', mapti(5, 16, 8200, 0)],
    ['0x010a06', mapti(5, 4, 8191, 0)],
    ['0x010a06', mapti(5, 4, 0x1_0000, 0)],
    ['0x010104', movi(6, 3, 1)],
    ['0x010107', movi(5, 4, 1)],
    ['0x010109', movi(5, 3, 9)],
    ['0x010304', int(6, 3)],
    ['0x010307', int(5, 4)],
    ['0x010507', clear(5, 4)],
    ['0x010c07', inv(5, 4)],
    ['0x010d09', invall(9)],
    ['0x010e01', movall(0, 9)],
    ['0x010f07', discard(5, 4)],
  ];
  for (const [code, words] of wrong) {
    const m = mapped().run(words);
    t.ok(m.stalled(), code);
    t.match(m.events.at(-1), code);
  }
});

t.test('translations are in the memory that MAPD names: what is written over is lost', async (t) => {
  const m = mapped();
  const table = new Uint8Array(16 * 16);
  m.memory.read(pa(ITT), table);
  t.ok(
    table.some((byte) => byte !== 0),
    'an entry is in the table',
  );
  m.message(5, 3);
  m.a.pending.clear();
  m.memory.poke(pa(ITT), new Uint8Array(16 * 16));
  m.message(5, 3);
  t.same([...m.a.pending], [8200], 'what was used is cached');
  m.a.pending.clear();
  m.its.load(m.its.save());
  m.message(5, 3);
  t.same([...m.a.pending], [], 'without the cache there is nothing');
});

t.test('an indirect device table: DeviceIDs without a second level are out of range', async (t) => {
  const m = service({ indirect: true }).run(command.mapc(0, 0), command.mapd(5, 4, ITT));
  t.ok(m.stalled(), 'no second level yet');
  const second = RAM + 0x8_0000;
  const bytes = new DataView(new ArrayBuffer(8));
  bytes.setUint32(0, second, true);
  bytes.setUint32(4, VALID, true);
  const ready = service({ indirect: true });
  ready.memory.poke(pa(DEVICES), new Uint8Array(bytes.buffer));
  ready.run(command.mapc(0, 0), command.mapd(5, 4, ITT), command.mapti(5, 3, 8200, 0), command.sync());
  t.notOk(ready.stalled());
  ready.message(5, 3);
  t.same([...ready.a.pending], [8200]);
});

t.test(
  'commands are consumed some time after the doorbell, and the service is quiescent some time after it is off',
  async (t) => {
    const m = service({ lag: 20 });
    m.run(command.mapc(0, 0), command.sync());
    t.not(m.read(0x90), m.read(0x88), 'not yet');
    m.latency.settle();
    t.equal(m.read(0x90), m.read(0x88));
    m.its.writeRegister(0, 4, 0);
    m.latency.settle();
    t.equal(m.read(0x0) >>> 31, 1, 'GITS_CTLR.Quiescent');
  },
);

t.test('tables and queue stay where they are while the service is enabled', async (t) => {
  const m = mapped();
  m.write(0x80, RAM + 0x9_0000, VALID);
  t.equal(m.read(0x80) & ~0xfff, QUEUE | 0);
  t.equal(m.problems.length > 0, true, 'and it is told as a mistake');
});
