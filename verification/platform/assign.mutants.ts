/** Mistakes in assigning platform devices. */
import type { Xen } from '../../src/xen/xen.js';
import { mutant } from '../bench.js';

const VIOLATES = { violates: ['XenSwdgn~passthrough_support_assign_dt_devs~1'] };

mutant('a platform device is assigned on record only', VIOLATES, (xen) => ({
  ...xen,
  dt: {
    ...xen.dt,
    assignDevice: (state, domain, device) => {
      if (device.domain !== undefined) return xen.dt.assignDevice(state, domain, device);
      state.steps.dt.setOwner(state, device, domain);
      return 0;
    },
  },
}));

mutant('a forced device goes without the IOMMU that protects it', VIOLATES, (xen) => ({
  ...xen,
  dom0less: {
    ...xen.dom0less,
    assignDevice: (state, domain, device, force) => {
      if (!force) return xen.dom0less.assignDevice(state, domain, device, force);
      state.steps.dt.setOwner(state, device, domain);
      return 0;
    },
  },
}));

mutant('a device without interrupts cannot be assigned', VIOLATES, (xen) => ({
  ...xen,
  dom0less: {
    ...xen.dom0less,
    routeInterrupts: (state, domain, device) =>
      device.interrupts.length === 0 ? -22 : xen.dom0less.routeInterrupts(state, domain, device),
  },
}));

mutant('a device without streams is taken for one on the streams of the node before it', VIOLATES, (xen) => {
  const before = new WeakMap<Xen['platform'], ReturnType<typeof xen.dt.readStreams>>();
  return {
    ...xen,
    dt: {
      ...xen.dt,
      readStreams: (state, node) => {
        const streams = xen.dt.readStreams(state, node) ?? before.get(state.platform);
        before.set(state.platform, streams);
        return streams;
      },
    },
  };
});

mutant('only the first region of a device is mapped', VIOLATES, (xen) => ({
  ...xen,
  dom0less: {
    ...xen.dom0less,
    passThrough: (state, domain, wanted) =>
      xen.dom0less.passThrough(state, domain, { ...wanted, regions: wanted.regions.slice(0, 1) }),
  },
}));

mutant('only the first stream of a device is read', VIOLATES, (xen) => ({
  ...xen,
  dt: {
    ...xen.dt,
    readStreams: (state, node) => {
      const streams = xen.dt.readStreams(state, node);
      return streams === undefined ? undefined : { ...streams, streamIds: streams.streamIds.slice(0, 1) };
    },
  },
}));

mutant('only the first interrupt of a device is routed', VIOLATES, (xen) => ({
  ...xen,
  dom0less: {
    ...xen.dom0less,
    routeInterrupts: (state, domain, device) =>
      xen.dom0less.routeInterrupts(state, domain, { ...device, interrupts: device.interrupts.slice(0, 1) }),
  },
}));

mutant('a domain may have the interrupts of its devices, and none is routed', VIOLATES, (xen) => ({
  ...xen,
  dom0less: {
    ...xen.dom0less,
    routeInterrupts: (_state, domain, device) => {
      for (const { irq } of device.interrupts) domain.irqs.add(irq, 1);
      return 0;
    },
  },
}));

mutant('a device that no IOMMU protects is assigned without being asked to', VIOLATES, (xen) => ({
  ...xen,
  dom0less: {
    ...xen.dom0less,
    assignDevice: (state, domain, device, force) =>
      xen.dom0less.assignDevice(state, domain, device, force || device.master === undefined),
  },
}));

mutant('a device that another domain has can be assigned', VIOLATES, (xen) => ({
  ...xen,
  dt: {
    ...xen.dt,
    assignDevice: (state, domain, device) => {
      if (device.domain !== undefined) state.steps.dt.setOwner(state, device, undefined);
      return xen.dt.assignDevice(state, domain, device);
    },
  },
}));

mutant('flags of an assignment are passed over', VIOLATES, (xen) => ({
  ...xen,
  domctl: {
    ...xen.domctl,
    assignDtDevice: (state, caller, domain, u) => {
      const device = state.steps.domctl.namedDevice(state, caller, u);
      if (typeof device === 'number') return device;
      return device === undefined ? -22 : state.steps.dt.assignDevice(state, domain, device);
    },
  },
}));

mutant('a device is found if its path begins like the one that is asked for', VIOLATES, (xen) => ({
  ...xen,
  dt: {
    ...xen.dt,
    findNode: (state, path) =>
      xen.dt.findNode(state, path) ??
      [...state.dtDevices.values()].find(({ node }) => path.startsWith('/') && node.path.startsWith(path))?.node,
  },
}));

mutant('aliases are no names of devices', VIOLATES, (xen) => ({
  ...xen,
  dt: { ...xen.dt, findNode: (state, path) => (path.startsWith('/') ? xen.dt.findNode(state, path) : undefined) },
}));

mutant('registers are mapped to a domain that was not permitted to have them', VIOLATES, (xen) => ({
  ...xen,
  domctl: {
    ...xen.domctl,
    memoryMapping: (state, caller, domain, u) =>
      xen.domctl.memoryMapping(state, caller, { ...domain, iomem: caller.iomem }, u),
  },
}));
