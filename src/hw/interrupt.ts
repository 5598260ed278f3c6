/**
 * Interrupts between devices, controllers and CPUs: what a device drives, and what a CPU is offered.
 *
 * A wired interrupt is a line. A message is an ordinary write that carries who made it (`Initiator` in `bus.ts`).
 */
import type { Value64 } from './machine.js';

/** A wired interrupt input of a controller. */
export interface InterruptLine {
  /** Drives the line. A level-sensitive input follows it; an edge-triggered one takes the change from low to high. */
  set(level: boolean): void;
}

/** A controller as the devices that are wired to it know it. */
export interface InterruptController {
  /**
   * The input that an interrupt specifier of the device tree names.
   * @returns undefined if the controller has no such input
   */
  line(specifier: readonly number[]): InterruptLine | undefined;
}

type Digit = 0 | 1 | 2 | 3 | 4 | 5 | 6 | 7 | 8 | 9;

/** Registers of the CPU interface that hypervisor and guests reach under these names (Arm IHI 0069, chapter 12.2). */
export type IccRegister =
  | 'ICC_PMR_EL1'
  | 'ICC_IAR0_EL1'
  | 'ICC_IAR1_EL1'
  | 'ICC_EOIR0_EL1'
  | 'ICC_EOIR1_EL1'
  | 'ICC_HPPIR0_EL1'
  | 'ICC_HPPIR1_EL1'
  | 'ICC_BPR0_EL1'
  | 'ICC_BPR1_EL1'
  | `ICC_AP0R${0 | 1 | 2 | 3}_EL1`
  | `ICC_AP1R${0 | 1 | 2 | 3}_EL1`
  | 'ICC_DIR_EL1'
  | 'ICC_RPR_EL1'
  | 'ICC_CTLR_EL1'
  | 'ICC_IGRPEN0_EL1'
  | 'ICC_IGRPEN1_EL1'
  | 'ICC_SRE_EL1'
  | 'ICC_SGI0R_EL1'
  | 'ICC_SGI1R_EL1'
  | 'ICC_ASGI1R_EL1';

/** Registers of the hypervisor's control interface, and ICC_SRE_EL2 (Arm IHI 0069, chapter 12.4). */
export type IchRegister =
  | 'ICC_SRE_EL2'
  | `ICH_AP0R${0 | 1 | 2 | 3}_EL2`
  | `ICH_AP1R${0 | 1 | 2 | 3}_EL2`
  | 'ICH_HCR_EL2'
  | 'ICH_VTR_EL2'
  | 'ICH_MISR_EL2'
  | 'ICH_EISR_EL2'
  | 'ICH_ELRSR_EL2'
  | 'ICH_VMCR_EL2'
  | `ICH_LR${Digit | 10 | 11 | 12 | 13 | 14 | 15}_EL2`;

/** Every register of a controller that CPUs reach as system registers. */
export type GicSystemRegister = IccRegister | IchRegister;

/**
 * What an interrupt controller offers one CPU: the signals, and its system registers if it has any (GICv3; on a GICv2 the
 * CPU interface is memory-mapped, and every register here is undefined).
 */
export interface CpuInterface {
  /** A physical IRQ (FIQ) is signalled to the CPU. */
  readonly irq: boolean;
  readonly fiq: boolean;
  /** A virtual IRQ (FIQ) is signalled, from the list registers. */
  readonly virq: boolean;
  readonly vfiq: boolean;
  /** Reads a register as EL2 sees it; reading an IAR acknowledges. Undefined: the controller does not have it. */
  readSystem(register: GicSystemRegister): Value64 | undefined;
  /** Writes a register as EL2 does. False: the controller does not have it, or it cannot be written. */
  writeSystem(register: GicSystemRegister, hi: number, lo: number): boolean;
  /** Reads a register as EL1 does whose interrupts are virtual: the ICV registers under ICC names. */
  readVirtual(register: IccRegister): Value64 | undefined;
  /** Writes a register as EL1 does whose interrupts are virtual. */
  writeVirtual(register: IccRegister, hi: number, lo: number): boolean;
}
