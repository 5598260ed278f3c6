/**
 * The vocabulary of the tokenizer: events are `enter` and `exit` of a token at an offset, as in micromark. Tokens nest
 * properly and offsets never decrease, so a sink needs no more than a stack.
 */
import type { DiagnosticCode } from '../../core/diagnostic.js';

/** Token types. Names are docutils' where it has one. */
export const TOKEN = {
  section: 1,
  title: 2,
  overline: 3,
  underline: 4,
  paragraph: 5,
  blockQuote: 6,
  bulletList: 7,
  enumeratedList: 8,
  listItem: 9,
  marker: 10,
  definitionList: 11,
  definitionListItem: 12,
  term: 13,
  definition: 14,
  fieldList: 15,
  field: 16,
  fieldName: 17,
  fieldBody: 18,
  optionList: 19,
  optionListItem: 20,
  optionGroup: 21,
  optionDescription: 22,
  lineBlock: 23,
  line: 24,
  literalBlock: 25,
  doctestBlock: 26,
  directive: 27,
  directiveName: 28,
  directiveArgument: 29,
  directiveOption: 30,
  optionName: 31,
  optionValue: 32,
  toctreeEntry: 33,
  directiveContent: 34,
  comment: 35,
  substitutionDefinition: 36,
  footnote: 37,
  citation: 38,
  label: 39,
  target: 40,
  targetName: 41,
  targetReference: 42,
  transition: 43,
  gridTable: 44,
  simpleTable: 45,
  /** One line of text, for a sink that wants no inline markup. */
  chunk: 46,
  /** One line of a block that is kept as it is, without the block's indentation. */
  verbatim: 47,
  text: 48,
  emphasis: 49,
  strong: 50,
  literal: 51,
  interpretedText: 52,
  role: 53,
  reference: 54,
  anonymousReference: 55,
  substitutionReference: 56,
  footnoteReference: 57,
  inlineTarget: 58,
  link: 59,
  /** What is between the marks of an inline construct. */
  value: 60,
} as const;

/** A token's type. */
export type Token = (typeof TOKEN)[keyof typeof TOKEN];

/** A set of tokens, for constant-time questions on the hot path: 1 at each token that it holds. */
export function tokenSet(...tokens: readonly Token[]): Uint8Array {
  const set = new Uint8Array(64);
  for (const token of tokens) set[token] = 1;
  return set;
}

/** Names of the token types, by number. */
export const TOKEN_NAMES: readonly string[] = Object.entries(TOKEN).reduce<string[]>((names, [name, token]) => {
  names[token] = name;
  return names;
}, []);

/** Codes of the problems that the tokenizer finds. */
export type RstProblem = Extract<DiagnosticCode, `rst-${string}`>;

/** Tokenizes the inline markup between two offsets of a source. */
export type TokenizeInline = (source: string, start: number, end: number, sink: Sink) => void;

/** What takes the events of the tokenizer. */
export interface Sink {
  /** The inline tokenizer, if the sink wants inline markup; without it each line of text comes as a `chunk`. */
  readonly inline: TokenizeInline | undefined;
  enter(token: Token, offset: number): void;
  exit(token: Token, offset: number): void;
  /** Something that the text should not have. `start` and `end` are offsets. */
  problem(code: RstProblem, start: number, end: number, message: string): void;
}
