/** Mistakes that let a device reach more than its domain's memory. */
import { CMD, CMD_TLBI, OPCODE, STE_CONFIG } from '../../src/hw/iommu/smmuv3/layout.js';
import { encode, put } from '../../src/hw/bits.js';
import { mutant } from '../bench.js';

const VIOLATES = { violates: ['XenSwdgn~passthrough_use_iommu_to_enforce_dma_ops_from_dev~1'] };

mutant('assigned devices bypass the IOMMU', VIOLATES, (xen) => ({
  ...xen,
  smmuv3: { ...xen.smmuv3, s2Config: () => STE_CONFIG.BYPASS },
}));

mutant('memory for reading only is entered as writable', VIOLATES, (xen) => ({
  ...xen,
  p2m: {
    ...xen.p2m,
    attributes: (state, type) => xen.p2m.attributes(state, type === 'ram_ro' ? 'ram_rw' : type),
  },
}));

mutant('a change of the tables flushes the CPUs and not the IOMMU', VIOLATES, (xen) => ({
  ...xen,
  p2m: { ...xen.p2m, flushIommu: () => 0 },
}));

mutant('the IOMMU is flushed under the tag of the CPUs', VIOLATES, (xen) => ({
  ...xen,
  iommu: {
    ...xen.iommu,
    flush: (state, domain) => {
      for (const { smmu } of domain.contexts) state.steps.smmuv3.invalidateVmid(state, smmu, (domain.p2m?.vmid ?? 0) + 0x100);
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

mutant('an unmapping leaves the last page', VIOLATES, (xen) => ({
  ...xen,
  p2m: {
    ...xen.p2m,
    setEntries: (state, p2m, gfn, count, mfn, type) =>
      mfn === undefined && count === 1 ? 0 : xen.p2m.setEntries(state, p2m, gfn, mfn === undefined ? count - 1 : count, mfn, type),
  },
}));

mutant('three pages of registers are entered as a block of 2 MiB', VIOLATES, (xen) => ({
  ...xen,
  p2m: {
    ...xen.p2m,
    mappingLevel: (state, gfn, mfn, count) =>
      mfn !== undefined && count > 1 && gfn % 512 === 0 && mfn % 512 === 0 ? 2 : xen.p2m.mappingLevel(state, gfn, mfn, count),
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

mutant('memory of a domain is entered one page too long', VIOLATES, (xen) => ({
  ...xen,
  domain: {
    ...xen.domain,
    populateRam: (state, domain, pages) => xen.domain.populateRam(state, domain, pages + 1),
  },
}));
