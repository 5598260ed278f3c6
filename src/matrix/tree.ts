/**
 * The order of the rows: items that cover nothing first, below each the items that cover it. Every link that leads to
 * an existing item counts, clean or not, so that an item with a wrong revision stands beside what it meant.
 */
import { compareIds, type Item } from '../core/item.js';
import type { LinkedItem, Trace } from '../core/trace.js';

/** An item in its place. */
export interface TreeEntry {
  readonly linked: LinkedItem;
  readonly depth: number;
  /** Whether it stood before; what is below it stands there. */
  readonly repeated: boolean;
}

/** The items above and below each other. */
export interface Tree {
  readonly entries: readonly TreeEntry[];
  /** The items that cover an item, each once, sorted by id. */
  readonly below: ReadonlyMap<LinkedItem, readonly LinkedItem[]>;
}

/**
 * Lays out the items. Their number in the result is at most items and links together: under a second parent an item is
 * listed, but not once more what is below it. Items that only a cycle leads to begin at the smallest id.
 *
 * @param types artifact types in the order in which items without a parent are to stand; others follow by name
 */
export function layOut(trace: Trace, types: readonly string[] = []): Tree {
  const below = new Map<LinkedItem, LinkedItem[]>();
  const covering = new Set<LinkedItem>();
  for (const linked of trace.items) {
    for (const { status, other } of linked.outgoing) {
      if (status === 'duplicate' || other === undefined) continue;
      // A cover that reaches an item along two links, or along itself, adds nothing.
      const siblings = below.get(other);
      if (siblings === undefined) below.set(other, [linked]);
      else if (siblings.at(-1) !== linked) siblings.push(linked);
      if (other !== linked) covering.add(linked);
    }
  }

  const ranks = new Map(types.map((type, rank) => [type, rank]));
  const rank = (item: Item) => ranks.get(item.type) ?? types.length;
  const sorted = [...trace.items].sort((a, b) => rank(a.item) - rank(b.item) || compareIds(a.item, b.item));

  const entries: TreeEntry[] = [];
  const listed = new Set<LinkedItem>();
  const place = (root: LinkedItem) => {
    const pending = [{ linked: root, depth: 0 }];
    for (let next = pending.pop(); next !== undefined; next = pending.pop()) {
      const { linked, depth } = next;
      const repeated = listed.has(linked);
      entries.push({ linked, depth, repeated });
      if (repeated) continue;
      listed.add(linked);
      const children = below.get(linked) ?? [];
      for (let c = children.length - 1; c >= 0; c--) pending.push({ linked: children[c]!, depth: depth + 1 });
    }
  };
  for (const linked of sorted) if (!covering.has(linked)) place(linked);
  for (const linked of sorted) if (!listed.has(linked)) place(linked);
  return { entries, below };
}

/** The requirements at or below an item, each once, however the links run. Visits each item once. */
export function requirementsBelow(
  tree: Tree,
  root: LinkedItem,
  isRequirement: (linked: LinkedItem) => boolean,
): LinkedItem[] {
  const found: LinkedItem[] = [];
  const seen = new Set([root]);
  const pending = [root];
  for (let linked = pending.pop(); linked !== undefined; linked = pending.pop()) {
    if (isRequirement(linked)) found.push(linked);
    for (const child of tree.below.get(linked) ?? []) {
      if (seen.has(child)) continue;
      seen.add(child);
      pending.push(child);
    }
  }
  return found;
}
