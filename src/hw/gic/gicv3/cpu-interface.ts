/**
 * The physical CPU interface of one PE: the ICC registers. Arm IHI 0069 4.1 (handling of an interrupt), 4.8 (priorities and
 * preemption), 12.2 (registers). System registers only: SRE, DFB and DIB are RAO/WI.
 *
 * A single Security state without EL3: Group 0 is signalled as FIQ, Group 1 as IRQ, and the binary point of Group 1 is one
 * more than that of Group 0. ASGI1R would reach the other Security state, which there is none of: no effect.
 *
 * Not modelled: the bypass signals, PMHE (RAZ/WI), NMIs, SEIs.
 */
import { encode } from '../../bits.js';
import type { GicSystemRegister } from '../../interrupt.js';
import type { Value64 } from '../../machine.js';
import {
  FIRST_LPI,
  FIRST_SPECIAL,
  ICC_BPR,
  ICC_CTLR,
  ICC_IAR,
  ICC_IGRPEN,
  ICC_SGIR,
  ICC_SRE,
  IDLE_PRIORITY,
  SPURIOUS,
} from './layout.js';
import {
  ActivePriorities,
  binaryPointMinimum,
  commonBinaryPoint,
  type Group,
  groupPriorityMask,
  HighestPending,
  priorityMask,
} from './priorities.js';
import { bitsOf, extract, insert, value32 } from './register-word.js';

/** A system register: what an access does. Without `write` it is read-only, without `read` write-only. */
export interface SystemPort {
  readonly read?: () => Value64;
  readonly write?: (hi: number, lo: number) => void;
}

/** What the interface asks of the distributor and its redistributor. */
export interface PhysicalSource {
  /** Offers every interrupt that waits for the PE. Nothing if the PE sleeps. */
  offer(group0: boolean, group1: boolean, best: HighestPending): void;
  /** Pending becomes active, or for an LPI no longer pending. */
  acknowledge(intid: number): void;
  isActive(intid: number): boolean;
  /** An interrupt that is not active stays as it is. */
  deactivate(intid: number): void;
  /** Makes an SGI pending for the PEs that a write to SGI0R or SGI1R names. */
  generate(group: Group, intid: number, hi: number, lo: number): void;
  /** The interface takes part in the distribution of a group, or no longer. */
  enabled(): void;
  misuse(text: string): void;
}

/** The interface as saved. */
export interface SavedInterface {
  readonly registers: readonly number[];
  readonly active: readonly number[];
}

const CTLR_WRITABLE = bitsOf(ICC_CTLR.CBPR, ICC_CTLR.EOImode);
const SRE_FIXED = bitsOf(ICC_SRE.SRE, ICC_SRE.DFB, ICC_SRE.DIB);

/** What ICC_CTLR_EL1 and ICV_CTLR_EL1 say of the implementation. */
export function implementedControl(bits: number, idBits: number): number {
  return encode(ICC_CTLR, 64, { PRIbits: bits - 1, IDbits: idBits > 16 ? 1 : 0 })[0] as number;
}

/** The physical CPU interface. */
export class PhysicalInterface {
  readonly ports = new Map<GicSystemRegister, SystemPort>();
  readonly #source: PhysicalSource;
  readonly #active: ActivePriorities;
  readonly #best = new HighestPending();
  readonly #priorityBits: number;
  readonly #minimum: number;
  readonly #ctlrFixed: number;
  #stale = true;
  #pmr = 0;
  #bpr: [number, number];
  #enabled: [boolean, boolean] = [false, false];
  #ctlr = 0;
  /** ICC_SRE_EL2.Enable. */
  #sreEnable = 0;

  constructor(source: PhysicalSource, bits: number, idBits: number) {
    this.#source = source;
    this.#active = new ActivePriorities(bits);
    this.#priorityBits = priorityMask(bits);
    this.#minimum = binaryPointMinimum(bits);
    this.#bpr = [this.#minimum, this.#minimum + 1];
    this.#ctlrFixed = implementedControl(bits, idBits);
    this.#definePorts();
  }

  /** What waits for the PE has changed. */
  changed(): void {
    this.#stale = true;
  }

  /** Whether a group is enabled in the interface (IGRPEN). */
  takes(group: Group): boolean {
    return this.#enabled[group];
  }

  get irq(): boolean {
    return this.#signals(1);
  }

  get fiq(): boolean {
    return this.#signals(0);
  }

  #highest(): HighestPending {
    if (this.#stale) {
      this.#stale = false;
      this.#best.reset();
      this.#source.offer(this.#enabled[0], this.#enabled[1], this.#best);
    }
    return this.#best;
  }

  #groupPriority(group: Group, priority: number): number {
    const common = extract(this.#ctlr, ICC_CTLR.CBPR) === 1;
    return priority & groupPriorityMask(group, this.#bpr[0], this.#bpr[1], common);
  }

  /** Whether the highest priority pending interrupt is of `group` and of sufficient priority. */
  #signals(group: Group): boolean {
    const best = this.#highest();
    if (best.intid < 0 || best.group !== group || best.priority >= this.#pmr) return false;
    const running = this.#active.running;
    return running === IDLE_PRIORITY || this.#groupPriority(group, best.priority) < this.#groupPriority(group, running);
  }

  #acknowledge(group: Group): Value64 {
    if (!this.#signals(group)) return value32(SPURIOUS);
    const { intid, priority } = this.#best;
    this.#active.raise(group, this.#groupPriority(group, priority));
    this.#source.acknowledge(intid);
    return value32(intid);
  }

  #pending(group: Group): Value64 {
    const best = this.#highest();
    return value32(best.intid >= 0 && best.group === group ? best.intid : SPURIOUS);
  }

  #end(group: Group, intid: number): void {
    if (intid >= FIRST_SPECIAL && intid < FIRST_LPI) return;
    if (!this.#active.isRunning(group)) {
      this.#source.misuse(`ICC_EOIR${group}_EL1 = ${intid}: no interrupt of Group ${group} has the running priority`);
      return;
    }
    if (intid < FIRST_LPI && !this.#source.isActive(intid)) {
      this.#source.misuse(`ICC_EOIR${group}_EL1 = ${intid}: that interrupt is not active`);
    }
    this.#active.drop();
    if (intid < FIRST_LPI && extract(this.#ctlr, ICC_CTLR.EOImode) === 0) this.#source.deactivate(intid);
  }

  #deactivate(intid: number): void {
    if (intid >= FIRST_SPECIAL) return;
    if (extract(this.#ctlr, ICC_CTLR.EOImode) === 0) {
      this.#source.misuse(`ICC_DIR_EL1 = ${intid} while ICC_CTLR_EL1.EOImode is 0: ignored`);
      return;
    }
    this.#source.deactivate(intid);
  }

  #writeBinaryPoint(group: Group, value: number): void {
    if (group === 1 && extract(this.#ctlr, ICC_CTLR.CBPR) === 1) return;
    this.#bpr[group] = Math.max(extract(value, ICC_BPR.BinaryPoint), this.#minimum + group);
  }

  #enable(group: Group, value: number): void {
    this.#enabled[group] = extract(value, ICC_IGRPEN.Enable) === 1;
    this.#source.enabled();
  }

  #definePorts(): void {
    const define = (name: GicSystemRegister, port: SystemPort) => this.ports.set(name, port);
    define('ICC_PMR_EL1', {
      read: () => value32(this.#pmr),
      write: (_hi, lo) => {
        this.#pmr = lo & this.#priorityBits;
      },
    });
    for (const group of [0, 1] as const) this.#defineGroup(group);
    define('ICC_DIR_EL1', { write: (_hi, lo) => this.#deactivate(extract(lo, ICC_IAR.INTID)) });
    define('ICC_RPR_EL1', { read: () => value32(this.#active.running) });
    define('ICC_CTLR_EL1', {
      read: () => value32(this.#ctlr | this.#ctlrFixed),
      write: (_hi, lo) => {
        this.#ctlr = lo & CTLR_WRITABLE;
      },
    });
    define('ICC_SGI0R_EL1', { write: (hi, lo) => this.#source.generate(0, extract(lo, ICC_SGIR.INTID), hi, lo) });
    define('ICC_SGI1R_EL1', { write: (hi, lo) => this.#source.generate(1, extract(lo, ICC_SGIR.INTID), hi, lo) });
    define('ICC_ASGI1R_EL1', { write: () => {} });
    define('ICC_SRE_EL1', { read: () => value32(SRE_FIXED), write: () => {} });
    define('ICC_SRE_EL2', {
      read: () => value32(insert(SRE_FIXED, ICC_SRE.Enable, this.#sreEnable)),
      write: (_hi, lo) => {
        this.#sreEnable = extract(lo, ICC_SRE.Enable);
      },
    });
  }

  #defineGroup(group: Group): void {
    const define = (name: GicSystemRegister, port: SystemPort) => this.ports.set(name, port);
    define(`ICC_IAR${group}_EL1`, { read: () => this.#acknowledge(group) });
    define(`ICC_EOIR${group}_EL1`, { write: (_hi, lo) => this.#end(group, extract(lo, ICC_IAR.INTID)) });
    define(`ICC_HPPIR${group}_EL1`, { read: () => this.#pending(group) });
    define(`ICC_BPR${group}_EL1`, {
      read: () => {
        const common = group === 1 && extract(this.#ctlr, ICC_CTLR.CBPR) === 1;
        return value32(common ? commonBinaryPoint(this.#bpr[0]) : this.#bpr[group]);
      },
      write: (_hi, lo) => this.#writeBinaryPoint(group, lo),
    });
    define(`ICC_IGRPEN${group}_EL1`, {
      read: () => value32(this.#enabled[group] ? 1 : 0),
      write: (_hi, lo) => this.#enable(group, lo),
    });
    for (let n = 0; n < this.#active.registers; n++) {
      const words = this.#active.words[group];
      define(`ICC_AP${group}R${n as 0 | 1 | 2 | 3}_EL1`, {
        read: () => value32(words[n] as number),
        write: (_hi, lo) => {
          words[n] = lo;
        },
      });
    }
  }

  save(): SavedInterface {
    const enabled = this.#enabled.map((on) => (on ? 1 : 0));
    return {
      registers: [this.#pmr, ...this.#bpr, ...enabled, this.#ctlr, this.#sreEnable],
      active: this.#active.save(),
    };
  }

  load({ registers, active }: SavedInterface): void {
    const [pmr = 0, bpr0 = 0, bpr1 = 0, enabled0, enabled1, ctlr = 0, sreEnable = 0] = registers;
    this.#pmr = pmr;
    this.#bpr = [bpr0, bpr1];
    this.#enabled = [enabled0 === 1, enabled1 === 1];
    this.#ctlr = ctlr;
    this.#sreEnable = sreEnable;
    this.#active.load(active);
    this.#stale = true;
  }
}
