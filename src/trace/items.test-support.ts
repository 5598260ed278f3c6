/** A small language for items in tests: `items('req~a~1 needs dsn', 'dsn~a~1 covers req~a~1')`. */
import type { Place } from '../core/diagnostic.js';
import { type Item, type ItemStatus, type Mention, parseId } from '../core/item.js';

/**
 * An item from one line: an id, then any of `needs a,b`, `covers id,id`, `status rejected`, `title The_title`,
 * `at file.rst:12`. Places are made up from the line number; each mention has a place of its own.
 */
export function item(text: string, line = 1): Item {
  const [id, ...rest] = text.trim().split(/\s+/) as [string, ...string[]];
  const parsed = parseId(id);
  if (parsed === undefined) throw new Error(`not an id: ${id}`);
  const words = new Map<string, string>();
  for (let i = 0; i < rest.length; i += 2) words.set(rest[i] as string, rest[i + 1] as string);
  const [path, at] = (words.get('at') ?? `tree.rst:${line}`).split(':') as [string, string];
  const place = (column: number): Place => ({ path, line: Number(at), column, offset: Number(at) * 100 + column });
  const mentions = (word: string, column: number): Mention[] =>
    (words.get(word)?.split(',') ?? []).map((mention, i) => ({ text: mention, place: place(column + i) }));
  return {
    ...parsed,
    id,
    place: place(1),
    title: words.get('title')?.replaceAll('_', ' '),
    titlePlace: undefined,
    description: '',
    descriptionPlace: undefined,
    rationale: '',
    rationalePlace: undefined,
    comment: '',
    commentPlace: undefined,
    status: (words.get('status') ?? 'approved') as ItemStatus,
    covers: mentions('covers', 20),
    depends: [],
    needs: mentions('needs', 60),
    tags: [],
    forwards: false,
  };
}

/** Items from lines, each at its own line of `tree.rst`. */
export function items(...lines: readonly string[]): Item[] {
  return lines.map((text, i) => item(text, i + 1));
}
