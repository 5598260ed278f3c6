import t from 'tap';
import { unified } from 'unified';
import { VFile } from 'vfile';
import type { RstParent, RstRoot } from './nodes.js';
import { rstParse } from './parse.js';

/** The inline nodes of one paragraph, as `type value`. */
function inline(text: string): string[] {
  const tree = unified().use(rstParse).parse(text) as RstRoot;
  return (tree.children[0] as RstParent).children.map((node) => `${node.type} ${'value' in node ? node.value : ''}`);
}

t.test('emphasis, strong, literals and interpreted text', async (t) => {
  t.same(inline('*a* **b** ``c`` `d`'), [
    'emphasis a',
    'text  ',
    'strong b',
    'text  ',
    'literal c',
    'text  ',
    'interpretedText d',
  ]);
});

t.test('roles stand before or behind interpreted text', async (t) => {
  const tree = unified().use(rstParse).parse(':doc:`a` `b`:c:d:') as RstRoot;
  t.match(tree.children[0], {
    children: [
      { type: 'interpretedText', role: 'doc', value: 'a' },
      { type: 'text' },
      { type: 'interpretedText', role: 'c:d', value: 'b' },
    ],
  });
});

t.test('references: by name, by phrase, anonymous, substitutions, footnotes', async (t) => {
  t.same(inline('name_ `a b`_ anon__ `c d`__ |s| [1]_ [#x]_ [Cit]_'), [
    'reference name',
    'text  ',
    'reference a b',
    'text  ',
    'anonymousReference anon',
    'text  ',
    'anonymousReference c d',
    'text  ',
    'substitutionReference s',
    'text  ',
    'footnoteReference 1',
    'text  ',
    'footnoteReference #x',
    'text  ',
    'footnoteReference Cit',
  ]);
});

t.test('inline targets', async (t) => {
  t.same(inline('_`here`'), ['inlineTarget here']);
});

t.test('a URL ends before punctuation', async (t) => {
  t.same(inline('in http://xen.org/?p=a;f=errno.h.'), ['text in ', 'link http://xen.org/?p=a;f=errno.h', 'text .']);
  t.same(inline('(https://a.b/c)'), ['text (', 'link https://a.b/c', 'text )']);
});

t.test('marks inside words, before blanks or in quotes are text', async (t) => {
  t.same(inline('2*3*4 a * b "*" snake_case_name'), ['text 2*3*4 a * b "*" snake_case_name']);
});

t.test('a backslash takes the meaning from the next character', async (t) => {
  t.same(inline('\\*a\\* b\\ c'), ['text *a', 'text * b', 'text c']);
});

t.test('what begins and does not end is text and a warning', async (t) => {
  const file = new VFile('a *b and `c');
  unified().use(rstParse).parse(file);
  t.same(
    file.messages.map((message) => `${message.column} ${message.ruleId}`),
    ['3 rst-inline-open', '10 rst-inline-open'],
  );
});

t.test('text nodes end where the indentation of the next line begins', async (t) => {
  t.same(inline('  one\n  two *three\n  four*').length, 1, 'a quote');
  const tree = unified().use(rstParse).parse('- one\n  *two\n  three*') as RstRoot;
  const list = tree.children[0] as RstParent;
  const paragraph = (list.children[0] as RstParent).children[0] as RstParent;
  t.match(paragraph.children, [
    { type: 'text', value: 'one\n' },
    { type: 'emphasis', value: 'two\nthree', position: { start: { line: 2, column: 3 }, end: { line: 3, column: 9 } } },
  ]);
});
