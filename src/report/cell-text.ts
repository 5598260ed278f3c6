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

/** What the object under check differs from, where checks speak of it: `differs from Xen at c447b73`. */
export function differenceText(cell: Cell): string | undefined {
  if (cell.divergences.length === 0 || cell.checks.passed === 0) return undefined;
  return `differs from ${[...new Set(cell.divergences.map(({ from }) => from))].sort().join(' and ')}`;
}

/** A cell as text, with what the object under check differs from. */
export function fullCellText(row: MatrixRow, cell: Cell): string {
  const difference = differenceText(cell);
  return difference === undefined ? cellText(row, cell) : `${cellText(row, cell)}, ${difference}`;
}
