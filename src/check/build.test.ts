import { createHash } from 'node:crypto';
import { utimesSync } from 'node:fs';
import t from 'tap';
import { watchBuild } from './build.js';
import { makePlaces } from './places.js';

t.test('a source that is newer than what was built of it has changed', async (t) => {
  const root = t.testdir({ src: { 'a.ts': 'text' }, dist: { src: { 'a.js': '' } } });
  const { newerSource } = await watchBuild(root, ['src/**/*.ts'], makePlaces(root));
  utimesSync(`${root}/src/a.ts`, 1000, 1000);
  t.equal(newerSource(`${root}/dist/src/a.js`), undefined);
  utimesSync(`${root}/src/a.ts`, 4e9, 4e9);
  t.equal(newerSource(`${root}/dist/src/a.js`), 'src/a.ts');
});

t.test('a newer source is the same if the build knows its text', async (t) => {
  const digest = createHash('sha256').update('text').digest('hex');
  const root = t.testdir({
    src: { 'a.ts': 'text' },
    dist: { '.tsbuildinfo': `{"version":"${digest}"}`, src: { 'a.js': '' } },
  });
  const { newerSource } = await watchBuild(root, ['src/**/*.ts'], makePlaces(root));
  utimesSync(`${root}/src/a.ts`, 4e9, 4e9);
  t.equal(newerSource(`${root}/dist/src/a.js`), undefined);
});

t.test('without a pattern the source map names the source; without either there is none', async (t) => {
  const map = Buffer.from(JSON.stringify({ version: 3, sources: ['a.ts'], names: [], mappings: 'AAAA' })).toString(
    'base64',
  );
  const root = t.testdir({
    'a.ts': '',
    'a.js': `1;\n//# sourceMappingURL=data:application/json;base64,${map}\n`,
    'b.js': '',
  });
  const { newerSource } = await watchBuild(root, [], makePlaces(root));
  utimesSync(`${root}/a.ts`, 4e9, 4e9);
  t.equal(newerSource(`${root}/a.js`), 'a.ts');
  t.equal(newerSource(`${root}/b.js`), undefined);
});
