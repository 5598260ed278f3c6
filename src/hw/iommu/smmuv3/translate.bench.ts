/**
 * What a translation costs, as a multiple of bare dependent 64-bit reads of the model's memory in the same run: cached,
 * and uncached: all translations are invalidated by commands before each round of walks.
 */
import { pathToFileURL } from 'node:url';
import { pa } from '../../address.js';
import { PhysicalMemory } from '../../memory.js';
import { Bench, cmd, contextWords, nestedSte, S1_PAGE, S2_PAGE, stage2Ste } from './smmuv3.test-support.js';

/** One figure: nanoseconds of a translation, of the reads to compare with, and their ratio. */
export interface TranslationFigure {
  readonly name: string;
  /** Dependent reads that the figure is divided by: 1 for a hit, what the walk must make for a miss. */
  readonly reads: number;
  readonly nanoseconds: number;
  readonly readNanoseconds: number;
  readonly ratio: number;
}

const PAGES = 64;
const STREAMS = 4;
const ROUNDS = 7;
const ROUND_MILLISECONDS = 40;

interface Body {
  /** Brings about what is measured; not part of the figure. */
  readonly prepare?: () => void;
  readonly run: () => number;
  /** Operations a call. */
  readonly unit: number;
}

/** Runs the bodies in turns. The median of nanoseconds an operation, of each. */
function measure(bodies: readonly Body[]): number[] {
  const samples: number[][] = bodies.map(() => []);
  for (let round = -1; round < ROUNDS; round++) {
    bodies.forEach(({ prepare, run, unit }, i) => {
      const until = process.hrtime.bigint() + BigInt(ROUND_MILLISECONDS) * 1_000_000n;
      let calls = 0;
      let spent = 0n;
      for (let now = 0n; now < until; calls++) {
        prepare?.();
        const start = process.hrtime.bigint();
        if (run() < 0) throw new Error('a translation failed');
        now = process.hrtime.bigint();
        spent += now - start;
      }
      // The first round only warms up.
      if (round >= 0) (samples[i] as number[]).push(Number(spent) / (calls * unit));
    });
  }
  return samples.map((list) => list.sort((x, y) => x - y)[ROUNDS >> 1] as number);
}

/** A chain of dependent reads, one doubleword in each of 64 pages. */
function chain(): Body {
  const memory = new PhysicalMemory();
  memory.addRange(pa(0x4000_0000), 0x100_0000);
  const at = (i: number) => 0x4000_0000 + ((i * 29) % PAGES) * 4096 + i * 8;
  for (let i = 0; i < PAGES; i++) memory.storeWords(at(i), [at((i + 1) % PAGES), 0]);
  const words = new Uint32Array(2);
  return {
    unit: 1024,
    run: () => {
      let address = at(0);
      for (let i = 0; i < 1024; i++) {
        memory.load64(address, words);
        address = (words[1] as number) * 2 ** 32 + (words[0] as number);
      }
      return address;
    },
  };
}

const ADDRESS_BASE = 0x40_0000_0000;

/** Streams 0 to 3 of stage 2 alone with 4-level tables; streams 4 to 7 of both stages, 4 levels each. */
function prepare(): Bench {
  const bench = new Bench();
  const start4Levels = (words: number[]): number[] => {
    // S2T0SZ = 20 (44 bits) and S2SL0 = 2: from level 0.
    words[5] = ((words[5] as number) & ~0xff) | 20 | (2 << 6);
    return words;
  };
  for (let stream = 0; stream < STREAMS; stream++) {
    const second = bench.page();
    const both = bench.page();
    const first = bench.page();
    const context = bench.page();
    for (let i = 0; i < PAGES; i++) {
      const frame = bench.page();
      const input = ADDRESS_BASE + i * 4096;
      bench.map(second, input, frame, S2_PAGE, 0);
      bench.map(first, input, frame, S1_PAGE, 0);
    }
    // CD with 48 input bits: stage 1 from level 0 as well.
    const words = contextWords(stream + 1, first);
    words[0] = ((words[0] as number) & ~0x3f) | 16;
    bench.memory.storeWords(context, words);
    bench.ste(stream, start4Levels(stage2Ste(stream + 1, second)));
    bench.ste(STREAMS + stream, start4Levels(nestedSte(STREAMS + stream + 1, context, both)));
    const end = bench.page();
    for (let page = 0x4100_0000; page < end; page += 4096) bench.map(both, page, page, S2_PAGE, 0);
  }
  bench.enable();
  return bench;
}

function body(bench: Bench, firstStream: number, invalidate: boolean): Body {
  const { smmu } = bench;
  const hi = ADDRESS_BASE / 2 ** 32;
  return {
    unit: PAGES * STREAMS,
    prepare: () => {
      if (invalidate) bench.produce(cmd.nsnhAll(), cmd.sync());
    },
    run: () => {
      let sum = 0;
      for (let i = 0; i < PAGES; i++) {
        for (let stream = 0; stream < STREAMS; stream++) {
          const page = (i * 29 + stream * 7) % PAGES;
          const address = smmu.translate(firstStream + stream, -1, hi, page * 4096 + 64, false, false, false);
          if (address < 0) return -1;
          sum += address;
        }
      }
      return sum;
    },
  };
}

/** Measures cached and uncached translations. */
export function benchTranslations(): TranslationFigure[] {
  const bench = prepare();
  const cases = [
    { name: 'cached stage 2', reads: 1, body: body(bench, 0, false) },
    { name: 'cached nested', reads: 1, body: body(bench, STREAMS, false) },
    { name: 'uncached stage 2, 4 levels', reads: 4, body: body(bench, 0, true) },
    { name: 'uncached nested, 4 + 4 levels', reads: 24, body: body(bench, STREAMS, true) },
  ];
  const [read = 0, ...costs] = measure([chain(), ...cases.map((c) => c.body)]);
  return cases.map(({ name, reads }, i) => {
    const nanoseconds = costs[i] as number;
    return { name, reads, nanoseconds, readNanoseconds: reads * read, ratio: nanoseconds / (reads * read) };
  });
}

if (process.argv[1] !== undefined && import.meta.url === pathToFileURL(process.argv[1]).href) {
  for (const { name, reads, nanoseconds, ratio } of benchTranslations()) {
    process.stdout.write(`${name}: ${nanoseconds.toFixed(1)} ns, ${ratio.toFixed(2)} x ${reads} dependent read(s)\n`);
  }
}
