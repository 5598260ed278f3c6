/**
 * The GIC's system registers as a guest's CPU treats them: which accesses trap, which reach the virtual interface, and what
 * the syndrome of a trap says. Arm DDI 0487 D24.2 (ESR_EL2, EC 0x18), D24.8 (registers of the GIC), Arm IHI 0069 12.2, 12.4.
 */
import { encode, type Field, get, layout } from '../bits.js';
import type { CpuInterface, IccRegister } from '../interrupt.js';
import { ESR_SYSTEM, EXCEPTION_CLASS, HCR_EL2, ICC_ENCODING, ICC_OP0, ICC_OP1, REGISTER_BITS } from './layout.js';
import { TRANSFER_REGISTER } from './syndrome.js';

/** ICH_HCR_EL2, as far as it traps a guest's accesses (Arm IHI 0069 12.4). */
const ICH_HCR_EL2 = layout('ICH_HCR_EL2, traps', REGISTER_BITS, { TC: 10, TALL0: 11, TALL1: 12, TDIR: 14 });
/** ICC_SRE_EL2.Enable: EL1 reaches ICC_SRE_EL1 without a trap (12.2). */
const ICC_SRE_EL2 = layout('ICC_SRE_EL2, trap', REGISTER_BITS, { Enable: 3 });

/** Which registers go together: those of an interrupt group, those that both groups share, and three of their own. */
type Kind = 'group 0' | 'group 1' | 'common' | 'deactivate' | 'sgi' | 'sre';

function kindOf(register: string): Kind {
  if (register === 'ICC_DIR_EL1') return 'deactivate';
  if (register === 'ICC_SRE_EL1') return 'sre';
  if (/SGI[01]R/.test(register)) return 'sgi';
  if (/^ICC_(PMR|RPR|CTLR)_/.test(register)) return 'common';
  return /^ICC_(AP0R|[A-Z]+0_)/.test(register) ? 'group 0' : 'group 1';
}

const KIND = Object.fromEntries(Object.keys(ICC_ENCODING).map((name) => [name, kindOf(name)])) as Readonly<
  Record<IccRegister, Kind>
>;

/** Where a guest's access to a register of its CPU interface goes. */
type Route = 'trap' | 'virtual' | 'physical';

function isSet(word: number, field: Field): boolean {
  return ((word >>> field.shift) & field.mask) === 1;
}

/**
 * Where an access of EL1 to a register goes (the pseudocode of each register in Arm IHI 0069 12.2).
 * @param hcr HCR_EL2
 * @param controller where the trap controls stand
 * @returns undefined if the controller has no system registers: the access is UNDEFINED
 */
export function routeOf(register: IccRegister, hcr: Uint32Array, controller: CpuInterface): Route | undefined {
  const traps = controller.readSystem('ICH_HCR_EL2')?.lo;
  if (traps === undefined) return undefined;
  const fiq = get(hcr, HCR_EL2.FMO) === 1;
  const irq = get(hcr, HCR_EL2.IMO) === 1;
  switch (KIND[register]) {
    case 'group 0':
      return isSet(traps, ICH_HCR_EL2.TALL0) ? 'trap' : fiq ? 'virtual' : 'physical';
    case 'group 1':
      return isSet(traps, ICH_HCR_EL2.TALL1) ? 'trap' : irq ? 'virtual' : 'physical';
    case 'common':
      return isSet(traps, ICH_HCR_EL2.TC) ? 'trap' : fiq || irq ? 'virtual' : 'physical';
    case 'deactivate':
      if (isSet(traps, ICH_HCR_EL2.TC) || isSet(traps, ICH_HCR_EL2.TDIR)) return 'trap';
      return fiq || irq ? 'virtual' : 'physical';
    case 'sgi':
      return isSet(traps, ICH_HCR_EL2.TC) || fiq || irq ? 'trap' : 'physical';
    case 'sre':
      return isSet(controller.readSystem('ICC_SRE_EL2')?.lo ?? 0, ICC_SRE_EL2.Enable) ? 'physical' : 'trap';
  }
}

/** Registers that are only read, or only written: the other access is UNDEFINED at EL1, before any trap. */
const READ_ONLY = /^ICC_(IAR|HPPIR|RPR)/;
const WRITE_ONLY = /^ICC_(EOIR|DIR|A?SGI)/;
const READABLE = new Set(Object.keys(ICC_ENCODING).filter((name) => !WRITE_ONLY.test(name)));
const WRITABLE = new Set(Object.keys(ICC_ENCODING).filter((name) => !READ_ONLY.test(name)));

/** Whether an instruction for such an access exists. */
export function isDefined(register: IccRegister, read: boolean): boolean {
  return (read ? READABLE : WRITABLE).has(register);
}

/** ESR_EL2 of a trapped access. The value moves through {@link TRANSFER_REGISTER}. */
export function systemSyndrome(register: IccRegister, read: boolean): Uint32Array {
  return encode(ESR_SYSTEM, REGISTER_BITS, {
    EC: EXCEPTION_CLASS.systemRegister,
    IL: 1,
    Op0: ICC_OP0,
    Op1: ICC_OP1,
    ...ICC_ENCODING[register],
    Rt: TRANSFER_REGISTER,
    Direction: read ? 1 : 0,
  });
}
