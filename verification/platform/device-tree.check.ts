/** Assign platform device to domain: what a domain finds of its devices in its device tree, and what it can do with it. */
import type { DeviceNode } from '../../src/firmware/tree.js';
import { created, MIB } from '../arranging.js';
import { check } from '../bench.js';
import { cannotUse, uses } from '../device-registers.js';
import { GUEST_RAM } from '../devices.js';
import { lacksAllRegisters, takesInterrupts, takesNoInterrupts } from './driving.js';
import { drives, interruptParent, regionsSeen } from './guest-driver.js';
import { type Cells, modelOf, nodeText, places, treeOf, treeText } from './partial-trees.js';

const ID = 'XenSwdgn~arm64_passthrough_assign_dt_dev_to_dom~1';

const PAGE = 0x1000;
const CONSUMED = ['xen,reg', 'xen,path', 'xen,force-assign-without-iommu'];
/** Guest addresses for registers: not those of the machine, of no board. */
const [HERE, THERE, ELSEWHERE] = [0x0b00_0000, 0x0c00_0000, 0x0d00_0000];
const MEMORY = { memory: MIB, destination: GUEST_RAM + 4 * PAGE };

/** The names of a node and of all below it, with their properties as text; what `left` names is left out. */
function shape(node: DeviceNode | undefined, left: readonly string[] = []): unknown {
  if (node === undefined) return undefined;
  const properties = [...node.properties].filter(([name]) => !left.includes(name));
  return {
    name: node.name,
    properties: properties.map(([name, bytes]) => `${name} = ${[...bytes].join(' ')}`),
    children: node.children.map((child) => shape(child, left)),
  };
}

check(
  ID,
  'a domain finds in its tree what its passthrough tree says of a device, byte for byte',
  ({ bench, expect }) => {
    const { severalStreams, withoutDma } = bench.devices.platform;
    const more = `clocks = <&clock>; vendor,empty; vendor,bytes = [00 01 fe ff 00]; vendor,names = "a", "", "b";
    port { #address-cells = <1>; #size-cells = <0>; endpoint@1 { reg = <1>; remote = <&sink>; }; };`;
    const nodes = `clock: clock { compatible = "fixed-clock"; #clock-cells = <0>; clock-frequency = <24000000>; };
    ${nodeText(bench, severalStreams, HERE, { more })}
    bus { compatible = "simple-bus"; ranges; #address-cells = <2>; #size-cells = <2>;
      ${nodeText(bench, withoutDma, THERE, { more: 'sink: sink { vendor,last; };' })} };`;
    const text = `${treeText(nodes)} / {
    aliases { video0 = "/passthrough/gpu@${HERE.toString(16)}"; };
    secret { compatible = "vendor,secret"; };
  };`;
    const given = treeOf(text);
    const d1 = created(expect, bench.create({ memory: MIB, passthroughTree: treeOf(text) }));

    const tree = bench.guestTree(d1);
    const [wanted, found] = [given, tree].map((one) => one.byPath('/passthrough'));
    expect.deepEqual(shape(found), shape(wanted, CONSUMED), 'the tree is as it was written, without what was for Xen');
    for (const node of tree.root.walk()) {
      const left = [...node.properties.keys()].filter((name) => CONSUMED.includes(name) || name === 'xen,passthrough');
      expect.deepEqual(left, [], `nothing of ${node.path} is for Xen`);
    }
    expect.deepEqual(
      shape(tree.byPath('/aliases')),
      shape(given.byPath('/aliases')),
      'aliases are as they were written',
    );
    expect.equal(tree.byPath('video0')?.path, `/passthrough/gpu@${HERE.toString(16)}`, 'an alias leads to the device');
    expect.equal(tree.byPath('/secret'), undefined, 'nothing else of the passthrough tree is there');

    expect.equal(tree.byPath('/gic'), undefined, 'the placeholder is gone');
    const controllers = [...tree.root.walk()].filter((node) => node.has('interrupt-controller'));
    expect.equal(controllers.length, 1, 'there is one interrupt controller');
    const gpu = tree.byPath('video0');
    const parent = gpu === undefined ? undefined : interruptParent(tree, gpu);
    expect.ok(parent !== undefined && parent === controllers[0], 'references to the placeholder are references to it');
    const root = interruptParent(tree, tree.root);
    expect.ok(root === parent, 'the rest of the tree refers to the same');
  },
);

check(ID, 'a domain drives its devices by what its tree says of them', ({ bench, expect }) => {
  const { severalStreams, withInterrupt, withoutInterrupt } = bench.devices.platform;
  const devices = [
    { device: severalStreams, guest: HERE },
    { device: withInterrupt, guest: THERE },
    { device: withoutInterrupt, guest: ELSEWHERE },
  ];
  const text = treeText(devices.map(({ device, guest }) => nodeText(bench, device, guest)).join('\n'));
  const d1 = created(expect, bench.create({ memory: MEMORY.memory, passthroughTree: treeOf(text) }));
  const d2 = created(expect, bench.create({ memory: MIB }));
  for (const { device, guest } of devices) {
    drives(expect, bench, d1, device, modelOf(bench, device), MEMORY.destination);
    lacksAllRegisters(expect, bench, d1, device);
    for (const place of places(bench, device, guest)) {
      uses(expect, bench, d1, place.guest + place.size - 4, place.machine + place.size - 4);
      cannotUse(expect, bench, d1, place.guest + place.size, 'beside the registers');
      cannotUse(expect, bench, d2, place.guest, 'registers of another domain');
    }
  }
});

check(ID, 'addresses and sizes have the cells that the parent of the node states, one or two', ({ bench, expect }) => {
  const { severalStreams } = bench.devices.platform;
  const one: Cells = { address: 1, size: 1 };
  const two: Cells = { address: 2, size: 2 };
  const mixed: Cells = { address: 1, size: 2 };
  const other: Cells = { address: 2, size: 1 };
  for (const [cells, root, bus] of [
    [one, two, undefined],
    [two, one, undefined],
    [mixed, other, undefined],
    [other, mixed, undefined],
    [two, two, mixed],
  ] as const) {
    const node = nodeText(bench, severalStreams, HERE, { cells: bus ?? cells });
    const counts = bus === undefined ? '' : `#address-cells = <${bus.address}>; #size-cells = <${bus.size}>;`;
    const nodes = bus === undefined ? node : `bus { compatible = "simple-bus"; ranges; ${counts} ${node} };`;
    const passthroughTree = treeOf(treeText(nodes, { cells, root }));
    const d1 = created(expect, bench.create({ memory: 16 * PAGE, passthroughTree }));
    const seen = bench.guestTree(d1).compatible(modelOf(bench, severalStreams))[0];
    const regions = places(bench, severalStreams, HERE);
    expect.equal(regions.length > 1, true, 'the device has several regions');
    for (const [index, { machine, size, guest }] of regions.entries()) {
      const found = seen === undefined ? undefined : regionsSeen(seen)[index];
      expect.deepEqual(found, { address: guest, size }, 'the tree says where the registers are');
      uses(expect, bench, d1, guest + size - 4, machine + size - 4);
    }
    expect.equal(bench.destroy(d1), 0, 'the domain makes room for the next');
    bench.ledger.forget(d1);
  }
});

check(ID, 'interrupts are those of the node of the host, whatever the passthrough tree says', ({ bench, expect }) => {
  const { severalStreams, withInterrupt } = bench.devices.platform;
  const foreign = bench.hostTree.byPath(withInterrupt.path)?.cells('interrupts') ?? [];
  const text = treeText(nodeText(bench, severalStreams, HERE)).replace(
    /interrupts = <[^>]*>/,
    `interrupts = <${foreign.join(' ')}>`,
  );
  const d1 = created(expect, bench.create({ memory: MIB, passthroughTree: treeOf(text) }));
  const node = bench.guestTree(d1).compatible(modelOf(bench, severalStreams))[0];
  expect.deepEqual([...(node?.cells('interrupts') ?? [])], [...foreign], 'the domain finds what was written');
  takesInterrupts(expect, bench, d1, severalStreams);
  takesNoInterrupts(expect, bench, d1, withInterrupt);
  // The interrupt that the tree names is free for the domain that gets its device.
  const d2 = created(expect, bench.create({ memory: MIB, devices: [withInterrupt] }));
  takesInterrupts(expect, bench, d2, withInterrupt);
  takesNoInterrupts(expect, bench, d1, withInterrupt);
});

check(ID, 'registers alone need no node of the host if their assignment is forced', ({ bench, expect }) => {
  const { two } = bench.devices.registers;
  const { withoutDma } = bench.devices.platform;
  const reg = `0x0 0x${HERE.toString(16)} 0x0 0x${two.size.toString(16)}`;
  const plain = `plain@b000000 { compatible = "vendor,plain"; reg = <${reg}>;
    xen,reg = <0x0 0x${two.address.toString(16)} 0x0 0x${two.size.toString(16)} 0x0 0x${HERE.toString(16)}>;
    xen,force-assign-without-iommu; };`;
  const text = treeText(`${plain} ${nodeText(bench, withoutDma, THERE)}`);
  const d1 = created(expect, bench.create({ memory: MIB, passthroughTree: treeOf(text) }));
  const tree = bench.guestTree(d1);
  const [node] = tree.compatible('vendor,plain');
  const [region] = node === undefined ? [] : regionsSeen(node);
  expect.deepEqual(region, { address: HERE, size: two.size }, 'the tree says where the registers are');
  for (const offset of [0, two.size - 4]) uses(expect, bench, d1, HERE + offset, two.address + offset);
  cannotUse(expect, bench, d1, HERE + two.size, 'beside the registers');
  takesInterrupts(expect, bench, d1, withoutDma);
});
