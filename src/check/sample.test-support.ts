/** A small project for the tests of the engine: a counter as the model, in a folder of its own. */
import './plain-children.test-support.js';
import type { ResultRecord } from '../core/record.js';
import type { Limits } from './limits.js';
import { type CheckRequest, type CheckRun, runChecks } from './run.js';

const CHECK_API = new URL('./index.js', import.meta.url).href;

/** The bench: a counter that each operation moves by `step`. On `wide` it has the feature `reverse`. */
export const BENCH = `
import { defineBench } from '${CHECK_API}';
export const { check, mutant, bench } = defineBench({
  object: { name: 'counter', digestFiles: ['bench.js'] },
  platforms: [
    { name: 'wide', machine: '64 bits', hypervisor: 'none', features: ['reverse'], inputs: { width: '64' } },
    { name: 'narrow', machine: '8 bits', hypervisor: 'none', features: [] },
  ],
  applicability: [
    { requirement: 'Req~reverse~1', needs: ['reverse'], otherwise: 'it cannot count down' },
    { requirement: 'Req~parts~1', aspects: [
      { name: 'up' },
      { name: 'down', needs: ['reverse'], otherwise: 'it cannot count down' },
    ] },
  ],
  subject: () => ({ step: (value) => value + 1, start: () => 0 }),
  start(platform, subject, run) {
    let value = subject.start();
    run.journal('start');
    return {
      run,
      up() {
        run.count(1);
        value = subject.step(value);
        run.journal(Uint32Array.of(value));
        run.transcript?.add({ depth: 0, actor: 'counter', text: 'up to ' + value });
        return value;
      },
    };
  },
});
`;

/** Limits that a test can wait for. */
export const SHORT_LIMITS: Limits = { operations: 10_000, milliseconds: 1500, heapMiB: 64, memoryMiB: 400 };

/** Runs the checks of a folder that `t.testdir` made: `bench.js` and `*.check.js`. */
export function runSample(root: string, request: Partial<CheckRequest> = {}): Promise<CheckRun> {
  return runChecks({
    root,
    configuration: { bench: 'bench.js', files: ['*.check.js'], sources: [] },
    requirements: ['Req~count~1'],
    platforms: ['wide'],
    limits: SHORT_LIMITS,
    ...request,
  });
}

/** A check file of `Req~count~1` from the bodies of its checks, by title. */
export function checkFile(bodies: Readonly<Record<string, string>>, more = ''): string {
  const checks = Object.entries(bodies).map(
    ([title, body]) =>
      `check('Req~count~1', ${JSON.stringify(title)}, async ({ bench, expect, platform }) => {\n${body}\n});`,
  );
  return `import { check, mutant } from './bench.js';\n${checks.join('\n')}\n${more}\n`;
}

/** A record in short: `title [+ mutant] -> outcome assertions`. */
export function inShort({ check, mutant, outcome, assertions }: ResultRecord): string {
  return `${check}${mutant === undefined ? '' : ` + ${mutant}`} -> ${outcome} ${assertions}`;
}
