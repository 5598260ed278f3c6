/** Loading the bench, check files and mutants files into a lane. */
import type { BenchDefinition } from './bench.js';
import { installCollector, type RegisteredCheck, type RegisteredMutant } from './collector.js';
import { describeThrown } from './describe.js';
import { watchIntegrity } from './integrity.js';
import type { BenchDescription, Reply } from './protocol.js';
import { activeCount, settled, turn } from './settle.js';

type Broken = Extract<Reply, { kind: 'broken' }>;
type Loaded = Extract<Reply, { kind: 'loaded' }>;

/** What a lane has loaded. */
export interface Loader {
  /** Loads the bench; the same answer each time. */
  bench(): Promise<BenchDefinition<unknown, unknown> | Broken>;
  /** Loads a file; the same answer each time. */
  load(file: string): Promise<Loaded | Broken>;
  findCheck(requirement: string, title: string): RegisteredCheck | undefined;
  findMutant(requirement: string, title: string): RegisteredMutant | undefined;
  /** Names what has changed in the lane since the last load, or gives undefined. */
  changed(): string | undefined;
  /** Active resources after the last load. */
  baseline(): number;
}

/** Makes the loader of a lane for a bench module (`file:` URL). */
export function makeLoader(benchUrl: string): Loader {
  const checks = new Map<string, RegisteredCheck>();
  const mutants = new Map<string, RegisteredMutant[]>();
  const files = new Map<string, Promise<Loaded | Broken>>();
  let current: { checks: RegisteredCheck[]; mutants: RegisteredMutant[] } = { checks: [], mutants: [] };
  let benchPromise: Promise<BenchDefinition<unknown, unknown> | Broken> | undefined;
  let changed: () => string | undefined = () => undefined;
  let baseline = 0;

  installCollector({
    check(registration) {
      current.checks.push(registration);
      const key = checkKey(registration.requirement, registration.title);
      if (!checks.has(key)) checks.set(key, registration);
    },
    mutant(registration) {
      current.mutants.push(registration);
      const same = mutants.get(registration.title);
      if (same) same.push(registration);
      else mutants.set(registration.title, [registration]);
    },
  });

  const loadBench = async (): Promise<BenchDefinition<unknown, unknown> | Broken> => {
    baseline = activeCount();
    try {
      const module = (await settled(import(benchUrl), baseline)) as { bench?: unknown };
      await turn();
      if (!isDefinition(module.bench)) return broken('bench', "does not export 'bench' as defineBench returns it", '');
      return module.bench;
    } catch (thrown) {
      const { message, stack } = describeThrown(thrown);
      return broken('bench', message, stack);
    } finally {
      baseline = activeCount();
      changed = watchIntegrity();
    }
  };

  const loadFile = async (file: string): Promise<Loaded | Broken> => {
    const definition = await loader.bench();
    if ('kind' in definition) return definition;
    const found: { checks: RegisteredCheck[]; mutants: RegisteredMutant[] } = { checks: [], mutants: [] };
    current = found;
    try {
      await settled(import(file), baseline);
      await turn();
    } catch (thrown) {
      const { message, stack } = describeThrown(thrown);
      return broken('file', message, stack);
    } finally {
      current = { checks: [], mutants: [] };
    }
    if (activeCount() > baseline) return broken('file', 'leaves something running after it has loaded', '');
    const change = changed();
    // New globals are tolerated: libraries register themselves there.
    if (change !== undefined && !change.startsWith('added to globalThis'))
      return broken('file', `${change} while it loaded`, '');
    changed = watchIntegrity();
    for (const { definition: own, stack } of [...found.checks, ...found.mutants]) {
      if (own !== definition) return broken('file', "uses another bench than the configuration's", stack);
    }
    return {
      kind: 'loaded',
      checks: found.checks.map(({ requirement, title, options, stack }) => ({
        requirement: String(requirement),
        title: String(title),
        aspect: options.aspect,
        stack,
      })),
      mutants: found.mutants.map(({ title, options, stack }) => ({
        title: String(title),
        violates: [...options.violates],
        ...(options.platforms ? { platforms: [...options.platforms] } : {}),
        ...(options.features ? { features: [...options.features] } : {}),
        stack,
      })),
    };
  };

  const loader: Loader = {
    bench() {
      benchPromise ??= loadBench();
      return benchPromise;
    },
    load(file) {
      let promise = files.get(file);
      if (!promise) {
        promise = loadFile(file).catch((thrown: unknown) => {
          const { message, stack } = describeThrown(thrown);
          return broken('file', message, stack);
        });
        files.set(file, promise);
      }
      return promise;
    },
    findCheck: (requirement, title) => checks.get(checkKey(requirement, title)),
    findMutant: (requirement, title) =>
      mutants.get(title)?.find(({ options }) => options.violates.includes(requirement)),
    changed: () => changed(),
    baseline: () => baseline,
  };
  return loader;
}

/** The bench as plain data. */
export function describeBench(definition: BenchDefinition<unknown, unknown>): BenchDescription {
  const { object, platforms, applicability, divergences, features, digestFiles } = definition;
  return {
    object: {
      name: object.name,
      digestFiles: object.digestFiles ?? [],
      digestRoot: object.digestRoot === undefined ? undefined : String(object.digestRoot),
    },
    platforms,
    applicability,
    divergences: divergences ?? [],
    features,
    digestFiles: digestFiles ?? [],
  };
}

function checkKey(requirement: string, title: string): string {
  return `${requirement}\n${title}`;
}

function broken(what: 'bench' | 'file', message: string, stack: string): Broken {
  return { kind: 'broken', what, message, stack };
}

function isDefinition(value: unknown): value is BenchDefinition<unknown, unknown> {
  if (typeof value !== 'object' || value === null) return false;
  const given = value as Partial<BenchDefinition<unknown, unknown>>;
  return Array.isArray(given.platforms) && typeof given.subject === 'function' && typeof given.start === 'function';
}
