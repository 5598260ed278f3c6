/** Mistakes with an IPMMU that leave a device's addresses as they are, or turn them into somebody else's. */
import { encode, put } from '../../src/hw/bits.js';
import { IMTTBCR, IMUCTR } from '../../src/hw/iommu/ipmmu/layout.js';
import { maddr } from '../../src/xen/frames.js';
import { mutant } from '../bench.js';
import { withIpmmu } from '../with-ipmmu.js';

const VIOLATES = {
  violates: ['XenSwdgn~passthrough_enable_iommu_to_perform_dma_remapping_for_dev~1'],
  features: ['ipmmu'],
};

mutant('the micro-TLB of an assigned device is left disabled, so that it lets requests pass', VIOLATES, (xen) => ({
  ...xen,
  ipmmu: {
    ...xen.ipmmu,
    microTlbControl: (state, context) => {
      const words = Uint32Array.of(xen.ipmmu.microTlbControl(state, context));
      put(words, IMUCTR.MMUEN, context === 0 ? 1 : 0);
      return words[0] as number;
    },
  },
}));

mutant('a micro-TLB selects the context of the next higher number', VIOLATES, (xen) => ({
  ...xen,
  ipmmu: {
    ...xen.ipmmu,
    microTlbControl: (state, context) => xen.ipmmu.microTlbControl(state, context === 0 ? 0 : context + 1),
  },
}));

mutant('every micro-TLB selects the first context', VIOLATES, (xen) => ({
  ...xen,
  ipmmu: {
    ...xen.ipmmu,
    microTlbControl: (state, context) => xen.ipmmu.microTlbControl(state, Math.min(context, 1)),
  },
}));

mutant('a context translates by stage 1', VIOLATES, (xen) => ({
  ...xen,
  ipmmu: {
    ...xen.ipmmu,
    tableControl: (state, ipaBits) => {
      const words = Uint32Array.of(xen.ipmmu.tableControl(state, ipaBits - 1));
      put(words, IMTTBCR.PMB, 0);
      // Level 1 of stage 1.
      put(words, IMTTBCR.SL0, 2);
      return words[0] as number;
    },
  },
}));

mutant('only the first of several micro-TLBs is attached', VIOLATES, (xen) => ({
  ...xen,
  ipmmu: {
    ...xen.ipmmu,
    attachStreams: (state, context, device) => {
      const { master } = device;
      const first = master && { ...master, streamIds: master.streamIds.slice(0, 1) };
      return xen.ipmmu.attachStreams(state, context, { ...device, master: first });
    },
  },
}));

mutant('a micro-TLB from the 32nd on is looked for behind those before it', VIOLATES, (xen) => ({
  ...xen,
  ipmmu: {
    ...xen.ipmmu,
    selectContext: (state, ipmmu, microTlb, context) => {
      if (microTlb < 32) {
        xen.ipmmu.selectContext(state, ipmmu, microTlb, context);
        return;
      }
      const control = state.steps.ipmmu.microTlbControl(state, context);
      // In place of the registers of the upper group, those of the last micro-TLB of the lower one.
      state.steps.ipmmu.writeRegister(state, ipmmu, 0x300 + 31 * 16, control);
    },
  },
}));

mutant('the root of a context is that of the domain created before', VIOLATES, (xen) => ({
  ...xen,
  ipmmu: {
    ...xen.ipmmu,
    enableMain: (state, domain, main) => {
      const before = [...state.domains.values()].filter(({ domid }) => domid < domain.domid).at(-1);
      return xen.ipmmu.enableMain(state, { ...domain, p2m: before?.p2m ?? domain.p2m }, main);
    },
  },
}));

mutant('a context of a number that was used before keeps the root that it had', VIOLATES, (xen) => {
  const roots = new Map<number, number>();
  return {
    ...xen,
    ipmmu: {
      ...xen.ipmmu,
      writeTables: (state, ipmmu, context, root, ipaBits) => {
        const known = roots.get(context);
        if (known === maddr(root) || known === undefined) {
          roots.set(context, maddr(root));
          return xen.ipmmu.writeTables(state, ipmmu, context, root, ipaBits);
        }
        return 0;
      },
    },
  };
});

mutant('a micro-TLB is not told to forget what it holds when it is given another context', VIOLATES, (xen) => ({
  ...xen,
  ipmmu: {
    ...xen.ipmmu,
    microTlbControl: (_state, context) => encode(IMUCTR, 32, { MMUEN: 1, TTSEL: context })[0] as number,
    // Ending a context would empty the instance too.
    invalidateContext: () => 0,
    setContext: (state, ipmmu, context, enabled) =>
      xen.ipmmu.setContext(withIpmmu(state, { waitFlushed: () => 0 }), ipmmu, context, enabled),
  },
}));

mutant('a device that names no IOMMU is given the first micro-TLB of one', VIOLATES, (xen) => ({
  ...xen,
  dom0less: {
    ...xen.dom0less,
    assignUnprotected: (state, domain, device) => {
      const cache = state.iommus.find((iommu) => iommu.kind === 'ipmmu' && iommu.main !== undefined);
      const context = cache && state.steps.iommu.contextFor(state, domain, cache);
      if (typeof context === 'object' && context.iommu.kind === 'ipmmu') {
        state.steps.ipmmu.selectContext(state, context.iommu, 0, context.tag);
      }
      return xen.dom0less.assignUnprotected(state, domain, device);
    },
  },
}));
