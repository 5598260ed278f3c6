/** Traps of guests: hypercalls, and accesses that stage 2 refuses (xen/arch/arm/traps.c). */
import { hex, join } from '../../hw/address.js';
import { get } from '../../hw/bits.js';
import {
  ESR_ABORT,
  ESR_EL2,
  ESR_HVC,
  ESR_SYSTEM,
  EXCEPTION_CLASS,
  FAULT_STATUS,
  HPFAR_EL2,
} from '../../hw/cpu/layout.js';
import type { SystemRegister, TrapOutcome } from '../../hw/machine.js';
import { HYPERCALL_NUMBER_REGISTER, XEN_HYPERCALL_TAG } from '../abi.js';
import { PAGE_SIZE } from '../frames.js';
import { print, type Vcpu, type Xen } from '../xen.js';

/** Register arguments of a hypercall. */
const ARGUMENTS = 5;
/** Level of a fault, in the fault status. */
const LEVEL = 3;
/** SMCCC: the function is not there. */
const NOT_SUPPORTED = -1;

function read(xen: Xen, cpu: number, register: SystemRegister): Uint32Array {
  const { hi, lo } = xen.machine.cpus.readSystem(cpu, register);
  return Uint32Array.of(lo, hi);
}

/** What Xen does when a guest traps. */
export function handle(xen: Xen, cpu: number): TrapOutcome {
  xen.cpu = cpu;
  const vcpu = xen.running[cpu];
  const esr = read(xen, cpu, 'ESR_EL2');
  const cause = get(esr, ESR_EL2.EC);
  if (vcpu === undefined) {
    print(xen, `CPU ${cpu}: trap ${hex(cause)} without a vCPU`);
    return 'inject abort';
  }
  switch (cause) {
    case EXCEPTION_CLASS.hvc64:
      return xen.steps.trap.hvc(xen, cpu, vcpu, get(esr, ESR_HVC.imm16));
    case EXCEPTION_CLASS.dataAbort:
    case EXCEPTION_CLASS.instructionAbort:
      return xen.steps.trap.abort(xen, cpu, vcpu, esr);
    case EXCEPTION_CLASS.systemRegister:
      return xen.steps.trap.systemRegister(xen, cpu, vcpu, esr);
    default:
      print(xen, `${vcpu.domain.name}v${vcpu.vcpu}: unexpected trap ${hex(cause)}`);
      return 'inject abort';
  }
}

/** A guest's HVC: a hypercall, or something that Xen does not have. */
export function hvc(xen: Xen, cpu: number, vcpu: Vcpu, immediate: number): TrapOutcome {
  const registers = xen.machine.cpus.registers(cpu);
  const x = (n: number): number => join(registers[n * 2 + 1] as number, registers[n * 2] as number);
  const args = Array.from({ length: ARGUMENTS }, (_, n) => x(n));
  const result =
    immediate === XEN_HYPERCALL_TAG
      ? xen.steps.hypercall.dispatch(xen, vcpu, x(HYPERCALL_NUMBER_REGISTER), args)
      : NOT_SUPPORTED;
  registers[0] = result >>> 0;
  registers[1] = result < 0 ? 0xffff_ffff : Math.floor(result / 2 ** 32);
  return 'return';
}

/** Registers that send SGIs are these, told apart by Op2 (Arm IHI 0069 12.2: op0 3, op1 0, CRn 12, CRm 11). */
const SGI_REGISTERS = { Op0: 3, Op1: 0, CRn: 12, CRm: 11 } as const;
const ICC_SGI1R_OP2 = 5;
/** ICC_ASGI1R_EL1 and ICC_SGI0R_EL1: SGIs of groups that guests do not have. */
const OTHER_GROUPS_OP2 = [6, 7];
/** Rt that reads as zero. */
const XZR = 31;

/** A guest's access to a system register that Xen does not leave to the hardware: SGIs, on a GICv3. */
export function systemRegister(xen: Xen, cpu: number, vcpu: Vcpu, esr: Uint32Array): TrapOutcome {
  const { Op0, Op1, CRn, CRm } = SGI_REGISTERS;
  const sends =
    get(esr, ESR_SYSTEM.Op0) === Op0 &&
    get(esr, ESR_SYSTEM.Op1) === Op1 &&
    get(esr, ESR_SYSTEM.CRn) === CRn &&
    get(esr, ESR_SYSTEM.CRm) === CRm;
  const op2 = get(esr, ESR_SYSTEM.Op2);
  const isWrite = get(esr, ESR_SYSTEM.Direction) === 0;
  if (sends && isWrite && vcpu.domain.vgic?.version === 3) {
    if (OTHER_GROUPS_OP2.includes(op2)) return 'return';
    if (op2 === ICC_SGI1R_OP2) {
      const rt = get(esr, ESR_SYSTEM.Rt);
      const registers = xen.machine.cpus.registers(cpu);
      const lo = rt === XZR ? 0 : (registers[2 * rt] as number);
      const hi = rt === XZR ? 0 : (registers[2 * rt + 1] as number);
      xen.steps.vgic.writeSgi1r(xen, vcpu, { hi, lo });
      return 'return';
    }
  }
  print(xen, `${vcpu.domain.name}v${vcpu.vcpu}: system register trap, ISS ${hex(get(esr, ESR_EL2.ISS))}`);
  return 'inject abort';
}

/** Register that a guest's loads and stores use. */
const TRANSFER_REGISTER = 0;

/**
 * A guest's access to registers that Xen emulates for it: what the handler says, or undefined if there is none. The page
 * comes from HPFAR_EL2, the offset in it from FAR_EL2 (a guest's stage 1 maps every address to itself).
 */
export function emulate(xen: Xen, cpu: number, vcpu: Vcpu, esr: Uint32Array): TrapOutcome | undefined {
  if (get(esr, ESR_EL2.EC) !== EXCEPTION_CLASS.dataAbort || vcpu.domain.mmioHandlers.length === 0) return undefined;
  if ((get(esr, ESR_ABORT.FSC) & ~LEVEL) !== FAULT_STATUS.translation || get(esr, ESR_ABORT.ISV) === 0)
    return undefined;
  const page = get(read(xen, cpu, 'HPFAR_EL2'), HPFAR_EL2.FIPA) * PAGE_SIZE;
  const handler = vcpu.domain.mmioHandlers.find(
    ({ address, size }) => page + PAGE_SIZE > address && page < address + size,
  );
  if (handler === undefined) return undefined;
  const address = page + ((read(xen, cpu, 'FAR_EL2')[0] as number) % PAGE_SIZE);
  const width = (1 << get(esr, ESR_ABORT.SAS)) as 1 | 2 | 4 | 8;
  const offset = address - handler.address;
  if (offset < 0 || offset + width > handler.size || offset % width !== 0) return 'inject abort';
  const registers = xen.machine.cpus.registers(cpu);
  if (get(esr, ESR_ABORT.WnR) === 1) {
    const lo = registers[2 * TRANSFER_REGISTER] as number;
    const hi = registers[2 * TRANSFER_REGISTER + 1] as number;
    const value = width === 8 ? { hi, lo } : { hi: 0, lo: width === 4 ? lo : lo % 2 ** (8 * width) };
    return handler.write(xen, vcpu, offset, width, value) ? 'return' : 'inject abort';
  }
  const value = handler.read(xen, vcpu, offset, width);
  if (value === undefined) return 'inject abort';
  registers[2 * TRANSFER_REGISTER] = value.lo;
  registers[2 * TRANSFER_REGISTER + 1] = value.hi;
  return 'return';
}

/** A guest's access to what is not its own: Xen answers for the device that it emulates there, or the guest gets an abort. */
export function abort(xen: Xen, cpu: number, vcpu: Vcpu, esr: Uint32Array): TrapOutcome {
  const emulated = xen.steps.trap.emulate(xen, cpu, vcpu, esr);
  if (emulated !== undefined) return emulated;
  const status = get(esr, ESR_ABORT.FSC);
  const far = read(xen, cpu, 'FAR_EL2');
  const fetch = get(esr, ESR_EL2.EC) === EXCEPTION_CLASS.instructionAbort;
  const access = fetch ? 'fetch' : get(esr, ESR_ABORT.WnR) === 1 ? 'store' : 'load';
  // HPFAR_EL2 is unknown after a permission fault (Arm DDI 0487 D24.2).
  const permission = (status & ~LEVEL) === FAULT_STATUS.permission;
  const fipa = permission ? 0 : get(read(xen, cpu, 'HPFAR_EL2'), HPFAR_EL2.FIPA);
  const where = permission ? '' : `, guest page ${hex(fipa * PAGE_SIZE)}`;
  print(
    xen,
    `${vcpu.domain.name}v${vcpu.vcpu}: ${access} at ${hex(far[1] as number, far[0] as number)}${where}, ` +
      `fault status ${hex(status)}`,
  );
  return 'inject abort';
}
