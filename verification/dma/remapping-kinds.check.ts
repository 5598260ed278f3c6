/** Enable IOMMU to perform DMA Remapping: identities of PCI functions and platform devices at their IOMMUs. */
import { created, MIB, reaches, unreachable } from '../arranging.js';
import { check } from '../bench.js';
import { registersOf } from '../device-registers.js';
import { GUEST_RAM, pciDevicesOf } from '../devices.js';
import { nameOf } from '../guest-bench.js';
import { hostPassthroughDevice } from '../passthrough-tree.js';
import { streamTables } from '../structures.js';

const ID = 'XenSwdgn~passthrough_enable_iommu_to_perform_dma_remapping_for_dev~1';

/** The domain that devices in quarantine belong to (xen/include/public/xen.h, DOMID_IO). */
const QUARANTINE = 0x7ff1;

/** The last device of a bus: its stream is in the upper half of a second-level table. */
const LAST = { segment: 1, bus: 0, device: 0x1f, function: 0 };

check(ID, 'each function is translated for its own domain', { aspect: 'pci' }, ({ bench, expect }) => {
  const { first: one, second: other } = pciDevicesOf(bench).oneDevice;
  const functions = [other, LAST, one];
  // The two functions reach each other: they leave the hardware domain before one of them goes to a guest.
  for (const device of [one, other]) {
    expect.equal(bench.assign(QUARANTINE, device), 0, 'the function is put into quarantine');
  }
  const d1 = created(expect, bench.create({ memory: MIB, devices: functions }));
  const d2 = created(expect, bench.create({ memory: MIB, passthrough: 'enabled' }));
  for (const device of functions) reaches(expect, bench, device, d1, GUEST_RAM);

  expect.equal(bench.deassign(d1, LAST), 0, 'the last device of the bus is taken away');
  expect.equal(bench.assign(d2, LAST), 0, 'and assigned to another domain');

  reaches(expect, bench, LAST, d2, GUEST_RAM);
  for (const device of [one, other]) reaches(expect, bench, device, d1, GUEST_RAM);
});

check(
  ID,
  'a platform device is translated on each of its streams, also where a domain has PCI functions',
  { aspect: 'platform' },
  ({ bench, expect }) => {
    const { severalStreams, first, apart } = bench.devices.platform;
    const others = [...Object.values(bench.devices.kept), first, apart];
    const mixed = [...new Map(others.map((device) => [nameOf(device), device])).values()];
    const d1 = created(expect, bench.create({ memory: MIB, devices: [severalStreams, ...mixed] }));
    for (const stream of severalStreams.streams.keys()) {
      for (const address of [GUEST_RAM, GUEST_RAM + MIB - 4]) {
        reaches(expect, bench, severalStreams, d1, address, { stream });
        unreachable(expect, bench, severalStreams, address + MIB, 'above memory', { stream });
      }
    }
    for (const device of mixed) reaches(expect, bench, device, d1, GUEST_RAM + 0x4000);

    // Assigned anew at run time, it is translated on each of them again.
    expect.equal(bench.deassign(d1, severalStreams), 0, 'it is taken away');
    const d2 = created(expect, bench.create({ memory: MIB, passthrough: 'enabled' }));
    expect.equal(bench.assign(d2, severalStreams), 0, 'and assigned to another domain');
    for (const stream of severalStreams.streams.keys()) {
      reaches(expect, bench, severalStreams, d2, GUEST_RAM, { stream });
    }
    for (const device of mixed) reaches(expect, bench, device, d1, GUEST_RAM + 0x4000);
  },
);

check(
  ID,
  'a platform device that makes no requests changes nothing at an IOMMU',
  { aspect: 'platform' },
  ({ bench, expect }) => {
    const { withoutDma } = bench.devices.platform;
    const { first, second, apart } = bench.devices.kept;
    const d1 = created(expect, bench.create({ memory: MIB, devices: [first, apart] }));
    reaches(expect, bench, first, d1, GUEST_RAM);
    const before = streamTables(bench);

    const forced = { ...hostPassthroughDevice(bench.hostTree, withoutDma.path), force: true };
    const d2 = created(expect, bench.create({ memory: MIB, platform: [forced] }));

    const { address } = registersOf(bench, withoutDma);
    expect.ok(bench.store(d2, address, 1).ok, 'the domain has the device');
    expect.deepEqual(streamTables(bench), before, 'what the IOMMUs find of streams or micro-TLBs is what it was');
    for (const device of [first, apart]) reaches(expect, bench, device, d1, GUEST_RAM);
    unreachable(expect, bench, second, GUEST_RAM, "it is nobody's");
    expect.equal(bench.destroy(d2), 0, 'the domain is destroyed');
    expect.deepEqual(streamTables(bench), before, 'nor is it other when the domain is gone');
  },
);

check(ID, 'the SMMUs translate, and the identity of a function is that of iommu-map', { aspect: 'pci' }, (given) => {
  const { bench, expect } = given;
  const { first, second, apart } = pciDevicesOf(bench).kept;
  const domid = created(expect, bench.create({ memory: MIB, devices: [first, second, apart] }));
  for (const { base } of bench.iommus.filter(({ kind }) => kind === 'smmuv3')) {
    // CR0ACK at 0x24, SMMUEN in bit 0 (Arm IHI 0070 6.3.10).
    expect.equal(bench.machine.mmio.read((base + 0x24) as never, 4) & 1, 1, 'the SMMU translates');
  }
  for (const device of [first, second, apart]) {
    bench.forgetFaults();
    unreachable(expect, bench, device, GUEST_RAM - 4, 'below memory');
    const [fault] = bench.faults();
    const stream = device.streams[0];
    expect.equal(fault?.streamId, stream?.id, 'its requests carry the stream that its IOMMU knows');
    expect.equal(fault?.iommu, stream?.iommu, 'at the IOMMU that it is behind');
    reaches(expect, bench, device, domid, GUEST_RAM);
  }
});
