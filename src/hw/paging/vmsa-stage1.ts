/**
 * VMSAv8-64 stage 1: the two ranges of input addresses, and what block and page descriptors say. Arm DDI 0487 D8.2 to
 * D8.6; Context Descriptor fields of Arm IHI 0070 5.4.
 *
 * Not modelled: FEAT_S1PIE and S1POE, hardware update of AF and DBM, PBHA, GP (branch targets), MTE, NS and NSTable (no
 * Secure state). UWXN concerns VMSAv8-32 alone: VMSAv8-64 never executes privileged what is writable unprivileged.
 * Allocation hints and transience of Normal memory are not kept; MAIR encodings that are reserved count as Device-nGnRnE.
 */
import { get } from '../bits.js';
import {
  ALL_PERMISSIONS,
  DEVICE_NGNRNE,
  EXECUTE_PRIVILEGED,
  EXECUTE_UNPRIVILEGED,
  READ_PRIVILEGED,
  READ_UNPRIVILEGED,
  WRITE_PRIVILEGED,
  WRITE_UNPRIVILEGED,
} from './translation.js';
import { TableStart, type TableStartFields } from './vmsa-geometry.js';
import { STAGE1_LEAF, STAGE1_TABLE } from './vmsa-layout.js';

/** How one range of stage 1 is made: from TCR_ELx and TTBRx_ELx, or from a Context Descriptor. */
export interface Stage1RangeFields extends TableStartFields {
  /** EPDx: no walks; a miss is a level 0 translation fault. */
  readonly walksDisabled: boolean;
  /** TBIx: bits 63:56 of the input address do not count. */
  readonly topByteIgnored: boolean;
  /** HADx (HPDx): permissions in table descriptors do not count. */
  readonly hierarchyDisabled: boolean;
  /** E0PDx: unprivileged accesses take a level 0 translation fault. */
  readonly unprivilegedDisabled: boolean;
}

/** One of the two ranges of stage 1, decoded. */
export class Stage1Range {
  readonly tables: TableStart;
  readonly walksDisabled: boolean;
  readonly topByteIgnored: boolean;
  readonly hierarchyDisabled: boolean;
  readonly unprivilegedDisabled: boolean;

  constructor(fields: Stage1RangeFields) {
    this.tables = new TableStart(fields);
    this.walksDisabled = fields.walksDisabled;
    this.topByteIgnored = fields.topByteIgnored;
    this.hierarchyDisabled = fields.hierarchyDisabled;
    this.unprivilegedDisabled = fields.unprivilegedDisabled;
  }
}

/** How {@link Stage1Config} is made. */
export interface Stage1Fields {
  /** Addresses with bit 55 clear: TTB0. */
  readonly low: Stage1RangeFields;
  /** Addresses with bit 55 set: TTB1. Undefined: the regime has one range (EL2 without E2H, EL3). */
  readonly high: Stage1RangeFields | undefined;
  /** The regime tells privileged from unprivileged access (EL1&0). Else AP[1] and PXN do not count, and XN is for all. */
  readonly twoPrivileges: boolean;
  /** Raise an Access flag fault where AF is 0: not CD.AFFD. CPUs always do. */
  readonly accessFlagFault: boolean;
  /** WXN: what is writable is not executable. */
  readonly writeExecuteNever: boolean;
  /** PAN: privileged data accesses may not touch what unprivileged ones may. */
  readonly privilegedAccessNever: boolean;
  /** EPAN: PAN counts unprivileged execution as well. */
  readonly enhancedPan: boolean;
  /** Halves of MAIR: attribute bytes 0 to 3, and 4 to 7. */
  readonly mairLo: number;
  readonly mairHi: number;
}

/** A stage 1 configuration, decoded once. */
export class Stage1Config {
  readonly low: Stage1Range;
  readonly high: Stage1Range | undefined;
  readonly twoPrivileges: boolean;
  readonly accessFlagFault: boolean;
  readonly writeExecuteNever: boolean;
  readonly privilegedAccessNever: boolean;
  readonly enhancedPan: boolean;
  /** Memory type by AttrIndx. */
  readonly types: Uint8Array;

  constructor(fields: Stage1Fields) {
    this.low = new Stage1Range(fields.low);
    this.high = fields.high === undefined ? undefined : new Stage1Range(fields.high);
    this.twoPrivileges = fields.twoPrivileges;
    this.accessFlagFault = fields.accessFlagFault;
    this.writeExecuteNever = fields.writeExecuteNever;
    this.privilegedAccessNever = fields.privilegedAccessNever;
    this.enhancedPan = fields.enhancedPan;
    this.types = new Uint8Array(8);
    const bytes = new Uint8Array(Uint32Array.of(fields.mairLo, fields.mairHi).buffer);
    for (let i = 0; i < 8; i++) this.types[i] = mairType(bytes[i] as number);
  }
}

/** Cacheability of a nibble of a MAIR byte: 0100 Non-cacheable, 00RW and 10RW Write-Through, 01RW and 11RW Write-Back. */
function cacheability(nibble: number): number {
  if (nibble === 0b0100) return 1;
  return (nibble & 0b0100) === 0 ? 2 : 3;
}

/** The memory type of one MAIR byte (DDI 0487 D24.2, MAIR_EL1): 0000dd00 is Device, else outer and inner nibble. */
export function mairType(byte: number): number {
  const outer = byte >> 4;
  const inner = byte & 0xf;
  if (outer === 0) return (inner & 3) === 0 ? inner >> 2 : DEVICE_NGNRNE;
  // An inner nibble of 0 stands for attributes of FEAT_XS and MTE: inner is as outer.
  if (inner === 0) return byte === 0x40 ? 0x5 : byte === 0xa0 ? 0xa : byte === 0xf0 ? 0xf : DEVICE_NGNRNE;
  return (cacheability(outer) << 2) | cacheability(inner);
}

const BIT_55 = 1 << 23;
const TOP_BYTE = 0xff00_0000;

/** The range that an input address belongs to: by bit 55, top byte ignored or not (D8.2). */
export function rangeOf(config: Stage1Config, hi: number): Stage1Range {
  return (hi & BIT_55) === 0 || config.high === undefined ? config.low : config.high;
}

/**
 * Whether all bits of an input address above its size are copies of bit 55 (zero in a regime with one range); the top
 * byte counts unless ignored (D8.2, D8.8).
 */
export function isCanonical(config: Stage1Config, range: Stage1Range, hi: number, lo: number): boolean {
  const invert = range === config.high ? -1 : 0;
  const top = range.topByteIgnored ? ~TOP_BYTE : -1;
  return (((hi ^ invert) & range.tables.beyondHi & top) | ((lo ^ invert) & range.tables.beyondLo)) === 0;
}

/**
 * The upper half of an input address as caches and invalidations by address know it: an ignored top byte is replaced by
 * copies of bit 55 (D8.8).
 */
export function untaggedHi(config: Stage1Config, hi: number): number {
  if (!rangeOf(config, hi).topByteIgnored) return hi;
  return ((hi & BIT_55) === 0 ? hi & ~TOP_BYTE : hi | TOP_BYTE) >>> 0;
}

const BY_AP = Uint8Array.of(
  READ_PRIVILEGED | WRITE_PRIVILEGED,
  READ_PRIVILEGED | WRITE_PRIVILEGED | READ_UNPRIVILEGED | WRITE_UNPRIVILEGED,
  READ_PRIVILEGED,
  READ_PRIVILEGED | READ_UNPRIVILEGED,
);
const EXECUTE = EXECUTE_PRIVILEGED | EXECUTE_UNPRIVILEGED;
const PRIVILEGED_DATA = READ_PRIVILEGED | WRITE_PRIVILEGED;
const UNPRIVILEGED_DATA = READ_UNPRIVILEGED | WRITE_UNPRIVILEGED;

/**
 * Permissions of a stage 1 leaf (D8.4).
 * @param tables the OR of the upper halves of the table descriptors on the way, as two words like a descriptor
 */
export function stage1Permissions(
  config: Stage1Config,
  range: Stage1Range,
  tables: Uint32Array,
  leaf: Uint32Array,
): number {
  let ap = get(leaf, STAGE1_LEAF.AP);
  let pxn = get(leaf, STAGE1_LEAF.PXN);
  let uxn = get(leaf, STAGE1_LEAF.UXN);
  if (!range.hierarchyDisabled) {
    const apTable = get(tables, STAGE1_TABLE.APTable);
    ap = (ap | (apTable & 2)) & ~(apTable & 1);
    pxn |= get(tables, STAGE1_TABLE.PXNTable);
    uxn |= get(tables, STAGE1_TABLE.UXNTable);
  }
  if (!config.twoPrivileges) return onePrivilege(config, ap, uxn);
  let permissions = BY_AP[ap] as number;
  if (pxn === 0 && (permissions & WRITE_UNPRIVILEGED) === 0) permissions |= EXECUTE_PRIVILEGED;
  if (uxn === 0) permissions |= EXECUTE_UNPRIVILEGED;
  if (config.writeExecuteNever) {
    if ((permissions & WRITE_PRIVILEGED) !== 0) permissions &= ~EXECUTE_PRIVILEGED;
    if ((permissions & WRITE_UNPRIVILEGED) !== 0) permissions &= ~EXECUTE_UNPRIVILEGED;
  }
  if (config.privilegedAccessNever) {
    const touched = config.enhancedPan ? UNPRIVILEGED_DATA | EXECUTE_UNPRIVILEGED : UNPRIVILEGED_DATA;
    if ((permissions & touched) !== 0) permissions &= ~PRIVILEGED_DATA;
  }
  return permissions;
}

function onePrivilege(config: Stage1Config, ap: number, xn: number): number {
  const writable = (ap & 2) === 0;
  const execute = xn === 0 && !(config.writeExecuteNever && writable);
  return ALL_PERMISSIONS & ~((writable ? 0 : WRITE_PRIVILEGED | WRITE_UNPRIVILEGED) | (execute ? 0 : EXECUTE));
}
