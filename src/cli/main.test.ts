/** The program as a whole: exit statuses, streams, files. */
import { spawn, spawnSync } from 'node:child_process';
import { existsSync, readdirSync, readFileSync, writeFileSync } from 'node:fs';
import path from 'node:path';
import { fileURLToPath } from 'node:url';
import t from 'tap';
import '../check/plain-children.test-support.js';

const command = fileURLToPath(new URL('../../../bin/tracewright.js', import.meta.url));

const COVERED = {
  'tracewright.config.json': '{"tree": ["reqs"], "types": ["Feat", "Req"]}',
  reqs: {
    'a.rst': 'Lamp\n----\n\n`Feat~lamp~1`\n\nDescription:\nThe lamp shall glow.\n\nNeeds:\n - Req\n',
    'b.rst': 'Glow\n----\n\n`Req~glow~1`\n\nDescription:\nThe filament shall glow.\n\nCovers:\n - `Feat~lamp~1`\n',
  },
};

function run(cwd: string, args: readonly string[], env: Record<string, string> = {}) {
  const { status, stdout, stderr } = spawnSync('node', [command, ...args], {
    cwd,
    encoding: 'utf8',
    env: { ...process.env, ...env },
  });
  return { status, stdout, stderr };
}

t.test('a tree without defects is met; an uncovered one is not', async (t) => {
  const dir = t.testdir(COVERED);
  t.match(run(dir, ['trace']), { status: 0, stdout: /2 items, 0 defects/, stderr: '' });
  writeFileSync(path.join(dir, 'reqs', 'b.rst'), 'Other\n-----\n\n`Req~other~1`\n\nDescription:\nx\n');
  t.match(run(dir, ['trace']), { status: 1, stdout: /Feat~lamp~1/ });
  const json = run(dir, ['trace', '--format', 'json']);
  t.match(JSON.parse(json.stdout), {
    summary: { items: 2, defects: 1 },
    items: [
      { id: 'Feat~lamp~1', defect: true },
      { id: 'Req~other~1', defect: false },
    ],
  });
});

t.test('usage is 2: missing paths, mistyped commands, options, formats', async (t) => {
  const dir = t.testdir(COVERED);
  t.match(run(dir, ['trace', 'nowhere']), { status: 2, stderr: /nowhere:1:1 error path-missing/ });
  t.match(run(dir, ['trce']), {
    status: 2,
    stderr: /unknown-command There is no command 'trce'\n {2}Did you mean 'trace'\?/,
  });
  t.match(run(dir, ['reqs']), { status: 2, stderr: /tracewright matrix reqs/ });
  t.match(run(dir, ['trace', '--fromat', 'json']), {
    status: 2,
    stderr: /^error usage Unknown option '--fromat'\n {2}Did you mean --format\?\n$/,
  });
  t.match(run(dir, ['show']), {
    status: 2,
    stderr: /^error usage Missing required argument 'id'\n {2}tracewright help/,
  });
  t.match(run(dir, ['help', 'trcae']), {
    status: 2,
    stdout: '',
    stderr: /unknown-command There is no command 'trcae'\n {2}Did you mean 'trace'\?/,
  });
  t.match(run(dir, ['trace', '']), { status: 2, stdout: '', stderr: /empty-argument/ }, 'not the working directory');
  t.match(run(dir, ['trace', '-o', '']), { status: 2, stdout: '', stderr: /empty-argument/ });
  t.match(run(dir, ['trace', '--format', 'jsn']), {
    status: 2,
    stderr: /unknown-format There is no format 'jsn'\n {2}Did you mean 'json'\?/,
  });
  t.match(run(dir, ['matrix', '--fail-on', 'weka']), { status: 2, stderr: /unknown-verdict/ });
  t.match(run(dir, ['verify', 'glow']), { status: 2, stderr: /no-checks/ });
  t.match(run(dir, ['show', 'glw']), {
    status: 2,
    stderr: /unknown-id No item matches 'glw'\n {2}Did you mean Req~glow~1\?/,
  });
  t.match(run(dir, ['trace', '--config', 'none.json']), { status: 2, stderr: /config-unreadable none\.json/ });
});

t.test('input that cannot be read is 3, and the rest of the run stays whole', async (t) => {
  const dir = t.testdir({ ...COVERED, empty: { 'readme.txt': 'nothing' } });
  t.match(run(dir, ['trace', 'empty']), { status: 3, stderr: /no-items/ });
  writeFileSync(path.join(dir, 'reqs', 'c.rst'), Buffer.from([0x41, 0x0a, 0xff, 0xfe]));
  t.match(run(dir, ['trace']), {
    status: 3,
    stdout: /2 items, 0 defects/,
    stderr: /reqs\/c\.rst:2:1 error file-not-utf8/,
  });
});

t.test('a report goes to a file whole or not at all', async (t) => {
  const dir = t.testdir(COVERED);
  t.match(run(dir, ['trace', '--format', 'json', '-o', 'out.json']), { status: 0, stdout: '' });
  t.equal(JSON.parse(readFileSync(path.join(dir, 'out.json'), 'utf8')).summary.items, 2);
  t.match(run(dir, ['trace', '-o', 'no/such/folder.txt']), { status: 74, stderr: /output-unwritable/ });
  t.notOk(existsSync(path.join(dir, 'no')));
  t.same(readdirSync(dir).sort(), ['out.json', 'reqs', 'tracewright.config.json']);
});

t.test('help and the version reach standard output, or the status says that they did not', async (t) => {
  const dir = t.testdir({});
  t.match(run(dir, ['--version']), { status: 0, stdout: /^\d+\.\d+\.\d+\n$/ });
  for (const args of [['--help'], ['help', 'trace'], ['verify', '--help']]) {
    const { status, stdout } = run(dir, args);
    t.equal(status, 0);
    t.match(stdout, /^Usage: tracewright/);
    t.same(
      stdout.split('\n').filter((line) => line.length > 80),
      [],
      'it fits a terminal of 80 columns',
    );
  }
  if (!existsSync('/dev/full')) return;
  for (const args of ['--help', '--version']) {
    const { status, stderr } = spawnSync('sh', ['-c', `node "$0" ${args} > /dev/full`, command], {
      cwd: dir,
      encoding: 'utf8',
    });
    t.match({ status, stderr }, { status: 74, stderr: /output-unwritable/ }, args);
  }
});

t.test('colour follows flag, environment and terminal', async (t) => {
  const dir = t.testdir(COVERED);
  const introducer = '\u001b[';
  t.notOk(run(dir, ['trace']).stdout.includes(introducer), 'a pipe gets none');
  t.ok(run(dir, ['trace', '--color']).stdout.includes(introducer));
  t.ok(run(dir, ['trace'], { FORCE_COLOR: '1' }).stdout.includes(introducer));
  t.notOk(run(dir, ['trace', '--no-color'], { FORCE_COLOR: '1' }).stdout.includes(introducer));
});

t.test('a reader that goes away changes no status', async (t) => {
  const dir = t.testdir(COVERED);
  const child = spawn('node', [command, 'trace', '--format', 'json'], { cwd: dir, stdio: ['ignore', 'pipe', 'pipe'] });
  child.stdout.destroy();
  const status = await new Promise((resolve) => child.on('exit', resolve));
  t.equal(status, 0);
});

t.test('without checks the matrix says not run and show tells the links', async (t) => {
  const dir = t.testdir(COVERED);
  t.match(run(dir, ['matrix']), { status: 0, stdout: /Req~glow~1/ });
  t.match(run(dir, []), { status: 0, stdout: /Req~glow~1/ }, 'no command is the matrix');
  t.match(run(dir, ['show', 'glow']), { status: 0, stdout: /covers\s+→ Feat~lamp~1/ });
  t.match(run(dir, ['why', 'glow']), { status: 0 });
});

t.test('help and version are no mistakes', async (t) => {
  const dir = t.testdir(COVERED);
  t.match(run(dir, ['--version']), { status: 0, stdout: /^\d+\.\d+\.\d+\n$/ });
  t.match(run(dir, ['--help']), { status: 0, stdout: /Commands:[\s\S]*verify/ });
  t.match(run(dir, ['help', 'verify']), { status: 0, stdout: /--explain/ });
});
