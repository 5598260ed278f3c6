import fc from 'fast-check';
import t from 'tap';
import { applies, declaredAspects, matchesPattern } from './applicability.js';

const ROWS = [
  { requirement: 'Req~*', needs: ['power'], otherwise: 'it has no power' },
  {
    requirement: 'Req~walk~1',
    aspects: [{ name: 'button' }, { name: 'sound', needs: ['horn'], otherwise: 'it is mute' }],
  },
  { requirement: 'Req~sing~1', aspects: [{ name: 'alto', needs: ['horn'], otherwise: 'it is mute' }] },
];
const applied = (requirement: string, ...features: string[]) => applies(ROWS, requirement, { features });

t.test('a requirement that no row names applies as a whole', async (t) => {
  t.same(applied('Feat~x~1'), { applicable: true, aspects: [] });
});

t.test('a need that a platform lacks makes it n/a, with the reason', async (t) => {
  t.same(applied('Req~stop~1'), { applicable: false, reason: 'it has no power' });
  t.same(applied('Req~stop~1', 'power'), { applicable: true, aspects: [] });
});

t.test('every row that matches counts, and parts are those that the platform has', async (t) => {
  t.same(applied('Req~walk~1', 'power'), { applicable: true, aspects: ['button'] });
  t.same(applied('Req~walk~1', 'power', 'horn'), { applicable: true, aspects: ['button', 'sound'] });
  t.same(applied('Req~walk~1', 'horn'), { applicable: false, reason: 'it has no power' });
  t.same(declaredAspects(ROWS, 'Req~walk~1'), ['button', 'sound']);
});

t.test('a requirement of which the platform has no part is n/a', async (t) => {
  t.same(applied('Req~sing~1', 'power'), { applicable: false, reason: 'it is mute' });
});

t.test('a pattern matches as the regular expression with .* for * does', async (t) => {
  const text = fc.string({ unit: fc.constantFrom('a', 'b', '*'), maxLength: 8 });
  fc.assert(
    fc.property(text, fc.string({ unit: fc.constantFrom('a', 'b'), maxLength: 8 }), (pattern, given) => {
      t.ok(matchesPattern(pattern, given) === new RegExp(`^${pattern.replaceAll('*', '.*')}$`).test(given));
    }),
    { seed: 7, numRuns: 500 },
  );
});
