/** What linking has to say about items: types, duplicates, links that are not clean, cycles. */

import type { DiagnosticCode, Place } from '../core/diagnostic.js';
import { type Diagnostic, diagnostic, formatPlace } from '../core/diagnostic.js';
import type { Item } from '../core/item.js';
import { didYouMean, nearestIds } from '../core/nearest.js';
import type { Link, LinkedItem, OutgoingStatus } from '../core/trace.js';

/** Ids looked at over the whole run to suggest others for orphans: a bound on a tree in which everything is one. */
const SUGGESTION_BUDGET = 1_000_000;

/** Reports types, of items and in their needs, that the configuration does not know. */
export function diagnoseTypes(items: readonly Item[], types: readonly string[] | undefined, into: Diagnostic[]): void {
  if (types === undefined || types.length === 0) return;
  const known = new Set(types);
  const hint = `the configured types are ${types.join(', ')}`;
  for (const item of items) {
    if (!known.has(item.type)) {
      into.push(diagnostic('unknown-item-type', `${item.id} has the unknown type '${item.type}'`, item.place, hint));
    }
    for (const need of item.needs) {
      if (known.has(need.text)) continue;
      const message = `${item.id} needs the unknown type '${need.text}'`;
      into.push(diagnostic('unknown-needed-type', message, need.place, hint));
    }
  }
}

/** Reports every outgoing link that is not clean, duplicates apart. */
export function diagnoseLinks(items: readonly LinkedItem[], into: Diagnostic[]): void {
  const suggest = suggestions(items);
  for (const linked of items) {
    for (const link of linked.outgoing) if (link.status !== 'covers') diagnoseLink(linked, link, suggest, into);
  }
}

/** Reports every item whose id an earlier one already has. */
export function diagnoseDuplicates(items: readonly LinkedItem[], into: Diagnostic[]): void {
  const first = new Map<string, Item>();
  for (const { item, outgoing } of items) {
    if (outgoing[0]?.status !== 'duplicate') continue;
    const earlier = first.get(item.id);
    if (earlier === undefined) {
      first.set(item.id, item);
      continue;
    }
    const message = `${item.id} is already the id of the item at ${formatPlace(earlier.place)}`;
    into.push(diagnostic('duplicate-id', message, item.place, 'give one of the two another name, or remove it'));
  }
}

function diagnoseLink(
  { item, outgoing }: LinkedItem,
  link: Link<OutgoingStatus>,
  suggest: (id: string) => string | undefined,
  into: Diagnostic[],
): void {
  const say = (code: DiagnosticCode, message: string, place: Place, hint?: string) =>
    into.push(diagnostic(code, message, place, hint));
  switch (link.status) {
    case 'orphaned':
      // An id that exists at another revision is reported with that revision.
      if (outgoing.some((other) => isOtherRevision(other) && other.place === link.place)) return;
      say('cover-orphaned', `${item.id} covers ${link.id}, which does not exist`, link.place, suggest(link.id));
      return;
    case 'outdated':
      say(
        'cover-outdated',
        `${item.id} covers an older revision of ${link.id}`,
        link.place,
        `review it against ${link.id} and cover that`,
      );
      return;
    case 'predated':
      say(
        'cover-predated',
        `${item.id} covers a newer revision of ${link.id} than the one that exists`,
        link.place,
        `cover ${link.id}, or raise its revision`,
      );
      return;
    case 'ambiguous':
      say('cover-ambiguous', `${item.id} covers ${link.id}, which several items carry`, link.place);
      return;
    case 'unwanted':
      say(
        'cover-unwanted',
        `${item.id} covers ${link.id}, which does not need the type '${item.type}'`,
        link.place,
        `add '${item.type}' to the needs of ${link.id}, or do not cover it`,
      );
      return;
  }
}

function isOtherRevision(link: Link<OutgoingStatus>): boolean {
  return link.status === 'outdated' || link.status === 'predated';
}

/** Suggests ids near to a missing one; falls silent when the budget of comparisons is used up. */
function suggestions(items: readonly LinkedItem[]): (id: string) => string | undefined {
  const made = new Map<string, string | undefined>();
  let budget = SUGGESTION_BUDGET;
  let ids: string[] | undefined;
  return (id) => {
    if (made.has(id)) return made.get(id);
    if (budget < items.length) return undefined;
    budget -= items.length;
    ids ??= items.map((linked) => linked.item.id);
    const hint = didYouMean(nearestIds(id, ids));
    made.set(id, hint);
    return hint;
  };
}

/** Reports each cycle once, at its item with the smallest id. */
export function diagnoseCycles(cycles: readonly (readonly LinkedItem[])[], into: Diagnostic[]): void {
  for (const members of cycles) {
    const ids = [...new Set(members.map((linked) => linked.item.id))].sort();
    const first = members.find((linked) => linked.item.id === ids[0]) as LinkedItem;
    const shown = ids.length <= 4 ? ids.join(', ') : `${ids.slice(0, 3).join(', ')} and ${ids.length - 3} more`;
    const message = ids.length === 1 ? `${shown} covers itself` : `these items cover one another in a cycle: ${shown}`;
    into.push(diagnostic('cover-cycle', message, first.item.place));
  }
}
