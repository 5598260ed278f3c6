/** One run of one check within a lane: compose the subject, transform it, start it, run the body. */
import type { BenchDefinition } from './bench.js';
import type { RegisteredCheck, RegisteredMutant } from './collector.js';
import { describeThrown, isErrorOf } from './describe.js';
import type { RunReply } from './protocol.js';
import type { RunState } from './run-state.js';
import { activeCount, NeverSettles, settled, turn } from './settle.js';
import { MutantMistake, transformSubject } from './subject.js';

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
  let phase = 'composing the subject: ';
  try {
    const platform = definition.platforms.find((candidate) => candidate.name === name);
    if (!platform) throw new Error(`the bench has no platform '${name}'`);
    let subject = definition.subject(platform);
    if (mutant) {
      phase = 'transforming the subject: ';
      subject = transformSubject(subject, (given) => mutant.transform(given, platform));
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
    return state.end();
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
