/** Assign PCI devices to a domain on Arm64: those that `xen,pci-assigned` of its passthrough device tree names. */
import type { Expect } from '../../src/check/index.js';
import { encodeFdt } from '../../src/firmware/fdt.js';
import { cellBytes, type DeviceTree } from '../../src/firmware/tree.js';
import { requesterId, type Sbdf } from '../../src/hw/machine.js';
import { created, hardwareDomainPage, learnt, MIB, reaches, unreachable } from '../arranging.js';
import { check } from '../bench.js';
import { BUFFER, barAddress, IDENTIFICATION, uses } from '../device-registers.js';
import { GUEST_RAM, type PciRole, pciDevicesOf } from '../devices.js';
import { domainNode } from '../domain-blob.js';
import { MESSAGE_GUEST_MEMORY, MessageGuest } from '../guest/message-guest.js';
import { GuestPci } from '../guest/pci.js';
import { nameOf } from '../guest-bench.js';
import type { PassthroughBench } from '../passthrough-bench.js';
import { passthroughTree } from '../passthrough-tree.js';

const ID = 'XenSwdgn~passthrough_assign_pci_dev_to_dom_arm64~1';
const EBUSY = -16;
const ENODEV = -19;
const EINVAL = -22;
const EOPNOTSUPP = -95;
const ALL_ONES = 0xffff_ffff;
const PAGE = 0x1000;

/** The guest's PCI, found by its device tree. */
function pciOf(bench: PassthroughBench, domid: number): GuestPci {
  return new GuestPci(bench.guestTree(domid), bench.guest(domid));
}

/** The host bridge of a segment in the host's tree. */
function bridgeOf(tree: DeviceTree, segment: number) {
  const node = tree.compatible('pci-host-ecam-generic').find((one) => one.u32('linux,pci-domain') === segment);
  if (node === undefined) throw new Error(`there is no segment ${segment}`);
  return node;
}

/** A guest's drivers must get a device to work: registers, DMA, one message. `at`: where they have found it. */
function works(expect: Expect, bench: PassthroughBench, guest: MessageGuest, device: PciRole, at: number): void {
  const { domid, pci } = guest;
  expect.ok(
    (pci.read(at, 0) & 0xffff) !== 0xffff,
    `d${domid} finds ${nameOf(device)} at device ${at >>> 3} of its bus`,
  );
  uses(expect, bench, domid, pci.bar(at, 0) + BUFFER, barAddress(bench, device, 0) + BUFFER);
  reaches(expect, bench, device, domid, GUEST_RAM + 3 * PAGE);
  expect.ok(pci.deviceId(at) !== undefined, `msi-map has a DeviceID for device ${at >>> 3}`);
  const { lpis } = guest.enableMessages(device);
  expect.equal(bench.signal(device, 0), 'sent', `${nameOf(device)} sends a message`);
  bench.rest();
  expect.deepEqual(guest.take(), lpis, `d${domid} takes it`);
}

check(ID, 'a domain finds the devices of its tree on a bus of its own, and they work', ({ bench, expect }) => {
  const { kept } = pciDevicesOf(bench);
  const devices = [kept.apart, kept.first, kept.second];
  const d1 = created(expect, bench.create({ memory: MESSAGE_GUEST_MEMORY, devices }));
  // Before anything of the guest has run.
  for (const device of devices) {
    expect.ok(bench.dmaWrite(device, GUEST_RAM).ok, `${nameOf(device)} reaches memory of its domain from the start`);
  }
  const guest = new MessageGuest(bench, d1);
  const { pci } = guest;
  expect.deepEqual(
    pci.scan().map(({ requester }) => requester >>> 3),
    [0, 1, 2],
    'there are as many devices on the bus as the tree names, from device 0 on',
  );
  for (const [slot, device] of devices.entries()) works(expect, bench, guest, device, slot << 3);
  const physical = requesterId(kept.second);
  expect.equal(pci.read(physical, 0), ALL_ONES, 'where the machine has a device, the guest has none');
  const properties = bench.guestTree(d1).root.child('passthrough')?.properties;
  expect.ok(properties?.has('xen,pci-assigned') !== true, 'nor does its tree say where the machine has it');
  for (const device of devices) unreachable(expect, bench, device, hardwareDomainPage(bench), "none of its domain's");

  const d2 = created(expect, bench.create({ memory: MIB }));
  expect.deepEqual(
    bench.guestTree(d2).compatible('pci-host-ecam-generic'),
    [],
    'a domain whose tree names no device has no bus',
  );
});

check(
  ID,
  'a device is assigned at the stream that iommu-map gives for it, and no other stream is',
  ({ bench, expect }) => {
    const { kept, hardwareDomains } = pciDevicesOf(bench);
    const d1 = created(expect, bench.create({ memory: MIB, devices: [kept.apart] }));
    reaches(expect, bench, kept.apart, d1, GUEST_RAM);
    // At the same bus, device and function of segment 0.
    expect.equal(requesterId(kept.apart), requesterId(hardwareDomains.first), 'they differ in their segment alone');
    unreachable(expect, bench, hardwareDomains.first, GUEST_RAM, "the hardware domain's");
    reaches(expect, bench, hardwareDomains.first, 0, bench.ramOf(0).address + MIB);
    for (const device of [kept.first, kept.second]) unreachable(expect, bench, device, GUEST_RAM, 'nobody has it');
    const d2 = created(expect, bench.create({ memory: MIB, devices: [hardwareDomains.first, kept.first] }));
    for (const device of [hardwareDomains.first, kept.first]) reaches(expect, bench, device, d2, GUEST_RAM + PAGE);
    const foreign = learnt(expect, bench, d2, GUEST_RAM + PAGE).mfn * PAGE;
    unreachable(expect, bench, kept.apart, foreign, 'memory of another domain');
  },
);

check(ID, 'iommu-map and msi-map are looked up with the requester id that their masks leave', ({ bench, expect }) => {
  const { kept } = pciDevicesOf(bench);
  const masked = requesterId(kept.second);
  const fresh = bench.powerOnAnother(undefined, (tree) => {
    const bridge = bridgeOf(tree, 0);
    // The mask takes the number of the bus that this one is on, and leaves 0, which is no other device's.
    const mask = 0xffff & ~masked;
    for (const name of ['iommu-map', 'msi-map']) {
      const phandle = bridge.cells(name)?.[1] ?? 0;
      const own = [0, phandle, masked, 1];
      const others = [1, phandle, 1, 0xff, 0x800, phandle, 0x800, 0x100];
      bridge.properties.set(name, cellBytes(...own, ...others)).set(`${name}-mask`, cellBytes(mask));
    }
  });
  fresh.boot();
  const d1 = created(expect, fresh.create({ memory: MESSAGE_GUEST_MEMORY, devices: [kept.second] }));
  const d2 = created(expect, fresh.create({ memory: MESSAGE_GUEST_MEMORY, devices: [kept.first] }));
  for (const [domid, device] of [
    [d1, kept.second],
    [d2, kept.first],
  ] as const) {
    reaches(expect, fresh, device, domid, GUEST_RAM);
    works(expect, fresh, new MessageGuest(fresh, domid), device, 0);
  }
  unreachable(expect, fresh, kept.second, hardwareDomainPage(fresh), "none of its domain's");
});

check(ID, 'a domain that the boot loader describes has its device when boot is over', ({ bench, expect }) => {
  const { kept } = pciDevicesOf(bench);
  const blob = encodeFdt(passthroughTree([], [kept.apart]));
  let address = 0;
  const fresh = bench.powerOnAnother(undefined, (tree) => {
    const modules = tree.byPath('/reserved-memory')?.children.find(({ name }) => name.startsWith('modules@'));
    address = modules?.reg()[0]?.address ?? 0;
    const node = domainNode({ memory: MESSAGE_GUEST_MEMORY }, { address, size: blob.length }, 'guest');
    tree.byPath('/chosen')?.append(node);
  });
  expect.equal(fresh.placeModule(blob).address, address, 'the boot loader leaves the tree where it says');
  fresh.boot();
  const D1 = 1;
  expect.ok(fresh.dmaWrite(kept.apart, GUEST_RAM).ok, 'the device reaches memory of its domain');
  works(expect, fresh, new MessageGuest(fresh, D1), kept.apart, 0);
  unreachable(expect, fresh, kept.first, GUEST_RAM, 'the tree does not name it');
  expect.deepEqual(fresh.create({ memory: MIB, devices: [kept.apart] }), { error: EBUSY }, 'the device is taken');
});

check(ID, 'a domain is not created if one of its devices cannot be assigned, and nothing of it is left', (given) => {
  const { bench, expect } = given;
  const { kept } = pciDevicesOf(bench);
  const { first, second, apart } = kept;
  const d1 = created(expect, bench.create({ memory: MIB, devices: [apart] }));
  const at = (segment: number, bus: number, device: number, fn = 0): Sbdf => ({ segment, bus, device, function: fn });
  const short = passthroughTree([], [first]);
  short.root.child('passthrough')?.properties.set('xen,pci-assigned', Uint8Array.of(0, 0, 0, 8, 0, 0));
  const refusals = [
    ['no device is there', { devices: [at(0, 0, 4)] }, ENODEV],
    ['a function that the device does not have', { devices: [at(0, 0, 1, 1)] }, ENODEV],
    ['there is no such segment', { devices: [at(7, 0, 1)] }, ENODEV],
    ['the device is named twice', { devices: [first, first] }, EBUSY],
    ['another domain has it', { devices: [apart] }, EBUSY],
    ['it is a bridge', { devices: [at(0, 0, 0x1c)] }, EOPNOTSUPP],
    ['passthrough is disabled', { devices: [first], passthrough: 'disabled' }, EOPNOTSUPP],
    ['the list is cut short', { passthroughTree: short }, EINVAL],
    ['the second of two is not there', { devices: [first, at(0, 0, 4)] }, ENODEV],
    ["the last of three is another domain's", { devices: [second, first, apart] }, EBUSY],
    ['the last of three is a bridge', { devices: [second, first, at(0, 0, 0x1c)] }, EOPNOTSUPP],
  ] as const;
  for (const [what, config, error] of refusals) {
    expect.deepEqual(bench.create({ memory: MIB, ...config }), { error }, `refused: ${what}`);
    for (const device of [first, second]) {
      expect.equal(bench.testAssign(d1, device), 0, `${nameOf(device)} is free still (${what})`);
      expect.ok(!bench.dmaWrite(device, GUEST_RAM).ok, `${nameOf(device)} reaches nothing (${what})`);
    }
    reaches(expect, bench, apart, d1, GUEST_RAM);
  }
  const d2 = created(expect, bench.create({ memory: MESSAGE_GUEST_MEMORY, devices: [first, second] }));
  const guest = new MessageGuest(bench, d2);
  for (const [slot, device] of [first, second].entries()) works(expect, bench, guest, device, slot << 3);
});

check(
  ID,
  'registers are where the guest is told, and nothing tells it where the machine has them',
  ({ bench, expect }) => {
    const { kept } = pciDevicesOf(bench);
    const { first } = kept;
    const [zero, two] = [barAddress(bench, first, 0), barAddress(bench, first, 2)];
    const places = { 0: 0x2400_0000, 2: 0x2401_0000 };
    const d1 = created(
      expect,
      bench.create({
        memory: MIB,
        devices: [first],
        bars: [0, 2].map((index) => ({ device: first, index, guest: places[index as 0 | 2] })),
      }),
    );
    reaches(expect, bench, first, d1, GUEST_RAM);
    const pci = pciOf(bench, d1);
    const [found] = pci.scan();
    const at = found?.requester ?? -1;
    expect.equal(at, 0, 'the guest finds its device');
    for (const [index, machine] of [
      [0, zero],
      [2, two],
    ] as const) {
      expect.equal(
        pci.bar(at, index),
        places[index],
        `base address register ${index} shows the place that was asked for`,
      );
      uses(expect, bench, d1, places[index] + (index === 0 ? BUFFER : 0), machine + (index === 0 ? BUFFER : 0));
      expect.equal(bench.load(d1, machine), undefined, 'nothing is where the machine has the registers');
    }
    expect.equal(bench.load(d1, places[0]), IDENTIFICATION, 'the registers of the device are there');
    const pages = [zero, two].map((machine) => (machine % 2 ** 32) >>> 12).filter((page) => page !== 0);
    for (let offset = 0; offset < 0x1000; offset += offset < 0x100 ? 4 : 0x20) {
      const word = pci.read(at, offset);
      expect.ok(!pages.includes(word >>> 12), `configuration space at ${offset} holds no address of the machine`);
    }
  },
);
