/** Forwarding lines: `skip --> a, b : req~x~1` says that `skip` need not refine the item, and that a and b must. */
import { type IdRange, scanId } from './scan-id.js';

/** Offsets of the parts of a forward. */
export interface Forward {
  readonly skipStart: number;
  readonly skipEnd: number;
  readonly types: readonly IdRange[];
  readonly idStart: number;
  readonly idEnd: number;
}

function isLetter(code: number): boolean {
  return (code >= 97 && code <= 122) || (code >= 65 && code <= 90);
}

function skipBlanks(text: string, from: number, end: number): number {
  let p = from;
  while (p < end && (text.charCodeAt(p) === 32 || text.charCodeAt(p) === 9)) p++;
  return p;
}

/** The first forward on a line. */
export function findForward(text: string, start: number, end: number): Forward | undefined {
  for (let tip = text.indexOf('>', start); tip >= 0 && tip < end; tip = text.indexOf('>', tip + 1)) {
    const at = tip - 2;
    if (at < start || !text.startsWith('--', at)) continue;
    let skipEnd = at;
    while (skipEnd > start && (text.charCodeAt(skipEnd - 1) === 32 || text.charCodeAt(skipEnd - 1) === 9)) skipEnd--;
    let skipStart = skipEnd;
    while (skipStart > start && isLetter(text.charCodeAt(skipStart - 1))) skipStart--;
    const rest = skipStart < skipEnd ? readTargets(text, at + 3, end) : undefined;
    if (rest) return { skipStart, skipEnd, ...rest };
  }
  return undefined;
}

function readTargets(text: string, from: number, end: number): Omit<Forward, 'skipStart' | 'skipEnd'> | undefined {
  const types: IdRange[] = [];
  let p = skipBlanks(text, from, end);
  for (;;) {
    const typeStart = p;
    while (p < end && isLetter(text.charCodeAt(p))) p++;
    if (p === typeStart) return undefined;
    types.push({ start: typeStart, end: p });
    if (text[p] !== ',') break;
    p = skipBlanks(text, p + 1, end);
  }
  p = skipBlanks(text, p, end);
  if (p >= end || text[p] !== ':') return undefined;
  const idStart = skipBlanks(text, p + 1, end);
  const idEnd = scanId(text, idStart, end);
  return idEnd < 0 ? undefined : { types, idStart, idEnd };
}
