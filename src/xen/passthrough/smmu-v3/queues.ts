/**
 * The command queue of an SMMUv3, and the memory of both queues (Arm IHI 0070 3.5, chapter 4).
 *
 * A command that was consumed promises nothing; a SYNC that was consumed promises that all commands before it have had
 * their effect.
 */
import { pa } from '../../../hw/address.js';
import { encode, get, put } from '../../../hw/bits.js';
import {
  CFGI_RANGE_ALL,
  CMD,
  CMD_CFGI,
  CMD_CFGI_RANGE,
  CMD_SYNC,
  CMD_TLBI,
  CMDQ_CONS,
  COMMAND_BYTES,
  EVENT_BYTES,
  GERROR,
  OPCODE,
  REGISTER,
  SYNC_SIGNAL,
} from '../../../hw/iommu/smmuv3/layout.js';
import { failure } from '../../errno.js';
import { maddr, PAGE_SIZE } from '../../frames.js';
import { print, type Smmu, type SmmuQueue, type Xen } from '../../xen.js';
import { PATIENCE } from './registers.js';

/** Index within the queue, without the wrap bit. */
const slot = (queue: SmmuQueue, index: number): number => index % 2 ** queue.log2Size;
/** The next index, with the wrap bit. */
export const advance = (queue: SmmuQueue, index: number): number => (index + 1) % 2 ** (queue.log2Size + 1);
const isFull = (queue: SmmuQueue): boolean =>
  queue.prod !== queue.cons && slot(queue, queue.prod) === slot(queue, queue.cons);

/** Address of the entry at an index. */
export const entryAt = (queue: SmmuQueue, index: number, bytes: number) => pa(queue.base + slot(queue, index) * bytes);

/** Takes memory for one queue. Undefined: out of memory. */
function allocateQueue(xen: Xen, log2Size: number, entryBytes: number): SmmuQueue | undefined {
  const pages = Math.ceil((2 ** log2Size * entryBytes) / PAGE_SIZE);
  const base = xen.steps.heap.allocate(xen, Math.ceil(Math.log2(pages)));
  return base === undefined ? undefined : { base: maddr(base), log2Size, prod: 0, cons: 0 };
}

/**
 * Takes memory for the command and the event queue.
 * @returns 0 or -ENOMEM
 */
export function allocateQueues(xen: Xen, smmu: Smmu): number {
  const commands = allocateQueue(xen, smmu.features.commandQueueLog2, COMMAND_BYTES);
  const events = allocateQueue(xen, smmu.features.eventQueueLog2, EVENT_BYTES);
  if (commands === undefined || events === undefined) return failure('ENOMEM');
  smmu.commandQueue = commands;
  smmu.eventQueue = events;
  return 0;
}

/** Reads how far the SMMU has come. Returns whether it stopped at a command that it cannot execute. */
function readConsumed(xen: Xen, smmu: Smmu): boolean {
  const cons = Uint32Array.of(xen.steps.smmuv3.readRegister(xen, smmu, REGISTER.CMDQ_CONS));
  smmu.commandQueue.cons = get(cons, CMDQ_CONS.RD) % 2 ** (smmu.commandQueue.log2Size + 1);
  return get(cons, CMDQ_CONS.ERR) !== 0;
}

/**
 * Puts a command into the queue.
 * @returns 0, or -EIO if the queue stays full
 */
export function issueCommand(xen: Xen, smmu: Smmu, words: Uint32Array): number {
  const queue = smmu.commandQueue;
  for (let i = 0; isFull(queue); i++) {
    if (i === PATIENCE) {
      print(xen, `SMMUv3 ${smmu.node.path}: command queue stays full`);
      return failure('EIO');
    }
    if (readConsumed(xen, smmu)) xen.steps.smmuv3.skipBadCommand(xen, smmu);
  }
  xen.machine.memory.store128(entryAt(queue, queue.prod, COMMAND_BYTES), words);
  queue.prod = advance(queue, queue.prod);
  xen.steps.smmuv3.writeRegister(xen, smmu, REGISTER.CMDQ_PROD, queue.prod);
  return 0;
}

/**
 * Waits until every command so far has had its effect.
 * @returns 0, or -EIO if the SMMU does not answer or could not execute one of them
 */
export function sync(xen: Xen, smmu: Smmu): number {
  const queue = smmu.commandQueue;
  const words = encode(CMD, 128, { OPCODE: OPCODE.SYNC });
  put(words, CMD_SYNC.CS, SYNC_SIGNAL.NONE);
  const error = xen.steps.smmuv3.issueCommand(xen, smmu, words);
  if (error !== 0) return error;
  let bad = false;
  for (let i = 0; i < PATIENCE; i++) {
    if (readConsumed(xen, smmu)) bad = xen.steps.smmuv3.skipBadCommand(xen, smmu) || bad;
    if (queue.cons === queue.prod) return bad ? failure('EIO') : 0;
  }
  print(xen, `SMMUv3 ${smmu.node.path}: SYNC timed out`);
  return failure('EIO');
}

/**
 * If the SMMU has stopped at a command, replaces it by a SYNC and lets it go on (7.1, 7.5).
 * @returns whether it had stopped
 */
export function skipBadCommand(xen: Xen, smmu: Smmu): boolean {
  const { readRegister, writeRegister } = xen.steps.smmuv3;
  const gerror = Uint32Array.of(readRegister(xen, smmu, REGISTER.GERROR));
  const gerrorn = Uint32Array.of(readRegister(xen, smmu, REGISTER.GERRORN));
  if (get(gerror, GERROR.CMDQ_ERR) === get(gerrorn, GERROR.CMDQ_ERR)) return false;
  const queue = smmu.commandQueue;
  const code = get(Uint32Array.of(readRegister(xen, smmu, REGISTER.CMDQ_CONS)), CMDQ_CONS.ERR);
  const at = entryAt(queue, queue.cons, COMMAND_BYTES);
  const opcode = xen.machine.memory.load(at, 1);
  print(xen, `SMMUv3 ${smmu.node.path}: command 0x${opcode.toString(16)} failed, error ${code}; skipped`);
  xen.machine.memory.store128(at, encode(CMD, 128, { OPCODE: OPCODE.SYNC }));
  put(gerrorn, GERROR.CMDQ_ERR, get(gerror, GERROR.CMDQ_ERR));
  writeRegister(xen, smmu, REGISTER.GERRORN, gerrorn[0] as number);
  return true;
}

/** Issues a command and waits for its effect. Returns 0 or -EIO. */
function issueAndSync(xen: Xen, smmu: Smmu, words: Uint32Array): number {
  const error = xen.steps.smmuv3.issueCommand(xen, smmu, words);
  return error !== 0 ? error : xen.steps.smmuv3.sync(xen, smmu);
}

/**
 * Makes the SMMU forget what it knows of a stream: its STE, and with `leaf` false also the descriptor that leads there.
 * @returns 0 or -EIO
 */
export function invalidateSte(xen: Xen, smmu: Smmu, streamId: number, leaf: boolean): number {
  const words = encode(CMD, 128, { OPCODE: OPCODE.CFGI_STE, SID: streamId });
  put(words, CMD_CFGI.LEAF, leaf ? 1 : 0);
  return issueAndSync(xen, smmu, words);
}

/** Makes the SMMU forget all configuration. Returns 0 or -EIO. */
export function invalidateAllStes(xen: Xen, smmu: Smmu): number {
  const words = encode(CMD, 128, { OPCODE: OPCODE.CFGI_STE_RANGE });
  put(words, CMD_CFGI_RANGE.RANGE, CFGI_RANGE_ALL);
  return issueAndSync(xen, smmu, words);
}

/** Makes the SMMU forget every translation tagged with a VMID. Returns 0 or -EIO. */
export function invalidateVmid(xen: Xen, smmu: Smmu, vmid: number): number {
  const words = encode(CMD, 128, { OPCODE: OPCODE.TLBI_S12_VMALL });
  put(words, CMD_TLBI.VMID, vmid);
  return issueAndSync(xen, smmu, words);
}

/** Makes the SMMU forget every translation. Returns 0 or -EIO. */
export function invalidateAllVmids(xen: Xen, smmu: Smmu): number {
  if (smmu.features.hyp) {
    const error = xen.steps.smmuv3.issueCommand(xen, smmu, encode(CMD, 128, { OPCODE: OPCODE.TLBI_EL2_ALL }));
    if (error !== 0) return error;
  }
  return issueAndSync(xen, smmu, encode(CMD, 128, { OPCODE: OPCODE.TLBI_NSNH_ALL }));
}

/** Tells the SMMU that an STE will soon be used. Returns 0 or -EIO. */
export function prefetchSte(xen: Xen, smmu: Smmu, streamId: number): number {
  return xen.steps.smmuv3.issueCommand(xen, smmu, encode(CMD, 128, { OPCODE: OPCODE.PREFETCH_CONFIG, SID: streamId }));
}
