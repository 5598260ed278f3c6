/** Mistakes in the addition and removal of PCI devices: in what is refused, in what fails, and with virtual functions. */
import { mutant } from '../bench.js';

const VIOLATES = { violates: ['XenSwdgn~passthrough_provide_if_for_add_rm_pci_devs~1'] };

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

mutant(
  'the memory of every virtual function is taken for that of the first',
  { ...VIOLATES, features: ['sr-iov'] },
  (xen) => ({
    ...xen,
    pci: {
      ...xen.pci,
      virtualFunctionIndex: (state, device, physical, capability) =>
        xen.pci.virtualFunctionIndex(state, device, physical, capability) === undefined ? undefined : 0,
    },
  }),
);

mutant(
  'a virtual function is looked for memory of its own, which it has none of',
  { ...VIOLATES, features: ['sr-iov'] },
  (xen) => ({
    ...xen,
    pci: { ...xen.pci, virtualFunctionBars: () => undefined },
  }),
);

mutant('a device that does not answer cannot be removed', VIOLATES, (xen) => ({
  ...xen,
  pci: {
    ...xen.pci,
    removeDevice: (state, sbdf) => (state.steps.pci.detect(state, sbdf) ? xen.pci.removeDevice(state, sbdf) : -19),
  },
}));

mutant('a device that is added goes to the hardware domain, whoever has its mates', VIOLATES, (xen) => ({
  ...xen,
  pci: { ...xen.pci, newOwner: (_state, hardwareDomain) => hardwareDomain },
}));
