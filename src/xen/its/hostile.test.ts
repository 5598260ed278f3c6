import fc from 'fast-check';
import t from 'tap';
import { bench, DEVICE, send, startGuest } from './its.test-support.js';

/** Where guests see the service, and its registers by name (12.18). */
const ITS = 0x0408_0000;
const [CTLR, TYPER, CBASER, CWRITER, CREADR, BASER0] = [0, 8, 0x80, 0x88, 0x90, 0x100];
const QUEUE = 0x4010_0000;
const VALID = 0x8000_0000;

function started() {
  const booted = bench();
  const guest = startGuest(booted);
  const [cpu] = guest.cpus;
  if (cpu === undefined) throw new Error('no vCPU');
  const read = (offset: number) => cpu.load64(ITS + offset)?.lo;
  const write = (offset: number, hi: number, lo: number) => cpu.store64(ITS + offset, { hi, lo });
  /** Disables the service, and gives it another queue. */
  const queueAt = (address: number, pages: number, valid = true) => {
    cpu.store(ITS + CTLR, 0);
    write(CBASER, (Math.floor(address / 2 ** 32) | (valid ? VALID : 0)) >>> 0, (address % 2 ** 32) + pages - 1);
    write(CWRITER, 0, 0);
    cpu.store(ITS + CTLR, 1);
  };
  return { booted, guest, cpu, read, write, queueAt };
}

t.test('a queue outside the RAM of the guest stalls; a valid one works again', async (t) => {
  const { booted, guest, cpu, read, write, queueAt } = started();
  for (const address of [0x0900_0000, 0x0808_0000, 0x4000_0000 + 4112 * 1024, 0xf_ffff_ffff_0000]) {
    queueAt(address, 1);
    write(CWRITER, 0, 32);
    t.equal(read(CREADR), 1, 'Stalled, at offset 0');
    write(CWRITER, 0, 33);
    t.equal(read(CREADR), 1, 'Retry does not help');
  }
  queueAt(QUEUE, 1, false);
  write(CWRITER, 0, 32);
  t.equal(read(CREADR), 0, 'a queue that is not valid is not worked on');
  queueAt(QUEUE, 1);
  cpu.store64(QUEUE, 5); // SYNC
  write(CWRITER, 0, 32);
  t.equal(read(CREADR), 32);
  t.equal(guest.cpus.length, 2);
  t.same(booted.problems, []);
});

t.test('CWRITER beyond the queue holds it up until it is within', async (t) => {
  const { read, write, queueAt } = started();
  queueAt(QUEUE, 1);
  write(CWRITER, 0, 4096);
  t.equal(read(CREADR), 0);
  t.equal(read(CWRITER), 4096);
  write(CWRITER, 0xffff_ffff, 0xffff_fffe);
  t.equal(read(CREADR), 0, 'offset 0xfffe0');
  write(CWRITER, 0, 64);
  t.equal(read(CREADR), 64, 'two commands that are none are passed over');
  write(CWRITER, 0, 32);
  t.equal(read(CREADR), 32, 'all around');
});

t.test('a trap does a bounded piece of work, and the next access goes on', async (t) => {
  const { booted, guest, cpu, read, write, queueAt } = started();
  queueAt(QUEUE, 16);
  for (let at = 0; at < 0x1_0000; at += 32) cpu.store64(QUEUE + at, 0x05); // SYNC
  write(CWRITER, 0, 0x1_0000 - 32);
  const first = read(CREADR) ?? 0;
  t.equal(first, 2 * 128 * 32, 'the write and the read: 128 commands each');
  let reads = 1;
  for (; read(CREADR) !== 0x1_0000 - 32; reads++);
  t.equal(reads, 14, '2047 commands in 16 accesses: every one goes on');
  queueAt(QUEUE, 16);
  for (let at = 0; at < 0x1_0000; at += 32) cpu.store64(QUEUE + at, 0x0d); // INVALL
  write(CWRITER, 0, 0x1_0000 - 32);
  t.equal(read(CREADR), 2 * 4 * 32, 'commands that look at many LPIs count for 32');
  t.equal(guest.cpus.length, 2);
  t.same(booted.problems, []);
});

t.test('bad commands are told of a bounded number of times', async (t) => {
  const { booted, cpu, read, write, queueAt } = started();
  const lines = booted.xen.console.length;
  queueAt(QUEUE, 1);
  for (let at = 0; at < 4096; at += 32) cpu.store64(QUEUE + at, 0x2a); // VMAPTI, of GICv4
  for (let round = 0; round < 20; round++) write(CWRITER, 0, round % 2 === 0 ? 4064 : 0);
  read(CREADR);
  t.equal(booted.xen.console.length - lines, 16);
  t.match(booted.xen.console.at(-1), /UNKNOWN_COMMAND; further ones are not told/);
});

t.test('registers while the service is enabled, of odd widths, and read-only fields', async (t) => {
  const { cpu, read, write } = started();
  const before = [read(CBASER), read(BASER0), read(TYPER)];
  write(CBASER, VALID, 0x4020_0000);
  write(BASER0, 0, 0);
  write(TYPER, 0, 0);
  write(CREADR, 0, 0xfe0);
  t.same([read(CBASER), read(BASER0), read(TYPER)], before);
  t.equal(cpu.load(ITS + CTLR), 1);
  cpu.store(ITS + CTLR, 0);
  t.equal(cpu.load(ITS + CTLR), 0x8000_0000, 'Quiescent');
  write(BASER0, 0xff00_0000 | 0x001f_0000, 0xffff_f3ff);
  t.equal((cpu.load64(ITS + BASER0)?.hi ?? 0) >>> 0, 0xb907_0000, 'Valid; not Indirect; devices, 8 bytes each');
  t.equal(cpu.load(ITS + CTLR, 1), undefined, 'a byte: abort');
  t.notOk(cpu.store(ITS + CBASER, 0, 2));
  t.same(cpu.load64(ITS + 0x138), { hi: 0, lo: 0 }, 'GITS_BASER7: none');
  t.ok(write(0x138, VALID, 0));
  t.equal(cpu.load(ITS + TYPER + 4), cpu.load64(ITS + TYPER)?.hi, 'halves are accessible');
});

t.test('a table that the guest takes away takes along what it held', async (t) => {
  const { booted, guest, cpu, write } = started();
  const map = () => {
    guest.its.mapDevice(0, 3);
    guest.its.mapEvent(0, 0, 8192, 0);
    guest.its.configure(0, 0, 8192, true);
  };
  /** What comes of an event after one table was invalid for a moment. */
  const without = (table: number) => {
    map();
    const { hi = 0, lo = 0 } = cpu.load64(ITS + BASER0 + 8 * table) ?? {};
    cpu.store(ITS + CTLR, 0);
    write(BASER0 + 8 * table, 0, 0);
    write(BASER0 + 8 * table, hi, lo);
    cpu.store(ITS + CTLR, 1);
    send(booted, guest, DEVICE, 0);
    return guest.gic.take(0);
  };
  t.same(without(0), [], 'devices');
  t.same(without(1), [], 'collections');
  guest.its.mapCollection(0, 0);
  map();
  send(booted, guest, DEVICE, 0);
  t.same(guest.gic.take(0), [8192]);
});

t.test(
  'whatever a guest commands, nothing is thrown, another guest has its interrupts, and all is gone at the end',
  async (t) => {
    const opcode = fc.constantFrom(1, 3, 4, 5, 8, 9, 0x0a, 0x0b, 0x0c, 0x0d, 0x0e, 0x0f, 0x2a);
    const small = fc.nat(3);
    const odd = fc.constantFrom(0, 7, 31, 32, 2047, 2048, 0x500, 0xffff, 0xffff_ffff);
    const lpi = fc.constantFrom(8192, 8193, 8200, 16383, 16384, 0, 31);
    const target = fc.constantFrom(0, 1, 2, 0x1_0000, 0x1_0001, 0x2_0000, 0xffff_ffff);
    const command = fc.tuple(
      opcode,
      fc.oneof(small, odd),
      fc.oneof(small, odd),
      lpi,
      target,
      fc.constantFrom(0, VALID),
      target,
    );
    const booted = bench();
    const quiet = startGuest(booted, ['0001:00:02.0']);
    quiet.its.mapDevice(0, 3);
    quiet.its.mapEvent(0, 1, 8192, 1);
    quiet.its.configure(0, 1, 8192, true);
    const free = booted.state.its.lpis?.freeBlocks.length;
    fc.assert(
      fc.property(fc.array(command, { minLength: 1, maxLength: 40 }), (commands) => {
        const hostile = startGuest(booted);
        for (const [op, device, event, intid, to, valid, second] of commands) {
          hostile.its.command(op, device, event, intid, to, valid, second, 0);
          for (const message of [0, 1]) send(booted, hostile, DEVICE, message);
          for (const vcpu of [0, 1]) hostile.gic.take(vcpu);
        }
        if (!hostile.its.idle) throw new Error('the queue does not move');
        send(booted, quiet, '0001:00:02.0', 1);
        for (const cpu of [0, 1, 2, 3]) booted.machine.cpus.takeInterrupts(cpu);
        const taken = [quiet.gic.take(0), quiet.gic.take(1)];
        if (taken[0]?.length !== 0 || taken[1]?.join() !== '8192') throw new Error(`the other guest took ${taken}`);
        const { steps } = booted.state;
        const error = steps.domain.destroy(booted.state, hostile.domain);
        if (error !== 0) throw new Error(`it cannot be destroyed: ${error}`);
        if (booted.state.its.lpis?.freeBlocks.length !== free) throw new Error('LPIs are lost');
        if (hostile.domain.its.lpis.size !== 0) throw new Error('LPIs remain');
      }),
      { numRuns: 30, seed: 69 },
    );
    t.same(booted.problems, []);
  },
);
