/** Which known ids a mistyped one most likely means. */

/** How many edits still count as a typing mistake: a quarter of the text, at least 1 and at most 8. */
function allowance(text: string): number {
  return Math.max(1, Math.min(8, Math.floor(text.length / 4)));
}

/**
 * Number of insertions, deletions, replacements and swaps of neighbours that turn `a` into `b` (optimal string
 * alignment), or `limit + 1` as soon as it must be more than `limit`. Works in a band of `2 * limit + 1` cells a row.
 */
export function editDistance(a: string, b: string, limit: number): number {
  const over = limit + 1;
  if (Math.abs(a.length - b.length) > limit) return over;
  let beforeLast: number[] = [];
  let last: number[] = Array.from({ length: b.length + 1 }, (_, j) => j);
  for (let i = 1; i <= a.length; i++) {
    const row: number[] = new Array(b.length + 1).fill(over);
    const from = Math.max(1, i - limit);
    const to = Math.min(b.length, i + limit);
    if (i <= limit) row[0] = i;
    let best = row[0] as number;
    for (let j = from; j <= to; j++) {
      const same = a.charCodeAt(i - 1) === b.charCodeAt(j - 1);
      let cost = (last[j - 1] as number) + (same ? 0 : 1);
      cost = Math.min(cost, (last[j] as number) + 1, (row[j - 1] as number) + 1);
      const swapped =
        i > 1 && j > 1 && a.charCodeAt(i - 1) === b.charCodeAt(j - 2) && a.charCodeAt(i - 2) === b.charCodeAt(j - 1);
      if (swapped) cost = Math.min(cost, (beforeLast[j - 2] as number) + 1);
      row[j] = Math.min(cost, over);
      best = Math.min(best, row[j] as number);
    }
    if (best > limit) return over;
    beforeLast = last;
    last = row;
  }
  return Math.min(last[b.length] as number, over);
}

/** The name between the tildes of `type~name~revision`; the text itself if it has no tilde. */
function namePart(id: string): string {
  return id.split('~')[1] ?? id;
}

/**
 * The ids nearest to a mistyped one, nearest first and by UTF-16 code unit among equals; at most `count`.
 *
 * A text with a tilde is compared with whole ids, one without with their names. Behind the ids within a few edits come
 * those whose name holds the text. Letter case does not matter.
 */
export function nearestIds(wanted: string, ids: Iterable<string>, count = 3): string[] {
  const whole = wanted.includes('~');
  const text = wanted.toLowerCase();
  const part = namePart(wanted).toLowerCase();
  const limit = allowance(text);
  const found: { id: string; rank: number }[] = [];
  for (const id of new Set(ids)) {
    const candidate = (whole ? id : namePart(id)).toLowerCase();
    const distance = editDistance(text, candidate, limit);
    if (distance <= limit) found.push({ id, rank: distance });
    else if (part.length >= 3 && namePart(id).toLowerCase().includes(part)) found.push({ id, rank: limit + 1 });
  }
  found.sort((a, b) => a.rank - b.rank || (a.id < b.id ? -1 : a.id > b.id ? 1 : 0));
  return found.slice(0, count).map((entry) => entry.id);
}

/** `did you mean a, b or c?`; undefined where nothing is near. */
export function didYouMean(ids: readonly string[]): string | undefined {
  if (ids.length === 0) return undefined;
  const last = ids[ids.length - 1] as string;
  return ids.length === 1 ? `did you mean ${last}?` : `did you mean ${ids.slice(0, -1).join(', ')} or ${last}?`;
}
