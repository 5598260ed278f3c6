/** Mistakes in the device trees that domains find, and in what is left for the hardware domain. */
import { decodeFdt } from '../../src/firmware/fdt.js';
import { cellBytes, DeviceNode, type DeviceTree, stringBytes } from '../../src/firmware/tree.js';
import type { XenSteps } from '../../src/xen/steps.js';
import { mutant } from '../bench.js';

const VIOLATES = { violates: ['XenSwdgn~arm64_passthrough_assign_dt_dev_to_dom~1'] };

/** The nodes of a passthrough tree that ask for registers. */
function asking(tree: DeviceTree): DeviceNode[] {
  return [...(tree.byPath('/passthrough')?.walk() ?? [])].filter((node) => node.has('xen,reg'));
}

/** Xen as if a domain found another tree than it is given; `written` is its passthrough tree as it was written. */
function misshowing(xen: XenSteps, change: (shown: DeviceTree, written: DeviceTree) => void): XenSteps {
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
      guestTree: (state, domain, config) => {
        const tree = xen.dom0less.guestTree(state, domain, config);
        if (config.passthroughTree !== undefined && written !== undefined) change(tree, written);
        return tree;
      },
    },
  };
}

mutant('what is for Xen is copied into the tree of the domain', VIOLATES, (xen) =>
  misshowing(xen, (shown, written) => {
    for (const node of asking(written)) {
      const found = shown.byPath(node.path);
      for (const [name, bytes] of node.properties) if (name.startsWith('xen,')) found?.properties.set(name, bytes);
    }
  }),
);

mutant("the domain's interrupt controller does not get the phandle of the placeholder", VIOLATES, (xen) =>
  misshowing(xen, (shown) => {
    const controller = shown.root.children.find((node) => node.has('interrupt-controller'));
    controller?.properties.set('phandle', cellBytes(65000));
  }),
);

mutant('the placeholder of the interrupt controller is copied', VIOLATES, (xen) =>
  misshowing(xen, (shown, written) => {
    const gic = written.root.child('gic');
    if (gic !== undefined) shown.root.append(gic.clone());
  }),
);

mutant('aliases are not copied', VIOLATES, (xen) =>
  misshowing(xen, (shown) => {
    const aliases = shown.root.child('aliases');
    if (aliases !== undefined) shown.root.remove(aliases);
  }),
);

mutant('everything in a passthrough tree is copied', VIOLATES, (xen) =>
  misshowing(xen, (shown, written) => {
    for (const node of written.root.children) {
      if (node.name !== 'gic' && !shown.root.hasChild(node.name)) shown.root.append(node.clone());
    }
  }),
);

mutant('properties without a value are not copied', VIOLATES, (xen) =>
  misshowing(xen, (shown) => {
    for (const node of shown.byPath('/passthrough')?.walk() ?? []) {
      for (const [name, bytes] of [...node.properties]) if (bytes.length === 0) node.properties.delete(name);
    }
  }),
);

mutant('nodes below a device are not copied', VIOLATES, (xen) =>
  misshowing(xen, (shown, written) => {
    for (const node of asking(written)) {
      const found = shown.byPath(node.path);
      for (const child of [...(found?.children ?? [])]) found?.remove(child);
    }
  }),
);

mutant('the hardware domain finds nodes that are reserved, without what reserves them', VIOLATES, (xen) => ({
  ...xen,
  dom0less: {
    ...xen.dom0less,
    hardwareTree: (state, domain) => {
      const tree = xen.dom0less.hardwareTree(state, domain);
      for (const node of state.platform.tree.root.walk()) {
        if (!node.has('xen,passthrough') || node.parent === undefined) continue;
        const copy = node.clone();
        copy.properties.delete('xen,passthrough');
        tree.byPath(node.parent.path)?.append(copy);
      }
      return tree;
    },
  },
}));

mutant('the hardware domain may map the registers of what is reserved', VIOLATES, (xen) => ({
  ...xen,
  domain: {
    ...xen.domain,
    hardwareIomem: ({ platform }) =>
      platform.iomem.runs.map(({ start, count }) => ({ mfn: start, count })) as ReturnType<
        typeof xen.domain.hardwareIomem
      >,
  },
}));

mutant('the hardware domain gets the devices that are reserved', VIOLATES, (xen) => ({
  ...xen,
  dt: { ...xen.dt, describe: (state, node) => ({ ...xen.dt.describe(state, node), reserved: false }) },
}));

mutant('what reserves a device is left in the tree of the hardware domain', VIOLATES, (xen) => ({
  ...xen,
  dom0less: {
    ...xen.dom0less,
    hardwareTree: (state, domain) => {
      const tree = xen.dom0less.hardwareTree(state, domain);
      for (const node of state.platform.tree.root.walk()) {
        const parent = node.parent === undefined ? undefined : tree.byPath(node.parent.path);
        if (!node.has('xen,passthrough') || parent === undefined) continue;
        const empty = new DeviceNode(node.name);
        empty.properties.set('xen,passthrough', new Uint8Array(0)).set('status', stringBytes('disabled'));
        parent.append(empty);
      }
      return tree;
    },
  },
}));
