import t from 'tap';
import { type XenSteps, xenSteps } from '../steps.js';
import { bootGic, EDGE, Guest, LEVEL, line, MORE, makeDomain, OTHER, OTHERS, settle } from './irq.test-support.js';

const TABLES = ['irq', 'vgic', 'gic'] as const;

type Step = (...args: unknown[]) => unknown;

/** The composition with every step of these tables wrapped; `reached` takes the names of those that were. */
function watched(tables: readonly (keyof XenSteps)[], reached: Set<string>): { steps: XenSteps; names: string[] } {
  const steps = xenSteps() as unknown as Record<string, Record<string, Step>>;
  const names: string[] = [];
  for (const table of tables) {
    const wrapped: Record<string, Step> = {};
    for (const [name, step] of Object.entries(steps[table] ?? {})) {
      names.push(`${table}.${name}`);
      wrapped[name] = (...args) => {
        reached.add(`${table}.${name}`);
        return step(...args);
      };
    }
    steps[table] = wrapped;
  }
  return { steps: steps as unknown as XenSteps, names };
}

/** Everything that a machine, guests and a control domain do about interrupts, once. */
function exercise(version: 2 | 3, steps: XenSteps): void {
  const booted = bootGic(version, steps);
  const { xen } = booted;
  const domain = makeDomain(booted, 3);
  const guest = new Guest(booted, domain).start();
  const { gicd } = guest;
  xen.steps.irq.requestForXen(xen, OTHERS, 'level', () => booted.machine.endpoints.setLine(OTHER, 0, false));
  line(booted, 0, true, OTHER);
  xen.steps.gic.enable(xen, LEVEL, 0);
  line(booted, 0, true); // unexpected
  line(booted, 0, false);
  xen.domains.get(0)?.irqs.add(EDGE, 1);
  const control = xen.domains.get(0);
  if (control === undefined) return;
  xen.steps.irq.permit(xen, control, domain, EDGE, true);
  xen.steps.irq.bindSpi(xen, control, domain, EDGE, EDGE);
  xen.steps.irq.unbindSpi(xen, control, domain, EDGE, EDGE);
  for (let n = 0; n < 6; n++) {
    xen.steps.irq.routeToGuest(xen, domain, MORE + n, MORE + n);
    guest.enable(MORE + n, 0x80 - 8 * n);
  }
  for (let n = 0; n < 6; n++) line(booted, 2 + n, true);
  for (let n = 0; n < 6; n++) {
    const intid = guest.acknowledge() ?? MORE;
    line(booted, 2 + intid - MORE, false);
    guest.end(intid);
  }
  guest.route(MORE, 1);
  for (const first of [0x280, 0x200, 0x380, 0x300]) guest.store(gicd + first + 4, 1 << (MORE - 32));
  // vCPUs change places, and a guest's interrupt is looked at and taken from another CPU.
  for (const vcpu of domain.vcpus) xen.steps.domain.deschedule(xen, vcpu);
  for (const vcpu of [2, 1, 0]) guest.cpu(vcpu);
  guest.load(gicd + 0x204, 4, 2);
  if (version === 3) guest.load(0x0302_0014);
  guest.disable(MORE);
  guest.store(gicd, 0);
  guest.start();
  if (version === 3) {
    guest.store(0x0303_0100, 0xffff);
    guest.store(0x0305_0100, 0xffff);
    for (let n = 0; n < 2; n++) guest.write('ICC_SGI1R_EL1', (1 << 24) | 0b11);
  } else {
    guest.store(gicd + 0xf00, 0b11 << 16);
    guest.store(gicd + 0xf00, 0b11 << 16);
  }
  settle(booted.machine);
  guest.acknowledge();
  if (version === 3) guest.write('ICC_SGI1R_EL1', (1 << 24) | 0b1);
  if (domain.vgic !== undefined) domain.vgic.lpiIdBits = 14;
  if (version === 3) guest.store(0x0302_0000, 1);
  xen.steps.irq.handleLpi(xen, 0, 8192);
  xen.steps.domain.destroy(xen, domain);
}

t.test('every step is reached through the tables: none is dead, none is called past them', async (t) => {
  const reached = new Set<string>();
  const names = new Set<string>();
  for (const [version, driver] of [
    [3, 'gicv3'],
    [2, 'gicv2'],
  ] as const) {
    const watching = watched([...TABLES, driver], reached);
    for (const name of watching.names) names.add(name);
    exercise(version, watching.steps);
  }
  t.same(
    [...names].filter((name) => !reached.has(name)),
    [],
  );
});
