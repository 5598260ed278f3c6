/** What the item builder has to say about a text: diagnostics with places, and the look-alikes among them. */
import { type Diagnostic, type DiagnosticCode, diagnostic, type Place } from '../../core/diagnostic.js';
import type { LineTable } from '../lines.js';
import { type Label, labelLookAlike } from './parts.js';
import { findLookAlike } from './scan-id.js';

/** Blanks and characters without width, bullets of all kinds, quotes. */
const LEAD = '[\\s\\p{Cf}`\'"*+>|\\u2022\\u2023\\u2043\\u00b7\\u2013\\u2014-]*';
const ENUMERATOR = '(?:\\(?[0-9A-Za-z#]{1,3}[.)]\\s+)?';
const QUOTES = '[\\s\\p{Cf}`\'"*]*';
/** What may stand before a look-alike that was meant as an id: blanks, bullets, an enumerator, quotes. */
const LEADING = new RegExp(`^${LEAD}${ENUMERATOR}${QUOTES}$`, 'u');
const PLAIN = /^[\s\p{Cf}`'"]*$/u;
const TRAILING = new RegExp(`^${QUOTES}$`, 'u');
const ONE_WORD = new RegExp(`^${LEAD}${ENUMERATOR}${QUOTES}(\\w+)[\\s\\p{Cf}\`'"*.,;]*$`, 'u');
/** Last characters of lines that {@link labelLookAlike} may take. */
const LABEL_ENDS = /[:*_s\p{Cf}]/u;
const LONGEST_LEAD = 40;
const LONGEST_SHOWN = 120;
const MALFORMED = /^(?:`?[A-Za-z_]\w*~[\w.~-]+`?|`[^`~]+~[^`]*`)$/;

/** An id that stands alone on its line, with its place. */
export interface StrayId {
  readonly text: string;
  readonly place: Place;
  /** True if nothing but blanks and quotes stand before it: no bullet, no number. */
  readonly plain: boolean;
}

const HINT_ID = 'an id begins an item at the first column, and is a link behind a bullet of Covers or Depends';

/** Collects the findings of one file. */
export class Findings {
  readonly diagnostics: Diagnostic[] = [];
  /** The line that offsets of {@link at} lie in, from 0. */
  line = 0;
  /** The last line that something was said about: its mentions of ids are not worth another word. */
  private reported = -1;
  private readonly source: string;
  private readonly lines: LineTable;
  private readonly path: string;

  constructor(source: string, lines: LineTable, path: string) {
    this.source = source;
    this.lines = lines;
    this.path = path;
  }

  /** The place of an offset in the current line. */
  at(offset: number): Place {
    const { line } = this;
    return { path: this.path, line: line + 1, column: offset - this.lines.start[line]! + 1, offset };
  }

  report(code: DiagnosticCode, message: string, offset: number, hint?: string): void {
    this.reported = this.line;
    this.diagnostics.push(diagnostic(code, message, this.at(offset), hint));
  }

  reportAt(code: DiagnosticCode, message: string, place: Place, hint?: string): void {
    this.diagnostics.push(diagnostic(code, message, place, hint));
  }

  /** A label that is not read as one: an error where a list would get lost. */
  label(label: Label, offset: number, message: string): void {
    const hint = `write '${label.text}' at the first column, alone on its line`;
    this.report(label.list ? 'list-label-not-taken' : 'label-not-taken', message, offset, hint);
  }

  /** Reports a line of text that was probably meant as a label. */
  labelLookAlike(content: number, end: number, lineStart: number): void {
    if (!LABEL_ENDS.test(this.source[end - 1]!)) return;
    const label = labelLookAlike(this.source, content, end);
    if (!label) return;
    if (this.source.slice(content, end) !== label.text) {
      this.label(label, content, `this is not read as the label '${label.text}'`);
    } else if (content !== lineStart) {
      this.label(label, content, `'${label.text}' is indented and not read as a label`);
    }
  }

  /** An id whose revision is too large, or written with digits that are not those from 0 to 9. */
  revision(start: number, end: number): void {
    const shown = this.source.slice(start, end).slice(-80);
    if (/[0-9]$/.test(shown)) {
      this.report('id-revision-too-large', `the revision of '${shown}' is above 2147483647`, start);
    } else {
      this.report('id-malformed', `the revision of '${shown}' is not written with the digits 0 to 9`, start);
    }
  }

  /**
   * A line that is nothing but something like an id and yet is none. With one tilde only it may be anything (`HEAD~1`), but
   * right below a title it was meant to begin an item.
   */
  malformed(start: number, end: number, belowTitle: boolean): void {
    if (end - start > LONGEST_SHOWN || !MALFORMED.test(this.source.slice(start, end))) return;
    const shown = this.source.slice(start, end).replace(/^`|`$/g, '');
    if (!belowTitle && shown.split('~').length < 3) return;
    const hint = 'the type is ASCII letters, the revision a decimal number, and there are no blanks';
    this.report('id-malformed', `'${shown}' looks like an id but is none: expected type~name~revision`, start, hint);
  }

  /** Reports the first look-alike of a line as not taken if it leads the line, as a mention if not. True if it, or the line, was not taken. */
  notTaken(content: number, end: number): boolean {
    if (this.reported === this.line) return true;
    const found = findLookAlike(this.source, content, end);
    if (!found) return false;
    const lead = found.start - content;
    if (lead >= LONGEST_LEAD || !LEADING.test(this.source.slice(content, found.start))) {
      this.reportMention(found.start, found.end);
      return false;
    }
    const shown = this.source.slice(found.start, Math.min(found.end, found.start + LONGEST_SHOWN));
    this.report('id-not-taken', `'${shown}' looks like an id but is not read as one`, found.start, HINT_ID);
    return true;
  }

  /** The look-alike that a line consists of, apart from bullets and quotes around it. */
  aloneAt(content: number, end: number): StrayId | undefined {
    if (end - content > LONGEST_SHOWN + LONGEST_LEAD) return undefined;
    const found = findLookAlike(this.source, content, end);
    if (!found) return undefined;
    const lead = this.source.slice(content, found.start);
    if (!LEADING.test(lead) || !TRAILING.test(this.source.slice(found.end, end))) return undefined;
    const plain = PLAIN.test(lead);
    return { text: this.source.slice(found.start, found.end), place: this.at(found.start), plain };
  }

  /** An id further up that was meant to begin an item: the label of a list comes after it. */
  strayId({ text, place }: StrayId): void {
    this.reportAt('id-not-taken', `'${text}' looks like an id but is not read as one`, place, HINT_ID);
  }

  /** Reports a line of `Needs:` that is one word but no bullet. True if it is. */
  needNotTaken(content: number, end: number): boolean {
    const word = end - content > LONGEST_SHOWN ? undefined : ONE_WORD.exec(this.source.slice(content, end))?.[1];
    if (word === undefined) return false;
    const hint = `write '- ${word}', indented by three blanks at most`;
    this.report('needs-not-taken', `the type '${word}' is not read: this line of 'needs' is no bullet`, content, hint);
    return true;
  }

  /** Notes the first look-alike of a line as a mention in text. */
  mentioned(content: number, end: number): void {
    const found = this.reported === this.line ? undefined : findLookAlike(this.source, content, end);
    if (found) this.reportMention(found.start, found.end);
  }

  private reportMention(start: number, end: number): void {
    const shown = this.source.slice(start, Math.min(end, start + LONGEST_SHOWN));
    this.report('id-in-prose', `'${shown}' is a mention in text and no link`, start);
  }
}
