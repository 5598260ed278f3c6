/**
 * Bringing an SMMUv3 up (Arm IHI 0070 6.3; the order of xen/drivers/passthrough/arm/smmu-v3.c, but that traffic is aborted
 * before anything else is touched).
 */
import { pa } from '../../../hw/address.js';
import { encode, putAddress } from '../../../hw/bits.js';
import {
  CR0,
  CR1,
  CR2,
  QUEUE_BASE,
  REGISTER,
  STRTAB_BASE,
  STRTAB_BASE_CFG,
  STRTAB_FMT,
} from '../../../hw/iommu/smmuv3/layout.js';
import { failure } from '../../errno.js';
import { CACHE_WBWA } from '../../p2m/format.js';
import { SHAREABILITY } from '../../p2m-layout.js';
import { TagBitmap } from '../../tags.js';
import { print, type Smmu, type SmmuFeatures, type SmmuQueue, type Xen } from '../../xen.js';

const word = (words: Uint32Array): number => words[0] as number;

/** What CR0 is to hold while commands are taken, while events are written too, and when traffic is translated. */
const COMMANDS = word(encode(CR0, 32, { CMDQEN: 1 }));
const EVENTS = word(encode(CR0, 32, { CMDQEN: 1, EVENTQEN: 1 }));
const ENABLED = word(encode(CR0, 32, { CMDQEN: 1, EVENTQEN: 1, SMMUEN: 1 }));
const ENABLED_ATS = word(encode(CR0, 32, { CMDQEN: 1, EVENTQEN: 1, SMMUEN: 1, ATSCHK: 1 }));

const NO_FEATURES: SmmuFeatures = {
  stage2: false,
  aarch64: false,
  granule4k: false,
  twoLevelTable: false,
  hyp: false,
  ats: false,
  msi: false,
  streamIdBits: 0,
  vmidBits: 0,
  oas: 0,
  outputBits: 0,
  commandQueueLog2: 0,
  eventQueueLog2: 0,
};

/** Finds the SMMUs of the device tree. */
export function findSmmus(xen: Xen): Smmu[] {
  const found: Smmu[] = [];
  for (const node of xen.platform.tree.compatible('arm,smmu-v3')) {
    const reg = node.reg()[0];
    const address = reg === undefined ? undefined : node.translate(reg.address);
    if (address === undefined || !node.enabled) continue;
    const empty = { base: pa(0), log2Size: 0, prod: 0, cons: 0 };
    found.push({
      kind: 'smmuv3',
      node,
      base: pa(address),
      features: NO_FEATURES,
      streamTable: { base: pa(0), log2Size: 0, split: undefined, level2: new Map() },
      commandQueue: empty,
      eventQueue: empty,
      vmids: new TagBitmap(0),
      streams: new Map(),
      disabled: false,
    });
  }
  return found;
}

/** Finds the SMMUs of the device tree and takes charge of each. All deny before the first one is set up. */
export function setup(xen: Xen): void {
  const { findSmmus, probe, setGbpaAbort } = xen.steps.smmuv3;
  const found = findSmmus(xen).map((smmu) => ({ smmu, aborting: setGbpaAbort(xen, smmu) }));
  for (const { smmu, aborting } of found) {
    xen.iommus.push(smmu);
    probe(xen, smmu, aborting);
  }
}

/** Size of the addresses that an SMMU takes from its tables: that of what it can put out. */
export function addressBits(_xen: Xen, smmu: Smmu): number {
  return smmu.features.outputBits;
}

/** Stops translation and queues. Returns 0 or -EIO. */
export function disable(xen: Xen, smmu: Smmu): number {
  return xen.steps.smmuv3.writeCr0(xen, smmu, 0);
}

/** How the SMMU accesses its structures (CR1), and what it reports (CR2). */
export function writeAttributes(xen: Xen, smmu: Smmu): void {
  const cr1 = encode(CR1, 32, {
    QUEUE_IC: CACHE_WBWA,
    QUEUE_OC: CACHE_WBWA,
    QUEUE_SH: SHAREABILITY.INNER,
    TABLE_IC: CACHE_WBWA,
    TABLE_OC: CACHE_WBWA,
    TABLE_SH: SHAREABILITY.INNER,
  });
  xen.steps.smmuv3.writeRegister(xen, smmu, REGISTER.CR1, word(cr1));
  // Streams that nobody knows are reported; TLB maintenance of CPUs is not listened to.
  xen.steps.smmuv3.writeRegister(
    xen,
    smmu,
    REGISTER.CR2,
    word(encode(CR2, 32, { RECINVSID: 1, PTM: 1, E2H: smmu.features.hyp ? 1 : 0 })),
  );
}

/** Tells the SMMU where its stream table is. */
export function writeStreamTable(xen: Xen, smmu: Smmu): void {
  const { base, log2Size, split } = smmu.streamTable;
  const words = encode(STRTAB_BASE, 64, { RA: 1 });
  putAddress(words, STRTAB_BASE.ADDR, base);
  xen.steps.smmuv3.writeRegister64(xen, smmu, REGISTER.STRTAB_BASE, words);
  const cfg = encode(STRTAB_BASE_CFG, 32, {
    LOG2SIZE: log2Size,
    SPLIT: split ?? 0,
    FMT: split === undefined ? STRTAB_FMT.LINEAR : STRTAB_FMT.TWO_LEVEL,
  });
  xen.steps.smmuv3.writeRegister(xen, smmu, REGISTER.STRTAB_BASE_CFG, word(cfg));
}

function queueBase(queue: SmmuQueue): Uint32Array {
  const words = encode(QUEUE_BASE, 64, { LOG2SIZE: queue.log2Size, HINT: 1 });
  putAddress(words, QUEUE_BASE.ADDR, queue.base);
  return words;
}

/** Tells the SMMU where its command queue is, and starts it. Returns 0 or -EIO. */
export function enableCommandQueue(xen: Xen, smmu: Smmu): number {
  const { writeRegister, writeRegister64, writeCr0 } = xen.steps.smmuv3;
  const queue = smmu.commandQueue;
  writeRegister64(xen, smmu, REGISTER.CMDQ_BASE, queueBase(queue));
  writeRegister(xen, smmu, REGISTER.CMDQ_PROD, queue.prod);
  writeRegister(xen, smmu, REGISTER.CMDQ_CONS, queue.cons);
  return writeCr0(xen, smmu, COMMANDS);
}

/** Tells the SMMU where its event queue is, and starts it. Returns 0 or -EIO. */
export function enableEventQueue(xen: Xen, smmu: Smmu): number {
  const { writeRegister, writeRegister64, writeCr0 } = xen.steps.smmuv3;
  const queue = smmu.eventQueue;
  writeRegister64(xen, smmu, REGISTER.EVENTQ_BASE, queueBase(queue));
  writeRegister(xen, smmu, REGISTER.EVENTQ_PROD, queue.prod);
  writeRegister(xen, smmu, REGISTER.EVENTQ_CONS, queue.cons);
  return writeCr0(xen, smmu, EVENTS);
}

/** From here on the SMMU translates, by its stream table. Returns 0 or -EIO. */
export function enable(xen: Xen, smmu: Smmu): number {
  return xen.steps.smmuv3.writeCr0(xen, smmu, smmu.features.ats ? ENABLED_ATS : ENABLED);
}

/** Whether the driver can use an SMMU: stage 2, AArch64 tables, 4 KiB granule. */
export function isUsable(_xen: Xen, smmu: Smmu): boolean {
  const { stage2, aarch64, granule4k } = smmu.features;
  return stage2 && aarch64 && granule4k;
}

/** Brings one SMMU up, from unknown to translating. Returns 0 or a negative error code. */
export function bringUp(xen: Xen, smmu: Smmu): number {
  const steps = xen.steps.smmuv3;
  smmu.features = steps.readIds(xen, smmu);
  if (!steps.isUsable(xen, smmu)) return failure('ENODEV');
  smmu.vmids = new TagBitmap(smmu.features.vmidBits);
  let error = steps.disable(xen, smmu) || steps.allocateStreamTable(xen, smmu) || steps.allocateQueues(xen, smmu);
  if (error !== 0) return error;
  steps.writeAttributes(xen, smmu);
  steps.writeStreamTable(xen, smmu);
  error =
    steps.enableCommandQueue(xen, smmu) ||
    steps.invalidateAllStes(xen, smmu) ||
    steps.invalidateAllVmids(xen, smmu) ||
    steps.enableEventQueue(xen, smmu) ||
    steps.setupInterrupts(xen, smmu) ||
    steps.enable(xen, smmu);
  return error;
}

/**
 * Takes charge of an SMMU. One that cannot be brought up aborts all its traffic and serves no device.
 * @param aborting the error, if it could not even be told to abort, else 0
 */
export function probe(xen: Xen, smmu: Smmu, aborting: number): void {
  const error = aborting !== 0 ? aborting : xen.steps.smmuv3.bringUp(xen, smmu);
  if (error === 0) {
    const { features, streamTable } = smmu;
    const form = streamTable.split === undefined ? 'linear' : '2-level';
    print(
      xen,
      `SMMUv3 ${smmu.node.path}: ${features.outputBits}-bit output, ${streamTable.log2Size}-bit stream ids, ${form}`,
    );
    return;
  }
  smmu.disabled = true;
  xen.steps.smmuv3.disable(xen, smmu);
  print(xen, `SMMUv3 ${smmu.node.path}: cannot be used (${error}); all its traffic aborts`);
}
