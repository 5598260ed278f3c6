/** Mistakes with an IPMMU that let a device reach more than its domain's memory. */
import { encode, put } from '../../src/hw/bits.js';
import { CONTEXT_REGISTER, IMCTR, IMSTR, IMUCTR } from '../../src/hw/iommu/ipmmu/layout.js';
import { mutant } from '../bench.js';
import { mainOf, withIpmmu } from '../with-ipmmu.js';

const REQUIREMENT = 'XenSwdgn~passthrough_use_iommu_to_enforce_dma_ops_from_dev~1';
const VIOLATES = { violates: [REQUIREMENT], features: ['ipmmu'] };

mutant('assigned devices pass by micro-TLBs that are off', VIOLATES, (xen) => ({
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

mutant('the flush of a context is not waited for', VIOLATES, (xen) => ({
  ...xen,
  ipmmu: {
    ...xen.ipmmu,
    flushContext: (state, ipmmu, context) =>
      xen.ipmmu.flushContext(withIpmmu(state, { waitFlushed: () => 0 }), ipmmu, context),
  },
}));

mutant('the main instance is flushed, and its caches are not', VIOLATES, (xen) => ({
  ...xen,
  ipmmu: {
    ...xen.ipmmu,
    invalidateContext: (state, { iommu, tag }) => state.steps.ipmmu.flushContext(state, mainOf(iommu), tag),
  },
}));

mutant('the caches are flushed, and the main instance is not', VIOLATES, (xen) => ({
  ...xen,
  ipmmu: {
    ...xen.ipmmu,
    invalidateContext: (state, { iommu, tag }) => state.steps.ipmmu.flushContext(state, iommu, tag),
  },
}));

mutant('the context of the next lower number is flushed', VIOLATES, (xen) => ({
  ...xen,
  ipmmu: {
    ...xen.ipmmu,
    invalidateContext: (state, context) =>
      xen.ipmmu.invalidateContext(state, { ...context, tag: Math.max(context.tag - 1, 0) }),
  },
}));

mutant('FLUSH is written to a context, and its other bits are lost', VIOLATES, (xen) => ({
  ...xen,
  ipmmu: {
    ...xen.ipmmu,
    flushContext: (state, ipmmu, context) => {
      const flush = encode(IMCTR, 32, { FLUSH: 1 })[0] as number;
      state.steps.ipmmu.writeContext(state, ipmmu, context, CONTEXT_REGISTER.IMCTR, flush);
      return state.steps.ipmmu.waitFlushed(state, ipmmu, context);
    },
  },
}));

mutant('the record of a fault is read, and not cleared', VIOLATES, (xen) => ({
  ...xen,
  ipmmu: {
    ...xen.ipmmu,
    handleFault: (state, main, context) => {
      const status = encode(IMSTR, 32, { TF: 1, PF: 1, MHIT: 1, ABORT: 1 })[0] as number;
      // As a register that is cleared by writing 1 would take it.
      const writeContext: typeof xen.ipmmu.writeContext = (inner, ipmmu, at, register, value) =>
        xen.ipmmu.writeContext(inner, ipmmu, at, register, register === CONTEXT_REGISTER.IMSTR ? status : value);
      xen.ipmmu.handleFault(withIpmmu(state, { writeContext }), main, context);
    },
  },
}));

mutant('a context is shared by all domains that have devices behind one cache', VIOLATES, (xen) => ({
  ...xen,
  ipmmu: {
    ...xen.ipmmu,
    createContext: (state, domain, ipmmu) => {
      const context = xen.ipmmu.createContext(state, domain, ipmmu);
      if (typeof context === 'number') return context;
      const other = [...ipmmu.streams.values()].find((use) => use.context.domain.domid !== domain.domid);
      return domain.domid === 0 || other === undefined ? context : { ...context, tag: other.context.tag };
    },
  },
}));

mutant('the flush of the main instance is waited for, that of its cache is not', VIOLATES, (xen) => ({
  ...xen,
  ipmmu: {
    ...xen.ipmmu,
    flushContext: (state, ipmmu, context) =>
      ipmmu.main === undefined
        ? xen.ipmmu.flushContext(state, ipmmu, context)
        : xen.ipmmu.flushContext(withIpmmu(state, { waitFlushed: () => 0 }), ipmmu, context),
  },
}));
