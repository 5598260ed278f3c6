/** Field lists: `:name: body`. docutils: `Body.field_marker`, `FieldList`. */
import type { Container, Tokenizer } from '../tokenizer.js';
import { TOKEN } from '../tokens.js';
import { gapColumn, isGap, skipGap } from './characters.js';

const COLON = 58;
const BACKSLASH = 92;
const BACKTICK = 96;

/** Begins a list if the row begins with a field marker. */
export function fieldList(t: Tokenizer): boolean {
  const behind = fieldMarker(t.source, t.at, t.end);
  if (behind < 0) return false;
  t.push(TOKEN.fieldList, t.at, t.top.indent);
  field(t, behind);
  return true;
}

/** Takes the next field if the row has a marker. */
export function continueFieldList(t: Tokenizer, list: Container): boolean {
  void list;
  const behind = fieldMarker(t.source, t.at, t.end);
  if (behind < 0) return false;
  field(t, behind);
  return true;
}

/**
 * Offset behind the field marker that begins at `at`, or -1. The name holds colons only where no blank or backtick
 * follows, no blank before the closing colon, and backslashes escape.
 */
export function fieldMarker(source: string, at: number, end: number): number {
  if (source.charCodeAt(at) !== COLON) return -1;
  const first = source.charCodeAt(at + 1);
  if (at + 1 >= end || first === COLON || first === 32 || first === 9) return -1;
  for (let p = at + 1; p < end; p++) {
    const code = source.charCodeAt(p);
    if (code === BACKSLASH) p++;
    else if (code === COLON) {
      if (isGap(source, p + 1, end)) return source.charCodeAt(p - 1) === 32 ? -1 : p + 1;
      if (source.charCodeAt(p + 1) === BACKTICK) return -1;
    }
  }
  return -1;
}

function field(t: Tokenizer, behind: number): void {
  const start = t.at;
  const list = t.top.indent;
  const gap = skipGap(t.source, behind, t.end);
  const column = gapColumn(t.source, behind, gap, t.column + behind - start);
  const indent = t.blockIndent(t.line + 1, list);
  t.push(TOKEN.field, start, indent);
  t.sink.enter(TOKEN.fieldName, start + 1);
  t.inline(t.line, start + 1, t.line, behind - 1);
  t.sink.exit(TOKEN.fieldName, behind - 1);
  t.taken = behind;
  if (gap < t.end) t.stayAt(gap, column, indent);
  else t.moveTo(t.line + 1);
  t.push(
    TOKEN.fieldBody,
    gap < t.end || t.line >= t.lines.count || t.indent < indent || t.isBlank(t.line) ? behind : t.at,
    indent,
  );
}
