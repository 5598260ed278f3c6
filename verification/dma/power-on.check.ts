/** Use IOMMU to deny DMA operations: from the moment that Xen takes charge of IOMMUs, and when they fail. */
import type { Expect } from '../../src/check/index.js';
import { created, MIB, nobodysPage, reaches, unreachable, withoutCommand } from '../arranging.js';
import { check } from '../bench.js';
import { GUEST_RAM } from '../devices.js';
import { nameOf } from '../guest-bench.js';
import type { PassthroughBench } from '../passthrough-bench.js';

const ID = 'XenSwdgn~passthrough_use_iommu_to_deny_dma_ops_from_dev~1';

/** An action while the device never rests and the IOMMU cannot execute one of Xen's commands. */
function without(bench: PassthroughBench, spoilt: number, action: () => number): number | undefined {
  const { first } = bench.devices.kept;
  return withoutCommand(bench, spoilt, () => bench.dmaRead(first, GUEST_RAM), action);
}

check(
  ID,
  'whichever command the IOMMU fails at, a device whose assignment failed reaches nothing',
  { aspect: 'structures in memory' },
  ({ bench, expect }) => {
    const { first } = bench.devices.kept;
    let failed = 0;
    for (let spoilt = 0, more = true; more; spoilt++) {
      const d1 = created(expect, bench.create({ memory: MIB, passthrough: 'enabled' }));
      const result = without(bench, spoilt, () => bench.assign(d1, first));
      more = result !== undefined;
      if (result !== undefined && result < 0) {
        failed++;
        unreachable(expect, bench, first, GUEST_RAM, `the assignment failed at command ${spoilt}`);
        expect.equal(bench.assign(d1, first), 0, 'the second time it succeeds');
      }
      // A command that is only a hint may fail without consequence, but for the next one, which is told of it.
      if (more) reaches(expect, bench, first, d1, GUEST_RAM);
      expect.ok(bench.destroy(d1) === 0 || bench.destroy(d1) === 0, 'the domain goes');
      bench.ledger.forget(d1);
    }
    expect.ok(failed > 1, 'the assignment depends on commands of Xen');
  },
);

check(
  ID,
  'whichever command the IOMMU fails at, a device reaches nothing once Xen says that it was taken',
  { aspect: 'structures in memory' },
  ({ bench, expect }) => {
    const { first } = bench.devices.kept;
    let tried = 0;
    for (let more = true; more; ) {
      // A device that could not be taken at once is given to no guest again: each time it is another machine.
      const fresh = bench.powerOnAnother();
      fresh.boot();
      const d1 = created(expect, fresh.create({ memory: MIB, devices: [first] }));
      reaches(expect, fresh, first, d1, GUEST_RAM);
      const result = without(fresh, tried, () => fresh.deassign(d1, first));
      more = result !== undefined;
      if (result === undefined) continue;
      expect.ok(result < 0, `without command ${tried}, Xen does not say that the device was taken`);
      expect.equal(fresh.deassign(d1, first), 0, 'the second time it does');
      unreachable(expect, fresh, first, GUEST_RAM, 'the device was taken');
      tried++;
    }
    expect.ok(tried > 2, 'Xen gives commands to take the device away');
  },
);

/** Registers of an SMMU (Arm IHI 0070 6.3): CR0 with SMMUEN in bit 0, GBPA, and where they end. */
const CR0 = 0x20;
const GBPA = 0x44;
const SMMU_BYTES = 0x2_0000;

check(
  ID,
  'before Xen sets anything else up at an IOMMU, no device of no domain reaches memory through it any more',
  ({ bench, expect }) => {
    // How long hardware takes to abort differs from machine to machine: here, long enough for a mistake to show.
    for (const seed of [6, 7, 9]) deniesFromTheFirst(expect, bench.powerOnAnother(seed));
  },
);

/** Boots a machine and tries devices meanwhile: what is denied stays denied, from before anything else is set up. */
function deniesFromTheFirst(expect: Expect, fresh: PassthroughBench): void {
  const address = nobodysPage(fresh);
  const smmus = fresh.iommus.filter(({ kind }) => kind === 'smmuv3').map(({ base }) => base);
  const smmuAt = (at: number) => smmus.find((base) => at >= base && at < base + SMMU_BYTES);
  const tried = Object.values(fresh.devices.kept).map((device) => {
    const iommu = device.streams[0]?.iommu as number;
    return { device, iommu, passed: 0, denied: false, deniedEarly: !smmus.includes(iommu), reached: 0 };
  });
  const enabling = new Set<number>();
  const settingUp = new Set<number>();
  let probes = 0;
  let reads = 0;
  fresh.machine.observer.onAccess(({ kind, actor, address: at, lo }) => {
    if (actor === 'xen') reads = kind === 'load' || kind.endsWith(' read') ? reads + 1 : 0;
    const smmu = actor === 'xen' && kind === 'register write' ? smmuAt(at) : undefined;
    if (smmu === undefined) return;
    if (at !== smmu + GBPA) settingUp.add(smmu);
    if (at === smmu + CR0 && (lo & 1) === 1) enabling.add(smmu);
  });
  fresh.between(
    () => {
      // After everything that changes something, each device; between reads only time passes: one in its turn.
      for (const [index, one] of tried.entries()) {
        if (reads !== 0 && index !== reads % tried.length) continue;
        probes++;
        if (!fresh.dmaRead(one.device, address).ok) {
          one.denied = true;
          if (!enabling.has(one.iommu)) one.deniedEarly = true;
        } else {
          one.passed++;
          if (one.denied || settingUp.has(one.iommu)) one.reached++;
        }
      }
    },
    () => fresh.boot(),
  );
  expect.ok(probes > 500, 'the devices were tried between the accesses of the boot');
  expect.deepEqual([...enabling].sort(), smmus, 'translation was enabled');
  for (const { device, passed, denied, deniedEarly, reached } of tried) {
    expect.ok(passed > 0 && denied, `${nameOf(device)} reaches memory before Xen takes charge, and then does not`);
    expect.ok(deniedEarly, `${nameOf(device)} is denied before translation is enabled`);
    expect.equal(reached, 0, `once denied, or while its IOMMU is set up, ${nameOf(device)} reaches no memory`);
    unreachable(expect, fresh, device, address, 'after the boot');
  }
}
