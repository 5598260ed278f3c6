/**
 * Configuration lookup: from a stream and a substream to the way its transactions take. Arm IHI 0070 3.3.2 and 15 (order
 * of steps and of errors), 5.2 (Config, S1CDMax, S1DSS).
 */
import { TWO_32 } from '../../address.js';
import { get } from '../../bits.js';
import type { PhysicalMemory } from '../../memory.js';
import { GLOBAL_ASID, REGIME_STAGE2, tlbContext } from '../../paging/tlb.js';
import {
  INNER_SHAREABLE,
  isDevice,
  NORMAL_WRITE_BACK,
  READ_PRIVILEGED,
  Translation,
} from '../../paging/translation.js';
import type { Stage1Config } from '../../paging/vmsa-stage1.js';
import type { Stage2Config } from '../../paging/vmsa-stage2.js';
import type { Walker } from '../../paging/walk.js';
import { type Caches, regimeOf } from './caches.js';
import { type ContextEntry, type ContextReach, ContextTable } from './context.js';
import { ABORT, type Fault, isTranslationFault, respond, WALK_EVENTS } from './events.js';
import type { Features } from './features.js';
import { CR2, S1DSS, STE_CONFIG } from './layout.js';
import type { RegisterFile } from './registers.js';
import { STREAM_WORLD, type StreamEntry, StreamTable } from './stream-table.js';

/** Where the transactions of one stream and substream go: its STE and CD, taken together. */
export class Route {
  /** Of the configuration cache, when this was made. */
  readonly generation: number;
  readonly streamId: number;
  readonly substreamId: number;
  readonly stream: StreamEntry;
  /** The CD, if stage 1 translates. */
  readonly context: ContextEntry | undefined;
  readonly stage1: Stage1Config | undefined;
  readonly stage2: Stage2Config | undefined;
  /** How its translations are tagged. */
  readonly tlbContext: number;
  readonly asid: number;
  readonly privCfg: number;
  readonly instCfg: number;

  constructor(generation: number, substreamId: number, stream: StreamEntry, context: ContextEntry | undefined) {
    this.generation = generation;
    this.streamId = stream.streamId;
    this.substreamId = substreamId;
    this.stream = stream;
    this.context = context;
    this.stage1 = context?.stage1;
    this.stage2 = stream.stage2;
    const regime = context === undefined ? REGIME_STAGE2 : regimeOf(stream.world);
    this.tlbContext = tlbContext(regime, stream.world === STREAM_WORLD.NS_EL1 ? stream.vmid : 0);
    const tagged = context !== undefined && stream.world !== STREAM_WORLD.NS_EL2;
    this.asid = tagged ? context.asid : GLOBAL_ASID;
    this.privCfg = stream.privCfg;
    this.instCfg = stream.instCfg;
  }
}

/** In place of the index of a CD. */
const BYPASSED = -1;
const REFUSED = -2;

/** Finds routes, from the configuration caches or by fetching into them. */
export class Router implements ContextReach {
  readonly #registers: RegisterFile;
  readonly #caches: Caches;
  readonly #walker: Walker;
  readonly #fault: Fault;
  readonly #streams: StreamTable;
  readonly #contexts: ContextTable;
  readonly #structure = new Translation();
  readonly #register = new Uint32Array(1);
  /** What a transaction ends with for which {@link find} gave no route. */
  refused = ABORT;

  /** @param fault where errors are noted; the transaction is noted there before */
  constructor(
    features: Features,
    registers: RegisterFile,
    memory: PhysicalMemory,
    caches: Caches,
    walker: Walker,
    fault: Fault,
  ) {
    this.#registers = registers;
    this.#caches = caches;
    this.#walker = walker;
    this.#fault = fault;
    this.#streams = new StreamTable(features, registers, memory, caches.configuration);
    this.#contexts = new ContextTable(features, memory, this);
  }

  /** The STE of a stream. Undefined: the fault says why. */
  stream(streamId: number): StreamEntry | undefined {
    const fault = this.#fault;
    this.#register[0] = this.#registers.cr2;
    const stream = this.#streams.find(streamId, get(this.#register, CR2.E2H) === 1, fault);
    if (stream === undefined) {
      fault.recorded = fault.name !== 'C_BAD_STREAMID' || get(this.#register, CR2.RECINVSID) === 1;
    }
    return stream;
  }

  /** The route of a stream and substream. Undefined: nothing passes; the fault says why, unless it is not recorded. */
  find(streamId: number, substreamId: number): Route | undefined {
    this.refused = ABORT;
    const fault = this.#fault;
    const stream = this.stream(streamId);
    if (stream === undefined) return undefined;
    if (stream.config < STE_CONFIG.BYPASS) {
      fault.recorded = false;
      return undefined;
    }
    fault.override(stream);
    const index = this.#contextIndex(stream, substreamId);
    if (index === REFUSED) return undefined;
    let context: ContextEntry | undefined;
    if (index !== BYPASSED) {
      context = this.#contexts.find(stream, index, fault);
      if (context === undefined) {
        // Translation faults on the way to a CD are those of stage 2.
        const { recordStage2, stallStage2 } = stream;
        if (isTranslationFault(fault.name)) this.refused = respond(fault, true, recordStage2, stallStage2);
        return undefined;
      }
    }
    return new Route(this.#caches.configuration.generation, substreamId, stream, context);
  }

  /** Which CD a transaction uses: its index, {@link BYPASSED} if stage 1 does not translate it, or {@link REFUSED}. */
  #contextIndex(stream: StreamEntry, substreamId: number): number {
    const fault = this.#fault;
    const substreams = stream.stage1 && stream.contextBits > 0;
    if (substreamId >= 0) {
      if (!substreams || substreamId >= 2 ** stream.contextBits) {
        fault.name = 'C_BAD_SUBSTREAMID';
        return REFUSED;
      }
      if (substreamId === 0 && stream.defaultSubstream === S1DSS.SUBSTREAM0) {
        fault.name = 'F_STREAM_DISABLED';
        return REFUSED;
      }
      return substreamId;
    }
    if (!stream.stage1) return BYPASSED;
    if (!substreams || stream.defaultSubstream === S1DSS.SUBSTREAM0) return 0;
    if (stream.defaultSubstream === S1DSS.BYPASS) return BYPASSED;
    fault.name = 'F_STREAM_DISABLED';
    return REFUSED;
  }

  /** The fetch of a structure through stage 2: a data read, which S2PTW may bar from Device memory (5.2, S2PTW). */
  translateStructure(stream: StreamEntry, ipa: number, fault: Fault): number {
    const stage2 = stream.stage2 as Stage2Config;
    const out = this.#structure;
    const context = tlbContext(REGIME_STAGE2, stream.vmid);
    const { translations } = this.#caches;
    const hi = Math.floor(ipa / TWO_32);
    const entry = translations.lookup(context, GLOBAL_ASID, hi, ipa | 0);
    if (entry >= 0) {
      translations.read(entry, hi, ipa | 0, READ_PRIVILEGED, out);
    } else if (this.#walker.stage2(stage2, ipa, READ_PRIVILEGED, NORMAL_WRITE_BACK, INNER_SHAREABLE, out)) {
      translations.insert(context, GLOBAL_ASID, hi, ipa | 0, out);
    }
    if (out.fault === 'none' && stage2.protectTableWalk && isDevice(out.type2)) out.fault = 'permission';
    if (out.fault === 'none') return out.output;
    fault.name = WALK_EVENTS[out.fault];
    fault.stage2 = true;
    fault.class = 'CD';
    fault.ipa = ipa;
    fault.fetch = out.fetch;
    return -1;
  }
}
