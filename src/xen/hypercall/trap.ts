/** Traps of guests: hypercalls, and accesses that stage 2 refuses (xen/arch/arm/traps.c). */
import { hex, join } from '../../hw/address.js';
import { get } from '../../hw/bits.js';
import { ESR_ABORT, ESR_EL2, ESR_HVC, EXCEPTION_CLASS, FAULT_STATUS, HPFAR_EL2 } from '../../hw/cpu/layout.js';
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

/** A guest's access to what is not its own: it gets an abort. */
export function abort(xen: Xen, cpu: number, vcpu: Vcpu, esr: Uint32Array): TrapOutcome {
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
