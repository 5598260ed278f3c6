/**
 * The virtual interface of one CPU: GICH, its control by a hypervisor, and what a virtual machine sets going through
 * GICV. Arm IHI 0048B.b 5.2 and 5.3.
 *
 * Nothing that a virtual machine does is misuse: where the manual calls it UNPREDICTABLE, it is ignored. GICV_AEOIR
 * does what GICV_EOIR does, whatever the group of the interrupt.
 */
import type { InterruptSource, Pending } from './cpu-interface.js';
import { fieldMask, fieldOf, inField } from './fields.js';
import {
  FIRST_PPI,
  GICC_CTLR,
  GICC_IAR,
  GICH,
  GICH_HCR,
  GICH_LR,
  GICH_MISR,
  GICH_VMCR,
  GICH_VTR,
  GICV_CTLR,
  LR_STATE,
  VIRTUAL_PRIORITY_BITS,
} from './layout.js';
import { ListRegisters } from './list-registers.js';
import { Prioritization, type SavedPrioritization } from './prioritization.js';

/** What a virtual interface tells. */
export interface VirtualPorts {
  /** Drives the maintenance interrupt. */
  maintenance(level: boolean): void;
  /** A list register with HW set was deactivated: so is its physical interrupt (5.2). */
  deactivatePhysical(intid: number): void;
  /** A virtual interrupt was acknowledged by GICV_IAR. */
  acknowledged(intid: number): void;
  /** A virtual interrupt was deactivated by GICV_EOIR or GICV_DIR. */
  deactivated(intid: number): void;
  misuse(text: string): void;
}

/** What of it goes into a snapshot. */
export interface SavedVirtualInterface {
  readonly hcr: number;
  readonly prioritization: SavedPrioritization;
  readonly lists: readonly number[];
}

const EN = fieldMask(GICH_HCR.En);
const HCR_BITS = fieldMask(...Object.values(GICH_HCR));
const EOI_MODE = fieldMask(GICC_CTLR.EOImode);
/** Where GICH_VMCR holds GICV_CTLR, bit by bit in the same places. */
const CONTROL_BITS = fieldMask(...Object.values(GICV_CTLR));
/** GICV_PMR is the upper bits of a byte, GICH_VMCR.VMPriMask those bits alone. */
const PRIORITY_SHIFT = 8 - VIRTUAL_PRIORITY_BITS;

/** The virtual interface of one CPU. */
export class VirtualInterface implements InterruptSource {
  /** GICV_CTLR, GICV_PMR, GICV_BPR, GICV_ABPR, and GICH_APR. */
  readonly prioritization = new Prioritization(VIRTUAL_PRIORITY_BITS);
  readonly #lists: ListRegisters;
  readonly #ports: VirtualPorts;
  readonly #vtr: number;
  readonly #pending = { id: 0, priority: 0, group1: false };
  #hcr = 0;

  constructor(listRegisters: number, ports: VirtualPorts) {
    this.#lists = new ListRegisters(listRegisters);
    this.#ports = ports;
    this.#vtr =
      inField(GICH_VTR.ListRegs, listRegisters - 1) |
      inField(GICH_VTR.PREbits, VIRTUAL_PRIORITY_BITS - 1) |
      inField(GICH_VTR.PRIbits, VIRTUAL_PRIORITY_BITS - 1);
  }

  // ---- 5.3: what the hypervisor sees ----

  /** Reads a GICH register by its offset, a multiple of 4. */
  read(offset: number): number {
    switch (offset) {
      case GICH.HCR:
        return this.#hcr;
      case GICH.VTR:
        return this.#vtr;
      case GICH.VMCR:
        return this.#readVmcr();
      case GICH.MISR:
        return this.#maintenanceStatus();
      case GICH.EISR0:
        return this.#lists.ended(0);
      case GICH.EISR1:
        return this.#lists.ended(1);
      case GICH.ELRSR0:
        return this.#lists.empty(0);
      case GICH.ELRSR1:
        return this.#lists.empty(1);
      case GICH.APR:
        return this.prioritization.readActive(0);
      default:
        return offset < GICH.LR ? 0 : this.#lists.read((offset - GICH.LR) >>> 2);
    }
  }

  /** Writes a GICH register by its offset, a multiple of 4. */
  write(offset: number, value: number): void {
    switch (offset) {
      case GICH.HCR:
        this.#hcr = (value & HCR_BITS) >>> 0;
        if (this.isEnabled) this.#checkAllUnique();
        break;
      case GICH.VMCR:
        this.#writeVmcr(value);
        break;
      case GICH.APR:
        this.prioritization.writeActive(0, value);
        break;
      default:
        if (offset < GICH.LR) return;
        this.#writeList((offset - GICH.LR) >>> 2, value);
    }
    this.changed();
  }

  #readVmcr(): number {
    const { control, mask, binaryPoint, aliasedBinaryPoint } = this.prioritization;
    return (
      (control |
        inField(GICH_VMCR.VMABP, aliasedBinaryPoint) |
        inField(GICH_VMCR.VMBP, binaryPoint) |
        inField(GICH_VMCR.VMPriMask, mask >>> PRIORITY_SHIFT)) >>>
      0
    );
  }

  #writeVmcr(value: number): void {
    this.prioritization.control = value & CONTROL_BITS;
    this.prioritization.aliasedBinaryPoint = fieldOf(value, GICH_VMCR.VMABP);
    this.prioritization.binaryPoint = fieldOf(value, GICH_VMCR.VMBP);
    this.prioritization.mask = fieldOf(value, GICH_VMCR.VMPriMask) << PRIORITY_SHIFT;
  }

  #writeList(index: number, value: number): void {
    this.#lists.write(index, value);
    if (index >= this.#lists.count) return;
    // 5.3.8: both UNPREDICTABLE; here the value is kept as it is.
    const state = fieldOf(value, GICH_LR.State);
    if (state !== LR_STATE.INVALID && fieldOf(value, GICH_LR.HW) === 1) {
      if (state === LR_STATE.PENDING_ACTIVE) {
        this.#ports.misuse(`GICH_LR${index} with HW = 1 is pending and active: the distributor keeps that state`);
      }
      const physical = fieldOf(value, GICH_LR.PhysicalID);
      if (physical < FIRST_PPI) this.#ports.misuse(`GICH_LR${index}.PhysicalID = ${physical} is an SGI`);
    }
    if (this.isEnabled) this.#checkUnique(index);
  }

  /** 5.2: a virtual interrupt must not be in two list registers. */
  #checkUnique(index: number): boolean {
    const other = this.#lists.duplicate(index);
    if (other < 0) return true;
    const intid = fieldOf(this.#lists.id(index), GICC_IAR.INTID);
    this.#ports.misuse(`GICH_LR${index} and GICH_LR${other} both hold virtual INTID ${intid}`);
    return false;
  }

  /** Reports the first that is not. */
  #checkAllUnique(): void {
    for (let index = 0; index < this.#lists.count; index++) if (!this.#checkUnique(index)) return;
  }

  /** 5.3.4. */
  #maintenanceStatus(): number {
    const hcr = this.#hcr;
    const asked = (field: (typeof GICH_HCR)[keyof typeof GICH_HCR]) => fieldOf(hcr, field) === 1;
    const group0 = this.prioritization.isEnabled(false);
    const group1 = this.prioritization.isEnabled(true);
    const lists = this.#lists;
    return (
      inField(GICH_MISR.EOI, Number(lists.hasEnded)) |
      inField(GICH_MISR.U, Number(asked(GICH_HCR.UIE) && lists.isUnderflow)) |
      inField(GICH_MISR.LRENP, Number(asked(GICH_HCR.LRENPIE) && fieldOf(hcr, GICH_HCR.EOICount) !== 0)) |
      inField(GICH_MISR.NP, Number(asked(GICH_HCR.NPIE) && !lists.hasPending)) |
      inField(GICH_MISR.VGrp0E, Number(asked(GICH_HCR.VGrp0EIE) && group0)) |
      inField(GICH_MISR.VGrp0D, Number(asked(GICH_HCR.VGrp0DIE) && !group0)) |
      inField(GICH_MISR.VGrp1E, Number(asked(GICH_HCR.VGrp1EIE) && group1)) |
      inField(GICH_MISR.VGrp1D, Number(asked(GICH_HCR.VGrp1DIE) && !group1))
    );
  }

  // ---- 5.2: what the virtual machine sets going ----

  get isEnabled(): boolean {
    return (this.#hcr & EN) !== 0;
  }

  highest(): Pending | undefined {
    const index = this.#lists.highest();
    if (index < 0) return undefined;
    const pending = this.#pending;
    pending.id = this.#lists.id(index);
    pending.priority = this.#lists.priority(index);
    pending.group1 = this.#lists.isGroup1(index);
    return pending;
  }

  acknowledge(): void {
    const index = this.#lists.highest();
    const intid = fieldOf(this.#lists.id(index), GICC_IAR.INTID);
    this.#lists.activate(index);
    this.#ports.acknowledged(intid);
  }

  /** 5.5.5: an end that no list register has is counted, if it dropped a priority (5.3.1, EOICount). */
  end(written: number, _aliased: boolean, dropped: boolean): void {
    if ((this.prioritization.control & EOI_MODE) !== 0) return;
    if (!this.#deactivate(written) && dropped) this.#count();
  }

  /** 5.5.14: ignored unless GICV_CTLR.EOImode is set. */
  deactivate(written: number): void {
    if ((this.prioritization.control & EOI_MODE) === 0) return;
    if (!this.#deactivate(written)) this.#count();
  }

  /** The maintenance interrupt follows GICH_MISR while GICH_HCR.En is set. */
  changed(): void {
    this.#ports.maintenance(this.isEnabled && this.#maintenanceStatus() !== 0);
  }

  #deactivate(written: number): boolean {
    const index = this.#lists.findActive(written);
    if (index < 0) return false;
    const physical = this.#lists.deactivate(index);
    this.#ports.deactivated(fieldOf(written, GICC_IAR.INTID));
    if (physical >= 0) this.#ports.deactivatePhysical(physical);
    return true;
  }

  /** EOICount wraps. */
  #count(): void {
    const { EOICount } = GICH_HCR;
    const count = (fieldOf(this.#hcr, EOICount) + 1) & EOICount.mask;
    this.#hcr = ((this.#hcr & ~fieldMask(EOICount)) | inField(EOICount, count)) >>> 0;
  }

  save(): SavedVirtualInterface {
    return { hcr: this.#hcr, prioritization: this.prioritization.save(), lists: this.#lists.save() };
  }

  /** Takes over what {@link save} gave. The maintenance interrupt is the distributor's to restore. */
  load(saved: SavedVirtualInterface): void {
    this.#hcr = saved.hcr;
    this.prioritization.load(saved.prioritization);
    this.#lists.load(saved.lists);
  }
}
