/** Mistakes in how the IOMMU is configured when a domain is created. */
import { maddr } from '../../src/xen/frames.js';
import { mutant } from '../bench.js';

const VIOLATES = { violates: ['XenSwdgn~passthrough_configure_iommu_at_boot~1'] };

mutant('the creation of a domain configures no stream at all', VIOLATES, (xen) => ({
  ...xen,
  smmuv3: { ...xen.smmuv3, installSte: () => 0 },
}));

mutant('the stream is given the tables of the hardware domain', VIOLATES, (xen) => ({
  ...xen,
  smmuv3: {
    ...xen.smmuv3,
    s2Ttb: (state, context) => maddr(state.domains.get(0)?.p2m?.root ?? context.root),
  },
}));

mutant('the input size of the stream is 40 bits, whatever the domain has', VIOLATES, (xen) => ({
  ...xen,
  smmuv3: { ...xen.smmuv3, s2T0sz: () => 64 - 40 },
}));

mutant('the output size of the stream is 32 bits', VIOLATES, (xen) => ({
  ...xen,
  smmuv3: { ...xen.smmuv3, s2Ps: () => 0 },
}));

mutant('the start level of the stream is one too low', VIOLATES, (xen) => ({
  ...xen,
  smmuv3: { ...xen.smmuv3, s2Sl0: (state, context) => xen.smmuv3.s2Sl0(state, context) - 1 },
}));

mutant('the first context that an SMMU ever had serves every later guest', VIOLATES, (xen) => ({
  ...xen,
  iommu: {
    ...xen.iommu,
    contextFor: (state, domain, smmu) => {
      const guests = [...state.domains.values()].filter(({ domid }) => domid !== 0);
      const context = guests.flatMap(({ contexts }) => contexts).find((one) => one.smmu === smmu);
      return domain.domid === 0 || context === undefined ? xen.iommu.contextFor(state, domain, smmu) : context;
    },
  },
}));

mutant('a creation that fails forgets the device that was attached already', VIOLATES, (xen) => ({
  ...xen,
  domain: {
    ...xen.domain,
    rollback: (state, domain) => {
      domain.devices.length = 0;
      return xen.domain.rollback(state, domain, []);
    },
  },
}));

mutant('the stream translates by the tables of Xen itself until the domain is complete', VIOLATES, (xen) => ({
  ...xen,
  domain: {
    ...xen.domain,
    assignDevices: (state, domain, config, ...rest) => {
      const { encodeStage2Ste, encodeAbortSte, installSte } = xen.smmuv3;
      for (const sbdf of config.devices) {
        const master = xen.pci.findDevice(state, sbdf)?.master;
        const owner = state.domains.get(0)?.contexts[0];
        if (master === undefined || owner === undefined) continue;
        for (const streamId of master.streamIds) {
          installSte(state, master.smmu, streamId, encodeStage2Ste(state, owner));
          installSte(state, master.smmu, streamId, encodeAbortSte(state));
        }
      }
      return xen.domain.assignDevices(state, domain, config, ...rest);
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
