/** Registers of 32 bits held as plain numbers: their fields, as `layout.ts` states them. */
import type { Field } from '../../bits.js';
import type { Value64 } from '../../machine.js';

/** The bits of fields, in place. Those of a second word stand as they do in that word. */
export function bitsOf(...fields: readonly Field[]): number {
  let bits = 0;
  for (const field of fields) bits |= field.mask << field.shift;
  return bits >>> 0;
}

/** Reads a field out of the word that holds it. */
export function extract(word: number, field: Field): number {
  return ((word >>> field.shift) & field.mask) >>> 0;
}

/** The word with a field replaced; bits of `value` that the field lacks are dropped. */
export function insert(word: number, field: Field, value: number): number {
  return ((word & ~(field.mask << field.shift)) | ((value & field.mask) << field.shift)) >>> 0;
}

/** A system register whose upper half is zero. */
export function value32(word: number): Value64 {
  return { hi: 0, lo: word >>> 0 };
}
