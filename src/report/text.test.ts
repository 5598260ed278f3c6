import t from 'tap';
import { columnsOf, padded, shortenedId, shortenedIds, wrapped } from './columns.js';
import { inert } from './text.js';

t.test('control characters and bidirectional overrides show instead of taking effect', async (t) => {
  t.equal(inert('a\u001b[31mb'), 'a\\u{1b}[31mb');
  t.equal(inert('a\u009bb\u007f'), 'a\\u{9b}b\\u{7f}');
  t.equal(inert('x\u202ey\u2066z\u200f'), 'x\\u{202e}y\\u{2066}z\\u{200f}');
  t.equal(inert('a\r\n\tb'), 'a b');
  t.equal(inert('größe 古 e\u0301'), 'größe 古 e\u0301');
});

t.test('width is measured in columns', async (t) => {
  t.equal(columnsOf('古'), 2);
  t.equal(columnsOf('\u001b[32m✔\u001b[39m'), 1);
  t.equal(padded('古', 4), '古  ');
});

t.test('words wrap at spaces, and stay whole', async (t) => {
  t.same(wrapped('one two three', 7), ['one two', 'three']);
  t.same(wrapped('a-very-long-word b', 5), ['a-very-long-word', 'b']);
  t.same(wrapped('', 5), []);
});

t.test('an id loses the first words of its name, never its last word, type or revision', async (t) => {
  const id = 'XenSwdgn~passthrough_enable_iommu_to_perform_irq_remapping_for_dev~1';
  t.equal(shortenedId(id, 100), id);
  t.equal(shortenedId(id, 40), 'XenSwdgn~…_irq_remapping_for_dev~1');
  t.equal(shortenedId(id, 5), 'XenSwdgn~…_dev~1');
  t.equal(shortenedId('req~oneword~12', 5), 'req~oneword~12');
});

t.test('ids are not shortened so far that two look the same', async (t) => {
  const ids = ['a~one_two_three~1', 'a~six_two_three~1'];
  const at = (width: number) => shortenedIds(ids.map((id) => ({ id, width })));
  t.same(at(17), ids);
  t.equal(at(16), undefined);
});
