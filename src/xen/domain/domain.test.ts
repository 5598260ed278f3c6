import t from 'tap';
import { pa } from '../../hw/address.js';
import { type XenSteps, xenSteps } from '../steps.js';
import { boardOfFile, boot, createGuest, dma, domctl, machineAddress, machineSbdf } from '../xen.test-support.js';

const RAM = 0x4000_0000;

t.test('RAM is in the guest banks, never at its own address, and complete', async (t) => {
  const { xen } = boot();
  const domid = createGuest(xen, [], { memory: [0, 4 * 1024 * 1024] }); // 4 GiB: 3 below, 1 at 0x2_0000_0000
  const ram = xen.claims().find((claim) => claim.domid === domid)?.ram ?? [];
  t.equal(
    ram.reduce((sum, run) => sum + run.count, 0),
    2 ** 20,
  );
  t.equal(ram[0]?.gfn, 0x40000);
  t.equal(machineAddress(xen, domid, 0x2_3fff_f000) % 4096, 0);
  t.notOk(ram.some((run) => run.gfn === run.mfn));
});

t.test('a vCPU sees its RAM and registers, and its hypercalls arrive', async (t) => {
  const { machine, xen, problems } = boot(xenSteps(), boardOfFile);
  const d1 = createGuest(xen, ['0000:00:01.0'], { cpus: [2] });
  const d2 = createGuest(xen, []);
  const cpu = xen.schedule({ domid: d1, vcpu: 1 }) ?? -1;
  t.equal(xen.schedule({ domid: d1, vcpu: 1 }), cpu, 'it stays where it is');
  const other = xen.schedule({ domid: d2, vcpu: 0 }) ?? -1;
  t.not(other, cpu);
  t.equal(xen.schedule({ domid: d2, vcpu: 1 }), undefined, 'there is no such vCPU');
  const store = { kind: 'store', hi: 0, width: 4, valueHi: 0, valueLo: 0x1234_5678 } as const;
  t.ok(machine.cpus.guest(cpu, { ...store, lo: RAM + 0x2000 }).ok);
  t.equal(machine.memory.load(pa(machineAddress(xen, d1, RAM + 0x2000)), 4), 0x1234_5678);
  t.same(machine.memory.peek(pa(machineAddress(xen, d2, RAM + 0x2000)), 4), new Uint8Array(4));
  // The endpoint's identification register, TWD1, at its BAR.
  t.match(machine.cpus.guest(cpu, { kind: 'load', hi: 0x80, lo: 0, width: 4 }), { ok: true, lo: 0x3144_5754 });
  t.notOk(machine.cpus.guest(other, { kind: 'load', hi: 0x80, lo: 0, width: 4 }).ok, 'the other guest has none');
  t.notOk(machine.cpus.guest(cpu, { kind: 'fetch', hi: 0x80, lo: 0, width: 4 }).ok, 'registers are not executed');
  t.match(xen.console.at(-1), /d1v1: fetch at 0x8000000000, fault status 0xf/);
  t.match(xen.console.at(-2), /d2v0: load at 0x8000000000, guest page 0x8000000000/);
  // HVC #0xea1: number in X16, arguments in X0 to X4.
  const registers = machine.cpus.registers(cpu);
  registers.fill(0);
  registers[32] = 33;
  registers[0] = 25;
  registers[2] = RAM;
  machine.cpus.hvc(cpu, 0xea1);
  t.same([registers[0], registers[1]], [0xffff_ffff, 0xffff_ffff], 'X0 = -1, EPERM');
  registers[32] = 4711;
  machine.cpus.hvc(cpu, 0xea1);
  t.equal((registers[0] ?? 0) | 0, -38, 'ENOSYS');
  t.same(problems, []);
});

t.test('BARs can be seen elsewhere than the device has them', async (t) => {
  const booted = boot();
  const { machine, xen } = booted;
  const place = { 'xen,pci-bars': [machineSbdf('0000:00:01.0'), 0, 0, 0x2300_0000] };
  const d1 = createGuest(xen, ['0000:00:01.0'], place);
  const cpu = xen.schedule({ domid: d1, vcpu: 0 }) ?? -1;
  t.match(machine.cpus.guest(cpu, { kind: 'load', hi: 0, lo: 0x2300_0000, width: 4 }), { ok: true, lo: 0x3144_5754 });
  t.notOk(machine.cpus.guest(cpu, { kind: 'load', hi: 0x80, lo: 0, width: 4 }).ok);
  t.equal(domctl(booted, 47, d1, [0, 0, machineSbdf('0000:00:01.0')]), 0);
  t.notOk(machine.cpus.guest(cpu, { kind: 'load', hi: 0, lo: 0x2300_0000, width: 4 }).ok, 'gone with the device');
});

t.test('read-only RAM is read-only for devices and CPUs', async (t) => {
  const { machine, xen } = boot();
  const cells = { '#address-cells': [2], '#size-cells': [2] };
  const d1 = createGuest(xen, ['0000:00:01.0'], { ...cells, 'xen,memory-read-only': [0, RAM + 0x3000, 0, 0x2000] });
  const cpu = xen.schedule({ domid: d1, vcpu: 0 }) ?? -1;
  for (const [page, writable] of [
    [2, true],
    [3, false],
    [4, false],
    [5, true],
  ] as const) {
    const address = RAM + page * 0x1000;
    t.equal(dma(machine, '0000:00:01.0', address, Uint8Array.of(1)).ok, writable);
    t.ok(dma(machine, '0000:00:01.0', address).ok);
    t.equal(
      machine.cpus.guest(cpu, { kind: 'store', hi: 0, lo: address, width: 1, valueHi: 0, valueLo: 1 }).ok,
      writable,
    );
  }
});

t.test('domains come and go without losing frames, tags or ids', async (t) => {
  const booted = boot();
  const { xen, problems } = booted;
  const places = new Set<string>();
  const ids = new Set<number>();
  for (let i = 0; i < 20; i++) {
    const domid = createGuest(xen, ['0000:00:01.0', '0001:00:02.0']);
    ids.add(domid);
    places.add(JSON.stringify(xen.claims().find((claim) => claim.domid === domid)?.ram));
    t.equal(domctl(booted, 2, domid, []), 0);
  }
  t.equal(places.size, 1, 'each got the frames of the one before');
  t.equal(ids.size, 20, 'and an id of its own');
  t.same(problems, []);
});

t.test('while a domain is destroyed, its devices write nothing into frames that are free', async (t) => {
  const destroyUnderFire = (steps: XenSteps): { left: number; landed: number } => {
    const booted = boot(steps);
    const { machine, xen } = booted;
    const d1 = createGuest(xen, ['0000:00:01.0', '0000:00:02.0']);
    const frames = [machineAddress(xen, d1, RAM + 0x3000), machineAddress(xen, d1, RAM + 0x40_2000)];
    let landed = 0;
    machine.observer.setProbe(() => {
      if (dma(machine, '0000:00:01.0', RAM + 0x3000, Uint8Array.of(0x66)).ok) landed++;
      if (dma(machine, '0000:00:02.0', RAM + 0x40_2000, Uint8Array.of(0x66)).ok) landed++;
    });
    t.equal(domctl(booted, 2, d1, []), 0);
    machine.observer.setProbe(undefined);
    return { left: frames.filter((frame) => machine.memory.peek(pa(frame), 1)[0] !== 0).length, landed };
  };
  const proper = destroyUnderFire(xenSteps());
  t.equal(proper.left, 0);
  t.ok(proper.landed > 0, 'control: before they were detached, they did write');
  const steps = xenSteps();
  const relinquish: XenSteps['domain']['relinquish'] = (xen, domain) =>
    steps.domain.relinquishMemory(xen, domain) || steps.domain.relinquish(xen, domain);
  const wrong = destroyUnderFire({ ...steps, domain: { ...steps.domain, relinquish } });
  t.ok(wrong.left > 0, 'control: with memory freed first, they do');
});
