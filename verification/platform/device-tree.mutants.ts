/** Mistakes in giving domains what their passthrough device trees ask for. */
import { decodeFdt, encodeFdt } from '../../src/firmware/fdt.js';
import { cellBytes, type DeviceNode, type DeviceTree, stringBytes } from '../../src/firmware/tree.js';
import { interruptOf } from '../../src/xen/irq/descriptor.js';
import type { XenSteps } from '../../src/xen/steps.js';
import { mutant } from '../bench.js';

const VIOLATES = { violates: ['XenSwdgn~arm64_passthrough_assign_dt_dev_to_dom~1'] };
const EINVAL = -22;

/** Xen as if a passthrough tree said something else than it does. */
function misreading(xen: XenSteps, change: (tree: DeviceTree) => void): XenSteps {
  return {
    ...xen,
    dom0less: {
      ...xen.dom0less,
      readModule: (state, module) => {
        const tree = decodeFdt(xen.dom0less.readModule(state, module));
        change(tree);
        return encodeFdt(tree);
      },
    },
  };
}

/** The nodes of a passthrough tree that ask for registers, each with the numbers of its triples. */
function asking(tree: DeviceTree): { node: DeviceNode; address: number; size: number; cells: readonly number[] }[] {
  return [...(tree.byPath('/passthrough')?.walk() ?? [])].flatMap((node) => {
    const cells = node.cells('xen,reg') ?? [];
    return cells.length === 0
      ? []
      : [{ node, address: node.parent?.addressCells ?? 2, size: node.parent?.sizeCells ?? 1, cells }];
  });
}

mutant('passthrough trees are copied, and nothing in them is assigned', VIOLATES, (xen) => ({
  ...xen,
  dom0less: { ...xen.dom0less, passThroughAll: () => 0 },
}));

mutant('registers have the cells of the root, not those of the parent of the node', VIOLATES, (xen) =>
  misreading(xen, (tree) => {
    const { addressCells, sizeCells } = tree.root;
    for (const { node, address, size, cells } of asking(tree)) {
      const numbers: number[] = [];
      const each = [addressCells, sizeCells, addressCells];
      for (let at = 0, part = 0; at < cells.length; at += each[part++ % 3] as number) numbers.push(cells[at] ?? 0);
      const width = [address, size, address];
      const out = numbers.flatMap((value, index) => (width[index % 3] === 2 ? [0, value] : [value]));
      node.properties.set('xen,reg', cellBytes(...out));
    }
  }),
);

mutant('only the last of several regions is mapped', VIOLATES, (xen) => ({
  ...xen,
  dom0less: {
    ...xen.dom0less,
    passThrough: (state, domain, wanted) =>
      xen.dom0less.passThrough(state, domain, { ...wanted, regions: wanted.regions.slice(-1) }),
  },
}));

mutant('interrupts are those of the passthrough tree', VIOLATES, (xen) => {
  let written: DeviceTree | undefined;
  return {
    ...xen,
    dom0less: {
      ...xen.dom0less,
      readModule: (state, module) => {
        const blob = xen.dom0less.readModule(state, module);
        written = decodeFdt(blob);
        return blob;
      },
      passThrough: (state, domain, wanted) => {
        const cells = written?.byPath(wanted.node)?.cells('interrupts') ?? [];
        const interrupts = Array.from({ length: cells.length / 3 }, (_, index) => interruptOf(cells.slice(index * 3)));
        const routeInterrupts: typeof xen.dom0less.routeInterrupts = (inner, owner, device) => {
          const own = interrupts.filter((one) => one !== undefined);
          return xen.dom0less.routeInterrupts(inner, owner, { ...device, interrupts: own });
        };
        const steps = { ...state.steps, dom0less: { ...state.steps.dom0less, routeInterrupts } };
        return xen.dom0less.passThrough({ ...state, steps }, domain, wanted);
      },
    },
  };
});

mutant('a creation that fails leaves everything as it is', VIOLATES, (xen) => ({
  ...xen,
  domain: { ...xen.domain, rollback: (state, domain) => void state.domains.delete(domain.domid) },
}));

mutant('a creation that fails leaves its interrupts routed', VIOLATES, (xen) => ({
  ...xen,
  domain: {
    ...xen.domain,
    rollback: (state, domain, owners) => {
      const dt = { ...state.steps.dt, releaseInterrupts: () => 0 };
      const irq = { ...state.steps.irq, releaseAll: () => 0 };
      xen.domain.rollback({ ...state, steps: { ...state.steps, dt, irq } }, domain, owners);
    },
  },
}));

mutant('a creation that fails leaves its devices with owners', VIOLATES, (xen) => ({
  ...xen,
  domain: {
    ...xen.domain,
    rollback: (state, domain, owners) => {
      const dt = { ...state.steps.dt, setOwner: () => {} };
      xen.domain.rollback({ ...state, steps: { ...state.steps, dt } }, domain, owners);
    },
  },
}));

mutant('a creation that fails keeps its memory', VIOLATES, (xen) => ({
  ...xen,
  domain: {
    ...xen.domain,
    rollback: (state, domain, owners) => {
      const steps = { ...state.steps, domain: { ...state.steps.domain, relinquishMemory: () => 0 } };
      xen.domain.rollback({ ...state, steps }, domain, owners);
    },
  },
}));

mutant('registers are mapped where the machine has them', VIOLATES, (xen) => ({
  ...xen,
  domain: {
    ...xen.domain,
    mapRegion: (state, domain, region) => {
      const gfn = region.mfn as number as typeof region.gfn;
      return xen.domain.mapRegion(state, domain, { ...region, gfn });
    },
  },
}));

mutant('a device needs no path to be assigned', VIOLATES, (xen) =>
  misreading(xen, (tree) => {
    for (const { node } of asking(tree)) {
      if (!node.has('xen,path')) node.properties.set('xen,force-assign-without-iommu', new Uint8Array(0));
    }
  }),
);

mutant('a path that names nothing is passed over', VIOLATES, (xen) => ({
  ...xen,
  dom0less: {
    ...xen.dom0less,
    passThrough: (state, domain, wanted) => {
      const unknown = wanted.path !== undefined && state.steps.dt.findDevice(state, wanted.path) === undefined;
      return xen.dom0less.passThrough(state, domain, unknown ? { ...wanted, path: undefined } : wanted);
    },
  },
}));

mutant('addresses within a page are rounded down', VIOLATES, (xen) =>
  misreading(xen, (tree) => {
    for (const { node, cells } of asking(tree)) {
      node.properties.set('xen,reg', cellBytes(...cells.map((cell) => (cell & ~0xfff) >>> 0)));
    }
  }),
);

mutant('a size that is no whole page is rounded up', VIOLATES, (xen) =>
  misreading(xen, (tree) => {
    for (const { node, address, size, cells } of asking(tree)) {
      const low = address + size - 1;
      const each = 2 * address + size;
      const out = cells.map((cell, at) => (at % each === low && cell === 0x1800 ? 0x2000 : cell));
      node.properties.set('xen,reg', cellBytes(...out));
    }
  }),
);

mutant('registers of a device are not compared with those that are asked for', VIOLATES, (xen) => ({
  ...xen,
  dom0less: { ...xen.dom0less, liesWithin: () => true },
}));

mutant('every module is taken for a device tree', VIOLATES, (xen) => ({
  ...xen,
  domain: {
    ...xen.domain,
    readConfig: (state, node) => {
      // A copy without a parent, so what is inherited is stated.
      const copy = node.clone();
      for (const child of copy.children) {
        if (child.name.startsWith('module@')) {
          child.properties.set('compatible', stringBytes('multiboot,device-tree', 'multiboot,module'));
        }
      }
      return xen.domain.readConfig(state, copy);
    },
  },
}));

mutant('a device that no IOMMU protects need not be forced', VIOLATES, (xen) => ({
  ...xen,
  dom0less: {
    ...xen.dom0less,
    assignDevice: (state, domain, device, force) =>
      xen.dom0less.assignDevice(state, domain, device, force || device.master === undefined),
  },
}));

mutant('domains of the boot loader are created up to the first that cannot be', VIOLATES, (xen) => ({
  ...xen,
  dom0less: {
    ...xen.dom0less,
    createDomains: (state) => {
      let failed = false;
      const createFromNode: typeof xen.domain.createFromNode = (inner, node) => {
        if (failed) return { error: EINVAL };
        const result = xen.domain.createFromNode(inner, node);
        failed = 'error' in result;
        return result;
      };
      const steps = { ...state.steps, domain: { ...state.steps.domain, createFromNode } };
      xen.dom0less.createDomains({ ...state, steps });
    },
  },
}));

mutant('a path is no alias of the host', VIOLATES, (xen) => ({
  ...xen,
  dt: { ...xen.dt, findDevice: (state, path) => (path.startsWith('/') ? xen.dt.findDevice(state, path) : undefined) },
}));
