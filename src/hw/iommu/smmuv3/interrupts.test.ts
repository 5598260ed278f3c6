/** Interrupts: Arm IHI 0070 3.18, 6.3.16 to 6.3.36, 7.5. Wired outputs and messages, driven as software does. */
import t from 'tap';
import { pa } from '../../address.js';
import type { Initiator } from '../../bus.js';
import type { InterruptLine } from '../../interrupt.js';
import { Latency } from '../../latency.js';
import type { PageRequest } from './event-queue.js';
import { Bench, cmd, REG, stage2Ste } from './smmuv3.test-support.js';

/** IDR0 of the plain SMMU with MSI (bit 13), and with ATS (10) and PRI (16) too. IDR1.PRIQS is bits 15:11. */
const MSI = { IDR0: 0x0d44_301b };
const PRI = { IDR0: 0x0d45_141b, IDR1: 0x0273_1810 };
const MSI_PRI = { IDR0: 0x0d45_341b, IDR1: 0x0273_1810 };

/** IRQ_CTRL (6.3.16): GERROR is bit 0, PRIQ bit 1, EVENTQ bit 2. */
const GERROR_IRQEN = 1;
const PRIQ_IRQEN = 2;
const EVENTQ_IRQEN = 4;

/** First of the four words of GERROR_IRQ_CFG0..2, EVENTQ_IRQ_CFG0..2, PRIQ_IRQ_CFG0..2 (6.2). */
const GERROR_CFG = 0x68;
const EVENTQ_CFG = 0xb0;
const PRIQ_CFG = 0xd0;

const MESSAGE = 0x4300_0000;
/** Nothing is there. */
const NOWHERE = 0xe000_0000;
const PRIQ_BASE = 0xc0;
const PRIQ_PROD = 0x100c8;
const PRIQ_CONS = 0x100cc;

/** A line that counts rising edges and knows its level. */
class Wire implements InterruptLine {
  edges = 0;
  level = false;

  set(level: boolean): void {
    if (level && !this.level) this.edges++;
    this.level = level;
  }
}

function wires() {
  return { eventq: new Wire(), priq: new Wire(), cmdqSync: new Wire(), gerror: new Wire() };
}

function configure(bench: Bench, first: number, address: number, data: number): void {
  bench.write(first, address);
  bench.write(first + 4, 0);
  bench.write(first + 8, data);
}

/** Makes a transaction whose stream has no valid STE: C_BAD_STE is recorded. */
function fault(bench: Bench): void {
  bench.dmaRead(8, 0x4000);
}

function consumeEvents(bench: Bench): void {
  bench.write(REG.EVENTQ_CONS, bench.read(REG.EVENTQ_PROD));
}

/** A page request of stream 8. */
function pageRequest(last: boolean): PageRequest {
  return {
    streamId: 8,
    substreamId: undefined,
    read: true,
    write: false,
    execute: false,
    privileged: false,
    last,
    group: 3,
    page: 0x1234,
  };
}

/** Enables the PRI queue, 8 entries, with everything else. */
function enablePri(bench: Bench): void {
  bench.write(PRIQ_BASE, 0x4022_0003);
  bench.enable(0xf);
}

t.test('the event queue pulses its output when it becomes non-empty, not while it stays so (3.18)', async (t) => {
  const lines = wires();
  const bench = new Bench({ lines });
  bench.enable();
  bench.write(REG.IRQ_CTRL, EVENTQ_IRQEN);
  fault(bench);
  t.equal(lines.eventq.edges, 1);
  t.equal(lines.eventq.level, false, 'a pulse');
  fault(bench);
  t.equal(bench.events().length, 2);
  t.equal(lines.eventq.edges, 1, 'was not empty');
  consumeEvents(bench);
  fault(bench);
  t.equal(lines.eventq.edges, 2);
  t.same([lines.priq.edges, lines.cmdqSync.edges, lines.gerror.edges], [0, 0, 0]);
  t.same(bench.interrupts, ['EVENTQ wired', 'EVENTQ wired']);
});

t.test('what happens while IRQ_CTRL does not enable it tells nobody, not even later (6.3.16)', async (t) => {
  const lines = wires();
  const bench = new Bench({ lines });
  bench.enable();
  fault(bench);
  bench.write(REG.IRQ_CTRL, EVENTQ_IRQEN | GERROR_IRQEN);
  t.equal(bench.read(REG.IRQ_CTRLACK), 5);
  t.equal(lines.eventq.edges, 0, 'not empty already');
  consumeEvents(bench);
  fault(bench);
  t.equal(lines.eventq.edges, 1);
});

t.test('interrupts follow IRQ_CTRLACK, which follows IRQ_CTRL after some accesses (6.3.17)', async (t) => {
  const lines = wires();
  const bench = new Bench({ lines, latency: new Latency(3, 50) });
  bench.enable();
  bench.smmu.writeRegister(REG.IRQ_CTRL, 4, EVENTQ_IRQEN);
  t.equal(bench.read(REG.IRQ_CTRLACK), 0);
  bench.latency.settle();
  t.equal(bench.read(REG.IRQ_CTRLACK), 4);
  fault(bench);
  t.equal(lines.eventq.edges, 0, 'on its way');
  bench.latency.settle();
  t.equal(lines.eventq.edges, 1);
});

t.test('an interrupt under way arrives before IRQ_CTRLACK shows it disabled (6.3.16)', async (t) => {
  for (let seed = 1; seed <= 8; seed++) {
    const lines = wires();
    const bench = new Bench({ lines, latency: new Latency(seed, 40) });
    bench.enable();
    bench.smmu.writeRegister(REG.IRQ_CTRL, 4, GERROR_IRQEN);
    bench.latency.settle();
    bench.produce([0xff, 0, 0, 0]);
    while (bench.read(REG.GERROR) === 0) bench.latency.tick();
    bench.smmu.writeRegister(REG.IRQ_CTRL, 4, 0);
    while (bench.read(REG.IRQ_CTRLACK) !== 0) bench.latency.tick();
    t.equal(lines.gerror.edges, 1, `seed ${seed}`);
  }
});

t.test('with IDR0.MSI and an address, the event queue writes its message instead (6.3.31 to 6.3.33)', async (t) => {
  const lines = wires();
  const bench = new Bench({ ids: MSI, lines });
  bench.enable();
  configure(bench, EVENTQ_CFG, MESSAGE, 0xcafe_0042);
  t.equal(bench.read(EVENTQ_CFG + 8), 0xcafe_0042);
  bench.write(REG.IRQ_CTRL, EVENTQ_IRQEN);
  fault(bench);
  t.equal(bench.load32(MESSAGE), 0xcafe_0042);
  t.equal(lines.eventq.edges, 0);
  t.same(bench.interrupts, ['EVENTQ MSI 0xcafe0042 to 0x43000000']);
});

t.test('a message address of zero leaves the wired output (6.3.31)', async (t) => {
  const lines = wires();
  const bench = new Bench({ ids: MSI, lines });
  bench.enable();
  configure(bench, EVENTQ_CFG, 0, 0x42);
  bench.write(REG.IRQ_CTRL, EVENTQ_IRQEN);
  fault(bench);
  t.equal(lines.eventq.edges, 1);
});

t.test('a message goes under the name that the system gives the SMMU', async (t) => {
  const seen: unknown[] = [];
  const bench = new Bench({ ids: MSI, from: { deviceId: 0x1_0007 } });
  bench.bus.add('doorbell', pa(0x0808_0000), 0x1000, {
    readRegister: () => undefined,
    writeRegister: (offset: number, width: number, value: number, from?: Initiator) => {
      seen.push({ offset, width, value, from });
      return true;
    },
  });
  bench.enable();
  configure(bench, EVENTQ_CFG, 0x0808_0040, 5);
  bench.write(REG.IRQ_CTRL, EVENTQ_IRQEN);
  fault(bench);
  bench.produce([0x1046, 6, 0x0808_0040, 0]);
  t.same(seen, [
    { offset: 0x40, width: 4, value: 5, from: { deviceId: 0x1_0007 } },
    { offset: 0x40, width: 4, value: 6, from: { deviceId: 0x1_0007 } },
  ]);
});

t.test('message registers take writes only while their source is disabled (6.3.20, 6.3.31)', async (t) => {
  const bench = new Bench({ ids: MSI });
  bench.enable();
  configure(bench, EVENTQ_CFG, MESSAGE, 1);
  configure(bench, GERROR_CFG, MESSAGE + 4, 2);
  bench.write(REG.IRQ_CTRL, EVENTQ_IRQEN);
  bench.write(EVENTQ_CFG + 8, 7);
  bench.write(GERROR_CFG + 8, 8);
  t.equal(bench.read(EVENTQ_CFG + 8), 1, 'ignored');
  t.equal(bench.read(GERROR_CFG + 8), 8, 'another source');
  t.match(bench.problems, [{ channel: 'misuse', text: /EVENTQ_IRQ_CFG/ }]);
  bench.write(REG.IRQ_CTRL, 0);
  bench.write(EVENTQ_CFG + 8, 9);
  t.equal(bench.read(EVENTQ_CFG + 8), 9);
});

t.test('without IDR0.MSI the message registers read as zero', async (t) => {
  const bench = new Bench();
  for (let offset = 0; offset < 16; offset += 4) {
    bench.write(EVENTQ_CFG + offset, 0xffff_ffff);
    bench.write(GERROR_CFG + offset, 0xffff_ffff);
    t.equal(bench.read(EVENTQ_CFG + offset), 0);
    t.equal(bench.read(GERROR_CFG + offset), 0);
  }
});

t.test('an event queue message that aborts is a global error, which has an interrupt of its own (7.5)', async (t) => {
  const lines = wires();
  const bench = new Bench({ ids: MSI, lines });
  bench.enable();
  configure(bench, EVENTQ_CFG, NOWHERE, 1);
  bench.write(REG.IRQ_CTRL, EVENTQ_IRQEN | GERROR_IRQEN);
  fault(bench);
  t.equal(bench.read(REG.GERROR), 0x20, 'MSI_EVENTQ_ABT_ERR');
  t.equal(lines.gerror.edges, 1);
  t.equal(bench.events().length, 1, 'the record is there');
});

t.test('each error that becomes active interrupts, one that stays active does not (7.5)', async (t) => {
  const lines = wires();
  const bench = new Bench({ lines });
  bench.enable();
  bench.write(REG.IRQ_CTRL, GERROR_IRQEN);
  bench.produce([0xff, 0, 0, 0]);
  t.equal(bench.read(REG.GERROR), 1, 'CMDQ_ERR');
  t.equal(lines.gerror.edges, 1);
  bench.write(REG.GERRORN, 1);
  t.equal(bench.read(REG.GERROR), 0, 'the command is still there: active again, toggled');
  t.equal(lines.gerror.edges, 2);
  bench.write(REG.EVENTQ_CONS, bench.read(REG.EVENTQ_PROD));
  t.equal(lines.gerror.edges, 2);
});

t.test('an aborted GERROR message is an active error and no further message (7.5)', async (t) => {
  const lines = wires();
  const bench = new Bench({ ids: MSI, lines });
  bench.enable();
  configure(bench, GERROR_CFG, NOWHERE, 1);
  bench.write(REG.IRQ_CTRL, GERROR_IRQEN);
  bench.produce([0xff, 0, 0, 0]);
  t.equal(bench.read(REG.GERROR), 0x81, 'MSI_GERROR_ABT_ERR and CMDQ_ERR');
  t.same(bench.interrupts, ['GERROR MSI 0x1 to 0xe0000000']);
  t.equal(lines.gerror.edges, 0);
});

t.test('a CMD_SYNC with CS = IRQ pulses its output, whatever IRQ_CTRL says (4.7.3)', async (t) => {
  const lines = wires();
  const bench = new Bench({ lines });
  bench.enable();
  bench.produce(cmd.sync());
  t.equal(lines.cmdqSync.edges, 0, 'CS = NONE');
  bench.produce([0x1046, 0, 0, 0]);
  t.equal(lines.cmdqSync.edges, 1);
  bench.produce([0x1046, 7, MESSAGE, 0]);
  t.equal(lines.cmdqSync.edges, 2, 'an address means nothing without IDR0.MSI');
  t.equal(bench.load32(MESSAGE), 0);
});

t.test('a message address is cut to the output size (6.3.20)', async (t) => {
  // OAS is 44 bits here; the upper half of IRQ_CFG0 holds address bits 51:32.
  const bench = new Bench({ ids: MSI });
  bench.enable();
  bench.write(EVENTQ_CFG, MESSAGE);
  bench.write(EVENTQ_CFG + 4, 0xff000);
  bench.write(EVENTQ_CFG + 8, 3);
  bench.write(REG.IRQ_CTRL, EVENTQ_IRQEN);
  fault(bench);
  t.equal(bench.load32(MESSAGE), 3);
});

t.test('the PRI queue interrupts when it becomes non-empty', async (t) => {
  const lines = wires();
  const bench = new Bench({ ids: PRI, lines });
  enablePri(bench);
  bench.write(REG.IRQ_CTRL, PRIQ_IRQEN);
  t.equal(bench.smmu.pageRequest(pageRequest(false)), 'queued');
  t.equal(lines.priq.edges, 1);
  t.equal(bench.smmu.pageRequest(pageRequest(true)), 'queued');
  t.equal(lines.priq.edges, 1);
  bench.write(PRIQ_CONS, bench.read(PRIQ_PROD));
  bench.smmu.pageRequest(pageRequest(false));
  t.equal(lines.priq.edges, 2);
});

t.test('with PRIQ_IRQ_CFG2.LO the PRI queue interrupts for the last request of a group only (6.3.36)', async (t) => {
  const lines = wires();
  const bench = new Bench({ ids: PRI, lines });
  bench.write(PRIQ_CFG + 12, 0xffff_ffff);
  t.equal(bench.read(PRIQ_CFG + 12), 0x8000_0000, 'LO alone exists without IDR0.MSI');
  enablePri(bench);
  bench.write(REG.IRQ_CTRL, PRIQ_IRQEN);
  bench.smmu.pageRequest(pageRequest(false));
  t.equal(lines.priq.edges, 0);
  bench.smmu.pageRequest(pageRequest(true));
  t.equal(lines.priq.edges, 1);
  bench.smmu.pageRequest(pageRequest(true));
  t.equal(lines.priq.edges, 2, 'though the queue was not empty');
});

t.test('a PRI queue message is written, and one that aborts raises MSI_PRIQ_ABT_ERR', async (t) => {
  const bench = new Bench({ ids: MSI_PRI });
  configure(bench, PRIQ_CFG, MESSAGE, 0x77);
  enablePri(bench);
  bench.write(REG.IRQ_CTRL, PRIQ_IRQEN);
  bench.smmu.pageRequest(pageRequest(true));
  t.equal(bench.load32(MESSAGE), 0x77);
  bench.write(REG.IRQ_CTRL, 0);
  configure(bench, PRIQ_CFG, NOWHERE, 0x77);
  bench.write(REG.IRQ_CTRL, PRIQ_IRQEN);
  bench.write(PRIQ_CONS, bench.read(PRIQ_PROD));
  bench.smmu.pageRequest(pageRequest(true));
  t.equal(bench.read(REG.GERROR), 0x40);
});

t.test('a page request that is answered without being queued does not interrupt (8.1)', async (t) => {
  const lines = wires();
  const bench = new Bench({ ids: PRI, lines });
  bench.enable();
  bench.write(REG.IRQ_CTRL, PRIQ_IRQEN);
  t.equal(bench.smmu.pageRequest(pageRequest(true)), 'failure', 'PRIQEN is 0');
  t.equal(lines.priq.edges, 0);
});

t.test('an overflow of the event queue is no new interrupt, and no traffic is none at all', async (t) => {
  const lines = wires();
  const bench = new Bench({ lines });
  const table = bench.page();
  bench.map(table, 0x4000, 0x4300_0000, 0x7ff);
  bench.ste(9, stage2Ste(1, table));
  bench.enable();
  bench.write(REG.IRQ_CTRL, EVENTQ_IRQEN | GERROR_IRQEN);
  t.equal(bench.dmaWrite(9, 0x4000, 1), 'okay');
  t.equal(lines.eventq.edges, 0);
  for (let i = 0; i < 10; i++) fault(bench);
  t.equal(bench.read(REG.EVENTQ_PROD) >>> 31, 1, 'OVFLG');
  t.same([lines.eventq.edges, lines.gerror.edges], [1, 0]);
});

t.test('a snapshot has nothing under way: what was sent has arrived', async (t) => {
  const lines = wires();
  const bench = new Bench({ lines, latency: new Latency(5, 200) });
  bench.enable();
  bench.smmu.writeRegister(REG.IRQ_CTRL, 4, EVENTQ_IRQEN);
  bench.latency.settle();
  fault(bench);
  t.equal(lines.eventq.edges, 0);
  bench.smmu.save();
  t.equal(lines.eventq.edges, 1);
});
