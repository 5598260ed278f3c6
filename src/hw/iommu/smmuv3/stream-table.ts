/**
 * The stream table: from a StreamID to a Stream Table Entry. Arm IHI 0070 3.3.1 (linear and two-level tables), 5.1
 * (L1STD), 5.2 (STE) and 5.2.2 (which STE is ILLEGAL).
 *
 * Not modelled: VMSAv8-32 stage 2, Secure and Realm streams, MPAM, DPT, HTTU, permission indirection, and CONT (a hint to
 * caches; each entry is fetched for itself). A table address beyond the output size fails as a fetch.
 */
import { get, getAddress } from '../../bits.js';
import type { PhysicalMemory } from '../../memory.js';
import { checkStage2Start, type GranuleShift, granuleOfTg0, stage2StartLevel } from '../../paging/vmsa-geometry.js';
import { Stage2Config } from '../../paging/vmsa-stage2.js';
import type { ConfigurationCache } from './caches.js';
import type { ContextEntry } from './context.js';
import type { Fault } from './events.js';
import type { Features } from './features.js';
import {
  ADDRESS_BITS,
  EATS,
  L1STD,
  L1STD_BYTES,
  L1STD_SPAN_MAX,
  L2_CDS_4K,
  L2_CDS_64K,
  S1FMT,
  SHCFG,
  STALL_MODEL,
  STE,
  STE_BYTES,
  STE_CONFIG,
  STRTAB_BASE,
  STRTAB_BASE_CFG,
  STRTAB_FMT,
  STRW,
} from './layout.js';
import type { RegisterFile } from './registers.js';

/** StreamWorld: the translation regime that tags cached translations (3.3.3). */
export const STREAM_WORLD = { NS_EL1: 0, NS_EL2: 1, NS_EL2_E2H: 2 } as const;

/** One STE, decoded. What the configuration cache holds of a stream, its CDs included. */
export class StreamEntry {
  readonly streamId: number;
  readonly config: number;
  readonly stage1: boolean;
  /** Stage 2, if it is enabled. */
  readonly stage2: Stage2Config | undefined;
  /** A value of {@link STREAM_WORLD}. */
  readonly world: number;
  readonly vmid: number;
  readonly contextPointer: number;
  /** log2 of the number of CDs; 0: substreams are off. */
  readonly contextBits: number;
  /** log2 of the CDs in a second-level table; 0 for a linear table. */
  readonly contextSplit: number;
  readonly defaultSubstream: number;
  readonly stage1StallDisabled: boolean;
  readonly eats: number;
  readonly privCfg: number;
  readonly instCfg: number;
  readonly memoryTypeOverride: boolean;
  readonly memAttr: number;
  readonly shCfg: number;
  /** Stage 2 fault behaviour: record (S2R) and stall (S2S). */
  readonly recordStage2: boolean;
  readonly stallStage2: boolean;
  /** CDs and L1CDs that were fetched through this entry. */
  readonly contexts = new Map<number, ContextEntry>();
  readonly contextTables = new Map<number, number>();

  /** @param words the 16 words of an STE that is not ILLEGAL */
  constructor(streamId: number, words: Uint32Array, features: Features, e2h: boolean) {
    this.streamId = streamId;
    this.config = get(words, STE.CONFIG);
    const passes = this.config >= STE_CONFIG.BYPASS;
    this.stage1 = passes && (this.config & 1) !== 0;
    const stage2 = passes && (this.config & 2) !== 0;
    const el2 = features.hyp && this.stage1 && !stage2 && get(words, STE.STRW) === STRW.EL2;
    this.world = el2 ? (e2h ? STREAM_WORLD.NS_EL2_E2H : STREAM_WORLD.NS_EL2) : STREAM_WORLD.NS_EL1;
    this.vmid = features.stage2 && !el2 ? get(words, STE.S2VMID) : 0;
    this.contextBits = features.substreamIdBits === 0 ? 0 : get(words, STE.S1CDMAX);
    this.contextSplit = this.contextBits === 0 ? 0 : splitOf(get(words, STE.S1FMT));
    this.contextPointer = alignContexts(getAddress(words, STE.S1CONTEXTPTR), this.contextBits, this.contextSplit);
    this.defaultSubstream = get(words, STE.S1DSS);
    this.stage1StallDisabled = get(words, STE.S1STALLD) === 1;
    this.eats = get(words, STE.EATS);
    this.privCfg = features.permissionOverride ? get(words, STE.PRIVCFG) : 0;
    this.instCfg = features.permissionOverride ? get(words, STE.INSTCFG) : 0;
    this.memoryTypeOverride = features.typeOverride && get(words, STE.MTCFG) === 1;
    this.memAttr = get(words, STE.MEMATTR);
    this.shCfg = features.typeOverride ? get(words, STE.SHCFG) : SHCFG.INCOMING;
    this.recordStage2 = get(words, STE.S2R) === 1;
    this.stallStage2 = get(words, STE.S2S) === 1;
    this.stage2 = stage2 ? stage2Config(words, features) : undefined;
  }
}

function splitOf(format: number): number {
  if (format === S1FMT.TWO_LEVEL_4K) return L2_CDS_4K;
  return format === S1FMT.TWO_LEVEL_64K ? L2_CDS_64K : 0;
}

/** Bits of S1ContextPtr below the size of the table are RES0; here they count as zero (5.2, S1Fmt). */
function alignContexts(pointer: number, bits: number, split: number): number {
  const table = split === 0 ? 2 ** (bits + 6) : Math.max(64, 2 ** (Math.max(0, bits - split) + 3));
  return pointer - (pointer % table);
}

function effectivePs(words: Uint32Array, features: Features): number {
  return Math.min(ADDRESS_BITS[get(words, STE.S2PS)] as number, features.outputBits);
}

function stage2Config(words: Uint32Array, features: Features): Stage2Config {
  const granule = granuleOfTg0(get(words, STE.S2TG)) as GranuleShift;
  return new Stage2Config({
    granule,
    inputBits: 64 - get(words, STE.S2T0SZ),
    startLevel: stage2StartLevel(granule, get(words, STE.S2SL0)) as number,
    base: getAddress(words, STE.S2TTB),
    outputBits: effectivePs(words, features),
    largeAddresses: features.outputBits === 52,
    accessFlagFault: get(words, STE.S2AFFD) === 0,
    protectTableWalk: get(words, STE.S2PTW) === 1,
    xnx: features.xnx,
  });
}

/** Whether an STE is ILLEGAL (5.2.2); V = 0 counts. */
export function isIllegalSte(words: Uint32Array, features: Features): boolean {
  if (get(words, STE.V) === 0) return true;
  const config = get(words, STE.CONFIG);
  if (config < STE_CONFIG.BYPASS) return false;
  const stage1 = (config & 1) !== 0;
  const stage2 = (config & 2) !== 0;
  if ((stage1 && !features.stage1) || (stage2 && !features.stage2)) return true;
  if (isIllegalEats(words, features, stage2)) return true;
  const strw = get(words, STE.STRW);
  const strwUsed = features.stage1 && features.hyp && !stage2 && config !== STE_CONFIG.BYPASS;
  if (strwUsed && (strw & 1) !== 0) return true;
  if (stage1 && isIllegalStage1(words, features)) return true;
  if (stage2 && isIllegalStage2(words, features)) return true;
  const vmidUsed = features.stage2 && config !== STE_CONFIG.BYPASS && !(strwUsed && strw !== STRW.NS_EL1);
  return vmidUsed && !features.vmid16 && get(words, STE.S2VMID) > 0xff;
}

function isIllegalEats(words: Uint32Array, features: Features, stage2: boolean): boolean {
  const config = get(words, STE.CONFIG);
  if (!features.ats || config === STE_CONFIG.BYPASS) return false;
  const stalls = get(words, STE.S2S) === 1;
  const eats = get(words, STE.EATS);
  if (eats === EATS.SPLIT_STAGE) return config !== STE_CONFIG.S1_S2 || stalls || features.noSplitStageAts;
  return eats === EATS.FULL && stalls && stage2;
}

function isIllegalStage1(words: Uint32Array, features: Features): boolean {
  if (get(words, STE.S1STALLD) === 1 && features.stallModel !== STALL_MODEL.BOTH) return true;
  if (getAddress(words, STE.S1CONTEXTPTR) >= 2 ** features.outputBits) return true;
  if (features.substreamIdBits === 0) return false;
  const contextBits = get(words, STE.S1CDMAX);
  if (contextBits > features.substreamIdBits) return true;
  return contextBits !== 0 && !features.twoLevelContexts && splitOf(get(words, STE.S1FMT)) !== 0;
}

function isIllegalStage2(words: Uint32Array, features: Features): boolean {
  const stalls = get(words, STE.S2S) === 1;
  if (stalls && features.stallModel === STALL_MODEL.TERMINATE) return true;
  if (!stalls && features.stallModel === STALL_MODEL.FORCED) return true;
  if (get(words, STE.S2AA64) === 0 || get(words, STE.S2ENDI) === 1) return true;
  if (get(words, STE.S2HA) === 1 || get(words, STE.S2HD) === 1) return true;
  const granule = granuleOfTg0(get(words, STE.S2TG));
  if (granule === undefined || !features.granules.has(granule)) return true;
  const baseBits = granule === 16 ? effectivePs(words, features) : Math.min(48, effectivePs(words, features));
  if (getAddress(words, STE.S2TTB) >= 2 ** baseBits) return true;
  const limits = { physicalBits: features.outputBits, smallTables: features.smallTables };
  return !checkStage2Start(granule, get(words, STE.S2T0SZ), get(words, STE.S2SL0), limits);
}

/** A first-level descriptor as the configuration cache holds it. */
export interface StreamTableDescriptor {
  readonly split: number;
  readonly span: number;
  readonly table: number;
}

/** Finds STEs. */
export class StreamTable {
  readonly #features: Features;
  readonly #registers: RegisterFile;
  readonly #memory: PhysicalMemory;
  readonly #cache: ConfigurationCache;
  readonly #words = new Uint32Array(STE_BYTES / 4);
  readonly #register = new Uint32Array(2);

  constructor(features: Features, registers: RegisterFile, memory: PhysicalMemory, cache: ConfigurationCache) {
    this.#features = features;
    this.#registers = registers;
    this.#memory = memory;
    this.#cache = cache;
  }

  /** The STE of a stream, from the cache or fetched into it. Undefined: `fault` says why. */
  find(streamId: number, e2h: boolean, fault: Fault): StreamEntry | undefined {
    const cached = this.#cache.streams.get(streamId);
    if (cached !== undefined) return cached;
    const address = this.#locate(streamId, fault);
    if (address < 0) return undefined;
    const words = this.#words;
    if (!this.#fetch(address, words, STE_BYTES / 4, fault)) return undefined;
    if (isIllegalSte(words, this.#features)) {
      fault.name = 'C_BAD_STE';
      return undefined;
    }
    const entry = new StreamEntry(streamId, words, this.#features, e2h);
    this.#cache.streams.set(streamId, entry);
    return entry;
  }

  /** The address of the STE, or -1 with the reason in `fault`. */
  #locate(streamId: number, fault: Fault): number {
    fault.name = 'C_BAD_STREAMID';
    const cfg = Uint32Array.of(this.#registers.strtabCfg);
    const bits = Math.min(get(cfg, STRTAB_BASE_CFG.LOG2SIZE), this.#features.streamIdBits);
    if (streamId >= 2 ** bits) return -1;
    const twoLevel = this.#features.twoLevelStreams && get(cfg, STRTAB_BASE_CFG.FMT) === STRTAB_FMT.TWO_LEVEL;
    if (!twoLevel) return this.#tableBase(STE_BYTES * 2 ** bits) + streamId * STE_BYTES;
    const split = splitBits(get(cfg, STRTAB_BASE_CFG.SPLIT));
    const descriptor = this.#descriptor(streamId, bits, split, fault);
    if (descriptor === undefined) return -1;
    const index = streamId % 2 ** split;
    if (descriptor.span === 0 || index >= 2 ** (descriptor.span - 1)) return -1;
    return descriptor.table + index * STE_BYTES;
  }

  #descriptor(streamId: number, bits: number, split: number, fault: Fault): StreamTableDescriptor | undefined {
    const index = Math.floor(streamId / 2 ** split);
    const cached = this.#cache.streamTables.get(index);
    if (cached !== undefined && cached.split === split) return cached;
    const base = this.#tableBase(Math.max(64, L1STD_BYTES * 2 ** Math.max(0, bits - split)));
    const words = this.#words;
    if (!this.#fetch(base + index * L1STD_BYTES, words, L1STD_BYTES / 4, fault)) return undefined;
    let span = get(words, L1STD.SPAN);
    if (span > L1STD_SPAN_MAX || span > split + 1) span = 0;
    const table = getAddress(words, L1STD.L2PTR);
    const descriptor = { split, span, table: span === 0 ? 0 : table - (table % (STE_BYTES * 2 ** (span - 1))) };
    if (span !== 0) this.#cache.streamTables.set(index, descriptor);
    return descriptor;
  }

  /** STRTAB_BASE, aligned down to the size of the table (6.3.24). */
  #tableBase(bytes: number): number {
    const { lo, hi } = this.#registers.strtabBase;
    this.#register[0] = lo;
    this.#register[1] = hi;
    const base = get(this.#register, STRTAB_BASE.ADDR) * STRTAB_BASE.ADDR.weight;
    return base - (base % bytes);
  }

  #fetch(address: number, words: Uint32Array, count: number, fault: Fault): boolean {
    const reachable = address < 2 ** this.#features.outputBits;
    if (reachable && this.#memory.loadWords(address, words, count)) return true;
    fault.name = 'F_STE_FETCH';
    fault.fetch = address;
    return false;
  }
}

/** SPLIT: 6, 8 or 10; other values are reserved and behave as 6 (6.3.25). */
function splitBits(split: number): number {
  return split === 8 || split === 10 ? split : 6;
}
