import { execFileSync, spawnSync } from 'node:child_process';
import fc from 'fast-check';
import t from 'tap';
import { DtsError, readDts } from './dts.js';
import { printDts } from './dts-print.js';
import { decodeFdt } from './fdt.js';
import { arbitraryTree, plain, sameTree } from './tree.test-support.js';

const hasDtc = spawnSync('dtc', ['--version']).status === 0;

/** The bytes of property `p` of a root with this body, in hexadecimal. */
function bytesOf(body: string): string {
  const bytes = readDts(`/dts-v1/; / { ${body} };`).tree.root.properties.get('p');
  return Buffer.from(bytes ?? []).toString('hex');
}

/** How reading ends: its message, or `okay`. */
function outcome(text: string): string {
  try {
    readDts(text, 'x.dts');
    return 'okay';
  } catch (error) {
    if (!(error instanceof DtsError)) throw error;
    return `${error.code}: ${error.message}`;
  }
}

t.test('values: cells, strings, bytes, and lists of them', async (t) => {
  t.equal(bytesOf('p;'), '');
  t.equal(bytesOf('p = <1 0x20 010>;'), '000000010000002000000008');
  t.equal(bytesOf('p = <1>, <2>;'), '0000000100000002');
  t.equal(bytesOf('p = "ab", "c";'), '61620063' + '00');
  t.equal(bytesOf('p = "\\n\\x41\\101\\\\\\"";'), '0a41415c2200');
  t.equal(bytesOf('p = "é";'), 'c3a900');
  t.equal(bytesOf('p = [01 2a ff];'), '012aff');
  t.equal(bytesOf('p = [0102ff];'), '0102ff');
  t.equal(bytesOf('p = "a", <1>, [02];'), '61000000000102');
  t.equal(bytesOf('p = /bits/ 8 <1 0xff>;'), '01ff');
  t.equal(bytesOf('p = /bits/ 16 <0x1234>;'), '1234');
  t.equal(bytesOf('p = /bits/ 64 <0x123456789abcdef0>;'), '123456789abcdef0');
  t.equal(bytesOf("p = <'a'>;"), '00000061');
  t.equal(bytesOf('p = <>;'), '');
  t.equal(bytesOf('p = <1UL 2ull 3U>;'.replace('ull', 'ULL')), '000000010000000200000003');
});

t.test('expressions are those of C on unsigned 64-bit numbers', async (t) => {
  const cell = (expression: string) => Number.parseInt(bytesOf(`p = <(${expression})>;`), 16);
  t.equal(cell('1 + 2 * 3'), 7);
  t.equal(cell('(1 + 2) * 3'), 9);
  t.equal(cell('10 - 3 - 2'), 5);
  t.equal(cell('17 / 5 + 17 % 5'), 5);
  t.equal(cell('1 << 4 | 1'), 0x11);
  t.equal(cell('0xff >> 4 & 6 ^ 1'), 7);
  t.equal(cell('-1'), 0xffffffff);
  t.equal(cell('~0'), 0xffffffff);
  t.equal(cell('!0 + !5'), 1);
  t.equal(cell('1 < 2 && 2 <= 2 && 3 > 2 && 2 >= 2'), 1);
  t.equal(cell('1 == 2 || 1 != 2'), 1);
  t.equal(cell('0 ? 1 : 2 ? 3 : 4'), 3);
  t.equal(cell('1 << 64'), 0);
  t.equal(bytesOf('p = /bits/ 64 <(0xffffffffffffffff + 2)>;'), '0000000000000001');
  t.match(outcome('/dts-v1/; / { p = <(1 / 0)>; };'), /^out of range: x\.dts:1:\d+: division by zero/);
  t.match(
    outcome('/dts-v1/; / { p = <0x100000000>; };'),
    /^out of range: x\.dts:1:20: 0x100000000 does not fit into 32 bits/,
  );
  t.match(outcome('/dts-v1/; / { p = /bits/ 8 <256>; };'), /^out of range/);
  t.match(outcome('/dts-v1/; / { p = <0x10000000000000000>; };'), /^out of range/);
});

t.test('references are phandles inside of cells and paths outside', async (t) => {
  const { tree, labels } = readDts(`/dts-v1/;
    / {
      p = <&b 1 &{/x/b@2}>, <&a>;
      where = &b;
      x { a: a@1 { }; b: b@2 { phandle = <1>; }; };
    };`);
  t.equal(labels.get('b')?.path, '/x/b@2');
  t.same(tree.root.cells('p'), [1, 1, 1, 2], 'b has a phandle of its own; a gets the next free one');
  t.equal(tree.root.string('where'), '/x/b@2');
  t.equal(tree.byPhandle(2)?.path, '/x/a@1');
});

t.test('later definitions override earlier ones, and may delete', async (t) => {
  const { tree } = readDts(`/dts-v1/;
    / { a = <1>; b = <2>; n: node { x = <1>; y; child { }; }; gone: gone { }; };
    / { a = <3>; node { z; }; };
    &n { x = <4>; /delete-property/ y; /delete-node/ child; };
    &{/node} { w; };
    /delete-node/ &gone;
  `);
  t.same(plain(tree.root), [
    '',
    [
      ['a', [0, 0, 0, 3]],
      ['b', [0, 0, 0, 2]],
    ],
    [
      [
        'node',
        [
          ['x', [0, 0, 0, 4]],
          ['z', []],
          ['w', []],
        ],
        [],
      ],
    ],
  ]);
});

t.test('comments, labels in every place, and memory reservations', async (t) => {
  const { tree } = readDts(`// first
    /dts-v1/; /* second
    */
    r: /memreserve/ 0x100000000 0x1000;
    top: / { l1: p = v: <c: 1 d: 2 e:> f:; /* a } */ k: l: n { }; };`);
  t.same(tree.reservations, [{ address: 0x1_0000_0000n, size: 0x1000n }]);
  t.same(tree.root.cells('p'), [1, 2]);
  t.ok(tree.root.child('n'));
});

t.test('where things stand is known', async (t) => {
  const source = readDts('/dts-v1/;\n/ {\n  a = <1>;\n  n@1 {\n    b;\n  };\n};\n', 'x.dts');
  const node = source.tree.byPath('/n@1');
  t.same(source.locationOf(source.tree.root, 'a'), { file: 'x.dts', line: 3, column: 3 });
  t.same(node && source.locationOf(node), { file: 'x.dts', line: 4, column: 3 });
  t.same(node && source.locationOf(node, 'b'), { file: 'x.dts', line: 5, column: 5 });
  t.equal(source.locationOf(source.tree.root, 'c'), undefined);
});

t.test('what is wrong is said with line and column', async (t) => {
  t.equal(outcome(''), "syntax: x.dts:1:1: a device tree source begins with '/dts-v1/;', found the end of the text");
  t.match(outcome('/dts-v1/;'), /no root node/);
  t.equal(outcome('/dts-v1/;\n/ { a = <1> };'), "syntax: x.dts:2:13: expected ';' behind the property a, found '}'");
  t.equal(
    outcome('/dts-v1/;\n/ { a'),
    "syntax: x.dts:2:6: expected ';' behind the property a, found the end of the text",
  );
  t.match(outcome('/dts-v1/; / { n { } };'), /expected ';', found '}'/);
  t.match(outcome('/dts-v1/; / { a = "x'), /1:19: the string has no end/);
  t.match(outcome('/dts-v1/; / { } /* x'), /1:17: the comment has no end/);
  t.match(outcome('/dts-v1/; / { a = [1]; };'), /two hexadecimal digits/);
  t.match(outcome('/dts-v1/; / { a = <1x>; };'), /^syntax/);
  t.match(outcome('/dts-v1/; / { a = <08>; };'), /no octal number/);
  t.match(outcome('/dts-v1/; / { a = /bits/ 7 <1>; };'), /8, 16, 32 or 64/);
  t.match(outcome('/dts-v1/; / { n { }; a; };'), /behind a child node/);
  t.match(outcome('/dts-v1/; / { a@1; };'), /no property name/);
  t.match(outcome('/dts-v1/; / { #n { }; };'), /no node name/);
});

t.test('references to nothing, and things that are twice', async (t) => {
  t.equal(outcome('/dts-v1/; / { a = <&x>; };'), 'undefined reference: x.dts:1:20: there is no node labelled x');
  t.equal(outcome('/dts-v1/; / { a = &{/n}; };'), 'undefined reference: x.dts:1:19: there is no node /n');
  t.match(outcome('/dts-v1/; / { }; &x { };'), /^undefined reference/);
  t.match(outcome('/dts-v1/; / { }; /delete-node/ &x;'), /^undefined reference/);
  t.match(outcome('/dts-v1/; / { n: n { }; a = &n; }; /delete-node/ &n;'), /^syntax/);
  t.match(outcome('/dts-v1/; / { a = &n; n: n { }; }; /delete-node/ &n;'), /^undefined reference/);
  t.match(outcome('/dts-v1/; / { a; a; };'), /^duplicate/);
  t.match(outcome('/dts-v1/; / { n { }; n { }; };'), /^duplicate/);
  t.match(outcome('/dts-v1/; / { x: n { }; x: m { }; };'), /^duplicate.*stands for \/n already/);
  t.match(outcome('/dts-v1/; / { n { phandle = <1>; }; m { phandle = <1>; }; };'), /^duplicate/);
  t.match(outcome('/dts-v1/; / { phandle = <0>; };'), /^out of range/);
});

t.test('what is not supported says so', async (t) => {
  t.match(outcome('/dts-v1/; /plugin/; / { };'), /^unsupported/);
  t.match(outcome('/dts-v1/; / { /include/ "a" };'), /^unsupported/);
  t.match(outcome('/dts-v1/; / { a = /incbin/("x"); };'), /^unsupported/);
  t.match(outcome('/dts-v1/;\n#include <a.h>\n/ { };'), /^unsupported: x\.dts:2:1/);
});

t.test('nesting is bounded', async (t) => {
  t.match(outcome(`/dts-v1/; / { ${'n { '.repeat(100)}`), /^nesting/);
  t.match(outcome(`/dts-v1/; / { a = <${'('.repeat(10000)}`), /^nesting/);
  t.match(outcome(`/dts-v1/; / { a = <(${'~'.repeat(10000)}`), /^nesting/);
  t.match(outcome(`/dts-v1/; / { a = <(${'1 ? 1 : '.repeat(10000)}`), /^nesting/);
});

t.test('a printed tree is read as the same tree', async () => {
  fc.assert(
    fc.property(
      arbitraryTree.filter((tree) =>
        [...tree.root.walk()].every((node) => !node.has('phandle') && !node.has('linux,phandle')),
      ),
      (tree) => sameTree(readDts(printDts(tree)).tree, tree),
    ),
    { numRuns: 200, seed: 3 },
  );
});

t.test('no text makes the reader throw anything else', async () => {
  const piece = fc.constantFrom(
    ...['/dts-v1/;', '/ {', '};', 'a', ' = ', '<', '>', '(', ')', '&a', '"', "'", '[', ']', 'a:', '1', '0x', ';', ','],
    ...[
      '/bits/ 8',
      '/delete-node/',
      '/delete-property/',
      '/memreserve/',
      '/*',
      '*/',
      '//',
      '\n',
      '&{/',
      '}',
      '?',
      ':',
      '-',
    ],
    ...['phandle', '\\', '@', '#', '{', ' '],
  );
  fc.assert(
    fc.property(fc.array(piece, { maxLength: 40 }), fc.boolean(), (pieces, begun) => {
      outcome(`${begun ? '/dts-v1/; / { ' : ''}${pieces.join('')}`);
      return true;
    }),
    { numRuns: 2000, seed: 4 },
  );
});

t.test('dtc reads the same tree from the same text', { skip: hasDtc ? false : 'dtc is not installed' }, async (t) => {
  const texts = [
    '/ { p = <&b 1 &{/x/b@2}>, <&a>; where = &b; x { a: a@1 { }; b: b@2 { phandle = <1>; }; }; };',
    '/memreserve/ 0x100000000 0x1000; / { p = "a\\n\\x41\\101", <(1 + 2 * 3 << 1)>, [01 02], /bits/ 64 <(-1)>; };',
    '/ { a = <1>; n: node { x = <1>; }; }; / { a = <3>; b; node { z; }; }; &n { x = <4>; w = &n; };',
    "/ { p = <(0 ? 1 : 2 ? 3 : 4) 'a' (~0) (!0 + !5) (1 < 2 && 2 >= 3 || 7 % 4 == 3)>; };",
  ];
  for (const text of texts) {
    const source = `/dts-v1/;\n${text}`;
    const blob = execFileSync('dtc', ['-q', '-f', '-I', 'dts', '-O', 'dtb'], {
      input: source,
      stdio: ['pipe', 'pipe', 'ignore'],
    });
    t.same(plain(decodeFdt(blob).root), plain(readDts(source).tree.root), text);
  }
});
