/** The linker against a reference that follows the rules naively: every item by itself, links again and again. */
import fc from 'fast-check';
import t from 'tap';
import { compareIds, type Item } from '../core/item.js';
import { item } from './items.test-support.js';
import { linkItems } from './linker.js';

interface Reference {
  readonly item: Item;
  readonly out: string[];
  readonly in: string[];
  readonly below: Reference[];
  readonly uncovered: Set<string>;
}

/** What must come out, one line an item, in the order given. */
function reference(given: readonly Item[]): string[] {
  const all: Reference[] = given.map((one) => ({
    item: one,
    out: [],
    in: [],
    below: [],
    uncovered: new Set(one.needs.map((need) => need.text)),
  }));
  const sameId = (a: Reference) => all.filter((b) => b.item.id === a.item.id);
  for (const one of all) {
    for (const { text } of one.item.covers) {
      const exact = all.filter((other) => other.item.id === text);
      const target = exact[0];
      if (target !== undefined) {
        if (!target.item.needs.some((need) => need.text === one.item.type)) {
          one.out.push(`unwanted ${text}`);
          target.in.push(`unwanted coverage ${one.item.id}`);
          target.below.push(one);
        } else if (exact.length > 1) one.out.push(`ambiguous ${text}`);
        else {
          one.out.push(`covers ${text}`);
          target.in.push(`covered shallow ${one.item.id}`);
          target.below.push(one);
          target.uncovered.delete(one.item.type);
        }
        continue;
      }
      one.out.push(`orphaned ${text}`);
      const [type, name, revision] = text.split('~');
      for (const other of all) {
        if (other.item.type !== type || other.item.name !== name) continue;
        const outdated = Number(revision) < other.item.revision;
        one.out.push(`${outdated ? 'outdated' : 'predated'} ${other.item.id}`);
        other.in.push(`${outdated ? 'outdated' : 'predated'} coverage ${one.item.id}`);
        other.below.push(one);
      }
    }
  }
  const reached = (start: Reference) => {
    const seen = new Set<Reference>();
    const visit = (one: Reference) => {
      for (const next of one.below) {
        if (seen.has(next)) continue;
        seen.add(next);
        visit(next);
      }
    };
    visit(start);
    return seen;
  };
  const deep = (start: Reference) => {
    const below = [...reached(start)];
    if (below.some((one) => one.item.id === start.item.id)) return 'cycle';
    if (below.some((one) => reached(one).has(one))) return 'cycle';
    return [start, ...below].some((one) => one.uncovered.size > 0) ? 'uncovered' : 'covered';
  };
  return all.map((one) => {
    const duplicated = sameId(one).length > 1;
    const bad =
      one.out.some((link) => !link.startsWith('covers ')) ||
      one.in.some((link) => !link.startsWith('covered shallow '));
    const defect = duplicated || (one.item.status !== 'rejected' && (bad || deep(one) !== 'covered'));
    return line(one.item, one.out, one.in, deep(one), defect);
  });
}

function line(one: Item, out: readonly string[], into: readonly string[], deep: string, defect: boolean): string {
  return `${one.place.line} ${one.id} → ${out.join(', ')} ← ${into.join(', ')} ${deep}${defect ? ' defect' : ''}`;
}

const type = fc.constantFrom('a', 'b', 'c');
const id = fc.tuple(type, fc.constantFrom('x', 'y'), fc.integer({ min: 1, max: 2 })).map((parts) => parts.join('~'));
const entry = fc.record({
  id,
  needs: fc.uniqueArray(type, { maxLength: 2 }),
  covers: fc.array(id, { maxLength: 3 }),
  status: fc.constantFrom('approved', 'approved', 'rejected', 'draft'),
});

t.test('the linker agrees with a naive reference on small graphs of every shape', async (t) => {
  let cycles = 0;
  let duplicates = 0;
  fc.assert(
    fc.property(fc.array(entry, { maxLength: 8 }), (entries) => {
      const given = entries.map((one, i) => {
        const needs = one.needs.length === 0 ? '' : ` needs ${one.needs.join(',')}`;
        const covers = one.covers.length === 0 ? '' : ` covers ${one.covers.join(',')}`;
        return item(`${one.id} status ${one.status}${needs}${covers}`, i + 1);
      });
      const trace = linkItems(given);
      const got = trace.items
        .map(({ item: one, outgoing, incoming, deepCoverage, defect }) => {
          if (deepCoverage === 'cycle') cycles++;
          if (outgoing.some((link) => link.status === 'duplicate')) duplicates++;
          const out = outgoing.filter((link) => link.status !== 'duplicate').map((link) => `${link.status} ${link.id}`);
          return line(
            one,
            out,
            incoming.map((link) => `${link.status} ${link.id}`),
            deepCoverage,
            defect,
          );
        })
        .sort();
      t.strictSame(got, reference(given).sort());
      t.ok(trace.items.every((one, i, all) => i === 0 || compareIds((all[i - 1] ?? one).item, one.item) <= 0));
    }),
    { numRuns: 400, seed: 20260714 },
  );
  t.ok(cycles > 100 && duplicates > 100, 'cycles and duplicates were among the graphs');
});
