/** Use IOMMU to deny DMA operations: a device that no domain owns reaches nothing. */
import type { Expect } from '../../src/check/index.js';
import {
  created,
  denied,
  hardwareDomainPage,
  learnt,
  MIB,
  reaches,
  unreachable,
  withoutCommand,
} from '../arranging.js';
import { check } from '../bench.js';
import { GUEST_RAM, HARDWARE_DOMAINS, QUARANTINED } from '../devices.js';
import type { PassthroughBench } from '../passthrough-bench.js';

const ID = 'XenSwdgn~passthrough_use_iommu_to_deny_dma_ops_from_dev~1';
const NEVER_ASSIGNED = [QUARANTINED.first, QUARANTINED.behindBridge, QUARANTINED.otherSegment];
const { first, otherSegment } = QUARANTINED;

/** Registers of the SMMU (Arm IHI 0070 6.3): CR0 with SMMUEN in bit 0, GBPA, and where they end. */
const SMMU = 0x0905_0000;
const CR0 = SMMU + 0x20;
const GBPA = SMMU + 0x44;
const SMMU_END = SMMU + 0x2_0000;

/** The domain that devices in quarantine belong to (xen/include/public/xen.h, DOMID_IO). */
const QUARANTINE = 0x7ff1;

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
  // One that was kept for passthrough, one that the hardware domain had before.
  const taken = [first, HARDWARE_DOMAINS.first];
  const d1 = created(expect, bench.create({ memory: 16 * MIB, devices: [...taken, otherSegment] }));
  const addresses = [GUEST_RAM, GUEST_RAM + 0x1000, GUEST_RAM + 16 * MIB - 4];
  const hardwareDomain = hardwareDomainPage(bench);
  for (const device of taken) {
    for (const address of addresses) reaches(expect, bench, device, d1, address);

    expect.equal(bench.deassign(d1, device), 0, 'the device is taken away');

    for (const address of addresses) unreachable(expect, bench, device, address, 'it was reachable before');
    unreachable(expect, bench, device, hardwareDomain, 'memory of the hardware domain');
  }
  for (const address of addresses) reaches(expect, bench, otherSegment, d1, address);
  reaches(expect, bench, HARDWARE_DOMAINS.second, 0, hardwareDomain);
  const d2 = created(expect, bench.create({ memory: 16 * MIB, devices: taken }));
  for (const device of taken) reaches(expect, bench, device, d2, GUEST_RAM);
});

check(ID, 'a device that is put into quarantine reaches nothing', ({ bench, expect }) => {
  const device = HARDWARE_DOMAINS.first;
  const address = hardwareDomainPage(bench);
  reaches(expect, bench, device, 0, address);

  expect.equal(bench.assign(QUARANTINE, device), 0, 'the device is put into quarantine');

  unreachable(expect, bench, device, address, 'it was reachable before');
  unreachable(expect, bench, device, GUEST_RAM, 'no domain has the device');
  reaches(expect, bench, HARDWARE_DOMAINS.second, 0, address);
  expect.equal(bench.deassign(QUARANTINE, device), 0, 'the hardware domain gets it back');
  reaches(expect, bench, device, 0, address);
});

/** An action while the device never rests and the IOMMU cannot execute one of Xen's commands. */
function without(bench: PassthroughBench, spoilt: number, action: () => number): number | undefined {
  return withoutCommand(bench, spoilt, () => bench.dmaRead(first, GUEST_RAM), action);
}

/** Tries an action of a powered-on machine with each of its commands spoilt in turn. Returns how many there are. */
function withEachSpoilt(bench: PassthroughBench, trial: (fresh: PassthroughBench, spoilt: number) => boolean): number {
  for (let spoilt = 0; ; spoilt++) {
    const fresh = bench.powerOnAnother();
    fresh.boot();
    if (!trial(fresh, spoilt)) return spoilt;
  }
}

check(
  ID,
  'whichever command the IOMMU fails at, a device whose assignment failed reaches nothing',
  ({ bench, expect }) => {
    let failed = 0;
    const tried = withEachSpoilt(bench, (fresh, spoilt) => {
      const d1 = created(expect, fresh.create({ memory: MIB, passthrough: 'enabled' }));
      const result = without(fresh, spoilt, () => fresh.assign(d1, first));
      if (result === undefined) return false;
      if (result < 0) {
        failed++;
        unreachable(expect, fresh, first, GUEST_RAM, `the assignment failed at command ${spoilt}`);
        expect.equal(fresh.assign(d1, first), 0, 'the second time it succeeds');
      }
      // A command that is only a hint may fail without consequence.
      reaches(expect, fresh, first, d1, GUEST_RAM);
      return true;
    });
    expect.ok(failed > 1 && failed <= tried, 'the assignment depends on commands of Xen');
  },
);

check(
  ID,
  'whichever command the IOMMU fails at, a device reaches nothing once Xen says that it was taken',
  ({ bench, expect }) => {
    const tried = withEachSpoilt(bench, (fresh, spoilt) => {
      const d1 = created(expect, fresh.create({ memory: MIB, devices: [first] }));
      reaches(expect, fresh, first, d1, GUEST_RAM);
      const result = without(fresh, spoilt, () => fresh.deassign(d1, first));
      if (result === undefined) return false;
      expect.ok(result < 0, `without command ${spoilt}, Xen does not say that the device was taken`);
      expect.equal(fresh.deassign(d1, first), 0, 'the second time it does');
      unreachable(expect, fresh, first, GUEST_RAM, 'the device was taken');
      return true;
    });
    expect.ok(tried > 2, 'Xen gives commands to take the device away');
  },
);

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
  expect.ok(landed.delete(page.mfn * 4096), 'at first it still reached its old page');
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

check(
  ID,
  'before Xen sets anything else up at the IOMMU, no device of no domain reaches memory any more',
  ({ bench, expect }) => {
    // How long the SMMU takes to abort differs from machine to machine.
    for (const seed of [1, 2, 3, 4]) abortsFromTheFirst(expect, bench.powerOnAnother(seed));
  },
);

/** Boots a machine and tries the devices meanwhile: what is denied stays denied, from before anything else is set up. */
function abortsFromTheFirst(expect: Expect, fresh: PassthroughBench): void {
  let enabling = false;
  let settingUp = false;
  let deniedSince = false;
  let deniedBeforeEnabling = false;
  let reachedAfter = 0;
  let probes = 0;
  let reads = 0;
  fresh.machine.observer.onAccess(({ kind, actor, address, lo }) => {
    if (actor === 'xen') reads = kind === 'load' || kind.endsWith(' read') ? reads + 1 : 0;
    if (actor !== 'xen' || kind !== 'register write' || address < SMMU || address >= SMMU_END) return;
    if (address !== GBPA) settingUp = true;
    if (address === CR0 && (lo & 1) === 1) enabling = true;
  });
  fresh.between(
    () => {
      // After everything that changes something, each device; between reads only time passes: one in its turn.
      const inTurn = NEVER_ASSIGNED.filter((_, index) => reads === 0 || index === reads % NEVER_ASSIGNED.length);
      for (const device of inTurn) {
        probes++;
        const { landed } = fresh.dmaWrite(device, 0x8_9000_0000);
        if (landed !== undefined && (deniedSince || settingUp)) reachedAfter++;
        if (landed === undefined && !enabling) deniedBeforeEnabling = true;
        if (landed === undefined) deniedSince = true;
      }
    },
    () => fresh.boot(),
  );
  expect.ok(probes > 1000, 'the devices were tried between the accesses of the boot');
  expect.ok(deniedBeforeEnabling, 'devices are denied before translation is enabled');
  expect.equal(reachedAfter, 0, 'once denied, or while the IOMMU is set up, no device reaches memory');
  expect.ok(enabling, 'translation was enabled');
  for (const device of NEVER_ASSIGNED) unreachable(expect, fresh, device, 0x8_9000_0000, 'after the boot');
}
