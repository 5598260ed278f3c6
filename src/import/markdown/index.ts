/**
 * The Markdown reader: remark finds the blocks (CommonMark and GFM), the item builder reads their lines. A file that is met
 * loads this module and remark with it; nothing else does.
 *
 * Lines of fenced code, of `<pre>`, `<script>`, `<style>` and `<textarea>`, and of tables are verbatim, wherever they stand;
 * lines of HTML comments are comments. Only headings of the document itself are titles, not those in lists and quotes.
 */
import type { Heading, Nodes, Root } from 'mdast';
import remarkGfm from 'remark-gfm';
import remarkParse from 'remark-parse';
import { type Processor, unified } from 'unified';
import { diagnostic } from '../../core/diagnostic.js';
import { type Imported, ItemBuilder, type LineKind } from '../items/builder.js';
import { findLines, type LineTable } from '../lines.js';

/** Longest text that is read: micromark takes some microseconds a character. */
export const LONGEST_MARKDOWN = 8 * 1024 * 1024;

/** Inline markup: no item depends on it, and micromark's emphasis takes time quadratic in hostile texts. */
const INLINE_CONSTRUCTS = [
  'attention',
  'autolink',
  'characterEscape',
  'characterReference',
  'codeText',
  'emailAutolink',
  'hardBreakEscape',
  'htmlText',
  'httpAutolink',
  'labelEnd',
  'labelStartImage',
  'labelStartLink',
  'protocolAutolink',
  'strikethrough',
  'wwwAutolink',
];

function withoutInline(this: Processor): void {
  const data = this.data();
  data.micromarkExtensions ??= [];
  data.micromarkExtensions.push({ disable: { null: INLINE_CONSTRUCTS } });
}

const parser = unified().use(remarkParse).use(remarkGfm).use(withoutInline).freeze();
/** micromark needs time and stack that grow faster than the nesting. */
const MAX_NESTING = 100;
const CONTAINER_MARKS = '>-+* 0123456789.)';
const RAW_HTML = /^<(?:pre|script|style|textarea)[\s>]/i;

/** What the blocks make of a line: a kind, a title, or nothing (the underline of a title). */
type LineRole = LineKind | { readonly titleStart: number; readonly titleEnd: number } | undefined;

/** Imports one text of Markdown. Throws on no text. `path` goes into the places. */
export function importMarkdown(text: string, path: string): Imported {
  const place = { path, line: 1, column: 1, offset: 0 };
  if (text.length > LONGEST_MARKDOWN) {
    const message = `a Markdown file of ${text.length} characters is not read; the limit is ${LONGEST_MARKDOWN}`;
    return { items: [], diagnostics: [diagnostic('file-too-large', message, place)] };
  }
  const lines = findLines(text);
  const deep = tooDeep(text, lines);
  if (deep >= 0) {
    const at = { path, line: deep + 1, column: 1, offset: lines.start[deep]! };
    const message = `quotes or lists are nested more than ${MAX_NESTING} deep; the file is not read`;
    return { items: [], diagnostics: [diagnostic('markdown-too-deep', message, at)] };
  }
  let roles: LineRole[];
  let open: Nodes | undefined;
  try {
    // micromark leaves a byte order mark out of its offsets; a blank in its place keeps them.
    const root = parser.parse(text.startsWith('\ufeff') ? ` ${text.slice(1)}` : text);
    roles = rolesOf(root, text, lines);
    open = unclosed(root, text);
  } catch (error) {
    const reason = error instanceof Error ? error.message : String(error);
    return {
      items: [],
      diagnostics: [diagnostic('file-unreadable', `'${path}' cannot be parsed as Markdown: ${reason}`, place)],
    };
  }
  const builder = new ItemBuilder(text, lines, path);
  for (let k = 0; k < lines.count; k++) {
    const role = roles[k];
    if (lines.content[k]! >= lines.end[k]! || role === undefined) continue;
    if (typeof role === 'string') builder.line(k, role);
    else builder.title(k, role.titleStart, role.titleEnd);
  }
  const imported = builder.finish();
  if (open !== undefined) {
    const { line, column, offset = 0 } = open.position!.start;
    const what = open.type === 'code' ? 'fenced code' : 'HTML';
    const message = `this ${what} never ends, so nothing down to the end of the file is read`;
    imported.diagnostics.push(diagnostic('markdown-unclosed', message, { path, line, column, offset }, 'close it'));
  }
  return imported;
}

/** What else would be read: an id, or a label. */
const WORTH_READING = /[A-Za-z]~[^~\s]+~[0-9]|^(?:Covers|Depends|Needs|Tags|Status):/m;

/** The block that takes in the rest of the file because it is not closed, if it holds anything that would be read. */
function unclosed(root: Root, text: string): Nodes | undefined {
  const last = root.children[root.children.length - 1];
  if (last === undefined || kindOf(last, text) === undefined || last.type === 'table') return undefined;
  const { start, end } = last.position!;
  const source = text.slice(start.offset, end.offset);
  const lines = source.split(/\r\n|\r|\n/);
  const closing = lines.length > 1 ? lines[lines.length - 1]!.trim() : '';
  const fence = /^(?:`{3,}|~{3,})/.exec(source)?.[0];
  const ends =
    fence === undefined
      ? /-->|<\/(?:pre|script|style|textarea)>/i.test(source)
      : closing.startsWith(fence) && closing.replaceAll(fence[0]!, '') === '';
  return ends || !WORTH_READING.test(source) ? undefined : last;
}

/** The first line with more container marks at its beginning, or more indentation of a bullet, than can be read; or -1. */
function tooDeep(text: string, lines: LineTable): number {
  for (let k = 0; k < lines.count; k++) {
    const end = lines.end[k]!;
    let marks = lines.indent[k]! >> 2;
    for (let p = lines.content[k]!; p < end && CONTAINER_MARKS.includes(text[p]!); p++) {
      if (text[p] === '>' || (text[p] === ' ' && text[p - 1] !== ' ' && text[p - 1] !== '>')) marks++;
    }
    if (marks > MAX_NESTING && CONTAINER_MARKS.includes(text[lines.content[k]!]!)) return k;
  }
  return -1;
}

/** Walks the tree without recursion, because quotes and lists nest as deep as a file likes. */
function rolesOf(root: Root, text: string, lines: LineTable): LineRole[] {
  const roles: LineRole[] = new Array<LineRole>(lines.count).fill('text');
  const open: Nodes[] = [...root.children];
  for (const node of root.children) {
    if (node.type === 'heading') markTitle(roles, node, text, lines);
    else if (node.type === 'thematicBreak') roles[node.position!.start.line - 1] = undefined;
  }
  for (let node = open.pop(); node !== undefined; node = open.pop()) {
    const kind = kindOf(node, text);
    if (kind !== undefined) markLines(roles, node, kind);
    else if ('children' in node && node.type !== 'paragraph' && node.type !== 'heading') {
      for (const child of node.children) open.push(child);
    }
  }
  return roles;
}

function kindOf(node: Nodes, text: string): LineKind | undefined {
  if (node.type === 'table') return 'verbatim';
  if (node.type === 'code') {
    // Indented code stays text: a bullet that is indented too far is to be found, not passed over.
    const mark = text.charCodeAt(node.position!.start.offset!);
    return mark === 96 || mark === 126 ? 'verbatim' : undefined;
  }
  if (node.type !== 'html') return undefined;
  if (node.value.startsWith('<!--')) return 'comment';
  return RAW_HTML.test(node.value) ? 'verbatim' : undefined;
}

function markLines(roles: LineRole[], node: Nodes, kind: LineKind): void {
  const { start, end } = node.position!;
  for (let line = start.line; line <= end.line; line++) roles[line - 1] = kind;
}

/** A heading's last line of content is the title; lines before it, in a setext heading, are text to OpenFastTrace. */
function markTitle(roles: LineRole[], heading: Heading, text: string, lines: LineTable): void {
  const { start, end } = heading.position!;
  const first = heading.children[0];
  const last = heading.children[heading.children.length - 1];
  const atx = text.charCodeAt(start.offset!) === 35;
  if (atx || !first || !last) {
    const titleStart = first?.position?.start.offset ?? end.offset!;
    roles[start.line - 1] = { titleStart, titleEnd: last?.position?.end.offset ?? titleStart };
    return;
  }
  const k = end.line - 2;
  roles[k] = { titleStart: lines.content[k]!, titleEnd: lines.end[k]! };
  roles[k + 1] = undefined;
}
