/** A lane as its parent sees it: a child process that obeys one order at a time and is killed when it does not. */
import { type ChildProcess, fork } from 'node:child_process';
import { randomBytes } from 'node:crypto';
import { readFileSync } from 'node:fs';
import { oneLine } from './describe.js';
import type { Limits } from './limits.js';
import { type Greeting, type LaneMessage, type Order, outputMark, type Reply } from './protocol.js';

/** What came of an order. After `gone`, or with `spoilt`, the lane takes no other. */
export type Answer =
  | {
      readonly kind: 'reply';
      readonly reply: Reply;
      readonly stdout: string;
      readonly stderr: string;
      readonly spoilt: string | undefined;
    }
  | { readonly kind: 'gone'; readonly message: string; readonly stdout: string; readonly stderr: string };

/** A child process that runs checks. */
export interface Lane {
  /** False once the process has ended or has been given up: it takes no further order. */
  usable(): boolean;
  /** Gives an order. Never rejects. One at a time. */
  order(order: Order): Promise<Answer>;
  /** Ends the process. */
  dispose(): void;
}

/** How long a process may take from its start to its greeting: only a machine in distress needs this much. */
const START_MILLISECONDS = 60_000;
const MEMORY_POLL_MILLISECONDS = 50;
/** How long to wait for the rest of the output of a process that has ended; a grandchild may hold it open. */
const CLOSE_MILLISECONDS = 1000;
const KEPT_OUTPUT = 4096;

/**
 * The environment of a lane: that of this process, but with the same time zone, language and options of Node wherever it is,
 * so that neither shows in a result.
 */
function laneEnvironment(): NodeJS.ProcessEnv {
  const env: NodeJS.ProcessEnv = { ...process.env, TZ: 'UTC', LC_ALL: 'C' };
  delete env.NODE_OPTIONS;
  delete env.NODE_V8_COVERAGE;
  return env;
}

/** Forks a lane, which begins to load the bench at once. */
export function openLane(benchUrl: string, limits: Limits): Lane {
  const token = randomBytes(16).toString('hex');
  const child = fork(new URL('./lane-main.js', import.meta.url), [], {
    // Machines come and go with each run: in a young generation of the usual size, a sixth of the time goes to collecting it.
    execArgv: [`--max-old-space-size=${limits.heapMiB}`, '--min-semi-space-size=32', '--max-semi-space-size=64'],
    env: laneEnvironment(),
    stdio: ['ignore', 'pipe', 'pipe', 'ipc'],
    serialization: 'json',
  });
  const stdout = makeCapture();
  const stderr = makeCapture();
  let number = 0;
  let waiting: ((answer: Answer) => void) | undefined;
  let reply: Extract<LaneMessage, { kind: 'reply' }> | undefined;
  let ready = false;
  let killedFor: string | undefined;
  let gone: string | undefined;
  let resident = 0;
  let watchdog: NodeJS.Timeout | undefined;
  let memoryWatch: NodeJS.Timeout | undefined;

  const give = (answer: Answer) => {
    clearTimeout(watchdog);
    clearInterval(memoryWatch);
    const resolve = waiting;
    waiting = undefined;
    reply = undefined;
    resolve?.(answer);
  };
  const kill = (reason: string) => {
    killedFor ??= reason;
    child.kill('SIGKILL');
  };
  const tryComplete = () => {
    if (!waiting || !reply || reply.order !== number) return;
    const mark = outputMark(token, number);
    if (reply.unmarked !== undefined) {
      kill(reply.unmarked);
      return;
    }
    if (!stdout.marked(mark) || !stderr.marked(mark)) return;
    const crowded = resident > limits.memoryMiB / 2 ? 'holds much memory' : undefined;
    give({
      kind: 'reply',
      reply: reply.reply,
      spoilt: reply.spoilt ?? crowded,
      stdout: stdout.take(mark),
      stderr: stderr.take(mark),
    });
  };
  const end = (message: string) => {
    if (gone !== undefined) return;
    gone = message;
    clearTimeout(watchdog);
    if (waiting) give({ kind: 'gone', message, stdout: stdout.rest(), stderr: stderr.rest() });
  };
  const startWatch = () => {
    clearTimeout(watchdog);
    watchdog = setTimeout(
      () => kill(ready ? `did not end within ${limits.milliseconds} ms of wall clock` : 'its process did not start'),
      ready ? limits.milliseconds : START_MILLISECONDS,
    );
    clearInterval(memoryWatch);
    memoryWatch = setInterval(() => {
      resident = residentMiB(child);
      if (resident > limits.memoryMiB) kill(`took more than ${limits.memoryMiB} MiB of memory`);
    }, MEMORY_POLL_MILLISECONDS);
  };

  child.stdout?.on('data', (chunk: Buffer) => {
    stdout.add(chunk);
    tryComplete();
  });
  child.stderr?.on('data', (chunk: Buffer) => {
    stderr.add(chunk);
    tryComplete();
  });
  child.on('message', (message: LaneMessage) => {
    // Whatever lacks the token was sent by a check.
    if (typeof message !== 'object' || message === null || message.token !== token) return;
    if (message.kind === 'ready') {
      ready = true;
      if (waiting) startWatch();
    } else if (message.kind === 'late') {
      kill(message.message);
    } else {
      reply = message;
      tryComplete();
    }
  });
  child.on('error', (error) => end(`its process could not be started: ${error.message}`));
  child.on('exit', (code, signal) => {
    const say = () => end(describeEnd(code, signal, killedFor, stderr.peek(), limits));
    child.once('close', say);
    setTimeout(say, CLOSE_MILLISECONDS).unref();
  });
  child.on('disconnect', () => {
    // An exit follows at once, unless the check has closed the channel by its descriptor.
    setTimeout(() => {
      if (gone === undefined) kill('closed its channel to the run');
    }, CLOSE_MILLISECONDS).unref();
  });
  child.send({ token, operations: limits.operations, bench: benchUrl } satisfies Greeting, () => {
    // A process that has ended meanwhile is reported by its exit.
  });

  return {
    usable: () => gone === undefined && killedFor === undefined && child.exitCode === null && child.signalCode === null,
    order(order) {
      if (gone !== undefined) return Promise.resolve({ kind: 'gone', message: gone, stdout: '', stderr: '' });
      number++;
      const answer = new Promise<Answer>((resolve) => {
        waiting = resolve;
      });
      startWatch();
      child.send({ token, number, order }, () => {});
      return answer;
    },
    dispose() {
      if (gone !== undefined) return;
      // Coverage of the lane is written when it exits by itself, as it does when the channel closes.
      if (process.env.NODE_V8_COVERAGE && waiting === undefined && child.connected) child.disconnect();
      else kill('was stopped');
      if (waiting) end('was stopped');
      gone ??= 'was stopped';
      clearTimeout(watchdog);
      clearInterval(memoryWatch);
      // Nobody waits for a process that is being ended.
      child.stdout?.destroy();
      child.stderr?.destroy();
      child.channel?.unref();
      child.unref();
    },
  };
}

/** Output of a lane, cut by marks. Of the output of one order, the beginning is kept, and the end for as long as a mark is sought. */
function makeCapture() {
  let text = '';
  return {
    add(chunk: Buffer): void {
      text += chunk.toString('latin1');
      if (text.length > 4 * KEPT_OUTPUT) text = text.slice(0, KEPT_OUTPUT) + text.slice(-3 * KEPT_OUTPUT);
    },
    marked: (mark: string) => text.includes(mark),
    take(mark: string): string {
      const at = text.indexOf(mark);
      const taken = text.slice(0, at);
      text = text.slice(at + mark.length);
      return decode(taken);
    },
    peek: () => decode(text),
    rest(): string {
      const taken = text;
      text = '';
      return decode(taken);
    },
  };
}

function decode(latin1: string): string {
  return Buffer.from(latin1, 'latin1').toString('utf8');
}

/** Resident memory of a process; 0 where there is no /proc. */
function residentMiB(child: ChildProcess): number {
  try {
    const match = /VmRSS:\s+(\d+) kB/.exec(readFileSync(`/proc/${child.pid}/status`, 'latin1'));
    return match ? Number(match[1]) / 1024 : 0;
  } catch {
    return 0;
  }
}

function describeEnd(
  code: number | null,
  signal: NodeJS.Signals | null,
  killedFor: string | undefined,
  stderr: string,
  limits: Limits,
): string {
  if (killedFor !== undefined) return killedFor;
  if (/heap out of memory|Reached heap limit|invalid array length Allocation failed/.test(stderr)) {
    return `took more than ${limits.heapMiB} MiB of JavaScript heap`;
  }
  if (signal !== null) return `its process was ended by ${signal}`;
  return `its process ended itself with status ${code}`;
}

/** What a check wrote to standard error, for a message: without the runtime's own reports, which differ from run to run. */
export function ownStderr(text: string): string {
  const end = text.search(/^(?:#|<---|-----|FATAL ERROR|\[\d+:0x|Aborted|Trace)/m);
  return oneLine((end < 0 ? text : text.slice(0, end)).replace(/\(node:\d+\)/g, '(node)'), 200);
}
