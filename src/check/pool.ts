/** A pool of lanes: as many as there are cores, each begun only when the orders that wait are worth its start. */
import { type Answer, type Lane, openLane } from './lane.js';
import type { Limits } from './limits.js';
import type { Order } from './protocol.js';

/** What came of an order, and of its repetition. */
export interface Result {
  readonly answer: Answer;
  /** What came of it before it was repeated in a fresh lane, if it was. */
  readonly before: Answer | undefined;
}

export interface Pool {
  /** Gives an order to a lane. Whatever goes wrong is repeated once in a fresh lane, and that answer counts. */
  submit(order: Order): Promise<Result>;
  /** Ends every lane. Orders that wait are answered with `gone`. */
  dispose(): void;
}

/** What the start of a lane costs at least. One that was forked ahead shows less. */
const START_MILLISECONDS = 150;
/**
 * How many starts the waiting runs must take for another lane. It takes its cores from the lanes at work while it starts,
 * and of what waits then it gets a part only.
 */
const WORTH_STARTS = 4;
/** How often orders that wait are weighed against another lane, while none ends. */
const WEIGH_MILLISECONDS = 80;

/** Whether an answer is neither what was ordered nor an assertion that failed. */
export function wentWrong(answer: Answer): boolean {
  if (answer.kind === 'gone' || answer.stdout !== '') return true;
  return answer.reply.kind === 'broken' || (answer.reply.kind === 'run' && answer.reply.outcome === 'error');
}

/**
 * Opens a pool.
 * @param first a lane that was forked ahead
 */
export function openPool(benchUrl: string, limits: Limits, size: number, first: Lane | undefined): Pool {
  interface Task {
    readonly order: Order;
    readonly resolve: (result: Result) => void;
  }
  const queue: Task[] = [];
  const idle: Lane[] = first ? [first] : [];
  const open = new Set<Lane>(idle);
  let next = 0;
  let working = 0;
  let weighing: NodeJS.Timeout | undefined;
  let disposed = false;
  const begun = performance.now();
  let startCost: number | undefined;
  /** What a run takes, by those that ended last: the first ones are slow, until their code has been compiled. */
  let each = 0;
  const since = new Set<number>();

  const fresh = (): Lane => {
    const lane = openLane(benchUrl, limits);
    open.add(lane);
    return lane;
  };
  const retire = (lane: Lane) => {
    open.delete(lane);
    lane.dispose();
  };
  /** Gives an order, and learns what lanes and runs take. */
  const timed = async (lane: Lane, order: Order): Promise<Answer> => {
    const from = performance.now();
    if (order.kind === 'run') since.add(from);
    const answer = await lane.order(order);
    since.delete(from);
    if (order.kind === 'describe') startCost ??= performance.now() - begun;
    if (order.kind === 'run') {
      const took = performance.now() - from;
      each = each === 0 ? took : each * 0.7 + took * 0.3;
    }
    return answer;
  };
  /** Whether the runs that wait would take the lanes at work much longer than the start of another. */
  const isWorthAnother = () => {
    if (queue[next]?.order.kind !== 'run') return false;
    const longest = performance.now() - Math.min(...since, performance.now());
    const work = (pending() * Math.max(each, longest)) / working;
    return work > WORTH_STARTS * Math.max(startCost ?? 0, START_MILLISECONDS);
  };
  /** Carries an order out; the lane that it ends with, if that can go on. */
  const carryOut = async ({ order, resolve }: Task, given: Lane): Promise<Lane | undefined> => {
    let lane = given;
    let answer = await timed(lane, order);
    let before: Answer | undefined;
    if (wentWrong(answer) && !disposed) {
      retire(lane);
      before = answer;
      lane = fresh();
      answer = await timed(lane, order);
    }
    const again = !wentWrong(answer) && answer.kind === 'reply' && answer.spoilt === undefined;
    if (!again) retire(lane);
    resolve({ answer, before });
    return again ? lane : undefined;
  };
  const pending = () => queue.length - next;
  const work = async (given: Lane | undefined) => {
    working++;
    let lane = given;
    while (pending() > 0 && !disposed) {
      const task = queue[next++] as Task;
      if (lane && !lane.usable()) {
        retire(lane);
        lane = undefined;
      }
      lane = await carryOut(task, lane ?? fresh());
      pump();
      // The next orders often come of this result, when its promise is taken up.
      if (pending() === 0) await new Promise((resolve) => setImmediate(resolve));
    }
    working--;
    if (lane) idle.push(lane);
  };
  const pump = () => {
    if (disposed || pending() === 0) return;
    if (working === 0 || (working < size && (idle.length > 0 || isWorthAnother()))) void work(idle.pop());
    if (working < size) {
      weighing ??= setTimeout(() => {
        weighing = undefined;
        pump();
      }, WEIGH_MILLISECONDS);
    }
  };
  return {
    submit(order) {
      if (disposed) return Promise.resolve({ answer: stopped, before: undefined });
      return new Promise((resolve) => {
        queue.push({ order, resolve });
        pump();
      });
    },
    dispose() {
      disposed = true;
      clearTimeout(weighing);
      for (const lane of open) lane.dispose();
      open.clear();
      for (; next < queue.length; next++) queue[next]?.resolve({ answer: stopped, before: undefined });
    },
  };
}

const stopped: Answer = { kind: 'gone', message: 'was stopped', stdout: '', stderr: '' };
