/**
 * Domains and devices at random, held against a model after every step. Sequences are the same on every run. For more of
 * them: TRACEWRIGHT_RANDOM_RUNS=2000 node dist/verification/random.test.js (for each board; others with every number).
 */
import fc from 'fast-check';
import t from 'tap';
import { type XenSteps, xenSteps } from '../src/xen/steps.js';
import { DOMAINS, describe, PAGES, type Step } from './random/steps.js';
import { World } from './random/world.test-support.js';
import { BOARDS, benchOf } from './standalone.test-support.js';

const { TRACEWRIGHT_RANDOM_RUNS = '12' } = process.env;
const RUNS = Number(TRACEWRIGHT_RANDOM_RUNS);
/** Runs are numbered from here; a long run has seeds of its own. */
const SEED = 20;

/** Steps of a run. Creation and assignment come first in the shrinker's view: what is simplest is what is left. */
function stepsArbitrary(devices: number): fc.Arbitrary<Step[]> {
  const slot = fc.constantFrom(...DOMAINS);
  const device = fc.nat({ max: devices - 1 });
  const step = fc.oneof(
    fc.record({
      do: fc.constant('create' as const),
      slot,
      devices: fc.uniqueArray(device, { maxLength: 3 }),
    }),
    fc.record({ do: fc.constant('assign' as const), slot, device }),
    fc.record({ do: fc.constant('deassign' as const), slot, device }),
    fc.record({ do: fc.constant('destroy' as const), slot }),
    fc.record({ do: fc.constant('interrupt' as const), device }),
    fc.record({ do: fc.constant('give back' as const), slot, page: fc.integer({ min: 1, max: PAGES - 1 }) }),
    fc.record({ do: fc.constant('map registers' as const), slot }),
    fc.record({ do: fc.constant('unmap registers' as const), slot }),
  );
  return fc.array(step, { minLength: 1, maxLength: 14, size: 'max' });
}

/** What is wrong after a sequence; undefined if nothing is. */
function wrongAfter(board: string, sequence: readonly Step[], steps: XenSteps): string | undefined {
  const world = new World(benchOf(board, steps));
  try {
    for (const step of sequence) world.step(step);
  } catch (error) {
    return error instanceof Error ? error.message : String(error);
  }
  return undefined;
}

/** A sequence that fails without the steps that it fails without. */
function minimised(board: string, sequence: readonly Step[], steps: XenSteps): readonly Step[] {
  for (let at = sequence.length - 1; at >= 0; at--) {
    const without = sequence.toSpliced(at, 1);
    if (wrongAfter(board, without, steps) !== undefined) return minimised(board, without, steps);
  }
  return sequence;
}

/** The shortest sequence found that fails, a step a line, and what is wrong then; undefined if none does. */
function failure(board: string, runs: number, steps: XenSteps = xenSteps()): readonly string[] | undefined {
  const { names } = new World(benchOf(board));
  const property = fc.property(stepsArbitrary(names.length), (sequence) => {
    const wrong = wrongAfter(board, sequence, steps);
    if (wrong !== undefined) throw new Error(wrong);
  });
  const outcome = fc.check(property, { numRuns: runs, seed: SEED + runs });
  if (!outcome.failed) return undefined;
  const sequence = minimised(board, outcome.counterexample?.[0] ?? [], steps);
  return [...sequence.map((step) => describe(step, names)), wrongAfter(board, sequence, steps) ?? 'nothing is wrong'];
}

for (const board of BOARDS) {
  t.test(
    `whatever ${RUNS} sequences do on ${board}, devices, pages and interrupts are their owner's alone`,
    async (t) => {
      const found = failure(board, RUNS);
      t.equal(found?.join('\n'), undefined);
    },
  );
}

t.test('a mistake is found, and told by the shortest sequence that shows it', async (t) => {
  const xen = xenSteps();
  const found = failure('arm64-smmuv3', 40, {
    ...xen,
    smmuv3: { ...xen.smmuv3, installAbortSte: () => 0 },
  });
  t.equal(found?.length, 3, found?.join('\n') ?? 'nothing was found');
  const [create, deassign, wrong] = found ?? [];
  const device = create?.match(/^create [ABC] with (\S+)$/)?.[1];
  t.match(deassign, new RegExp(`^(deassign ${device} from [ABC]|destroy [ABC])$`));
  t.match(wrong, new RegExp(`^${device} is nobody's, and its write to page \\d arrives in frame 0x[0-9a-f]+$`));
});
