/**
 * The virtual CPU interface of one PE: the ICV registers, which a guest reaches under ICC names. Arm IHI 0069, chapter 6
 * (virtual interrupts), 12.3 (ICV).
 *
 * What a guest does here is never software's mistake: where the manual leaves an outcome open, this is chosen.
 * - EOIR when nothing is active is ignored. EOIR drops the highest active priority first; the interrupt is deactivated only
 *   if it is of the register's group and of the priority that was dropped.
 * - DIR with EOImode 0, or of an LPI, is ignored.
 * - A list register whose vINTID is special (1020 to 1023) is dropped when it comes up.
 *
 * Not modelled: direct injection of virtual interrupts (GICv4), NMIs, SEIs.
 */
import type { IccRegister } from '../../interrupt.js';
import type { Value64 } from '../../machine.js';
import type { SystemPort } from './cpu-interface.js';
import {
  FIRST_LPI,
  FIRST_SPECIAL,
  ICC_BPR,
  ICC_CTLR,
  ICC_IAR,
  ICC_IGRPEN,
  ICC_PMR,
  ICH_VMCR,
  IDLE_PRIORITY,
  SPURIOUS,
} from './layout.js';
import type { ListRegisters } from './list-registers.js';
import { commonBinaryPoint, type Group } from './priorities.js';
import { extract, insert, value32 } from './register-word.js';
import { VBPR, VENG, type VirtualControl } from './virtual-control.js';

/** What the interface asks of the rest of the controller. */
export interface VirtualEffects {
  /** The guest takes an interrupt, or is done with one. */
  acknowledged(intid: number): void;
  deactivated(intid: number): void;
  /** The physical interrupt of a list register with HW is to be deactivated. */
  deactivate(physical: number): void;
}

/** The virtual CPU interface. */
export class VirtualInterface {
  readonly ports = new Map<IccRegister, SystemPort>();
  readonly #control: VirtualControl;
  readonly #lists: ListRegisters;
  readonly #effects: VirtualEffects;

  /** @param fixed what ICC_CTLR_EL1 says of the implementation */
  constructor(control: VirtualControl, effects: VirtualEffects, fixed: number) {
    this.#control = control;
    this.#lists = control.lists;
    this.#effects = effects;
    this.#definePorts(fixed);
  }

  get virq(): boolean {
    return this.#signalled(1) >= 0;
  }

  get vfiq(): boolean {
    return this.#signalled(0) >= 0;
  }

  /** Number of the highest priority pending list register. */
  #highest(): number {
    return this.#lists.highest(this.#control.isEnabled(0), this.#control.isEnabled(1));
  }

  /** The list register that is signalled as of `group`, -1 if none is. */
  #signalled(group: Group): number {
    if (!this.#control.isOn) return -1;
    const n = this.#highest();
    if (n < 0 || this.#lists.group(n) !== group) return -1;
    const priority = this.#lists.priority(n);
    if (priority >= extract(this.#control.vmcr, ICH_VMCR.VPMR)) return -1;
    const running = this.#control.active.running;
    if (running === IDLE_PRIORITY) return n;
    return this.#control.groupPriority(group, priority) < this.#control.groupPriority(group, running) ? n : -1;
  }

  #acknowledge(group: Group): Value64 {
    const n = this.#signalled(group);
    if (n < 0) return value32(SPURIOUS);
    const intid = this.#lists.intid(n);
    if (intid >= FIRST_SPECIAL && intid < FIRST_LPI) {
      this.#lists.discard(n);
      this.#control.changed();
      return value32(SPURIOUS);
    }
    this.#control.active.raise(group, this.#control.groupPriority(group, this.#lists.priority(n)));
    this.#lists.acknowledge(n);
    this.#effects.acknowledged(intid);
    this.#control.changed();
    return value32(intid);
  }

  #end(group: Group, intid: number): void {
    if (intid >= FIRST_SPECIAL && intid < FIRST_LPI) return;
    const dropped = this.#control.active.drop();
    const isLpi = intid >= FIRST_LPI;
    // The end of an LPI is its deactivation in either mode: there is no DIR for it.
    if (dropped === IDLE_PRIORITY || (extract(this.#control.vmcr, ICH_VMCR.VEOIM) === 1 && !isLpi)) return;
    const n = this.#lists.findActive(intid);
    if (n < 0 && isLpi) return;
    if (n < 0) this.#control.countEnd();
    else if (
      this.#lists.group(n) === group &&
      this.#control.groupPriority(group, this.#lists.priority(n)) === dropped
    ) {
      this.#deactivate(n);
    }
  }

  #deactivateById(intid: number): void {
    if (intid >= FIRST_SPECIAL || extract(this.#control.vmcr, ICH_VMCR.VEOIM) === 0) return;
    const n = this.#lists.findActive(intid);
    if (n < 0) this.#control.countEnd();
    else this.#deactivate(n);
  }

  #deactivate(n: number): void {
    this.#lists.deactivate(n);
    this.#effects.deactivated(this.#lists.intid(n));
    const physical = this.#lists.physical(n);
    if (physical >= 0) this.#effects.deactivate(physical);
    this.#control.changed();
  }

  #definePort(name: IccRegister, port: SystemPort): void {
    this.ports.set(name, port);
  }

  #definePorts(fixed: number): void {
    const { VPMR, VCBPR, VEOIM } = ICH_VMCR;
    this.#definePort('ICC_PMR_EL1', {
      read: () => value32(extract(this.#control.vmcr, VPMR)),
      write: (_hi, lo) => this.#control.setVmcr(insert(this.#control.vmcr, VPMR, extract(lo, ICC_PMR.Priority))),
    });
    for (const group of [0, 1] as const) this.#defineGroup(group);
    this.#definePort('ICC_DIR_EL1', { write: (_hi, lo) => this.#deactivateById(extract(lo, ICC_IAR.INTID)) });
    this.#definePort('ICC_RPR_EL1', { read: () => value32(this.#control.active.running) });
    this.#definePort('ICC_CTLR_EL1', {
      read: () => {
        const common = insert(fixed, ICC_CTLR.CBPR, extract(this.#control.vmcr, VCBPR));
        return value32(insert(common, ICC_CTLR.EOImode, extract(this.#control.vmcr, VEOIM)));
      },
      write: (_hi, lo) => {
        const common = insert(this.#control.vmcr, VCBPR, extract(lo, ICC_CTLR.CBPR));
        this.#control.setVmcr(insert(common, VEOIM, extract(lo, ICC_CTLR.EOImode)));
      },
    });
  }

  #defineGroup(group: Group): void {
    const isCommon = () => group === 1 && extract(this.#control.vmcr, ICH_VMCR.VCBPR) === 1;
    this.#definePort(`ICC_IAR${group}_EL1`, { read: () => this.#acknowledge(group) });
    this.#definePort(`ICC_EOIR${group}_EL1`, { write: (_hi, lo) => this.#end(group, extract(lo, ICC_IAR.INTID)) });
    this.#definePort(`ICC_HPPIR${group}_EL1`, {
      read: () => {
        const n = this.#highest();
        return value32(n >= 0 && this.#lists.group(n) === group ? this.#lists.intid(n) : SPURIOUS);
      },
    });
    this.#definePort(`ICC_BPR${group}_EL1`, {
      read: () => {
        const own = extract(this.#control.vmcr, VBPR[group]);
        return value32(isCommon() ? commonBinaryPoint(extract(this.#control.vmcr, ICH_VMCR.VBPR0)) : own);
      },
      write: (_hi, lo) => {
        if (!isCommon())
          this.#control.setVmcr(insert(this.#control.vmcr, VBPR[group], extract(lo, ICC_BPR.BinaryPoint)));
      },
    });
    this.#definePort(`ICC_IGRPEN${group}_EL1`, {
      read: () => value32(extract(this.#control.vmcr, VENG[group])),
      write: (_hi, lo) =>
        this.#control.setVmcr(insert(this.#control.vmcr, VENG[group], extract(lo, ICC_IGRPEN.Enable))),
    });
    for (let n = 0; n < this.#control.active.registers; n++) {
      this.#definePort(`ICC_AP${group}R${n as 0 | 1 | 2 | 3}_EL1`, this.#control.activePort(group, n));
    }
  }
}
