import fc from 'fast-check';
import t from 'tap';
import { Latency } from './latency.js';

t.test('with a maximum of 0 everything happens at once', async (t) => {
  const latency = new Latency(1, 0);
  let done = false;
  latency.source().defer(() => {
    done = true;
  });
  t.ok(done);
});

t.test('what is deferred happens 1 to maximum accesses later', async (t) => {
  for (let seed = 0; seed < 50; seed++) {
    const latency = new Latency(seed, 4);
    let at = 0;
    let now = 0;
    latency.source().defer(() => {
      at = now;
    });
    t.equal(at, 0, 'not at once');
    for (now = 1; now <= 4; now++) latency.tick();
    t.ok(at >= 1 && at <= 4);
  }
});

t.test('equal seeds give equal delays, and other seeds others', async (t) => {
  const delays = (seed: number): number[] => {
    const latency = new Latency(seed, 10);
    const found: number[] = [];
    for (let i = 0; i < 20; i++) {
      let ticks = 0;
      let done = false;
      latency.source().defer(() => {
        done = true;
      });
      for (; !done; ticks++) latency.tick();
      found.push(ticks);
    }
    return found;
  };
  t.same(delays(7), delays(7));
  t.notSame(delays(7), delays(8));
  t.ok(new Set(delays(7)).size > 3, 'scattered');
});

t.test('one source stays in its order, two sources need not', async () => {
  fc.assert(
    fc.property(
      fc.nat(),
      fc.integer({ min: 1, max: 8 }),
      fc.array(fc.tuple(fc.nat(2), fc.nat(3)), { maxLength: 40 }),
      (seed, maximum, steps) => {
        const latency = new Latency(seed, maximum);
        const sources = [latency.source(), latency.source(), latency.source()];
        const done: number[][] = [[], [], []];
        const begun = [0, 0, 0];
        for (const [which, ticks] of steps) {
          const number = begun[which] as number;
          begun[which] = number + 1;
          sources[which]?.defer(() => done[which]?.push(number));
          for (let i = 0; i < ticks; i++) latency.tick();
        }
        latency.settle();
        return done.every((order, which) => order.length === begun[which] && order.every((n, i) => n === i));
      },
    ),
    { numRuns: 200, seed: 7 },
  );
});

t.test('flush runs what one source has deferred, and nothing else', async (t) => {
  const latency = new Latency(3, 10);
  const [a, b] = [latency.source(), latency.source()];
  const done: string[] = [];
  a.defer(() => done.push('a1'));
  b.defer(() => done.push('b1'));
  a.defer(() => done.push('a2'));
  t.equal(a.pending, 2);
  a.flush();
  t.same(done, ['a1', 'a2']);
  t.equal(a.pending, 0);
  t.equal(b.pending, 1);
  latency.settle();
  t.same(done, ['a1', 'a2', 'b1']);
});

t.test('what is deferred while something runs waits its own time', async (t) => {
  const latency = new Latency(5, 1);
  const source = latency.source();
  const done: string[] = [];
  source.defer(() => {
    done.push('first');
    source.defer(() => done.push('second'));
  });
  latency.tick();
  t.same(done, ['first']);
  latency.tick();
  t.same(done, ['first', 'second']);
});
