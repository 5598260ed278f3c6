import fc from 'fast-check';
import t from 'tap';
import { unified } from 'unified';
import { VFile } from 'vfile';
import { importRst } from './rst/items.js';
import type { RstNode, RstRoot } from './rst/nodes.js';
import { rstParse } from './rst/parse.js';

/**
 * Items read a second time, from the unist tree and with patterns over whole lines, to hold the item sink to the tree sink.
 * OpenFastTrace's patterns, written down as such.
 */
interface Extracted {
  id: string;
  line: number;
  title: string | undefined;
  description: string;
  rationale: string;
  comment: string;
  covers: string[];
  depends: string[];
  needs: string[];
  tags: string[];
}

const NAME = '[\\p{Alphabetic}\\p{M}\\p{Nd}\\p{Pc}\\p{Join_Control}-]';
const ID = `[A-Za-z]+~\\p{Alphabetic}${NAME}*(?:\\.${NAME}+)*~\\d+`;
const ITEM = new RegExp(`^\`?(${ID})(\`?)(.*)$`, 'u');
const FORWARD = new RegExp(`([A-Za-z]+)[ \\t]*-->[ \\t]*([A-Za-z]+(?:,[ \\t]*[A-Za-z]+)*)[ \\t]*:[ \\t]*(${ID})`, 'u');
const LINK = new RegExp(`^\\s{0,3}[+*-](?:.*[^A-Za-z0-9_])?(${ID})(?![A-Za-z0-9_])`, 'u');
const LABEL = /^(Description|Rationale|Comments?|Covers|Depends|Needs|Tags):(\s*\w+\s*(?:,\s*\w+\s*)*)?$/;
const BULLET = /^\s{0,3}[+*-]/;

type Line =
  | { number: number; kind: 'text' | 'verbatim' | 'comment' }
  | { number: number; kind: 'title'; title: string };

const KINDS: Readonly<Record<string, 'verbatim' | 'comment'>> = {
  literalBlock: 'verbatim',
  doctestBlock: 'verbatim',
  directive: 'verbatim',
  gridTable: 'verbatim',
  simpleTable: 'verbatim',
  comment: 'comment',
  target: 'comment',
  substitutionDefinition: 'comment',
};

function linesOf(nodes: readonly RstNode[], source: string, found: Map<number, Line>): Map<number, Line> {
  for (const node of nodes) {
    const { start, end } = node.position;
    if (node.type === 'title') {
      found.set(start.line, { number: start.line, kind: 'title', title: source.slice(start.offset, end.offset) });
    } else if (node.type === 'section') {
      linesOf((node as { children: RstNode[] }).children, source, found);
    } else if (node.type !== 'transition') {
      const kind = KINDS[node.type] ?? 'text';
      for (let number = start.line; number <= end.line; number++)
        if (!found.has(number)) found.set(number, { number, kind });
      if ('children' in node) {
        for (const child of node.children) if (child.type in KINDS) relabel(child, found);
        markInner(node.children, found);
      }
    }
  }
  return found;
}

function relabel(node: RstNode, found: Map<number, Line>): void {
  for (let number = node.position.start.line; number <= node.position.end.line; number++) {
    const line = found.get(number);
    // A line that also has a marker or text before the block stays text.
    if (line && (number > node.position.start.line || node.position.start.column === 1 || line.kind !== 'text')) {
      found.set(number, { number, kind: KINDS[node.type]! });
    }
  }
}

function markInner(nodes: readonly RstNode[], found: Map<number, Line>): void {
  for (const node of nodes) {
    if (node.type in KINDS) relabel(node, found);
    else if ('children' in node) markInner(node.children, found);
  }
}

function extract(source: string): Extracted[] {
  const tree = unified().use(rstParse).parse(source) as RstRoot;
  const texts = source.split('\n').map((line) => line.trimEnd());
  const items: Extracted[] = [];
  let item: Extracted | undefined;
  let part = 'id';
  let title: string | undefined;
  let closed = false;
  let prose = -2;
  const gather: { part: 'description' | 'rationale' | 'comment'; lines: string[]; last: number }[] = [];
  const begin = (id: string, line: number): Extracted => {
    const next = {
      id,
      line,
      title,
      description: '',
      rationale: '',
      comment: '',
      covers: [],
      depends: [],
      needs: [],
      tags: [],
    };
    items.push(next);
    return next;
  };
  const end = () => {
    for (const { part: name, lines } of gather)
      if (item) item[name] = item[name] === '' ? lines.join('\n') : `${item[name]}\n${lines.join('\n')}`;
    gather.length = 0;
    if (item) for (const name of ['description', 'rationale', 'comment'] as const) item[name] = item[name].trim();
    item = undefined;
    title = undefined;
    part = 'id';
    closed = false;
  };
  const add = (name: 'description' | 'rationale' | 'comment', number: number) => {
    let open = gather[gather.length - 1];
    if (open?.part !== name || open.last < 0) {
      open = { part: name, lines: [], last: number };
      gather.push(open);
    }
    for (let skipped = open.last + 1; skipped < number && open.lines.length > 0; skipped++)
      open.lines.push(texts[skipped - 1]!);
    open.lines.push(texts[number - 1]!);
    open.last = number;
  };
  const cut = () => {
    const open = gather[gather.length - 1];
    if (open) open.last = -1;
  };
  const isText = () => part === 'description' || part === 'rationale' || part === 'comment';
  for (const line of [...linesOf(tree.children, source, new Map()).values()].sort((a, b) => a.number - b.number)) {
    const text = texts[line.number - 1]!;
    if (text.trim() === '') continue;
    const inParagraph = prose === line.number - 1;
    if (line.kind === 'title') {
      const id = ITEM.exec(line.title);
      const above = title;
      end();
      if (id && line.title === text) {
        title = above;
        item = begin(id[1]!, line.number);
        title = undefined;
        continue;
      }
      title = line.title;
      continue;
    }
    if (line.kind === 'comment') {
      if (item && isText()) cut();
      continue;
    }
    if (line.kind === 'verbatim') {
      title = undefined;
      if (!item) continue;
      if (part === 'id') part = 'description';
      if (isText()) add(part as 'description', line.number);
      continue;
    }
    const id = ITEM.exec(text);
    if (id && !(inParagraph && id[3] !== '')) {
      const above = title;
      end();
      title = above;
      item = begin(id[1]!, line.number);
      title = undefined;
      continue;
    }
    const label = item ? LABEL.exec(text) : null;
    if (label && (label[2] === undefined || label[1] === 'Needs' || label[1] === 'Tags')) {
      if (isText()) cut();
      part = label[1]!.toLowerCase().replace('comments', 'comment');
      closed = false;
      for (const word of label[2]?.split(',') ?? []) item![part as 'needs' | 'tags'].push(word.trim());
      title = undefined;
      continue;
    }
    const forward = FORWARD.exec(text);
    if (forward && !(item && ['id', 'rationale', 'comment'].includes(part))) {
      end();
      const made = begin(forward[3]!.replace(/^[A-Za-z]+/, forward[1]!), line.number);
      made.covers.push(forward[3]!);
      made.needs.push(...forward[2]!.split(/,[ \t]*/));
      continue;
    }
    title = undefined;
    if (!item) {
      prose = line.number;
      continue;
    }
    if (part === 'id') part = 'description';
    if (isText()) {
      add(part as 'description', line.number);
      prose = line.number;
      continue;
    }
    const bullet = BULLET.test(text);
    if (bullet && (part === 'covers' || part === 'depends')) {
      const link = LINK.exec(text)?.[1];
      if (link) item[part].push(link);
      if (link || !closed) continue;
    } else if (bullet) {
      const content = text.replace(BULLET, '').trim();
      const one = /^`([A-Za-z]+)`$|^([A-Za-z]+)$/.exec(content);
      if (part === 'needs') {
        const last = [...content.matchAll(/(?<![A-Za-z0-9_])[A-Za-z]+(?![A-Za-z0-9_])/g)].pop()?.[0];
        if (closed ? one : last) item.needs.push(last!);
        if (!closed || one) continue;
      } else {
        const tags = content
          .split(',')
          .map((tag) => tag.trim())
          .filter((tag) => tag !== '');
        if (!closed || tags.length === 1) {
          item.tags.push(...tags);
          continue;
        }
      }
    }
    const beside = line.number > 1 && texts[line.number - 2]!.trim() !== '';
    if (closed) prose = line.number;
    else if (!/^\s/.test(text) && !bullet && !inParagraph && !beside && !new RegExp(ID, 'u').test(text)) {
      closed = true;
      prose = line.number;
    }
  }
  end();
  return items;
}

const WORDS = [
  '`req~a~1`',
  '`req~b.c-d~2`',
  'feat~x~1 and',
  ' `req~c~3`',
  'Description:',
  'Rationale:',
  'Comments:',
  'Comment:',
  'Covers:',
  'Depends:',
  'Needs:',
  'Needs: dsn, impl',
  'Tags: a',
  'Tags:',
  ' - `feat~y~1`',
  '- feat~z~2 x',
  ' * dsn',
  '+ impl test',
  ' - one',
  'Some text',
  'more text::',
  '    deep',
  '  less',
  '.. comment',
  '..',
  '',
  '',
  '',
  '',
  '-----',
  '=====',
  'arch --> dsn : req~f~1',
  '1. num',
  ':field: x',
  '> quote',
  '.. note:: hm',
  '| line',
  '.. _t: u',
  '=== ===',
  'a   b',
];

const document = fc.array(fc.constantFrom(...WORDS), { maxLength: 25 }).map((lines) => lines.join('\n'));

t.test('the item sink reads the same items as the tree holds', async (t) => {
  fc.assert(
    fc.property(document, (source) => {
      const built = importRst(source, 'a').items.map((item) => ({
        id: item.id,
        line: item.place.line,
        title: item.title,
        description: item.description,
        rationale: item.rationale,
        comment: item.comment,
        covers: item.covers.map((mention) => mention.text),
        depends: item.depends.map((mention) => mention.text),
        needs: item.needs.map((mention) => mention.text),
        tags: item.tags.map((mention) => mention.text),
      }));
      const extracted = extract(source);
      if (JSON.stringify(built) !== JSON.stringify(extracted)) {
        throw new Error(
          `items differ for ${JSON.stringify(source)}:\n${JSON.stringify(built)}\n${JSON.stringify(extracted)}`,
        );
      }
    }),
    { seed: 2024, numRuns: 1500 },
  );
  t.pass();
});

t.test('every node lies inside the text and inside its parent, and texts are slices', async (t) => {
  const anything = fc.oneof(
    document,
    fc.string({ unit: fc.constantFrom(...'-=*`_|:.[]\\ \t\nab1.:~>+#('), maxLength: 120 }),
  );
  fc.assert(
    fc.property(anything, (source) => {
      const file = new VFile(source);
      const tree = unified().use(rstParse).parse(file) as RstRoot;
      const lines = source.split(/\r\n|\r|\n/);
      const check = (nodes: readonly RstNode[], from: number, to: number) => {
        let before = from;
        for (const node of nodes) {
          const { start, end } = node.position;
          if (!(start.offset! >= before && end.offset! >= start.offset! && end.offset! <= to)) {
            throw new Error(
              `${node.type} ${start.offset}-${end.offset} outside ${before}-${to} in ${JSON.stringify(source)}`,
            );
          }
          for (const point of [start, end]) {
            const text = lines[point.line - 1];
            if (text === undefined || point.column < 1 || point.column > text.length + 1)
              throw new Error(`bad point in ${JSON.stringify(source)}`);
            const offset =
              lines.slice(0, point.line - 1).reduce((sum, line) => sum + line.length + 1, 0) + point.column - 1;
            if (!source.includes('\r') && offset !== point.offset)
              throw new Error(`bad offset in ${JSON.stringify(source)}`);
          }
          if (['text', 'link', 'toctreeEntry', 'optionGroup', 'transition'].includes(node.type) && 'value' in node) {
            if (source.slice(start.offset, end.offset) !== node.value)
              throw new Error(`bad slice in ${JSON.stringify(source)}`);
          }
          if ('children' in node) check(node.children, start.offset!, end.offset!);
          before = end.offset!;
        }
      };
      check(tree.children, 0, source.length);
    }),
    { seed: 7, numRuns: 2500 },
  );
  t.pass();
});

t.test('no text makes either sink throw', async (t) => {
  fc.assert(
    fc.property(fc.string({ unit: 'binary', maxLength: 200 }), (source) => {
      importRst(source, 'a');
      unified().use(rstParse).parse(source);
    }),
    { seed: 11, numRuns: 1000 },
  );
  t.pass();
});
