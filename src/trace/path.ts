/** Shortest paths through a trace, from an item down to those that cover it. */
import type { ExplanationStep } from '../core/explanation.js';
import type { LinkedItem } from '../core/trace.js';
import { graphOf, isCycle, strongComponents } from './coverage.js';

/** A breadth-first search along incoming links to the nearest item that satisfies `found`. */
export function shortestPath(start: LinkedItem, found: (linked: LinkedItem) => boolean): LinkedItem[] | undefined {
  const before = new Map<LinkedItem, LinkedItem | undefined>([[start, undefined]]);
  // A Map is visited in the order of insertion, entries added on the way included: it is the queue.
  for (const linked of before.keys()) {
    if (found(linked)) {
      const path: LinkedItem[] = [];
      for (let at: LinkedItem | undefined = linked; at !== undefined; at = before.get(at)) path.unshift(at);
      return path;
    }
    for (const { other } of linked.incoming) {
      if (other !== undefined && !before.has(other)) before.set(other, linked);
    }
  }
  return undefined;
}

/** A path as steps of an explanation. */
export function steps(path: readonly LinkedItem[]): ExplanationStep[] {
  return path.map(({ item }, i) => ({ id: item.id, relation: i === 0 ? '' : 'is covered by', place: item.place }));
}

/** The shortest way from an item back to its own id along incoming links. */
export function cycleThrough(start: LinkedItem): LinkedItem[] | undefined {
  const before = new Map<LinkedItem, LinkedItem | undefined>([[start, undefined]]);
  for (const linked of before.keys()) {
    for (const { other } of linked.incoming) {
      if (other === undefined) continue;
      if (other.item.id === start.item.id) {
        const path = [other];
        for (let at: LinkedItem | undefined = linked; at !== undefined; at = before.get(at)) path.unshift(at);
        return path;
      }
      if (!before.has(other)) before.set(other, linked);
    }
  }
  return undefined;
}

/** The items at or below an item that take part in a cycle. */
export function itemsInCycles(start: LinkedItem): Set<LinkedItem> {
  const numbers = new Map<LinkedItem, number>([[start, 0]]);
  const from: number[] = [];
  const to: number[] = [];
  for (const [linked, number] of numbers) {
    for (const { other } of linked.incoming) {
      if (other === undefined) continue;
      if (!numbers.has(other)) numbers.set(other, numbers.size);
      from.push(number);
      to.push(numbers.get(other) as number);
    }
  }
  const items = [...numbers.keys()];
  const graph = graphOf(items.length, from, to);
  const found = new Set<LinkedItem>();
  strongComponents(graph, (members) => {
    if (isCycle(graph, members)) for (const member of members) found.add(items[member] as LinkedItem);
  });
  return found;
}
