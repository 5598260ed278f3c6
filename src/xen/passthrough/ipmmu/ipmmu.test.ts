import t from 'tap';
import { cellBytes, type DeviceNode, stringBytes } from '../../../firmware/tree.js';
import { pa } from '../../../hw/address.js';
import type { MmioPort } from '../../../hw/machine.js';
import { boardOfFile, createGuest, domctl } from '../../xen.test-support.js';
import { bootInside, deviceAt, domainOf, dtAssignment } from '../dt.test-support.js';

const MAIN = 0xe670_0000;
const CACHE_A = 0xe670_1000;
const CACHE_B = 0xe670_2000;
const GPU = '/soc@a000000/gpu@10000';
const MMC = '/soc@a000000/mmc@40000';
const AUDIO = '/soc@a000000/audio@70000';
const EIO = -5;
const EBUSY = -16;
const EINVAL = -22;

// Offsets as drivers of Linux and Xen have them.
const IMCTR = (context: number) => context * 0x40;
const IMTTBCR = (context: number) => context * 0x40 + 0x8;
const IMTTLBR0 = (context: number) => context * 0x40 + 0x10;
const IMTTUBR0 = (context: number) => context * 0x40 + 0x14;
const IMSTR = (context: number) => context * 0x40 + 0x20;
const IMUCTR = (utlb: number) => (utlb < 32 ? 0x300 + 16 * utlb : 0x600 + 16 * (utlb - 32));

/** Registers of three instances that hold what is written; FLUSH bits last for some reads. */
class Registers {
  readonly values = new Map<number, number>();
  readonly writes: { readonly at: number; readonly value: number }[] = [];
  /** Reads until a flush is done; undefined: it never is. */
  flushReads: number | undefined = 3;
  readonly #flushing = new Map<number, number>();

  get(at: number): number {
    return this.values.get(at) ?? 0;
  }

  readonly before = (inner: MmioPort): MmioPort => ({
    read: (address, width, cpu) => (this.#has(address) ? this.#read(address) : inner.read(address, width, cpu)),
    write: (address, width, value, cpu) => {
      if (this.#has(address)) this.#write(address, value);
      else inner.write(address, width, value, cpu);
    },
    read64: (address, cpu) => inner.read64(address, cpu),
    write64: (address, hi, lo, cpu) => inner.write64(address, hi, lo, cpu),
  });

  #has(address: number): boolean {
    return address >= MAIN && address < CACHE_B + 0x1000;
  }

  #read(at: number): number {
    const left = this.#flushing.get(at);
    if (left === undefined) return this.get(at);
    if (this.flushReads === undefined) return this.get(at) | 2;
    if (left > 1) this.#flushing.set(at, left - 1);
    else this.#flushing.delete(at);
    return this.get(at) | 2;
  }

  #write(at: number, value: number): void {
    this.writes.push({ at, value });
    this.values.set(at, value & ~2);
    if ((at & 0xfff) < 0x200 && at % 0x40 === 0 && (value & 2) !== 0) this.#flushing.set(at, this.flushReads ?? 1);
  }

  /** What a micro-TLB does to requests: lets them pass, or translates them from this root. */
  root(cache: number, utlb: number): number | 'passes' | 'denies' {
    const imuctr = this.get(cache + IMUCTR(utlb));
    if ((imuctr & 1) === 0) return 'passes';
    const context = (imuctr >>> 4) & 0xf;
    const enabled = (this.get(MAIN + IMCTR(context)) & this.get(cache + IMCTR(context)) & 1) === 1;
    if (!enabled) return 'denies';
    return this.get(MAIN + IMTTUBR0(context)) * 2 ** 32 + (this.get(MAIN + IMTTLBR0(context)) >>> 0);
  }
}

const PHANDLES = { main: 0x71, a: 0x72, b: 0x73 };

/** Xen on the board with three IPMMUs of Gen3 more, and three devices behind them. */
function withIpmmus(registers = new Registers(), utlbs: readonly number[] = [3, 40]) {
  const booted = bootInside(
    boardOfFile,
    (tree) => {
      const make = (address: number, phandle: number, more: Record<string, Uint8Array>): void => {
        const model = tree.byPath('/serial@9000000') as DeviceNode;
        const node = Object.assign(model.clone(), { name: `iommu@${address.toString(16)}` });
        node.properties.clear();
        const all = {
          compatible: stringBytes('renesas,ipmmu-r8a7795'),
          reg: cellBytes(0, address, 0, 0x1000),
          '#iommu-cells': cellBytes(1),
          phandle: cellBytes(phandle),
          ...more,
        };
        for (const [name, value] of Object.entries(all)) node.properties.set(name, value);
        tree.root.append(node);
      };
      // A cache before its main instance.
      make(CACHE_A, PHANDLES.a, { 'renesas,ipmmu-main': cellBytes(PHANDLES.main, 0) });
      make(MAIN, PHANDLES.main, { interrupts: cellBytes(0, 196, 4) });
      make(CACHE_B, PHANDLES.b, { 'renesas,ipmmu-main': cellBytes(PHANDLES.main, 1) });
      const behind = (path: string, ...cells: number[]) =>
        tree.byPath(path)?.properties.set('iommus', cellBytes(...cells));
      behind(GPU, ...utlbs.flatMap((utlb) => [PHANDLES.a, utlb]));
      behind(MMC, PHANDLES.b, 7);
      behind(AUDIO, PHANDLES.a, 4);
    },
    undefined,
    registers.before,
  );
  const rootOf = (domid: number) => (domainOf(booted.state, domid).p2m?.root ?? 0) * 4096;
  return { ...booted, registers, rootOf };
}

t.test('every micro-TLB is parked on a context that maps nothing', async (t) => {
  const { registers, machine, xen } = withIpmmus();
  const parked = registers.root(CACHE_A, 0);
  t.type(parked, 'number');
  for (const instance of [MAIN, CACHE_A, CACHE_B])
    for (let utlb = 0; utlb < 48; utlb++) t.equal(registers.root(instance, utlb), parked);
  const table = machine.memory.peek(pa(parked as number), 8192);
  t.ok(
    table.every((byte) => byte === 0),
    'two tables of level 1, all invalid',
  );
  // EAE 31, PMB 30, SL0 7:6 = 1, TSZ0 4:0 = 64 - 40.
  t.equal(registers.get(MAIN + IMTTBCR(0)) >>> 0, 0xc000_0058);
  t.equal(registers.get(MAIN + IMCTR(0)), 0x2000_0005, 'VA64, INTEN, MMUEN');
  t.equal(registers.get(CACHE_A + IMCTR(0)), 0x5, 'no VA64 in a cache');
  t.equal(registers.get(MAIN + 0x504), 8, 'S2PTE');
  t.match(xen.console.join('\n'), /IPMMU \/iommu@e6701000: cache, 8 contexts, 48 micro-TLBs/);
  t.notOk(
    registers.writes.some(
      ({ at, value }) => (at & 0xfff) >= 0x300 && (at & 0xf) === 0 && (at & 0xfff) < 0x500 && (value & 1) === 0,
    ),
    'none is ever disabled',
  );
});

t.test('guest physical addresses have 40 bits where there is an IPMMU', async (t) => {
  const { state } = withIpmmus();
  t.match(state.format, { ipaBits: 40, rootLevel: 1, rootOrder: 1 });
});

t.test('the micro-TLBs of an assigned device select a context over the p2m of its domain', async (t) => {
  const booted = withIpmmus();
  const { registers, rootOf, xen } = booted;
  const d1 = createGuest(xen, []);
  const d2 = createGuest(xen, []);
  t.equal(dtAssignment(booted, 37, d1, GPU), 0);
  for (const utlb of [3, 40]) t.equal(registers.root(CACHE_A, utlb), rootOf(d1));
  const context = (registers.get(CACHE_A + IMUCTR(3)) >>> 4) & 0xf;
  t.equal(registers.get(MAIN + IMTTBCR(context)) >>> 0, 0xc000_0058);
  t.equal(registers.get(MAIN + IMCTR(context)), 0x2000_0005);
  t.equal(registers.get(CACHE_A + IMCTR(context)), 0x5);
  t.equal(registers.get(CACHE_B + IMCTR(context)), 0, 'the other cache does not know it');
  t.equal(dtAssignment(booted, 37, d1, MMC), 0);
  t.equal((registers.get(CACHE_B + IMUCTR(7)) >>> 4) & 0xf, context, 'one number for all caches');
  t.equal(dtAssignment(booted, 37, d2, AUDIO), 0);
  t.equal(registers.root(CACHE_A, 4), rootOf(d2));
  t.not((registers.get(CACHE_A + IMUCTR(4)) >>> 4) & 0xf, context);
});

t.test('a device that is taken is parked, and its context flushed after that; the last one ends it', async (t) => {
  const booted = withIpmmus();
  const { registers, xen } = booted;
  const d1 = createGuest(xen, []);
  const parked = registers.root(CACHE_A, 0);
  t.equal(dtAssignment(booted, 37, d1, GPU), 0);
  t.equal(dtAssignment(booted, 37, d1, MMC), 0);
  const context = (registers.get(CACHE_A + IMUCTR(3)) >>> 4) & 0xf;
  registers.writes.length = 0;
  t.equal(dtAssignment(booted, 47, d1, GPU), 0);
  for (const utlb of [3, 40]) t.equal(registers.root(CACHE_A, utlb), parked);
  const order = registers.writes.map(({ at, value }) => {
    if (at === CACHE_A + IMUCTR(3)) return value === 3 ? 'park' : 'select';
    if (at === CACHE_A + IMCTR(context)) return (value & 2) !== 0 ? 'flush cache' : 'cache';
    return at === MAIN + IMCTR(context) && (value & 2) !== 0 ? 'flush main' : '';
  });
  t.same(order.filter((step) => step !== '').slice(0, 3), ['park', 'flush main', 'flush cache']);
  t.equal(registers.get(CACHE_A + IMCTR(context)), 0, 'the domain has nothing there any more');
  t.equal(registers.get(MAIN + IMCTR(context)) & 1, 1, 'but behind the other cache');
  t.equal(dtAssignment(booted, 47, d1, MMC), 0);
  t.equal(registers.get(MAIN + IMCTR(context)) & 1, 0);
});

t.test('removing a mapping flushes the context in the main instance and in the cache', async (t) => {
  const booted = withIpmmus();
  const { registers, state, xen } = booted;
  const d1 = createGuest(xen, []);
  t.equal(dtAssignment(booted, 37, d1, GPU), 0);
  const context = (registers.get(CACHE_A + IMUCTR(3)) >>> 4) & 0xf;
  registers.writes.length = 0;
  const p2m = domainOf(state, d1).p2m as never;
  t.equal(state.steps.p2m.setEntries(state, p2m, 0x40001 as never, 1, undefined, 'invalid'), 0);
  t.ok(registers.writes.some(({ at, value }) => at === MAIN + IMCTR(context) && (value & 3) === 3));
  t.ok(registers.writes.some(({ at, value }) => at === CACHE_A + IMCTR(context) && (value & 3) === 3));
});

t.test('an IPMMU that does not finish flushing keeps what may still be reached', async (t) => {
  const booted = withIpmmus();
  const { registers, state, xen } = booted;
  const d1 = createGuest(xen, []);
  t.equal(dtAssignment(booted, 37, d1, GPU), 0);
  registers.flushReads = undefined;
  t.equal(dtAssignment(booted, 47, d1, GPU), EIO);
  t.equal(deviceAt(state, GPU).domain?.domid, d1);
  t.equal(domctl(booted, 2, d1, []), EIO);
  t.ok(domainOf(state, d1).ram.length > 0);
  t.match(xen.console.join('\n'), /context \d is not flushed/);
  registers.flushReads = 1;
  t.equal(domctl(booted, 2, d1, []), 0);
});

t.test('context numbers run out, and come back', async (t) => {
  const booted = withIpmmus();
  const { state } = booted;
  const main = state.iommus.find(({ node }) => node.path === '/iommu@e6700000') as never;
  const taken = Array.from({ length: 6 }, () => state.steps.ipmmu.allocateContext(state, main));
  t.same(taken, [1, 2, 3, 4, 5, 6], '0 is for parking');
  const d1 = createGuest(booted.xen, []);
  const d2 = createGuest(booted.xen, []);
  t.equal(dtAssignment(booted, 37, d1, GPU), 0);
  t.equal(dtAssignment(booted, 37, d2, MMC), EBUSY);
  t.equal(dtAssignment(booted, 37, d1, MMC), 0, 'a domain needs one');
  t.equal(domctl(booted, 2, d1, []), 0);
  t.equal(dtAssignment(booted, 37, d2, MMC), 0);
});

t.test('a fault is told with its address and whose it is, and acknowledged by 0', async (t) => {
  const booted = withIpmmus();
  const { registers, state, xen } = booted;
  const d1 = createGuest(xen, []);
  t.equal(dtAssignment(booted, 37, d1, GPU), 0);
  const context = (registers.get(CACHE_A + IMUCTR(3)) >>> 4) & 0xf;
  const fault = (number: number, status: number) => {
    registers.values.set(MAIN + IMSTR(number), status);
    registers.values.set(MAIN + IMSTR(number) + 0x10, 0x8000_1000); // IMELAR
    registers.values.set(MAIN + IMSTR(number) + 0x14, 0x12); // IMEUAR
  };
  fault(context, 0x1);
  fault(0, 0x2);
  state.steps.iommu.service(state);
  t.match(xen.console.join('\n'), new RegExp(`TF context ${context} \\(d${d1}\\) at 0x1280001000`));
  t.match(xen.console.join('\n'), /PF context 0 \(nobody\)/);
  t.equal(registers.get(MAIN + IMSTR(context)), 0);
});

t.test('a micro-TLB that there is not makes no device', async (t) => {
  const booted = withIpmmus(new Registers(), [3, 48]);
  t.match(booted.xen.console.join('\n'), /there is no micro-TLB 48/);
  const d1 = createGuest(booted.xen, []);
  t.equal(dtAssignment(booted, 37, d1, GPU), EINVAL);
});

t.test('micro-TLBs are parked even if the main instance does not come up; its devices are nobody’s', async (t) => {
  const registers = new Registers();
  registers.flushReads = undefined;
  const booted = withIpmmus(registers);
  for (const utlb of [3, 40]) t.not(registers.root(CACHE_A, utlb), 'passes');
  t.match(booted.xen.console.join('\n'), /gpu@10000: iommus: \/iommu@e6701000 could not be brought up/);
  const d1 = createGuest(booted.xen, []);
  t.equal(dtAssignment(booted, 37, d1, GPU), EINVAL);
});
