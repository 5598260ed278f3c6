import t from 'tap';
import { type XenSteps, xenSteps } from '../steps.js';
import { blobOf, bootState, chosenBoard, create, domainDts, MODULE, partialDts } from './dom0less.test-support.js';

type Step = (...args: unknown[]) => unknown;

t.test('every step is reached through the tables: none is dead, none is called past them', async (t) => {
  const steps = xenSteps();
  const reached = new Set<string>();
  const watch = <Table extends object>(table: Table): Table => {
    const entries = Object.entries(table as Record<string, Step>).map(([name, step]) => [
      name,
      (...args: unknown[]) => {
        reached.add(name);
        return step(...args);
      },
    ]);
    return Object.fromEntries(entries) as Table;
  };
  const watched: XenSteps = { ...steps, dom0less: watch(steps.dom0less) };
  const crypto = `c { xen,reg = <0 0x0a080000 0 0x1000 0 0x0a080000>; xen,path = "/soc@a000000/crypto@80000"; FORCE };
    r { xen,reg = <0 0x0a000000 0 0x1000 0 0x0a000000>; FORCE };`;
  const forced = partialDts(crypto.replaceAll('FORCE', 'xen,force-assign-without-iommu;'));
  const chosen = `d { compatible = "xen,domain"; #address-cells = <2>; #size-cells = <2>; memory = <0 0x1000>; direct-map;
    #xen,static-mem-address-cells = <1>; #xen,static-mem-size-cells = <1>; xen,static-mem = <0x70000000 0x400000>;
    m { compatible = "multiboot,device-tree", "multiboot,module"; reg = <0 ${MODULE} 0 0x10000>; }; };`;
  const state = bootState(watched, chosenBoard(chosen), new Map([[MODULE, blobOf(forced)]]));
  t.ok(state.hypervisor.console.includes('(XEN) /chosen/d is d1'));
  t.match(create(state, forced, domainDts()), { error: Number }, "it is the other one's");
  t.same(
    Object.keys(steps.dom0less).filter((name) => !reached.has(name)),
    [],
  );
});

t.test('a step that is replaced is replaced everywhere: a device behind no IOMMU for any domain', async (t) => {
  const steps = xenSteps();
  const nodes =
    'c { xen,reg = <0 0x0a080000 0 0x1000 0 0x23000000>; xen,path = "/soc@a000000/crypto@80000"; xen,force-assign-without-iommu; };';
  const tryWith = (dom0less: XenSteps['dom0less']) =>
    create(bootState({ ...steps, dom0less }, chosenBoard('')), partialDts(nodes));
  t.match(tryWith(steps.dom0less), { error: -22 });
  t.match(tryWith({ ...steps.dom0less, isDmaCapable: () => false }), { domid: 1 });
});
