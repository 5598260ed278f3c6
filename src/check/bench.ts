/**
 * The bench: what a project states once so that its checks can run. It names the object under check, the platforms, how
 * to compose the subject, which mutants transform, and how to start it. `check` and `mutant` come typed from it:
 *
 * ```ts
 * // bench.ts, named in the configuration as checks.bench; it must export `bench`
 * export const { check, mutant, bench } = defineBench<Model, Board>({ object, platforms, applicability, subject, start });
 * // x.check.ts
 * check('Req~lamps_exclude~1', 'green one way is red the other', ({ bench, expect }) => { ... });
 * // x.mutants.ts
 * mutant('the interlock is left out', { violates: ['Req~lamps_exclude~1'] }, (model) => ({ ...model, interlock() {} }));
 * ```
 */
import type { Divergence } from '../core/matrix.js';
import type { TranscriptEntry } from '../core/transcript.js';
import type { ApplicabilityRow } from './applicability.js';
import { currentCollector } from './collector.js';
import type { Expect } from './expect.js';

/** Something that checks run on: a column of the matrix. */
export interface Platform {
  /** `arm64-smmuv3`: what the command line and the matrix call it. */
  readonly name: string;
  /** The machine below, for the report. */
  readonly machine: string;
  /** The software above, for the report. */
  readonly hypervisor: string;
  /** What it has, in the words of the applicability table. */
  readonly features: readonly string[];
  /** Texts that its results depend on, by name (a board description); their digests go into each record. */
  readonly inputs?: Readonly<Record<string, string>>;
}

/** Takes transcript entries, in order. */
export interface TranscriptSink {
  add(entry: TranscriptEntry): void;
}

/** What the engine gives to the bench for one run. */
export interface RunContext {
  /**
   * Counts operations of the model: the limit that ends an endless run at the same point on every machine.
   * @throws {OperationLimit} beyond the limit, then on every call. The run is an error, even if this is caught.
   */
  count(operations: number): void;
  /** Takes the transcript; undefined where nobody asked for one, so that nothing is formatted in vain. */
  readonly transcript: TranscriptSink | undefined;
  /**
   * Adds to the machine's trace, of which the digest is taken: every access and event must go in, because a mutant that
   * leaves the digest as it was counts as not exercised. Strings go in as UTF-8; words as 32-bit little endian. Each
   * call is delimited, so that `'ab', 'c'` is not `'a', 'bc'`. The first `length` elements count, all if it is not given.
   */
  journal(words: Uint32Array | string, length?: number): void;
  /**
   * Reports that software did wrong (say who), or that the model lacks something. The run is then an error, unless an
   * assertion had failed before. A bench that lets a check expect such a thing holds it back from here.
   */
  problem(text: string): void;
}

/** The object under check: what the verdicts are about. */
export interface ObjectDefinition {
  /** `reference model`. */
  readonly name: string;
  /** Patterns of the files that make it up; the SHA-256 over their sorted paths and bytes is its digest. `!` excludes. */
  readonly digestFiles?: readonly string[];
  /** Folder that the patterns are relative to: a path or `file:` URL; the configuration's folder if absent. */
  readonly digestRoot?: string | URL;
}

/** What a project states about its bench. `Subject` is the composed model, `Bench` what a check's body is given. */
export interface BenchDefinition<Subject, Bench> {
  readonly object: ObjectDefinition;
  readonly platforms: readonly Platform[];
  readonly applicability: readonly ApplicabilityRow[];
  /** Where the object under check is known to differ from what it stands for; shown with the verdicts. */
  readonly divergences?: readonly Divergence[];
  /** Every feature there is. If given, a feature outside of it is a mistake in platforms, rows and mutants. */
  readonly features?: readonly string[];
  /** Patterns of further files that results depend on (modules shared by checks), relative to the configuration's folder. */
  readonly digestFiles?: readonly string[];
  /** Composes the subject for a platform, afresh for every run. */
  subject(platform: Platform): Subject;
  /** Starts the subject. A throw here is an error, never a kill. */
  start(platform: Platform, subject: Subject, run: RunContext): Bench | Promise<Bench>;
  /** Called after a body that ended normally: the place for what must hold after every run, by way of `run.problem`. */
  finish?(bench: Bench, run: RunContext): void | Promise<void>;
}

/** What a check may say about itself. */
export interface CheckOptions {
  /** The part of the requirement that it speaks of, as the applicability table names it. */
  readonly aspect?: string;
}

/** What the body of a check is given. */
export interface CheckArguments<Bench> {
  readonly bench: Bench;
  readonly expect: Expect;
  readonly platform: Platform;
}

/** The body of a check. */
export type CheckBody<Bench> = (given: CheckArguments<Bench>) => void | Promise<void>;

/** What a mutant says about itself. */
export interface MutantOptions {
  /** Ids of the requirements that it violates, each at its exact revision. */
  readonly violates: readonly string[];
  /** Names of the platforms on which it can exist (`*` stands for any run of characters); all if absent. */
  readonly platforms?: readonly string[];
  /** Features that a platform must have for it to exist there. */
  readonly features?: readonly string[];
}

/** `check` and `mutant` of one bench, and the bench itself, which its module exports under this name. */
export interface BoundBench<Subject, Bench> {
  readonly bench: BenchDefinition<Subject, Bench>;
  /** Binds a check to one requirement at an exact revision. Titles are unique within a requirement. */
  check(requirement: string, title: string, body: CheckBody<Bench>): void;
  check(requirement: string, title: string, options: CheckOptions, body: CheckBody<Bench>): void;
  /**
   * States a mutant: a small, plausible mistake, as a transformation of the subject. It returns a new subject (spread,
   * then replace) and leaves the one that it was given as it is.
   */
  mutant(title: string, options: MutantOptions, transform: (subject: Subject, platform: Platform) => Subject): void;
}

/**
 * Defines the bench of a project.
 * @throws {TypeError} if the definition contradicts itself: two platforms of one name, a need without a reason, a feature
 * outside of `features`.
 */
export function defineBench<Subject, Bench>(definition: BenchDefinition<Subject, Bench>): BoundBench<Subject, Bench> {
  validate(definition);
  const erased = definition as unknown as BenchDefinition<unknown, unknown>;
  function check(
    requirement: string,
    title: string,
    ...rest: [CheckBody<Bench>] | [CheckOptions, CheckBody<Bench>]
  ): void {
    const [options, body] = rest.length === 1 ? [{}, rest[0]] : rest;
    if (typeof body !== 'function')
      throw misuse(`The check '${title}' has no body`, 'Give a function as the last argument');
    const stack = stackOf(check);
    currentCollector('check').check({
      definition: erased,
      requirement,
      title,
      options,
      body: body as CheckBody<unknown>,
      stack,
    });
  }
  function mutant(
    title: string,
    options: MutantOptions,
    transform: (subject: Subject, platform: Platform) => Subject,
  ): void {
    if (typeof transform !== 'function') {
      throw misuse(`The mutant '${title}' has no transformation`, 'Give a function as the last argument');
    }
    const stack = stackOf(mutant);
    currentCollector('mutant').mutant({
      definition: erased,
      title,
      options,
      transform: transform as (subject: unknown, platform: Platform) => unknown,
      stack,
    });
  }
  return { bench: definition, check, mutant };
}

/** The stack of whoever called `callee`. */
function stackOf(callee: (...given: never[]) => unknown): string {
  const holder: { stack?: string } = {};
  Error.captureStackTrace(holder, callee);
  return holder.stack ?? '';
}

function misuse(found: string, remedy: string): TypeError {
  return new TypeError(`${found}. ${remedy}.`);
}

function validate<Subject, Bench>(definition: BenchDefinition<Subject, Bench>): void {
  const names = new Set<string>();
  for (const { name } of definition.platforms) {
    if (names.has(name)) throw misuse(`Two platforms are named '${name}'`, 'Give each a name of its own');
    names.add(name);
  }
  const known = definition.features && new Set(definition.features);
  const knows = (features: readonly string[] | undefined, owner: string) => {
    const strange = known && features?.find((feature) => !known.has(feature));
    if (strange) throw misuse(`${owner} names the feature '${strange}'`, "Add it to 'features', or mend its name");
  };
  const reasoned = (owner: string, row: { needs?: readonly string[]; otherwise?: string }) => {
    knows(row.needs, owner);
    if (row.needs?.length && !row.otherwise) {
      throw misuse(`${owner} has needs and no reason`, "Say in 'otherwise' why it is n/a without them");
    }
  };
  for (const { requirement, platforms } of definition.divergences ?? []) {
    const strange = platforms?.find((name) => !names.has(name));
    if (strange) throw misuse(`A divergence of '${requirement}' names the platform '${strange}'`, 'Mend its name');
  }
  for (const platform of definition.platforms) knows(platform.features, `The platform '${platform.name}'`);
  for (const row of definition.applicability) {
    const owner = `The applicability row for '${row.requirement}'`;
    reasoned(owner, row);
    for (const aspect of row.aspects ?? []) reasoned(`${owner}, aspect '${aspect.name}',`, aspect);
  }
}
