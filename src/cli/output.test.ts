import { spawnSync } from 'node:child_process';
import { chmodSync, existsSync, lstatSync, readdirSync, readFileSync, statSync, symlinkSync } from 'node:fs';
import path from 'node:path';
import t from 'tap';
import { writeWholeFile } from './output.js';

t.test('a file is written whole and nothing else is left beside it', async (t) => {
  const dir = t.testdir({ 'out.txt': 'old' });
  writeWholeFile(path.join(dir, 'out.txt'), 'new ✔\n');
  t.equal(readFileSync(path.join(dir, 'out.txt'), 'utf8'), 'new ✔\n');
  t.same(readdirSync(dir), ['out.txt']);
});

t.test('a file keeps its mode, and a symbolic link stays one', async (t) => {
  const dir = t.testdir({ 'real.txt': 'old' });
  chmodSync(path.join(dir, 'real.txt'), 0o640);
  symlinkSync('real.txt', path.join(dir, 'link.txt'));
  writeWholeFile(path.join(dir, 'link.txt'), 'new');
  t.ok(lstatSync(path.join(dir, 'link.txt')).isSymbolicLink());
  t.equal(readFileSync(path.join(dir, 'real.txt'), 'utf8'), 'new');
  t.equal(statSync(path.join(dir, 'real.txt')).mode & 0o777, 0o640);
});

t.test(
  'what is no regular file is written to and never replaced',
  { skip: process.platform === 'win32' },
  async (t) => {
    const dir = t.testdir({});
    const pipe = path.join(dir, 'pipe');
    t.equal(spawnSync('mkfifo', [pipe]).status, 0);
    const module = new URL('output.js', import.meta.url).href;
    const script = `import('${module}').then(({ writeWholeFile }) => writeWholeFile('${pipe}', 'through'))`;
    const { stdout } = spawnSync('sh', ['-c', 'node -e "$SCRIPT" & cat "$PIPE"; wait'], {
      encoding: 'utf8',
      env: { ...process.env, SCRIPT: script, PIPE: pipe },
    });
    t.equal(stdout, 'through');
    t.ok(statSync(pipe).isFIFO());
    if (existsSync('/dev/full')) {
      const link = path.join(dir, 'full');
      symlinkSync('/dev/full', link);
      t.throws(() => writeWholeFile(link, 'x'), { code: 'output-unwritable', status: 74, message: /ENOSPC/ });
      t.ok(statSync('/dev/full').isCharacterDevice());
    }
  },
);

t.test('what cannot be written leaves nothing behind', async (t) => {
  const dir = t.testdir({ folder: { 'kept.txt': 'kept' } });
  t.throws(() => writeWholeFile(path.join(dir, 'none', 'out.txt'), 'x'), { code: 'output-unwritable', status: 74 });
  t.throws(() => writeWholeFile(path.join(dir, 'folder'), 'x'), { code: 'output-unwritable', status: 74 });
  t.same(readdirSync(dir), ['folder']);
  t.ok(existsSync(path.join(dir, 'folder', 'kept.txt')));
});
