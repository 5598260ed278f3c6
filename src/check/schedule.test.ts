import t from 'tap';
import type { Outcome, ResultRecord } from '../core/record.js';
import type { LoadedMutant } from './load.js';
import type { Ran, RunKey } from './runs.js';
import { runRequirement } from './schedule.js';

/** What becomes of a check with each mutant: `k` killed, `p` pass, `e` error, `f` a failure that left the machine as it was. */
type Table = Readonly<
  Record<
    string,
    {
      readonly alone?: Outcome;
      readonly cost?: number;
      readonly with: string;
      /** Parts of the subject that the check reads; mutant `m0` replaces `part 0`, and so on. All if absent. */
      readonly reads?: readonly number[];
    }
  >
>;

const numberOf = (mutant: string) => Number(/\d+/.exec(mutant)?.[0]);

/** Runs a table of checks by mutants on platforms; each run ends after a number of turns. Gives the runs in their order. */
async function inOrder(
  table: Table,
  mutants: readonly string[],
  { turns = () => 0, platforms = [''] }: { turns?: (name: string) => number; platforms?: readonly string[] } = {},
): Promise<string[]> {
  const made: string[] = [];
  const runs = {
    async run({ check, mutant, platform }: RunKey): Promise<Ran> {
      const name = `${mutant === undefined ? check : `${check} + ${mutant.title}`}${platform.name}`;
      made.push(name);
      for (let left = turns(name); left > 0; left--) await new Promise((resolve) => setImmediate(resolve));
      const letter = mutant === undefined ? undefined : table[check]?.with[numberOf(mutant.title)];
      const outcome = { k: 'fail', f: 'fail', e: 'error', p: 'pass' }[letter ?? ''] ?? table[check]?.alone ?? 'pass';
      const transcriptDigest = letter === 'k' || letter === 'p' ? 'other' : 'same';
      const read = table[check]?.reads?.map((part) => `part ${part}`) ?? mutants.map((m) => `part ${numberOf(m)}`);
      return { record: { outcome, transcriptDigest } as ResultRecord, journaled: table[check]?.cost ?? 10, read };
    },
    async inspect(_key: unknown, asked: readonly LoadedMutant[]) {
      return asked.map(({ title }) => [`part ${numberOf(title)}`]);
    },
    put({ check, mutant }: RunKey) {
      made.push(`${check} + ${mutant?.title} put`);
      return undefined as never;
    },
  };
  const loaded = mutants.map((title) => ({ title }) as LoadedMutant);
  await runRequirement(
    runs,
    platforms.map((name) => ({
      keys: Object.keys(table).map((check) => ({ check, platform: { name } }) as RunKey),
      mutants: loaded,
    })),
  );
  return made;
}

/** The same with mutants `m0`, `m1`, ..., sorted. */
async function runsOf(
  table: Table,
  turns: (name: string) => number = () => 0,
  order = (titles: string[]) => titles,
): Promise<string[]> {
  const count = Object.values(table)[0]?.with.length ?? 0;
  const titles = order(Array.from({ length: count }, (_, at) => `m${at}`));
  const ordered = Object.fromEntries(order(Object.keys(table)).map((check) => [check, table[check]])) as Table;
  return (await inOrder(ordered, titles, { turns })).sort();
}

t.test('a check that reads what the mutant replaces comes before one that does not', async (t) => {
  const table = { a: { with: 'k', reads: [] }, b: { with: 'k', reads: [0] } };
  t.same(await inOrder(table, ['m0']), ['a', 'b', 'b + m0', 'a + m0'], 'a comes later, because it has killed none');
  t.same(await inOrder({ ...table, b: { with: 'p', reads: [0] } }, ['m0']), ['a', 'b', 'b + m0', 'a + m0']);
});

t.test('a check comes first whose title shares words with that of the mutant, rare ones above all', async (t) => {
  const table = {
    'a device is denied': { with: 'kk' },
    'a device that was denied is removed': { with: 'kk' },
    'a pointer is refused': { with: 'kk' },
  };
  t.same((await inOrder(table, ['0: removing denies a device', '1: pointers are not refused'])).slice(3, 5), [
    'a device that was denied is removed + 0: removing denies a device',
    'a pointer is refused + 1: pointers are not refused',
  ]);
});

t.test('what killed a mutant on one platform is tried first on the next', async (t) => {
  const table = { a: { with: 'pk' }, b: { with: 'kk' } };
  t.same(await inOrder(table, ['m0', 'm1'], { platforms: [' on x', ' on y'] }), [
    ...['a on x', 'b on x', 'a on y', 'b on y'],
    ...['a + m0 on x', 'b + m0 on x', 'b + m1 on x', 'a + m1 on x'],
    ...['b + m0 on y', 'b + m1 on y', 'a + m0 on y', 'a + m1 on y'],
  ]);
});

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

t.test('two mutants of one title on different platforms are not run either', async (t) => {
  const put: string[] = [];
  const runs = {
    async run() {
      return { record: { outcome: 'pass', transcriptDigest: '' } as ResultRecord, journaled: 1, read: [] };
    },
    async inspect(_key: unknown, asked: readonly LoadedMutant[]) {
      return asked.map(() => []);
    },
    put({ platform, mutant }: RunKey) {
      put.push(`${platform.name} ${mutant?.title}`);
      return undefined as never;
    },
  };
  const on = (name: string) => ({
    keys: [{ check: 'a', platform: { name } } as RunKey],
    mutants: [{ title: 'no wait' } as LoadedMutant],
  });
  await runRequirement(runs, [on('x'), on('y')]);
  t.same(put, ['x no wait', 'y no wait']);
});
