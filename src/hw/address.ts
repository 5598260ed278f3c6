/**
 * Address spaces. It is important not to mix them up, so each has a type of its own.
 *
 * - `Pa`   physical address: what reaches memory and devices.
 * - `Ipa`  intermediate physical address (guest physical address): output of stage 1, input of stage 2.
 * - Input addresses (VA, IOVA) use all 64 bits and are pairs of 32-bit halves, passed as `hi, lo`.
 *
 * Physical and intermediate addresses have at most 52 bits (Arm DDI 0487 D8.1, Intel 64 4.1.4), so a JavaScript number
 * holds them exactly. All are byte addresses.
 */

declare const space: unique symbol;

/** A physical byte address, below 2^52. */
export type Pa = number & { readonly [space]: 'pa' };
/** An intermediate physical byte address, below 2^52. */
export type Ipa = number & { readonly [space]: 'ipa' };

/** 2^32, for moving between a number and its halves. */
export const TWO_32 = 0x1_0000_0000;
/** One past the largest address of the 52-bit spaces. */
export const ADDRESS_LIMIT = 2 ** 52;

function checked(value: number, what: string): number {
  if (!Number.isInteger(value) || value < 0 || value >= ADDRESS_LIMIT) {
    throw new RangeError(`${what} ${value} is not an integer in [0, 2^52)`);
  }
  return value;
}

/** Makes a physical address. Throws RangeError outside 52 bits. */
export function pa(value: number): Pa {
  return checked(value, 'physical address') as Pa;
}

/** Makes an intermediate physical address. Throws RangeError outside 52 bits. */
export function ipa(value: number): Ipa {
  return checked(value, 'intermediate physical address') as Ipa;
}

/** The upper 32 bits of a number below 2^53. */
export function highHalf(value: number): number {
  return Math.floor(value / TWO_32);
}

/** The lower 32 bits of a number below 2^53, unsigned. */
export function lowHalf(value: number): number {
  return value >>> 0;
}

/** Joins two 32-bit halves. Exact below 2^53. */
export function join(hi: number, lo: number): number {
  return (hi >>> 0) * TWO_32 + (lo >>> 0);
}

/** `0x` and lower-case digits of a number or of a pair of halves. */
export function hex(value: number, lo?: number): string {
  if (lo === undefined) return `0x${value.toString(16)}`;
  const high = value >>> 0;
  const low = (lo >>> 0).toString(16);
  return high === 0 ? `0x${low}` : `0x${high.toString(16)}${low.padStart(8, '0')}`;
}
