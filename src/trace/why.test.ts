import t from 'tap';
import { check, column, fold, record, sampleMatrix } from '../matrix/matrix.test-support.js';
import { items } from './items.test-support.js';
import { linkItems } from './linker.js';
import { why } from './why.js';

t.test('an id that no item has is not explained, a green one has nothing to explain', async (t) => {
  const trace = linkItems(items('req~a~1'));
  t.equal(why(trace, 'req~b~1'), undefined);
  t.same(why(trace, 'req~a~1'), { id: 'req~a~1', explanations: [] });
});

t.test('the path leads to the nearest item that lacks coverage', async (t) => {
  const trace = linkItems(
    items(
      'mkt~m~1 needs prod',
      'prod~p~1 needs dsn covers mkt~m~1',
      'prod~q~1 needs dsn covers mkt~m~1',
      'dsn~d~1 covers prod~p~1',
    ),
  );
  t.match(why(trace, 'mkt~m~1')?.explanations, [
    {
      path: [
        { id: 'mkt~m~1', relation: '' },
        { id: 'prod~q~1', relation: 'is covered by' },
      ],
      cause: "prod~q~1 needs 'dsn', and no item of that type covers it",
      mend: "write an item of type 'dsn' with 'Covers: prod~q~1', or take the need out",
      place: { line: 3, column: 60 },
    },
  ]);
});

t.test('of several ways the shortest is told', async (t) => {
  const trace = linkItems(
    items('a~a~1 needs b', 'b~b~1 needs c covers a~a~1', 'c~c~1 needs d covers b~b~1', 'b~z~1 needs d covers a~a~1'),
  );
  t.same(
    why(trace, 'a~a~1')?.explanations[0]?.path.map((step) => step.id),
    ['a~a~1', 'b~z~1'],
  );
});

t.test('a link of the item itself is its own cause, at the place of the link', async (t) => {
  const trace = linkItems(items('req~login~1', 'dsn~b~1 covers req~logn~1'));
  t.match(why(trace, 'dsn~b~1')?.explanations, [
    {
      path: [{ id: 'dsn~b~1' }],
      cause: 'it covers req~logn~1, which does not exist',
      details: ['did you mean req~login~1?'],
      place: { line: 2, column: 20 },
    },
  ]);
});

t.test('an unwanted cover is explained from both ends', async (t) => {
  const trace = linkItems(items('req~a~1', 'dsn~b~1 covers req~a~1'));
  t.equal(why(trace, 'dsn~b~1')?.explanations[0]?.cause, "it covers req~a~1, which does not need 'dsn'");
  t.equal(why(trace, 'req~a~1')?.explanations[0]?.cause, "dsn~b~1 covers it, but it does not need 'dsn'");
});

t.test('a revision is explained by the revision, not by the orphan that it also is', async (t) => {
  const trace = linkItems(items('req~a~2', 'dsn~b~1 covers req~a~1'));
  t.equal(why(trace, 'dsn~b~1')?.explanations[0]?.cause, 'it covers an older revision of req~a~2');
  t.equal(why(trace, 'req~a~2')?.explanations[0]?.cause, 'dsn~b~1 covers an older revision of it');
});

t.test('a cycle is told by the way round, from an item above it by the way to it', async (t) => {
  const trace = linkItems(items('a~a~1 needs b', 'b~b~1 needs c covers a~a~1,c~c~1', 'c~c~1 needs b covers b~b~1'));
  const ids = (id: string) => why(trace, id)?.explanations[0]?.path.map((step) => step.id);
  t.same(ids('b~b~1'), ['b~b~1', 'c~c~1', 'b~b~1']);
  t.same(ids('a~a~1'), ['a~a~1', 'b~b~1']);
  t.equal(why(trace, 'a~a~1')?.explanations[0]?.cause, 'b~b~1 is covered, in the end, by itself');
});

t.test('cells are explained from the parent down, worst verdict first', async (t) => {
  const trace = linkItems(
    items(
      'XenMkt~domain_device_assignment~1 needs XenProd',
      'XenProd~device_passthrough~1 needs XenSwdgn covers XenMkt~domain_device_assignment~1',
      'XenSwdgn~passthrough_enable_iommu_to_perform_dma_remapping_for_dev~1 covers XenProd~device_passthrough~1',
      'XenSwdgn~passthrough_enable_iommu_to_perform_irq_remapping_for_dev~1 covers XenProd~device_passthrough~1',
    ),
  );
  const explained = why(trace, 'XenMkt~domain_device_assignment~1', sampleMatrix(), ['arm64-ipmmu', 'amd64-vtd']);
  t.match(explained?.explanations, [
    {
      path: [{}, {}, { id: 'XenSwdgn~passthrough_enable_iommu_to_perform_dma_remapping_for_dev~1' }],
      cause: "refuted on arm64-ipmmu: check 'a transfer lands in the right frame' fails: got 4, expected 5",
      place: { path: 'checks/lamp.check.ts', line: 31 },
    },
    {
      path: [{}, {}, { id: 'XenSwdgn~passthrough_enable_iommu_to_perform_irq_remapping_for_dev~1' }],
      cause: "weak on amd64-vtd: mutant 'mutant 2' survives",
      mend: "add the missing assertion: a check that fails under 'mutant 2'",
    },
  ]);
});

t.test('a file of checks that was not loaded is mended as its diagnostic advises', async (t) => {
  const place = { path: 'checks/lamp.check.ts', line: 1, column: 1, offset: 0 };
  const result = { ...record('dsn~a~1', 'dist/lamp.check.js', 'error'), message: 'it is older than its source', place };
  const told = (hint?: string) => {
    const found = { code: 'check-outdated-build', severity: 'error', message: 'x', place } as const;
    const matrix = fold({
      lines: ['dsn~a~1'],
      declared: [check('dsn~a~1', 'dist/lamp.check.js')],
      records: [result],
      diagnostics: [hint === undefined ? found : { ...found, hint }],
    });
    return why(linkItems(items('dsn~a~1')), 'dsn~a~1', matrix)?.explanations[0];
  };
  t.match(told('Build the project again.'), { cause: /^error on/, mend: 'build the project again', place });
  t.match(told(), { mend: 'mend the file, so that its checks can be loaded' });
});

t.test('a requirement above others is told by its own checks only where they are the cause', async (t) => {
  const lines = ['req~a~1 needs dsn', 'dsn~b~1 covers req~a~1'];
  const matrix = fold({
    lines,
    declared: [check('req~a~1', 'whole'), check('dsn~b~1', 'part')],
    records: [record('req~a~1', 'whole', 'pass'), record('dsn~b~1', 'part', 'fail')],
  });
  const explained = why(linkItems(items(...lines)), 'req~a~1', matrix);
  t.same(
    explained?.explanations[0]?.path.map((step) => step.id),
    ['req~a~1', 'dsn~b~1'],
  );
});

t.test('columns of which the same is to say are told together', async (t) => {
  const lines = ['dsn~a~1'];
  const matrix = fold({
    lines,
    columns: ['arm64-a', 'amd64-b', 'amd64-c'].map(column),
    declared: [check('dsn~a~1', 'x')],
  });
  t.match(why(linkItems(items(...lines)), 'dsn~a~1', matrix)?.explanations, [
    { cause: "not run on arm64-a, amd64-b, amd64-c: check 'x' has no result", mend: 'run its checks' },
  ]);
});
