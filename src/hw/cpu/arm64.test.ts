/**
 * CPUs: numbers restated by hand from Arm DDI 0487 (D24.2 for registers, D8.3 for descriptors).
 *
 * The guest's tree in these tests: 4 KiB granule, 39-bit IPA, start at level 1 (T0SZ 25, SL0 1), tables at 0x8000_0000
 * (level 1), 0x8000_1000 (level 2), 0x8000_2000 (level 3). IPA 0x4000_0000 is page 0x8010_0000.
 */
import t from 'tap';
import { pa } from '../address.js';
import { Bus } from '../bus.js';
import { Latency } from '../latency.js';
import type { TrapOutcome } from '../machine.js';
import { PhysicalMemory } from '../memory.js';
import { Observer, type Problem } from '../observer.js';
import { Arm64Cpus } from './arm64.js';

const LEVEL_1 = 0x8000_0000;
const LEVEL_2 = 0x8000_1000;
const LEVEL_3 = 0x8000_2000;
const IPA = 0x4000_0000;
const PAGE = 0x8010_0000;
const UART = 0x900_0000;
/** AF (bit 10), SH inner (3 at 9:8), S2AP read-write (3 at 7:6), MemAttr Write-Back (0xf at 5:2), page (3 at 1:0). */
const RAM_PAGE = 0x7ff;
/** VTCR_EL2: PS 4 (44 bits) at 18:16, TG0 0, SL0 1 at 7:6, T0SZ 25; bit 31 is RES1. */
const VTCR = 0x8004_0059;

function machine(latency = 0) {
  const memory = new PhysicalMemory();
  memory.addRange(pa(0x8000_0000), 0x100_0000);
  const bus = new Bus(memory);
  const written: number[] = [];
  bus.add('uart', pa(UART), 0x1000, {
    readRegister: (offset, width) => (width === 4 ? 0x1000 + offset : undefined),
    writeRegister: (_offset, _width, value) => written.push(value) > 0,
  });
  const problems: Problem[] = [];
  const observer = new Observer({ problem: (problem) => problems.push(problem) });
  const cpus = new Arm64Cpus({ count: 2, bus, observer, latency: new Latency(1, latency) });
  const store = (address: number, lo: number, hi = 0) => memory.storeWords(address, [lo, hi]);
  store(LEVEL_1 + 8, LEVEL_2 + 3);
  store(LEVEL_2, LEVEL_3 + 3);
  store(LEVEL_3, PAGE + RAM_PAGE);
  for (const cpu of [0, 1]) {
    cpus.writeSystem(cpu, 'VTCR_EL2', 0, VTCR);
    cpus.writeSystem(cpu, 'VTTBR_EL2', 5 << 16, LEVEL_1);
    cpus.writeSystem(cpu, 'HCR_EL2', 0, 0x8000_0001);
  }
  const load = (lo: number, width: 1 | 2 | 4 | 8 = 4, cpu = 0) => cpus.guest(cpu, { kind: 'load', hi: 0, lo, width });
  return { memory, observer, cpus, problems, written, store, load };
}

t.test('a guest loads and stores through stage 2', async (t) => {
  const { cpus, memory, load } = machine();
  cpus.enter(0, 'd1');
  t.same(cpus.guest(0, { kind: 'store', hi: 0, lo: IPA + 0x10, width: 8, valueHi: 0xaabb, valueLo: 0xccdd }), {
    ok: true,
    hi: 0,
    lo: 0,
  });
  const bytes = new Uint8Array(8);
  memory.read(PAGE + 0x10, bytes);
  t.same([...bytes], [0xdd, 0xcc, 0, 0, 0xbb, 0xaa, 0, 0]);
  t.same(load(IPA + 0x10, 2), { ok: true, hi: 0, lo: 0xccdd });
  t.same(load(IPA + 0x10, 8), { ok: true, hi: 0xaabb, lo: 0xccdd });
});

t.test('with HCR_EL2.VM clear an address is physical', async (t) => {
  const { cpus, load, store } = machine();
  cpus.writeSystem(0, 'HCR_EL2', 0, 0x8000_0000);
  store(0x8040_0000, 7);
  cpus.enter(0, 'd1');
  t.same(load(0x8040_0000), { ok: true, hi: 0, lo: 7 });
});

t.test('a data abort shows its syndrome (D24.2, ESR_EL2 with EC 0x24)', async (t) => {
  const { cpus } = machine();
  cpus.enter(1, 'd1');
  let esr = 0;
  let far = 0;
  let hpfar = 0;
  let actor = '';
  cpus.setVector((cpu) => {
    t.equal(cpu, 1);
    esr = cpus.readSystem(cpu, 'ESR_EL2').lo;
    far = cpus.readSystem(cpu, 'FAR_EL2').lo;
    hpfar = cpus.readSystem(cpu, 'HPFAR_EL2').lo;
    actor = 'seen';
    t.equal(cpus.registers(cpu)[0], 0x5a, 'the stored value is in X0');
    return 'return';
  });
  t.ok(cpus.guest(1, { kind: 'store', hi: 0, lo: IPA + 0x1234, width: 2, valueLo: 0x5a }).ok);
  t.equal(actor, 'seen');
  t.equal(esr >>> 26, 0x24, 'EC 31:26: data abort from a lower level');
  t.equal((esr >>> 25) & 1, 1, 'IL 25');
  t.equal((esr >>> 24) & 1, 1, 'ISV 24');
  t.equal((esr >>> 22) & 3, 1, 'SAS 23:22: halfword');
  t.equal((esr >>> 16) & 31, 0, 'SRT 20:16: X0');
  t.equal((esr >>> 15) & 1, 0, 'SF 15: 32-bit register');
  t.equal((esr >>> 6) & 1, 1, 'WnR 6: write');
  t.equal(esr & 0x3f, 0b000111, 'DFSC 5:0: translation fault, level 3');
  t.equal(far, IPA + 0x1234, 'FAR_EL2 is the address itself');
  t.equal(hpfar, ((IPA + 0x1000) / 0x1000) << 4, 'HPFAR_EL2.FIPA 43:4 is the page of the IPA');
});

t.test('fault status codes name kind and level (D24.2, DFSC)', async (t) => {
  const { cpus, store, load } = machine();
  cpus.enter(0, 'd1');
  let code = -1;
  cpus.setVector((cpu) => {
    code = cpus.readSystem(cpu, 'ESR_EL2').lo & 0x3f;
    return 'inject abort';
  });
  const codeAt = (lo: number) => {
    t.same(load(lo), { ok: false });
    return code;
  };
  t.equal(codeAt(0), 0b000101, 'nothing at level 1: translation, level 1');
  t.equal(codeAt(IPA + 0x20_0000), 0b000110, 'nothing at level 2');
  store(LEVEL_3 + 8, PAGE + 0x3ff);
  t.equal(codeAt(IPA + 0x1000), 0b001011, 'AF clear: access flag, level 3');
  store(LEVEL_3 + 16, PAGE + 0x73f);
  t.equal(codeAt(IPA + 0x2000), 0b001111, 'S2AP 0: permission, level 3');
  store(LEVEL_3 + 24, RAM_PAGE, 0x8000);
  t.equal(codeAt(IPA + 0x3000), 0b000011, 'address bit 47 with PS of 44 bits: address size, level 3');
  store(LEVEL_2 + 16, 0x1000_0003);
  t.equal(codeAt(IPA + 0x40_0000), 0b010111, 'no memory at the level 3 table: external abort on a walk, level 3');
  t.same(cpus.guest(0, { kind: 'load', hi: 0x80, lo: 0, width: 4 }), { ok: false });
  t.equal(code, 0b000100, 'beyond 39 bits: translation, level 0');
});

t.test('an address beyond the physical size is the guest’s own fault', async (t) => {
  const { cpus } = machine();
  cpus.enter(0, 'd1');
  cpus.setVector(() => t.fail('no trap') as never);
  t.same(cpus.guest(0, { kind: 'load', hi: 0x1000, lo: 0, width: 4 }), { ok: false });
});

t.test('T0SZ and SL0 that do not fit are a level 0 translation fault (D8.2)', async (t) => {
  const { cpus, load } = machine();
  // T0SZ 25 with SL0 0 (level 2): 39 bits are more than 16 tables at level 2 resolve (34).
  cpus.writeSystem(0, 'VTCR_EL2', 0, 0x8004_0019);
  cpus.enter(0, 'd1');
  let code = -1;
  cpus.setVector((cpu) => {
    code = cpus.readSystem(cpu, 'ESR_EL2').lo & 0x3f;
    return 'inject abort';
  });
  t.notOk(load(IPA).ok);
  t.equal(code, 0b000100);
});

t.test('an instruction abort has EC 0x20 and no ISV; HPFAR_EL2 is unknown after a permission fault', async (t) => {
  const { cpus, store } = machine();
  store(LEVEL_3, PAGE + RAM_PAGE, 1 << 22); // XN: bit 54
  cpus.enter(0, 'd1');
  let esr = 0;
  let fipa = 0;
  cpus.setVector((cpu) => {
    esr = cpus.readSystem(cpu, 'ESR_EL2').lo;
    const { hi, lo } = cpus.readSystem(cpu, 'HPFAR_EL2');
    fipa = hi * 2 ** 28 + (lo >>> 4);
    return 'return';
  });
  t.notOk(cpus.guest(0, { kind: 'fetch', hi: 0, lo: IPA, width: 4 }).ok);
  t.equal(esr >>> 26, 0x20);
  t.equal((esr >>> 24) & 1, 0);
  t.equal(esr & 0x3f, 0b001111, 'permission, level 3');
  t.not(fipa, IPA / 0x1000);
});

t.test('the vector emulates a load, has it repeated, or gives the guest an abort', async (t) => {
  const { cpus, store, load, problems } = machine();
  cpus.enter(0, 'd1');
  let outcome: TrapOutcome = 'return';
  let traps = 0;
  cpus.setVector((cpu) => {
    traps++;
    cpus.registers(cpu)[0] = 0x1234_5678;
    cpus.registers(cpu)[1] = 0x9abc;
    if (outcome === 'retry' && traps === 2) store(LEVEL_3 + 8, PAGE + RAM_PAGE);
    return outcome;
  });
  t.same(load(IPA + 0x1000, 1), { ok: true, hi: 0, lo: 0x78 });
  t.same(load(IPA + 0x1000, 8), { ok: true, hi: 0x9abc, lo: 0x1234_5678 });
  outcome = 'inject abort';
  t.same(load(IPA + 0x1000), { ok: false });
  outcome = 'retry';
  traps = 0;
  t.same(load(IPA + 0x1000), { ok: true, hi: 0, lo: 0 });
  t.equal(traps, 2, 'mapped by the second trap');
  t.same(problems, []);
  t.same(load(IPA + 0x2000), { ok: false });
  t.equal(problems[0]?.channel, 'misuse', 'a vector that only repeats is stuck');
});

t.test('HVC traps with EC 0x16 and its immediate', async (t) => {
  const { cpus, observer } = machine();
  cpus.enter(0, 'd1');
  cpus.registers(0)[32] = 17; // X16
  let esr = 0;
  const actors: string[] = [];
  observer.onAccess((access) => actors.push(`${access.actor} ${access.name}`));
  cpus.setVector((cpu) => {
    esr = cpus.readSystem(cpu, 'ESR_EL2').lo;
    cpus.registers(cpu)[0] = cpus.registers(cpu)[32] as number;
    return 'return';
  });
  cpus.hvc(0, 0xea1);
  t.equal(esr, (0x16 << 26) | (1 << 25) | 0xea1);
  t.equal(cpus.registers(0)[0], 17);
  t.same(actors, ['d1 HVC', 'xen ESR_EL2']);
  t.equal(observer.actor, 'xen');
});

t.test('a changed mapping stays stale until the matching TLBI and a DSB of the same CPU', async (t) => {
  const { cpus, store, load } = machine();
  store(PAGE, 1);
  store(PAGE + 0x1000, 2);
  cpus.enter(0, 'd1');
  cpus.enter(1, 'd1');
  const both = () => [0, 1].map((cpu) => (load(IPA, 4, cpu) as { lo: number }).lo);
  t.same(both(), [1, 1]);
  store(LEVEL_3, PAGE + 0x1000 + RAM_PAGE);
  t.same(both(), [1, 1], 'nothing invalidated');
  cpus.execute(0, { op: 'TLBI VMALLS12E1IS' });
  t.same(both(), [1, 1], 'no DSB yet');
  cpus.execute(1, { op: 'DSB ISH' });
  t.same(both(), [1, 1], 'the DSB of another CPU');
  cpus.execute(0, { op: 'DSB ISH' });
  t.same(both(), [2, 2]);
});

t.test('an invalidation reaches the VMID that stood in VTTBR_EL2 when it was issued', async (t) => {
  const { cpus, store, load } = machine();
  store(PAGE, 1);
  store(PAGE + 0x1000, 2);
  cpus.enter(0, 'd1');
  load(IPA);
  store(LEVEL_3, PAGE + 0x1000 + RAM_PAGE);
  cpus.writeSystem(0, 'VTTBR_EL2', 6 << 16, LEVEL_1);
  t.same(load(IPA), { ok: true, hi: 0, lo: 2 }, 'another VMID has nothing cached');
  cpus.execute(0, { op: 'TLBI VMALLS12E1IS' });
  cpus.execute(0, { op: 'DSB ISH' });
  cpus.writeSystem(0, 'VTTBR_EL2', 5 << 16, LEVEL_1);
  t.same(load(IPA), { ok: true, hi: 0, lo: 1 }, 'VMID 5 is stale');
  cpus.execute(0, { op: 'TLBI ALLE1IS' });
  cpus.execute(0, { op: 'DSB ISH' });
  t.same(load(IPA), { ok: true, hi: 0, lo: 2 });
});

t.test('an invalidation by IPA needs one of stage 1 too (D8.17)', async (t) => {
  const { cpus, store, load } = machine();
  store(PAGE, 1);
  store(PAGE + 0x1000, 2);
  const run = (op: 'TLBI IPAS2E1IS' | 'TLBI IPAS2LE1IS' | 'TLBI VMALLE1IS', ipa = IPA) => {
    cpus.execute(0, op === 'TLBI VMALLE1IS' ? { op } : { op, ipa });
    cpus.execute(0, { op: 'DSB ISH' });
    return (load(IPA) as { lo: number }).lo;
  };
  cpus.enter(0, 'd1');
  load(IPA);
  store(LEVEL_3, PAGE + 0x1000 + RAM_PAGE);
  t.equal(run('TLBI VMALLE1IS'), 1, 'stage 2 alone is still cached');
  t.equal(run('TLBI IPAS2E1IS'), 1, 'both stages combined are still cached');
  t.equal(run('TLBI IPAS2E1IS', IPA + 0x1000), 1, 'another page');
  run('TLBI IPAS2LE1IS');
  t.equal(run('TLBI VMALLE1IS'), 2);
});

t.test('device registers and their attributes', async (t) => {
  const { cpus, store, load, written } = machine();
  // SH outer (2 at 9:8), MemAttr 1 (Device-nGnRE), AF, S2AP read-write, XN (bit 54).
  store(LEVEL_3 + 0x9 * 8, UART + 0x6c7, 1 << 22);
  cpus.enter(0, 'd1');
  const at = IPA + 0x9000;
  t.same(load(at + 4), { ok: true, hi: 0, lo: 0x1004 });
  t.same(load(at + 4, 1), { ok: false }, 'a width that the device does not take is an external abort');
  t.ok(cpus.guest(0, { kind: 'store', hi: 0, lo: at, width: 4, valueLo: 9 }).ok);
  t.same(written, [9]);
  t.same(cpus.attributes(0, { kind: 'load', hi: 0, lo: at, width: 4 }), {
    type: 'Device-nGnRE',
    shareability: 'outer',
  });
  t.same(cpus.attributes(0, { kind: 'load', hi: 0, lo: IPA, width: 4 }), { type: 'Normal WB', shareability: 'inner' });
  t.equal(cpus.attributes(0, { kind: 'load', hi: 0, lo: IPA + 0x5000, width: 4 }), undefined, 'it would fault');
  t.equal(cpus.attributes(0, { kind: 'fetch', hi: 0, lo: at, width: 4 }), undefined, 'XN');
});

t.test('looking at attributes leaves no translation behind', async (t) => {
  const { cpus, store, load } = machine();
  store(PAGE + 0x1000, 2);
  cpus.attributes(0, { kind: 'load', hi: 0, lo: IPA, width: 4 });
  store(LEVEL_3, PAGE + 0x1000 + RAM_PAGE);
  cpus.enter(0, 'd1');
  t.same(load(IPA), { ok: true, hi: 0, lo: 2 });
  // What is left of stage 2 alone answers a look, but makes no combined entry again.
  cpus.execute(0, { op: 'TLBI VMALLE1IS' });
  cpus.execute(0, { op: 'DSB ISH' });
  cpus.attributes(0, { kind: 'load', hi: 0, lo: IPA, width: 4 });
  cpus.execute(0, { op: 'TLBI IPAS2E1IS', ipa: IPA });
  cpus.execute(0, { op: 'DSB ISH' });
  store(PAGE, 1);
  store(LEVEL_3, PAGE + RAM_PAGE);
  t.same(load(IPA), { ok: true, hi: 0, lo: 1 });
});

t.test('identification registers are read-only; MPIDR_EL1 tells CPUs apart', async (t) => {
  const { cpus, problems } = machine();
  t.same(cpus.readSystem(1, 'MPIDR_EL1'), { hi: 0, lo: 0x8000_0001 });
  // PARange 3:0 is 4 (44 bits); ASIDBits 7:4 and VMIDBits 7:4 are 2 (16 bits); TGran16 23:20 is 1; XNX 31:28 is 1.
  t.same(cpus.readSystem(0, 'ID_AA64MMFR0_EL1'), { hi: 0, lo: 0x10_0024 });
  t.same(cpus.readSystem(0, 'ID_AA64MMFR1_EL1'), { hi: 0, lo: 0x1000_0020 });
  cpus.writeSystem(0, 'ID_AA64MMFR0_EL1', 0, 0);
  t.same(cpus.readSystem(0, 'ID_AA64MMFR0_EL1'), { hi: 0, lo: 0x10_0024 });
  t.equal(problems[0]?.channel, 'misuse');
});

t.test('a VMID has 8 bits unless VTCR_EL2.VS (bit 19) says 16', async (t) => {
  const { cpus, store, load } = machine();
  store(PAGE, 1);
  store(PAGE + 0x1000, 2);
  cpus.enter(0, 'd1');
  load(IPA);
  store(LEVEL_3, PAGE + 0x1000 + RAM_PAGE);
  cpus.writeSystem(0, 'VTTBR_EL2', 0x105 << 16, LEVEL_1);
  t.same(load(IPA), { ok: true, hi: 0, lo: 1 }, '0x105 is taken for 5');
  cpus.writeSystem(0, 'VTCR_EL2', 0, (VTCR | (1 << 19)) >>> 0);
  t.same(load(IPA), { ok: true, hi: 0, lo: 2 });
});

t.test('a loaded state has cold caches and forgets unfinished maintenance', async (t) => {
  const { cpus, store, load } = machine();
  store(PAGE, 1);
  store(PAGE + 0x1000, 2);
  cpus.enter(0, 'd1');
  load(IPA);
  const saved = JSON.parse(JSON.stringify(cpus.save())) as unknown;
  cpus.writeSystem(0, 'VTTBR_EL2', 0, 0);
  store(LEVEL_3, PAGE + 0x1000 + RAM_PAGE);
  cpus.load(saved);
  t.same(cpus.readSystem(0, 'VTTBR_EL2'), { hi: 5 << 16, lo: LEVEL_1 });
  t.same(load(IPA), { ok: true, hi: 0, lo: 2 });
});

t.test('a CPU runs one guest at a time', async (t) => {
  const { cpus, load } = machine();
  t.throws(() => load(IPA), /cpu0 runs no guest/);
  cpus.enter(0, 'd1');
  t.throws(() => cpus.enter(0, 'd2'), /already runs d1/);
  t.throws(() => load(0), /no vector/);
  cpus.leave(0);
  t.throws(() => cpus.leave(0), /runs no guest/);
});
