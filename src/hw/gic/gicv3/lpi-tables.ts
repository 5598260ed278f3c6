/**
 * LPIs of a redistributor: configuration and pending state, and the tables in memory. Arm IHI 0069 5.1 (LPIs), 5.1.1
 * (configuration table), 5.1.2 (pending table), 12.11 (GICR_PROPBASER, GICR_PENDBASER, GICR_CTLR.EnableLPIs).
 *
 * - The configuration of an LPI is read when it is first needed and kept until it is invalidated, as the manual allows.
 * - The pending table is read when EnableLPIs is set, unless PTZ says that it is zero, and written when it is cleared. In
 *   between it is not touched: the redistributor is allowed to hold all of it.
 * - LPIs are Group 1 and have no active state. An entry in memory that cannot be read is that of a disabled LPI.
 *
 * Not modelled: the shareability and cacheability of the tables, and the coarse map of pending LPIs in the first 1 KiB.
 */
import { getAddress } from '../../bits.js';
import type { PhysicalMemory } from '../../memory.js';
import { FIRST_LPI, GICR_PENDBASER, GICR_PROPBASER, LPI_CONFIGURATION, LPI_PENDING_FIRST_BYTE } from './layout.js';
import { PendingLpis } from './pending-lpis.js';
import type { HighestPending } from './priorities.js';
import { extract } from './register-word.js';

const PAGE_BYTES = 4096;
const PAGE_WORDS = PAGE_BYTES / 4;
/** Fewer bits of INTID than these hold no LPI (GICR_PROPBASER.IDbits). */
const LPI_ID_BITS_MIN = 14;
const GROUP_1 = 1;
/** Set in a kept entry, where the table has a RES1 bit: kept entries differ from none, which is 0. */
const KEPT = 1 << LPI_CONFIGURATION.RES1.shift;

/** LPIs as saved. */
export interface SavedLpis {
  readonly propbaser: readonly number[];
  readonly pendbaser: readonly number[];
  readonly enabled: boolean;
  readonly pending: readonly number[];
}

/** What the LPIs of a redistributor are made of. */
export interface LpiOptions {
  readonly memory: PhysicalMemory;
  /** Bits of INTID, at most 24. */
  readonly idBits: number;
  /** The implemented bits of a priority, in place. */
  readonly priorityBits: number;
  /** What waits to be taken has changed. */
  readonly changed: () => void;
  /** A table is not where the base register says. */
  readonly unreachable: (text: string) => void;
}

/** The LPIs of one redistributor. */
export class LpiTables {
  /** GICR_PROPBASER, GICR_PENDBASER: as pairs of words, lower half first. PTZ is write-only, and kept apart. */
  readonly propbaser = new Uint32Array(2);
  readonly pendbaser = new Uint32Array(2);
  /** The pending table is known to be zero. */
  tableIsZero = false;
  readonly #options: LpiOptions;
  readonly #waiting: PendingLpis;
  readonly #word = new Uint32Array(1);
  readonly #page = new Uint32Array(PAGE_WORDS);
  #enabled = false;
  /** One past the highest INTID, while enabled. */
  #limit = 0;
  /** One bit per INTID, as the pending table has it. */
  #pending = new Uint32Array(0);
  #pendingCount = 0;
  /** By INTID - 8192: the entry with {@link KEPT}, or 0. */
  #configuration = new Uint8Array(0);
  /** Indices of what `#configuration` holds. */
  #kept: number[] = [];

  constructor(options: LpiOptions) {
    this.#options = options;
    this.#waiting = new PendingLpis((intid) => (this.isPending(intid) ? this.#waitingPriority(intid) : -1));
  }

  get enabled(): boolean {
    return this.#enabled;
  }

  /** GICR_CTLR.EnableLPIs is set: the pending table is read, unless it is known to be zero. */
  enable(): void {
    if (this.#enabled) return;
    this.#start();
    if (!this.tableIsZero) this.#readTable();
    this.#options.changed();
  }

  #start(): void {
    const bits = Math.min(extract(this.propbaser[0] as number, GICR_PROPBASER.IDbits) + 1, this.#options.idBits);
    this.#limit = bits < LPI_ID_BITS_MIN ? 0 : 2 ** bits;
    this.#pending = new Uint32Array(this.#limit / 32);
    this.#pendingCount = 0;
    this.#configuration = new Uint8Array(Math.max(0, this.#limit - FIRST_LPI));
    this.#kept = [];
    this.#waiting.clear();
    this.#enabled = true;
  }

  /** GICR_CTLR.EnableLPIs is cleared: the pending table is written, and nothing is kept. */
  disable(): void {
    if (!this.#enabled) return;
    this.#writeTable();
    this.#stop();
  }

  #stop(): void {
    this.#enabled = false;
    this.#limit = 0;
    this.#pendingCount = 0;
    this.#kept = [];
    this.#waiting.clear();
    this.#options.changed();
  }

  #readTable(): void {
    const base = getAddress(this.pendbaser, GICR_PENDBASER.Physical_Address);
    for (let page = 0; page < this.#limit / 8; page += PAGE_BYTES) {
      const count = Math.min(PAGE_WORDS, this.#limit / 32 - page / 4);
      if (!this.#options.memory.loadWords(base + page, this.#page, count)) {
        this.#options.unreachable(`LPI pending table at 0x${(base + page).toString(16)}: no RAM there`);
        return;
      }
      for (let i = page === 0 ? LPI_PENDING_FIRST_BYTE / 4 : 0; i < count; i++) {
        for (let rest = this.#page[i] as number; rest !== 0; rest &= rest - 1) {
          this.setPending(32 * (page / 4 + i) + 31 - Math.clz32(rest & -rest));
        }
      }
    }
  }

  #writeTable(): void {
    const base = getAddress(this.pendbaser, GICR_PENDBASER.Physical_Address);
    for (let index = LPI_PENDING_FIRST_BYTE / 4; index < this.#pending.length; index++) {
      const address = base + 4 * index;
      const known = this.#options.memory.loadWords(address, this.#word, 1);
      if (known && this.#word[0] === this.#pending[index]) continue;
      this.#word[0] = this.#pending[index] as number;
      if (!known || !this.#options.memory.storeWords(address, this.#word)) {
        this.#options.unreachable(`LPI pending table at 0x${address.toString(16)}: no RAM there`);
        return;
      }
    }
  }

  /** Makes an LPI pending, if it is one. */
  setPending(intid: number): void {
    if (intid < FIRST_LPI || intid >= this.#limit || this.isPending(intid)) return;
    const word = intid >>> 5;
    this.#pending[word] = (this.#pending[word] as number) | (1 << (intid & 31));
    this.#pendingCount++;
    this.#await(intid);
  }

  /** A pending LPI is up to be taken if it is enabled. */
  #await(intid: number): void {
    const priority = this.#waitingPriority(intid);
    if (priority < 0) return;
    this.#waiting.add(intid, priority, this.#pendingCount);
    this.#options.changed();
  }

  clearPending(intid: number): void {
    if (!this.isPending(intid)) return;
    const word = intid >>> 5;
    this.#pending[word] = (this.#pending[word] as number) & ~(1 << (intid & 31));
    this.#pendingCount--;
    this.#options.changed();
  }

  isPending(intid: number): boolean {
    return intid < this.#limit && (((this.#pending[intid >>> 5] as number) >>> (intid & 31)) & 1) === 1;
  }

  /** INTIDs of the LPIs that are pending, in order. */
  pending(): number[] {
    const found: number[] = [];
    for (let word = FIRST_LPI / 32; word < this.#limit / 32; word++) {
      for (let rest = this.#pending[word] as number; rest !== 0; rest &= rest - 1) {
        found.push(32 * word + 31 - Math.clz32(rest & -rest));
      }
    }
    return found;
  }

  /** Priority of an LPI, -1 if it is disabled. Reads its configuration if that is not kept. */
  #waitingPriority(intid: number): number {
    const entry = (this.#configuration[intid - FIRST_LPI] as number) || this.#readConfiguration(intid - FIRST_LPI);
    if (extract(entry, LPI_CONFIGURATION.Enable) === 0) return -1;
    return entry & (LPI_CONFIGURATION.Priority.mask << LPI_CONFIGURATION.Priority.shift) & this.#options.priorityBits;
  }

  #readConfiguration(index: number): number {
    const base = getAddress(this.propbaser, GICR_PROPBASER.Physical_Address);
    let entry = KEPT;
    if (this.#options.memory.loadWords(base + index - (index & 3), this.#word, 1)) {
      entry |= ((this.#word[0] as number) >>> (8 * (index & 3))) & 0xff;
    } else {
      this.#options.unreachable(`LPI configuration table at 0x${(base + index).toString(16)}: no RAM there`);
    }
    if (this.#configuration[index] === 0) this.#kept.push(index);
    this.#configuration[index] = entry;
    return entry;
  }

  /** Reads the configuration of an LPI again. */
  invalidate(intid: number): void {
    if (intid < FIRST_LPI || intid >= this.#limit) return;
    this.#readConfiguration(intid - FIRST_LPI);
    if (this.isPending(intid)) this.#await(intid);
    this.#options.changed();
  }

  /** Reads all configuration that is kept again. */
  invalidateAll(): void {
    for (const index of this.#kept) {
      this.#readConfiguration(index);
      if (this.isPending(FIRST_LPI + index)) this.#await(FIRST_LPI + index);
    }
    this.#options.changed();
  }

  /** Offers the highest priority LPI that is pending and enabled. */
  offer(best: HighestPending): void {
    if (this.#pendingCount === 0) return;
    const intid = this.#waiting.first();
    if (intid >= 0) best.offer(intid, this.#waitingPriority(intid), GROUP_1);
  }

  save(): SavedLpis {
    return {
      propbaser: [...this.propbaser],
      pendbaser: [...this.pendbaser],
      enabled: this.#enabled,
      pending: this.pending(),
    };
  }

  /** Takes over saved state; no configuration is kept. */
  load(saved: SavedLpis): void {
    this.propbaser.set(saved.propbaser);
    this.pendbaser.set(saved.pendbaser);
    this.tableIsZero = false;
    if (!saved.enabled) {
      this.#stop();
      return;
    }
    this.#start();
    for (const intid of saved.pending) this.setPending(intid);
    this.#options.changed();
  }
}
