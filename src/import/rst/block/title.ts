/** Section titles. docutils: `Text.underline`, `Line.text`, `RSTState.check_subsection`. */
import type { Tokenizer } from '../tokenizer.js';
import { TOKEN } from '../tokens.js';
import { columnWidth, isAdornment } from './characters.js';

const SHORTEST_SURE = 4;
const OVERLINED = 256;

/** The row is text and the next line an adornment: takes both as a title if they are one. */
export function underlinedTitle(t: Tokenizer): boolean {
  const { lines, source, line } = t;
  const start = t.at;
  const end = t.end;
  const underline = lines.content[line + 1]!;
  const length = lines.end[line + 1]! - underline;
  const width = widthUnlessEqual(source, start, end, length);
  if (length < SHORTEST_SURE && (width > length || !t.atSectionLevel)) return false;
  if (!t.atSectionLevel) {
    t.problem('rst-title-nested', start, end, 'a title inside another block is read as text');
    return false;
  }
  reportLength(t, width, length, underline, lines.end[line + 1]!, 'underline');
  openSection(t, source.charCodeAt(underline), start);
  title(t, line, start, end);
  t.leaf(TOKEN.underline, underline, lines.end[line + 1]!);
  t.moveTo(line + 2);
  return true;
}

/** The row is an adornment at section level: takes it with the two lines below as a title if they are one. */
export function overlinedTitle(t: Tokenizer): boolean {
  const { lines, source, line } = t;
  const length = t.end - t.at;
  const below = line + 2;
  const matched =
    !t.isBlank(below) &&
    lines.indent[below] === 0 &&
    lines.end[below]! - lines.content[below]! === length &&
    source.charCodeAt(lines.content[below]!) === source.charCodeAt(t.at) &&
    isAdornment(source, lines, below);
  if (!matched || isAdornment(source, lines, line + 1)) {
    if (length >= SHORTEST_SURE) {
      t.problem('rst-title-incomplete', t.at, t.end, 'this line begins neither a title nor is it a transition');
    }
    return false;
  }
  const start = lines.content[line + 1]!;
  const end = lines.end[line + 1]!;
  const width = widthUnlessEqual(source, start, end, length);
  if (width > length && length < SHORTEST_SURE) return false;
  if (width > length) reportLength(t, width, length, t.at, t.end, 'overline');
  openSection(t, source.charCodeAt(t.at) + OVERLINED, t.at);
  t.leaf(TOKEN.overline, t.at, t.end);
  title(t, line + 1, start, end);
  t.leaf(TOKEN.underline, lines.content[below]!, lines.end[below]!);
  t.moveTo(line + 3);
  return true;
}

function title(t: Tokenizer, line: number, start: number, end: number): void {
  t.sink.enter(TOKEN.title, start);
  t.inline(line, start, line, end);
  t.sink.exit(TOKEN.title, end);
}

/** Characters and columns are the same number for nearly every title; only others are measured. */
function widthUnlessEqual(source: string, start: number, end: number, length: number): number {
  return end - start === length ? length : columnWidth(source.slice(start, end));
}

function reportLength(t: Tokenizer, width: number, length: number, start: number, end: number, what: string): void {
  if (width > length) {
    t.problem('rst-underline-short', start, end, `the ${what} has ${length} columns, its title ${width}`);
  } else if (width < length) {
    t.problem('rst-underline-long', start, end, `the ${what} has ${length} columns, its title ${width}`);
  }
}

/** Closes the sections that end here and opens the one that begins. */
function openSection(t: Tokenizer, style: number, offset: number): void {
  const { titleStyles } = t;
  const open = t.top.kind;
  let level = titleStyles.indexOf(style) + 1;
  if (level === 0) {
    if (titleStyles.length > open) {
      t.problem('rst-title-level', offset, t.end, 'a new kind of title stands where a known one is expected');
      titleStyles.length = open;
    }
    titleStyles.push(style);
    level = titleStyles.length;
  } else if (level > open + 1) {
    t.problem('rst-title-level', offset, t.end, 'this title skips a level');
  }
  while (t.top.kind >= level) t.pop();
  t.push(TOKEN.section, offset, 0, level);
}
