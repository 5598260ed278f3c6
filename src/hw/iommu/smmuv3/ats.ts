/**
 * PCIe ATS: translation requests and translated transactions. Arm IHI 0070 3.9.1, 13.6, 13.7; STE.EATS in 5.2.
 *
 * Not modelled: DPT checks, requests for more than one translation unit, and the PASID of a translated transaction
 * (IDR3.PASIDTT is not offered): it is treated as unprivileged data without a substream. A translated address beyond the
 * output size is aborted without a record, one of the two behaviours that 3.9.1.1 allows.
 *
 * Assumption: an SMMU without ATS has no unchecked mode either; it takes translated transactions as those of a stream whose
 * EATS is 0.
 */
import { TWO_32 } from '../../address.js';
import type { Field } from '../../bits.js';
import {
  EXECUTE_PRIVILEGED,
  EXECUTE_UNPRIVILEGED,
  READ_PRIVILEGED,
  READ_UNPRIVILEGED,
  WRITE_PRIVILEGED,
  WRITE_UNPRIVILEGED,
} from '../../paging/translation.js';
import { ABORT } from './events.js';
import { CR0, CR2, EATS, STE_CONFIG } from './layout.js';
import type { RegisterFile } from './registers.js';
import type { Route } from './route.js';
import type { StreamEntry } from './stream-table.js';
import type { Translator } from './translate.js';

/** A translation completion: what the endpoint may keep in its own cache. */
export interface AtsCompletion {
  /** `UR` unsupported request, `CA` completer abort. */
  readonly status: 'success' | 'UR' | 'CA';
  /** Address of the translation unit: physical, or intermediate physical with split-stage ATS. */
  readonly address: number;
  readonly sizeBits: number;
  /** All false: no access. */
  readonly read: boolean;
  readonly write: boolean;
  readonly execute: boolean;
}

/** What an ATS request asks for. */
export interface AtsRequest {
  readonly streamId: number;
  readonly substreamId: number;
  readonly hi: number;
  readonly lo: number;
  readonly privileged: boolean;
  readonly write: boolean;
  readonly execute: boolean;
}

const PAGE_BITS = 12;

function isSet(register: number, field: Field): boolean {
  return ((register >>> field.shift) & 1) === 1;
}

function refused(status: 'UR' | 'CA'): AtsCompletion {
  return { status, address: 0, sizeBits: PAGE_BITS, read: false, write: false, execute: false };
}

function noAccess(): AtsCompletion {
  return { status: 'success', address: 0, sizeBits: PAGE_BITS, read: false, write: false, execute: false };
}

/** The ATS side of an SMMU. */
export class AtsInterface {
  readonly #translator: Translator;
  readonly #registers: RegisterFile;
  /** Records what {@link Translator.fault} holds. */
  readonly #record: () => void;

  constructor(translator: Translator, registers: RegisterFile, record: () => void) {
    this.#translator = translator;
    this.#registers = registers;
    this.#record = record;
  }

  /** STE.EATS as it counts: none without a translation, split-stage only with ATSCHK, DPT never (5.2). */
  #effectiveEats(stream: StreamEntry): number {
    const { features } = this.#translator;
    if (!features.ats || stream.config === STE_CONFIG.BYPASS || stream.eats === EATS.DPT) return EATS.DISABLED;
    const checked = this.#registers.isEnabled(CR0.ATSCHK);
    return stream.eats === EATS.SPLIT_STAGE && !checked ? EATS.DISABLED : stream.eats;
  }

  #deny(name: 'F_BAD_ATS_TREQ' | 'F_TRANSL_FORBIDDEN'): void {
    this.#translator.fault.name = name;
    this.#record();
  }

  /** Configuration errors of ATS traffic are recorded only with CR2.REC_CFG_ATS (3.9.1.2, 3.9.1.3). */
  #recordConfigurationError(): void {
    if (isSet(this.#registers.cr2, CR2.REC_CFG_ATS) && this.#translator.fault.recorded) this.#record();
  }

  /** Answers a translation request (3.9.1.2). Faults of the translation are the endpoint's affair and not recorded. */
  translate(request: AtsRequest): AtsCompletion {
    const translator = this.#translator;
    const { streamId, substreamId, hi, lo, privileged, write } = request;
    translator.fault.begin(streamId, substreamId, hi, lo, privileged, write, request.execute);
    if (!translator.enabled) {
      this.#deny('F_BAD_ATS_TREQ');
      return refused('UR');
    }
    const stream = translator.stream(streamId);
    if (stream === undefined) {
      this.#recordConfigurationError();
      return refused('CA');
    }
    if (stream.config < STE_CONFIG.BYPASS) return refused('UR');
    const eats = this.#effectiveEats(stream);
    if (eats === EATS.DISABLED) {
      this.#deny('F_BAD_ATS_TREQ');
      return refused('UR');
    }
    const route = translator.route(streamId, substreamId);
    if (route === undefined) {
      // Faults of stage 2 on the way to the CD grant nothing; all else is an error of configuration.
      if (translator.fault.stage2 && translator.fault.name !== 'F_WALK_EABT') return noAccess();
      this.#recordConfigurationError();
      return refused('CA');
    }
    return this.#complete(request, route, eats);
  }

  #complete(request: AtsRequest, route: Route, eats: number): AtsCompletion {
    const translator = this.#translator;
    const { hi, lo } = request;
    const page = (hi >>> 0) * TWO_32 + ((lo & ~0xfff) >>> 0);
    if (route.stage1 === undefined && translator.isTooLarge(hi)) return noAccess();
    if (route.stage1 === undefined && (route.stage2 === undefined || eats === EATS.SPLIT_STAGE)) {
      // Stage 1 is skipped (S1DSS): an identity mapping with full access (3.9.1.2, 13.6.4).
      return {
        status: 'success',
        address: page,
        sizeBits: PAGE_BITS,
        read: true,
        write: true,
        execute: request.execute,
      };
    }
    if (!translator.resolve(route, hi, lo)) {
      const { fault } = translator.result;
      if (fault !== 'external abort') return noAccess();
      translator.fail(route, hi, lo, request.privileged, request.write, request.execute);
      this.#recordConfigurationError();
      return refused('CA');
    }
    const { result } = translator;
    const privileged = route.privCfg < 2 ? request.privileged : route.privCfg === 3;
    const granted = result.permissions;
    const read = (granted & (privileged ? READ_PRIVILEGED : READ_UNPRIVILEGED)) !== 0;
    const writable = (granted & (privileged ? WRITE_PRIVILEGED : WRITE_UNPRIVILEGED)) !== 0;
    const executable = (granted & (privileged ? EXECUTE_PRIVILEGED : EXECUTE_UNPRIVILEGED)) !== 0;
    const output = eats === EATS.SPLIT_STAGE ? result.ipa : result.output;
    const address = output - (output % 2 ** PAGE_BITS);
    return {
      status: 'success',
      address,
      sizeBits: PAGE_BITS,
      read,
      // A page that is written has to be readable for ATS to express it (13.7).
      write: read && request.write && writable,
      execute: read && request.execute && executable,
    };
  }

  /**
   * Where a translated transaction goes (3.9.1.3).
   * @returns the physical address, or a negative result as {@link Translator.translate} gives
   */
  admit(streamId: number, hi: number, lo: number, write: boolean): number {
    const translator = this.#translator;
    translator.fault.begin(streamId, -1, hi, lo, false, write, false);
    if (!translator.enabled) {
      this.#deny('F_TRANSL_FORBIDDEN');
      return ABORT;
    }
    const address = (hi >>> 0) * TWO_32 + (lo >>> 0);
    const unchecked = translator.features.ats && !this.#registers.isEnabled(CR0.ATSCHK);
    if (unchecked) return translator.isTooLarge(hi) ? ABORT : address;
    const stream = translator.stream(streamId);
    if (stream === undefined) {
      // 3.9.1.3: C_BAD_STREAMID does not depend on RECINVSID here.
      translator.fault.recorded = true;
      this.#recordConfigurationError();
      return ABORT;
    }
    if (stream.config < STE_CONFIG.BYPASS) return ABORT;
    const eats = this.#effectiveEats(stream);
    if (eats === EATS.DISABLED) {
      this.#deny('F_TRANSL_FORBIDDEN');
      return ABORT;
    }
    if (eats !== EATS.SPLIT_STAGE) return translator.isTooLarge(hi) ? ABORT : address;
    const result = translator.translateStage2(stream, hi, lo, write);
    if (result < 0 && translator.fault.recorded) this.#record();
    return result < 0 ? ABORT : result;
  }
}

/** Reads the ATS completion as PCI Express prints it: a doubleword with the address and its permission bits (10.2.3). */
export function encodeCompletion(completion: AtsCompletion): { hi: number; lo: number } {
  const bits = (completion.read ? 1 : 0) | (completion.write ? 2 : 0) | (completion.execute ? 8 : 0);
  return { hi: Math.floor(completion.address / TWO_32), lo: ((completion.address >>> 0) | bits) >>> 0 };
}
