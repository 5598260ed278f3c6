/**
 * VMSAv8-64 stage 2: what its block and page descriptors say. Arm DDI 0487 D8.3 to D8.6; STE fields of Arm IHI 0070 5.2.
 *
 * Not modelled: FEAT_S2FWB, FEAT_S2PIE and S2POE, hardware update of AF and DBM, FnXS, PBHA, AssuredOnly, Realm and Secure
 * state. The reserved MemAttr encodings 4, 8 and 12 count as Device-nGnRnE, the strictest that they may be taken for.
 */
import {
  DEVICE_NGNRNE,
  EXECUTE_PRIVILEGED,
  EXECUTE_UNPRIVILEGED,
  READ_PRIVILEGED,
  READ_UNPRIVILEGED,
  WRITE_PRIVILEGED,
  WRITE_UNPRIVILEGED,
} from './translation.js';
import { TableStart, type TableStartFields } from './vmsa-geometry.js';
import { STAGE2_LEAF } from './vmsa-layout.js';

/** How {@link Stage2Config} is made: from VTCR_EL2, VTTBR_EL2 and HCR_EL2, or from a Stream Table Entry. */
export interface Stage2Fields extends TableStartFields {
  /** Raise an Access flag fault where AF is 0: not S2AFFD. CPUs always do. */
  readonly accessFlagFault: boolean;
  /** A stage 1 table walk that meets Device memory takes a permission fault (HCR_EL2.PTW, STE.S2PTW). */
  readonly protectTableWalk: boolean;
  /** FEAT_XNX, SMMU_IDR3.XNX: XN tells privileged and unprivileged execution apart. */
  readonly xnx: boolean;
}

/** A stage 2 configuration, decoded once. */
export class Stage2Config {
  readonly tables: TableStart;
  readonly accessFlagFault: boolean;
  readonly protectTableWalk: boolean;
  readonly xnx: boolean;

  constructor(fields: Stage2Fields) {
    this.tables = new TableStart(fields);
    this.accessFlagFault = fields.accessFlagFault;
    this.protectTableWalk = fields.protectTableWalk;
    this.xnx = fields.xnx;
  }
}

/**
 * Where every walk looks, as numbers: on this path that counts, against going by the field objects. S2AP and MemAttr lie in the
 * lower word of a descriptor, XN in the upper one.
 */
const { shift: S2AP_SHIFT, mask: S2AP_MASK } = STAGE2_LEAF.S2AP;
const { shift: MEMATTR_SHIFT, mask: MEMATTR_MASK } = STAGE2_LEAF.MemAttr;
const { shift: XN_SHIFT, mask: XN_MASK } = STAGE2_LEAF.XN;

const READ = READ_PRIVILEGED | READ_UNPRIVILEGED;
const WRITE = WRITE_PRIVILEGED | WRITE_UNPRIVILEGED;
/** Who may execute, by XN[1:0]: D8.4, stage 2 execute permission with FEAT_XNX. */
const EXECUTE = Uint8Array.of(EXECUTE_PRIVILEGED | EXECUTE_UNPRIVILEGED, EXECUTE_UNPRIVILEGED, 0, EXECUTE_PRIVILEGED);
/** Without FEAT_XNX the lower bit does not count. */
const WITHOUT_XNX = 2;

/** Permissions of a stage 2 leaf (D8.4). Execution needs read permission too. */
export function stage2Permissions(config: Stage2Config, leaf: Uint32Array): number {
  const s2ap = ((leaf[0] as number) >>> S2AP_SHIFT) & S2AP_MASK;
  const write = (s2ap & 2) !== 0 ? WRITE : 0;
  if ((s2ap & 1) === 0) return write;
  const xn = ((leaf[1] as number) >>> XN_SHIFT) & XN_MASK;
  return write | READ | (EXECUTE[config.xnx ? xn : xn & WITHOUT_XNX] as number);
}

/** Memory type of a stage 2 leaf, by MemAttr (D8.6, FEAT_S2FWB off). */
export function stage2Type(leaf: Uint32Array): number {
  const attributes = ((leaf[0] as number) >>> MEMATTR_SHIFT) & MEMATTR_MASK;
  return attributes > 3 && (attributes & 3) === 0 ? DEVICE_NGNRNE : attributes;
}
