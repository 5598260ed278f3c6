/**
 * The lines of a text, as offsets: no line is ever copied out. Lines end with `\n`, `\r\n` or `\r`, as OpenFastTrace and
 * CommonMark read them.
 */

const TAB_STOP = 8;
const LF = 10;
const SPACE = 32;

/** Line `k` (from 0) of a text in four tables of offsets. Blank lines have `content[k] === end[k]`. */
export interface LineTable {
  readonly count: number;
  /** Offset of the line's first character. */
  readonly start: Int32Array;
  /** Offset of its first character that is no white space. */
  readonly content: Int32Array;
  /** Offset behind its last character that is no white space. */
  readonly end: Int32Array;
  /** Column, from 0, of `content` with tabs expanded to multiples of 8. */
  readonly indent: Int32Array;
}

/** True for white space inside a line: tab, vertical tab, form feed, space and `\r`. */
function isSpace(code: number): boolean {
  return code === SPACE || (code >= 9 && code <= 13 && code !== LF) || code === 0xfeff;
}

/** Column behind the character `code` that stands at `column`; tab stops are every 8 columns. */
export function advance(column: number, code: number): number {
  if (code === 9) return column - (column % TAB_STOP) + TAB_STOP;
  return code === 0xfeff ? column : column + 1;
}

function grown(table: Int32Array, size: number): Int32Array {
  const larger = new Int32Array(size);
  larger.set(table);
  return larger;
}

/**
 * Finds the lines of a text, in one pass. A byte order mark counts as white space without width. The tables of `reuse`, a
 * table that is no longer needed, are written over where they are large enough.
 */
export function findLines(text: string, reuse?: LineTable): LineTable {
  let size = reuse?.start.length ?? Math.max(16, text.length >>> 4);
  let start = reuse?.start ?? new Int32Array(size);
  let content = reuse?.content ?? new Int32Array(size);
  let end = reuse?.end ?? new Int32Array(size);
  let indent = reuse?.indent ?? new Int32Array(size);
  let count = 0;
  let from = 0;
  let nextCr = text.indexOf('\r');
  const length = text.length;
  while (from < length) {
    let stop = text.indexOf('\n', from);
    if (stop < 0) stop = length;
    let behind = stop + 1;
    if (nextCr >= 0 && nextCr < stop) {
      stop = nextCr;
      behind = text.charCodeAt(stop + 1) === LF ? stop + 2 : stop + 1;
      nextCr = text.indexOf('\r', behind);
    }
    if (count === size) {
      size *= 2;
      start = grown(start, size);
      content = grown(content, size);
      end = grown(end, size);
      indent = grown(indent, size);
    }
    let first = from;
    let column = 0;
    while (first < stop) {
      const code = text.charCodeAt(first);
      if (code > SPACE ? code !== 0xfeff : !isSpace(code)) break;
      column = advance(column, code);
      first++;
    }
    let last = stop;
    while (last > first && isSpace(text.charCodeAt(last - 1))) last--;
    start[count] = from;
    content[count] = first;
    end[count] = last;
    indent[count] = column;
    count++;
    from = behind;
  }
  return { count, start, content, end, indent };
}

/** Finds the line that holds an offset by stepping from a line nearby. */
export function lineOf(lines: LineTable, offset: number, near: number): number {
  let k = near;
  while (k > 0 && lines.start[k]! > offset) k--;
  while (k + 1 < lines.count && lines.start[k + 1]! <= offset) k++;
  return k;
}
