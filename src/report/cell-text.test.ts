import t from 'tap';
import type { MatrixRow } from '../core/matrix.js';
import { fold, sampleMatrix } from '../matrix/matrix.test-support.js';
import { cellText, coverageText } from './cell-text.js';

function row(id: string): MatrixRow {
  return sampleMatrix().rows.find((one) => one.id.startsWith(id)) as MatrixRow;
}

t.test('a requirement whose mutants were run shows killed of applicable, any other item the verdict', async (t) => {
  const map = row('XenSwdgn~passthrough_map');
  t.equal(cellText(map, map.verdicts['amd64-vtd'] as NonNullable<(typeof map.verdicts)['x']>), 'verified 2/2');
  const parent = row('XenProd');
  t.equal(cellText(parent, parent.verdicts['amd64-vtd'] as NonNullable<(typeof map.verdicts)['x']>), 'weak');
});

t.test('coverage is deep only where something is below, and says what is wrong', async (t) => {
  t.equal(coverageText(row('XenMkt'), false), '✔ deep');
  t.equal(coverageText(row('XenSwdgn'), true), '✔');
  const [uncovered] = fold({ lines: ['req~a~1 needs dsn'] }).rows;
  t.equal(coverageText(uncovered as MatrixRow, true), '✘ uncovered');
  const [orphan] = fold({ lines: ['dsn~a~1 covers req~a~1'] }).rows;
  t.equal(coverageText(orphan as MatrixRow, true), '✘ links');
  const [cycle] = fold({ lines: ['a~a~1 needs a covers a~a~1'] }).rows;
  t.equal(coverageText(cycle as MatrixRow, true), '✘ cycle');
});
