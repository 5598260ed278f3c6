/**
 * The entry of a lane, a child process that runs checks one after the other. It is started by `lane.ts` and obeys the
 * orders of `protocol.ts` until its channel closes.
 */
import { writeSync } from 'node:fs';
import { describeThrown } from './describe.js';
import { execute, inspect } from './execute.js';
import { describeBench, type Loader, makeLoader } from './loader.js';
import { type Greeting, type LaneMessage, type Order, outputMark, type Reply } from './protocol.js';
import { beginRun, type RunState } from './run-state.js';
import { activeCount } from './settle.js';

// The lane's own means, taken before a check could replace them.
const send = (process.send as (message: LaneMessage) => boolean).bind(process);
const exit = process.exit.bind(process);
const write = writeSync;
const wait = Atomics.wait;

/** Deep enough to find a check's own line below the model that called it back. */
Error.stackTraceLimit = 100;

let token = '';
let operations = 0;
let loader: Loader | undefined;
let current: RunState | undefined;
/** What was thrown outside of any call while a file loaded. */
let astray: string | undefined;
let busy = false;

process.on('message', (message: Greeting | { token: string; number: number; order: Order }) => {
  if (token === '' && 'bench' in message) {
    ({ token, operations } = message);
    loader = makeLoader(message.bench);
    void loader.bench();
    send({ token, kind: 'ready' });
  } else if ('order' in message && message.token === token) {
    void obey(message.number, message.order);
  }
});
process.on('disconnect', () => exit(0));
process.on('uncaughtException', (thrown) => stray('uncaught: ', thrown));
process.on('unhandledRejection', (thrown) => stray('a promise was rejected and nobody handled it: ', thrown));

// The channel belongs to the lane. A check that uses it has made a mistake.
process.send = () => refuse('process.send()');
process.disconnect = () => {
  // Node itself calls this when the other end of the channel is gone.
  if (/^.*\n.*\n\s+at .*node:internal/.test(new Error().stack ?? '')) exit(0);
  refuse('process.disconnect()');
};

function refuse(call: string): never {
  const error = new Error(`calls ${call}, which belongs to the run`);
  current?.wrong(error.message, error.stack);
  throw error;
}

/** Something thrown outside of any call that the lane made. */
function stray(prefix: string, thrown: unknown): void {
  const message = `${prefix}${describeThrown(thrown).message}`;
  if (current) current.threw(thrown, prefix);
  else if (busy) astray ??= message;
  else send({ token, kind: 'late', message });
}

async function obey(number: number, order: Order): Promise<void> {
  busy = true;
  astray = undefined;
  let reply = await answer(order).catch((thrown: unknown): Reply => {
    return { kind: 'broken', what: 'file', ...describeThrown(thrown) };
  });
  if (astray !== undefined && reply.kind !== 'run')
    reply = { kind: 'broken', what: 'file', message: astray, stack: '' };
  const spoilt =
    loader?.changed() ?? (activeCount() > (loader?.baseline() ?? 0) ? 'left something running' : undefined);
  const unmarked = mark(1, number) ?? mark(2, number);
  busy = false;
  send({ token, kind: 'reply', order: number, reply, spoilt, unmarked });
}

async function answer(order: Order): Promise<Reply> {
  if (!loader) throw new Error('unreachable: an order before the greeting');
  const definition = await loader.bench();
  if ('kind' in definition) return definition;
  if (order.kind === 'describe') return { kind: 'described', bench: describeBench(definition) };
  if (order.kind === 'load') return loader.load(order.file);
  for (const file of order.files) {
    const loaded = await loader.load(file);
    if (loaded.kind === 'broken') return loaded;
  }
  if (order.kind === 'inspect') {
    const mutants = order.mutants.map((title) => loader?.findMutant(order.requirement, title));
    return { kind: 'inspected', changed: inspect(definition, mutants, order.platform) };
  }
  const check = loader.findCheck(order.requirement, order.check);
  const mutant = order.mutant === undefined ? undefined : loader.findMutant(order.requirement, order.mutant);
  if (!check || (order.mutant !== undefined && !mutant)) {
    return { kind: 'broken', what: 'file', message: 'registers something else each time that it is loaded', stack: '' };
  }
  const state = beginRun(operations, order.transcript);
  current = state;
  try {
    return await execute({ definition, check, mutant, platform: order.platform }, state);
  } finally {
    current = undefined;
  }
}

/** Marks the end of an order's output. Gives the reason if it cannot. */
function mark(stream: 1 | 2, number: number): string | undefined {
  const bytes = Buffer.from(outputMark(token, number));
  let at = 0;
  while (at < bytes.length) {
    try {
      at += write(stream, bytes, at);
    } catch (thrown) {
      // The other end has not read yet what the check wrote.
      if ((thrown as { code?: string }).code !== 'EAGAIN') {
        return `closed its standard ${stream === 1 ? 'output' : 'error'}`;
      }
      wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0, 1);
    }
  }
  return undefined;
}
