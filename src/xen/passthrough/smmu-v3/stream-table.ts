/**
 * The stream table of an SMMUv3 (Arm IHI 0070 3.3, 5.1, 5.2): where the entry of a stream is, what Xen writes into it,
 * and in which order.
 */
import { type Pa, pa } from '../../../hw/address.js';
import { encode, putAddress } from '../../../hw/bits.js';
import { L1STD, L1STD_BYTES, SHCFG, STE, STE_BYTES, STE_CONFIG } from '../../../hw/iommu/smmuv3/layout.js';
import { failure } from '../../errno.js';
import { frames, maddr, PAGE_SIZE } from '../../frames.js';
import { CACHE_WBWA } from '../../p2m/format.js';
import { SHAREABILITY } from '../../p2m-layout.js';
import type { Smmu, Xen } from '../../xen.js';
import type { SmmuContext } from './contexts.js';

/** Bits of a stream id that index a second-level table. */
export const SPLIT = 8;
/** Largest first-level table, as log2 of its descriptors. */
const LEVEL1_LOG2_MAX = 17;
/** STE.S2TG of 4 KiB. */
const S2TG_4K = 0;

/** Fills memory with entries that abort. */
function fillAborting(xen: Xen, base: Pa, entries: number): void {
  const entry = xen.steps.smmuv3.encodeAbortSte(xen);
  const perPage = Math.min(entries, PAGE_SIZE / STE_BYTES);
  const page = new Uint32Array((perPage * STE_BYTES) / 4);
  for (let i = 0; i < perPage; i++) page.set(entry, (i * STE_BYTES) / 4);
  const bytes = new Uint8Array(page.buffer);
  for (let at = 0; at < entries; at += perPage) xen.machine.memory.write(pa(base + at * STE_BYTES), bytes);
}

/**
 * Takes memory for the stream table, all streams aborting: two levels where the SMMU has them and one page of entries is
 * not enough, else one.
 * @returns 0 or -ENOMEM
 */
export function allocateStreamTable(xen: Xen, smmu: Smmu): number {
  const { streamIdBits, twoLevelTable } = smmu.features;
  const split = twoLevelTable && streamIdBits > SPLIT ? SPLIT : undefined;
  const log2Size = split === undefined ? streamIdBits : Math.min(streamIdBits, LEVEL1_LOG2_MAX + SPLIT);
  const bytes = split === undefined ? 2 ** log2Size * STE_BYTES : 2 ** (log2Size - split) * L1STD_BYTES;
  const first = xen.steps.heap.allocate(xen, Math.ceil(Math.log2(frames(bytes))));
  if (first === undefined) return failure('ENOMEM');
  smmu.streamTable = { base: maddr(first), log2Size, split, level2: new Map() };
  if (split === undefined) fillAborting(xen, maddr(first), 2 ** log2Size);
  return 0;
}

/** Whether the stream table has a place for a stream. */
export function streamIdInRange(_xen: Xen, smmu: Smmu, streamId: number): boolean {
  return streamId < 2 ** smmu.streamTable.log2Size;
}

/**
 * Makes sure that there is a second-level table for a stream, all its entries aborting before it is linked.
 * @returns 0 or a negative error code
 */
export function initLevel2(xen: Xen, smmu: Smmu, streamId: number): number {
  const { base, split, level2 } = smmu.streamTable;
  if (split === undefined) return 0;
  const index = Math.floor(streamId / 2 ** split);
  if (level2.has(index)) return 0;
  const first = xen.steps.heap.allocate(xen, Math.log2((2 ** split * STE_BYTES) / PAGE_SIZE));
  if (first === undefined) return failure('ENOMEM');
  fillAborting(xen, maddr(first), 2 ** split);
  level2.set(index, maddr(first));
  const descriptor = encode(L1STD, 64, { SPAN: split + 1 });
  putAddress(descriptor, L1STD.L2PTR, maddr(first));
  xen.machine.memory.store64(pa(base + index * L1STD_BYTES), descriptor[1] as number, descriptor[0] as number);
  // A stream that was used before may have left the empty descriptor in the SMMU.
  return xen.steps.smmuv3.invalidateSte(xen, smmu, streamId, false);
}

/** Address of a stream's entry. Undefined: there is none. */
export function steAddress(_xen: Xen, smmu: Smmu, streamId: number): Pa | undefined {
  const { base, split, level2 } = smmu.streamTable;
  if (split === undefined) return pa(base + streamId * STE_BYTES);
  const table = level2.get(Math.floor(streamId / 2 ** split));
  return table === undefined ? undefined : pa(table + (streamId % 2 ** split) * STE_BYTES);
}

/** An entry that aborts everything. */
export function encodeAbortSte(_xen: Xen): Uint32Array {
  return encode(STE, 512, { V: 1, CONFIG: STE_CONFIG.ABORT, SHCFG: SHCFG.INCOMING });
}

/** An entry that translates by a context: stage 2 alone. */
export function encodeStage2Ste(xen: Xen, context: SmmuContext): Uint32Array {
  const steps = xen.steps.smmuv3;
  const words = encode(STE, 512, {
    V: 1,
    CONFIG: steps.s2Config(xen, context),
    SHCFG: SHCFG.INCOMING,
    S2VMID: steps.s2Vmid(xen, context),
    S2T0SZ: steps.s2T0sz(xen, context),
    S2SL0: steps.s2Sl0(xen, context),
    S2IR0: CACHE_WBWA,
    S2OR0: CACHE_WBWA,
    S2SH0: SHAREABILITY.INNER,
    S2TG: S2TG_4K,
    S2PS: steps.s2Ps(xen, context),
    S2AA64: 1,
    S2PTW: 1,
    S2R: 1,
  });
  putAddress(words, STE.S2TTB, steps.s2Ttb(xen, context));
  return words;
}

/** STE.CONFIG of a stream that is attached to a context. */
export function s2Config(_xen: Xen, _context: SmmuContext): number {
  return STE_CONFIG.S2;
}

/** STE.S2VMID. */
export function s2Vmid(_xen: Xen, context: SmmuContext): number {
  return context.tag;
}

/** STE.S2T0SZ. */
export function s2T0sz(_xen: Xen, context: SmmuContext): number {
  return 64 - context.format.ipaBits;
}

/** STE.S2SL0: level 1 is 1, level 0 is 2 with 4 KiB granule. */
export function s2Sl0(_xen: Xen, context: SmmuContext): number {
  return 2 - context.format.rootLevel;
}

/** STE.S2PS. */
export function s2Ps(_xen: Xen, context: SmmuContext): number {
  return context.iommu.features.oas;
}

/** STE.S2TTB, as an address. */
export function s2Ttb(_xen: Xen, context: SmmuContext): number {
  return maddr(context.root);
}

/** Writes one doubleword of an entry. */
function storeDoubleword(xen: Xen, at: Pa, words: Uint32Array, index: number): void {
  xen.machine.memory.store64(pa(at + index * 8), words[index * 2 + 1] as number, words[index * 2] as number);
}

/**
 * Makes an aborting entry translate. The SMMU reads an entry in any order: first everything but the doubleword that makes
 * it live, and when the SMMU cannot hold an older form of that, the first doubleword.
 * @returns 0 or a negative error code
 */
export function installSte(xen: Xen, smmu: Smmu, streamId: number, words: Uint32Array): number {
  const { steAddress, invalidateSte, prefetchSte } = xen.steps.smmuv3;
  const at = steAddress(xen, smmu, streamId);
  if (at === undefined) return failure('ERANGE');
  for (const index of [1, 2, 3]) storeDoubleword(xen, at, words, index);
  const error = invalidateSte(xen, smmu, streamId, true);
  if (error !== 0) return error;
  storeDoubleword(xen, at, words, 0);
  return invalidateSte(xen, smmu, streamId, true) || prefetchSte(xen, smmu, streamId);
}

/**
 * Makes an entry abort, at once, and the SMMU forget what it was.
 * @returns 0 or a negative error code
 */
export function installAbortSte(xen: Xen, smmu: Smmu, streamId: number): number {
  const { steAddress, encodeAbortSte, invalidateSte } = xen.steps.smmuv3;
  const at = steAddress(xen, smmu, streamId);
  if (at === undefined) return failure('ERANGE');
  const words = encodeAbortSte(xen);
  for (const index of [0, 1, 2]) storeDoubleword(xen, at, words, index);
  return invalidateSte(xen, smmu, streamId, true);
}
