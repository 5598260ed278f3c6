/** From what a lane answers to what became of the run. */
import type { Outcome } from '../core/record.js';
import type { Transcript } from '../core/transcript.js';
import { oneLine } from './describe.js';
import { type Answer, ownStderr } from './lane.js';

/** What became of a run, before it is put into a record. */
export interface RunVerdict {
  readonly outcome: Outcome;
  readonly assertions: number;
  readonly message?: string;
  readonly stack: string;
  /** Whether the stack's own place is meant, rather than the check's line within it. */
  readonly thrown: boolean;
  readonly digest: string;
  readonly journaled: number;
  readonly transcript?: Transcript;
  /** Names of the parts of the subject that were read; of a run without a mutant. */
  readonly read: readonly string[];
}

/** Judges an answer to an order to run. What a check prints to standard output makes it an error. */
export function judgeAnswer(answer: Answer): RunVerdict {
  const error = (message: string, stack = '', thrown = false): RunVerdict => {
    const stderr = ownStderr(answer.stderr);
    const whole = stderr === '' ? message : `${message}; on standard error: ${stderr}`;
    return {
      outcome: 'error',
      assertions: 0,
      message: oneLine(whole),
      stack,
      thrown,
      digest: '',
      journaled: 0,
      read: [],
    };
  };
  if (answer.kind === 'gone') return error(answer.message);
  const { reply } = answer;
  if (reply.kind === 'broken') return error(`does not load: ${reply.message}`, reply.stack);
  if (reply.kind !== 'run') return error('the lane answered something else');
  const { outcome, assertions, message, stack = '', thrown = false, digest, journaled } = reply;
  const { read = [] } = reply;
  const rest = { assertions, digest, journaled, read, ...(reply.transcript ? { transcript: reply.transcript } : {}) };
  if (answer.stdout !== '') {
    const said = `writes to standard output: ${oneLine(answer.stdout, 200)}`;
    return { ...error(outcome === 'error' && message !== undefined ? `${message}; ${said}` : said), ...rest };
  }
  if (outcome === 'error') return { ...error(message ?? 'went wrong', stack, thrown), ...rest };
  return { outcome, stack, thrown, ...rest, ...(message === undefined ? {} : { message }) };
}
