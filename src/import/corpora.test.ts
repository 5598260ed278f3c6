import { existsSync, readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import t from 'tap';
import type { FileSource } from '../core/file-source.js';
import { importFiles } from './index.js';

const corpora = process.env.TRACEWRIGHT_CORPORA;
const options = corpora === undefined ? { skip: 'set TRACEWRIGHT_CORPORA to run' } : {};

function folder(root: string): FileSource {
  return {
    list: (path) =>
      existsSync(join(root, path))
        ? readdirSync(join(root, path), { recursive: true, withFileTypes: true })
            .filter((entry) => entry.isFile())
            .map((entry) => join(entry.parentPath, entry.name).slice(root.length + 1))
            .sort()
        : undefined,
    read: (path) => readFileSync(join(root, path)),
  };
}

interface Golden {
  id: string;
  title: string;
  line: number;
  file: string;
  description: string;
  covers: string[];
  needs: string[];
}

function decodeEntities(text: string): string {
  return text
    .replace(/&lt;/g, '<')
    .replace(/&gt;/g, '>')
    .replace(/&quot;/g, '"')
    .replace(/&apos;/g, "'")
    .replace(/&amp;/g, '&');
}

/** OpenFastTrace's export of the same tree; its one line layout a tag makes patterns enough. */
function golden(xml: string): Golden[] {
  const items: Golden[] = [];
  for (const group of xml.split('<specobjects doctype="').slice(1)) {
    const type = group.slice(0, group.indexOf('"'));
    for (const item of group.split('<specobject>').slice(1)) {
      const one = (name: string) => decodeEntities(new RegExp(`<${name}>([^<]*)</${name}>`).exec(item)?.[1] ?? '');
      items.push({
        id: `${type}~${one('id')}~${one('version')}`,
        title: one('shortdesc'),
        line: Number(one('sourceline')),
        file: one('sourcefile').replace('./', ''),
        description: one('description'),
        covers: [...item.matchAll(/<linksto>([^:]*):([^<]*)<\/linksto>\s*<dstversion>(\d+)/g)].map(
          ([, t, n, v]) => `${t}~${n}~${v}`,
        ),
        needs: [...item.matchAll(/<needsobj>([^<]*)</g)].map(([, need]) => need!),
      });
    }
  }
  return items.sort((a, b) => (a.id < b.id ? -1 : 1));
}

for (const [name, count] of [['xen-fusa', 61] as const, ['xen-fusa-passthrough', 87] as const]) {
  t.test(`${name}: the items of OpenFastTrace, and no error`, options, async (t) => {
    const { items, diagnostics } = await importFiles(folder(join(corpora!, name)), ['.']);
    t.equal(items.length, count);
    t.same(
      diagnostics.filter((finding) => finding.severity !== 'note'),
      [],
    );
    const read = items
      .map((item) => ({
        id: item.id,
        title: item.title,
        line: item.place.line,
        file: item.place.path,
        description: item.description,
        covers: item.covers.map((mention) => mention.text),
        needs: item.needs.map((mention) => mention.text),
      }))
      .sort((a, b) => (a.id < b.id ? -1 : 1));
    t.same(read, golden(readFileSync(join(corpora!, 'golden', `${name}.specobject.xml`), 'utf8')));
  });
}

t.test('xen-fusa-passthrough: comments and rationale are told apart', options, async (t) => {
  const { items } = await importFiles(folder(join(corpora!, 'xen-fusa-passthrough')), ['.']);
  const [version] = items.filter((item) => item.name === 'version_hyp_version_cmd');
  t.equal(version?.rationale, '');
  t.match(version?.comment, /^Xen version is composed of major/);
  const [assign] = items.filter((item) => item.name === 'arm64_passthrough_assign_dt_dev_to_dom');
  t.equal(assign?.rationale.split('\n - ').length, 6);
  t.equal(assign?.comment, '');
});
