import t from 'tap';
import type { Outcome, ResultRecord } from '../core/record.js';
import type { LoadedMutant } from './load.js';
import type { Ran, RunKey } from './runs.js';
import { runRequirement } from './schedule.js';

/** What becomes of a check with each mutant: `k` killed, `p` pass, `e` error, `f` a failure that left the machine as it was. */
type Table = Readonly<Record<string, { readonly alone?: Outcome; readonly cost?: number; readonly with: string }>>;

/** Runs a table of checks by mutants `m0`, `m1`, ...; each run ends after a number of turns. Gives the runs, sorted. */
async function runsOf(
  table: Table,
  turns: (name: string) => number = () => 0,
  order = (titles: string[]) => titles,
): Promise<string[]> {
  const made: string[] = [];
  const count = Object.values(table)[0]?.with.length ?? 0;
  const titles = order(Array.from({ length: count }, (_, at) => `m${at}`));
  const runs = {
    async run({ check, mutant }: RunKey): Promise<Ran> {
      const name = mutant === undefined ? check : `${check} + ${mutant.title}`;
      made.push(name);
      for (let left = turns(name); left > 0; left--) await new Promise((resolve) => setImmediate(resolve));
      const letter = mutant === undefined ? undefined : table[check]?.with[Number(mutant.title.slice(1))];
      const outcome = { k: 'fail', f: 'fail', e: 'error', p: 'pass' }[letter ?? ''] ?? table[check]?.alone ?? 'pass';
      const transcriptDigest = letter === 'k' || letter === 'p' ? 'other' : 'same';
      return { record: { outcome, transcriptDigest } as ResultRecord, journaled: table[check]?.cost ?? 10 };
    },
    put({ check, mutant }: RunKey) {
      made.push(`${check} + ${mutant?.title} put`);
      return undefined as never;
    },
  };
  const keys = order(Object.keys(table)).map((check) => ({ check }) as RunKey);
  await runRequirement(
    runs,
    keys,
    titles.map((title) => ({ title }) as LoadedMutant),
  );
  return made.sort();
}

t.test('a mutant is tried until a check kills it, each mutant from the next check on', async (t) => {
  t.same(await runsOf({ a: { with: 'kkk' }, b: { with: 'kkk' } }), ['a', 'a + m0', 'a + m2', 'b', 'b + m1']);
});

t.test('checks that cost twice what the cheapest does are tried last, the cheaper ones before', async (t) => {
  const table = {
    a: { cost: 40, with: 'kk' },
    b: { cost: 10, with: 'kp' },
    c: { cost: 20, with: 'kk' },
    d: { cost: 19, with: 'pp' },
  };
  t.same(await runsOf(table), ['a', 'a + m0', 'b', 'b + m0', 'b + m1', 'c', 'c + m1', 'd', 'd + m0', 'd + m1']);
});

t.test('a mutant that nothing kills has met every check', async (t) => {
  t.same(await runsOf({ a: { with: 'kp' }, b: { with: 'kp' } }), ['a', 'a + m0', 'a + m1', 'b', 'b + m0', 'b + m1']);
});

t.test(
  'a check that has killed none goes on until it kills one; one that never does has met every mutant',
  async (t) => {
    t.same(await runsOf({ a: { with: 'kkkk' }, b: { with: 'pppp' } }), [
      'a',
      'a + m0',
      'a + m1',
      'a + m2',
      'a + m3',
      'b',
      'b + m0',
      'b + m1',
      'b + m2',
      'b + m3',
    ]);
    t.same(await runsOf({ a: { with: 'kkk' }, b: { with: 'kpk' } }), [
      'a',
      'a + m0',
      'a + m1',
      'a + m2',
      'b',
      'b + m0',
      'b + m1',
    ]);
  },
);

t.test('an error kills nothing, nor does a failure in a run that left the machine as it was', async (t) => {
  t.same(await runsOf({ a: { with: 'ek' }, b: { with: 'kk' } }), ['a', 'a + m0', 'a + m1', 'b', 'b + m0', 'b + m1']);
  t.same(await runsOf({ a: { with: 'f' }, b: { with: 'k' } }), ['a', 'a + m0', 'b', 'b + m0']);
});

t.test('a check that does not pass by itself meets no mutant', async (t) => {
  t.same(await runsOf({ a: { alone: 'fail', with: 'kk' }, b: { with: 'kk' } }), ['a', 'b', 'b + m0', 'b + m1']);
  t.same(await runsOf({ a: { alone: 'error', with: 'kk' } }), ['a']);
});

t.test('the runs are the same in any order of checks, mutants and time', async (t) => {
  const letters = 'kppekfppkppk';
  for (let seed = 0; seed < 40; seed++) {
    const at = (index: number) => letters[(index * 7 + seed * 5 + index * index * seed) % letters.length] as string;
    const row = (index: number) => Array.from({ length: 6 }, (_, column) => at(index * 6 + column)).join('');
    const table = { a: { with: row(0) }, b: { with: row(1) }, c: { with: row(2) }, d: { with: row(3) } };
    const plain = await runsOf(table);
    const slow = (name: string) =>
      (name.length * 13 + name.charCodeAt(0) * seed + name.charCodeAt(name.length - 1) * 3) % 5;
    t.same(await runsOf(table, slow, (titles) => titles.toReversed()), plain, `table ${seed}`);
  }
});

t.test('two mutants of one title are not run', async (t) => {
  t.same(await runsOf({ a: { with: 'kk' } }, undefined, (titles) => titles.map((title) => title.replace('m1', 'm0'))), [
    'a',
    'a + m0 put',
    'a + m0 put',
  ]);
});
