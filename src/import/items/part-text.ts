/** The text of one part of an item, collected as a range of the source, so that nothing is copied line by line. */
import type { Place } from '../../core/diagnostic.js';

/** Collects whole lines in order. */
export class PartText {
  /** Where the part begins: its label, or its first line if it has none. */
  place: Place | undefined = undefined;
  private done = '';
  private from = -1;
  private to = -1;

  /** Adds a line. The first one begins at its content, the others with their indentation. */
  extend(content: number, lineStart: number, end: number): void {
    if (this.from < 0) this.from = this.done === '' ? content : lineStart;
    this.to = end;
  }

  /** Ends the range: the lines that follow are not part of the text. */
  cut(source: string): void {
    if (this.from < 0) return;
    const piece = source.slice(this.from, this.to);
    this.done = this.done === '' ? piece : `${this.done}\n${piece}`;
    this.from = -1;
  }

  /** Gives the text, with `\n` as line ending, and begins anew. */
  take(source: string, normalise: boolean): string {
    this.cut(source);
    const whole = normalise ? this.done.replace(/\r\n?/g, '\n') : this.done;
    this.done = '';
    this.place = undefined;
    return whole;
  }
}
