/** Mistakes that let a device reach more than its domain's memory. */

import { pa } from '../../src/hw/address.js';
import { encode, put } from '../../src/hw/bits.js';
import { CMD, CMD_TLBI, OPCODE, STE_CONFIG } from '../../src/hw/iommu/smmuv3/layout.js';
import { gfn, mfn } from '../../src/xen/frames.js';
import { mutant } from '../bench.js';
import { withSmmuv3 } from '../with-smmuv3.js';

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
      for (const { smmu } of domain.contexts)
        state.steps.smmuv3.invalidateVmid(state, smmu, (domain.p2m?.vmid ?? 0) + 0x100);
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
      mfn === undefined && count === 1
        ? 0
        : xen.p2m.setEntries(state, p2m, gfn, mfn === undefined ? count - 1 : count, mfn, type),
  },
}));

mutant('three pages of registers are entered as a block of 2 MiB', VIOLATES, (xen) => ({
  ...xen,
  p2m: {
    ...xen.p2m,
    mappingLevel: (state, gfn, mfn, count) =>
      mfn !== undefined && count > 1 && gfn % 512 === 0 && mfn % 512 === 0
        ? 2
        : xen.p2m.mappingLevel(state, gfn, mfn, count),
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

mutant('the IOMMU is flushed under the tag that the CPUs have for the domain', VIOLATES, (xen) => ({
  ...xen,
  iommu: {
    ...xen.iommu,
    flush: (state, domain) => {
      for (const { smmu } of domain.contexts) state.steps.smmuv3.invalidateVmid(state, smmu, domain.p2m?.vmid ?? 0);
      return 0;
    },
  },
}));

mutant('the flush that goes with splitting a block is taken for that of the removal', VIOLATES, (xen) => ({
  ...xen,
  p2m: {
    ...xen.p2m,
    setEntry: (state, p2m, gfn, level, mfn, type) => {
      let split = false;
      const splitSuperpage: typeof xen.p2m.splitSuperpage = (_state, ...rest) => {
        split = true;
        return state.steps.p2m.splitSuperpage(state, ...rest);
      };
      const steps = { ...state.steps, p2m: { ...state.steps.p2m, splitSuperpage } };
      const error = xen.p2m.setEntry({ ...state, steps }, p2m, gfn, level, mfn, type);
      if (split && mfn === undefined) p2m.stale = false;
      return error;
    },
  },
}));

mutant('translations are flushed before entries are removed, and not after', VIOLATES, (xen) => ({
  ...xen,
  p2m: {
    ...xen.p2m,
    setEntries: (state, p2m, gfn, count, mfn, type) => {
      if (mfn !== undefined) return xen.p2m.setEntries(state, p2m, gfn, count, mfn, type);
      const early = state.steps.p2m.flush(state, p2m);
      const steps = { ...state.steps, p2m: { ...state.steps.p2m, flush: () => 0 } };
      return early || xen.p2m.setEntries({ ...state, steps }, p2m, gfn, count, mfn, type);
    },
  },
}));

mutant('a page that is given back is cleaned before it is out of reach', VIOLATES, (xen) => ({
  ...xen,
  p2m: {
    ...xen.p2m,
    removeRam: (state, domain, at, count) => {
      const mapping = domain.p2m && state.steps.p2m.lookup(state, domain.p2m, at);
      if (mapping !== undefined) state.steps.heap.scrub(state, mapping.mfn, count);
      const steps = { ...state.steps, heap: { ...state.steps.heap, scrub: () => {} } };
      return xen.p2m.removeRam({ ...state, steps }, domain, at, count);
    },
  },
}));

mutant('of memory for reading only, the first page alone is entered so', VIOLATES, (xen) => ({
  ...xen,
  p2m: { ...xen.p2m, setRamType: (state, domain, at, _count, type) => xen.p2m.setRamType(state, domain, at, 1, type) },
}));

mutant('registers stay in the tables of a domain that has lost the device', VIOLATES, (xen) => ({
  ...xen,
  pci: { ...xen.pci, unmapBars: () => 0 },
}));

mutant('the frame behind a base address register is mapped with it', VIOLATES, (xen) => ({
  ...xen,
  pci: {
    ...xen.pci,
    mapBars: (state, domain, device) => {
      const error = xen.pci.mapBars(state, domain, device);
      if (error !== 0 || domain.p2m === undefined || domain.domid === 0) return error;
      for (const bar of device.bars) {
        const { first, count } = state.steps.pci.barFrames(state, bar);
        const behind = first + count;
        state.steps.p2m.setEntries(state, domain.p2m, gfn(behind), 1, mfn(behind), 'mmio_direct_dev');
      }
      return 0;
    },
  },
}));

const REMAPPING = 'XenSwdgn~passthrough_enable_iommu_to_perform_dma_remapping_for_dev~1';

mutant(
  'the tag of a domain is given back when the first of its devices leaves',
  { violates: [...VIOLATES.violates, REMAPPING] },
  (xen) => ({
    ...xen,
    iommu: {
      ...xen.iommu,
      releaseContext: (state, context) =>
        context.devices.size > 0
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

mutant('of a block that is given back, the first page alone is unmapped', VIOLATES, (xen) => ({
  ...xen,
  p2m: {
    ...xen.p2m,
    setEntry: (state, p2m, at, level, to, type) =>
      xen.p2m.setEntry(state, p2m, at, to === undefined ? 3 : level, to, type),
  },
}));

mutant('when a block is split, all of its pages become writable', VIOLATES, (xen) => ({
  ...xen,
  p2m: {
    ...xen.p2m,
    splitSuperpage: (state, p2m, address, level) => {
      const table = xen.p2m.splitSuperpage(state, p2m, address, level);
      if (table === undefined) return table;
      // S2AP[1] is bit 7 of a descriptor.
      for (let at = table * 4096; at < table * 4096 + 4096; at += 8) {
        const { hi, lo } = state.machine.memory.load64(pa(at));
        state.machine.memory.store64(pa(at), hi, lo | 0x80);
      }
      return table;
    },
  },
}));
