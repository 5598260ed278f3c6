/** References by simple names, and to footnotes and citations. */

const FOOTNOTE_REFERENCE = /\[(?:[0-9]+|\*|#|#?[\p{L}\p{N}][\p{L}\p{N}_.+:-]{0,100})\]_/uy;

function isAlphanumeric(code: number): boolean {
  const letter = code | 32;
  return (letter >= 97 && letter <= 122) || (code >= 48 && code <= 57) || code > 127;
}

/**
 * Start of the simple name that ends at `end`: alphanumerics with single `-._+:` between them. -1 if there is none. Looks
 * back no further than `from`.
 */
export function simpleNameStart(source: string, end: number, from: number): number {
  let start = end;
  while (start > from) {
    const code = source.charCodeAt(start - 1);
    const inner =
      start < end &&
      '-._+:'.includes(source[start - 1]!) &&
      start - 1 > from &&
      isAlphanumeric(source.charCodeAt(start - 2)) &&
      isAlphanumeric(source.charCodeAt(start));
    if (!isAlphanumeric(code) && !inner) break;
    start--;
  }
  return start < end ? start : -1;
}

/** Offset behind the footnote or citation reference `[label]_` at `at`, or -1. */
export function footnoteReferenceEnd(source: string, at: number, end: number): number {
  FOOTNOTE_REFERENCE.lastIndex = at;
  return FOOTNOTE_REFERENCE.test(source) && FOOTNOTE_REFERENCE.lastIndex <= end ? FOOTNOTE_REFERENCE.lastIndex : -1;
}
