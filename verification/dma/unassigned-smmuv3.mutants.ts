/** Mistakes with SMMUv3s that leave a door open for a device that no domain owns. */
import { pa } from '../../src/hw/address.js';
import { encode, put, putAddress } from '../../src/hw/bits.js';
import { CMD, CMD_CFGI, OPCODE, SHCFG, STE, STE_CONFIG } from '../../src/hw/iommu/smmuv3/layout.js';
import { maddr } from '../../src/xen/frames.js';
import { mutant } from '../bench.js';
import { withSmmuv3 } from '../with-smmuv3.js';

const REQUIREMENT = 'XenSwdgn~passthrough_use_iommu_to_deny_dma_ops_from_dev~1';
const ADDITION = 'XenSwdgn~passthrough_provide_if_for_add_rm_pci_devs~1';
const VIOLATES = { violates: [REQUIREMENT], features: ['smmuv3'] };
/** Where there are two SMMUs. */
const VIOLATES_TWO = { violates: [REQUIREMENT], features: ['two-smmus'] };

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

mutant(
  'a stream whose attachment failed is left as it is',
  { ...VIOLATES, violates: [REQUIREMENT, ADDITION] },
  (xen) => ({
    ...xen,
    smmuv3: {
      ...xen.smmuv3,
      attachStream: (state, context, streamId) => {
        return xen.smmuv3.attachStream(withSmmuv3(state, { installAbortSte: () => 0 }), context, streamId);
      },
    },
  }),
);

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

mutant('a stream that is detached aborts no reads: it gets a table of nothing but memory to read', VIOLATES, (xen) => ({
  ...xen,
  smmuv3: {
    ...xen.smmuv3,
    encodeAbortSte: (state) => {
      const owner = state.domains.get(0)?.contexts[0];
      const root = owner && state.steps.heap.allocate(state, 0);
      const table = root && state.steps.heap.allocate(state, 0);
      if (owner?.iommu.kind !== 'smmuv3' || root === undefined || table === undefined) {
        return xen.smmuv3.encodeAbortSte(state);
      }
      // Level 0 leads to a table of blocks of 1 GiB: normal memory, read-only, accessed.
      state.machine.memory.store64(pa(maddr(root)), Math.floor(maddr(table) / 2 ** 32), (maddr(table) + 3) >>> 0);
      for (let gib = 0; gib < 64; gib++) {
        state.machine.memory.store64(pa(maddr(table) + gib * 8), gib >>> 2, (((gib & 3) << 30) | 0x77d) >>> 0);
      }
      const words = state.steps.smmuv3.encodeStage2Ste(state, owner as never);
      put(words, STE.S2VMID, 0x1f);
      putAddress(words, STE.S2TTB, maddr(root));
      return words;
    },
  },
}));

mutant('only the first of several streams is detached', VIOLATES, (xen) => ({
  ...xen,
  smmuv3: {
    ...xen.smmuv3,
    detachStreams: (state, context, device) => {
      const [first] = device.master?.streamIds ?? [];
      return first === undefined ? 0 : state.steps.smmuv3.detachStream(state, context, first);
    },
  },
}));

mutant('only the first SMMU is told to abort before it is enabled', VIOLATES_TWO, (xen) => ({
  ...xen,
  smmuv3: {
    ...xen.smmuv3,
    setGbpaAbort: (state, smmu) => (smmu === state.iommus[0] ? xen.smmuv3.setGbpaAbort(state, smmu) : 0),
  },
}));

mutant('the entry of a stream of the second SMMU is made to abort at the first', VIOLATES_TWO, (xen) => ({
  ...xen,
  smmuv3: {
    ...xen.smmuv3,
    installAbortSte: (state, smmu, streamId) => {
      const [first] = state.iommus;
      return xen.smmuv3.installAbortSte(state, first?.kind === 'smmuv3' ? first : smmu, streamId);
    },
  },
}));

mutant('the tag of a domain that is gone is not flushed at the second SMMU', VIOLATES_TWO, (xen) => ({
  ...xen,
  smmuv3: {
    ...xen.smmuv3,
    installAbortSte: (state, smmu, streamId) =>
      smmu === state.iommus[0]
        ? xen.smmuv3.installAbortSte(state, smmu, streamId)
        : xen.smmuv3.installAbortSte(withSmmuv3(state, { invalidateSte: () => 0 }), smmu, streamId),
    freeVmid: (state, smmu, vmid) => {
      if (smmu === state.iommus[0]) return xen.smmuv3.freeVmid(state, smmu, vmid);
      smmu.vmids.release(vmid);
      return 0;
    },
  },
}));
