/** Fields and bits of registers that are plain numbers rather than words of a structure. */
import type { Field } from '../../bits.js';

/** The bits of fields, in place. */
export function fieldMask(...fields: readonly Field[]): number {
  let bits = 0;
  for (const field of fields) bits |= field.mask << field.shift;
  return bits >>> 0;
}

/** Reads a field of a register's value. */
export function fieldOf(value: number, field: Field): number {
  return (value >>> field.shift) & field.mask;
}

/** A value in the place of a field. The value must fit. */
export function inField(field: Field, value: number): number {
  return (value << field.shift) >>> 0;
}

/** Number of the lowest bit that is set, 0 if none is. */
export function lowestBit(bits: number): number {
  return bits === 0 ? 0 : 31 - Math.clz32(bits & -bits);
}
