/**
 * The distributor's registers as software sees them. Arm IHI 0048B.b 4.1.4 (access sizes) and 4.3.
 *
 * Registers of interrupts that do not exist are RAZ/WI, as are reserved ones. IMPLEMENTATION DEFINED choices: SGIs
 * cannot be disabled, the trigger of PPIs can be set, half-word accesses are not taken, and the identification is that
 * of a GIC-400 (Arm DDI 0471).
 */
import type { Initiator, RegisterDevice } from '../../bus.js';
import { fieldOf, inField } from './fields.js';
import { type Interrupts, SGI_BITS } from './interrupts.js';
import {
  FIRST_SPI,
  GICD,
  GICD_BYTES,
  GICD_CTLR,
  GICD_IIDR,
  GICD_PIDR2,
  GICD_SGIR,
  GICD_TYPER,
  ICFGR_EDGE,
  TARGET_LIST_FILTER,
} from './layout.js';

/** What the distributor asks of the rest of the GIC. */
export interface DistributorPorts {
  /** The CPU that makes an access to a register of which each has its own. */
  accessor(from: Initiator | undefined): number;
  /** An interrupt was deactivated by a write to GICD_ICACTIVER. */
  deactivated(cpu: number, intid: number): void;
  misuse(text: string): void;
}

/** Bytes of the registers with a bit for each of 1024 interrupts, and with a byte for each. */
const BITMAP_BYTES = 0x80;
const BYTEMAP_BYTES = 0x400;
/** Bytes of GICD_ICFGR. */
const CONFIG_BYTES = 0x100;
/** Bytes of GICD_CPENDSGIR and of GICD_SPENDSGIR: one per SGI. */
const SGI_BYTES = 0x10;

/** GICD_IIDR of a GIC-400 r0p1 of Arm. */
const IIDR = inField(GICD_IIDR.Implementer, 0x43b) | inField(GICD_IIDR.Revision, 1) | inField(GICD_IIDR.ProductID, 2);
/** ICPIDR2: architecture version 2, and bits of Arm's JEP106 code. */
const PIDR2 = inField(GICD_PIDR2.ArchRev, 2) | 0xb;
/** ICPIDR4 to 7, ICPIDR0 to 3, ICCIDR0 to 3 of a GIC-400: part 0x490 of Arm. */
const IDENTIFICATION = [0x04, 0, 0, 0, 0x90, 0xb4, PIDR2, 0, 0x0d, 0xf0, 0x05, 0xb1] as const;

/** A register with a bit per interrupt: `word` names the state of 32 interrupts, `bits` those that exist. */
interface Bitmap {
  readonly read: (word: number) => number;
  readonly write: (word: number, value: number, register: number, cpu: number) => void;
}

/** The distributor. */
export class Distributor implements RegisterDevice {
  readonly #interrupts: Interrupts;
  readonly #ports: DistributorPorts;
  readonly #typer: number;
  readonly #bitmaps: ReadonlyMap<number, Bitmap>;

  constructor(interrupts: Interrupts, ports: DistributorPorts) {
    this.#interrupts = interrupts;
    this.#ports = ports;
    this.#typer =
      inField(GICD_TYPER.ITLinesNumber, interrupts.registers - 1) | inField(GICD_TYPER.CPUNumber, interrupts.cpus - 1);
    this.#bitmaps = this.#defineBitmaps();
  }

  readRegister(offset: number, width: 1 | 2 | 4, from?: Initiator): number | undefined {
    if (!isTaken(offset, width)) return undefined;
    const cpu = isBanked(offset) ? this.#ports.accessor(from) : 0;
    if (width === 1) return this.#readByte(offset, cpu);
    return (hasBytes(offset) ? this.#readBytes(offset, cpu) : this.#readWord(offset, cpu)) >>> 0;
  }

  writeRegister(offset: number, width: 1 | 2 | 4, value: number, from?: Initiator): boolean {
    if (!isTaken(offset, width)) return false;
    const cpu = isBanked(offset) ? this.#ports.accessor(from) : 0;
    if (!hasBytes(offset)) {
      this.#writeWord(offset, value >>> 0, cpu);
      return true;
    }
    for (let i = 0; i < width; i++) this.#writeByte(offset + i, (value >>> (8 * i)) & 0xff, cpu);
    return true;
  }

  /** 4.3.4 to 4.3.10. */
  #defineBitmaps(): Map<number, Bitmap> {
    const interrupts = this.#interrupts;
    /** 4.3.5, 4.3.7: private registers leave SGIs alone. */
    const butSgis = (register: number, value: number) => (register === 0 ? value & ~SGI_BITS : value);
    const enabled = (word: number) => interrupts.enabled(word);
    const pending = (word: number) => interrupts.pending(word);
    const active = (word: number) => interrupts.active(word);
    return new Map<number, Bitmap>([
      [
        GICD.IGROUPR,
        { read: (word) => interrupts.group1(word), write: (word, value) => interrupts.setGroups(word, value) },
      ],
      [
        GICD.ISENABLER,
        { read: enabled, write: (word, value, register) => interrupts.enable(word, butSgis(register, value)) },
      ],
      [
        GICD.ICENABLER,
        { read: enabled, write: (word, value, register) => interrupts.disable(word, butSgis(register, value)) },
      ],
      [
        GICD.ISPENDR,
        { read: pending, write: (word, value, register) => interrupts.setPending(word, butSgis(register, value)) },
      ],
      [
        GICD.ICPENDR,
        { read: pending, write: (word, value, register) => interrupts.clearPending(word, butSgis(register, value)) },
      ],
      [GICD.ISACTIVER, { read: active, write: (word, value) => interrupts.setActive(word, value) }],
      [
        GICD.ICACTIVER,
        { read: active, write: (word, value, register, cpu) => this.#clearActive(word, value, register, cpu) },
      ],
    ]);
  }

  #readWord(offset: number, cpu: number): number {
    const interrupts = this.#interrupts;
    if (offset >= GICD.IGROUPR && offset < GICD.IPRIORITYR) {
      const at = offset % BITMAP_BYTES;
      const register = at >>> 2;
      if (register >= interrupts.registers) return 0;
      return (this.#bitmaps.get(offset - at) as Bitmap).read(interrupts.word(cpu, register));
    }
    if (offset >= GICD.ICFGR && offset < GICD.ICFGR + CONFIG_BYTES) return this.#readConfig(offset - GICD.ICFGR, cpu);
    if (offset >= GICD.PIDR4) return IDENTIFICATION[(offset - GICD.PIDR4) >>> 2] as number;
    if (offset === GICD.CTLR) return interrupts.control;
    if (offset === GICD.TYPER) return this.#typer;
    return offset === GICD.IIDR ? IIDR : 0;
  }

  #writeWord(offset: number, value: number, cpu: number): void {
    const interrupts = this.#interrupts;
    if (offset >= GICD.IGROUPR && offset < GICD.IPRIORITYR) {
      const at = offset % BITMAP_BYTES;
      const register = at >>> 2;
      if (register >= interrupts.registers) return;
      const bits = (value & interrupts.implemented(register)) >>> 0;
      (this.#bitmaps.get(offset - at) as Bitmap).write(interrupts.word(cpu, register), bits, register, cpu);
    } else if (offset >= GICD.ICFGR && offset < GICD.ICFGR + CONFIG_BYTES) {
      this.#writeConfig(offset - GICD.ICFGR, value, cpu);
    } else if (offset === GICD.CTLR) {
      interrupts.control =
        inField(GICD_CTLR.EnableGrp0, fieldOf(value, GICD_CTLR.EnableGrp0)) |
        inField(GICD_CTLR.EnableGrp1, fieldOf(value, GICD_CTLR.EnableGrp1));
    } else if (offset === GICD.SGIR) {
      this.#generate(value, cpu);
    }
  }

  #clearActive(word: number, value: number, register: number, cpu: number): void {
    const cleared = this.#interrupts.active(word) & value;
    this.#interrupts.clearActive(word, value);
    for (let bit = 0; bit < 32; bit++) {
      if (((cleared >>> bit) & 1) === 1) this.#ports.deactivated(cpu, register * 32 + bit);
    }
  }

  /** 4.3.13: two bits per interrupt, 16 interrupts per register. */
  #readConfig(at: number, cpu: number): number {
    const register = at >>> 3;
    if (register >= this.#interrupts.registers) return 0;
    const edge = this.#interrupts.edge(this.#interrupts.word(cpu, register)) >>> ((at & 4) * 4);
    let value = 0;
    for (let i = 0; i < 16; i++) if (((edge >>> i) & 1) === 1) value |= ICFGR_EDGE << (2 * i);
    return value;
  }

  #writeConfig(at: number, value: number, cpu: number): void {
    const interrupts = this.#interrupts;
    const register = at >>> 3;
    // 4.3.13: the triggers of SGIs are read-only.
    if (register >= interrupts.registers || at === 0) return;
    const shift = (at & 4) * 4;
    let edge = 0;
    for (let i = 0; i < 16; i++) if (((value >>> (2 * i)) & ICFGR_EDGE) !== 0) edge |= 1 << i;
    const word = interrupts.word(cpu, register);
    const own = (0xffff << shift) & interrupts.implemented(register);
    const next = ((interrupts.edge(word) & ~own) | ((edge << shift) & own)) >>> 0;
    if (((next ^ interrupts.edge(word)) & interrupts.enabled(word)) !== 0) {
      // 4.3.13: UNPREDICTABLE; here the trigger changes.
      this.#ports.misuse(`GICD_ICFGR${at >>> 2} changes the trigger of an interrupt that is enabled`);
    }
    interrupts.setEdge(word, next);
  }

  /** 4.3.15: sends an SGI. NSATT means nothing without the Security Extensions. */
  #generate(value: number, cpu: number): void {
    const interrupts = this.#interrupts;
    const filter = fieldOf(value, GICD_SGIR.TargetListFilter);
    const sgi = fieldOf(value, GICD_SGIR.SGIINTID);
    const all = 2 ** interrupts.cpus - 1;
    let targets = 0;
    if (filter === TARGET_LIST_FILTER.LIST) targets = fieldOf(value, GICD_SGIR.CPUTargetList) & all;
    else if (filter === TARGET_LIST_FILTER.OTHERS) targets = all & ~(1 << cpu);
    else if (filter === TARGET_LIST_FILTER.SELF) targets = 1 << cpu;
    else this.#ports.misuse('GICD_SGIR.TargetListFilter = 3 is reserved: ignored');
    for (let target = 0; target < interrupts.cpus; target++) {
      if (((targets >>> target) & 1) === 0) continue;
      interrupts.setSources(target, sgi, interrupts.sources(target, sgi) | (1 << cpu));
    }
  }

  #readBytes(offset: number, cpu: number): number {
    let value = 0;
    for (let i = 0; i < 4; i++) value |= this.#readByte(offset + i, cpu) << (8 * i);
    return value;
  }

  /** 4.3.11, 4.3.12, 4.3.16, 4.3.17. */
  #readByte(offset: number, cpu: number): number {
    const interrupts = this.#interrupts;
    if (offset >= GICD.CPENDSGIR) return interrupts.sources(cpu, offset % SGI_BYTES);
    const intid = offset % BYTEMAP_BYTES;
    if (!interrupts.has(intid)) return 0;
    if (offset < GICD.ITARGETSR) return interrupts.priority(cpu, intid);
    if (interrupts.cpus === 1) return 0;
    return intid < FIRST_SPI ? 1 << cpu : interrupts.targets(intid);
  }

  #writeByte(offset: number, value: number, cpu: number): void {
    const interrupts = this.#interrupts;
    if (offset >= GICD.CPENDSGIR) {
      const sgi = offset % SGI_BYTES;
      const sources = interrupts.sources(cpu, sgi);
      interrupts.setSources(cpu, sgi, offset >= GICD.SPENDSGIR ? sources | value : sources & ~value);
      return;
    }
    const intid = offset % BYTEMAP_BYTES;
    if (!interrupts.has(intid)) return;
    if (offset < GICD.ITARGETSR) interrupts.setPriority(cpu, intid, value);
    else if (intid >= FIRST_SPI && interrupts.cpus > 1) interrupts.setTargets(intid, value);
  }
}

/** 4.1.4: word accesses everywhere, byte accesses to the registers with a byte per interrupt. */
function isTaken(offset: number, width: number): boolean {
  if (!(offset >= 0 && offset < GICD_BYTES) || offset % width !== 0) return false;
  return width === 4 || (width === 1 && hasBytes(offset));
}

function hasBytes(offset: number): boolean {
  return (
    (offset >= GICD.IPRIORITYR && offset < GICD.ITARGETSR + BYTEMAP_BYTES) ||
    (offset >= GICD.CPENDSGIR && offset < GICD.SPENDSGIR + SGI_BYTES)
  );
}

/** Whether each CPU has a register of its own here, or the register tells CPUs apart (4.1.4, banked registers). */
function isBanked(offset: number): boolean {
  if (offset < GICD.IGROUPR) return false;
  if (offset < GICD.IPRIORITYR) return offset % BITMAP_BYTES < 4;
  if (offset < GICD.ICFGR) return offset % BYTEMAP_BYTES < FIRST_SPI;
  if (offset < GICD.ICFGR + CONFIG_BYTES) return offset - GICD.ICFGR < FIRST_SPI / 4;
  return (
    offset >= GICD.SGIR && offset < GICD.SPENDSGIR + SGI_BYTES && (offset === GICD.SGIR || offset >= GICD.CPENDSGIR)
  );
}
