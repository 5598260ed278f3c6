import t from 'tap';
import { runChecks } from './run.js';
import { BENCH, checkFile, inShort, runSample } from './sample.test-support.js';

const COUNTS = 'expect.equal(bench.up(), 1, "the first operation counts to one");';

t.test('a check that passes and kills a mutant leaves two records', async (t) => {
  const root = t.testdir({
    'bench.js': BENCH,
    'a.check.js': checkFile(
      { counts: COUNTS },
      `mutant('steps by two', { violates: ['Req~count~1'] }, (model) => ({ ...model, step: (value) => value + 2 }));`,
    ),
  });
  const { records, checks, mutants, columns, diagnostics } = await runSample(root);
  t.same(diagnostics, []);
  t.same(records.map(inShort), ['counts -> pass 1', 'counts + steps by two -> fail 1']);
  const [plain, mutated] = records;
  t.equal(mutated?.message, 'the first operation counts to one: expected 1, got 2');
  t.match(mutated?.place, { path: 'a.check.js', line: 3, column: 8 });
  t.match(plain?.transcriptDigest, /^[0-9a-f]{64}$/);
  t.not(plain?.transcriptDigest, mutated?.transcriptDigest, 'the machine saw something else');
  t.match(plain?.object, /^counter [0-9a-f]{12}$/);
  t.same(Object.keys(plain?.inputDigests ?? {}), ['object', 'bench', 'platform:width', 'check']);
  t.same(Object.keys(mutated?.inputDigests ?? {}), ['object', 'bench', 'platform:width', 'check', 'mutant']);
  t.match(checks, [{ requirement: 'Req~count~1', check: 'counts', place: { path: 'a.check.js', line: 2, column: 1 } }]);
  t.match(mutants, [{ mutant: 'steps by two', violates: ['Req~count~1'], place: { path: 'a.check.js', line: 5 } }]);
  t.match(columns, [{ key: 'wide', platform: 'wide', machine: '64 bits', object: plain?.object }]);
});

t.test('a check without assertions passes with none, with a mutant too', async (t) => {
  const root = t.testdir({
    'bench.js': BENCH,
    'a.check.js': checkFile(
      { empty: 'bench.up();' },
      `mutant('steps by two', { violates: ['Req~count~1'] }, (model) => ({ ...model, step: (value) => value + 2 }));`,
    ),
  });
  const { records } = await runSample(root);
  t.same(records.map(inShort), ['empty -> pass 0', 'empty + steps by two -> pass 0']);
});

t.test('a mutant that no assertion notices survives: it passes, and the machine saw something else', async (t) => {
  const root = t.testdir({
    'bench.js': BENCH,
    'a.check.js': checkFile(
      { 'counts up': 'expect.ok(bench.up() > 0, "it counts up");' },
      `mutant('steps by two', { violates: ['Req~count~1'] }, (model) => ({ ...model, step: (value) => value + 2 }));`,
    ),
  });
  const { records } = await runSample(root);
  t.same(records.map(inShort), ['counts up -> pass 1', 'counts up + steps by two -> pass 1']);
  t.not(records[0]?.transcriptDigest, records[1]?.transcriptDigest);
});

t.test('a mutant that breaks the start is an error and not a kill', async (t) => {
  const root = t.testdir({
    'bench.js': BENCH,
    'a.check.js': checkFile(
      { counts: COUNTS },
      `mutant('does not start', { violates: ['Req~count~1'] }, (model) => ({ ...model, start() { throw new Error('no'); } }));`,
    ),
  });
  const { records } = await runSample(root);
  t.same(records.map(inShort), ['counts -> pass 1', 'counts + does not start -> error 0']);
  t.equal(records[1]?.message, 'starting the bench: Error: no');
});

t.test('a mutant that changes nothing leaves the digest as it was', async (t) => {
  const root = t.testdir({
    'bench.js': BENCH,
    'a.check.js': checkFile(
      { counts: COUNTS },
      `mutant('is none', { violates: ['Req~count~1'] }, (model) => ({ ...model }));`,
    ),
  });
  const { records } = await runSample(root);
  t.same(records.map(inShort), ['counts -> pass 1', 'counts + is none -> pass 1']);
  t.equal(records[0]?.transcriptDigest, records[1]?.transcriptDigest);
});

t.test('a mutant that changes the subject in place is an error and reaches no other run', async (t) => {
  const root = t.testdir({
    'bench.js': BENCH.replace('subject: () => ({ step: (value) => value + 1,', 'subject: () => ({ ...shared,').replace(
      'export const',
      'const shared = { step: (value) => value + 1, deep: { limit: 3 } };\nexport const',
    ),
    'a.check.js': checkFile(
      { counts: COUNTS, 'counts again': COUNTS },
      `mutant('in place', { violates: ['Req~count~1'] }, (model) => { model.deep.limit = 4; return { ...model }; });`,
    ),
  });
  const { records } = await runSample(root, { lanes: 1 });
  t.same(records.map(inShort), [
    'counts -> pass 1',
    'counts + in place -> error 0',
    'counts again -> pass 1',
    'counts again + in place -> error 0',
  ]);
  t.match(records[1]?.message, 'the mutant changes the subject in place');
});

t.test('a check whose baseline fails is not run with mutants', async (t) => {
  const root = t.testdir({
    'bench.js': BENCH,
    'a.check.js': checkFile(
      { fails: 'expect.equal(bench.up(), 7, "it is seven");' },
      `mutant('is none', { violates: ['Req~count~1'] }, (model) => ({ ...model }));`,
    ),
  });
  const { records } = await runSample(root);
  t.same(records.map(inShort), ['fails -> fail 1']);
});

t.test('a failure that the check swallows is a failure still', async (t) => {
  const root = t.testdir({
    'bench.js': BENCH,
    'a.check.js': checkFile({
      swallows: 'try { expect.fail("must not be reached"); } catch {}\nexpect.ok(true, "goes on");',
    }),
  });
  const { records } = await runSample(root);
  t.same(records.map(inShort), ['swallows -> fail 2']);
  t.equal(records[0]?.message, 'must not be reached');
});

t.test('a problem that the bench reports makes the run an error, unless an assertion had failed before', async (t) => {
  const root = t.testdir({
    'bench.js': BENCH,
    'a.check.js': checkFile({
      'problem alone': 'bench.run.problem("the counter overflows");\nexpect.ok(true, "goes on");',
      'problem first': 'bench.run.problem("the counter overflows");\nexpect.fail("later");',
      'failure first': 'try { expect.fail("earlier"); } catch {}\nbench.run.problem("the counter overflows");',
    }),
  });
  const { records } = await runSample(root);
  t.same(records.map(inShort), ['failure first -> fail 1', 'problem alone -> error 1', 'problem first -> error 1']);
  t.match(records[1], { message: 'the counter overflows', place: { path: 'a.check.js', line: 3 } });
});

t.test(
  'what applies where: n/a is not run, a part runs where it means something, an unknown part is an error',
  async (t) => {
    const root = t.testdir({
      'bench.js': BENCH,
      'a.check.js': `import { check, mutant } from './bench.js';
check('Req~reverse~1', 'down', ({ expect }) => expect.ok(true, 'yes'));
check('Req~parts~1', 'goes up', { aspect: 'up' }, ({ expect }) => expect.ok(true, 'yes'));
check('Req~parts~1', 'goes down', { aspect: 'down' }, ({ expect }) => expect.ok(true, 'yes'));
check('Req~parts~1', 'goes sideways', { aspect: 'sideways' }, ({ expect }) => expect.ok(true, 'yes'));
mutant('reverse is lost', { violates: ['Req~parts~1'], features: ['reverse'] }, (model) => ({ ...model }));
mutant('only on narrow', { violates: ['Req~parts~1'], platforms: ['nar*'] }, (model) => ({ ...model }));
mutant('nowhere', { violates: ['Req~parts~1'], platforms: ['tall'] }, (model) => ({ ...model }));
`,
    });
    const run = await runSample(root, { requirements: ['Req~parts~1', 'Req~reverse~1'], platforms: ['*'] });
    t.same(
      run.records.map((record) => `${record.platform}: ${inShort(record)}`),
      [
        'narrow: goes sideways -> error 0',
        'narrow: goes up -> pass 1',
        'narrow: goes up + only on narrow -> pass 1',
        'wide: goes down -> pass 1',
        'wide: goes down + reverse is lost -> pass 1',
        'wide: goes sideways -> error 0',
        'wide: goes up -> pass 1',
        'wide: goes up + reverse is lost -> pass 1',
        'wide: down -> pass 1',
      ],
    );
    t.match(run.records[0]?.message, "the requirement has no part 'sideways'");
    t.same(run.applicability, {
      notApplicable: [{ requirement: 'Req~reverse~1', platform: 'narrow', reason: 'it cannot count down' }],
      aspects: [
        { requirement: 'Req~parts~1', aspect: 'up' },
        { requirement: 'Req~parts~1', aspect: 'down', platforms: ['wide'] },
      ],
    });
    t.match(run.diagnostics, [{ code: 'mutant-applies-nowhere', severity: 'warning' }]);
    t.equal(run.diagnostics.length, 1);
  },
);

t.test('two checks, or two mutants, of one requirement with one title are errors', async (t) => {
  const root = t.testdir({
    'bench.js': BENCH,
    'a.check.js': checkFile({ same: COUNTS, other: COUNTS }),
    'b.check.js': checkFile(
      { same: COUNTS },
      `for (const by of [2, 3]) mutant('steps', { violates: ['Req~count~1'] }, (model) => ({ ...model, step: (value) => value + by }));`,
    ),
  });
  const { records } = await runSample(root);
  t.same(records.map(inShort), ['other -> pass 1', 'other + steps -> error 0', 'same -> error 0']);
});

t.test('an id that is none is a diagnostic', async (t) => {
  const root = t.testdir({
    'bench.js': BENCH,
    'a.check.js': `import { check, mutant } from './bench.js';
check('Req~count', 'no revision', () => {});
mutant('no id', { violates: ['count'] }, (model) => ({ ...model }));
// Req~count~1`,
  });
  const { diagnostics } = await runSample(root);
  t.match(diagnostics, [
    { code: 'check-malformed-id', place: { path: 'a.check.js', line: 2, column: 1, offset: 44 } },
    { code: 'check-malformed-id', place: { path: 'a.check.js', line: 3, column: 1 } },
  ]);
});

t.test('only files that name a wanted requirement are loaded, at whatever revision', async (t) => {
  const root = t.testdir({
    'bench.js': BENCH,
    'a.check.js': checkFile({ counts: COUNTS }),
    'b.check.js': `import { check } from './bench.js';\ncheck('Req~count~7', 'newer', () => {});`,
    'c.check.js': `// Req~other~1\nthrow new Error('must not be loaded');`,
  });
  const { records, checks, diagnostics } = await runSample(root);
  t.same(records.map(inShort), ['counts -> pass 1']);
  t.same(
    checks.map(({ requirement }) => requirement),
    ['Req~count~1', 'Req~count~7'],
  );
  t.same(diagnostics, []);
  const all = await runSample(root, { loadAll: true });
  t.match(all.diagnostics, [{ code: 'check-does-not-load', place: { path: 'c.check.js', line: 2, column: 7 } }]);
});

t.test('transcripts are kept as asked for', async (t) => {
  const root = t.testdir({
    'bench.js': BENCH,
    'a.check.js': checkFile(
      { counts: COUNTS, fails: 'expect.equal(bench.up(), 7, "it is seven");' },
      `mutant('is none', { violates: ['Req~count~1'] }, (model) => ({ ...model }));`,
    ),
  });
  const held = async (transcript: 'none' | 'failing' | 'baseline' | 'all') =>
    (await runSample(root, { transcript })).records.map((record) => record.transcript !== undefined);
  t.same(await held('none'), [false, false, false]);
  t.same(await held('failing'), [false, false, true]);
  t.same(await held('baseline'), [true, false, true]);
  t.same(await held('all'), [true, true, true]);
  const { records } = await runSample(root, { transcript: 'failing' });
  t.same(records[2]?.transcript, [
    { depth: 0, actor: 'counter', text: 'up to 1' },
    { depth: 0, actor: 'expect', text: 'it is seven: expected 7, got 1', held: false },
  ]);
});

t.test('mutants are left out, chosen by title, or listed with nothing run', async (t) => {
  const root = t.testdir({
    'bench.js': BENCH,
    'a.check.js': checkFile(
      { counts: COUNTS },
      `for (const by of [2, 3]) mutant('steps by ' + by, { violates: ['Req~count~1'] }, (model) => ({ ...model, step: (value) => value + by }));`,
    ),
  });
  t.same((await runSample(root, { mutants: 'none' })).records.map(inShort), ['counts -> pass 1']);
  t.same((await runSample(root, { mutants: { titleContains: '3' } })).records.map(inShort), [
    'counts -> pass 1',
    'counts + steps by 3 -> fail 1',
  ]);
  const listed = await runSample(root, { listOnly: true });
  t.same([listed.records.length, listed.checks.length, listed.mutants.length], [0, 1, 2]);
});

t.test('a bench that journals nothing is told so', async (t) => {
  const root = t.testdir({
    'bench.js': BENCH.replaceAll('run.journal', 'void '),
    'a.check.js': checkFile({ counts: COUNTS }),
  });
  const { diagnostics } = await runSample(root);
  t.match(diagnostics, [{ code: 'bench-without-trace', severity: 'warning', place: { path: 'bench.js' } }]);
});

t.test('the result is the same bytes in any order of files and checks, and with one lane or two', async (t) => {
  const bodies = Object.fromEntries(
    Array.from({ length: 12 }, (_, at) => [
      `counts ${at}`,
      `for (let i = 0; i < ${at}; i++) bench.up();\n${at === 5 ? 'process.exit(0);' : ''}\nexpect.equal(bench.up(), ${at + 1}, "it counts");`,
    ]),
  );
  const mutants = `for (const by of [2, 3]) mutant('steps by ' + by, { violates: ['Req~count~1'] }, (model) => ({ ...model, step: (value) => value + by }));`;
  const reversed = Object.fromEntries(Object.entries(bodies).reverse());
  const forward = t.testdir({
    forward: { 'bench.js': BENCH, 'a.check.js': checkFile(bodies, mutants) },
    backward: { 'bench.js': BENCH, 'a.check.js': checkFile(reversed, mutants) },
  });
  const bytes = async (folder: string, lanes: number) => {
    const { records } = await runSample(`${forward}/${folder}`, { lanes });
    // Where a check stands, and the digest of its file, are what the order in the file changes.
    return JSON.stringify(records.map(({ place: _place, inputDigests: _digests, ...rest }) => rest));
  };
  const one = await bytes('forward', 1);
  // Each check by itself, a kill for each mutant, and one for each of the other nine checks that pass.
  t.equal(JSON.parse(one).length, 12 + 2 + 9);
  t.equal(await bytes('backward', 1), one);
  t.equal(await bytes('forward', 2), one);
  t.equal(await bytes('backward', 2), one);
  const whole = [
    await runSample(`${forward}/forward`, { lanes: 1 }),
    await runSample(`${forward}/forward`, { lanes: 2 }),
  ];
  t.equal(JSON.stringify(whole[1]), JSON.stringify(whole[0]));
});

t.test('what goes wrong once is repeated in a fresh lane: the second result counts, with a warning', async (t) => {
  const root = t.testdir({
    'bench.js': BENCH,
    'a.check.js': `import { existsSync, writeFileSync } from 'node:fs';
${checkFile({ counts: COUNTS, 'fails to begin with': 'const mark = new URL("mark", import.meta.url);\nif (!existsSync(mark)) { writeFileSync(mark, ""); throw new Error("cold"); }' })}`,
  });
  const { records, diagnostics } = await runSample(root);
  t.same(records.map(inShort), ['counts -> pass 1', 'fails to begin with -> pass 0']);
  t.match(diagnostics, [
    {
      code: 'check-unstable',
      severity: 'warning',
      message:
        "Req~count~1, 'fails to begin with' on wide: ended in an error, and not when it was repeated: Error: cold",
    },
  ]);
});

t.test('a project below a symbolic link has the places of the project', async (t) => {
  const root = t.testdir({
    real: { 'bench.js': BENCH, 'a.check.js': checkFile({ fails: 'expect.fail("never");' }) },
    link: t.fixture('symlink', 'real'),
  });
  const { records } = await runSample(`${root}/link`);
  t.match(records, [{ outcome: 'fail', place: { path: 'a.check.js', line: 3, column: 8 } }]);
});

t.test('aborting ends the lanes and rejects with the reason', async (t) => {
  const root = t.testdir({ 'bench.js': BENCH, 'a.check.js': checkFile({ endless: 'for (;;);' }) });
  const abort = new AbortController();
  setTimeout(() => abort.abort(new Error('interrupted')), 300);
  await t.rejects(
    runChecks({
      root,
      configuration: { bench: 'bench.js', files: ['*.check.js'], sources: [] },
      requirements: ['Req~count~1'],
      signal: abort.signal,
    }),
    { message: 'interrupted' },
  );
});
