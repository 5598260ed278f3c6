/**
 * The walker against a slow reference, written from the manual in 64-bit integers: every granule, T0SZ and start level of
 * both stages, alone and nested. Tables are made up as the reference comes to them.
 */
import assert from 'node:assert/strict';
import fc from 'fast-check';
import t from 'tap';
import { pa } from '../address.js';
import { PhysicalMemory } from '../memory.js';
import { permissionFor, Translation } from './translation.js';
import { checkStage2Start, type GranuleShift, stage1StartLevel } from './vmsa-geometry.js';
import { Stage1Config, type Stage1RangeFields } from './vmsa-stage1.js';
import { Stage2Config } from './vmsa-stage2.js';
import { Walker } from './walk.js';
import {
  type AccessKind,
  type Attributes,
  attributes2,
  bit,
  code,
  combine,
  descend,
  type Fault,
  type Fetcher,
  field,
  type Leaf,
  permits1,
  permits2,
  share,
  type Tree,
} from './walk.test-support.js';

const RAM = 0x8000_0000n;
const RAM_BYTES = 0x400_0000n;

/** A made-up memory: each doubleword gets its value when the reference reads it first. */
class Imagined {
  readonly memory = new PhysicalMemory();
  readonly #values = new Map<bigint, bigint>();
  #state: number;

  constructor(seed: number) {
    this.memory.addRange(pa(Number(RAM)), Number(RAM_BYTES));
    this.#state = seed | 0;
  }

  random(below: number): number {
    this.#state = (Math.imul(this.#state, 1103515245) + 12345) | 0;
    const mixed = Math.imul(this.#state ^ (this.#state >>> 15), 0x2c1b3c6d);
    return ((mixed ^ (mixed >>> 12)) >>> 0) % below;
  }

  bits(count: number): bigint {
    let value = 0n;
    for (let i = 0; i < count; i++) value = (value << 1n) | BigInt(this.random(2));
    return value;
  }

  /** An address for a table or a leaf: mostly in RAM, sometimes without memory behind it, sometimes anywhere. */
  address(limitBits: number): bigint {
    const kind = this.random(20);
    if (kind === 0) return this.bits(48);
    if (kind === 1) return this.bits(Math.min(48, limitBits));
    return RAM + BigInt(this.random(Number(RAM_BYTES >> 12n))) * 4096n;
  }

  fetch(at: bigint, level: number, granule: bigint, limitBits: number): bigint | undefined {
    if (at < RAM || at >= RAM + RAM_BYTES) return undefined;
    let value = this.#values.get(at);
    if (value !== undefined) return value;
    const kind = this.random(16);
    const address = (this.address(limitBits) >> granule) << granule;
    // Mostly what leads on: tables above level 3; a leaf's attributes at random, the Access flag mostly set.
    const attributes = (this.bits(12) << 52n) | (BigInt(this.random(8) === 0 ? 0 : 1) << 10n) | (this.bits(8) << 2n);
    const high = granule === 16n && this.random(8) === 0 ? this.bits(4) << 12n : 0n;
    const type = kind < 11 ? 3n : kind < 15 ? (level === 3 ? 3n : 1n) : BigInt(this.random(4));
    const global = this.bits(1) << 11n;
    value = address | high | attributes | global | type;
    this.#values.set(at, value);
    this.memory.storeWords(Number(at), [Number(value & 0xffff_ffffn), Number(value >> 32n)]);
    return value;
  }
}

/** The MAIR of these tests: D24.2. */
const MAIR: Attributes[] = [
  { device: 0, inner: 0, outer: 0 }, // 0x00 Device-nGnRnE
  { device: 1, inner: 0, outer: 0 }, // 0x04 Device-nGnRE
  { device: 2, inner: 0, outer: 0 }, // 0x08 Device-nGRE
  { device: 3, inner: 0, outer: 0 }, // 0x0c Device-GRE
  { device: -1, inner: 0, outer: 0 }, // 0x44 NC
  { device: -1, inner: 1, outer: 2 }, // 0xfb outer WB, inner WT
  { device: -1, inner: 2, outer: 0 }, // 0x4f outer NC, inner WB
  { device: -1, inner: 2, outer: 2 }, // 0xff WB
];
const MAIR_LO = 0x0c080400;
const MAIR_HI = 0xff4ffb44;

const granules = fc.constantFrom<GranuleShift>(12, 14, 16);
const accesses = fc.record({ privileged: fc.boolean(), write: fc.boolean(), execute: fc.boolean() }).map((a) => ({
  ...a,
  execute: a.execute && !a.write,
}));
const common = { seed: fc.integer(), granule: granules, large: fc.boolean(), pick: fc.nat(), outputCode: fc.nat(6) };
const stage2Arbitrary = fc.record({
  ...common,
  affd: fc.boolean(),
  ptw: fc.boolean(),
  xnx: fc.boolean(),
});
const rangeArbitrary = fc.record({
  ...common,
  epd: fc.integer({ min: 0, max: 15 }).map((n) => n === 0),
  tbi: fc.boolean(),
  had: fc.boolean(),
  e0pd: fc.integer({ min: 0, max: 7 }).map((n) => n === 0),
});
const stage1Arbitrary = fc.record({
  low: rangeArbitrary,
  high: rangeArbitrary,
  affd: fc.boolean(),
  wxn: fc.boolean(),
  pan: fc.boolean(),
  epan: fc.boolean(),
});
type Stage2Choice = typeof stage2Arbitrary extends fc.Arbitrary<infer T> ? T : never;
type RangeChoice = typeof rangeArbitrary extends fc.Arbitrary<infer T> ? T : never;
type Stage1Choice = typeof stage1Arbitrary extends fc.Arbitrary<infer T> ? T : never;

const SIZES = [32, 36, 40, 42, 44, 48, 52];

/** Start levels by SL0, and the permitted T0SZ of one table up to sixteen: DDI 0487 D8.2 with FEAT_TTST. */
const STARTS: Record<GranuleShift, [level: number, sl0: number, least: number, most: number][]> = {
  12: [
    [0, 2, 16, 24],
    [1, 1, 21, 33],
    [2, 0, 30, 42],
    [3, 3, 39, 48],
  ],
  14: [
    [1, 2, 16, 27],
    [2, 1, 24, 38],
    [3, 0, 35, 48],
  ],
  16: [
    [1, 2, 12, 21],
    [2, 1, 18, 34],
    [3, 0, 31, 47],
  ],
};

/** A stage 2 tree that the manual permits, with its base in RAM. */
function stage2Tree(choice: Stage2Choice): Tree {
  const starts = STARTS[choice.granule];
  const [startLevel, , least, most] = starts[choice.pick % starts.length] as (typeof starts)[number];
  const smallest = choice.large ? least : Math.max(16, least);
  const t0sz = smallest + ((choice.pick >>> 4) % (most - smallest + 1));
  return tree(choice, 64 - t0sz, startLevel);
}

function stage1Tree(choice: RangeChoice): Tree {
  const smallest = choice.large && choice.granule === 16 ? 12 : 16;
  const t0sz = smallest + (choice.pick % ((choice.granule === 16 ? 47 : 48) - smallest + 1));
  const perLevel = choice.granule - 3;
  let startLevel = 3;
  for (let covered = choice.granule + perLevel; covered < 64 - t0sz; covered += perLevel) startLevel--;
  return tree(choice, 64 - t0sz, startLevel);
}

function tree(choice: Stage2Choice | RangeChoice, inputBits: number, startLevel: number): Tree {
  const { granule, large, outputCode } = choice;
  const outputBits = SIZES[large ? outputCode : Math.min(5, outputCode)] as number;
  const startBytes = 8n << BigInt(inputBits - granule - (3 - startLevel) * (granule - 3));
  const slots = RAM_BYTES / startBytes;
  const base = RAM + (BigInt(choice.pick) % (slots === 0n ? 1n : slots)) * startBytes;
  return { granule, inputBits, startLevel, base, outputBits, large };
}

function fieldsOf(t: Tree) {
  const { granule, inputBits, startLevel, outputBits, large } = t;
  return { granule, inputBits, startLevel, outputBits, base: Number(t.base), largeAddresses: large };
}

function makeStage2(choice: Stage2Choice, tree2: Tree): Stage2Config {
  const { affd, ptw, xnx } = choice;
  return new Stage2Config({ ...fieldsOf(tree2), accessFlagFault: !affd, protectTableWalk: ptw, xnx });
}

function makeRange(choice: RangeChoice): Stage1RangeFields {
  return {
    ...fieldsOf(stage1Tree(choice)),
    walksDisabled: choice.epd,
    topByteIgnored: choice.tbi,
    hierarchyDisabled: choice.had,
    unprivilegedDisabled: choice.e0pd,
  };
}

function makeStage1(choice: Stage1Choice): Stage1Config {
  return new Stage1Config({
    low: makeRange(choice.low),
    high: makeRange(choice.high),
    twoPrivileges: true,
    accessFlagFault: !choice.affd,
    writeExecuteNever: choice.wxn,
    privilegedAccessNever: choice.pan,
    enhancedPan: choice.epan,
    mairLo: MAIR_LO,
    mairHi: MAIR_HI,
  });
}

const NO_FAULT: Fault = { fault: 'none', stage: 1, level: 0, what: 'input', ipa: 0n, fetch: 0n };

/** Stage 2 for one intermediate physical address, without the permission of the access. */
function reference2(world: Imagined, choice: Stage2Choice, ipa: bigint, what: string): Leaf | Fault {
  const t2 = stage2Tree(choice);
  const fault: Fault = { fault: 'none', stage: 2, level: 0, what, ipa, fetch: 0n };
  if (ipa >> BigInt(t2.inputBits) !== 0n) return { ...fault, fault: 'translation' };
  const fetch: Fetcher = (at, level) =>
    world.fetch(at, level, BigInt(t2.granule), t2.outputBits) ?? {
      ...fault,
      fault: 'external abort',
      level,
      fetch: at,
    };
  const leaf = descend(t2, ipa, fetch, fault);
  if ('fault' in leaf) return leaf;
  if (!choice.affd && bit(leaf.descriptor, 10) === 0n) return { ...fault, fault: 'access flag', level: leaf.level };
  return leaf;
}

/** Stage 1 with its checks. With `second`, table fetches go through stage 2. */
function reference1(
  world: Imagined,
  choice: Stage1Choice,
  second: Stage2Choice | undefined,
  input: bigint,
  access: AccessKind,
): Leaf | Fault {
  const upper = bit(input, 55) === 1n;
  const range = upper ? choice.high : choice.low;
  const t1 = stage1Tree(range);
  const top = range.tbi ? 55 : 63;
  const above = field(input, top, t1.inputBits);
  const ones = (1n << BigInt(top - t1.inputBits + 1)) - 1n;
  if (above !== (upper ? ones : 0n) || range.epd || (range.e0pd && !access.privileged)) {
    return { ...NO_FAULT, fault: 'translation' };
  }
  const fetch: Fetcher = (at, level) => {
    let physical = at;
    if (second !== undefined) {
      const step = reference2(world, second, at, 'table walk');
      if ('fault' in step) return step;
      const device = attributes2(step.descriptor).device >= 0;
      const readable = permits2(step.descriptor, second.xnx, { privileged: true, write: false, execute: false });
      if (!readable || (second.ptw && device)) {
        return { ...NO_FAULT, fault: 'permission', stage: 2, level: step.level, what: 'table walk', ipa: at };
      }
      physical = step.output;
    }
    const limit = second === undefined ? t1.outputBits : Math.min(t1.outputBits, stage2Tree(second).inputBits);
    return (
      world.fetch(physical, level, BigInt(t1.granule), limit) ?? {
        ...NO_FAULT,
        fault: 'external abort',
        level,
        what: 'table walk',
        fetch: physical,
      }
    );
  };
  const leaf = descend(t1, input, fetch, NO_FAULT);
  if ('fault' in leaf) return leaf;
  const flags = { wxn: choice.wxn, pan: choice.pan, epan: choice.epan, had: range.had };
  if (!choice.affd && bit(leaf.descriptor, 10) === 0n) return { ...NO_FAULT, fault: 'access flag', level: leaf.level };
  if (!permits1(leaf, flags, access)) return { ...NO_FAULT, fault: 'permission', level: leaf.level };
  return leaf;
}

function seen(out: Translation): Fault {
  const { fault, stage, level, what, ipa, fetch } = out;
  return { fault, stage, level, what, ipa: BigInt(ipa), fetch: BigInt(fetch) };
}

const EVERY_ACCESS: AccessKind[] = [false, true].flatMap((privileged) => [
  { privileged, write: false, execute: false },
  { privileged, write: true, execute: false },
  { privileged, write: false, execute: true },
]);

function permissionsOf(permits: (access: AccessKind) => boolean): number {
  return EVERY_ACCESS.filter(permits).reduce((set, a) => set | permissionFor(a.privileged, a.write, a.execute), 0);
}

/** An input address: mostly inside the range, sometimes not. */
function inputFor(world: Imagined, inputBits: number, upper: boolean): bigint {
  const kind = world.random(12);
  if (kind === 0) return world.bits(64);
  const inside = world.bits(inputBits);
  const top = world.random(4) === 0 ? world.bits(8) << 56n : upper ? 0xffn << 56n : 0n;
  const middle = upper ? ((1n << 56n) - 1n) & ~((1n << BigInt(inputBits)) - 1n) : 0n;
  return top | middle | inside;
}

const halves = (value: bigint) => [Number(value >> 32n), Number(value & 0xffff_ffffn)] as const;
const RUNS = { numRuns: 1200, seed: 20 };

/** How often each outcome came up, so that a test cannot pass on faults alone. */
type Tally = Map<string, number>;
const count = (tally: Tally, key: string) => tally.set(key, (tally.get(key) ?? 0) + 1);
const FAULTS = ['none', 'external abort', 'translation', 'address size', 'access flag', 'permission'];

t.test('stage 2 equals the reference', async (t) => {
  const tally: Tally = new Map();
  const out = new Translation();
  fc.assert(
    fc.property(stage2Arbitrary, accesses, (choice, access) => {
      const world = new Imagined(choice.seed);
      const tree2 = stage2Tree(choice);
      const walker = new Walker(world.memory);
      const config = makeStage2(choice, tree2);
      for (let probe = 0; probe < 3; probe++) {
        const ipa = world.random(12) === 0 ? world.bits(52) : world.bits(tree2.inputBits);
        let want = reference2(world, choice, ipa, 'input');
        const need = permissionFor(access.privileged, access.write, access.execute);
        walker.stage2(config, Number(ipa), need, 0xf, 3, out);
        if (!('fault' in want) && !permits2(want.descriptor, choice.xnx, access)) {
          want = { fault: 'permission', stage: 2, level: want.level, what: 'input', ipa, fetch: 0n };
        }
        count(tally, out.fault);
        if ('fault' in want) {
          assert.deepStrictEqual(seen(out), want);
          continue;
        }
        const leaf = want;
        const type = attributes2(leaf.descriptor);
        assert.deepStrictEqual(
          [
            out.fault,
            BigInt(out.output),
            out.level2,
            2n ** BigInt(out.sizeBits),
            out.ipa,
            out.permissions,
            out.type,
            out.shareability,
          ],
          [
            'none',
            leaf.output,
            leaf.level,
            leaf.size,
            Number(ipa),
            permissionsOf((a) => permits2(leaf.descriptor, choice.xnx, a)),
            code(type),
            share(type, [3, Number(field(leaf.descriptor, 9, 8))]),
          ],
        );
      }
    }),
    RUNS,
  );
  for (const fault of FAULTS) t.ok((tally.get(fault) ?? 0) > 20, `${fault} came up`);
});

t.test('stage 1 equals the reference', async (t) => {
  const tally: Tally = new Map();
  const out = new Translation();
  fc.assert(
    fc.property(stage1Arbitrary, accesses, fc.boolean(), (choice, access, upper) => {
      const world = new Imagined(choice.low.seed);
      const walker = new Walker(world.memory);
      const config = makeStage1(choice);
      for (let probe = 0; probe < 3; probe++) {
        const input = inputFor(world, stage1Tree(upper ? choice.high : choice.low).inputBits, upper);
        const want = reference1(world, choice, undefined, input, access);
        const [hi, lo] = halves(input);
        walker.stage1(config, hi, lo, permissionFor(access.privileged, access.write, access.execute), out);
        count(tally, out.fault);
        if ('fault' in want) {
          assert.deepStrictEqual(seen(out), want);
          continue;
        }
        const range = bit(input, 55) === 1n ? choice.high : choice.low;
        const flags = { wxn: choice.wxn, pan: choice.pan, epan: choice.epan, had: range.had };
        const type = MAIR[Number(field(want.descriptor, 4, 2))] as Attributes;
        assert.deepStrictEqual(
          [
            out.fault,
            BigInt(out.output),
            out.level1,
            2n ** BigInt(out.sizeBits),
            out.permissions,
            out.type,
            out.shareability,
            out.global,
          ],
          [
            'none',
            want.output,
            want.level,
            want.size,
            permissionsOf((a) => permits1(want, flags, a)),
            code(type),
            share(type, [Number(field(want.descriptor, 9, 8))]),
            bit(want.descriptor, 11) === 0n,
          ],
        );
      }
    }),
    RUNS,
  );
  for (const fault of FAULTS) t.ok((tally.get(fault) ?? 0) > 20, `${fault} came up`);
});

t.test('nested stages equal the reference', async (t) => {
  const tally: Tally = new Map();
  const out = new Translation();
  fc.assert(
    fc.property(stage1Arbitrary, stage2Arbitrary, accesses, fc.boolean(), (choice, second, access, upper) => {
      const world = new Imagined(second.seed);
      const walker = new Walker(world.memory);
      const config1 = makeStage1(choice);
      const config2 = makeStage2(second, stage2Tree(second));
      for (let probe = 0; probe < 3; probe++) {
        const input = inputFor(world, stage1Tree(upper ? choice.high : choice.low).inputBits, upper);
        const [hi, lo] = halves(input);
        const first = reference1(world, choice, second, input, access);
        let want: Leaf | Fault = first;
        if (!('fault' in first)) {
          want = reference2(world, second, first.output, 'input');
          if (!('fault' in want) && !permits2(want.descriptor, second.xnx, access)) {
            want = { ...NO_FAULT, fault: 'permission', stage: 2, level: want.level, ipa: first.output };
          }
        }
        walker.nested(config1, config2, hi, lo, permissionFor(access.privileged, access.write, access.execute), out);
        count(tally, `${out.fault} ${out.stage} ${out.what}`);
        if ('fault' in want || 'fault' in first) {
          assert.deepStrictEqual(seen(out), want);
          continue;
        }
        const leaf = want;
        const range = bit(input, 55) === 1n ? choice.high : choice.low;
        const flags = { wxn: choice.wxn, pan: choice.pan, epan: choice.epan, had: range.had };
        const type = combine(MAIR[Number(field(first.descriptor, 4, 2))] as Attributes, attributes2(leaf.descriptor));
        const shares = [Number(field(first.descriptor, 9, 8)), Number(field(leaf.descriptor, 9, 8))];
        assert.deepStrictEqual(
          [
            out.fault,
            BigInt(out.output),
            BigInt(out.ipa),
            out.level1,
            out.level2,
            out.permissions,
            out.type,
            out.shareability,
          ],
          [
            'none',
            leaf.output,
            first.output,
            first.level,
            leaf.level,
            permissionsOf((a) => permits1(first, flags, a) && permits2(leaf.descriptor, second.xnx, a)),
            code(type),
            share(type, shares),
          ],
        );
        assert.equal(2 ** out.sizeBits, Math.min(Number(first.size), Number(leaf.size)));
      }
    }),
    { ...RUNS, numRuns: 3000 },
  );
  t.ok((tally.get('none 2 input') ?? 0) > 20, 'whole walks came up');
  for (const fault of FAULTS.slice(1)) {
    t.ok((tally.get(`${fault} 2 table walk`) ?? 0) > 20, `${fault} of stage 2 on a table came up`);
    if (fault !== 'external abort') t.ok((tally.get(`${fault} 1 input`) ?? 0) > 3, `${fault} of stage 1 came up`);
  }
});

t.test('a stage 2 start is consistent exactly where the manual says so', async (t) => {
  for (const granule of [12, 14, 16] as const) {
    for (let sl0 = 0; sl0 < 4; sl0++) {
      const start = STARTS[granule].find(([, code]) => code === sl0);
      for (let t0sz = 0; t0sz < 64; t0sz++) {
        const [, , least, most] = start ?? [0, 0, 1, 0];
        const wanted = t0sz >= least && t0sz <= most;
        const got = checkStage2Start(granule, t0sz, sl0, { physicalBits: 52, smallTables: true });
        if (got !== wanted) t.fail(`granule ${granule}, SL0 ${sl0}, T0SZ ${t0sz}: ${got}`);
      }
    }
  }
  t.equal(stage1StartLevel(12, 48), 0);
});
