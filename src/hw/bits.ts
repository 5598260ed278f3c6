/**
 * Field layouts: registers and in-memory structures stated the way their manual prints them, `S2TTB: [243, 196]`.
 *
 * A structure is read as little-endian 32-bit words. A field may begin in one word and end in the next; a field that
 * touches three words is refused, as are overlapping fields and fields beyond the structure, when the layout loads.
 */

/** One field: an object of one shape, so that access to it stays monomorphic. */
export interface Field {
  readonly name: string;
  /** Index of the 32-bit word that holds the least significant bit. */
  readonly word: number;
  /** Position of the least significant bit in that word. */
  readonly shift: number;
  /** Mask, unshifted, of the bits in the first word. */
  readonly mask: number;
  /** Mask of the bits in the next word; 0 if the field ends in the first. */
  readonly upperMask: number;
  /** Weight of the first bit in the next word. */
  readonly upperWeight: number;
  /** Width in bits. */
  readonly width: number;
  /** Weight of the least significant bit in its 64-bit word: an address field times this is the address. */
  readonly weight: number;
}

/** A bit number or `[most significant, least significant]`, as manuals print them. */
export type Bits = number | readonly [msb: number, lsb: number];

/** A layout: each name with its field. */
export type Layout<Name extends string> = { readonly [N in Name]: Field };

function maskOf(width: number): number {
  return width >= 32 ? 0xffffffff : (1 << width) - 1;
}

function makeField(structure: string, name: string, bits: Bits, size: number): Field {
  const [msb, lsb] = typeof bits === 'number' ? [bits, bits] : bits;
  const width = msb - lsb + 1;
  if (!(Number.isInteger(lsb) && Number.isInteger(msb) && lsb >= 0 && width >= 1 && msb < size)) {
    throw new RangeError(`${structure}.${name} [${msb}, ${lsb}] does not lie in ${size} bits`);
  }
  const word = lsb >>> 5;
  const shift = lsb & 31;
  const lastWord = msb >>> 5;
  if (lastWord > word + 1) throw new RangeError(`${structure}.${name} [${msb}, ${lsb}] touches three words`);
  if (width > 53) throw new RangeError(`${structure}.${name} is ${width} bits wide, more than a number holds exactly`);
  const inFirst = Math.min(width, 32 - shift);
  return {
    name,
    word,
    shift,
    mask: maskOf(inFirst) >>> 0,
    upperMask: width > inFirst ? maskOf(width - inFirst) >>> 0 : 0,
    upperWeight: 2 ** inFirst,
    width,
    weight: 2 ** (lsb & 63),
  };
}

/**
 * States a layout of `size` bits.
 * @throws RangeError if a field lies outside, overlaps another, touches three words or is wider than 53 bits.
 */
export function layout<Name extends string>(
  structure: string,
  size: number,
  fields: Readonly<Record<Name, Bits>>,
): Layout<Name> {
  const owner: (string | undefined)[] = new Array(size).fill(undefined);
  const result: Record<string, Field> = {};
  for (const [name, bits] of Object.entries(fields) as [Name, Bits][]) {
    result[name] = makeField(structure, name, bits, size);
    const [msb, lsb] = typeof bits === 'number' ? [bits, bits] : bits;
    for (let bit = lsb; bit <= msb; bit++) {
      if (owner[bit] !== undefined) throw new RangeError(`${structure}.${name} overlaps ${owner[bit]} at bit ${bit}`);
      owner[bit] = name;
    }
  }
  return Object.freeze(result) as Layout<Name>;
}

/** Reads a field as an unsigned number. */
export function get(words: Uint32Array, field: Field): number {
  const low = ((words[field.word] as number) >>> field.shift) & field.mask;
  if (field.upperMask === 0) return low >>> 0;
  return (low >>> 0) + (((words[field.word + 1] as number) & field.upperMask) >>> 0) * field.upperWeight;
}

/** Reads a field in place: times the weight of its least significant bit in its 64-bit word. For address fields. */
export function getAddress(words: Uint32Array, field: Field): number {
  return get(words, field) * field.weight;
}

/**
 * Writes a field.
 * @throws RangeError if the value does not fit.
 */
export function put(words: Uint32Array, field: Field, value: number): void {
  if (!Number.isInteger(value) || value < 0 || value >= 2 ** field.width) {
    throw new RangeError(`${field.name} has ${field.width} bits and cannot hold ${value}`);
  }
  const isWhole = field.upperMask === 0;
  const low = isWhole ? value : value % field.upperWeight;
  words[field.word] = ((words[field.word] as number) & ~(field.mask << field.shift)) | (low << field.shift);
  if (!isWhole) {
    const high = Math.floor(value / field.upperWeight);
    words[field.word + 1] = ((words[field.word + 1] as number) & ~field.upperMask) | high;
  }
}

/**
 * Writes an address into an address field.
 * @throws RangeError if the address is not aligned to the field or does not fit.
 */
export function putAddress(words: Uint32Array, field: Field, address: number): void {
  if (address % field.weight !== 0) throw new RangeError(`${field.name} cannot hold the unaligned address ${address}`);
  put(words, field, address / field.weight);
}

/** A structure of `size` bits with the given field values, all else zero. */
export function encode<Name extends string>(
  form: Layout<Name>,
  size: number,
  values: Partial<Record<Name, number>>,
): Uint32Array {
  const words = new Uint32Array(size / 32);
  for (const name in values) put(words, form[name], values[name] as number);
  return words;
}

/** `Name=0x…` of every field that is not zero, in layout order: for transcripts. Fields of addresses are told in place. */
export function describe(form: Layout<string>, words: Uint32Array): string {
  const parts: string[] = [];
  for (const field of Object.values(form)) {
    const value = field.width > 32 ? getAddress(words, field) : get(words, field);
    if (value === 0) continue;
    parts.push(`${field.name}=${value < 10 ? value : `0x${value.toString(16)}`}`);
  }
  return parts.join(' ');
}
