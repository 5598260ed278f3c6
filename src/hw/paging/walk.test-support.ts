/**
 * The slow reference that the tests hold the walker to: one tree, permissions and attributes, written from Arm DDI 0487
 * D8.2 to D8.6 in 64-bit integers, sharing nothing with the walker but its vocabulary.
 */
import type { GranuleShift } from './vmsa-geometry.js';

export interface Fault {
  fault: string;
  stage: number;
  level: number;
  what: string;
  ipa: bigint;
  fetch: bigint;
}
export interface Leaf {
  output: bigint;
  level: number;
  size: bigint;
  descriptor: bigint;
  tables: bigint[];
}
export type Fetcher = (at: bigint, level: number) => bigint | Fault;

export const bit = (value: bigint, n: number) => (value >> BigInt(n)) & 1n;
export const field = (value: bigint, high: number, low: number) =>
  (value >> BigInt(low)) & ((1n << BigInt(high - low + 1)) - 1n);

export interface Tree {
  granule: GranuleShift;
  inputBits: number;
  startLevel: number;
  base: bigint;
  outputBits: number;
  large: boolean;
}

/** D8.2: resolution by level, D8.3: descriptors. `fault` carries stage and ipa in. */
export function descend(tree: Tree, input: bigint, fetch: Fetcher, fault: Fault): Leaf | Fault {
  const g = BigInt(tree.granule);
  const perLevel = g - 3n;
  const large = tree.large && tree.granule === 16;
  const outputBits = BigInt(large ? tree.outputBits : Math.min(48, tree.outputBits));
  if (tree.base >> outputBits !== 0n) return { ...fault, fault: 'address size', level: 0 };
  let table = tree.base;
  const tables: bigint[] = [];
  for (let level = tree.startLevel; ; level++) {
    const shift = g + BigInt(3 - level) * perLevel;
    const topBit = level === tree.startLevel ? BigInt(tree.inputBits) : shift + perLevel;
    const index = (input >> shift) & ((1n << (topBit - shift)) - 1n);
    const descriptor = fetch(table + index * 8n, level);
    if (typeof descriptor !== 'bigint') return descriptor;
    const type = descriptor & 3n;
    const block = type === 1n && level < 3;
    const blockAllowed = { 12: level === 1 || level === 2, 14: level === 2, 16: level === 2 || (level === 1 && large) }[
      tree.granule
    ];
    if ((type & 1n) === 0n || (type === 1n && !(block && blockAllowed))) {
      return { ...fault, fault: 'translation', level };
    }
    let address = field(descriptor, 47, tree.granule) << g;
    if (large) address |= field(descriptor, 15, 12) << 48n;
    if (address >> outputBits !== 0n) return { ...fault, fault: 'address size', level };
    if (level === 3 || block) {
      const size = 1n << shift;
      return { output: (address & ~(size - 1n)) | (input & (size - 1n)), level, size, descriptor, tables };
    }
    tables.push(descriptor);
    table = address;
  }
}

export interface AccessKind {
  privileged: boolean;
  write: boolean;
  execute: boolean;
}

/** D8.4, stage 2. */
export function permits2(descriptor: bigint, xnx: boolean, access: AccessKind): boolean {
  const readable = bit(descriptor, 6) === 1n;
  const writable = bit(descriptor, 7) === 1n;
  if (access.write) return writable;
  if (!access.execute) return readable;
  const xn = Number(field(descriptor, 54, 53));
  const el1 = xnx ? xn === 0 || xn === 3 : xn < 2;
  const el0 = xnx ? xn === 0 || xn === 1 : xn < 2;
  return readable && (access.privileged ? el1 : el0);
}

export interface Flags {
  wxn: boolean;
  pan: boolean;
  epan: boolean;
  had: boolean;
}

/** D8.4, stage 1 of a regime with two privilege levels. */
export function permits1(leaf: Leaf, flags: Flags, access: AccessKind): boolean {
  const any = (n: number) => !flags.had && leaf.tables.some((table) => bit(table, n) === 1n);
  const forAll = bit(leaf.descriptor, 6) === 1n && !any(61);
  const readOnly = bit(leaf.descriptor, 7) === 1n || any(62);
  const unprivilegedWrite = forAll && !readOnly;
  const neverUnprivileged = bit(leaf.descriptor, 54) === 1n || any(60) || (flags.wxn && unprivilegedWrite);
  const neverPrivileged = bit(leaf.descriptor, 53) === 1n || any(59) || unprivilegedWrite || (flags.wxn && !readOnly);
  if (access.execute) return access.privileged ? !neverPrivileged : !neverUnprivileged;
  if (access.privileged && flags.pan && (forAll || (flags.epan && !neverUnprivileged))) return false;
  if (!access.privileged && !forAll) return false;
  return !(access.write && readOnly);
}

/** Memory type as [Device strictness or -1, inner, outer], the latter 0 NC, 1 WT, 2 WB. */
export type Attributes = { device: number; inner: number; outer: number };

export function attributes2(descriptor: bigint): Attributes {
  const code = Number(field(descriptor, 5, 2));
  if (code < 4 || code % 4 === 0) return { device: code < 4 ? code : 0, inner: 0, outer: 0 };
  return { device: -1, inner: (code & 3) - 1, outer: (code >> 2) - 1 };
}

export function combine(a: Attributes, b: Attributes): Attributes {
  if (a.device < 0 && b.device < 0) {
    return { device: -1, inner: Math.min(a.inner, b.inner), outer: Math.min(a.outer, b.outer) };
  }
  const strictest = a.device < 0 ? b.device : b.device < 0 ? a.device : Math.min(a.device, b.device);
  return { device: strictest, inner: 0, outer: 0 };
}

export function code({ device, inner, outer }: Attributes): number {
  return device >= 0 ? device : (outer + 1) * 4 + inner + 1;
}

export function share(type: Attributes, codes: number[]): number {
  if (type.device >= 0 || (type.inner === 0 && type.outer === 0)) return 2;
  if (codes.some((c) => c === 1 || c === 2)) return 2;
  return codes.includes(3) ? 3 : 0;
}
