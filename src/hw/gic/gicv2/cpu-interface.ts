/**
 * The registers of a CPU interface: GICC, and GICV, which has the same for a virtual machine. Arm IHI 0048B.b 4.4 and
 * 5.5; a GIC without the Security Extensions answers as to Secure accesses (4.4.4 and 4.4.7, GICC_CTLR.AckCtl).
 *
 * Reserved registers are RAZ/WI. Not modelled: the bypass of the interrupt signals (the bits of GICC_CTLR are kept),
 * and GICC_NSAPR (RAZ/WI without the Security Extensions).
 */
import { fieldMask, fieldOf, inField } from './fields.js';
import { FIRST_SPECIAL, GICC, GICC_CTLR, GICC_IAR, GICC_IIDR, GROUP1_PENDING, SPURIOUS } from './layout.js';
import type { Prioritization } from './prioritization.js';

/** An interrupt that is pending. */
export interface Pending {
  /** INTID, and CPUID for an SGI, as GICC_IAR has them. */
  readonly id: number;
  readonly priority: number;
  readonly group1: boolean;
}

/** Where a CPU interface has its interrupts from: the distributor, or list registers. */
export interface InterruptSource {
  /** Whether it signals interrupts and lets them be acknowledged at all. */
  readonly isEnabled: boolean;
  /** The highest-priority interrupt that is pending and not active, if there is one. Valid until the next call. */
  highest(): Pending | undefined;
  /** Makes the highest-priority pending interrupt active. */
  acknowledge(): void;
  /**
   * EOIR or AEOIR was written, with an INTID that may be one.
   * @param written what was written
   * @param aliased whether to AEOIR
   * @param dropped whether there was an active priority to drop
   */
  end(written: number, aliased: boolean, dropped: boolean): void;
  /** DIR was written, with an INTID that may be one. */
  deactivate(written: number): void;
  /** A register changed that says what is signalled. */
  changed(): void;
}

/** Which GICC_CTLR bits an interface has. */
export const GICC_CONTROL_BITS = fieldMask(...Object.values(GICC_CTLR));

const ACK_CTL = fieldMask(GICC_CTLR.AckCtl);
const FIQ_EN = fieldMask(GICC_CTLR.FIQEn);

/** GICC_IIDR of a GIC-400 r0p1 of Arm; GICV_IIDR is the same. */
const IIDR =
  inField(GICC_IIDR.Implementer, 0x43b) |
  inField(GICC_IIDR.Revision, 1) |
  inField(GICC_IIDR.ArchitectureVersion, 2) |
  inField(GICC_IIDR.ProductID, 0x20);
/** Registers of active priorities that the map has room for. */
const ACTIVE_REGISTERS = 4;

/** A CPU interface. */
export class CpuInterfaceRegisters {
  readonly #prioritization: Prioritization;
  readonly #source: InterruptSource;
  readonly #controlBits: number;

  constructor(prioritization: Prioritization, source: InterruptSource, controlBits: number) {
    this.#prioritization = prioritization;
    this.#source = source;
    this.#controlBits = controlBits;
  }

  /** What is signalled to the CPU now: Group 1 as an IRQ, Group 0 as an FIQ if CTLR.FIQEn is set. */
  get signal(): 'irq' | 'fiq' | undefined {
    const pending = this.#sufficient();
    if (pending === undefined) return undefined;
    return !pending.group1 && (this.#prioritization.control & FIQ_EN) !== 0 ? 'fiq' : 'irq';
  }

  /** Reads a register by its offset, a multiple of 4. */
  read(offset: number): number {
    const { control, mask, binaryPoint, aliasedBinaryPoint, running } = this.#prioritization;
    switch (offset) {
      case GICC.CTLR:
        return control;
      case GICC.PMR:
        return mask;
      case GICC.BPR:
        return binaryPoint;
      case GICC.IAR:
        return this.#acknowledge(false);
      case GICC.RPR:
        return Math.min(running, 0xff);
      case GICC.HPPIR:
        return this.#highest(false);
      case GICC.ABPR:
        return aliasedBinaryPoint;
      case GICC.AIAR:
        return this.#acknowledge(true);
      case GICC.AHPPIR:
        return this.#highest(true);
      case GICC.IIDR:
        return IIDR;
      default:
        return isActivePriorities(offset) ? this.#prioritization.readActive((offset - GICC.APR) >>> 2) : 0;
    }
  }

  /** Writes a register by its offset, a multiple of 4. */
  write(offset: number, value: number): void {
    switch (offset) {
      case GICC.CTLR:
        this.#prioritization.control = value & this.#controlBits;
        break;
      case GICC.PMR:
        this.#prioritization.mask = value;
        break;
      case GICC.BPR:
        this.#prioritization.binaryPoint = value;
        break;
      case GICC.EOIR:
        this.#end(value, false);
        break;
      case GICC.ABPR:
        this.#prioritization.aliasedBinaryPoint = value;
        break;
      case GICC.AEOIR:
        this.#end(value, true);
        break;
      case GICC.DIR:
        if (fieldOf(value, GICC_IAR.INTID) < FIRST_SPECIAL) this.#source.deactivate(value);
        break;
      default:
        if (!isActivePriorities(offset)) return;
        this.#prioritization.writeActive((offset - GICC.APR) >>> 2, value);
    }
    this.#source.changed();
  }

  /** The highest-priority pending interrupt, if it is signalled. */
  #sufficient(): Pending | undefined {
    if (!this.#source.isEnabled) return undefined;
    const pending = this.#forwarded();
    if (pending === undefined) return undefined;
    return this.#prioritization.isSufficient(pending.priority, pending.group1) ? pending : undefined;
  }

  /** The highest-priority pending interrupt, if CTLR enables its group. None of the other group takes its place. */
  #forwarded(): Pending | undefined {
    const pending = this.#source.highest();
    return pending !== undefined && this.#prioritization.isEnabled(pending.group1) ? pending : undefined;
  }

  /** What a read of IAR or HPPIR, or of their aliases, tells of a pending interrupt (4.4.4, 4.4.7, 4.4.9, 4.4.11). */
  #visible(pending: Pending | undefined, aliased: boolean): number {
    if (pending === undefined) return SPURIOUS;
    if (aliased) return pending.group1 ? pending.id : SPURIOUS;
    return pending.group1 && (this.#prioritization.control & ACK_CTL) === 0 ? GROUP1_PENDING : pending.id;
  }

  /** HPPIR does not look at the priority mask or the running priority (4.4.7). */
  #highest(aliased: boolean): number {
    return this.#visible(this.#forwarded(), aliased);
  }

  #acknowledge(aliased: boolean): number {
    const pending = this.#sufficient();
    const id = this.#visible(pending, aliased);
    if (pending === undefined || fieldOf(id, GICC_IAR.INTID) >= FIRST_SPECIAL) return id;
    this.#prioritization.activate(pending.priority, pending.group1);
    this.#source.acknowledge();
    this.#source.changed();
    return id;
  }

  /** 4.4.5: a write of a special INTID does nothing. */
  #end(value: number, aliased: boolean): void {
    if (fieldOf(value, GICC_IAR.INTID) >= FIRST_SPECIAL) return;
    this.#source.end(value, aliased, this.#prioritization.drop());
  }
}

function isActivePriorities(offset: number): boolean {
  return offset >= GICC.APR && offset < GICC.APR + ACTIVE_REGISTERS * 4;
}
