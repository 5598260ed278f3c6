/**
 * Replays vector cases on the bundled models and compares what happens, step by step.
 *
 * A case agrees if every step does. A difference that an exception explains leaves its case `excepted`. All that is left
 * is reported, and so is an exception that no case of its class needs.
 */
import { type Exception, explains } from './exceptions.js';
import { replaySmmuv3 } from './smmuv3.js';
import type { Step, VectorCase } from './vectors.js';

/** A step whose outcome is not what was observed. */
export interface StepDifference {
  /** Counted from 1. */
  readonly step: number;
  readonly kind: Step['kind'];
  readonly expected: string;
  readonly got: string;
  /**
   * The observed outcome came from something stale in a cache, and this one is what memory holds by now: caching is
   * permitted, never required.
   */
  readonly anew?: true;
}

/** Replays one case from reset: the steps that differ. */
export type Replayer = (vector: VectorCase) => StepDifference[];

/** The models, by the device that a case names. */
export const REPLAYERS: Readonly<Record<string, Replayer>> = {
  smmuv3: replaySmmuv3,
};

/** A case asks for a device of which there is no model. */
export class NoModelError extends Error {
  constructor(vector: VectorCase) {
    const known = Object.keys(REPLAYERS).join(', ');
    super(`${vector.file}:${vector.line}: no model for device "${vector.device}" is there (models: ${known})`);
    this.name = 'NoModelError';
  }
}

/** A difference with its case. */
export interface Difference extends StepDifference {
  readonly vector: VectorCase;
}

/** What a replay gave. */
export interface Report {
  readonly cases: number;
  readonly agree: number;
  readonly excepted: number;
  /** Steps that were observed to be stale and were answered anew here; no differences. */
  readonly anew: number;
  readonly differences: readonly Difference[];
  /** Exceptions whose class was replayed, but which explained nothing. */
  readonly unused: readonly Exception[];
}

/**
 * Replays cases.
 * @throws NoModelError before anything is replayed, if a case names a device without a model
 */
export function replay(vectors: readonly VectorCase[], exceptions: readonly Exception[]): Report {
  for (const vector of vectors) if (!Object.hasOwn(REPLAYERS, vector.device)) throw new NoModelError(vector);
  const used = new Set<Exception>();
  const differences: Difference[] = [];
  let agree = 0;
  let excepted = 0;
  let anew = 0;
  for (const vector of vectors) {
    const all = (REPLAYERS[vector.device] as Replayer)(vector);
    const found = all.filter((difference) => difference.anew !== true);
    anew += all.length - found.length;
    const left = found.filter((difference) => {
      const exception = exceptions.find((candidate) => explains(candidate, vector, difference));
      if (exception !== undefined) used.add(exception);
      return exception === undefined;
    });
    if (found.length === 0) agree++;
    else if (left.length === 0) excepted++;
    differences.push(...left.map((difference) => ({ ...difference, vector })));
  }
  const classes = new Set(vectors.map((vector) => `${vector.device} ${vector.class}`));
  const unused = exceptions.filter((e) => !used.has(e) && classes.has(`${e.device} ${e.class}`));
  return { cases: vectors.length, agree, excepted, anew, differences, unused };
}

/** Whether a replay found nothing wrong. */
export function isClean(report: Report): boolean {
  return report.differences.length === 0 && report.unused.length === 0;
}

/** A report as lines of text. */
export function formatReport(report: Report): string[] {
  const { cases, agree, excepted, anew } = report;
  const fresh = anew === 0 ? '' : `, ${anew} stale steps answered anew`;
  const lines = [`${cases} cases, ${agree} agree, ${excepted} excepted${fresh}`];
  for (const { vector, step, kind, expected, got } of report.differences) {
    lines.push(
      `${vector.file}:${vector.line}: ${vector.name} step ${step} (${kind}): expected ${expected}, got ${got}`,
    );
  }
  for (const exception of report.unused) {
    lines.push(`exception of ${exception.device} ${exception.class} that no case uses: ${exception.reason}`);
  }
  return lines;
}
