/** Assign platform device to domain: domains that the boot loader describes, and what is left for the hardware domain. */
import { created, hardwareDomainPage, learnt, MIB } from '../arranging.js';
import { check } from '../bench.js';
import { cannotUse, uses } from '../device-registers.js';
import { GUEST_RAM } from '../devices.js';
import {
  hasAllRegisters,
  lacksAllRegisters,
  ofEachKind,
  reachesOnAllStreams,
  takesInterrupts,
  unreachableOnAllStreams,
} from './driving.js';
import { drives } from './guest-driver.js';
import { bootedWith, modelOf, nodeText, treeOf, treeText } from './partial-trees.js';

const ID = 'XenSwdgn~arm64_passthrough_assign_dt_dev_to_dom~1';

const PAGE = 0x1000;
const EPERM = -1;
const [HERE, THERE] = [0x0b00_0000, 0x0c00_0000];

check(ID, 'domains that the boot loader describes have their devices before they run', ({ bench, expect }) => {
  const { severalStreams, withInterrupt, withoutInterrupt } = bench.devices.platform;
  const aliased = nodeText(bench, severalStreams, HERE).replace(/xen,path = "[^"]*"/, 'xen,path = "video0"');
  const wrong = nodeText(bench, withoutInterrupt, THERE).replace(/xen,path = "([^"]*)"/, 'xen,path = "$10"');
  const fresh = bootedWith(
    bench,
    {
      first: { memory: MIB, passthroughTree: treeOf(treeText(aliased)) },
      // This one cannot be, in its second device; the others can.
      wrong: { memory: MIB, passthroughTree: treeOf(treeText(`${nodeText(bench, withInterrupt, HERE)} ${wrong}`)) },
      last: { memory: MIB, passthroughTree: treeOf(treeText(nodeText(bench, withInterrupt, THERE))) },
    },
    (tree) =>
      tree.root.child('aliases')?.properties.set('video0', new TextEncoder().encode(`${severalStreams.path}\0`)),
  );
  const domains = [1, 2, 3].filter((domid) => fresh.xen.deviceTree(domid) !== undefined);
  expect.equal(domains.length, 2, 'there are two domains');
  const [d1, d3] = domains as [number, number];
  const landed = [severalStreams, withInterrupt].map((device) => fresh.dmaWrite(device, GUEST_RAM + PAGE).landed);
  const own = [d1, d3].map((domid) => learnt(expect, fresh, domid, GUEST_RAM + PAGE).mfn * PAGE);
  expect.deepEqual(landed, own, 'each device reaches its domain before that has done anything');
  drives(expect, fresh, d1, severalStreams, modelOf(bench, severalStreams), GUEST_RAM + PAGE);
  drives(expect, fresh, d3, withInterrupt, modelOf(bench, withInterrupt), GUEST_RAM + PAGE);
  for (const device of [severalStreams, withInterrupt]) {
    unreachableOnAllStreams(expect, fresh, device, hardwareDomainPage(fresh), 'memory of the hardware domain');
    lacksAllRegisters(expect, fresh, 0, device);
  }
  // What the wrong one was to have is free.
  unreachableOnAllStreams(expect, fresh, withoutInterrupt, GUEST_RAM, 'nobody has the device');
  const d4 = created(expect, fresh.create({ memory: MIB, devices: [withoutInterrupt] }));
  reachesOnAllStreams(expect, fresh, withoutInterrupt, d4, GUEST_RAM);
});

check(ID, 'the hardware domain neither finds nor has what is reserved for passthrough', ({ bench, expect }) => {
  const tree = bench.guestTree(0);
  const reserved = [...bench.hostTree.root.walk()].filter((node) => node.has('xen,passthrough'));
  expect.ok(reserved.length >= ofEachKind(bench).length, 'the host reserves devices');
  for (const node of reserved)
    expect.equal(tree.byPath(node.path), undefined, `the hardware domain finds no ${node.path}`);
  for (const node of tree.root.walk()) {
    expect.ok(!node.has('xen,passthrough') && !node.has('xen,path'), `nothing of ${node.path} is for Xen`);
  }
  for (const device of ofEachKind(bench)) {
    lacksAllRegisters(expect, bench, 0, device);
    unreachableOnAllStreams(expect, bench, device, hardwareDomainPage(bench), 'memory of the hardware domain');
    const [region] = bench.hostTree.byPath(device.path)?.reg() ?? [];
    const frame = (bench.hostTree.byPath(device.path)?.translate(region?.address ?? 0) ?? 0) / PAGE;
    expect.equal(bench.memoryMapping(0, frame, frame, 1), EPERM, 'the hardware domain may not map the registers');
    expect.equal(bench.iomemPermission(0, frame, 1), EPERM, 'nor permit itself to');
  }
  // What is not reserved it finds as the host has it, and may use.
  const { three } = bench.devices.registers;
  const [plain] = bench.hostTree.compatible('tracewright,registers').filter((node) => !node.has('xen,passthrough'));
  if (plain === undefined) return expect.fail('the host has registers that nobody reserves');
  const found = tree.byPath(plain.path);
  expect.deepEqual(
    [...(found?.properties ?? [])],
    [...plain.properties],
    'the hardware domain finds it as the host has it',
  );
  const frame = three.address / PAGE;
  expect.equal(bench.memoryMapping(0, frame, frame, 1), 0, 'the hardware domain maps the registers');
  uses(expect, bench, 0, three.address + 8);
});

check(ID, 'what the boot loader reserves for passthrough goes to a domain and not to the hardware domain', (given) => {
  const { bench, expect } = given;
  const { hardwareDomains: device } = bench.devices.platform;
  const { three } = bench.devices.registers;
  const plain = bench.hostTree.compatible('tracewright,registers')[0]?.path ?? '';
  const address = hardwareDomainPage(bench);
  reachesOnAllStreams(expect, bench, device, 0, address);
  for (const path of [device.path, plain]) {
    expect.ok(bench.guestTree(0).byPath(path) !== undefined, 'the hardware domain finds what is not reserved');
  }
  const fresh = bootedWith(bench, {}, (tree) => {
    for (const path of [device.path, plain]) tree.byPath(path)?.properties.set('xen,passthrough', new Uint8Array(0));
  });
  for (const path of [device.path, plain]) {
    expect.equal(fresh.guestTree(0).byPath(path), undefined, 'it does not find what is');
  }
  unreachableOnAllStreams(expect, fresh, device, address, 'the device is reserved');
  const d1 = created(expect, fresh.create({ memory: MIB, devices: [device] }));
  reachesOnAllStreams(expect, fresh, device, d1, GUEST_RAM);
  hasAllRegisters(expect, fresh, d1, device);
  takesInterrupts(expect, fresh, d1, device);

  const frame = three.address / PAGE;
  expect.equal(fresh.memoryMapping(0, frame, frame, 1), EPERM, 'registers that are reserved are out of its reach');
  cannotUse(expect, fresh, 0, three.address, 'reserved by the boot loader');
  const platform = [{ path: plain, regions: [{ machine: three.address, size: three.size, guest: HERE }], force: true }];
  const d2 = created(expect, fresh.create({ memory: MIB, platform }));
  uses(expect, fresh, d2, HERE + three.size - 4, three.address + three.size - 4);
});
