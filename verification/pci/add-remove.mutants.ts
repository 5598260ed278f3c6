/** Mistakes in the addition and removal of PCI devices. */
import { formatSbdf } from '../../src/hw/machine.js';
import type { PciDevice } from '../../src/xen/xen.js';
import { mutant } from '../bench.js';
import { withSmmuv3 } from '../with-smmuv3.js';

const VIOLATES = { violates: ['XenSwdgn~passthrough_provide_if_for_add_rm_pci_devs~1'] };

mutant('additions and removals are answered, and nothing is done', VIOLATES, (xen) => ({
  ...xen,
  physdev: { ...xen.physdev, pciDeviceAdd: () => 0, pciDeviceRemove: () => 0 },
}));

mutant('a removed device stays attached at the IOMMU', VIOLATES, (xen) => ({
  ...xen,
  iommu: {
    ...xen.iommu,
    removeDevice: (_state, device) => {
      device.master = undefined;
      return 0;
    },
  },
}));

mutant('a removed device aborts, but the IOMMU is not told to forget what it had', VIOLATES, (xen) => ({
  ...xen,
  smmuv3: {
    ...xen.smmuv3,
    installAbortSte: (state, smmu, streamId) => {
      return xen.smmuv3.installAbortSte(withSmmuv3(state, { invalidateSte: () => 0 }), smmu, streamId);
    },
  },
}));

mutant('the hardware domain keeps the registers of a removed device', VIOLATES, (xen) => ({
  ...xen,
  pci: {
    ...xen.pci,
    unmapBars: (state, domain, device) => (domain.domid === 0 ? 0 : xen.pci.unmapBars(state, domain, device)),
  },
}));

mutant('a guest keeps the registers of a removed device', VIOLATES, (xen) => ({
  ...xen,
  pci: {
    ...xen.pci,
    removeDevice: (state, sbdf) => {
      const owner = state.steps.pci.findDevice(state, sbdf)?.domain;
      const keeps = owner !== undefined && owner.domid !== 0;
      const steps = keeps ? { ...state.steps, pci: { ...state.steps.pci, unmapBars: () => 0 } } : state.steps;
      return xen.pci.removeDevice({ ...state, steps }, sbdf);
    },
  },
}));

mutant('an announced device gets its DMA, but not its registers', VIOLATES, (xen) => ({
  ...xen,
  pci: {
    ...xen.pci,
    mapBars: (state, domain, device) => (domain.domid === 0 ? 0 : xen.pci.mapBars(state, domain, device)),
  },
}));

mutant('devices are looked up without their segment', VIOLATES, (xen) => ({
  ...xen,
  pci: {
    ...xen.pci,
    findDevice: (state, sbdf) => xen.pci.findDevice(state, { ...sbdf, segment: 0 }) ?? xen.pci.findDevice(state, sbdf),
  },
}));

mutant('every announcement of a device has to be taken back', VIOLATES, (xen) => {
  const announced = new WeakMap<PciDevice, number>();
  return {
    ...xen,
    pci: {
      ...xen.pci,
      addDevice: (state, sbdf, info) => {
        const result = xen.pci.addDevice(state, sbdf, info);
        const device = state.steps.pci.findDevice(state, sbdf);
        if (device !== undefined) announced.set(device, (announced.get(device) ?? 0) + 1);
        return result;
      },
      removeDevice: (state, sbdf) => {
        const device = state.steps.pci.findDevice(state, sbdf);
        const left = (device === undefined ? 0 : (announced.get(device) ?? 0)) - 1;
        if (device !== undefined) announced.set(device, left);
        return left > 0 ? 0 : xen.pci.removeDevice(state, sbdf);
      },
    },
  };
});

mutant('announcing a device again gives it to the hardware domain, whoever has it', VIOLATES, (xen) => ({
  ...xen,
  pci: {
    ...xen.pci,
    addDevice: (state, sbdf, info) => {
      const device = state.steps.pci.findDevice(state, sbdf);
      if (device?.domain !== undefined) {
        state.steps.pci.releaseDevice(state, device);
        state.steps.pci.setOwner(state, device, undefined);
        device.master = undefined;
      }
      return xen.pci.addDevice(state, sbdf, info);
    },
  },
}));

mutant('the base address registers of a removed device are remembered', VIOLATES, (xen) => {
  const known = new Map<string, ReturnType<typeof xen.pci.readBars>>();
  return {
    ...xen,
    pci: {
      ...xen.pci,
      readBars: (state, sbdf, headerType) => {
        const name = formatSbdf(sbdf);
        const bars = known.get(name) ?? xen.pci.readBars(state, sbdf, headerType);
        known.set(name, bars);
        return bars;
      },
    },
  };
});

mutant('a removed device stays on the list of the guest that had it', VIOLATES, (xen) => ({
  ...xen,
  pci: {
    ...xen.pci,
    setOwner: (state, device, domain) => {
      if (domain === undefined) device.domain = undefined;
      else xen.pci.setOwner(state, device, domain);
    },
  },
}));

mutant('announcing a device again takes it out of quarantine', VIOLATES, (xen) => ({
  ...xen,
  pci: {
    ...xen.pci,
    addDevice: (state, sbdf, info) => {
      const device = state.steps.pci.findDevice(state, sbdf);
      if (device?.domain === state.domIo) {
        state.steps.pci.setOwner(state, device, undefined);
        device.master = undefined;
      }
      return xen.pci.addDevice(state, sbdf, info);
    },
  },
}));

mutant('of a removed device, the first base address register alone is unmapped', VIOLATES, (xen) => ({
  ...xen,
  pci: {
    ...xen.pci,
    unmapBars: (state, domain, device) =>
      xen.pci.unmapBars(state, domain, { ...device, bars: device.bars.slice(0, 1) }),
  },
}));
