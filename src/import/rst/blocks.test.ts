import t from 'tap';
import { unified } from 'unified';
import { VFile } from 'vfile';
import type { RstNode, RstRoot } from './nodes.js';
import { rstParse } from './parse.js';

/** A tree as an outline: one node a line, indented by depth, with value or attributes that matter. */
function outline(...lines: string[]): string[] {
  const rows: string[] = [];
  const walk = (nodes: readonly RstNode[], depth: number) => {
    for (const node of nodes) {
      const value = 'value' in node ? ` ${JSON.stringify(node.value)}` : '';
      rows.push(`${' '.repeat(depth)}${node.type}${value}`);
      if ('children' in node) walk(node.children, depth + 1);
    }
  };
  walk((unified().use(rstParse).parse(lines.join('\n')) as RstRoot).children, 0);
  return rows;
}

function messages(...lines: string[]): string[] {
  const file = new VFile(lines.join('\n'));
  unified().use(rstParse).parse(file);
  return file.messages.map((message) => `${message.line}:${message.column} ${message.ruleId}`);
}

t.test('sections nest by the order in which their adornments first come', async (t) => {
  t.same(outline('=====', 'Title', '=====', '', 'One', '---', '', 'Deep', '~~~~', '', 'Two', '---'), [
    'section',
    ' title',
    '  text "Title"',
    ' section',
    '  title',
    '   text "One"',
    '  section',
    '   title',
    '    text "Deep"',
    ' section',
    '  title',
    '   text "Two"',
  ]);
});

t.test('a title and its underline need not be of one length, but it is said', async (t) => {
  t.same(messages('Long title', '====='), ['2:1 rst-underline-short']);
  t.same(messages('Title', '======'), ['2:1 rst-underline-long']);
  t.same(outline('Too long', '---'), ['paragraph', ' text "Too long\\n---"'], 'below four characters it is text');
  t.same(messages('題', '=='), [], 'a wide character has two columns');
});

t.test('a level that is skipped or new where none may be is a warning', async (t) => {
  t.same(messages('A', '====', '', 'B', '----', '', 'C', '~~~~', '', 'D', '====', '', 'E', '~~~~').slice(-1), [
    '13:1 rst-title-level',
  ]);
  t.same(messages('A', '====', '', 'B', '----', '', 'C', '====', '', 'D', '~~~~').slice(-1), ['10:1 rst-title-level']);
});

t.test('bullet lists nest by indentation and end at another bullet', async (t) => {
  t.same(outline('- a', '', '  - b', '', '- c', '', '* d'), [
    'bulletList',
    ' listItem',
    '  paragraph',
    '   text "a"',
    '  bulletList',
    '   listItem',
    '    paragraph',
    '     text "b"',
    ' listItem',
    '  paragraph',
    '   text "c"',
    'bulletList',
    ' listItem',
    '  paragraph',
    '   text "d"',
  ]);
});

t.test('enumerated lists go on with the next number only', async (t) => {
  t.same(
    outline('1. a', '2. b').filter((row) => /List|Item/.test(row)),
    ['enumeratedList', ' listItem', ' listItem'],
  );
  t.same(
    outline('1. a', '', '3. b').filter((row) => /List$/.test(row)),
    ['enumeratedList', 'enumeratedList'],
  );
  t.same(
    outline('iv. a', 'v. b').filter((row) => /List|Item/.test(row)),
    ['enumeratedList', ' listItem', ' listItem'],
  );
  t.same(
    outline('1. a', 'goes on here'),
    ['paragraph', ' text "1. a\\ngoes on here"'],
    'as in docutils, text below makes it text',
  );
});

t.test('Xen writes its links as a definition list', async (t) => {
  t.same(outline('Covers:', ' - `XenProd~a~1`'), [
    'definitionList',
    ' definitionListItem',
    '  term',
    '   text "Covers:"',
    '  definition',
    '   bulletList',
    '    listItem',
    '     paragraph',
    '      interpretedText "XenProd~a~1"',
  ]);
});

t.test('field lists have names and bodies', async (t) => {
  t.same(outline(':Date: today', ':Version:', '   one', '   two'), [
    'fieldList',
    ' field',
    '  fieldName',
    '   text "Date"',
    '  fieldBody',
    '   paragraph',
    '    text "today"',
    ' field',
    '  fieldName',
    '   text "Version"',
    '  fieldBody',
    '   paragraph',
    '    text "one\\n"',
    '    text "two"',
  ]);
});

t.test('a field list as the first line of a list item does not loop', async (t) => {
  t.same(
    outline('-    :maxdepth: 2').map((row) => row.trim().split(' ')[0]),
    ['bulletList', 'listItem', 'fieldList', 'field', 'fieldName', 'text', 'fieldBody', 'paragraph', 'text'],
  );
});

t.test('options need two blanks before their description', async (t) => {
  t.same(outline('-a  one', '--long=X, -l X  two'), [
    'optionList',
    ' optionListItem',
    '  optionGroup "-a"',
    '  optionDescription',
    '   paragraph',
    '    text "one"',
    ' optionListItem',
    '  optionGroup "--long=X, -l X"',
    '  optionDescription',
    '   paragraph',
    '    text "two"',
  ]);
});

t.test('a block quote is as deep as its least indented line', async (t) => {
  t.same(outline('text', '', '    deep', '', '  less'), [
    'paragraph',
    ' text "text"',
    'blockQuote',
    ' blockQuote',
    '  paragraph',
    '   text "deep"',
    ' paragraph',
    '  text "less"',
  ]);
});

t.test('literal blocks keep their lines, indented or quoted', async (t) => {
  t.same(outline('Code::', '', '   a', '', '     b', '', 'text'), [
    'paragraph',
    ' text "Code:"',
    'literalBlock "a\\n\\n  b"',
    'paragraph',
    ' text "text"',
  ]);
  t.same(outline('::', '', '> a', '> b'), ['literalBlock "> a\\n> b"']);
  t.same(messages('Code::', '', 'text'), ['1:5 rst-literal-missing']);
});

t.test('line blocks, doctests, transitions and tables are blocks of their own', async (t) => {
  t.same(outline('| a', '| b'), ['lineBlock', ' line', '  text "a"', ' line', '  text "b"']);
  t.same(outline('>>> 1', '1', '', '----', '', 'x').slice(0, 2), ['doctestBlock ">>> 1\\n1"', 'transition "----"']);
  t.same(outline('+---+', '| a |', '+---+'), ['gridTable "+---+\\n| a |\\n+---+"']);
  t.same(outline('==  ==', 'a   b', '==  =='), ['simpleTable "==  ==\\na   b\\n==  =="']);
  t.same(messages('==  ==', 'a   b'), ['1:1 rst-table-malformed']);
});

t.test('a toctree has its options and its entries as nodes', async (t) => {
  const tree = unified().use(rstParse).parse('.. toctree::\n   :maxdepth: 2\n\n   intro\n   a/b\n') as RstRoot;
  t.match(tree.children, [
    {
      type: 'directive',
      name: 'toctree',
      children: [
        { type: 'directiveOption', name: 'maxdepth', value: '2', position: { start: { line: 2, column: 4 } } },
        { type: 'toctreeEntry', value: 'intro', position: { start: { line: 4, column: 4, offset: 33 } } },
        { type: 'toctreeEntry', value: 'a/b' },
      ],
    },
  ]);
});

t.test('other directives keep argument and content', async (t) => {
  const tree = unified().use(rstParse).parse('.. code-block:: c\n   :linenos:\n\n   int a;\n\n     b;') as RstRoot;
  t.match(tree.children[0], { name: 'code-block', argument: 'c' });
  t.match((tree.children[0] as { children: RstNode[] }).children[1], {
    type: 'directiveContent',
    value: 'int a;\n\n  b;',
  });
});

t.test('comments end where the indentation does; an empty one takes nothing', async (t) => {
  t.same(outline('.. a', '   b', '', '   c', 'text').slice(0, 1), ['comment "a\\nb\\n\\nc"']);
  t.same(outline('..', '', '  quote'), ['comment ""', 'blockQuote', ' paragraph', '  text "quote"']);
});

t.test('footnotes, citations, targets and substitutions are told apart', async (t) => {
  const tree = unified()
    .use(rstParse)
    .parse(
      '.. [1] foot\n.. [Cit] cite\n.. _name: http://x.y\n.. __: anon\n.. |s| image:: a.png\n.. plain\n',
    ) as RstRoot;
  t.match(tree.children, [
    { type: 'footnote', name: '1' },
    { type: 'citation', name: 'Cit' },
    { type: 'target', name: 'name', value: 'http://x.y' },
    { type: 'target', value: 'anon' },
    { type: 'substitutionDefinition', name: 's', value: 'image:: a.png' },
    { type: 'comment', value: 'plain' },
  ]);
});

t.test('tabs indent to multiples of eight, and columns stay those of the source', async (t) => {
  const tree = unified().use(rstParse).parse('-\ta\n\tb\n\n        c') as RstRoot;
  t.match(tree.children, [
    {
      type: 'bulletList',
      children: [
        {
          children: [
            {
              type: 'paragraph',
              position: { start: { line: 1, column: 3, offset: 2 }, end: { line: 2, column: 3, offset: 6 } },
            },
            { type: 'paragraph', position: { start: { line: 4, column: 9, offset: 16 } } },
          ],
        },
      ],
    },
  ]);
});

t.test('titles in other blocks, missing blank lines and overlines without a title are warnings', async (t) => {
  t.same(messages('- Title', '  -----'), ['1:3 rst-title-nested']);
  t.same(messages('- a', 'text'), ['2:1 rst-unindent']);
  t.same(messages('a', 'b', '  c'), ['3:3 rst-indent']);
  t.same(messages('=====', 'Title', 'text'), ['1:1 rst-title-incomplete']);
});
