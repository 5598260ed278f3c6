/** The distributor and the physical CPU interface by the manual (Arm IHI 0069): 4 (handling), 12.2, 12.9. */
import t from 'tap';
import { gicv3 } from './gicv3.test-support.js';

/** What acknowledging gives when there is nothing. */
const SPURIOUS = 1023;

t.test('identification: GICD_TYPER, PIDR2, and what is not there', async (t) => {
  const { read } = gicv3();
  const typer = read(0x4);
  t.equal(typer & 0x1f, 2, 'ITLinesNumber: 32 * (2 + 1) - 1 is the last INTID');
  t.equal((typer >>> 19) & 0x1f, 15, 'IDbits: 16 bits of INTID');
  t.equal((typer >>> 17) & 1, 1, 'LPIS');
  t.equal((typer >>> 16) & 1, 1, 'MBIS: GICD_SETSPI_NSR is there');
  t.equal((read(0xffe8) >>> 4) & 0xf, 3, 'ArchRev');
  t.equal((gicv3({ lpis: false }).read(0x4) >>> 17) & 1, 0);
  t.equal(read(0x100 + 4 * 4), 0, 'enables beyond the last interrupt read as zero');
});

t.test('one security state: DS and ARE read as one', async (t) => {
  const { read, write } = gicv3();
  write(0x0, 0);
  t.equal(read(0x0) & 0x50, 0x50, 'DS 6, ARE 4');
  write(0x0, 0x3);
  t.equal(read(0x0) & 0x3, 0x3, 'EnableGrp0, EnableGrp1');
});

t.test('enables are set and cleared by writing ones', async (t) => {
  const { read, write } = gicv3();
  write(0x104, 0x0000_0011);
  t.equal(read(0x104), 0x11);
  t.equal(read(0x184), 0x11, 'ICENABLER reads the same');
  write(0x184, 0x1);
  t.equal(read(0x104), 0x10);
  write(0x104, 0);
  t.equal(read(0x104), 0x10);
});

t.test('a level-sensitive interrupt is pending as long as its line is high', async (t) => {
  const m = gicv3().start();
  const line = m.line(3);
  m.enable(3);
  line.set(true);
  t.equal(m.pending(35), 1);
  m.write(0x284, 1 << 3);
  t.equal(m.pending(35), 1, 'ICPENDR does not clear what the line asserts (12.9.13)');
  t.ok(m.cpu(0).irq);
  line.set(false);
  t.equal(m.pending(35), 0);
  t.notOk(m.cpu(0).irq);
});

t.test('software makes a level-sensitive interrupt pending until it is acknowledged or cleared', async (t) => {
  const m = gicv3().start();
  m.enable(3);
  m.write(0x204, 1 << 3);
  t.equal(m.pending(35), 1);
  m.write(0x284, 1 << 3);
  t.equal(m.pending(35), 0);
  m.write(0x204, 1 << 3);
  t.equal(m.sys(0, 'ICC_IAR1_EL1'), 35);
  t.equal(m.pending(35), 0);
});

t.test('an edge is taken once, however long the line stays high', async (t) => {
  const m = gicv3().start();
  const line = m.line(4);
  m.enable(4, 0xa0, 0, true);
  line.set(true);
  line.set(false);
  t.equal(m.pending(36), 1);
  line.set(true);
  t.equal(m.sys(0, 'ICC_IAR1_EL1'), 36);
  t.equal(m.active(36), 1);
  m.set(0, 'ICC_EOIR1_EL1', 36);
  t.equal(m.active(36), 0);
  t.equal(m.sys(0, 'ICC_IAR1_EL1'), SPURIOUS);
  line.set(false);
  line.set(true);
  t.equal(m.pending(36), 1, 'the next edge');
  m.write(0x284, 1 << 4);
  t.equal(m.pending(36), 0, 'ICPENDR takes an edge away');
});

t.test('an edge that arrives while the interrupt is active makes it pending again', async (t) => {
  const m = gicv3().start();
  const line = m.line(4);
  m.enable(4, 0xa0, 0, true);
  line.set(true);
  t.equal(m.sys(0, 'ICC_IAR1_EL1'), 36);
  line.set(false);
  line.set(true);
  t.same([m.active(36), m.pending(36)], [1, 1]);
  t.equal(m.sys(0, 'ICC_IAR1_EL1'), SPURIOUS, 'active and pending is not signalled');
  m.set(0, 'ICC_EOIR1_EL1', 36);
  t.equal(m.sys(0, 'ICC_IAR1_EL1'), 36);
});

t.test('a line that is still high at deactivation makes the interrupt pending again', async (t) => {
  const m = gicv3().start();
  const line = m.line(3);
  m.enable(3);
  line.set(true);
  t.equal(m.sys(0, 'ICC_IAR1_EL1'), 35);
  m.set(0, 'ICC_EOIR1_EL1', 35);
  t.equal(m.sys(0, 'ICC_IAR1_EL1'), 35);
  line.set(false);
  m.set(0, 'ICC_EOIR1_EL1', 35);
  t.equal(m.sys(0, 'ICC_IAR1_EL1'), SPURIOUS);
});

t.test('nothing is signalled that is disabled, of a disabled group, or for a PE that sleeps', async (t) => {
  const m = gicv3().start();
  m.enable(3);
  m.line(3).set(true);
  t.ok(m.cpu(0).irq);
  m.write(0x184, 1 << 3);
  t.notOk(m.cpu(0).irq, 'ICENABLER');
  t.equal(m.pending(35), 1, 'pending all the same');
  m.write(0x104, 1 << 3);
  m.write(0x0, 0x10);
  t.notOk(m.cpu(0).irq, 'EnableGrp1 of the distributor');
  m.write(0x0, 0x12);
  m.set(0, 'ICC_IGRPEN1_EL1', 0);
  t.notOk(m.cpu(0).irq, 'the CPU interface');
  m.set(0, 'ICC_IGRPEN1_EL1', 1);
  t.ok(m.cpu(0).irq);
  m.writeR(0, 0x14, 2);
  t.notOk(m.cpu(0).irq, 'GICR_WAKER.ProcessorSleep');
  t.equal(m.readR(0, 0x14) & 4, 4, 'ChildrenAsleep follows');
  m.writeR(0, 0x14, 0);
  t.equal(m.readR(0, 0x14) & 6, 0);
  t.ok(m.cpu(0).irq);
});

t.test('IROUTER names the PE, also of an interrupt that is pending already', async (t) => {
  const m = gicv3().start();
  m.enable(3, 0xa0, 1);
  m.line(3).set(true);
  t.same([m.cpu(0).irq, m.cpu(1).irq], [false, true]);
  m.write(0x6000 + 35 * 8, 0);
  t.same([m.cpu(0).irq, m.cpu(1).irq], [true, false]);
  t.equal(m.read(0x6000 + 35 * 8), 0);
  m.write(0x6000 + 35 * 8, 0x7);
  t.same([m.cpu(0).irq, m.cpu(1).irq], [false, false], 'no such PE');
});

t.test('the highest priority comes first: the lowest number, then the lowest INTID', async (t) => {
  const m = gicv3().start();
  m.enable(5, 0xa0);
  m.enable(6, 0x80);
  m.enable(7, 0x80);
  for (const spi of [5, 6, 7]) m.line(spi).set(true);
  t.equal(m.sys(0, 'ICC_HPPIR1_EL1'), 38);
  t.equal(m.sys(0, 'ICC_IAR1_EL1'), 38);
  t.equal(m.sys(0, 'ICC_RPR_EL1'), 0x80);
  t.equal(m.sys(0, 'ICC_IAR1_EL1'), SPURIOUS, 'one of equal priority does not preempt');
  m.set(0, 'ICC_EOIR1_EL1', 38);
  m.line(6).set(false);
  t.equal(m.sys(0, 'ICC_RPR_EL1'), 0xff, 'idle');
});

t.test('priorities have the bits that are implemented', async (t) => {
  const m = gicv3({ priorityBits: 5 });
  m.write(0x423, 0xff, 1);
  t.equal(m.read(0x423, 1), 0xf8);
  t.equal(m.read(0x420), 0xf800_0000);
  m.set(0, 'ICC_PMR_EL1', 0xff);
  t.equal(m.sys(0, 'ICC_PMR_EL1'), 0xf8);
  t.equal((m.sys(0, 'ICC_CTLR_EL1') >>> 8) & 7, 4, 'ICC_CTLR_EL1.PRIbits: five');
});

t.test('only what is above the mask is signalled', async (t) => {
  const m = gicv3().start();
  m.enable(5, 0xa0);
  m.line(5).set(true);
  m.set(0, 'ICC_PMR_EL1', 0xa0);
  t.notOk(m.cpu(0).irq, 'equal to the mask');
  m.set(0, 'ICC_PMR_EL1', 0xa8);
  t.ok(m.cpu(0).irq);
});

t.test('a higher group priority preempts; ends in reverse order restore the running priority', async (t) => {
  const m = gicv3().start();
  m.enable(5, 0xa0);
  m.enable(6, 0x40);
  m.line(5).set(true);
  t.equal(m.sys(0, 'ICC_IAR1_EL1'), 37);
  m.line(6).set(true);
  t.equal(m.sys(0, 'ICC_IAR1_EL1'), 38);
  t.equal(m.sys(0, 'ICC_RPR_EL1'), 0x40);
  m.line(6).set(false);
  m.set(0, 'ICC_EOIR1_EL1', 38);
  t.equal(m.sys(0, 'ICC_RPR_EL1'), 0xa0);
  m.line(5).set(false);
  m.set(0, 'ICC_EOIR1_EL1', 37);
  t.equal(m.sys(0, 'ICC_RPR_EL1'), 0xff);
});

t.test('the binary point keeps interrupts of one group priority from preempting', async (t) => {
  const m = gicv3().start();
  // BPR1 = 7 would be group priority in bit 7 alone; 6: bits 7:7 for group 1 (4.8.2: BPR1 n splits at bit n - 1).
  m.set(0, 'ICC_BPR1_EL1', 7);
  m.enable(5, 0x60);
  m.enable(6, 0x20);
  m.line(5).set(true);
  t.equal(m.sys(0, 'ICC_IAR1_EL1'), 37);
  m.line(6).set(true);
  t.equal(m.sys(0, 'ICC_IAR1_EL1'), SPURIOUS, 'both are in the upper half');
});

t.test('EOImode 1: EOIR drops the priority, DIR deactivates', async (t) => {
  const m = gicv3().start();
  m.set(0, 'ICC_CTLR_EL1', 2);
  m.enable(3);
  m.line(3).set(true);
  t.equal(m.sys(0, 'ICC_IAR1_EL1'), 35);
  m.set(0, 'ICC_EOIR1_EL1', 35);
  t.equal(m.sys(0, 'ICC_RPR_EL1'), 0xff);
  t.equal(m.active(35), 1);
  t.equal(m.sys(0, 'ICC_IAR1_EL1'), SPURIOUS, 'the line is high, and the interrupt active');
  m.set(0, 'ICC_DIR_EL1', 35);
  t.equal(m.active(35), 0);
  t.equal(m.sys(0, 'ICC_IAR1_EL1'), 35);
});

t.test('RWP stays set until the disabling of an interrupt has taken effect', async (t) => {
  const m = gicv3({ lag: 16 }).start();
  m.enable(3);
  m.latency.settle();
  t.equal(m.read(0x0) >>> 31, 0);
  m.write(0x184, 1 << 3);
  t.equal(m.read(0x0) >>> 31, 1);
  m.latency.settle();
  t.equal(m.read(0x0) >>> 31, 0);
});

t.test('SETSPI_NSR and CLRSPI_NSR set and clear a pending interrupt by message', async (t) => {
  const m = gicv3().start();
  m.enable(9, 0xa0, 0, true);
  m.write(0x40, 41);
  t.equal(m.pending(41), 1);
  m.write(0x48, 41);
  t.equal(m.pending(41), 0);
});

t.test('a saved state comes back', async (t) => {
  const m = gicv3().start();
  m.enable(3, 0x40);
  m.line(3).set(true);
  t.equal(m.sys(0, 'ICC_IAR1_EL1'), 35);
  const other = gicv3();
  other.gic.load(m.gic.save());
  t.equal(other.active(35), 1);
  t.equal(other.sys(0, 'ICC_RPR_EL1'), 0x40);
  other.line(3).set(false);
  other.set(0, 'ICC_EOIR1_EL1', 35);
  t.same([other.active(35), other.pending(35)], [0, 0]);
});
