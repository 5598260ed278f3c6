import t from 'tap';
import { type FileSource, memorySource } from '../core/file-source.js';
import { importFiles } from './index.js';

const ITEM = '`req~a~1`\n\nText.\n';
const findings = (result: Awaited<ReturnType<typeof importFiles>>) =>
  result.diagnostics.map(
    ({ severity, code, place }) =>
      `${severity} ${code} ${place?.path ?? '-'}:${place?.line ?? 0}:${place?.column ?? 0}`,
  );

t.test('files are imported in the order of their paths, each once, others passed over', async (t) => {
  const source = memorySource({
    'b.rst': '`req~b~1`\n\nText.',
    'a/z.md': '`req~c~1`\n\nText.',
    'a/y.markdown': '`req~d~1`\n\nText.',
    'a/X.RST': '`req~e~1`\n\nText.',
    'a/notes.txt': '`req~no~1`',
    README: '`req~no~1`',
  });
  const result = await importFiles(source, ['b.rst', '.', 'a']);
  t.same(
    result.items.map((item) => item.id),
    ['req~e~1', 'req~d~1', 'req~c~1', 'req~b~1'],
  );
  t.equal(result.files, 4);
  t.same(findings(result), []);
});

t.test('a missing path is an error and leaves the others alone', async (t) => {
  const result = await importFiles(memorySource({ 'a.rst': ITEM }), ['nowhere', 'a.rst']);
  t.same(findings(result), ['error path-missing nowhere:1:1']);
  t.equal(result.items.length, 1);
});

t.test('a file given by name with an unknown extension is an error', async (t) => {
  const result = await importFiles(memorySource({ 'a.rst': ITEM, 'b.txt': '' }), ['b.txt', 'a.rst']);
  t.same(findings(result), ['error file-format-unknown b.txt:1:1']);
  t.equal(result.items.length, 1);
});

t.test('no items at all is an error', async (t) => {
  t.same(findings(await importFiles(memorySource({ 'a.rst': 'Prose.' }), ['.'])), ['error no-items -:0:0']);
  t.same(findings(await importFiles(memorySource({ 'a.txt': 'x', 'b.txt': 'y' }), ['.'])), ['error no-items -:0:0']);
});

t.test('invalid UTF-8 is an error at its place and leaves the other files alone', async (t) => {
  const bytes = new Uint8Array([...new TextEncoder().encode('`req~b~1`\n\nGrö'), 0xff, 0x41]);
  const result = await importFiles(memorySource({ 'a.rst': ITEM, 'b.rst': bytes }), ['.']);
  t.same(findings(result), ['error file-not-utf8 b.rst:3:4']);
  t.equal(result.diagnostics[0]?.place?.offset, 14);
  t.same(
    result.items.map((item) => item.id),
    ['req~a~1'],
  );
});

t.test('a character cut off at the end of a file is invalid UTF-8', async (t) => {
  const result = await importFiles(memorySource({ 'a.rst': ITEM, 'b.rst': new Uint8Array([0x41, 0x0a, 0xe2, 0x82]) }), [
    '.',
  ]);
  t.same(findings(result), ['error file-not-utf8 b.rst:2:1']);
});

t.test('a file that cannot be read is an error', async (t) => {
  const memory = memorySource({ 'a.rst': ITEM, 'b.rst': ITEM });
  const source: FileSource = {
    list: (path) => memory.list(path),
    read(path) {
      if (path === 'b.rst') throw new Error('permission denied');
      return memory.read(path);
    },
  };
  const result = await importFiles(source, ['.']);
  t.same(findings(result), ['error file-unreadable b.rst:1:1']);
  t.match(result.diagnostics[0]?.message, /permission denied/);
});

t.test('a byte order mark is no part of the text, a NUL character is a warning', async (t) => {
  const source = memorySource({ 'a.rst': `\ufeff${ITEM}`, 'b.rst': '`req~b~1`\n\na\0b\n' });
  const result = await importFiles(source, ['.']);
  t.same(
    result.items.map((item) => item.place.offset),
    [1, 1],
  );
  t.equal(result.items[1]?.description, 'a\0b');
  t.same(findings(result), ['warning file-nul-character b.rst:3:2']);
});

t.test('a folder called as a file with a known extension is searched', async (t) => {
  const result = await importFiles(memorySource({ 'docs.rst/a.rst': ITEM }), ['docs.rst', './docs.rst']);
  t.equal(result.items.length, 1);
});

t.test('a folder that cannot be listed is a diagnostic, and the others are read', async (t) => {
  const files = memorySource({ 'good/a.rst': '`req~a~1`\n\nT\n' });
  const source = {
    ...files,
    list: (path: string) => {
      if (path === 'bad') throw new Error('EACCES: permission denied');
      return files.list(path);
    },
  };
  const { items, diagnostics } = await importFiles(source, ['bad', 'good']);
  t.equal(items.length, 1);
  t.match(diagnostics, [{ code: 'file-unreadable', message: /EACCES/, place: { path: 'bad' } }]);
});
