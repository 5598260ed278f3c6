/**
 * SGIs, PPIs and SPIs: the state of each interrupt, 32 INTIDs to a word. Arm IHI 0069 4.1.2 (state machine), 12.9 (the
 * registers that show it). A redistributor has one word, SGIs and PPIs; the distributor has the rest.
 *
 * - A level-sensitive interrupt is pending while its line is high, or while a write to ISPENDR is remembered; clearing
 *   that has no effect while the line is high. Acknowledging forgets the write, and the line is looked at again when the
 *   interrupt is deactivated.
 * - An edge-triggered one remembers the rise of its line.
 * - `forwarded` is what the controller still acts on: it follows `enabled` late when that is cleared (RWP).
 */
import type { Group, HighestPending } from './priorities.js';

/** The bits of a bank that are saved. */
const SAVED = ['group', 'enabled', 'latched', 'line', 'active', 'edge'] as const;

/** A bank as saved. */
export type SavedBank = Readonly<Record<(typeof SAVED)[number] | 'priority', readonly number[]>>;

/** A bank of interrupts. Arrays are indexed by INTID / 32; a bit stands for INTID mod 32. */
export class InterruptBank {
  readonly implemented: Uint32Array;
  readonly group: Uint32Array;
  readonly enabled: Uint32Array;
  readonly forwarded: Uint32Array;
  /** Pending as remembered: an edge, a write to ISPENDR, an SGI. */
  readonly latched: Uint32Array;
  /** The inputs. */
  readonly line: Uint32Array;
  readonly active: Uint32Array;
  /** Edge-triggered rather than level-sensitive. */
  readonly edge: Uint32Array;
  /** By INTID. */
  readonly priority: Uint8Array;
  readonly #changed: (word: number) => void;

  /**
   * @param implemented a word for each 32 INTIDs from INTID 0: those that exist
   * @param changed told whenever what is pending, or could be, has changed in a word
   */
  constructor(implemented: readonly number[], changed: (word: number) => void) {
    const words = implemented.length;
    this.implemented = Uint32Array.from(implemented);
    this.group = new Uint32Array(words);
    this.enabled = new Uint32Array(words);
    this.forwarded = new Uint32Array(words);
    this.latched = new Uint32Array(words);
    this.line = new Uint32Array(words);
    this.active = new Uint32Array(words);
    this.edge = new Uint32Array(words);
    this.priority = new Uint8Array(32 * words);
    this.#changed = changed;
  }

  has(intid: number): boolean {
    return (((this.implemented[intid >>> 5] ?? 0) >>> (intid & 31)) & 1) === 1;
  }

  /** Tells that a word has changed, for who writes the arrays. */
  changed(word: number): void {
    this.#changed(word);
  }

  /** Pending interrupts of a word. */
  pending(word: number): number {
    const level = (this.line[word] as number) & ~(this.edge[word] as number);
    return ((this.latched[word] as number) | level) >>> 0;
  }

  /** Interrupts of a word that wait to be taken, whatever their group. */
  candidates(word: number): number {
    return (this.pending(word) & (this.forwarded[word] as number) & ~(this.active[word] as number)) >>> 0;
  }

  /** Offers some candidates of a word. */
  offer(word: number, candidates: number, best: HighestPending): void {
    const group = this.group[word] as number;
    for (let rest = candidates; rest !== 0; rest &= rest - 1) {
      const bit = 31 - Math.clz32(rest & -rest);
      const intid = 32 * word + bit;
      best.offer(intid, this.priority[intid] as number, ((group >>> bit) & 1) as Group);
    }
  }

  /** Drives an input. */
  setLine(intid: number, level: boolean): void {
    const word = intid >>> 5;
    const bit = 1 << (intid & 31);
    const before = this.line[word] as number;
    if (((before & bit) !== 0) === level) return;
    this.line[word] = level ? before | bit : before & ~bit;
    if (level && ((this.edge[word] as number) & bit) !== 0) this.latched[word] = (this.latched[word] as number) | bit;
    this.#changed(word);
  }

  /** Remembers interrupts of a word as pending. */
  setPending(word: number, bits: number): void {
    this.latched[word] = (this.latched[word] as number) | (bits & (this.implemented[word] as number));
    this.#changed(word);
  }

  /** Forgets what was remembered as pending. */
  clearPending(word: number, bits: number): void {
    this.latched[word] = (this.latched[word] as number) & ~bits;
    this.#changed(word);
  }

  isActive(intid: number): boolean {
    return (((this.active[intid >>> 5] ?? 0) >>> (intid & 31)) & 1) === 1;
  }

  /** The interrupt is taken: pending becomes active; a level that is still high makes it both. */
  acknowledge(intid: number): void {
    const word = intid >>> 5;
    const bit = 1 << (intid & 31);
    this.latched[word] = (this.latched[word] as number) & ~bit;
    this.active[word] = (this.active[word] as number) | bit;
    this.#changed(word);
  }

  /** The interrupt has been dealt with. */
  deactivate(intid: number): void {
    const word = intid >>> 5;
    this.active[word] = (this.active[word] as number) & ~(1 << (intid & 31));
    this.#changed(word);
  }

  /** A disable takes effect. */
  withhold(word: number): void {
    this.forwarded[word] = (this.forwarded[word] as number) & (this.enabled[word] as number);
    this.#changed(word);
  }

  save(): SavedBank {
    const bits = Object.fromEntries(SAVED.map((name) => [name, [...this[name]]]));
    return { ...bits, priority: [...this.priority] } as unknown as SavedBank;
  }

  load(saved: SavedBank): void {
    for (const name of SAVED) this[name].set(saved[name]);
    this.forwarded.set(saved.enabled);
    this.priority.set(saved.priority);
    for (let word = 0; word < this.implemented.length; word++) this.#changed(word);
  }
}
