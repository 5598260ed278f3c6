import t from 'tap';
import { cellBytes, stringBytes } from '../../firmware/tree.js';
import { pa } from '../../hw/address.js';
import { boardOfFile, createGuest, domctl, hardwareScratch, machineAddress } from '../xen.test-support.js';
import { bootInside, changedBoard, deviceAt, dmaOf, domainOf, dtAssignment } from './dt.test-support.js';

// xen/include/public/errno.h
const ESRCH = -3;
const EFAULT = -14;
const EBUSY = -16;
const EINVAL = -22;
const ENOBUFS = -105;
const DOMID_IO = 0x7ff1;

const RAM = 0x4000_0000;
const GPU = '/soc@a000000/gpu@10000';
const MMC = '/soc@a000000/mmc@40000';
const ETHERNET = '/soc@a000000/ethernet@50000';
const TIMER = '/soc@a000000/timer@90000';
const SHARED_A = '/soc@a000000/dma-controller@60000';
const SHARED_B = '/soc@a000000/dma-controller@61000';
const AUDIO = '/soc@a000000/audio@70000';
const KEYPAD = '/soc@a000000/keypad@71000';

t.test('what a node says of its device', async (t) => {
  const { state, problems } = bootInside(boardOfFile);
  const gpu = deviceAt(state, GPU);
  t.same(gpu.regions, [
    { address: 0x0a01_0000, size: 0x10000 },
    { address: 0x0a03_0000, size: 0x1000 },
  ]);
  t.same(
    gpu.interrupts,
    [
      { irq: 64, type: 'level' },
      { irq: 65, type: 'level' },
    ],
    '<0 32 4> is SPI 32: INTID 32 + 32',
  );
  t.same(gpu.master?.streamIds, [0x10010, 0x10011]);
  t.ok(gpu.reserved);
  t.same(deviceAt(state, ETHERNET).interrupts, [{ irq: 67, type: 'edge' }]);
  t.equal(deviceAt(state, TIMER).master, undefined, 'behind no IOMMU');
  const names = [...state.dtDevices.keys()];
  for (const none of [
    '/soc@a000000',
    '/timer',
    '/psci',
    '/interrupt-controller@8000000',
    '/iommu@9050000',
    '/pcie@10000000',
  ])
    t.notOk(names.includes(none), none);
  t.notOk([...state.dtDevices.values()].some(({ broken }) => broken));
  t.same(problems, []);
});

t.test('the hardware domain gets what nobody reserved, the rest reaches nothing', async (t) => {
  const { state, machine, xen } = bootInside(boardOfFile);
  const own = hardwareScratch(xen) + 0x4000;
  t.ok(dmaOf(machine, ETHERNET, own, true).ok);
  for (const stream of [0, 1]) t.notOk(dmaOf(machine, GPU, own, true, stream).ok);
  t.ok(xen.claims()[0]?.devices.includes(ETHERNET));
  t.notOk(xen.claims()[0]?.devices.includes(GPU));
  const d0 = domainOf(state, 0);
  t.ok(d0.irqs.contains(67, 1), "the ethernet's");
  t.notOk(d0.irqs.contains(64, 1), "the GPU's");
  t.ok(d0.iomem.contains(0x0a050, 4));
  t.notOk(d0.iomem.overlaps(0x0a010, 0x10));
});

t.test('an assigned device works with all its streams, for its domain alone', async (t) => {
  const booted = bootInside(boardOfFile);
  const { machine, xen, problems } = booted;
  const d1 = createGuest(xen, []);
  const d2 = createGuest(xen, []);
  t.equal(dtAssignment(booted, 37, d1, GPU), 0);
  t.equal(dtAssignment(booted, 37, d2, MMC), 0);
  for (const stream of [0, 1]) {
    machine.memory.poke(pa(machineAddress(xen, d1, RAM + 0x3000)), new Uint8Array(4));
    machine.memory.changed();
    t.ok(dmaOf(machine, GPU, RAM + 0x3000, true, stream).ok);
    t.same(
      machine.memory.changed().filter((range) => range.length === 4),
      [{ address: machineAddress(xen, d1, RAM + 0x3000), length: 4 }],
    );
    t.notOk(dmaOf(machine, GPU, machineAddress(xen, d2, RAM), true, stream).ok);
  }
  t.ok(dmaOf(machine, MMC, RAM, false).ok);
  t.equal(dtAssignment(booted, 47, d1, GPU), 0);
  for (const stream of [0, 1]) t.notOk(dmaOf(machine, GPU, RAM + 0x3000, true, stream).ok, 'a warm address');
  t.equal(dtAssignment(booted, 37, d2, GPU), 0, 'another domain may have it then');
  t.ok(dmaOf(machine, GPU, RAM + 0x3000, true, 1).ok);
  t.equal(domctl(booted, 2, d2, []), 0);
  t.notOk(dmaOf(machine, GPU, RAM + 0x3000, true).ok, 'its domain is gone');
  t.notOk(dmaOf(machine, MMC, RAM, false).ok);
  t.same(problems, []);
});

t.test('error codes of assignment', async (t) => {
  const booted = bootInside(boardOfFile);
  const { xen } = booted;
  const d1 = createGuest(xen, []);
  const d2 = createGuest(xen, []);
  const without = createGuest(xen, [], { passthrough: 'disabled' });
  t.equal(dtAssignment(booted, 37, d1, '/soc@a000000/nothing'), ESRCH);
  t.equal(dtAssignment(booted, 37, d1, ''), ESRCH);
  t.equal(dtAssignment(booted, 37, d1, GPU, 0, 4097), ENOBUFS, 'more than a page');
  t.equal(domctl(booted, 37, d1, [1, 0, 5, 0, 0x10, 0]), EFAULT);
  t.equal(dtAssignment(booted, 37, d1, TIMER), EINVAL, 'behind no IOMMU');
  t.equal(dtAssignment(booted, 37, d1, '/soc@a000000'), EINVAL, 'no device');
  t.equal(dtAssignment(booted, 37, d1, GPU, 1), EINVAL, 'flags');
  t.equal(dtAssignment(booted, 37, DOMID_IO, GPU), EINVAL, 'quarantine');
  t.equal(dtAssignment(booted, 37, without, GPU), -95, 'EOPNOTSUPP');
  t.equal(dtAssignment(booted, 37, d1, ETHERNET), EBUSY, "the hardware domain's");
  t.equal(dtAssignment(booted, 45, d1, GPU), 0);
  t.equal(dtAssignment(booted, 37, d1, GPU), 0);
  t.equal(dtAssignment(booted, 45, 0x7ff4, GPU), EINVAL, 'DOMID_INVALID may ask');
  t.equal(dtAssignment(booted, 37, d1, GPU), EBUSY);
  t.equal(dtAssignment(booted, 37, d2, GPU), EBUSY);
  t.equal(dtAssignment(booted, 47, d2, GPU), ESRCH);
  t.equal(dtAssignment(booted, 47, d1, GPU, 1), EINVAL);
  t.equal(dtAssignment(booted, 47, d1, TIMER), EINVAL);
  t.equal(dtAssignment(booted, 47, DOMID_IO, GPU), EINVAL);
  t.ok(dmaOf(booted.machine, GPU, RAM, false).ok, 'nothing of that did anything');
  t.equal(dtAssignment(booted, 47, d1, GPU), 0);
  t.equal(dtAssignment(booted, 47, d1, GPU), ESRCH);
  t.equal(dtAssignment(booted, 45, d1, GPU), 0);
});

t.test('a device that is taken from the hardware domain is nobody’s until it is given back', async (t) => {
  const booted = bootInside(boardOfFile);
  const { machine, xen } = booted;
  const own = hardwareScratch(xen) + 0x4000;
  t.ok(dmaOf(machine, ETHERNET, own, true).ok);
  t.equal(dtAssignment(booted, 47, 0, ETHERNET), 0);
  t.notOk(dmaOf(machine, ETHERNET, own, true).ok);
  t.equal(dtAssignment(booted, 37, 0, ETHERNET), 0);
  t.ok(dmaOf(machine, ETHERNET, own, true).ok);
});

t.test('deassignment takes registers and interrupts too', async (t) => {
  const booted = bootInside(boardOfFile);
  const { machine, xen, state } = booted;
  const d1 = createGuest(xen, []);
  const domain = domainOf(state, d1);
  const gpu = deviceAt(state, GPU);
  t.equal(dtAssignment(booted, 37, d1, GPU), 0);
  state.steps.domain.permitIomem(state, domain, 0x0a010 as never, 0x10);
  t.equal(state.steps.p2m.mapMmio(state, domain, 0x23000 as never, 0x0a010 as never, 0x10), 0);
  for (const { irq } of gpu.interrupts) {
    domain.irqs.add(irq, 1);
    t.equal(state.steps.irq.routeToGuest(state, domain, irq, irq), 0);
  }
  const cpu = xen.schedule({ domid: d1, vcpu: 0 }) ?? -1;
  const load = () => machine.cpus.guest(cpu, { kind: 'load', hi: 0, lo: 0x2300_0000, width: 4 }).ok;
  t.ok(load());
  t.equal(dtAssignment(booted, 47, d1, GPU), 0);
  t.notOk(load());
  t.notOk(domain.iomem.overlaps(0x0a010, 0x10));
  t.notOk(domain.irqs.overlaps(64, 2));
  const d2 = createGuest(xen, []);
  t.equal(state.steps.irq.routeToGuest(state, domainOf(state, d2), 64, 64), 0, 'another domain may have the interrupt');
});

t.test('a device has one identity, however it is named', async (t) => {
  const board = changedBoard(['serial0 = &uart;', `serial0 = &uart; graphics = "${GPU}"; soc = "/soc@a000000";`]);
  const booted = bootInside(board, (tree) => {
    const symbols = tree.root.clone();
    for (const child of [...symbols.children]) symbols.remove(child);
    const node = Object.assign(tree.byPath('/aliases')?.clone() as typeof symbols, { name: '__symbols__' });
    node.properties.clear();
    node.properties.set('gpu', stringBytes(GPU));
    tree.root.append(node);
  });
  const d1 = createGuest(booted.xen, []);
  const d2 = createGuest(booted.xen, []);
  t.equal(dtAssignment(booted, 37, d1, 'graphics'), 0, 'an alias');
  for (const name of [GPU, 'soc/gpu@10000', '/soc/gpu', '//soc@a000000/gpu@10000/', 'gpu'])
    t.equal(dtAssignment(booted, 37, d2, name), EBUSY, name);
  t.equal(dtAssignment(booted, 47, d1, 'soc/gpu@10000'), 0);
});

t.test('devices that share a stream or an interrupt have one domain', async (t) => {
  const booted = bootInside(boardOfFile);
  const { state, machine } = booted;
  const d1 = createGuest(booted.xen, []);
  const d2 = createGuest(booted.xen, []);
  t.equal(dtAssignment(booted, 37, d1, SHARED_A), 0);
  t.equal(dtAssignment(booted, 37, d2, SHARED_B), EBUSY, 'one stream');
  t.equal(dtAssignment(booted, 37, d2, MMC), 0, 'a device of its own');
  t.equal(dtAssignment(booted, 37, d1, SHARED_B), 0);
  t.equal(dtAssignment(booted, 47, d1, SHARED_A), 0);
  t.ok(dmaOf(machine, SHARED_B, RAM, false).ok, 'its mate is still assigned');
  t.equal(dtAssignment(booted, 37, d2, SHARED_A), EBUSY);
  t.equal(dtAssignment(booted, 47, d1, SHARED_B), 0);
  t.notOk(dmaOf(machine, SHARED_B, RAM, false).ok);
  t.equal(dtAssignment(booted, 37, d2, SHARED_A), 0);

  t.equal(dtAssignment(booted, 37, d1, AUDIO), 0);
  const shares = (domid: number) =>
    state.steps.dt.sharesResources(state, domainOf(state, domid), deviceAt(state, KEYPAD));
  t.equal(shares(d2), EBUSY, 'one interrupt');
  t.equal(shares(d1), 0);
});

t.test('a mate of the hardware domain is one too many; so is one on the same page', async (t) => {
  const shared = changedBoard(['iommus = <&smmu 0x10030>;', 'iommus = <&smmu 0x10020>;']);
  const booted = bootInside(shared);
  const d1 = createGuest(booted.xen, []);
  t.equal(dtAssignment(booted, 37, d1, MMC), EBUSY, "the hardware domain's ethernet has its stream");
  t.equal(dtAssignment(booted, 47, 0, ETHERNET), 0);
  t.equal(dtAssignment(booted, 37, d1, MMC), 0);
  t.equal(dtAssignment(booted, 37, 0, ETHERNET), EBUSY, 'nor does the hardware domain get it back now');

  const onOnePage = bootInside(boardOfFile, (tree) => {
    tree.byPath(SHARED_A)?.properties.set('reg', cellBytes(0x60000, 0x800));
    tree.byPath(AUDIO)?.properties.set('reg', cellBytes(0x60800, 0x800));
  });
  const guests = [createGuest(onOnePage.xen, []), createGuest(onOnePage.xen, [])] as const;
  t.equal(dtAssignment(onOnePage, 37, guests[0], SHARED_A), 0);
  t.equal(dtAssignment(onOnePage, 37, guests[1], AUDIO), EBUSY);
});

t.test('a node that cannot be read is told with its property, and its device is nobody’s', async (t) => {
  const cases: readonly (readonly [property: string, value: Uint8Array, told: RegExp])[] = [
    ['iommus', cellBytes(0x999, 1), /gpu@10000: iommus: no node has the phandle/],
    ['iommus', cellBytes(1), /gpu@10000: iommus: /],
    ['iommus', Uint8Array.of(1, 2, 3), /gpu@10000: iommus: 3 bytes are no whole number of cells/],
    ['interrupts', cellBytes(0, 32), /gpu@10000: interrupts: 2 cells are no multiple of 3/],
    ['interrupts', cellBytes(7, 32, 4), /gpu@10000: interrupts: <7 32 4> is no interrupt of a GIC/],
    ['interrupts', cellBytes(0, 32, 0), /gpu@10000: interrupts: <0 32 0>/],
    ['interrupt-parent', cellBytes(0x999), /gpu@10000: interrupt-parent: no node has the phandle/],
    ['reg', cellBytes(0x10000, 0x1000, 0), /gpu@10000: reg: 3 cells are no multiple of 2/],
    ['reg', cellBytes(0x10000, 0), /gpu@10000: reg: a region is empty/],
    ['reg', cellBytes(0xff000, 0x2000), /gpu@10000: reg: a region leaves the window of its bus/],
    ['reg', cellBytes(0x3f800, 0x1000), /gpu@10000: reg: 0xa03f800 overlaps .*mmc@40000/],
  ];
  for (const [property, value, told] of cases) {
    const booted = bootInside(boardOfFile, (tree) => tree.byPath(GPU)?.properties.set(property, value));
    const d1 = createGuest(booted.xen, []);
    t.match(booted.xen.console.join('\n'), told);
    t.equal(dtAssignment(booted, 37, d1, GPU), EINVAL);
    t.equal(booted.state.steps.dt.findDevice(booted.state, GPU), undefined);
    for (const stream of [0, 1]) t.notOk(dmaOf(booted.machine, GPU, RAM, false, stream).ok);
  }
});

t.test('registers over RAM or over what Xen keeps make no device', async (t) => {
  for (const address of [0x4000_0000, 0x0905_0000, 0x0800_0000]) {
    const booted = bootInside(boardOfFile, (tree) => {
      const node = Object.assign(tree.byPath('/serial@9000000')?.clone() as object, { name: 'x@0' });
      (node as never as { properties: Map<string, Uint8Array> }).properties.set(
        'reg',
        cellBytes(0, address, 0, 0x1000),
      );
      (node as never as { properties: Map<string, Uint8Array> }).properties.delete('phandle');
      tree.root.append(node as never);
    });
    t.match(booted.xen.console.join('\n'), /\/x@0: reg: 0x[0-9a-f]+ is no register that can be given away/);
    t.equal(booted.state.steps.dt.findDevice(booted.state, '/x@0'), undefined);
  }
});

t.test('streams of different IOMMUs in one device are refused; a stream beyond the table too', async (t) => {
  const beyond = bootInside(boardOfFile, (tree) => {
    const [phandle = 0] = tree.byPath(GPU)?.cells('iommus') ?? [];
    tree.byPath(GPU)?.properties.set('iommus', cellBytes(phandle, 0x4_0000));
  });
  t.match(beyond.xen.console.join('\n'), /gpu@10000: iommus: .* has no such streams \(-34\)/);
  t.ok(deviceAt(beyond.state, GPU).broken);
});

t.test('release goes on where it failed, and takes nothing twice', async (t) => {
  const booted = bootInside(boardOfFile);
  const { state, machine } = booted;
  const d1 = createGuest(booted.xen, []);
  const domain = domainOf(state, d1);
  for (const path of [GPU, MMC, AUDIO]) t.equal(dtAssignment(booted, 37, d1, path), 0);
  const steps = state.steps as { smmuv3: { installAbortSte: typeof state.steps.smmuv3.installAbortSte } };
  const { installAbortSte } = steps.smmuv3;
  steps.smmuv3.installAbortSte = (xen, smmu, streamId) =>
    streamId === 0x10011 ? -5 : installAbortSte(xen, smmu, streamId);
  t.equal(domctl(booted, 2, d1, []), -5);
  t.same(
    domain.dtDevices.map(({ node }) => node.path),
    [GPU],
    'the others went',
  );
  t.ok(domain.ram.length > 0, 'memory that the device may reach stays');
  steps.smmuv3.installAbortSte = installAbortSte;
  t.equal(domctl(booted, 2, d1, []), 0);
  t.equal(state.steps.dt.releaseDevices(state, domain), 0);
  for (const stream of [0, 1]) t.notOk(dmaOf(machine, GPU, RAM, false, stream).ok);
});
