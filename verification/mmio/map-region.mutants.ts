/** Mistakes in mapping the registers of devices. */
import { decodeFdt, encodeFdt } from '../../src/firmware/fdt.js';
import { cellBytes } from '../../src/firmware/tree.js';
import { gfn, mfn } from '../../src/xen/frames.js';
import { RangeSet } from '../../src/xen/range-set.js';
import { mutant } from '../bench.js';

const VIOLATES = { violates: ['XenSwdgn~passthrough_map_dev_mem_region~1'] };

mutant('no registers are mapped', VIOLATES, (xen) => ({ ...xen, p2m: { ...xen.p2m, mapMmio: () => 0 } }));

mutant('registers are mapped as normal memory', VIOLATES, (xen) => ({
  ...xen,
  p2m: {
    ...xen.p2m,
    attributes: (state, type) => ({
      ...xen.p2m.attributes(state, type),
      mattr: xen.p2m.attributes(state, 'ram_rw').mattr,
    }),
  },
}));

mutant('registers are mapped as device memory that may gather writes', VIOLATES, (xen) => ({
  ...xen,
  p2m: {
    ...xen.p2m,
    attributes: (state, type) => {
      const attributes = xen.p2m.attributes(state, type);
      return type === 'mmio_direct_dev' ? { ...attributes, mattr: 0x3 } : attributes;
    },
  },
}));

mutant('registers can be executed', VIOLATES, (xen) => ({
  ...xen,
  p2m: { ...xen.p2m, attributes: (state, type) => ({ ...xen.p2m.attributes(state, type), execute: true }) },
}));

mutant('registers are read-only', VIOLATES, (xen) => ({
  ...xen,
  p2m: {
    ...xen.p2m,
    attributes: (state, type) => {
      const attributes = xen.p2m.attributes(state, type);
      return type === 'mmio_direct_dev' ? { ...attributes, write: false } : attributes;
    },
  },
}));

mutant('one frame more than the region is mapped', VIOLATES, (xen) => ({
  ...xen,
  p2m: {
    ...xen.p2m,
    mapMmio: (state, domain, at, frames, count) => xen.p2m.mapMmio(state, domain, at, frames, count + 1),
  },
}));

mutant('the last frame of a region of several is left out', VIOLATES, (xen) => ({
  ...xen,
  p2m: {
    ...xen.p2m,
    mapMmio: (state, domain, at, frames, count) =>
      xen.p2m.mapMmio(state, domain, at, frames, count > 1 ? count - 1 : 1),
  },
}));

mutant('the region begins one frame too late in the machine', VIOLATES, (xen) => ({
  ...xen,
  domain: {
    ...xen.domain,
    mapRegion: (state, domain, region) => xen.domain.mapRegion(state, domain, { ...region, mfn: mfn(region.mfn + 1) }),
  },
}));

mutant('guest and machine address of a region are swapped', VIOLATES, (xen) => ({
  ...xen,
  p2m: {
    ...xen.p2m,
    mapMmio: (state, domain, at, frames, count) => xen.p2m.mapMmio(state, domain, gfn(frames), mfn(at), count),
  },
}));

mutant('a region is mapped at the address that the machine has it at', VIOLATES, (xen) => ({
  ...xen,
  domain: {
    ...xen.domain,
    mapRegion: (state, domain, region) => xen.domain.mapRegion(state, domain, { ...region, gfn: gfn(region.mfn) }),
  },
}));

mutant('only the first region is mapped', VIOLATES, (xen) => ({
  ...xen,
  domain: {
    ...xen.domain,
    mapRegions: (state, domain, config) =>
      xen.domain.mapRegions(state, domain, { ...config, regions: config.regions.slice(0, 1) }),
  },
}));

mutant('the size of a region in bytes is taken for its number of frames', VIOLATES, (xen) => ({
  ...xen,
  domain: {
    ...xen.domain,
    mapRegion: (state, domain, region) => {
      const error = xen.domain.mapRegion(state, domain, region);
      if (error !== 0 || domain.p2m === undefined) return error;
      return state.steps.p2m.setEntries(
        state,
        domain.p2m,
        region.gfn,
        region.count * 4096,
        region.mfn,
        'mmio_direct_dev',
      );
    },
  },
}));

mutant('registers are mapped with blocks of 2 MiB where the addresses allow it', VIOLATES, (xen) => ({
  ...xen,
  p2m: {
    ...xen.p2m,
    setEntries: (state, p2m, at, count, frames, type) => {
      if (type !== 'mmio_direct_dev' || frames === undefined || (at - frames) % 512 !== 0) {
        return xen.p2m.setEntries(state, p2m, at, count, frames, type);
      }
      const before = at % 512;
      return xen.p2m.setEntries(
        state,
        p2m,
        gfn(at - before),
        Math.ceil((before + count) / 512) * 512,
        mfn(frames - before),
        type,
      );
    },
  },
}));

mutant('one frame more than the region is permitted', VIOLATES, (xen) => ({
  ...xen,
  domain: {
    ...xen.domain,
    permitIomem: (state, domain, first, count) => xen.domain.permitIomem(state, domain, first, count + 1),
  },
}));

mutant('what a domain may map is not asked', VIOLATES, (xen) => ({
  ...xen,
  domctl: {
    ...xen.domctl,
    memoryMapping: (state, caller, domain, u) =>
      xen.domctl.memoryMapping(state, caller, { ...domain, iomem: caller.iomem }, u),
  },
}));

mutant('a region need not be the registers of a device', VIOLATES, (xen) => ({
  ...xen,
  domain: { ...xen.domain, isAssignableIomem: () => true },
}));

mutant('of a region, only the first frame must be the registers of a device', VIOLATES, (xen) => ({
  ...xen,
  domain: { ...xen.domain, isAssignableIomem: (state, first) => xen.domain.isAssignableIomem(state, first, 1) },
}));

mutant('registers are mapped over what the domain has there', VIOLATES, (xen) => ({
  ...xen,
  p2m: { ...xen.p2m, isOccupied: () => false },
}));

mutant('a region that is no whole pages is rounded down', VIOLATES, (xen) => ({
  ...xen,
  domain: {
    ...xen.domain,
    parseConfig: (state, blob) => {
      const tree = decodeFdt(blob);
      const cells = tree.root.cells('xen,reg');
      // Addresses and sizes have two cells, the lower last.
      if (cells)
        tree.root.properties.set(
          'xen,reg',
          cellBytes(...cells.map((cell, i) => (i % 2 === 1 ? (cell & ~0xfff) >>> 0 : cell))),
        );
      return xen.domain.parseConfig(state, encodeFdt(tree));
    },
  },
}));

mutant('addresses of three cells are taken, and the first cell is ignored', VIOLATES, (xen) => ({
  ...xen,
  domain: {
    ...xen.domain,
    parseConfig: (state, blob) => {
      const tree = decodeFdt(blob);
      const cells = tree.root.cells('xen,reg');
      if (cells && tree.root.addressCells === 3) {
        // Machine address, size and guest address have 3, 2 and 3 cells.
        tree.root.properties.set('xen,reg', cellBytes(...cells.filter((_, i) => i % 8 !== 0 && i % 8 !== 5)));
        tree.root.properties.set('#address-cells', cellBytes(2));
      }
      return xen.domain.parseConfig(state, encodeFdt(tree));
    },
  },
}));

mutant('the CPUs keep what was unmapped', VIOLATES, (xen) => ({
  ...xen,
  p2m: { ...xen.p2m, invalidateCpu: () => {} },
}));

mutant('a domain that loses a device may still map its registers', VIOLATES, (xen) => ({
  ...xen,
  domain: { ...xen.domain, denyIomem: () => {} },
}));

mutant('a permission that is withdrawn is given', VIOLATES, (xen) => ({
  ...xen,
  domctl: {
    ...xen.domctl,
    iomemPermission: (state, caller, domain, u) => {
      const { permitIomem } = state.steps.domain;
      const steps = { ...state.steps, domain: { ...state.steps.domain, denyIomem: permitIomem } };
      return xen.domctl.iomemPermission({ ...state, steps }, caller, domain, u);
    },
  },
}));

mutant("what is given away need not be the giver's", VIOLATES, (xen) => {
  const all = new RangeSet();
  all.add(0, 2 ** 40);
  return {
    ...xen,
    domctl: {
      ...xen.domctl,
      iomemPermission: (state, caller, domain, u) =>
        xen.domctl.iomemPermission(state, { ...caller, iomem: all }, domain, u),
      memoryMapping: (state, caller, domain, u) =>
        xen.domctl.memoryMapping(state, { ...caller, iomem: all }, domain, u),
    },
  };
});

mutant('registers are mapped over those that Xen emulates', VIOLATES, (xen) => ({
  ...xen,
  domain: { ...xen.domain, isEmulated: () => false },
}));

mutant(
  'of the registers that Xen emulates, only the first region is left free',
  { ...VIOLATES, features: ['gicv3'] },
  (xen) => ({
    ...xen,
    domain: {
      ...xen.domain,
      isEmulated: (state, domain, at, count) =>
        xen.domain.isEmulated(state, { ...domain, mmioHandlers: domain.mmioHandlers.slice(0, 1) }, at, count),
    },
  }),
);

const SHOWN = { ...VIOLATES, features: ['gicv2'] };

mutant('registers are mapped over the CPU interface that a domain is shown', SHOWN, (xen) => ({
  ...xen,
  domain: {
    ...xen.domain,
    isEmulated: (state, domain, at, count) => xen.domain.isEmulated({ ...state, gic: undefined }, domain, at, count),
  },
}));
