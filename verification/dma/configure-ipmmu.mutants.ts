/** Mistakes in how an IPMMU is configured when a domain is created. */
import { encode, put } from '../../src/hw/bits.js';
import { IMSAUXCTLR, IMTTBCR, IMUCTR } from '../../src/hw/iommu/ipmmu/layout.js';
import { mutant } from '../bench.js';
import { withIpmmu } from '../with-ipmmu.js';

const VIOLATES = { violates: ['XenSwdgn~passthrough_configure_iommu_at_boot~1'], features: ['ipmmu'] };

mutant('the creation of a domain selects no context for micro-TLBs', VIOLATES, (xen) => ({
  ...xen,
  ipmmu: {
    ...xen.ipmmu,
    attachMicroTlb: (state, context, microTlb) =>
      xen.ipmmu.attachMicroTlb(withIpmmu(state, { selectContext: () => {} }), context, microTlb),
  },
}));

mutant('a context is given the tables of the hardware domain', VIOLATES, (xen) => ({
  ...xen,
  ipmmu: {
    ...xen.ipmmu,
    enableMain: (state, domain, main) => {
      const p2m = state.domains.get(0)?.p2m ?? domain.p2m;
      return xen.ipmmu.enableMain(state, { ...domain, p2m }, main);
    },
  },
}));

mutant('the input size of a context has one bit too few', VIOLATES, (xen) => ({
  ...xen,
  ipmmu: { ...xen.ipmmu, tableControl: (state, ipaBits) => xen.ipmmu.tableControl(state, ipaBits - 1) },
}));

mutant('the input size of a context has the bits of one level of tables less', VIOLATES, (xen) => ({
  ...xen,
  ipmmu: {
    ...xen.ipmmu,
    tableControl: (state) => {
      // 33 bits are the fewest that TSZ0 can say.
      const words = Uint32Array.of(xen.ipmmu.tableControl(state, 33));
      put(words, IMTTBCR.SL0, 0);
      return words[0] as number;
    },
  },
}));

mutant('a context translates by stage 1, as Linux has it', VIOLATES, (xen) => ({
  ...xen,
  ipmmu: {
    ...xen.ipmmu,
    tableControl: (state, ipaBits) => {
      const words = Uint32Array.of(xen.ipmmu.tableControl(state, ipaBits - 1));
      put(words, IMTTBCR.PMB, 0);
      // Level 1 of stage 1, which takes a bit less.
      put(words, IMTTBCR.SL0, 2);
      return words[0] as number;
    },
  },
}));

mutant('tables are not taken as those of stage 2', VIOLATES, (xen) => ({
  ...xen,
  ipmmu: {
    ...xen.ipmmu,
    writeControl: (state, ipmmu, register, change) =>
      xen.ipmmu.writeControl(state, ipmmu, register, (value) => {
        change(value);
        if (register === 'IMSAUXCTLR') put(value, IMSAUXCTLR.S2PTE, 0);
      }),
  },
}));

mutant('a context is enabled in the main instance, and not in the cache', VIOLATES, (xen) => ({
  ...xen,
  ipmmu: {
    ...xen.ipmmu,
    setContext: (state, ipmmu, context, enabled) =>
      ipmmu.main !== undefined && context !== 0 ? 0 : xen.ipmmu.setContext(state, ipmmu, context, enabled),
  },
}));

mutant('when a creation fails, the micro-TLBs of its devices are left disabled', VIOLATES, (xen) => ({
  ...xen,
  domain: {
    ...xen.domain,
    rollback: (state, domain, owners) => {
      const microTlbControl = () => encode(IMUCTR, 32, { MMUEN: 0, FLUSH: 1 })[0] as number;
      xen.domain.rollback(withIpmmu(state, { microTlbControl }), domain, owners);
    },
  },
}));

mutant('until the domain is complete, its micro-TLBs select the context of the hardware domain', VIOLATES, (xen) => ({
  ...xen,
  ipmmu: {
    ...xen.ipmmu,
    attachMicroTlb: (state, context, microTlb) => {
      const owner = state.domains.get(0)?.contexts.find(({ iommu }) => iommu === context.iommu);
      if (owner !== undefined) state.steps.ipmmu.selectContext(state, context.iommu, microTlb, owner.tag);
      return xen.ipmmu.attachMicroTlb(state, context, microTlb);
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
