import { mkdirSync, symlinkSync, writeFileSync } from 'node:fs';
import path from 'node:path';
import t from 'tap';
import { diskSource } from './disk-source.js';

t.test('files are listed sorted, hidden folders and node_modules passed over', async (t) => {
  const root = t.testdir({
    b: { 'z.rst': '', 'a.rst': '' },
    '.git': { 'x.rst': '' },
    node_modules: { 'y.rst': '' },
    'c.rst': 'text',
  });
  const source = diskSource(root);
  t.same(source.list('.'), ['b/a.rst', 'b/z.rst', 'c.rst']);
  t.same(source.list('b'), ['b/a.rst', 'b/z.rst']);
  t.same(source.list('./b/'), ['b/a.rst', 'b/z.rst']);
  t.same(source.list('c.rst'), ['c.rst']);
  t.equal(source.list('nowhere'), undefined);
  t.equal(new TextDecoder().decode(source.read('c.rst')), 'text');
  t.throws(() => source.read('nowhere'), /ENOENT/);
});

t.test('links are followed within the root only, and loops of links end', async (t) => {
  const base = t.testdir({ root: { a: { 'x.rst': '' } }, outside: { 'secret.rst': '' } });
  const root = path.join(base, 'root');
  symlinkSync(path.join(base, 'outside'), path.join(root, 'leak'));
  symlinkSync(path.join(base, 'outside', 'secret.rst'), path.join(root, 'leak.rst'));
  symlinkSync(root, path.join(root, 'a', 'loop'));
  symlinkSync('nowhere', path.join(root, 'dangling'));
  mkdirSync(path.join(root, 'd'));
  writeFileSync(path.join(root, 'd', 'y.rst'), '');
  symlinkSync(path.join(root, 'd'), path.join(root, 'e'));
  const source = diskSource(root);
  t.same(source.list('.'), ['a/x.rst', 'd/y.rst', 'dangling', 'leak.rst']);
  t.throws(() => source.read('leak.rst'), /a link to a file outside/);
  t.throws(() => source.read('dangling'), /a link to nothing/);
  t.same(source.list('../outside'), ['../outside/secret.rst'], 'what is asked for by name is read');
});

t.test('what never ends is not read', { skip: process.platform === 'win32' }, async (t) => {
  const root = t.testdir({});
  symlinkSync('/dev/zero', path.join(root, 'zero.rst'));
  t.throws(() => diskSource(root).read('zero.rst'), /no regular file/);
});
