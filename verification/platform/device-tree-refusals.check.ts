/** Assign platform device to domain: passthrough trees that say what cannot be, and what they leave behind: nothing. */
import type { Expect } from '../../src/check/index.js';
import { encodeFdt } from '../../src/firmware/fdt.js';
import { DeviceTree, stringBytes } from '../../src/firmware/tree.js';
import { created, hardwareDomainPage, MIB, nobodysPage } from '../arranging.js';
import { check } from '../bench.js';
import { cannotUse } from '../device-registers.js';
import { GUEST_RAM } from '../devices.js';
import { domainNode } from '../domain-blob.js';
import type { PassthroughBench } from '../passthrough-bench.js';
import type { MappedRegion } from '../passthrough-tree.js';
import {
  hasAllRegisters,
  lacksAllRegisters,
  reachesOnAllStreams,
  takesInterrupts,
  unreachableOnAllStreams,
  wanted,
} from './driving.js';
import { drives } from './guest-driver.js';
import { modelOf, nodeText, places, treeOf, treeText } from './partial-trees.js';

const ID = 'XenSwdgn~arm64_passthrough_assign_dt_dev_to_dom~1';

const PAGE = 0x1000;
const EPERM = -1;
const EFAULT = -14;
const EBUSY = -16;
const EINVAL = -22;
const [HERE, THERE] = [0x0b00_0000, 0x0c00_0000];

/** A mistake: what it is, what it makes of the text of a tree, and what Xen says. */
type Mistake = readonly [what: string, change: (text: string) => string, error: number];

const hex = (value: number): string => `0x${value.toString(16)}`;

/** Another value in the first triple of a tree's last `xen,reg`, each of two cells: 0 machine address, 1 size, 2 guest. */
function withNumber(index: 0 | 1 | 2, value: number): (text: string) => string {
  return (text) => {
    const at = text.lastIndexOf('xen,reg = <');
    const rest = text.slice(at).replace(/<([^>]*)>/, (_all, cells: string) => {
      const numbers = cells.trim().split(' ');
      numbers.splice(index * 2, 2, '0x0', hex(value));
      return `<${numbers.join(' ')}>`;
    });
    return text.slice(0, at) + rest;
  };
}

/** The same change in the last node of a tree alone. */
function inLast(pattern: RegExp, replacement: string): (text: string) => string {
  return (text) => {
    const at = text.lastIndexOf('compatible =');
    return text.slice(0, at) + text.slice(at).replace(pattern, replacement);
  };
}

/** Changes the first thing in a tree that fits: of `/passthrough` itself. */
const inBus = (pattern: RegExp, replacement: string) => (text: string) =>
  text.slice(0, text.indexOf('passthrough {')) +
  text.slice(text.indexOf('passthrough {')).replace(pattern, replacement);

/** A list of one region, of two cells each. */
function registers({ machine, size, guest }: MappedRegion): string {
  return `xen,reg = <${[machine, size, guest].map((value) => `0x0 ${hex(value)}`).join(' ')}>;`;
}

function mistakes(bench: PassthroughBench): readonly Mistake[] {
  const { severalStreams, withInterrupt, withoutInterrupt } = bench.devices.platform;
  const [region] = places(bench, severalStreams, HERE);
  const [other] = places(bench, withoutInterrupt, HERE);
  const [same] = places(bench, withInterrupt, HERE);
  if (region === undefined || other === undefined || same === undefined) throw new Error('the devices have registers');
  const ram = hardwareDomainPage(bench);
  return [
    ['neither a path nor force', inLast(/xen,path = [^;]*;/, ''), EINVAL],
    ['a path that names nothing', inLast(/xen,path = "([^"]*)"/, 'xen,path = "$10"'), EINVAL],
    ['a path of no device', inLast(/xen,path = "[^"]*"/, 'xen,path = "/chosen"'), EINVAL],
    ['an alias that there is not', inLast(/xen,path = "[^"]*"/, 'xen,path = "nothing"'), EINVAL],
    ['a path, and no registers', inLast(/xen,reg = [^;]*;/, ''), EINVAL],
    ['an empty list of registers', inLast(/xen,reg = [^;]*;/, 'xen,reg = <>;'), EINVAL],
    ['a list of registers that is cut short', inLast(/(xen,reg = <[^>]*) 0x[0-9a-f]+>/, '$1>'), EINVAL],
    ['a machine address within a page', withNumber(0, region.machine + 0x800), EINVAL],
    ['a size that is no whole page', withNumber(1, 0x1800), EINVAL],
    ['a size of nothing', withNumber(1, 0), EINVAL],
    ['a guest address within a page', withNumber(2, HERE + 0x10), EINVAL],
    ['addresses of no cells', inBus(/#address-cells = <\d>/, '#address-cells = <0>'), EINVAL],
    ['addresses of three cells', inBus(/#address-cells = <\d>/, '#address-cells = <3>'), EINVAL],
    ['sizes of no cells', inBus(/#size-cells = <\d>/, '#size-cells = <0>'), EINVAL],
    ['sizes of three cells', inBus(/#size-cells = <\d>/, '#size-cells = <3>'), EINVAL],
    ['registers of another device', inLast(/xen,reg = [^;]*;/, registers(other)), EINVAL],
    ['memory in place of registers', withNumber(0, ram), EPERM],
    ['registers of the IOMMU', withNumber(0, bench.iommus[0]?.base ?? 0), EPERM],
    ['registers where the domain has memory', withNumber(2, GUEST_RAM), EFAULT],
    ['registers where the domain has others', withNumber(2, THERE), EFAULT],
    [
      'the same device twice',
      inLast(/xen,reg = [^}]*;/, `${registers(same)} xen,path = "${withInterrupt.path}";`),
      EBUSY,
    ],
    ['a bus that is none', inBus(/compatible = "simple-bus";/, ''), EINVAL],
    ['a bus without ranges', inBus(/ranges;/, ''), EINVAL],
    ['a bus without cells', inBus(/#size-cells = <\d>;/, ''), EINVAL],
    ['a parent of interrupts that there is not', inLast(/reg = /, 'interrupt-parent = <77>; reg = '), EINVAL],
  ];
}

check(ID, 'a tree that says what cannot be makes no domain, and leaves nothing of one', ({ bench, expect }) => {
  const { severalStreams, withInterrupt, withoutDma } = bench.devices.platform;
  const d1 = created(expect, bench.create({ memory: MIB, passthrough: 'enabled' }));
  // The mistake is in the last node: what those before it ask for has been done when it is found.
  const before = [nodeText(bench, withoutDma, 0x0e00_0000), nodeText(bench, withInterrupt, THERE)];
  const text = treeText([...before, nodeText(bench, severalStreams, HERE)].join('\n'));
  // The same memory each time: it is free again only if nothing is left.
  const memory = 16 * PAGE;
  const staticMemory = [{ address: nobodysPage(bench), size: memory }];
  const create = (passthroughTree: DeviceTree) => bench.create({ memory, staticMemory, passthroughTree });
  const attempt = (tree: string) => create(treeOf(tree));
  for (const [what, change, error] of mistakes(bench)) {
    const wrong = change(text);
    expect.notEqual(wrong, text, `the tree has ${what}`);
    expect.deepEqual(attempt(wrong), { error }, `the error code for ${what}`);
    for (const device of [withInterrupt, severalStreams]) {
      expect.equal(bench.testAssign(d1, device), 0, `${device.path} is free after ${what}`);
      unreachableOnAllStreams(expect, bench, device, GUEST_RAM, `nobody has the device after ${what}`);
    }
  }
  const twice = treeOf(text);
  const phandle = twice.root.child('gic')?.require('phandle') ?? new Uint8Array(4);
  twice.root.child('passthrough')?.children.at(-1)?.properties.set('phandle', phandle);
  expect.deepEqual(create(twice), { error: EINVAL }, 'the error code for a phandle of two nodes');
  // Without any, the same creation succeeds.
  const d2 = created(expect, attempt(text));
  for (const device of [severalStreams, withInterrupt]) {
    drives(expect, bench, d2, device, modelOf(bench, device), GUEST_RAM + PAGE);
  }
  takesInterrupts(expect, bench, d2, withoutDma);
  // Now its devices are not to be had.
  const again = bench.create({ memory: MIB, passthroughTree: treeOf(text) });
  expect.deepEqual(again, { error: EBUSY }, 'the devices have a domain now: -EBUSY');
  expect.equal(bench.destroy(d2), 0, 'when it is gone');
  bench.ledger.forget(d2);
  const d3 = created(expect, attempt(text));
  drives(expect, bench, d3, severalStreams, modelOf(bench, severalStreams), GUEST_RAM + PAGE);
});

check(ID, 'a device that no IOMMU protects makes no domain unless its assignment is forced', ({ bench, expect }) => {
  const { withoutDma, severalStreams } = bench.devices.platform;
  const text = treeText(`${nodeText(bench, severalStreams, HERE)} ${nodeText(bench, withoutDma, THERE)}`);
  const unforced = text.replace('xen,force-assign-without-iommu;', '');
  const refused = bench.create({ memory: MIB, passthroughTree: treeOf(unforced) });
  expect.deepEqual(refused, { error: EINVAL }, 'nothing says that the device may go without an IOMMU: -EINVAL');
  unreachableOnAllStreams(expect, bench, severalStreams, GUEST_RAM, 'nobody has the device');
  const d1 = created(expect, bench.create({ memory: MIB, passthroughTree: treeOf(text) }));
  drives(expect, bench, d1, severalStreams, modelOf(bench, severalStreams), GUEST_RAM + PAGE);
  takesInterrupts(expect, bench, d1, withoutDma);
});

/** A domain whose module says of itself what `compatible` is, with the tree of a device in it. Returns its id. */
function withModule(expect: Expect, bench: PassthroughBench, compatible: readonly string[]): number {
  const { severalStreams } = bench.devices.platform;
  const module = bench.placeModule(encodeFdt(treeOf(treeText(nodeText(bench, severalStreams, HERE)))));
  const node = domainNode({ memory: MIB, passthrough: 'enabled' }, module);
  for (const child of node.children) {
    if (compatible.length === 0) child.properties.delete('compatible');
    else child.properties.set('compatible', stringBytes(...compatible));
  }
  return created(expect, bench.xen.createDomain(encodeFdt(new DeviceTree(node))));
}

check(ID, 'a module that is not said to be a device tree is none', ({ bench, expect }) => {
  const { severalStreams } = bench.devices.platform;
  for (const compatible of [
    [],
    ['multiboot,module'],
    ['multiboot,ramdisk', 'multiboot,module'],
    ['multiboot,device-tree'],
  ]) {
    const domid = withModule(expect, bench, compatible);
    expect.equal(bench.guestTree(domid).byPath('/passthrough'), undefined, 'the domain is told of no device');
    unreachableOnAllStreams(expect, bench, severalStreams, GUEST_RAM, 'nobody has the device');
    cannotUse(expect, bench, domid, HERE, 'registers of the device');
  }
  const d1 = withModule(expect, bench, ['multiboot,device-tree', 'multiboot,module']);
  drives(expect, bench, d1, severalStreams, modelOf(bench, severalStreams), GUEST_RAM + PAGE);
});

check(ID, 'a device of the hardware domain is not taken from it by a passthrough tree', ({ bench, expect }) => {
  const { severalStreams, hardwareDomains: device } = bench.devices.platform;
  const address = bench.ramOf(0).address + 0x10_0000;
  const platform = [severalStreams, device].map((one) => wanted(bench, one));
  expect.deepEqual(bench.create({ memory: MIB, platform }), { error: EBUSY }, 'the device has an owner: -EBUSY');
  reachesOnAllStreams(expect, bench, device, 0, address);
  unreachableOnAllStreams(expect, bench, severalStreams, GUEST_RAM, 'nobody has the device');

  expect.equal(bench.deassign(0, device), 0, 'the hardware domain gives it up');
  const d1 = created(expect, bench.create({ memory: MIB, platform }));
  for (const one of [severalStreams, device]) {
    reachesOnAllStreams(expect, bench, one, d1, GUEST_RAM);
    hasAllRegisters(expect, bench, d1, one);
    takesInterrupts(expect, bench, d1, one);
  }
  lacksAllRegisters(expect, bench, 0, severalStreams);
});
