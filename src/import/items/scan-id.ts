/** Finds ids in a text by offsets. Ids of ASCII characters take a hand-written path; others the pattern of `core`. */
import { ID_PATTERN, type ItemId, MAX_REVISION } from '../../core/item.js';

const TILDE = 126;
const DOT = 46;
const STICKY_ID = new RegExp(ID_PATTERN, 'uy');

function isLetter(code: number): boolean {
  return (code >= 97 && code <= 122) || (code >= 65 && code <= 90);
}

function isDigit(code: number): boolean {
  return code >= 48 && code <= 57;
}

/** True for `[A-Za-z0-9_]`. */
export function isWord(code: number): boolean {
  return isLetter(code) || isDigit(code) || code === 95;
}

function isNameCharacter(code: number): boolean {
  return isWord(code) || code === 45;
}

/** Offset behind the id that begins at `at`, or -1. The revision's size is not looked at. */
export function scanId(text: string, at: number, limit: number): number {
  let p = at;
  while (p < limit && isLetter(text.charCodeAt(p))) p++;
  if (p === at || p >= limit || text.charCodeAt(p) !== TILDE) return -1;
  p++;
  const first = text.charCodeAt(p);
  if (p >= limit || !isLetter(first)) return first > 127 ? scanUnicodeId(text, at, limit) : -1;
  let code = first;
  while (p < limit) {
    code = text.charCodeAt(p);
    if (isNameCharacter(code)) p++;
    else if (code === DOT && p + 1 < limit && isNameCharacter(text.charCodeAt(p + 1))) p += 2;
    else break;
  }
  if (p >= limit) return -1;
  if (code !== TILDE) return code > 127 || code === DOT ? scanUnicodeId(text, at, limit) : -1;
  p++;
  const digits = p;
  while (p < limit && isDigit(text.charCodeAt(p))) p++;
  if (p < limit && text.charCodeAt(p) > 127) return scanUnicodeId(text, at, limit);
  return p === digits ? -1 : p;
}

function scanUnicodeId(text: string, at: number, limit: number): number {
  STICKY_ID.lastIndex = at;
  const end = STICKY_ID.test(text) ? STICKY_ID.lastIndex : -1;
  return end > limit ? -1 : end;
}

/** The revision whose digits stand between two offsets; undefined if it is above {@link MAX_REVISION}. */
export function readRevision(text: string, from: number, end: number): number | undefined {
  let revision = 0;
  for (let p = from; p < end; p++) {
    const code = text.charCodeAt(p);
    if (!isDigit(code)) return undefined;
    revision = revision * 10 + code - 48;
    if (revision > MAX_REVISION) return undefined;
  }
  return revision;
}

/** The parts of the id between two offsets that {@link scanId} gave. Undefined if the revision is too large. */
export function readId(text: string, at: number, end: number): ItemId | undefined {
  const first = text.indexOf('~', at);
  const second = text.indexOf('~', first + 1);
  const revision = readRevision(text, second + 1, end);
  if (revision === undefined) return undefined;
  return { type: text.slice(at, first), name: text.slice(first + 1, second), revision };
}

/** The id between two offsets without leading zeros of its revision; undefined if its revision is too large. */
export function normalisedId(text: string, at: number, end: number): string | undefined {
  const second = text.indexOf('~', text.indexOf('~', at) + 1);
  const revision = readRevision(text, second + 1, end);
  if (revision === undefined) return undefined;
  const leadingZero = text.charCodeAt(second + 1) === 48 && end - second > 2;
  return leadingZero ? text.slice(at, second + 1) + revision : text.slice(at, end);
}

/** An id's range in the text. */
export interface IdRange {
  readonly start: number;
  readonly end: number;
}

/**
 * Every id between two offsets that stands apart from word characters, in order: what OpenFastTrace's pattern
 * `(?:.*\W)?(ID)(?:\W.*)?` can match. Linear: each tilde is looked at once, and a name holds none.
 */
export function findIds(text: string, from: number, limit: number): IdRange[] {
  const found: IdRange[] = [];
  let tilde = text.indexOf('~', from);
  while (tilde >= 0 && tilde < limit) {
    let start = tilde;
    while (start > from && isLetter(text.charCodeAt(start - 1))) start--;
    const apart = start === from || !isWord(text.charCodeAt(start - 1));
    const end = start < tilde && apart ? scanId(text, start, limit) : -1;
    if (end >= 0 && (end === limit || !isWord(text.charCodeAt(end)))) {
      found.push({ start, end });
      tilde = text.indexOf('~', end);
    } else {
      tilde = text.indexOf('~', tilde + 1);
    }
  }
  return found;
}

const LOOK_ALIKE_REACH = 256;
const MAYBE_ID = /^[ \t]{0,3}~[ \t]{0,3}[\p{L}_][\p{L}\p{N}_.-]{0,200}[ \t]{0,3}~[ \t]{0,3}\p{N}+/u;
const TYPE_BEFORE = /[\p{L}\p{N}_]{1,80}[ \t]{0,3}$/u;

/** The first thing from `from` on that looks like an id, taken more loosely than an id: blanks around `~`, any type. */
export function findLookAlike(text: string, from: number, limit: number): IdRange | undefined {
  let tilde = text.indexOf('~', from);
  while (tilde >= 0 && tilde < limit) {
    const behind = MAYBE_ID.exec(text.slice(tilde, Math.min(limit, tilde + LOOK_ALIKE_REACH)));
    if (behind) {
      const before = TYPE_BEFORE.exec(text.slice(Math.max(from, tilde - 84), tilde));
      if (before) return { start: tilde - before[0].length, end: tilde + behind[0].length };
    }
    tilde = text.indexOf('~', tilde + 1);
  }
  return undefined;
}
