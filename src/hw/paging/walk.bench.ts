/**
 * What a walk costs, as a multiple of the dependent reads that it cannot do without.
 *
 * Walks of random addresses through full trees are compared, in the same run, with chains of {@link PhysicalMemory.load64}
 * in which each read gives the address of the next, over as many pages. Figures are medians of several rounds.
 */
import { pathToFileURL } from 'node:url';
import { pa } from '../address.js';
import { PhysicalMemory } from '../memory.js';
import { REGIME_EL10, Tlb, tlbContext } from './tlb.js';
import { INNER_SHAREABLE, NORMAL_WRITE_BACK, READ_UNPRIVILEGED, Translation } from './translation.js';
import { Stage1Config, type Stage1RangeFields } from './vmsa-stage1.js';
import { Stage2Config } from './vmsa-stage2.js';
import { Walker } from './walk.js';

const RAM = 0x4000_0000;
const PAGE = 4096;

/** One figure: nanoseconds of a walk, of the reads that it must make, and their ratio. */
export interface WalkFigure {
  readonly name: string;
  readonly reads: number;
  readonly nanoseconds: number;
  readonly readNanoseconds: number;
  /** Cost of the walk divided by the cost of its reads alone. */
  readonly ratio: number;
}

/** Hands out pages of RAM, and fills them with descriptors. */
class Tables {
  readonly memory = new PhysicalMemory();
  #next = RAM;

  constructor() {
    this.memory.addRange(pa(RAM), 0x1000_0000);
  }

  page(): number {
    const address = this.#next;
    this.#next += PAGE;
    return address;
  }

  get pages(): number {
    return (this.#next - RAM) / PAGE;
  }

  /** Maps one 4 KiB page in a 4-level tree with the 4 KiB granule. */
  map(root: number, input: number, output: number, attributes: number): void {
    let table = root;
    for (let level = 0; level < 3; level++) {
      const at = table + (Math.floor(input / 2 ** (39 - 9 * level)) % 512) * 8;
      const words = new Uint32Array(2);
      this.memory.load64(at, words);
      if (words[0] === 0) this.memory.storeWords(at, [(this.page() | 3) >>> 0, 0]);
      this.memory.load64(at, words);
      table = ((words[0] as number) & ~0xfff) >>> 0;
    }
    const at = table + (Math.floor(input / PAGE) % 512) * 8;
    this.memory.storeWords(at, [((output % 2 ** 32) | attributes) >>> 0, Math.floor(output / 2 ** 32)]);
  }
}

function scatter(count: number, seed: number): number[] {
  const addresses: number[] = [];
  let state = seed;
  for (let i = 0; i < count; i++) {
    state = (Math.imul(state, 1664525) + 1013904223) >>> 0;
    addresses.push(((state >>> 10) % 4) * 2 ** 39 + ((state >>> 20) % 8) * 2 ** 30 + ((state >>> 25) % 64) * PAGE);
  }
  return addresses;
}

const ROUND_MILLISECONDS = 40;
const ROUNDS = 7;

/** Runs both bodies in turns; each does `unit` operations a call. Returns the medians of nanoseconds an operation. */
function compare(bodies: readonly { readonly run: () => number; readonly unit: number }[]): number[] {
  let sink = 0;
  for (const { run } of bodies) {
    const until = process.hrtime.bigint() + 100_000_000n;
    while (process.hrtime.bigint() < until) sink += run();
  }
  const samples: number[][] = bodies.map(() => []);
  for (let round = 0; round < ROUNDS; round++) {
    bodies.forEach(({ run, unit }, i) => {
      let calls = 0;
      const start = process.hrtime.bigint();
      const until = start + BigInt(ROUND_MILLISECONDS) * 1_000_000n;
      let now = start;
      for (; now < until; now = process.hrtime.bigint()) {
        sink += run();
        calls++;
      }
      (samples[i] as number[]).push(Number(now - start) / (calls * unit));
    });
  }
  if (Number.isNaN(sink)) throw new Error('a body gave no number');
  return samples.map((list) => list.sort((a, b) => a - b)[ROUNDS >> 1] as number);
}

/** A chain through one doubleword in each of `pages` pages, in a scattered order. Returns a body that follows it. */
function chain(pages: number, unit: number): () => number {
  const memory = new PhysicalMemory();
  memory.addRange(pa(RAM), Math.max(1, pages) * PAGE);
  const stops = Array.from({ length: pages }, (_, i) => RAM + ((i * 7919) % pages) * PAGE + ((i * 40) % PAGE));
  stops.forEach((at, i) => {
    memory.storeWords(at - (at % 8), [stops[(i + 1) % pages] as number, 0]);
  });
  const words = new Uint32Array(2);
  const start = stops[0] as number;
  return () => {
    let at = start;
    for (let i = 0; i < unit; i++) {
      memory.load64(at, words);
      at = (words[1] as number) * 2 ** 32 + (words[0] as number);
    }
    return at;
  };
}

/** Measures a 4-level stage 2 walk, a nested walk of 4 and 4 levels, and a look-up of what the latter found. */
export function benchWalks(): WalkFigure[] {
  const geometry = {
    granule: 12,
    inputBits: 48,
    startLevel: 0,
    outputBits: 48,
    largeAddresses: false,
  } as const;
  const tables = new Tables();
  const second = tables.page();
  const first = tables.page();
  const addresses = scatter(64, 1);
  // Stage 1 leads to addresses that are scattered in turn; its own tables are mapped one to one, among much else.
  const targets = scatter(64, 2).map((address) => address + 2 ** 40);
  addresses.forEach((address, i) => {
    tables.map(first, address, targets[i] as number, 0x743);
  });
  const stage1Pages = tables.pages;
  for (let i = 0; i < stage1Pages; i++) tables.map(second, RAM + i * PAGE, RAM + i * PAGE, 0x7ff);
  const before = tables.pages;
  targets.forEach((address, i) => {
    tables.map(second, address, RAM + i * PAGE, 0x7ff);
  });
  const s2 = new Stage2Config({
    ...geometry,
    base: second,
    accessFlagFault: true,
    protectTableWalk: true,
    xnx: true,
  });
  const low: Stage1RangeFields = {
    ...geometry,
    base: first,
    walksDisabled: false,
    topByteIgnored: false,
    hierarchyDisabled: false,
    unprivilegedDisabled: false,
  };
  const s1 = new Stage1Config({
    low,
    high: undefined,
    twoPrivileges: true,
    accessFlagFault: true,
    writeExecuteNever: false,
    privilegedAccessNever: false,
    enhancedPan: false,
    mairLo: 0xff,
    mairHi: 0,
  });
  const walker = new Walker(tables.memory);
  const out = new Translation();
  const count = addresses.length;
  const his = Uint32Array.from(addresses, (address) => Math.floor(address / 2 ** 32));
  const los = Uint32Array.from(addresses, (address) => address % 2 ** 32);
  const stage2 = () => {
    let sum = 0;
    for (let i = 0; i < count; i++) {
      if (!walker.stage2(s2, targets[i] as number, READ_UNPRIVILEGED, NORMAL_WRITE_BACK, INNER_SHAREABLE, out)) {
        throw new Error(`stage 2: ${out.fault}`);
      }
      sum += out.output;
    }
    return sum;
  };
  const nested = () => {
    let sum = 0;
    for (let i = 0; i < count; i++) {
      if (!walker.nested(s1, s2, his[i] as number, los[i] as number, READ_UNPRIVILEGED, out)) {
        throw new Error(`nested: ${out.fault}`);
      }
      sum += out.output;
    }
    return sum;
  };
  const tlb = new Tlb();
  const context = tlbContext(REGIME_EL10, 1);
  for (let i = 0; i < count; i++) {
    walker.nested(s1, s2, his[i] as number, los[i] as number, READ_UNPRIVILEGED, out);
    tlb.insert(context, 1, his[i] as number, los[i] as number, out);
  }
  const cached = () => {
    let sum = 0;
    for (let i = 0; i < count; i++) {
      const hi = his[i] as number;
      const lo = los[i] as number;
      const entry = tlb.lookup(context, 1, hi, lo);
      if (entry < 0 || (tlb.permissions(entry) & READ_UNPRIVILEGED) === 0) throw new Error('not cached');
      sum += tlb.output(entry, hi, lo);
    }
    return sum;
  };
  const UNIT = 1024;
  const figure = (name: string, reads: number, pages: number, run: () => number): WalkFigure => {
    const [walk, read] = compare([
      { run, unit: count },
      { run: chain(pages, UNIT), unit: UNIT },
    ]) as [number, number];
    return { name, reads, nanoseconds: walk, readNanoseconds: read, ratio: walk / (read * reads) };
  };
  return [
    figure('stage 2, 4 levels', 4, tables.pages - before, stage2),
    figure('nested, 4 and 4 levels', 24, tables.pages, nested),
    figure('look-up of a cached translation', 1, tables.pages, cached),
  ];
}

if (process.argv[1] !== undefined && import.meta.url === pathToFileURL(process.argv[1]).href) {
  for (const { name, reads, nanoseconds, readNanoseconds, ratio } of benchWalks()) {
    const walk = `${nanoseconds.toFixed(1)} ns`;
    process.stdout.write(
      `${name}: ${walk}; its ${reads} reads of ${readNanoseconds.toFixed(2)} ns alone: ratio ${ratio.toFixed(2)}\n`,
    );
  }
}
