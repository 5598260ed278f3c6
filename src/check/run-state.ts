/** The state of one run within a lane: limits, the machine's trace, the transcript, and what went wrong first. */
import { createHash } from 'node:crypto';
import { endianness } from 'node:os';
import type { TranscriptEntry } from '../core/transcript.js';
import type { RunContext } from './bench.js';
import { describeThrown, isErrorOf, oneLine } from './describe.js';
import { AssertionFailure, type AssertionObserver, type Expect, makeExpect } from './expect.js';
import type { RunReply } from './protocol.js';

/** Thrown by `count` beyond the limit. */
export class OperationLimit extends Error {
  override readonly name = 'OperationLimit';
}

/** Entries that a transcript keeps. An endless run would otherwise fill the memory before it meets its limit. */
const MAX_ENTRIES = 20_000;
const MAX_ENTRY_TEXT = 1000;

/** One run. What happens first decides: an assertion that failed, or anything else that went wrong. */
export interface RunState {
  readonly context: RunContext;
  readonly expect: Expect;
  /** Takes something thrown, by the body or outside of it; `prefix` says which. */
  threw(thrown: unknown, prefix: string): void;
  /** Makes the run an error, unless it has failed already. */
  wrong(message: string, stack?: string): void;
  end(): RunReply;
}

/** Begins a run with its limit of model operations. */
export function beginRun(limit: number, wantsTranscript: boolean): RunState {
  let first: { outcome: 'fail' | 'error'; message: string; stack: string; thrown: boolean } | undefined;
  let assertions = 0;
  let operations = 0;
  let exceeded: OperationLimit | undefined;
  const entries: TranscriptEntry[] = [];
  let dropped = 0;
  const trace = makeTrace();

  const wrong = (message: string, stack = '', thrown = false) => {
    first ??= { outcome: 'error', message: oneLine(message), stack, thrown };
  };
  const add = (entry: TranscriptEntry) => {
    if (entries.length >= MAX_ENTRIES) {
      dropped++;
      return;
    }
    const held = entry.held === undefined ? {} : { held: entry.held === true };
    entries.push({
      depth: Number(entry.depth) || 0,
      actor: oneLine(String(entry.actor), MAX_ENTRY_TEXT),
      text: oneLine(String(entry.text), MAX_ENTRY_TEXT),
      ...held,
    });
  };
  const context: RunContext = {
    transcript: wantsTranscript ? { add } : undefined,
    count(more) {
      operations += more;
      if (operations <= limit) return;
      if (!exceeded) {
        exceeded = new OperationLimit(`more than ${limit} operations of the model`);
        wrong(`took ${exceeded.message}: the run was ended there`, exceeded.stack);
      }
      throw exceeded;
    },
    journal: trace.add,
    problem(text) {
      wrong(String(text), new Error().stack);
      if (wantsTranscript) add({ depth: 1, actor: 'problem', text: String(text) });
    },
  };
  const observer: AssertionObserver = {
    evaluated(what, held, detail, failure) {
      assertions++;
      if (wantsTranscript) add({ depth: 0, actor: 'expect', text: detail === '' ? what : `${what}: ${detail}`, held });
      if (failure) first ??= { outcome: 'fail', message: failure.message, stack: failure.stack ?? '', thrown: false };
    },
    isSignal: (thrown) => isErrorOf(thrown, AssertionFailure) || (exceeded !== undefined && thrown === exceeded),
  };
  return {
    context,
    expect: makeExpect(observer),
    threw(thrown, prefix) {
      // The engine's own throws, too, were recorded when they were made.
      if (first) return;
      const { message, stack } = describeThrown(thrown);
      wrong(`${prefix}${message}`, stack, true);
    },
    wrong,
    end() {
      if (dropped > 0) entries.push({ depth: 0, actor: 'transcript', text: `${dropped} more entries are left out` });
      return {
        kind: 'run',
        outcome: first?.outcome ?? 'pass',
        assertions,
        ...(first ? { message: first.message, stack: first.stack, thrown: first.thrown } : {}),
        digest: trace.digest(),
        journaled: trace.calls(),
        ...(wantsTranscript ? { transcript: entries } : {}),
      };
    },
  };
}

const BUFFER_WORDS = 4096;
const BIG_ENDIAN = endianness() === 'BE';

/**
 * SHA-256 over what is journaled. Each call is preceded by a word: its length (words, or bytes of UTF-8) times two,
 * plus one for a string, and strings are padded with zeros to a word.
 */
function makeTrace() {
  const hash = createHash('sha256');
  const buffer = new Uint32Array(BUFFER_WORDS);
  const bytes = Buffer.from(buffer.buffer);
  let used = 0;
  let calls = 0;
  const flush = () => {
    const part = bytes.subarray(0, used * 4);
    hash.update(BIG_ENDIAN ? Buffer.from(part).swap32() : part);
    used = 0;
  };
  const put = (word: number) => {
    if (used === BUFFER_WORDS) flush();
    buffer[used++] = word;
  };
  return {
    add(entry: Uint32Array | string, length = entry.length): void {
      calls++;
      if (typeof entry === 'string') {
        const text = Buffer.from(length < entry.length ? entry.slice(0, length) : entry, 'utf8');
        put(text.length * 2 + 1);
        for (let at = 0; at < text.length; at += 4) {
          put((text[at] ?? 0) | ((text[at + 1] ?? 0) << 8) | ((text[at + 2] ?? 0) << 16) | ((text[at + 3] ?? 0) << 24));
        }
        return;
      }
      put(length * 2);
      if (length === entry.length && used + length <= BUFFER_WORDS) {
        buffer.set(entry, used);
        used += length;
        return;
      }
      for (let at = 0; at < length; at++) put(entry[at] ?? 0);
    },
    digest(): string {
      flush();
      return hash.digest('hex');
    },
    calls: () => calls,
  };
}
