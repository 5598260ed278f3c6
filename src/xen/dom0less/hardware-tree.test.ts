import t from 'tap';
import { DeviceNode } from '../../firmware/tree.js';
import { bootState, chosenBoard, stand, THREE, TWO, treeOf } from './dom0less.test-support.js';

const CHOSEN = `one { compatible = "xen,domain"; #address-cells = <2>; #size-cells = <2>; memory = <0 0x1000>; };
  module@61000000 { compatible = "multiboot,module"; reg = <0 0x61000000 0 0x1000>; };`;

t.test('the hardware domain finds the host without what it does not get', async (t) => {
  const board = chosenBoard(CHOSEN, {
    two: 'xen,passthrough;',
    three: 'xen,something; note = "kept";',
    aliases: `two = "${TWO.path}"; three = "${THREE.path}";`,
  });
  const state = bootState(stand().steps, board);
  const domain = state.xen.domains.get(0);
  const tree = treeOf(state, 0);
  for (const gone of [TWO.path, '/iommu@9050000', '/chosen/one', '/chosen/module@61000000', '/memory@880000000']) {
    t.equal(tree.byPath(gone), undefined, gone);
    t.ok(state.xen.platform.tree.byPath(gone), 'the host has it');
  }
  for (const kept of [
    THREE.path,
    '/serial@9000000',
    '/pcie@10000000',
    '/interrupt-controller@8000000',
    '/timer',
    '/cpus/cpu@1',
  ]) {
    t.ok(tree.byPath(kept), kept);
  }
  t.equal(tree.byPath(THREE.path)?.string('note'), 'kept');
  for (const node of tree.root.walk()) {
    for (const name of node.properties.keys()) {
      t.notMatch(name, /^xen,|^iommus$|^iommu-map/, `${node.path}: ${name}`);
    }
  }
  t.same([...(tree.root.child('aliases')?.properties.keys() ?? [])], ['serial0', 'three']);
  t.match(tree.root.child('chosen')?.string('bootargs'), /^console=hvc0/);
  t.equal(tree.root.child('psci')?.string('method'), 'hvc');
  t.ok(tree.root.child('hypervisor')?.isCompatible('xen,xen'));

  t.notOk(
    tree.byPath('/interrupt-controller@8000000')?.has('interrupts'),
    'the maintenance interrupt is for hypervisors',
  );
  t.equal(tree.byPath('/interrupt-controller@8000000')?.reg().length, 2);

  const first = domain?.ram[0]?.mfn ?? 0;
  const memory = tree.root.children.filter((node) => node.string('device_type') === 'memory');
  t.same(
    memory.map((node) => node.reg().map(({ address, size }) => [address, size])),
    [[[first * 4096, 0x400_0000]]],
    'its 64 MiB',
  );
  const fdt = domain?.fdt;
  t.ok(fdt && fdt.address >= first * 4096 && fdt.address + fdt.size <= first * 4096 + 0x400_0000);
  t.equal(domain?.directMapped, true);
  t.type(tree.root, DeviceNode);
});

t.test('registers of reserved devices are not for it to map', async (t) => {
  const iomem = (two: string) => {
    const { xen } = bootState(stand().steps, chosenBoard('', { two }));
    return [0x0a000, 0x0a004, 0x0a008, 0x0a009, 0x09000, 0x09050, 0x08000, 0x40000].map((frame) =>
      xen.domains.get(0)?.iomem.contains(frame, 1),
    );
  };
  t.same(iomem(''), [true, true, true, true, true, false, false, false]);
  t.same(iomem('xen,passthrough;'), [true, false, false, false, true, false, false, false]);
});
