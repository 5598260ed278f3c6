import t from 'tap';
import { bootGic, EDGE, Guest, LEVEL, line, MORE, makeDomain, settle } from '../irq/irq.test-support.js';

const GICD = 0x0300_1000;
/** Redistributors of the guest layout: RD_base of vCPU 0, and frames 128 KiB apart. SGI_base is 64 KiB behind. */
const GICR = 0x0302_0000;
const SGI_BASE = 0x1_0000;

t.test('GICv3: a guest finds its distributor as after reset (IHI 0069 12.9)', async (t) => {
  const booted = bootGic(3);
  const guest = new Guest(booted, makeDomain(booted, 2));
  t.equal(guest.load(GICD), 0x10, 'CTLR: affinity routing, group 1 disabled');
  const typer = guest.load(GICD + 4) ?? 0;
  t.equal(typer & 0x1f, 2, 'TYPER.ITLinesNumber: 96 interrupts');
  t.equal((typer >>> 5) & 7, 1, 'CPUNumber: two');
  t.equal((typer >>> 17) & 1, 0, 'LPIS');
  t.equal((typer >>> 19) & 0x1f, 9, 'IDbits: ten');
  t.equal((guest.load(GICD + 0xffe8) ?? 0) & 0xf0, 0x30, 'PIDR2: GICv3');
  for (const first of [0x80, 0x100, 0x180, 0x200, 0x280, 0x300, 0x380]) {
    for (let n = 0; n < 4; n++) t.equal(guest.load(GICD + first + 4 * n), 0, `0x${first.toString(16)} ${n}`);
  }
  t.equal(guest.load(GICD + 0x400 + LEVEL), 0);
  t.equal(guest.load(GICD + 0xc00 + 8), 0, 'level-sensitive');
  t.equal(guest.load(GICD + 0x6000 + 8 * LEVEL, 8), 0);
  guest.store(GICD + 0x104, 0xffff_ffff);
  t.equal(guest.load(GICD + 0x184), 0xffff_ffff);
  guest.store(GICD + 0x184, 0x0000_ffff);
  t.equal(guest.load(GICD + 0x104), 0xffff_0000);
  guest.store(GICD + 0x100, 0xffff_ffff);
  t.equal(guest.load(GICD + 0x100), 0, 'SGIs and PPIs are the redistributor’s');
  guest.store(GICD + 0x10c, 0xffff_ffff);
  t.equal(guest.load(GICD + 0x10c), 0, 'there is no interrupt 96');
  guest.store(GICD + 0x400 + LEVEL, 0xff, 1);
  t.equal(guest.load(GICD + 0x400 + LEVEL, 1), 0xf8, 'five bits of priority');
  guest.store(GICD + 0x400 + LEVEL, 0x4433_2211);
  t.equal(guest.load(GICD + 0x400 + LEVEL), 0x4030_2010);
  guest.store(GICD + 0xc08, 0xffff_ffff);
  t.equal(guest.load(GICD + 0xc08), 0xaaaa_aaaa, 'the upper bit of each pair');
  guest.store(GICD + 0x6000 + 8 * LEVEL, 0x8000_0101, 8);
  t.equal(guest.load(GICD + 0x6000 + 8 * LEVEL, 8), 0x101, 'no 1 of N');
  t.same(booted.problems, []);
});

t.test('GICv3: a guest finds a redistributor for each vCPU (IHI 0069 12.11)', async (t) => {
  const booted = bootGic(3);
  const guest = new Guest(booted, makeDomain(booted, 3));
  const typers = [0, 1, 2].map((n) => guest.access('load', GICR + n * 0x2_0000 + 8, 8));
  t.same(
    typers,
    [
      { ok: true, hi: 0, lo: 0 },
      { ok: true, hi: 1, lo: 0x100 },
      { ok: true, hi: 2, lo: 0x210 },
    ],
    'affinity in 63:32, Processor_Number in 23:8, Last in 4',
  );
  t.equal(guest.load(GICR + 8 + 4), 0, 'halves can be read');
  t.equal(guest.load(GICR + 0x2_0000 + 12), 1);
  t.equal(guest.load(GICR + 0x14), 0, 'WAKER: awake');
  t.equal((guest.load(GICR + 0xffe8) ?? 0) & 0xf0, 0x30);
  t.equal(guest.load(GICR + SGI_BASE + 0xc00), 0xaaaa_aaaa, 'SGIs are edge-triggered');
  t.equal(guest.load(GICR + SGI_BASE + 0x100), 0);
  guest.store(GICR + SGI_BASE + 0x100, 0x8000_0001);
  t.equal(guest.load(GICR + SGI_BASE + 0x180), 0x8000_0001);
  t.equal(guest.load(GICR + 0x2_0000 + SGI_BASE + 0x100), 0, 'those of another vCPU are its own');
  t.equal(guest.load(GICR + 3 * 0x2_0000), undefined, 'behind the last is nothing');
  guest.store(GICR, 1);
  guest.store(GICR + 0x70, 0x4000_000f, 8);
  t.equal(guest.load(GICR), 0, 'without LPIs, EnableLPIs');
  t.equal(guest.load(GICR + 0x70, 8), 0, 'and PROPBASER are zero');
  t.same(booted.problems, []);
});

t.test('GICv3: what guests say of LPIs is kept for the emulation of translation services', async (t) => {
  const booted = bootGic(3);
  const domain = makeDomain(booted, 1);
  const guest = new Guest(booted, domain);
  if (domain.vgic !== undefined) domain.vgic.lpiIdBits = 14;
  t.equal((guest.load(GICD + 4) ?? 0) & 0x00fa_0000, (13 << 19) | (1 << 17), 'IDbits and LPIS');
  t.equal(guest.load(GICR + 8), 0x11, 'PLPIS, Last');
  guest.access('store', GICR + 0x70, 8, 0x4100_000d, 0);
  guest.access('store', GICR + 0x78, 8, 0x4200_0000, 0x4000_0000);
  t.same(guest.access('load', GICR + 0x78, 8), { ok: true, hi: 0, lo: 0x4200_0000 }, 'PTZ reads as zero');
  guest.store(GICR, 1);
  t.equal(guest.load(GICR), 1);
  guest.store(GICR + 0x70, 0, 4);
  t.equal(guest.load(GICR + 0x70), 0x4100_000d, 'fixed while LPIs are enabled');
  t.same(domain.vcpus[0]?.vgic?.propbaser, { hi: 0, lo: 0x4100_000d });
  t.ok(domain.vcpus[0]?.vgic?.lpisEnabled);
});

t.test('GICv3: SGIs reach the vCPUs that they name (IHI 0069 12.2, ICC_SGI1R_EL1)', async (t) => {
  const booted = bootGic(3);
  const guest = new Guest(booted, makeDomain(booted, 3)).start();
  for (let n = 0; n < 3; n++) guest.store(GICR + n * 0x2_0000 + SGI_BASE + 0x100, 0xffff);
  guest.write('ICC_SGI1R_EL1', (5 << 24) | 0b110, 0);
  settle(booted.machine);
  t.same(
    [0, 1, 2].map((vcpu) => guest.signalled(vcpu)),
    [false, true, true],
  );
  t.same(
    [1, 2].map((vcpu) => guest.acknowledge(vcpu)),
    [5, 5],
  );
  // Pending once more while it is active, and only once.
  guest.write('ICC_SGI1R_EL1', (5 << 24) | 0b010, 0);
  guest.write('ICC_SGI1R_EL1', (5 << 24) | 0b010, 0);
  settle(booted.machine);
  t.notOk(guest.signalled(1), 'active at the same priority');
  guest.end(5, 1);
  t.equal(guest.acknowledge(1), 5);
  guest.end(5, 1);
  t.equal(guest.acknowledge(1), 1023);
  guest.end(5, 2);
  // All but the sender: IRM is bit 40. A cluster that is not there: Aff1 in 23:16.
  guest.write('ICC_SGI1R_EL1', 7 << 24, 1, 0x100);
  guest.write('ICC_SGI1R_EL1', (8 << 24) | (1 << 16) | 0b111, 1);
  settle(booted.machine);
  t.same(
    [0, 1, 2].map((vcpu) => guest.acknowledge(vcpu)),
    [7, 1023, 7],
  );
  t.ok(guest.write('ICC_SGI0R_EL1', (9 << 24) | 0b111), 'no guest has group 0');
  settle(booted.machine);
  t.equal(guest.acknowledge(1), 1023);
  t.same(booted.problems, []);
});

t.test('GICv2: a guest finds its distributor as after reset (IHI 0048B.b 4.3)', async (t) => {
  const booted = bootGic(2);
  const guest = new Guest(booted, makeDomain(booted, 2));
  t.equal(guest.load(GICD), 0);
  t.equal(guest.load(GICD + 4), (1 << 5) | 2, 'TYPER: two CPUs, 96 interrupts');
  t.equal((guest.load(GICD + 0xfe8) ?? 0) & 0xf0, 0x20, 'ICPIDR2: GICv2');
  t.equal(guest.load(GICD + 0x100), 0xffff, 'SGIs are always enabled');
  t.equal(guest.load(GICD + 0x104), 0);
  t.equal(guest.load(GICD + 0x800, 4, 0), 0x0101_0101, 'ITARGETSR0 tells who reads it');
  t.equal(guest.load(GICD + 0x800, 4, 1), 0x0202_0202);
  guest.store(GICD + 0x800 + LEVEL, 0xff, 1);
  t.equal(guest.load(GICD + 0x800 + LEVEL, 1), 0x3, 'targets that there are');
  guest.store(GICD + 0x400 + 20, 0x40, 1, 1);
  t.equal(guest.load(GICD + 0x400 + 20, 1, 1), 0x40, 'PPIs are banked');
  t.equal(guest.load(GICD + 0x400 + 20, 1, 0), 0);
  t.equal(guest.load(GICD + 0xc00), 0xaaaa_aaaa);
  t.same(booted.problems, []);
});

t.test('GICv2: SGIs are apart by who sends them (IHI 0048B.b 4.3.15)', async (t) => {
  const booted = bootGic(2);
  const guest = new Guest(booted, makeDomain(booted, 3)).start();
  guest.store(GICD + 0xf00, (0b100 << 16) | 3, 4, 0);
  guest.store(GICD + 0xf00, (0b100 << 16) | 3, 4, 1);
  guest.store(GICD + 0xf00, (1 << 24) | 4, 4, 2); // all others
  guest.store(GICD + 0xf00, (2 << 24) | 6, 4, 1); // the sender itself
  settle(booted.machine);
  t.equal(guest.load(GICD + 0xf20, 4, 2), 3 * 2 ** 24, 'SPENDSGIR: SGI 3 from 0 and 1');
  const taken = [0, 1].map(() => {
    const value = guest.acknowledge(2) ?? 0;
    guest.end(value, 2);
    return value;
  });
  t.same(new Set(taken), new Set([3, 3 | (1 << 10)]), 'GICC_IAR: the sender in 12:10');
  t.equal(guest.acknowledge(2), 1023);
  t.equal(guest.acknowledge(0), 4 | (2 << 10));
  t.same([guest.acknowledge(1), guest.acknowledge(1)].length, 2);
  guest.store(GICD + 0xf20 + 8, 0b10, 1, 0); // SGI 8 from 1, set pending by hand
  guest.store(GICD + 0xf10 + 8, 0b10, 1, 0);
  t.equal(guest.load(GICD + 0xf10 + 8, 1, 0), 0);
  t.same(booted.problems, []);
});

for (const version of [3, 2] as const) {
  t.test(`GICv${version}: pending and active by hand`, async (t) => {
    const booted = bootGic(version);
    const domain = makeDomain(booted);
    const guest = new Guest(booted, domain).start();
    const { xen } = booted;
    // One without anything behind it.
    guest.enable(60);
    guest.store(GICD + 0x204, 1 << 28);
    t.ok(guest.signalled());
    guest.store(GICD + 0x284, 1 << 28);
    t.notOk(guest.signalled());
    guest.store(GICD + 0x204, 1 << 28);
    t.equal(guest.acknowledge(), 60);
    guest.store(GICD + 0x204, 1 << 28);
    t.same([guest.bit(0x200, 60), guest.bit(0x300, 60)], [1, 1], 'pending and active');
    guest.end(60);
    t.equal(guest.acknowledge(), 60);
    guest.store(GICD + 0x384, 1 << 28);
    t.equal(guest.bit(0x300, 60), 0);
    // Its priority is still that of the running interrupt; the guest drops it.
    guest.end(60);
    // One with a physical interrupt behind it.
    xen.steps.irq.routeToGuest(xen, domain, EDGE, EDGE);
    guest.enable(EDGE);
    guest.store(GICD + 0x204, 1 << 9);
    settle(booted.machine);
    t.equal(guest.acknowledge(), EDGE);
    guest.end(EDGE);
    line(booted, 1, true);
    t.ok(guest.signalled());
    guest.store(GICD + 0x284, 1 << 9);
    t.notOk(guest.signalled());
    line(booted, 1, false);
    line(booted, 1, true);
    t.equal(guest.acknowledge(), EDGE, 'the physical one is not stuck');
    guest.end(EDGE);
    t.same(
      booted.problems.filter(({ actor }) => actor === 'xen'),
      [],
    );
  });

  t.test(`GICv${version}: vCPUs that take turns on a CPU keep their interrupts apart`, async (t) => {
    const booted = bootGic(version);
    const { xen } = booted;
    const domains = [0, 1, 2, 3, 4, 5].map(() => makeDomain(booted));
    const guests = domains.map((domain) => new Guest(booted, domain).start());
    const numbers = [LEVEL, EDGE, MORE, MORE + 1, MORE + 2, MORE + 3];
    for (const [n, domain] of domains.entries()) {
      const intid = numbers[n] as number;
      t.equal(xen.steps.irq.routeToGuest(xen, domain, intid, intid), 0);
      guests[n]?.enable(intid);
    }
    for (let n = 0; n < 6; n++) line(booted, n, true);
    t.same(
      guests.map((guest) => guest.acknowledge()),
      numbers,
    );
    for (let n = 0; n < 6; n++) line(booted, n, false);
    for (const [n, guest] of guests.entries()) guest.end(numbers[n] as number);
    t.same(
      guests.map((guest) => guest.acknowledge()),
      numbers.map(() => 1023),
    );
    t.same(booted.problems, []);
  });
}

t.test('a GICv2 has eight vCPUs at most, a GICv3 as many as there is room for', async (t) => {
  const v2 = bootGic(2);
  t.doesNotThrow(() => makeDomain(v2, 8));
  t.throws(() => makeDomain(v2, 9), /no domain: -22/);
  t.equal(v2.xen.domains.size, 2);
});

t.test('the hardware domain finds the controller where the machine has it', async (t) => {
  for (const [version, gicd] of [
    [3, 0x0800_0000],
    [2, 0x0800_1000],
  ] as const) {
    const booted = bootGic(version);
    const cpu = booted.hypervisor.schedule({ domid: 0, vcpu: 0 }) ?? -1;
    const load = (lo: number, width: 4 | 8 = 4) => booted.machine.cpus.guest(cpu, { kind: 'load', hi: 0, lo, width });
    t.match(load(gicd + 4), { ok: true });
    t.notOk(load(GICD + 4).ok);
    if (version === 3) t.same(load(0x080a_0000 + 3 * 0x2_0000 + 8, 8), { ok: true, hi: 3, lo: 0x310 });
    else t.match(load(0x0800_200c), { ok: true, lo: 1023 }, 'its virtual CPU interface');
    t.same(booted.problems, []);
  }
});
