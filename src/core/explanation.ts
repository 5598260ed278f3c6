/** Why an item is not green: the shortest path to what causes it, as plain data. */
import type { Place } from './diagnostic.js';

/** One step of the path. */
export interface ExplanationStep {
  readonly id: string;
  /** What the step stands for, read from the one before: `is covered by`, `covers`, ... Empty for the first. */
  readonly relation: string;
  readonly place: Place | undefined;
}

/** One cause with the path that leads to it. */
export interface Explanation {
  /** From the item asked about to the one that causes its state; the item alone if it does itself. */
  readonly path: readonly ExplanationStep[];
  /** One sentence: what is wrong. */
  readonly cause: string;
  /** Further lines: what was observed. */
  readonly details: readonly string[];
  /** One sentence: what would mend it. */
  readonly mend: string;
  /** Where to look. */
  readonly place: Place | undefined;
}

/** All that is to say about one item: its trace, then each column that is not green. Empty causes: it is green. */
export interface Why {
  readonly id: string;
  readonly explanations: readonly Explanation[];
}
