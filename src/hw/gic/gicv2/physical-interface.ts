/**
 * The interrupts of a physical CPU interface: those that the distributor forwards to a CPU. Arm IHI 0048B.b 3.2
 * (handling), 4.4.4 to 4.4.10 and 4.4.15.
 *
 * What the manual calls UNPREDICTABLE is reported as misuse and then done as far as it makes sense. The CPUID that a
 * write to GICC_EOIR or GICC_DIR has for an SGI is not compared: an SGI is active once on a CPU, whoever sent it.
 */
import type { InterruptSource, Pending } from './cpu-interface.js';
import { fieldMask, fieldOf, inField, lowestBit } from './fields.js';
import type { Interrupts } from './interrupts.js';
import { FIRST_PPI, GICC_CTLR, GICC_IAR } from './layout.js';
import type { Prioritization } from './prioritization.js';

/** What a physical CPU interface tells. */
export interface PhysicalPorts {
  acknowledged(cpu: number, intid: number): void;
  deactivated(cpu: number, intid: number): void;
  misuse(text: string): void;
}

const EOI_MODE = fieldMask(GICC_CTLR.EOImode);
const ACK_CTL = fieldMask(GICC_CTLR.AckCtl);

/** The interrupts that the distributor forwards to one CPU. */
export class PhysicalInterface implements InterruptSource {
  readonly isEnabled = true;
  readonly #cpu: number;
  readonly #interrupts: Interrupts;
  readonly #prioritization: Prioritization;
  readonly #ports: PhysicalPorts;
  readonly #pending = { id: 0, priority: 0, group1: false };
  /** INTIDs that were acknowledged and wait for their EOIR, the last at the end. */
  #acknowledged: number[] = [];

  constructor(cpu: number, interrupts: Interrupts, prioritization: Prioritization, ports: PhysicalPorts) {
    this.#cpu = cpu;
    this.#interrupts = interrupts;
    this.#prioritization = prioritization;
    this.#ports = ports;
  }

  highest(): Pending | undefined {
    const intid = this.#interrupts.highest(this.#cpu);
    if (intid < 0) return undefined;
    const pending = this.#pending;
    const source = intid < FIRST_PPI ? lowestBit(this.#interrupts.sources(this.#cpu, intid)) : 0;
    pending.id = intid | inField(GICC_IAR.CPUID, source);
    pending.priority = this.#interrupts.priority(this.#cpu, intid);
    pending.group1 = this.#interrupts.isGroup1(this.#cpu, intid);
    return pending;
  }

  acknowledge(): void {
    const intid = this.#interrupts.highest(this.#cpu);
    this.#interrupts.acknowledge(this.#cpu, intid);
    this.#acknowledged.push(intid);
    this.#ports.acknowledged(this.#cpu, intid);
  }

  /** 4.4.5: drops the priority, and deactivates unless GICC_CTLR.EOImode is set. */
  end(written: number, aliased: boolean, dropped: boolean): void {
    const intid = fieldOf(written, GICC_IAR.INTID);
    const register = aliased ? 'GICC_AEOIR' : 'GICC_EOIR';
    const last = this.#acknowledged.pop();
    if (!dropped) {
      this.#ports.misuse(`${register} = ${intid} while no interrupt is active on cpu ${this.#cpu}`);
    } else if (last !== undefined && last !== intid) {
      this.#ports.misuse(`${register} = ${intid}, but cpu ${this.#cpu} acknowledged ${last} last`);
    }
    const { control } = this.#prioritization;
    const group1 = this.#interrupts.has(intid) && this.#interrupts.isGroup1(this.#cpu, intid);
    if (aliased ? !group1 : group1 && (control & ACK_CTL) === 0) {
      this.#ports.misuse(`${register} = ${intid}, an interrupt of Group ${group1 ? 1 : 0}`);
    }
    if ((control & EOI_MODE) === 0) this.#deactivate(intid);
  }

  /** 4.4.15: deactivates, with GICC_CTLR.EOImode set. */
  deactivate(written: number): void {
    const intid = fieldOf(written, GICC_IAR.INTID);
    if ((this.#prioritization.control & EOI_MODE) === 0) {
      this.#ports.misuse(`GICC_DIR = ${intid} while GICC_CTLR.EOImode is 0: ignored`);
    } else if (!this.#deactivate(intid)) {
      this.#ports.misuse(`GICC_DIR = ${intid}, an interrupt that is not active`);
    }
  }

  changed(): void {}

  #deactivate(intid: number): boolean {
    if (!this.#interrupts.has(intid) || !this.#interrupts.deactivate(this.#cpu, intid)) return false;
    this.#ports.deactivated(this.#cpu, intid);
    return true;
  }

  save(): readonly number[] {
    return [...this.#acknowledged];
  }

  load(acknowledged: readonly number[]): void {
    this.#acknowledged = [...acknowledged];
  }
}
