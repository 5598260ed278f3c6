/**
 * Binds checks to items by exact id. A binding mirrors the statuses of links, but takes no part in them: it covers
 * nothing, needs nothing and makes no item a defect.
 */
import type { DiagnosticCode } from '../core/diagnostic.js';
import { type Diagnostic, diagnostic } from '../core/diagnostic.js';
import { parseId } from '../core/item.js';
import type { BindingStatus, CheckBinding, CheckDeclaration, MutantDeclaration } from '../core/matrix.js';
import { didYouMean, nearestIds } from '../core/nearest.js';
import type { Trace } from '../core/trace.js';

/** Bindings, with what there is to say about them. */
export interface Bound {
  readonly bindings: readonly CheckBinding[];
  readonly diagnostics: readonly Diagnostic[];
}

/** The ids of a trace, to bind to. */
class Ids {
  readonly counts = new Map<string, number>();
  readonly #revisions = new Map<string, { id: string; revision: number }[]>();

  constructor(trace: Trace) {
    for (const { item } of trace.items) {
      const count = this.counts.get(item.id) ?? 0;
      this.counts.set(item.id, count + 1);
      if (count > 0) continue;
      const name = `${item.type}~${item.name}`;
      const known = this.#revisions.get(name);
      if (known === undefined) this.#revisions.set(name, [{ id: item.id, revision: item.revision }]);
      else known.push({ id: item.id, revision: item.revision });
    }
  }

  /** How an id meets the items. Of several other revisions the newest decides the status. */
  meet(id: string): { readonly status: BindingStatus; readonly items: readonly string[] } {
    const count = this.counts.get(id) ?? 0;
    if (count > 0) return { status: count === 1 ? 'bound' : 'ambiguous', items: [id] };
    const parsed = parseId(id);
    const revisions = parsed === undefined ? [] : (this.#revisions.get(`${parsed.type}~${parsed.name}`) ?? []);
    const newest = revisions.at(-1);
    if (parsed === undefined || newest === undefined) return { status: 'orphaned', items: [] };
    return {
      status: parsed.revision < newest.revision ? 'outdated' : 'predated',
      items: revisions.map((revision) => revision.id),
    };
  }

  suggest(id: string): string | undefined {
    return didYouMean(nearestIds(id, this.counts.keys()));
  }
}

const CODES = {
  outdated: 'check-outdated',
  predated: 'check-predated',
  orphaned: 'check-orphaned',
  ambiguous: 'check-ambiguous',
} as const satisfies Record<Exclude<BindingStatus, 'bound'>, DiagnosticCode>;

const WHY = {
  outdated: 'a newer revision exists',
  predated: 'only an older revision exists',
  orphaned: 'no item has that id',
  ambiguous: 'several items have that id',
} as const;

/** Says what is wrong with a binding, for a diagnostic and for the cell that it spoils. */
export function bindingProblem(binding: CheckBinding): string | undefined {
  if (binding.status === 'bound') return undefined;
  return `check '${binding.check}' binds ${binding.requirement}: ${WHY[binding.status]}`;
}

/** Binds checks to the items of a trace. The order of the bindings is that of the checks. */
export function bindChecks(trace: Trace, checks: readonly CheckDeclaration[]): Bound {
  const ids = new Ids(trace);
  const diagnostics: Diagnostic[] = [];
  const titles = new Map<string, Set<string>>();
  const bindings = checks.map((declaration): CheckBinding => {
    const binding = { ...declaration, ...ids.meet(declaration.requirement) };
    const problem = bindingProblem(binding);
    if (problem !== undefined && binding.status !== 'bound') {
      const hint =
        binding.status === 'orphaned'
          ? ids.suggest(declaration.requirement)
          : binding.status === 'ambiguous'
            ? undefined
            : `review the check against ${binding.items.at(-1)} and bind that`;
      diagnostics.push(diagnostic(CODES[binding.status], problem, declaration.place, hint));
    }
    const known = titles.get(declaration.requirement) ?? new Set();
    titles.set(declaration.requirement, known);
    if (known.has(declaration.check)) {
      const message = `${declaration.requirement} has two checks called '${declaration.check}'`;
      diagnostics.push(diagnostic('check-duplicate', message, declaration.place, 'give each a title of its own'));
    }
    known.add(declaration.check);
    return binding;
  });
  return { bindings, diagnostics };
}

/** Diagnoses mutants that violate an id which no item carries. They count nowhere. */
export function diagnoseMutants(trace: Trace, mutants: readonly MutantDeclaration[]): Diagnostic[] {
  const ids = new Ids(trace);
  const found: Diagnostic[] = [];
  for (const { mutant, violates, place } of mutants) {
    for (const id of violates) {
      if (ids.counts.has(id)) continue;
      const message = `mutant '${mutant}' violates ${id}, which does not exist`;
      found.push(diagnostic('mutant-unbound', message, place, ids.suggest(id)));
    }
  }
  return found;
}
