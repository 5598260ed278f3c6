/** Mistakes in keeping a device for one domain. */
import { failure } from '../../src/xen/errno.js';
import type { Domain, DtDevice, Xen } from '../../src/xen/xen.js';
import { mutant } from '../bench.js';

const ID = 'XenSwdgn~passthrough_assign_single_dev_to_single_dom~1';
const VIOLATES = { violates: [ID] };
const OF_PCI = { violates: [ID], features: ['pci'] };

/** Whether a domain is a guest's. */
const isGuest = (domain: Domain | undefined): boolean =>
  domain !== undefined && domain.domid > 0 && domain.domid < 0x7ff0;

/** What a device's owner looks like to a step that is told of none. */
function asIfFree<T>(device: DtDevice, action: () => T): T {
  const { domain } = device;
  device.domain = undefined;
  const result = action();
  if (device.domain === undefined) device.domain = domain;
  return result;
}

mutant('nobody asks whether a device is taken', VIOLATES, (xen) => ({
  ...xen,
  pci: {
    ...xen.pci,
    deviceAssigned: (state, sbdf) => (state.steps.pci.findDevice(state, sbdf) ? 0 : failure('ENODEV')),
  },
  dom0less: {
    ...xen.dom0less,
    isOthers: () => false,
    passThrough: (state, domain, wanted) => {
      const device = wanted.path === undefined ? undefined : state.steps.dt.findDevice(state, wanted.path);
      const go = () => xen.dom0less.passThrough(state, domain, wanted);
      return device === undefined ? go() : asIfFree(device, go);
    },
  },
}));

mutant('a domain is created without the device that another has', VIOLATES, (xen) => ({
  ...xen,
  domain: {
    ...xen.domain,
    construct: (state, config) => {
      if ('error' in config) return xen.domain.construct(state, config);
      const devices = config.devices.filter((sbdf) => state.steps.pci.deviceAssigned(state, sbdf) === 0);
      return xen.domain.construct(state, { ...config, devices });
    },
  },
  dom0less: {
    ...xen.dom0less,
    passThrough: (state, domain, wanted) => {
      const error = xen.dom0less.passThrough(state, domain, wanted);
      return error === failure('EBUSY') ? 0 : error;
    },
  },
}));

mutant('a node is known by the text of its path, not by what the path leads to', VIOLATES, (xen) => {
  const known = new WeakMap<Xen['dtDevices'], Map<string, DtDevice>>();
  return {
    ...xen,
    dt: {
      ...xen.dt,
      findDevice: (state, path) => {
        const device = xen.dt.findDevice(state, path);
        if (device === undefined || device.node.path === path) return device;
        const byText = known.get(state.dtDevices) ?? new Map<string, DtDevice>();
        known.set(state.dtDevices, byText);
        const other = byText.get(path) ?? { ...device, domain: undefined };
        byText.set(path, other);
        return other;
      },
    },
  };
});

mutant('only the caller of an assignment that has the device itself is told that it is taken', VIOLATES, (xen) => ({
  ...xen,
  domctl: {
    ...xen.domctl,
    testAssignDevice: (state, caller, domain, u) => {
      const error = xen.domctl.testAssignDevice(state, caller, domain, u);
      const holds = (domain?.devices.length ?? 0) + (domain?.dtDevices.length ?? 0) > 0;
      return error === failure('EINVAL') && !holds ? 0 : error;
    },
  },
}));

mutant('a platform device of the hardware domain counts as free', VIOLATES, (xen) => {
  const free = (device: DtDevice): boolean => device.domain?.domid === 0;
  return {
    ...xen,
    dt: {
      ...xen.dt,
      assignDevice: (state, domain, device) => {
        const go = () => xen.dt.assignDevice(state, domain, device);
        return free(device) ? asIfFree(device, go) : go();
      },
    },
    dom0less: {
      ...xen.dom0less,
      passThrough: (state, domain, wanted) => {
        const device = wanted.path === undefined ? undefined : state.steps.dt.findDevice(state, wanted.path);
        const go = () => xen.dom0less.passThrough(state, domain, wanted);
        return device !== undefined && free(device) ? asIfFree(device, go) : go();
      },
    },
  };
});

mutant('registers without a path are given to whoever asks', VIOLATES, (xen) => ({
  ...xen,
  dom0less: { ...xen.dom0less, isOthers: () => false, checkPathless: () => 0 },
}));

mutant('a hypercall assigns a device that another domain has', VIOLATES, (xen) => ({
  ...xen,
  domctl: {
    ...xen.domctl,
    assignDevice: (state, caller, domain, u) => {
      const error = xen.domctl.assignDevice(state, caller, domain, u);
      return error === failure('EBUSY') ? 0 : error;
    },
  },
}));

mutant('a device is taken from its domain when another asks for it, and given to nobody', VIOLATES, (xen) => ({
  ...xen,
  domain: {
    ...xen.domain,
    checkDevices: (state, config) => {
      const error = xen.domain.checkDevices(state, config);
      if (error !== failure('EBUSY')) return error;
      for (const sbdf of config.devices) {
        const device = state.steps.pci.findDevice(state, sbdf);
        if (device?.domain !== undefined && isGuest(device.domain)) {
          state.steps.iommu.deassignDevice(state, device.domain, device);
          state.steps.iommu.assignDevice(state, device.domain, device);
        }
      }
      return error;
    },
  },
  dom0less: {
    ...xen.dom0less,
    passThrough: (state, domain, wanted) => {
      const device = wanted.path === undefined ? undefined : state.steps.dt.findDevice(state, wanted.path);
      const owner = device?.domain;
      if (device?.master !== undefined && owner !== undefined && isGuest(owner)) {
        state.steps.iommu.deassignDevice(state, owner, device);
        state.steps.iommu.assignDevice(state, owner, device);
      }
      return xen.dom0less.passThrough(state, domain, wanted);
    },
  },
}));

mutant('the interrupts of a device that is taken are routed before that is known', VIOLATES, (xen) => ({
  ...xen,
  dom0less: {
    ...xen.dom0less,
    passThrough: (state, domain, wanted) => {
      const device = wanted.path === undefined ? undefined : state.steps.dt.findDevice(state, wanted.path);
      for (const { irq } of device?.interrupts ?? []) {
        const known = state.irqs.get(irq);
        if (known?.domain === undefined || known.domain === domain) continue;
        state.steps.irq.releaseFromGuest(state, known.domain, irq);
      }
      return xen.dom0less.passThrough(state, domain, wanted);
    },
  },
}));

mutant('a device that was assigned by a hypercall counts as free', VIOLATES, (xen) => {
  const assigned = new WeakSet<object>();
  return {
    ...xen,
    domctl: {
      ...xen.domctl,
      assignDevice: (state, caller, domain, u) => {
        const before = new Set<object>([...domain.devices, ...domain.dtDevices]);
        const error = xen.domctl.assignDevice(state, caller, domain, u);
        for (const device of [...domain.devices, ...domain.dtDevices]) if (!before.has(device)) assigned.add(device);
        return error;
      },
    },
    pci: {
      ...xen.pci,
      deviceAssigned: (state, sbdf) => {
        const device = state.steps.pci.findDevice(state, sbdf);
        return device !== undefined && assigned.has(device) ? 0 : xen.pci.deviceAssigned(state, sbdf);
      },
    },
    dt: {
      ...xen.dt,
      assignDevice: (state, domain, device) => {
        const go = () => xen.dt.assignDevice(state, domain, device);
        return assigned.has(device) ? asIfFree(device, go) : go();
      },
    },
    dom0less: {
      ...xen.dom0less,
      passThrough: (state, domain, wanted) => {
        const device = wanted.path === undefined ? undefined : state.steps.dt.findDevice(state, wanted.path);
        const go = () => xen.dom0less.passThrough(state, domain, wanted);
        return device !== undefined && assigned.has(device) ? asIfFree(device, go) : go();
      },
    },
  };
});

mutant('a PCI device that a configuration names twice is assigned once', OF_PCI, (xen) => ({
  ...xen,
  pci: {
    ...xen.pci,
    assignDevice: (state, domain, sbdf) => {
      const device = state.steps.pci.findDevice(state, sbdf);
      return device?.domain === domain ? 0 : xen.pci.assignDevice(state, domain, sbdf);
    },
    deviceAssigned: (state, sbdf) => {
      const device = state.steps.pci.findDevice(state, sbdf);
      const own = device?.domain !== undefined && device.domain === state.domains.get(state.lastDomid);
      return own ? 0 : xen.pci.deviceAssigned(state, sbdf);
    },
  },
}));

mutant('the owner is looked up by bus and function, whatever the segment', OF_PCI, (xen) => ({
  ...xen,
  pci: {
    ...xen.pci,
    deviceAssigned: (state, sbdf) => {
      const other = state.steps.pci.findDevice(state, { ...sbdf, segment: 0 });
      return other === undefined
        ? xen.pci.deviceAssigned(state, sbdf)
        : xen.pci.deviceAssigned(state, { ...sbdf, segment: 0 });
    },
  },
}));
