import fc from 'fast-check';
import t from 'tap';
import type { Item, Mention } from '../core/item.js';
import { printItems } from './print.js';
import { importRst } from './rst/items.js';

const place = { path: 'a.rst', line: 1, column: 1, offset: 0 };
const mention = (text: string): Mention => ({ text, place });

const type = fc.stringMatching(/^[A-Za-z]{1,12}$/);
const name = fc.stringMatching(/^[a-zé][a-z0-9_-]{0,10}(\.[a-z0-9_-]{1,4}){0,2}$/);
const id = fc.tuple(type, name, fc.nat({ max: 0x7fffffff })).map(([t, n, r]) => `${t}~${n}~${r}`);
const word = fc.stringMatching(/^[A-Za-z0-9é題,.;'"!?()-]{1,10}$/).filter((text) => !/[:~]/.test(text));
// Text begins with a word of letters, so that it is neither a bullet nor markup, and no label, because no word has a colon.
const line = fc
  .tuple(fc.stringMatching(/^[a-z]{2,8}$/), fc.array(word, { maxLength: 6 }))
  .map(([first, rest]) => [first, ...rest].join(' '));
const body = fc.array(fc.oneof({ weight: 4, arbitrary: line }, fc.constant('')), { maxLength: 6 }).map((lines) =>
  lines
    .join('\n')
    .trim()
    .replace(/\n{3,}/g, '\n\n'),
);

const item: fc.Arbitrary<Item> = fc
  .record({
    id,
    title: fc.option(line, { nil: undefined }),
    description: body,
    rationale: body,
    comment: body,
    status: fc.constantFrom('approved', 'proposed', 'draft', 'rejected'),
    covers: fc.array(id, { maxLength: 3 }),
    depends: fc.array(id, { maxLength: 2 }),
    needs: fc.array(type, { maxLength: 3 }),
    tags: fc.array(fc.stringMatching(/^\w{1,6}$/), { maxLength: 2 }),
  })
  .map(({ id: whole, title, covers, depends, needs, tags, ...rest }) => {
    const [t = '', n = '', revision] = whole.split('~');
    return {
      ...rest,
      id: whole,
      type: t,
      name: n,
      revision: Number(revision),
      place,
      title,
      titlePlace: title === undefined ? undefined : place,
      descriptionPlace: place,
      rationalePlace: place,
      commentPlace: place,
      covers: covers.map(mention),
      depends: depends.map(mention),
      needs: needs.map(mention),
      tags: tags.map(mention),
      forwards: false,
    } as Item;
  });

const forward: fc.Arbitrary<Item> = fc
  .tuple(type, name, fc.nat({ max: 99 }), type, fc.array(type, { minLength: 1, maxLength: 3 }))
  .map(([t, n, revision, original, needs]) => ({
    id: `${t}~${n}~${revision}`,
    type: t,
    name: n,
    revision,
    place,
    title: undefined,
    titlePlace: undefined,
    description: '',
    descriptionPlace: undefined,
    rationale: '',
    rationalePlace: undefined,
    comment: '',
    commentPlace: undefined,
    status: 'approved',
    covers: [mention(`${original}~${n}~${revision}`)],
    depends: [],
    needs: needs.map(mention),
    tags: [],
    forwards: true,
  }));

/** An item without its places. */
function bare(it: Item): unknown {
  const list = (mentions: readonly Mention[]) => mentions.map(({ text }) => text);
  const { title, description, rationale, comment, status, forwards } = it;
  return {
    id: it.id,
    title,
    description,
    rationale,
    comment,
    status,
    forwards,
    covers: list(it.covers),
    depends: list(it.depends),
    needs: list(it.needs),
    tags: list(it.tags),
  };
}

t.test('items that are printed are read back as they were', async (t) => {
  const tree = fc
    .array(item, { maxLength: 4 })
    .chain((items) =>
      items.length === 0 ? fc.constant(items) : fc.array(forward, { maxLength: 2 }).map((more) => [...items, ...more]),
    )
    // A forward is not read inside a text, so the item before one must end with a list.
    .map((items) =>
      items.map((it) => (it.forwards ? it : { ...it, tags: it.tags.length > 0 ? it.tags : [mention('last')] })),
    );
  fc.assert(
    fc.property(tree, (items) => {
      const printed = printItems(items);
      const { items: read, diagnostics } = importRst(printed, 'a.rst');
      const bad = diagnostics.filter((finding) => finding.severity === 'error');
      if (bad.length > 0 || JSON.stringify(read.map(bare)) !== JSON.stringify(items.map(bare))) {
        throw new Error(`${printed}\n${JSON.stringify(read.map(bare))}\n${JSON.stringify(bad)}`);
      }
      if (printItems(read) !== printed) throw new Error('a second print differs');
    }),
    { seed: 42, numRuns: 300 },
  );
  t.pass();
});
