/**
 * A lane that is forked before the command line has been parsed. What is loaded before it delays every run of checks, so
 * this imports the configuration and the fork and no more, and is itself imported only where checks may be run.
 */

import type { Limits } from '../check/limits.js';
import { type PreparedLane, prepareLane } from '../check/prepare.js';
import { type ChecksConfiguration, type Configuration, type LimitsConfiguration, loadConfiguration } from './config.js';

let ahead: { readonly root: string; readonly bench: string; readonly lane: PreparedLane } | undefined;

/** Forks a lane for the configuration that the words of a command line name, if it is right and has checks. */
export function forkLaneAhead(words: readonly string[]): void {
  const configuration = configurationOf(words);
  if (configuration?.checks === undefined) return;
  const { root, checks } = configuration;
  ahead = { root, bench: checks.bench, lane: forkLane(configuration, checks) };
}

/** The configuration that the words name. Undefined if it is wrong, which is told when the program loads it. */
function configurationOf(words: readonly string[]): Configuration | undefined {
  const at = words.findIndex((word) => word === '--config' || word.startsWith('--config='));
  const word = words[at];
  const given = word === '--config' ? words[at + 1] : word?.slice('--config='.length);
  try {
    return loadConfiguration(process.cwd(), given);
  } catch {
    return undefined;
  }
}

/** The lane for a configuration: the one that was forked ahead, else a new one. Whoever takes it disposes it. */
export function takeLane(configuration: Configuration, checks: ChecksConfiguration): PreparedLane {
  const { root } = configuration;
  if (ahead === undefined || ahead.root !== root || ahead.bench !== checks.bench)
    return forkLane(configuration, checks);
  const { lane } = ahead;
  ahead = undefined;
  return lane;
}

/** Ends the lane that was forked ahead, if nobody took it. */
export function disposeLaneAhead(): void {
  ahead?.lane.dispose();
  ahead = undefined;
}

function forkLane({ root, limits }: Configuration, { bench }: ChecksConfiguration): PreparedLane {
  return prepareLane({ root, bench, limits: limitsOf(limits) });
}

/** Limits as the check engine takes them. */
export function limitsOf(configured: LimitsConfiguration): Partial<Limits> {
  const { operations, watchdogSeconds, heapMiB, memoryMiB } = configured;
  return {
    ...(operations === undefined ? {} : { operations }),
    ...(watchdogSeconds === undefined ? {} : { milliseconds: watchdogSeconds * 1000 }),
    ...(heapMiB === undefined ? {} : { heapMiB }),
    ...(memoryMiB === undefined ? {} : { memoryMiB }),
  };
}
