/**
 * A redistributor: SGIs, PPIs and LPIs of one PE, and the registers of its frames RD_base and SGI_base. Arm IHI 0069 2.2
 * (INTIDs), 5.1 (LPIs), 12.10 and 12.11 (registers).
 *
 * - Disabling SGIs, PPIs and LPIs takes effect some time later, while GICR_CTLR.RWP is set; so does invalidating the
 *   configuration of LPIs, while GICR_SYNCR.Busy is.
 * - EnableLPIs can be cleared (CES reads as one). PROPBASER and PENDBASER are ignored while it is set.
 * - A PE that sleeps is given no interrupts and is not woken by any.
 *
 * Not modelled: GICR_CTLR.DPG*, GICR_STATUSR (RAZ/WI), upstream writes that take time (UWP reads as zero).
 */
import { encode } from '../../bits.js';
import type { RegisterDevice } from '../../bus.js';
import type { Deferral } from '../../latency.js';
import type { LpiTarget } from '../lpi.js';
import { BankRegisters } from './bank-registers.js';
import { readIdentification } from './distributor.js';
import { InterruptBank, type SavedBank } from './interrupt-bank.js';
import {
  FIRST_PPI,
  GICR,
  GICR_BYTES,
  GICR_CTLR,
  GICR_INVLPIR,
  GICR_PENDBASER,
  GICR_PROPBASER,
  GICR_SETLPIR,
  GICR_SYNCR,
  GICR_TYPER,
  GICR_WAKER,
  SGI_BASE,
} from './layout.js';
import { type LpiOptions, LpiTables, type SavedLpis } from './lpi-tables.js';
import { bitsOf, extract, insert } from './register-word.js';

/** What a redistributor is made of. */
export interface RedistributorOptions {
  /** GICR_TYPER.Processor_Number. */
  readonly number: number;
  readonly address: number;
  readonly aff0: number;
  readonly aff1: number;
  readonly last: boolean;
  /** Whether it has LPIs at all, and the registers that make them pending without an ITS (DirectLPI). */
  readonly lpis: boolean;
  readonly directLpi: boolean;
  readonly memory: LpiOptions['memory'];
  readonly idBits: number;
  /** The implemented bits of a priority, in place. */
  readonly priorityBits: number;
  readonly disabling: Deferral;
  readonly invalidating: Deferral;
  readonly sleeping: Deferral;
  /** What is pending for the PE has changed. */
  readonly changed: () => void;
  /** The PE sleeps, or wakes up. */
  readonly slept: () => void;
  readonly misuse: (text: string) => void;
}

/** A redistributor as saved. */
export interface SavedRedistributor {
  readonly waker: number;
  readonly bank: SavedBank;
  readonly lpis: SavedLpis;
}

const PROPBASER_LO =
  bitsOf(GICR_PROPBASER.IDbits, GICR_PROPBASER.InnerCache, GICR_PROPBASER.Shareability) | 0xffff_f000;
const PROPBASER_HI = bitsOf(GICR_PROPBASER.OuterCache) | GICR_PROPBASER.Physical_Address.upperMask;
const PENDBASER_LO = bitsOf(GICR_PENDBASER.InnerCache, GICR_PENDBASER.Shareability) | 0xffff_0000;
const PENDBASER_HI = bitsOf(GICR_PENDBASER.OuterCache) | GICR_PENDBASER.Physical_Address.upperMask;
const ASLEEP = bitsOf(GICR_WAKER.ProcessorSleep, GICR_WAKER.ChildrenAsleep);
const SGIS_EDGE = 2 ** FIRST_PPI - 1;

/** The redistributor of one PE. */
export class Redistributor implements RegisterDevice, LpiTarget {
  readonly processorNumber: number;
  readonly address: number;
  readonly bank: InterruptBank;
  readonly lpis: LpiTables;
  readonly #options: RedistributorOptions;
  readonly #registers: BankRegisters;
  readonly #typer: Uint32Array;
  #waker = ASLEEP;
  /** GICR_CTLR.EnableLPIs as written; clearing it takes effect later. */
  #enableLpis = false;

  constructor(options: RedistributorOptions) {
    this.#options = options;
    this.processorNumber = options.number;
    this.address = options.address;
    this.bank = new InterruptBank([0xffff_ffff], options.changed);
    this.bank.edge[0] = SGIS_EDGE;
    this.#registers = new BankRegisters(this.bank, options.priorityBits, {
      disabled: (word) => options.disabling.defer(() => this.bank.withhold(word)),
      misuse: options.misuse,
    });
    this.lpis = new LpiTables({
      memory: options.memory,
      idBits: options.idBits,
      priorityBits: options.priorityBits,
      changed: options.changed,
      unreachable: options.misuse,
    });
    this.#typer = encode(GICR_TYPER, 64, {
      PLPIS: options.lpis ? 1 : 0,
      DirectLPI: options.directLpi ? 1 : 0,
      Last: options.last ? 1 : 0,
      Processor_Number: options.number,
      Aff0: options.aff0,
      Aff1: options.aff1,
    });
  }

  /** Whether interrupts are given to the PE. */
  get isAwake(): boolean {
    return this.#waker === 0;
  }

  readRegister(offset: number, width: 1 | 2 | 4): number | undefined {
    if (offset >= SGI_BASE) {
      const at = offset - SGI_BASE;
      if (this.#registers.covers(at)) return this.#registers.read(at, width);
      return width === 4 ? 0 : undefined;
    }
    if (width !== 4) return undefined;
    if (offset >= GICR.PIDR4) return readIdentification(offset);
    return this.#read(offset) >>> 0;
  }

  #read(offset: number): number {
    const { lpis, disabling, invalidating } = this.#options;
    switch (offset) {
      case GICR.CTLR: {
        const fixed = lpis ? bitsOf(GICR_CTLR.CES) | (this.#options.directLpi ? bitsOf(GICR_CTLR.IR) : 0) : 0;
        const value = insert(fixed, GICR_CTLR.EnableLPIs, this.#enableLpis ? 1 : 0);
        return insert(value, GICR_CTLR.RWP, disabling.pending > 0 ? 1 : 0);
      }
      case GICR.TYPER:
        return this.#typer[0] as number;
      case GICR.TYPER + 4:
        return this.#typer[1] as number;
      case GICR.WAKER:
        return this.#waker;
      case GICR.PROPBASER:
      case GICR.PROPBASER + 4:
        return this.lpis.propbaser[(offset - GICR.PROPBASER) / 4] as number;
      case GICR.PENDBASER:
      case GICR.PENDBASER + 4:
        return this.lpis.pendbaser[(offset - GICR.PENDBASER) / 4] as number;
      case GICR.SYNCR:
        return invalidating.pending > 0 ? bitsOf(GICR_SYNCR.Busy) : 0;
      default:
        return 0;
    }
  }

  writeRegister(offset: number, width: 1 | 2 | 4, value: number): boolean {
    if (offset >= SGI_BASE) {
      const at = offset - SGI_BASE;
      if (this.#registers.covers(at)) return this.#registers.write(at, width, value);
      return width === 4;
    }
    if (width !== 4) return false;
    if (offset === GICR.WAKER) this.#writeWaker(value);
    else if (this.#options.lpis) this.#writeLpis(offset, value);
    return true;
  }

  #writeLpis(offset: number, value: number): void {
    switch (offset) {
      case GICR.CTLR:
        this.#writeControl(value);
        return;
      case GICR.PROPBASER:
        this.#writeBase('PROPBASER', this.lpis.propbaser, 0, value & PROPBASER_LO);
        return;
      case GICR.PROPBASER + 4:
        this.#writeBase('PROPBASER', this.lpis.propbaser, 1, value & PROPBASER_HI);
        return;
      case GICR.PENDBASER:
        this.#writeBase('PENDBASER', this.lpis.pendbaser, 0, value & PENDBASER_LO);
        return;
      case GICR.PENDBASER + 4:
        this.#writeBase('PENDBASER', this.lpis.pendbaser, 1, value & PENDBASER_HI);
        if (!this.lpis.enabled) this.lpis.tableIsZero = extract(value, GICR_PENDBASER.PTZ) === 1;
        return;
    }
    if (this.#options.directLpi) this.#writeDirect(offset, value);
  }

  /** The registers that do without an ITS. Their upper halves concern vPEs, which there are none of. */
  #writeDirect(offset: number, value: number): void {
    switch (offset) {
      case GICR.SETLPIR:
        this.setPending(extract(value, GICR_SETLPIR.pINTID));
        return;
      case GICR.CLRLPIR:
        this.clearPending(extract(value, GICR_SETLPIR.pINTID));
        return;
      case GICR.INVLPIR:
        this.invalidate(extract(value, GICR_INVLPIR.INTID));
        return;
      case GICR.INVALLR:
        this.invalidateAll();
        return;
    }
  }

  #writeControl(value: number): void {
    const enable = extract(value, GICR_CTLR.EnableLPIs) === 1;
    if (enable === this.#enableLpis) return;
    this.#enableLpis = enable;
    if (enable && this.lpis.enabled) {
      this.#options.misuse('GICR_CTLR.EnableLPIs set while RWP shows that clearing it has not taken effect');
    } else if (enable) {
      this.lpis.enable();
    } else {
      this.#options.disabling.defer(() => {
        if (!this.#enableLpis) this.lpis.disable();
      });
    }
  }

  #writeBase(name: string, words: Uint32Array, word: 0 | 1, value: number): void {
    if (this.lpis.enabled) this.#options.misuse(`GICR_${name} written while EnableLPIs is set: ignored`);
    else words[word] = value;
  }

  #writeWaker(value: number): void {
    const { ProcessorSleep, ChildrenAsleep } = GICR_WAKER;
    const sleep = extract(value, ProcessorSleep);
    if (sleep === extract(this.#waker, ProcessorSleep)) return;
    if (extract(this.#waker, ChildrenAsleep) === sleep) {
      this.#options.misuse('GICR_WAKER.ProcessorSleep changed before ChildrenAsleep followed its last change');
    }
    this.#waker = insert(this.#waker, ProcessorSleep, sleep);
    this.#options.slept();
    this.#options.sleeping.defer(() => {
      this.#waker = insert(this.#waker, ChildrenAsleep, sleep);
      this.#options.slept();
    });
  }

  // ---- LpiTarget ----

  setPending(intid: number): void {
    this.lpis.setPending(intid);
  }

  clearPending(intid: number): void {
    this.lpis.clearPending(intid);
  }

  isPending(intid: number): boolean {
    return this.lpis.isPending(intid);
  }

  invalidate(intid: number): void {
    this.#options.invalidating.defer(() => this.lpis.invalidate(intid));
  }

  invalidateAll(): void {
    this.#options.invalidating.defer(() => this.lpis.invalidateAll());
  }

  sync(): void {
    this.#options.invalidating.flush();
  }

  pendingLpis(): Iterable<number> {
    return this.lpis.pending();
  }

  /** Brings what takes time to its end. */
  settle(): void {
    this.#options.disabling.flush();
    this.#options.invalidating.flush();
    this.#options.sleeping.flush();
  }

  save(): SavedRedistributor {
    this.settle();
    return { waker: this.#waker, bank: this.bank.save(), lpis: this.lpis.save() };
  }

  load(saved: SavedRedistributor): void {
    this.settle();
    this.#waker = saved.waker;
    this.bank.load(saved.bank);
    this.lpis.load(saved.lpis);
    this.#enableLpis = this.lpis.enabled;
    this.#options.slept();
  }
}

/** The redistributors' frames, one after the other. */
export class RedistributorFrames implements RegisterDevice {
  readonly #redistributors: readonly Redistributor[];

  constructor(redistributors: readonly Redistributor[]) {
    this.#redistributors = redistributors;
  }

  readRegister(offset: number, width: 1 | 2 | 4): number | undefined {
    return this.#redistributors[Math.floor(offset / GICR_BYTES)]?.readRegister(offset % GICR_BYTES, width);
  }

  writeRegister(offset: number, width: 1 | 2 | 4, value: number): boolean {
    return (
      this.#redistributors[Math.floor(offset / GICR_BYTES)]?.writeRegister(offset % GICR_BYTES, width, value) ?? false
    );
  }
}
