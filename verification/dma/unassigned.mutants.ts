/** Mistakes that leave a door open for a device that no domain owns. */
import { encode, put } from '../../src/hw/bits.js';
import { CMD, CMD_CFGI, OPCODE, SHCFG, STE, STE_CONFIG } from '../../src/hw/iommu/smmuv3/layout.js';
import { mutant } from '../bench.js';
import { withSmmuv3 } from '../with-smmuv3.js';

const VIOLATES = { violates: ['XenSwdgn~passthrough_use_iommu_to_deny_dma_ops_from_dev~1'] };

function bypassing(): Uint32Array {
  return encode(STE, 512, { V: 1, CONFIG: STE_CONFIG.BYPASS, SHCFG: SHCFG.INCOMING });
}

mutant('streams without a context bypass translation', VIOLATES, (xen) => ({
  ...xen,
  smmuv3: { ...xen.smmuv3, encodeAbortSte: bypassing },
}));

mutant('the second table of the stream table is filled with bypassing entries', VIOLATES, (xen) => ({
  ...xen,
  smmuv3: {
    ...xen.smmuv3,
    initLevel2: (state, smmu, streamId) => {
      const later = smmu.streamTable.level2.size > 0;
      return xen.smmuv3.initLevel2(later ? withSmmuv3(state, { encodeAbortSte: bypassing }) : state, smmu, streamId);
    },
  },
}));

mutant('the SMMU does not abort before it is enabled', VIOLATES, (xen) => ({
  ...xen,
  smmuv3: { ...xen.smmuv3, setGbpaAbort: () => 0 },
}));

mutant('the SMMU is told to abort, and Xen goes on before it does', VIOLATES, (xen) => ({
  ...xen,
  smmuv3: {
    ...xen.smmuv3,
    setGbpaAbort: (state, smmu) => {
      return xen.smmuv3.setGbpaAbort(withSmmuv3(state, { poll: () => 0 }), smmu);
    },
  },
}));

mutant('detaching leaves the entry of the stream as it was', VIOLATES, (xen) => ({
  ...xen,
  smmuv3: { ...xen.smmuv3, installAbortSte: () => 0 },
}));

mutant('detaching writes the entry and does not tell the SMMU', VIOLATES, (xen) => ({
  ...xen,
  smmuv3: {
    ...xen.smmuv3,
    installAbortSte: (state, smmu, streamId) => {
      return xen.smmuv3.installAbortSte(withSmmuv3(state, { invalidateSte: () => 0 }), smmu, streamId);
    },
  },
}));

mutant('the invalidation of an entry is not waited for', VIOLATES, (xen) => ({
  ...xen,
  smmuv3: {
    ...xen.smmuv3,
    invalidateSte: (state, smmu, streamId, leaf) => {
      const words = encode(CMD, 128, { OPCODE: OPCODE.CFGI_STE, SID: streamId });
      put(words, CMD_CFGI.LEAF, leaf ? 1 : 0);
      return state.steps.smmuv3.issueCommand(state, smmu, words);
    },
    // Ending the context would wait for the queue as well.
    freeVmid: () => 0,
  },
}));

mutant('a device that was taken from a guest goes to the hardware domain', VIOLATES, (xen) => ({
  ...xen,
  pci: { ...xen.pci, deassignTarget: (state, _from, _device) => state.domains.get(0) ?? state.domIo },
}));

mutant('devices kept for passthrough are given to the hardware domain at boot', VIOLATES, (xen) => ({
  ...xen,
  pci: { ...xen.pci, isHidden: () => false },
}));

mutant('the entry of a wrong stream is made to abort', VIOLATES, (xen) => ({
  ...xen,
  smmuv3: {
    ...xen.smmuv3,
    installAbortSte: (state, smmu, streamId) => xen.smmuv3.installAbortSte(state, smmu, streamId ^ 1),
  },
}));

mutant('the SMMU is told to abort when it has been set up, not before', VIOLATES, (xen) => ({
  ...xen,
  smmuv3: {
    ...xen.smmuv3,
    setGbpaAbort: () => 0,
    enableEventQueue: (state, smmu) => xen.smmuv3.setGbpaAbort(state, smmu) || xen.smmuv3.enableEventQueue(state, smmu),
  },
}));

mutant('a device that the hardware domain had before goes back to it', VIOLATES, (xen) => ({
  ...xen,
  pci: {
    ...xen.pci,
    deassignTarget: (state, from, device) =>
      device.quarantine ? xen.pci.deassignTarget(state, from, device) : (state.domains.get(0) ?? state.domIo),
  },
}));

mutant('a device is put into quarantine on record only', VIOLATES, (xen) => ({
  ...xen,
  pci: {
    ...xen.pci,
    assignDevice: (state, domain, sbdf) => {
      const device = state.steps.pci.findDevice(state, sbdf);
      if (domain !== state.domIo || device === undefined) return xen.pci.assignDevice(state, domain, sbdf);
      state.steps.pci.setOwner(state, device, domain);
      device.quarantine = true;
      return 0;
    },
  },
}));

const ADDITION = 'XenSwdgn~passthrough_provide_if_for_add_rm_pci_devs~1';

mutant('a stream whose attachment failed is left as it is', { violates: [...VIOLATES.violates, ADDITION] }, (xen) => ({
  ...xen,
  smmuv3: {
    ...xen.smmuv3,
    attachStream: (state, context, streamId) => {
      return xen.smmuv3.attachStream(withSmmuv3(state, { installAbortSte: () => 0 }), context, streamId);
    },
  },
}));

mutant('a command that the SMMU could not execute is passed over', VIOLATES, (xen) => ({
  ...xen,
  smmuv3: {
    ...xen.smmuv3,
    sync: (state, smmu) => {
      xen.smmuv3.sync(state, smmu);
      return 0;
    },
  },
}));

mutant('a device is detached only if it is the last of its domain', VIOLATES, (xen) => ({
  ...xen,
  smmuv3: {
    ...xen.smmuv3,
    detachStream: (state, context, streamId) =>
      context.devices.size > 1 ? 0 : xen.smmuv3.detachStream(state, context, streamId),
  },
}));
