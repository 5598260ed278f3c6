/** One run of one check within a lane: compose the subject, transform it, start it, run the body. */
import type { BenchDefinition } from './bench.js';
import type { RegisteredCheck, RegisteredMutant } from './collector.js';
import { describeThrown, isErrorOf } from './describe.js';
import type { RunReply } from './protocol.js';
import type { RunState } from './run-state.js';
import { activeCount, NeverSettles, settled, turn } from './settle.js';
import { changedParts, copySubject, MutantMistake, transformSubject, watchSubject } from './subject.js';

/** What a run consists of. */
export interface Run {
  readonly definition: BenchDefinition<unknown, unknown>;
  readonly check: RegisteredCheck;
  readonly mutant: RegisteredMutant | undefined;
  readonly platform: string;
}

/**
 * Executes a run; never rejects. An error while the subject is composed, transformed or started is told apart from one
 * in the body by the message.
 */
export async function execute({ definition, check, mutant, platform: name }: Run, state: RunState): Promise<RunReply> {
  const baseline = activeCount();
  let read: ReadonlySet<string> | undefined;
  let phase = 'composing the subject: ';
  try {
    const platform = definition.platforms.find((candidate) => candidate.name === name);
    if (!platform) throw new Error(`the bench has no platform '${name}'`);
    let subject = definition.subject(platform);
    if (mutant) {
      phase = 'transforming the subject: ';
      subject = transformSubject(subject, (given) => mutant.transform(given, platform));
    } else {
      const watched = watchSubject(subject);
      subject = watched.subject;
      read = watched.read;
    }
    phase = 'starting the bench: ';
    const bench = await settled(definition.start(platform, subject, state.context), baseline);
    phase = '';
    await settled(check.body({ bench, expect: state.expect, platform }), baseline);
    phase = 'finishing the bench: ';
    if (definition.finish) await settled(definition.finish(bench, state.context), baseline);
  } catch (thrown) {
    if (isErrorOf(thrown, NeverSettles) || isErrorOf(thrown, MutantMistake)) state.wrong(`${phase}${thrown.message}`);
    else state.threw(thrown, phase);
  }
  // A rejection that nobody handles is reported at the end of a turn, while this run is still the current one.
  await turn();
  try {
    const reply = state.end();
    return read === undefined ? reply : { ...reply, read: [...read].sort() };
  } catch (thrown) {
    return {
      kind: 'run',
      outcome: 'error',
      assertions: 0,
      message: describeThrown(thrown).message,
      digest: '',
      journaled: 0,
    };
  }
}

/** For each mutant the parts of the subject that it replaces on a platform, by name; none if it is no proper mutant. */
export function inspect(
  definition: BenchDefinition<unknown, unknown>,
  mutants: readonly (RegisteredMutant | undefined)[],
  name: string,
): string[][] {
  return mutants.map((mutant) => {
    try {
      const platform = definition.platforms.find((candidate) => candidate.name === name);
      if (platform === undefined || mutant === undefined) return [];
      const subject = definition.subject(platform);
      return changedParts(subject, mutant.transform(copySubject(subject), platform));
    } catch {
      // What is wrong with it is the result of its first run.
      return [];
    }
  });
}
