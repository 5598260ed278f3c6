import fc from 'fast-check';
import t from 'tap';
import { pa } from '../../hw/address.js';
import { failure } from '../errno.js';
import { type Gfn, gfn, type Mfn, mfn } from '../frames.js';
import type { P2mType } from '../p2m-layout.js';
import { xenSteps } from '../steps.js';
import type { Domain, P2m, Xen } from '../xen.js';
import { boot, createGuest } from '../xen.test-support.js';

/** The state of a booted Xen, taken where a step gets it, with a guest of 4 MiB and 16 KiB. */
function inside(wrap: (steps: ReturnType<typeof xenSteps>) => ReturnType<typeof xenSteps> = (steps) => steps) {
  const steps = wrap(xenSteps());
  let state: Xen | undefined;
  const create: typeof steps.domain.create = (xen, blob) => {
    state = xen;
    return steps.domain.create(xen, blob);
  };
  const booted = boot({ ...steps, domain: { ...steps.domain, create } });
  const domid = createGuest(booted.xen, ['0000:00:01.0']);
  const xen = state as unknown as Xen;
  const domain = xen.domains.get(domid) as Domain;
  return { ...booted, state: xen, domain, p2m: domain.p2m as P2m };
}

/** Descriptor of a guest frame at level 3 or 2, found by hand: 44-bit addresses, root at level 0, 4 KiB tables. */
function descriptor(state: Xen, p2m: P2m, frame: number): { hi: number; lo: number; level: number } {
  let table = p2m.root * 4096;
  for (let level = 0; ; level++) {
    const index = Math.floor(frame / 512 ** (3 - level)) % 512;
    const entry = state.machine.memory.load64(pa(table + index * 8));
    if ((entry.lo & 3) !== 3 || level === 3) return { ...entry, level };
    table = (entry.hi & 0xffff) * 2 ** 32 + ((entry.lo & 0xffff_f000) >>> 0);
  }
}

t.test(
  'RAM: Normal write-back, inner shareable, readable, writable, executable; 2 MiB blocks where they fit',
  async (t) => {
    const { state, p2m, domain } = inside();
    const block = descriptor(state, p2m, 0x40000);
    const frame = domain.ram[0]?.mfn ?? 0;
    t.equal(block.level, 2);
    // Arm DDI 0487 D8.3: valid 0, block 1:0 = 01, MemAttr 5:2 = 0xf, S2AP 7:6 = 3, SH 9:8 = 3, AF 10; type 58:55 = 1.
    t.equal(block.lo & 0xfff, 0x7fd);
    t.equal(block.hi * 2 ** 32 + ((block.lo & 0xffff_f000) >>> 0) - (1 << 23) * 2 ** 32, frame * 4096);
    t.equal(block.hi >>> 22, 0b10, 'XN (54) clear; type 58:55 = 1');
    t.equal(descriptor(state, p2m, 0x40400).level, 3, 'the last 16 KiB are pages');
    t.equal(descriptor(state, p2m, 0x40400).lo & 0xfff, 0x7ff, 'a page: 1:0 = 11');
  },
);

t.test('device registers: Device-nGnRE, outer shareable, never executable, exactly the frames', async (t) => {
  const { state, p2m } = inside();
  const bar = descriptor(state, p2m, 0x80_0000_0000 / 4096);
  // valid and page 1:0 = 11, MemAttr 5:2 = 1, S2AP 7:6 = 3, SH 9:8 = 2, AF 10; XN 54; type 58:55 = 3.
  t.equal(bar.lo & 0xfff, 0x6c7);
  t.equal(bar.hi >>> 22, 0b111);
  t.equal(descriptor(state, p2m, 0x80_0000_0000 / 4096 + 3).lo & 1, 1, 'the BAR has 16 KiB');
  t.equal(descriptor(state, p2m, 0x80_0000_0000 / 4096 + 4).lo & 1, 0);
});

t.test('VTCR_EL2 and VTTBR_EL2 say what the tables are', async (t) => {
  const { machine, xen, p2m } = inside();
  const cpu = xen.schedule({ domid: 1, vcpu: 0 }) ?? -1;
  // Arm DDI 0487 D24.2: T0SZ 5:0 = 20, SL0 7:6 = 2, IRGN0 9:8 = 1, ORGN0 11:10 = 1, SH0 13:12 = 3, TG0 15:14 = 0, PS 18:16 = 4,
  // VS 19 = 1 (16-bit VMIDs), bit 31 = 1.
  t.same(machine.cpus.readSystem(cpu, 'VTCR_EL2'), { hi: 0, lo: 0x800c_3594 });
  const vttbr = machine.cpus.readSystem(cpu, 'VTTBR_EL2');
  t.equal((vttbr.hi & 0xffff) * 2 ** 32 + vttbr.lo, p2m.root * 4096);
  t.equal(vttbr.hi >>> 16, p2m.vmid);
  t.equal(machine.cpus.readSystem(cpu, 'HCR_EL2').lo & 1, 1, 'HCR_EL2.VM');
});

t.test('part of a block changes: the rest of it is mapped as before', async (t) => {
  const { state, domain, p2m } = inside();
  const before = descriptor(state, p2m, 0x40001);
  t.equal(state.steps.p2m.setRamType(state, domain, gfn(0x40003), 2, 'ram_ro'), 0);
  const [whole, changed] = [descriptor(state, p2m, 0x40001), descriptor(state, p2m, 0x40003)];
  t.equal(before.level, 2);
  t.equal(whole.level, 3);
  t.equal(whole.lo & 0xfff, 0x7ff, 'as before');
  t.equal(changed.lo & 0xfff, 0x77f, 'S2AP 7:6 = 1');
  t.equal(changed.lo >>> 12, (whole.lo >>> 12) + 2, 'the same frames');
});

t.test('a valid entry never becomes another valid one at once', async (t) => {
  const events: string[] = [];
  const { state, domain } = inside((steps) => ({
    ...steps,
    p2m: {
      ...steps.p2m,
      writeEntry: (xen, address, words) => {
        const old = xen.steps.p2m.readEntry(xen, address);
        events.push((old[0] as number) & 1 ? 'overwrite' : 'write');
        steps.p2m.writeEntry(xen, address, words);
      },
      removeEntry: (xen, address) => {
        events.push('remove');
        steps.p2m.removeEntry(xen, address);
      },
      flush: (xen, p2m) => {
        events.push('flush');
        return steps.p2m.flush(xen, p2m);
      },
    },
  }));
  events.length = 0;
  t.equal(state.steps.p2m.setRamType(state, domain, gfn(0x40200), 1, 'ram_ro'), 0);
  t.same(events, ['remove', 'flush', 'write', 'remove', 'flush', 'write']);
  events.length = 0;
  t.equal(state.steps.p2m.setEntries(state, domain.p2m as P2m, gfn(0x40200), 1, undefined, 'invalid'), 0);
  t.same(events, ['remove', 'flush']);
});

t.test('frames beyond guest physical addresses are refused', async (t) => {
  const { state, p2m } = inside();
  const limit = 2 ** (44 - 12);
  t.equal(state.steps.p2m.setEntries(state, p2m, gfn(limit), 1, mfn(0), 'ram_rw'), failure('EINVAL'));
  t.equal(state.steps.p2m.setEntries(state, p2m, gfn(limit - 1), 2, mfn(0), 'ram_rw'), failure('EINVAL'));
  t.equal(state.steps.p2m.lookup(state, p2m, gfn(limit)), undefined);
});

t.test('whatever is mapped and unmapped, tables say what was asked for, and all frames come back', async (t) => {
  const { state, p2m, xen } = inside();
  const base = 0x10_0000; // gfn of 4 GiB: nothing of the guest is near
  const freeBefore = state.heap.free;
  const tablesBefore = p2m.tables.size;
  const span = 512 * 3;
  const operation = fc.record({
    at: fc.nat(span - 1),
    count: fc.oneof(fc.integer({ min: 1, max: 40 }), fc.constant(512), fc.constant(1024)),
    target: fc.option(
      fc.oneof(
        fc.nat(4096),
        fc.nat(8).map((n) => n * 512),
      ),
      { nil: undefined },
    ),
    type: fc.constantFrom<P2mType>('ram_rw', 'ram_ro', 'mmio_direct_dev'),
  });
  fc.assert(
    fc.property(fc.array(operation, { maxLength: 6 }), (operations) => {
      const model = new Map<number, { mfn: number; type: P2mType }>();
      for (const { at, count, target, type } of operations) {
        const size = Math.min(count, span - at);
        const first: Gfn = gfn(base + at);
        const frame: Mfn | undefined = target === undefined ? undefined : mfn(0x20_0000 + target);
        if (state.steps.p2m.setEntries(state, p2m, first, size, frame, type) !== 0) return false;
        for (let i = 0; i < size; i++) {
          if (frame === undefined) model.delete(at + i);
          else model.set(at + i, { mfn: frame + i, type });
        }
      }
      for (let i = 0; i < span; i += 7) {
        const { mfn: found, type } = state.steps.p2m.lookup(state, p2m, gfn(base + i)) ?? {};
        const want = model.get(i);
        if (found !== want?.mfn || type !== want?.type) return false;
      }
      return state.steps.p2m.setEntries(state, p2m, gfn(base), span, undefined, 'invalid') === 0;
    }),
    { seed: 7, numRuns: 40 },
  );
  // Level 3 tables of what was split or mapped by pages may stay linked; they go with the p2m.
  t.ok(p2m.tables.size >= tablesBefore);
  t.equal(freeBefore - state.heap.free, p2m.tables.size - tablesBefore, 'no frame is lost');
  t.ok(xen);
});
