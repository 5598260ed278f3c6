import t from 'tap';
import { type Access, type HardwareEvent, Observer, type Problem } from './observer.js';

t.test('accesses and events are counted, also without listeners', async (t) => {
  let count = 0;
  const observer = new Observer({ count: (operations) => (count += operations) });
  observer.access('store', 0x1000, 8, 0, 1);
  observer.event({ kind: 'command', device: 'smmu', name: 'CMD_SYNC', text: '' });
  t.equal(count, 2);
});

t.test('a limit that throws ends the access', async (t) => {
  const observer = new Observer({
    count: () => {
      throw new Error('limit');
    },
  });
  t.throws(() => observer.access('load', 0, 4, 0, 0), /limit/);
});

t.test('listeners get accesses with who made them, and events', async (t) => {
  const observer = new Observer();
  const accesses: Access[] = [];
  const events: HardwareEvent[] = [];
  observer.onAccess((access) => accesses.push(access));
  observer.onEvent((event) => events.push(event));
  observer.access('store', 0x1_0000_0000, 4, 0, 5);
  observer.actor = 'd1';
  observer.access('system write', 0, 8, 1, 2, 'VTTBR_EL2');
  observer.event({ kind: 'fault', device: 'smmu', name: 'F_TRANSLATION', text: 'x' });
  t.same(accesses, [
    { kind: 'store', actor: 'xen', address: 0x1_0000_0000, width: 4, hi: 0, lo: 5, name: '' },
    { kind: 'system write', actor: 'd1', address: 0, width: 8, hi: 1, lo: 2, name: 'VTTBR_EL2' },
  ]);
  t.same(events, [{ kind: 'fault', device: 'smmu', name: 'F_TRANSLATION', text: 'x' }]);
});

t.test('different runs have different journals, equal ones equal', async (t) => {
  const journal = (run: (observer: Observer) => void): string => {
    const words: number[] = [];
    run(new Observer({ journal: (w) => words.push(w.length, ...w) }));
    return words.join(' ');
  };
  const base = (o: Observer) => o.access('store', 0x1000, 8, 1, 2);
  t.equal(journal(base), journal(base));
  t.not(
    journal(base),
    journal((o) => o.access('load', 0x1000, 8, 1, 2)),
  );
  t.not(
    journal(base),
    journal((o) => o.access('store', 0x1_0000_1000, 8, 1, 2)),
  );
  t.not(
    journal(base),
    journal((o) => o.access('store', 0x1000, 4, 1, 2)),
  );
  t.not(
    journal(base),
    journal((o) => o.access('store', 0x1000, 8, 2, 1)),
  );
  t.not(
    journal(base),
    journal((o) => o.access('store', 0x1000, 8, 1, 2, 'x')),
  );
  t.not(
    journal(base),
    journal((o) => {
      o.actor = 'd1';
      base(o);
    }),
  );
  const event = (completion: string) => (o: Observer) =>
    o.event({ kind: 'dma', device: '0000:00:01.0', write: true, hi: 0, lo: 0, length: 4, completion });
  t.not(journal(event('okay')), journal(event('abort')));
});

t.test('a probe runs after every access but its own, and gives the actor back', async (t) => {
  const observer = new Observer();
  const seen: string[] = [];
  observer.setProbe((access) => {
    seen.push(access.kind);
    observer.actor = 'probe';
    observer.access('load', 0, 4, 0, 0);
  });
  observer.access('store', 0, 4, 0, 0);
  t.equal(observer.actor, 'xen');
  observer.setProbe(undefined);
  observer.access('instruction', 0, 0, 0, 0, 'ISB');
  t.same(seen, ['store']);
});

t.test('a probe that throws leaves the observer as it was', async (t) => {
  const observer = new Observer();
  let runs = 0;
  observer.setProbe(() => {
    observer.actor = 'probe';
    runs++;
    throw new Error('expected');
  });
  t.throws(() => observer.access('store', 0, 4, 0, 0), /expected/);
  t.throws(() => observer.access('store', 0, 4, 0, 0), /expected/);
  t.equal(runs, 2);
  t.equal(observer.actor, 'xen');
});

t.test('misuse and what is not modelled are two channels', async (t) => {
  const problems: Problem[] = [];
  const observer = new Observer({ problem: (problem) => problems.push(problem) });
  observer.misuse('d1', 'a');
  observer.unmodelled('gic', 'b');
  t.same(problems, [
    { channel: 'misuse', actor: 'd1', text: 'a' },
    { channel: 'unmodelled', actor: 'gic', text: 'b' },
  ]);
  t.doesNotThrow(() => new Observer().misuse('d1', 'nobody listens'));
});
