/**
 * A verified requirement must stay falsifiable: each requirement of `fixtures/verdicts` is named after the verdict that it
 * must get, and what one check does to its lane must not touch the others.
 */
import { spawnSync } from 'node:child_process';
import path from 'node:path';
import { fileURLToPath } from 'node:url';
import t from 'tap';
import '../check/plain-children.test-support.js';
import { VERDICTS } from '../core/verdict.js';

const command = fileURLToPath(new URL('../../../bin/tracewright.js', import.meta.url));
const project = fileURLToPath(new URL('../../../fixtures/verdicts/', import.meta.url));

interface Row {
  readonly id: string;
  readonly verdicts: Record<string, { verdict: string; reason?: string }>;
}

t.test('every requirement gets the verdict that it is named after', async (t) => {
  const { status, stdout } = spawnSync('node', [command, 'matrix', '--format', 'json'], {
    cwd: project,
    encoding: 'utf8',
  });
  t.equal(status, 1, 'refuted, error and vacuous are not met');
  const rows = (JSON.parse(stdout) as { rows: Row[] }).rows;
  t.equal(rows.length, 20);
  for (const { id, verdicts } of rows) {
    const name = (id.split('~')[1] as string).replaceAll('_', ' ');
    const expected = VERDICTS.find((verdict) => name === verdict || name.startsWith(`${verdict} `));
    t.equal(verdicts.desk?.verdict, expected, `${name}: ${verdicts.desk?.reason ?? ''}`);
    t.equal(verdicts.shelf?.verdict, 'n/a', `${name} is n/a on the shelf`);
  }
});

t.test('an error says what it was', async (t) => {
  const { stdout } = spawnSync('node', [command, 'matrix', '--format', 'json', '--no-strength'], {
    cwd: project,
    encoding: 'utf8',
  });
  const rows = (JSON.parse(stdout) as { rows: Row[] }).rows;
  const reasonOf = (name: string) => rows.find(({ id }) => id === `Req~${name}~1`)?.verdicts.desk?.reason ?? '';
  t.match(reasonOf('error_throws'), /no reason/);
  t.match(reasonOf('error_endless_operations'), /1000|operations/);
  t.match(reasonOf('error_exits'), /exit/);
  t.match(reasonOf('error_writes_to_stdout'), /verified/, 'what was written is shown');
});

t.test('a part of the tree is judged alone: checks of what stands elsewhere are no mistakes', async (t) => {
  const dir = t.testdir({
    'part.rst':
      '`Feat~count~1`\n\nIt counts.\n\nNeeds:\n - Req\n\n`Req~verified~1`\n\nUp by one.\n\nCovers:\n - `Feat~count~1`\n',
  });
  const part = path.join(dir, 'part.rst');
  const run = (...args: string[]) => spawnSync('node', [command, ...args], { cwd: project, encoding: 'utf8' });
  const matrix = run('matrix', '--format', 'json', part);
  t.equal(matrix.status, 0);
  t.match(matrix.stderr, /^(?!.*check-orphaned)/s);
  const { rows } = JSON.parse(matrix.stdout) as { rows: Row[] };
  t.same(
    rows.map(({ id, verdicts }) => [id, verdicts.desk?.verdict]),
    [
      ['Feat~count~1', 'verified'],
      ['Req~verified~1', 'verified'],
    ],
  );
  const show = run('show', 'count', '--tree', part);
  t.match(show.stdout, /evidence\n {2}desk +verified\n/, 'what is below an item is run to show it');
  t.match(run('why', 'count', '--tree', part).stdout, /nothing is wrong with it/);
});
