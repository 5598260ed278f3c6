import fc from 'fast-check';
import t from 'tap';
import { bootGic, EDGE, Guest, LEVEL, line, makeDomain, settle } from '../irq/irq.test-support.js';

/** Frames that a guest finds, in the guest layout. */
const FRAMES: Readonly<Record<2 | 3, readonly (readonly [base: number, size: number])[]>> = {
  3: [
    [0x0300_1000, 0x1_0000],
    [0x0302_0000, 0x4_0000],
  ],
  2: [[0x0300_1000, 0x1000]],
};

for (const version of [3, 2] as const) {
  t.test(`GICv${version}: whatever a guest writes into its controller, no other guest loses anything`, async (t) => {
    const booted = bootGic(version);
    const { xen, machine } = booted;
    const [mallory, alice] = [makeDomain(booted, 2), makeDomain(booted)];
    const [hostile, guest] = [new Guest(booted, mallory).start(), new Guest(booted, alice).start()];
    xen.steps.irq.routeToGuest(xen, mallory, EDGE, EDGE);
    xen.steps.irq.routeToGuest(xen, alice, LEVEL, LEVEL);
    guest.enable(LEVEL);
    const physical = () =>
      JSON.stringify([...(alice.vgic?.spis ?? [])].map(({ enabled, priority, route }) => [enabled, priority, route]));
    const before = physical();
    const frame = fc.constantFrom(...FRAMES[version]);
    const act = fc.record({
      frame,
      at: fc.oneof(fc.nat(0x1_ffff), fc.nat(0xfff)),
      width: fc.constantFrom(1, 2, 4, 8) as fc.Arbitrary<1 | 2 | 4 | 8>,
      store: fc.boolean(),
      lo: fc.oneof(fc.nat(0xffff_ffff), fc.constant(0xffff_ffff)),
      hi: fc.nat(0xffff_ffff),
      vcpu: fc.nat(1),
      pulse: fc.boolean(),
      take: fc.boolean(),
    });
    fc.assert(
      fc.property(fc.array(act, { maxLength: 20 }), (acts) => {
        for (const {
          frame: [base, size],
          at,
          width,
          store,
          lo,
          hi,
          vcpu,
          pulse,
          take,
        } of acts) {
          const address = base + Math.floor((at % size) / width) * width;
          hostile.access(store ? 'store' : 'load', address, width, lo, hi, vcpu);
          if (version === 3 && store) hostile.write('ICC_SGI1R_EL1', lo, vcpu, hi);
          if (pulse) {
            line(booted, 1, true);
            line(booted, 1, false);
          }
          if (take) hostile.end(hostile.acknowledge(vcpu) ?? 0, vcpu);
        }
        line(booted, 0, true);
        const taken = guest.acknowledge();
        line(booted, 0, false);
        guest.end(LEVEL);
        return taken === LEVEL && guest.acknowledge() === 1023 && physical() === before;
      }),
      { seed: 5, numRuns: 60 },
    );
    // Torn down and given to another, the interrupt works.
    t.equal(xen.steps.domain.destroy(xen, mallory), 0);
    const bob = makeDomain(booted);
    const next = new Guest(booted, bob).start();
    t.equal(xen.steps.irq.routeToGuest(xen, bob, EDGE, EDGE), 0);
    next.enable(EDGE);
    settle(machine);
    t.equal(next.acknowledge(), 1023);
    line(booted, 1, true);
    t.equal(next.acknowledge(), EDGE);
    t.same(
      booted.problems.filter(({ actor }) => actor === 'xen'),
      [],
    );
  });
}
