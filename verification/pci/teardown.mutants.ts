/** Mistakes in taking devices from a domain that is destroyed. */
import type { PciDevice } from '../../src/xen/xen.js';
import { mutant } from '../bench.js';
import { isOfSmmuv3, withSmmuv3 } from '../with-smmuv3.js';

const VIOLATES = { violates: ['XenSwdgn~passthrough_deassign_pci_dev_from_dom~1'] };

mutant('a destroyed domain keeps its devices', VIOLATES, (xen) => ({
  ...xen,
  pci: { ...xen.pci, releaseDevices: () => 0 },
}));

mutant('memory is freed before the devices leave', VIOLATES, (xen) => ({
  ...xen,
  domain: {
    ...xen.domain,
    relinquish: (state, domain) =>
      state.steps.domain.relinquishMemory(state, domain) ||
      state.steps.pci.releaseDevices(state, domain) ||
      state.steps.p2m.relinquishMappings(state, domain),
  },
}));

mutant('only the first device leaves', VIOLATES, (xen) => ({
  ...xen,
  pci: {
    ...xen.pci,
    releaseDevices: (state, domain) => {
      const [device] = domain.devices;
      return device === undefined ? 0 : state.steps.pci.deassignDevice(state, domain, device.sbdf);
    },
  },
}));

mutant('every second device is passed over, because the list shrinks while it is walked', VIOLATES, (xen) => ({
  ...xen,
  pci: {
    ...xen.pci,
    releaseDevices: (state, domain) => {
      let first = 0;
      for (const device of domain.devices) first ||= state.steps.pci.deassignDevice(state, domain, device.sbdf);
      return first;
    },
  },
}));

mutant('after the first device that does not leave, the others stay', VIOLATES, (xen) => ({
  ...xen,
  pci: {
    ...xen.pci,
    releaseDevices: (state, domain) => {
      for (const device of [...domain.devices]) {
        const error = state.steps.pci.deassignDevice(state, domain, device.sbdf);
        if (error !== 0) return error;
      }
      return 0;
    },
  },
}));

mutant('a device that does not leave is no reason to keep the memory', VIOLATES, (xen) => ({
  ...xen,
  pci: {
    ...xen.pci,
    releaseDevices: (state, domain) => {
      xen.pci.releaseDevices(state, domain);
      return 0;
    },
  },
}));

mutant('the tag of translations is given away with what is cached under it', VIOLATES, (xen) => ({
  ...xen,
  smmuv3: {
    ...xen.smmuv3,
    freeVmid: (_state, smmu, vmid) => {
      smmu.vmids.release(vmid);
      return 0;
    },
  },
}));

mutant('a tag is given away although its translations could not be invalidated', VIOLATES, (xen) => ({
  ...xen,
  smmuv3: {
    ...xen.smmuv3,
    freeVmid: (state, smmu, vmid) => {
      smmu.vmids.release(vmid);
      return state.steps.smmuv3.invalidateVmid(state, smmu, vmid);
    },
  },
}));

mutant('a command that the IOMMU could not execute is passed over', VIOLATES, (xen) => ({
  ...xen,
  smmuv3: {
    ...xen.smmuv3,
    sync: (state, smmu) => {
      xen.smmuv3.sync(state, smmu);
      return 0;
    },
  },
}));

mutant('when a tag is given away, translations of another are invalidated', VIOLATES, (xen) => ({
  ...xen,
  smmuv3: {
    ...xen.smmuv3,
    freeVmid: (state, smmu, vmid) => {
      smmu.vmids.release(vmid);
      return state.steps.smmuv3.invalidateVmid(state, smmu, vmid + 1);
    },
  },
}));

mutant(
  'the translations of a tag are invalidated under the tag that the CPUs have for the domain',
  VIOLATES,
  (xen) => ({
    ...xen,
    smmuv3: {
      ...xen.smmuv3,
      destroyContext: (state, context) => {
        context.iommu.vmids.release(context.tag);
        return state.steps.smmuv3.invalidateVmid(state, context.iommu, context.domain.p2m?.vmid ?? 0);
      },
    },
  }),
);

mutant('the entry of a stream is made to abort, and the IOMMU keeps the old one', VIOLATES, (xen) => ({
  ...xen,
  smmuv3: {
    ...xen.smmuv3,
    installAbortSte: (state, smmu, streamId) => {
      return xen.smmuv3.installAbortSte(withSmmuv3(state, { invalidateSte: () => 0 }), smmu, streamId);
    },
  },
}));

mutant('no invalidation is waited for', VIOLATES, (xen) => ({ ...xen, smmuv3: { ...xen.smmuv3, sync: () => 0 } }));

mutant('a device goes back to the hardware domain instead of into quarantine', VIOLATES, (xen) => ({
  ...xen,
  pci: { ...xen.pci, deassignTarget: (state, _from, _device) => state.domains.get(0) ?? state.domIo },
}));

mutant("a device that has left is still on record as its domain's", VIOLATES, (xen) => ({
  ...xen,
  pci: {
    ...xen.pci,
    setOwner: (state, device, domain) => {
      if (domain === state.domIo && device.domain?.dying) return;
      xen.pci.setOwner(state, device, domain);
    },
  },
}));

mutant('only a device of segment 0 is released', VIOLATES, (xen) => ({
  ...xen,
  pci: {
    ...xen.pci,
    deassignDevice: (state, domain, sbdf) => (sbdf.segment === 0 ? xen.pci.deassignDevice(state, domain, sbdf) : 0),
  },
}));

mutant('the CPUs keep the translations of a tag that is given away', VIOLATES, (xen) => ({
  ...xen,
  p2m: { ...xen.p2m, invalidateCpu: () => {} },
}));

mutant('the hardware domain keeps the registers of the devices that it gives to others', VIOLATES, (xen) => ({
  ...xen,
  pci: {
    ...xen.pci,
    unmapBars: (state, domain, device) => (domain.domid === 0 ? 0 : xen.pci.unmapBars(state, domain, device)),
  },
}));

mutant('only devices that the domain was created with are taken back', VIOLATES, (xen) => {
  const configured = new WeakSet<PciDevice>();
  return {
    ...xen,
    domain: {
      ...xen.domain,
      assignDevices: (state, domain, config, owners) => {
        const error = xen.domain.assignDevices(state, domain, config, owners);
        for (const device of domain.devices) configured.add(device);
        return error;
      },
    },
    pci: {
      ...xen.pci,
      deassignDevice: (state, domain, sbdf) => {
        const device = state.steps.pci.findDevice(state, sbdf);
        const passedOver = domain.dying && device !== undefined && !configured.has(device);
        return passedOver ? 0 : xen.pci.deassignDevice(state, domain, sbdf);
      },
    },
  };
});

mutant('translations of a tag are invalidated before the last stream leaves it', VIOLATES, (xen) => ({
  ...xen,
  iommu: {
    ...xen.iommu,
    deassignDevice: (state, domain, device) => {
      const context = device.master?.context;
      if (context?.devices.size === 1 && isOfSmmuv3(context)) {
        state.steps.smmuv3.invalidateVmid(state, context.iommu, context.tag);
      }
      const freeVmid: typeof xen.smmuv3.freeVmid = (_state, smmu, vmid) => {
        smmu.vmids.release(vmid);
        return 0;
      };
      return xen.iommu.deassignDevice(withSmmuv3(state, { freeVmid }), domain, device);
    },
  },
}));

mutant('a dead domain is left on its CPU', VIOLATES, (xen) => ({
  ...xen,
  domain: {
    ...xen.domain,
    destroy: (state, domain) => {
      const steps = { ...state.steps, domain: { ...state.steps.domain, deschedule: () => {} } };
      return xen.domain.destroy({ ...state, steps }, domain);
    },
  },
}));

mutant('a domain whose destruction failed goes on as if nothing had been', VIOLATES, (xen) => ({
  ...xen,
  domain: {
    ...xen.domain,
    destroy: (state, domain) => {
      const error = xen.domain.destroy(state, domain);
      domain.dying = error === 0;
      return error;
    },
  },
}));
