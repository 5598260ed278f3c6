import t from 'tap';
import { pa } from '../../hw/address.js';
import { bootGic, EDGE, makeDomain } from '../irq/irq.test-support.js';
import { xenSteps } from '../steps.js';

const ALL = 0xffff_ffff;

t.test('GICv3: after boot only Xen’s own interrupts are on (IHI 0069 12.9, 12.11, 12.2, 12.4)', async (t) => {
  const { machine, problems, xen } = bootGic(3);
  const gicd = (offset: number) => machine.mmio.read(pa(0x0800_0000 + offset), 4);
  t.equal(gicd(0) & 0x12, 0x12, 'CTLR: affinity routing, group 1');
  for (const word of [1, 2]) {
    t.equal(gicd(0x100 + 4 * word), 0, 'ISENABLER');
    t.equal(gicd(0x80 + 4 * word), ALL, 'IGROUPR: group 1');
    t.equal(gicd(0x300 + 4 * word), 0, 'ISACTIVER');
  }
  t.equal(gicd(0x400 + 40), 0xa0a0_a0a0, 'IPRIORITYR');
  t.equal(gicd(0xc00 + 8), 0, 'ICFGR');
  for (let cpu = 0; cpu < 4; cpu++) {
    const gicr = (offset: number) => machine.mmio.read(pa(0x080a_0000 + cpu * 0x2_0000 + offset), 4, cpu);
    t.equal(gicr(0x14) & 6, 0, 'WAKER: awake');
    t.equal(gicr(0x1_0100), 0x0200_ffff, 'ISENABLER0: SGIs, and PPI 25');
    t.equal(gicr(0x1_0080), ALL, 'IGROUPR0');
    t.equal(gicr(0x1_0400), 0x9090_9090, 'IPRIORITYR0: SGIs before the others');
    const system = (register: Parameters<typeof machine.cpus.readSystem>[1]) => machine.cpus.readSystem(cpu, register);
    t.equal(system('ICC_SRE_EL2').lo & 9, 9, 'system registers, at EL1 as well');
    t.equal(system('ICC_CTLR_EL1').lo & 2, 2, 'EOImode: EOIR only drops the priority');
    t.equal(system('ICC_PMR_EL1').lo & 0xf0, 0xf0);
    t.equal(system('ICC_IGRPEN1_EL1').lo, 1);
    t.equal(system('ICH_HCR_EL2').lo, 0, 'no vCPU runs');
    t.equal(system('ICH_ELRSR_EL2').lo, 0xf, 'four list registers, all empty');
  }
  t.equal(xen.gic?.lines, 96);
  t.equal(xen.gic?.listRegisters, 4);
  t.same(problems, []);
});

t.test('GICv2: after boot only Xen’s own interrupts are on (IHI 0048B.b 4.3, 4.4, 5.3)', async (t) => {
  const { machine, problems, xen } = bootGic(2);
  for (let cpu = 0; cpu < 4; cpu++) {
    const gicd = (offset: number) => machine.mmio.read(pa(0x0800_1000 + offset), 4, cpu);
    t.equal(gicd(0), 1);
    t.same([gicd(0x104), gicd(0x108)], [0, 0], 'ISENABLER');
    t.equal(gicd(0x100), 0x0200_ffff, 'SGIs, and PPI 25');
    t.equal(gicd(0x400 + 40), 0xa0a0_a0a0);
    t.equal(gicd(0x800 + 40), 0x0101_0101, 'ITARGETSR: CPU 0');
    const gicc = (offset: number) => machine.mmio.read(pa(0x0800_2000 + offset), 4, cpu);
    t.equal(gicc(0), 0x201, 'CTLR: enabled, EOImode');
    t.equal(gicc(4) & 0xf0, 0xf0, 'PMR');
    const gich = (offset: number) => machine.mmio.read(pa(0x0800_4000 + offset), 4, cpu);
    t.equal(gich(0), 0, 'HCR');
    t.equal(gich(0x30), 0xf, 'ELRSR0');
  }
  t.equal(xen.gic?.listRegisters, 4);
  t.same(problems, []);
});

t.test('list registers as the manuals print them', async (t) => {
  const out = new Uint32Array(2);
  for (const version of [3, 2] as const) {
    const booted = bootGic(version);
    const { xen } = booted;
    const irq = makeDomain(booted).vgic?.spis[0];
    if (irq === undefined) continue;
    irq.listedPriority = 0x50;
    irq.physical = EDGE;
    if (version === 3) {
      xen.steps.gicv3.encodeLr(xen, irq, 1, out);
      // vINTID 31:0; pINTID 44:32, Priority 55:48, Group 60, HW 61, State 63:62.
      t.same([...out], [32, (1 << 30) + (1 << 29) + (1 << 28) + (0x50 << 16) + EDGE]);
    } else {
      xen.steps.gicv2.encodeLr(xen, irq, 1, out);
      // VirtualID 9:0, PhysicalID 19:10, Priority 27:23, State 29:28, Grp1 30, HW 31.
      t.equal(out[0], (2 ** 31 + (1 << 28) + (0xa << 23) + EDGE * 1024 + 32) >>> 0);
    }
  }
});

t.test('a controller that does not come up ends the boot', async (t) => {
  const steps = xenSteps();
  const stuck = { ...steps, gicv3: { ...steps.gicv3, readDistributor: () => 0x8000_0000 } };
  t.throws(() => bootGic(3, stuck), { name: 'BootError', message: /interrupt-controller@8000000.*\(-5\)/ });
  const asleep = { ...steps, gicv3: { ...steps.gicv3, readRedistributor: () => 4 } };
  t.throws(() => bootGic(3, asleep), { name: 'BootError', message: /\(-5\)/ });
  const lost = { ...steps, gicv3: { ...steps.gicv3, affinity: () => ({ Aff0: 77, Aff1: 0, Aff2: 0, Aff3: 0 }) } };
  t.throws(() => bootGic(3, lost), { name: 'BootError', message: /\(-19\)/ });
});

t.test('a machine whose tree has no controller goes without', async (t) => {
  const steps = xenSteps();
  const { xen, problems, hypervisor } = bootGic(3, { ...steps, gic: { ...steps.gic, find: () => undefined } });
  t.equal(xen.gic, undefined);
  t.equal(
    xen.steps.irq.requestForXen(xen, 40, 'level', () => {}),
    0,
  );
  const domain = makeDomain({ xen, problems, hypervisor, machine: xen.machine });
  t.equal(domain.vgic, undefined);
  t.same(domain.mmioHandlers, []);
  t.equal(xen.steps.irq.routeToGuest(xen, domain, 40, 40), -22);
  t.type(hypervisor.schedule({ domid: domain.domid, vcpu: 0 }), 'number');
  t.equal(xen.steps.domain.destroy(xen, domain), 0);
});
