/** Mistakes in taking a domain apart that could not be created, because another domain has a device of it. */
import type { XenSteps } from '../../src/xen/steps.js';
import type { Xen } from '../../src/xen/xen.js';
import { mutant } from '../bench.js';

const ID = 'XenSwdgn~passthrough_assign_single_dev_to_single_dom~1';
const VIOLATES = { violates: [ID] };
const OF_PCI = { violates: [ID], features: ['pci'] };

/** Xen's state as a step sees it that is handed other steps than everybody else. */
function withSteps(state: Xen, replaced: Partial<XenSteps>): Xen {
  return { ...state, steps: { ...state.steps, ...replaced } };
}

mutant('what was given before the device was found to be taken stays given', VIOLATES, (xen) => ({
  ...xen,
  domain: { ...xen.domain, checkDevices: () => 0, rollback: () => {} },
}));

mutant('a creation that fails takes the frames of its domain with it', VIOLATES, (xen) => ({
  ...xen,
  domain: {
    ...xen.domain,
    rollback: (state, domain, owners) => {
      const relinquishMemory = (): number => 0;
      const steps = { domain: { ...state.steps.domain, relinquishMemory } };
      return xen.domain.rollback(withSteps(state, steps), domain, owners);
    },
  },
}));

mutant('a creation that fails keeps the tables of its domain', VIOLATES, (xen) => ({
  ...xen,
  domain: {
    ...xen.domain,
    rollback: (state, domain, owners) => {
      const finalTeardown = (): void => {};
      return xen.domain.rollback(withSteps(state, { p2m: { ...state.steps.p2m, finalTeardown } }), domain, owners);
    },
  },
}));

mutant('a creation that fails leaves its platform devices attached', VIOLATES, (xen) => ({
  ...xen,
  dom0less: { ...xen.dom0less, unwindDevices: () => {} },
  domain: {
    ...xen.domain,
    rollback: (state, domain, owners) => {
      domain.dtDevices.length = 0;
      for (const context of domain.contexts) {
        if ([...context.devices].every(({ kind }) => kind === 'dt')) context.devices.clear();
      }
      return xen.domain.rollback(state, domain, owners);
    },
  },
}));

mutant('a creation that fails leaves the domain on record', VIOLATES, (xen) => ({
  ...xen,
  domain: {
    ...xen.domain,
    rollback: (state, domain, owners) => {
      xen.domain.rollback(state, domain, owners);
      state.domains.set(domain.domid, domain);
    },
  },
}));

mutant('a PCI device is not given back when the creation of its domain fails', OF_PCI, (xen) => ({
  ...xen,
  pci: {
    ...xen.pci,
    returnDevice: (state, owner, device) => {
      state.steps.pci.setOwner(state, device, owner ?? state.domIo);
    },
  },
}));
