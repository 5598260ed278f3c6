/** Use IOMMU to deny DMA operations: a device that no domain owns reaches nothing. */
import { created, denied, hardwareDomainPage, learnt, MIB, reaches, unreachable } from '../arranging.js';
import { check } from '../bench.js';
import { GUEST_RAM, HARDWARE_DOMAINS, QUARANTINED } from '../devices.js';

const ID = 'XenSwdgn~passthrough_use_iommu_to_deny_dma_ops_from_dev~1';
const NEVER_ASSIGNED = [QUARANTINED.first, QUARANTINED.behindBridge, QUARANTINED.otherSegment];
const { first, otherSegment } = QUARANTINED;

/** Registers of the SMMU (Arm IHI 0070 6.3): CR0 with SMMUEN in bit 0. */
const CR0 = 0x0905_0020;

check(ID, 'a device that no domain owns reaches no memory', ({ bench, expect }) => {
  const hardwareDomain = learnt(expect, bench, 0, hardwareDomainPage(bench));
  const addresses = [0, GUEST_RAM, GUEST_RAM + 0x1000, hardwareDomain.mfn * 4096, 0x8_8000_0000, 0x0a00_0000];
  for (const device of NEVER_ASSIGNED) {
    for (const address of addresses) unreachable(expect, bench, device, address, 'no domain owns the device');
  }
  // The devices are alive: each works for a domain of its own.
  for (const device of NEVER_ASSIGNED) {
    const domid = created(expect, bench.create({ memory: 16 * MIB, devices: [device] }));
    reaches(expect, bench, device, domid, GUEST_RAM);
  }
});

check(ID, 'a device that was taken from its domain reaches nothing of what it did before', ({ bench, expect }) => {
  const d1 = created(expect, bench.create({ memory: 16 * MIB, devices: [first, otherSegment] }));
  const addresses = [GUEST_RAM, GUEST_RAM + 0x1000, GUEST_RAM + 16 * MIB - 4];
  for (const address of addresses) reaches(expect, bench, first, d1, address);
  const hardwareDomain = hardwareDomainPage(bench);

  expect.equal(bench.deassign(d1, first), 0, 'the device is taken away');

  for (const address of addresses) unreachable(expect, bench, first, address, 'it was reachable before');
  unreachable(expect, bench, first, hardwareDomain, 'memory of the hardware domain');
  for (const address of addresses) reaches(expect, bench, otherSegment, d1, address);
  const d2 = created(expect, bench.create({ memory: 16 * MIB, devices: [first] }));
  reaches(expect, bench, first, d2, GUEST_RAM);
});

check(ID, 'while a device is taken away, it reaches its old domain or nothing', ({ bench, expect }) => {
  const d1 = created(expect, bench.create({ memory: 16 * MIB, devices: [first] }));
  const page = learnt(expect, bench, d1, GUEST_RAM);
  reaches(expect, bench, first, d1, GUEST_RAM);
  const landed = new Set<number | undefined>();
  const result = bench.between(
    () => landed.add(bench.dmaWrite(first, GUEST_RAM).landed),
    () => bench.deassign(d1, first),
  );
  expect.equal(result, 0, 'the device is taken away');
  landed.delete(undefined);
  landed.delete(page.mfn * 4096);
  expect.equal(landed.size, 0, 'nothing landed outside of the old page');
  denied(expect, bench.dmaWrite(first, GUEST_RAM), 'write after the call');
});

check(ID, 'a device that the hardware domain has given up reaches nothing', ({ bench, expect }) => {
  const device = HARDWARE_DOMAINS.second;
  const { address } = bench.ramOf(0);
  reaches(expect, bench, device, 0, address + 0x2000);
  expect.equal(bench.pciDeviceRemove(device), 0, 'the device is removed');
  unreachable(expect, bench, device, address + 0x2000, 'the hardware domain has given the device up');
  reaches(expect, bench, HARDWARE_DOMAINS.first, 0, address + 0x2000);
});

check(ID, 'from the first word that Xen has with the IOMMU, no device of no domain reaches memory', ({ bench, expect }) => {
  const fresh = bench.powerOnAnother();
  let enabling = false;
  let deniedSince = false;
  let deniedBeforeEnabling = false;
  let reachedAfter = 0;
  let probes = 0;
  fresh.machine.observer.onAccess(({ kind, actor, address, lo }) => {
    if (actor === 'xen' && kind === 'register write' && address === CR0 && (lo & 1) === 1) enabling = true;
  });
  fresh.between(
    () => {
      // One after each access, in turn: there are far more accesses than devices.
      const device = NEVER_ASSIGNED[probes++ % NEVER_ASSIGNED.length] as (typeof NEVER_ASSIGNED)[number];
      const { landed } = fresh.dmaWrite(device, 0x8_9000_0000);
      if (landed !== undefined && deniedSince) reachedAfter++;
      if (landed === undefined && !enabling) deniedBeforeEnabling = true;
      if (landed === undefined) deniedSince = true;
    },
    () => fresh.boot(),
  );
  expect.ok(probes > 100, 'the devices were tried between the accesses of the boot');
  expect.ok(deniedBeforeEnabling, 'devices are denied before translation is enabled');
  expect.equal(reachedAfter, 0, 'once denied, no device reaches memory again');
  expect.ok(enabling, 'translation was enabled');
  for (const device of NEVER_ASSIGNED) unreachable(expect, fresh, device, 0x8_9000_0000, 'after the boot');
});
