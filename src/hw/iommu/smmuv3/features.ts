/**
 * What one SMMU implements: its ID registers (Arm IHI 0070 6.3.1 to 6.3.8), decoded once.
 *
 * The ID registers are a parameter of the board. A value that offers what the model lacks is refused when the device is
 * made, so that software never meets a feature that pretends.
 */
import { type Field, get } from '../../bits.js';
import type { GranuleShift } from '../../paging/vmsa-geometry.js';
import { ADDRESS_BITS, AIDR, IDR0, IDR1, IDR3, IDR5, STALL_MODEL, TTENDIAN, TTF_AARCH64 } from './layout.js';

/** The ID registers that describe an implementation. IDR2 and IDR4 read as zero. */
export interface IdRegisters {
  readonly IDR0: number;
  readonly IDR1: number;
  readonly IDR3: number;
  readonly IDR5: number;
  readonly AIDR: number;
  readonly IIDR: number;
}

/** The decoded features. */
export interface Features {
  readonly stage1: boolean;
  readonly stage2: boolean;
  readonly hyp: boolean;
  readonly ats: boolean;
  /** Split-stage ATS is not offered (IDR0.NS1ATS). */
  readonly noSplitStageAts: boolean;
  readonly pri: boolean;
  readonly msi: boolean;
  readonly asid16: boolean;
  readonly vmid16: boolean;
  readonly twoLevelContexts: boolean;
  readonly twoLevelStreams: boolean;
  /** REC_CFG_ATS of CR2 exists (IDR0.ATSRECERR). */
  readonly recordAtsErrors: boolean;
  /** A value of {@link STALL_MODEL}. */
  readonly stallModel: number;
  /** Terminated transactions always abort: CD.A = 0 is ILLEGAL (IDR0.TERM_MODEL). */
  readonly abortOnly: boolean;
  /** STE and GBPA may override permission attributes (IDR1.ATTR_PERMS_OVR), memory types (ATTR_TYPES_OVR). */
  readonly permissionOverride: boolean;
  readonly typeOverride: boolean;
  readonly streamIdBits: number;
  readonly substreamIdBits: number;
  /** log2 of the largest number of entries of each queue. */
  readonly commandQueueBits: number;
  readonly eventQueueBits: number;
  readonly pageRequestQueueBits: number;
  /** Most stalled transactions with a record (IDR5.STALL_MAX). */
  readonly stallMax: number;
  /** IDR3.HAD, XNX, STT, RIL, E0PD. */
  readonly hierarchyDisable: boolean;
  readonly xnx: boolean;
  readonly smallTables: boolean;
  readonly rangeInvalidation: boolean;
  readonly e0pd: boolean;
  /** Output address bits, and input address bits of stage 2 (3.4: equal without AArch32). */
  readonly outputBits: number;
  readonly granules: ReadonlySet<GranuleShift>;
  /** 52-bit virtual addresses with the 64 KiB granule (IDR5.VAX). */
  readonly largeInput: boolean;
  /** Architecture version: n of SMMUv3.n. */
  readonly minor: number;
}

/** ID fields of which only one value is modelled. */
const FIXED: readonly (readonly ['IDR0' | 'IDR1' | 'IDR3' | 'IDR5' | 'AIDR', Field, number])[] = [
  ['IDR0', IDR0.TTF, TTF_AARCH64],
  ['IDR0', IDR0.BTM, 0],
  ['IDR0', IDR0.HTTU, 0],
  ['IDR0', IDR0.ATOS, 0],
  ['IDR0', IDR0.VMW, 0],
  ['IDR0', IDR0.VATOS, 0],
  ['IDR0', IDR0.TTENDIAN, TTENDIAN.LITTLE],
  ['IDR1', IDR1.QUEUES_PRESET, 0],
  ['IDR1', IDR1.TABLES_PRESET, 0],
  ['IDR1', IDR1.ECMDQ, 0],
  ['IDR3', IDR3.PBHA, 0],
  ['IDR3', IDR3.MPAM, 0],
  ['IDR3', IDR3.FWB, 0],
  ['IDR3', IDR3.DPT, 0],
  ['IDR5', IDR5.DS, 0],
  ['IDR5', IDR5.D128, 0],
  ['AIDR', AIDR.MAJOR, 0],
];

/** Upper half of IDR3: features of SMMUv3.4 and later, none of which is modelled. */
const IDR3_LATER = 0xffff_0000;

/**
 * Decodes ID registers.
 * @throws RangeError if they offer a feature that is not modelled, or neither stage or no granule at all.
 */
export function decodeFeatures(ids: IdRegisters): Features {
  for (const [register, field, value] of FIXED) {
    const found = get(Uint32Array.of(ids[register]), field);
    if (found !== value)
      throw new RangeError(`SMMU ${register}.${field.name} = ${found} is not modelled, only ${value}`);
  }
  if ((ids.IDR3 & IDR3_LATER) !== 0) throw new RangeError(`SMMU IDR3 0x${ids.IDR3.toString(16)} is not modelled`);
  const idr0 = (field: Field) => get(Uint32Array.of(ids.IDR0), field);
  const idr1 = (field: Field) => get(Uint32Array.of(ids.IDR1), field);
  const idr3 = (field: Field) => get(Uint32Array.of(ids.IDR3), field) === 1;
  const idr5 = (field: Field) => get(Uint32Array.of(ids.IDR5), field);
  const granules = new Set<GranuleShift>();
  if (idr5(IDR5.GRAN4K) === 1) granules.add(12);
  if (idr5(IDR5.GRAN16K) === 1) granules.add(14);
  if (idr5(IDR5.GRAN64K) === 1) granules.add(16);
  const stage1 = idr0(IDR0.S1P) === 1;
  const stage2 = idr0(IDR0.S2P) === 1;
  if (!stage1 && !stage2) throw new RangeError('SMMU IDR0 offers neither stage 1 nor stage 2');
  if (granules.size === 0) throw new RangeError('SMMU IDR5 offers no granule');
  if (idr0(IDR0.STALL_MODEL) > STALL_MODEL.FORCED) throw new RangeError('SMMU IDR0.STALL_MODEL = 3 is reserved');
  return {
    stage1,
    stage2,
    hyp: idr0(IDR0.HYP) === 1,
    ats: idr0(IDR0.ATS) === 1,
    noSplitStageAts: idr0(IDR0.NS1ATS) === 1,
    pri: idr0(IDR0.PRI) === 1,
    msi: idr0(IDR0.MSI) === 1,
    asid16: idr0(IDR0.ASID16) === 1,
    vmid16: idr0(IDR0.VMID16) === 1,
    twoLevelContexts: idr0(IDR0.CD2L) === 1,
    twoLevelStreams: idr0(IDR0.ST_LEVEL) === 1,
    recordAtsErrors: idr0(IDR0.ATSRECERR) === 1,
    stallModel: idr0(IDR0.STALL_MODEL),
    abortOnly: idr0(IDR0.TERM_MODEL) === 1,
    permissionOverride: idr1(IDR1.ATTR_PERMS_OVR) === 1,
    typeOverride: idr1(IDR1.ATTR_TYPES_OVR) === 1,
    streamIdBits: Math.min(32, idr1(IDR1.SIDSIZE)),
    substreamIdBits: Math.min(20, idr1(IDR1.SSIDSIZE)),
    commandQueueBits: Math.min(19, idr1(IDR1.CMDQS)),
    eventQueueBits: Math.min(19, idr1(IDR1.EVENTQS)),
    pageRequestQueueBits: Math.min(19, idr1(IDR1.PRIQS)),
    stallMax: idr5(IDR5.STALL_MAX),
    hierarchyDisable: idr3(IDR3.HAD),
    xnx: idr3(IDR3.XNX),
    smallTables: idr3(IDR3.STT),
    rangeInvalidation: idr3(IDR3.RIL),
    e0pd: idr3(IDR3.E0PD),
    outputBits: ADDRESS_BITS[idr5(IDR5.OAS)] as number,
    granules,
    largeInput: idr5(IDR5.VAX) === 1,
    minor: get(Uint32Array.of(ids.AIDR), AIDR.MINOR),
  };
}
