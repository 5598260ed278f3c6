/** Which items the user means: whole ids, short names, or globs. */
import { didYouMean, nearestIds } from '../core/nearest.js';
import { CommandError } from './exit.js';

/** An id as far as selecting goes. */
interface Selectable {
  readonly id: string;
  readonly name: string;
}

function globToPattern(glob: string): RegExp {
  const escaped = glob.replace(/[.+^${}()|[\]\\]/g, '\\$&').replaceAll('*', '.*').replaceAll('?', '.');
  return new RegExp(`^${escaped}$`, 'u');
}

/**
 * The one item that a word means: its id, its name with or without type and revision.
 * @throws CommandError if there is none (with the nearest) or more than one
 */
export function selectOne<T extends Selectable>(items: readonly T[], word: string): T {
  const found = matching(items, word);
  const [first, second] = found;
  if (first === undefined) throw unknownId(items, word);
  if (second !== undefined) {
    throw new CommandError('ambiguous-id', `'${word}' means ${found.length} items: ${found.map((i) => i.id).join(', ')}`, 'Give the whole id.');
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
    const found = /[*?]/.test(word) ? items.filter((i) => matchesGlob(i, word)) : [selectOne(items, word)];
    if (found.length === 0) throw unknownId(items, word);
    for (const item of found) chosen.add(item);
  }
  return items.filter((item) => chosen.has(item));
}

function matching<T extends Selectable>(items: readonly T[], word: string): T[] {
  const exact = items.filter((i) => i.id === word);
  if (exact.length > 0) return exact.slice(0, 1);
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
  const near = nearestIds(word, items.map((i) => i.id));
  const question = didYouMean(near);
  return new CommandError(
    'unknown-id',
    `No item matches '${word}'`,
    question === undefined ? 'tracewright trace --format json lists every id.' : `${question[0]?.toUpperCase()}${question.slice(1)}`,
  );
}
