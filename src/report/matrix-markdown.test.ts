import remarkGfm from 'remark-gfm';
import remarkParse from 'remark-parse';
import t from 'tap';
import { unified } from 'unified';
import { check, column, fold, record, sampleMatrix } from '../matrix/matrix.test-support.js';
import { markdownText, matrixMarkdown } from './matrix-markdown.js';

interface Node {
  readonly type: string;
  readonly value?: string;
  readonly children?: readonly Node[];
}

function parsed(markdown: string): Node {
  return unified().use(remarkParse).use(remarkGfm).parse(markdown) as Node;
}

function nodes(node: Node, type: string): Node[] {
  return [...(node.type === type ? [node] : []), ...(node.children ?? []).flatMap((child) => nodes(child, type))];
}

function plain(node: Node): string {
  return node.value ?? (node.children ?? []).map(plain).join('');
}

t.test('the matrix is one table with a row for each item', async (t) => {
  const tree = parsed(matrixMarkdown(sampleMatrix()));
  const [table] = nodes(tree, 'table');
  const rows = (table?.children ?? []).map((row) => (row.children ?? []).map(plain));
  t.equal(rows.length, 7);
  t.same(rows[0], ['item', 'coverage', 'arm64-smmuv3', 'arm64-ipmmu', 'amd64-vtd']);
  t.same(rows[6], [
    '\u2003\u2003XenSwdgn~passthrough_map_dev_mem_region~1',
    '✔',
    '✅ verified 2/2',
    '✅ verified 2/2',
    '✅ verified 2/2',
  ]);
});

t.test('what is not verified is listed with its reason', async (t) => {
  const text = plain(parsed(matrixMarkdown(sampleMatrix())));
  t.match(text, "on arm64-ipmmu: refuted: check 'a transfer lands in the right frame' fails: got 4, expected 5");
  t.match(text, 'on arm64-smmuv3, arm64-ipmmu: n/a: the GIC remaps interrupts');
});

t.test('text from files is text and nothing else', async (t) => {
  const hostile = 'a|b `c` <img src=x onerror=y> [l](javascript:x) *e* _f_ ~~g~~ & &amp; \\ \u001b]0;';
  const tree = parsed(`x ${markdownText(hostile)} x\n`);
  t.equal(plain(tree), `x ${hostile.replace('\u001b', '\\u{1b}')} x`);
  for (const type of ['html', 'link', 'emphasis', 'delete', 'inlineCode', 'image', 'strong']) {
    t.same(nodes(tree, type), [], type);
  }
});

t.test('a hostile title of a check stays in its cell and list', async (t) => {
  const title = '</table> | x |\n# head\n<script>';
  const matrix = fold({
    lines: ['dsn~a~1'],
    declared: [check('dsn~a~1', title)],
    records: [record('dsn~a~1', title, 'fail')],
    columns: [column('arm64-smmuv3')],
  });
  const tree = parsed(matrixMarkdown(matrix));
  t.same(nodes(tree, 'html'), []);
  t.same(nodes(tree, 'heading').map(plain), ['Coverage matrix', 'Not verified']);
});
