/** Mistakes in mapping the registers of platform devices. */
import { gfn } from '../../src/xen/frames.js';
import { mutant } from '../bench.js';

const VIOLATES = { violates: ['XenSwdgn~passthrough_map_dev_mem_region~1'] };

mutant('of a platform device, only the first region is mapped', VIOLATES, (xen) => ({
  ...xen,
  dom0less: {
    ...xen.dom0less,
    passThrough: (state, domain, wanted) =>
      xen.dom0less.passThrough(state, domain, { ...wanted, regions: wanted.regions.slice(0, 1) }),
  },
}));

mutant('regions of a platform device are mapped where the machine has them', VIOLATES, (xen) => ({
  ...xen,
  dom0less: {
    ...xen.dom0less,
    passThrough: (state, domain, wanted) => {
      const regions = wanted.regions.map((region) => ({ ...region, gfn: gfn(region.mfn) }));
      return xen.dom0less.passThrough(state, domain, { ...wanted, regions });
    },
  },
}));

mutant('a platform device is permitted whole, whatever part of it is mapped', VIOLATES, (xen) => ({
  ...xen,
  dom0less: {
    ...xen.dom0less,
    assignDevice: (state, domain, device, force) => {
      for (const { address, size } of device.regions) {
        state.steps.domain.permitIomem(state, domain, Math.floor(address / 4096) as never, Math.ceil(size / 4096));
      }
      return xen.dom0less.assignDevice(state, domain, device, force);
    },
  },
}));

mutant('one frame more than the region of a platform device is permitted', VIOLATES, (xen) => ({
  ...xen,
  dom0less: {
    ...xen.dom0less,
    passThrough: (state, domain, wanted) => {
      const error = xen.dom0less.passThrough(state, domain, wanted);
      for (const { mfn: first, count } of error === 0 ? wanted.regions : []) {
        state.steps.domain.permitIomem(state, domain, first, count + 1);
      }
      return error;
    },
  },
}));

mutant('registers that another domain has are given again', VIOLATES, (xen) => ({
  ...xen,
  dom0less: { ...xen.dom0less, isOthers: () => false },
}));

mutant('a domain that loses a platform device keeps its registers', VIOLATES, (xen) => ({
  ...xen,
  dt: { ...xen.dt, unmapRegions: () => 0 },
}));

mutant(
  'a domain that loses a platform device keeps its registers where the machine does not have them',
  VIOLATES,
  (xen) => ({
    ...xen,
    dt: {
      ...xen.dt,
      unmapRegions: (state, domain, device) => {
        const elsewhere = domain.mmio.filter((run) => (run.gfn as number) !== run.mfn);
        domain.mmio = domain.mmio.filter((run) => (run.gfn as number) === run.mfn);
        const error = xen.dt.unmapRegions(state, domain, device);
        domain.mmio = [...domain.mmio, ...elsewhere];
        return error;
      },
    },
  }),
);
