import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { existsSync, readFileSync } from 'node:fs';
import { setTimeout as delay } from 'node:timers/promises';
import t from 'tap';
import { prepareLane } from './prepare.js';
import { BENCH, checkFile, SHORT_LIMITS } from './sample.test-support.js';

const RUN = new URL('./run.js', import.meta.url).href;

/** Runs a script as a process of its own that prints the process id of a lane; gives both. */
async function startParent(t: Tap, body: string) {
  const root = t.testdir({
    'bench.js': BENCH,
    'a.check.js': checkFile({
      waits: 'console.error("lane " + process.pid); await new Promise((r) => setTimeout(r, 60000));',
    }),
  });
  const script = `
    import { runChecks } from '${RUN}';
    import { readdirSync, readFileSync } from 'node:fs';
    const run = (more) => runChecks({ root: ${JSON.stringify(root)}, configuration: { bench: 'bench.js', files: ['*.check.js'], sources: [] },
      requirements: ['Req~count~1'], platforms: ['wide'], limits: { milliseconds: 60000 }, ...more });
    const children = () => readFileSync('/proc/self/task/' + process.pid + '/children', 'utf8').trim();
    setTimeout(() => console.log(children()), 400);
    ${body}`;
  const parent = spawn(process.execPath, ['--input-type=module', '-e', script], {
    stdio: ['ignore', 'pipe', 'inherit'],
  });
  const [line] = (await once(parent.stdout, 'data')) as [Buffer];
  return { parent, lanes: String(line).trim().split(/\s+/).filter(Boolean) };
}

type Tap = { testdir: typeof t.testdir };

/** Whether a process runs. One that has ended and that nobody has waited for does not. */
function runs(pid: string | undefined): boolean {
  try {
    return !/State:\s+Z/.test(readFileSync(`/proc/${pid}/status`, 'latin1'));
  } catch {
    return false;
  }
}

const linux = existsSync('/proc/self/task');

t.test('a parent that is killed leaves no lane that waits', { skip: !linux }, async (t) => {
  const { parent, lanes } = await startParent(t, 'await run({});');
  t.equal(lanes.length, 1);
  parent.kill('SIGKILL');
  await once(parent, 'exit');
  // It ends by itself, as soon as the machine lets it run.
  for (let waited = 0; runs(lanes[0]) && waited < 5000; waited += 50) await delay(50);
  t.notOk(runs(lanes[0]));
});

t.test('a run that is aborted leaves no lane, busy or not, and the process ends', { skip: !linux }, async (t) => {
  const { parent, lanes } = await startParent(
    t,
    'const abort = new AbortController(); setTimeout(() => abort.abort(new Error("stop")), 600); await run({ signal: abort.signal }).catch(() => {});',
  );
  t.equal(lanes.length, 1);
  const [status] = (await once(parent, 'exit')) as [number];
  t.equal(status, 0);
  await delay(50);
  t.notOk(runs(lanes[0]));
});

t.test('a lane that was prepared and is not used does not keep the process', async (t) => {
  const root = t.testdir({ 'bench.js': BENCH });
  const prepared = prepareLane({ root, bench: 'bench.js', limits: SHORT_LIMITS });
  prepared.dispose();
  t.notOk(prepared.lane.usable());
  t.match(await prepared.lane.order({ kind: 'describe' }), { kind: 'gone', message: 'was stopped' });
});
