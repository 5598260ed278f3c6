/** Mistakes in assigning the PCI devices that a passthrough device tree names. */
import type { Domain, HostBridge, Xen } from '../../src/xen/xen.js';
import { mutant } from '../bench.js';

const VIOLATES = { violates: ['XenSwdgn~passthrough_assign_pci_dev_to_dom_arm64~1'] };

/** A host bridge whose node lacks a property. */
function without(bridge: HostBridge, property: string): HostBridge {
  const node = bridge.node.clone();
  node.properties.delete(property);
  return { ...bridge, node };
}

mutant('xen,pci-assigned is passed over', VIOLATES, (xen) => ({
  ...xen,
  domain: { ...xen.domain, assignDevices: () => 0 },
}));

mutant('of xen,pci-assigned only the first device is assigned', VIOLATES, (xen) => ({
  ...xen,
  domain: {
    ...xen.domain,
    assignDevices: (state, domain, config, owners) =>
      xen.domain.assignDevices(state, domain, { ...config, devices: config.devices.slice(0, 1) }, owners),
  },
}));

mutant('the segment of a device in xen,pci-assigned is passed over', VIOLATES, (xen) => ({
  ...xen,
  domain: {
    ...xen.domain,
    readConfig: (state, node) => {
      const config = xen.domain.readConfig(state, node);
      if ('error' in config) return config;
      return { ...config, devices: config.devices.map((device) => ({ ...device, segment: 0 })) };
    },
  },
}));

mutant("the stream of a device is its requester id, whatever iommu-map's entry begins at", VIOLATES, (xen) => ({
  ...xen,
  iommu: {
    ...xen.iommu,
    mapId: (state, bridge, requester) => {
      const found = xen.iommu.mapId(state, bridge, requester);
      const mask = bridge.node.u32('iommu-map-mask') ?? 0xffff_ffff;
      return typeof found === 'object' ? { ...found, streamId: requester & mask } : found;
    },
  },
}));

mutant('iommu-map-mask is passed over', VIOLATES, (xen) => ({
  ...xen,
  iommu: {
    ...xen.iommu,
    mapId: (state, bridge, requester) => xen.iommu.mapId(state, without(bridge, 'iommu-map-mask'), requester),
  },
}));

mutant('msi-map-mask is passed over', VIOLATES, (xen) => ({
  ...xen,
  its: {
    ...xen.its,
    mapId: (state, bridge, requester) => xen.its.mapId(state, without(bridge, 'msi-map-mask'), requester),
  },
}));

mutant('a device is assigned and its domain does not see it', VIOLATES, (xen) => ({
  ...xen,
  vpci: {
    ...xen.vpci,
    assignDevice: (state, domain, device) => (domain.domid === 0 ? xen.vpci.assignDevice(state, domain, device) : 0),
  },
}));

mutant('a domain sees a device where the machine has it', VIOLATES, (xen) => ({
  ...xen,
  vpci: { ...xen.vpci, assignVirtualSbdf: (_state, _domain, device) => device.sbdf },
}));

mutant("where a domain has no device it reads the machine's configuration space", VIOLATES, (xen) => ({
  ...xen,
  vpci: {
    ...xen.vpci,
    configRead: (state, domain, sbdf, offset, width) =>
      state.steps.vpci.findDevice(state, domain, sbdf) === undefined
        ? state.steps.pci.configRead(state, sbdf, offset, width)
        : xen.vpci.configRead(state, domain, sbdf, offset, width),
  },
}));

mutant("where a domain has no device it writes the machine's configuration space", VIOLATES, (xen) => ({
  ...xen,
  vpci: {
    ...xen.vpci,
    configWrite: (state, domain, sbdf, offset, width, value) => {
      if (state.steps.vpci.findDevice(state, domain, sbdf) === undefined) {
        state.steps.pci.configWrite(state, sbdf, offset, width, value);
      } else {
        xen.vpci.configWrite(state, domain, sbdf, offset, width, value);
      }
    },
  },
}));

mutant("the guest's tree names the devices of the machine", VIOLATES, (xen) => ({
  ...xen,
  dom0less: {
    ...xen.dom0less,
    guestTree: (state, domain, config) => {
      const tree = xen.dom0less.guestTree(state, domain, config);
      const bytes = new Uint8Array(domain.devices.length * 4);
      if (bytes.length > 0) tree.root.child('passthrough')?.properties.set('xen,pci-assigned', bytes);
      return tree;
    },
  },
}));

mutant("the guest's bus leads to no translation service", VIOLATES, (xen) => ({
  ...xen,
  dom0less: {
    ...xen.dom0less,
    guestTree: (state, domain, config) => {
      const tree = xen.dom0less.guestTree(state, domain, config);
      for (const node of tree.compatible('pci-host-ecam-generic')) node.properties.delete('msi-map');
      return tree;
    },
  },
}));

mutant('a domain is created although one of its devices could not be assigned', VIOLATES, (xen) => ({
  ...xen,
  domain: {
    ...xen.domain,
    checkDevices: () => 0,
    assignDevices: (state, domain, config, owners) => {
      for (const device of config.devices) {
        xen.domain.assignDevices(state, domain, { ...config, devices: [device] }, owners);
      }
      return 0;
    },
  },
}));

mutant('a creation that fails keeps the devices that it had assigned', VIOLATES, (xen) => ({
  ...xen,
  domain: {
    ...xen.domain,
    rollback: (state: Xen, domain: Domain) => {
      xen.domain.rollback(
        {
          ...state,
          steps: { ...state.steps, pci: { ...state.steps.pci, findOwned: () => undefined, releaseDevices: () => 0 } },
        },
        domain,
        [],
      );
    },
  },
}));

mutant('a device that is named twice is assigned once', VIOLATES, (xen) => ({
  ...xen,
  domain: {
    ...xen.domain,
    assignDevices: (state, domain, config, owners) => {
      const names = config.devices.map((device) => JSON.stringify(device));
      const devices = config.devices.filter((_, at) => names.indexOf(names[at] as string) === at);
      return xen.domain.assignDevices(state, domain, { ...config, devices }, owners);
    },
  },
}));

mutant('a device is taken from the domain that has it', VIOLATES, (xen) => ({
  ...xen,
  pci: {
    ...xen.pci,
    deviceAssigned: (state, sbdf) => {
      const error = xen.pci.deviceAssigned(state, sbdf);
      return error === -16 ? 0 : error;
    },
  },
}));

mutant('a domain with devices has passthrough enabled, whatever its node says', VIOLATES, (xen) => ({
  ...xen,
  domain: {
    ...xen.domain,
    readConfig: (state, node) => {
      const config = xen.domain.readConfig(state, node);
      return 'error' in config ? config : { ...config, passthrough: config.passthrough || config.devices.length > 0 };
    },
  },
}));

mutant('devices are assigned when the domain first runs', VIOLATES, (xen) => {
  const waiting = new WeakMap<Domain, () => void>();
  return {
    ...xen,
    domain: {
      ...xen.domain,
      assignDevices: (state, domain, config, owners) => {
        waiting.set(domain, () => void xen.domain.assignDevices(state, domain, config, owners));
        return 0;
      },
      schedule: (state, vcpu) => {
        waiting.get(vcpu.domain)?.();
        waiting.delete(vcpu.domain);
        return xen.domain.schedule(state, vcpu);
      },
    },
  };
});
