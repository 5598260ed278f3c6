/**
 * Interrupts as a CPU takes them, and a guest's registers of its CPU interface. Numbers restated by hand from Arm DDI 0487
 * D24.2 (HCR_EL2: FMO 3, IMO 4, VI 7; ESR_EL2) and Arm IHI 0069 12.2, 12.4 (ICH_HCR_EL2: TC 10, TALL0 11, TALL1 12, TDIR
 * 14; ICC_SRE_EL2: Enable 3). The controller is a sheet of paper: it keeps what is written, and records who asks for what.
 */
import t from 'tap';
import { pa } from '../address.js';
import { Bus, type Initiator } from '../bus.js';
import type { CpuInterface, GicSystemRegister, IccRegister } from '../interrupt.js';
import { Latency } from '../latency.js';
import type { TrapOutcome, Value64 } from '../machine.js';
import { PhysicalMemory } from '../memory.js';
import { Observer, type Problem } from '../observer.js';
import { Arm64Cpus } from './arm64.js';

const FMO = 1 << 3;
const IMO = 1 << 4;
const VI = 1 << 7;
const TC = 1 << 10;
const TALL0 = 1 << 11;
const TALL1 = 1 << 12;
const TDIR = 1 << 14;
const SRE_ENABLE = 1 << 3;
const DEVICE = 0x900_0000;

class PaperInterface implements CpuInterface {
  irq = false;
  fiq = false;
  virq = false;
  vfiq = false;
  readonly log: string[] = [];
  readonly values = new Map<GicSystemRegister, Value64>([
    ['ICH_HCR_EL2', { hi: 0, lo: 0 }],
    ['ICC_SRE_EL2', { hi: 0, lo: 0xf }],
    ['ICC_SRE_EL1', { hi: 0, lo: 7 }],
    ['ICC_IAR1_EL1', { hi: 0, lo: 42 }],
    ['ICC_RPR_EL1', { hi: 0, lo: 0xff }],
  ]);

  readSystem(register: GicSystemRegister): Value64 | undefined {
    this.log.push(`read ${register}`);
    return this.values.get(register);
  }
  writeSystem(register: GicSystemRegister, hi: number, lo: number): boolean {
    this.log.push(`write ${register}`);
    if (register === 'ICH_VTR_EL2') return false;
    this.values.set(register, { hi, lo });
    return true;
  }
  readVirtual(register: IccRegister): Value64 | undefined {
    this.log.push(`virtual read ${register}`);
    return { hi: 0, lo: 27 };
  }
  writeVirtual(register: IccRegister, _hi: number, lo: number): boolean {
    this.log.push(`virtual write ${register} ${lo}`);
    return true;
  }
}

function machine() {
  const memory = new PhysicalMemory();
  memory.addRange(pa(0x8000_0000), 0x1_0000);
  const bus = new Bus(memory);
  const initiators: (Initiator | undefined)[] = [];
  bus.add('device', pa(DEVICE), 0x1000, {
    readRegister: (_offset, _width, from) => {
      initiators.push(from);
      return 0;
    },
    writeRegister: (_offset, _width, _value, from) => initiators.push(from) > 0,
  });
  const problems: Problem[] = [];
  const observer = new Observer({ problem: (problem) => problems.push(problem) });
  const seen: string[] = [];
  observer.onAccess((access) => seen.push(`${access.actor}: ${access.kind} ${access.name}`.trim()));
  const interfaces = [new PaperInterface(), new PaperInterface()] as const;
  const cpus = new Arm64Cpus({ count: 2, bus, observer, latency: new Latency(1, 0), interfaces });
  const hcr = (cpu: number, bits: number) => cpus.writeSystem(cpu, 'HCR_EL2', 0, (0x8000_0000 | bits) >>> 0);
  return { cpus, interfaces, observer, problems, initiators, seen, hcr };
}

t.test('an IRQ is taken to the vector, at EL2, before each thing that a guest does', async (t) => {
  const { cpus, interfaces, observer, hcr, seen } = machine();
  hcr(1, IMO);
  const taken: string[] = [];
  cpus.setInterruptVector((cpu) => {
    taken.push(`${observer.actor} ${cpu}`);
    interfaces[1].irq = false;
  });
  cpus.setVector(() => 'return');
  cpus.enter(1, 'd1');
  const raise = () => {
    interfaces[1].irq = true;
    seen.length = 0;
    taken.length = 0;
  };
  raise();
  t.ok(cpus.guest(1, { kind: 'load', hi: 0, lo: 0x8000_0000, width: 4 }).ok);
  t.same(taken, ['xen 1']);
  t.same(seen, ['d1: load']);
  raise();
  cpus.hvc(1, 1);
  t.same(taken, ['xen 1']);
  raise();
  t.same(cpus.guestRead(1, 'ICC_IAR1_EL1'), { hi: 0, lo: 27 });
  t.same(taken, ['xen 1']);
  raise();
  t.ok(cpus.guestWrite(1, 'ICC_EOIR1_EL1', 0, 27));
  t.same(taken, ['xen 1']);
  raise();
  cpus.takeInterrupts(1);
  t.same(taken, ['xen 1']);
  t.equal(observer.actor, 'xen');
});

t.test('an IRQ is not taken to EL2 from a guest with IMO clear, nor by another CPU', async (t) => {
  const { cpus, interfaces, hcr } = machine();
  hcr(0, 0);
  cpus.setInterruptVector(() => t.fail('taken'));
  interfaces[0].irq = true;
  cpus.enter(0, 'd1');
  cpus.guest(0, { kind: 'load', hi: 0, lo: 0x8000_0000, width: 4 });
  cpus.takeInterrupts(0);
  cpus.takeInterrupts(1);
});

t.test('Xen’s own code is not interrupted: neither its trap vector nor its interrupt vector', async (t) => {
  const { cpus, interfaces, hcr } = machine();
  hcr(0, IMO);
  let depth = 0;
  let rounds = 0;
  cpus.setInterruptVector((cpu) => {
    t.equal(++depth, 1, 'not nested');
    cpus.takeInterrupts(cpu);
    depth--;
    if (++rounds === 3) interfaces[0].irq = false;
  });
  cpus.setVector((cpu) => {
    interfaces[0].irq = true;
    cpus.takeInterrupts(cpu);
    t.equal(rounds, 0);
    return 'return';
  });
  cpus.enter(0, 'd1');
  cpus.hvc(0, 1);
  t.equal(rounds, 0, 'still signalled behind the trap');
  cpus.takeInterrupts(0);
  t.equal(rounds, 3, 'taken again as long as one is signalled');
});

t.test('a CPU that runs no guest takes interrupts when Xen lets it; that needs a vector', async (t) => {
  const { cpus, interfaces } = machine();
  interfaces[0].irq = true;
  t.throws(() => cpus.takeInterrupts(0), /cpu0, and there is no vector/);
  cpus.setInterruptVector(() => {
    interfaces[0].irq = false;
  });
  cpus.takeInterrupts(0);
  t.notOk(interfaces[0].irq);
});

t.test('an interrupt that is signalled for ever is an interrupt storm', async (t) => {
  const { cpus, interfaces, problems } = machine();
  let rounds = 0;
  cpus.setInterruptVector(() => {
    rounds++;
  });
  interfaces[0].irq = true;
  cpus.takeInterrupts(0);
  t.equal(rounds, 64);
  t.match(problems, [{ channel: 'misuse', actor: 'xen', text: /^interrupt storm/ }]);
});

t.test('a physical FIQ is told once to be missing from the model', async (t) => {
  const { cpus, interfaces, problems } = machine();
  interfaces[0].fiq = true;
  cpus.takeInterrupts(0);
  cpus.takeInterrupts(0);
  t.match(problems, [{ channel: 'unmodelled', actor: 'cpu0' }]);
  t.equal(problems.length, 1);
});

t.test('a virtual IRQ is that of the list registers, or HCR_EL2.VI, with IMO set and a guest there', async (t) => {
  const { cpus, interfaces, hcr } = machine();
  interfaces[0].virq = true;
  hcr(0, IMO);
  t.notOk(cpus.virtualInterrupt(0), 'no guest');
  cpus.enter(0, 'd1');
  t.ok(cpus.virtualInterrupt(0));
  hcr(0, 0);
  t.notOk(cpus.virtualInterrupt(0));
  interfaces[0].virq = false;
  hcr(0, IMO);
  t.notOk(cpus.virtualInterrupt(0));
  hcr(0, IMO | VI);
  t.ok(cpus.virtualInterrupt(0));
});

t.test('Xen reaches the registers of its CPU’s interface', async (t) => {
  const { cpus, interfaces, problems, seen } = machine();
  t.same(cpus.readSystem(1, 'ICC_IAR1_EL1'), { hi: 0, lo: 42 });
  cpus.writeSystem(1, 'ICH_LR2_EL2', 0x5000_0000, 34);
  t.same(interfaces[1].log, ['read ICC_IAR1_EL1', 'write ICH_LR2_EL2']);
  t.same(interfaces[0].log, []);
  t.same(cpus.readSystem(1, 'ICH_LR2_EL2'), { hi: 0x5000_0000, lo: 34 });
  t.same(seen[1], 'xen: system write ICH_LR2_EL2');
  t.same(problems, []);
  t.same(cpus.readSystem(0, 'ICH_LR9_EL2'), { hi: 0, lo: 0 }, 'a register that the controller lacks');
  cpus.writeSystem(0, 'ICH_VTR_EL2', 0, 1);
  t.same(
    problems.map(({ channel, actor }) => `${channel} ${actor}`),
    ['misuse xen', 'misuse xen'],
  );
});

t.test(
  'a guest’s registers are virtual by group: IMO for Group 1, FMO for Group 0, either for those in common',
  async (t) => {
    const { cpus, interfaces, hcr } = machine();
    const { log, values } = interfaces[0];
    for (const register of ['ICC_BPR0_EL1', 'ICC_BPR1_EL1', 'ICC_PMR_EL1', 'ICC_DIR_EL1'] as const)
      values.set(register, { hi: 0, lo: 3 });
    cpus.enter(0, 'd1');
    const kind = (register: IccRegister) => {
      cpus.guestWrite(0, register, 0, 1);
      return log.pop()?.startsWith('virtual') ? 'virtual' : 'physical';
    };
    const kinds = () => [kind('ICC_BPR0_EL1'), kind('ICC_BPR1_EL1'), kind('ICC_PMR_EL1'), kind('ICC_DIR_EL1')];
    hcr(0, IMO);
    t.same(kinds(), ['physical', 'virtual', 'virtual', 'virtual']);
    hcr(0, FMO);
    t.same(kinds(), ['virtual', 'physical', 'virtual', 'virtual']);
    hcr(0, FMO | IMO);
    t.same(kinds(), ['virtual', 'virtual', 'virtual', 'virtual']);
    hcr(0, 0);
    t.same(kinds(), ['physical', 'physical', 'physical', 'physical']);
  },
);

t.test('the wrong direction, and a CPU without such registers, are exceptions of the guest’s own', async (t) => {
  const { cpus, hcr, interfaces } = machine();
  hcr(0, IMO);
  cpus.enter(0, 'd1');
  cpus.setVector(() => t.fail('no trap') as never);
  t.equal(cpus.guestRead(0, 'ICC_EOIR1_EL1'), undefined);
  t.equal(cpus.guestRead(0, 'ICC_SGI1R_EL1'), undefined);
  t.equal(cpus.guestRead(0, 'ICC_DIR_EL1'), undefined);
  t.equal(cpus.guestWrite(0, 'ICC_IAR1_EL1', 0, 1), false);
  t.equal(cpus.guestWrite(0, 'ICC_HPPIR1_EL1', 0, 1), false);
  t.equal(cpus.guestWrite(0, 'ICC_RPR_EL1', 0, 1), false);
  interfaces[0].values.clear();
  t.equal(cpus.guestRead(0, 'ICC_IAR1_EL1'), undefined, 'a GICv2 offers signals only');
  t.equal(cpus.guestWrite(0, 'ICC_SGI1R_EL1', 0, 1), false);
});

t.test('an SGI register traps, with its encoding in the syndrome and its value in X0 (EC 0x18)', async (t) => {
  const { cpus, interfaces, hcr, seen } = machine();
  hcr(0, IMO);
  cpus.enter(0, 'd1');
  let esr = 0;
  cpus.setVector((cpu) => {
    esr = cpus.readSystem(cpu, 'ESR_EL2').lo;
    t.same([...cpus.registers(cpu).subarray(0, 2)], [0x0300_0001, 0x55], 'X0, lower half first');
    return 'return';
  });
  interfaces[0].log.length = 0;
  t.ok(cpus.guestWrite(0, 'ICC_SGI1R_EL1', 0x55, 0x0300_0001));
  t.equal(esr >>> 26, 0x18, 'EC 31:26');
  t.equal((esr >>> 25) & 1, 1, 'IL 25');
  t.equal((esr >>> 20) & 3, 3, 'Op0 21:20');
  t.equal((esr >>> 17) & 7, 5, 'Op2 19:17');
  t.equal((esr >>> 14) & 7, 0, 'Op1 16:14');
  t.equal((esr >>> 10) & 15, 12, 'CRn 13:10');
  t.equal((esr >>> 5) & 31, 0, 'Rt 9:5: X0');
  t.equal((esr >>> 1) & 15, 11, 'CRm 4:1');
  t.equal(esr & 1, 0, 'Direction 0: a write');
  t.notOk(interfaces[0].log.includes('write ICC_SGI1R_EL1'), 'nothing is sent');
  t.same(seen.at(-1), 'd1: system write ICC_SGI1R_EL1');
});

t.test('ICH_HCR_EL2 traps what it says, and nothing else', async (t) => {
  const { cpus, interfaces, hcr } = machine();
  hcr(0, IMO | FMO);
  cpus.enter(0, 'd1');
  let trapped = false;
  cpus.setVector((cpu) => {
    trapped = true;
    cpus.registers(cpu)[0] = 0x99;
    return 'return';
  });
  const readable = [
    'ICC_IAR0_EL1',
    'ICC_AP0R0_EL1',
    'ICC_IAR1_EL1',
    'ICC_AP1R0_EL1',
    'ICC_RPR_EL1',
    'ICC_CTLR_EL1',
  ] as const;
  const trappedWith = (bits: number) => {
    interfaces[0].values.set('ICH_HCR_EL2', { hi: 0, lo: bits });
    const names: string[] = readable.filter((register) => {
      trapped = false;
      const value = cpus.guestRead(0, register);
      t.same(value, { hi: 0, lo: trapped ? 0x99 : 27 });
      return trapped;
    });
    trapped = false;
    cpus.guestWrite(0, 'ICC_DIR_EL1', 0, 0);
    return trapped ? [...names, 'ICC_DIR_EL1'] : names;
  };
  t.same(trappedWith(0), []);
  t.same(trappedWith(TC), ['ICC_RPR_EL1', 'ICC_CTLR_EL1', 'ICC_DIR_EL1']);
  t.same(trappedWith(TALL0), ['ICC_IAR0_EL1', 'ICC_AP0R0_EL1']);
  t.same(trappedWith(TALL1), ['ICC_IAR1_EL1', 'ICC_AP1R0_EL1']);
  t.same(trappedWith(TDIR), ['ICC_DIR_EL1']);
});

t.test('ICC_SRE_EL1 traps unless ICC_SRE_EL2.Enable is set; it has no virtual copy', async (t) => {
  const { cpus, interfaces, hcr } = machine();
  hcr(0, IMO);
  cpus.enter(0, 'd1');
  let traps = 0;
  cpus.setVector(() => {
    traps++;
    return 'inject abort';
  });
  interfaces[0].values.set('ICC_SRE_EL2', { hi: 0, lo: 7 | SRE_ENABLE });
  t.same(cpus.guestRead(0, 'ICC_SRE_EL1'), { hi: 0, lo: 7 });
  t.equal(traps, 0);
  interfaces[0].values.set('ICC_SRE_EL2', { hi: 0, lo: 7 });
  t.equal(cpus.guestRead(0, 'ICC_SRE_EL1'), undefined, 'the vector gave the guest an exception');
  t.equal(traps, 1);
});

t.test('a trapped access may be repeated, but not for ever', async (t) => {
  const { cpus, hcr, problems } = machine();
  hcr(0, IMO);
  cpus.enter(0, 'd1');
  const outcomes: TrapOutcome[] = ['retry', 'return'];
  cpus.setVector(() => outcomes.shift() ?? 'retry');
  t.ok(cpus.guestWrite(0, 'ICC_SGI1R_EL1', 0, 1));
  t.same(problems, []);
  t.notOk(cpus.guestWrite(0, 'ICC_SGI1R_EL1', 0, 1));
  t.match(problems, [{ channel: 'misuse', actor: 'xen' }]);
});

t.test('a guest’s access to a device carries the CPU that makes it', async (t) => {
  const { cpus, initiators } = machine();
  cpus.enter(1, 'd1');
  cpus.guest(1, { kind: 'load', hi: 0, lo: DEVICE, width: 4 });
  cpus.guest(1, { kind: 'store', hi: 0, lo: DEVICE, width: 4, valueLo: 1 });
  t.same(initiators, [{ cpu: 1 }, { cpu: 1 }]);
});

t.test('CPU 17 has affinity 0.0.1.1', async (t) => {
  const bus = new Bus(new PhysicalMemory());
  const cpus = new Arm64Cpus({ count: 18, bus, observer: new Observer(), latency: new Latency(1, 0) });
  // MPIDR_EL1: Aff0 7:0, Aff1 15:8, RES1 31.
  t.same(cpus.readSystem(17, 'MPIDR_EL1'), { hi: 0, lo: 0x8000_0101 });
  t.same(cpus.readSystem(15, 'MPIDR_EL1'), { hi: 0, lo: 0x8000_000f });
});
