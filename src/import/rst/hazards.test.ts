import t from 'tap';
import { findLines } from '../lines.js';
import { importRst } from './items.js';
import { tokenize } from './tokenizer.js';
import { TreeSink } from './tree.js';

/** Reads a text into both sinks and gives the milliseconds. */
function read(text: string): number {
  const start = performance.now();
  importRst(text, 'a');
  const lines = findLines(text);
  const sink = new TreeSink(text, lines);
  tokenize(text, sink, lines);
  sink.finish();
  return performance.now() - start;
}

/** Texts that make careless readers quadratic, recursive or endless, as functions of a size. */
const HAZARDS: Readonly<Record<string, (n: number) => string>> = {
  'a role that never ends': (n) => ':a'.repeat(n),
  backticks: (n) => '`'.repeat(n),
  'backticks apart': (n) => '` '.repeat(n),
  'emphasis that never ends': (n) => '*a '.repeat(n),
  'strong that never ends': (n) => '**a '.repeat(n),
  'literals that never end': (n) => '``a '.repeat(n),
  'substitutions that never end': (n) => '|a '.repeat(n),
  'targets that never end': (n) => '_`a '.repeat(n),
  references: (n) => 'a_b_'.repeat(n),
  underscores: (n) => '_'.repeat(n),
  brackets: (n) => '['.repeat(n),
  backslashes: (n) => '\\'.repeat(n),
  colons: (n) => ':'.repeat(n),
  'bullets on one line': (n) => '- '.repeat(n),
  'enumerators on one line': (n) => '1. '.repeat(n),
  'fields on one line': (n) => ':a: '.repeat(n),
  'options on one line': (n) => '-a, '.repeat(n),
  'a long word': (n) => 'a'.repeat(n * 4),
  'a long adornment': (n) => `${'='.repeat(n)}\n`.repeat(4),
  'short adornments': (n) => '==\n'.repeat(n),
  tildes: (n) => `req${'~a'.repeat(n)}`,
  'ids on one line': (n) => 'req~a~1 '.repeat(n),
  'arrows on one line': (n) => 'a --> b '.repeat(n),
  'a long covers bullet': (n) => `\`req~a~1\`\n\nCovers:\n - ${'a~b~'.repeat(n)}`,
  'a long needs line': (n) => `\`req~a~1\`\n\nNeeds: ${'a, '.repeat(n)}`,
  'blank lines': (n) => '\n'.repeat(n),
  'simple tables without an end': (n) => '== ==\na  b\n'.repeat(n),
  'terms that may be constructs': (n) => '*a\n b\n'.repeat(n),
  'footnotes on one line': (n) => '.. [1] '.repeat(n),
  'carriage returns': (n) => 'a\r'.repeat(n),
  NULs: (n) => '\0'.repeat(n),
};

for (const [name, make] of Object.entries(HAZARDS)) {
  t.test(`linear and without a throw: ${name}`, async (t) => {
    read(make(1000));
    const small = read(make(10_000));
    const large = read(make(40_000));
    // Four times the text; quadratic would be sixteen times, and a pause of the machine is allowed for.
    t.ok(large < Math.max(small * 11, 150), `${small.toFixed(1)} ms, ${large.toFixed(1)} ms`);
  });
}

t.test('deep nesting is bounded, so that a tree can be walked by recursion', async (t) => {
  const stairs = Array.from({ length: 1000 }, (_, depth) => `${' '.repeat(depth)}x\n`).join('\n');
  const text = `${stairs}\n\n\`req~a~1\`\n\nText.\n`;
  const lines = findLines(text);
  const sink = new TreeSink(text, lines);
  tokenize(text, sink, lines);
  t.doesNotThrow(() => JSON.stringify(sink.finish()));
  t.ok(sink.problems.some((problem) => problem.code === 'rst-too-deep'));
  t.same(
    importRst(text, 'a').items.map((item) => item.id),
    ['req~a~1'],
    'the rest is intact',
  );
});

t.test('a line of many megabytes is read like any other', async (t) => {
  const text = `\`req~a~1\`\n\n${'long '.repeat(4_000_000)}\n\nNeeds: dsn\n`;
  const { items, diagnostics } = importRst(text, 'a');
  t.same(diagnostics, []);
  t.equal(items[0]?.description.length, 4_000_000 * 5 - 1);
  t.equal(items[0]?.needs.length, 1);
});
