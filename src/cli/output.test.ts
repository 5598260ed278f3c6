import { existsSync, readFileSync, readdirSync } from 'node:fs';
import path from 'node:path';
import t from 'tap';
import { writeWholeFile } from './output.js';

t.test('a file is written whole and nothing else is left beside it', async (t) => {
  const dir = t.testdir({ 'out.txt': 'old' });
  writeWholeFile(path.join(dir, 'out.txt'), 'new ✔\n');
  t.equal(readFileSync(path.join(dir, 'out.txt'), 'utf8'), 'new ✔\n');
  t.same(readdirSync(dir), ['out.txt']);
});

t.test('what cannot be written leaves nothing behind', async (t) => {
  const dir = t.testdir({ folder: { 'kept.txt': 'kept' } });
  t.throws(() => writeWholeFile(path.join(dir, 'none', 'out.txt'), 'x'), { code: 'output-unwritable', status: 74 });
  t.throws(() => writeWholeFile(path.join(dir, 'folder'), 'x'), { code: 'output-unwritable', status: 74 });
  t.same(readdirSync(dir), ['folder']);
  t.ok(existsSync(path.join(dir, 'folder', 'kept.txt')));
});
