/**
 * Where the entries of the ITS tables lie: GITS_BASER<n> and the arithmetic of flat and two-level tables. Arm IHI 0069
 * 5.2 and 12.19 (GITS_BASER<n>).
 */
import { get, getAddress } from '../../bits.js';
import type { PhysicalMemory } from '../../memory.js';
import { GITS_BASER, GITS_BASER_64K, L1_ENTRY, L1_ENTRY_BYTES, PAGE_BYTES, PAGE_SIZE } from './layout.js';

/** A table as its GITS_BASER<n> describes it. */
export interface Table {
  readonly valid: boolean;
  readonly indirect: boolean;
  /** Physical address of the table, or of its first level. */
  readonly base: number;
  readonly pageBytes: number;
  readonly entryBytes: number;
  /** Bytes of the table, or of its first level. */
  readonly bytes: number;
}

/** No memory is allocated for the entry: the table is not valid or too short, or its level 1 entry is not valid. */
export const NOT_ALLOCATED = -1;
/** The level 1 entry is not in memory. */
export const TABLE_ABORT = -2;

/** Reads GITS_BASER<n>. Address bits below the page size are taken as zero. */
export function decodeTable(baser: Uint32Array): Table {
  const size = get(baser, GITS_BASER.PAGE_SIZE);
  const pageBytes = PAGE_BYTES[size] as number;
  const base =
    size >= PAGE_SIZE.KIB_64
      ? get(baser, GITS_BASER_64K.PHYSICAL_ADDRESS_51_48) * 2 ** 48 +
        getAddress(baser, GITS_BASER_64K.PHYSICAL_ADDRESS_47_16)
      : getAddress(baser, GITS_BASER.PHYSICAL_ADDRESS);
  return {
    valid: get(baser, GITS_BASER.VALID) === 1,
    indirect: get(baser, GITS_BASER.INDIRECT) === 1,
    base: base - (base % pageBytes),
    pageBytes,
    entryBytes: get(baser, GITS_BASER.ENTRY_SIZE) + 1,
    bytes: (get(baser, GITS_BASER.SIZE) + 1) * pageBytes,
  };
}

/** How many entries a table has if all of its second level is allocated. */
export function capacity(table: Table): number {
  if (!table.valid) return 0;
  const perPage = Math.floor(table.pageBytes / table.entryBytes);
  return table.indirect ? (table.bytes / L1_ENTRY_BYTES) * perPage : (table.bytes / table.pageBytes) * perPage;
}

const level1 = new Uint32Array(2);

/** The physical address of an entry, or {@link NOT_ALLOCATED} or {@link TABLE_ABORT}. Reads level 1 from memory. */
export function entryAddress(table: Table, index: number, memory: PhysicalMemory): number {
  if (index >= capacity(table)) return NOT_ALLOCATED;
  if (!table.indirect) return table.base + index * table.entryBytes;
  const perPage = Math.floor(table.pageBytes / table.entryBytes);
  const at = table.base + Math.floor(index / perPage) * L1_ENTRY_BYTES;
  if (!memory.loadWords(at, level1, 2)) return TABLE_ABORT;
  if (get(level1, L1_ENTRY.VALID) === 0) return NOT_ALLOCATED;
  const page = getAddress(level1, L1_ENTRY.PHYSICAL_ADDRESS);
  return page - (page % table.pageBytes) + (index % perPage) * table.entryBytes;
}
