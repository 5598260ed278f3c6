import t from 'tap';
import {
  bootState,
  chosenBoard,
  create,
  domainDts,
  footprint,
  oneNode,
  partialDts,
  type Stand,
  type State,
  stand,
  THREE,
  TWO,
} from './dom0less.test-support.js';

// xen/include/public/errno.h
const EPERM = -1;
const EFAULT = -14;
const EBUSY = -16;
const EINVAL = -22;

const PATH = `xen,path = "${TWO.path}";`;
const FORCED = 'xen,force-assign-without-iommu;';
const board = chosenBoard('', { aliases: `two = "${TWO.path}";` });

/** Boots with the second device given. */
function booted(two: { interrupts?: number[]; isProtected?: boolean } = {}): Stand & { state: State } {
  const made = stand();
  made.devices.set(TWO.path, two);
  const state = bootState(made.steps, board);
  made.log.length = 0;
  return { ...made, state };
}

const last = (state: State): string =>
  state.hypervisor.console.filter((line) => line.includes('configuration')).at(-1) ?? '';

t.test('each node in turn: permitted, mapped, looked up, routed, assigned', async (t) => {
  const { state, log, routes } = booted({ interrupts: [72, 80], isProtected: true });
  const nodes = `dev@0 { xen,reg = <0 0x0a004000 0 0x1000 0 0x23000000>, <0 0x0a008000 0 0x2000 0 0x24000000>; ${PATH} };
    late@0 { xen,reg = <0 0x0a000000 0 0x3000 0 0x25000000>; ${FORCED} };`;
  const result = create(state, partialDts(nodes));
  t.match(result, { domid: 1 });
  t.same(log, [
    'permit 1',
    'map 1',
    'permit 2',
    'map 2',
    `find ${TWO.path}`,
    'route 72 as 72',
    'route 80 as 80',
    `assign ${TWO.path}`,
    'permit 3',
    'map 3',
  ]);
  const domain = state.xen.domains.get(1);
  t.same(
    domain?.iomem.runs,
    [
      { start: 0x0a000, count: 3 },
      { start: 0x0a004, count: 1 },
      { start: 0x0a008, count: 2 },
    ],
    'exactly the frames',
  );
  t.same(domain?.irqs.runs, [
    { start: 72, count: 1 },
    { start: 80, count: 1 },
  ]);
  t.equal(routes.get(80), domain);
  t.match(state.hypervisor.claims()[1], {
    domid: 1,
    devices: [TWO.path],
    mmio: [
      { gfn: 0x23000, mfn: 0x0a004, count: 1 },
      { gfn: 0x24000, mfn: 0x0a008, count: 2 },
      { gfn: 0x25000, mfn: 0x0a000, count: 3 },
    ],
  });
});

t.test('a failure anywhere gives its code and its place, and leaves nothing', async (t) => {
  const made = booted({ interrupts: [72], isProtected: true });
  const { state } = made;
  made.devices.set(THREE.path, { interrupts: [20], isProtected: true });
  const before = footprint(state, made);
  const wrong: [string, number, RegExp][] = [
    [oneNode('xen,path = "/soc@a000000/nothing";'), EINVAL, /dev@0: xen,path: the host has no device/],
    [oneNode('xen,path = "nothing";'), EINVAL, /dev@0: xen,path: the host has no device nothing/],
    [oneNode('xen,path = "/memory@40000000";'), EINVAL, /the host has no device/],
    [oneNode(PATH, 0x4000_0000), EPERM, /dev@0: xen,reg: 0x40000000, 0x1000 at 0x23000000 cannot/],
    [oneNode(PATH, 0x0905_0000), EPERM, /dev@0: xen,reg: .* cannot/],
    [oneNode(PATH, 0x0800_0000), EPERM, /dev@0: xen,reg: .* cannot/],
    [oneNode(FORCED, 0x0a00_3000), EPERM, /dev@0: xen,reg: .* cannot/],
    [oneNode(PATH, TWO.address, 0x4000_0000), EFAULT, /dev@0: xen,reg: .* at 0x40000000 cannot/],
    [
      oneNode(PATH, THREE.address),
      EINVAL,
      /dev@0: xen,reg: 0xa000000, .* is no register of \/soc@a000000\/registers@4000/,
    ],
    [
      `${oneNode(PATH)} twin { xen,reg = <0 0x0a008000 0 0x1000 0 0x24000000>; ${PATH} };`,
      EBUSY,
      /twin: xen,path: .* is d1's/,
    ],
    [
      `${oneNode(PATH)} twin { xen,reg = <0 0x0a008000 0 0x1000 0 0x24000000>; xen,path = "two"; };`,
      EBUSY,
      /twin: xen,path: .* is d1's/,
    ],
    [
      `${oneNode(PATH)} twin { xen,reg = <0 0x0a000000 0 0x1000 0 0x24000000>; xen,path = "${THREE.path}"; };`,
      EINVAL,
      /twin: xen,path: an interrupt of/,
    ],
    [`${oneNode(PATH)} over { xen,reg = <0 0x0a008000 0 0x1000 0 0x23000000>; ${FORCED} };`, EFAULT, /over: xen,reg/],
  ];
  for (const [nodes, error, message] of wrong) {
    const domid = state.xen.lastDomid + 1;
    t.same(create(state, partialDts(nodes)), { error }, nodes);
    t.match(last(state).replace(`d${domid}'s`, "d1's"), message);
    t.equal(footprint(state, made), before);
  }
  t.match(create(state, partialDts(oneNode(PATH))), { domid: Number }, 'the same without the mistake');
});

t.test('what a check of a step refuses is refused, and everything goes back in reverse', async (t) => {
  const made = booted({ interrupts: [72], isProtected: true });
  made.devices.set(THREE.path, { isProtected: true });
  const dt: typeof made.steps.dt = {
    ...made.steps.dt,
    sharesResources: (_xen, _domain, device) => (device.node.path === THREE.path ? EBUSY : 0),
  };
  const state = bootState({ ...made.steps, dt }, board);
  const before = footprint(state, made);
  const nodes = `${oneNode(PATH)} three { xen,reg = <0 0x0a000000 0 0x1000 0 0x24000000>; xen,path = "${THREE.path}"; };`;
  made.log.length = 0;
  t.same(create(state, partialDts(nodes)), { error: EBUSY });
  t.match(last(state), /three: xen,path: .* shares resources/);
  t.equal(made.log.at(-1), `release ${TWO.path}`);
  t.equal(footprint(state, made), before);
});

t.test('a device has one owner, whether it is behind an IOMMU or not', async (t) => {
  for (const isProtected of [true, false]) {
    const made = booted({ isProtected });
    const { state } = made;
    const nodes = oneNode(`${PATH} ${FORCED}`);
    t.match(create(state, partialDts(nodes)), { domid: 1 });
    t.equal(
      made.log.includes(`assign ${TWO.path}`),
      isProtected,
      'force does not skip the IOMMU of a device that has one',
    );
    const before = footprint(state, made);
    t.same(create(state, partialDts(nodes)), { error: EBUSY });
    t.match(last(state), /dev@0: xen,reg: .* is of another domain/);
    const elsewhere = `dev@0 { xen,reg = <0 0x0a008000 0 0x1000 0 0x23000000>; xen,path = "two"; ${FORCED} };`;
    t.same(create(state, partialDts(elsewhere)), { error: EBUSY });
    t.match(last(state), /dev@0: xen,path: .* is d1's/);
    t.equal(footprint(state, made), before);
    const domain = state.xen.domains.get(1);
    t.equal(domain && state.xen.steps.domain.destroy(state.xen, domain), 0);
    t.match(create(state, partialDts(elsewhere)), { domid: Number }, 'free again');
  }
});

t.test('a device behind no IOMMU must be forced; with one, the domain must have use of it', async (t) => {
  const bare = booted();
  t.same(create(bare.state, partialDts(oneNode(PATH))), { error: EINVAL });
  t.match(create(bare.state, partialDts(oneNode(`${PATH} ${FORCED}`))), { domid: Number });
  const behind = booted({ isProtected: true });
  const disabled = domainDts('passthrough = "disabled";');
  for (const force of ['', FORCED]) {
    t.same(create(behind.state, partialDts(oneNode(PATH + force)), disabled), { error: EINVAL });
  }
  t.match(create(behind.state, partialDts(oneNode(PATH))), { domid: Number });
});

t.test('a device that makes requests without an IOMMU goes to direct-mapped domains only', async (t) => {
  const direct = domainDts('direct-map; xen,static-mem = <0 0x70000000 0 0x400000>;');
  for (const property of ['dma-coherent;', 'dma-noncoherent;', '#dma-cells = <1>;', 'tracewright,dma;']) {
    const made = stand();
    made.devices.set(TWO.path, {});
    const state = bootState(made.steps, chosenBoard('', { two: property }));
    const nodes = oneNode(`${PATH} ${FORCED}`);
    const before = footprint(state, made);
    t.same(create(state, partialDts(nodes)), { error: EINVAL }, property);
    t.match(last(state), /dev@0: xen,path: .* cannot be assigned/);
    t.equal(footprint(state, made), before);
    t.match(create(state, partialDts(nodes), direct), { domid: Number });
  }
});

t.test('PCI functions of the passthrough tree', async (t) => {
  const { steps } = stand();
  const state = bootState(steps, chosenBoard(''));
  const assigned = (cells: string) => partialDts('', { bus: `xen,pci-assigned = <${cells}>;` });
  t.match(create(state, assigned('0x00000008 0x00010010')), { domid: 1 });
  t.same(state.hypervisor.claims()[1]?.devices, ['0000:00:01.0', '0001:00:02.0']);
  t.same(create(state, assigned('0x00000008')), { error: EBUSY }, 'used');
  t.match(last(state), /\/passthrough: xen,pci-assigned: 0000:00:01.0/);
  t.same(create(state, assigned('0x00000020')), { error: -19 }, 'ENODEV: the hole');
  t.match(last(state), /\/passthrough: xen,pci-assigned: 0000:00:04.0/);
  t.same(create(state, assigned('0x10'), domainDts('passthrough = "disabled";')), { error: -95 }, 'EOPNOTSUPP');
  t.match(last(state), /passthrough: PCI devices cannot/);
  const both = domainDts('xen,pci-devices = "0000:00:02.0";');
  t.same(create(state, assigned('0x10'), both), { error: EBUSY }, 'named in two places');
  const before = JSON.stringify(state.hypervisor.claims());
  t.same(create(state, assigned('0x10 0x10')), { error: EBUSY }, 'named twice');
  t.match(last(state), /\/passthrough: xen,pci-assigned: 0000:00:02.0/);
  t.equal(JSON.stringify(state.hypervisor.claims()), before, 'they go back');
  t.match(create(state, assigned('0x10')), { domid: Number });
});
