/** `oft:off` and `oft:on`, as whole words anywhere in a line, switch the reading of items off and on. */
import type { Place } from '../../core/diagnostic.js';
import type { Findings } from './findings.js';
import { Upcoming } from './upcoming.js';

const WORD = '\\p{Alphabetic}\\p{M}\\p{Nd}\\p{Pc}';
const SWITCH = new RegExp(`(?:^|[^${WORD}])oft:(off|on)(?![${WORD}])`, 'u');
const LONGEST_SEARCH = 4096;

/** Follows the switch from line to line. */
export class OffSwitch {
  private readonly source: string;
  private readonly findings: Findings;
  private readonly marks: Upcoming;
  /** Where `oft:off` stands, while it holds. */
  private off: Place | undefined = undefined;

  constructor(source: string, findings: Findings) {
    this.source = source;
    this.findings = findings;
    this.marks = new Upcoming(source, 'oft:o');
  }

  /** True for a line that is not to be read: one that is switched off, or that holds a switch that counts. */
  holds(start: number, end: number): boolean {
    if (!this.marks.within(start, end)) return this.off !== undefined;
    const from = Math.max(start, this.marks.next - 2);
    const word = SWITCH.exec(this.source.slice(from, Math.min(end, from + LONGEST_SEARCH)))?.[1];
    if (this.off === undefined) {
      if (word !== 'off') return false;
      this.off = this.findings.at(this.marks.next);
    } else if (word === 'on') {
      this.off = undefined;
    }
    return true;
  }

  /** Reports a switch that was left off at the end of the file. */
  finish(): void {
    if (this.off) this.findings.reportAt('import-off-to-end', 'oft:off is never followed by oft:on', this.off);
  }
}
