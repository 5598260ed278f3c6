/** Option lists: command-line options with two blanks before their description. docutils: `Body.option_marker`. */
import type { Container, Tokenizer } from '../tokenizer.js';
import { TOKEN } from '../tokens.js';
import { gapColumn, skipGap } from './characters.js';

const ARGUMENT = '(?:[A-Za-z][A-Za-z0-9_-]*|<[^<>\\r\\n]+>)';
const OPTION = `(?:[-+][A-Za-z0-9](?: ?${ARGUMENT})?|(?:--|/)[A-Za-z0-9][A-Za-z0-9_-]*(?:[ =]${ARGUMENT})?)`;
const MARKER = new RegExp(`${OPTION}(?:, ${OPTION})*(?=  | ?[\\r\\n]| ?$)`, 'y');

/** Begins a list if the row begins with options that have a description. */
export function optionList(t: Tokenizer): boolean {
  const length = markerLength(t);
  if (length < 0) return false;
  t.push(TOKEN.optionList, t.at, t.top.indent);
  item(t, length);
  return true;
}

/** Takes the next item if the row has options. */
export function continueOptionList(t: Tokenizer, list: Container): boolean {
  void list;
  const length = markerLength(t);
  if (length < 0) return false;
  item(t, length);
  return true;
}

/** Length of the options at the row, or -1; options without any description are text. */
function markerLength(t: Tokenizer): number {
  MARKER.lastIndex = t.at;
  if (!MARKER.test(t.source)) return -1;
  const behind = MARKER.lastIndex;
  if (behind > t.end) return -1;
  if (behind === t.end) {
    const below = t.skipBlank(t.line + 1);
    if (below >= t.lines.count || t.lines.indent[below]! <= t.top.indent) return -1;
  }
  return behind - t.at;
}

function item(t: Tokenizer, length: number): void {
  const start = t.at;
  const behind = start + length;
  const gap = skipGap(t.source, behind, t.end);
  const column = gapColumn(t.source, behind, gap, t.column + length);
  const indent = t.blockIndent(t.line + 1, t.top.indent);
  t.push(TOKEN.optionListItem, start, indent);
  t.leaf(TOKEN.optionGroup, start, behind);
  if (gap < t.end) t.stayAt(gap, column, indent);
  else t.moveTo(t.skipBlank(t.line + 1));
  t.push(TOKEN.optionDescription, t.at, indent);
}
