/** Mistakes in creating direct-mapped domains. */
import { cellBytes } from '../../src/firmware/tree.js';
import { gfnAdd, mfnAdd } from '../../src/xen/frames.js';
import { GUEST_GICV2, GUEST_GICV3 } from '../../src/xen/guest-layout.js';
import type { XenSteps } from '../../src/xen/index.js';
import type { Domain } from '../../src/xen/xen.js';
import { mutant } from '../bench.js';

const VIOLATES = { violates: ['XenSwdgn~passthrough_support_creation_direct_mapped_doms~1'] };
const GICV3 = { ...VIOLATES, features: ['gicv3'] };
const GICV2 = { ...VIOLATES, features: ['gicv2'] };

mutant('a direct-mapped domain sees its memory where others do', VIOLATES, (xen) => ({
  ...xen,
  dom0less: {
    ...xen.dom0less,
    bankRuns: (state, domain, banks) => xen.dom0less.bankRuns(state, { ...domain, directMapped: false }, banks),
  },
}));

mutant('only the first bank is where the machine has it, the others follow it', VIOLATES, (xen) => ({
  ...xen,
  dom0less: {
    ...xen.dom0less,
    bankRuns: (state, domain, banks) => {
      const runs = xen.dom0less.bankRuns(state, domain, banks);
      let next = runs[0]?.gfn;
      return runs.map((run) => {
        const at = next ?? run.gfn;
        next = gfnAdd(at, run.count);
        return { ...run, gfn: at };
      });
    },
  },
}));

/** Every bank is longer or shorter than it says. */
function resized(xen: XenSteps, by: number): XenSteps {
  return {
    ...xen,
    dom0less: {
      ...xen.dom0less,
      mapBanks: (state, domain) => {
        for (const { gfn, mfn, count } of domain.ram) {
          const error = state.steps.p2m.mapRam(state, domain, gfn, mfn, count + by);
          if (error !== 0) return error;
        }
        return 0;
      },
    },
  };
}

mutant('the page behind each bank is mapped too', VIOLATES, (xen) => resized(xen, 1));

mutant('the last page of each bank is left out', VIOLATES, (xen) => resized(xen, -1));

mutant('the page before each bank is mapped too', VIOLATES, (xen) => ({
  ...xen,
  dom0less: {
    ...xen.dom0less,
    mapBanks: (state, domain) => {
      for (const { gfn, mfn } of domain.ram) state.steps.p2m.mapRam(state, domain, gfnAdd(gfn, -1), mfnAdd(mfn, -1), 1);
      return xen.dom0less.mapBanks(state, domain);
    },
  },
}));

mutant('memory that is not free where it is named is taken from anywhere', VIOLATES, (xen) => ({
  ...xen,
  domain: {
    ...xen.domain,
    checkMemory: () => 0,
    allocateMemory: (state, domain, config) =>
      domain.ram.length === 0
        ? state.steps.domain.populateRam(state, domain, config.pages)
        : xen.domain.allocateMemory(state, domain, config),
  },
  dom0less: {
    ...xen.dom0less,
    takeBanks: (state, domain, banks) => {
      xen.dom0less.takeBanks(state, domain, banks);
      return 0;
    },
  },
}));

mutant('direct-map without named memory makes an ordinary domain', VIOLATES, (xen) => ({
  ...xen,
  domain: {
    ...xen.domain,
    readConfig: (state, node) => {
      if (!node.has('direct-map') || node.has('xen,static-mem')) return xen.domain.readConfig(state, node);
      const ordinary = node.clone();
      ordinary.properties.delete('direct-map');
      return xen.domain.readConfig(state, ordinary);
    },
  },
}));

mutant('a domain has as much memory as its banks, whatever it says', VIOLATES, (xen) => ({
  ...xen,
  domain: {
    ...xen.domain,
    readConfig: (state, node) => {
      const cells = node.cells('xen,static-mem');
      if (cells === undefined) return xen.domain.readConfig(state, node);
      const sizes = cells.filter((_, at) => at % 4 === 3);
      const changed = node.clone();
      changed.properties.set('memory', cellBytes(0, sizes.reduce((sum, size) => sum + size, 0) / 1024));
      return xen.domain.readConfig(state, changed);
    },
  },
}));

mutant('only the first page of each bank must be free', VIOLATES, (xen) => ({
  ...xen,
  domain: { ...xen.domain, checkMemory: () => 0 },
  dom0less: {
    ...xen.dom0less,
    acquireBanks: (state, banks) => {
      if (!banks.every(({ mfn }) => state.heap.isFree(mfn, 1))) return -12;
      for (const { mfn, count } of banks) state.heap.reserve(mfn, count);
      return 0;
    },
  },
}));

mutant('only the first bank must be free', VIOLATES, (xen) => ({
  ...xen,
  domain: { ...xen.domain, checkMemory: () => 0 },
  dom0less: {
    ...xen.dom0less,
    acquireBanks: (state, banks) => {
      const error = xen.dom0less.acquireBanks(state, banks.slice(0, 1));
      for (const { mfn, count } of error === 0 ? banks : []) state.heap.reserve(mfn, count);
      return error;
    },
  },
}));

mutant('memory that a domain has by name can be had by another', VIOLATES, (xen) => ({
  ...xen,
  dom0less: { ...xen.dom0less, acquireBanks: () => 0 },
}));

mutant('memory that the boot loader names for a domain is not set aside', VIOLATES, (xen) => ({
  ...xen,
  dom0less: { ...xen.dom0less, findStaticBanks: () => [] },
}));

mutant('a device that no IOMMU protects goes to any domain that it is forced into', VIOLATES, (xen) => ({
  ...xen,
  dom0less: {
    ...xen.dom0less,
    assignUnprotected: (state, domain, device) => {
      state.steps.dt.setOwner(state, device, domain);
      return 0;
    },
  },
}));

mutant('a device that no IOMMU protects goes to any domain whose memory is named', VIOLATES, (xen) => {
  const named = new WeakSet<Domain>();
  return {
    ...xen,
    dom0less: {
      ...xen.dom0less,
      takeBanks: (state, domain, banks) => {
        if (banks !== undefined) named.add(domain);
        return xen.dom0less.takeBanks(state, domain, banks);
      },
      assignUnprotected: (state, domain, device) => {
        if (!named.has(domain)) return xen.dom0less.assignUnprotected(state, domain, device);
        state.steps.dt.setOwner(state, device, domain);
        return 0;
      },
    },
  };
});

mutant('a device that no IOMMU protects goes to a direct-mapped domain without being forced', VIOLATES, (xen) => ({
  ...xen,
  dom0less: {
    ...xen.dom0less,
    assignDevice: (state, domain, device, force) =>
      xen.dom0less.assignDevice(state, domain, device, force || domain.directMapped),
  },
}));

mutant('registers of a device that no IOMMU protects go to any domain', VIOLATES, (xen) => ({
  ...xen,
  dom0less: { ...xen.dom0less, checkPathless: () => 0 },
}));

mutant('a creation that is refused keeps the memory that it named', VIOLATES, (xen) => ({
  ...xen,
  domain: {
    ...xen.domain,
    rollback: (state, domain, owners) => {
      domain.ram = [];
      xen.domain.rollback(state, domain, owners);
    },
  },
}));

mutant('a creation that is refused keeps the device', VIOLATES, (xen) => ({
  ...xen,
  dom0less: {
    ...xen.dom0less,
    assignUnprotected: (state, domain, device) => {
      const error = xen.dom0less.assignUnprotected(state, domain, device);
      if (error !== 0) device.domain = domain;
      return error;
    },
  },
}));

mutant('memory that was named is not cleaned when its domain is destroyed', VIOLATES, (xen) => ({
  ...xen,
  domain: {
    ...xen.domain,
    relinquishMemory: (state, domain) => {
      if (!domain.directMapped) return xen.domain.relinquishMemory(state, domain);
      const heap = { ...state.steps.heap, scrub: () => {} };
      return xen.domain.relinquishMemory({ ...state, steps: { ...state.steps, heap } }, domain);
    },
  },
}));

mutant('memory that was named is lost when its domain is destroyed', VIOLATES, (xen) => ({
  ...xen,
  domain: {
    ...xen.domain,
    relinquishMemory: (state, domain) => {
      if (!domain.directMapped) return xen.domain.relinquishMemory(state, domain);
      const heap = { ...state.steps.heap, free: () => {} };
      return xen.domain.relinquishMemory({ ...state, steps: { ...state.steps, heap } }, domain);
    },
  },
}));

mutant('a direct-mapped domain is told of an interrupt controller where others have theirs', VIOLATES, (xen) => ({
  ...xen,
  dom0less: {
    ...xen.dom0less,
    guestTree: (state, domain, config) => xen.dom0less.guestTree(state, { ...domain, directMapped: false }, config),
  },
}));

mutant('a direct-mapped domain has its distributor where others have theirs', VIOLATES, (xen) => ({
  ...xen,
  vgic: {
    ...xen.vgic,
    makeGicdV3: (state) => xen.vgic.makeGicdV3(state, GUEST_GICV3.GICD.address),
    makeGicdV2: (state) => xen.vgic.makeGicdV2(state, GUEST_GICV2.GICD.address),
  },
}));

mutant('a direct-mapped domain has its redistributors where others have theirs', GICV3, (xen) => ({
  ...xen,
  vgic: {
    ...xen.vgic,
    placeRedistributors: (state, domain, gic) => {
      const places = { ...domain, directMapped: false };
      return xen.vgic.placeRedistributors(state, places, gic);
    },
  },
}));

mutant('a direct-mapped domain has its CPU interface where others have theirs', GICV2, (xen) => ({
  ...xen,
  vgic: {
    ...xen.vgic,
    mapCpuInterface: (state, domain) => xen.vgic.mapCpuInterface(state, domain, GUEST_GICV2.GICC.address),
  },
}));
