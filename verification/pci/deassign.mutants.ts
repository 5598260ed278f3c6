/** Mistakes in taking PCI devices from a domain: DMA, registers, who may do it. */
import { mutant } from '../bench.js';
import { withSmmuv3 } from '../with-smmuv3.js';

const VIOLATES = { violates: ['XenSwdgn~passthrough_support_deassign_pci_devs~1'] };

mutant('a deassignment is answered, and nothing is done', VIOLATES, (xen) => ({
  ...xen,
  pci: { ...xen.pci, deassignDevice: () => 0 },
}));

mutant('the owner of a device changes, and its context at the IOMMU stays', VIOLATES, (xen) => ({
  ...xen,
  iommu: {
    ...xen.iommu,
    reassignDevice: (_state, _from, _to, device) => {
      if (device.master !== undefined) device.master.context = undefined;
      return 0;
    },
  },
}));

mutant('a stream is made to abort, and the IOMMU keeps its old entry', VIOLATES, (xen) => ({
  ...xen,
  smmuv3: {
    ...xen.smmuv3,
    installAbortSte: (state, smmu, streamId) =>
      xen.smmuv3.installAbortSte(withSmmuv3(state, { invalidateSte: () => 0 }), smmu, streamId),
  },
}));

mutant('the tag of a domain is given to the next with what is cached under it', VIOLATES, (xen) => ({
  ...xen,
  smmuv3: {
    ...xen.smmuv3,
    freeVmid: (_state, smmu, vmid) => {
      smmu.vmids.release(vmid);
      return 0;
    },
  },
}));

mutant('no invalidation is waited for', VIOLATES, (xen) => ({ ...xen, smmuv3: { ...xen.smmuv3, sync: () => 0 } }));

mutant('a command that the IOMMU could not execute is passed over', VIOLATES, (xen) => ({
  ...xen,
  smmuv3: {
    ...xen.smmuv3,
    sync: (state, smmu) => {
      xen.smmuv3.sync(state, smmu);
      return 0;
    },
  },
}));

mutant('a device goes straight to the hardware domain, past quarantine', VIOLATES, (xen) => ({
  ...xen,
  pci: { ...xen.pci, deassignTarget: (state) => state.domains.get(0) ?? state.domIo },
}));

mutant('a device that goes back to the hardware domain is not detached first', VIOLATES, (xen) => ({
  ...xen,
  iommu: {
    ...xen.iommu,
    reassignDevice: (state, from, to, device) => {
      if (to === state.domIo || from === state.domIo) return xen.iommu.reassignDevice(state, from, to, device);
      if (device.master !== undefined) device.master.context = undefined;
      return xen.iommu.assignDevice(state, to, device);
    },
  },
}));

mutant('a device stays on the list of its old domain', VIOLATES, (xen) => ({
  ...xen,
  pci: {
    ...xen.pci,
    setOwner: (state, device, domain) => {
      const keeps = domain === state.domIo && device.domain !== undefined && device.domain.domid !== 0;
      if (!keeps) xen.pci.setOwner(state, device, domain);
    },
  },
}));

mutant(
  'a device is detached under its own function number alone',
  { ...VIOLATES, features: ['phantom-functions'] },
  (xen) => ({
    ...xen,
    smmuv3: {
      ...xen.smmuv3,
      detachStreams: (state, context, device) => {
        const [first] = device.master?.streamIds ?? [];
        return first === undefined ? 0 : xen.smmuv3.detachStream(state, context, first);
      },
    },
  }),
);

mutant('a device is taken from whoever has it', VIOLATES, (xen) => ({
  ...xen,
  pci: {
    ...xen.pci,
    deassignDevice: (state, domain, sbdf) => {
      const owner = state.steps.pci.findDevice(state, sbdf)?.domain;
      return xen.pci.deassignDevice(state, owner === undefined || owner === state.domIo ? domain : owner, sbdf);
    },
  },
}));

mutant('a device that the domain does not have is taken without a word', VIOLATES, (xen) => ({
  ...xen,
  pci: {
    ...xen.pci,
    deassignDevice: (state, domain, sbdf) =>
      state.steps.pci.findOwned(state, domain, sbdf) === undefined ? 0 : xen.pci.deassignDevice(state, domain, sbdf),
  },
}));

mutant('devices are looked up without their segment', VIOLATES, (xen) => ({
  ...xen,
  pci: {
    ...xen.pci,
    deassignDevice: (state, domain, sbdf) => xen.pci.deassignDevice(state, domain, { ...sbdf, segment: 0 }),
  },
}));

mutant('any domain may take devices away', VIOLATES, (xen) => ({
  ...xen,
  hypercall: { ...xen.hypercall, isPrivileged: () => true },
}));

mutant('a guest keeps the registers of a device that is taken', VIOLATES, (xen) => ({
  ...xen,
  pci: {
    ...xen.pci,
    unmapBars: (state, domain, device) => (domain.domid === 0 ? xen.pci.unmapBars(state, domain, device) : 0),
  },
}));

mutant('registers of a device that is taken stay where the guest has put them', VIOLATES, (xen) => ({
  ...xen,
  vpci: {
    ...xen.vpci,
    unmapBar: (state, domain, device, bar) => {
      const there = new Set(domain.mmio.filter((run) => Number(run.gfn) === Number(run.mfn)));
      const mmio = [...domain.mmio].filter((run) => there.has(run));
      return mmio.length === domain.mmio.length ? xen.vpci.unmapBar(state, domain, device, bar) : 0;
    },
  },
}));

mutant('a guest may go on mapping the registers of a device that was taken', VIOLATES, (xen) => ({
  ...xen,
  domain: { ...xen.domain, denyIomem: () => {} },
}));

mutant('of a device that is taken, the first base address register alone is unmapped', VIOLATES, (xen) => ({
  ...xen,
  pci: {
    ...xen.pci,
    unmapBars: (state, domain, device) =>
      xen.pci.unmapBars(state, domain, { ...device, bars: device.bars.slice(0, 1) }),
  },
}));

mutant('the CPUs keep where a domain had the registers', VIOLATES, (xen) => ({
  ...xen,
  p2m: { ...xen.p2m, invalidateCpu: () => {} },
}));
