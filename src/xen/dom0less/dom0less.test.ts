import fc from 'fast-check';
import t from 'tap';
import { decodeFdt, encodeFdt } from '../../firmware/fdt.js';
import { cellBytes, stringBytes } from '../../firmware/tree.js';
import { pa } from '../../hw/address.js';
import { xenSteps } from '../steps.js';
import { domctl } from '../xen.test-support.js';
import {
  blobOf,
  bootState,
  chosenBoard,
  create,
  domainDts,
  MODULE,
  partialDts,
  type State,
  treeOf,
} from './dom0less.test-support.js';

const GPU = '/soc@a000000/gpu@10000';
const MMC = '/soc@a000000/mmc@40000';
const CRYPTO = '/soc@a000000/crypto@80000';
const RAM = 0x4000_0000;
const EBUSY = -16;
const EINVAL = -22;

const gpu = `gpu@23000000 { compatible = "tracewright,gpu"; interrupts = <0 32 4>, <0 33 4>; interrupt-parent = <65000>;
  reg = <0 0x23000000 0 0x10000 0 0x24000000 0 0x1000>;
  xen,reg = <0 0x0a010000 0 0x10000 0 0x23000000>, <0 0x0a030000 0 0x1000 0 0x24000000>; xen,path = "${GPU}"; };`;
const mmc = `mmc@25000000 { compatible = "tracewright,mmc"; xen,reg = <0 0x0a040000 0 0x1000 0 0x25000000>; xen,path = "${MMC}"; };`;
const crypto = `crypto@0 { xen,reg = <0 0x0a080000 0 0x1000 0 0x0a080000>; xen,path = "${CRYPTO}"; xen,force-assign-without-iommu; };`;

/** Whether a DMA write of a device reaches memory. */
const writes = ({ machine }: State, path: string, address: number): boolean =>
  machine.endpoints.dma(path, { write: true, hi: 0, lo: address, data: Uint8Array.of(0x5a) }).ok;

const owner = ({ hypervisor }: State, path: string): number | undefined =>
  hypervisor.claims().find(({ devices }) => devices.includes(path))?.domid;

/** What a failed creation may not change. */
function footprint({ xen, hypervisor, machine }: State): string {
  return JSON.stringify([
    hypervisor.claims(),
    xen.heap.free,
    xen.vmids.inUse,
    xen.iommus.map((iommu) => ('vmids' in iommu ? (iommu as { vmids: { inUse: number } }).vmids.inUse : 0)),
    [...xen.irqs.values()]
      .map(({ irq, owner: whose, domain, users }) => [irq, whose, domain?.domid, users])
      .filter(([, whose]) => whose !== 'none'),
    [...xen.domains.values()].map(({ domid, iomem, irqs }) => [domid, iomem.runs, irqs.runs]),
    // GICD_ISENABLER1 and 2: SPIs 32 to 95 (Arm IHI 0069, 12.9.7).
    [0x104, 0x108].map((offset) => machine.mmio.read(pa(0x0800_0000 + offset), 4)),
  ]);
}

t.test(
  'a domain of /chosen has its device when boot is over: registers, DMA, interrupts, and nobody else has',
  async (t) => {
    const chosen = (
      name: string,
      address: number,
    ) => `${name} { compatible = "xen,domain"; #address-cells = <2>; #size-cells = <2>;
    memory = <0 0x1000>; m { compatible = "multiboot,device-tree", "multiboot,module"; reg = <0 ${address} 0 0x1000>; }; };`;
    const modules = new Map([
      [MODULE, blobOf(partialDts(gpu))],
      [MODULE + 0x1000, blobOf(partialDts(mmc))],
      [MODULE + 0x2000, blobOf(partialDts(gpu))],
    ]);
    const board = chosenBoard(chosen('a', MODULE) + chosen('b', MODULE + 0x1000) + chosen('c', MODULE + 0x2000));
    const state = bootState(xenSteps(), board, modules);
    const { hypervisor, machine, xen } = state;
    t.equal(owner(state, GPU), 1);
    t.equal(owner(state, MMC), 2);
    t.ok(hypervisor.console.includes('(XEN) /chosen/c: no domain (-16)'));
    t.same([...xen.domains.keys()], [0, 1, 2]);

    t.ok(writes(state, GPU, RAM + 0x2000));
    const run = hypervisor.claims()[1]?.ram[0];
    t.equal(machine.memory.peek(pa(((run?.mfn ?? 0) + 2) * 4096), 1)[0], 0x5a, 'through the stage 2 of its domain');
    t.notOk(writes(state, GPU, RAM + 0x40_0000), 'the frame behind its memory');
    const load = (domid: number, lo: number) => {
      const cpu = hypervisor.schedule({ domid, vcpu: 0 }) ?? -1;
      return machine.cpus.guest(cpu, { kind: 'load', hi: 0, lo, width: 4 });
    };
    t.match(load(1, 0x2300_0000), { ok: true, lo: 0x3144_5754 }, 'the identification register of its engine');
    t.ok(load(1, 0x2400_0000).ok);
    for (const address of [0x22ff_f000, 0x2301_0000, 0x2400_1000, 0x2500_0000]) t.notOk(load(1, address).ok);
    t.notOk(load(2, 0x2300_0000).ok);
    t.ok(load(2, 0x2500_0000).ok);
    t.same(
      [...xen.irqs.values()]
        .filter(({ owner: whose }) => whose === 'guest')
        .map(({ irq, domain }) => [irq, domain?.domid]),
      [
        [64, 1],
        [65, 1],
        [66, 2],
      ],
    );
    t.equal(treeOf(state, 0).byPath(GPU), undefined, 'the hardware domain does not know of it');
  },
);

t.test('a creation that fails leaves everything as it was, and succeeds without the mistake', async (t) => {
  const state = bootState(xenSteps(), chosenBoard(''));
  t.match(create(state, partialDts(mmc)), { domid: 1 });
  const before = footprint(state);
  const wrong: [string, number][] = [
    [gpu + mmc, EBUSY],
    [gpu + mmc.replace(MMC, '/nothing').replaceAll('0x0a040000', '0x0a081000'), EINVAL],
    [
      gpu +
        gpu
          .replace('gpu@23000000', 'again')
          .replaceAll('0x23000000', '0x26000000')
          .replaceAll('0x24000000', '0x27000000'),
      EBUSY,
    ],
    [gpu + crypto, EINVAL],
  ];
  for (const [nodes, error] of wrong) {
    t.same(create(state, partialDts(nodes)), { error });
    t.equal(footprint(state), before);
    t.notOk(writes(state, GPU, RAM + 0x2000), 'the device aborts');
    t.ok(writes(state, MMC, RAM + 0x2000), 'the other domain keeps its own');
  }
  const result = create(state, partialDts(gpu));
  t.match(result, { domid: Number });
  t.ok(writes(state, GPU, RAM + 0x2000));
  t.equal(domctl({ machine: state.machine, xen: state.hypervisor } as never, 2, state.xen.lastDomid, []), 0);
  t.notOk(writes(state, GPU, RAM + 0x2000));
  t.equal(footprint(state), before, 'as does its destruction');
});

t.test('a device without an IOMMU reaches the frames of its direct-mapped domain by their own numbers', async (t) => {
  const state = bootState(xenSteps(), chosenBoard(''));
  t.same(create(state, partialDts(crypto)), { error: EINVAL });
  const direct = domainDts('direct-map; xen,static-mem = <0 0x70000000 0 0x400000>;');
  t.match(create(state, partialDts(crypto), direct), { domid: Number });
  t.ok(writes(state, CRYPTO, 0x7000_3000));
  const cpu = state.hypervisor.schedule({ domid: state.xen.lastDomid, vcpu: 0 }) ?? -1;
  t.match(state.machine.cpus.guest(cpu, { kind: 'load', hi: 0, lo: 0x7000_3000, width: 1 }), { ok: true, lo: 0x5a });
  t.ok(
    state.machine.cpus.guest(cpu, { kind: 'load', hi: 0, lo: 0x0800_0000, width: 4 }).ok,
    "GICD_CTLR at the machine's address",
  );
});

t.test('registers without a path are no way to a device that makes requests', async (t) => {
  const state = bootState(xenSteps(), chosenBoard(''));
  const pathless = (machine: string) =>
    partialDts(`r { xen,reg = <0 ${machine} 0 0x1000 0 0x23000000>; xen,force-assign-without-iommu; };`);
  const before = footprint(state);
  t.same(create(state, pathless('0x0a080000')), { error: EINVAL }, 'behind no IOMMU');
  t.same(create(state, pathless('0x0a050000')), { error: EBUSY }, "the hardware domain's");
  t.equal(footprint(state), before);
  t.match(create(state, pathless('0x0a091000')), { domid: Number }, 'one that makes none');
  t.same(create(state, pathless('0x0a091000')), { error: EBUSY }, 'once');
  const direct = domainDts('direct-map; xen,static-mem = <0 0x70000000 0 0x400000>;');
  t.match(create(state, pathless('0x0a080000'), direct), { domid: Number });
});

t.test("a device that nobody reserved is the hardware domain's", async (t) => {
  const state = bootState(xenSteps(), chosenBoard(''));
  const ethernet = 'e { xen,reg = <0 0x0a050000 0 0x4000 0 0x23000000>; xen,path = "/soc@a000000/ethernet@50000"; };';
  const before = footprint(state);
  t.same(create(state, partialDts(ethernet)), { error: EBUSY });
  t.match(
    state.hypervisor.console.filter((line) => line.includes('configuration')).at(-1),
    /\/passthrough\/e: xen,path: .* is d0's/,
  );
  t.equal(footprint(state), before);
});

t.test('registers that Xen emulates are not mapped over', async (t) => {
  const state = bootState(xenSteps(), chosenBoard(''));
  // Distributor, redistributor, translation service and its doorbell, configuration space.
  for (const guest of ['0x03001000', '0x03010000', '0x03020000', '0x04080000', '0x04090000', '0x10000000']) {
    t.same(create(state, partialDts(mmc.replaceAll('0x25000000', guest))), { error: -14 }, `EFAULT: ${guest}`);
  }
});

t.test(
  'whatever stands in a module or a configuration, it makes a domain or an error, and nothing is left',
  async (t) => {
    const state = bootState(xenSteps(), chosenBoard(''));
    const partial = blobOf(
      partialDts(gpu + mmc, {
        top: 'aliases { gpu = "/passthrough/gpu@23000000"; }; gic { phandle = <5>; };',
        bus: 'xen,pci-assigned = <8>;',
      }).replaceAll('<65000>', '<5>'),
    );
    const configuration = blobOf(domainDts('cpus = <2>; xen,static-mem = <0 0x70000000 0 0x400000>; direct-map;'));
    const before = footprint(state);
    const changes = (length: number) => fc.array(fc.tuple(fc.nat(length - 1), fc.nat(255)), { maxLength: 2 });
    const altered = (bytes: Uint8Array, list: readonly (readonly [number, number])[], length: number | null) => {
      const copy = bytes.slice(0, length ?? bytes.length);
      for (const [at, value] of list) if (at < copy.length) copy[at] = value;
      return copy;
    };
    let created = 0;
    fc.assert(
      fc.property(
        changes(partial.length),
        changes(configuration.length),
        fc.option(fc.nat(partial.length), { freq: 9, nil: null }),
        (inTree, inConfiguration, length) => {
          const module = new Uint8Array(partial.length);
          module.set(altered(partial, inTree, length));
          state.machine.memory.poke(pa(MODULE), module);
          const result = state.hypervisor.createDomain(altered(configuration, inConfiguration, null));
          if ('error' in result) return result.error < 0 && footprint(state) === before;
          created++;
          const domain = state.xen.domains.get(result.domid);
          return (
            domain !== undefined &&
            state.xen.steps.domain.destroy(state.xen, domain) === 0 &&
            footprint(state) === before
          );
        },
      ),
      { seed: 31, numRuns: 250 },
    );
    t.ok(created > 5, `${created} of them were domains`);
  },
);

t.test('whatever a property says, it makes a domain or an error that names it, and nothing is left', async (t) => {
  const state = bootState(xenSteps(), chosenBoard(''));
  const text = partialDts(`${gpu} bus { #address-cells = <2>; #size-cells = <2>; ${mmc} };`, {
    bus: 'xen,pci-assigned = <8>;',
  });
  const before = footprint(state);
  const names = [
    'xen,reg',
    'xen,path',
    '#address-cells',
    '#size-cells',
    'compatible',
    'ranges',
    'xen,pci-assigned',
    'phandle',
    'interrupt-parent',
  ];
  const bytes = fc.oneof(
    fc.constant(undefined),
    fc.uint8Array({ maxLength: 40 }),
    fc
      .array(fc.constantFrom(0, 1, 2, 3, 8, 0x0a04_0000, 0x1000, 0x4000_0000, 0xffff_ffff), { maxLength: 9 })
      .map((cells) => cellBytes(...cells)),
    fc.constantFrom(GPU, MMC, CRYPTO, '/', '').map((path) => stringBytes(path)),
  );
  const codes = new Set<number>();
  fc.assert(
    fc.property(
      fc.array(fc.tuple(fc.nat(3), fc.constantFrom(...names), bytes), { minLength: 1, maxLength: 2 }),
      (changes) => {
        const tree = decodeFdt(blobOf(text));
        const nodes = [...(tree.byPath('/passthrough')?.walk() ?? [])];
        for (const [index, name, value] of changes) {
          if (value === undefined) nodes[index]?.properties.delete(name);
          else nodes[index]?.properties.set(name, value);
        }
        const result = create(state, encodeFdt(tree));
        const domain = 'domid' in result ? state.xen.domains.get(result.domid) : undefined;
        codes.add('error' in result ? result.error : 0);
        if (domain !== undefined) state.xen.steps.domain.destroy(state.xen, domain);
        const said = state.hypervisor.console.some((line) => /configuration: \/passthrough.*: [a-z#,-]+: /.test(line));
        return footprint(state) === before && (domain !== undefined || said);
      },
    ),
    { seed: 32, numRuns: 200 },
  );
  for (const code of [0, EINVAL, EBUSY]) t.ok(codes.has(code), `${code}`);
});

t.test('ten thousand nodes are taken, or refused for want of memory', async (t) => {
  const state = bootState(xenSteps(), chosenBoard(''));
  const nodes = Array.from({ length: 10_000 }, (_, i) => `n${i} { a = <${i}>; };`).join(' ');
  const start = performance.now();
  t.match(create(state, partialDts(nodes)), { domid: Number });
  t.ok(performance.now() - start < 5000);
  t.same(create(state, partialDts(nodes), domainDts('memory = <0 128>;')), { error: -12 });
});
