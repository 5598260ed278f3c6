/** Why a cell is not green: the checks and mutants behind its verdict, and what would mend it. */
import { formatPlace, type Place } from '../core/diagnostic.js';
import type { Explanation } from '../core/explanation.js';
import type { Cell, Matrix } from '../core/matrix.js';
import type { LinkedItem } from '../core/trace.js';
import { VERDICTS, type Verdict } from '../core/verdict.js';
import { shortestPath, steps } from './path.js';

/** Cells that need no explanation. */
const GREEN: readonly Verdict[] = ['verified', 'n/a', 'waived'];

/** An explanation without its path and cause. */
type Consequence = Pick<Explanation, 'details' | 'mend' | 'place'>;

/** Explains the cells of an item that are not green, worst verdict first. */
export function explainCells(start: LinkedItem, matrix: Matrix, columns: readonly string[] | undefined): Explanation[] {
  const rows = new Map(matrix.rows.filter((row) => !row.repeated).map((row) => [row.id, row]));
  const red = matrix.columns.flatMap(({ key }) => {
    if (columns !== undefined && !columns.includes(key)) return [];
    const cell = rows.get(start.item.id)?.verdicts[key];
    return cell === undefined || GREEN.includes(cell.verdict) ? [] : [{ key, cell }];
  });
  const rank = (verdict: Verdict) => VERDICTS.indexOf(verdict as (typeof VERDICTS)[number]);
  red.sort((a, b) => rank(a.cell.verdict) - rank(b.cell.verdict));
  const told = new Map<string, { explanation: Explanation; reason: string; verdict: Verdict; keys: string[] }>();
  for (const { key, cell } of red) {
    const isCause = (linked: LinkedItem) => rows.get(linked.item.id)?.own?.[key]?.verdict === cell.verdict;
    const path = shortestPath(start, isCause) ?? [start];
    const last = path.at(-1) as LinkedItem;
    const own = rows.get(last.item.id)?.own?.[key] ?? cell;
    const explanation = { ...explainCell(last, own, key, matrix), cause: '', path: steps(path) };
    const reason = own.reason ?? 'no reason is known';
    // Columns of which the same is to say are told together.
    const same = JSON.stringify([own.verdict, reason, explanation]);
    const known = told.get(same);
    if (known === undefined) told.set(same, { explanation, reason, verdict: own.verdict, keys: [key] });
    else known.keys.push(key);
  }
  return [...told.values()].map(({ explanation, reason, verdict, keys }) => ({
    ...explanation,
    cause: `${verdict} on ${keys.join(', ')}: ${reason}`,
  }));
}

/** What would mend a file of checks, if it was not loaded: what the diagnostic about it advises. */
function mendOfFile(place: Place | undefined, matrix: Matrix): string | undefined {
  const unloaded = ['check-outdated-build', 'check-does-not-load'];
  const said = matrix.diagnostics.find((one) => unloaded.includes(one.code) && one.place?.path === place?.path);
  if (said === undefined) return undefined;
  const hint = said.hint?.replace(/\.$/, '') ?? 'Mend the file, so that its checks can be loaded';
  return `${hint.slice(0, 1).toLowerCase()}${hint.slice(1)}`;
}

/** What lies behind a cell, and what would mend it. */
function explainCell({ item }: LinkedItem, cell: Cell, column: string, matrix: Matrix): Consequence {
  const checks = matrix.checks.filter((check) => check.requirement === item.id && check.column === column);
  const mutants = matrix.mutants.filter((mutant) => mutant.requirement === item.id && mutant.column === column);
  const others = matrix.bindings.find((binding) => binding.requirement === item.id)?.place;
  const details = cell.note === undefined ? [] : [cell.note];
  const at = (place: Place | undefined): Place | undefined => place ?? others ?? item.place;
  switch (cell.verdict) {
    case 'refuted': {
      const check = checks.find((one) => one.outcome === 'fail');
      return {
        details,
        mend: 'mend what is under check, or the check if it asks for too much',
        place: at(check?.place),
      };
    }
    case 'error': {
      const check = checks.find((one) => one.outcome === 'error');
      const mutant = mutants.find((one) => one.state === 'error');
      const misbound = matrix.bindings.find((one) => one.status !== 'bound' && one.items.includes(item.id));
      const mend =
        check !== undefined
          ? (mendOfFile(check.place, matrix) ?? 'let the check come to its end: it must pass or fail by an assertion')
          : mutant !== undefined
            ? 'let the mutant make a small mistake that the check can observe, not one that breaks the run'
            : `bind the check to ${item.id} after reviewing it`;
      return { details, mend, place: at(check?.place ?? mutant?.place ?? misbound?.place) };
    }
    case 'vacuous': {
      const check = checks.find((one) => one.vacuous);
      const mend = 'assert what the requirement demands, so that the check fails once its mechanism is gone';
      return { details, mend, place: at(check?.place) };
    }
    case 'weak': {
      const mutant = mutants.find((one) => one.state !== 'killed');
      if (mutant === undefined) {
        return { details, mend: `write mutants that violate ${item.id}`, place: at(checks[0]?.place) };
      }
      const mend =
        mutant.state === 'survived'
          ? `add the missing assertion: a check that fails under '${mutant.mutant}'`
          : `make a check reach the step that '${mutant.mutant}' changes`;
      const where = mutant.place === undefined ? [] : [`the mutant is at ${formatPlace(mutant.place)}`];
      return { details: [...details, ...where], mend, place: at(checks[0]?.place) };
    }
    case 'not run': {
      const parts = cell.missingAspects;
      const mend =
        parts.length > 0 && checks.length > 0
          ? `write a check of ${item.id} for: ${parts.join(', ')}`
          : checks.length > 0
            ? 'run its checks'
            : `write a check that binds ${item.id}`;
      return { details, mend, place: at(checks[0]?.place) };
    }
    case 'passes':
      return { details, mend: 'run its mutants too', place: at(checks[0]?.place) };
    default:
      return { details, mend: 'renew the evidence', place: at(checks[0]?.place) };
  }
}
