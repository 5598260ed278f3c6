/** Mistakes that leave the addresses of a device untranslated, whichever IOMMU it is behind. */
import { mutant } from '../bench.js';

const REQUIREMENT = 'XenSwdgn~passthrough_enable_iommu_to_perform_dma_remapping_for_dev~1';
const VIOLATES = { violates: [REQUIREMENT] };

mutant('only the first device of a domain is attached', VIOLATES, (xen) => ({
  ...xen,
  iommu: {
    ...xen.iommu,
    attach: (state, context, device, pasid) =>
      context.domain.domid !== 0 && context.devices.size > 0 ? 0 : xen.iommu.attach(state, context, device, pasid),
  },
}));

mutant('a context serves the first domain that had it, at every IOMMU', VIOLATES, (xen) => ({
  ...xen,
  iommu: {
    ...xen.iommu,
    contextFor: (state, domain, iommu) => {
      const guests = [...state.domains.values()].filter(({ domid }) => domid !== 0);
      const known = guests.flatMap(({ contexts }) => contexts).find((context) => context.iommu === iommu);
      return domain.domid === 0 || known === undefined ? xen.iommu.contextFor(state, domain, iommu) : known;
    },
  },
}));

mutant('a device is assigned on record, and attached at its IOMMU when it is assigned again', VIOLATES, (xen) => {
  const seen = new Set<unknown>();
  return {
    ...xen,
    iommu: {
      ...xen.iommu,
      assignDevice: (state, domain, device) => {
        if (domain.domid === 0 || seen.has(device)) return xen.iommu.assignDevice(state, domain, device);
        seen.add(device);
        return 0;
      },
    },
  };
});
