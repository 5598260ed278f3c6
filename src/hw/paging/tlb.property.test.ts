/** The translation cache against a plain list, under random insertions, look-ups and invalidations. */
import assert from 'node:assert/strict';
import fc from 'fast-check';
import t from 'tap';
import { ANY_ASID, GLOBAL_ASID, REGIME_EL10, REGIME_STAGE2, Tlb, tlbContext } from './tlb.js';
import { ALL_PERMISSIONS, Translation } from './translation.js';

interface Entry {
  context: number;
  asid: number;
  /** Everything in pages of 4 KiB. */
  start: number;
  pages: number;
  /** Of the leaf of stage 1, or of stage 2 where it is alone. */
  leafStart: number;
  leafPages: number;
  level: number;
  output: number;
}

const PAGE = 4096;
const LEVEL = { 12: 3, 16: 3, 21: 2, 30: 1 } as const;
const sizes = fc.constantFrom(12, 16, 21, 30) as fc.Arbitrary<12 | 16 | 21 | 30>;
const contexts = fc.constantFrom(tlbContext(REGIME_EL10, 1), tlbContext(REGIME_EL10, 2), tlbContext(REGIME_STAGE2, 1));
const asids = fc.integer({ min: 0, max: 2 });
const pages = fc.integer({ min: 0, max: 2 ** 22 });

type Step = (tlb: Tlb, list: Entry[]) => Entry[];

const insertion = fc
  .record({ context: contexts, asid: asids, page: pages, leaf: sizes, part: sizes, global: fc.boolean() })
  .map(({ context, asid, page, leaf, part, global }): Step => {
    return (tlb, list) => {
      const alone = context === tlbContext(REGIME_STAGE2, 1);
      const size = alone ? leaf : (Math.min(leaf, part) as 12);
      const count = 2 ** (size - 12);
      const leafPages = 2 ** (leaf - 12);
      const key = alone || global ? GLOBAL_ASID : asid;
      const start = page - (page % count);
      const hit = list.find((e) => e.context === context && e.asid === key && e.start === start && e.pages === count);
      // What is cached already is not walked again.
      if (hit !== undefined) return list;
      const output = list.length * 2 ** 30;
      const result = Object.assign(new Translation(), {
        output: output + (page % count) * PAGE,
        sizeBits: size,
        sizeBits1: alone ? 0 : leaf,
        sizeBits2: alone ? leaf : part,
        level1: alone ? -1 : LEVEL[leaf],
        level2: alone ? LEVEL[leaf] : LEVEL[part],
        permissions1: ALL_PERMISSIONS,
        permissions2: ALL_PERMISSIONS,
        global: global && !alone,
      });
      tlb.insert(context, alone ? GLOBAL_ASID : asid, Math.floor(page / 2 ** 20), (page * PAGE) % 2 ** 32, result);
      const leafStart = page - (page % leafPages);
      const entry = { context, asid: key, start, pages: count, leafStart, leafPages, level: LEVEL[leaf], output };
      return [...list, entry];
    };
  });

const invalidation = fc.oneof(
  contexts.map(
    (context): Step =>
      (tlb, list) => {
        tlb.invalidateContext(context);
        return list.filter((e) => e.context !== context);
      },
  ),
  fc.record({ context: contexts, asid: asids }).map(
    ({ context, asid }): Step =>
      (tlb, list) => {
        tlb.invalidateAsid(context, asid);
        return list.filter((e) => e.context !== context || e.asid !== asid);
      },
  ),
  fc
    .record({
      context: contexts,
      asid: fc.oneof(asids, fc.constant(ANY_ASID)),
      page: pages,
      count: fc.constantFrom(1, 16, 512, 100_000),
      level: fc.constantFrom(-1, 1, 2, 3),
    })
    .map(
      ({ context, asid, page, count, level }): Step =>
        (tlb, list) => {
          tlb.invalidateRange(context, asid, page, count, level);
          return list.filter((e) => {
            const tagged = e.context === context && (asid === ANY_ASID || e.asid === asid || e.asid === GLOBAL_ASID);
            const inRange = e.leafStart < page + count && page < e.leafStart + e.leafPages;
            return !(tagged && inRange && (level === -1 || level === e.level));
          });
        },
    ),
);

const probe = fc.record({ context: contexts, asid: asids, page: pages, first: fc.boolean() }).map(
  ({ context, asid, page: anywhere, first }): Step =>
    (tlb, list) => {
      // Half of the look-ups go where something is.
      const page = first && list.length > 0 ? (list[anywhere % list.length] as Entry).start : anywhere;
      const key = context === tlbContext(REGIME_STAGE2, 1) ? GLOBAL_ASID : asid;
      const hi = Math.floor(page / 2 ** 20);
      const lo = (page * PAGE) % 2 ** 32;
      const wanted = list
        .filter((e) => e.context === context && (e.asid === key || e.asid === GLOBAL_ASID))
        .filter((e) => page >= e.start && page < e.start + e.pages)
        .map((e) => e.output + (page - e.start) * PAGE);
      const entry = tlb.lookup(context, key, hi, lo);
      if (entry < 0) assert.deepEqual(wanted, []);
      else assert.ok(wanted.includes(tlb.output(entry, hi, lo)));
      return list;
    },
);

t.test('the cache holds what a list would hold', async (t) => {
  const steps = fc.array(
    fc.oneof(
      { arbitrary: insertion, weight: 6 },
      { arbitrary: probe, weight: 8 },
      { arbitrary: invalidation, weight: 1 },
    ),
    { minLength: 20, maxLength: 250 },
  );
  fc.assert(
    fc.property(steps, (run) => {
      const tlb = new Tlb();
      let list: Entry[] = [];
      for (const step of run) list = step(tlb, list);
      assert.equal(tlb.count, list.length);
    }),
    { numRuns: 200, seed: 7 },
  );
  t.pass('200 runs');
});
