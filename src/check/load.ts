/** Loading: the bench, the files of checks and mutants, and the digests of what their results depend on. */
import path from 'node:path';
import { fileURLToPath } from 'node:url';
import { type Diagnostic, diagnostic } from '../core/diagnostic.js';
import type { BuildWatch } from './build.js';
import type { CheckFile } from './collect.js';
import { digestFiles, findFiles } from './evidence.js';
import type { Places } from './places.js';
import type { Pool, Result } from './pool.js';
import { describeProblem, placeOfSyntaxError, withoutRoot } from './problem.js';
import type { BenchDescription, CheckDescription, MutantDescription } from './protocol.js';
import type { CheckRequest } from './request.js';

/** What every step of a run works with. */
export interface Session {
  readonly request: CheckRequest;
  readonly root: string;
  readonly pool: Pool;
  readonly places: Places;
  readonly build: BuildWatch;
  readonly diagnostics: Diagnostic[];
}

/** A check, with the file that registers it. */
export interface LoadedCheck extends CheckDescription {
  readonly file: CheckFile;
}

/** A mutant, with the file that registers it. */
export interface LoadedMutant extends MutantDescription {
  readonly file: CheckFile;
}

/** A file that does not load, or must not be. */
export interface BrokenFile {
  readonly file: CheckFile;
  readonly diagnostic: Diagnostic;
}

/** What the files register. */
export interface Loaded {
  readonly checks: readonly LoadedCheck[];
  readonly mutants: readonly LoadedMutant[];
  readonly broken: readonly BrokenFile[];
}

/** What results depend on. */
export interface Inputs {
  /** The object under check, as records name it. */
  readonly object: string;
  readonly digests: Readonly<Record<string, string>>;
}

/** The bench as a lane describes it. Undefined, with a diagnostic, if it does not load or is out of date. */
export async function loadBench(
  session: Session,
  benchPath: string,
  described: Promise<Result>,
): Promise<BenchDescription | undefined> {
  const { diagnostics, places, build } = session;
  const newer = build.newerSource(benchPath);
  if (newer !== undefined) {
    diagnostics.push(outdated(session.request.configuration.bench, newer));
    return undefined;
  }
  const { answer } = await described;
  if (answer.kind === 'reply' && answer.reply.kind === 'described' && answer.stdout === '') return answer.reply.bench;
  const problem = describeProblem(answer);
  const { message, stack } = problem;
  const place =
    places.ofStack(stack) ?? (await placeOfSyntaxError(problem, benchPath, places)) ?? places.ofFile(benchPath);
  diagnostics.push(
    diagnostic(
      'bench-does-not-load',
      `${session.request.configuration.bench}: ${withoutRoot(message, session.root)}`,
      place,
    ),
  );
  return undefined;
}

function outdated(built: string, source: string): Diagnostic {
  return diagnostic(
    'check-outdated-build',
    `${built} is older than its source ${source}, which has changed`,
    { path: source, line: 1, column: 1, offset: 0 },
    'Build the project again.',
  );
}

/**
 * Loads files, in their order, behind whatever the lanes have been ordered before. One that does not load leaves a
 * diagnostic, and the others as they are.
 */
export async function loadFiles(session: Session, files: readonly CheckFile[]): Promise<Loaded> {
  const { root, pool, places, build, diagnostics } = session;
  const checks: LoadedCheck[] = [];
  const mutants: LoadedMutant[] = [];
  const broken: BrokenFile[] = [];
  const orders = files.map((file) => {
    const newer = build.newerSource(file.absolute);
    return { file, newer, result: newer === undefined ? pool.submit({ kind: 'load', file: file.url }) : undefined };
  });
  for (const { file, newer, result } of orders) {
    if (newer !== undefined) broken.push({ file, diagnostic: outdated(file.path, newer) });
    if (result === undefined) continue;
    const { answer } = await result;
    if (answer.kind === 'reply' && answer.reply.kind === 'loaded' && answer.stdout === '') {
      checks.push(...answer.reply.checks.map((check) => ({ ...check, file })));
      mutants.push(...answer.reply.mutants.map((mutant) => ({ ...mutant, file })));
      continue;
    }
    const problem = describeProblem(answer);
    const { message, stack } = problem;
    const place =
      places.ofStack(stack, file.absolute) ??
      (await placeOfSyntaxError(problem, file.absolute, places)) ??
      places.ofFile(file.absolute);
    broken.push({
      file,
      diagnostic: diagnostic('check-does-not-load', `${file.path}: ${withoutRoot(message, root)}`, place),
    });
  }
  diagnostics.push(...broken.map((one) => one.diagnostic));
  return { checks, mutants, broken };
}

/** Takes digests. Undefined, with a diagnostic, if a file cannot be read or the object under check is out of date. */
export async function digestInputs(
  session: Session,
  bench: BenchDescription,
  benchPath: string,
): Promise<Inputs | undefined> {
  const { root, diagnostics, build, request } = session;
  const digests: Record<string, string> = {};
  const { name, digestRoot, digestFiles: objectPatterns } = bench.object;
  let object = name;
  try {
    if (objectPatterns.length > 0) {
      const folder =
        digestRoot === undefined
          ? root
          : digestRoot.startsWith('file:')
            ? fileURLToPath(digestRoot)
            : path.resolve(root, digestRoot);
      const files = await findFiles(folder, objectPatterns);
      for (const file of files) {
        const newer = build.newerSource(path.join(folder, file));
        if (newer === undefined) continue;
        diagnostics.push(outdated(file, newer));
        return undefined;
      }
      digests.object = digestFiles(folder, files);
      object = `${name} ${digests.object.slice(0, 12)}`;
    }
    digests.bench = digestFiles(path.dirname(benchPath), [path.basename(benchPath)]);
    if (bench.digestFiles.length > 0) digests.shared = digestFiles(root, await findFiles(root, bench.digestFiles));
  } catch (error) {
    const message = withoutRoot((error as Error).message, root);
    diagnostics.push(diagnostic('file-unreadable', `${request.configuration.bench}: ${message}`));
    return undefined;
  }
  return { object, digests };
}
