/** The matrix as JSON. Its schema is `schema/matrix.schema.json`. */
import type { Cell, Matrix, MatrixColumn, MatrixRow, MatrixSummary } from '../core/matrix.js';
import { diagnosticJson, jsonText, placeJson, SCHEMA_VERSION } from './json.js';

/** Formats the matrix with all that it was made of: checks, mutants, bindings, diagnostics. */
export function matrixJson(matrix: Matrix): string {
  return jsonText({
    schemaVersion: SCHEMA_VERSION,
    summary: summaryJson(matrix.summary),
    columns: matrix.columns.map(columnJson),
    rows: matrix.rows.map((row) => rowJson(row, matrix.columns)),
    checks: matrix.checks.map((check) => ({
      requirement: check.requirement,
      check: check.check,
      aspect: check.aspect ?? null,
      column: check.column,
      outcome: check.outcome,
      assertions: check.assertions,
      message: check.message ?? null,
      place: placeJson(check.place),
      killed: check.killed,
      ran: check.ran,
      vacuous: check.vacuous,
    })),
    mutants: matrix.mutants.map((mutant) => ({
      requirement: mutant.requirement,
      mutant: mutant.mutant,
      column: mutant.column,
      state: mutant.state,
      killedBy: mutant.killedBy,
      message: mutant.message ?? null,
      place: placeJson(mutant.place),
    })),
    bindings: matrix.bindings.map((binding) => ({
      requirement: binding.requirement,
      check: binding.check,
      aspect: binding.aspect ?? null,
      status: binding.status,
      items: binding.items,
      place: placeJson(binding.place),
    })),
    diagnostics: matrix.diagnostics.map(diagnosticJson),
  });
}

function summaryJson({ items, defects, requirements, checked, verdicts }: MatrixSummary): object {
  return { items, defects, requirements, checked, verdicts };
}

function columnJson({ key, platform, object, hypervisor, machine, digests }: MatrixColumn): object {
  const sorted = Object.fromEntries(Object.entries(digests).sort(([a], [b]) => (a < b ? -1 : 1)));
  return { key, platform, object, hypervisor, machine, digests: sorted };
}

function rowJson(row: MatrixRow, columns: readonly MatrixColumn[]): object {
  return {
    id: row.id,
    type: row.type,
    depth: row.depth,
    title: row.title ?? null,
    place: placeJson(row.place),
    coverage: { deep: row.coverage.deep, defect: row.coverage.defect },
    requirement: row.requirement,
    repeated: row.repeated,
    verdicts: Object.fromEntries(columns.map(({ key }) => [key, cellJson(row.verdicts[key] as Cell)])),
  };
}

function cellJson(cell: Cell): object {
  return {
    verdict: cell.verdict,
    killed: cell.killed,
    mutants: cell.mutants,
    notExercised: cell.notExercised,
    reason: cell.reason ?? null,
    note: cell.note ?? null,
    checks: cell.checks,
    survivors: cell.survivors,
    divergences: cell.divergences,
    missingAspects: cell.missingAspects,
    counts: cell.counts,
  };
}
