/** Mistakes in the assignment of PCI devices: DMA, registers, who may have a device. */
import { mutant } from '../bench.js';
import { withSmmuv3 } from '../with-smmuv3.js';

const ID = 'XenSwdgn~passthrough_support_assign_pci_devs~1';
const VIOLATES = { violates: [ID] };

/** Words of struct xen_domctl_assign_device (xen/include/public/domctl.h): dev, 0 for a PCI device, and flags. */
const DEVICE_TYPE = 0;
const FLAGS = 1;

mutant('an assignment is answered, and nothing is done', VIOLATES, (xen) => ({
  ...xen,
  pci: { ...xen.pci, assignDevice: () => 0 },
}));

mutant('the owner of a device changes, and its context at the IOMMU does not', VIOLATES, (xen) => ({
  ...xen,
  iommu: {
    ...xen.iommu,
    attach: (state, context, device, pasid) =>
      context.domain.domid === 0 ? xen.iommu.attach(state, context, device, pasid) : 0,
  },
}));

mutant('the entry of a stream gets its new context, and the IOMMU keeps the old one', VIOLATES, (xen) => ({
  ...xen,
  smmuv3: {
    ...xen.smmuv3,
    installSte: (state, smmu, streamId, words) =>
      xen.smmuv3.installSte(withSmmuv3(state, { invalidateSte: () => 0 }), smmu, streamId, words),
    installAbortSte: (state, smmu, streamId) =>
      xen.smmuv3.installAbortSte(withSmmuv3(state, { invalidateSte: () => 0 }), smmu, streamId),
  },
}));

mutant('a device goes from one domain to the next without aborting in between', VIOLATES, (xen) => ({
  ...xen,
  smmuv3: {
    ...xen.smmuv3,
    installAbortSte: (state, smmu, streamId) =>
      smmu.streams.get(streamId)?.context.domain.domid === 0 ? 0 : xen.smmuv3.installAbortSte(state, smmu, streamId),
  },
}));

mutant('the device behind the one that is named is assigned', VIOLATES, (xen) => ({
  ...xen,
  pci: {
    ...xen.pci,
    assignDevice: (state, domain, sbdf) => {
      const next = { ...sbdf, device: sbdf.device + 1 };
      const found = state.steps.pci.findDevice(state, next) === undefined ? sbdf : next;
      return xen.pci.assignDevice(state, domain, found);
    },
  },
}));

mutant('the segment of the device that is named is taken for 0', VIOLATES, (xen) => ({
  ...xen,
  pci: {
    ...xen.pci,
    assignDevice: (state, domain, sbdf) => xen.pci.assignDevice(state, domain, { ...sbdf, segment: 0 }),
  },
}));

mutant(
  'a device is assigned under its own function number alone',
  { ...VIOLATES, features: ['phantom-functions'] },
  (xen) => ({
    ...xen,
    pci: { ...xen.pci, phantomStride: () => 0 },
  }),
);

mutant(
  'the stride of phantom functions is taken for their number',
  { ...VIOLATES, features: ['phantom-functions'] },
  (xen) => ({
    ...xen,
    iommu: {
      ...xen.iommu,
      requesterIds: (state, device) => {
        const [own = 0] = xen.iommu.requesterIds(state, { ...device, phantomStride: 0 });
        return Array.from({ length: Math.max(1, device.phantomStride) }, (_, fn) => own + fn);
      },
    },
  }),
);

mutant('an assignment that failed is said to have succeeded', VIOLATES, (xen) => ({
  ...xen,
  pci: {
    ...xen.pci,
    assignDevice: (state, domain, sbdf) => {
      xen.pci.assignDevice(state, domain, sbdf);
      return 0;
    },
  },
}));

mutant('after an assignment that failed, nobody gets the device back', VIOLATES, (xen) => ({
  ...xen,
  pci: { ...xen.pci, returnDevice: () => {} },
}));

mutant('if registers cannot be mapped, the domain keeps the device at the IOMMU', VIOLATES, (xen) => ({
  ...xen,
  pci: {
    ...xen.pci,
    giveDevice: (state, domain, device) => {
      const iommu = { ...state.steps.iommu, deassignDevice: () => 0 };
      return xen.pci.giveDevice({ ...state, steps: { ...state.steps, iommu } }, domain, device);
    },
    returnDevice: (_state, owner, device) => {
      device.domain = owner;
    },
  },
}));

mutant('a device of another guest can be assigned', VIOLATES, (xen) => ({
  ...xen,
  pci: {
    ...xen.pci,
    deviceAssigned: (state, sbdf) =>
      state.steps.pci.findDevice(state, sbdf) === undefined ? xen.pci.deviceAssigned(state, sbdf) : 0,
  },
}));

mutant('a device that is not there is taken for one that is busy', VIOLATES, (xen) => ({
  ...xen,
  pci: {
    ...xen.pci,
    deviceAssigned: (state, sbdf) => (xen.pci.deviceAssigned(state, sbdf) === 0 ? 0 : -16),
  },
}));

mutant('a broken device is assigned like any other', VIOLATES, (xen) => ({
  ...xen,
  pci: {
    ...xen.pci,
    assignDevice: (state, domain, sbdf) => {
      const device = state.steps.pci.findDevice(state, sbdf);
      if (device !== undefined) device.broken = false;
      return xen.pci.assignDevice(state, domain, sbdf);
    },
  },
}));

mutant('flags that there are not are passed over', VIOLATES, (xen) => ({
  ...xen,
  domctl: {
    ...xen.domctl,
    assignDevice: (state, caller, domain, u) => {
      const words = Uint32Array.from(u);
      if (words[DEVICE_TYPE] === 0) words[FLAGS] = 0;
      return xen.domctl.assignDevice(state, caller, domain, words);
    },
  },
}));

mutant('a domain that is being destroyed can still get devices', VIOLATES, (xen) => ({
  ...xen,
  domctl: {
    ...xen.domctl,
    assignDevice: (state, caller, domain, u) => {
      const { dying } = domain;
      domain.dying = false;
      const result = xen.domctl.assignDevice(state, caller, domain, u);
      domain.dying = dying;
      return result;
    },
  },
}));

mutant('the control domain can assign devices to itself', VIOLATES, (xen) => ({
  ...xen,
  domctl: {
    ...xen.domctl,
    assignDevice: (state, caller, domain, u) => {
      const another = state.domains.get(0) === domain ? state.domIo : caller;
      return xen.domctl.assignDevice(state, another, domain, u);
    },
  },
}));

mutant('any domain may assign devices', VIOLATES, (xen) => ({
  ...xen,
  hypercall: { ...xen.hypercall, isPrivileged: () => true },
}));

mutant('a domain gets no registers of a device that is assigned', VIOLATES, (xen) => ({
  ...xen,
  pci: {
    ...xen.pci,
    mapBars: (state, domain, device) => (domain.domid === 0 ? xen.pci.mapBars(state, domain, device) : 0),
  },
}));

mutant('of a device that is assigned, the first base address register alone is mapped', VIOLATES, (xen) => ({
  ...xen,
  pci: {
    ...xen.pci,
    mapBars: (state, domain, device) => {
      const bars = domain.domid === 0 ? device.bars : device.bars.slice(0, 1);
      return xen.pci.mapBars(state, domain, { ...device, bars });
    },
  },
}));

mutant('the hardware domain keeps the registers of a device that is assigned', VIOLATES, (xen) => ({
  ...xen,
  pci: {
    ...xen.pci,
    unmapBars: (state, domain, device) => (domain.domid === 0 ? 0 : xen.pci.unmapBars(state, domain, device)),
  },
}));

mutant('the CPUs keep where the hardware domain had the registers', VIOLATES, (xen) => ({
  ...xen,
  p2m: { ...xen.p2m, invalidateCpu: () => {} },
}));

mutant('registers are where the device has them, whatever the configuration says', VIOLATES, (xen) => ({
  ...xen,
  pci: {
    ...xen.pci,
    barGuestFrame: (state, domain, device, bar) =>
      xen.pci.barGuestFrame(state, { ...domain, barPlaces: [] }, device, bar),
  },
}));
