/** Explicit markup, `.. ` and `__ `: finds out which construct it is. docutils: `Body.explicit_construct`. */
import type { Tokenizer } from '../tokenizer.js';
import { TOKEN } from '../tokens.js';
import { gapColumn, isGap, skipGap } from './characters.js';
import { comment } from './comment.js';
import { directive, directiveNameEnd } from './directive.js';

const FOOTNOTE_LABEL = /\[(?:[0-9]+|\*|#[\p{L}\p{N}_.+:-]{0,100})\]/uy;
const CITATION_LABEL = /\[[\p{L}\p{N}][\p{L}\p{N}_.+:-]{0,100}\]/uy;
const SUBSTITUTION = /\|(?! )[^|\r\n]{0,200}[^|\s]\|(?= )/uy;
const TARGET_NAME = /_(?:(_)|`[^`\r\n]{1,400}`|(?![ `])(?:[^:\\\r\n]|\\.|:(?! |$))+?):(?=\s|$)/uy;

function endOf(pattern: RegExp, t: Tokenizer, at: number): number {
  pattern.lastIndex = at;
  return pattern.test(t.source) && pattern.lastIndex <= t.end ? pattern.lastIndex : -1;
}

/** Takes the block that `..` begins. */
export function explicitMarkup(t: Tokenizer): boolean {
  const { source } = t;
  const end = t.end;
  if (source.charCodeAt(t.at + 1) !== 46 || t.at + 1 >= end || !isGap(source, t.at + 2, end)) return false;
  const at = skipGap(source, t.at + 2, end);
  if (at >= end) return comment(t, at);
  const code = source.charCodeAt(at);
  if (code === 91) return noted(t, at, gapColumn(source, t.at + 2, at, t.column + 2));
  if (code === 95) return target(t, at, endOf(TARGET_NAME, t, at));
  if (code === 124) return substitution(t, at);
  const nameEnd = directiveNameEnd(source, at, end);
  return nameEnd < 0 ? comment(t, at) : directive(t, at, nameEnd);
}

/** Takes `__ reference`: an anonymous target. */
export function anonymousTarget(t: Tokenizer): boolean {
  if (!t.source.startsWith('__', t.at) || t.at + 2 > t.end || !isGap(t.source, t.at + 2, t.end)) return false;
  return target(t, t.at, t.at + 2);
}

/** A footnote or a citation: a label, and blocks as its content. */
function noted(t: Tokenizer, at: number, column: number): boolean {
  const footnote = endOf(FOOTNOTE_LABEL, t, at);
  const labelEnd = footnote >= 0 ? footnote : endOf(CITATION_LABEL, t, at);
  if (labelEnd < 0 || !isGap(t.source, labelEnd, t.end)) return comment(t, at);
  const indent = t.blockIndent(t.line + 1, t.top.indent);
  t.push(footnote >= 0 ? TOKEN.footnote : TOKEN.citation, t.at, indent);
  t.leaf(TOKEN.label, at + 1, labelEnd - 1);
  t.taken = labelEnd;
  const gap = skipGap(t.source, labelEnd, t.end);
  if (gap < t.end) t.stayAt(gap, gapColumn(t.source, labelEnd, gap, column + labelEnd - at), indent);
  else t.moveTo(t.line + 1);
  return true;
}

/** A hyperlink target whose name, with the colon, ends at `nameEnd`. It goes on to the next blank line. */
function target(t: Tokenizer, at: number, nameEnd: number): boolean {
  if (nameEnd < 0) return comment(t, at);
  const { lines, source } = t;
  const start = t.at;
  let behind = t.line + 1;
  while (!t.isBlank(behind) && lines.indent[behind]! > t.top.indent) behind++;
  t.sink.enter(TOKEN.target, start);
  const anonymous = source.charCodeAt(at + 1) === 95;
  if (!anonymous) {
    const quoted = source.charCodeAt(at + 1) === 96;
    t.leaf(TOKEN.targetName, at + (quoted ? 2 : 1), nameEnd - (quoted ? 2 : 1));
  }
  t.taken = nameEnd;
  const from = skipGap(source, nameEnd, t.end);
  if (from < t.end) t.leaf(TOKEN.targetReference, from, t.end);
  for (let k = t.line + 1; k < behind; k++) t.leaf(TOKEN.targetReference, lines.content[k]!, lines.end[k]!);
  t.sink.exit(TOKEN.target, t.taken);
  t.moveTo(behind);
  return true;
}

/** A substitution definition: its name, then a directive, which is kept as lines. */
function substitution(t: Tokenizer, at: number): boolean {
  const nameEnd = endOf(SUBSTITUTION, t, at);
  if (nameEnd < 0) return comment(t, at);
  const from = skipGap(t.source, nameEnd, t.end);
  if (directiveNameEnd(t.source, from, t.end) < 0) return comment(t, at);
  const behind = t.blockEnd(t.line + 1, t.top.indent);
  t.sink.enter(TOKEN.substitutionDefinition, t.at);
  t.leaf(TOKEN.label, at + 1, nameEnd - 1);
  t.taken = nameEnd;
  t.leaf(TOKEN.verbatim, from, t.end);
  t.verbatim(t.line + 1, behind, t.blockIndent(t.line + 1, t.top.indent));
  t.sink.exit(TOKEN.substitutionDefinition, t.taken);
  t.moveTo(behind);
  return true;
}
