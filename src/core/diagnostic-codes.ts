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
  'file-format-unknown': { severity: 'error', summary: 'a given file has an extension that no importer reads' },
  'file-too-large': { severity: 'error', summary: 'a file is larger than a text can be' },
  'file-nul-character': { severity: 'warning', summary: 'a file holds a NUL character, as binary files do' },
  // import: ids
  'id-not-taken': { severity: 'error', summary: 'something inside an item looks like an id but is not read as one' },
  'id-malformed': { severity: 'error', summary: 'a line of its own looks like an id but is none' },
  'id-revision-too-large': { severity: 'error', summary: 'the revision of an id is above 2147483647' },
  'id-suffix': { severity: 'error', summary: 'an id runs into further word characters' },
  'id-in-paragraph': { severity: 'warning', summary: 'an item begins inside a paragraph of running text' },
  'id-in-prose': { severity: 'note', summary: 'an id is mentioned in text' },
  // import: parts of an item
  'item-empty': { severity: 'warning', summary: 'an item has no text, link, need or tag' },
  'list-bullet-empty': { severity: 'error', summary: 'a bullet of a list part names nothing' },
  'list-bullet-several': {
    severity: 'error',
    summary: 'a bullet of a list part names several things; the last is taken',
  },
  'list-empty': { severity: 'error', summary: 'Covers or Needs names nothing' },
  'list-text': { severity: 'warning', summary: 'text inside a list part is no bullet and is not read' },
  'list-after-text': {
    severity: 'warning',
    summary: 'a bullet is taken into a list part although text stands between',
  },
  'list-label-not-taken': { severity: 'error', summary: 'the label of a list part is written so that it is not read' },
  'label-not-taken': { severity: 'warning', summary: 'a label is written so that it is read as text' },
  'label-repeated': { severity: 'warning', summary: 'an item has the same label twice' },
  'label-outside-item': { severity: 'note', summary: 'a label stands outside any item' },
  'needs-type': {
    severity: 'error',
    summary: 'a needed artifact type is not made of ASCII letters, so nothing can cover it',
  },
  'needs-not-taken': { severity: 'error', summary: 'a line of Needs names a type but is no bullet, so it is not read' },
  'status-unknown': { severity: 'error', summary: 'the status is none of approved, proposed, draft, rejected' },
  'status-not-taken': { severity: 'error', summary: 'a status stands elsewhere than directly below the id' },
  'forward-not-taken': { severity: 'error', summary: 'a forwarding line stands where it is not read' },
  'import-off-to-end': { severity: 'warning', summary: 'oft:off without oft:on: the rest of the file is not read' },
  'markdown-unclosed': {
    severity: 'error',
    summary: 'fenced code or an HTML comment of a Markdown file never ends and holds what would else be read',
  },
  'markdown-too-deep': {
    severity: 'error',
    summary: 'quotes or lists of a Markdown file are nested too deeply to be read',
  },
  // import: reStructuredText
  'rst-underline-short': { severity: 'warning', summary: 'a title is longer than its underline or overline' },
  'rst-underline-long': { severity: 'note', summary: 'a title is shorter than its underline' },
  'rst-title-level': { severity: 'warning', summary: 'a title has an adornment that does not fit its level' },
  'rst-title-incomplete': { severity: 'warning', summary: 'an overline without a matching title and underline' },
  'rst-title-nested': { severity: 'warning', summary: 'a title or transition inside a list, quote or other block' },
  'rst-indent': { severity: 'warning', summary: 'a line is indented although its paragraph goes on' },
  'rst-unindent': { severity: 'warning', summary: 'a block ends without a blank line' },
  'rst-literal-missing': { severity: 'warning', summary: 'a paragraph ends with :: but no literal block follows' },
  'rst-table-malformed': { severity: 'warning', summary: 'a table has no lower border or is ragged' },
  'rst-inline-open': { severity: 'warning', summary: 'inline markup begins and does not end' },
  'rst-too-deep': { severity: 'warning', summary: 'blocks are nested too deeply; the inner ones are read as text' },

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
  'divergence-unbound': { severity: 'error', summary: 'a divergence names an id that no item carries' },
  'aspect-unknown': { severity: 'error', summary: 'a check speaks of a part that its requirement does not have' },
  'result-unbound': { severity: 'error', summary: 'a result belongs to no bound check, or to no column' },

  // check: loading and running checks
  'bench-does-not-load': { severity: 'error', summary: 'the bench module does not load, so nothing can be checked' },
  'bench-without-trace': {
    severity: 'warning',
    summary: 'the bench journals nothing, so every mutant counts as not exercised',
  },
  'check-files-missing': { severity: 'error', summary: 'a pattern of check files matches nothing' },
  'check-outdated-build': { severity: 'error', summary: 'a built file is older than its source' },
  'check-does-not-load': { severity: 'error', summary: 'a file of checks or mutants does not load' },
  'check-malformed-id': { severity: 'error', summary: 'a check or a mutant names something that is no id' },
  'check-unstable': {
    severity: 'warning',
    summary: 'a check ended in an error and then otherwise when it was repeated',
  },
  'mutant-applies-nowhere': { severity: 'warning', summary: 'a mutant can exist on no platform of the bench' },
} as const satisfies Record<string, CodeEntry>;
