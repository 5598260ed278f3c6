/** Mistakes that leave a door open for a device that no domain owns, whichever IOMMU it is behind. */
import { mutant } from '../bench.js';

const REQUIREMENT = 'XenSwdgn~passthrough_use_iommu_to_deny_dma_ops_from_dev~1';
const VIOLATES = { violates: [REQUIREMENT] };
const VIOLATES_PCI = { violates: [REQUIREMENT], features: ['pci'] };
/** Where a domain can have contexts at two IOMMUs, or at two caches of one. */
const VIOLATES_TWO = { violates: [REQUIREMENT], platforms: ['arm64-smmuv3-dual', 'arm64-ipmmu'] };

mutant('a device that was taken from a guest goes to the hardware domain', VIOLATES_PCI, (xen) => ({
  ...xen,
  pci: { ...xen.pci, deassignTarget: (state, _from, _device) => state.domains.get(0) ?? state.domIo },
}));

mutant('devices kept for passthrough are given to the hardware domain at boot', VIOLATES_PCI, (xen) => ({
  ...xen,
  pci: { ...xen.pci, isHidden: () => false },
}));

mutant('a device that the hardware domain had before goes back to it', VIOLATES_PCI, (xen) => ({
  ...xen,
  pci: {
    ...xen.pci,
    deassignTarget: (state, from, device) =>
      device.quarantine ? xen.pci.deassignTarget(state, from, device) : (state.domains.get(0) ?? state.domIo),
  },
}));

mutant('a device is put into quarantine on record only', VIOLATES_PCI, (xen) => ({
  ...xen,
  pci: {
    ...xen.pci,
    assignDevice: (state, domain, sbdf) => {
      const device = state.steps.pci.findDevice(state, sbdf);
      if (domain !== state.domIo || device === undefined) return xen.pci.assignDevice(state, domain, sbdf);
      state.steps.pci.setOwner(state, device, domain);
      device.quarantine = true;
      return 0;
    },
  },
}));

mutant('a platform device that was taken from a guest goes to the hardware domain', VIOLATES, (xen) => ({
  ...xen,
  dt: {
    ...xen.dt,
    deassignDevice: (state, domain, device) => {
      const error = xen.dt.deassignDevice(state, domain, device);
      return error !== 0 || domain.domid === 0 ? error : state.steps.dt.giveToHardwareDomain(state, device);
    },
  },
}));

mutant('platform devices kept for passthrough are given to the hardware domain at boot', VIOLATES, (xen) => ({
  ...xen,
  dt: {
    ...xen.dt,
    setupHardwareDomain: (state) => {
      for (const device of state.dtDevices.values())
        if (!device.broken) state.steps.dt.giveToHardwareDomain(state, device);
    },
  },
}));

mutant('a platform device is deassigned on record, and stays attached', VIOLATES, (xen) => ({
  ...xen,
  dt: {
    ...xen.dt,
    releaseDevice: (state, domain, device) => {
      const { master } = device;
      device.master = undefined;
      const error = xen.dt.releaseDevice(state, domain, device);
      device.master = master;
      return error;
    },
  },
}));

mutant('only devices behind the IOMMU that a domain had a device behind first are detached', VIOLATES_TWO, (xen) => ({
  ...xen,
  iommu: {
    ...xen.iommu,
    detach: (state, context, device) => {
      if (context.domain.domid === 0 || context.domain.contexts[0] === context) {
        return xen.iommu.detach(state, context, device);
      }
      context.devices.delete(device);
      if (device.master !== undefined) device.master.context = undefined;
      return 0;
    },
  },
}));
