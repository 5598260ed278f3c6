/**
 * The matrix: requirements by platforms, with verdicts and strength. Everything that reporters read, as plain data.
 *
 * A *requirement* is an item that is judged by its own checks: one that nothing covers, or one that a check binds. Any
 * other item shows the worst verdict of the requirements below it.
 */
import type { Diagnostic, Place } from './diagnostic.js';
import type { Outcome } from './record.js';
import type { DeepCoverage } from './trace.js';
import type { Verdict } from './verdict.js';

/** A check as its file declares it. */
export interface CheckDeclaration {
  /** The id that the check binds, at its exact revision. */
  readonly requirement: string;
  /** The check's title, unique within its requirement. */
  readonly check: string;
  /** The part of the requirement that the check speaks of, where the requirement has parts. */
  readonly aspect?: string;
  /** The platforms on which the check can run; absent: on every one. */
  readonly platforms?: readonly string[];
  readonly place?: Place;
}

/**
 * How a check's id meets the items: `bound` to exactly one; `ambiguous` if several carry the id; `outdated` or
 * `predated` if the item exists at a newer or only at an older revision; `orphaned` if it does not exist at all.
 */
export type BindingStatus = 'bound' | 'outdated' | 'predated' | 'orphaned' | 'ambiguous';

/** A check, bound to the items of a trace. */
export interface CheckBinding extends CheckDeclaration {
  readonly status: BindingStatus;
  /** The ids of the items that the binding is about: the bound one, or those at other revisions. */
  readonly items: readonly string[];
}

/** A mutant as its file declares it. */
export interface MutantDeclaration {
  readonly mutant: string;
  /** The ids of the requirements that it violates. */
  readonly violates: readonly string[];
  /** The platforms on which it can exist; absent: on every one. */
  readonly platforms?: readonly string[];
  readonly place?: Place;
}

/** What a requirement does not have to hold on, and the parts that it consists of. Reviewed data, not code. */
export interface ApplicabilityTable {
  readonly notApplicable: readonly NotApplicable[];
  readonly aspects: readonly Aspect[];
}

/** A requirement that does not apply to a platform. */
export interface NotApplicable {
  readonly requirement: string;
  readonly platform: string;
  readonly reason: string;
}

/** A part of a requirement. On its platforms the requirement is verified only if a check speaks of this part. */
export interface Aspect {
  readonly requirement: string;
  readonly aspect: string;
  /** The platforms that have this part; absent: every one. */
  readonly platforms?: readonly string[];
}

/**
 * Where the object under check meets a requirement otherwise than what it stands for does: known, reviewed, and shown with
 * the verdict, so that nobody takes the one for the other.
 */
export interface Divergence {
  readonly requirement: string;
  /** What it differs from: `Xen at c447b73`. */
  readonly from: string;
  /** What that does, and what the object does instead. */
  readonly text: string;
  /** The platforms on which it does; absent: on every one. */
  readonly platforms?: readonly string[];
}

/** One column: an object under check on a platform. */
export interface MatrixColumn {
  /** Names the column in the report: the platform's name, for the bundled object. */
  readonly key: string;
  readonly platform: string;
  /** The object under check, as records name it. */
  readonly object: string;
  readonly hypervisor: string;
  readonly machine: string;
  /** Digests of what is under check, by name. */
  readonly digests: Readonly<Record<string, string>>;
}

/** How many cells of requirements have each verdict. */
export type VerdictCounts = Readonly<Record<Verdict, number>>;

/** One cell: the verdict of an item in a column. */
export interface Cell {
  readonly verdict: Verdict;
  /** Mutants killed, of {@link mutants}. For an item above requirements: summed over the requirements below. */
  readonly killed: number;
  /** Mutants that apply here. */
  readonly mutants: number;
  /** Mutants that left no trace in the machine. They count in {@link mutants} and never as killed. */
  readonly notExercised: number;
  /** Why the verdict is not better; absent for `verified`. */
  readonly reason?: string;
  /** Something to know that does not change the verdict. */
  readonly note?: string;
  /** Checks that apply here, by what became of them on the unchanged object. */
  readonly checks: {
    readonly passed: number;
    readonly failed: number;
    readonly error: number;
    readonly notRun: number;
  };
  /** Titles of the mutants that no check kills, sorted; those that were not exercised among them. */
  readonly survivors: readonly string[];
  /** What the object under check does otherwise than what it stands for; none for an item above requirements. */
  readonly divergences: readonly { readonly from: string; readonly text: string }[];
  /** Parts of the requirement that no check speaks of, sorted. */
  readonly missingAspects: readonly string[];
  /** Cells of the requirements below, by verdict; for a requirement that is its own cell alone. */
  readonly counts: VerdictCounts;
}

/** One row. An item stands below each item that it covers. */
export interface MatrixRow {
  readonly id: string;
  readonly type: string;
  /** 0 for an item that covers nothing. */
  readonly depth: number;
  readonly title: string | undefined;
  readonly place: Place;
  readonly coverage: { readonly deep: DeepCoverage; readonly defect: boolean };
  /** Whether the item is judged by its own checks. */
  readonly requirement: boolean;
  /** Whether the item stood further up already; the items below it are listed there. */
  readonly repeated: boolean;
  /** A cell for each column, by the column's key: the worst of the item's own and of all below it. */
  readonly verdicts: Readonly<Record<string, Cell>>;
  /** For a requirement: its own cells. They differ from `verdicts` only if others are below it. */
  readonly own?: Readonly<Record<string, Cell>>;
}

/** What became of a check in a column. */
export interface CheckResult {
  readonly requirement: string;
  readonly check: string;
  readonly aspect?: string;
  readonly column: string;
  /** `not run` if there is no result. */
  readonly outcome: Outcome | 'not run';
  readonly assertions: number;
  readonly message?: string;
  /** Where the assertion or the throw stands; where the check stands if that is not known. */
  readonly place?: Place;
  /** Mutants that it killed, of those that it was run against to an end. */
  readonly killed: number;
  readonly ran: number;
  readonly vacuous: boolean;
}

/** What became of a mutant of a requirement in a column. */
export interface MutantResult {
  readonly requirement: string;
  readonly mutant: string;
  readonly column: string;
  readonly state: 'killed' | 'survived' | 'not exercised' | 'error' | 'not run';
  /** Titles of the checks that kill it, sorted. */
  readonly killedBy: readonly string[];
  /** For an error, or for a killed mutant in which another check met one: what went wrong. */
  readonly message?: string;
  /** Where the mutant stands. */
  readonly place?: Place;
}

/** The counts of a matrix. Repeated rows count once. */
export interface MatrixSummary {
  readonly items: number;
  readonly defects: number;
  readonly requirements: number;
  /** Requirements with a result in at least one column. */
  readonly checked: number;
  /** Cells of requirements by verdict. */
  readonly verdicts: VerdictCounts;
}

/** The matrix. */
export interface Matrix {
  readonly columns: readonly MatrixColumn[];
  readonly rows: readonly MatrixRow[];
  readonly checks: readonly CheckResult[];
  readonly mutants: readonly MutantResult[];
  /** How each check binds. */
  readonly bindings: readonly CheckBinding[];
  /** Of the trace, of the bindings and of the results. */
  readonly diagnostics: readonly Diagnostic[];
  readonly summary: MatrixSummary;
}
