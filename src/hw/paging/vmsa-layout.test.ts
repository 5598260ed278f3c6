/** Bit positions restated by hand from Arm DDI 0487 D8.3. */
import t from 'tap';
import type { Field, Layout } from '../bits.js';
import * as paging from './vmsa-layout.js';

/** Most and least significant bit. */
function bits(field: Field): [number, number] {
  const low = field.word * 32 + field.shift;
  return [low + field.width - 1, low];
}

interface Asserts {
  same(found: unknown, wanted: unknown, name: string): boolean;
}

function same(t: Asserts, form: Layout<string>, expected: Record<string, [number, number]>): void {
  for (const [name, position] of Object.entries(expected)) t.same(bits(form[name] as Field), position, name);
}

t.test('descriptors', async (t) => {
  same(t, paging.DESCRIPTOR, { Type: [1, 0] });
  same(t, paging.ADDRESS_4K, { Address: [47, 12] });
  same(t, paging.ADDRESS_16K, { Address: [47, 14] });
  same(t, paging.ADDRESS_64K, { Address: [47, 16], AddressHigh: [15, 12] });
  same(t, paging.STAGE1_TABLE, { PXNTable: [59, 59], UXNTable: [60, 60], APTable: [62, 61], NSTable: [63, 63] });
  same(t, paging.STAGE1_LEAF, {
    AttrIndx: [4, 2],
    NS: [5, 5],
    AP: [7, 6],
    SH: [9, 8],
    AF: [10, 10],
    nG: [11, 11],
    nT: [16, 16],
    GP: [50, 50],
    DBM: [51, 51],
    Contiguous: [52, 52],
    PXN: [53, 53],
    UXN: [54, 54],
    Software: [58, 55],
    PBHA: [62, 59],
  });
  same(t, paging.STAGE2_LEAF, {
    MemAttr: [5, 2],
    S2AP: [7, 6],
    SH: [9, 8],
    AF: [10, 10],
    FnXS: [11, 11],
    nT: [16, 16],
    DBM: [51, 51],
    Contiguous: [52, 52],
    XN: [54, 53],
    Software: [58, 55],
    PBHA: [62, 59],
  });
});
