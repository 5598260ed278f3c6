import fc from 'fast-check';
import t from 'tap';
import { FrameHeap } from './boot/heap.js';
import { mfn } from './frames.js';
import { RangeSet } from './range-set.js';

t.test('runs join and split, and never touch', async (t) => {
  const set = new RangeSet();
  set.add(10, 5);
  set.add(20, 5);
  set.add(15, 5);
  t.same(set.runs, [{ start: 10, count: 15 }]);
  set.remove(12, 3);
  t.same(set.runs, [
    { start: 10, count: 2 },
    { start: 15, count: 10 },
  ]);
  t.ok(set.contains(15, 10));
  t.notOk(set.contains(11, 2));
  t.ok(set.overlaps(11, 2));
  t.notOk(set.overlaps(12, 3));
});

t.test('a range set is a set', async () => {
  const operation = fc.tuple(fc.boolean(), fc.nat(60), fc.nat(12));
  fc.assert(
    fc.property(fc.array(operation, { maxLength: 30 }), (operations) => {
      const set = new RangeSet();
      const model = new Set<number>();
      for (const [add, start, count] of operations) {
        if (add) set.add(start, count);
        else set.remove(start, count);
        for (let i = start; i < start + count; i++) add ? model.add(i) : model.delete(i);
      }
      for (let i = 0; i < 80; i++) if (set.contains(i, 1) !== model.has(i)) return false;
      return set.runs.every(
        (run, i) => i === 0 || (set.runs[i - 1]?.start ?? 0) + (set.runs[i - 1]?.count ?? 0) < run.start,
      );
    }),
    { seed: 3, numRuns: 200 },
  );
});

t.test('the heap gives each frame once, aligned, and takes it back', async (t) => {
  const heap = new FrameHeap();
  heap.add(mfn(3), 1000);
  const request = fc.tuple(fc.integer({ min: 0, max: 6 }), fc.constantFrom<'lowest' | 'highest'>('lowest', 'highest'));
  fc.assert(
    fc.property(fc.array(request, { maxLength: 40 }), (requests) => {
      const taken: { first: number; count: number }[] = [];
      for (const [order, from] of requests) {
        const count = 2 ** order;
        const first = heap.take(count, count, from);
        if (first === undefined) continue;
        if (first % count !== 0) return false;
        if (taken.some((other) => first < other.first + other.count && other.first < first + count)) return false;
        taken.push({ first, count });
      }
      for (const { first, count } of taken) heap.add(mfn(first), count);
      return heap.free === 1000;
    }),
    { seed: 5, numRuns: 100 },
  );
  t.equal(heap.take(2000, 1, 'lowest'), undefined);
});
