import t from 'tap';
import { selectMany, selectOne, withAllBelow } from './select.js';

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
  t.throws(() => selectOne(items, 'boot'), {
    code: 'ambiguous-id',
    message: /means 3 items: Req~boot~1, Req~boot~2, Arch~boot~1/,
  });
});

t.test('where one item is asked for, a glob must match one', async (t) => {
  t.equal(selectOne(items, 'h*t'), items[3]);
  t.throws(() => selectOne(items, 'b*'), { code: 'ambiguous-id', message: /'b\*' means 3 items/ });
  t.throws(() => selectOne(items, 'z*'), { code: 'unknown-id' });
  const many = Array.from({ length: 1000 }, (_, n) => ({ id: `Req~n${n}~1`, name: `n${n}` }));
  t.throws(() => selectOne(many, 'n*'), { message: /means 1000 items: Req~n0~1, .* and 994 more$/ });
});

t.test('below an item is all that links to it, directly or not, cycles included', async (t) => {
  type Below = Parameters<typeof withAllBelow>[0][number];
  const linked = (id: string) => ({ item: { id }, incoming: [] as { other: unknown }[] });
  const [top, middle, leaf, apart] = [linked('a~a~1'), linked('b~b~1'), linked('c~c~1'), linked('d~d~1')] as const;
  top.incoming.push({ other: middle }, { other: leaf });
  middle.incoming.push({ other: leaf });
  leaf.incoming.push({ other: middle });
  const all = [top, middle, leaf, apart] as unknown as Below[];
  t.same(withAllBelow(all, 'a~a~1'), ['a~a~1', 'b~b~1', 'c~c~1']);
  t.same(withAllBelow(all, 'd~d~1'), ['d~d~1']);
  t.same(withAllBelow(all, 'e~e~1'), []);
});

t.test('a mistyped id suggests the nearest', async (t) => {
  t.throws(() => selectOne(items, 'hallt'), { code: 'unknown-id', status: 2, hint: /Did you mean Req~halt~1\?/ });
  t.throws(() => selectOne(items, 'constructor'), { code: 'unknown-id' });
});

t.test('globs select many, each item once, in the order of the tree', async (t) => {
  t.same(
    selectMany(items, ['halt', 'Req~*']).map(({ id }) => id),
    ['Req~boot~1', 'Req~boot~2', 'Req~halt~1', 'Req~__proto__~1'],
  );
  t.same(
    selectMany(items, ['b??t']).map(({ id }) => id),
    ['Req~boot~1', 'Req~boot~2', 'Arch~boot~1'],
  );
  t.throws(() => selectMany(items, ['Nothing~*']), { code: 'unknown-id' });
  t.throws(
    () => selectMany(items, ['(a+)+*']),
    { code: 'unknown-id' },
    'what means something in a regular expression means itself',
  );
});
