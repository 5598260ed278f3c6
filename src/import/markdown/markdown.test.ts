import t from 'tap';
import { importMarkdown, LONGEST_MARKDOWN } from './index.js';

const read = (...lines: string[]) => importMarkdown(lines.join('\n'), 'a.md');
const texts = (mentions: readonly { text: string }[] | undefined) => mentions?.map((mention) => mention.text);

t.test('Markdown gives the same items as reStructuredText', async (t) => {
  const { items, diagnostics } = read(
    '# Page',
    '',
    '## The title ##',
    '`req~a~1`',
    '',
    'Status: proposed',
    '',
    'The *text*',
    'goes on.',
    '',
    'Rationale:',
    '',
    '> quoted',
    '',
    'Comment:',
    '',
    'Said.',
    '',
    'Covers:',
    '',
    '* [The feature](#feat~x~1) `feat~x~1`',
    '',
    'Needs: dsn, utest',
    '',
    'Tags: one',
  );
  t.same(diagnostics, []);
  t.match(items, [
    {
      id: 'req~a~1',
      title: 'The title',
      titlePlace: { line: 3, column: 4 },
      place: { line: 4, column: 2 },
      status: 'proposed',
      description: 'The *text*\ngoes on.',
      rationale: '> quoted',
      comment: 'Said.',
    },
  ]);
  t.same(texts(items[0]?.covers), ['feat~x~1']);
  t.same(texts(items[0]?.needs), ['dsn', 'utest']);
  t.same(texts(items[0]?.tags), ['one']);
});

t.test('an underlined heading is a title, its last line if it has several', async (t) => {
  const { items } = read('One', '===', '`req~a~1`', '', 'Text', '', 'Two', 'lines', '---', '`req~b~1`', '', 'T');
  t.same(
    items.map((item) => [item.title, item.description]),
    [
      ['One', 'Text\n\nTwo'],
      ['lines', 'T'],
    ],
  );
});

t.test('fenced examples are never items, wherever they stand', async (t) => {
  const fence = ['```', '`req~no~1`', '```'];
  t.same(read(...fence).items, [], 'at the start');
  t.same(read('# T', ...fence).items, [], 'right below a title');
  t.same(read('# T', '~~~~', ...fence, '~~~~').items, [], 'within a longer fence');
  t.same(read('- list', ...fence.map((line) => `  ${line}`)).items, [], 'in a list');
  t.same(read('> ```', '> `req~no~1`', '> ```').items, [], 'in a quote');
  t.same(read('```', '`req~no~1`').items, [], 'without an end');
  const { items } = read(
    '`req~a~1`',
    '',
    'Text',
    ...fence,
    'Covers:',
    '- `feat~x~1`',
    ...fence,
    '`req~b~1`',
    ...fence,
    'Needs: dsn',
  );
  t.same(
    items.map((item) => item.id),
    ['req~a~1', 'req~b~1'],
    'inside an item',
  );
  t.equal(items[0]?.description, 'Text\n```\n`req~no~1`\n```');
  t.same(texts(items[1]?.needs), ['dsn']);
});

t.test('HTML comments, tables and preformatted HTML hold no items', async (t) => {
  t.same(
    read(
      '<!--',
      '`req~a~1`',
      '-->',
      '',
      '<pre>',
      '`req~b~1`',
      '</pre>',
      '',
      '| `req~c~1` |',
      '| --- |',
      '| `req~d~1` |',
    ).items,
    [],
  );
});

t.test('what never ends and takes in items or labels is an error', async (t) => {
  const codes = (...lines: string[]) => read(...lines).diagnostics.map((finding) => finding.code);
  for (const opening of ['```', '~~~~', '<!--', '<pre>']) {
    const { items, diagnostics } = read('# T', '', opening, '', '`req~a~1`', '', 'Needs: dsn');
    t.same(items, []);
    t.match(diagnostics, [{ code: 'markdown-unclosed', place: { line: 3, column: 1 } }], opening);
  }
  t.same(codes('`req~a~1`', '', 'T', '', '```', 'x', '', 'Needs:', '- dsn'), ['markdown-unclosed'], 'a label');
  t.same(codes('````', '`req~a~1`', '```'), ['markdown-unclosed'], 'a shorter fence ends nothing');
  t.same(codes('```', 'an example', ''), [], 'nothing is lost');
  t.same(codes('```', '`req~a~1`', '````', ''), []);
  t.same(codes('<!--', '`req~a~1`', '-->'), []);
});

t.test('a heading that names a list is an error', async (t) => {
  for (const heading of ['## Needs', '## Needs:', '### **Covers**']) {
    const { diagnostics } = read('`req~a~1`', '', 'T', '', heading, '', '- dsn');
    t.match(diagnostics, [{ code: 'list-label-not-taken', place: { line: 5 } }], heading);
  }
});

t.test('oft:off and oft:on work in HTML comments', async (t) => {
  t.same(
    read('<!-- oft:off -->', '', '`req~a~1`', '', '<!-- oft:on -->', '', '`req~b~1`', '', 'T').items.map(
      (item) => item.id,
    ),
    ['req~b~1'],
  );
});

t.test('a bullet that is indented as code is an error', async (t) => {
  t.same(
    read('`req~a~1`', '', 'Covers:', '', '    - `feat~x~1`').diagnostics.map((finding) => finding.code),
    ['id-not-taken'],
  );
});

t.test('a break between lists is no bullet', async (t) => {
  t.same(read('`req~a~1`', '', 'Covers:', '- `feat~x~1`', '', '---', '', 'Text').diagnostics, []);
});

t.test('line endings and a byte order mark make no difference', async (t) => {
  for (const text of ['\ufeff# Name\n`req~a~1`\n\nT\nU\n', '# Name\r\n`req~a~1`\r\n\r\nT\r\nU']) {
    const [item] = importMarkdown(text, 'a.md').items;
    t.match(item, { title: 'Name', description: 'T\nU', place: { line: 2, column: 2 } });
  }
});

t.test('nesting beyond reason is an error with a place, in no time', async (t) => {
  for (const text of ['> '.repeat(10_000), '>'.repeat(10_000), '- '.repeat(10_000), '1. '.repeat(10_000)]) {
    const start = performance.now();
    const { diagnostics } = importMarkdown(`a\n\n${text}x`, 'a.md');
    t.match(diagnostics, [{ code: 'markdown-too-deep', place: { line: 3 } }]);
    t.ok(performance.now() - start < 100);
  }
  t.same(importMarkdown(`${'-'.repeat(500)}\n`, 'a.md').diagnostics, [], 'a long break is no nesting');
});

t.test('a file beyond the limit is an error', async (t) => {
  t.match(importMarkdown('x'.repeat(LONGEST_MARKDOWN + 1), 'a.md').diagnostics, [{ code: 'file-too-large' }]);
});

t.test('hostile inline markup costs no more than other text', async (t) => {
  const start = performance.now();
  importMarkdown('a**b_c'.repeat(20_000), 'a.md');
  importMarkdown('`a``b'.repeat(20_000), 'a.md');
  importMarkdown('[a'.repeat(20_000), 'a.md');
  t.ok(performance.now() - start < 2000);
});
