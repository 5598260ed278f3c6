import { utimesSync } from 'node:fs';
import t from 'tap';
import { BENCH, checkFile, inShort, runSample } from './sample.test-support.js';

const COUNTS = 'expect.equal(bench.up(), 1, "one");';
const GOOD = checkFile({ good: COUNTS });

/** A file that does not load: the message of its diagnostic, and where it points. */
const BROKEN: Readonly<
  Record<string, readonly [text: string, message: string | RegExp, line: number, column: number]>
> = {
  'has a syntax error': ['// Req~count~1\nconst x = ;\n', /SyntaxError: Unexpected token ';'/, 2, 11],
  'imports what is not there': [
    "// Req~count~1\nimport { nothing } from './bench.js';\n",
    /SyntaxError: .*'nothing'/,
    2,
    10,
  ],
  'imports a file that is not there': [
    "// Req~count~1\nimport './gone.js';\n",
    /Cannot find module 'gone.js' imported from b02.check.js/,
    1,
    1,
  ],
  throws: ['// Req~count~1\n\n  throw new Error("at load");\n', /Error: at load$/, 3, 9],
  'exits at once': ['// Req~count~1\nprocess.exit(0);\n', /its process ended itself with status 0$/, 1, 1],
  'loops for ever': ['// Req~count~1\nfor (;;);\n', /did not end within 700 ms of wall clock/, 1, 1],
  'waits for ever': ['// Req~count~1\nawait new Promise(() => {});\n', /never settles/, 1, 1],
  prints: ['// Req~count~1\nconsole.log("hello");\n', /writes to standard output while it loads: hello$/, 1, 1],
  'leaves a rejected promise': [
    '// Req~count~1\nPromise.reject(new Error("nobody"));\n',
    /nobody handled it: Error: nobody/,
    1,
    1,
  ],
  'leaves a timer': [
    '// Req~count~1\nsetInterval(() => {}, 9);\n',
    /leaves something running after it has loaded$/,
    1,
    1,
  ],
  'changes a global object': ['// Req~count~1\nMath.max = () => 7;\n', /changed Math.max while it loaded$/, 1, 1],
  'gives a check no body': [
    "import { check } from './bench.js';\ncheck('Req~count~1', 'none');\n",
    /has no body/,
    2,
    1,
  ],
  'registers on another bench': [
    "import { defineBench } from 'INDEX';\nconst { check } = defineBench({ object: { name: 'x' }, platforms: [], applicability: [], subject() {}, start() {} });\ncheck('Req~count~1', 'x', () => {});\n",
    /uses another bench/,
    3,
    1,
  ],
};

t.test('files that do not load are diagnostics, and errors in the cells that they speak of', async (t) => {
  const entries = Object.entries(BROKEN);
  const index = new URL('./index.js', import.meta.url).href;
  const nameOf = (at: number) => `b${String(at).padStart(2, '0')}.check.js`;
  const root = t.testdir({
    'bench.js': BENCH,
    'a.check.js': GOOD,
    ...Object.fromEntries(entries.map(([, [text]], at) => [nameOf(at), text.replace('INDEX', index)])),
    'c.check.js': checkFile({ 'also good': COUNTS }),
  });
  const limits = { operations: 1000, milliseconds: 700, heapMiB: 64, memoryMiB: 400 };
  const { records, diagnostics, checks } = await runSample(root, { limits });
  for (const [at, [what, [, message, line, column]]] of entries.entries()) {
    const place = { path: nameOf(at), line, column };
    t.match(diagnostics[at], { code: 'check-does-not-load', severity: 'error', message, place }, `a file that ${what}`);
    t.ok(diagnostics[at]?.message.startsWith(`${nameOf(at)}: `), 'the message names the file');
  }
  t.equal(diagnostics.length, entries.length);
  const errors = entries.map((_, at) => `${nameOf(at)} -> error 0`);
  t.same(records.map(inShort), ['also good -> pass 1', ...errors, 'good -> pass 1']);
  t.same(
    checks.map(({ check }) => check),
    ['also good', ...entries.map((_, at) => nameOf(at)), 'good'],
    'the matrix finds a check for each error',
  );
});

t.test('a bench that does not load leaves nothing but a diagnostic', async (t) => {
  const broken = {
    'bench.js': 'const x = ;',
    'a.check.js': GOOD,
  };
  const run = await runSample(t.testdir(broken));
  t.match(run.diagnostics, [
    { code: 'bench-does-not-load', message: /Unexpected token/, place: { path: 'bench.js', line: 1, column: 11 } },
  ]);
  t.same([run.records, run.columns], [[], []]);
});

t.test('a bench that contradicts itself is told so at its place', async (t) => {
  const root = t.testdir({ 'bench.js': BENCH.replace("name: 'narrow'", "name: 'wide'"), 'a.check.js': GOOD });
  const { diagnostics } = await runSample(root);
  t.match(diagnostics, [
    { code: 'bench-does-not-load', message: /Two platforms are named 'wide'/, place: { path: 'bench.js', line: 3 } },
  ]);
});

t.test('a missing bench and a pattern that matches nothing are errors', async (t) => {
  const { diagnostics } = await runSample(t.testdir({ 'a.check.js': GOOD }), {
    configuration: { bench: 'bench.js', files: ['*.check.js', 'mutants/*.js'], sources: [] },
  });
  t.match(diagnostics, [
    { code: 'check-files-missing', message: /'mutants\/\*\.js'/ },
    { code: 'bench-does-not-load', message: /Cannot find module 'bench.js'/ },
  ]);
});

t.test('a built file whose source has changed since is an error, not a stale pass', async (t) => {
  const root = t.testdir({
    'bench.js': BENCH,
    src: { 'a.check.ts': '// newer' },
    dist: { src: { 'a.check.js': GOOD.replace('./bench.js', '../../bench.js') } },
  });
  const configuration = { bench: 'bench.js', files: ['dist/**/*.check.js'], sources: ['src/**/*.ts'] };
  const limits = { milliseconds: 5000 };
  utimesSync(`${root}/src/a.check.ts`, 1000, 1000);
  t.same((await runSample(root, { configuration, limits })).diagnostics, []);

  utimesSync(`${root}/src/a.check.ts`, 4e9, 4e9);
  const { records, diagnostics } = await runSample(root, { configuration, limits });
  t.same(records.map(inShort), ['dist/src/a.check.js -> error 0']);
  t.match(diagnostics, [{ code: 'check-outdated-build', place: { path: 'src/a.check.ts', line: 1, column: 1 } }]);
});

t.test('an object under check that is out of date stops the run', async (t) => {
  const root = t.testdir({
    'bench.js': BENCH.replace("digestFiles: ['bench.js']", "digestFiles: ['dist/**/*.js']"),
    'a.check.js': GOOD,
    model: { 'counter.ts': '' },
    dist: { model: { 'counter.js': '' } },
  });
  utimesSync(`${root}/model/counter.ts`, 4e9, 4e9);
  const { records, diagnostics } = await runSample(root, {
    configuration: { bench: 'bench.js', files: ['*.check.js'], sources: ['model/*.ts'] },
  });
  t.same(records, []);
  t.match(diagnostics, [
    {
      code: 'check-outdated-build',
      message: 'dist/model/counter.js is older than its source model/counter.ts, which has changed',
    },
  ]);
});

t.test('a failure in a built file points at its source', async (t) => {
  // One mapping: line 1 of the built file, from column 0 on, comes of line 3, column 5 of the source.
  const map = { version: 3, sources: ['a.check.ts'], names: [], mappings: ';;AAEI' };
  const root = t.testdir({
    'bench.js': BENCH,
    'a.check.ts': '// Req~count~1\n\n    expect.fail();\n',
    'a.check.js': `${checkFile({ fails: 'expect.fail("never");' })}//# sourceMappingURL=a.check.js.map\n`,
    'a.check.js.map': JSON.stringify(map),
  });
  utimesSync(`${root}/a.check.ts`, 1000, 1000);
  const { records } = await runSample(root);
  t.match(records, [{ outcome: 'fail', place: { path: 'a.check.ts', line: 3, column: 5, offset: 20 } }]);
});

t.test('an error deep in the model points at the model, with no path of this machine', async (t) => {
  const root = t.testdir({
    'bench.js': BENCH.replace(
      'step: (value) => value + 1',
      'step(value) {\n  throw new Error("in " + import.meta.url); }',
    ),
    'a.check.js': GOOD,
  });
  const { records } = await runSample(root);
  t.match(records, [
    { outcome: 'error', message: 'Error: in bench.js', place: { path: 'bench.js', line: 17, column: 9 } },
  ]);
});
