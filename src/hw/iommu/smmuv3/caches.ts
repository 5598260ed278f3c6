/**
 * The caches of an SMMU, and what each invalidation command drops from them. Arm IHI 0070 4.3 (configuration), 4.4
 * (translations), 3.16 and 3.17 (caches and tags), 3.21.3 (what may be cached).
 *
 * Configuration: STEs by StreamID, their CDs by SubstreamID, L1STDs and L1CDs by table index; only valid structures are
 * kept. Translations: {@link Tlb}, tagged by StreamWorld, VMID and ASID. Nothing is dropped but by a command. A command
 * drops exactly what it must, so that an invalidation that software forgot shows.
 */
import { get } from '../../bits.js';
import {
  ANY_ASID,
  GLOBAL_ASID,
  REGIME_EL2,
  REGIME_EL10,
  REGIME_STAGE2,
  type Tlb,
  tlbContext,
} from '../../paging/tlb.js';
import type { Features } from './features.js';
import { CFGI_RANGE_ALL, CMD, CMD_CFGI, CMD_CFGI_RANGE, CMD_TLBI, type CommandName } from './layout.js';
import { STREAM_WORLD, type StreamEntry, type StreamTableDescriptor } from './stream-table.js';

/** EL2 with E2H, in the numbering of {@link tlbContext}. */
const REGIME_EL2_E2H = REGIME_EL2 + 1;

/** The translation regime of stage 1, or of both stages, by StreamWorld. */
export function regimeOf(world: number): number {
  if (world === STREAM_WORLD.NS_EL1) return REGIME_EL10;
  return world === STREAM_WORLD.NS_EL2 ? REGIME_EL2 : REGIME_EL2_E2H;
}

/** What was fetched of the stream table and of context tables. */
export class ConfigurationCache {
  readonly streams = new Map<number, StreamEntry>();
  /** L1STDs by index into the first-level table. */
  readonly streamTables = new Map<number, StreamTableDescriptor>();
  /** Counts drops: what was worked out from entries holds as long as this stays. */
  generation = 0;

  dropAll(): void {
    this.generation++;
    this.streams.clear();
    this.streamTables.clear();
  }

  /** Drops the STEs of a range of streams with all their CDs, and unless `leaf` the L1STDs that lead to them. */
  dropStreams(first: number, last: number, leaf: boolean): void {
    this.generation++;
    for (const streamId of [...this.streams.keys()]) {
      if (streamId >= first && streamId <= last) this.streams.delete(streamId);
    }
    if (leaf) return;
    for (const [index, { split }] of [...this.streamTables]) {
      const start = index * 2 ** split;
      if (start <= last && first < start + 2 ** split) this.streamTables.delete(index);
    }
  }

  /** Drops one CD of a stream, and unless `leaf` the L1CD that leads to it. */
  dropContext(streamId: number, substreamId: number, leaf: boolean): void {
    this.generation++;
    const stream = this.streams.get(streamId);
    stream?.contexts.delete(substreamId);
    if (stream !== undefined && !leaf) {
      stream.contextTables.delete(Math.floor(substreamId / 2 ** stream.contextSplit));
    }
  }

  /** Drops all CDs and L1CDs of a stream. */
  dropContexts(streamId: number): void {
    this.generation++;
    const stream = this.streams.get(streamId);
    stream?.contexts.clear();
    stream?.contextTables.clear();
  }
}

/** What commands act on. */
export interface Caches {
  readonly configuration: ConfigurationCache;
  readonly translations: Tlb;
}

/** What a CMD_CFGI command does, once it takes effect. Undefined: it is none of these. */
export function configurationInvalidation(
  name: CommandName,
  words: Uint32Array,
  { configuration }: Caches,
): (() => void) | undefined {
  const streamId = get(words, CMD.SID);
  const leaf = get(words, CMD_CFGI.LEAF) === 1;
  switch (name) {
    case 'CFGI_STE':
      return () => configuration.dropStreams(streamId, streamId, leaf);
    case 'CFGI_STE_RANGE': {
      const range = get(words, CMD_CFGI_RANGE.RANGE);
      if (range === CFGI_RANGE_ALL) return () => configuration.dropAll();
      const count = 2 ** (range + 1);
      const first = streamId - (streamId % count);
      return () => configuration.dropStreams(first, first + count - 1, false);
    }
    case 'CFGI_CD': {
      const substreamId = get(words, CMD.SSID);
      return () => configuration.dropContext(streamId, substreamId, leaf);
    }
    case 'CFGI_CD_ALL':
      return () => configuration.dropContexts(streamId);
    default:
      return undefined;
  }
}

/** The addresses that a TLBI by address covers. */
interface AddressRange {
  readonly page: number;
  readonly pages: number;
  /** Only leaves at this level; -1: at any. */
  readonly level: number;
}

/** log2 of the granule by TG of a TLBI (4.4.1.1): 4 KiB, 16 KiB, 64 KiB. */
const TG_BITS = [0, 12, 14, 16] as const;
const PAGE_BITS = 12;

/**
 * The range of a TLBI by address (4.4.1.1). Without IDR3.RIL, or with TG = 0, it is one address. TTL = 1 with the 16 KiB
 * granule is reserved and counts as no hint.
 */
function addressRange(words: Uint32Array, features: Features): AddressRange {
  // The field is the number of a 4 KiB page, as the TLB counts them.
  const page = get(words, CMD_TLBI.ADDR);
  const tg = get(words, CMD_TLBI.TG);
  if (!features.rangeInvalidation || tg === 0) return { page, pages: 1, level: -1 };
  const granulePages = 2 ** ((TG_BITS[tg] as number) - PAGE_BITS);
  const ttl = get(words, CMD_TLBI.TTL);
  const count = (get(words, CMD_TLBI.NUM) + 1) * 2 ** get(words, CMD_TLBI.SCALE);
  const level = ttl === 0 || (tg === 2 && ttl === 1) ? -1 : ttl;
  return { page: page - (page % granulePages), pages: count * granulePages, level };
}

/**
 * What a CMD_TLBI command does, once it takes effect. Undefined: it is none of these.
 * @param e2h CR2.E2H: which of the two EL2 regimes the EL2 commands by address mean
 */
export function translationInvalidation(
  name: CommandName,
  words: Uint32Array,
  { translations }: Caches,
  features: Features,
  e2h: boolean,
): (() => void) | undefined {
  // Without stage 2 nothing is tagged with a VMID (4.4.2).
  const vmid = features.stage2 ? get(words, CMD_TLBI.VMID) : 0;
  const asid = get(words, CMD_TLBI.ASID);
  const el10 = tlbContext(REGIME_EL10, vmid);
  const el2 = tlbContext(e2h ? REGIME_EL2_E2H : REGIME_EL2, 0);
  switch (name) {
    case 'TLBI_NH_ALL':
      return () => translations.invalidateContext(el10);
    case 'TLBI_NH_ASID':
      return () => translations.invalidateAsid(el10, asid);
    case 'TLBI_EL2_ALL':
      return () => {
        translations.invalidateRegime(REGIME_EL2);
        translations.invalidateRegime(REGIME_EL2_E2H);
      };
    case 'TLBI_EL2_ASID':
      return () => translations.invalidateAsid(tlbContext(REGIME_EL2_E2H, 0), asid);
    case 'TLBI_S12_VMALL':
      return () => {
        translations.invalidateContext(el10);
        translations.invalidateContext(tlbContext(REGIME_STAGE2, vmid));
      };
    case 'TLBI_NSNH_ALL':
      // Without EL2 there are no other regimes.
      if (!features.hyp) return () => translations.invalidateAll();
      return () => {
        translations.invalidateRegime(REGIME_EL10);
        translations.invalidateRegime(REGIME_STAGE2);
      };
    case 'TLBI_NH_VA':
      return byAddress(translations, el10, asid, addressRange(words, features));
    case 'TLBI_NH_VAA':
      return byAddress(translations, el10, ANY_ASID, addressRange(words, features));
    case 'TLBI_EL2_VA':
      return byAddress(translations, el2, e2h ? asid : ANY_ASID, addressRange(words, features));
    case 'TLBI_EL2_VAA':
      return byAddress(translations, el2, ANY_ASID, addressRange(words, features));
    case 'TLBI_S2_IPA':
      return byAddress(translations, tlbContext(REGIME_STAGE2, vmid), GLOBAL_ASID, addressRange(words, features));
    default:
      return undefined;
  }
}

function byAddress(translations: Tlb, context: number, asid: number, range: AddressRange): () => void {
  return () => translations.invalidateRange(context, asid, range.page, range.pages, range.level);
}
