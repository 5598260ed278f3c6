/**
 * Event records. Arm IHI 0070 7.3: which fields each record has, and their bytes.
 *
 * Not modelled: events of Secure and Realm state and of granule protection (GPCF), implementation defined events, and the
 * merging of records. Reason is zero.
 */

import { hex, highHalf } from '../../address.js';
import { encode, put } from '../../bits.js';
import type { WalkFault } from '../../paging/translation.js';
import { EVENT, EVENT_ATS, EVENT_CLASS, EVENT_FETCH, EVENT_ID, type EventName, INSTCFG, PRIVCFG } from './layout.js';

/** Groups of fields that a record carries beside its number and the StreamID. */
interface Shape {
  /** SSV and SSID. `always`: SSID valid without SSV. */
  readonly substream?: 'if valid' | 'always';
  /** PnU, InD and RnW; `direction`: RnW alone. */
  readonly access?: 'all' | 'direction';
  readonly input?: true;
  /** STALL and STAG. */
  readonly stall?: true;
  /** S2, CLASS and, where S2 is set, IPA. */
  readonly stages?: 'with ipa' | 'without ipa';
  readonly fetch?: true;
  /** TTRnW, in table walks. */
  readonly tableRead?: true;
  readonly ats?: true;
}

const SHAPES: Readonly<Record<EventName, Shape>> = {
  F_UUT: { substream: 'if valid', access: 'all', input: true }, // 7.3.2
  C_BAD_STREAMID: { substream: 'if valid' }, // 7.3.3
  F_STE_FETCH: { substream: 'if valid', fetch: true }, // 7.3.4
  C_BAD_STE: { substream: 'if valid' }, // 7.3.5
  F_BAD_ATS_TREQ: { substream: 'if valid', input: true, ats: true }, // 7.3.6
  F_STREAM_DISABLED: {}, // 7.3.7
  F_TRANSL_FORBIDDEN: { access: 'direction', input: true }, // 7.3.8
  C_BAD_SUBSTREAMID: { substream: 'always' }, // 7.3.9
  F_CD_FETCH: { substream: 'if valid', fetch: true }, // 7.3.10
  C_BAD_CD: { substream: 'if valid' }, // 7.3.11
  F_WALK_EABT: { substream: 'if valid', access: 'all', input: true, stages: 'without ipa', fetch: true }, // 7.3.12
  F_TRANSLATION: { substream: 'if valid', access: 'all', input: true, stages: 'with ipa', stall: true }, // 7.3.13
  F_ADDR_SIZE: { substream: 'if valid', access: 'all', input: true, stages: 'with ipa', stall: true }, // 7.3.14
  F_ACCESS: { substream: 'if valid', access: 'all', input: true, stages: 'with ipa', stall: true }, // 7.3.15
  F_PERMISSION: {
    substream: 'if valid',
    access: 'all',
    input: true,
    stages: 'with ipa',
    stall: true,
    tableRead: true,
  }, // 7.3.16
  F_TLB_CONFLICT: { substream: 'if valid', access: 'all', input: true, stages: 'with ipa' }, // 7.3.17
  F_CFG_CONFLICT: { substream: 'if valid' }, // 7.3.18
  E_PAGE_REQUEST: { substream: 'if valid', input: true }, // 7.3.19
  F_VMS_FETCH: { substream: 'if valid', fetch: true }, // 7.3.20
};

/** Where a fault arose: CLASS. */
export type EventClass = keyof typeof EVENT_CLASS;

/** What went wrong with one transaction. Kept and filled again for each; {@link encodeEvent} says which fields count. */
export class Fault {
  name: EventName = 'F_UUT';
  streamId = 0;
  /** SubstreamID, or -1. */
  substreamId = -1;
  /** After the overrides of the STE. */
  privileged = false;
  instruction = false;
  write = false;
  /** Input address, by half. */
  hi = 0;
  lo = 0;
  stage2 = false;
  class: EventClass = 'IN';
  ipa = 0;
  /** Physical address of a fetch that failed. */
  fetch = 0;
  /** Stall tag, or -1 if the transaction does not stall. */
  stag = -1;
  /** Whether it goes into the event queue. */
  recorded = false;

  /** Notes what the transaction is, before anything is known to be wrong with it. */
  begin(
    streamId: number,
    substreamId: number,
    hi: number,
    lo: number,
    privileged: boolean,
    write: boolean,
    execute: boolean,
  ): void {
    this.streamId = streamId;
    this.substreamId = substreamId;
    this.hi = hi >>> 0;
    this.lo = lo >>> 0;
    this.privileged = privileged;
    this.write = write;
    this.instruction = execute && !write;
    this.stage2 = false;
    this.class = 'IN';
    this.ipa = 0;
    this.fetch = 0;
    this.stag = -1;
    this.recorded = true;
  }

  /** Records tell the attributes after the overrides of the STE (7.3). */
  override({ privCfg, instCfg }: { readonly privCfg: number; readonly instCfg: number }): void {
    if (privCfg >= PRIVCFG.UNPRIVILEGED) this.privileged = privCfg === PRIVCFG.PRIVILEGED;
    if (instCfg >= INSTCFG.DATA) this.instruction = instCfg === INSTCFG.INSTRUCTION && !this.write;
  }
}

/** What a transaction without an address ends with: results of a translation below zero. */
export const ABORT = -1;
export const RAZ_WI = -2;
export const STALL = -3;

/**
 * The response to a fault (5.5): the A, R and S bits govern four of them; all others abort and are recorded.
 * @returns {@link ABORT}, {@link RAZ_WI} or {@link STALL}
 */
export function respond(fault: Fault, abort: boolean, record: boolean, stall: boolean): number {
  fault.recorded = true;
  if (!isTranslationFault(fault.name)) return ABORT;
  if (stall) return STALL;
  fault.recorded = record;
  return abort ? ABORT : RAZ_WI;
}

/** The event that a fault of a table walk becomes. */
export const WALK_EVENTS: Readonly<Record<WalkFault, EventName>> = {
  none: 'F_UUT',
  'external abort': 'F_WALK_EABT',
  translation: 'F_TRANSLATION',
  'address size': 'F_ADDR_SIZE',
  'access flag': 'F_ACCESS',
  permission: 'F_PERMISSION',
};

/** Whether the fault is one of those that the A, R and S bits govern (3.12, 5.5). */
export function isTranslationFault(name: EventName): boolean {
  return SHAPES[name].stall === true;
}

/** The 32 bytes of the record, as eight words. */
export function encodeEvent(fault: Fault): Uint32Array {
  const shape = SHAPES[fault.name];
  const words = encode(EVENT, 256, { ID: EVENT_ID[fault.name], SID: fault.streamId });
  if (shape.substream !== undefined && fault.substreamId >= 0) {
    put(words, EVENT.SSID, fault.substreamId);
    if (shape.substream === 'if valid') put(words, EVENT.SSV, 1);
  }
  if (shape.access !== undefined) put(words, EVENT.RNW, fault.write ? 0 : 1);
  if (shape.access === 'all') {
    put(words, EVENT.PNU, fault.privileged ? 1 : 0);
    put(words, EVENT.IND, fault.instruction && !fault.write ? 1 : 0);
  }
  if (shape.input === true) {
    put(words, EVENT.INPUT_ADDR_LO, fault.lo >>> 0);
    put(words, EVENT.INPUT_ADDR_HI, fault.hi >>> 0);
  }
  if (shape.stall === true && fault.stag >= 0) {
    put(words, EVENT.STALL, 1);
    put(words, EVENT.STAG, fault.stag);
  }
  if (shape.stages !== undefined) encodeStages(words, fault, shape);
  if (shape.fetch === true) put(words, EVENT_FETCH.ADDR, Math.floor(fault.fetch / EVENT_FETCH.ADDR.weight));
  if (shape.ats === true) encodeAts(words, fault);
  return words;
}

function encodeStages(words: Uint32Array, fault: Fault, shape: Shape): void {
  put(words, EVENT.S2, fault.stage2 ? 1 : 0);
  put(words, EVENT.CLASS, EVENT_CLASS[fault.class]);
  if (shape.tableRead === true && fault.class === 'TT') put(words, EVENT.TTRNW, 1);
  if (shape.stages === 'with ipa' && fault.stage2) put(words, EVENT.IPA, Math.floor(fault.ipa / EVENT.IPA.weight));
}

/** An ATS translation request asks for one unit, and for read always (7.3.6). */
function encodeAts(words: Uint32Array, fault: Fault): void {
  put(words, EVENT_ATS.SPAN, 1);
  put(words, EVENT_ATS.R, 1);
  put(words, EVENT_ATS.W, fault.write ? 1 : 0);
  put(words, EVENT_ATS.X, fault.instruction ? 1 : 0);
  put(words, EVENT_ATS.PRIV, fault.privileged ? 1 : 0);
}

/** `F_TRANSLATION stream 0x300 read 0x4000 S2`: the fields that count, in words. */
export function describeEvent(fault: Fault): string {
  const shape = SHAPES[fault.name];
  const parts = [fault.name, 'stream', hex(fault.streamId)];
  if (shape.substream !== undefined && fault.substreamId >= 0) parts.push('substream', hex(fault.substreamId));
  if (shape.access !== undefined) parts.push(fault.write ? 'write' : 'read');
  if (shape.input === true) parts.push(hex(fault.hi, fault.lo));
  if (shape.stages !== undefined) {
    if (fault.class !== 'IN') parts.push(fault.class === 'CD' ? 'at the CD' : 'in the table walk');
    if (fault.stage2) parts.push('S2');
    if (fault.stage2 && shape.stages === 'with ipa') parts.push('ipa', hex(highHalf(fault.ipa), fault.ipa));
  }
  if (shape.fetch === true) parts.push('fetching', hex(highHalf(fault.fetch), fault.fetch));
  if (fault.stag >= 0 && shape.stall === true) parts.push('stalled', hex(fault.stag));
  return parts.join(' ');
}
