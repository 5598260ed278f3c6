import t from 'tap';
import { decodeFdt, encodeFdt } from '../../firmware/fdt.js';
import {
  blobOf,
  bootState,
  chosenBoard,
  create,
  domainDts,
  oneNode,
  partialDts,
  stand,
} from './dom0less.test-support.js';
import { parsePassthroughTree } from './partial-tree.js';

const parse = (dts: string) => parsePassthroughTree(blobOf(dts));

t.test('nodes at any depth are found, with the cells of their parents', async (t) => {
  const tree = parse(
    partialDts(`
    a@0 { xen,reg = <0 0x0a000000 0 0x1000 1 0x23000000>, <0 0x0a002000 0 0x2000 0 0x24000000>; xen,path = "/soc/a"; };
    bus { #address-cells = <1>; #size-cells = <1>;
      inner { #address-cells = <1>; #size-cells = <2>;
        b { xen,reg = <0x0a004000 0 0x1000 0x25000000>; xen,force-assign-without-iommu; };
      };
      c { compatible = "nothing"; };
    };`),
  );
  t.same(tree.devices, [
    {
      node: '/passthrough/a@0',
      regions: [
        { mfn: 0x0a000, gfn: 0x123000, count: 1 },
        { mfn: 0x0a002, gfn: 0x24000, count: 2 },
      ],
      path: '/soc/a',
      force: false,
    },
    {
      node: '/passthrough/bus/inner/b',
      regions: [{ mfn: 0x0a004, gfn: 0x25000, count: 1 }],
      path: undefined,
      force: true,
    },
  ]);
});

t.test('a node that states no cells has 2 for addresses and 1 for sizes below it', async (t) => {
  const tree = parse(partialDts('bus { a { xen,reg = <0 0x0a000000 0x1000 0 0x23000000>; xen,path = "/a"; }; };'));
  t.same(tree.devices[0]?.regions, [{ mfn: 0x0a000, gfn: 0x23000, count: 1 }]);
});

t.test('only /gic, /aliases and /passthrough are looked at', async (t) => {
  const tree = parse(
    partialDts('', {
      top: `aliases { net = "/passthrough/a"; };
      gic: gic { #interrupt-cells = <3>; interrupt-controller; phandle = <7>; };
      clocks { xen,reg = <1>; xen,path = "/x"; };`,
    }),
  );
  t.same(tree.devices, []);
  t.equal(tree.gicPhandle, 7);
  t.same(
    tree.copied.map((node) => node.name),
    ['aliases', 'passthrough'],
  );
  t.equal(parse(partialDts('')).gicPhandle, 65000, 'GUEST_PHANDLE_GIC');
});

t.test('PCI functions are cells: segment << 16 | bus << 8 | devfn', async (t) => {
  const tree = parse(partialDts('', { bus: 'xen,pci-assigned = <0x00010010 0x00000528>;' }));
  t.same(tree.pci, [
    { segment: 1, bus: 0, device: 2, function: 0 },
    { segment: 0, bus: 5, device: 5, function: 0 },
  ]);
  t.notOk(tree.copied[0]?.has('xen,pci-assigned'));
});

const bus = (properties: string) => `/ { passthrough { ${properties} }; };`;
const MANDATORY = {
  compatible: 'compatible = "simple-bus";',
  ranges: 'ranges;',
  '#address-cells': '#address-cells = <2>;',
  '#size-cells': '#size-cells = <2>;',
};

t.test('what is wrong is said with its node and property', async (t) => {
  const { steps } = stand();
  const state = bootState(steps, chosenBoard(''));
  const wrong: [string, string, RegExp, number?][] = [
    ['path without reg', partialDts('a { xen,path = "/soc"; };'), /\/passthrough\/a: xen,path: there is no xen,reg/],
    ['reg without path and force', partialDts(oneNode()), /\/passthrough\/dev@0: xen,path: missing/],
    ['empty reg', partialDts('a { xen,reg; xen,path = "/soc"; };'), /a: xen,reg: is empty/],
    ['cut short', partialDts('a { xen,reg = <0 0xa000000 0 0x1000 0>; xen,path = "/x"; };'), /a: xen,reg: 5 cells/],
    ['odd bytes', partialDts('a { xen,reg = [00 11 22]; xen,path = "/x"; };'), /a: xen,reg: 3 bytes/],
    ['machine address', partialDts(oneNode('xen,path = "/x";', 0x0a00_0010)), /dev@0: xen,reg: 0xa000010 is no page/],
    [
      'guest address',
      partialDts(oneNode('xen,path = "/x";', 0x0a00_0000, 0x2300_0800)),
      /xen,reg: 0x23000800 is no page/,
    ],
    [
      'size',
      partialDts('a { xen,reg = <0 0xa000000 0 0x800 0 0x23000000>; xen,path = "/x"; };'),
      /xen,reg: 0x800 is no page/,
    ],
    [
      'size 0',
      partialDts('a { xen,reg = <0 0xa000000 0 0 0 0x23000000>; xen,path = "/x"; };'),
      /a: xen,reg: a size is 0/,
    ],
    [
      'beyond',
      partialDts('a { xen,reg = <0x100000 0 0 0x1000 0 0>; xen,path = "/x"; };'),
      /a: xen,reg: 0x10000000000000 is/,
    ],
    ['two paths', partialDts(oneNode('xen,path = "/x", "/y";')), /dev@0: xen,path: 2 strings/],
    [
      '0 cells',
      partialDts('b { #address-cells = <0>; #size-cells = <1>; a { xen,reg = <1 2>; xen,path = "/x"; }; };'),
      /b\/a: xen,reg: #address-cells is 0/,
    ],
    [
      '3 cells',
      partialDts('b { #address-cells = <3>; #size-cells = <1>; a { xen,reg = <1 2 3>; xen,path = "/x"; }; };'),
      /b\/a: xen,reg: #address-cells is 3/,
    ],
    [
      '3 size cells',
      partialDts('b { #address-cells = <1>; #size-cells = <3>; a { xen,reg = <1 2 3>; xen,path = "/x"; }; };'),
      /b\/a: xen,reg: #size-cells is 3/,
    ],
    [
      'interrupt-parent',
      partialDts('a { interrupt-parent = <9>; };'),
      /a: interrupt-parent: no node has the phandle 9/,
    ],
    ["Xen's phandle", partialDts('a { phandle = <65000>; };'), /a: phandle: 65000 is taken/],
    ...Object.keys(MANDATORY).map((left): [string, string, RegExp] => [
      `no ${left}`,
      bus(
        Object.entries(MANDATORY)
          .flatMap(([name, text]) => (name === left ? [] : [text]))
          .join(' '),
      ),
      new RegExp(`/passthrough: ${left}: `),
    ]),
  ];
  for (const [name, dts, message, error = -22] of wrong) {
    t.same(create(state, dts), { error }, name);
    t.match(state.hypervisor.console.at(-1), message);
    t.match(state.hypervisor.console.at(-1), /^\(XEN\) domain configuration: /);
  }
});

t.test('two nodes of one phandle are refused, one that is not copied does not count', async (t) => {
  const build = (name: string) => {
    const tree = decodeFdt(blobOf(partialDts('a { phandle = <9>; };', { top: 'clocks { };' })));
    tree.byPath(name)?.properties.set('phandle', Uint8Array.of(0, 0, 0, 9));
    return encodeFdt(tree);
  };
  t.throws(() => parsePassthroughTree(build('/passthrough')), { errno: 'EINVAL', message: /phandle: 9 is taken/ });
  t.equal(parsePassthroughTree(build('/clocks')).gicPhandle, 65000);
});

t.test('a module counts if it is compatible, lies in RAM, and is alone', async (t) => {
  const { steps } = stand();
  const state = bootState(steps, chosenBoard(''));
  const broken = partialDts('a { xen,path = "/soc"; };');
  const config = (module: string) =>
    `/ { compatible = "xen,domain"; #address-cells = <2>; #size-cells = <2>; memory = <0 0x1000>; ${module} };`;
  const device = '"multiboot,device-tree"';
  const ram = 'reg = <0 0x60000000 0 0x10000>;';
  const ignored = [
    `m { ${ram} };`,
    `m { compatible = ${device}; ${ram} };`,
    `m { compatible = "multiboot,module"; ${ram} };`,
    `m { compatible = "multiboot,kernel", "multiboot,module"; reg = <0 0 0 1>; };`,
  ];
  for (const module of ignored) t.match(create(state, broken, config(module)), { domid: Number }, module);
  const refused: [string, RegExp][] = [
    [`m { compatible = ${device}, "multiboot,module"; ${ram} };`, /a: xen,path/],
    [`m { compatible = ${device}, "multiboot,module"; };`, /\/m: reg: is not one entry/],
    [
      `m { compatible = ${device}, "multiboot,module"; reg = <0 0x60000000 0 0x1000>, <0 0 0 1>; };`,
      /\/m: reg: is not one/,
    ],
    [`m { compatible = ${device}, "multiboot,module"; reg = <0 0x09000000 0 0x1000>; };`, /\/m: reg: .* is no RAM/],
    [`m { compatible = ${device}, "multiboot,module"; reg = <0 0xbffff000 0 0x2000>; };`, /\/m: reg: .* is no RAM/],
    [`m { compatible = ${device}, "multiboot,module"; reg = <0 0x60000000 0 4>; };`, /\/m: reg: .* is no RAM/],
    [
      `m { compatible = ${device}, "multiboot,module"; reg = <0 0x60000000 0 0x20>; };`,
      /\/m: reg: there is no device tree/,
    ],
    [
      `m { compatible = ${device}, "multiboot,module"; reg = <0 0x70000000 0 0x1000>; };`,
      /\/m: reg: there is no device tree/,
    ],
    [
      `m { compatible = ${device}, "multiboot,module"; ${ram} }; n { compatible = ${device}, "multiboot,module"; ${ram} };`,
      /\/n: compatible: a domain has one/,
    ],
  ];
  for (const [module, message] of refused) {
    t.same(create(state, broken, config(module)), { error: -22 }, module);
    t.match(state.hypervisor.console.at(-1), message);
  }
  t.match(create(state, partialDts(''), domainDts('vpl011;')), { domid: Number });
  t.ok(state.hypervisor.console.some((line) => line.includes('/: vpl011: ignored')));
});
