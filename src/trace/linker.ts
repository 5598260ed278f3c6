/**
 * Links items to one another by what they cover, with the statuses of OpenFastTrace.
 *
 * For each id that an item covers:
 *
 * - An item with that very id exists. If it does not need the covering item's type, the link is *unwanted*, seen from
 *   both ends; that is looked at before duplicates. If it has duplicates, the link is *ambiguous*, seen from the
 *   covering item only. Otherwise it *covers*. Of several items with the id, the first one given receives the links.
 * - None exists. The link is *orphaned*, and for every item with another revision of that name there is also a link
 *   that is *outdated* (a newer one exists) or *predated* (an older one does), seen from both ends.
 *
 * An item is a defect if it has duplicates, or if it is not rejected and has any link but *covers* and *covered
 * shallow*, or is not covered deeply.
 */
import { compareDiagnostics, type Diagnostic } from '../core/diagnostic.js';
import { compareIds, type Item, type Mention } from '../core/item.js';
import type { DeepCoverage, IncomingStatus, Link, LinkedItem, OutgoingStatus, Trace } from '../core/trace.js';
import { DEEP_COVERAGE, deepCoverage, graphOf } from './coverage.js';
import { diagnoseCycles, diagnoseDuplicates, diagnoseLinks, diagnoseTypes } from './link-diagnostics.js';

/** What linking may be told. */
export interface LinkOptions {
  /** The artifact types that exist: any other that an item has or needs is a diagnostic. Absent or empty: any goes. */
  readonly types?: readonly string[];
}

/** A {@link LinkedItem} while links are being added to it. */
interface Node {
  readonly item: Item;
  outgoing: Link<OutgoingStatus>[];
  incoming: Link<IncomingStatus>[];
  coveredTypes: string[];
  uncoveredTypes: string[];
  overCoveredTypes: string[];
  deepCoverage: DeepCoverage;
  defect: boolean;
}

// Shared until the first entry: most items have no entry in most of these lists.
const NO_OUTGOING: Link<OutgoingStatus>[] = [];
const NO_INCOMING: Link<IncomingStatus>[] = [];
const NO_TYPES: string[] = [];

function nodeOf(item: Item): Node {
  return {
    item,
    outgoing: NO_OUTGOING,
    incoming: NO_INCOMING,
    coveredTypes: NO_TYPES,
    uncoveredTypes: NO_TYPES,
    overCoveredTypes: NO_TYPES,
    deepCoverage: 'covered',
    defect: false,
  };
}

function addOutgoing(node: Node, status: OutgoingStatus, id: string, other: Node | undefined, mention: Mention): void {
  const link = { status, id, other, place: mention.place };
  if (node.outgoing === NO_OUTGOING) node.outgoing = [link];
  else node.outgoing.push(link);
}

function addIncoming(node: Node, status: IncomingStatus, other: Node, mention: Mention): void {
  const link = { status, id: other.item.id, other, place: mention.place };
  if (node.incoming === NO_INCOMING) node.incoming = [link];
  else node.incoming.push(link);
}

function withType(types: string[], type: string): string[] {
  if (types === NO_TYPES) return [type];
  if (!types.includes(type)) types.push(type);
  return types;
}

function needsType(item: Item, type: string): boolean {
  for (const need of item.needs) if (need.text === type) return true;
  return false;
}

/** Splits `type~name~revision` before the revision. */
function unrevised(id: string): string {
  return id.slice(0, id.lastIndexOf('~'));
}

/** One linking: the nodes in the order given, and the indices over them. */
class Linking {
  readonly nodes: Node[];
  /** For each node the number of the first one with its id; undefined if there are no duplicates. */
  sameId: Int32Array | undefined;
  /** 1 for a node with any link that is not clean. */
  readonly bad: Uint8Array;
  /** Every link as an edge from the covered item to the covering one. */
  readonly covered: number[] = [];
  readonly covering: number[] = [];
  readonly #byId = new Map<string, number>();
  #byName: Map<string, number[]> | undefined;
  #lastId = '';
  #lastFound: number | undefined;

  constructor(items: readonly Item[]) {
    this.nodes = items.map(nodeOf);
    this.bad = new Uint8Array(items.length);
    // From the last to the first, so that of several items with one id the first stays.
    for (let n = items.length - 1; n >= 0; n--) this.#byId.set((items[n] as Item).id, n);
    if (this.#byId.size < items.length) this.#pairDuplicates();
    for (let n = 0; n < items.length; n++) {
      for (const mention of (items[n] as Item).covers) this.#link(n, mention);
    }
  }

  #pairDuplicates(): void {
    this.sameId = Int32Array.from(this.nodes, (node) => this.#byId.get(node.item.id) as number);
    for (const [n, first] of this.sameId.entries()) if (first !== n) this.#pair(first, n);
  }

  /** Ties two items with one id. The first item is paired with each later one, so of three it has two such links. */
  #pair(a: number, b: number): void {
    const first = this.nodes[a] as Node;
    const later = this.nodes[b] as Node;
    addOutgoing(first, 'duplicate', later.item.id, later, { text: later.item.id, place: later.item.place });
    this.bad[a] = this.bad[b] = 1;
    addOutgoing(later, 'duplicate', first.item.id, first, { text: first.item.id, place: first.item.place });
  }

  #link(n: number, mention: Mention): void {
    const node = this.nodes[n] as Node;
    const id = mention.text;
    const exact = this.#find(id);
    if (exact === undefined) {
      addOutgoing(node, 'orphaned', id, undefined, mention);
      this.bad[n] = 1;
      for (const other of this.#revisions(id)) this.#linkRevision(n, other, mention);
      return;
    }
    const parent = this.nodes[exact] as Node;
    const type = node.item.type;
    if (!needsType(parent.item, type)) {
      addOutgoing(node, 'unwanted', id, parent, mention);
      addIncoming(parent, 'unwanted coverage', node, mention);
      this.bad[n] = this.bad[exact] = 1;
      parent.overCoveredTypes = withType(parent.overCoveredTypes, type);
    } else if (this.sameId !== undefined && isDuplicated(parent)) {
      addOutgoing(node, 'ambiguous', id, parent, mention);
      this.bad[n] = 1;
      return;
    } else {
      addOutgoing(node, 'covers', id, parent, mention);
      addIncoming(parent, 'covered shallow', node, mention);
      parent.coveredTypes = withType(parent.coveredTypes, type);
    }
    this.covered.push(exact);
    this.covering.push(n);
  }

  /** The first item with an id. Neighbours tend to cover the same item, so the last answer is kept. */
  #find(id: string): number | undefined {
    if (id !== this.#lastId) {
      this.#lastFound = this.#byId.get(id);
      this.#lastId = id;
    }
    return this.#lastFound;
  }

  #linkRevision(n: number, other: number, mention: Mention): void {
    const node = this.nodes[n] as Node;
    const parent = this.nodes[other] as Node;
    const wanted = Number(mention.text.slice(mention.text.lastIndexOf('~') + 1));
    const outdated = wanted < parent.item.revision;
    addOutgoing(node, outdated ? 'outdated' : 'predated', parent.item.id, parent, mention);
    addIncoming(parent, outdated ? 'outdated coverage' : 'predated coverage', node, mention);
    this.bad[n] = this.bad[other] = 1;
    this.covered.push(other);
    this.covering.push(n);
  }

  /** The items with the type and name of an id, at any revision. The index is made when it is first asked for. */
  #revisions(id: string): readonly number[] {
    if (this.#byName === undefined) {
      this.#byName = new Map();
      for (let n = 0; n < this.nodes.length; n++) {
        const name = unrevised((this.nodes[n] as Node).item.id);
        const known = this.#byName.get(name);
        if (known === undefined) this.#byName.set(name, [n]);
        else known.push(n);
      }
    }
    return this.#byName.get(unrevised(id)) ?? [];
  }
}

/** Links to duplicates are made before all others, so it is enough to look at the first. */
function isDuplicated(node: LinkedItem): boolean {
  return node.outgoing[0]?.status === 'duplicate';
}

/** Orders the covered types as the item needs them, and lists those that nothing covers. Returns 1 if there are any. */
function settleTypes(node: Node): 0 | 1 {
  const { needs } = node.item;
  if (needs.length === 0) return 0;
  if (needs.length === 1) {
    if (node.coveredTypes !== NO_TYPES) return 0;
    node.uncoveredTypes = [(needs[0] as Mention).text];
    return 1;
  }
  const needed = [...new Set(needs.map((need) => need.text))];
  const covered = node.coveredTypes;
  node.coveredTypes = needed.filter((type) => covered.includes(type));
  node.uncoveredTypes = needed.filter((type) => !covered.includes(type));
  return node.uncoveredTypes.length === 0 ? 0 : 1;
}

function isDefect(node: Node, hasBadLinks: boolean): boolean {
  if (node.item.status === 'rejected') return hasBadLinks && isDuplicated(node);
  return hasBadLinks || node.deepCoverage !== 'covered';
}

function isSorted(nodes: readonly Node[]): boolean {
  for (let n = 1; n < nodes.length; n++) {
    if (compareIds((nodes[n - 1] as Node).item, (nodes[n] as Node).item) > 0) return false;
  }
  return true;
}

/**
 * Links items and finds their defects. The items may be in any order, but among items with the same id the first one
 * given receives the links. Time and memory are linear in items and links, but for the final sorting.
 *
 * @returns the items sorted by id, and diagnostics for every link that is not clean, with the nearest ids for orphans
 */
export function linkItems(items: readonly Item[], options: LinkOptions = {}): Trace {
  const linking = new Linking(items);
  const { nodes } = linking;

  const shallow = new Uint8Array(nodes.length);
  for (let n = 0; n < nodes.length; n++) shallow[n] = settleTypes(nodes[n] as Node);
  const graph = graphOf(nodes.length, linking.covered, linking.covering);
  const { ranks, cycles } = deepCoverage(graph, shallow, linking.sameId);

  let defects = 0;
  for (let n = 0; n < nodes.length; n++) {
    const node = nodes[n] as Node;
    node.deepCoverage = DEEP_COVERAGE[ranks[n] as number] as DeepCoverage;
    node.defect = isDefect(node, linking.bad[n] === 1);
    if (node.defect) defects++;
  }

  const diagnostics: Diagnostic[] = [];
  diagnoseTypes(items, options.types, diagnostics);
  if (linking.sameId !== undefined) diagnoseDuplicates(nodes, diagnostics);
  if (linking.bad.includes(1)) diagnoseLinks(nodes, diagnostics);
  diagnoseCycles(
    cycles.map((members) => members.map((n) => nodes[n] as Node)),
    diagnostics,
  );
  diagnostics.sort(compareDiagnostics);

  if (!isSorted(nodes)) nodes.sort((a, b) => compareIds(a.item, b.item));
  return { items: nodes, diagnostics, summary: { items: nodes.length, defects } };
}
