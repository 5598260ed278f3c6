/**
 * Context Descriptors: from a stream and a SubstreamID to a stage 1 configuration. Arm IHI 0070 3.3.2, 5.3 (L1CD), 5.4
 * (CD) and 5.4.2 (which CD is ILLEGAL). With stage 2 on, the tables lie at intermediate physical addresses.
 *
 * Not modelled: VMSAv8-32, HTTU, PBHA, permission indirection, MPAM, AMAIR, and ASET (there is no broadcast maintenance).
 */
import { type Field, get, getAddress } from '../../bits.js';
import type { PhysicalMemory } from '../../memory.js';
import { type GranuleShift, granuleOfTg0, granuleOfTg1, stage1StartLevel } from '../../paging/vmsa-geometry.js';
import { Stage1Config, type Stage1RangeFields } from '../../paging/vmsa-stage1.js';
import type { Fault } from './events.js';
import type { Features } from './features.js';
import { ADDRESS_BITS, CD, CD_BYTES, L1CD, L1CD_BYTES, STALL_MODEL } from './layout.js';
import { STREAM_WORLD, type StreamEntry } from './stream-table.js';

/** One CD, decoded. */
export class ContextEntry {
  readonly asid: number;
  readonly stage1: Stage1Config;
  /** Fault behaviour (5.5): abort rather than RAZ/WI, record, stall. */
  readonly abort: boolean;
  readonly record: boolean;
  readonly stall: boolean;

  /** @param words the 16 words of a CD that is not ILLEGAL */
  constructor(words: Uint32Array, stream: StreamEntry, features: Features) {
    // EL2 without E2H has one range and no ASID.
    const oneRange = stream.world === STREAM_WORLD.NS_EL2;
    this.asid = oneRange ? 0 : get(words, CD.ASID);
    this.abort = get(words, CD.A) === 1;
    this.record = get(words, CD.R) === 1;
    this.stall = get(words, CD.S) === 1;
    this.stage1 = new Stage1Config({
      low: range(words, LOW, features, oneRange),
      high: oneRange ? undefined : range(words, HIGH, features, false),
      twoPrivileges: !oneRange,
      accessFlagFault: get(words, CD.AFFD) === 0,
      writeExecuteNever: get(words, CD.WXN) === 1,
      privilegedAccessNever: !oneRange && get(words, CD.PAN) === 1,
      enhancedPan: false,
      mairLo: get(words, CD.MAIR0),
      mairHi: get(words, CD.MAIR1),
    });
  }
}

interface RangeFields {
  readonly tsz: Field;
  readonly tg: Field;
  readonly granule: (code: number) => GranuleShift | undefined;
  readonly ttb: Field;
  readonly epd: Field;
  readonly tbi: Field;
  readonly had: Field;
  readonly e0pd: Field;
}

const LOW: RangeFields = {
  tsz: CD.T0SZ,
  tg: CD.TG0,
  granule: granuleOfTg0,
  ttb: CD.TTB0,
  epd: CD.EPD0,
  tbi: CD.TBI0,
  had: CD.HAD0,
  e0pd: CD.E0PD0,
};
const HIGH: RangeFields = {
  tsz: CD.T1SZ,
  tg: CD.TG1,
  granule: granuleOfTg1,
  ttb: CD.TTB1,
  epd: CD.EPD1,
  tbi: CD.TBI1,
  had: CD.HAD1,
  e0pd: CD.E0PD1,
};

/** Input bits of a range whose walks are disabled: TxSZ is IGNORED then, and every miss faults whatever the size is. */
const DISABLED_BITS = 48;

function effectiveIps(words: Uint32Array, features: Features): number {
  return Math.min(ADDRESS_BITS[get(words, CD.IPS)] as number, features.outputBits);
}

function range(words: Uint32Array, fields: RangeFields, features: Features, oneRange: boolean): Stage1RangeFields {
  // EPDx counts only where there are two ranges (5.4, EPD0).
  const walksDisabled = !oneRange && get(words, fields.epd) === 1;
  const granule = walksDisabled ? 12 : (fields.granule(get(words, fields.tg)) as GranuleShift);
  const inputBits = walksDisabled ? DISABLED_BITS : 64 - get(words, fields.tsz);
  return {
    granule,
    inputBits,
    startLevel: stage1StartLevel(granule, inputBits),
    base: walksDisabled ? 0 : getAddress(words, fields.ttb),
    outputBits: effectiveIps(words, features),
    largeAddresses: features.outputBits === 52,
    walksDisabled,
    topByteIgnored: get(words, fields.tbi) === 1,
    hierarchyDisabled: features.hierarchyDisable && get(words, fields.had) === 1,
    unprivilegedDisabled: features.e0pd && !oneRange && get(words, fields.e0pd) === 1,
  };
}

/** Whether a CD is ILLEGAL for a stream (5.4.2); V = 0 counts. */
export function isIllegalCd(words: Uint32Array, stream: StreamEntry, features: Features): boolean {
  if (get(words, CD.V) === 0) return true;
  const stalls = get(words, CD.S) === 1;
  if (stream.stage1StallDisabled && stalls) return true;
  if (features.abortOnly && get(words, CD.A) === 0) return true;
  if (stalls && features.stallModel === STALL_MODEL.TERMINATE) return true;
  if (!stalls && features.stallModel === STALL_MODEL.FORCED) return true;
  const oneRange = stream.world === STREAM_WORLD.NS_EL2;
  const lowUsed = oneRange || get(words, CD.EPD0) === 0;
  const highUsed = !oneRange && get(words, CD.EPD1) === 0;
  if ((lowUsed || highUsed) && get(words, CD.ENDI) === 1) return true;
  if (get(words, CD.AA64) === 0) return true;
  if (get(words, CD.HA) === 1 || get(words, CD.HD) === 1) return true;
  if (!oneRange && !features.asid16 && get(words, CD.ASID) > 0xff) return true;
  if (lowUsed && isIllegalRange(words, LOW, features)) return true;
  return highUsed && isIllegalRange(words, HIGH, features);
}

function isIllegalRange(words: Uint32Array, fields: RangeFields, features: Features): boolean {
  const granule = fields.granule(get(words, fields.tg));
  if (granule === undefined || !features.granules.has(granule)) return true;
  const tsz = get(words, fields.tsz);
  const most = !features.smallTables ? 39 : granule === 16 ? 47 : 48;
  const least = features.largeInput && granule === 16 ? 12 : 16;
  if (tsz < least || tsz > most) return true;
  const baseBits = granule === 16 ? effectiveIps(words, features) : Math.min(48, effectiveIps(words, features));
  return getAddress(words, fields.ttb) >= 2 ** baseBits;
}

/** How the tables of a nested stream are reached: from an intermediate physical address to a physical one. */
export interface ContextReach {
  /** The physical address of a structure, or -1 with the reason in `fault`. A data read that crosses no page. */
  translateStructure(stream: StreamEntry, ipa: number, fault: Fault): number;
}

/** Finds CDs. */
export class ContextTable {
  readonly #features: Features;
  readonly #memory: PhysicalMemory;
  readonly #reach: ContextReach;
  readonly #words = new Uint32Array(CD_BYTES / 4);

  constructor(features: Features, memory: PhysicalMemory, reach: ContextReach) {
    this.#features = features;
    this.#memory = memory;
    this.#reach = reach;
  }

  /**
   * The CD of a substream, from the cache or fetched into it. Undefined: `fault` says why.
   * @param index the SubstreamID, below 2^S1CDMax; 0 without substreams
   */
  find(stream: StreamEntry, index: number, fault: Fault): ContextEntry | undefined {
    const cached = stream.contexts.get(index);
    if (cached !== undefined) return cached;
    const address = this.#locate(stream, index, fault);
    if (address < 0) return undefined;
    const words = this.#words;
    if (!this.#fetch(stream, address, words, CD_BYTES / 4, fault)) return undefined;
    if (isIllegalCd(words, stream, this.#features)) {
      fault.name = 'C_BAD_CD';
      return undefined;
    }
    const entry = new ContextEntry(words, stream, this.#features);
    stream.contexts.set(index, entry);
    return entry;
  }

  #locate(stream: StreamEntry, index: number, fault: Fault): number {
    const { contextPointer, contextSplit } = stream;
    if (contextSplit === 0) return contextPointer + index * CD_BYTES;
    const first = Math.floor(index / 2 ** contextSplit);
    let table = stream.contextTables.get(first);
    if (table === undefined) {
      const words = this.#words;
      if (!this.#fetch(stream, contextPointer + first * L1CD_BYTES, words, L1CD_BYTES / 4, fault)) return -1;
      table = getAddress(words, L1CD.L2PTR);
      if (get(words, L1CD.V) === 0 || table >= 2 ** this.#features.outputBits) {
        fault.name = 'C_BAD_SUBSTREAMID';
        fault.substreamId = index;
        return -1;
      }
      table -= table % (CD_BYTES * 2 ** contextSplit);
      stream.contextTables.set(first, table);
    }
    return table + (index % 2 ** contextSplit) * CD_BYTES;
  }

  #fetch(stream: StreamEntry, address: number, words: Uint32Array, count: number, fault: Fault): boolean {
    const physical = stream.stage2 === undefined ? address : this.#reach.translateStructure(stream, address, fault);
    if (physical < 0) return false;
    if (this.#memory.loadWords(physical, words, count)) return true;
    fault.name = 'F_CD_FETCH';
    fault.fetch = physical;
    return false;
  }
}
