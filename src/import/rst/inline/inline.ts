/**
 * The inline tokenizer: docutils' inline markup recognition rules (reStructuredText Markup Specification, "Inline markup").
 *
 * It works on the source between two offsets, line ends and indentation included. Text tokens end where the source has
 * something that is not text (a backslash, the indentation of the next line), so a text node's value is its slice.
 *
 * Deviations from docutils: bare e-mail addresses are no links; of the URL schemes only those in `link.ts` are known;
 * a URL that touches other markup or ends with an underscore is a link as far as it goes; `<...>` inside a reference stays
 * part of its text.
 */
import { type Sink, TOKEN } from '../tokens.js';
import { linkEnd, linkStart } from './link.js';
import { isBlankCode, mayEnd, mayStart } from './neighbours.js';
import { footnoteReferenceEnd, simpleNameStart } from './reference.js';
import { roleBefore, roleBehind } from './role.js';

const NEWLINE = 10;
const RETURN = 13;
const BACKSLASH = 92;
const ASTERISK = 42;
const BACKTICK = 96;
const UNDERSCORE = 95;
const BAR = 124;
const BRACKET = 91;
const COLON = 58;

/** Characters at which something may begin. */
const SPECIAL = new Uint8Array(128);
for (const code of [NEWLINE, RETURN, BACKSLASH, ASTERISK, BACKTICK, UNDERSCORE, BAR, BRACKET, COLON]) SPECIAL[code] = 1;

/** Tokenizes the inline markup between two offsets. Linear: a search for an end that failed once is not made again. */
export function tokenizeInline(source: string, start: number, end: number, sink: Sink): void {
  new Inline(source, start, end, sink).run();
}

class Inline {
  private readonly source: string;
  private readonly start: number;
  private readonly end: number;
  private readonly sink: Sink;
  /** Offset behind the last token. */
  private done: number;
  /** End marks that do not occur any more in this text. */
  private readonly missing = new Set<string>();

  constructor(source: string, start: number, end: number, sink: Sink) {
    this.source = source;
    this.start = start;
    this.end = end;
    this.sink = sink;
    this.done = start;
  }

  run(): void {
    const { source, end } = this;
    let p = this.start;
    while (p < end) {
      const code = source.charCodeAt(p);
      p = code < 128 && SPECIAL[code] === 1 ? this.special(p, code) : p + 1;
    }
    this.flush(end);
  }

  /** Handles the special character at `p`; gives where to go on. */
  private special(p: number, code: number): number {
    const behind = this.construct(p, code);
    return behind > p ? behind : p + 1;
  }

  private construct(p: number, code: number): number {
    switch (code) {
      case NEWLINE:
      case RETURN:
        return this.lineEnd(p);
      case BACKSLASH:
        return this.escape(p);
      case ASTERISK:
        return this.source.charCodeAt(p + 1) === ASTERISK
          ? this.paired(p, '**', TOKEN.strong)
          : this.paired(p, '*', TOKEN.emphasis);
      case BACKTICK:
        return this.source.charCodeAt(p + 1) === BACKTICK ? this.literal(p) : this.interpreted(p, p);
      case BAR:
        return this.substitution(p);
      case BRACKET:
        return this.footnoteReference(p);
      case UNDERSCORE:
        return this.source.charCodeAt(p + 1) === BACKTICK ? this.target(p) : this.reference(p);
      default:
        return this.colon(p);
    }
  }

  /** Ends the text before the indentation of the next line. */
  private lineEnd(p: number): number {
    const { source, end } = this;
    let behind = p + 1;
    if (source.charCodeAt(p) === RETURN && source.charCodeAt(behind) === NEWLINE) behind++;
    let content = behind;
    while (content < end && isBlankCode(source.charCodeAt(content))) content++;
    if (content > behind) {
      this.flush(behind);
      this.done = content;
    }
    return content;
  }

  /** A backslash goes away; the character behind it is text, white space goes away too. */
  private escape(p: number): number {
    this.flush(p);
    const next = p + 1;
    if (next >= this.end) {
      this.done = this.end;
      return this.end;
    }
    if (isBlankCode(this.source.charCodeAt(next)) || this.source.charCodeAt(next) === NEWLINE) {
      this.done = next + 1;
      return next + 1;
    }
    this.done = next;
    return next + 1;
  }

  private paired(p: number, mark: string, token: typeof TOKEN.strong | typeof TOKEN.emphasis): number {
    if (!this.begins(p, mark.length)) return p + mark.length;
    const close = this.findEnd(mark, p + mark.length, true);
    if (close < 0) return this.unclosed(p, mark);
    this.emit(token, p, p + mark.length, close, close + mark.length);
    return close + mark.length;
  }

  private literal(p: number): number {
    if (!this.begins(p, 2)) return p + 2;
    const close = this.findEnd('``', p + 2, false);
    if (close < 0) return this.unclosed(p, '``');
    this.emit(TOKEN.literal, p, p + 2, close, close + 2);
    return close + 2;
  }

  /** Interpreted text or a phrase reference, whose backtick stands at `p`; the whole begins at `from`, with a role. */
  private interpreted(from: number, p: number): number {
    if (!this.begins(from, p + 1 - from)) return p + 1;
    const close = this.findInterpretedEnd(p + 1);
    if (close < 0) return this.unclosed(p, '`');
    const { source, sink } = this;
    const marks = this.referenceMarks(close + 1);
    const roleEnd = marks === 0 && from === p ? roleBehind(source, close + 1, this.end) : -1;
    const behind = roleEnd > 0 ? roleEnd : close + 1 + marks;
    this.flush(from);
    const token = marks === 0 ? TOKEN.interpretedText : marks === 1 ? TOKEN.reference : TOKEN.anonymousReference;
    sink.enter(token, from);
    if (from < p) this.leaf(TOKEN.role, from + 1, p - 1);
    this.leaf(TOKEN.value, p + 1, close);
    if (roleEnd > 0) this.leaf(TOKEN.role, close + 2, roleEnd - 1);
    sink.exit(token, behind);
    this.done = behind;
    return behind;
  }

  private target(p: number): number {
    if (!this.begins(p, 2)) return p + 2;
    const close = this.findEnd('`', p + 2, true);
    if (close < 0) return this.unclosed(p, '_`');
    this.emit(TOKEN.inlineTarget, p, p + 2, close, close + 1);
    return close + 1;
  }

  private substitution(p: number): number {
    if (!this.begins(p, 1)) return p + 1;
    const close = this.findSubstitutionEnd(p + 1);
    if (close < 0) return this.unclosed(p, '|');
    const behind = close + 1 + this.referenceMarks(close + 1);
    this.emit(TOKEN.substitutionReference, p, p + 1, close, behind);
    return behind;
  }

  private footnoteReference(p: number): number {
    const behind = mayStart(this.source, p, this.start) ? footnoteReferenceEnd(this.source, p, this.end) : -1;
    if (behind < 0 || !mayEnd(this.source, behind, this.end)) return p + 1;
    this.emit(TOKEN.footnoteReference, p, p + 1, behind - 2, behind);
    return behind;
  }

  /** `name_` or `name__`: the underscore at `p` ends a simple name. */
  private reference(p: number): number {
    const { source, end } = this;
    const marks = source.charCodeAt(p + 1) === UNDERSCORE && p + 1 < end ? 2 : 1;
    if (!mayEnd(source, p + marks, end)) return p + 1;
    const from = simpleNameStart(source, p, this.done);
    if (from < 0 || !mayStart(source, from, this.start)) return p + marks;
    this.emit(marks === 1 ? TOKEN.reference : TOKEN.anonymousReference, from, from, p, p + marks);
    return p + marks;
  }

  /** A role before interpreted text, or a URL. */
  private colon(p: number): number {
    const { source, end } = this;
    const tick = roleBefore(source, p, end);
    if (tick > 0) return this.interpreted(p, tick);
    const from = linkStart(source, p, this.done);
    if (from < 0 || !mayStart(source, from, this.start)) return p + 1;
    const behind = linkEnd(source, p, end);
    if (behind < 0) return p + 1;
    this.flush(from);
    this.leaf(TOKEN.link, from, behind);
    this.done = behind;
    return behind;
  }

  /** True if a start-string of `length` characters may stand at `p`. */
  private begins(p: number, length: number): boolean {
    const { source, end } = this;
    const next = p + length;
    if (next >= end || isBlankCode(source.charCodeAt(next)) || source.charCodeAt(next) === NEWLINE) return false;
    return mayStart(source, p, this.start) && !this.quoted(p, next);
  }

  /** Inline markup in quotes or brackets of its own, like `"*"`, is text. */
  private quoted(p: number, next: number): boolean {
    if (p === this.start) return false;
    const opening = '\'"([{<'.indexOf(this.source[p - 1]!);
    return opening >= 0 && this.source[next] === '\'")]}>'[opening];
  }

  /** The end-string `mark` at or behind `from`, with at least one character before it. */
  private findEnd(mark: string, from: number, escapes: boolean): number {
    if (this.missing.has(mark)) return -1;
    const { source, end } = this;
    for (
      let at = source.indexOf(mark, from + 1);
      at >= 0 && at + mark.length <= end;
      at = source.indexOf(mark, at + 1)
    ) {
      if (this.closes(at, escapes) && mayEnd(source, at + mark.length, end)) return at;
    }
    this.missing.add(mark);
    return -1;
  }

  private findInterpretedEnd(from: number): number {
    if (this.missing.has('interpreted')) return -1;
    const { source, end } = this;
    for (let at = source.indexOf('`', from + 1); at >= 0 && at < end; at = source.indexOf('`', at + 1)) {
      if (!this.closes(at, true)) continue;
      const role = roleBehind(source, at + 1, end);
      if (role > 0 && mayEnd(source, role, end)) return at;
      if (mayEnd(source, at + 1 + this.referenceMarks(at + 1), end)) return at;
    }
    this.missing.add('interpreted');
    return -1;
  }

  private findSubstitutionEnd(from: number): number {
    if (this.missing.has('|')) return -1;
    const { source, end } = this;
    for (let at = source.indexOf('|', from + 1); at >= 0 && at < end; at = source.indexOf('|', at + 1)) {
      if (this.closes(at, true) && mayEnd(source, at + 1 + this.referenceMarks(at + 1), end)) return at;
    }
    this.missing.add('|');
    return -1;
  }

  /** True if an end-string may stand at `at`: no white space and, where they count, no backslash before it. */
  private closes(at: number, escapes: boolean): boolean {
    const before = this.source.charCodeAt(at - 1);
    if (isBlankCode(before) || before === NEWLINE) return false;
    if (!escapes) return true;
    let slashes = 0;
    while (slashes < 8 && this.source.charCodeAt(at - 1 - slashes) === BACKSLASH) slashes++;
    return slashes % 2 === 0;
  }

  /** How many of at most two underscores that make a reference follow. */
  private referenceMarks(at: number): 0 | 1 | 2 {
    if (at >= this.end || this.source.charCodeAt(at) !== UNDERSCORE) return 0;
    return at + 1 < this.end && this.source.charCodeAt(at + 1) === UNDERSCORE ? 2 : 1;
  }

  private unclosed(p: number, mark: string): number {
    this.sink.problem('rst-inline-open', p, p + mark.length, `'${mark}' begins inline markup that does not end`);
    return p + mark.length;
  }

  private emit(
    token: Parameters<Sink['enter']>[0],
    from: number,
    valueFrom: number,
    valueTo: number,
    behind: number,
  ): void {
    this.flush(from);
    this.sink.enter(token, from);
    this.leaf(TOKEN.value, valueFrom, valueTo);
    this.sink.exit(token, behind);
    this.done = behind;
  }

  private leaf(token: Parameters<Sink['enter']>[0], from: number, to: number): void {
    this.sink.enter(token, from);
    this.sink.exit(token, to);
  }

  /** Gives the text up to `to`. */
  private flush(to: number): void {
    if (to > this.done) {
      this.leaf(TOKEN.text, this.done, to);
      this.done = to;
    }
  }
}
