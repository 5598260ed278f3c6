/** Classes of characters that several blocks share. */
import { advance, type LineTable } from '../../lines.js';

/** The ASCII characters that may adorn a title: printable and not alphanumeric. */
export function isPunctuation(code: number): boolean {
  return (
    (code >= 33 && code <= 47) ||
    (code >= 58 && code <= 64) ||
    (code >= 91 && code <= 96) ||
    (code >= 123 && code <= 126)
  );
}

/** True if the rest of a line from its content on is one adornment character, repeated. */
export function isAdornment(source: string, lines: LineTable, line: number): boolean {
  return isRun(source, lines.content[line]!, lines.end[line]!);
}

/** True if the text between two offsets is one adornment character, repeated. */
export function isRun(source: string, start: number, end: number): boolean {
  const code = source.charCodeAt(start);
  if (!isPunctuation(code) || source.charCodeAt(end - 1) !== code) return false;
  for (let p = start + 1; p < end; p++) if (source.charCodeAt(p) !== code) return false;
  return true;
}

/** True for a blank or the end of the row: what must follow a marker. */
export function isGap(source: string, at: number, end: number): boolean {
  if (at >= end) return true;
  const code = source.charCodeAt(at);
  return code === 32 || code === 9;
}

/** Offset of the first character from `at` on that is no blank. */
export function skipGap(source: string, at: number, end: number): number {
  let offset = at;
  while (offset < end) {
    const code = source.charCodeAt(offset);
    if (code !== 32 && code !== 9) break;
    offset++;
  }
  return offset;
}

/** Column of `to`, with nothing but blanks between it and `from`, which stands at `column`. */
export function gapColumn(source: string, from: number, to: number, column: number): number {
  let reached = column;
  for (let offset = from; offset < to; offset++) reached = advance(reached, source.charCodeAt(offset));
  return reached;
}

const WIDE =
  /[\u1100-\u115f\u2e80-\u303e\u3041-\ua4cf\uac00-\ud7a3\uf900-\ufaff\ufe30-\ufe6f\uff00-\uff60\uffe0-\uffe6\u{1f300}-\u{1faff}\u{20000}-\u{3fffd}]/u;
const MARK = /\p{M}/u;

/** Columns that a text takes on a screen: two for a wide character, none for a combining mark. */
export function columnWidth(text: string): number {
  let width = 0;
  for (const character of text) {
    if (character < '\u0300') width++;
    else if (!MARK.test(character)) width += WIDE.test(character) ? 2 : 1;
  }
  return width;
}
