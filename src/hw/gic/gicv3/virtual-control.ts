/**
 * The hypervisor's control of a virtual CPU interface: the ICH registers. Arm IHI 0069, chapter 6 (virtual interrupts,
 * maintenance interrupts), 12.4 (ICH).
 *
 * EOIcount wraps. Not modelled: direct injection of virtual interrupts (GICv4), NMIs, SEIs.
 */
import { encode } from '../../bits.js';
import type { GicSystemRegister, IchRegister } from '../../interrupt.js';
import type { SystemPort } from './cpu-interface.js';
import { ICH_EISR, ICH_ELRSR, ICH_HCR, ICH_MISR, ICH_VMCR, ICH_VTR } from './layout.js';
import { ListRegisters } from './list-registers.js';
import {
  ActivePriorities,
  binaryPointMinimum,
  type Group,
  groupPriorityMask,
  preemptionBits,
  priorityMask,
} from './priorities.js';
import { bitsOf, extract, insert, value32 } from './register-word.js';

/** What the control asks of the rest of the controller. */
export interface ControlEffects {
  /** The maintenance interrupt has this level. */
  maintenance(level: boolean): void;
  /** The hypervisor did what the manual calls UNPREDICTABLE. */
  misuse(text: string): void;
}

/** The interface as saved. */
export interface SavedVirtualControl {
  readonly hcr: number;
  readonly vmcr: number;
  readonly active: readonly number[];
  readonly lo: readonly number[];
  readonly hi: readonly number[];
}

const HCR_WRITABLE = bitsOf(
  ICH_HCR.En,
  ICH_HCR.UIE,
  ICH_HCR.LRENPIE,
  ICH_HCR.NPIE,
  ICH_HCR.VGrp0EIE,
  ICH_HCR.VGrp0DIE,
  ICH_HCR.VGrp1EIE,
  ICH_HCR.VGrp1DIE,
  ICH_HCR.TC,
  ICH_HCR.TALL0,
  ICH_HCR.TALL1,
  ICH_HCR.TDIR,
  ICH_HCR.EOIcount,
);
const VMCR_WRITABLE = bitsOf(
  ICH_VMCR.VENG0,
  ICH_VMCR.VENG1,
  ICH_VMCR.VCBPR,
  ICH_VMCR.VEOIM,
  ICH_VMCR.VBPR1,
  ICH_VMCR.VBPR0,
  ICH_VMCR.VPMR,
);
/** With SRE fixed at 1, VFIQEn is RES1 and VAckCtl RES0. */
const VMCR_FIXED = bitsOf(ICH_VMCR.VFIQEn);
/** Fields of ICH_VMCR_EL2 by group. */
export const VENG = [ICH_VMCR.VENG0, ICH_VMCR.VENG1] as const;
export const VBPR = [ICH_VMCR.VBPR0, ICH_VMCR.VBPR1] as const;

/** State and ICH registers of a virtual CPU interface. */
export class VirtualControl {
  readonly ports = new Map<GicSystemRegister, SystemPort>();
  readonly lists: ListRegisters;
  readonly active: ActivePriorities;
  readonly #effects: ControlEffects;
  /** Implemented bits of a priority. */
  readonly #bits: number;
  readonly #minimum: number;
  #hcr = 0;
  #vmcr = 0;

  /**
   * @param bits implemented bits of a priority
   * @param idBits bits of a virtual INTID: 16 or 24
   */
  constructor(effects: ControlEffects, listRegisters: number, bits: number, idBits: number) {
    this.#effects = effects;
    this.#bits = bits;
    this.#minimum = binaryPointMinimum(bits);
    this.lists = new ListRegisters(listRegisters, idBits, priorityMask(bits));
    this.active = new ActivePriorities(bits);
    this.setVmcr(0);
    this.#definePorts(idBits);
  }

  /** The interface is on. */
  get isOn(): boolean {
    return extract(this.#hcr, ICH_HCR.En) === 1;
  }

  /** ICH_VMCR_EL2. */
  get vmcr(): number {
    return this.#vmcr;
  }

  /** Takes over a value of ICH_VMCR_EL2. Binary points below their minimum become the minimum. */
  setVmcr(value: number): void {
    let vmcr = (value & VMCR_WRITABLE) | VMCR_FIXED;
    vmcr = insert(vmcr, ICH_VMCR.VPMR, extract(vmcr, ICH_VMCR.VPMR) & priorityMask(this.#bits));
    for (const group of [0, 1] as const) {
      vmcr = insert(vmcr, VBPR[group], Math.max(extract(vmcr, VBPR[group]), this.#minimum + group));
    }
    this.#vmcr = vmcr;
    this.changed();
  }

  /** Whether the guest has a group enabled. */
  isEnabled(group: Group): boolean {
    return extract(this.#vmcr, VENG[group]) === 1;
  }

  /** The group priority of a priority, by the guest's binary points. */
  groupPriority(group: Group, priority: number): number {
    const { VBPR0, VBPR1, VCBPR } = ICH_VMCR;
    const common = extract(this.#vmcr, VCBPR) === 1;
    return priority & groupPriorityMask(group, extract(this.#vmcr, VBPR0), extract(this.#vmcr, VBPR1), common);
  }

  /** The guest ended an interrupt that no list register holds. */
  countEnd(): void {
    this.#hcr = insert(this.#hcr, ICH_HCR.EOIcount, extract(this.#hcr, ICH_HCR.EOIcount) + 1);
    this.changed();
  }

  /** Something that a maintenance interrupt may tell of has changed. */
  changed(): void {
    this.#effects.maintenance(this.isOn && this.#maintenanceState() !== 0);
  }

  /** ICH_MISR_EL2. */
  #maintenanceState(): number {
    const hcr = this.#hcr;
    const lists = this.lists;
    const isSet = (field: (typeof ICH_HCR)[keyof typeof ICH_HCR]) => extract(hcr, field) === 1;
    let state = lists.ended !== 0 ? bitsOf(ICH_MISR.EOI) : 0;
    if (isSet(ICH_HCR.UIE) && lists.valid <= 1) state |= bitsOf(ICH_MISR.U);
    if (isSet(ICH_HCR.LRENPIE) && extract(hcr, ICH_HCR.EOIcount) !== 0) state |= bitsOf(ICH_MISR.LRENP);
    if (isSet(ICH_HCR.NPIE) && !lists.hasPending) state |= bitsOf(ICH_MISR.NP);
    if (isSet(ICH_HCR.VGrp0EIE) && this.isEnabled(0)) state |= bitsOf(ICH_MISR.VGrp0E);
    if (isSet(ICH_HCR.VGrp0DIE) && !this.isEnabled(0)) state |= bitsOf(ICH_MISR.VGrp0D);
    if (isSet(ICH_HCR.VGrp1EIE) && this.isEnabled(1)) state |= bitsOf(ICH_MISR.VGrp1E);
    if (isSet(ICH_HCR.VGrp1DIE) && !this.isEnabled(1)) state |= bitsOf(ICH_MISR.VGrp1D);
    return state;
  }

  /** AP0R<n> or AP1R<n>, which the guest reaches as well. */
  activePort(group: Group, n: number): SystemPort {
    const words = this.active.words[group];
    return {
      read: () => value32(words[n] as number),
      write: (_hi, lo) => {
        words[n] = lo;
      },
    };
  }

  #definePorts(idBits: number): void {
    const define = (name: IchRegister, port: SystemPort) => this.ports.set(name, port);
    for (const group of [0, 1] as const) {
      for (let n = 0; n < this.active.registers; n++) {
        define(`ICH_AP${group}R${n as 0 | 1 | 2 | 3}_EL2`, this.activePort(group, n));
      }
    }
    define('ICH_HCR_EL2', {
      read: () => value32(this.#hcr),
      write: (_hi, lo) => {
        this.#hcr = lo & HCR_WRITABLE;
        this.changed();
      },
    });
    const vtr = encode(ICH_VTR, 64, {
      ListRegs: this.lists.count - 1,
      TDS: 1,
      nV4: 1,
      IDbits: idBits > 16 ? 1 : 0,
      PREbits: preemptionBits(this.#bits) - 1,
      PRIbits: this.#bits - 1,
    })[0] as number;
    define('ICH_VTR_EL2', { read: () => value32(vtr) });
    define('ICH_MISR_EL2', { read: () => value32(this.#maintenanceState()) });
    define('ICH_EISR_EL2', { read: () => value32(insert(0, ICH_EISR.Status, this.lists.ended)) });
    define('ICH_ELRSR_EL2', { read: () => value32(insert(0, ICH_ELRSR.Status, this.lists.empty)) });
    define('ICH_VMCR_EL2', { read: () => value32(this.#vmcr), write: (_hi, lo) => this.setVmcr(lo) });
    for (let n = 0; n < this.lists.count; n++) {
      define(`ICH_LR${n as 0}_EL2`, {
        read: () => ({ hi: this.lists.hi[n] as number, lo: this.lists.lo[n] as number }),
        write: (hi, lo) => {
          this.lists.write(n, hi, lo);
          if (this.lists.isUnpredictable(n)) {
            this.#effects.misuse(`ICH_LR${n}_EL2 written with HW set, pending and active`);
          }
          this.changed();
        },
      });
    }
  }

  save(): SavedVirtualControl {
    return {
      hcr: this.#hcr,
      vmcr: this.#vmcr,
      active: this.active.save(),
      lo: [...this.lists.lo],
      hi: [...this.lists.hi],
    };
  }

  load(saved: SavedVirtualControl): void {
    this.#hcr = saved.hcr;
    this.#vmcr = saved.vmcr;
    this.active.load(saved.active);
    this.lists.lo.set(saved.lo);
    this.lists.hi.set(saved.hi);
  }
}
