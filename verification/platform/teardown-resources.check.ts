/** Deassign platform device from domain: registers and interrupts of a dead domain's devices. */
import { created, learnt, MIB } from '../arranging.js';
import { check } from '../bench.js';
import { GUEST_RAM } from '../devices.js';
import {
  hasAllRegisters,
  interruptsOf,
  lacksAllRegisters,
  ofEachKind,
  takesInterrupts,
  takesNoInterrupts,
  wanted,
} from './driving.js';

const ID = 'XenSwdgn~passthrough_deassign_dt_dev_from_dom~1';
const MMIO = { aspect: 'mmio' };
const SPI = { aspect: 'spi' };

check(
  ID,
  "the registers of a dead domain's devices are out of reach of the domains that come after it",
  MMIO,
  (given) => {
    const { bench, expect } = given;
    const devices = ofEachKind(bench);
    const platform = devices.map((device) => wanted(bench, device));
    const d1 = created(expect, bench.create({ memory: MIB, platform }));
    for (const device of devices) hasAllRegisters(expect, bench, d1, device);

    expect.equal(bench.destroy(d1), 0, 'the domain is destroyed');
    bench.ledger.forget(d1);

    // The next domain has the tag of the dead one at the CPUs.
    const d2 = created(expect, bench.create({ memory: MIB, passthrough: 'enabled' }));
    learnt(expect, bench, d2, GUEST_RAM);
    for (const device of devices) for (const domid of [0, d2]) lacksAllRegisters(expect, bench, domid, device);
    const [first, ...others] = platform;
    const d3 = created(expect, bench.create({ memory: MIB, platform: others }));
    const d4 = created(expect, bench.create({ memory: MIB, platform: first === undefined ? [] : [first] }));
    for (const [index, device] of devices.entries()) {
      const [owner, other] = index === 0 ? [d4, d3] : [d3, d4];
      hasAllRegisters(expect, bench, owner, device);
      lacksAllRegisters(expect, bench, other, device);
    }
  },
);

check(ID, 'no interrupt of a dead domain reaches the next, which has those of its devices afresh', SPI, (given) => {
  const { bench, expect } = given;
  const { severalStreams, withInterrupt, withoutDma, edgeTriggered } = bench.devices.platform;
  const edges = edgeTriggered === undefined ? [] : [edgeTriggered];
  const platform = [severalStreams, withInterrupt, withoutDma, ...edges].map((device) => wanted(bench, device));
  const d1 = created(expect, bench.create({ memory: MIB, platform }));
  const tree = bench.guestTree(d1);
  const controller = bench.interruptController(d1);
  // One interrupt is begun, one is offered, one is pending and not enabled, one is driven, one came before it was enabled.
  const [begun, offered] = interruptsOf(bench, severalStreams);
  const [set] = interruptsOf(bench, withInterrupt);
  const [driven] = interruptsOf(bench, withoutDma);
  if (begun === undefined || offered === undefined || set === undefined || driven === undefined) {
    return expect.fail('the devices have four interrupts');
  }
  for (const { intid } of [begun, offered]) controller.enable(intid);
  bench.setLine(severalStreams, begun.index, true);
  expect.equal(controller.acknowledge(), begun.intid, 'the domain begins with an interrupt');
  bench.setLine(severalStreams, offered.index, true);
  bench.setLine(withoutDma, driven.index, true);
  for (const device of edges) bench.pulse(device, 0);
  bench.rest();
  controller.configure(set.intid, {});
  // GICD_ISPENDR (Arm IHI 0069 12.9, IHI 0048 4.3.7).
  const [distributor] = tree.root.children.find((node) => node.has('interrupt-controller'))?.reg() ?? [];
  const register = (distributor?.address ?? 0) + 0x200 + (set.intid >>> 5) * 4;
  expect.ok(bench.store(d1, register, 1 << (set.intid & 31)).ok, 'the domain makes an interrupt pending');

  expect.equal(bench.destroy(d1), 0, 'the domain is destroyed');

  for (const { index } of [begun, offered]) bench.setLine(severalStreams, index, false);
  bench.setLine(withoutDma, driven.index, false);
  const d2 = created(expect, bench.create({ memory: MIB }));
  for (const device of [severalStreams, withInterrupt, withoutDma]) takesNoInterrupts(expect, bench, d2, device);
  const d3 = created(expect, bench.create({ memory: MIB, platform }));
  const next = bench.interruptController(d3);
  for (const device of [severalStreams, withInterrupt, withoutDma, ...edges]) {
    takesInterrupts(expect, bench, d3, device, next);
    takesNoInterrupts(expect, bench, d2, device);
  }
});
