import t from 'tap';
import { cellBytes, DeviceNode, DeviceTree, DeviceTreeError, stringBytes } from './tree.js';

/** A root with one bus of #address-cells 2, #size-cells 2, and one device on it. */
function example(): { tree: DeviceTree; bus: DeviceNode; device: DeviceNode } {
  const tree = new DeviceTree();
  tree.root.properties.set('#address-cells', cellBytes(2));
  tree.root.properties.set('#size-cells', cellBytes(2));
  const bus = tree.root.append(new DeviceNode('soc@8000000'));
  bus.properties.set('#address-cells', cellBytes(1));
  bus.properties.set('#size-cells', cellBytes(1));
  const device = bus.append(new DeviceNode('serial@1000'));
  device.properties.set('reg', cellBytes(0x1000, 0x100, 0x2000, 0x80));
  return { tree, bus, device };
}

t.test('reg is read with the cell counts of the parent', async (t) => {
  const { bus, device } = example();
  t.same(device.reg(), [
    { cells: [0x1000], address: 0x1000, size: 0x100 },
    { cells: [0x2000], address: 0x2000, size: 0x80 },
  ]);
  bus.properties.set('reg', cellBytes(0x8, 0x4000_0000, 0x1, 0x8000_0000));
  t.same(bus.reg(), [{ cells: [0x8, 0x4000_0000], address: 0x8_4000_0000, size: 0x1_8000_0000 }]);
});

t.test('cell counts that are not stated are 2 and 1 (2.3.5)', async (t) => {
  const tree = new DeviceTree();
  const node = tree.root.append(new DeviceNode('a'));
  node.properties.set('reg', cellBytes(0, 0x10, 0x20));
  t.same(node.reg(), [{ cells: [0, 0x10], address: 0x10, size: 0x20 }]);
});

t.test('a PCI address has three cells, of which the last two are the number', async (t) => {
  const { tree } = example();
  const host = tree.root.append(new DeviceNode('pcie@10000000'));
  host.properties.set('#address-cells', cellBytes(3));
  host.properties.set('#size-cells', cellBytes(2));
  host.properties.set('ranges', cellBytes(0x0200_0000, 0, 0x1000_0000, 0x1, 0x1000_0000, 0, 0x2eff_0000));
  t.same(host.ranges(), [
    { cells: [0x0200_0000, 0, 0x1000_0000], child: 0x1000_0000, parent: 0x1_1000_0000, size: 0x2eff_0000 },
  ]);
});

t.test('ranges translate an address bus by bus', async (t) => {
  const { bus, device } = example();
  t.equal(device.translate(0x1000), undefined, 'no ranges: nothing passes');
  bus.properties.set('ranges', new Uint8Array(0));
  t.equal(device.translate(0x1000), 0x1000, 'empty ranges: one address space');
  bus.properties.set('ranges', cellBytes(0x1000, 0x1, 0x0800_0000, 0x1000));
  t.equal(device.translate(0x1000), 0x1_0800_0000);
  t.equal(device.translate(0x1fff), 0x1_0800_0fff);
  t.equal(device.translate(0x2000), undefined, 'behind the window');
});

t.test('nodes are found by path, by alias, without a unique unit address and by phandle', async (t) => {
  const { tree, device } = example();
  device.properties.set('phandle', cellBytes(7));
  const aliases = tree.root.append(new DeviceNode('aliases'));
  aliases.properties.set('serial0', stringBytes('/soc@8000000/serial@1000'));
  t.equal(tree.byPath('/soc@8000000/serial@1000'), device);
  t.equal(tree.byPath('/soc/serial'), device);
  t.equal(tree.byPath('serial0'), device);
  t.equal(tree.byPath('/'), tree.root);
  t.equal(tree.byPath('/soc/uart'), undefined);
  t.equal(tree.byPath('serial1'), undefined);
  t.equal(tree.byPhandle(7), device);
  t.equal(tree.byPhandle(8), undefined);
  t.equal(device.path, '/soc@8000000/serial@1000');
  t.equal(device.unitAddress, '1000');
});

t.test('a name of an object is an ordinary name', async (t) => {
  const tree = new DeviceTree();
  t.equal(tree.byPath('/__proto__'), undefined);
  const node = tree.root.append(new DeviceNode('constructor'));
  node.properties.set('__proto__', cellBytes(1));
  t.equal(tree.byPath('/constructor'), node);
  t.equal(node.u32('__proto__'), 1);
});

t.test('strings and string lists', async (t) => {
  const { device } = example();
  device.properties.set('compatible', stringBytes('arm,pl011', 'arm,primecell'));
  t.same(device.strings('compatible'), ['arm,pl011', 'arm,primecell']);
  t.ok(device.isCompatible('arm,primecell'));
  t.notOk(device.isCompatible('arm,primece'));
  t.equal(device.string('status'), undefined);
  t.ok(device.enabled);
  device.properties.set('status', stringBytes('disabled'));
  t.notOk(device.enabled);
});

t.test('specifiers are split by what the nodes that they name say', async (t) => {
  const { tree, bus, device } = example();
  bus.properties.set('phandle', cellBytes(3));
  bus.properties.set('#iommu-cells', cellBytes(1));
  device.properties.set('iommus', cellBytes(3, 0x40, 3, 0x41));
  t.same(
    tree.specifiers(device, 'iommus', '#iommu-cells').map((s) => [s.node.path, s.cells]),
    [
      ['/soc@8000000', [0x40]],
      ['/soc@8000000', [0x41]],
    ],
  );
  device.properties.set('iommus', cellBytes(3));
  t.throws(() => tree.specifiers(device, 'iommus', '#iommu-cells'), /cut short/);
  device.properties.set('iommus', cellBytes(9, 0));
  t.throws(() => tree.specifiers(device, 'iommus', '#iommu-cells'), /no node has the phandle 9/);
});

t.test('what cannot be read says which node, which property and why', async (t) => {
  const { device, bus } = example();
  const code = (read: () => unknown): string => {
    try {
      read();
    } catch (error) {
      if (error instanceof DeviceTreeError) return `${error.code}: ${error.message}`;
    }
    return 'nothing thrown';
  };
  device.properties.set('reg', cellBytes(1));
  t.equal(
    code(() => device.reg()),
    'bad property length: /soc@8000000/serial@1000: reg: 1 cells are no multiple of 2',
  );
  device.properties.set('x', Uint8Array.of(1, 2, 3));
  t.match(
    code(() => device.cells('x')),
    /^bad property length: .*3 bytes/,
  );
  t.match(
    code(() => device.u32('x')),
    /^bad property length/,
  );
  t.match(
    code(() => device.string('x')),
    /^bad string: .*terminator/,
  );
  device.properties.set('x', Uint8Array.of(0xff, 0));
  t.match(
    code(() => device.string('x')),
    /^bad string: .*UTF-8/,
  );
  device.properties.set('x', cellBytes(0x20_0000, 0));
  t.match(
    code(() => device.number('x')),
    /^number too large: .*0x20000000000000 /,
  );
  t.match(
    code(() => device.require('y')),
    /^missing property: .*y/,
  );
  bus.properties.set('#address-cells', cellBytes(0xffff_ffff));
  t.match(
    code(() => device.reg()),
    /^bad cells/,
  );
  t.match(
    code(() => bus.append(new DeviceNode('serial@1000'))),
    /^duplicate name/,
  );
});
