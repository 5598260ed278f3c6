import t from 'tap';
import { selectMany, selectOne } from './select.js';

const items = ['Req~boot~1', 'Req~boot~2', 'Arch~boot~1', 'Req~halt~1', 'Req~__proto__~1'].map((id) => ({
  id,
  name: id.split('~')[1] as string,
}));

t.test('a whole id means one item', async (t) => {
  t.equal(selectOne(items, 'Req~boot~2'), items[1]);
  t.equal(selectOne(items, 'Req~__proto__~1'), items[4]);
});

t.test('a short name is enough where it is unique', async (t) => {
  t.equal(selectOne(items, 'halt'), items[3]);
  t.equal(selectOne(items, '__proto__'), items[4]);
  t.equal(selectOne(items, 'boot~2'), items[1]);
  t.throws(() => selectOne(items, 'boot'), { code: 'ambiguous-id', message: /means 3 items: Req~boot~1, Req~boot~2, Arch~boot~1/ });
});

t.test('a mistyped id suggests the nearest', async (t) => {
  t.throws(() => selectOne(items, 'hallt'), { code: 'unknown-id', status: 2, hint: /Did you mean Req~halt~1\?/ });
  t.throws(() => selectOne(items, 'constructor'), { code: 'unknown-id' });
});

t.test('globs select many, each item once, in the order of the tree', async (t) => {
  t.same(selectMany(items, ['halt', 'Req~*']).map(({ id }) => id), ['Req~boot~1', 'Req~boot~2', 'Req~halt~1', 'Req~__proto__~1']);
  t.same(selectMany(items, ['b??t']).map(({ id }) => id), ['Req~boot~1', 'Req~boot~2', 'Arch~boot~1']);
  t.throws(() => selectMany(items, ['Nothing~*']), { code: 'unknown-id' });
  t.throws(() => selectMany(items, ['(a+)+*']), { code: 'unknown-id' }, 'what means something in a regular expression means itself');
});
