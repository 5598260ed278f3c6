/** Addresses of table entries: flat tables by hand, two-level tables against a flat one, under random geometry. */
import fc from 'fast-check';
import t from 'tap';
import { pa } from '../../address.js';
import { PhysicalMemory } from '../../memory.js';
import { capacity, decodeTable, entryAddress, NOT_ALLOCATED, TABLE_ABORT, type Table } from './tables.js';

const RAM = 0x4000_0000;
const RUNS = { numRuns: 200, seed: 69 };

/** GITS_BASER<n>: Size 7:0, Page_Size 9:8, Entry_Size 52:48, Indirect 62, Valid 63; the address in its place. */
function baser(address: bigint, pageSize: bigint, size: bigint, entryBytes: bigint, indirect: boolean): Uint32Array {
  const flags = (1n << 63n) | (indirect ? 1n << 62n : 0n) | ((entryBytes - 1n) << 48n) | (pageSize << 8n);
  const value = flags | (size - 1n) | address;
  return Uint32Array.of(Number(value & 0xffff_ffffn), Number(value >> 32n));
}

const geometry = fc.record({
  pageSize: fc.constantFrom(0n, 1n, 2n),
  size: fc.integer({ min: 1, max: 256 }),
  entryBytes: fc.constantFrom(8, 16, 32),
  index: fc.integer({ min: 0, max: 2 ** 22 }),
});

const bytesOfPage = (pageSize: bigint): number => [4096, 16384, 65536][Number(pageSize)] as number;

t.test('an entry of a flat table lies at its index, and none lies beyond the table', async (t) => {
  const memory = new PhysicalMemory();
  fc.assert(
    fc.property(geometry, ({ pageSize, size, entryBytes, index }) => {
      const table = decodeTable(baser(BigInt(RAM), pageSize, BigInt(size), BigInt(entryBytes), false));
      const bytes = size * bytesOfPage(pageSize);
      const expected = (index + 1) * entryBytes <= bytes ? RAM + index * entryBytes : NOT_ALLOCATED;
      return entryAddress(table, index, memory) === expected && capacity(table) === bytes / entryBytes;
    }),
    RUNS,
  );
  t.pass();
});

t.test('a two-level table whose pages follow each other is as a flat one', async (t) => {
  const memory = new PhysicalMemory();
  memory.addRange(pa(RAM), 0x0100_0000);
  fc.assert(
    fc.property(geometry, ({ pageSize, entryBytes, index }) => {
      const page = bytesOfPage(pageSize);
      const second = 0x8000_0000;
      const table = decodeTable(baser(BigInt(RAM), pageSize, 256n, BigInt(entryBytes), true));
      const at = Math.floor((index * entryBytes) / page);
      if (at >= (256 * page) / 8) return entryAddress(table, index, memory) === NOT_ALLOCATED;
      const target = second + at * page;
      // Level 1 entry: Valid 63, address 51:12.
      memory.storeWords(RAM + at * 8, [target, 0x8000_0000]);
      const allocated = entryAddress(table, index, memory);
      memory.storeWords(RAM + at * 8, [target, 0]);
      return allocated === second + index * entryBytes && entryAddress(table, index, memory) === NOT_ALLOCATED;
    }),
    RUNS,
  );
  t.pass();
});

t.test('with pages of 64 KiB, bits 15:12 of the register are bits 51:48 of the address', async (t) => {
  fc.assert(
    fc.property(fc.bigInt({ min: 0n, max: 2n ** 36n - 1n }), (number) => {
      const address = number << 16n;
      const field = (address & 0xffff_ffff_0000n) | ((address >> 48n) << 12n);
      return decodeTable(baser(field, 2n, 1n, 8n, false)).base === Number(address);
    }),
    RUNS,
  );
  fc.assert(
    fc.property(fc.bigInt({ min: 0n, max: 2n ** 36n - 1n }), (number) => {
      return decodeTable(baser(number << 12n, 0n, 1n, 8n, false)).base === Number(number << 12n);
    }),
    RUNS,
  );
  t.pass();
});

t.test('a level 1 entry outside memory is an abort, a table that is not valid has no entries', async (t) => {
  const memory = new PhysicalMemory();
  const table: Table = decodeTable(baser(BigInt(RAM), 0n, 1n, 8n, true));
  t.equal(entryAddress(table, 0, memory), TABLE_ABORT);
  t.equal(entryAddress({ ...table, valid: false }, 0, memory), NOT_ALLOCATED);
  t.equal(capacity({ ...table, valid: false }), 0);
});
