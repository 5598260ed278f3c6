/** Redistributors by the manual (Arm IHI 0069): 2.2 (SGIs), 5.1 (LPIs and their tables), 12.11. */
import t from 'tap';
import { pa } from '../../address.js';
import { gicv3, RAM } from './gicv3.test-support.js';

const PROPERTIES = RAM + 0x1_0000;
const PENDING = RAM + 0x2_0000;

/** LPIs of 14 bits: one property byte for each, INTID 8192 first; one pending bit for each INTID, 0 first. */
function withLpis(options: Parameters<typeof gicv3>[0] = {}, ptz = true) {
  const m = gicv3(options).start();
  m.writeR(0, 0x70, PROPERTIES + 13);
  m.writeR(0, 0x74, 0);
  m.writeR(0, 0x78, PENDING);
  m.writeR(0, 0x7c, ptz ? 0x4000_0000 : 0);
  return m;
}

function property(m: ReturnType<typeof gicv3>, lpi: number, value: number): void {
  m.memory.poke(pa(PROPERTIES + lpi - 8192), Uint8Array.of(value));
}

t.test('identification: each PE knows itself, the last one that it is the last', async (t) => {
  const m = gicv3({ cpus: 18 });
  t.equal((m.readR(0, 0x8) >>> 4) & 1, 0);
  t.equal((m.readR(17, 0x8) >>> 4) & 1, 1, 'Last');
  t.equal((m.readR(17, 0x8) >>> 8) & 0xffff, 17, 'Processor_Number');
  t.equal(m.readR(17, 0xc), 0x0101, 'Affinity_Value: Aff1 1, Aff0 1');
  t.equal(m.readR(3, 0x8) & 1, 1, 'PLPIS');
  t.equal((m.readR(0, 0xffe8) >>> 4) & 0xf, 3);
});

t.test('out of reset a PE sleeps', async (t) => {
  t.equal(gicv3().readR(0, 0x14) & 6, 6, 'ProcessorSleep and ChildrenAsleep');
});

t.test('an SGI reaches the PEs of its target list', async (t) => {
  const m = gicv3().start();
  for (const cpu of [0, 1]) {
    m.writeR(cpu, 0x1_0080, 0xffff_ffff);
    m.writeR(cpu, 0x1_0100, 1 << 5);
  }
  // INTID 27:24, TargetList 15:0.
  m.set(0, 'ICC_SGI1R_EL1', (5 << 24) | 0b10);
  t.same([m.cpu(0).irq, m.cpu(1).irq], [false, true]);
  t.equal(m.sys(1, 'ICC_IAR1_EL1'), 5);
  m.set(1, 'ICC_EOIR1_EL1', 5);
  // IRM, bit 40: all but the one that asks.
  m.set(0, 'ICC_SGI1R_EL1', 5 << 24, 1 << 8);
  t.same([m.cpu(0).irq, m.cpu(1).irq], [false, true]);
});

t.test('a PPI is of one PE alone', async (t) => {
  const m = gicv3().start();
  for (const cpu of [0, 1]) {
    m.writeR(cpu, 0x1_0080, 0xffff_ffff);
    m.writeR(cpu, 0x1_0100, 1 << 27);
  }
  m.gic.ppi(1, 11)?.set(true);
  t.same([m.cpu(0).irq, m.cpu(1).irq], [false, true]);
  t.equal((m.readR(1, 0x1_0200) >>> 27) & 1, 1);
  t.equal(m.sys(1, 'ICC_IAR1_EL1'), 27);
});

t.test('no LPI is taken before they are enabled', async (t) => {
  const m = withLpis();
  property(m, 8200, 0xa3);
  m.gic.lpiTargets[0]?.setPending(8200);
  t.notOk(m.cpu(0).irq);
  m.writeR(0, 0x0, 1);
  t.notOk(m.cpu(0).irq, 'what came before is lost');
  m.gic.lpiTargets[0]?.setPending(8200);
  t.ok(m.cpu(0).irq);
  t.equal(m.sys(0, 'ICC_IAR1_EL1'), 8200);
  m.set(0, 'ICC_EOIR1_EL1', 8200);
  t.equal(m.sys(0, 'ICC_RPR_EL1'), 0xff);
  t.notOk(m.cpu(0).irq, 'an LPI has no active state, and was one message');
});

t.test('the property byte says whether an LPI is enabled, and its priority in 7:2', async (t) => {
  const m = withLpis();
  property(m, 8200, 0x40);
  property(m, 8201, 0x81);
  property(m, 8202, 0x41);
  m.writeR(0, 0x0, 1);
  for (const lpi of [8200, 8201, 8202]) m.gic.lpiTargets[0]?.setPending(lpi);
  t.equal(m.sys(0, 'ICC_IAR1_EL1'), 8202);
  t.equal(m.sys(0, 'ICC_RPR_EL1'), 0x40);
  m.set(0, 'ICC_EOIR1_EL1', 8202);
  t.equal(m.sys(0, 'ICC_IAR1_EL1'), 8201);
  m.set(0, 'ICC_EOIR1_EL1', 8201);
  t.notOk(m.cpu(0).irq, '8200 is disabled');
  t.ok(m.gic.lpiTargets[0]?.isPending(8200), 'and stays pending');
});

t.test('a changed property is seen when it is invalidated, not before', async (t) => {
  const m = withLpis();
  const target = m.gic.lpiTargets[0];
  m.writeR(0, 0x0, 1);
  property(m, 8200, 0x80);
  target?.setPending(8200);
  t.notOk(m.cpu(0).irq);
  property(m, 8200, 0x81);
  t.notOk(m.cpu(0).irq, 'the redistributor has its own copy');
  target?.invalidate(8200);
  target?.sync();
  t.ok(m.cpu(0).irq);
  property(m, 8200, 0x80);
  target?.invalidateAll();
  target?.sync();
  t.notOk(m.cpu(0).irq);
});

t.test('an INTID beyond the table is no LPI', async (t) => {
  const m = withLpis();
  m.writeR(0, 0x0, 1);
  property(m, 16383, 0x81);
  m.gic.lpiTargets[0]?.setPending(16384);
  t.notOk(m.cpu(0).irq);
  m.gic.lpiTargets[0]?.setPending(16383);
  t.equal(m.sys(0, 'ICC_IAR1_EL1'), 16383);
});

t.test('the pending table is read when LPIs are enabled, unless it is said to be zero', async (t) => {
  const bit = (lpi: number) => ({ at: PENDING + (lpi >> 3), value: 1 << (lpi & 7) });
  for (const ptz of [false, true]) {
    const m = withLpis({}, ptz);
    property(m, 8205, 0x81);
    const { at, value } = bit(8205);
    m.memory.poke(pa(at), Uint8Array.of(value));
    m.writeR(0, 0x0, 1);
    t.equal(m.cpu(0).irq, !ptz, `PTZ ${ptz}`);
  }
});

t.test('tables are where they were while LPIs are enabled', async (t) => {
  const m = withLpis();
  m.writeR(0, 0x0, 1);
  const before = m.readR(0, 0x70);
  m.writeR(0, 0x70, RAM + 0x8_0000 + 13);
  property(m, 8200, 0x81);
  m.gic.lpiTargets[0]?.setPending(8200);
  t.equal(m.sys(0, 'ICC_IAR1_EL1'), 8200, 'PROPBASER does not move');
  t.equal(m.readR(0, 0x0) & 1, 1);
  t.equal(before & 0x1f, 13);
});
