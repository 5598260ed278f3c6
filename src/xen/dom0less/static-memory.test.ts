import t from 'tap';
import { pa } from '../../hw/address.js';
import { blobOf, bootState, chosenBoard, footprint, type State, stand } from './dom0less.test-support.js';

const ENOMEM = -12;
const EINVAL = -22;

const config = (properties: string): string => `/ {
  compatible = "xen,domain"; #address-cells = <2>; #size-cells = <2>; ${properties}
};`;
const ram = ({ xen }: State, domid: number) => xen.domains.get(domid)?.ram;

t.test('a direct-mapped domain has every page of every bank where the machine has it', async (t) => {
  const { steps } = stand();
  const state = bootState(steps, chosenBoard(''));
  const { xen, hypervisor } = state;
  const free = xen.heap.free;
  const banks = '<0 0x70000000 0 0x200000>, <0x8 0x90000000 0 0x1000>, <0 0x70201000 0 0x1000>';
  t.match(hypervisor.createDomain(blobOf(config(`memory = <0 2056>; direct-map; xen,static-mem = ${banks};`))), {
    domid: 1,
  });
  const domain = xen.domains.get(1);
  t.equal(domain?.directMapped, true);
  t.same(ram(state, 1), [
    { gfn: 0x70000, mfn: 0x70000, count: 512 },
    { gfn: 0x890000, mfn: 0x890000, count: 1 },
    { gfn: 0x70201, mfn: 0x70201, count: 1 },
  ]);
  for (const frame of [0x70000, 0x70137, 0x701ff, 0x70201, 0x890000]) {
    const mapping = domain?.p2m && xen.steps.p2m.lookup(xen, domain.p2m, frame as never);
    t.match(mapping, { mfn: frame, type: 'ram_rw' });
  }
  for (const frame of [0x6ffff, 0x70200, 0x70202, 0x88ffff, 0x890001]) {
    t.equal(domain?.p2m && xen.steps.p2m.lookup(xen, domain.p2m, frame as never), undefined, frame.toString(16));
  }
  t.equal(domain?.fdt?.address, 0x701f_f000, 'the tree is at the end of the lowest bank');
  t.equal(state.machine.memory.load(pa(0x701f_f000), 4), 0xedfe_0dd0, 'in the machine too');
  t.equal(domain && xen.steps.domain.destroy(xen, domain), 0);
  t.equal(xen.heap.free, free, 'all of it is free again');
});

t.test('without direct-map the banks are at the usual addresses, one behind the other', async (t) => {
  const { steps } = stand();
  const state = bootState(steps, chosenBoard(''));
  const banks = '<0x8 0x90000000 0 0x200000>, <0 0x70000000 0 0x1000>';
  const cells = '#xen,static-mem-address-cells = <2>; #xen,static-mem-size-cells = <2>;';
  const other = cells + config(`memory = <0 2052>; xen,static-mem = ${banks};`).replace(/^\/ \{/, '');
  t.match(state.hypervisor.createDomain(blobOf(`/ { ${other}`)), { domid: 1 });
  t.same(ram(state, 1), [
    { gfn: 0x40000, mfn: 0x890000, count: 512 },
    { gfn: 0x40200, mfn: 0x70000, count: 1 },
  ]);
  t.equal(state.xen.domains.get(1)?.directMapped, false);
});

t.test('cells are those for static memory, else those around the node', async (t) => {
  const own =
    '#xen,static-mem-address-cells = <1>; #xen,static-mem-size-cells = <1>; xen,static-mem = <0x70000000 0x1000>;';
  const around = 'xen,static-mem = <0 0x71000000 0 0x1000>;';
  const domain = (name: string, text: string) =>
    `${name} { compatible = "xen,domain"; #address-cells = <1>; #size-cells = <1>; memory = <4>; direct-map; ${text} };`;
  const { steps } = stand();
  const state = bootState(steps, chosenBoard(domain('one', own) + domain('two', around)));
  t.equal(ram(state, 1)?.[0]?.mfn, 0x70000);
  t.equal(ram(state, 2)?.[0]?.mfn, 0x71000);
});

t.test('what cannot be static memory is refused', async (t) => {
  const made = stand();
  const state = bootState(made.steps, chosenBoard(''));
  const hardware = ((state.xen.domains.get(0)?.ram[0]?.mfn ?? 0) * 4096).toString(16);
  const wrong: [string, number, RegExp][] = [
    ['memory = <0 4>; direct-map;', EINVAL, /\/: direct-map: there is no xen,static-mem/],
    [
      'memory = <0 8>; xen,static-mem = <0 0x70000000 0 0x1000>;',
      EINVAL,
      /\/: xen,static-mem: 1 pages, and memory says 2/,
    ],
    ['memory = <0 4>; xen,static-mem = <0 0x70000000 0 0x2000>;', EINVAL, /\/: xen,static-mem: 2 pages/],
    ['memory = <0 4>; xen,static-mem;', EINVAL, /\/: xen,static-mem: 0 pages/],
    ['memory = <0 4>; xen,static-mem = <0 0x0a000000 0 0x1000>;', EINVAL, /\/: xen,static-mem: .* is no RAM/],
    ['memory = <0 8>; xen,static-mem = <0 0xbffff000 0 0x2000>;', EINVAL, /is no RAM/],
    ['memory = <0 4>; xen,static-mem = <0 0x70000800 0 0x1000>;', EINVAL, /0x70000800 is no page/],
    ['memory = <0 4>; xen,static-mem = <0 0x70000000 0x1000>;', EINVAL, /xen,static-mem: 3 cells/],
    ['memory = <0 16>; xen,static-mem = <0 0x70000000 0 0x2000>, <0 0x70001000 0 0x2000>;', EINVAL, /overlaps another/],
    [`memory = <0 4>; xen,static-mem = <0 0x${hardware} 0 0x1000>;`, ENOMEM, /\/: memory: /],
    ['memory = <0 4>; xen,static-mem = <0 0x48000000 0 0x1000>;', ENOMEM, /\/: memory: /],
  ];
  const before = footprint(state, made);
  for (const [properties, error, message] of wrong) {
    t.same(state.hypervisor.createDomain(blobOf(config(properties))), { error }, properties);
    t.match(state.hypervisor.console.at(-1), message);
    t.equal(footprint(state, made), before);
  }
  const good = config('memory = <0 4>; xen,static-mem = <0 0x70000000 0 0x1000>;');
  t.match(state.hypervisor.createDomain(blobOf(good)), { domid: 1 });
  t.same(state.hypervisor.createDomain(blobOf(good)), { error: ENOMEM }, 'it is taken');
});

t.test('banks of domains of /chosen are kept for them', async (t) => {
  const { steps } = stand();
  // Where the hardware domain would have its RAM.
  const board = chosenBoard(`late { compatible = "xen,domain"; memory = <0 0x1000>; direct-map;
    #xen,static-mem-address-cells = <1>; #xen,static-mem-size-cells = <1>; xen,static-mem = <0x40000000 0x400000>; };`);
  const state = bootState(steps, board);
  t.same(ram(state, 1), [{ gfn: 0x40000, mfn: 0x40000, count: 1024 }]);
  t.ok((ram(state, 0)?.[0]?.mfn ?? 0) >= 0x40400);
});

t.test('memory is not where Xen emulates something', async (t) => {
  const made = stand();
  // As if the bridge of the guest were at the second bank.
  const isEmulated: typeof made.steps.domain.isEmulated = (_xen, _domain, first, count) =>
    first <= 0x70000 && 0x70000 < first + count;
  const state = bootState({ ...made.steps, domain: { ...made.steps.domain, isEmulated } }, chosenBoard(''));
  const before = footprint(state, made);
  const banks = (second: string) =>
    config(`memory = <0 8>; direct-map; xen,static-mem = <0 0x60000000 0 0x1000>, <0 ${second} 0 0x1000>;`);
  t.same(state.hypervisor.createDomain(blobOf(banks('0x70000000'))), { error: EINVAL });
  t.ok(state.hypervisor.console.some((line) => line.includes('/: memory: d1 cannot have it (-22)')));
  t.equal(footprint(state, made), before);
  t.match(state.hypervisor.createDomain(blobOf(banks('0x70001000'))), { domid: 2 });
});
