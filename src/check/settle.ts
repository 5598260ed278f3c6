/** Waiting for what a check returns, and telling apart what still works from what never will end. */

// The lane's own, taken before a check could replace them.
const { setTimeout, setImmediate } = globalThis;
const activeResources = process.getActiveResourcesInfo.bind(process);

/** How long nothing at all must be going on before a pending promise counts as one that never settles. */
const IDLE_MILLISECONDS = 250;
const POLL_MILLISECONDS = 10;

/** The IPC channel and the standard streams, which appear as they are first used. */
const OWN_RESOURCES = new Set(['PipeWrap', 'CloseReq', 'WriteWrap', 'ShutdownWrap', 'TTYWrap', 'FSEvent']);

/** Thrown for a promise that is pending while nothing is left that could settle it. */
export class NeverSettles extends Error {
  override readonly name = 'NeverSettles';
}

/** Counts what keeps the event loop busy, besides the lane's own channel and streams. Unreferenced timers do not. */
export function activeCount(): number {
  let count = 0;
  for (const resource of activeResources()) if (!OWN_RESOURCES.has(resource)) count++;
  return count;
}

/** One turn of the event loop: rejections of promises that nobody handles are reported by its end. */
export function turn(): Promise<void> {
  return new Promise((resolve) => {
    setImmediate(resolve);
  });
}

/**
 * Waits for a value or a promise. `baseline` is the count of active resources before.
 * @throws {NeverSettles} if the promise is pending and nothing has been going on for a while.
 */
export function settled<T>(value: T | PromiseLike<T>, baseline: number): Promise<T> | T {
  if (!isThenable(value)) return value as T;
  return new Promise<T>((resolve, reject) => {
    let over = false;
    let idle = 0;
    const poll = () => {
      if (over) return;
      idle = activeCount() > baseline ? 0 : idle + POLL_MILLISECONDS;
      if (idle > IDLE_MILLISECONDS) {
        over = true;
        reject(new NeverSettles('its promise never settles: nothing is left to wait for'));
      } else {
        setTimeout(poll, POLL_MILLISECONDS).unref();
      }
    };
    const end =
      <V>(how: (value: V) => void) =>
      (given: V) => {
        over = true;
        how(given);
      };
    value.then(end(resolve), end(reject));
    setTimeout(poll, POLL_MILLISECONDS).unref();
  });
}

function isThenable(value: unknown): value is PromiseLike<never> {
  return (
    ((typeof value === 'object' && value !== null) || typeof value === 'function') &&
    typeof (value as { then?: unknown }).then === 'function'
  );
}
