import t from 'tap';
import { BENCH, checkFile, inShort, runSample } from './sample.test-support.js';

const LIMITS = { operations: 1000, milliseconds: 1500, heapMiB: 24, memoryMiB: 200 };

t.test('each limit ends the run that meets it, names itself, and leaves the others as they are', async (t) => {
  const root = t.testdir({
    'bench.js': BENCH,
    'a.check.js': checkFile({
      'a good': 'expect.equal(bench.up(), 1, "one");',
      'b endless loop': 'for (;;);',
      'c backtracking': '/^(a+)+$/.test("a".repeat(60) + "b");',
      'd heap': 'const all = []; for (;;) all.push({ all });',
      'e typed arrays': 'const all = []; for (;;) all.push(new Uint8Array(8 << 20).fill(1));',
      'f operations': 'for (;;) bench.up();',
      'g good': 'expect.equal(bench.up(), 1, "one");',
    }),
  });
  const { records, diagnostics } = await runSample(root, { limits: LIMITS });
  t.same(
    records.map((record) => `${inShort(record)} ${record.message ?? ''}`),
    [
      'a good -> pass 1 ',
      'b endless loop -> error 0 did not end within 1500 ms of wall clock',
      'c backtracking -> error 0 did not end within 1500 ms of wall clock',
      'd heap -> error 0 took more than 24 MiB of JavaScript heap',
      'e typed arrays -> error 0 took more than 200 MiB of memory',
      'f operations -> error 0 took more than 1000 operations of the model: the run was ended there',
      'g good -> pass 1 ',
    ],
  );
  t.same(diagnostics, []);
});

t.test('the limit of operations counts exactly', async (t) => {
  const root = t.testdir({
    'bench.js': BENCH,
    'a.check.js': checkFile({
      'at the limit': 'for (let i = 0; i < 1000; i++) bench.up();',
      'one beyond': 'for (let i = 0; i < 1001; i++) bench.up();',
    }),
  });
  const { records } = await runSample(root, { limits: LIMITS });
  t.same(records.map(inShort), ['at the limit -> pass 0', 'one beyond -> error 0']);
});
