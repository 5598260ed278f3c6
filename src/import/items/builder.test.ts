import t from 'tap';
import { importRst } from '../rst/items.js';

const read = (...lines: string[]) => importRst(lines.join('\n'), 'a.rst');
const codes = (...lines: string[]) => read(...lines).diagnostics.map((finding) => finding.code);
const texts = (mentions: readonly { text: string }[] | undefined) => mentions?.map((mention) => mention.text);

t.test('an item has every part that its labels name', async (t) => {
  const { items, diagnostics } = read(
    'Title of it',
    '-----------',
    '',
    '`req~a~1`',
    'Status: draft',
    '',
    'Description:',
    'First line',
    'second line.',
    '',
    'Rationale:',
    '',
    ' - because',
    '',
    'Comments:',
    'Xen spells it so.',
    '',
    'Covers:',
    ' - `feat~x~1`',
    ' - feat~y~2',
    '',
    'Depends:',
    ' * req~z~1',
    '',
    'Needs:',
    ' - dsn',
    ' - `utest`',
    '',
    'Tags:',
    ' - one, two',
  );
  t.same(diagnostics, []);
  const [item] = items;
  t.match(item, {
    id: 'req~a~1',
    type: 'req',
    name: 'a',
    revision: 1,
    title: 'Title of it',
    status: 'draft',
    description: 'First line\nsecond line.',
    rationale: '- because',
    comment: 'Xen spells it so.',
    forwards: false,
  });
  t.same(texts(item?.covers), ['feat~x~1', 'feat~y~2']);
  t.same(texts(item?.depends), ['req~z~1']);
  t.same(texts(item?.needs), ['dsn', 'utest']);
  t.same(texts(item?.tags), ['one', 'two']);
});

t.test('every part has its place', async (t) => {
  const { items } = read(
    'T',
    '----',
    '',
    '`req~a~1`',
    '',
    'Text.',
    '',
    'Rationale:',
    'R',
    '',
    'Covers:',
    ' - `feat~x~1`',
    'Needs: dsn',
  );
  const [item] = items;
  t.same(item?.titlePlace, { path: 'a.rst', line: 1, column: 1, offset: 0 });
  t.same(item?.place, { path: 'a.rst', line: 4, column: 2, offset: 9 });
  t.same(item?.descriptionPlace, { path: 'a.rst', line: 6, column: 1, offset: 19 });
  t.same(item?.rationalePlace, { path: 'a.rst', line: 8, column: 1, offset: 26 });
  t.same(item?.covers[0]?.place, { path: 'a.rst', line: 12, column: 5, offset: 52 });
  t.same(item?.needs[0]?.place, { path: 'a.rst', line: 13, column: 8, offset: 69 });
  t.equal(item?.commentPlace, undefined);
});

t.test('text right below the id is the description, labelled or not', async (t) => {
  t.equal(read('`req~a~1`', '', 'The text', 'goes on.', '', 'Rationale:').items[0]?.description, 'The text\ngoes on.');
  t.equal(read('`req~a~1`', 'The text').items[0]?.description, 'The text');
});

t.test('a definition and a reference are told apart by where they stand', async (t) => {
  const { items } = read('`req~a~1`', '', 'Covers:', '', '- `feat~b~1`', '', '`req~c~1`');
  t.same(
    items.map((item) => item.id),
    ['req~a~1', 'req~c~1'],
  );
  t.same(texts(items[0]?.covers), ['feat~b~1']);
});

t.test('a title belongs to the item below it and to no other', async (t) => {
  const { items } = read('T', '----', '`req~a~1`', '`req~b~1`', '', 'U', '----', '', 'Prose.', '', '`req~c~1`');
  t.same(
    items.map((item) => item.title),
    ['T', undefined, undefined],
  );
});

t.test('notes behind the last list belong to no part and are not reported', async (t) => {
  const { items, diagnostics } = read(
    '`req~a~1`',
    '',
    'T',
    '',
    'Needs:',
    ' - dsn',
    '',
    '[1] https://x.y',
    '[2] more',
    '',
    '| [3] lines',
  );
  t.same(diagnostics, []);
  t.equal(items[0]?.description, 'T');
  t.same(texts(items[0]?.needs), ['dsn']);
});

t.test('a forward makes an item of its own and ends the one before', async (t) => {
  const { items } = read(
    '`req~a~1`',
    '',
    'Text.',
    '',
    'Needs: dsn',
    '',
    '* arch --> dsn, impl : req~b~3',
    '',
    'Not the text of a.',
  );
  t.equal(items.length, 2);
  t.match(items[1], { id: 'arch~b~3', type: 'arch', forwards: true, title: undefined });
  t.same(texts(items[1]?.covers), ['req~b~3']);
  t.same(texts(items[1]?.needs), ['dsn', 'impl']);
  t.equal(items[0]?.description, 'Text.');
});

t.test('a forward inside an open text is an error', async (t) => {
  t.same(codes('`req~a~1`', '', 'Rationale:', 'arch --> dsn : req~b~3'), ['forward-not-taken']);
});

t.test('an item ends at the next title', async (t) => {
  const { items } = read('`req~a~1`', '', 'Covers:', ' - `feat~x~1`', '', 'Notes', '=====', '', '- `feat~y~1`');
  t.same(texts(items[0]?.covers), ['feat~x~1']);
});

t.test('look-alikes inside an item are errors', async (t) => {
  t.same(codes('`req~a~1`', '', ' `req~b~1`'), ['id-not-taken'], 'indented');
  t.same(codes('`req~a~1`', '', 'Rationale:', '- `req~b~1`'), ['id-not-taken'], 'behind a bullet in a text');
  t.same(codes('`req~a~1`', '', 'Text.', '', 'XenSwdgn ~ x ~1'), ['id-not-taken'], 'with blanks');
  t.same(codes('`req~a~1`', '', 'Covers:', '    - `req~b~1`'), ['id-not-taken'], 'a bullet too far to the right');
  t.same(codes('`req~a~1`', '', 'Covers:', '1. `req~b~1`'), ['id-not-taken'], 'behind a number');
  t.same(
    codes('`req~a~1`', '', 'Text that', 'req~b~1 goes on with.'),
    ['id-not-taken'],
    'at the start of a wrapped line',
  );
});

t.test('a revision that is too large is an error wherever it stands', async (t) => {
  t.same(codes('`req~a~99999999999999999999`'), ['id-revision-too-large']);
  t.same(codes('`req~a~1`', '', 'Covers:', ' - `req~b~99999999999999999999`'), ['id-revision-too-large']);
});

t.test('a line of its own that is nearly an id is an error', async (t) => {
  t.same(codes('Name', '----', '', '`XenSwdgn~x`'), ['id-malformed']);
  t.same(codes('`XenSwdgn ~ x ~1`'), ['id-malformed']);
  t.same(codes('`HEAD~1`'), [], 'one tilde means nothing unless a title stands above');
});

t.test('a mention in prose is a note', async (t) => {
  t.same(codes('Some prose about req~a~1.'), ['id-in-prose']);
  t.same(codes('`req~a~1`', '', 'As feat~b~1 says.'), ['id-in-prose']);
  t.equal(read('Some prose about req~a~1.').diagnostics[0]?.severity, 'note');
});

t.test('a bullet that names nothing is an error', async (t) => {
  t.same(codes('`req~a~1`', '', 'Covers:', ' - nothing'), ['list-bullet-empty']);
  t.same(codes('`req~a~1`', '', 'Depends:', ' - '), ['list-bullet-empty']);
  t.same(codes('`req~a~1`', '', 'Covers:', ' - `XenSwdgn ~ x ~1`'), ['list-bullet-empty']);
  t.same(codes('`req~a~1`', '', 'Needs:', ' - XenD2'), ['list-bullet-empty']);
  t.same(codes('`req~a~1`', '', 'Needs:', ' - foo_bar'), ['list-bullet-empty']);
});

t.test('a bullet that names several things is an error and gives the last', async (t) => {
  const { items, diagnostics } = read('`req~a~1`', '', 'Covers:', ' - `x~a~1`, `x~b~1`', '', 'Needs:', ' - dsn impl');
  t.same(
    diagnostics.map((finding) => finding.code),
    ['list-bullet-several', 'list-bullet-several'],
  );
  t.same(texts(items[0]?.covers), ['x~b~1']);
  t.same(texts(items[0]?.needs), ['impl']);
});

t.test('an inline need that is no artifact type is taken and is an error', async (t) => {
  const { items, diagnostics } = read('`req~a~1`', '', 'Needs: dsn, XenD2');
  t.same(texts(items[0]?.needs), ['dsn', 'XenD2']);
  t.same(
    diagnostics.map((finding) => finding.code),
    ['needs-type'],
  );
});

t.test('a need that is no bullet is an error: without it the item would pass for covered', async (t) => {
  for (const line of ['dsn', ' dsn', '    - dsn', '\u2022 dsn', '\u00a0- dsn', '1. dsn', '`dsn`,']) {
    t.same(codes('`req~a~1`', '', 'Needs:', line), ['needs-not-taken'], line);
  }
  t.same(codes('`req~a~1`', '', 'Needs:', ' - impl', '   which nothing covers yet'), ['list-text'], 'a comment on one');
});

t.test('Covers and Needs that name nothing are errors; Depends and Tags decide nothing', async (t) => {
  const { items, diagnostics } = read(
    '`req~a~1`',
    '',
    'T',
    '',
    'Needs:',
    '',
    'dsn',
    '',
    'Covers:',
    '',
    '`req~b~1`',
    '',
    'T',
  );
  t.same(
    items.map((item) => item.id),
    ['req~a~1', 'req~b~1'],
  );
  t.match(diagnostics, [
    { code: 'list-empty', place: { line: 5, column: 1 } },
    { code: 'list-empty', place: { line: 9, column: 1 } },
  ]);
  t.same(codes('`req~a~1`', '', 'Needs:', '', '1. dsn'), ['list-empty'], 'a numbered list is no list of bullets');
  t.same(
    codes('`req~a~1`', '', 'Needs:', '', '.. comment', ' - dsn'),
    ['list-empty'],
    'a comment takes in what is indented',
  );
  t.same(codes('`req~a~1`', '', 'T', '', 'Depends:', '', 'Tags:'), []);
  t.same(codes('`req~a~1`', '', 'Needs:', ' - XenD2'), ['list-bullet-empty'], 'one error is enough');
});

t.test('an id that was meant to begin an item is an error: below a title, or with a list behind it', async (t) => {
  const rest = ['', 'Text.', '', 'Covers:', ' - `feat~x~1`'];
  for (const line of [' `req~a~1`', '- `req~a~1`', '\u200freq~a~1', '1. req~a~1']) {
    const { diagnostics } = read(line, ...rest);
    const found = diagnostics.filter((finding) => finding.code === 'id-not-taken');
    t.match(found, [{ place: { line: 1, column: line.indexOf('req') + 1 } }], `above Covers: ${line}`);
  }
  for (const line of [' `req~a~1`', '\u200freq~a~1']) {
    t.ok(codes('Title', '=====', '', line, '', 'Text.').includes('id-not-taken'), `below a title: ${line}`);
  }
  t.notOk(
    codes('See also', '========', '', '- `req~a~1`', '- `req~b~1`').includes('id-not-taken'),
    'a list of references',
  );
  t.notOk(codes(' `req~a~1`', '', 'Text.').includes('id-not-taken'), 'in a quote');
  t.notOk(codes('It is `req~a~1`', ...rest).includes('id-not-taken'), 'in a sentence');
});

t.test('a revision in digits of another script is malformed', async (t) => {
  t.match(read('`req~a~\u0661`').diagnostics, [{ code: 'id-malformed', message: /digits 0 to 9/ }]);
});

t.test('text in a list is a warning, and so is a bullet behind text', async (t) => {
  t.same(codes('`req~a~1`', '', 'Tags:', 'blue'), ['list-text']);
  const { items, diagnostics } = read('`req~a~1`', '', 'Covers:', ' - `x~a~1`', '', 'And also:', '', '- `x~b~1`');
  t.same(texts(items[0]?.covers), ['x~a~1', 'x~b~1']);
  t.same(
    diagnostics.map((finding) => finding.code),
    ['list-after-text'],
  );
});

t.test('labels that are not read are reported', async (t) => {
  t.same(codes('`req~a~1`', '', 'Text.', '', ' Covers:', '  - `x~a~1`'), ['list-label-not-taken', 'id-not-taken']);
  t.same(codes('`req~a~1`', '', 'Covers: x~a~1'), ['list-label-not-taken']);
  t.same(codes('`req~a~1`', '', 'covers:'), ['list-label-not-taken']);
  t.same(codes('`req~a~1`', '', 'Cover:'), ['list-label-not-taken']);
  t.same(codes('`req~a~1`', '', 'Needs', '', ' - dsn'), ['list-label-not-taken']);
  t.same(codes('`req~a~1`', '', 'What one', 'needs', 'is this.'), [], 'prose');
  t.same(codes('`req~a~1`', '', '\u200bNeeds:', ' - dsn'), ['list-label-not-taken']);
  t.same(codes('`req~a~1`', '', 'T', '', 'Needs', '-----', '', ' - dsn'), ['list-label-not-taken']);
  t.same(codes('`req~a~1`', '', '**Rationale:**'), ['label-not-taken']);
  t.same(codes('`req~a~1`', '', 'Rationale: inline'), ['label-not-taken']);
  t.same(codes('`req~a~1`', '', 'Rationale:', 'x', '', 'Rationale:', 'y'), ['label-repeated']);
  t.same(codes('`req~a~1`', '', 'Covers:', '-------', '', ' - `x~a~1`'), [
    'list-label-not-taken',
    'item-empty',
    'id-in-prose',
  ]);
});

t.test('a status is one of four, directly below the id', async (t) => {
  t.same(codes('`req~a~1`', 'Status: done', '', 'T'), ['status-unknown']);
  t.same(codes('`req~a~1`', '', 'Text.', '', 'Status: draft'), ['status-not-taken']);
  t.same(codes('`req~a~1`', '', 'Text.', '', 'Status: of the register'), [], 'prose');
  t.equal(read('`req~a~1`', 'Status: rejected', '', 'T').items[0]?.status, 'rejected');
});

t.test('an item of nothing but its id is a warning', async (t) => {
  t.same(codes('`req~a~1`'), ['item-empty']);
});

t.test('an id that runs into a word is taken, as an error', async (t) => {
  const { items, diagnostics } = read('`req~a~1_old`', '', 'T');
  t.same(
    items.map((item) => item.id),
    ['req~a~1'],
  );
  t.same(
    diagnostics.map((finding) => finding.code),
    ['id-suffix'],
  );
});

t.test('comments, literal blocks, directives and tables hold no items', async (t) => {
  const { items } = read(
    '..',
    '  `req~a~1`',
    '',
    'Like this::',
    '',
    '  `req~b~1`',
    '',
    '.. code-block:: rst',
    '',
    '   `req~c~1`',
    '',
    '=======  ====',
    'id       what',
    '=======  ====',
    'req~d~1  this',
    '=======  ====',
  );
  t.same(items, []);
});

t.test('a literal block stays in the description, a comment does not', async (t) => {
  const { items } = read('`req~a~1`', '', 'Text::', '', '  code', '', '.. not this', '', 'Last.');
  t.equal(items[0]?.description, 'Text::\n\n  code\nLast.');
});

t.test('oft:off and oft:on switch reading, also inside an item', async (t) => {
  const { items, diagnostics } = read(
    '`req~a~1`',
    '',
    'One',
    '',
    '.. oft:off',
    '',
    '`req~b~1`',
    '',
    '.. oft:on',
    '',
    'two',
  );
  t.same(
    items.map((item) => [item.id, item.description]),
    [['req~a~1', 'One\ntwo']],
  );
  t.same(diagnostics, []);
  t.same(codes('.. oft:off', '', '`req~b~1`'), ['import-off-to-end']);
  t.equal(read('soft:offset', '', '`req~b~1`', '', 'T').items.length, 1);
});

t.test('names from the prototype of every object are names like others', async (t) => {
  const { items } = read(
    '`req~__proto__~1`',
    '',
    'T',
    '',
    '`req~constructor~1`',
    '',
    'Covers:',
    ' - `constructor~toString~1`',
  );
  t.same(
    items.map((item) => item.name),
    ['constructor'],
  );
  t.same(codes('`req~__proto__~1`'), ['id-malformed']);
});

t.test('line endings, a missing one and a byte order mark make no difference', async (t) => {
  const lines = ['Name', '----', '', '`req~a~1`', '', 'One', 'two', '', 'Needs:', ' - dsn'];
  const plain = importRst(lines.join('\n'), 'a');
  for (const text of [lines.join('\r\n'), lines.join('\r'), `${lines.join('\n')}\n\n`, `\ufeff${lines.join('\n')}`]) {
    const { items, diagnostics } = importRst(text, 'a');
    t.same(diagnostics, []);
    t.equal(items[0]?.description, plain.items[0]?.description);
    t.equal(items[0]?.place.line, 4);
    t.same(texts(items[0]?.needs), ['dsn']);
  }
});
