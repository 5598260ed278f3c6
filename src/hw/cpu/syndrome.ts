/**
 * What a CPU writes into ESR_EL2 and HPFAR_EL2 when a guest traps. Arm DDI 0487 D24.2 (ESR_EL2, HPFAR_EL2), D1.3.
 */
import { encode, put } from '../bits.js';
import type { GuestAccess } from '../machine.js';
import type { Translation } from '../paging/translation.js';
import { ESR_ABORT, ESR_HVC, EXCEPTION_CLASS, FAULT_STATUS, HPFAR_EL2, REGISTER_BITS } from './layout.js';

/** The register that a guest's loads and stores use: X0, in the model. */
export const TRANSFER_REGISTER = 0;

const STATUS = {
  none: 0,
  'external abort': FAULT_STATUS.externalAbortOnWalk,
  translation: FAULT_STATUS.translation,
  'address size': FAULT_STATUS.addressSize,
  'access flag': FAULT_STATUS.accessFlag,
  permission: FAULT_STATUS.permission,
} as const;

const LOG2 = { 1: 0, 2: 1, 4: 2, 8: 3 } as const;

/** ESR_EL2 of a stage 2 fault. Loads and stores carry their syndrome (ISV): one register, no writeback. */
export function abortSyndrome(access: GuestAccess, fault: Translation): Uint32Array {
  const status = STATUS[fault.fault] + fault.level;
  if (access.kind === 'fetch') {
    return encode(ESR_ABORT, REGISTER_BITS, { EC: EXCEPTION_CLASS.instructionAbort, IL: 1, FSC: status });
  }
  return encode(ESR_ABORT, REGISTER_BITS, {
    EC: EXCEPTION_CLASS.dataAbort,
    IL: 1,
    ISV: 1,
    SAS: LOG2[access.width],
    SRT: TRANSFER_REGISTER,
    SF: access.width === 8 ? 1 : 0,
    WnR: access.kind === 'store' ? 1 : 0,
    FSC: status,
  });
}

/** ESR_EL2 of an HVC. */
export function hvcSyndrome(immediate: number): Uint32Array {
  return encode(ESR_HVC, REGISTER_BITS, { EC: EXCEPTION_CLASS.hvc64, IL: 1, imm16: immediate });
}

/** All bits of FIPA: what HPFAR_EL2 shows here where the manual leaves it UNKNOWN. */
const UNKNOWN_FIPA = 2 ** HPFAR_EL2.FIPA.width - 1;

/**
 * HPFAR_EL2 of a stage 2 fault. After a permission fault that is not one of a stage 1 table walk it is UNKNOWN (D24.2,
 * HPFAR_EL2), and an address that is nobody's stands there: software has to work the IPA out from FAR_EL2.
 */
export function faultingIpa(fault: Translation): Uint32Array {
  const words = new Uint32Array(2);
  const known = fault.fault !== 'permission' || fault.what === 'table walk';
  put(words, HPFAR_EL2.FIPA, known ? Math.floor(fault.ipa / 4096) : UNKNOWN_FIPA);
  return words;
}
