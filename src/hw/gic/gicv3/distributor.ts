/**
 * The distributor: SPIs, their registers and their routing. Arm IHI 0069 2.3 (affinity routing), 4.1 (life cycle of an
 * interrupt), 12.8 and 12.9 (registers). A single Security state (DS reads as one) and affinity routing only: ARE reads as
 * one and writes to it are ignored, so the registers of legacy operation are RES0, and SGIs and PPIs are in the
 * redistributors alone.
 *
 * - Disabling takes effect some time later: an interrupt, or a group, goes on being forwarded while RWP is set.
 * - IROUTER.IRM = 1 picks the PE with the lowest number among those that take part: awake, with the group enabled in its
 *   CPU interface. An affinity that no PE has leaves the interrupt pending.
 *
 * Not modelled: GICD_CTLR.E1NWF (RAZ/WI), extended SPIs, the message registers of the Secure state.
 */
import { encode } from '../../bits.js';
import type { RegisterDevice } from '../../bus.js';
import type { Deferral } from '../../latency.js';
import { BankRegisters } from './bank-registers.js';
import { InterruptBank, type SavedBank } from './interrupt-bank.js';
import {
  ARCH_REV,
  FIRST_SPECIAL,
  FIRST_SPI,
  GICD,
  GICD_BYTES,
  GICD_CTLR,
  GICD_IROUTER,
  GICD_PIDR2,
  GICD_SETSPI,
  GICD_STATUSR,
  GICD_TYPER,
  GICD_TYPER2,
} from './layout.js';
import type { Group, HighestPending } from './priorities.js';
import { bitsOf, extract, insert } from './register-word.js';

/** Identification of a CoreSight component, CIDR0 to CIDR3 (12.9, GICD_CIDR). */
const COMPONENT_ID = [0x0d, 0xf0, 0x05, 0xb1] as const;

/** GICD_TYPER2: no GICv4.1, and SGIs have an active state. */
const TYPER2 = encode(GICD_TYPER2, 32, { VID: 0, VIL: 0, nASSGIcap: 0 })[0] as number;

/** GICD_PIDR2 and GICR_PIDR2. */
const PIDR2 = encode(GICD_PIDR2, 32, { ArchRev: ARCH_REV.GICv3 })[0] as number;

/** The identification registers, at the end of each frame: PIDR4 to CIDR3. */
export function readIdentification(offset: number): number {
  if (offset === GICD.PIDR2) return PIDR2;
  return offset >= GICD.CIDR0 ? (COMPONENT_ID[(offset - GICD.CIDR0) / 4] as number) : 0;
}

/** A PE as a target of SPIs. */
export interface SpiTarget {
  /** Takes part in the choice of one among N for a group. */
  takesPart(group: Group): boolean;
}

/** What the distributor is made of. */
export interface DistributorOptions {
  readonly spis: number;
  readonly lpis: boolean;
  readonly idBits: number;
  /** The implemented bits of a priority, in place. */
  readonly priorityBits: number;
  readonly targets: readonly SpiTarget[];
  /** Number of the PE with an affinity, -1 if there is none. */
  readonly peOf: (aff0: number, aff1: number, aff2: number, aff3: number) => number;
  readonly disabling: Deferral;
  /** What is pending, or for whom, has changed. */
  readonly changed: () => void;
  readonly misuse: (text: string) => void;
}

/** The distributor as saved. */
export interface SavedDistributor {
  readonly ctlr: number;
  readonly status: number;
  readonly bank: SavedBank;
  readonly routes: readonly number[];
}

const GROUPS = bitsOf(GICD_CTLR.EnableGrp0, GICD_CTLR.EnableGrp1);
const ROUTE_LO = bitsOf(GICD_IROUTER.Aff0, GICD_IROUTER.Aff1, GICD_IROUTER.Aff2, GICD_IROUTER.IRM);
const ROUTE_HI = bitsOf(GICD_IROUTER.Aff3);
const IROUTER_FIRST = GICD.IROUTER + 8 * FIRST_SPI;
const IROUTER_END = GICD.IROUTER + 8 * FIRST_SPECIAL;
const ONE_OF_N = -2;
const NOBODY = -1;

/** The registers with an offset of their own that are read. */
const READABLE: readonly number[] = [GICD.CTLR, GICD.TYPER, GICD.IIDR, GICD.TYPER2, GICD.STATUSR];
const READ_ONLY: readonly number[] = [GICD.TYPER, GICD.IIDR, GICD.TYPER2];

/** The distributor. */
export class Distributor implements RegisterDevice {
  readonly bank: InterruptBank;
  readonly #options: DistributorOptions;
  readonly #registers: BankRegisters;
  /** IROUTER by INTID, two words each. */
  readonly #routes: Uint32Array;
  /** The PE that an SPI goes to, by INTID. */
  readonly #targets: Int16Array;
  /** A bit for each word of the bank that has candidates. */
  #busy = 0;
  /** EnableGrp0 and EnableGrp1 as written, and as acted upon. */
  #groups = 0;
  #groupsForwarded = 0;
  #status = 0;

  constructor(options: DistributorOptions) {
    this.#options = options;
    const limit = Math.min(FIRST_SPI + options.spis, FIRST_SPECIAL);
    const implemented = Array.from({ length: Math.ceil(limit / 32) }, (_, word) =>
      word === 0 ? 0 : 32 * word + 32 <= limit ? 0xffff_ffff : 2 ** (limit - 32 * word) - 1,
    );
    this.bank = new InterruptBank(implemented, (word) => this.#bankChanged(word));
    this.#registers = new BankRegisters(this.bank, options.priorityBits, {
      disabled: (word) => options.disabling.defer(() => this.bank.withhold(word)),
      misuse: options.misuse,
    });
    this.#routes = new Uint32Array(2 * 32 * implemented.length);
    this.#targets = new Int16Array(32 * implemented.length);
    for (let intid = FIRST_SPI; intid < limit; intid++) this.#route(intid);
  }

  #bankChanged(word: number): void {
    const bit = 1 << word;
    this.#busy = this.bank.candidates(word) === 0 ? this.#busy & ~bit : this.#busy | bit;
    this.#options.changed();
  }

  #route(intid: number): void {
    const lo = this.#routes[2 * intid] as number;
    const hi = this.#routes[2 * intid + 1] as number;
    const { Aff0, Aff1, Aff2, Aff3, IRM } = GICD_IROUTER;
    const pe = this.#options.peOf(extract(lo, Aff0), extract(lo, Aff1), extract(lo, Aff2), extract(hi, Aff3));
    this.#targets[intid] = extract(lo, IRM) === 1 ? ONE_OF_N : pe < 0 ? NOBODY : pe;
    this.#options.changed();
  }

  /** Whether a group is forwarded to CPU interfaces. */
  forwards(group: Group): boolean {
    return extract(this.#groupsForwarded, group === 0 ? GICD_CTLR.EnableGrp0 : GICD_CTLR.EnableGrp1) === 1;
  }

  /**
   * Offers the SPIs that wait for a PE.
   * @param group0 whether those of Group 0 count
   * @param group1 whether those of Group 1 count
   */
  offer(pe: number, group0: boolean, group1: boolean, best: HighestPending): void {
    for (let words = this.#busy; words !== 0; words &= words - 1) {
      const word = 31 - Math.clz32(words & -words);
      const group = this.bank.group[word] as number;
      let candidates = this.bank.candidates(word) & ((group1 ? group : 0) | (group0 ? ~group : 0));
      for (let rest = candidates; rest !== 0; rest &= rest - 1) {
        const bit = rest & -rest;
        const intid = 32 * word + 31 - Math.clz32(bit);
        if (this.#targetOf(intid, (group & bit) === 0 ? 0 : 1) !== pe) candidates &= ~bit;
      }
      this.bank.offer(word, candidates, best);
    }
  }

  #targetOf(intid: number, group: Group): number {
    const target = this.#targets[intid] as number;
    return target === ONE_OF_N ? this.#options.targets.findIndex((pe) => pe.takesPart(group)) : target;
  }

  readRegister(offset: number, width: 1 | 2 | 4): number | undefined {
    if (this.#registers.covers(offset)) return this.#registers.read(offset, width);
    if (width !== 4) return undefined;
    if (offset >= IROUTER_FIRST && offset < IROUTER_END) {
      return this.#routes[this.#routeIndex(offset)] ?? 0;
    }
    if (offset >= GICD.PIDR4 && offset < GICD_BYTES) return readIdentification(offset);
    if (READABLE.includes(offset)) return this.#readOwn(offset);
    this.#status |= bitsOf(this.#isMessage(offset) ? GICD_STATUSR.RWOD : GICD_STATUSR.RRD);
    return 0;
  }

  #routeIndex(offset: number): number {
    return (offset - GICD.IROUTER) / 4;
  }

  #isMessage(offset: number): boolean {
    return offset === GICD.SETSPI_NSR || offset === GICD.CLRSPI_NSR;
  }

  #readOwn(offset: number): number {
    const { spis, lpis, idBits, disabling } = this.#options;
    switch (offset) {
      case GICD.CTLR: {
        const fixed = bitsOf(GICD_CTLR.ARE, GICD_CTLR.DS);
        return insert(this.#groups | fixed, GICD_CTLR.RWP, disabling.pending > 0 ? 1 : 0);
      }
      case GICD.TYPER:
        return encode(GICD_TYPER, 32, {
          ITLinesNumber: Math.ceil(spis / 32),
          MBIS: 1,
          LPIS: lpis ? 1 : 0,
          IDbits: idBits - 1,
        })[0] as number;
      case GICD.TYPER2:
        return TYPER2;
      case GICD.STATUSR:
        return this.#status;
      default:
        return 0;
    }
  }

  writeRegister(offset: number, width: 1 | 2 | 4, value: number): boolean {
    if (this.#registers.covers(offset)) return this.#registers.write(offset, width, value);
    if (this.#isMessage(offset) && width !== 1) {
      this.#message(extract(value, GICD_SETSPI.INTID), offset === GICD.SETSPI_NSR);
      return true;
    }
    if (width !== 4) return false;
    if (offset >= IROUTER_FIRST && offset < IROUTER_END) this.#writeRoute(offset, value);
    else if (offset === GICD.CTLR) this.#writeControl(value);
    else if (offset === GICD.STATUSR) this.#status &= ~value;
    else {
      const isReadOnly = READ_ONLY.includes(offset) || offset >= GICD.PIDR4;
      this.#status |= bitsOf(isReadOnly ? GICD_STATUSR.WROD : GICD_STATUSR.WRD);
    }
    return true;
  }

  #writeControl(value: number): void {
    const before = this.#groups;
    this.#groups = value & GROUPS;
    this.#groupsForwarded |= this.#groups;
    if ((before & ~this.#groups) !== 0) {
      this.#options.disabling.defer(() => {
        this.#groupsForwarded = this.#groups;
        this.#options.changed();
      });
    }
    this.#options.changed();
  }

  #writeRoute(offset: number, value: number): void {
    const index = this.#routeIndex(offset);
    const intid = index >>> 1;
    if (!this.bank.has(intid)) return;
    this.#routes[index] = value & ((index & 1) === 0 ? ROUTE_LO : ROUTE_HI);
    this.#route(intid);
  }

  /** SETSPI_NSR and CLRSPI_NSR: an SPI by message. For a level-sensitive one they drive the level. */
  #message(intid: number, set: boolean): void {
    if (!this.bank.has(intid)) return;
    const word = intid >>> 5;
    const bit = 1 << (intid & 31);
    if (((this.bank.edge[word] as number) & bit) === 0) this.bank.setLine(intid, set);
    else if (set) this.bank.setPending(word, bit);
    else this.bank.clearPending(word, bit);
  }

  save(): SavedDistributor {
    return { ctlr: this.#groups, status: this.#status, bank: this.bank.save(), routes: [...this.#routes] };
  }

  load(saved: SavedDistributor): void {
    this.#groups = saved.ctlr;
    this.#groupsForwarded = saved.ctlr;
    this.#status = saved.status;
    this.#routes.set(saved.routes);
    this.bank.load(saved.bank);
    for (let intid = FIRST_SPI; intid < this.#targets.length; intid++) if (this.bank.has(intid)) this.#route(intid);
  }
}
