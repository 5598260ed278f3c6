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

mutant('a device whose addition failed stays attached at the IOMMU', VIOLATES, (xen) => ({
  ...xen,
  pci: { ...xen.pci, unwindAdd: (state, device) => state.steps.pci.setOwner(state, device, undefined) },
}));

mutant('a device whose addition failed stays on the list of the hardware domain', VIOLATES, (xen) => ({
  ...xen,
  pci: {
    ...xen.pci,
    unwindAdd: (state, device) => {
      state.steps.iommu.removeDevice(state, device);
    },
  },
}));

mutant('if one BAR cannot be mapped, those before it stay mapped', VIOLATES, (xen) => ({
  ...xen,
  pci: {
    ...xen.pci,
    mapBars: (state, domain, device) => {
      const steps = { ...state.steps, pci: { ...state.steps.pci, unmapBars: () => 0 } };
      return xen.pci.mapBars({ ...state, steps }, domain, device);
    },
  },
}));

mutant('any domain may add and remove devices', VIOLATES, (xen) => ({
  ...xen,
  hypercall: { ...xen.hypercall, isPrivileged: () => true },
}));

mutant('a virtual function is taken without its physical function', VIOLATES, (xen) => ({
  ...xen,
  pci: {
    ...xen.pci,
    linkVirtualFunction: (state, device, info) => {
      xen.pci.linkVirtualFunction(state, device, info);
      return 0;
    },
  },
}));

mutant('a physical function is removed while it has virtual functions', VIOLATES, (xen) => ({
  ...xen,
  pci: {
    ...xen.pci,
    removeDevice: (state, sbdf) => {
      state.steps.pci.findDevice(state, sbdf)?.virtualFunctions.splice(0);
      return xen.pci.removeDevice(state, sbdf);
    },
  },
}));

mutant('a physical function that was to go too early is kept as if nothing had been', VIOLATES, (xen) => ({
  ...xen,
  pci: {
    ...xen.pci,
    removeDevice: (state, sbdf) => {
      const device = state.steps.pci.findDevice(state, sbdf);
      const result = xen.pci.removeDevice(state, sbdf);
      for (const fn of device === undefined ? [] : [device, ...device.virtualFunctions]) fn.broken = false;
      return result;
    },
  },
}));

mutant('of a physical function that was to go too early, the virtual functions are not marked', VIOLATES, (xen) => ({
  ...xen,
  pci: {
    ...xen.pci,
    removeDevice: (state, sbdf) => {
      const device = state.steps.pci.findDevice(state, sbdf);
      const result = xen.pci.removeDevice(state, sbdf);
      for (const fn of device?.virtualFunctions ?? []) fn.broken = false;
      return result;
    },
  },
}));

mutant("a pointer outside of the caller's memory is taken for a machine address", VIOLATES, (xen) => ({
  ...xen,
  hypercall: {
    ...xen.hypercall,
    translate: (state, domain, address, write) => xen.hypercall.translate(state, domain, address, write) ?? address,
  },
}));

mutant("only the first byte of a structure must be in the caller's memory", VIOLATES, (xen) => ({
  ...xen,
  hypercall: {
    ...xen.hypercall,
    copyFromGuest: (state, domain, address, length) => {
      if (state.steps.hypercall.translate(state, domain, address, false) === undefined) return undefined;
      const whole = xen.hypercall.copyFromGuest(state, domain, address, length);
      return whole ?? new Uint8Array(length);
    },
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

mutant('a physical function is looked for in segment 0', VIOLATES, (xen) => ({
  ...xen,
  pci: {
    ...xen.pci,
    linkVirtualFunction: (state, device, info) => {
      const { findDevice } = state.steps.pci;
      const inSegment0: typeof findDevice = (_state, sbdf) => findDevice(state, { ...sbdf, segment: 0 });
      const steps = { ...state.steps, pci: { ...state.steps.pci, findDevice: inSegment0 } };
      return xen.pci.linkVirtualFunction({ ...state, steps }, device, info);
    },
  },
}));

mutant('a virtual function that is announced twice counts twice', VIOLATES, (xen) => ({
  ...xen,
  pci: {
    ...xen.pci,
    linkVirtualFunction: (state, device, info) => {
      const { bus, devfn } = info.physicalFunction ?? { bus: 0, devfn: 0 };
      const sbdf = { segment: device.sbdf.segment, bus, device: devfn >>> 3, function: devfn & 7 };
      const others = state.steps.pci.findDevice(state, sbdf)?.virtualFunctions;
      const again = others?.includes(device);
      const error = xen.pci.linkVirtualFunction(state, device, info);
      if (again) others?.push(device);
      return error;
    },
  },
}));

mutant('a known device that is refused as a virtual function is forgotten, attached as it is', VIOLATES, (xen) => ({
  ...xen,
  pci: {
    ...xen.pci,
    addDevice: (state, sbdf, info) => {
      const error = xen.pci.addDevice(state, sbdf, info);
      const device = state.steps.pci.findDevice(state, sbdf);
      if (error !== 0 && device !== undefined) state.steps.pci.freeDevice(state, device);
      return error;
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

mutant('a removal goes on although the IOMMU did not let go of the device', VIOLATES, (xen) => ({
  ...xen,
  iommu: {
    ...xen.iommu,
    removeDevice: (state, device) => {
      xen.iommu.removeDevice(state, device);
      return 0;
    },
  },
}));

mutant('devices are added and removed although PCI passthrough is switched off', VIOLATES, (xen) => ({
  ...xen,
  physdev: { ...xen.physdev, isEnabled: () => true },
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
