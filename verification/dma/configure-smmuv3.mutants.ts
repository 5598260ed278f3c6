/** Mistakes in how an SMMUv3 is configured when a domain is created. */
import { pa } from '../../src/hw/address.js';
import { encode } from '../../src/hw/bits.js';
import { SHCFG, STE, STE_CONFIG } from '../../src/hw/iommu/smmuv3/layout.js';
import { maddr } from '../../src/xen/frames.js';
import { mutant } from '../bench.js';
import { isOfSmmuv3, withSmmuv3 } from '../with-smmuv3.js';

const VIOLATES = { violates: ['XenSwdgn~passthrough_configure_iommu_at_boot~1'], features: ['smmuv3'] };

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

mutant('the output size of the stream is 36 bits, which is enough for all memory', VIOLATES, (xen) => ({
  ...xen,
  smmuv3: { ...xen.smmuv3, s2Ps: () => 1 },
}));

mutant('the start level of the stream is one too low', VIOLATES, (xen) => ({
  ...xen,
  smmuv3: { ...xen.smmuv3, s2Sl0: (state, context) => xen.smmuv3.s2Sl0(state, context) - 1 },
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

mutant('the stream translates by the tables of Xen itself until the domain is complete', VIOLATES, (xen) => ({
  ...xen,
  domain: {
    ...xen.domain,
    assignDevices: (state, domain, config, ...rest) => {
      const { encodeStage2Ste, encodeAbortSte, installSte } = xen.smmuv3;
      for (const sbdf of config.devices) {
        const master = xen.pci.findDevice(state, sbdf)?.master;
        const owner = state.domains.get(0)?.contexts[0];
        if (master?.iommu.kind !== 'smmuv3' || owner === undefined || !isOfSmmuv3(owner)) continue;
        for (const streamId of master.streamIds) {
          installSte(state, master.iommu, streamId, encodeStage2Ste(state, owner));
          installSte(state, master.iommu, streamId, encodeAbortSte(state));
        }
      }
      return xen.domain.assignDevices(state, domain, config, ...rest);
    },
  },
}));

mutant('the input size of the stream has the bits of one level of tables less', VIOLATES, (xen) => ({
  ...xen,
  smmuv3: {
    ...xen.smmuv3,
    s2T0sz: (state, context) => xen.smmuv3.s2T0sz(state, context) + 9,
    s2Sl0: (state, context) => xen.smmuv3.s2Sl0(state, context) - 1,
  },
}));

mutant('when a creation fails, the streams of its devices are left in bypass', VIOLATES, (xen) => ({
  ...xen,
  domain: {
    ...xen.domain,
    rollback: (state, domain, owners) => {
      const encodeAbortSte = () => encode(STE, 512, { V: 1, CONFIG: STE_CONFIG.BYPASS, SHCFG: SHCFG.INCOMING });
      xen.domain.rollback(withSmmuv3(state, { encodeAbortSte }), domain, owners);
    },
  },
}));
