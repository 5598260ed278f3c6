/** Mistakes in how the IOMMU is configured when a domain is created. */
import { pa } from '../../src/hw/address.js';
import { maddr } from '../../src/xen/frames.js';
import { mutant } from '../bench.js';
import { withSmmuv3 } from '../with-smmuv3.js';

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

mutant('the output size of the stream is 36 bits, which is enough for all memory', VIOLATES, (xen) => ({
  ...xen,
  smmuv3: { ...xen.smmuv3, s2Ps: () => 1 },
}));

mutant('the entry of the stream is made live before the rest of it is written', VIOLATES, (xen) => ({
  ...xen,
  smmuv3: {
    ...xen.smmuv3,
    installSte: (state, smmu, streamId, words) => {
      const { steAddress, invalidateSte, prefetchSte } = state.steps.smmuv3;
      const at = steAddress(state, smmu, streamId) ?? 0;
      const store = (index: number) =>
        state.machine.memory.store64(pa(at + index * 8), words[index * 2 + 1] as number, words[index * 2] as number);
      store(0);
      const error = invalidateSte(state, smmu, streamId, true);
      if (error !== 0) return error;
      for (const index of [1, 2, 3]) store(index);
      return invalidateSte(state, smmu, streamId, true) || prefetchSte(state, smmu, streamId);
    },
  },
}));

mutant('the stream is configured when the domain first runs', VIOLATES, (xen) => {
  const later: (() => number)[] = [];
  return {
    ...xen,
    smmuv3: {
      ...xen.smmuv3,
      attachStream: (state, context, streamId) => {
        if (context.domain.domid === 0) return xen.smmuv3.attachStream(state, context, streamId);
        later.push(() => xen.smmuv3.attachStream(state, context, streamId));
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

mutant('a creation that fails gives the device back on record, and leaves it attached', VIOLATES, (xen) => ({
  ...xen,
  pci: { ...xen.pci, returnDevice: (state, owner, device) => state.steps.pci.setOwner(state, device, owner) },
}));

mutant('a domain that lists devices has passthrough, whatever else its configuration says', VIOLATES, (xen) => ({
  ...xen,
  domain: {
    ...xen.domain,
    parseConfig: (state, blob) => {
      const config = xen.domain.parseConfig(state, blob);
      return 'error' in config ? config : { ...config, passthrough: config.passthrough || config.devices.length > 0 };
    },
  },
}));

mutant('the root that a stream had first stays in its entry for every later domain', VIOLATES, (xen) => {
  const roots = new Map<number, number>();
  return {
    ...xen,
    smmuv3: {
      ...xen.smmuv3,
      attachStream: (state, context, streamId) => {
        const root = roots.get(streamId) ?? maddr(context.root);
        roots.set(streamId, root);
        return xen.smmuv3.attachStream(withSmmuv3(state, { s2Ttb: () => root }), context, streamId);
      },
    },
  };
});
