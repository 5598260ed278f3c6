/** Which items the user means: whole ids, short names, or globs. */
import { didYouMean, nearestIds } from '../core/nearest.js';
import type { LinkedItem } from '../core/trace.js';
import { CommandError } from './exit.js';

/** An id as far as selecting goes. */
interface Selectable {
  readonly id: string;
  readonly name: string;
}

/** How many items are named in a message. */
const MOST_NAMED = 6;
const GLOB = /[*?]/;

function globToPattern(glob: string): RegExp {
  const escaped = glob
    .replace(/[.+^${}()|[\]\\]/g, '\\$&')
    .replaceAll('*', '.*')
    .replaceAll('?', '.');
  return new RegExp(`^${escaped}$`, 'u');
}

/**
 * The one item that a word means: its id, its name with or without type and revision, or a glob that one item matches.
 * @throws CommandError if there is none (with the nearest) or more than one
 */
export function selectOne<T extends Selectable>(items: readonly T[], word: string): T {
  const found = matching(items, word);
  const [first, second] = found;
  if (first === undefined) throw unknownId(items, word);
  if (second !== undefined) {
    const named = found.slice(0, MOST_NAMED).map(({ id }) => id);
    const more = found.length > MOST_NAMED ? ` and ${found.length - MOST_NAMED} more` : '';
    throw new CommandError(
      'ambiguous-id',
      `'${word}' means ${found.length} items: ${named.join(', ')}${more}`,
      'Give the whole id.',
    );
  }
  return first;
}

/**
 * The items that several words mean, in the order of `items`, each once.
 * @throws CommandError if a word means nothing, or a short name without a glob means more than one name
 */
export function selectMany<T extends Selectable>(items: readonly T[], words: readonly string[]): T[] {
  const chosen = new Set<T>();
  for (const word of words) {
    const found = GLOB.test(word) ? items.filter((i) => matchesGlob(i, word)) : [selectOne(items, word)];
    if (found.length === 0) throw unknownId(items, word);
    for (const item of found) chosen.add(item);
  }
  return items.filter((item) => chosen.has(item));
}

/** The ids of an item and of all that link to it, however far below: what its verdict rests on. Each once. */
export function withAllBelow(items: readonly LinkedItem[], id: string): string[] {
  const found = new Set(items.filter(({ item }) => item.id === id));
  // A set is visited in the order of insertion, entries added on the way included.
  for (const { incoming } of found) for (const { other } of incoming) if (other !== undefined) found.add(other);
  return [...new Set([...found].map(({ item }) => item.id))];
}

function matching<T extends Selectable>(items: readonly T[], word: string): T[] {
  const exact = items.filter((i) => i.id === word);
  if (exact.length > 0) return exact.slice(0, 1);
  if (GLOB.test(word)) return items.filter((i) => matchesGlob(i, word));
  return items.filter((i) => {
    const [type = '', name = '', revision = ''] = i.id.split('~');
    return word === name || word === `${type}~${name}` || word === `${name}~${revision}`;
  });
}

function matchesGlob(item: Selectable, glob: string): boolean {
  const pattern = globToPattern(glob);
  return pattern.test(item.id) || pattern.test(item.name);
}

function unknownId(items: readonly Selectable[], word: string): CommandError {
  const near = nearestIds(
    word,
    items.map((i) => i.id),
  );
  const question = didYouMean(near);
  return new CommandError(
    'unknown-id',
    `No item matches '${word}'`,
    question === undefined
      ? 'tracewright trace --format json lists every id.'
      : `${question[0]?.toUpperCase()}${question.slice(1)}`,
  );
}
