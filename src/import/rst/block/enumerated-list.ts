/** Enumerated lists. docutils: `Body.enumerator`, `EnumeratedList`, `Body.is_enumerated_list_item`. */
import type { Container, Tokenizer } from '../tokenizer.js';
import { TOKEN } from '../tokens.js';
import { listItem } from './bullet-list.js';
import { isGap } from './characters.js';

const FORMATS = ['period', 'rightParenthesis', 'parentheses'] as const;
const SEQUENCES = ['arabic', 'lowerAlpha', 'upperAlpha', 'lowerRoman', 'upperRoman', 'auto'] as const;
const LONGEST = 12;

type Sequence = (typeof SEQUENCES)[number];

interface Enumerator {
  readonly format: number;
  readonly sequence: Sequence;
  readonly ordinal: number;
  /** Characters of the marker. */
  readonly length: number;
  readonly text: string;
}

/** Begins a list if the row begins with an enumerator and the line below does not contradict. */
export function enumeratedList(t: Tokenizer): boolean {
  const found = enumeratorAt(t, t.at, t.end, undefined);
  if (!found || !agreesBelow(t, found)) return false;
  t.push(TOKEN.enumeratedList, t.at, t.top.indent, kindOf(found), found.ordinal);
  listItem(t, found.length);
  return true;
}

/** Takes the next item if its enumerator is the successor of the last. */
export function continueEnumeratedList(t: Tokenizer, list: Container): boolean {
  const sequence = SEQUENCES[list.kind >> 2]!;
  const found = enumeratorAt(t, t.at, t.end, sequence);
  if (!found || found.format !== (list.kind & 3)) return false;
  const auto = found.sequence === 'auto';
  if (!auto && (sequence === 'auto' || found.sequence !== sequence || found.ordinal !== list.ordinal + 1)) return false;
  if (!agreesBelow(t, auto ? { ...found, ordinal: list.ordinal + 1, sequence } : found)) return false;
  list.ordinal++;
  listItem(t, found.length);
  return true;
}

function kindOf(enumerator: Enumerator): number {
  return (SEQUENCES.indexOf(enumerator.sequence) << 2) | enumerator.format;
}

/** The line below an item must be blank, indented, or the next enumerator; else the row is text. */
function agreesBelow(t: Tokenizer, enumerator: Enumerator): boolean {
  const below = t.line + 1;
  if (t.isBlank(below) || t.lines.indent[below] !== t.top.indent) return true;
  const next = enumeratorAt(t, t.lines.content[below]!, t.lines.end[below]!, enumerator.sequence);
  if (!next || next.format !== enumerator.format) return false;
  return next.sequence === 'auto' || (next.sequence === enumerator.sequence && next.ordinal === enumerator.ordinal + 1);
}

function isAlphanumeric(code: number): boolean {
  return (code >= 48 && code <= 57) || (code >= 65 && code <= 90) || (code >= 97 && code <= 122);
}

function enumeratorAt(t: Tokenizer, at: number, end: number, expected: Sequence | undefined): Enumerator | undefined {
  const { source } = t;
  const opened = source[at] === '(';
  const start = opened ? at + 1 : at;
  let p = start;
  if (source[p] === '#') p++;
  else while (p < end && p - start < LONGEST && isAlphanumeric(source.charCodeAt(p))) p++;
  if (p === start || p >= end) return undefined;
  const closing = source[p];
  if (closing !== ')' && (closing !== '.' || opened)) return undefined;
  if (!isGap(source, p + 1, end)) return undefined;
  const format = FORMATS.indexOf(opened ? 'parentheses' : closing === ')' ? 'rightParenthesis' : 'period');
  const text = source.slice(start, p);
  const sequence = sequenceOf(text, expected);
  if (!sequence) return undefined;
  const ordinal = ordinalOf(text, sequence);
  return ordinal === undefined ? undefined : { format, sequence, ordinal, length: p + 1 - at, text };
}

function sequenceOf(text: string, expected: Sequence | undefined): Sequence | undefined {
  if (text === '#') return 'auto';
  if (expected && expected !== 'auto' && MATCHES[expected].test(text)) return expected;
  if (text === 'i') return 'lowerRoman';
  if (text === 'I') return 'upperRoman';
  return SEQUENCES.find((sequence) => MATCHES[sequence].test(text));
}

const MATCHES: Readonly<Record<Sequence, RegExp>> = {
  arabic: /^[0-9]+$/,
  lowerAlpha: /^[a-z]$/,
  upperAlpha: /^[A-Z]$/,
  lowerRoman: /^[ivxlcdm]+$/,
  upperRoman: /^[IVXLCDM]+$/,
  auto: /^#$/,
};

function ordinalOf(text: string, sequence: Sequence): number | undefined {
  if (sequence === 'auto') return 1;
  if (sequence === 'arabic') return Number(text);
  if (sequence === 'lowerAlpha') return text.charCodeAt(0) - 96;
  if (sequence === 'upperAlpha') return text.charCodeAt(0) - 64;
  return fromRoman(text.toUpperCase());
}

const ROMAN = /^(M{0,4})(CM|CD|D?C{0,3})(XC|XL|L?X{0,3})(IX|IV|V?I{0,3})$/;
const ROMAN_DIGITS: readonly (readonly [string, number])[] = [
  ['CM', 900],
  ['CD', 400],
  ['XC', 90],
  ['XL', 40],
  ['IX', 9],
  ['IV', 4],
  ['M', 1000],
  ['D', 500],
  ['C', 100],
  ['L', 50],
  ['X', 10],
  ['V', 5],
  ['I', 1],
];

function fromRoman(text: string): number | undefined {
  if (!ROMAN.test(text)) return undefined;
  let value = 0;
  let rest = text;
  while (rest !== '') {
    const digit = ROMAN_DIGITS.find(([letters]) => rest.startsWith(letters))!;
    value += digit[1];
    rest = rest.slice(digit[0].length);
  }
  return value;
}
