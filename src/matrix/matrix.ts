/**
 * The fold: from a trace, bound checks and result records to the matrix. Pure, and free of order: records may come in
 * any order, from any number of shards.
 */
import { compareDiagnostics, type Diagnostic, diagnostic } from '../core/diagnostic.js';
import type {
  ApplicabilityTable,
  Cell,
  CheckBinding,
  CheckResult,
  Divergence,
  Matrix,
  MatrixColumn,
  MatrixRow,
  MutantDeclaration,
  MutantResult,
  NotApplicable,
} from '../core/matrix.js';
import { didYouMean, nearestIds } from '../core/nearest.js';
import type { ResultRecord } from '../core/record.js';
import type { LinkedItem, Trace } from '../core/trace.js';
import { worstVerdict } from '../core/verdict.js';
import { type Evidence, judgeCell, type Strength } from './cell.js';
import { addCounts, countVerdicts } from './counts.js';
import { Results } from './results.js';
import { layOut, requirementsBelow, type Tree } from './tree.js';

/** What a matrix is made of. */
export interface MatrixInput {
  readonly trace: Trace;
  readonly bindings: readonly CheckBinding[];
  readonly records: readonly ResultRecord[];
  readonly columns: readonly MatrixColumn[];
  /** Absent: everything applies everywhere, and no requirement has parts. */
  readonly applicability?: ApplicabilityTable;
  /** Where the object under check differs from what it stands for. */
  readonly divergences?: readonly Divergence[];
  /** Every mutant there is. A declared mutant without a result is not killed; one with a result counts either way. */
  readonly mutants?: readonly MutantDeclaration[];
  /**
   * Whether mutants were run: all (true, or absent), none (false), or `partial`, a choice of those that are declared.
   * Without all of them a requirement whose checks pass is `passes` at best.
   */
  readonly strength?: boolean | 'partial';
  /** Artifact types in the order in which items that cover nothing are to stand. */
  readonly types?: readonly string[];
  /** What was found before: reading, linking, binding. */
  readonly diagnostics?: readonly Diagnostic[];
}

/** Folds results into the matrix. */
export function foldMatrix(input: MatrixInput): Matrix {
  const { trace, columns } = input;
  const tree = layOut(trace, input.types);
  const evidence = new EvidenceIndex(input);
  const isLeaf = (linked: LinkedItem) => (tree.below.get(linked) ?? []).every((child) => child === linked);
  const isRequirement = (linked: LinkedItem) => isLeaf(linked) || evidence.isBound(linked.item.id);

  const results = new Results(input.records);
  const checks: CheckResult[] = [];
  const mutants: MutantResult[] = [];
  const cells = new Map<LinkedItem, readonly Cell[]>();
  for (const linked of trace.items) {
    if (!isRequirement(linked)) continue;
    const judged = columns.map((column) => judgeCell(evidence.of(linked.item.id, column), column, results));
    cells.set(
      linked,
      judged.map((one) => one.cell),
    );
    for (const one of judged) {
      checks.push(...one.checks);
      mutants.push(...one.mutants);
    }
  }

  const folded = new Map<LinkedItem, readonly Cell[]>();
  const cellsOf = (linked: LinkedItem): readonly Cell[] => {
    const known = isLeaf(linked) ? cells.get(linked) : folded.get(linked);
    if (known !== undefined) return known;
    const made = foldBelow(tree, linked, cells, columns);
    folded.set(linked, made);
    return made;
  };
  const rows = tree.entries.map(({ linked, depth, repeated }): MatrixRow => {
    const { item } = linked;
    const own = cells.get(linked);
    return {
      id: item.id,
      type: item.type,
      depth,
      title: item.title,
      place: item.place,
      coverage: { deep: linked.deepCoverage, defect: linked.defect },
      requirement: own !== undefined,
      repeated,
      verdicts: byColumn(columns, cellsOf(linked)),
      ...(own === undefined ? {} : { own: byColumn(columns, own) }),
    };
  });

  const all = [...cells.values()];
  const isChecked = (cell: Cell) => cell.checks.passed + cell.checks.failed + cell.checks.error > 0;
  return {
    columns,
    rows,
    checks,
    mutants,
    bindings: [...input.bindings].sort(compareBindings),
    diagnostics: [...(input.diagnostics ?? []), ...diagnose(input, evidence)].sort(compareDiagnostics),
    summary: {
      ...trace.summary,
      requirements: cells.size,
      checked: all.filter((row) => row.some(isChecked)).length,
      verdicts: countVerdicts(all.flatMap((row) => row.map((cell) => cell.verdict))),
    },
  };
}

function byColumn(columns: readonly MatrixColumn[], cells: readonly Cell[]): Readonly<Record<string, Cell>> {
  return Object.fromEntries(columns.map((column, c) => [column.key, cells[c] as Cell]));
}

/** The cells of an item that has others below it: the worst of all requirements at it and below, and their sums. */
function foldBelow(
  tree: Tree,
  linked: LinkedItem,
  cells: ReadonlyMap<LinkedItem, readonly Cell[]>,
  columns: readonly MatrixColumn[],
): readonly Cell[] {
  const below = requirementsBelow(tree, linked, (one) => cells.has(one)).sort((a, b) =>
    a.item.id < b.item.id ? -1 : a.item.id > b.item.id ? 1 : 0,
  );
  return columns.map((_, c) => {
    const own = below.map((one) => cells.get(one)?.[c] as Cell);
    const verdict = below.length === 0 ? 'not run' : worstVerdict(own.map((cell) => cell.verdict));
    const worst = below.filter((_one, i) => own[i]?.verdict === verdict).map((one) => one.item.id);
    const more = worst.length > 1 ? ` and ${worst.length - 1} more` : '';
    const reason = below.length === 0 ? 'only a cycle is below it' : `${worst[0]}${more}`;
    const sum = (count: (cell: Cell) => number) => own.reduce((total, cell) => total + count(cell), 0);
    return {
      verdict,
      killed: sum((cell) => cell.killed),
      mutants: sum((cell) => cell.mutants),
      notExercised: sum((cell) => cell.notExercised),
      ...(verdict === 'verified' ? {} : { reason }),
      checks: {
        passed: sum((cell) => cell.checks.passed),
        failed: sum((cell) => cell.checks.failed),
        error: sum((cell) => cell.checks.error),
        notRun: sum((cell) => cell.checks.notRun),
      },
      survivors: [...new Set(own.flatMap((cell) => cell.survivors))].sort(),
      divergences: [],
      missingAspects: [],
      counts: addCounts(own.map((cell) => cell.counts)),
    };
  });
}

function push<Value>(map: Map<string, Value[]>, key: string, value: Value): void {
  const known = map.get(key);
  if (known === undefined) map.set(key, [value]);
  else known.push(value);
}

/** What bears on each requirement, found by its id. */
class EvidenceIndex {
  readonly #bindings = new Map<string, CheckBinding[]>();
  readonly #mutants = new Map<string, MutantDeclaration[]>();
  readonly #notApplicable = new Map<string, NotApplicable[]>();
  readonly #divergences = new Map<string, Divergence[]>();
  readonly #aspects = new Map<string, ApplicabilityTable['aspects'][number][]>();
  readonly #strength: Strength;

  constructor(input: MatrixInput) {
    const strength = input.strength ?? true;
    this.#strength = strength === 'partial' ? 'partial' : strength ? 'measured' : 'none';
    for (const binding of [...input.bindings].sort(compareBindings)) {
      for (const id of new Set(binding.items)) push(this.#bindings, id, binding);
    }
    for (const mutant of input.mutants ?? []) {
      for (const id of new Set(mutant.violates)) push(this.#mutants, id, mutant);
    }
    for (const entry of input.applicability?.notApplicable ?? []) push(this.#notApplicable, entry.requirement, entry);
    for (const entry of input.divergences ?? []) push(this.#divergences, entry.requirement, entry);
    for (const aspect of input.applicability?.aspects ?? []) push(this.#aspects, aspect.requirement, aspect);
  }

  isBound(requirement: string): boolean {
    return this.#bindings.has(requirement);
  }

  /** The parts of a requirement, on whatever platform; undefined if it has none. */
  aspectNames(requirement: string): readonly string[] | undefined {
    return this.#aspects.get(requirement)?.map((entry) => entry.aspect);
  }

  of(requirement: string, { platform }: MatrixColumn): Evidence {
    const aspects = (this.#aspects.get(requirement) ?? []).filter(
      ({ platforms }) => platforms === undefined || platforms.includes(platform),
    );
    return {
      requirement,
      bindings: this.#bindings.get(requirement) ?? [],
      mutants: this.#mutants.get(requirement) ?? [],
      divergences: (this.#divergences.get(requirement) ?? [])
        .filter(({ platforms }) => platforms === undefined || platforms.includes(platform))
        .map(({ from, text }) => ({ from, text })),
      aspects: [...new Set(aspects.map((entry) => entry.aspect))],
      notApplicable: this.#notApplicable.get(requirement)?.find((entry) => entry.platform === platform),
      strength: this.#strength,
    };
  }
}

function compareBindings(a: CheckBinding, b: CheckBinding): number {
  if (a.requirement !== b.requirement) return a.requirement < b.requirement ? -1 : 1;
  return a.check < b.check ? -1 : a.check > b.check ? 1 : 0;
}

/** What is wrong with the tables and the results themselves. Each is an error: nothing of it may be lost in silence. */
function diagnose(input: MatrixInput, evidence: EvidenceIndex): Diagnostic[] {
  const found: Diagnostic[] = [];
  const ids = new Set(input.trace.items.map(({ item }) => item.id));
  const table = input.applicability;
  for (const requirement of new Set(
    [...(table?.notApplicable ?? []), ...(table?.aspects ?? [])].map((entry) => entry.requirement),
  )) {
    if (ids.has(requirement)) continue;
    const message = `the applicability table names ${requirement}, which does not exist`;
    found.push(diagnostic('applicability-unbound', message, undefined, didYouMean(nearestIds(requirement, ids))));
  }
  for (const requirement of new Set((input.divergences ?? []).map((entry) => entry.requirement))) {
    if (ids.has(requirement)) continue;
    const message = `a divergence names ${requirement}, which does not exist`;
    found.push(diagnostic('divergence-unbound', message, undefined, didYouMean(nearestIds(requirement, ids))));
  }

  const bound = new Set<string>();
  for (const { requirement, check, aspect, place, status } of input.bindings) {
    bound.add(JSON.stringify([requirement, check]));
    const aspects = evidence.aspectNames(requirement) ?? [];
    if (aspect === undefined || aspects.includes(aspect) || status !== 'bound') continue;
    const message = `check '${check}' speaks of '${aspect}', which is no part of ${requirement}`;
    const hint = aspects.length === 0 ? 'the requirement has no parts' : `its parts are ${aspects.join(', ')}`;
    found.push(diagnostic('aspect-unknown', message, place, hint));
  }

  const columns = new Set(input.columns.map(({ object, platform }) => JSON.stringify([object, platform])));
  const lost = new Set<string>();
  for (const { object, platform, requirement, check } of input.records) {
    const named = `a result of check '${check}' of ${requirement} on ${platform} (${object})`;
    if (!bound.has(JSON.stringify([requirement, check]))) lost.add(`${named} belongs to no check`);
    else if (!columns.has(JSON.stringify([object, platform]))) lost.add(`${named} belongs to no column`);
  }
  for (const message of [...lost].sort()) found.push(diagnostic('result-unbound', message));
  return found;
}
