/** Mistakes in how IOMMUs are configured when a domain is created, whichever IOMMU it is. */
import { mutant } from '../bench.js';

const REQUIREMENT = 'XenSwdgn~passthrough_configure_iommu_at_boot~1';
const VIOLATES = { violates: [REQUIREMENT] };
const VIOLATES_PCI = { violates: [REQUIREMENT], features: ['pci'] };
/** Where a domain can have contexts at two IOMMUs, or at two caches of one. */
const VIOLATES_TWO = { violates: [REQUIREMENT], platforms: ['arm64-smmuv3-dual', 'arm64-ipmmu'] };

mutant('the first context that an IOMMU ever had serves every later guest', VIOLATES, (xen) => ({
  ...xen,
  iommu: {
    ...xen.iommu,
    contextFor: (state, domain, iommu) => {
      const guests = [...state.domains.values()].filter(({ domid }) => domid !== 0);
      const context = guests.flatMap(({ contexts }) => contexts).find((one) => one.iommu === iommu);
      return domain.domid === 0 || context === undefined ? xen.iommu.contextFor(state, domain, iommu) : context;
    },
  },
}));

mutant('a creation that fails forgets the device that was attached already', VIOLATES_PCI, (xen) => ({
  ...xen,
  domain: {
    ...xen.domain,
    rollback: (state, domain) => {
      domain.devices.length = 0;
      return xen.domain.rollback(state, domain, []);
    },
  },
}));

mutant('a domain without passthrough is given its devices all the same', VIOLATES, (xen) => ({
  ...xen,
  domctl: {
    ...xen.domctl,
    assignDevice: (state, caller, domain, union) => {
      domain.iommuEnabled = true;
      return xen.domctl.assignDevice(state, caller, domain, union);
    },
  },
}));

mutant('a device is attached when its domain first runs', VIOLATES, (xen) => {
  const later: (() => unknown)[] = [];
  return {
    ...xen,
    smmuv3: {
      ...xen.smmuv3,
      attachStreams: (state, context, device) => {
        if (context.domain.domid === 0) return xen.smmuv3.attachStreams(state, context, device);
        later.push(() => xen.smmuv3.attachStreams(state, context, device));
        return 0;
      },
    },
    ipmmu: {
      ...xen.ipmmu,
      attachStreams: (state, context, device) => {
        if (context.domain.domid === 0) return xen.ipmmu.attachStreams(state, context, device);
        later.push(() => xen.ipmmu.attachStreams(state, context, device));
        return 0;
      },
    },
    domain: {
      ...xen.domain,
      schedule: (state, vcpu) => {
        if (vcpu.domain.domid !== 0) for (const configure of later.splice(0)) configure();
        return xen.domain.schedule(state, vcpu);
      },
    },
  };
});

mutant('a creation that fails gives the device back on record, and leaves it attached', VIOLATES_PCI, (xen) => ({
  ...xen,
  pci: { ...xen.pci, returnDevice: (state, owner, device) => state.steps.pci.setOwner(state, device, owner) },
}));

mutant('a domain that lists devices has passthrough, whatever else its configuration says', VIOLATES, (xen) => ({
  ...xen,
  domain: {
    ...xen.domain,
    parseConfig: (state, blob) => {
      const config = xen.domain.parseConfig(state, blob);
      if ('error' in config) return config;
      const lists = config.devices.length > 0 || config.passthroughTree !== undefined;
      return { ...config, passthrough: config.passthrough || lists };
    },
  },
}));

mutant('a creation that fails gives platform devices back on record, and leaves them attached', VIOLATES, (xen) => ({
  ...xen,
  dom0less: {
    ...xen.dom0less,
    unwindDevices: (state, domain) => {
      for (const device of [...domain.dtDevices]) state.steps.dt.setOwner(state, device, undefined);
    },
  },
}));

mutant('of several devices, those behind a second IOMMU are given no context', VIOLATES_TWO, (xen) => ({
  ...xen,
  iommu: {
    ...xen.iommu,
    assignDevice: (state, domain, device) => {
      const elsewhere = domain.contexts.some(({ iommu }) => iommu !== device.master?.iommu);
      return elsewhere && domain.domid !== 0 ? 0 : xen.iommu.assignDevice(state, domain, device);
    },
  },
}));
