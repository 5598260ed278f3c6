/** What may stand before a start-string and behind an end-string. docutils: `Inliner`, rules 6 and 7 of the specification. */

const OPENING = /[\p{Ps}\p{Pi}\p{Pf}\p{Pd}\p{Po}]/u;
const CLOSING = /[\p{Pe}\p{Pi}\p{Pf}\p{Pd}\p{Po}]/u;

const BEFORE = new Uint8Array(128);
for (const character of ' \t\n\r\v\f\'"([{<-/:') BEFORE[character.charCodeAt(0)] = 1;
const BEHIND = new Uint8Array(128);
for (const character of ' \t\n\r\v\f\'")]}>-/:.,;!?\\\0') BEHIND[character.charCodeAt(0)] = 1;

/** White space inside a line. */
export function isBlankCode(code: number): boolean {
  return code === 32 || code === 9 || code === 11 || code === 12 || code === 13 || code === 0xa0 || code === 0xfeff;
}

/** True if a start-string may stand at `at` in a text that begins at `start`. */
export function mayStart(source: string, at: number, start: number): boolean {
  if (at <= start) return true;
  const code = source.charCodeAt(at - 1);
  return code < 128 ? BEFORE[code] === 1 : isBlankCode(code) || OPENING.test(source[at - 1]!);
}

/** True if an end-string may end at `at` in a text that ends at `end`. */
export function mayEnd(source: string, at: number, end: number): boolean {
  if (at >= end) return true;
  const code = source.charCodeAt(at);
  return code < 128 ? BEHIND[code] === 1 : isBlankCode(code) || CLOSING.test(source[at]!);
}
