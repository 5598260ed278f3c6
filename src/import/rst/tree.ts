/** The tree sink: builds the unist tree from the tokenizer's events. */
import type { Point } from 'unist';
import { type LineTable, lineOf } from '../lines.js';
import { tokenizeInline } from './inline/inline.js';
import type { RstLiteral, RstNode, RstParent, RstRoot } from './nodes.js';
import { type RstProblem, type Sink, TOKEN, TOKEN_NAMES, type Token, tokenSet } from './tokens.js';

/** A problem with where it begins and ends. */
export interface PlacedProblem {
  readonly code: RstProblem;
  readonly message: string;
  readonly start: Point;
  readonly end: Point;
}

/** Tokens that become nodes with children. */
const PARENTS = tokenSet(
  TOKEN.section,
  TOKEN.title,
  TOKEN.paragraph,
  TOKEN.blockQuote,
  TOKEN.bulletList,
  TOKEN.enumeratedList,
  TOKEN.listItem,
  TOKEN.definitionList,
  TOKEN.definitionListItem,
  TOKEN.term,
  TOKEN.definition,
  TOKEN.fieldList,
  TOKEN.field,
  TOKEN.fieldName,
  TOKEN.fieldBody,
  TOKEN.optionList,
  TOKEN.optionListItem,
  TOKEN.optionDescription,
  TOKEN.lineBlock,
  TOKEN.line,
  TOKEN.directive,
  TOKEN.footnote,
  TOKEN.citation,
);

/** Tokens that become nodes with a value of their own slice. */
const SLICES = tokenSet(TOKEN.text, TOKEN.link, TOKEN.toctreeEntry, TOKEN.optionGroup, TOKEN.transition);

/** Tokens that become nodes with a value from the tokens in them. */
const COMPOSED = tokenSet(
  TOKEN.literalBlock,
  TOKEN.doctestBlock,
  TOKEN.directiveContent,
  TOKEN.directiveOption,
  TOKEN.comment,
  TOKEN.substitutionDefinition,
  TOKEN.target,
  TOKEN.gridTable,
  TOKEN.simpleTable,
  TOKEN.emphasis,
  TOKEN.strong,
  TOKEN.literal,
  TOKEN.interpretedText,
  TOKEN.reference,
  TOKEN.anonymousReference,
  TOKEN.substitutionReference,
  TOKEN.footnoteReference,
  TOKEN.inlineTarget,
);

/** Builds the tree; {@link TreeSink.finish} gives it. */
export class TreeSink implements Sink {
  readonly inline = tokenizeInline;
  readonly problems: PlacedProblem[] = [];
  private readonly source: string;
  private readonly lines: LineTable;
  private readonly root: RstRoot;
  private readonly parents: { children: RstNode[] }[];
  private composed: RstLiteral | undefined = undefined;
  /** Line of the last piece of the composed value. */
  private composedLine = -1;
  private entered = 0;
  private near = 0;
  private depth = 0;

  constructor(source: string, lines: LineTable) {
    this.source = source;
    this.lines = lines;
    const afterNewline = lines.count > 0 && /[\r\n]$/.test(source.slice(-1));
    const end = afterNewline ? { line: lines.count + 1, column: 1, offset: source.length } : this.point(source.length);
    this.root = { type: 'root', children: [], position: { start: { line: 1, column: 1, offset: 0 }, end } };
    this.parents = [this.root];
    this.near = 0;
  }

  enter(token: Token, offset: number): void {
    this.entered = offset;
    if (PARENTS[token] === 1) {
      const node: RstParent = { type: TOKEN_NAMES[token]!, children: [], position: this.positionAt(offset) };
      if (token === TOKEN.section) node.depth = ++this.depth;
      this.add(node);
      this.parents.push(node);
    } else if (COMPOSED[token] === 1) {
      const node: RstLiteral = { type: TOKEN_NAMES[token]!, value: '', position: this.positionAt(offset) };
      // Entries of a toctree stand beside its options, as nodes of their own.
      if (token !== TOKEN.directiveContent) this.add(node);
      this.composed = node;
      this.composedLine = -1;
    }
  }

  exit(token: Token, offset: number): void {
    if (PARENTS[token] === 1) {
      const node = this.parents.pop() as RstParent;
      node.position.end = this.point(offset);
      if (token === TOKEN.section) this.depth--;
    } else if (COMPOSED[token] === 1) {
      this.composed!.position.end = this.point(offset);
      if (token === TOKEN.directiveContent && this.composedLine >= 0) this.add(this.composed!);
      this.composed = undefined;
    } else if (SLICES[token] === 1) {
      const position = this.positionAt(this.entered);
      position.end = this.point(offset);
      this.add({ type: TOKEN_NAMES[token]!, value: this.source.slice(this.entered, offset), position });
    } else {
      this.attribute(token, this.entered, offset);
    }
  }

  problem(code: RstProblem, start: number, end: number, message: string): void {
    this.problems.push({ code, message, start: this.point(start), end: this.point(end) });
  }

  finish(): RstRoot {
    return this.root;
  }

  /** A token that is no node: it says something of the node around it. */
  private attribute(token: Token, start: number, end: number): void {
    const { composed } = this;
    const slice = this.source.slice(start, end);
    const parent = this.parents[this.parents.length - 1] as RstParent;
    switch (token) {
      case TOKEN.verbatim:
      case TOKEN.optionValue:
      case TOKEN.targetReference:
        this.addLine(start, slice);
        break;
      case TOKEN.value:
        if (composed) composed.value = inlineValue(slice, composed.type === 'literal');
        break;
      case TOKEN.role:
        if (composed) composed.role = slice;
        break;
      case TOKEN.targetName:
      case TOKEN.optionName:
        if (composed) composed.name = slice;
        break;
      case TOKEN.label:
        if (composed) composed.name = slice;
        else parent.name = slice;
        break;
      case TOKEN.directiveName:
        parent.name = slice;
        break;
      case TOKEN.directiveArgument:
        parent.argument = parent.argument === undefined ? slice : `${parent.argument}\n${slice}`;
        break;
      case TOKEN.marker:
        (this.parents[this.parents.length - 2] as RstParent).marker ??= slice;
        break;
      default:
        break;
    }
  }

  /** Adds a line to the composed value, with the blank lines that were left out before it. */
  private addLine(start: number, slice: string): void {
    const { composed } = this;
    if (!composed) return;
    const line = this.point(start).line;
    if (this.composedLine >= 0) composed.value += '\n'.repeat(line - this.composedLine);
    composed.value += slice;
    this.composedLine = line;
  }

  private add(node: RstNode): void {
    this.parents[this.parents.length - 1]!.children.push(node);
  }

  private positionAt(offset: number): { start: Point; end: Point } {
    const start = this.point(offset);
    return { start, end: start };
  }

  private point(offset: number): Point {
    const { lines } = this;
    if (lines.count === 0) return { line: 1, column: offset + 1, offset };
    this.near = lineOf(lines, offset, this.near);
    return { line: this.near + 1, column: offset - lines.start[this.near]! + 1, offset };
  }
}

/** The value of inline markup: without the indentation of its lines and, unless it is literal, without backslashes. */
function inlineValue(slice: string, literal: boolean): string {
  const unindented = slice.includes('\n') ? slice.replace(/(\r\n|\n)[ \t]+/g, '$1') : slice;
  return literal || !unindented.includes('\\') ? unindented : unindented.replace(/\\(?:\s|(.))/gs, '$1');
}
