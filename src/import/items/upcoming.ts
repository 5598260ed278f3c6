/** Behind every text. A small integer, so that the field stays one. */
const NEVER = 0x7fffffff;

/** Where a rare mark comes next: nearly all lines have none of them, and one search serves all lines before it. */
export class Upcoming {
  private readonly source: string;
  private readonly mark: string;
  /** Offset of the next mark at or behind the last line asked about. */
  next = -1;

  constructor(source: string, mark: string) {
    this.source = source;
    this.mark = mark;
  }

  /** True if the mark stands between two offsets; they never go back from call to call. */
  within(start: number, end: number): boolean {
    if (this.next < start) {
      const at = this.source.indexOf(this.mark, start);
      this.next = at < 0 ? NEVER : at;
    }
    return this.next < end;
  }
}
