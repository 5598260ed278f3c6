/**
 * Directives: name, arguments, options, content. docutils: `Body.directive`, `Body.parse_directive_block`.
 *
 * docutils knows of each directive which of the three it takes. Here the lines up to the first option or blank line are
 * arguments, and everything behind the options is content, kept as lines; a toctree's content is its entries.
 */
import type { Tokenizer } from '../tokenizer.js';
import { TOKEN } from '../tokens.js';
import { isGap, skipGap } from './characters.js';
import { fieldMarker } from './field-list.js';

const NAME = /[\p{L}\p{N}]+(?:[-._+:][\p{L}\p{N}]+)*(?= ?::)/uy;

/** Offset behind the name of the directive that begins at `at`; -1 if none does. */
export function directiveNameEnd(source: string, at: number, end: number): number {
  const marks = source.indexOf('::', at);
  if (marks < 0 || marks >= end || marks - at > 120) return -1;
  NAME.lastIndex = at;
  if (!NAME.test(source) || NAME.lastIndex > marks) return -1;
  const nameEnd = NAME.lastIndex;
  const colons = source.indexOf('::', nameEnd);
  return isGap(source, colons + 2, end) ? nameEnd : -1;
}

/** Takes the directive whose name stands between two offsets. */
export function directive(t: Tokenizer, nameStart: number, nameEnd: number): true {
  const { lines, source } = t;
  const behind = t.blockEnd(t.line + 1, t.top.indent);
  const indent = t.blockIndent(t.line + 1, t.top.indent);
  t.sink.enter(TOKEN.directive, t.at);
  t.leaf(TOKEN.directiveName, nameStart, nameEnd);
  const colons = source.indexOf('::', nameEnd);
  t.taken = colons + 2;
  const first = skipGap(source, colons + 2, t.end);
  if (first < t.end) t.leaf(TOKEN.directiveArgument, first, t.end);
  let k = t.line + 1;
  if (first < t.end) {
    for (; k < behind && !t.isBlank(k) && fieldMarker(source, lines.content[k]!, lines.end[k]!) < 0; k++) {
      t.leaf(TOKEN.directiveArgument, lines.content[k]!, lines.end[k]!);
    }
  }
  k = options(t, k, behind);
  content(t, k, behind, indent, source.slice(nameStart, nameEnd) === 'toctree');
  t.sink.exit(TOKEN.directive, t.taken);
  t.moveTo(behind);
  return true;
}

/** Takes the options from line `k` on and returns the line behind them. */
function options(t: Tokenizer, from: number, behind: number): number {
  const { lines, source } = t;
  let k = from;
  while (k < behind && !t.isBlank(k)) {
    const start = lines.content[k]!;
    const nameEnd = fieldMarker(source, start, lines.end[k]!);
    if (nameEnd < 0) break;
    t.sink.enter(TOKEN.directiveOption, start);
    t.leaf(TOKEN.optionName, start + 1, nameEnd - 1);
    t.taken = nameEnd;
    const value = skipGap(source, nameEnd, lines.end[k]!);
    if (value < lines.end[k]!) t.leaf(TOKEN.optionValue, value, lines.end[k]!);
    const indent = lines.indent[k]!;
    for (k++; k < behind && !t.isBlank(k) && lines.indent[k]! > indent; k++) {
      t.leaf(TOKEN.optionValue, lines.content[k]!, lines.end[k]!);
    }
    t.sink.exit(TOKEN.directiveOption, t.taken);
  }
  return k;
}

function content(t: Tokenizer, from: number, behind: number, indent: number, toctree: boolean): void {
  const first = t.skipBlank(from);
  if (first >= behind) return;
  t.sink.enter(TOKEN.directiveContent, t.lines.content[first]!);
  if (toctree) {
    for (let k = first; k < behind; k++) {
      if (!t.isBlank(k)) t.leaf(TOKEN.toctreeEntry, t.lines.content[k]!, t.lines.end[k]!);
    }
  } else {
    t.verbatim(first, behind, indent);
  }
  t.sink.exit(TOKEN.directiveContent, t.taken);
}
