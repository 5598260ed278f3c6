/** What every report of a matrix writes into its cells. */
import type { Cell, MatrixRow } from '../core/matrix.js';

/** What the coverage column says: `✔`, `✔ deep` where others stand below, or what is wrong. */
export function coverageText(row: MatrixRow, isLeaf: boolean): string {
  if (row.coverage.deep !== 'covered') return `✘ ${row.coverage.deep}`;
  if (row.coverage.defect) return '✘ links';
  return isLeaf ? '✔' : '✔ deep';
}

/** A cell as text: the verdict, for a requirement with `k/n` where its mutants were run. */
export function cellText(row: MatrixRow, cell: Cell): string {
  const measured = row.requirement && cell.mutants > 0 && cell.checks.passed > 0;
  return measured ? `${cell.verdict} ${cell.killed}/${cell.mutants}` : cell.verdict;
}
