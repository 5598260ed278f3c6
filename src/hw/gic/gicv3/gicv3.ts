/**
 * GICv3 without its ITS: a distributor, and for each PE a redistributor, a physical and a virtual CPU interface. Arm IHI
 * 0069 (issue H), chapter 3 (components and how they connect).
 *
 * A single Security state (GICD_CTLR.DS reads as one), affinity routing and system registers only. LPIs come from an ITS
 * through {@link Gicv3.lpiTargets}, or by message through GICR_SETLPIR where DirectLPI is offered. PE n has affinity
 * Aff0 = n mod 16, Aff1 = n div 16.
 *
 * Not modelled: two Security states, legacy operation (ARE = 0), extended SPI and PPI ranges, 1-of-N classes, GICv4.
 */
import type { Bus, RegisterDevice } from '../../bus.js';
import type { CpuInterface, InterruptController, InterruptLine } from '../../interrupt.js';
import type { Latency } from '../../latency.js';
import type { SavedBlock } from '../../machine.js';
import type { Observer } from '../../observer.js';
import type { LpiTarget } from '../lpi.js';
import { Distributor, type SavedDistributor } from './distributor.js';
import type { InterruptBank } from './interrupt-bank.js';
import { FIRST_PPI, FIRST_SPECIAL, FIRST_SPI, ICC_SGIR } from './layout.js';
import { type Group, priorityMask } from './priorities.js';
import { CLUSTER, ProcessingElement, type SavedPe, type Shared } from './processing-element.js';
import { RedistributorFrames } from './redistributor.js';
import { extract } from './register-word.js';

/** What a {@link Gicv3} is made of. */
export interface Gicv3Options {
  /** Who it is in what an observer tells: `gic@8000000`. */
  readonly name: string;
  readonly cpus: number;
  /** Number of SPIs: a multiple of 32 from 32 to 960, or 988. */
  readonly spis: number;
  /** Whether it has LPIs; true if not given. */
  readonly lpis?: boolean;
  /** Whether LPIs can be made pending and invalidated through GICR registers; false if not given. */
  readonly directLpi?: boolean;
  /** Bits of INTID, 14 to 24; 16 if not given. */
  readonly idBits?: number;
  /** List registers, 4 to 16; 4 if not given. */
  readonly listRegisters?: number;
  /** Implemented bits of physical and virtual priorities, 5 to 8; 5 if not given. */
  readonly priorityBits?: number;
  /** Physical address of the first redistributor's RD_base. */
  readonly redistributorBase: number;
  /** Where the tables of LPIs are. */
  readonly bus: Bus;
  readonly observer: Observer;
  readonly latency: Latency;
}

/** Types of interrupt in the first cell of a specifier (Linux binding arm,gic-v3). */
const SPECIFIER_SPI = 0;
const SPECIFIER_PPI = 1;

interface SavedGicv3 {
  readonly distributor: SavedDistributor;
  readonly pes: readonly SavedPe[];
}

/** @throws RangeError if an option is out of its range. */
function checkRange(name: string, value: number, from: number, to: number): void {
  if (!Number.isInteger(value) || value < from || value > to) {
    throw new RangeError(`${name} is ${value}, not an integer from ${from} to ${to}`);
  }
}

/** A GICv3. */
export class Gicv3 implements InterruptController, SavedBlock {
  readonly name: string;
  /** 64 KiB at GICD. */
  readonly distributor: RegisterDevice;
  /** 128 KiB for each PE, one after the other. */
  readonly redistributors: RegisterDevice;
  readonly interfaces: readonly CpuInterface[];
  readonly lpiTargets: readonly LpiTarget[];
  readonly #pes: readonly ProcessingElement[];
  readonly #distributor: Distributor;
  readonly #lines = new Map<number, InterruptLine>();
  readonly #disabling;

  /** @throws RangeError if an option is out of its range. */
  constructor(options: Gicv3Options) {
    const { name, cpus, spis, observer, latency, lpis = true } = options;
    const { directLpi = false, priorityBits = 5, idBits = 16, listRegisters = 4, redistributorBase } = options;
    checkRange('number of CPUs', cpus, 1, 256);
    checkRange('number of SPIs', spis, 32, 988);
    if (spis % 32 !== 0 && spis !== FIRST_SPECIAL - FIRST_SPI)
      throw new RangeError(`${spis} SPIs are no multiple of 32`);
    checkRange('bits of INTID', idBits, 14, 24);
    checkRange('number of list registers', listRegisters, 4, 16);
    checkRange('bits of priority', priorityBits, 5, 8);
    this.name = name;
    this.#disabling = latency.source();
    const pes: ProcessingElement[] = [];
    const changed = () => {
      for (const pe of pes) pe.physical.changed();
    };
    const misuse = (text: string) => observer.misuse(observer.actor, `${name}: ${text}`);
    this.#distributor = new Distributor({
      spis,
      lpis,
      idBits,
      priorityBits: priorityMask(priorityBits),
      targets: pes,
      peOf: (aff0, aff1, aff2, aff3) => {
        const pe = aff1 * CLUSTER + aff0;
        return aff0 < CLUSTER && aff2 === 0 && aff3 === 0 && pe < cpus ? pe : -1;
      },
      disabling: this.#disabling,
      changed,
      misuse,
    });
    const shared: Shared = {
      distributor: this.#distributor,
      changed,
      generate: (from, group, intid, hi, lo) => this.#generate(from, group, intid, hi, lo),
      event: (event, text) => observer.event({ kind: 'interrupt', device: name, name: event, text }),
      misuse,
    };
    const memory = options.bus.memory;
    const common = { cpus, lpis, directLpi, idBits, listRegisters, priorityBits, redistributorBase, memory, latency };
    for (let number = 0; number < cpus; number++) pes.push(new ProcessingElement(shared, number, common));
    this.#pes = pes;
    this.interfaces = pes;
    this.distributor = this.#distributor;
    this.redistributors = new RedistributorFrames(pes.map((pe) => pe.redistributor));
    this.lpiTargets = pes.map((pe) => pe.redistributor);
  }

  /**
   * The input of a specifier of three cells: type (0 SPI, 1 PPI), number within the type, flags. That of a PPI is CPU 0's.
   * How it is triggered is what software writes to ICFGR, whatever the flags.
   */
  line(specifier: readonly number[]): InterruptLine | undefined {
    const [type, number] = specifier;
    if (number === undefined || number < 0) return undefined;
    if (type === SPECIFIER_PPI) return this.ppi(0, number);
    if (type !== SPECIFIER_SPI) return undefined;
    const intid = FIRST_SPI + number;
    return this.#distributor.bank.has(intid) ? this.#line(this.#distributor.bank, intid, intid) : undefined;
  }

  /** The input of PPI `number` (0 is INTID 16) of a CPU. */
  ppi(cpu: number, number: number): InterruptLine | undefined {
    const pe = this.#pes[cpu];
    if (pe === undefined || number < 0 || number >= FIRST_SPI - FIRST_PPI) return undefined;
    return this.#line(pe.redistributor.bank, FIRST_PPI + number, -(1 + cpu * FIRST_SPI + number));
  }

  #line(bank: InterruptBank, intid: number, key: number): InterruptLine {
    let line = this.#lines.get(key);
    if (line === undefined) {
      line = { set: (level) => bank.setLine(intid, level) };
      this.#lines.set(key, line);
    }
    return line;
  }

  /** ICC_SGI0R_EL1 and ICC_SGI1R_EL1: an SGI is made pending where it is configured as of the register's group. */
  #generate(from: number, group: Group, intid: number, hi: number, lo: number): void {
    const { TargetList, Aff1, Aff2, Aff3, IRM, RS } = ICC_SGIR;
    const toOthers = extract(hi, IRM) === 1;
    const isElsewhere = extract(hi, RS) !== 0 || extract(hi, Aff2) !== 0 || extract(hi, Aff3) !== 0;
    if (!toOthers && isElsewhere) return;
    const cluster = extract(lo, Aff1);
    const list = extract(lo, TargetList);
    for (let number = 0; number < this.#pes.length; number++) {
      const isListed = Math.floor(number / CLUSTER) === cluster && ((list >>> (number % CLUSTER)) & 1) === 1;
      if (toOthers ? number === from : !isListed) continue;
      const { bank } = (this.#pes[number] as ProcessingElement).redistributor;
      if ((((bank.group[0] as number) >>> intid) & 1) === group) bank.setPending(0, 1 << intid);
    }
  }

  /** State as plain data. What takes time comes to its end first. */
  save(): unknown {
    this.#disabling.flush();
    return { distributor: this.#distributor.save(), pes: this.#pes.map((pe) => pe.save()) } satisfies SavedGicv3;
  }

  /**
   * Takes over saved state; no configuration of LPIs is kept.
   * @throws RangeError if the state is of another number of CPUs.
   */
  load(state: unknown): void {
    const saved = state as SavedGicv3;
    if (saved.pes.length !== this.#pes.length) {
      throw new RangeError(`${this.name}: the saved state is of ${saved.pes.length} CPUs, not ${this.#pes.length}`);
    }
    this.#disabling.flush();
    this.#distributor.load(saved.distributor);
    saved.pes.forEach((pe, number) => {
      (this.#pes[number] as ProcessingElement).load(pe);
    });
  }
}
