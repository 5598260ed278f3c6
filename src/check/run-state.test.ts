import { createHash } from 'node:crypto';
import t from 'tap';
import { beginRun, OperationLimit } from './run-state.js';

const words = (...values: number[]) =>
  createHash('sha256')
    .update(Buffer.from(Uint32Array.from(values).buffer))
    .digest('hex');

t.test('the digest is of each call: its length times two, one more for a string, then its words', async (t) => {
  const state = beginRun(10, false);
  state.context.journal(Uint32Array.of(7, 8));
  state.context.journal('héllo');
  state.context.journal(Uint32Array.of(1, 2, 3), 1);
  // 'héllo' is 68 c3 a9 6c 6c 6f in UTF-8.
  t.equal(state.end().digest, words(4, 7, 8, 13, 0x6ca9c368, 0x00006f6c, 2, 1));
});

t.test('the digest tells calls apart that hold the same', async (t) => {
  const digest = (...calls: string[]) => {
    const state = beginRun(10, false);
    for (const call of calls) state.context.journal(call);
    return state.end().digest;
  };
  t.equal(new Set([digest('ab', 'c'), digest('a', 'bc'), digest('abc'), digest('abc', ''), digest()]).size, 5);
});

t.test('a long journal has the digest of its parts', async (t) => {
  const state = beginRun(10, false);
  const whole: number[] = [];
  for (let at = 0; at < 3000; at++) {
    state.context.journal(Uint32Array.of(at, at * 2, at * 3));
    whole.push(6, at, at * 2, at * 3);
  }
  t.equal(state.end().digest, words(...whole));
});

t.test('beyond the limit every call throws, and the run is an error whatever it does', async (t) => {
  const state = beginRun(10, false);
  state.context.count(10);
  t.throws(() => state.context.count(1), OperationLimit);
  t.throws(() => state.context.count(1), OperationLimit);
  t.throws(
    () => state.expect.throws(() => state.context.count(1), 'it throws'),
    OperationLimit,
    'no outcome to expect',
  );
  t.match(state.end(), {
    outcome: 'error',
    message: 'took more than 10 operations of the model: the run was ended there',
  });
});

t.test('what is no count is beyond the limit', async (t) => {
  t.throws(() => beginRun(10, false).context.count(Number.NaN), OperationLimit);
});

t.test('each assertion counts and says what it found', async (t) => {
  const state = beginRun(10, true);
  const { expect } = state;
  expect.equal(1, 1, 'equal');
  expect.notEqual(1, 2, 'not equal');
  expect.deepEqual({ a: [1] }, { a: [1] }, 'deeply equal');
  expect.ok(true, 'true');
  t.equal(
    expect.throws(() => {
      throw 7;
    }, 'throws'),
    7,
  );
  t.throws(() => expect.equal(0, -0, 'zero is zero'), { message: 'zero is zero: expected -0, got 0' });
  t.throws(() => expect.notEqual(2, 2, 'other'), { message: 'other: expected anything but 2' });
  t.throws(() => expect.deepEqual([1], [2], 'deep'), { message: 'deep: expected [ 2 ], got [ 1 ]' });
  t.throws(() => expect.ok(1 as unknown as boolean, 'truthy is not true'), {
    message: 'truthy is not true: expected true, got 1',
  });
  t.throws(() => expect.throws(() => {}, 'it throws'), { message: 'it throws: expected a throw, got none' });
  t.throws(() => expect.fail('never'), { message: 'never' });
  const { outcome, assertions, message, transcript } = state.end();
  t.same(
    { outcome, assertions, message },
    { outcome: 'fail', assertions: 11, message: 'zero is zero: expected -0, got 0' },
  );
  t.same(transcript?.slice(0, 1), [{ depth: 0, actor: 'expect', text: 'equal', held: true }]);
  t.equal(transcript?.length, 11);
});

t.test('a transcript that never ends is cut and says so', async (t) => {
  const state = beginRun(10, true);
  for (let at = 0; at < 20_005; at++) state.context.transcript?.add({ depth: 0, actor: 'x', text: 'y' });
  const { transcript } = state.end();
  t.same(transcript?.at(-1), { depth: 0, actor: 'transcript', text: '5 more entries are left out' });
});
