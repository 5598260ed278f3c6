import t from 'tap';
import { type XenSteps, xenSteps } from '../steps.js';
import { bootGic, DEVICE, EDGE, Guest, LEVEL, line, MORE, makeDomain, settle } from './irq.test-support.js';

for (const version of [3, 2] as const) {
  t.test(
    `GICv${version}: a level-sensitive SPI reaches its guest, once for each time that it is deactivated`,
    async (t) => {
      const booted = bootGic(version);
      const domain = makeDomain(booted);
      const guest = new Guest(booted, domain).start();
      t.equal(booted.xen.steps.irq.routeToGuest(booted.xen, domain, LEVEL, LEVEL), 0);
      guest.enable(LEVEL);
      t.notOk(guest.signalled());
      line(booted, 0, true);
      t.ok(guest.signalled());
      t.equal(guest.acknowledge(), LEVEL);
      t.notOk(guest.signalled(), 'active');
      t.equal(guest.acknowledge(), 1023);
      guest.end(LEVEL);
      t.ok(guest.signalled(), 'the line is still high');
      t.equal(guest.acknowledge(), LEVEL);
      line(booted, 0, false);
      guest.end(LEVEL);
      t.notOk(guest.signalled());
      t.equal(guest.acknowledge(), 1023);
      t.same(booted.problems, []);
    },
  );

  t.test(`GICv${version}: an edge is one interrupt`, async (t) => {
    const booted = bootGic(version);
    const domain = makeDomain(booted);
    const guest = new Guest(booted, domain).start();
    booted.xen.steps.irq.routeToGuest(booted.xen, domain, EDGE, EDGE);
    guest.enable(EDGE);
    line(booted, 1, true);
    t.equal(guest.acknowledge(), EDGE);
    guest.end(EDGE);
    t.equal(guest.acknowledge(), 1023, 'the line is still high, and no edge came');
    line(booted, 1, false);
    line(booted, 1, true);
    t.equal(guest.acknowledge(), EDGE);
    line(booted, 1, false);
    line(booted, 1, true);
    t.equal(guest.acknowledge(), 1023, 'a second edge while it is active');
    guest.end(EDGE);
    t.equal(guest.acknowledge(), EDGE, 'is an interrupt of its own');
    t.same(booted.problems, []);
  });

  t.test(`GICv${version}: what the guest masks waits until it does not`, async (t) => {
    const booted = bootGic(version);
    const domain = makeDomain(booted);
    const guest = new Guest(booted, domain).start();
    booted.xen.steps.irq.routeToGuest(booted.xen, domain, LEVEL, LEVEL);
    line(booted, 0, true);
    t.notOk(guest.signalled(), 'never enabled');
    t.equal(guest.bit(0x200, LEVEL), 1, 'pending');
    guest.enable(LEVEL);
    settle(booted.machine);
    t.ok(guest.signalled());
    guest.disable(LEVEL);
    t.notOk(guest.signalled(), 'disabled while it is pending');
    t.equal(guest.bit(0x200, LEVEL), 1);
    guest.enable(LEVEL);
    t.ok(guest.signalled());
    guest.store(guest.gicd, version === 3 ? 0x10 : 0);
    t.notOk(guest.signalled(), 'the distributor is disabled');
    guest.store(guest.gicd, version === 3 ? 0x12 : 1);
    t.equal(guest.acknowledge(), LEVEL);
    t.equal(guest.bit(0x300, LEVEL), 1, 'active');
    t.equal(guest.bit(0x200, LEVEL), 0);
    line(booted, 0, false);
    guest.end(LEVEL);
    t.equal(guest.bit(0x300, LEVEL), 0);
    t.equal(guest.acknowledge(), 1023);
    t.same(booted.problems, []);
  });

  t.test(`GICv${version}: more interrupts than list registers come in the order of their priority`, async (t) => {
    const booted = bootGic(version);
    const domain = makeDomain(booted);
    const guest = new Guest(booted, domain).start();
    const priorities = [0x80, 0x70, 0x60, 0x50, 0x40, 0x30];
    for (const [n, priority] of priorities.entries()) {
      booted.xen.steps.irq.routeToGuest(booted.xen, domain, MORE + n, MORE + n);
      guest.enable(MORE + n, priority);
    }
    for (let n = 0; n < 6; n++) line(booted, 2 + n, true);
    const taken: (number | undefined)[] = [];
    for (let n = 0; n < 6; n++) {
      const intid = guest.acknowledge();
      taken.push(intid);
      line(booted, 2 + (intid ?? 0) - MORE, false);
      guest.end(intid ?? 0);
    }
    t.same(
      taken,
      [5, 4, 3, 2, 1, 0].map((n) => MORE + n),
    );
    t.equal(guest.acknowledge(), 1023);
    t.same(booted.problems, []);
  });

  t.test(`GICv${version}: an SPI goes to the vCPU that it is routed to, wherever that runs`, async (t) => {
    const booted = bootGic(version);
    const { xen, machine } = booted;
    const domain = makeDomain(booted, 3);
    const guest = new Guest(booted, domain).start();
    xen.steps.irq.routeToGuest(xen, domain, LEVEL, LEVEL);
    guest.enable(LEVEL, 0xa0, 2);
    line(booted, 0, true);
    t.same(
      [0, 1, 2].map((vcpu) => guest.signalled(vcpu)),
      [false, false, true],
    );
    t.equal(guest.acknowledge(2), LEVEL);
    // It moves to another vCPU while it is active, and fires again.
    guest.route(LEVEL, 1);
    guest.end(LEVEL, 2);
    t.same(
      [0, 1, 2].map((vcpu) => guest.signalled(vcpu)),
      [false, true, false],
    );
    t.equal(guest.acknowledge(1), LEVEL);
    line(booted, 0, false);
    guest.end(LEVEL, 1);
    // The vCPU leaves its CPU; the interrupt waits for it.
    const vcpu = domain.vcpus[1];
    if (vcpu !== undefined) xen.steps.domain.deschedule(xen, vcpu);
    line(booted, 0, true);
    t.same(
      [0, 2].map((n) => guest.signalled(n)),
      [false, false],
    );
    t.ok(guest.signalled(1));
    t.equal(guest.acknowledge(1), LEVEL);
    // Active, it goes along when its vCPU leaves and comes back.
    if (vcpu !== undefined) xen.steps.domain.deschedule(xen, vcpu);
    const other = new Guest(booted, makeDomain(booted, 4)).start();
    t.same(
      [0, 1, 2, 3].map((n) => other.signalled(n)),
      [false, false, false, false],
    );
    t.equal(guest.acknowledge(1), 1023);
    line(booted, 0, false);
    guest.end(LEVEL, 1);
    line(booted, 0, true);
    t.equal(guest.acknowledge(1), LEVEL, 'deactivated, it can fire again');
    settle(machine);
    t.same(booted.problems, []);
  });
}

t.test('a physical interrupt comes to the CPU that its vCPU runs on', async (t) => {
  const steps = xenSteps();
  const taken: number[] = [];
  const handleForGuest: XenSteps['irq']['handleForGuest'] = (xen, cpu, ...rest) => {
    taken.push(cpu);
    steps.irq.handleForGuest(xen, cpu, ...rest);
  };
  const booted = bootGic(3, { ...steps, irq: { ...steps.irq, handleForGuest } });
  const { xen } = booted;
  const domain = makeDomain(booted, 2);
  const guest = new Guest(booted, domain).start();
  xen.steps.irq.routeToGuest(xen, domain, EDGE, EDGE);
  const fire = (): number[] => {
    line(booted, 1, true);
    line(booted, 1, false);
    return taken.splice(0);
  };
  const finish = (vcpu: number): void => {
    t.equal(guest.acknowledge(vcpu), EDGE);
    guest.end(EDGE, vcpu);
    for (const each of domain.vcpus) xen.steps.domain.deschedule(xen, each);
  };
  const place = (...vcpus: number[]): number[] => vcpus.map((vcpu) => guest.cpu(vcpu));
  guest.enable(EDGE, 0xa0, 0);
  t.same(place(0, 1), [0, 1]);
  t.same(fire(), [0]);
  finish(0);
  t.same(place(1, 0), [0, 1], 'the vCPUs change places');
  t.same(fire(), [1]);
  finish(0);
  t.same(place(0, 1), [0, 1]);
  guest.route(EDGE, 1);
  t.same(fire(), [1], 'the guest routes it elsewhere');
  finish(1);
  t.same(booted.problems, []);
});

t.test('an SPI costs Xen four accesses: two acknowledgements, a priority drop, a list register', async (t) => {
  const booted = bootGic(3);
  const { xen, machine } = booted;
  const domain = makeDomain(booted);
  const guest = new Guest(booted, domain).start();
  xen.steps.irq.routeToGuest(xen, domain, EDGE, EDGE);
  guest.enable(EDGE);
  const accesses: string[] = [];
  let isOn = false;
  machine.observer.onAccess(({ actor, name }) => {
    if (isOn && actor === 'xen') accesses.push(name);
  });
  for (let round = 0; round < 3; round++) {
    machine.endpoints.setLine(DEVICE, 1, true);
    machine.endpoints.setLine(DEVICE, 1, false);
    isOn = true;
    machine.cpus.takeInterrupts(guest.cpu());
    isOn = false;
    t.same(accesses.splice(0), ['ICC_IAR1_EL1', 'ICC_EOIR1_EL1', 'ICH_LR0_EL2', 'ICC_IAR1_EL1']);
    t.equal(guest.acknowledge(), EDGE);
    guest.end(EDGE);
  }
});
