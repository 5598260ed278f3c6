import t from 'tap';
import { pa } from '../../hw/address.js';
import { type XenSteps, xenSteps } from '../steps.js';
import { domctl } from '../xen.test-support.js';
import {
  bootGic,
  DEVICE,
  EDGE,
  Guest,
  LEVEL,
  line,
  MORE,
  makeDomain,
  OTHER,
  OTHERS,
  settle,
} from './irq.test-support.js';

for (const version of [3, 2] as const) {
  t.test(`GICv${version}: codes of routing, and who may have what`, async (t) => {
    const booted = bootGic(version);
    const { xen } = booted;
    const { irq } = xen.steps;
    const [d1, d2] = [makeDomain(booted), makeDomain(booted)];
    t.equal(irq.routeToGuest(xen, d1, 31, LEVEL), -22, 'EINVAL: a PPI');
    t.equal(irq.routeToGuest(xen, d1, 96, LEVEL), -22, 'there are 64 SPIs, 32 to 95');
    t.equal(irq.routeToGuest(xen, d1, LEVEL, 27), -22);
    t.equal(irq.routeToGuest(xen, d1, 60, 60), -5, 'EIO: nothing in the tree has it');
    t.equal(irq.routeToGuest(xen, d1, LEVEL, LEVEL), 0);
    t.equal(irq.routeToGuest(xen, d1, LEVEL, LEVEL), 0, 'shared by two of its devices');
    t.equal(irq.routeToGuest(xen, d1, EDGE, LEVEL), -16, 'EBUSY: it has another number');
    t.equal(irq.routeToGuest(xen, d1, LEVEL, EDGE), -16);
    t.equal(irq.routeToGuest(xen, d2, LEVEL, LEVEL), -16);
    t.equal(
      irq.requestForXen(xen, LEVEL, 'level', () => {}),
      -16,
    );
    t.equal(
      irq.requestForXen(xen, OTHERS, 'level', () => {}),
      0,
    );
    t.equal(
      irq.requestForXen(xen, OTHERS, 'level', () => {}),
      -16,
    );
    t.equal(irq.routeToGuest(xen, d1, OTHERS, OTHERS), -16);
    t.equal(irq.releaseFromGuest(xen, d2, LEVEL), -22);
    t.equal(irq.releaseFromGuest(xen, d1, LEVEL), 0, 'the first device');
    t.equal(irq.routeToGuest(xen, d2, LEVEL, LEVEL), -16);
    t.equal(irq.releaseFromGuest(xen, d1, LEVEL), 0, 'the second');
    t.equal(irq.releaseFromGuest(xen, d1, LEVEL), -22);
    t.equal(irq.routeToGuest(xen, d2, LEVEL, LEVEL), 0);
    t.equal(irq.bindSpi(xen, d1, d1, EDGE, EDGE), -1, 'EPERM');
    d1.irqs.add(EDGE, 1);
    t.equal(irq.bindSpi(xen, d1, d1, LEVEL, EDGE), -22);
    t.equal(irq.bindSpi(xen, d1, d2, EDGE, EDGE), -1, 'nor the other domain');
    t.equal(irq.permit(xen, d1, d2, EDGE, true), 0);
    t.equal(irq.permit(xen, d1, d2, MORE, true), -1);
    t.equal(irq.bindSpi(xen, d1, d2, EDGE, EDGE), 0);
    t.equal(irq.unbindSpi(xen, d1, d2, EDGE, EDGE), 0);
    t.same(booted.problems, []);
  });

  t.test(`GICv${version}: an interrupt of Xen's own`, async (t) => {
    const booted = bootGic(version);
    let taken = 0;
    booted.xen.steps.irq.requestForXen(booted.xen, OTHERS, 'level', () => {
      taken++;
      booted.machine.endpoints.setLine(OTHER, 0, false);
    });
    line(booted, 0, true, OTHER);
    t.equal(taken, 1);
    line(booted, 0, true, OTHER);
    t.equal(taken, 2, 'it was deactivated');
    t.same(booted.problems, []);
  });

  for (const state of ['pending', 'active', 'held'] as const) {
    t.test(`GICv${version}: nothing of an interrupt that is ${state} is left for its next owner`, async (t) => {
      const leftovers = (steps: XenSteps): { left: boolean; again: boolean } => {
        const booted = bootGic(version, steps);
        const { xen } = booted;
        const [d1, d2] = [makeDomain(booted), makeDomain(booted)];
        const [first, second] = [new Guest(booted, d1).start(), new Guest(booted, d2).start()];
        xen.steps.irq.routeToGuest(xen, d1, EDGE, EDGE);
        first.enable(EDGE);
        if (state === 'held') first.disable(EDGE);
        line(booted, 1, true);
        line(booted, 1, false);
        if (state === 'active') first.acknowledge();
        t.equal(xen.steps.irq.releaseFromGuest(xen, d1, EDGE), 0);
        t.notOk(first.signalled());
        xen.steps.irq.routeToGuest(xen, d2, EDGE, EDGE);
        second.enable(EDGE);
        settle(booted.machine);
        const left = second.signalled();
        line(booted, 1, true);
        const again = second.signalled();
        t.same(booted.problems, []);
        return { left, again };
      };
      t.same(leftovers(xenSteps()), { left: false, again: true });
    });
  }
}

/** Whether the machine has an SPI enabled: GICD_ISENABLER1 of the board with a GICv3. */
const isOn = ({ machine }: ReturnType<typeof bootGic>, intid: number): boolean =>
  ((machine.mmio.read(pa(0x0800_0104), 4) >>> (intid - 32)) & 1) === 1;

t.test('the physical interrupt is on while the guest has the virtual one on, and it has an owner', async (t) => {
  const booted = bootGic(3);
  const { xen } = booted;
  const domain = makeDomain(booted);
  const guest = new Guest(booted, domain).start();
  xen.steps.irq.routeToGuest(xen, domain, LEVEL, LEVEL);
  t.notOk(isOn(booted, LEVEL));
  guest.enable(LEVEL);
  t.ok(isOn(booted, LEVEL));
  guest.disable(LEVEL);
  t.notOk(isOn(booted, LEVEL));
  guest.enable(LEVEL);
  xen.steps.irq.releaseFromGuest(xen, domain, LEVEL);
  t.notOk(isOn(booted, LEVEL));
  line(booted, 0, true);
  t.notOk(guest.signalled());
  t.notMatch(booted.hypervisor.console.join(), /unexpected/);
  t.same(booted.problems, []);
});

t.test('an interrupt that does not stop is disabled', async (t) => {
  const booted = bootGic(3);
  let taken = 0;
  const count = () => {
    taken++;
  };
  t.equal(booted.xen.steps.irq.requestForXen(booted.xen, OTHERS, 'level', count), 0);
  line(booted, 0, true, OTHER);
  t.ok(taken > 1 && taken < 2000, `taken ${taken} times`);
  t.match(booted.hypervisor.console.at(-1), /irq 48 on CPU 0 does not stop: disabled/);
  t.same(booted.problems, []);
});

t.test('the control domain permits, binds and unbinds SPIs by hypercall', async (t) => {
  const booted = bootGic(3);
  const { xen, machine, problems } = booted;
  const domain = makeDomain(booted);
  const call = (command: number, u: readonly number[]): number =>
    domctl({ machine, xen: booted.hypervisor, problems, operations: () => 0 }, command, domain.domid, u);
  // XEN_DOMCTL_irq_permission, 19: pirq, allow_access.
  t.equal(call(19, [EDGE, 1]), -1, 'EPERM: the hardware domain may not have it itself');
  xen.domains.get(0)?.irqs.add(EDGE, 1);
  t.equal(call(19, [96, 1]), -22, 'there is no such interrupt');
  // XEN_DOMCTL_bind_pt_irq, 38: machine_irq, irq_type (PT_IRQ_TYPE_SPI, 4), spi.
  t.equal(call(38, [EDGE, 4, EDGE]), -1);
  t.equal(call(19, [EDGE, 1]), 0);
  t.equal(call(38, [EDGE, 2, EDGE]), -95, 'EOPNOTSUPP: an MSI');
  t.equal(call(38, [LEVEL, 4, EDGE]), -22);
  t.equal(call(38, [EDGE, 4, EDGE]), 0);
  t.equal(domain.vgic?.routed.has(EDGE), true);
  // XEN_DOMCTL_unbind_pt_irq, 48.
  t.equal(call(48, [EDGE, 2, EDGE]), -95);
  t.equal(call(48, [EDGE, 4, EDGE]), 0);
  t.equal(call(48, [EDGE, 4, EDGE]), -22);
  t.equal(domain.vgic?.routed.has(EDGE), false);
  t.equal(call(19, [EDGE, 0]), 0);
  t.notOk(domain.irqs.contains(EDGE, 1));
});

t.test('a guest that runs elsewhere loses an interrupt at once', async (t) => {
  const booted = bootGic(3);
  const { xen } = booted;
  const domain = makeDomain(booted, 2);
  const guest = new Guest(booted, domain).start();
  xen.steps.irq.routeToGuest(xen, domain, LEVEL, LEVEL);
  guest.enable(LEVEL, 0xa0, 1);
  line(booted, 0, true);
  t.ok(guest.signalled(1));
  xen.cpu = guest.cpu(0);
  t.not(xen.cpu, guest.cpu(1));
  t.equal(xen.steps.irq.releaseFromGuest(xen, domain, LEVEL), 0);
  t.notOk(guest.signalled(1));
  t.same(booted.problems, []);
});

t.test('destruction gives back every interrupt', async (t) => {
  const booted = bootGic(3);
  const { xen } = booted;
  const [d1, d2] = [makeDomain(booted), makeDomain(booted)];
  const guest = new Guest(booted, d1).start();
  for (const irq of [LEVEL, LEVEL, EDGE]) xen.steps.irq.routeToGuest(xen, d1, irq, irq);
  guest.enable(LEVEL).enable(EDGE);
  line(booted, 0, true);
  t.equal(xen.steps.domain.destroy(xen, d1), 0);
  t.equal(d1.vgic, undefined);
  t.same(d1.mmioHandlers, []);
  for (const irq of [LEVEL, EDGE]) t.equal(xen.steps.irq.routeToGuest(xen, d2, irq, irq), 0);
  line(booted, 0, false);
  t.same(booted.problems, []);
});

t.test('an interrupt that nobody has is disabled', async (t) => {
  const booted = bootGic(3);
  booted.xen.steps.gic.enable(booted.xen, LEVEL, 0);
  line(booted, 0, true, DEVICE);
  t.match(booted.hypervisor.console.at(-1), /unexpected irq 40 on CPU 0/);
  t.same(booted.problems, []);
});
