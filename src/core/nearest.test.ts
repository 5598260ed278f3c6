import fc from 'fast-check';
import t from 'tap';
import { didYouMean, editDistance, nearestIds } from './nearest.js';

t.test('edits are insertions, deletions, replacements and swaps of neighbours', async (t) => {
  t.equal(editDistance('kitten', 'sitting', 5), 3);
  t.equal(editDistance('login', 'lgoin', 3), 1);
  t.equal(editDistance('', 'abc', 3), 3);
  t.equal(editDistance('same', 'same', 0), 0);
});

t.test('a distance above the limit is limit + 1', async (t) => {
  t.equal(editDistance('kitten', 'sitting', 2), 3);
  t.equal(editDistance('abc', 'abcdefgh', 2), 3);
});

t.test('the limit changes no distance within it', async (t) => {
  const text = fc.string({ unit: fc.constantFrom('a', 'b', 'c'), maxLength: 10 });
  const property = fc.property(text, text, fc.integer({ min: 0, max: 10 }), (a, b, limit) => {
    const whole = editDistance(a, b, 20);
    return editDistance(a, b, limit) === Math.min(whole, limit + 1) && editDistance(b, a, 20) === whole;
  });
  t.doesNotThrow(() => fc.assert(property, { numRuns: 500, seed: 7 }));
});

t.test('the nearest ids come first, and no more than asked for', async (t) => {
  const ids = ['req~login~1', 'req~logout~1', 'req~login~2', 'dsn~report~1'];
  t.same(nearestIds('req~logn~1', ids), ['req~login~1', 'req~login~2']);
  t.same(nearestIds('req~logn~1', ids, 1), ['req~login~1']);
  t.same(nearestIds('req~nothing_like_it~1', ids), []);
});

t.test('a text without a tilde is compared with names, whatever their case', async (t) => {
  t.same(nearestIds('Lgoin', ['req~login~1', 'dsn~report~1']), ['req~login~1']);
});

t.test('behind the near ones stand those that hold the text', async (t) => {
  t.same(nearestIds('deny_dma', ['a~use_iommu_to_deny_dma_ops~1', 'a~deny_dna~1', 'a~else~1']), [
    'a~deny_dna~1',
    'a~use_iommu_to_deny_dma_ops~1',
  ]);
});

t.test('the question lists the candidates', async (t) => {
  t.equal(didYouMean([]), undefined);
  t.equal(didYouMean(['a~b~1']), 'did you mean a~b~1?');
  t.equal(didYouMean(['a~b~1', 'a~c~1', 'a~d~1']), 'did you mean a~b~1, a~c~1 or a~d~1?');
});
