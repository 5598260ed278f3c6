/** Mistakes with SMMUv3s and PCI that leave a device's addresses as they are, or turn them into somebody else's. */
import { pa } from '../../src/hw/address.js';
import { STE_CONFIG } from '../../src/hw/iommu/smmuv3/layout.js';
import { requesterId } from '../../src/hw/machine.js';
import { maddr, maddrToMfn } from '../../src/xen/frames.js';
import { mutant } from '../bench.js';
import { isOfSmmuv3, withSmmuv3 } from '../with-smmuv3.js';

const REQUIREMENT = 'XenSwdgn~passthrough_enable_iommu_to_perform_dma_remapping_for_dev~1';
const VIOLATES = { violates: [REQUIREMENT], features: ['smmuv3'] };
/** Where a stream id is not the requester id. */
const VIOLATES_MAPPED = { violates: [REQUIREMENT], platforms: ['arm64-smmuv3'] };

mutant('the SMMU is never enabled', VIOLATES, (xen) => ({
  ...xen,
  smmuv3: { ...xen.smmuv3, enable: () => 0 },
}));

mutant('the stream of an assigned device bypasses translation', VIOLATES, (xen) => ({
  ...xen,
  smmuv3: { ...xen.smmuv3, s2Config: () => STE_CONFIG.BYPASS },
}));

mutant('the stream translates by stage 1 only', VIOLATES, (xen) => ({
  ...xen,
  smmuv3: { ...xen.smmuv3, s2Config: () => STE_CONFIG.S1 },
}));

mutant('the stream id is the requester id, whatever iommu-map says', VIOLATES_MAPPED, (xen) => ({
  ...xen,
  iommu: {
    ...xen.iommu,
    streamIdsOf: (state, device) => {
      const found = xen.iommu.streamIdsOf(state, device);
      return typeof found === 'number' ? found : { ...found, streamIds: [requesterId(device.sbdf)] };
    },
  },
}));

mutant('the second domain shares the tag of the first, under its own root', VIOLATES, (xen) => ({
  ...xen,
  smmuv3: { ...xen.smmuv3, s2Vmid: (_state, context) => (context.domain.domid === 0 ? context.tag : 2) },
}));

mutant('a new owner is written into the entry, and the SMMU not told', VIOLATES, (xen) => ({
  ...xen,
  smmuv3: {
    ...xen.smmuv3,
    installSte: (state, smmu, streamId, words) => {
      const quiet = withSmmuv3(state, { invalidateSte: () => 0, prefetchSte: () => 0 });
      return xen.smmuv3.installSte(quiet, smmu, streamId, words);
    },
    installAbortSte: (state, smmu, streamId) => {
      return xen.smmuv3.installAbortSte(withSmmuv3(state, { invalidateSte: () => 0 }), smmu, streamId);
    },
  },
}));

mutant('guest memory is mapped one to one', VIOLATES, (xen) => ({
  ...xen,
  p2m: {
    ...xen.p2m,
    encodeLeaf: (state, level, mfn, type) => xen.p2m.encodeLeaf(state, level, mfn, type),
    mapRam: (state, domain, at, _frames, count) => xen.p2m.mapRam(state, domain, at, maddrToMfn(at * 4096), count),
  },
}));

mutant('the root of the tables is that of the domain created before', VIOLATES, (xen) => ({
  ...xen,
  smmuv3: {
    ...xen.smmuv3,
    s2Ttb: (state, context) => {
      const before = [...state.domains.values()].filter(({ domid }) => domid < context.domain.domid).at(-1);
      return maddr(before?.p2m?.root ?? context.root);
    },
  },
}));

mutant('the number of the function is left out of the stream id', VIOLATES, (xen) => ({
  ...xen,
  iommu: {
    ...xen.iommu,
    requesterIds: (state, device) =>
      xen.iommu.requesterIds(state, { ...device, sbdf: { ...device.sbdf, function: 0 } }),
  },
}));

mutant('seven bits of a stream id index the second-level stream table', VIOLATES, (xen) => ({
  ...xen,
  smmuv3: {
    ...xen.smmuv3,
    steAddress: (state, smmu, streamId) => xen.smmuv3.steAddress(state, smmu, streamId & ~0x80),
  },
}));

mutant('the span of a second-level stream table is half of what it has', VIOLATES, (xen) => ({
  ...xen,
  smmuv3: {
    ...xen.smmuv3,
    initLevel2: (state, smmu, streamId) => {
      const { base, level2 } = smmu.streamTable;
      const before = level2.size;
      const error = xen.smmuv3.initLevel2(state, smmu, streamId);
      if (error !== 0 || level2.size === before) return error;
      // Span is in the lowest bits of the descriptor, of which there is one for 256 streams.
      const at = pa(base + (streamId >> 8) * 8);
      const { hi, lo } = state.machine.memory.load64(at);
      state.machine.memory.store64(at, hi, lo - 1);
      return state.steps.smmuv3.invalidateSte(state, smmu, streamId, false);
    },
  },
}));

mutant('every device that is added is given a second-level stream table of its own', VIOLATES, (xen) => ({
  ...xen,
  smmuv3: {
    ...xen.smmuv3,
    initLevel2: (state, smmu, streamId) => {
      smmu.streamTable.level2.delete(streamId >> 8);
      return xen.smmuv3.initLevel2(state, smmu, streamId);
    },
  },
}));

mutant('an entry is invalidated before it is made live, and not after', VIOLATES, (xen) => ({
  ...xen,
  smmuv3: {
    ...xen.smmuv3,
    installSte: (state, smmu, streamId, words) => {
      const { steAddress, invalidateSte } = state.steps.smmuv3;
      const at = steAddress(state, smmu, streamId) ?? 0;
      const error = invalidateSte(state, smmu, streamId, true);
      for (const index of [1, 2, 3, 0]) {
        state.machine.memory.store64(pa(at + index * 8), words[index * 2 + 1] as number, words[index * 2] as number);
      }
      return error;
    },
  },
}));

mutant('only the first of several streams is configured', VIOLATES, (xen) => ({
  ...xen,
  smmuv3: {
    ...xen.smmuv3,
    forEachStream: (_state, device, visit) => {
      const [first] = device.master?.streamIds ?? [];
      return first === undefined ? 0 : visit(first);
    },
  },
}));

mutant('a device that names no IOMMU is given the first stream of one', VIOLATES, (xen) => ({
  ...xen,
  dom0less: {
    ...xen.dom0less,
    assignUnprotected: (state, domain, device) => {
      const [iommu] = state.iommus;
      const context = iommu && state.steps.iommu.contextFor(state, domain, iommu);
      if (typeof context === 'object' && isOfSmmuv3(context)) state.steps.smmuv3.attachStream(state, context, 0);
      return xen.dom0less.assignUnprotected(state, domain, device);
    },
  },
}));

/** Where there are two SMMUs. */
const VIOLATES_TWO = { violates: [REQUIREMENT], features: ['two-smmus'] };

mutant('the tag that a domain has at its first SMMU is used at the second one too', VIOLATES_TWO, (xen) => ({
  ...xen,
  smmuv3: {
    ...xen.smmuv3,
    s2Vmid: (state, context) => {
      const [first] = context.domain.contexts;
      return first === undefined || context.domain.domid === 0 ? xen.smmuv3.s2Vmid(state, context) : first.tag;
    },
  },
}));

mutant('the entries of all streams are written for the first SMMU', VIOLATES_TWO, (xen) => ({
  ...xen,
  smmuv3: {
    ...xen.smmuv3,
    installSte: (state, smmu, streamId, words) => {
      const [first] = state.iommus;
      return xen.smmuv3.installSte(state, first?.kind === 'smmuv3' ? first : smmu, streamId, words);
    },
  },
}));

mutant('only the first SMMU is enabled', VIOLATES_TWO, (xen) => ({
  ...xen,
  smmuv3: {
    ...xen.smmuv3,
    enable: (state, smmu) => (smmu === state.iommus[0] ? xen.smmuv3.enable(state, smmu) : 0),
  },
}));
