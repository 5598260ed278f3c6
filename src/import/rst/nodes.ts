/**
 * The unist tree of a reStructuredText document. Node types are the tokenizer's token names, which are docutils' in camel
 * case. A node's position is exact: line and column from 1, offset from 0, in UTF-16 code units of the source.
 */
import type { Node, Position } from 'unist';

/** A node with children: sections, lists and their items, paragraphs, directives. */
export interface RstParent extends Node {
  type: string;
  children: RstNode[];
  position: Position;
  /** A section's level, from 1. */
  depth?: number;
  /** A list's bullet, or the enumerator of its first item. */
  marker?: string;
  /** A directive's name; a footnote's or citation's label. */
  name?: string;
  /** A directive's arguments, one line each. */
  argument?: string;
}

/** A node with a value: text and inline markup, and blocks that are kept as they are. */
export interface RstLiteral extends Node {
  type: string;
  /** Without its marks, and without the indentation of its lines. A text's or link's value is its slice of the source. */
  value: string;
  position: Position;
  /** A target's, substitution's or directive option's name. */
  name?: string;
  /** The role of interpreted text. */
  role?: string;
}

/** Any node but the root. */
export type RstNode = RstParent | RstLiteral;

/** The whole document. */
export interface RstRoot extends Node {
  type: 'root';
  children: RstNode[];
  position: Position;
}
