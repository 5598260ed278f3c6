import fc from 'fast-check';
import t from 'tap';
import type { Imported } from './items/builder.js';
import { importMarkdown } from './markdown/index.js';
import { importRst } from './rst/items.js';

/** Texts that mean the same in both markups: underlined titles, paragraphs, bullets, labels, ids. */
const word = fc.constantFrom(
  'Xen',
  'shall',
  'map',
  'é',
  'e\u0301',
  '\u{1f600}',
  'אב\u200f',
  'a\u00a0b',
  'x~y',
  'req~in_text~1',
  'Needs',
);
const sentence = fc.array(word, { minLength: 1, maxLength: 4 }).map((words) => words.join(' '));
const id = fc.constantFrom('req~a~1', 'dsn~b.c~2', 'req~größe~01', 'req~x-y_z~3');
const blank = fc.constantFrom('', ' ', '\t');
const bullet = fc.constantFrom('-', ' -', '*', ' +', '   -');
const block = fc.oneof(
  sentence.map((text) => [text]),
  sentence.map((text) => [`T${text}`, '='.repeat(text.length + 2)]),
  id.map((text) => [`\`${text}\``]),
  id.map((text) => [text]),
  fc
    .constantFrom('Description:', 'Rationale:', 'Comment:', 'Comments:', 'Covers:', 'Depends:', 'Needs:', 'Tags:')
    .map((text) => [text]),
  fc
    .constantFrom('Needs: dsn, utest', 'Tags: a,b', 'Status: draft', 'dsn --> impl, test : req~f~1')
    .map((text) => [text]),
  fc
    .array(
      fc.tuple(
        bullet,
        fc.oneof(
          id,
          id.map((text) => `\`${text}\``),
          fc.constantFrom('dsn', 'XenD2'),
          sentence,
        ),
      ),
      {
        minLength: 1,
        maxLength: 3,
      },
    )
    .map((bullets) => bullets.map(([mark, text]) => `${mark} ${text}`)),
);
const document = fc
  .tuple(fc.array(fc.tuple(block, blank), { maxLength: 8 }), fc.constantFrom('\n', '\r\n', '\r'), fc.boolean())
  .map(
    ([blocks, newline, mark]) =>
      (mark ? '\ufeff' : '') + blocks.flatMap(([lines, empty]) => [...lines, empty]).join(newline),
  );

/** Without what only the reader of reStructuredText has to say. */
function common({ items, diagnostics }: Imported): unknown {
  return { items, diagnostics: diagnostics.filter((finding) => !finding.code.startsWith('rst-')) };
}

t.test('one text that means the same in both markups gives the same items and the same complaints', async (t) => {
  fc.assert(
    fc.property(document, (text) => {
      const markdown = JSON.stringify(common(importMarkdown(text, 'a')), null, 1);
      const rst = JSON.stringify(common(importRst(text, 'a')), null, 1);
      if (markdown !== rst) throw new Error(`${JSON.stringify(text)}\nMarkdown: ${markdown}\nrst: ${rst}`);
    }),
    { seed: 5, numRuns: 600 },
  );
  t.pass();
});

t.test('every place points at the line, the column and the offset of what it speaks of', async (t) => {
  for (const newline of ['\n', '\r\n', '\r']) {
    const lines = [
      '\u{1f600} e\u0301 \u200f',
      '=====',
      '',
      '`req~größe~1`',
      '',
      'Covers:',
      ' -\t\u{1f600}\u00a0`dsn~a~1`',
    ];
    const text = lines.join(newline);
    for (const read of [importRst, importMarkdown]) {
      const [item] = read(text, 'a').items;
      t.match(item?.titlePlace, { line: 1, column: 1, offset: 0 });
      t.match(item?.place, { line: 4, column: 2, offset: text.indexOf('req~') });
      t.match(item?.covers, [{ text: 'dsn~a~1', place: { line: 7, column: 8, offset: text.indexOf('dsn~') } }]);
    }
  }
});
