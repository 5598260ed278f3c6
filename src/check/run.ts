/**
 * The check engine: runs the checks of requirements on every platform, on the model as it is and with mutants, and gives
 * result records. What they mean is judged elsewhere.
 */
import { availableParallelism } from 'node:os';
import path from 'node:path';
import { compareDiagnostics, diagnostic } from '../core/diagnostic.js';
import type { ResultRecord } from '../core/record.js';
import { applies, declaredAspects, matchesPattern } from './applicability.js';
import type { Platform } from './bench.js';
import { watchBuild } from './build.js';
import { collectFiles } from './collect.js';
import { columnsOf, declare, existsOn, writeOut } from './declare.js';
import { DEFAULT_LIMITS } from './limits.js';
import { digestInputs, type Loaded, loadBench, loadFiles, type Session } from './load.js';
import { makePlaces } from './places.js';
import { openPool } from './pool.js';
import { prepareLane, realRoot } from './prepare.js';
import type { BenchDescription } from './protocol.js';
import type { CheckRequest, CheckRun } from './request.js';
import { placed, type RunKey, Runs } from './runs.js';
import { runRequirement } from './schedule.js';

export type { CheckConfiguration } from './collect.js';
export type { Limits } from './limits.js';
export { type PreparedLane, prepareLane } from './prepare.js';
export type { CheckRequest, CheckRun, TranscriptMode } from './request.js';

/** Runs checks. Rejects only if the request's signal aborts. */
export async function runChecks(request: CheckRequest): Promise<CheckRun> {
  const { configuration, signal } = request;
  const root = realRoot(request.root);
  signal?.throwIfAborted();
  const limits = { ...DEFAULT_LIMITS, ...request.limits };
  const benchPath = path.join(root, configuration.bench);
  const prepared = request.prepared ?? prepareLane({ root, bench: configuration.bench, limits });
  const pool = openPool(prepared.bench, limits, request.lanes ?? availableParallelism(), prepared.lane);
  const stop = () => pool.dispose();
  signal?.addEventListener('abort', stop);
  try {
    const described = pool.submit({ kind: 'describe' });
    const places = makePlaces(root);
    const { files, diagnostics } = await collectFiles(
      root,
      configuration,
      request.requirements,
      request.loadAll === true,
    );
    const build = await watchBuild(root, configuration.sources, places);
    const session: Session = { request, root, pool, places, build, diagnostics: [...diagnostics] };
    // Ordered before the bench has been described: the lane goes on without waiting for this process.
    const loading = loadFiles(session, files);
    const bench = await loadBench(session, benchPath, described);
    signal?.throwIfAborted();
    if (!bench) return { ...NOTHING, diagnostics: session.diagnostics.toSorted(compareDiagnostics) };
    const result = await runAll(session, bench, benchPath, await loading);
    signal?.throwIfAborted();
    return result;
  } finally {
    signal?.removeEventListener('abort', stop);
    pool.dispose();
  }
}

const NOTHING: CheckRun = {
  records: [],
  checks: [],
  mutants: [],
  columns: [],
  applicability: { notApplicable: [], aspects: [] },
  divergences: [],
  platforms: [],
  diagnostics: [],
};

async function runAll(session: Session, bench: BenchDescription, benchPath: string, loaded: Loaded): Promise<CheckRun> {
  const { request, places, root } = session;
  const asked = request.platforms;
  const platforms = bench.platforms.filter(
    ({ name }) => asked?.some((pattern) => matchesPattern(pattern, name)) ?? true,
  );
  const runs = new Runs(session);
  let running: Promise<void> | undefined;
  if (request.listOnly !== true) {
    putBroken(runs, bench, platforms, loaded);
    running = runWanted(runs, session, bench, platforms, loaded);
  }
  // Digests and places take a while: they come when the first run is under way.
  await new Promise((resolve) => setImmediate(resolve));
  const inputs = await digestInputs(session, bench, benchPath);
  if (!inputs) return { ...NOTHING, diagnostics: session.diagnostics.toSorted(compareDiagnostics) };
  const declared = declare(bench, loaded, places);
  await running;
  const diagnostics = [...session.diagnostics, ...declared.diagnostics, ...runs.diagnostics];
  if (runs.ended > 0 && runs.journaled === 0) {
    const message = 'the bench journals nothing, so every mutant counts as not exercised';
    const place = places.ofFile(path.join(root, request.configuration.bench));
    const hint = 'Call run.journal for every access and event of the model.';
    diagnostics.push(diagnostic('bench-without-trace', message, place, hint));
  }
  return {
    records: runs.records(inputs).sort((a, b) => order(recordKey(a), recordKey(b))),
    checks: [...declared.checks].sort((a, b) => order([a.requirement, a.check], [b.requirement, b.check])),
    mutants: [...declared.mutants].sort((a, b) => order([a.mutant, ...a.violates], [b.mutant, ...b.violates])),
    columns: columnsOf(platforms, inputs),
    applicability: writeOut(bench, platforms, request.requirements),
    divergences: bench.divergences,
    platforms: bench.platforms,
    diagnostics: diagnostics.sort(compareDiagnostics),
  };
}

/** A file that does not load leaves an error in each cell that it speaks of. */
function putBroken(runs: Runs, bench: BenchDescription, platforms: readonly Platform[], loaded: Loaded): void {
  for (const { file, diagnostic: problem } of loaded.broken) {
    for (const requirement of file.mentions) {
      for (const platform of platforms) {
        if (!applies(bench.applicability, requirement, platform).applicable) continue;
        runs.put({ file, requirement, check: file.path, platform }, problem);
      }
    }
  }
}

/** Runs the checks of the wanted requirements wherever they apply. */
async function runWanted(
  runs: Runs,
  { request, places }: Session,
  bench: BenchDescription,
  platforms: readonly Platform[],
  loaded: Loaded,
): Promise<void> {
  const wanted = new Set(request.requirements);
  const checks = loaded.checks.filter(({ requirement }) => wanted.has(requirement));
  const mutants = loaded.mutants.filter(({ title }) => isChosen(request.mutants ?? 'all', title));
  const titles = count(checks.map(({ requirement, title }) => `${requirement}\n${title}`));
  /** Checks by requirement, then by platform. */
  const groups = new Map<string, Map<Platform, RunKey[]>>();
  for (const { requirement, title, aspect, stack, file } of checks) {
    const place = () => placed(places.ofStack(stack, file.absolute));
    const isDouble = (titles.get(`${requirement}\n${title}`) ?? 0) > 1;
    const isStrange = aspect !== undefined && !declaredAspects(bench.applicability, requirement).includes(aspect);
    for (const platform of platforms) {
      const applicability = applies(bench.applicability, requirement, platform);
      if (!applicability.applicable) continue;
      const key = { file, requirement, check: title, platform, ...(aspect === undefined ? {} : { aspect }) };
      if (isDouble) {
        runs.put(key, { message: 'two checks of the requirement have this title', ...place() });
      } else if (isStrange) {
        runs.put(key, { message: `the requirement has no part '${aspect}'`, ...place() });
      } else if (aspect === undefined || applicability.aspects.includes(aspect)) {
        const group = groups.get(requirement) ?? new Map<Platform, RunKey[]>();
        groups.set(requirement, group);
        group.set(platform, [...(group.get(platform) ?? []), key]);
      }
    }
  }
  await Promise.all(
    [...groups].map(([requirement, byPlatform]) => {
      const violating = mutants.filter((mutant) => mutant.violates.includes(requirement));
      const inOrder = platforms.filter((platform) => byPlatform.has(platform));
      return runRequirement(
        runs,
        inOrder.map((platform) => ({
          keys: byPlatform.get(platform) ?? [],
          mutants: violating.filter((mutant) => existsOn(mutant, platform)),
        })),
      );
    }),
  );
}

function isChosen(choice: NonNullable<CheckRequest['mutants']>, title: string): boolean {
  return choice === 'all' || (choice !== 'none' && title.includes(choice.titleContains));
}

function count(keys: readonly string[]): Map<string, number> {
  const counts = new Map<string, number>();
  for (const key of keys) counts.set(key, (counts.get(key) ?? 0) + 1);
  return counts;
}

function order(a: readonly string[], b: readonly string[]): number {
  for (let at = 0; at < Math.max(a.length, b.length); at++) {
    const [one, other] = [a[at] ?? '', b[at] ?? ''];
    if (one !== other) return one < other ? -1 : 1;
  }
  return 0;
}

function recordKey({ requirement, platform, check, mutant }: ResultRecord): string[] {
  return [requirement, platform, check, mutant ?? ''];
}
