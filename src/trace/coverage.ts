/**
 * Deep coverage, in time linear in items and links, without recursion.
 *
 * An item is covered deeply if all types that it needs are covered, and every item that links to it is covered deeply
 * too, whatever the status of that link. The status of an item is the worst of its own and of those below it:
 * covered, uncovered, cycle.
 *
 * OpenFastTrace follows the links again from every item and calls it a cycle when it meets the *id* at which it began.
 * Two consequences are kept or closed here:
 *
 * - An item that meets another item with its own id (a duplicate) is a cycle, although no item is met twice. Those above
 *   it are not touched by that.
 * - An item that reaches a cycle in which it takes no part sends OpenFastTrace into endless recursion. Here its status
 *   is that of the worst item below it, which is a cycle.
 */
import type { DeepCoverage } from '../core/trace.js';

/** A directed graph over the nodes 0 … size - 1: the edges of node n are `targets[offsets[n] … offsets[n + 1])`. */
export interface Graph {
  readonly size: number;
  readonly offsets: Int32Array;
  readonly targets: Int32Array;
}

/** The statuses by their rank; a higher rank is worse. */
export const DEEP_COVERAGE = ['covered', 'uncovered', 'cycle'] as const satisfies readonly DeepCoverage[];
const CYCLE = 2;

/** Builds a graph from its edges, given as two lists of nodes. Edges keep their order within a node. */
export function graphOf(size: number, from: readonly number[], to: readonly number[]): Graph {
  const offsets = new Int32Array(size + 1);
  for (const node of from) offsets[node + 1] = (offsets[node + 1] as number) + 1;
  for (let n = 0; n < size; n++) offsets[n + 1] = (offsets[n + 1] as number) + (offsets[n] as number);
  const targets = new Int32Array(to.length);
  const next = offsets.slice(0, size);
  for (let e = 0; e < from.length; e++) {
    const node = from[e] as number;
    const at = next[node] as number;
    targets[at] = to[e] as number;
    next[node] = at + 1;
  }
  return { size, offsets, targets };
}

/**
 * Tarjan's strongly connected components with an explicit stack. Calls `component` with the members of each, those that
 * others lead to first; every edge out of a component leads to one already seen. The list of members is valid only during
 * the call.
 */
export function strongComponents(graph: Graph, component: (members: readonly number[]) => void): void {
  const { size, offsets, targets } = graph;
  const order = new Int32Array(size); // 0: not seen yet
  const low = new Int32Array(size);
  const closed = new Uint8Array(size);
  const cursor = offsets.slice(0, size);
  const open: number[] = [];
  const path: number[] = [];
  const single = [0];
  let seen = 0;

  for (let root = 0; root < size; root++) {
    if (order[root] !== 0) continue;
    path.push(root);
    while (path.length > 0) {
      const node = path[path.length - 1] as number;
      if (order[node] === 0) {
        order[node] = low[node] = ++seen;
        open.push(node);
      }
      const at = cursor[node] as number;
      if (at < (offsets[node + 1] as number)) {
        cursor[node] = at + 1;
        const target = targets[at] as number;
        if (order[target] === 0) path.push(target);
        else if (closed[target] === 0) low[node] = Math.min(low[node] as number, order[target] as number);
        continue;
      }
      path.pop();
      const parent = path[path.length - 1];
      if (parent !== undefined) low[parent] = Math.min(low[parent] as number, low[node] as number);
      if (low[node] !== order[node]) continue;
      if (open[open.length - 1] === node) {
        // By far the most components have one member: they share one list.
        open.pop();
        closed[node] = 1;
        single[0] = node;
        component(single);
        continue;
      }
      const members = open.splice(open.lastIndexOf(node));
      for (const member of members) closed[member] = 1;
      component(members);
    }
  }
}

/** Whether a component is a cycle: it has several members, or one that leads to itself. */
export function isCycle(graph: Graph, members: readonly number[]): boolean {
  if (members.length > 1) return true;
  const node = members[0] as number;
  for (let e = graph.offsets[node] as number; e < (graph.offsets[node + 1] as number); e++) {
    if (graph.targets[e] === node) return true;
  }
  return false;
}

/** What {@link deepCoverage} finds. */
export interface CoverageResult {
  /** Rank of each node in {@link DEEP_COVERAGE}. */
  readonly ranks: Uint8Array;
  /** The cycles: the members of each strongly connected component that is one, ascending. */
  readonly cycles: readonly (readonly number[])[];
}

/**
 * Deep coverage of every node.
 *
 * @param graph edges lead from an item to those that link to it
 * @param shallow 1 for an item that lacks coverage of a type it needs, else 0
 * @param sameId for trees with duplicates: the number of the first item with the same id
 */
export function deepCoverage(graph: Graph, shallow: Uint8Array, sameId?: Int32Array): CoverageResult {
  const ranks = shallow.slice();
  const cycles: number[][] = [];
  strongComponents(graph, (members) => {
    let rank = 0;
    if (isCycle(graph, members)) {
      rank = CYCLE;
      cycles.push([...members].sort((a, b) => a - b));
    }
    for (const member of members) {
      rank = Math.max(rank, ranks[member] as number);
      for (let e = graph.offsets[member] as number; e < (graph.offsets[member + 1] as number); e++) {
        rank = Math.max(rank, ranks[graph.targets[e] as number] as number);
      }
    }
    for (const member of members) ranks[member] = rank;
  });
  if (sameId !== undefined) for (const node of meetsOwnId(graph, sameId)) ranks[node] = CYCLE;
  return { ranks, cycles };
}

/**
 * The nodes from which another node with the same id can be reached. That needs a cycle in the graph of ids, so only
 * within such cycles is there anything to look for.
 */
function meetsOwnId(graph: Graph, sameId: Int32Array): number[] {
  const from: number[] = [];
  const to: number[] = [];
  for (let node = 0; node < graph.size; node++) {
    for (let e = graph.offsets[node] as number; e < (graph.offsets[node + 1] as number); e++) {
      from.push(sameId[node] as number);
      to.push(sameId[graph.targets[e] as number] as number);
    }
  }
  const ids = graphOf(graph.size, from, to);
  const cycleOf = new Int32Array(graph.size).fill(-1);
  strongComponents(ids, (members) => {
    if (isCycle(ids, members)) for (const member of members) cycleOf[member] = members[0] as number;
  });

  const found: number[] = [];
  const visited = new Int32Array(graph.size).fill(-1);
  for (let start = 0; start < graph.size; start++) {
    const id = sameId[start] as number;
    if (cycleOf[id] === -1) continue;
    const pending = [start];
    search: for (let node = pending.pop(); node !== undefined; node = pending.pop()) {
      for (let e = graph.offsets[node] as number; e < (graph.offsets[node + 1] as number); e++) {
        const target = graph.targets[e] as number;
        if (sameId[target] === id) {
          found.push(start);
          break search;
        }
        if (visited[target] === start || cycleOf[sameId[target] as number] !== cycleOf[id]) continue;
        visited[target] = start;
        pending.push(target);
      }
    }
  }
  return found;
}
