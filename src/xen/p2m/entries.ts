/**
 * p2m entries: what is written for a frame, and the change of one entry at a time (xen/arch/arm/mmu/p2m.c).
 *
 * A valid entry never changes into another valid one at once: it is removed, the TLBs are invalidated, and only then is
 * the new one written (break-before-make, Arm DDI 0487 D8.17.1).
 */
import { type Pa, pa } from '../../hw/address.js';
import { encode, get, getAddress, put, putAddress } from '../../hw/bits.js';
import { failure } from '../errno.js';
import { type Gfn, gfnAdd, type Mfn, maddr, maddrToMfn, mfnAdd } from '../frames.js';
import {
  ENTRIES,
  ENTRY_BYTES,
  FIRST_BLOCK_LEVEL,
  LEAF_LEVEL,
  levelFrames,
  MATTR,
  P2M_ENTRY,
  P2M_TYPE,
  type P2mType,
  p2mTypeOf,
  SHAREABILITY,
} from '../p2m-layout.js';
import type { P2m, P2mMapping, Xen } from '../xen.js';

/** What a type of frame means to the MMU. */
export interface EntryAttributes {
  readonly mattr: number;
  readonly shareability: number;
  readonly read: boolean;
  readonly write: boolean;
  readonly execute: boolean;
}

/** Attributes and permissions of a type. */
export function attributes(_xen: Xen, type: P2mType): EntryAttributes {
  switch (type) {
    case 'ram_rw':
      return { mattr: MATTR.MEM, shareability: SHAREABILITY.INNER, read: true, write: true, execute: true };
    case 'ram_ro':
      return { mattr: MATTR.MEM, shareability: SHAREABILITY.INNER, read: true, write: false, execute: true };
    case 'mmio_direct_dev':
      return { mattr: MATTR.DEV, shareability: SHAREABILITY.OUTER, read: true, write: true, execute: false };
    case 'invalid':
      return { mattr: MATTR.DEV, shareability: SHAREABILITY.OUTER, read: false, write: false, execute: false };
  }
}

/** A page or block entry of a level, as two words. */
export function encodeLeaf(xen: Xen, level: number, mfn: Mfn, type: P2mType): Uint32Array {
  const { mattr, shareability, read, write, execute } = xen.steps.p2m.attributes(xen, type);
  const words = encode(P2M_ENTRY, 64, {
    VALID: 1,
    TABLE: level === LEAF_LEVEL ? 1 : 0,
    MATTR: mattr,
    READ: read ? 1 : 0,
    WRITE: write ? 1 : 0,
    SH: shareability,
    AF: 1,
    XN: execute ? 0 : 1,
    TYPE: P2M_TYPE[type],
  });
  putAddress(words, P2M_ENTRY.BASE, maddr(mfn));
  return words;
}

/** An entry that points at the next level's table. */
export function encodeTable(_xen: Xen, table: Mfn): Uint32Array {
  const words = encode(P2M_ENTRY, 64, { VALID: 1, TABLE: 1 });
  putAddress(words, P2M_ENTRY.BASE, maddr(table));
  return words;
}

/** Reads an entry. */
export function readEntry(xen: Xen, address: Pa): Uint32Array {
  const { hi, lo } = xen.machine.memory.load64(address);
  return Uint32Array.of(lo, hi);
}

/** Writes an entry, as one access. */
export function writeEntry(xen: Xen, address: Pa, words: Uint32Array): void {
  xen.machine.memory.store64(address, words[1] as number, words[0] as number);
}

/** Makes an entry invalid. */
export function removeEntry(xen: Xen, address: Pa): void {
  xen.machine.memory.store64(address, 0, 0);
}

/** Address of the entry for a guest frame in a table of a level. The tables of the root lie one behind the other. */
function entryAddress(xen: Xen, p2m: P2m, table: Mfn, level: number, gfn: Gfn): Pa {
  const { rootLevel, rootOrder } = xen.format;
  const entries = table === p2m.root && level === rootLevel ? ENTRIES * 2 ** rootOrder : ENTRIES;
  const index = Math.floor(gfn / levelFrames(level)) % entries;
  return pa(maddr(table) + index * ENTRY_BYTES);
}

const isValid = (words: Uint32Array): boolean => get(words, P2M_ENTRY.VALID) === 1;
const isTable = (words: Uint32Array, level: number): boolean =>
  isValid(words) && level < LEAF_LEVEL && get(words, P2M_ENTRY.TABLE) === 1;
const target = (words: Uint32Array): Mfn => maddrToMfn(getAddress(words, P2M_ENTRY.BASE));

/** Takes a table for a p2m, all entries invalid. Undefined: out of memory. */
export function allocateTable(xen: Xen, p2m: P2m): Mfn | undefined {
  const table = xen.steps.heap.allocate(xen, 0);
  if (table !== undefined) p2m.tables.add(table);
  return table;
}

/** Whether a guest frame can be addressed at all. */
function frameInRange(xen: Xen, gfn: Gfn, count: number): boolean {
  return count > 0 && gfn >= 0 && gfn + count <= 2 ** (xen.format.ipaBits - 12);
}

/** What a guest frame is mapped to; undefined if to nothing. */
export function lookup(xen: Xen, p2m: P2m, gfn: Gfn): P2mMapping | undefined {
  if (!frameInRange(xen, gfn, 1)) return undefined;
  let table = p2m.root;
  for (let level = xen.format.rootLevel; level <= LEAF_LEVEL; level++) {
    const words = xen.steps.p2m.readEntry(xen, entryAddress(xen, p2m, table, level, gfn));
    if (!isValid(words)) return undefined;
    if (!isTable(words, level)) {
      const offset = gfn % levelFrames(level);
      return { mfn: mfnAdd(target(words), offset), type: p2mTypeOf(get(words, P2M_ENTRY.TYPE)), level };
    }
    table = target(words);
  }
  return undefined;
}

/**
 * Replaces a block by a table of the next level's entries that map the same frames the same way.
 * @returns the table, or undefined if out of memory, with nothing changed
 */
export function splitSuperpage(xen: Xen, p2m: P2m, address: Pa, level: number): Mfn | undefined {
  const block = xen.steps.p2m.readEntry(xen, address);
  const table = xen.steps.p2m.allocateTable(xen, p2m);
  if (table === undefined) return undefined;
  const first = target(block);
  const entries = new Uint32Array(ENTRIES * 2);
  for (let i = 0; i < ENTRIES; i++) {
    const words = entries.subarray(i * 2, i * 2 + 2);
    words.set(block);
    put(words, P2M_ENTRY.TABLE, level + 1 === LEAF_LEVEL ? 1 : 0);
    putAddress(words, P2M_ENTRY.BASE, maddr(mfnAdd(first, i * levelFrames(level + 1))));
  }
  xen.machine.memory.write(maddr(table), new Uint8Array(entries.buffer));
  xen.steps.p2m.removeEntry(xen, address);
  p2m.stale = true;
  const error = xen.steps.p2m.flush(xen, p2m);
  if (error !== 0) {
    xen.steps.p2m.writeEntry(xen, address, block);
    return undefined;
  }
  xen.steps.p2m.writeEntry(xen, address, xen.steps.p2m.encodeTable(xen, table));
  return table;
}

/** Notes the tables below an entry as unlinked: they are freed when no cached walk can reach them. */
function unlink(xen: Xen, p2m: P2m, words: Uint32Array, level: number): void {
  if (!isTable(words, level)) return;
  const table = target(words);
  if (level + 1 < LEAF_LEVEL) {
    const bytes = xen.machine.memory.read(maddr(table), ENTRIES * ENTRY_BYTES);
    const entries = new Uint32Array(bytes.slice().buffer);
    for (let i = 0; i < ENTRIES; i++) unlink(xen, p2m, entries.subarray(i * 2, i * 2 + 2), level + 1);
  }
  p2m.unlinked.push(table);
}

/**
 * Sets the entry of `level` for a guest frame, or makes it invalid if `mfn` is undefined. What it replaces may be cached
 * until the next flush ({@link P2m.stale}).
 * @returns 0 or a negative error code
 */
export function setEntry(xen: Xen, p2m: P2m, gfn: Gfn, level: number, mfn: Mfn | undefined, type: P2mType): number {
  const { p2m: steps } = xen.steps;
  let table = p2m.root;
  for (let at = xen.format.rootLevel; at < level; at++) {
    const address = entryAddress(xen, p2m, table, at, gfn);
    const words = steps.readEntry(xen, address);
    if (isTable(words, at)) {
      table = target(words);
      continue;
    }
    if (!isValid(words) && mfn === undefined) return 0;
    const next = isValid(words) ? steps.splitSuperpage(xen, p2m, address, at) : steps.allocateTable(xen, p2m);
    if (next === undefined) return failure('ENOMEM');
    if (!isValid(words)) steps.writeEntry(xen, address, steps.encodeTable(xen, next));
    table = next;
  }
  const address = entryAddress(xen, p2m, table, level, gfn);
  const old = steps.readEntry(xen, address);
  if (isValid(old)) {
    steps.removeEntry(xen, address);
    unlink(xen, p2m, old, level);
    p2m.stale = true;
    if (mfn !== undefined) {
      const error = steps.flush(xen, p2m);
      if (error !== 0) return error;
    }
  }
  if (mfn !== undefined) steps.writeEntry(xen, address, steps.encodeLeaf(xen, level, mfn, type));
  return 0;
}

/** The highest level whose entry maps nothing but frames of the run: 1 GiB, 2 MiB or a frame. */
export function mappingLevel(_xen: Xen, gfn: Gfn, mfn: Mfn | undefined, count: number): number {
  for (let level = FIRST_BLOCK_LEVEL; level < LEAF_LEVEL; level++) {
    const size = levelFrames(level);
    if (count >= size && gfn % size === 0 && (mfn === undefined || mfn % size === 0)) return level;
  }
  return LEAF_LEVEL;
}

/**
 * Maps a run of frames, or unmaps it if `mfn` is undefined, and flushes what was there. A mapping that fails half-way is
 * taken back.
 * @returns 0 or a negative error code
 */
export function setEntries(xen: Xen, p2m: P2m, gfn: Gfn, count: number, mfn: Mfn | undefined, type: P2mType): number {
  if (!frameInRange(xen, gfn, count)) return failure('EINVAL');
  const { p2m: steps } = xen.steps;
  let error = 0;
  let done = 0;
  while (done < count && error === 0) {
    const from = gfnAdd(gfn, done);
    const to = mfn === undefined ? undefined : mfnAdd(mfn, done);
    const level = steps.mappingLevel(xen, from, to, count - done);
    error = steps.setEntry(xen, p2m, from, level, to, type);
    if (error === 0) done += levelFrames(level);
  }
  if (error !== 0 && mfn !== undefined && done > 0) steps.setEntries(xen, p2m, gfn, done, undefined, 'invalid');
  const flushed = p2m.stale ? steps.flush(xen, p2m) : 0;
  return error !== 0 ? error : flushed;
}
