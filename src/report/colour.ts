/** Colours by meaning. The command line hands them in; reporters never ask whether there is a terminal. */
import type { Severity } from '../core/diagnostic.js';
import type { Verdict } from '../core/verdict.js';

/** Wraps text so that it shows in a colour, or returns it as it is. */
export type Paint = (text: string) => string;

/** Colours by what they mean. */
export interface Colour {
  /** In order. */
  readonly good: Paint;
  /** Broken. */
  readonly bad: Paint;
  /** Not broken, and not enough. */
  readonly warning: Paint;
  /** Beside the point. */
  readonly faint: Paint;
  /** Names and headings. */
  readonly strong: Paint;
}

const asItIs: Paint = (text) => text;

/** No colours. */
export const NO_COLOUR: Colour = { good: asItIs, bad: asItIs, warning: asItIs, faint: asItIs, strong: asItIs };

/** What every text reporter may be told. */
export interface ReportOptions {
  readonly colour: Colour;
  /** Columns to fill at most. */
  readonly width: number;
}

const VERDICT_COLOURS = {
  refuted: 'bad',
  error: 'bad',
  vacuous: 'bad',
  stale: 'warning',
  weak: 'warning',
  'not run': 'warning',
  passes: 'warning',
  waived: 'faint',
  verified: 'good',
  'n/a': 'faint',
} as const satisfies Record<Verdict, keyof Colour>;

/** The colour of a verdict. */
export function verdictPaint(colour: Colour, verdict: Verdict): Paint {
  return colour[VERDICT_COLOURS[verdict]];
}

const SEVERITY_COLOURS = { error: 'bad', warning: 'warning', note: 'faint' } as const satisfies Record<
  Severity,
  keyof Colour
>;

/** The colour of a severity. */
export function severityPaint(colour: Colour, severity: Severity): Paint {
  return colour[SEVERITY_COLOURS[severity]];
}
