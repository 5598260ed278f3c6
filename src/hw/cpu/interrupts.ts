/**
 * Physical interrupts as a CPU takes them to EL2. Arm DDI 0487 D1.3.6 (asynchronous exceptions), HCR_EL2.IMO.
 *
 * While the vector runs, interrupts are masked (PSTATE.I); behind it they are unmasked again, and what is still signalled is
 * taken anew. Physical FIQs are not modelled: a hypervisor on one Security state configures every interrupt as Group 1.
 */
import { get } from '../bits.js';
import type { InterruptVector } from '../machine.js';
import type { Observer } from '../observer.js';
import { HCR_EL2 } from './layout.js';
import type { Cpu } from './state.js';

/** Interrupts that are taken in a row before the vector counts as not acknowledging them. */
const ROUNDS = 64;

/** Takes interrupts to the hypervisor's vector. */
export class InterruptEntry {
  readonly #observer: Observer;
  readonly #hypervisor: string;
  #vector: InterruptVector | undefined;

  /** @param hypervisor who runs at EL2 */
  constructor(observer: Observer, hypervisor: string) {
    this.#observer = observer;
    this.#hypervisor = hypervisor;
  }

  setVector(vector: InterruptVector): void {
    this.#vector = vector;
  }

  /**
   * Takes interrupts until none is signalled. Nothing while the CPU is in a vector, and none while it runs a guest to which
   * physical interrupts go (HCR_EL2.IMO clear).
   * @throws Error if one is signalled and there is no vector.
   */
  take(number: number, cpu: Cpu): void {
    const offered = cpu.interface;
    if (offered === undefined || cpu.trapped) return;
    if (offered.fiq) this.#reportFiq(cpu);
    if (!offered.irq || !this.#goesToHypervisor(cpu)) return;
    const vector = this.#vector;
    if (vector === undefined) throw new Error(`an IRQ is signalled to ${cpu.name}, and there is no vector`);
    const observer = this.#observer;
    const actor = observer.actor;
    observer.actor = this.#hypervisor;
    cpu.trapped = true;
    try {
      for (let round = 0; offered.irq; round++) {
        if (round === ROUNDS) {
          observer.misuse(this.#hypervisor, `interrupt storm: ${cpu.name} is still signalled an IRQ after ${ROUNDS}`);
          return;
        }
        vector(number);
      }
    } finally {
      cpu.trapped = false;
      observer.actor = actor;
    }
  }

  #goesToHypervisor(cpu: Cpu): boolean {
    return cpu.guest === undefined || get(cpu.words('HCR_EL2'), HCR_EL2.IMO) === 1;
  }

  #reportFiq(cpu: Cpu): void {
    if (cpu.fiqReported) return;
    cpu.fiqReported = true;
    this.#observer.unmodelled(cpu.name, 'a physical FIQ is signalled (an interrupt of Group 0)');
  }
}
