/** `expect`: the assertions that a check may make. Each is counted, and recorded with whether it held. */
import { isDeepStrictEqual } from 'node:util';
import { describeValue, oneLine } from './describe.js';

/** Thrown by an assertion that does not hold. Catching it changes nothing: the run has failed. */
export class AssertionFailure extends Error {
  override readonly name = 'AssertionFailure';
}

/** Assertions. `what` says what must hold, as a phrase: it is what a transcript and a failure show. */
export interface Expect {
  /** `actual` is `expected`, as `Object.is` has it. */
  equal<T>(actual: T, expected: T, what: string): void;
  /** `actual` is anything but `unexpected`. */
  notEqual<T>(actual: T, unexpected: T, what: string): void;
  /** `actual` and `expected` have the same structure, prototypes and values. */
  deepEqual<T>(actual: T, expected: T, what: string): void;
  /** `value` is true; other values, truthy ones too, are not. */
  ok(value: boolean, what: string): void;
  /** `action` throws; returns what was thrown. The engine's own signals are passed on. */
  throws(action: () => unknown, what: string): unknown;
  /** Never holds: for a point that must not be reached. */
  fail(what: string): never;
}

/** Takes each assertion as it is evaluated. */
export interface AssertionObserver {
  /** `detail` is what was found instead, for an assertion that did not hold. */
  evaluated(what: string, held: boolean, detail: string, failure: AssertionFailure | undefined): void;
  /** Whether something thrown is the engine's own: a failure or a limit. */
  isSignal(thrown: unknown): boolean;
}

/** Makes the assertions of one run. */
export function makeExpect(observer: AssertionObserver): Expect {
  const judge = (held: boolean, what: string, detail: () => string, caller: (...given: never[]) => unknown): void => {
    const phrase = oneLine(String(what));
    if (held) {
      observer.evaluated(phrase, true, '', undefined);
      return;
    }
    const found = detail();
    const failure = new AssertionFailure(oneLine(found === '' ? phrase : `${phrase}: ${found}`));
    Error.captureStackTrace?.(failure, caller);
    observer.evaluated(phrase, false, found, failure);
    throw failure;
  };
  const expected = (value: unknown, actual: unknown) =>
    `expected ${describeValue(value)}, got ${describeValue(actual)}`;
  const expect: Expect = {
    equal(actual, wanted, what) {
      judge(Object.is(actual, wanted), what, () => expected(wanted, actual), expect.equal);
    },
    notEqual(actual, unwanted, what) {
      judge(
        !Object.is(actual, unwanted),
        what,
        () => `expected anything but ${describeValue(unwanted)}`,
        expect.notEqual,
      );
    },
    deepEqual(actual, wanted, what) {
      judge(isDeepStrictEqual(actual, wanted), what, () => expected(wanted, actual), expect.deepEqual);
    },
    ok(value, what) {
      judge(value === true, what, () => expected(true, value), expect.ok);
    },
    throws(action, what) {
      let thrown: unknown;
      let did = false;
      try {
        action();
      } catch (caught) {
        if (observer.isSignal(caught)) throw caught;
        thrown = caught;
        did = true;
      }
      judge(did, what, () => 'expected a throw, got none', expect.throws);
      return thrown;
    },
    fail(what): never {
      judge(false, what, () => '', expect.fail);
      throw new AssertionFailure(what);
    },
  };
  return expect;
}
