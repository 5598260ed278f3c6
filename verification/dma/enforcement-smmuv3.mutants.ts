/** Mistakes with SMMUv3s that let a device reach more than its domain's memory. */
import { encode, put } from '../../src/hw/bits.js';
import { CMD, CMD_TLBI, OPCODE, STE_CONFIG } from '../../src/hw/iommu/smmuv3/layout.js';
import { mutant } from '../bench.js';
import { isOfSmmuv3, withSmmuv3 } from '../with-smmuv3.js';

const REQUIREMENT = 'XenSwdgn~passthrough_use_iommu_to_enforce_dma_ops_from_dev~1';
const REMAPPING = 'XenSwdgn~passthrough_enable_iommu_to_perform_dma_remapping_for_dev~1';
const VIOLATES = { violates: [REQUIREMENT], features: ['smmuv3'] };

mutant('assigned devices bypass the IOMMU', VIOLATES, (xen) => ({
  ...xen,
  smmuv3: { ...xen.smmuv3, s2Config: () => STE_CONFIG.BYPASS },
}));

mutant('the IOMMU is flushed under the tag of the CPUs', VIOLATES, (xen) => ({
  ...xen,
  iommu: {
    ...xen.iommu,
    flush: (state, domain) => {
      for (const { iommu } of domain.contexts.filter(isOfSmmuv3))
        state.steps.smmuv3.invalidateVmid(state, iommu, (domain.p2m?.vmid ?? 0) + 0x100);
      return 0;
    },
  },
}));

mutant('the flush of translations is not waited for', VIOLATES, (xen) => ({
  ...xen,
  smmuv3: {
    ...xen.smmuv3,
    invalidateVmid: (state, smmu, vmid) => {
      const words = encode(CMD, 128, { OPCODE: OPCODE.TLBI_S12_VMALL });
      put(words, CMD_TLBI.VMID, vmid);
      return state.steps.smmuv3.issueCommand(state, smmu, words);
    },
  },
}));

mutant('a denied request is terminated without a record', VIOLATES, (xen) => ({
  ...xen,
  smmuv3: {
    ...xen.smmuv3,
    encodeStage2Ste: (state, context) => {
      const words = xen.smmuv3.encodeStage2Ste(state, context);
      // S2R is bit 58 of the third doubleword: bit 26 of word 5.
      words[5] = (words[5] as number) & ~(1 << 26);
      return words;
    },
  },
}));

mutant('the IOMMU is flushed under the tag that the CPUs have for the domain', VIOLATES, (xen) => ({
  ...xen,
  iommu: {
    ...xen.iommu,
    flush: (state, domain) => {
      for (const { iommu } of domain.contexts.filter(isOfSmmuv3))
        state.steps.smmuv3.invalidateVmid(state, iommu, domain.p2m?.vmid ?? 0);
      return 0;
    },
  },
}));

mutant(
  'the tag of a domain is given back when the first of its devices leaves',
  { ...VIOLATES, violates: [REQUIREMENT, REMAPPING] },
  (xen) => ({
    ...xen,
    iommu: {
      ...xen.iommu,
      releaseContext: (state, context) =>
        context.devices.size > 0 && isOfSmmuv3(context)
          ? state.steps.smmuv3.destroyContext(state, context)
          : xen.iommu.releaseContext(state, context),
    },
  }),
);

mutant('the records of the IOMMU are read, and it is not told', VIOLATES, (xen) => ({
  ...xen,
  smmuv3: {
    ...xen.smmuv3,
    drainEvents: (state, smmu) => {
      return xen.smmuv3.drainEvents(withSmmuv3(state, { writeRegister: () => {} }), smmu);
    },
  },
}));

/** Where there are two SMMUs. */
const VIOLATES_TWO = { violates: [REQUIREMENT], features: ['two-smmus'] };

mutant('every flush goes to the first SMMU', VIOLATES_TWO, (xen) => ({
  ...xen,
  smmuv3: {
    ...xen.smmuv3,
    invalidateContext: (state, context) => {
      const smmu = state.iommus.find((iommu) => iommu.kind === 'smmuv3') ?? context.iommu;
      return smmu.kind === 'smmuv3' ? state.steps.smmuv3.invalidateVmid(state, smmu, context.tag) : 0;
    },
  },
}));

mutant('the second SMMU is flushed under the tag that the domain has at the first', VIOLATES_TWO, (xen) => ({
  ...xen,
  smmuv3: {
    ...xen.smmuv3,
    invalidateContext: (state, context) => {
      const tag = context.domain.contexts[0]?.tag ?? context.tag;
      return state.steps.smmuv3.invalidateVmid(state, context.iommu, tag);
    },
  },
}));

mutant('the records of the first SMMU alone are read', VIOLATES_TWO, (xen) => ({
  ...xen,
  smmuv3: {
    ...xen.smmuv3,
    drainEvents: (state, smmu) => (smmu === state.iommus[0] ? xen.smmuv3.drainEvents(state, smmu) : 0),
  },
}));

mutant('the walks of a stream begin one page behind its root', VIOLATES, (xen) => ({
  ...xen,
  smmuv3: { ...xen.smmuv3, s2Ttb: (state, context) => xen.smmuv3.s2Ttb(state, context) + 0x1000 },
}));
