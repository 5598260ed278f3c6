/**
 * The collector: where `check()` and `mutant()` register. A lane puts one on `globalThis` under a registered symbol, so
 * a check file may come with its own copy of this package and still be found. What is registered is plain data and
 * functions; nothing is recognised by its class.
 */
import type { BenchDefinition, CheckBody, CheckOptions, MutantOptions, Platform } from './bench.js';

/** A check as registered, of whatever bench. */
export interface RegisteredCheck {
  readonly definition: BenchDefinition<unknown, unknown>;
  readonly requirement: string;
  readonly title: string;
  readonly options: CheckOptions;
  readonly body: CheckBody<unknown>;
  /** Stack of the call, to find its place. */
  readonly stack: string;
}

/** A mutant as registered. */
export interface RegisteredMutant {
  readonly definition: BenchDefinition<unknown, unknown>;
  readonly title: string;
  readonly options: MutantOptions;
  readonly transform: (subject: unknown, platform: Platform) => unknown;
  readonly stack: string;
}

/** What a lane offers to the modules that it loads. */
export interface Collector {
  check(registration: RegisteredCheck): void;
  mutant(registration: RegisteredMutant): void;
}

const COLLECTOR = Symbol.for('tracewright.collector');

/** Installs a collector, or takes it away. */
export function installCollector(collector: Collector | undefined): void {
  const holder = globalThis as { [COLLECTOR]?: Collector | undefined };
  if (collector === undefined) delete holder[COLLECTOR];
  else holder[COLLECTOR] = collector;
}

/**
 * The collector in place.
 * @throws {Error} if there is none: the module is loaded by something else than a run.
 */
export function currentCollector(caller: 'check' | 'mutant'): Collector {
  const collector = (globalThis as { [COLLECTOR]?: Collector })[COLLECTOR];
  if (!collector) {
    throw new Error(
      `Cannot register a ${caller} outside a run. Name its file in the configuration under "checks" and run tracewright.`,
    );
  }
  return collector;
}
