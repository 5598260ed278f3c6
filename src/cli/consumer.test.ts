/** The packed tarball, used by a project that has nothing to do with hypervisors. */
import { execFileSync, spawnSync } from 'node:child_process';
import { cpSync, existsSync, mkdirSync, readdirSync, symlinkSync } from 'node:fs';
import path from 'node:path';
import { fileURLToPath } from 'node:url';
import t from 'tap';
import '../check/plain-children.test-support.js';

const root = fileURLToPath(new URL('../../../', import.meta.url));

/** Packs the project, unpacks it into a copy of the consumer, and gives the consumer's folder. */
function installConsumer(folder: string): string {
  const packed = execFileSync('npm', ['pack', '--ignore-scripts', '--silent', '--pack-destination', folder], {
    cwd: root,
    encoding: 'utf8',
  });
  const tarball = path.join(folder, packed.trim().split('\n').at(-1) as string);
  const consumer = path.join(folder, 'consumer');
  cpSync(path.join(root, 'fixtures', 'consumer'), consumer, { recursive: true });
  const installed = path.join(consumer, 'node_modules', 'tracewright');
  mkdirSync(installed, { recursive: true });
  execFileSync('tar', ['-xzf', tarball, '-C', installed, '--strip-components=1']);
  // The dependencies come from this clone: no network.
  symlinkSync(path.join(root, 'node_modules'), path.join(installed, 'node_modules'));
  return consumer;
}

t.test('a consumer project runs its own checks with the packed tarball', async (t) => {
  const consumer = installConsumer(t.testdir({}));
  const installed = path.join(consumer, 'node_modules', 'tracewright');
  const command = path.join(installed, 'bin', 'tracewright.js');

  const matrix = spawnSync('node', [command, 'matrix', '--format', 'json'], { cwd: consumer, encoding: 'utf8' });
  t.equal(matrix.stderr, '');
  t.equal(matrix.status, 0);
  const report = JSON.parse(matrix.stdout);
  const verified = report.rows.filter((row: { verdicts: Record<string, { verdict: string }> }) =>
    Object.values(row.verdicts).some((cell) => cell.verdict === 'verified'),
  );
  t.ok(verified.length > 0, 'a requirement is verified');

  const trace = spawnSync('node', [command, 'trace'], { cwd: consumer, encoding: 'utf8' });
  t.equal(trace.status, 0);

  const entries = ['.', './check', './bench', './hw', './xen', './schema/matrix.schema.json'];
  const script = entries
    .map((entry) =>
      entry.endsWith('.json')
        ? `import.meta.resolve('tracewright/schema/matrix.schema.json')`
        : `await import('tracewright${entry.slice(1)}')`,
    )
    .join(';');
  const imported = spawnSync('node', ['--input-type=module', '-e', script], { cwd: consumer, encoding: 'utf8' });
  t.equal(imported.stderr, '');
  t.equal(imported.status, 0, 'every export resolves and loads');
  t.ok(existsSync(path.join(installed, 'src', 'report', 'schema', 'matrix.schema.json')));
  t.ok(existsSync(path.join(installed, 'dist', 'src', 'index.d.ts')), 'types are packed');

  const files = readdirSync(installed, { recursive: true, encoding: 'utf8' }).filter(
    (file) => !file.startsWith('node_modules'),
  );
  t.same(
    files.filter((file) => /\.(test|bench|test-support)\./.test(file)),
    [],
    'no tests are packed',
  );
  t.ok(files.includes(path.join('reqs', 'index.rst')));
  t.ok(files.some((file) => file.startsWith(path.join('fixtures', 'boards'))));
});
