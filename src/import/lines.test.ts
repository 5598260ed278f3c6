import t from 'tap';
import { findLines, lineOf } from './lines.js';

/** Each line as its start, content, end and indentation. */
function rows(text: string): number[][] {
  const lines = findLines(text);
  const row = (k: number) => [lines.start[k]!, lines.content[k]!, lines.end[k]!, lines.indent[k]!];
  return Array.from({ length: lines.count }, (_, k) => row(k));
}

t.test('a line has its start, its content without white space, and its indentation', async (t) => {
  t.same(rows('ab\n  c \n\n'), [
    [0, 0, 2, 0],
    [3, 5, 6, 2],
    [8, 8, 8, 0],
  ]);
});

t.test('lines end with a line feed, a carriage return or both', async (t) => {
  t.same(
    rows('a\r\nb\rc\nd').map(([start, , end]) => [start, end]),
    [
      [0, 1],
      [3, 4],
      [5, 6],
      [7, 8],
    ],
  );
});

t.test('tabs go to the next multiple of eight, a byte order mark takes no column', async (t) => {
  t.equal(rows('\ta')[0]?.[3], 8);
  t.equal(rows('   \ta')[0]?.[3], 8);
  t.equal(rows('\t a')[0]?.[3], 9);
  t.same(rows('\ufeffa'), [[0, 1, 2, 0]]);
});

t.test('a text without any line has none, and tables are used again', async (t) => {
  t.equal(findLines('').count, 0);
  const first = findLines('a\nb\nc');
  const second = findLines('d', first);
  t.equal(second.start, first.start);
  t.equal(second.count, 1);
});

t.test('the line of an offset is found from any line nearby', async (t) => {
  const lines = findLines('ab\ncd\nef');
  t.equal(lineOf(lines, 4, 0), 1);
  t.equal(lineOf(lines, 0, 2), 0);
  t.equal(lineOf(lines, 8, 1), 2);
});
