/**
 * Integer expressions of a device tree source, as C has them, on unsigned 64-bit numbers.
 *
 * Devicetree Specification v0.4, 6.3: arithmetic, bitwise, logical, relational and ternary operators, in parentheses.
 */

import type { Scanner } from './dts-scanner.js';
import { DEPTH_LIMIT } from './fdt-layout.js';

type Binary = (left: bigint, right: bigint) => bigint;
const truth = (value: boolean): bigint => (value ? 1n : 0n);
const shift = (right: bigint, by: (count: bigint) => bigint) => (right >= 64n ? 0n : by(right));

/** Operators from the loosest binding to the tightest; longer spellings first within a level. */
const LEVELS: readonly (readonly (readonly [string, Binary])[])[] = [
  [['||', (a, b) => truth(a !== 0n || b !== 0n)]],
  [['&&', (a, b) => truth(a !== 0n && b !== 0n)]],
  [['|', (a, b) => a | b]],
  [['^', (a, b) => a ^ b]],
  [['&', (a, b) => a & b]],
  [
    ['==', (a, b) => truth(a === b)],
    ['!=', (a, b) => truth(a !== b)],
  ],
  [
    ['<=', (a, b) => truth(a <= b)],
    ['>=', (a, b) => truth(a >= b)],
    ['<', (a, b) => truth(a < b)],
    ['>', (a, b) => truth(a > b)],
  ],
  [
    ['<<', (a, b) => shift(b, (count) => a << count)],
    ['>>', (a, b) => shift(b, (count) => a >> count)],
  ],
  [
    ['+', (a, b) => a + b],
    ['-', (a, b) => a - b],
  ],
  [
    ['*', (a, b) => a * b],
    ['/', (a, b) => a / b],
    ['%', (a, b) => a % b],
  ],
];

/** Spellings that begin like an operator and are another one: `|` is not the beginning of `||`. */
const LONGER: Readonly<Record<string, readonly string[]>> = {
  '|': ['||'],
  '&': ['&&'],
  '<': ['<<', '<='],
  '>': ['>>', '>='],
};

const wrap = (value: bigint) => BigInt.asUintN(64, value);

/** Reads one expression up to what cannot belong to it. The value is below 2^64. */
function readExpression(scanner: Scanner, depth = 0): bigint {
  if (depth > DEPTH_LIMIT) scanner.fail('nesting', `expressions nest deeper than ${DEPTH_LIMIT}`);
  const condition = readLevel(scanner, 0, depth);
  if (!scanner.accept('?')) return condition;
  const yes = readExpression(scanner, depth + 1);
  scanner.expect(':');
  const no = readExpression(scanner, depth + 1);
  return condition !== 0n ? yes : no;
}

function acceptOperator(scanner: Scanner, level: number): Binary | undefined {
  for (const [spelling, operate] of LEVELS[level] ?? []) {
    if (!scanner.at(spelling) || LONGER[spelling]?.some((longer) => scanner.at(longer))) continue;
    scanner.offset += spelling.length;
    return operate;
  }
  return undefined;
}

function readLevel(scanner: Scanner, level: number, depth: number): bigint {
  if (level === LEVELS.length) return readUnary(scanner, depth);
  let left = readLevel(scanner, level + 1, depth);
  for (let operate = acceptOperator(scanner, level); operate; operate = acceptOperator(scanner, level)) {
    const start = scanner.offset - 1;
    const right = readLevel(scanner, level + 1, depth);
    const divides = scanner.text[start] === '/' || scanner.text[start] === '%';
    if (divides && right === 0n) scanner.fail('out of range', 'division by zero', start);
    left = wrap(operate(left, right));
  }
  return left;
}

function readUnary(scanner: Scanner, depth: number): bigint {
  if (depth > DEPTH_LIMIT) scanner.fail('nesting', `expressions nest deeper than ${DEPTH_LIMIT}`);
  if (scanner.accept('-')) return wrap(-readUnary(scanner, depth + 1));
  if (scanner.accept('~')) return wrap(~readUnary(scanner, depth + 1));
  if (scanner.accept('!')) return truth(readUnary(scanner, depth + 1) === 0n);
  return readPrimary(scanner, depth);
}

/** A number, a character, or an expression in parentheses: what may stand between other cells. */
export function readPrimary(scanner: Scanner, depth = 0): bigint {
  if (scanner.accept('(')) {
    const value = readExpression(scanner, depth + 1);
    scanner.expect(')');
    return value;
  }
  return (
    scanner.integer() ?? scanner.character() ?? scanner.fail('syntax', `expected a number, found ${scanner.found}`)
  );
}
