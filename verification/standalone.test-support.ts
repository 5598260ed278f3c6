/** Benches for unit tests, without the engine that runs checks. */
import { AssertionFailure, type Expect, makeExpect } from '../src/check/expect.js';
import { type XenSteps, xenSteps } from '../src/xen/steps.js';
import { bench as definition } from './bench.js';
import type { PassthroughBench } from './passthrough-bench.js';

/** The boards, by name. */
export const BOARDS = ['arm64-smmuv3', 'arm64-smmuv3-dual', 'arm64-ipmmu'] as const;

/**
 * A booted bench of a board.
 * @param problem what is told of software that did wrong, and of what the model lacks; it throws if absent
 */
export function benchOf(
  name: string,
  steps: XenSteps = xenSteps(),
  problem: (text: string) => void = (text) => {
    throw new Error(text);
  },
): PassthroughBench {
  const platform = definition.platforms.find((one) => one.name === name);
  if (platform === undefined) throw new Error(`there is no platform ${name}`);
  return definition.start(platform, steps, {
    count() {},
    transcript: undefined,
    journal() {},
    problem,
  }) as PassthroughBench;
}

/** Assertions that throw where they do not hold, for arrangements that checks and tests share. */
export function throwing(): Expect {
  return makeExpect({ evaluated() {}, isSignal: (thrown) => thrown instanceof AssertionFailure });
}
