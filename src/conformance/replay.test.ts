/** The replay: the bundled cases agree, and it notices when one does not. */
import { fileURLToPath } from 'node:url';
import t from 'tap';
import { EXCEPTIONS, type Exception } from './exceptions.js';
import { main } from './main.js';
import { formatReport, isClean, NoModelError, replay } from './replay.js';
import { parseVectors, readVectors, type VectorCase } from './vectors.js';

/** The clone's root: this file runs from there or from one folder below it. */
function fixture(name: string): string {
  return fileURLToPath(new URL(`../../fixtures/vectors/${name}`, import.meta.url));
}

function locate(name: string): string {
  try {
    readVectors(fixture(name));
    return fixture(name);
  } catch {
    return fileURLToPath(new URL(`../../../fixtures/vectors/${name}`, import.meta.url));
  }
}

const FILE = locate('smmuv3.public.jsonl.gz');
const VECTORS = readVectors(FILE);

t.test('the bundled SMMUv3 cases agree, stale ones included, in less than five seconds', async (t) => {
  const start = process.hrtime.bigint();
  const report = replay(VECTORS, EXCEPTIONS);
  t.ok(process.hrtime.bigint() - start < 5_000_000_000n);
  t.same(formatReport(report), ['968 cases, 968 agree, 0 excepted']);
  t.ok(isClean(report));
  const stale = VECTORS.flatMap((vector) => vector.steps).filter((step) => step.kind === 'dma' && step.stale);
  t.equal(stale.length, 288);
});

/** One case: bypass with SMMUEN = 0, and a write that lands where it is sent. */
function simple(steps: unknown[], more: object = {}): VectorCase[] {
  const json = { name: 'x-1', class: 'x', device: 'smmuv3', requester: '0x8', steps, ...more };
  return parseVectors('x.jsonl', JSON.stringify(json));
}

const landing = (at: string) => ({ dma: 'write', iova: '0x42000000', hex: '01020304', expect: { landed: at } });

t.test('a difference is reported with case, step, expected and got', async (t) => {
  const report = replay(
    simple([
      landing('0x42000000'),
      landing('0x43000000'),
      { ...landing('0x42000000'), expect: { fault: true } },
      { mem: '0x42000000', hex: 'aabbccdd' },
      { dma: 'read', iova: '0x42000000', length: 4, expect: { from: '0x42000000', hex: 'aabbcc00' } },
      { reg: '0x24', width: 4, expect: '0x1', mask: '0x1' },
      { event: '0400', mask: 'ffff' },
      { mem: '0x42000000', expect: '00' },
      { frcd: {} },
    ]),
    [],
  );
  t.match(formatReport(report), [
    '1 cases, 0 agree, 0 excepted',
    /^x\.jsonl:1: x-1 step 2 \(dma\): expected landed at 0x43000000, got landed at no place that changed$/,
    /step 3 \(dma\): expected fault, got landed at/,
    /step 5 \(dma\): expected aabbcc00 from 0x42000000, got aabbccdd from/,
    /step 6 \(read register\): expected 0x1, got 0x0/,
    /step 7 \(event\): expected 0400, got no record/,
    /step 8 \(memory\): expected 00, got aa/,
    /step 9 \(other\): expected a step that the replayer of smmuv3 knows/,
  ]);
  t.notOk(isClean(report));
});

t.test('what was observed to be stale may be answered anew, but not otherwise', async (t) => {
  const stale = { ...landing('0x43000000'), stale: true };
  const report = replay(simple([stale, { event: '0400', mask: 'ffff' }, landing('0x42000000'), { noevent: true }]), []);
  t.same(formatReport(report), ['1 cases, 1 agree, 0 excepted, 1 stale steps answered anew']);
  t.ok(isClean(report));

  // Whoever answers from a cache has to answer what was observed: memory holds something else by then.
  let noticed = 0;
  for (const vector of VECTORS) {
    const steps = vector.steps.map((step) => {
      if (step.kind !== 'dma' || !step.stale || step.expect.outcome !== 'landed') return step;
      return { ...step, expect: { outcome: 'fault' } as const };
    });
    const damaged = steps.filter((step, i) => step !== vector.steps[i]).length;
    if (damaged === 0) continue;
    t.equal(replay([{ ...vector, steps }], []).differences.length, damaged, vector.name);
    noticed += damaged;
  }
  t.ok(noticed > 100);
});

t.test('damage to any expectation of a bundled case is noticed', async (t) => {
  let damaged = 0;
  let noticed = 0;
  for (const vector of VECTORS.slice(0, 400)) {
    const index = vector.steps.findIndex((step) => step.kind === 'event' || step.kind === 'no event');
    if (index < 1) continue;
    const steps = [...vector.steps];
    const step = steps[index];
    if (step?.kind === 'event')
      steps[index] = { ...step, record: step.record.map((byte, i) => (i === 0 ? byte ^ 1 : byte)) };
    else steps[index] = { kind: 'event', record: new Uint8Array(32), mask: new Uint8Array(32) };
    damaged++;
    if (replay([{ ...vector, steps }], []).differences.length > 0) noticed++;
  }
  t.ok(damaged > 300);
  t.equal(noticed, damaged);
});

const EXCEPTION: Exception = {
  device: 'smmuv3',
  class: 'x',
  step: { kind: 'dma', expected: /^fault$/, got: /^landed/ },
  reason: 'an example',
  reference: 'Arm IHI 0070, none',
};

t.test('an exception explains what it names, and fails if nothing needs it', async (t) => {
  const faulty = simple([{ ...landing('0x42000000'), expect: { fault: true } }]);
  const excepted = replay(faulty, [EXCEPTION]);
  t.same(formatReport(excepted), ['1 cases, 0 agree, 1 excepted']);
  t.ok(isClean(excepted));
  const unused = replay(simple([landing('0x42000000')]), [EXCEPTION]);
  t.match(formatReport(unused), [
    '1 cases, 1 agree, 0 excepted',
    /exception of smmuv3 x that no case uses: an example/,
  ]);
  t.notOk(isClean(unused));
  const elsewhere = replay(simple([landing('0x42000000')], { class: 'y' }), [EXCEPTION]);
  t.ok(isClean(elsewhere), 'a class that was not replayed says nothing');
});

t.test('a device without a model is an error, not a pass', async (t) => {
  const vtd = simple([], { device: 'vtd' });
  t.throws(() => replay(vtd, []), NoModelError);
  t.throws(() => replay(vtd, []), /no model for device "vtd"/);
  t.throws(() => replay(simple([], { device: 'constructor' }), []), NoModelError);
});

t.test('the command has exit status 0, 1 or 2', async (t) => {
  const lines: string[] = [];
  const errors: string[] = [];
  const run = (...files: string[]) =>
    main(
      files,
      (line) => lines.push(line),
      (line) => errors.push(line),
    );
  t.equal(run(FILE), 0);
  t.same(lines, ['968 cases, 968 agree, 0 excepted']);
  t.equal(run(), 2);
  t.equal(run('missing.jsonl'), 2);
  t.match(errors, [/usage/, /missing\.jsonl/]);
});
