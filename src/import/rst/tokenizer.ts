/**
 * The block tokenizer of reStructuredText: docutils' rules (reStructuredText Markup Specification), in one pass over the
 * lines, with a stack of open containers in place of docutils' nested state machines.
 *
 * A container is open as long as lines are indented at least as far as its content. A list is a container of its own that
 * stays open as long as another item follows at its own indentation. Each construct is a function in `block/`, found by the
 * first character of a row in the table of `constructs.ts`.
 *
 * Deviations from docutils:
 * - content of directives is kept as lines, not parsed, but for the entries of a toctree; tables are kept as lines;
 * - line blocks are flat; an option list ends at a description that is missing;
 * - a malformed title, table or transition is read as text (docutils puts it into a system message);
 * - containers nest to {@link MAX_DEPTH}; deeper blocks are read as text of the innermost.
 */
import { findLines, type LineTable } from '../lines.js';
import { continueBulletList } from './block/bullet-list.js';
import { continueDefinitionList } from './block/definition-list.js';
import { continueEnumeratedList } from './block/enumerated-list.js';
import { continueFieldList } from './block/field-list.js';
import { continueOptionList } from './block/option-list.js';
import { text as textBlock } from './block/text.js';
import { constructAt } from './constructs.js';
import { type Sink, TOKEN, type Token, tokenSet } from './tokens.js';

/** How many containers may be open at once. No document comes near it; a tree as deep is still safe to walk recursively. */
const MAX_DEPTH = 200;

/** An open block. */
export interface Container {
  token: Token;
  /** Column at which its content begins; a line to the left of it closes the container. */
  indent: number;
  /** A list: what its items have in common (a bullet, an enumerator's format). A section: its level. */
  kind: number;
  /** An enumerated list: the ordinal of its last item. */
  ordinal: number;
}

/** Reports whether the list on top of the stack goes on in this row, and if so begins its next item. */
export type Continuation = (t: Tokenizer, list: Container) => boolean;

/** A construct that may begin at a row; true if it took the row. */
export type Construct = (t: Tokenizer) => boolean;

/** The state of one run. A *row* is what is left of the current line: markers before it are already taken. */
export class Tokenizer {
  readonly source: string;
  readonly lines: LineTable;
  sink: Sink;
  /** Current line, from 0. */
  line = 0;
  /** Offset of the row's first character. */
  at = 0;
  /** Indentation that the row counts as having. */
  indent = 0;
  /** The row's true column, tabs expanded. */
  column = 0;
  /** Offset behind the last character that was taken. */
  taken = 0;
  top: Container = { token: TOKEN.section, indent: 0, kind: 0, ordinal: 0 };
  /** Adornments of section titles in the order of their levels. */
  readonly titleStyles: number[] = [];
  /** Open containers, the document first; those behind `depth` are closed and wait to be used again. */
  private readonly stack: Container[] = [this.top];
  private depth = 0;
  private reportedDepth = false;

  constructor(source: string, lines: LineTable, sink: Sink) {
    this.source = source;
    this.lines = lines;
    this.sink = sink;
  }

  run(): void {
    const { lines } = this;
    this.moveTo(0);
    while (this.line < lines.count) {
      if (this.at >= lines.end[this.line]!) {
        this.moveTo(this.line + 1);
        continue;
      }
      while (this.top.indent > this.indent) this.pop();
      const next = continuations[this.top.token];
      if (next !== undefined) {
        if (this.indent !== this.top.indent || !next(this, this.top)) this.pop();
      } else if (this.indent > this.top.indent) {
        if (this.deep) textBlock(this);
        else this.openQuote();
      } else {
        const construct = this.deep ? undefined : constructAt(this);
        if (construct === undefined || !construct(this)) textBlock(this);
      }
    }
    while (this.depth > 0) this.pop();
  }

  /** True if no further container may be opened. */
  get deep(): boolean {
    if (this.depth < MAX_DEPTH) return false;
    if (!this.reportedDepth) {
      this.reportedDepth = true;
      this.problem('rst-too-deep', this.at, this.end, `blocks are nested more than ${MAX_DEPTH} deep`);
    }
    return true;
  }

  /** True where sections, and with them titles and transitions, may stand. */
  get atSectionLevel(): boolean {
    return this.top.token === TOKEN.section;
  }

  /** Offset behind the row. */
  get end(): number {
    return this.lines.end[this.line]!;
  }

  /** True if the construct would take the row. Tries it without a word to the sink and goes back. */
  wouldTake(construct: Construct): boolean {
    const { sink, line, at, indent, column, taken, top, depth, reportedDepth } = this;
    const styles = [...this.titleStyles];
    this.sink = SILENT;
    const took = construct(this);
    this.sink = sink;
    this.line = line;
    this.at = at;
    this.indent = indent;
    this.column = column;
    this.taken = taken;
    this.top = top;
    this.reportedDepth = reportedDepth;
    this.depth = depth;
    this.titleStyles.splice(0, Number.POSITIVE_INFINITY, ...styles);
    return took;
  }

  /** Goes on at the beginning of a line. */
  moveTo(line: number): void {
    this.line = line;
    if (line >= this.lines.count) return;
    this.at = this.lines.content[line]!;
    this.indent = this.column = this.lines.indent[line]!;
  }

  /** Goes on within the line, at `offset`, whose true column is `column`; it counts as indented to `indent`. */
  stayAt(offset: number, column: number, indent: number): void {
    this.at = offset;
    this.column = column;
    this.indent = indent;
  }

  isBlank(line: number): boolean {
    return line >= this.lines.count || this.lines.content[line]! >= this.lines.end[line]!;
  }

  /** The first line from `line` on that is not blank, or the number of lines. */
  skipBlank(line: number): number {
    let k = line;
    while (k < this.lines.count && this.isBlank(k)) k++;
    return k;
  }

  /** The first line from `line` on that is neither blank nor indented deeper than `limit`. */
  blockEnd(line: number, limit: number): number {
    const { count, indent } = this.lines;
    let k = line;
    while (k < count && (indent[k]! > limit || this.isBlank(k))) k++;
    return k;
  }

  /**
   * The least indentation of the block that begins at `line`: the lines indented deeper than `limit`. `limit` + 1 if there
   * are none. Each line is looked at once per container around it, so the sum is bounded by the size of the text.
   */
  blockIndent(line: number, limit: number): number {
    const { count, indent } = this.lines;
    let least = -1;
    for (let k = line; k < count; k++) {
      if (this.isBlank(k)) continue;
      const column = indent[k]!;
      if (column <= limit) break;
      if (least < 0 || column < least) least = column;
      if (least === limit + 1) break;
    }
    return least < 0 ? limit + 1 : least;
  }

  /** Enters a token and keeps it open as a container. */
  push(token: Token, offset: number, indent: number, kind = 0, ordinal = 0): void {
    this.sink.enter(token, offset);
    this.depth++;
    let container = this.stack[this.depth];
    if (container === undefined) {
      container = { token, indent, kind, ordinal };
      this.stack.push(container);
    } else {
      container.token = token;
      container.indent = indent;
      container.kind = kind;
      container.ordinal = ordinal;
    }
    this.top = container;
    if (offset > this.taken) this.taken = offset;
  }

  /** Closes the innermost container where the taken text ends. */
  pop(): void {
    const { token } = this.top;
    this.sink.exit(token, this.taken);
    this.top = this.stack[--this.depth]!;
    if (NEED_BLANK[token] === 1 && this.line > 0 && this.line < this.lines.count && !this.isBlank(this.line - 1)) {
      if (this.top.indent <= this.indent && this.top.token !== TOKEN.definitionList) {
        this.problem('rst-unindent', this.at, this.end, 'the block above ends without a blank line');
      }
    }
  }

  /** Enters and exits a token that has nothing in it. */
  leaf(token: Token, start: number, end: number): void {
    this.sink.enter(token, start);
    this.sink.exit(token, end);
    this.taken = end;
  }

  /** A run of text from `start` on line `first` to `end` on line `last`: inline markup, or a chunk for each line. */
  inline(first: number, start: number, last: number, end: number): void {
    if (this.sink.inline !== undefined) {
      this.sink.inline(this.source, start, end, this.sink);
    } else {
      for (let k = first; k <= last; k++) {
        const from = k === first ? start : this.lines.content[k]!;
        const to = k === last ? end : this.lines.end[k]!;
        this.sink.enter(TOKEN.chunk, from);
        this.sink.exit(TOKEN.chunk, to);
      }
    }
    this.taken = end;
  }

  /** The lines from `first` up to `behind` as they are, each from column `indent` on. Blank lines give no event. */
  verbatim(first: number, behind: number, indent: number): void {
    for (let k = first; k < behind; k++) {
      if (!this.isBlank(k)) this.leaf(TOKEN.verbatim, this.offsetAtColumn(k, indent), this.lines.end[k]!);
    }
  }

  problem(code: Parameters<Sink['problem']>[0], start: number, end: number, message: string): void {
    this.sink.problem(code, start, end, message);
  }

  /** Offset of the first character of a line that stands at or behind a column. */
  private offsetAtColumn(line: number, column: number): number {
    const content = this.lines.content[line]!;
    if (column >= this.lines.indent[line]!) return content;
    let offset = this.lines.start[line]!;
    for (let at = 0; offset < content && at < column; offset++) {
      const code = this.source.charCodeAt(offset);
      at = code === 9 ? at - (at % 8) + 8 : code === 0xfeff ? at : at + 1;
    }
    return offset;
  }

  private openQuote(): void {
    const indent = this.blockIndent(this.line, this.top.indent);
    this.push(TOKEN.blockQuote, this.at, indent);
  }
}

const SILENT: Sink = { inline: undefined, enter() {}, exit() {}, problem() {} };

/** Blocks that must end with a blank line. */
const NEED_BLANK = tokenSet(
  TOKEN.blockQuote,
  TOKEN.bulletList,
  TOKEN.enumeratedList,
  TOKEN.definitionList,
  TOKEN.fieldList,
  TOKEN.optionList,
);

/** How each kind of list goes on. */
const continuations: (Continuation | undefined)[] = new Array<undefined>(64).fill(undefined);
continuations[TOKEN.bulletList] = continueBulletList;
continuations[TOKEN.enumeratedList] = continueEnumeratedList;
continuations[TOKEN.definitionList] = continueDefinitionList;
continuations[TOKEN.fieldList] = continueFieldList;
continuations[TOKEN.optionList] = continueOptionList;

/** Reads a text and hands its events to a sink. Never throws on any text. */
export function tokenize(source: string, sink: Sink, lines: LineTable = findLines(source)): void {
  new Tokenizer(source, lines, sink).run();
}
