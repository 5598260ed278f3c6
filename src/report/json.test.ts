import { readFileSync } from 'node:fs';
import { Ajv2020 } from 'ajv/dist/2020.js';
import t from 'tap';
import { memorySource } from '../core/file-source.js';
import { analyse } from '../engine/analyse.js';
import { check, fold, record, sampleMatrix } from '../matrix/matrix.test-support.js';
import { items } from '../trace/items.test-support.js';
import { linkItems } from '../trace/linker.js';
import { matrixJson } from './matrix-json.js';
import { traceJson } from './trace-json.js';

const ajv = new Ajv2020({ strict: true, allErrors: true, allowUnionTypes: true });

function validator(name: string) {
  return ajv.compile(JSON.parse(readFileSync(`src/report/schema/${name}.schema.json`, 'utf8')));
}

const validTrace = validator('trace');
const validMatrix = validator('matrix');

t.test('the matrix satisfies its schema', async (t) => {
  const json = JSON.parse(matrixJson(sampleMatrix()));
  t.ok(validMatrix(json), JSON.stringify(validMatrix.errors));
  const row = json.rows.find((one: { id: string }) => one.id === 'XenSwdgn~passthrough_map_dev_mem_region~1');
  t.match(row, { type: 'XenSwdgn', verdicts: { 'arm64-smmuv3': { verdict: 'verified', killed: 2, mutants: 2 } } });
  t.match(json.summary, { items: 6, defects: 0, requirements: 4, checked: 3, verdicts: { verified: 4, refuted: 1 } });
  t.match(json.columns[0], { key: 'arm64-smmuv3', platform: 'arm64-smmuv3', hypervisor: 'xen model' });
});

t.test('a matrix of what is broken satisfies it too', async (t) => {
  const matrix = fold({
    lines: ['dsn~a~1', 'dsn~a~1', 'a~x~1 needs b covers b~y~1', 'b~y~1 needs a covers a~x~1'],
    declared: [check('dsn~a~1', 'x'), check('not an id', 'y', { aspect: 'z' }), check('a~x~2', 'v')],
    records: [record('dsn~a~1', 'x', 'error'), record('dsn~b~1', 'w', 'fail')],
  });
  const json = JSON.parse(matrixJson(matrix));
  t.ok(validMatrix(json), JSON.stringify(validMatrix.errors));
});

t.test('the trace satisfies its schema, with every status of a link', async (t) => {
  const trace = linkItems(
    items(
      'req~a~1 needs dsn',
      'req~b~2 needs dsn status draft',
      'req~b~0',
      'req~c~1',
      'req~d~1 needs dsn',
      'req~d~1',
      'dsn~x~1 covers req~a~1,req~b~1,req~c~1,req~d~1,req~none~1',
    ),
  );
  const json = JSON.parse(traceJson({ trace, diagnostics: trace.diagnostics }));
  t.ok(validTrace(json), JSON.stringify(validTrace.errors));
  t.same(json.summary, { items: 7, defects: 6 });
  t.same(
    json.items[0].outgoing.map((link: { status: string }) => link.status),
    ['covers', 'orphaned', 'outdated', 'predated', 'unwanted', 'ambiguous', 'orphaned'],
  );
});

t.test('what is read from text satisfies it', async (t) => {
  const text = 'Title\n-----\n\n`req~a~1`\n\nDescription:\nText.\n\nNeeds:\n - dsn\n';
  const { trace, diagnostics } = await analyse(memorySource({ 'a.rst': text }), { paths: ['.'] });
  const json = JSON.parse(traceJson({ trace, diagnostics }));
  t.ok(validTrace(json), JSON.stringify(validTrace.errors));
  t.match(json.items, [{ id: 'req~a~1', defect: true, uncoveredTypes: ['dsn'] }]);
});

t.test('an unknown field does not satisfy it', async (t) => {
  const trace = linkItems(items('req~a~1'));
  const json = JSON.parse(traceJson({ trace, diagnostics: [] }));
  t.notOk(validTrace({ ...json, more: 1 }));
  t.notOk(validTrace({ ...json, items: [{ ...json.items[0], defect: 'no' }] }));
});

t.test('characters that act in a terminal are escaped in the text', async (t) => {
  const [one] = items('req~a~1');
  const trace = linkItems([{ ...(one as NonNullable<typeof one>), title: 'x\u202ey\u009b' }]);
  const text = traceJson({ trace, diagnostics: [] });
  t.notMatch(text, /[\u202e\u009b]/);
  t.equal(JSON.parse(text).items[0].title, 'x\u202ey\u009b');
});
