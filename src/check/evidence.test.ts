import { createHash } from 'node:crypto';
import t from 'tap';
import { digestFiles, digestOf, findFiles } from './evidence.js';

t.test('the digest of files is of their sorted paths, lengths and bytes', async (t) => {
  const root = t.testdir({ b: 'two', a: { c: 'one' } });
  const expected = createHash('sha256').update('a/c\u00003\u0000oneb\u00003\u0000two').digest('hex');
  t.equal(digestFiles(root, ['b', 'a/c']), expected);
  t.equal(digestFiles(root, ['a/c', 'b', 'b']), expected);
  t.throws(() => digestFiles(root, ['gone']), { code: 'ENOENT' });
});

t.test('the digest of a text is that of its UTF-8', async (t) => {
  // FIPS 180-4, appendix B.1 as published with the standard's examples: SHA-256("abc").
  t.equal(digestOf('abc'), 'ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad');
});

t.test('patterns find files, sorted; ! takes away; node_modules is passed over', async (t) => {
  const root = t.testdir({ a: { 'x.js': '', 'x.test.js': '' }, 'y.js': '', node_modules: { 'z.js': '' } });
  t.same(await findFiles(root, ['**/*.js', '!**/*.test.js']), ['a/x.js', 'y.js']);
  t.same(await findFiles(root, ['./y.js', 'gone.js', 'a']), ['y.js']);
});
