/**
 * The GICv2 by the manual (Arm IHI 0048B.b): 3 (handling), 4.3 (distributor), 4.4 (CPU interface), 5.3 to 5.5 (virtual
 * interface). Offsets and fields are restated by hand.
 */
import t from 'tap';
import type { RegisterDevice } from '../../bus.js';
import { Observer } from '../../observer.js';
import { Gicv2, type Gicv2Options } from './gicv2.js';

const SPURIOUS = 1023;
/** States of a list register, bits 29:28. */
const PENDING = 1;
const ACTIVE = 2;

function gicv2(options: Partial<Gicv2Options> = {}) {
  const problems: string[] = [];
  const observer = new Observer({ problem: ({ text }) => problems.push(text) });
  const gic = new Gicv2({ name: 'gic', cpus: 2, spis: 64, observer, ...options });
  const from = [{ cpu: 0 }, { cpu: 1 }];
  const ports = (device: RegisterDevice) => ({
    read: (offset: number, cpu = 0, width: 1 | 2 | 4 = 4) => device.readRegister(offset, width, from[cpu]) ?? -1,
    write: (offset: number, value: number, cpu = 0, width: 1 | 2 | 4 = 4) =>
      device.writeRegister(offset, width, value, from[cpu]),
  });
  const machine = {
    gic,
    problems,
    d: ports(gic.distributor),
    c: ports(gic.cpuInterface),
    h: ports(gic.hypervisorInterface),
    v: ports(gic.virtualCpuInterface),
    irq: (cpu: number) => gic.interfaces[cpu]?.irq,
    virq: (cpu: number) => gic.interfaces[cpu]?.virq,
    line: (spi: number) => {
      const line = gic.line([0, spi, 4]);
      if (line === undefined) throw new Error(`no SPI ${spi}`);
      return line;
    },
    start() {
      machine.d.write(0x0, 1);
      for (const cpu of [0, 1]) {
        machine.c.write(0x4, 0xff, cpu);
        machine.c.write(0x0, 1, cpu);
      }
      return machine;
    },
    enable(spi: number, { priority = 0xa0, targets = 1, edge = false } = {}) {
      const intid = 32 + spi;
      const config = 0xc00 + (intid >> 4) * 4;
      const bit = 2 << ((intid & 15) * 2);
      machine.d.write(config, edge ? machine.d.read(config) | bit : machine.d.read(config) & ~bit);
      machine.d.write(0x400 + intid, priority, 0, 1);
      machine.d.write(0x800 + intid, targets, 0, 1);
      machine.d.write(0x100 + (intid >> 5) * 4, 1 << (intid & 31));
    },
    bit: (register: number, intid: number) => (machine.d.read(register + (intid >> 5) * 4) >>> (intid & 31)) & 1,
  };
  return machine;
}

const ISPENDR = 0x200;
const ISACTIVER = 0x300;

t.test('identification', async (t) => {
  const { d, c, h } = gicv2({ listRegisters: 4 });
  t.equal(d.read(0x4) & 0x1f, 2, 'GICD_TYPER.ITLinesNumber: 96 interrupts');
  t.equal((d.read(0x4) >>> 5) & 7, 1, 'CPUNumber: two');
  t.equal((d.read(0xfe8) >>> 4) & 0xf, 2, 'GICD_PIDR2.ArchRev');
  t.equal((c.read(0xfc) >>> 16) & 0xf, 2, 'GICC_IIDR: architecture 2');
  t.equal(h.read(0x4) & 0x3f, 3, 'GICH_VTR.ListRegs: four');
});

t.test('level-sensitive: pending while the line is high, again after the end if it still is', async (t) => {
  const m = gicv2().start();
  const line = m.line(3);
  m.enable(3);
  line.set(true);
  t.ok(m.irq(0));
  m.d.write(0x284, 1 << 3);
  t.equal(m.bit(ISPENDR, 35), 1, 'ICPENDR does not clear what the line asserts');
  t.equal(m.c.read(0xc), 35);
  t.equal(m.bit(ISACTIVER, 35), 1);
  t.notOk(m.irq(0));
  m.c.write(0x10, 35);
  t.ok(m.irq(0), 'still high');
  t.equal(m.c.read(0xc), 35);
  line.set(false);
  m.c.write(0x10, 35);
  t.equal(m.c.read(0xc), SPURIOUS);
  t.same(m.problems, []);
});

t.test('edge-triggered: one interrupt an edge, also while the last is active', async (t) => {
  const m = gicv2().start();
  const line = m.line(4);
  m.enable(4, { edge: true });
  line.set(true);
  t.equal(m.c.read(0xc), 36);
  line.set(false);
  line.set(true);
  t.notOk(m.irq(0), 'pending and active');
  m.c.write(0x10, 36);
  t.equal(m.c.read(0xc), 36);
  m.c.write(0x10, 36);
  t.equal(m.c.read(0xc), SPURIOUS);
});

t.test('ITARGETSR names CPUs; of the first 32 interrupts it reads who asks', async (t) => {
  const m = gicv2().start();
  m.enable(3, { targets: 2 });
  m.line(3).set(true);
  t.same([m.irq(0), m.irq(1)], [false, true]);
  m.d.write(0x800 + 35, 1, 0, 1);
  t.same([m.irq(0), m.irq(1)], [true, false]);
  t.equal(m.d.read(0x800, 0), 0x0101_0101);
  t.equal(m.d.read(0x800, 1), 0x0202_0202);
  m.d.write(0x800 + 35, 3, 0, 1);
  t.equal(m.c.read(0xc, 1), 35, 'one of several takes it');
  t.notOk(m.irq(0), 'and the others do not');
});

t.test('enables of the first 32 interrupts are each CPU’s own', async (t) => {
  const m = gicv2();
  m.d.write(0x100, 1 << 27, 1);
  t.equal((m.d.read(0x100, 1) >>> 27) & 1, 1);
  t.equal((m.d.read(0x100, 0) >>> 27) & 1, 0);
});

t.test('software-generated interrupts: who asked comes with them, and each is taken', async (t) => {
  const m = gicv2().start();
  // GICD_SGIR: target list filter 25:24, CPU targets 23:16, INTID 3:0.
  m.d.write(0xf00, (2 << 16) | 5, 0);
  t.same([m.irq(0), m.irq(1)], [false, true]);
  t.equal(m.c.read(0xc, 1), 5, 'CPUID 12:10 is 0');
  m.c.write(0x10, 5, 1);
  m.d.write(0xf00, (1 << 24) | 6, 1);
  t.equal(m.c.read(0xc, 0), (1 << 10) | 6, 'all but the one that asks; asked by CPU 1');
  m.c.write(0x10, (1 << 10) | 6, 0);
  m.d.write(0xf00, (2 << 24) | 7, 1);
  t.equal(m.c.read(0xc, 1), (1 << 10) | 7, 'itself alone');
  m.c.write(0x10, (1 << 10) | 7, 1);
  t.same(m.problems, []);
});

t.test('priorities: the lowest number first, preemption, the mask', async (t) => {
  const m = gicv2().start();
  m.enable(5, { priority: 0xa0 });
  m.enable(6, { priority: 0x40 });
  m.line(5).set(true);
  t.equal(m.c.read(0xc), 37);
  t.equal(m.c.read(0x14), 0xa0, 'GICC_RPR');
  m.line(6).set(true);
  t.equal(m.c.read(0x18) & 0x3ff, 38, 'GICC_HPPIR');
  t.equal(m.c.read(0xc), 38);
  m.line(6).set(false);
  m.c.write(0x10, 38);
  t.equal(m.c.read(0x14), 0xa0);
  m.line(5).set(false);
  m.c.write(0x10, 37);
  t.equal(m.c.read(0x14), 0xff);
  m.c.write(0x4, 0x40);
  m.line(6).set(true);
  t.notOk(m.irq(0), 'equal to the mask');
  m.c.write(0x4, 0x48);
  t.ok(m.irq(0));
});

t.test('EOImode: EOIR drops the priority, DIR deactivates', async (t) => {
  const m = gicv2().start();
  m.c.write(0x0, 1 | (1 << 9));
  m.enable(3);
  m.line(3).set(true);
  t.equal(m.c.read(0xc), 35);
  m.c.write(0x10, 35);
  t.equal(m.c.read(0x14), 0xff);
  t.equal(m.bit(ISACTIVER, 35), 1);
  t.notOk(m.irq(0));
  m.c.write(0x1000, 35);
  t.equal(m.bit(ISACTIVER, 35), 0);
  t.ok(m.irq(0));
});

/** GICH_LR: virtual INTID 9:0, physical 19:10, priority 27:23, state 29:28, group 30, HW 31. */
const lr = (vintid: number, state: number, priority: number, hw = -1, eoi = 0) =>
  ((hw >= 0 ? (1 << 31) | (hw << 10) : eoi << 19) | (state << 28) | ((priority >> 3) << 23) | vintid) >>> 0;

/** Guests' interface on, everything let through. */
function virtual() {
  const m = gicv2().start();
  m.h.write(0x0, 1);
  m.v.write(0x4, 0xff);
  m.v.write(0x0, 1);
  const state = (register: number) => (m.h.read(0x100 + register * 4) >>> 28) & 3;
  return { ...m, state };
}

t.test('a list register is signalled, acknowledged, ended', async (t) => {
  const m = virtual();
  m.h.write(0x100, lr(40, PENDING, 0xa0));
  t.ok(m.virq(0));
  t.equal(m.v.read(0xc), 40);
  t.equal(m.state(0), ACTIVE);
  t.notOk(m.virq(0));
  m.v.write(0x10, 40);
  t.equal(m.state(0), 0);
  t.equal(m.v.read(0xc), SPURIOUS);
});

t.test('the guest’s own mask and enable, and the hypervisor’s', async (t) => {
  const m = virtual();
  m.h.write(0x100, lr(40, PENDING, 0xa0));
  m.v.write(0x4, 0xa0);
  t.notOk(m.virq(0));
  m.v.write(0x4, 0xf8);
  m.v.write(0x0, 0);
  t.notOk(m.virq(0));
  m.v.write(0x0, 1);
  t.ok(m.virq(0));
  m.h.write(0x0, 0);
  t.notOk(m.virq(0));
});

t.test("ending an interrupt of the hardware's deactivates the physical one; without HW it does not", async (t) => {
  for (const hw of [true, false]) {
    const m = virtual();
    m.c.write(0x0, 1 | (1 << 9));
    m.enable(3);
    m.line(3).set(true);
    t.equal(m.c.read(0xc), 35);
    m.c.write(0x10, 35);
    m.h.write(0x100, lr(35, PENDING, 0xa0, hw ? 35 : -1));
    t.equal(m.v.read(0xc), 35);
    m.v.write(0x10, 35);
    t.equal(m.bit(ISACTIVER, 35), hw ? 0 : 1);
  }
});

t.test('virtual interfaces are each CPU’s own', async (t) => {
  const m = virtual();
  m.h.write(0x0, 1, 1);
  m.v.write(0x4, 0xff, 1);
  m.v.write(0x0, 1, 1);
  m.h.write(0x100, lr(40, PENDING, 0xa0), 1);
  t.same([m.virq(0), m.virq(1)], [false, true]);
  t.equal(m.h.read(0x100, 0), 0);
  t.equal(m.v.read(0xc, 1), 40);
});

t.test('empty list registers, those that ask for maintenance, underflow: INTID 25', async (t) => {
  const m = virtual();
  t.equal(m.h.read(0x30), 0xf, 'GICH_ELRSR0');
  m.h.write(0x104, lr(40, PENDING, 0xa0, -1, 1));
  t.equal(m.h.read(0x30), 0xd);
  t.equal(m.v.read(0xc), 40);
  m.v.write(0x10, 40);
  t.equal(m.h.read(0x20), 0x2, 'GICH_EISR0');
  t.equal(m.h.read(0x10) & 1, 1, 'GICH_MISR.EOI');
  m.h.write(0x104, 0);
  m.d.write(0x100, 1 << 25);
  m.h.write(0x0, 3);
  t.equal(m.h.read(0x10) & 2, 2, 'underflow');
  t.equal(m.c.read(0xc), 25);
  m.h.write(0x0, 1);
  m.c.write(0x10, 25);
  t.notOk(m.irq(0));
});

t.test('a saved state comes back', async (t) => {
  const m = virtual();
  m.enable(3, { priority: 0x40 });
  m.line(3).set(true);
  t.equal(m.c.read(0xc), 35);
  m.h.write(0x100, lr(40, PENDING, 0xa0));
  const other = gicv2();
  other.gic.load(m.gic.save());
  t.equal(other.bit(ISACTIVER, 35), 1);
  t.equal(other.c.read(0x14), 0x40);
  t.ok(other.virq(0));
});
