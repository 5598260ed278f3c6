/** Mistakes with an IPMMU that leave a door open for a device that no domain owns. */
import { pa } from '../../src/hw/address.js';
import { encode } from '../../src/hw/bits.js';
import { IMUCTR, MICRO_TLB, microTlbRegister } from '../../src/hw/iommu/ipmmu/layout.js';
import { maddr } from '../../src/xen/frames.js';
import { mutant } from '../bench.js';
import { withIpmmu } from '../with-ipmmu.js';

const VIOLATES = {
  violates: ['XenSwdgn~passthrough_use_iommu_to_deny_dma_ops_from_dev~1'],
  features: ['ipmmu'],
};

mutant('micro-TLBs of nobody are left off at boot, and let requests pass', VIOLATES, (xen) => ({
  ...xen,
  ipmmu: { ...xen.ipmmu, parkAll: () => {} },
}));

mutant('a micro-TLB that loses its device is turned off, and lets requests pass', VIOLATES, (xen) => ({
  ...xen,
  ipmmu: {
    ...xen.ipmmu,
    detachMicroTlb: (state, context, microTlb) => {
      const selectContext: typeof xen.ipmmu.selectContext = (inner, ipmmu, at) => {
        const off = encode(IMUCTR, 32, { FLUSH: 1 })[0] as number;
        const register = microTlbRegister(ipmmu.features, at, MICRO_TLB.IMUCTR);
        inner.steps.ipmmu.writeRegister(inner, ipmmu, register, off);
      };
      return xen.ipmmu.detachMicroTlb(withIpmmu(state, { selectContext }), context, microTlb);
    },
  },
}));

mutant('a micro-TLB that loses its device stays as it is', VIOLATES, (xen) => ({
  ...xen,
  ipmmu: {
    ...xen.ipmmu,
    detachMicroTlb: (state, context, microTlb) =>
      xen.ipmmu.detachMicroTlb(withIpmmu(state, { selectContext: () => {} }), context, microTlb),
  },
}));

mutant('only the first of several micro-TLBs is parked', VIOLATES, (xen) => ({
  ...xen,
  ipmmu: {
    ...xen.ipmmu,
    detachStreams: (state, context, device) => {
      const [first] = device.master?.streamIds ?? [];
      return first === undefined ? 0 : state.steps.ipmmu.detachMicroTlb(state, context, first);
    },
  },
}));

mutant('the context of parking is the first that a domain gets', VIOLATES, (xen) => ({
  ...xen,
  ipmmu: {
    ...xen.ipmmu,
    microTlbControl: (state, context) => xen.ipmmu.microTlbControl(state, context === 0 ? 1 : context),
  },
}));

mutant('micro-TLBs are parked on a context that is enabled in no cache', VIOLATES, (xen) => ({
  ...xen,
  ipmmu: {
    ...xen.ipmmu,
    setContext: (state, ipmmu, context, enabled) =>
      ipmmu.main !== undefined && context === 0 ? 0 : xen.ipmmu.setContext(state, ipmmu, context, enabled),
  },
}));

mutant('only micro-TLBs below the 32nd are parked at boot', VIOLATES, (xen) => ({
  ...xen,
  ipmmu: {
    ...xen.ipmmu,
    parkAll: (state, ipmmu) => {
      for (let microTlb = 0; microTlb < 32; microTlb++) state.steps.ipmmu.selectContext(state, ipmmu, microTlb, 0);
    },
  },
}));

mutant('micro-TLBs of the main instance are parked, those of its caches are not', VIOLATES, (xen) => ({
  ...xen,
  ipmmu: {
    ...xen.ipmmu,
    parkAll: (state, ipmmu) => {
      if (ipmmu.main === undefined) xen.ipmmu.parkAll(state, ipmmu);
    },
  },
}));

mutant('the context of parking has tables of memory to read', VIOLATES, (xen) => ({
  ...xen,
  ipmmu: {
    ...xen.ipmmu,
    resetMain: (state, ipmmu) => {
      const writeTables: typeof xen.ipmmu.writeTables = (inner, main, context, root, ipaBits) => {
        // Blocks of 1 GiB at level 1: normal memory, read-only, accessed.
        for (let gib = 0; gib < 64; gib++) {
          inner.machine.memory.store64(pa(maddr(root) + gib * 8), gib >>> 2, (((gib & 3) << 30) | 0x77d) >>> 0);
        }
        return xen.ipmmu.writeTables(inner, main, context, root, ipaBits);
      };
      return xen.ipmmu.resetMain(withIpmmu(state, { writeTables }), ipmmu);
    },
  },
}));

mutant('what a micro-TLB holds of a device that it loses is not waited for', VIOLATES, (xen) => ({
  ...xen,
  ipmmu: {
    ...xen.ipmmu,
    detachMicroTlb: (state, context, microTlb) =>
      xen.ipmmu.detachMicroTlb(withIpmmu(state, { invalidateContext: () => 0 }), context, microTlb),
    // Nor when its context ends.
    disableMain: (state, main, context) => {
      const error = xen.ipmmu.disableMain(withIpmmu(state, { waitFlushed: () => 0 }), main, context);
      return error;
    },
    setContext: (state, ipmmu, context, enabled) =>
      enabled
        ? xen.ipmmu.setContext(state, ipmmu, context, enabled)
        : xen.ipmmu.setContext(withIpmmu(state, { waitFlushed: () => 0 }), ipmmu, context, enabled),
  },
}));
