/**
 * The catalogue of diagnostic codes. A code is stable: it is never renamed or given another meaning, because gates and
 * editors key on it. Grouped by the layer that reports it.
 */
import type { Severity } from './diagnostic.js';

interface CodeEntry {
  readonly severity: Severity;
  /** What the code stands for, for the reference in the documentation. */
  readonly summary: string;
}

/** Every code with its severity. One line a code; each layer adds its own. */
export const DIAGNOSTIC_CODES = {
  // input: files and encodings
  'path-missing': { severity: 'error', summary: 'a given path does not exist' },
  'file-unreadable': { severity: 'error', summary: 'a file cannot be read' },
  'file-not-utf8': { severity: 'error', summary: 'a file is not valid UTF-8' },
  'no-items': { severity: 'error', summary: 'the given paths hold no specification item' },

  // trace: links between items
  'duplicate-id': { severity: 'error', summary: 'two items carry the same id' },
  'unknown-needed-type': { severity: 'error', summary: 'an item needs a type that the configuration does not know' },
  'unknown-item-type': { severity: 'warning', summary: 'an item has a type that the configuration does not know' },
  'cover-orphaned': { severity: 'warning', summary: 'an item covers an id that no item carries at any revision' },
  'cover-outdated': { severity: 'warning', summary: 'an item covers an older revision than the one that exists' },
  'cover-predated': { severity: 'warning', summary: 'an item covers a newer revision than the one that exists' },
  'cover-ambiguous': { severity: 'warning', summary: 'an item covers an id that several items carry' },
  'cover-unwanted': { severity: 'warning', summary: 'an item covers one that does not need its type' },
  'cover-cycle': { severity: 'warning', summary: 'items cover one another in a cycle' },

  // matrix: checks, mutants and results against the trace
  'check-orphaned': { severity: 'error', summary: 'a check binds an id that no item carries' },
  'check-outdated': { severity: 'error', summary: 'a check binds an older revision than the one that exists' },
  'check-predated': { severity: 'error', summary: 'a check binds a newer revision than the one that exists' },
  'check-ambiguous': { severity: 'error', summary: 'a check binds an id that several items carry' },
  'check-duplicate': { severity: 'error', summary: 'two checks of one requirement have the same title' },
  'mutant-unbound': { severity: 'error', summary: 'a mutant violates an id that no item carries' },
  'applicability-unbound': { severity: 'error', summary: 'the applicability table names an id that no item carries' },
  'aspect-unknown': { severity: 'error', summary: 'a check speaks of a part that its requirement does not have' },
  'result-unbound': { severity: 'error', summary: 'a result belongs to no bound check, or to no column' },
} as const satisfies Record<string, CodeEntry>;
