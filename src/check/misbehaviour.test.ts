/** Checks that misbehave, each between two that do not: what is said of them, and that nothing else changes. */
import t from 'tap';
import { BENCH, checkFile, runSample } from './sample.test-support.js';

/** What must be said of each: the body of a check, and the message of its error. */
const ERRORS: Readonly<Record<string, readonly [body: string, message: string | RegExp]>> = {
  'exits with status 0': ['process.exit(0);', 'its process ended itself with status 0'],
  'exits with status 3': ['process.exit(3);', 'its process ended itself with status 3'],
  'kills its process': ['process.kill(process.pid); for (;;);', 'its process was ended by SIGTERM'],
  aborts: ['process.abort();', 'its process was ended by SIGABRT'],
  'prints a line': ['console.log("all is well");', 'writes to standard output: all is well'],
  'writes to descriptor 1': ['(await import("node:fs")).writeSync(1, "{}\\n");', 'writes to standard output: {}'],
  'prints and throws': [
    'console.log("so far"); throw new Error("no");',
    'Error: no; writes to standard output: so far',
  ],
  'closes descriptor 1': ['(await import("node:fs")).closeSync(1);', 'closed its standard output'],
  'throws undefined': ['throw undefined;', 'threw undefined, which is no Error'],
  'throws null': ['throw null;', 'threw null, which is no Error'],
  'throws a number': ['throw 4096;', 'threw 4096 (0x1000), which is no Error'],
  'throws a hostile proxy': [
    'throw new Proxy({}, { get() { throw 1; }, getPrototypeOf() { throw 2; } });',
    /^threw Proxy .* which is no Error$/,
  ],
  'throws an error with hostile parts': [
    'const e = new Error("x"); Object.defineProperty(e, "message", { get() { throw 1; } }); throw e;',
    /^threw .* which is no Error$/,
  ],
  'throws a message of 5 MB': ['throw new Error("x".repeat(5_000_000));', /^Error: x{100,}…$/],
  'throws after a word on standard error': [
    'console.error("on my way"); throw new Error("no");',
    'Error: no; on standard error: on my way',
  ],
  'recurses without end': ['const f = () => f() + 1; f();', 'RangeError: Maximum call stack size exceeded'],
  'leaves a rejected promise': [
    'Promise.reject(new Error("nobody"));',
    'a promise was rejected and nobody handled it: Error: nobody',
  ],
  'throws in a timer that it waits for': [
    'setTimeout(() => { throw new Error("late"); }, 1); await new Promise((r) => setTimeout(r, 50));',
    'uncaught: Error: late',
  ],
  'waits for ever': ['await new Promise(() => {});', 'its promise never settles: nothing is left to wait for'],
  'sends a message': [
    'process.send({ kind: "reply", order: 1, reply: { kind: "run", outcome: "pass" } });',
    'calls process.send(), which belongs to the run',
  ],
  'swallows that it sends a message': [
    'try { process.send("x"); } catch {}',
    'calls process.send(), which belongs to the run',
  ],
  disconnects: ['process.disconnect();', 'calls process.disconnect(), which belongs to the run'],
  'closes the channel by its descriptor': [
    '(await import("node:fs")).closeSync(3); await new Promise((r) => setTimeout(r, 20));',
    /channel|ended/,
  ],
  'loops over the model': [
    'for (;;) bench.up();',
    'took more than 10000 operations of the model: the run was ended there',
  ],
  'swallows the limit': [
    'for (let i = 0; i < 20000; i++) { try { bench.up(); } catch {} }',
    'took more than 10000 operations of the model: the run was ended there',
  ],
};

/** What must stay within the lane: the check passes, and its traces do not reach the next. */
const CONTAINED: Readonly<Record<string, string>> = {
  'deletes Array.prototype.map': 'delete Array.prototype.map;',
  'replaces Math.max': 'Math.max = () => 7;',
  'freezes globalThis': 'Object.freeze(globalThis);',
  'adds to Object.prototype': 'Object.prototype.up = () => 1;',
  'changes the environment': 'process.env.COUNT = "1";',
  'changes the working directory': 'process.chdir("/");',
  'takes the listeners away': 'process.removeAllListeners();',
  'leaves a timer that throws': 'setTimeout(() => { throw new Error("late"); }, 5);',
  'leaves a timer that exits': 'setTimeout(() => process.exit(0), 5);',
  'leaves an interval': 'setInterval(() => {}, 5);',
  'forges a message without the token':
    'process._send({ kind: "reply", order: 3, reply: { kind: "run", outcome: "fail" } });',
};

const NEIGHBOUR = 'expect.equal(bench.up(), 1, "one"); expect.equal(bench.up(), 2, "two");';
const MUTANT = `mutant('steps by two', { violates: ['Req~count~1'] }, (model) => ({ ...model, step: (value) => value + 2 }));`;

/** A file of checks: a neighbour, then each body with a neighbour after it. The bodies bind Req~other~1. */
function file(bodies: readonly (readonly [title: string, body: string])[]): string {
  const parts = bodies.map(([title, body], at) => {
    const other = `check('Req~other~1', ${JSON.stringify(title)}, async ({ bench, expect }) => {\n${body}\n});`;
    const next = `check('Req~count~1', 'neighbour ${at + 1}', ({ bench, expect }) => {\n${NEIGHBOUR}\n});`;
    return `${other}\n${next}`;
  });
  return checkFile({ 'neighbour 0': NEIGHBOUR }, [...parts, MUTANT].join('\n'));
}

t.test('misbehaviour', async (t) => {
  const bodies = [
    ...Object.entries(ERRORS).map(([title, [body]]) => [title, body] as const),
    ...Object.entries(CONTAINED).map(([title, body]) => [title, `${body}\nexpect.ok(true, "it ends");`] as const),
  ];
  const root = t.testdir({ 'bench.js': BENCH, 'a.check.js': file(bodies) });
  const { records, diagnostics } = await runSample(root, { requirements: ['Req~count~1', 'Req~other~1'], lanes: 2 });
  const recordOf = (title: string) => records.find(({ check, mutant }) => check === title && mutant === undefined);

  for (const [title, [, message]] of Object.entries(ERRORS)) {
    t.match(recordOf(title), { outcome: 'error', message }, `a check that ${title} is an error`);
  }
  for (const title of Object.keys(CONTAINED)) {
    t.match(recordOf(title), { outcome: 'pass', assertions: 1 }, `a check that ${title} passes`);
  }
  const neighbours = records.filter(({ requirement, mutant }) => requirement === 'Req~count~1' && mutant === undefined);
  const killed = records.filter(({ mutant }) => mutant !== undefined);
  t.equal(neighbours.length, bodies.length + 1);
  t.equal(killed.length, bodies.length + 1);
  const [first] = neighbours;
  const [kill] = killed;
  t.match(first, { outcome: 'pass', assertions: 2 });
  t.match(kill, { outcome: 'fail', assertions: 1, message: 'one: expected 1, got 2' });
  for (const { check, outcome, assertions, transcriptDigest } of neighbours) {
    t.same(
      { outcome, assertions, transcriptDigest },
      { outcome: 'pass', assertions: 2, transcriptDigest: first?.transcriptDigest },
      check,
    );
  }
  for (const { check, outcome, message, transcriptDigest } of killed) {
    t.same(
      { outcome, message, transcriptDigest },
      { outcome: 'fail', message: kill?.message, transcriptDigest: kill?.transcriptDigest },
      `${check}, mutated`,
    );
  }
  t.same(diagnostics, [], 'nothing but their own records tells of them');
});
