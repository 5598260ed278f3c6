/** Use IOMMU to deny DMA operations: a device that no domain owns reaches nothing. */
import {
  created,
  denied,
  givenUp,
  hardwareDomainPage,
  learnt,
  MIB,
  nobodysPage,
  reaches,
  unreachable,
} from '../arranging.js';
import { check } from '../bench.js';
import { GUEST_RAM, isPlatformDevice } from '../devices.js';
import { nameOf } from '../guest-bench.js';

const ID = 'XenSwdgn~passthrough_use_iommu_to_deny_dma_ops_from_dev~1';

/** The domain that devices in quarantine belong to (xen/include/public/xen.h, DOMID_IO). */
const QUARANTINE = 0x7ff1;

check(ID, 'a device that no domain owns reaches no memory', ({ bench, expect }) => {
  const { kept, registers } = bench.devices;
  const hardwareDomain = learnt(expect, bench, 0, hardwareDomainPage(bench)).mfn * 4096;
  const { address: low } = bench.ramOf(0);
  const addresses = [0, GUEST_RAM, low, hardwareDomain, nobodysPage(bench), registers.three.address];
  for (const device of Object.values(kept)) {
    for (const address of addresses) unreachable(expect, bench, device, address, 'no domain owns the device');
  }
  // The devices are alive: each works for a domain of its own.
  for (const device of Object.values(kept)) {
    const domid = created(expect, bench.create({ memory: 16 * MIB, devices: [device] }));
    reaches(expect, bench, device, domid, GUEST_RAM);
  }
});

check(ID, 'no device that an IOMMU translates reaches memory that nobody has', ({ bench, expect }) => {
  const behind = bench.machine.endpoints.list.filter(({ endpoint }) => {
    return typeof endpoint !== 'string' || bench.hostTree.byPath(endpoint)?.has('iommus') === true;
  });
  expect.ok(behind.length > 4, 'there are devices');
  for (const { endpoint } of behind) {
    unreachable(expect, bench, endpoint, nobodysPage(bench), "it is nobody's");
    unreachable(expect, bench, endpoint, bench.iommus[0]?.base ?? 0, "it is Xen's");
  }
  for (const device of Object.values(bench.devices.hardwareDomains)) {
    reaches(expect, bench, device, 0, hardwareDomainPage(bench));
  }
});

check(ID, 'a device that was taken from its domain reaches nothing of what it did before', ({ bench, expect }) => {
  const { kept, hardwareDomains } = bench.devices;
  // Two that were kept for passthrough, one that the hardware domain had before.
  const taken = [kept.first, kept.apart, hardwareDomains.first];
  givenUp(expect, bench, hardwareDomains.first);
  const d1 = created(expect, bench.create({ memory: 16 * MIB, devices: [...taken, kept.second] }));
  const addresses = [GUEST_RAM, GUEST_RAM + 0x1000, GUEST_RAM + 16 * MIB - 4];
  const hardwareDomain = hardwareDomainPage(bench);
  for (const device of taken) {
    for (const address of addresses) reaches(expect, bench, device, d1, address);

    expect.equal(bench.deassign(d1, device), 0, 'the device is taken away');

    for (const address of addresses) unreachable(expect, bench, device, address, 'it was reachable before');
    unreachable(expect, bench, device, hardwareDomain, 'memory of the hardware domain');
    unreachable(expect, bench, device, nobodysPage(bench), 'memory of nobody');
    for (const address of addresses) reaches(expect, bench, kept.second, d1, address);
  }
  reaches(expect, bench, hardwareDomains.second, 0, hardwareDomain);
  const d2 = created(expect, bench.create({ memory: 16 * MIB, devices: taken }));
  for (const device of taken) reaches(expect, bench, device, d2, GUEST_RAM);
});

check(ID, 'devices of a domain that is destroyed reach nothing, behind whichever IOMMU', ({ bench, expect }) => {
  const { kept, platform } = bench.devices;
  const devices = [
    ...new Map([kept.first, kept.apart, platform.severalStreams].map((one) => [nameOf(one), one])).values(),
  ];
  const streams = devices.flatMap((device) => device.streams.map((_, stream) => ({ device, stream })));
  const d1 = created(expect, bench.create({ memory: MIB, devices }));
  const bystander = created(expect, bench.create({ memory: MIB, devices: [kept.second] }));
  for (const { device, stream } of streams) reaches(expect, bench, device, d1, GUEST_RAM, { stream });

  expect.equal(bench.destroy(d1), 0, 'the domain is destroyed');
  bench.ledger.forget(d1);

  // What was its memory, and its tables, is another's now.
  const d3 = created(expect, bench.create({ memory: MIB }));
  learnt(expect, bench, d3, GUEST_RAM);
  for (const { device, stream } of streams) {
    unreachable(expect, bench, device, GUEST_RAM, 'its domain is gone', { stream });
    unreachable(expect, bench, device, hardwareDomainPage(bench), 'its domain is gone', { stream });
  }
  reaches(expect, bench, kept.second, bystander, GUEST_RAM);
  const d4 = created(expect, bench.create({ memory: MIB, devices }));
  for (const { device, stream } of streams) reaches(expect, bench, device, d4, GUEST_RAM, { stream });
});

check(
  ID,
  'a platform device that was taken from its domain reaches nothing on any of its streams',
  { aspect: 'platform' },
  ({ bench, expect }) => {
    const { severalStreams, first } = bench.devices.platform;
    const streams = [...severalStreams.streams.keys()];
    for (const stream of streams) {
      unreachable(expect, bench, severalStreams, GUEST_RAM, 'no domain owns the device', { stream });
      unreachable(expect, bench, severalStreams, nobodysPage(bench), 'no domain owns the device', { stream });
    }
    const d1 = created(expect, bench.create({ memory: MIB, devices: [severalStreams, first] }));
    for (const stream of streams) reaches(expect, bench, severalStreams, d1, GUEST_RAM, { stream });

    expect.equal(bench.deassign(d1, severalStreams), 0, 'the device is taken away');

    for (const stream of streams) {
      for (const address of [GUEST_RAM, hardwareDomainPage(bench), nobodysPage(bench)]) {
        unreachable(expect, bench, severalStreams, address, 'no domain owns the device any more', { stream });
      }
    }
    reaches(expect, bench, first, d1, GUEST_RAM);
    expect.equal(bench.assign(d1, severalStreams), 0, 'it is assigned again');
    for (const stream of streams) reaches(expect, bench, severalStreams, d1, GUEST_RAM, { stream });
  },
);

check(ID, 'a device that is put into quarantine reaches nothing', { aspect: 'pci' }, ({ bench, expect }) => {
  const { first: device, second } = bench.devices.hardwareDomains;
  const address = hardwareDomainPage(bench);
  reaches(expect, bench, device, 0, address);

  expect.equal(bench.assign(QUARANTINE, device), 0, 'the device is put into quarantine');

  unreachable(expect, bench, device, address, 'it was reachable before');
  unreachable(expect, bench, device, GUEST_RAM, 'no domain has the device');
  reaches(expect, bench, second, 0, address);
  expect.equal(bench.deassign(QUARANTINE, device), 0, 'the hardware domain gets it back');
  reaches(expect, bench, device, 0, address);
});

check(ID, 'while a device is taken away, it reaches its old domain or nothing', ({ bench, expect }) => {
  for (const device of [bench.devices.kept.first, bench.devices.kept.apart]) {
    const domid = created(expect, bench.create({ memory: MIB, devices: [device] }));
    const page = learnt(expect, bench, domid, GUEST_RAM);
    reaches(expect, bench, device, domid, GUEST_RAM);
    const landed = new Set<number | undefined>();
    const result = bench.between(
      () => landed.add(bench.dmaWrite(device, GUEST_RAM).landed),
      () => bench.deassign(domid, device),
    );
    expect.equal(result, 0, 'the device is taken away');
    landed.delete(undefined);
    expect.ok(landed.delete(page.mfn * 4096), 'at first it still reached its old page');
    expect.equal(landed.size, 0, 'nothing landed outside of the old page');
    denied(expect, bench.dmaWrite(device, GUEST_RAM), 'write after the call');
    denied(expect, bench.dmaRead(device, GUEST_RAM), 'read after the call');
  }
});

check(
  ID,
  'what a device began while it had a domain arrives before it is taken away, or never',
  ({ bench, expect }) => {
    for (const device of [bench.devices.kept.first, bench.devices.kept.apart]) {
      const domid = created(expect, bench.create({ memory: MIB, devices: [device] }));
      const page = learnt(expect, bench, domid, GUEST_RAM + 0x1000).mfn * 4096;
      const pattern = bench.ledger.pattern();
      // It begins a write after every access of Xen's.
      const begin = () => bench.dmaStart(device, GUEST_RAM + 0x1000, pattern);
      const result = bench.between(begin, () => bench.deassign(domid, device));
      expect.equal(result, 0, 'the device is taken away');
      expect.equal(bench.peekWord(page), pattern, 'what it began first has arrived');

      const left = bench.ledger.pattern();
      bench.pokeWord(page, left);
      bench.rest();
      expect.equal(bench.peekWord(page), left, 'nothing arrives after the call');
    }
  },
);

check(ID, 'a device that the hardware domain has given up reaches nothing', ({ bench, expect }) => {
  const { first, second: device } = bench.devices.hardwareDomains;
  const { address } = bench.ramOf(0);
  reaches(expect, bench, device, 0, address + 0x2000);
  const given = isPlatformDevice(device) ? bench.deassign(0, device) : bench.pciDeviceRemove(device);
  expect.equal(given, 0, 'the device is given up');
  unreachable(expect, bench, device, address + 0x2000, 'the hardware domain has given the device up');
  unreachable(expect, bench, device, nobodysPage(bench), 'the hardware domain has given the device up');
  reaches(expect, bench, first, 0, address + 0x2000);
});
