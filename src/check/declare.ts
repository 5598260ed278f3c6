/** What loaded files declare, as the data that the matrix binds and folds. */
import { type Diagnostic, diagnostic } from '../core/diagnostic.js';
import { parseId } from '../core/item.js';
import type { ApplicabilityTable, CheckDeclaration, MatrixColumn, MutantDeclaration } from '../core/matrix.js';
import { applies, declaredAspects, matchesPattern } from './applicability.js';
import type { Platform } from './bench.js';
import type { Inputs, Loaded, LoadedCheck } from './load.js';
import type { Places } from './places.js';
import type { BenchDescription, MutantDescription } from './protocol.js';
import { placed, platformDigests } from './runs.js';

/** Declarations, with what there is to say about them. */
export interface Declared {
  readonly checks: readonly CheckDeclaration[];
  readonly mutants: readonly MutantDeclaration[];
  readonly diagnostics: readonly Diagnostic[];
}

/**
 * Declares the checks and mutants of loaded files. A file that does not load is declared as a check that is named like
 * the file, of each requirement that its text mentions: its error then stands in their cells.
 */
export function declare(bench: BenchDescription, loaded: Loaded, places: Places): Declared {
  const diagnostics: Diagnostic[] = [];
  const demandId = (id: string, message: string, place: Diagnostic['place']) => {
    if (!parseId(id)) diagnostics.push(diagnostic('check-malformed-id', `${message} '${id}', which is no id`, place));
  };
  const checks = loaded.checks.map((check): CheckDeclaration => {
    const place = places.ofStack(check.stack, check.file.absolute);
    demandId(check.requirement, `check '${check.title}' binds`, place);
    return {
      requirement: check.requirement,
      check: check.title,
      ...(check.aspect === undefined ? {} : { aspect: check.aspect }),
      ...onSome(bench.platforms, (platform) => speaksOf(bench, check, platform)),
      ...placed(place),
    };
  });
  for (const { file, diagnostic: problem } of loaded.broken) {
    for (const requirement of file.mentions) checks.push({ requirement, check: file.path, ...placed(problem.place) });
  }
  const mutants = loaded.mutants.map((mutant): MutantDeclaration => {
    const place = places.ofStack(mutant.stack, mutant.file.absolute);
    for (const id of mutant.violates) demandId(id, `mutant '${mutant.title}' violates`, place);
    const on = onSome(bench.platforms, (platform) => existsOn(mutant, platform));
    if (on.platforms?.length === 0) {
      const message = `mutant '${mutant.title}' can exist on no platform of the bench`;
      diagnostics.push(diagnostic('mutant-applies-nowhere', message, place));
    }
    return { mutant: mutant.title, violates: mutant.violates, ...on, ...placed(place) };
  });
  return { checks, mutants, diagnostics };
}

/** Names of the platforms that hold, unless all do. */
function onSome(
  platforms: readonly Platform[],
  holds: (platform: Platform) => boolean,
): { platforms?: readonly string[] } {
  const names = platforms.filter(holds).map(({ name }) => name);
  return names.length === platforms.length ? {} : { platforms: names };
}

/** Whether a platform has the part that a check speaks of. A part that the table does not know is not excused. */
function speaksOf(bench: BenchDescription, { requirement, aspect }: LoadedCheck, platform: Platform): boolean {
  if (aspect === undefined || !declaredAspects(bench.applicability, requirement).includes(aspect)) return true;
  const applicability = applies(bench.applicability, requirement, platform);
  return applicability.applicable && applicability.aspects.includes(aspect);
}

/** Whether a mutant can exist on a platform. */
export function existsOn(mutant: MutantDescription, platform: Platform): boolean {
  const named = mutant.platforms?.some((pattern) => matchesPattern(pattern, platform.name)) ?? true;
  return named && (mutant.features ?? []).every((feature) => platform.features.includes(feature));
}

/** A column for each platform. */
export function columnsOf(platforms: readonly Platform[], inputs: Inputs): MatrixColumn[] {
  return platforms.map((platform) => ({
    key: platform.name,
    platform: platform.name,
    object: inputs.object,
    hypervisor: platform.hypervisor,
    machine: platform.machine,
    digests: { ...inputs.digests, ...platformDigests(platform) },
  }));
}

/** The bench's rows for requirements that are wanted, and for those that a row names without a pattern. */
export function writeOut(
  bench: BenchDescription,
  platforms: readonly Platform[],
  wanted: readonly string[],
): ApplicabilityTable {
  const rows = bench.applicability;
  const named = rows.map(({ requirement }) => requirement).filter((id) => !id.includes('*'));
  const notApplicable: ApplicabilityTable['notApplicable'][number][] = [];
  const aspects: ApplicabilityTable['aspects'][number][] = [];
  for (const requirement of [...new Set([...wanted, ...named])].sort()) {
    const having = new Map<string, string[]>(declaredAspects(rows, requirement).map((aspect) => [aspect, []]));
    for (const platform of platforms) {
      const applicability = applies(rows, requirement, platform);
      if (!applicability.applicable)
        notApplicable.push({ requirement, platform: platform.name, reason: applicability.reason });
      else for (const aspect of applicability.aspects) having.get(aspect)?.push(platform.name);
    }
    for (const [aspect, on] of having) {
      aspects.push({ requirement, aspect, ...(on.length === platforms.length ? {} : { platforms: on }) });
    }
  }
  return { notApplicable, aspects };
}
