/** Bullet lists. docutils: `Body.bullet`, `BulletList`. */
import type { Container, Tokenizer } from '../tokenizer.js';
import { TOKEN } from '../tokens.js';
import { gapColumn, isGap, skipGap } from './characters.js';

/** Begins a list: the row begins with a bullet. */
export function bulletList(t: Tokenizer): boolean {
  if (!isGap(t.source, t.at + 1, t.end)) return false;
  t.push(TOKEN.bulletList, t.at, t.top.indent, t.source.charCodeAt(t.at));
  listItem(t, 1);
  return true;
}

/** Takes the next item if the row has the list's bullet. */
export function continueBulletList(t: Tokenizer, list: Container): boolean {
  if (t.source.charCodeAt(t.at) !== list.kind || !isGap(t.source, t.at + 1, t.end)) return false;
  listItem(t, 1);
  return true;
}

/**
 * Opens an item whose marker has `length` characters. Its content is indented to the first character behind the marker,
 * or, if there is none, to the block below.
 */
export function listItem(t: Tokenizer, length: number): void {
  const list = t.top.indent;
  const start = t.at;
  const gap = skipGap(t.source, start + length, t.end);
  const column = gapColumn(t.source, start + length, gap, t.column + length);
  const empty = gap >= t.end;
  // The row counts as indented to the list, its true column may be further right; content is measured from the list.
  const indent = empty ? t.blockIndent(t.line + 1, list) : list + column - t.column;
  t.push(TOKEN.listItem, start, indent);
  t.leaf(TOKEN.marker, start, start + length);
  if (empty) t.moveTo(t.line + 1);
  else t.stayAt(gap, column, indent);
}
