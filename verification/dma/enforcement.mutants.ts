/** Mistakes that let a device reach more than its domain's memory, whichever IOMMU it is behind. */
import { pa } from '../../src/hw/address.js';
import { gfn, mfn } from '../../src/xen/frames.js';
import { mutant } from '../bench.js';

const REQUIREMENT = 'XenSwdgn~passthrough_use_iommu_to_enforce_dma_ops_from_dev~1';
const VIOLATES = { violates: [REQUIREMENT] };
const VIOLATES_PCI = { violates: [REQUIREMENT], features: ['pci'] };
/** Where a domain can have contexts at two IOMMUs, or at two caches of one. */
const VIOLATES_TWO = { violates: [REQUIREMENT], platforms: ['arm64-smmuv3-dual', 'arm64-ipmmu'] };

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

mutant('memory of a domain is entered one page too long', VIOLATES, (xen) => ({
  ...xen,
  domain: {
    ...xen.domain,
    populateRam: (state, domain, pages) => xen.domain.populateRam(state, domain, pages + 1),
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

mutant('registers stay in the tables of a domain that has lost the device', VIOLATES_PCI, (xen) => ({
  ...xen,
  pci: { ...xen.pci, unmapBars: () => 0 },
}));

mutant('the frame behind a base address register is mapped with it', VIOLATES_PCI, (xen) => ({
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

mutant('only the IOMMU that a domain had a device behind first is flushed', VIOLATES_TWO, (xen) => ({
  ...xen,
  iommu: {
    ...xen.iommu,
    flush: (state, domain) => xen.iommu.flush(state, { ...domain, contexts: domain.contexts.slice(0, 1) }),
  },
}));

mutant('registers of a platform device stay in the tables of a domain that has lost it', VIOLATES, (xen) => ({
  ...xen,
  dt: { ...xen.dt, unmapRegions: () => 0 },
}));

mutant('the frame behind the registers of a platform device is mapped with them', VIOLATES, (xen) => ({
  ...xen,
  domain: {
    ...xen.domain,
    mapRegion: (state, domain, region) => {
      const error = xen.domain.mapRegion(state, domain, region);
      if (error !== 0 || domain.p2m === undefined) return error;
      const behind = [gfn(region.gfn + region.count), mfn(region.mfn + region.count)] as const;
      state.steps.p2m.setEntries(state, domain.p2m, behind[0], 1, behind[1], 'mmio_direct_dev');
      return 0;
    },
  },
}));

mutant('of a range that is flushed, nothing is flushed if it is a single page', VIOLATES, (xen) => ({
  ...xen,
  p2m: {
    ...xen.p2m,
    setEntries: (state, p2m, at, count, to, type) => {
      if (to !== undefined || count !== 1) return xen.p2m.setEntries(state, p2m, at, count, to, type);
      const steps = { ...state.steps, p2m: { ...state.steps.p2m, flushIommu: () => 0 } };
      return xen.p2m.setEntries({ ...state, steps }, p2m, at, count, to, type);
    },
  },
}));

mutant('memory of the hardware domain is mapped to every domain, one to one', VIOLATES, (xen) => ({
  ...xen,
  domain: {
    ...xen.domain,
    populateRam: (state, domain, pages) => {
      const error = xen.domain.populateRam(state, domain, pages);
      const [run] = state.domains.get(0)?.ram ?? [];
      if (error !== 0 || domain.domid === 0 || run === undefined || domain.p2m === undefined) return error;
      // The page that is 48 MiB into it: no guest has memory at that address.
      const at = run.mfn + 48 * 256;
      return state.steps.p2m.setEntries(state, domain.p2m, gfn(at), 1, mfn(at), 'ram_rw');
    },
  },
}));

mutant("the root of a domain's tables is one of its own pages too", VIOLATES, (xen) => ({
  ...xen,
  domain: {
    ...xen.domain,
    populateRam: (state, domain, pages) => {
      const error = xen.domain.populateRam(state, domain, pages);
      if (error !== 0 || domain.domid === 0 || domain.p2m === undefined) return error;
      const { root } = domain.p2m;
      return state.steps.p2m.setEntries(state, domain.p2m, gfn(root), 1, root, 'ram_rw');
    },
  },
}));
