/** Assign devices sharing resources to same domain: PCI functions that an IOMMU cannot keep apart. */
import { created, hardwareDomainPage, reaches, unreachable } from '../arranging.js';
import { check } from '../bench.js';
import { hasRegisters, lacksRegisters } from '../device-registers.js';
import { GUEST_RAM, type PciRole } from '../devices.js';
import { nameOf } from '../guest-bench.js';
import type { PassthroughBench } from '../passthrough-bench.js';
import { sharingOf } from './sharing-roles.js';
import { leavesNothing, SMALL } from './standing.js';

const ID = 'XenSwdgn~passthrough_assign_devs_sharing_res_to_same_dom~1';
const ALIAS = { aspect: 'requester alias' };
const EBUSY = -16;
/** The domain that PCI devices in quarantine belong to (xen/include/public/xen.h, DOMID_IO). */
const QUARANTINE = 0x7ff1;

/** As XEN_DOMCTL_get_device_group lists a function: bus 23:16, devfn 15:8. */
const listed = ({ bus, device, function: fn }: PciRole) => (bus << 16) | (device << 11) | (fn << 8);

/** Both ways round. */
function bothWays(bench: PassthroughBench): (readonly [PciRole, PciRole])[] {
  return sharingOf(bench).aliases.flatMap(
    ([a, b]) =>
      [
        [a, b],
        [b, a],
      ] as const,
  );
}

check(
  ID,
  'of functions that the IOMMU cannot keep apart, one domain has one and no other gets the other',
  ALIAS,
  ({ bench, expect }) => {
    const { first, second } = bench.devices.kept;
    for (const devices of sharingOf(bench).aliases) {
      for (const device of devices)
        expect.equal(bench.assign(QUARANTINE, device), 0, `${nameOf(device)} is quarantined`);
    }
    const page = hardwareDomainPage(bench);
    for (const [mine, theirs] of bothWays(bench)) {
      const d1 = created(expect, bench.create({ ...SMALL, devices: [mine] }));
      reaches(expect, bench, mine, d1, GUEST_RAM);
      hasRegisters(expect, bench, d1, mine);
      leavesNothing(expect, bench, { ...SMALL, devices: [second] }, () => {
        const asked = bench.create({ ...SMALL, devices: [second, theirs] });
        expect.deepEqual(asked, { error: EBUSY }, `${nameOf(theirs)} is of a group with ${nameOf(mine)}: -EBUSY`);
      });
      const d2 = created(expect, bench.create({ ...SMALL, devices: [first] }));
      expect.equal(bench.assign(d2, theirs), EBUSY, 'nor is it assigned by a hypercall: -EBUSY');
      expect.equal(bench.deassign(QUARANTINE, theirs), EBUSY, 'nor does the hardware domain get it back: -EBUSY');
      lacksRegisters(expect, bench, d2, theirs);
      unreachable(expect, bench, theirs, page, 'memory of the hardware domain');
      reaches(expect, bench, first, d2, GUEST_RAM);
      reaches(expect, bench, mine, d1, GUEST_RAM);
      for (const domid of [d1, d2]) {
        expect.equal(bench.destroy(domid), 0, `d${domid} is destroyed`);
        bench.ledger.forget(domid);
      }
      // Its mate is nobody's any more.
      const d3 = created(expect, bench.create({ ...SMALL, devices: [theirs] }));
      reaches(expect, bench, theirs, d3, GUEST_RAM);
      expect.equal(bench.destroy(d3), 0, `d${d3} is destroyed`);
      bench.ledger.forget(d3);
    }
  },
);

check(
  ID,
  'functions that the IOMMU cannot keep apart work in one domain, which is told that they belong together',
  ALIAS,
  ({ bench, expect }) => {
    for (const devices of sharingOf(bench).aliases) {
      for (const device of devices)
        expect.equal(bench.assign(QUARANTINE, device), 0, `${nameOf(device)} is quarantined`);
      const d1 = created(expect, bench.create({ ...SMALL, devices: [...devices, bench.devices.kept.first] }));
      for (const device of devices) {
        reaches(expect, bench, device, d1, GUEST_RAM);
        hasRegisters(expect, bench, d1, device);
        const others = devices.filter((other) => other !== device).map(listed);
        expect.deepEqual(
          bench.deviceGroup(d1, device),
          { result: 0, listed: others },
          `the group of ${nameOf(device)}`,
        );
      }
      const [alone] = [bench.devices.kept.first].filter((device): device is PciRole => 'bus' in device);
      if (alone !== undefined)
        expect.deepEqual(bench.deviceGroup(d1, alone).listed, [], 'another device is of no group');
      // Taken one by one, each is quarantined: the other is still the guest's.
      for (const [index, device] of devices.entries()) {
        expect.equal(bench.deassign(d1, device), 0, `${nameOf(device)} is taken from the domain`);
        lacksRegisters(expect, bench, 0, device);
        for (const other of devices.slice(index + 1)) reaches(expect, bench, other, d1, GUEST_RAM);
      }
      for (const device of devices) unreachable(expect, bench, device, hardwareDomainPage(bench), 'nobody has it');
      expect.equal(bench.destroy(d1), 0, `d${d1} is destroyed`);
      bench.ledger.forget(d1);
    }
  },
);

check(ID, "a mate of the hardware domain's keeps a function from a guest", ALIAS, ({ bench, expect }) => {
  const page = hardwareDomainPage(bench);
  for (const [mine, theirs] of bothWays(bench)) {
    leavesNothing(expect, bench, SMALL, () => {
      const asked = bench.create({ ...SMALL, devices: [theirs] });
      expect.deepEqual(asked, { error: EBUSY }, `the hardware domain has ${nameOf(mine)}, of the same group: -EBUSY`);
    });
    for (const device of [mine, theirs]) reaches(expect, bench, device, 0, page);
  }
});

check(
  ID,
  'functions of one device that access control services keep apart go to two domains',
  ALIAS,
  ({ bench, expect }) => {
    const { apart } = sharingOf(bench);
    const { first, second } = bench.devices.kept;
    const [a, b] = apart ?? [first, second];
    const d1 = created(expect, bench.create({ ...SMALL, devices: [a] }));
    const d2 = created(expect, bench.create({ ...SMALL, devices: [b] }));
    reaches(expect, bench, a, d1, GUEST_RAM);
    reaches(expect, bench, b, d2, GUEST_RAM);
    hasRegisters(expect, bench, d1, a);
    hasRegisters(expect, bench, d2, b);
    lacksRegisters(expect, bench, d1, b);
  },
);
