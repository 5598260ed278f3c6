import fc from 'fast-check';
import t from 'tap';
import { decodeFdt, encodeFdt } from '../../firmware/fdt.js';
import { cellBytes, DeviceNode, DeviceTree, stringBytes } from '../../firmware/tree.js';
import { arbitraryTree, plain, sameTree } from '../../firmware/tree.test-support.js';
import {
  blobOf,
  bootState,
  chosenBoard,
  create,
  domainDts,
  oneNode,
  partialDts,
  stand,
  TWO,
  treeOf,
} from './dom0less.test-support.js';

const FORCED = 'xen,force-assign-without-iommu;';

function cellsOf(node: DeviceNode | undefined, property: string): string {
  return (node?.cells(property) ?? []).map((cell) => cell.toString(16)).join(' ');
}

t.test('a guest finds its vCPUs, memory, interrupt controller, timer and hypervisor', async (t) => {
  const state = bootState(stand().steps, chosenBoard(''));
  // 3 GiB and 4 MiB: both banks.
  t.match(create(state, partialDts(''), domainDts('memory = <0 0x301000>; cpus = <18>;')), { domid: 1 });
  const { root } = treeOf(state, 1);
  t.same([root.u32('#address-cells'), root.u32('#size-cells')], [2, 2]);
  t.ok(root.isCompatible('xen,xenvm'));
  t.equal(root.u32('interrupt-parent'), 65000);
  t.ok(root.child('chosen'));
  const cpus = root.child('cpus');
  t.equal(cpus?.children.length, 18);
  t.equal(cpus?.child('cpu@f')?.u32('reg'), 15);
  t.equal(cpus?.child('cpu@101')?.u32('reg'), 0x101, 'vCPU 17: MPIDR affinity 1.1');
  t.equal(cpus?.child('cpu@101')?.string('enable-method'), 'psci');
  t.equal(root.child('psci')?.string('method'), 'hvc');
  t.equal(cellsOf(root.child('memory@40000000'), 'reg'), '0 40000000 0 c0000000 2 0 0 400000');
  const gic = root.child('interrupt-controller@3001000');
  t.ok(gic?.isCompatible('arm,gic-v3') && gic.has('interrupt-controller'));
  t.equal(cellsOf(gic, 'reg'), '0 3001000 0 10000 0 3020000 0 1000000');
  t.equal(gic?.phandle, 65000);
  t.equal(gic?.u32('#interrupt-cells'), 3);
  t.equal(cellsOf(root.child('timer'), 'interrupts'), '1 d f08 1 e f08 1 b f08');
  t.ok(root.child('hypervisor')?.isCompatible('xen,xen'));
  t.notOk(
    root.children.some((node) => node.name.startsWith('pcie')),
    'no PCI device, no host bridge',
  );
});

t.test(
  'a guest with PCI devices finds their host bridge, and the translation service if the machine has one',
  async (t) => {
    for (const hasIts of [false, true]) {
      const firmware = chosenBoard('');
      const host = decodeFdt(firmware.blob);
      if (!hasIts) {
        for (const its of host.compatible('arm,gic-v3-its')) its.parent?.remove(its);
        for (const node of host.root.walk()) node.properties.delete('msi-map');
      }
      const state = bootState(stand().steps, { ...firmware, blob: encodeFdt(host) });
      t.match(create(state, partialDts('', { bus: 'xen,pci-assigned = <8>;' })), { domid: 1 });
      const tree = treeOf(state, 1);
      const pcie = tree.byPath('/pcie@10000000');
      t.ok(pcie?.isCompatible('pci-host-ecam-generic'));
      t.equal(cellsOf(pcie, 'reg'), '0 10000000 0 10000000');
      t.match(cellsOf(pcie, 'ranges'), /^2000000 0 23000000 0 23000000 0 10000000 43000000 1 0 1 0 1 0( |$)/);
      const service = tree.byPath('/interrupt-controller@3001000/msi-controller@4080000');
      t.equal(service !== undefined, hasIts);
      t.equal(cellsOf(pcie, 'msi-map'), !hasIts ? '' : `0 ${(service?.phandle ?? 0).toString(16)} 0 10000`);
      t.equal(cellsOf(service, 'reg'), !hasIts ? '' : '0 4080000 0 20000');
    }
  },
);

t.test('a direct-mapped guest finds memory and interrupt controller where the machine has them', async (t) => {
  const state = bootState(stand().steps, chosenBoard(''));
  const direct = domainDts('direct-map; xen,static-mem = <0 0x70000000 0 0x400000>;');
  t.match(create(state, partialDts(''), direct), { domid: 1 });
  const { root } = treeOf(state, 1);
  t.equal(cellsOf(root.child('memory@70000000'), 'reg'), '0 70000000 0 400000');
  const host = state.xen.platform.tree.byPath('/interrupt-controller@8000000');
  t.equal(cellsOf(root.child('interrupt-controller@8000000'), 'reg'), cellsOf(host, 'reg'));
  t.ok(root.child('interrupt-controller@8000000')?.child('msi-controller@8080000'), 'its translation service too');
});

t.test('a GICv2 is described as one: distributor and CPU interface', async (t) => {
  const { xen } = bootState(stand().steps, chosenBoard(''));
  const tree = decodeFdt(encodeFdt(xen.platform.tree));
  for (const its of tree.compatible('arm,gic-v3-its')) its.parent?.remove(its);
  const node = tree.byPath('/interrupt-controller@8000000');
  const { gic, platform } = xen;
  if (gic === undefined || node === undefined) throw new Error('no interrupt controller');
  // What follows the CPU interface is for hypervisors.
  node.properties.set('reg', cellBytes(0, 0x800_0000, 0, 0x1000, 0, 0x801_0000, 0, 0x2000, 0, 0x803_0000, 0, 0x2000));
  const describe = (properties: string): DeviceTree => {
    const config = xen.steps.domain.parseConfig(xen, blobOf(domainDts(properties).replace(/module@[^}]*\};/, '')));
    const result = 'error' in config ? config : xen.steps.domain.construct(xen, config);
    const domain = 'error' in result ? undefined : xen.domains.get(result.domid);
    if ('error' in config || domain === undefined) throw new Error('no domain');
    const v2 = { ...xen, gic: { ...gic, version: 2 as const, node }, platform: { ...platform, tree } };
    return xen.steps.dom0less.guestTree(v2, domain, config);
  };
  const usual = describe('').root;
  t.equal(cellsOf(usual.child('interrupt-controller@3001000'), 'reg'), '0 3001000 0 1000 0 3002000 0 2000');
  t.ok(usual.child('interrupt-controller')?.isCompatible('arm,gic-400'));
  const direct = describe('direct-map; xen,static-mem = <0 0x70000000 0 0x400000>;').root;
  t.equal(cellsOf(direct.child('interrupt-controller@8000000'), 'reg'), '0 8000000 0 1000 0 8010000 0 2000');
});

t.test('of the passthrough tree, what is consumed is gone and everything else stays', async (t) => {
  const made = stand();
  made.devices.set(TWO.path, {});
  const state = bootState(made.steps, chosenBoard(''));
  const partial = partialDts(
    `${oneNode(`xen,path = "${TWO.path}"; ${FORCED} compatible = "a", "b"; interrupts = <0 40 4>; interrupt-parent = <&gic>; clocks = <&clk>; odd = [01 02 03];`)}
    clk: clock { #clock-cells = <0>; phandle = <64999>; };`,
    {
      top: 'aliases { net = "/passthrough/dev@0"; }; gic: gic { #interrupt-cells = <3>; interrupt-controller; }; other { };',
      bus: 'xen,pci-assigned = <8>; note = "xen,reg";',
    },
  );
  t.match(create(state, partial), { domid: 1 });
  const tree = treeOf(state, 1);
  const device = tree.byPath('net');
  t.equal(device?.path, '/passthrough/dev@0');
  t.same([...(device?.properties.keys() ?? [])].sort(), [
    'clocks',
    'compatible',
    'interrupt-parent',
    'interrupts',
    'odd',
    'reg',
  ]);
  t.same(device?.properties.get('odd'), Uint8Array.of(1, 2, 3));
  const gic = tree.byPhandle(device?.u32('interrupt-parent') ?? 0);
  t.equal(gic?.name, 'interrupt-controller@3001000', "the guest's own, under the phandle of the placeholder");
  t.equal(tree.root.u32('interrupt-parent'), gic?.phandle);
  t.equal(tree.byPhandle(device?.u32('clocks') ?? 0)?.path, '/passthrough/clock');
  t.equal(tree.byPath('/gic'), undefined);
  t.equal(tree.byPath('/other'), undefined);
  t.same(
    [...(tree.byPath('/passthrough')?.properties.keys() ?? [])],
    ['compatible', 'ranges', '#address-cells', '#size-cells', 'note'],
  );
});

t.test('any passthrough tree is copied byte for byte, in order, and always to the same tree', async (t) => {
  const state = bootState(stand().steps, chosenBoard(''));
  const CONSUMED = ['xen,reg', 'xen,path', 'xen,force-assign-without-iommu'];
  const forced = fc.array(fc.nat(200), { maxLength: 3 });
  let nodes = 0;
  fc.assert(
    fc.property(arbitraryTree, forced, (random, marked) => {
      const tree = new DeviceTree();
      const { root } = tree;
      const passthrough = new DeviceNode('passthrough');
      for (const [name, bytes] of random.root.properties) passthrough.properties.set(name, bytes);
      for (const child of random.root.children) passthrough.append(child.clone());
      for (const node of passthrough.walk())
        for (const name of ['phandle', 'linux,phandle', 'interrupt-parent']) node.properties.delete(name);
      passthrough.properties.set('compatible', stringBytes('simple-bus'));
      passthrough.properties.set('ranges', new Uint8Array(0));
      passthrough.properties.set('#address-cells', cellBytes(2));
      passthrough.properties.set('#size-cells', cellBytes(1));
      root.append(passthrough);
      const all = [...passthrough.walk()].slice(1);
      nodes += all.length;
      const wanted = decodeFdt(encodeFdt(tree)).root.child('passthrough');
      // Forced nodes, whose flag alone asks for nothing.
      for (const index of marked) all[index]?.properties.set('xen,force-assign-without-iommu', new Uint8Array(0));
      const result = create(state, encodeFdt(tree));
      if ('error' in result) return false;
      const found = treeOf(state, result.domid);
      const again = decodeFdt(encodeFdt(found));
      const domain = state.xen.domains.get(result.domid);
      if (domain === undefined) return false;
      const isSame =
        JSON.stringify(plain(found.byPath('/passthrough') ?? root)) === JSON.stringify(plain(wanted ?? root));
      const isClean = [...found.root.walk()].every((node) => !CONSUMED.some((name) => node.has(name)));
      return isSame && isClean && sameTree(found, again) && state.xen.steps.domain.destroy(state.xen, domain) === 0;
    }),
    { seed: 21, numRuns: 60 },
  );
  t.ok(nodes > 60, `${nodes} nodes`);
});

t.test('the tree is there also where the domain may only read', async (t) => {
  const state = bootState(stand().steps, chosenBoard(''));
  t.match(create(state, partialDts(''), domainDts('xen,memory-read-only = <0 0x40000000 0 0x400000>;')), { domid: 1 });
  t.ok(treeOf(state, 1).byPath('/memory@40000000'));
});

t.test('a tree that does not fit into the memory of its domain makes none', async (t) => {
  const state = bootState(stand().steps, chosenBoard(''));
  const before = state.xen.heap.free;
  const nodes = Array.from(
    { length: 64 },
    (_, i) => `node${i} { property = "of some length, so that it takes more than a page"; };`,
  );
  t.same(create(state, partialDts(nodes.join(' ')), domainDts('memory = <0 4>;')), { error: -12 });
  t.equal(state.xen.heap.free, before);
  t.match(create(state, partialDts(nodes.join(' ')), domainDts('memory = <0 16>;')), { domid: Number });
});
