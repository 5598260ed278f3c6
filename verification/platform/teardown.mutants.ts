/** Mistakes in taking platform devices from a domain that is destroyed. */
import { put } from '../../src/hw/bits.js';
import { IMCTR } from '../../src/hw/iommu/ipmmu/layout.js';
import { mutant } from '../bench.js';
import { withSmmuv3 } from '../with-smmuv3.js';

const VIOLATES = { violates: ['XenSwdgn~passthrough_deassign_dt_dev_from_dom~1'] };
const SMMUV3 = { ...VIOLATES, features: ['smmuv3'] };
const IPMMU = { ...VIOLATES, features: ['ipmmu'] };

mutant('a destroyed domain keeps its platform devices', VIOLATES, (xen) => ({
  ...xen,
  dt: { ...xen.dt, releaseDevices: () => 0 },
}));

mutant('memory is freed before the platform devices leave', VIOLATES, (xen) => ({
  ...xen,
  domain: {
    ...xen.domain,
    relinquish: (state, domain) =>
      state.steps.domain.relinquishMemory(state, domain) || xen.domain.relinquish(state, domain),
  },
}));

mutant('the tables of a domain are emptied before its platform devices leave', VIOLATES, (xen) => ({
  ...xen,
  domain: {
    ...xen.domain,
    relinquish: (state, domain) => {
      const { irq, pci, p2m, domain: steps, dt } = state.steps;
      return (
        pci.releaseDevices(state, domain) ||
        irq.releaseAll(state, domain) ||
        steps.relinquishMemory(state, domain) ||
        p2m.relinquishMappings(state, domain) ||
        dt.releaseDevices(state, domain)
      );
    },
  },
}));

mutant('only the first platform device leaves', VIOLATES, (xen) => ({
  ...xen,
  dt: {
    ...xen.dt,
    releaseDevices: (state, domain) => {
      const [device] = domain.dtDevices;
      return device === undefined ? 0 : state.steps.dt.releaseDevice(state, domain, device);
    },
  },
}));

mutant('every second platform device is passed over, because the list shrinks while it is walked', VIOLATES, (xen) => ({
  ...xen,
  dt: {
    ...xen.dt,
    releaseDevices: (state, domain) => {
      let first = 0;
      for (const device of domain.dtDevices) first ||= state.steps.dt.releaseDevice(state, domain, device);
      return first;
    },
  },
}));

mutant('only platform devices behind an IOMMU leave', VIOLATES, (xen) => ({
  ...xen,
  dt: {
    ...xen.dt,
    releaseDevice: (state, domain, device) =>
      device.master === undefined ? 0 : xen.dt.releaseDevice(state, domain, device),
  },
}));

mutant('only platform devices that a domain was created with leave', VIOLATES, (xen) => ({
  ...xen,
  dt: {
    ...xen.dt,
    releaseDevices: (state, domain) => {
      let first = 0;
      for (const device of [...domain.dtDevices]) {
        const mapped = domain.mmio.some(({ mfn, count }) =>
          device.regions.some(({ address }) => {
            return address >= mfn * 4096 && address < (mfn + count) * 4096;
          }),
        );
        if (mapped) first ||= state.steps.dt.releaseDevice(state, domain, device);
      }
      return first;
    },
  },
}));

mutant('after the first platform device that does not leave, the others stay', SMMUV3, (xen) => ({
  ...xen,
  dt: {
    ...xen.dt,
    releaseDevices: (state, domain) => {
      for (const device of [...domain.dtDevices]) {
        const error = state.steps.dt.releaseDevice(state, domain, device);
        if (error !== 0) return error;
      }
      return 0;
    },
  },
}));

mutant('a platform device that does not leave is no reason to keep the memory', SMMUV3, (xen) => ({
  ...xen,
  dt: {
    ...xen.dt,
    releaseDevices: (state, domain) => {
      xen.dt.releaseDevices(state, domain);
      return 0;
    },
  },
}));

mutant('a platform device that does not leave is off the list all the same', SMMUV3, (xen) => ({
  ...xen,
  dt: {
    ...xen.dt,
    releaseDevice: (state, domain, device) => {
      const error = xen.dt.releaseDevice(state, domain, device);
      if (error !== 0) state.steps.dt.setOwner(state, device, undefined);
      return error;
    },
  },
}));

mutant('a command that the IOMMU could not execute is passed over', SMMUV3, (xen) => ({
  ...xen,
  smmuv3: {
    ...xen.smmuv3,
    sync: (state, smmu) => {
      xen.smmuv3.sync(state, smmu);
      return 0;
    },
  },
}));

mutant('the entry of a stream is made to abort, and the SMMU keeps the old one', SMMUV3, (xen) => ({
  ...xen,
  smmuv3: {
    ...xen.smmuv3,
    detachStream: (state, context, streamId) =>
      xen.smmuv3.detachStream(withSmmuv3(state, { invalidateSte: () => 0 }), context, streamId),
  },
}));

mutant('no invalidation is waited for', SMMUV3, (xen) => ({ ...xen, smmuv3: { ...xen.smmuv3, sync: () => 0 } }));

mutant('a tag of translations is given away with what is cached under it', SMMUV3, (xen) => ({
  ...xen,
  smmuv3: {
    ...xen.smmuv3,
    freeVmid: (_state, smmu, vmid) => {
      smmu.vmids.release(vmid);
      return 0;
    },
  },
}));

mutant('the micro-TLBs of devices that leave keep the context of their domain', IPMMU, (xen) => ({
  ...xen,
  ipmmu: {
    ...xen.ipmmu,
    selectContext: (state, ipmmu, microTlb, context) => {
      if (context !== 0 || ipmmu.streams.get(microTlb) === undefined) {
        xen.ipmmu.selectContext(state, ipmmu, microTlb, context);
      }
    },
  },
}));

mutant('a context number is given away with what is cached under it', IPMMU, (xen) => ({
  ...xen,
  ipmmu: {
    ...xen.ipmmu,
    contextControl: (state, ipmmu, enabled) => {
      const words = Uint32Array.of(xen.ipmmu.contextControl(state, ipmmu, enabled));
      put(words, IMCTR.FLUSH, 0);
      return words[0] as number;
    },
    flushContext: () => 0,
  },
}));

mutant('a context is turned off while a micro-TLB still selects it', IPMMU, (xen) => ({
  ...xen,
  dt: {
    ...xen.dt,
    releaseDevices: (state, domain) => {
      for (const context of domain.contexts) {
        if (context.iommu.kind === 'ipmmu') state.steps.ipmmu.setContext(state, context.iommu, context.tag, false);
      }
      return xen.dt.releaseDevices(state, domain);
    },
  },
}));

mutant('the interrupts of a dead domain stay routed', VIOLATES, (xen) => ({
  ...xen,
  dt: { ...xen.dt, releaseInterrupts: () => 0 },
  irq: { ...xen.irq, releaseAll: () => 0 },
}));

mutant('an interrupt of a dead domain stays pending', VIOLATES, (xen) => ({
  ...xen,
  irq: {
    ...xen.irq,
    disconnect: (state, irq) => {
      const steps = { ...state.steps, gic: { ...state.steps.gic, clearPending: () => {} } };
      xen.irq.disconnect({ ...state, steps }, irq);
    },
  },
}));

mutant('an interrupt of a dead domain stays active', VIOLATES, (xen) => ({
  ...xen,
  irq: {
    ...xen.irq,
    disconnect: (state, irq) => {
      const steps = { ...state.steps, gic: { ...state.steps.gic, clearActive: () => {} } };
      xen.irq.disconnect({ ...state, steps }, irq);
    },
  },
}));

mutant('the CPUs keep the translations of a tag that is given away', VIOLATES, (xen) => ({
  ...xen,
  p2m: { ...xen.p2m, invalidateCpu: () => {} },
}));

mutant('a device that leaves a dead domain goes to the hardware domain', VIOLATES, (xen) => ({
  ...xen,
  dt: {
    ...xen.dt,
    releaseDevices: (state, domain) => {
      const devices = [...domain.dtDevices];
      const error = xen.dt.releaseDevices(state, domain);
      for (const device of error === 0 ? devices : []) state.steps.dt.giveToHardwareDomain(state, device);
      return error;
    },
  },
}));
