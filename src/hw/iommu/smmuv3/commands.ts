/**
 * Commands: which are ILLEGAL, and how they read. Arm IHI 0070 4.1 to 4.7, 7.1 (CERROR_ILL).
 *
 * Only the Non-secure command queue is modelled: commands of Secure and Realm state, of MPAM and of DPT are ILLEGAL, and
 * so are the implementation defined opcodes.
 */

import { hex } from '../../address.js';
import { type Field, get, getAddress } from '../../bits.js';
import type { Features } from './features.js';
import {
  CFGI_RANGE_ALL,
  CMD,
  CMD_ATC_INV,
  CMD_CFGI,
  CMD_CFGI_RANGE,
  CMD_PREFETCH_ADDR,
  CMD_PRI_RESP,
  CMD_RESUME,
  CMD_SYNC,
  CMD_TLBI,
  type CommandName,
  OPCODE,
  PRI_RESPONSE_RESERVED,
  STALL_MODEL,
  SYNC_SIGNAL,
} from './layout.js';

const NAMES = new Map<number, CommandName>(
  (Object.entries(OPCODE) as [CommandName, number][]).map(([name, opcode]) => [opcode, name]),
);

/** Commands whose bit 10 is SSec; it must be 0 on the Non-secure queue (4.1.6). */
const WITH_SSEC: ReadonlySet<CommandName> = new Set([
  'PREFETCH_CONFIG',
  'PREFETCH_ADDR',
  'CFGI_STE',
  'CFGI_STE_RANGE',
  'CFGI_CD',
  'CFGI_CD_ALL',
  'RESUME',
  'STALL_TERM',
]);
/** Commands that may carry a range with IDR3.RIL (4.4.1.1). */
const WITH_RANGE: ReadonlySet<CommandName> = new Set([
  'TLBI_NH_VA',
  'TLBI_NH_VAA',
  'TLBI_EL2_VA',
  'TLBI_EL2_VAA',
  'TLBI_S2_IPA',
]);

/** The command, or undefined if it is ILLEGAL on this SMMU. */
export function decodeCommand(words: Uint32Array, features: Features): CommandName | undefined {
  const name = NAMES.get(get(words, CMD.OPCODE));
  if (name === undefined || !isOffered(name, words, features)) return undefined;
  if (WITH_SSEC.has(name) && get(words, CMD.SSEC) === 1) return undefined;
  if (features.rangeInvalidation && WITH_RANGE.has(name) && isIllegalRange(words)) return undefined;
  return name;
}

function isOffered(name: CommandName, words: Uint32Array, features: Features): boolean {
  switch (name) {
    case 'CFGI_CD':
    case 'CFGI_CD_ALL':
    case 'TLBI_NH_ALL':
    case 'TLBI_NH_ASID':
    case 'TLBI_NH_VA':
    case 'TLBI_NH_VAA':
      return features.stage1;
    case 'TLBI_EL2_ALL':
    case 'TLBI_EL2_ASID':
    case 'TLBI_EL2_VA':
    case 'TLBI_EL2_VAA':
      return features.stage1 && features.hyp;
    case 'TLBI_S12_VMALL':
    case 'TLBI_S2_IPA':
      return features.stage2;
    case 'CFGI_VMS_PIDM':
    case 'TLBI_EL3_ALL':
    case 'TLBI_EL3_VA':
      return false;
    case 'ATC_INV':
      return features.ats;
    case 'PRI_RESP':
      return features.pri && get(words, CMD_PRI_RESP.RESP) !== PRI_RESPONSE_RESERVED;
    case 'RESUME':
    case 'STALL_TERM':
      return features.stallModel !== STALL_MODEL.TERMINATE;
    case 'SYNC':
      return get(words, CMD_SYNC.CS) !== SYNC_SIGNAL.RESERVED;
    default:
      return true;
  }
}

/**
 * TG other than 0 with nothing that it applies to is reserved (4.4.1.1). TTL = 1 counts as 0 with the 16 KiB granule, of
 * which level 1 has no leaves.
 */
function isIllegalRange(words: Uint32Array): boolean {
  const tg = get(words, CMD_TLBI.TG);
  if (tg === 0 || get(words, CMD_TLBI.NUM) !== 0 || get(words, CMD_TLBI.SCALE) !== 0) return false;
  const ttl = get(words, CMD_TLBI.TTL);
  return ttl === 0 || (tg === TG_16K && ttl === 1);
}

const TG_16K = 2;
/** log2 of what an entry at level TTL maps, by TG - 1 and TTL; TTL = 0 stands for a page (4.4.1.1). */
const ALIGNMENT_BITS = [
  [12, 30, 21, 12],
  [14, 14, 25, 14],
  [16, 42, 29, 16],
] as const;
/** Address bits 11:0 are not supplied. */
const PAGE_BITS = 12;

/**
 * Whether the range that a command invalidates is UNPREDICTABLE, because its address is not aligned to TG and TTL
 * (4.4.1.1). Here the address is rounded down to the granule.
 */
export function isMisalignedRange(name: CommandName, words: Uint32Array, features: Features): boolean {
  const tg = get(words, CMD_TLBI.TG);
  if (!features.rangeInvalidation || !WITH_RANGE.has(name) || tg === 0) return false;
  const bits = (ALIGNMENT_BITS[tg - 1] as readonly number[])[get(words, CMD_TLBI.TTL)] as number;
  return get(words, CMD_TLBI.ADDR) % 2 ** (bits - PAGE_BITS) !== 0;
}

/** `CFGI_STE 0x300 leaf`, `TLBI_NH_VA vmid 1 asid 2 0x4000 leaf`, `CMD_SYNC`: a command as the manual would say it. */
export function describeCommand(name: CommandName, words: Uint32Array, features: Features): string {
  switch (name) {
    case 'CFGI_STE':
      return `CFGI_STE ${streamOf(words)}${leafOf(words)}`;
    case 'CFGI_STE_RANGE': {
      const range = get(words, CMD_CFGI_RANGE.RANGE);
      return range === CFGI_RANGE_ALL ? 'CFGI_ALL' : `CFGI_STE_RANGE ${streamOf(words)} range ${range}`;
    }
    case 'CFGI_CD':
      return `CFGI_CD ${streamOf(words)} substream ${hex(get(words, CMD.SSID))}${leafOf(words)}`;
    case 'PREFETCH_ADDR':
      return `PREFETCH_ADDR ${streamOf(words)} ${addressOf(words, CMD_PREFETCH_ADDR.ADDR)}`;
    case 'TLBI_NH_ALL':
    case 'TLBI_S12_VMALL':
      return `${name} vmid ${get(words, CMD_TLBI.VMID)}`;
    case 'TLBI_NH_ASID':
      return `${name} vmid ${get(words, CMD_TLBI.VMID)} asid ${get(words, CMD_TLBI.ASID)}`;
    case 'TLBI_EL2_ASID':
      return `${name} asid ${get(words, CMD_TLBI.ASID)}`;
    case 'TLBI_NH_VA':
      return `${name} vmid ${get(words, CMD_TLBI.VMID)} asid ${get(words, CMD_TLBI.ASID)} ${pagesOf(words, features)}`;
    case 'TLBI_NH_VAA':
    case 'TLBI_S2_IPA':
      return `${name} vmid ${get(words, CMD_TLBI.VMID)} ${pagesOf(words, features)}`;
    case 'TLBI_EL2_VA':
      return `${name} asid ${get(words, CMD_TLBI.ASID)} ${pagesOf(words, features)}`;
    case 'TLBI_EL2_VAA':
      return `${name} ${pagesOf(words, features)}`;
    case 'ATC_INV': {
      const substream = get(words, CMD.SSV) === 1 ? ` substream ${hex(get(words, CMD.SSID))}` : '';
      const size = get(words, CMD_ATC_INV.SIZE);
      return `ATC_INV ${streamOf(words)}${substream} ${addressOf(words, CMD_ATC_INV.ADDR)} size ${size}`;
    }
    case 'PRI_RESP':
      return `PRI_RESP ${streamOf(words)} group ${get(words, CMD_PRI_RESP.PRG_INDEX)} response ${get(words, CMD_PRI_RESP.RESP)}`;
    case 'RESUME': {
      const action =
        get(words, CMD_RESUME.AC) === 1 ? 'retry' : get(words, CMD_RESUME.AB) === 1 ? 'abort' : 'terminate';
      return `RESUME ${streamOf(words)} tag ${hex(get(words, CMD_RESUME.STAG))} ${action}`;
    }
    case 'SYNC':
      return 'CMD_SYNC';
    case 'PREFETCH_CONFIG':
    case 'CFGI_CD_ALL':
    case 'STALL_TERM':
      return `${name} ${streamOf(words)}`;
    default:
      return name;
  }
}

function streamOf(words: Uint32Array): string {
  return hex(get(words, CMD.SID));
}

function leafOf(words: Uint32Array): string {
  return get(words, CMD_CFGI.LEAF) === 1 ? ' leaf' : '';
}

function addressOf(words: Uint32Array, field: Field): string {
  const address = getAddress(words, field);
  return hex(Math.floor(address / 2 ** 32), address % 2 ** 32);
}

function pagesOf(words: Uint32Array, features: Features): string {
  const tg = get(words, CMD_TLBI.TG);
  const granule = ['', '4K', '16K', '64K'][tg] as string;
  const count = (get(words, CMD_TLBI.NUM) + 1) * 2 ** get(words, CMD_TLBI.SCALE);
  const range = features.rangeInvalidation && tg !== 0 ? ` ${count} x ${granule}` : '';
  const leaf = get(words, CMD_TLBI.LEAF) === 1 ? ' leaf' : '';
  return `${addressOf(words, CMD_TLBI.ADDR)}${range}${leaf}`;
}
