/** Mistakes in taking platform devices from their domains. */
import { encode, put } from '../../src/hw/bits.js';
import { IMCTR } from '../../src/hw/iommu/ipmmu/layout.js';
import { CMD, CMD_CFGI, OPCODE, SHCFG, STE, STE_CONFIG } from '../../src/hw/iommu/smmuv3/layout.js';
import type { Device } from '../../src/xen/xen.js';
import { mutant } from '../bench.js';
import { withIpmmu } from '../with-ipmmu.js';
import { isOfSmmuv3, withSmmuv3 } from '../with-smmuv3.js';

const VIOLATES = { violates: ['XenSwdgn~passthrough_support_deassign_dt_devs~1'] };
const SMMUV3 = { ...VIOLATES, features: ['smmuv3'] };
const IPMMU = { ...VIOLATES, features: ['ipmmu'] };

mutant('a device is taken from its domain on record only', VIOLATES, (xen) => ({
  ...xen,
  dt: {
    ...xen.dt,
    releaseDevice: (state, _domain, device) => {
      state.steps.dt.setOwner(state, device, undefined);
      return 0;
    },
  },
}));

mutant('the streams of a taken device bypass translation', SMMUV3, (xen) => ({
  ...xen,
  smmuv3: {
    ...xen.smmuv3,
    detachStreams: (state, context, device) => {
      const encodeAbortSte = () => encode(STE, 512, { V: 1, CONFIG: STE_CONFIG.BYPASS, SHCFG: SHCFG.INCOMING });
      return xen.smmuv3.detachStreams(withSmmuv3(state, { encodeAbortSte }), context, device);
    },
  },
}));

mutant('the micro-TLBs of a taken device are turned off', IPMMU, (xen) => ({
  ...xen,
  ipmmu: {
    ...xen.ipmmu,
    detachMicroTlb: (state, context, microTlb) =>
      xen.ipmmu.detachMicroTlb(withIpmmu(state, { microTlbControl: () => 0 }), context, microTlb),
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

mutant('nothing waits until an IPMMU has forgotten what it is told to', IPMMU, (xen) => ({
  ...xen,
  ipmmu: { ...xen.ipmmu, waitFlushed: () => 0 },
}));

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

mutant('the interrupts of a taken device stay routed', VIOLATES, (xen) => ({
  ...xen,
  dt: { ...xen.dt, releaseInterrupts: () => 0 },
}));

/** A device as if it had the first of its streams alone. */
function onFirstStream<T extends Device>(device: T): T {
  const { master } = device;
  return master === undefined ? device : { ...device, master: { ...master, streamIds: master.streamIds.slice(0, 1) } };
}

mutant('only the first stream of a device is torn down', VIOLATES, (xen) => ({
  ...xen,
  smmuv3: {
    ...xen.smmuv3,
    detachStreams: (state, context, device) => xen.smmuv3.detachStreams(state, context, onFirstStream(device)),
  },
  ipmmu: {
    ...xen.ipmmu,
    detachStreams: (state, context, device) => xen.ipmmu.detachStreams(state, context, onFirstStream(device)),
  },
}));

mutant('a device that was taken is held to be behind no IOMMU', VIOLATES, (xen) => ({
  ...xen,
  dt: {
    ...xen.dt,
    releaseDevice: (state, domain, device) => {
      const error = xen.dt.releaseDevice(state, domain, device);
      if (error === 0) device.master = undefined;
      return error;
    },
  },
}));

mutant('a device that is taken from a guest goes to the hardware domain', VIOLATES, (xen) => ({
  ...xen,
  dt: {
    ...xen.dt,
    releaseDevice: (state, domain, device) =>
      xen.dt.releaseDevice(state, domain, device) ||
      (domain.domid === 0 ? 0 : state.steps.dt.giveToHardwareDomain(state, device)),
  },
}));

mutant('the SMMU keeps the entry of a taken stream', SMMUV3, (xen) => ({
  ...xen,
  smmuv3: {
    ...xen.smmuv3,
    detachStream: (state, context, streamId) =>
      xen.smmuv3.detachStream(withSmmuv3(state, { invalidateSte: () => 0 }), context, streamId),
  },
}));

mutant('the invalidation of the entry of a taken stream is not waited for', SMMUV3, (xen) => ({
  ...xen,
  smmuv3: {
    ...xen.smmuv3,
    detachStream: (state, context, streamId) => {
      const invalidateSte: typeof xen.smmuv3.invalidateSte = (inner, smmu, id, leaf) => {
        const words = encode(CMD, 128, { OPCODE: OPCODE.CFGI_STE, SID: id });
        put(words, CMD_CFGI.LEAF, leaf ? 1 : 0);
        return inner.steps.smmuv3.issueCommand(inner, smmu, words);
      };
      return xen.smmuv3.detachStream(withSmmuv3(state, { invalidateSte }), context, streamId);
    },
  },
}));

mutant('a taken device is detached only if it is the last of its domain', VIOLATES, (xen) => ({
  ...xen,
  iommu: {
    ...xen.iommu,
    detach: (state, context, device) => (context.devices.size > 1 ? 0 : xen.iommu.detach(state, context, device)),
  },
}));

mutant('the micro-TLBs of a taken device keep its context', IPMMU, (xen) => ({
  ...xen,
  ipmmu: {
    ...xen.ipmmu,
    selectContext: (state, ipmmu, microTlb, context) => {
      if (context !== 0) xen.ipmmu.selectContext(state, ipmmu, microTlb, context);
    },
  },
}));

mutant('the registers of a taken device stay with its domain', VIOLATES, (xen) => ({
  ...xen,
  dt: { ...xen.dt, unmapRegions: () => 0 },
}));

mutant('only the first region of a taken device is unmapped', VIOLATES, (xen) => ({
  ...xen,
  dt: {
    ...xen.dt,
    unmapRegions: (state, domain, device) =>
      xen.dt.unmapRegions(state, domain, { ...device, regions: device.regions.slice(0, 1) }),
  },
}));

mutant('the registers of a taken device are mapped again when it is assigned', VIOLATES, (xen) => ({
  ...xen,
  dt: {
    ...xen.dt,
    assignDevice: (state, domain, device) => {
      const error = xen.dt.assignDevice(state, domain, device);
      for (const { address, size } of error === 0 ? device.regions : []) {
        const [first, count] = [Math.floor(address / 4096), Math.ceil(size / 4096)];
        state.steps.domain.mapRegion(state, domain, { mfn: first, gfn: first, count } as Parameters<
          typeof xen.domain.mapRegion
        >[2]);
      }
      return error;
    },
  },
}));

mutant('a device is taken from whichever domain has it', VIOLATES, (xen) => ({
  ...xen,
  dt: {
    ...xen.dt,
    deassignDevice: (state, domain, device) => xen.dt.deassignDevice(state, device.domain ?? domain, device),
  },
}));

mutant('a device behind no IOMMU is taken by a hypercall', VIOLATES, (xen) => ({
  ...xen,
  dt: {
    ...xen.dt,
    deassignDevice: (state, domain, device) =>
      device.master === undefined && device.domain === domain
        ? state.steps.dt.releaseDevice(state, domain, device)
        : xen.dt.deassignDevice(state, domain, device),
  },
}));

mutant('only the first interrupt of a taken device is released', VIOLATES, (xen) => ({
  ...xen,
  dt: {
    ...xen.dt,
    releaseInterrupts: (state, domain, device) =>
      xen.dt.releaseInterrupts(state, domain, { ...device, interrupts: device.interrupts.slice(0, 1) }),
  },
}));

mutant('an interrupt that is released stays active', VIOLATES, (xen) => ({
  ...xen,
  irq: {
    ...xen.irq,
    disconnect: (state, irq) => {
      const steps = { ...state.steps, gic: { ...state.steps.gic, clearActive: () => {} } };
      xen.irq.disconnect({ ...state, steps }, irq);
    },
  },
}));

mutant('an interrupt that is released stays pending', VIOLATES, (xen) => ({
  ...xen,
  irq: {
    ...xen.irq,
    disconnect: (state, irq) => {
      const steps = { ...state.steps, gic: { ...state.steps.gic, clearPending: () => {} } };
      xen.irq.disconnect({ ...state, steps }, irq);
    },
  },
}));

mutant('what an interrupt has pending at its domain outlives its release', VIOLATES, (xen) => ({
  ...xen,
  irq: {
    ...xen.irq,
    disconnect: (state, irq) => {
      const steps = { ...state.steps, vgic: { ...state.steps.vgic, forget: () => {} } };
      xen.irq.disconnect({ ...state, steps }, irq);
    },
  },
}));

mutant('the tag of translations is given away while a stream still has it', SMMUV3, (xen) => ({
  ...xen,
  iommu: {
    ...xen.iommu,
    deassignDevice: (state, domain, device) => {
      const context = device.master?.context;
      if (context === undefined || !isOfSmmuv3(context)) return xen.iommu.deassignDevice(state, domain, device);
      return xen.iommu.deassignDevice(withSmmuv3(state, { installAbortSte: () => 0 }), domain, device);
    },
  },
}));

mutant('a domain may go on to map the registers of a taken device', VIOLATES, (xen) => ({
  ...xen,
  domain: { ...xen.domain, denyIomem: () => {} },
}));

mutant('with the last device of one cache, the context ends in the main instance', IPMMU, (xen) => ({
  ...xen,
  ipmmu: {
    ...xen.ipmmu,
    destroyContext: (state, context) => {
      const { iommu, tag } = context;
      const error = state.steps.ipmmu.setContext(state, iommu, tag, false);
      return error !== 0 ? error : state.steps.ipmmu.disableMain(state, iommu.main ?? iommu, tag);
    },
  },
}));

mutant('the tag of a context is given back to the first SMMU', { ...VIOLATES, features: ['two-smmus'] }, (xen) => ({
  ...xen,
  smmuv3: {
    ...xen.smmuv3,
    destroyContext: (state, context) => {
      const first = state.iommus.find((iommu) => iommu.kind === 'smmuv3');
      return xen.smmuv3.destroyContext(state, first === undefined ? context : { ...context, iommu: first });
    },
  },
}));
