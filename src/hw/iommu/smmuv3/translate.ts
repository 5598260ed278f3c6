/**
 * The translation procedure. Arm IHI 0070 3.3.3 and 15 (order of steps), 3.4 (address sizes), 3.11 and 6.3.14 (bypass by
 * GBPA), 5.5 (A, R and S), 7.3 (which fault).
 *
 * A cached translation costs a look-up of the stream's route and one of the TLB; nothing is allocated on that path.
 * Translations of the two stages are cached combined; those of stage 2 alone are cached for streams of stage 2, and for
 * the fetch of CDs.
 */
import { TWO_32 } from '../../address.js';
import { get } from '../../bits.js';
import type { PhysicalMemory } from '../../memory.js';
import {
  combineShareability,
  combineTypes,
  EXECUTE_UNPRIVILEGED,
  INNER_SHAREABLE,
  NORMAL_WRITE_BACK,
  permissionFor,
  READ_UNPRIVILEGED,
  Translation,
  WRITE_UNPRIVILEGED,
} from '../../paging/translation.js';
import { rangeOf, untaggedHi } from '../../paging/vmsa-stage1.js';
import type { Stage2Config } from '../../paging/vmsa-stage2.js';
import { Walker } from '../../paging/walk.js';
import type { Caches } from './caches.js';
import { ABORT, Fault, respond, WALK_EVENTS } from './events.js';
import type { Features } from './features.js';
import { GBPA, INSTCFG, PRIVCFG, SHCFG } from './layout.js';
import type { RegisterFile } from './registers.js';
import { Route, Router } from './route.js';
import type { StreamEntry } from './stream-table.js';

const UNPRIVILEGED = READ_UNPRIVILEGED | WRITE_UNPRIVILEGED | EXECUTE_UNPRIVILEGED;

const ROUTES = 256;

function slotOf(streamId: number, substreamId: number): number {
  return (streamId ^ Math.imul(substreamId, 37)) & (ROUTES - 1);
}

/** The attributes of a transaction that leaves the SMMU (13.1): memory type and shareability, encoded as in paging. */
export interface OutgoingAttributes {
  readonly type: number;
  readonly shareability: number;
}

/** Translates. After a negative result, {@link fault} says what happened. */
export class Translator {
  readonly features: Features;
  readonly #registers: RegisterFile;
  readonly #caches: Caches;
  readonly #walker: Walker;
  readonly #router: Router;
  /** Routes that were used last. */
  readonly #routes: (Route | undefined)[] = new Array(ROUTES).fill(undefined);
  readonly #register = new Uint32Array(1);
  /** Bits of the upper half of an address beyond the input and output size. */
  readonly #beyondHi: number;
  /** The last walk, or look-up that denied: addresses, permissions, attributes. */
  readonly result = new Translation();
  /** What went wrong with the last transaction that did, and whether that is recorded. */
  readonly fault = new Fault();
  /** CR0ACK.SMMUEN. */
  enabled = false;

  constructor(features: Features, registers: RegisterFile, memory: PhysicalMemory, caches: Caches) {
    this.features = features;
    this.#registers = registers;
    this.#caches = caches;
    this.#walker = new Walker(memory);
    this.#router = new Router(features, registers, memory, caches, this.#walker, this.fault);
    this.#beyondHi = ~(2 ** (features.outputBits - 32) - 1);
  }

  /**
   * Translates the address of an untranslated transaction that crosses no page.
   * @param substreamId SubstreamID, or -1
   * @returns the physical address, or {@link ABORT}, RAZ_WI or STALL
   */
  translate(
    streamId: number,
    substreamId: number,
    hi: number,
    lo: number,
    privileged: boolean,
    write: boolean,
    execute: boolean,
  ): number {
    if (!this.enabled) return this.#bypassAll(hi, lo);
    let route = this.#routes[slotOf(streamId, substreamId)];
    if (
      route === undefined ||
      route.streamId !== streamId ||
      route.substreamId !== substreamId ||
      route.generation !== this.#caches.configuration.generation
    ) {
      this.fault.begin(streamId, substreamId, hi, lo, privileged, write, execute);
      route = this.route(streamId, substreamId);
      if (route === undefined) return this.#router.refused;
    }
    return this.#through(route, hi, lo, privileged, write, execute);
  }

  /** The STE of a stream, for ATS traffic that was noted in {@link fault}. Undefined: that says why. */
  stream(streamId: number): StreamEntry | undefined {
    return this.#router.stream(streamId);
  }

  /** The route of a stream and substream, for what was noted in {@link fault}. Undefined: that says why. */
  route(streamId: number, substreamId: number): Route | undefined {
    const route = this.#router.find(streamId, substreamId);
    this.#routes[slotOf(streamId, substreamId)] = route;
    return route;
  }

  /** Translates by a route. */
  #through(route: Route, hi: number, lo: number, privileged: boolean, write: boolean, execute: boolean): number {
    const need = permissionFor(
      route.privCfg < PRIVCFG.UNPRIVILEGED ? privileged : route.privCfg === PRIVCFG.PRIVILEGED,
      write,
      !write && (route.instCfg < INSTCFG.DATA ? execute : route.instCfg === INSTCFG.INSTRUCTION),
    );
    const { stage1 } = route;
    let key = hi;
    let mayHit = true;
    if (stage1 !== undefined) {
      // E0PD denies whatever is cached; the walk finds the fault. An address that is not canonical matches no entry.
      mayHit = !((need & UNPRIVILEGED) !== 0 && rangeOf(stage1, hi).unprivilegedDisabled);
      key = untaggedHi(stage1, hi);
    } else {
      if ((hi & this.#beyondHi) !== 0) return this.#tooLarge(route, hi, lo, privileged, write, execute);
      if (route.stage2 === undefined) return (hi >>> 0) * TWO_32 + (lo >>> 0);
    }
    const { translations } = this.#caches;
    const entry = mayHit ? translations.lookup(route.tlbContext, route.asid, key, lo) : -1;
    if (entry >= 0) {
      if ((translations.permissions(entry) & need) === need) return translations.output(entry, key, lo);
      translations.read(entry, key, lo, need, this.result);
    } else if (this.#fill(route, need, hi, lo, key)) {
      return this.result.output;
    }
    return this.fail(route, hi, lo, privileged, write, execute);
  }

  /** With SMMUEN = 0: abort or pass, by GBPA. Neither records anything. */
  #bypassAll(hi: number, lo: number): number {
    this.fault.recorded = false;
    this.#register[0] = this.#registers.gbpa;
    if (get(this.#register, GBPA.ABORT) === 1 || (hi & this.#beyondHi) !== 0) return ABORT;
    return (hi >>> 0) * TWO_32 + (lo >>> 0);
  }

  /**
   * Walks the tables of a route into {@link result}, and keeps what is found. Whether there was no fault.
   * @param key upper half of the address as the TLB knows it
   */
  #fill(route: Route, need: number, hi: number, lo: number, key: number): boolean {
    const { stage1, stage2 } = route;
    const out = this.result;
    let found: boolean;
    if (stage1 === undefined) {
      const ipa = (hi >>> 0) * TWO_32 + (lo >>> 0);
      found = this.#walker.stage2(stage2 as Stage2Config, ipa, need, NORMAL_WRITE_BACK, INNER_SHAREABLE, out);
    } else {
      found =
        stage2 === undefined
          ? this.#walker.stage1(stage1, hi, lo, need, out)
          : this.#walker.nested(stage1, stage2, hi, lo, need, out);
    }
    if (!found) return false;
    this.#caches.translations.insert(route.tlbContext, route.asid, key | 0, lo | 0, out);
    return true;
  }

  /** Turns the fault in {@link result} into {@link fault} and a response. */
  fail(route: Route, hi: number, lo: number, privileged: boolean, write: boolean, execute: boolean): number {
    const { fault, result } = this;
    fault.begin(route.streamId, route.substreamId, hi, lo, privileged, write, execute);
    fault.override(route);
    fault.name = WALK_EVENTS[result.fault];
    fault.stage2 = result.stage === 2;
    fault.class = result.what === 'input' ? 'IN' : 'TT';
    fault.ipa = result.ipa;
    fault.fetch = result.fetch;
    const { context, stream } = route;
    // Stage 2 acts as with A = 1 (5.5).
    if (result.stage === 2 || context === undefined) {
      return respond(fault, true, stream.recordStage2, stream.stallStage2);
    }
    return respond(fault, context.abort, context.record, context.stall);
  }

  /** An address beyond the implemented size where stage 1 does not translate: a fault of stage 1, never stalled (3.4). */
  #tooLarge(route: Route, hi: number, lo: number, privileged: boolean, write: boolean, execute: boolean): number {
    this.fault.begin(route.streamId, route.substreamId, hi, lo, privileged, write, execute);
    this.fault.override(route);
    this.fault.name = 'F_ADDR_SIZE';
    return ABORT;
  }

  /** Whether an address lies beyond the implemented size. */
  isTooLarge(hi: number): boolean {
    return (hi & this.#beyondHi) !== 0;
  }

  /** Finds the translation of an address into {@link result}, whatever it permits. Whether there was no fault. */
  resolve(route: Route, hi: number, lo: number): boolean {
    const { stage1 } = route;
    const { translations } = this.#caches;
    const key = stage1 === undefined ? hi : untaggedHi(stage1, hi);
    const entry = translations.lookup(route.tlbContext, route.asid, key, lo);
    if (entry >= 0) return translations.read(entry, key, lo, 0, this.result);
    return this.#fill(route, 0, hi, lo, key);
  }

  /** Translates what is an intermediate physical address already: a translated transaction of split-stage ATS. */
  translateStage2(stream: StreamEntry, hi: number, lo: number, write: boolean): number {
    const route = new Route(this.#caches.configuration.generation, -1, stream, undefined);
    return this.#through(route, hi, lo, false, write, false);
  }

  /**
   * The attributes that a transaction leaves with, if it came as Normal write-back, inner shareable (13.1). Overrides of
   * GBPA or of the STE take the place of what it came with; stage 1 takes the place of that; stage 2 is combined. Fills
   * caches as a transaction does. Undefined: it would not leave.
   */
  attributes(streamId: number, substreamId: number, hi: number, lo: number): OutgoingAttributes | undefined {
    if (!this.enabled) {
      if (this.#bypassAll(hi, lo) < 0) return undefined;
      const field = (f: (typeof GBPA)['MTCFG']) => get(this.#register, f);
      return this.features.typeOverride
        ? overridden(field(GBPA.MTCFG) === 1, field(GBPA.MEMATTR), field(GBPA.SHCFG))
        : overridden(false, 0, SHCFG.INCOMING);
    }
    this.fault.begin(streamId, substreamId, hi, lo, false, false, false);
    const route = this.route(streamId, substreamId);
    if (route === undefined || (route.stage1 === undefined && this.isTooLarge(hi))) return undefined;
    const { memoryTypeOverride, memAttr, shCfg } = route.stream;
    const incoming = overridden(memoryTypeOverride, memAttr, shCfg);
    if (route.stage1 === undefined && route.stage2 === undefined) return incoming;
    if (!this.resolve(route, hi, lo)) return undefined;
    const { type, shareability, type2, shareability2 } = this.result;
    if (route.stage1 !== undefined) return { type, shareability };
    const combined = combineTypes(incoming.type, type2);
    return { type: combined, shareability: combineShareability(combined, incoming.shareability, shareability2) };
  }
}

/** Attributes after an override; MemAttr is encoded as in stage 2 descriptors (5.2, MemAttr). */
function overridden(useMemAttr: boolean, memAttr: number, shCfg: number): OutgoingAttributes {
  const type = useMemAttr ? memAttr : NORMAL_WRITE_BACK;
  const shareability = shCfg === SHCFG.INCOMING ? INNER_SHAREABLE : shCfg;
  return { type, shareability: combineShareability(type, shareability, shareability) };
}
