/** Mistakes in keeping devices together that share something. */
import { requesterId } from '../../src/hw/machine.js';
import { failure } from '../../src/xen/errno.js';
import type { XenSteps } from '../../src/xen/steps.js';
import { mutant } from '../bench.js';

const ID = 'XenSwdgn~passthrough_assign_devs_sharing_res_to_same_dom~1';
const VIOLATES = { violates: [ID] };
const OF_PCI = { violates: [ID], features: ['pci'] };
const BEHIND_BRIDGE = { violates: [ID], features: ['two-smmus'] };

/** A driver that has a stream translate by whichever context asked last. */
function lastOneWins(xen: XenSteps): Pick<XenSteps, 'smmuv3' | 'ipmmu'> {
  return {
    smmuv3: {
      ...xen.smmuv3,
      attachStream: (state, context, streamId) => {
        const use = context.iommu.streams.get(streamId);
        if (use !== undefined && use.context !== context) context.iommu.streams.delete(streamId);
        return xen.smmuv3.attachStream(state, context, streamId);
      },
    },
    ipmmu: {
      ...xen.ipmmu,
      attachMicroTlb: (state, context, microTlb) => {
        const use = context.iommu.streams.get(microTlb);
        if (use !== undefined && use.context !== context) context.iommu.streams.delete(microTlb);
        return xen.ipmmu.attachMicroTlb(state, context, microTlb);
      },
    },
  };
}

/** An interrupt goes to whoever asked last. */
function lastOneInterrupted(xen: XenSteps): XenSteps['irq'] {
  return {
    ...xen.irq,
    routeToGuest: (state, domain, virq, irq) => {
      const known = state.irqs.get(irq);
      if (known?.domain !== undefined && known.domain !== domain) {
        known.users = 1;
        state.steps.irq.releaseFromGuest(state, known.domain, irq);
      }
      return xen.irq.routeToGuest(state, domain, virq, irq);
    },
  };
}

mutant("what devices share is nobody's business", VIOLATES, (xen) => ({
  ...xen,
  ...lastOneWins(xen),
  irq: lastOneInterrupted(xen),
  dt: { ...xen.dt, sharesResources: () => 0 },
  pci: { ...xen.pci, sharesGroup: () => 0 },
  dom0less: { ...xen.dom0less, isOthers: () => false },
}));

mutant('only interrupts are looked at', VIOLATES, (xen) => ({
  ...xen,
  ...lastOneWins(xen),
  iommu: { ...xen.iommu, sharesStream: () => false },
}));

mutant('only groups of PCI devices are looked at', VIOLATES, (xen) => ({
  ...xen,
  dt: { ...xen.dt, sharesResources: () => 0 },
}));

mutant('only a mate of the hardware domain counts', VIOLATES, (xen) => ({
  ...xen,
  iommu: { ...xen.iommu, isForeign: (_state, _domain, mate) => mate.domain?.domid === 0 },
}));

mutant('a mate of the hardware domain does not count', VIOLATES, (xen) => ({
  ...xen,
  iommu: {
    ...xen.iommu,
    isForeign: (state, domain, mate) => mate.domain?.domid !== 0 && xen.iommu.isForeign(state, domain, mate),
  },
}));

mutant('only streams are looked at', VIOLATES, (xen) => ({
  ...xen,
  dt: { ...xen.dt, sharesInterrupt: () => false, sharesPage: () => false },
}));

mutant("an interrupt that two devices share is the last one's that asked", VIOLATES, (xen) => ({
  ...xen,
  irq: lastOneInterrupted(xen),
  dt: { ...xen.dt, sharesInterrupt: () => false },
}));

mutant('registers are compared byte by byte, and mapped page by page', VIOLATES, (xen) => ({
  ...xen,
  dt: { ...xen.dt, sharesPage: () => false },
  dom0less: { ...xen.dom0less, isOthers: () => false },
}));

mutant('a mate that nobody has counts like one of another domain', VIOLATES, (xen) => ({
  ...xen,
  iommu: { ...xen.iommu, isForeign: (_state, domain, mate) => mate.domain !== domain },
}));

mutant('all devices behind one IOMMU count as one', VIOLATES, (xen) => ({
  ...xen,
  iommu: {
    ...xen.iommu,
    sharesStream: (_state, a, b) => a.master !== undefined && a.master.iommu === b.master?.iommu,
  },
}));

mutant(
  'streams are compared without the IOMMU that they are behind',
  { violates: [ID], features: ['two-smmus'] },
  (xen) => ({
    ...xen,
    iommu: {
      ...xen.iommu,
      sharesStream: (_state, a, b) =>
        a.master?.streamIds.some((id) => b.master?.streamIds.includes(id) === true) === true,
    },
  }),
);

mutant('the first device of a pair to leave takes the stream of both with it', VIOLATES, (xen) => ({
  ...xen,
  iommu: {
    ...xen.iommu,
    detach: (state, context, device) => {
      for (const streamId of device.master?.streamIds ?? []) {
        const use = context.iommu.streams.get(streamId);
        if (use !== undefined) use.devices = 1;
      }
      return xen.iommu.detach(state, context, device);
    },
  },
}));

mutant('the second of two devices on one interrupt is refused it', VIOLATES, (xen) => ({
  ...xen,
  irq: {
    ...xen.irq,
    routeToGuest: (state, domain, virq, irq) =>
      state.irqs.get(irq)?.owner === 'guest' ? failure('EBUSY') : xen.irq.routeToGuest(state, domain, virq, irq),
  },
}));

mutant('functions of one device are taken to be kept apart', OF_PCI, (xen) => ({
  ...xen,
  pci: { ...xen.pci, reaches: () => false },
}));

mutant('a function in quarantine is given back to the hardware domain while a guest has its mate', OF_PCI, (xen) => ({
  ...xen,
  pci: {
    ...xen.pci,
    deassignDevice: (state, domain, sbdf) => {
      const steps = { ...state.steps, pci: { ...state.steps.pci, sharesGroup: () => 0 } };
      return xen.pci.deassignDevice({ ...state, steps }, domain, sbdf);
    },
  },
}));

mutant('groups are looked at when a domain is created, not when a hypercall assigns', OF_PCI, (xen) => {
  let calling = false;
  return {
    ...xen,
    domctl: {
      ...xen.domctl,
      assignDevice: (state, caller, domain, u) => {
        calling = true;
        const error = xen.domctl.assignDevice(state, caller, domain, u);
        calling = false;
        return error;
      },
    },
    pci: {
      ...xen.pci,
      sharesGroup: (state, domain, device) => (calling ? 0 : xen.pci.sharesGroup(state, domain, device)),
    },
  };
});

mutant('the group of a device is told with devices of all domains', OF_PCI, (xen) => ({
  ...xen,
  pci: { ...xen.pci, deviceGroup: (state, _domain, device) => [device, ...state.steps.pci.mates(state, device)] },
}));

mutant('what is behind a bridge is looked for under the id of the bridge itself', BEHIND_BRIDGE, (xen) => ({
  ...xen,
  pci: {
    ...xen.pci,
    bridgeAlias: (state, bridge) => {
      const alias = xen.pci.bridgeAlias(state, bridge);
      return alias === undefined ? undefined : requesterId(bridge.sbdf);
    },
  },
}));

mutant('a bridge is taken to leave the requester ids of what is behind it', BEHIND_BRIDGE, (xen) => ({
  ...xen,
  pci: { ...xen.pci, bridgeAlias: () => undefined },
}));

mutant(
  'access control services are not seen, so that all functions of a device are one group',
  BEHIND_BRIDGE,
  (xen) => ({
    ...xen,
    pci: { ...xen.pci, isIsolated: () => false },
  }),
);

mutant('base address registers are compared address by address, and mapped page by page', BEHIND_BRIDGE, (xen) => ({
  ...xen,
  pci: { ...xen.pci, sharesFrame: () => false },
}));

mutant('the first function of a page to leave takes the page with it', BEHIND_BRIDGE, (xen) => ({
  ...xen,
  pci: { ...xen.pci, framesHeld: () => false },
}));
