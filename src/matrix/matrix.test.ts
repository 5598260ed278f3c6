import fc from 'fast-check';
import t from 'tap';
import type { Matrix } from '../core/matrix.js';
import type { ResultRecord } from '../core/record.js';
import { foldMatrix } from './matrix.js';
import { check, column, fold, matrixInput, OBJECT, record } from './matrix.test-support.js';

/** Rows as text: indentation, id, verdict in the first column. */
function rows(matrix: Matrix): string[] {
  const key = matrix.columns[0]?.key ?? '';
  return matrix.rows.map(
    (row) => `${'  '.repeat(row.depth)}${row.id}${row.repeated ? ' again' : ''} ${row.verdicts[key]?.verdict}`,
  );
}

t.test('rows stand in the order of the tree, types in the order of the configuration', async (t) => {
  const matrix = fold({
    lines: ['b~z~1', 'a~m~1 needs c', 'c~q~1 needs d covers a~m~1', 'c~p~1 needs d covers a~m~1', 'd~x~1 covers c~q~1'],
    types: ['b', 'a', 'c', 'd'],
  });
  t.same(rows(matrix), ['b~z~1 not run', 'a~m~1 not run', '  c~p~1 not run', '  c~q~1 not run', '    d~x~1 not run']);
});

t.test('a parent shows the worst of the requirements below it and counts them', async (t) => {
  const matrix = fold({
    lines: ['req~a~1 needs dsn', 'dsn~b~1 covers req~a~1', 'dsn~c~1 covers req~a~1'],
    declared: [check('dsn~b~1', 'b'), check('dsn~c~1', 'c')],
    records: [
      record('dsn~b~1', 'b', 'pass'),
      record('dsn~b~1', 'b', 'fail', { mutant: 'm' }),
      record('dsn~c~1', 'c', 'fail'),
    ],
  });
  const cell = matrix.rows[0]?.verdicts['arm64-smmuv3'];
  t.match(cell, {
    verdict: 'refuted',
    reason: 'dsn~c~1',
    killed: 1,
    mutants: 1,
    checks: { passed: 1, failed: 1 },
    counts: { verified: 1, refuted: 1, 'not run': 0 },
  });
  t.match(matrix.summary, { items: 3, defects: 0, requirements: 2, checked: 2, verdicts: { verified: 1, refuted: 1 } });
});

t.test('what does not apply is left out of the fold, and shows where nothing else is below', async (t) => {
  const applicability = {
    notApplicable: [{ requirement: 'dsn~c~1', platform: 'arm64-smmuv3', reason: 'no such device' }],
    aspects: [],
  };
  const both = fold({
    lines: ['req~a~1 needs dsn', 'dsn~b~1 covers req~a~1', 'dsn~c~1 covers req~a~1'],
    declared: [check('dsn~b~1', 'b')],
    records: [record('dsn~b~1', 'b', 'pass'), record('dsn~b~1', 'b', 'fail', { mutant: 'm' })],
    applicability,
  });
  t.equal(both.rows[0]?.verdicts['arm64-smmuv3']?.verdict, 'verified');
  const alone = fold({ lines: ['req~a~1 needs dsn', 'dsn~c~1 covers req~a~1'], applicability });
  t.equal(alone.rows[0]?.verdicts['arm64-smmuv3']?.verdict, 'n/a');
});

t.test('an item under several parents stands under each and counts once', async (t) => {
  const matrix = fold({
    lines: [
      'req~a~1 needs dsn',
      'req~b~1 needs dsn',
      'dsn~c~1 needs imp covers req~a~1,req~b~1',
      'imp~d~1 covers dsn~c~1',
    ],
  });
  t.same(rows(matrix), [
    'req~a~1 not run',
    '  dsn~c~1 not run',
    '    imp~d~1 not run',
    'req~b~1 not run',
    '  dsn~c~1 again not run',
  ]);
  t.equal(matrix.summary.requirements, 1);
  t.equal(matrix.summary.verdicts['not run'], 1);
});

t.test('cycles end, and are listed', async (t) => {
  const matrix = fold({ lines: ['a~a~1 needs b covers b~b~1', 'b~b~1 needs a covers a~a~1', 'c~c~1 covers c~c~1'] });
  t.same(rows(matrix), [
    'c~c~1 not run',
    '  c~c~1 again not run',
    'a~a~1 not run',
    '  b~b~1 not run',
    '    a~a~1 again not run',
  ]);
});

t.test('a layered graph with every link has as many rows as links, not as paths', async (t) => {
  const lines: string[] = [];
  for (let layer = 0; layer < 8; layer++) {
    const above =
      layer === 0 ? '' : ` covers ${Array.from({ length: 8 }, (_, i) => `a~l${layer - 1}i${i}~1`).join(',')}`;
    for (let i = 0; i < 8; i++) lines.push(`a~l${layer}i${i}~1 needs a${above}`);
  }
  t.equal(fold({ lines }).rows.length, 8 + 7 * 64);
});

t.test('an item that a check binds is a requirement, also above others', async (t) => {
  const matrix = fold({
    lines: ['req~a~1 needs dsn', 'dsn~b~1 covers req~a~1'],
    declared: [check('req~a~1', 'whole')],
    records: [record('req~a~1', 'whole', 'fail')],
  });
  t.equal(matrix.summary.requirements, 2);
  t.equal(matrix.rows[0]?.verdicts['arm64-smmuv3']?.verdict, 'refuted');
  t.equal(matrix.rows[0]?.own?.['arm64-smmuv3']?.verdict, 'refuted');
  t.equal(matrix.rows[1]?.verdicts['arm64-smmuv3']?.verdict, 'not run');
});

t.test('objects under check are never mixed', async (t) => {
  const other = { ...column('arm64-smmuv3'), key: 'captured', object: 'a captured state' };
  const matrix = fold({
    lines: ['dsn~a~1'],
    declared: [check('dsn~a~1', 'x')],
    columns: [column('arm64-smmuv3'), other],
    records: [record('dsn~a~1', 'x', 'pass'), record('dsn~a~1', 'x', 'fail', { object: 'a captured state' })],
    strength: false,
  });
  t.equal(matrix.rows[0]?.verdicts['arm64-smmuv3']?.verdict, 'passes');
  t.equal(matrix.rows[0]?.verdicts.captured?.verdict, 'refuted');
});

t.test('a result that belongs to nothing is an error, not lost', async (t) => {
  const matrix = fold({
    lines: ['dsn~a~1'],
    declared: [check('dsn~a~1', 'x')],
    records: [record('dsn~a~1', 'y', 'pass'), record('dsn~a~1', 'x', 'pass', { platform: 'riscv' })],
  });
  t.same(
    matrix.diagnostics.map((one) => `${one.code}: ${one.message}`),
    [
      `result-unbound: a result of check 'x' of dsn~a~1 on riscv (${OBJECT}) belongs to no column`,
      `result-unbound: a result of check 'y' of dsn~a~1 on arm64-smmuv3 (${OBJECT}) belongs to no check`,
    ],
  );
});

t.test('a table or a check that names what does not exist is an error', async (t) => {
  const matrix = fold({
    lines: ['dsn~a~1'],
    declared: [check('dsn~a~1', 'x', { aspect: 'dam' })],
    applicability: {
      notApplicable: [{ requirement: 'dsn~b~1', platform: 'arm64-smmuv3', reason: 'no' }],
      aspects: [{ requirement: 'dsn~a~1', aspect: 'dma' }],
    },
  });
  t.same(
    matrix.diagnostics.map((one) => one.code),
    ['applicability-unbound', 'aspect-unknown'],
  );
  t.equal(matrix.diagnostics[1]?.hint, 'its parts are dma');
});

t.test('the fold is free of the order of records, checks and mutants', async (t) => {
  const ids = ['dsn~b~1', 'dsn~c~1'];
  const titles = ['one', 'two'];
  const declared = ids.flatMap((id) => titles.map((title) => check(id, title)));
  const one = fc.record({
    requirement: fc.constantFrom(...ids),
    check: fc.constantFrom(...titles),
    platform: fc.constantFrom('arm64-smmuv3', 'amd64-vtd'),
    outcome: fc.constantFrom('pass', 'fail', 'error'),
    mutant: fc.constantFrom(undefined, undefined, 'm1', 'm2'),
    assertions: fc.integer({ min: 0, max: 2 }),
    digest: fc.constantFrom('p', 'q'),
  });
  const build = (records: readonly ResultRecord[], checks = declared) =>
    JSON.stringify(
      foldMatrix(
        matrixInput({
          lines: ['req~a~1 needs dsn', 'dsn~b~1 covers req~a~1', 'dsn~c~1 covers req~a~1'],
          columns: [column('arm64-smmuv3'), column('amd64-vtd')],
          declared: checks,
          records,
        }),
      ),
    );
  const property = fc.property(
    fc
      .array(one, { maxLength: 20 })
      .chain((all) => fc.tuple(fc.constant(all), fc.shuffledSubarray(all, { minLength: all.length }))),
    ([all, shuffled]) => {
      const records = (list: typeof all) =>
        list.map(({ requirement, check: title, outcome, mutant, digest, ...rest }) =>
          record(requirement, title, outcome as ResultRecord['outcome'], {
            ...rest,
            transcriptDigest: digest,
            ...(mutant === undefined ? {} : { mutant }),
          }),
        );
      return build(records(all)) === build(records(shuffled), [...declared].reverse());
    },
  );
  t.doesNotThrow(() => fc.assert(property, { numRuns: 150, seed: 11 }));
});

t.test(
  'what the object does otherwise stands in the cells of its requirement, on its platforms, and changes no verdict',
  async (t) => {
    const divergences = [
      { requirement: 'dsn~b~1', from: 'Xen at c447b73', text: 'frees the tag first' },
      { requirement: 'dsn~b~1', from: 'Xen at c447b73', text: 'elsewhere', platforms: ['amd64-vtd'] },
      { requirement: 'dsn~typo~1', from: 'Xen at c447b73', text: 'of nothing' },
    ];
    const matrix = fold({
      lines: ['req~a~1 needs dsn', 'dsn~b~1 covers req~a~1'],
      declared: [check('dsn~b~1', 'b')],
      records: [record('dsn~b~1', 'b', 'pass'), record('dsn~b~1', 'b', 'fail', { mutant: 'm' })],
      divergences,
    });
    const [parent, own] = matrix.rows.map((row) => row.verdicts['arm64-smmuv3']);
    t.match(own, { verdict: 'verified', divergences: [{ from: 'Xen at c447b73', text: 'frees the tag first' }] });
    t.equal(own?.divergences.length, 1);
    t.same(parent?.divergences, []);
    t.match(matrix.diagnostics, [{ code: 'divergence-unbound', severity: 'error' }]);
  },
);
