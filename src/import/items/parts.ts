/** The labelled parts of an item, and how a label line is told from text. */

/** What can be open while an item is read: nothing yet (`id`), or one of its parts. */
export type Part = 'id' | 'description' | 'rationale' | 'comment' | 'covers' | 'depends' | 'needs' | 'tags';

/** The parts that are lists of names. */
export type ListPart = 'covers' | 'depends' | 'needs' | 'tags';

/** A label as it stands at column 0, with its colon. */
export interface Label {
  readonly text: string;
  readonly part: Part | 'status';
  /** True if a comma list may follow on the same line. */
  readonly inline: boolean;
  /** True if the part is a list of names, whose loss would change the trace. */
  readonly list: boolean;
  /** One bit of its own, for sets of labels. */
  readonly bit: number;
}

/** Every label. `Comments:` is how Xen's tree spells `Comment:`. */
const LABELS: readonly Label[] = [
  { text: 'Description:', part: 'description', inline: false, list: false, bit: 1 },
  { text: 'Rationale:', part: 'rationale', inline: false, list: false, bit: 2 },
  { text: 'Comment:', part: 'comment', inline: false, list: false, bit: 4 },
  { text: 'Comments:', part: 'comment', inline: false, list: false, bit: 8 },
  { text: 'Covers:', part: 'covers', inline: false, list: true, bit: 16 },
  { text: 'Depends:', part: 'depends', inline: false, list: true, bit: 32 },
  { text: 'Needs:', part: 'needs', inline: true, list: true, bit: 64 },
  { text: 'Tags:', part: 'tags', inline: true, list: true, bit: 128 },
  { text: 'Status:', part: 'status', inline: true, list: false, bit: 256 },
];

/** Labels by the code of their first letter. */
const BY_FIRST: (readonly Label[] | undefined)[] = new Array<undefined>(128).fill(undefined);
for (const label of LABELS) {
  const code = label.text.charCodeAt(0);
  BY_FIRST[code] = [...(BY_FIRST[code] ?? []), label];
}

/** The label with which the line from `at` begins, whatever follows it. */
export function labelAt(text: string, at: number, end: number): Label | undefined {
  const code = text.charCodeAt(at);
  const candidates = code < 128 ? BY_FIRST[code] : undefined;
  if (candidates === undefined) return undefined;
  for (const label of candidates) {
    if (end - at >= label.text.length && text.startsWith(label.text, at)) return label;
  }
  return undefined;
}

const LONGEST = Math.max(...LABELS.map((label) => label.text.length));

/**
 * The label that a line was probably meant to be: alone on its line but indented, in other case, with blanks before the
 * colon, in bold, with a second colon, or in the singular; the label of a list also without its colon, in its own case.
 * Undefined for a line that is nothing like one.
 */
export function labelLookAlike(text: string, at: number, end: number): Label | undefined {
  if (end - at > LONGEST + 16) return undefined;
  const bare = text
    .slice(at, end)
    .replace(/[\s*_\p{Cf}]+/gu, '')
    .replace(/:+$/, ':');
  if (!bare.endsWith(':')) return LABELS.find(({ list, text: label }) => list && label === `${bare}:`);
  const lower = bare.toLowerCase();
  const plural = `${lower.slice(0, -1)}s:`;
  return LABELS.find(
    ({ list, text: label }) => label.toLowerCase() === lower || (list && label.toLowerCase() === plural),
  );
}
