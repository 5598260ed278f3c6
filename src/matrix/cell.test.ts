/** One requirement on one platform: every verdict, and what a mutant counts for. */
import t from 'tap';
import type { Cell, CheckDeclaration, Matrix, MutantDeclaration } from '../core/matrix.js';
import type { ResultRecord } from '../core/record.js';
import { check, column, fold, mutant, record } from './matrix.test-support.js';

const ID = 'dsn~lamp~1';

function matrixOf(records: readonly ResultRecord[], checks: readonly CheckDeclaration[] = [check(ID, 'red')]): Matrix {
  return fold({ lines: [ID], declared: checks, records });
}

function cellOf(matrix: Matrix): Cell {
  return matrix.rows[0]?.verdicts['arm64-smmuv3'] as Cell;
}

function killed(title: string, name = 'red'): ResultRecord {
  return record(ID, name, 'fail', { mutant: title });
}

function survived(title: string, name = 'red'): ResultRecord {
  return record(ID, name, 'pass', { mutant: title });
}

t.test('no check: not run', async (t) => {
  const cell = cellOf(matrixOf([], []));
  t.match(cell, { verdict: 'not run', reason: 'no check binds it', killed: 0, mutants: 0 });
});

t.test('a check without a result: not run', async (t) => {
  const cell = cellOf(matrixOf([]));
  t.match(cell, { verdict: 'not run', reason: "check 'red' has no result", checks: { notRun: 1 } });
});

t.test('checks pass and kill every mutant: verified', async (t) => {
  const cell = cellOf(matrixOf([record(ID, 'red', 'pass'), killed('m1'), killed('m2')]));
  t.match(cell, { verdict: 'verified', killed: 2, mutants: 2, notExercised: 0, survivors: [] });
  t.notOk('reason' in cell);
});

t.test('a check that fails: refuted, with what it saw', async (t) => {
  const cell = cellOf(matrixOf([record(ID, 'red', 'fail'), killed('m1')]));
  t.match(cell, { verdict: 'refuted', reason: "check 'red' fails: got 4, expected 5", killed: 0 });
});

t.test('a check that meets an error: error', async (t) => {
  t.match(cellOf(matrixOf([record(ID, 'red', 'error')])), { verdict: 'error', reason: "check 'red': timed out" });
});

t.test('a check without assertions: vacuous, whatever its mutants do', async (t) => {
  const cell = cellOf(matrixOf([record(ID, 'red', 'pass', { assertions: 0 }), killed('m1')]));
  t.match(cell, { verdict: 'vacuous', reason: "check 'red' asserts nothing" });
});

t.test('a mutant that survives: weak, and named', async (t) => {
  const cell = cellOf(matrixOf([record(ID, 'red', 'pass'), killed('m1'), survived('m2')]));
  t.match(cell, { verdict: 'weak', reason: "mutant 'm2' survives", killed: 1, mutants: 2, survivors: ['m2'] });
});

t.test('no mutant: weak', async (t) => {
  t.match(cellOf(matrixOf([record(ID, 'red', 'pass')])), { verdict: 'weak', mutants: 0 });
});

t.test('strength not measured: passes', async (t) => {
  const matrix = fold({
    lines: [ID],
    declared: [check(ID, 'red')],
    records: [record(ID, 'red', 'pass')],
    strength: false,
  });
  t.match(cellOf(matrix), { verdict: 'passes', reason: 'strength was not measured' });
});

t.test('with a choice of mutants: passes at best, weak with a survivor, never vacuous for killing none', async (t) => {
  const partial = (records: readonly ResultRecord[]) =>
    cellOf(fold({ lines: [ID], declared: [check(ID, 'red')], records, strength: 'partial' }));
  t.match(partial([record(ID, 'red', 'pass'), killed('m1')]), {
    verdict: 'passes',
    reason: 'only some mutants were run',
    killed: 1,
    mutants: 1,
  });
  t.match(partial([record(ID, 'red', 'pass'), survived('m1')]), { verdict: 'weak', reason: "mutant 'm1' survives" });
  t.equal(partial([record(ID, 'red', 'pass', { assertions: 0 }), killed('m1')]).verdict, 'vacuous');
});

t.test('a check that kills none: vacuous', async (t) => {
  const cell = cellOf(matrixOf([record(ID, 'red', 'pass'), survived('m1'), survived('m2')]));
  t.match(cell, {
    verdict: 'vacuous',
    reason: "check 'red' does not kill any of 2 mutants that it was run against",
    survivors: ['m1', 'm2'],
  });
});

t.test('a check that kills none is vacuous even if another kills them all', async (t) => {
  const matrix = matrixOf(
    [record(ID, 'red', 'pass'), record(ID, 'idle', 'pass'), killed('m1'), survived('m1', 'idle')],
    [check(ID, 'red'), check(ID, 'idle')],
  );
  t.match(cellOf(matrix), { verdict: 'vacuous', killed: 1, mutants: 1 });
  t.match(cellOf(matrix).reason, /'idle'/);
  t.same(
    matrix.checks.map((one) => `${one.check} ${one.vacuous}`),
    ['idle true', 'red false'],
  );
});

t.test('checks may share the killing', async (t) => {
  const matrix = matrixOf(
    [
      record(ID, 'red', 'pass'),
      record(ID, 'green', 'pass'),
      killed('m1'),
      survived('m1', 'green'),
      survived('m2'),
      killed('m2', 'green'),
    ],
    [check(ID, 'red'), check(ID, 'green')],
  );
  t.match(cellOf(matrix), { verdict: 'verified', killed: 2, mutants: 2 });
  t.same(
    matrix.mutants.map((one) => `${one.mutant} ${one.killedBy.join()}`),
    ['m1 red', 'm2 green'],
  );
});

t.test('a mutant that breaks the run: error, and no kill', async (t) => {
  const cell = cellOf(
    matrixOf([record(ID, 'red', 'pass'), killed('m1'), record(ID, 'red', 'error', { mutant: 'boot' })]),
  );
  t.match(cell, { verdict: 'error', killed: 1, mutants: 2, survivors: ['boot'] });
  t.equal(cell.reason, "mutant 'boot': check 'red' met an error: timed out; that is no kill");
});

t.test('a mutant that one check kills and another meets an error with: killed, with a note', async (t) => {
  const cell = cellOf(
    matrixOf(
      [
        record(ID, 'red', 'pass'),
        record(ID, 'green', 'pass'),
        killed('m1'),
        record(ID, 'green', 'error', { mutant: 'm1' }),
        killed('m2', 'green'),
      ],
      [check(ID, 'red'), check(ID, 'green')],
    ),
  );
  t.match(cell, { verdict: 'verified', killed: 2, mutants: 2 });
  t.equal(cell.note, "mutant 'm1' is killed, and check 'green' met an error: timed out");
});

t.test('a mutant that leaves no trace: not exercised, counted and never killed', async (t) => {
  const same = record(ID, 'red', 'pass', { mutant: 'm2', transcriptDigest: 'plain' });
  const matrix = matrixOf([record(ID, 'red', 'pass'), killed('m1'), same]);
  t.match(cellOf(matrix), { verdict: 'weak', killed: 1, mutants: 2, notExercised: 1 });
  t.equal(matrix.mutants[1]?.state, 'not exercised');
  const failing = record(ID, 'red', 'fail', { mutant: 'm2', transcriptDigest: 'plain' });
  t.match(cellOf(matrixOf([record(ID, 'red', 'pass'), killed('m1'), failing])), { killed: 1, notExercised: 1 });
});

t.test('where the only mutant leaves no trace the check kills none: vacuous', async (t) => {
  const same = record(ID, 'red', 'pass', { mutant: 'm1', transcriptDigest: 'plain' });
  t.match(cellOf(matrixOf([record(ID, 'red', 'pass'), same])), {
    verdict: 'vacuous',
    killed: 0,
    mutants: 1,
    notExercised: 1,
  });
});

t.test('a mutant that one check exercises is exercised', async (t) => {
  const matrix = matrixOf(
    [
      record(ID, 'red', 'pass'),
      record(ID, 'green', 'pass'),
      record(ID, 'red', 'pass', { mutant: 'm1', transcriptDigest: 'plain' }),
      survived('m1', 'green'),
    ],
    [check(ID, 'red'), check(ID, 'green')],
  );
  t.equal(matrix.mutants[0]?.state, 'survived');
});

t.test('a failure under a mutant is no kill where the check did not pass without it', async (t) => {
  const matrix = matrixOf([record(ID, 'red', 'error'), killed('m1')]);
  t.match(cellOf(matrix), { verdict: 'error', killed: 0, mutants: 1 });
});

t.test('a declared mutant counts, run or not', async (t) => {
  const mutants: MutantDeclaration[] = [
    mutant('m1', ID),
    mutant('m2', ID),
    mutant('elsewhere', ID, { platforms: ['amd64-vtd'] }),
    mutant('other', 'dsn~other~1'),
  ];
  const matrix = fold({
    lines: [ID],
    declared: [check(ID, 'red')],
    records: [record(ID, 'red', 'pass'), killed('m1')],
    mutants,
  });
  t.match(cellOf(matrix), { verdict: 'weak', killed: 1, mutants: 2, reason: "mutant 'm2' has no result" });
});

t.test('a part that no check speaks of: never better than not run, and named', async (t) => {
  const aspects = [
    { requirement: ID, aspect: 'dma' },
    { requirement: ID, aspect: 'mmio' },
    { requirement: ID, aspect: 'irq', platforms: ['amd64-vtd'] },
  ];
  const records = [record(ID, 'red', 'pass'), killed('m1')];
  const one = fold({
    lines: [ID],
    declared: [check(ID, 'red', { aspect: 'dma' })],
    records,
    applicability: { notApplicable: [], aspects },
  });
  t.match(cellOf(one), { verdict: 'not run', reason: 'no check speaks of: mmio', missingAspects: ['mmio'], killed: 1 });
  const both = fold({
    lines: [ID],
    declared: [check(ID, 'red', { aspect: 'dma' }), check(ID, 'green', { aspect: 'mmio' })],
    records: [...records, record(ID, 'green', 'pass'), killed('m1', 'green')],
    applicability: { notApplicable: [], aspects },
  });
  t.match(cellOf(both), { verdict: 'verified', missingAspects: [] });
});

t.test('what does not apply: n/a with the reason, whatever the results say', async (t) => {
  const matrix = fold({
    lines: [ID],
    declared: [check(ID, 'red')],
    records: [record(ID, 'red', 'fail')],
    applicability: { notApplicable: [{ requirement: ID, platform: 'arm64-smmuv3', reason: 'no lamp' }], aspects: [] },
  });
  t.match(cellOf(matrix), { verdict: 'n/a', reason: 'no lamp' });
});

t.test('a check that cannot run on a platform does not excuse the requirement there', async (t) => {
  const matrix = fold({
    lines: [ID],
    declared: [check(ID, 'red', { platforms: ['amd64-vtd'] })],
    records: [],
    columns: [column('arm64-smmuv3')],
  });
  t.match(cellOf(matrix), { verdict: 'not run', reason: 'none of its checks can run on arm64-smmuv3' });
});

t.test('copies of a result that agree count once, those that disagree are an error', async (t) => {
  const agreeing = [record(ID, 'red', 'pass'), record(ID, 'red', 'pass'), killed('m1'), killed('m1')];
  t.match(cellOf(matrixOf(agreeing)), { verdict: 'verified', killed: 1, mutants: 1 });
  const cell = cellOf(matrixOf([...agreeing, survived('m1')]));
  t.match(cell, { verdict: 'error', killed: 0 });
  t.match(cell.reason, /disagree/);
});

t.test('the worst of several findings is the verdict', async (t) => {
  const cell = cellOf(
    matrixOf(
      [record(ID, 'red', 'pass'), record(ID, 'green', 'fail'), survived('m1'), killed('m2')],
      [check(ID, 'red'), check(ID, 'green')],
    ),
  );
  t.equal(cell.verdict, 'refuted');
});
