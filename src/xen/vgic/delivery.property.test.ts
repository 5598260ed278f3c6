import fc from 'fast-check';
import t from 'tap';
import { type Booted, bootGic, Guest, line, MORE, makeDomain, settle } from '../irq/irq.test-support.js';

const IRQS = 6;
const VCPUS = 3;

/** What happens to one of six level-sensitive interrupts of a guest with three vCPUs, on four CPUs with four list registers. */
const act = fc.record({
  what: fc.constantFrom(
    'raise',
    'raise',
    'take',
    'begin',
    'end',
    'route',
    'enable',
    'disable',
    'priority',
    'off',
    'on',
    'deschedule',
    'crowd',
  ),
  n: fc.nat(IRQS - 1),
  vcpu: fc.nat(VCPUS - 1),
  priority: fc.constantFrom(0x20, 0x40, 0x60, 0x80),
});

type Act = typeof act extends fc.Arbitrary<infer T> ? T : never;

/** A guest with its interrupts, among others; and what it should have seen. */
class Scene {
  readonly raised = new Array<number>(IRQS).fill(0);
  readonly taken = new Array<number>(IRQS).fill(0);
  readonly #booted: Booted;
  readonly #version: 2 | 3;
  readonly #guest: Guest;
  readonly #crowd: readonly Guest[];
  readonly #high = new Array<boolean>(IRQS).fill(false);
  /** Acknowledged and not ended, by vCPU, the innermost last. */
  readonly #running: readonly number[][] = Array.from({ length: VCPUS }, () => []);

  constructor(version: 2 | 3) {
    this.#version = version;
    this.#booted = bootGic(version);
    const domain = makeDomain(this.#booted, VCPUS);
    this.#guest = new Guest(this.#booted, domain).start();
    this.#crowd = [0, 1].map(() => new Guest(this.#booted, makeDomain(this.#booted, 2)).start());
    for (let n = 0; n < IRQS; n++) {
      this.#booted.xen.steps.irq.routeToGuest(this.#booted.xen, domain, MORE + n, MORE + n);
      this.#guest.enable(MORE + n);
    }
  }

  get problems(): Booted['problems'] {
    return this.#booted.problems;
  }

  /** Acknowledges on a vCPU; the device is content and lowers its line. */
  #begin(vcpu: number): boolean {
    const intid = this.#guest.acknowledge(vcpu) ?? 1023;
    if (intid === 1023) return false;
    const n = intid - MORE;
    this.#running[vcpu]?.push(intid);
    this.taken[n] = (this.taken[n] ?? 0) + 1;
    this.#high[n] = false;
    line(this.#booted, 2 + n, false);
    return true;
  }

  #end(vcpu: number): void {
    const intid = this.#running[vcpu]?.pop();
    if (intid !== undefined) this.#guest.end(intid, vcpu);
  }

  /** Sets EnableGrp1 of GICD_CTLR, which on a GICv2 is bit 0. */
  #switch(on: boolean): void {
    this.#guest.store(this.#guest.gicd, (this.#version === 3 ? 0x10 : 0) + (on ? (this.#version === 3 ? 2 : 1) : 0));
  }

  act({ what, n, vcpu, priority }: Act): void {
    const guest = this.#guest;
    switch (what) {
      case 'raise':
        if (this.#high[n] === true) return;
        this.#high[n] = true;
        this.raised[n] = (this.raised[n] ?? 0) + 1;
        line(this.#booted, 2 + n, true);
        return;
      case 'take':
        if (this.#begin(vcpu)) this.#end(vcpu);
        return;
      case 'begin':
        this.#begin(vcpu);
        return;
      case 'end':
        this.#end(vcpu);
        return;
      case 'route':
        guest.route(MORE + n, vcpu);
        return;
      case 'enable':
        guest.store(guest.gicd + 0x104, 1 << (MORE + n - 32));
        return;
      case 'disable':
        guest.disable(MORE + n);
        return;
      case 'priority':
        guest.store(guest.gicd + 0x400 + MORE + n, priority, 1);
        return;
      case 'off':
      case 'on':
        this.#switch(what === 'on');
        return;
      case 'deschedule': {
        const gone = guest.domain.vcpus[vcpu];
        if (gone !== undefined) this.#booted.xen.steps.domain.deschedule(this.#booted.xen, gone);
        return;
      }
      case 'crowd':
        for (const other of this.#crowd) for (const each of [0, 1]) other.cpu(each);
    }
  }

  /** Everything is let through and ended. Returns whether nothing is left. */
  drain(): boolean {
    this.#switch(true);
    this.#guest.store(this.#guest.gicd + 0x104, 0x3f << (MORE - 32));
    for (let round = 0; round < 4 * IRQS; round++) {
      for (let vcpu = 0; vcpu < VCPUS; vcpu++) {
        while ((this.#running[vcpu]?.length ?? 0) > 0) this.#end(vcpu);
        settle(this.#booted.machine);
        if (this.#begin(vcpu)) this.#end(vcpu);
      }
    }
    return [0, 1, 2].every((vcpu) => this.#guest.acknowledge(vcpu) === 1023);
  }
}

for (const version of [3, 2] as const) {
  t.test(
    `GICv${version}: however it is masked, routed and scheduled, an interrupt arrives once for each time`,
    async (t) => {
      let total = 0;
      fc.assert(
        fc.property(fc.array(act, { maxLength: 60, size: 'max' }), (acts) => {
          const scene = new Scene(version);
          for (const each of acts) scene.act(each);
          const isEmpty = scene.drain();
          total += scene.raised.reduce((sum, count) => sum + count, 0);
          return isEmpty && scene.problems.length === 0 && `${scene.raised}` === `${scene.taken}`;
        }),
        { seed: 7, numRuns: 30 },
      );
      t.ok(total > 80, `raised ${total} times`);
    },
  );
}
