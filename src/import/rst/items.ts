/** The item sink: feeds the item builder from the tokenizer's events, and never builds a tree. */
import { diagnostic } from '../../core/diagnostic.js';
import type { Imported, LineKind } from '../items/builder.js';
import { ItemBuilder } from '../items/builder.js';
import { findLines, type LineTable, lineOf } from '../lines.js';
import { tokenize } from './tokenizer.js';
import { type RstProblem, type Sink, TOKEN, type Token, tokenSet } from './tokens.js';

/** Blocks that are no text to the item builder. */
const COMMENTS = tokenSet(TOKEN.comment, TOKEN.target, TOKEN.substitutionDefinition);
const VERBATIM = tokenSet(TOKEN.literalBlock, TOKEN.doctestBlock, TOKEN.directive, TOKEN.gridTable, TOKEN.simpleTable);
/** Tokens whose line is to be fed although no text may come. */
const MARKERS = tokenSet(TOKEN.marker, TOKEN.optionGroup);

class ItemSink implements Sink {
  readonly inline = undefined;
  readonly builder: ItemBuilder;
  readonly problems: { code: RstProblem; start: number; message: string }[] = [];
  private readonly lines: LineTable;
  private kind: LineKind = 'text';
  private inTitle = false;
  private titleStart = 0;
  private line = 0;
  private fed = -1;

  constructor(text: string, lines: LineTable, path: string) {
    this.lines = lines;
    this.builder = new ItemBuilder(text, lines, path);
  }

  enter(token: Token, offset: number): void {
    if (token === TOKEN.chunk) {
      if (this.inTitle) this.titleStart = offset;
      else this.feed(offset);
    } else if (token === TOKEN.title) {
      this.inTitle = true;
    } else if (COMMENTS[token] === 1 || VERBATIM[token] === 1) {
      this.kind = COMMENTS[token] === 1 ? 'comment' : 'verbatim';
      this.feed(offset);
    } else if (this.kind !== 'text' || MARKERS[token] === 1) {
      this.feed(offset);
    }
  }

  exit(token: Token, offset: number): void {
    if (token === TOKEN.title) {
      this.inTitle = false;
      this.seek(this.titleStart);
      this.fed = this.line;
      this.builder.title(this.line, this.titleStart, offset);
    } else if (this.kind !== 'text' && (COMMENTS[token] === 1 || VERBATIM[token] === 1)) {
      this.kind = 'text';
    }
  }

  problem(code: RstProblem, start: number, end: number, message: string): void {
    void end;
    this.problems.push({ code, start, message });
  }

  private seek(offset: number): void {
    const { lines } = this;
    let k = this.line;
    while (k + 1 < lines.count && lines.start[k + 1]! <= offset) k++;
    this.line = k;
  }

  /** Gives the line of an offset to the builder, once: the rows behind its markers are the same line. */
  private feed(offset: number): void {
    this.seek(offset);
    if (this.line === this.fed) return;
    this.fed = this.line;
    this.builder.line(this.line, this.kind);
  }
}

/** The line table of the last file, to be written over by the next: files come by the hundred and are much alike. */
let spare: LineTable | undefined;
const LARGEST_SPARE = 1 << 16;

/** Imports one text of reStructuredText. Synchronous; throws on no text. `path` goes into the places. */
export function importRst(text: string, path: string): Imported {
  const lines = findLines(text, spare);
  spare = lines.start.length <= LARGEST_SPARE ? lines : undefined;
  const sink = new ItemSink(text, lines, path);
  tokenize(text, sink, lines);
  const imported = sink.builder.finish();
  let near = 0;
  for (const { code, start, message } of sink.problems) {
    near = lineOf(lines, start, near);
    const place = { path, line: near + 1, column: start - lines.start[near]! + 1, offset: start };
    imported.diagnostics.push(diagnostic(code, message, place));
  }
  return imported;
}
