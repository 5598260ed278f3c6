/**
 * Why an item is not green: for each thing that is wrong, the shortest path from the item to what causes it, and one
 * sentence about what would mend it.
 */
import { formatPlace } from '../core/diagnostic.js';
import type { Explanation, Why } from '../core/explanation.js';
import type { Matrix } from '../core/matrix.js';
import { didYouMean, nearestIds } from '../core/nearest.js';
import type { Link, LinkedItem, OutgoingStatus, Trace } from '../core/trace.js';
import { cycleThrough, itemsInCycles, shortestPath, steps } from './path.js';
import { explainCells } from './why-cell.js';

/**
 * Explains an item: first its trace, then its cells, worst verdict first.
 *
 * @param id an id of the trace; of several items with the id the first defect is explained
 * @param matrix with it, cells are explained too
 * @param columns keys of the columns to explain; absent: all
 * @returns undefined if no item has the id; no explanations if there is nothing to explain
 */
export function why(trace: Trace, id: string, matrix?: Matrix, columns?: readonly string[]): Why | undefined {
  const same = trace.items.filter((linked) => linked.item.id === id);
  const start = same.find((linked) => linked.defect) ?? same[0];
  if (start === undefined) return undefined;
  const explanations: Explanation[] = [];
  const defect = start.defect ? explainDefect(trace, start) : undefined;
  if (defect !== undefined) explanations.push(defect);
  if (matrix !== undefined) explanations.push(...explainCells(start, matrix, columns));
  return { id, explanations };
}

function explainDefect(trace: Trace, start: LinkedItem): Explanation | undefined {
  const own = explainOwnDefect(trace, start);
  if (own !== undefined) return { ...own, path: steps([start]) };
  if (start.deepCoverage === 'cycle') {
    const cycle = cycleThrough(start);
    if (cycle !== undefined) return explainCycle(cycle);
    const cyclic = itemsInCycles(start);
    const path = shortestPath(start, (linked) => cyclic.has(linked));
    const last = path?.at(-1);
    if (path === undefined || last === undefined) return undefined;
    return { ...explainCycle(cycleThrough(last) as LinkedItem[]), path: steps(path) };
  }
  const path = shortestPath(start, (linked) => linked.uncoveredTypes.length > 0);
  const last = path?.at(-1);
  if (path === undefined || last === undefined) return undefined;
  return { ...explainUncovered(last), path: steps(path) };
}

type Cause = Omit<Explanation, 'path'>;

/** What is wrong with the item itself: duplicates, links, needs. */
function explainOwnDefect(trace: Trace, linked: LinkedItem): Cause | undefined {
  const { item } = linked;
  // An orphan with another revision is told by that revision.
  const bad = linked.outgoing.filter((link) => link.status !== 'covers');
  const out = bad.find((link) => link.status !== 'orphaned') ?? bad[0];
  if (out !== undefined) return explainOutgoing(trace, linked, out);
  if (linked.uncoveredTypes.length > 0) return explainUncovered(linked);
  const into = linked.incoming.find((link) => link.status !== 'covered shallow');
  if (into === undefined) return undefined;
  const place = into.place;
  if (into.status === 'unwanted coverage') {
    const type = into.other?.item.type ?? 'its type';
    return {
      cause: `${into.id} covers it, but it does not need '${type}'`,
      details: [],
      mend: `add '${type}' to the needs of ${item.id}, or take the cover out of ${into.id}`,
      place,
    };
  }
  return {
    cause: `${into.id} covers ${into.status === 'outdated coverage' ? 'an older' : 'a newer'} revision of it`,
    details: [],
    mend: `review ${into.id} against ${item.id} and let it cover that revision`,
    place,
  };
}

function explainOutgoing(trace: Trace, { item }: LinkedItem, link: Link<OutgoingStatus>): Cause {
  const place = link.place;
  switch (link.status) {
    case 'duplicate':
      return {
        cause: `another item has the same id, at ${formatPlace(place)}`,
        details: [],
        mend: 'give one of the two another name, or remove it',
        place: item.place,
      };
    case 'orphaned': {
      const near = didYouMean(
        nearestIds(
          link.id,
          trace.items.map((other) => other.item.id),
        ),
      );
      return {
        cause: `it covers ${link.id}, which does not exist`,
        details: near === undefined ? [] : [near],
        mend: 'cover an item that exists, or write the missing one',
        place,
      };
    }
    case 'unwanted':
      return {
        cause: `it covers ${link.id}, which does not need '${item.type}'`,
        details: [],
        mend: `add '${item.type}' to the needs of ${link.id}, or do not cover it`,
        place,
      };
    case 'ambiguous':
      return {
        cause: `it covers ${link.id}, which several items carry`,
        details: [],
        mend: 'leave one item with that id',
        place,
      };
    default:
      return {
        cause: `it covers ${link.status === 'outdated' ? 'an older' : 'a newer'} revision of ${link.id}`,
        details: [],
        mend: `review it against ${link.id} and cover that`,
        place,
      };
  }
}

function explainUncovered({ item, uncoveredTypes, incoming }: LinkedItem): Cause {
  const types = uncoveredTypes.map((type) => `'${type}'`).join(' and ');
  const need = item.needs.find((mention) => mention.text === uncoveredTypes[0]);
  const wrong = incoming.find(
    (link) => link.status !== 'covered shallow' && uncoveredTypes.includes(link.other?.item.type ?? ''),
  );
  return {
    cause: `${item.id} needs ${types}, and no item of that type covers it`,
    details: wrong === undefined ? [] : [`${wrong.id} means to: its link is ${wrong.status}`],
    mend: `write an item of type ${types} with 'Covers: ${item.id}', or take the need out`,
    place: need?.place ?? item.place,
  };
}

function explainCycle(cycle: readonly LinkedItem[]): Explanation {
  const last = cycle.at(-2) as LinkedItem;
  const first = cycle[0] as LinkedItem;
  const link = last.outgoing.find((one) => one.other?.item.id === first.item.id);
  return {
    path: steps(cycle),
    cause: `${first.item.id} is covered, in the end, by itself`,
    details: [],
    mend: 'take out the cover that points back up',
    place: link?.place ?? first.item.place,
  };
}
