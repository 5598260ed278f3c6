import { readdirSync, readFileSync, statSync } from 'node:fs';
import path from 'node:path';
import t from 'tap';
import { type FileSource, memorySource } from '../core/file-source.js';
import { analyse } from './analyse.js';

const REQ = 'Login\n-----\n\n`req~login~1`\n\nDescription:\nText.\n\nNeeds:\n - dsn\n';
const DSN = '# Design\n\n`dsn~login~1`\n\nCovers:\n- req~login~1\n';

t.test('files of several formats are one trace', async (t) => {
  const found = await analyse(memorySource({ 'req.rst': REQ, 'dsn.md': DSN }), { paths: ['.'], types: ['req', 'dsn'] });
  t.same(found.trace.summary, { items: 2, defects: 0 });
  t.same(found.diagnostics, []);
  t.equal(found.files, 2);
  t.same(found.items.map((item) => item.id).sort(), ['dsn~login~1', 'req~login~1']);
});

t.test('what is found in reading and in linking comes together, sorted by place', async (t) => {
  const source = memorySource({ 'b.rst': REQ.replace('dsn', 'dns'), 'a.md': DSN.replace('req~login~1', 'req~logn~1') });
  const found = await analyse(source, { paths: ['.', 'missing'], types: ['req', 'dsn'] });
  t.same(found.diagnostics.map((one) => `${one.place?.path ?? ''} ${one.code}`).sort(), [
    'a.md cover-orphaned',
    'b.rst unknown-needed-type',
    'missing path-missing',
  ]);
});

/** A disk, as far as this test needs one. */
function disk(root: string): FileSource {
  const files = (name: string): string[] => {
    const whole = path.join(root, name);
    if (statSync(whole).isFile()) return [name];
    return readdirSync(whole).flatMap((entry) => files(name === '.' ? entry : `${name}/${entry}`));
  };
  return { list: (name) => files(name).sort(), read: (name) => readFileSync(path.join(root, name)) };
}

const corpora = process.env.TRACEWRIGHT_CORPORA;
const skip = corpora === undefined ? 'TRACEWRIGHT_CORPORA does not name the folder with the corpora' : false;

for (const [name, count] of [
  ['xen-fusa', 61],
  ['xen-fusa-passthrough', 87],
] as const) {
  t.test(`${name}: ${count} items, and the 18 defects that OpenFastTrace finds`, { skip }, async (t) => {
    const root = corpora ?? '';
    const expected = readFileSync(path.join(root, 'golden', `${name}.failures.txt`), 'utf8')
      .trim()
      .split('\n');
    const found = await analyse(disk(path.join(root, name)), {
      paths: ['.'],
      types: ['XenMkt', 'XenProd', 'XenSwdgn'],
    });
    t.equal(found.trace.summary.items, count);
    t.equal(expected.length, 18);
    t.same(
      found.trace.items.filter((one) => one.defect).map((one) => one.item.id),
      expected,
    );
    t.same(
      found.diagnostics.filter((one) => one.severity === 'error'),
      [],
    );
  });
}
