import t from 'tap';
import {
  blobOf,
  bootState,
  chosenBoard,
  MODULE,
  oneNode,
  partialDts,
  stand,
  TWO,
  treeOf,
} from './dom0less.test-support.js';

const module = (address: number) =>
  `module@${address.toString(16)} { compatible = "multiboot,device-tree", "multiboot,module"; reg = <0 ${address} 0 0x10000>; };`;
const domain = (name: string, text: string) =>
  `${name} { compatible = "xen,domain"; #address-cells = <2>; #size-cells = <2>; memory = <0 0x1000>; ${text} };`;

t.test('domains of /chosen are there when boot is over, in order, after the hardware domain', async (t) => {
  const made = stand();
  made.devices.set(TWO.path, { interrupts: [72], isProtected: true });
  const board = chosenBoard(
    `${domain(
      'first',
      `cpus = <2>; vpl011; ${module(MODULE)} kernel { compatible = "multiboot,kernel", "multiboot,module"; reg = <0 0x61000000 0 0x1000>; };`,
    )}other { compatible = "something"; }; ${domain('second', '')}`,
    { two: 'xen,passthrough;' },
  );
  const state = bootState(
    made.steps,
    board,
    new Map([[MODULE, blobOf(partialDts(oneNode(`xen,path = "${TWO.path}";`)))]]),
  );
  t.same(
    state.hypervisor
      .claims()
      .map(({ domid, devices }) => (domid === 0 ? [0] : [domid, ...devices.filter((name) => name.startsWith('/'))])),
    [[0], [1, TWO.path], [2], [0x7ff1]],
  );
  t.same(
    state.hypervisor.console.filter((line) => /chosen/.test(line)),
    [
      '(XEN) domain configuration: /chosen/first: vpl011: ignored, there is no virtual serial port',
      '(XEN) /chosen/first is d1',
      '(XEN) /chosen/second is d2',
    ],
  );
  t.equal(state.xen.domains.get(1)?.vcpus.length, 2);
  const { fdt } = state.xen.domains.get(1) ?? {};
  t.equal(fdt?.address, 0x403f_f000, 'the last page of 4 MiB at 0x40000000');
  t.same(state.hypervisor.deviceTree(1), fdt);
  t.ok(treeOf(state, 1).byPath('/passthrough/dev@0'));
  t.notOk(state.xen.heap.isFree((MODULE / 4096) as never, 1), "the modules' memory is nobody's");
  t.notOk(state.xen.heap.isFree(0x61000 as never, 1));
});

t.test('one that cannot be created is told of, and the next is', async (t) => {
  const made = stand();
  const chosen = [
    domain('bad', module(MODULE)),
    domain('worse', 'direct-map;'),
    `none { compatible = "xen,domain"; };`,
    domain('good', ''),
  ].join('\n');
  const state = bootState(
    made.steps,
    chosenBoard(chosen),
    new Map([[MODULE, blobOf(partialDts(oneNode('xen,path = "/no";')))]]),
  );
  t.same(state.hypervisor.console.slice(-11, -1), [
    '(XEN) domain configuration: /passthrough/dev@0: xen,path: the host has no device /no (-22)',
    '(XEN) d1: creation failed (-22)',
    '(XEN) d1 destroyed',
    '(XEN) /chosen/bad: no domain (-22)',
    '(XEN) domain configuration: /chosen/worse: direct-map: there is no xen,static-mem (-22)',
    '(XEN) /chosen/worse: no domain (-22)',
    '(XEN) domain configuration: /chosen/none: memory: missing, or no whole pages (-22)',
    '(XEN) /chosen/none: no domain (-22)',
    '(XEN) d2: 4096 KiB, 1 vCPUs, 0 devices',
    '(XEN) /chosen/good is d2',
  ]);
  t.match(
    state.hypervisor.claims().map(({ domid }) => domid),
    [0, 2, 0x7ff1],
  );
});
