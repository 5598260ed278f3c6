/** The command queue and what each invalidation drops: Arm IHI 0070 3.5.1, 4.3, 4.4, 4.7.3, 7.1. */
import fc from 'fast-check';
import t from 'tap';
import {
  Bench,
  COMMANDS,
  type Command,
  cmd,
  contextWords,
  nestedSte,
  REG,
  S1_GLOBAL_PAGE,
  S1_PAGE,
  S2_PAGE,
  stage1Ste,
  stage2Ste,
} from './smmuv3.test-support.js';

t.test('commands are consumed in order and CONS follows PROD through the wrap bit (3.5.1)', async (t) => {
  const bench = new Bench();
  bench.enable();
  for (let i = 0; i < 5; i++) bench.produce(cmd.cfgiSte(i), cmd.cfgiCdAll(7), cmd.nsnhAll(), cmd.sync());
  // 20 commands in a queue of 16: index 4 with the wrap bit, bit 4, set.
  t.equal(bench.read(REG.CMDQ_CONS), 0x14);
  t.same(bench.told.slice(-4), ['CFGI_STE 0x4 leaf', 'CFGI_CD_ALL 0x7', 'TLBI_NSNH_ALL', 'CMD_SYNC']);
});

t.test('a command queue outside memory stops with CERROR_ABT', async (t) => {
  const bench = new Bench();
  bench.write(REG.CMDQ_BASE, 0xe000_0004);
  bench.write(REG.CR0, 8);
  bench.write(REG.CMDQ_PROD, 1);
  t.equal(bench.read(REG.CMDQ_CONS), 0x0200_0000);
  t.equal(bench.read(REG.GERROR), 1);
});

const ILLEGAL: readonly (readonly [string, Command])[] = [
  ['an unknown opcode', [0x99, 0, 0, 0]],
  ['an implementation defined opcode', [0x80, 0, 0, 0]],
  ['CFGI_VMS_PIDM without MPAM', [0x07, 0, 0, 0]],
  ['TLBI_EL3_ALL on the Non-secure queue', [0x18, 0, 0, 0]],
  ['TLBI_EL2_ALL without HYP', [0x20, 0, 0, 0]],
  ['a Secure TLBI', [0x50, 0, 0, 0]],
  ['ATC_INV without ATS', [0x40, 0, 0, 0]],
  ['PRI_RESP without PRI', [0x41, 0, 0, 0]],
  ['RESUME without stalls', [0x44, 0, 0, 0]],
  ['STALL_TERM without stalls', [0x45, 0, 0, 0]],
  ['SYNC with CS = 3', [0x3046, 0, 0, 0]],
  ['CFGI_STE with SSec', [0x403, 0, 0, 0]],
  ['a range with TG but without NUM, SCALE and TTL', [0x2a, 0, 0x400, 0]],
  ['the same with 16K and TTL = 1, which counts as 0', [0x2a, 0, 0x900, 0]],
];

t.test('what is ILLEGAL stops the queue with CERROR_ILL (chapter 4)', async (t) => {
  for (const [what, command] of ILLEGAL) {
    const bench = new Bench();
    bench.enable();
    bench.produce(cmd.sync(), command, cmd.sync());
    t.equal(bench.read(REG.CMDQ_CONS), 0x0100_0001, what);
  }
});

t.test('a stage 1 SMMU refuses stage 2 commands, and the reverse (4.4.2, 4.4.3)', async (t) => {
  const stage1 = new Bench({ ids: { IDR0: 0x0d44_101a } });
  stage1.enable();
  stage1.produce(cmd.nhAll(0), cmd.s12Vmall(0));
  t.equal(stage1.read(REG.CMDQ_CONS), 0x0100_0001);
  const stage2 = new Bench({ ids: { IDR0: 0x0d44_1019 } });
  stage2.enable();
  stage2.produce(cmd.s12Vmall(0), cmd.nhAll(0));
  t.equal(stage2.read(REG.CMDQ_CONS), 0x0100_0001);
});

t.test('a CMD_SYNC writes its MSI, and a write that aborts raises MSI_CMDQ_ABT_ERR (4.7.3)', async (t) => {
  // IDR0.MSI is bit 13. CS = 1 is bit 12; MSIAddr is bits 51:2 of the second doubleword.
  const bench = new Bench({ ids: { IDR0: 0x0d44_301b } });
  bench.enable();
  bench.produce([0x1046, 0xabcd, 0x4300_0000, 0]);
  t.equal(bench.load32(0x4300_0000), 0xabcd);
  bench.produce([0x1046, 0xabcd, 0xe000_0000, 0]);
  t.equal(bench.read(REG.GERROR), 0x10);
  t.equal(bench.read(REG.CMDQ_CONS), 2, 'the command completed all the same');
  bench.produce([0x1046, 0xabcd, 0xe000_0000, 0]);
  t.equal(bench.read(REG.GERROR), 0x10, 'an error that is active does not toggle again');
  t.same(bench.problems, []);
  bench.produce([0x1046, 0, 0, 0]);
  t.equal(bench.read(REG.CMDQ_CONS), 4, 'without an address and without a wired output there is nothing to send');
  t.same(bench.problems, []);
});

t.test('an ATS invalidation that times out fails the next CMD_SYNC (3.9.1.4)', async (t) => {
  let answers = false;
  const seen: unknown[] = [];
  const bench = new Bench({
    ids: { IDR0: 0x0d44_141b },
    endpoints: {
      invalidate: (invalidation) => {
        seen.push(invalidation);
        return answers;
      },
      respond: () => {},
    },
  });
  bench.enable();
  // Size 1: two pages, aligned. Address 0x5000.
  bench.produce([0x40, 0x300, 0x5001, 0], cmd.sync());
  t.same(seen, [{ streamId: 0x300, substreamId: undefined, global: false, page: 4, sizeBits: 1 }]);
  t.equal(bench.read(REG.CMDQ_CONS), 0x0300_0001);
  answers = true;
  bench.write(REG.GERRORN, 1);
  t.equal(bench.read(REG.CMDQ_CONS) & 0xfffff, 2);
  const saved = bench.smmu.save();
  answers = false;
  bench.produce([0x40, 0x300, 0x5001, 0]);
  bench.smmu.load(saved);
  bench.memory.storeWords(COMMANDS + 2 * 16, cmd.sync());
  bench.write(REG.CMDQ_PROD, 3);
  t.equal(bench.read(REG.CMDQ_CONS) & 0xfffff, 3, 'a state that is loaded knows nothing of a time-out before');
});

const VA = 0x4000;
const HIT = 0x4300_0000;
const MISS = 0x4300_1000;

/** Contexts whose translation of {@link VA} may be cached, each of a stream of its own. */
const CONTEXTS = [
  's1',
  's1 other asid',
  's1 global',
  's1 vmid 2',
  's2',
  's2 vmid 2',
  'nested',
  'nested global',
] as const;
type ContextName = (typeof CONTEXTS)[number];

/**
 * A machine on which every context has {@link VA} cached, leading to HIT, while its tables lead to MISS.
 * Stage 1 contexts have VMID 1 and ASID 5, unless their name says otherwise.
 */
function warm(): Bench {
  const bench = new Bench();
  const identity = bench.page();
  const leaves: [number, number, number][] = [];
  const first = (attributes: number): number => {
    const table = bench.page();
    bench.map(table, VA, HIT, attributes);
    leaves.push([table, VA, attributes]);
    return table;
  };
  const second = (): number => {
    const table = bench.page();
    bench.map(table, VA, HIT, S2_PAGE);
    leaves.push([table, VA, S2_PAGE]);
    return table;
  };
  const context = (asid: number, table: number): number => {
    const page = bench.page();
    bench.memory.storeWords(page, contextWords(asid, table));
    return page;
  };
  bench.ste(1, stage1Ste(1, context(5, first(S1_PAGE))));
  bench.ste(2, stage1Ste(1, context(6, first(S1_PAGE))));
  bench.ste(3, stage1Ste(3, context(5, first(S1_GLOBAL_PAGE))));
  bench.ste(4, stage1Ste(2, context(5, first(S1_PAGE))));
  bench.ste(5, stage2Ste(1, second()));
  bench.ste(6, stage2Ste(2, second()));
  bench.ste(7, nestedSte(1, context(7, first(S1_PAGE)), identity));
  bench.ste(8, nestedSte(4, context(5, first(S1_GLOBAL_PAGE)), identity));
  for (let page = 0x4100_0000; page < 0x4110_0000; page += 4096) bench.map(identity, page, page, S2_PAGE);
  for (const page of [HIT, MISS]) bench.map(identity, page, page, S2_PAGE);
  bench.enable();
  bench.memory.storeWords(HIT, [0x417]);
  bench.memory.storeWords(MISS, [0x315]);
  for (let sid = 1; sid <= 8; sid++) {
    if (bench.dmaRead(sid, VA) !== 0x417) throw new Error(`stream ${sid} does not reach its page`);
  }
  for (const [table, va, attributes] of leaves) bench.map(table, va, MISS, attributes);
  return bench;
}

/** Which contexts a command makes walk again. */
function dropped(command: Command): ContextName[] {
  const bench = warm();
  bench.produce(command, cmd.sync());
  return CONTEXTS.filter((_, i) => bench.dmaRead(i + 1, VA) === 0x315);
}

t.test('a TLBI drops what it must and nothing else (4.4, 3.17)', async (t) => {
  t.same(dropped(cmd.sync()), [], 'nothing by itself');
  t.same(dropped(cmd.cfgiAll()), [], 'configuration invalidation drops no translation');
  t.same(dropped(cmd.nsnhAll()), [...CONTEXTS]);
  t.same(dropped(cmd.s12Vmall(1)), ['s1', 's1 other asid', 's2', 'nested']);
  t.same(dropped(cmd.s12Vmall(2)), ['s1 vmid 2', 's2 vmid 2']);
  t.same(dropped(cmd.nhAll(1)), ['s1', 's1 other asid', 'nested'], 'stage 2 stays');
  t.same(dropped(cmd.nhAll(3)), ['s1 global']);
  t.same(dropped(cmd.nhAsid(1, 5)), ['s1']);
  t.same(dropped(cmd.nhAsid(3, 5)), [], 'global entries stay');
  t.same(dropped(cmd.nhAsid(1, 7)), ['nested']);
  t.same(dropped(cmd.nhVa(1, 6, VA)), ['s1 other asid']);
  t.same(dropped(cmd.nhVa(3, 9, VA)), ['s1 global'], 'global entries go whatever the ASID');
  t.same(dropped(cmd.nhVa(4, 9, VA)), ['nested global']);
  t.same(dropped(cmd.nhVa(1, 5, VA + 4096)), [], 'another page');
  t.same(dropped(cmd.nhVaa(1, VA)), ['s1', 's1 other asid', 'nested']);
  t.same(dropped(cmd.s2Ipa(1, VA)), ['s2'], 'combined entries stay');
  t.same(dropped(cmd.s2Ipa(1, HIT)), []);
  t.same(dropped(cmd.s2Ipa(2, VA)), ['s2 vmid 2']);
});

t.test('a range drops (NUM + 1) x 2^SCALE granules (4.4.1.1)', async (t) => {
  // TG = 1 (4K) in bits 11:10 of the second doubleword; NUM 16:12 and SCALE 24:20 of the first.
  const range = (num: number, scale: number, address: number): Command => [
    0x2a | (num << 12) | (scale << 20),
    1,
    address | 0x400,
    0,
  ];
  t.same(dropped(range(3, 0, 0x1000)), ['s2'], '0x1000 to 0x4fff');
  t.same(dropped(range(2, 0, 0x1000)), [], '0x1000 to 0x3fff');
  t.same(dropped(range(1, 1, 0x1000)), ['s2'], '2 x 2 pages');
  t.same(dropped(range(3, 0, 0x5000)), []);
});

t.test('a TTL hint drops leaves of its level alone (4.4.1.1)', async (t) => {
  const hint = (ttl: number): Command => [0x2a, 1, VA | (1 << 10) | (ttl << 8), 0];
  t.same(dropped(hint(3)), ['s2']);
  t.same(dropped(hint(2)), [], 'the page is a level 3 leaf');
});

t.test('a range whose address is not aligned to TG and TTL is UNPREDICTABLE (4.4.1.1)', async (t) => {
  const bench = new Bench();
  bench.enable();
  // TG = 1 (4K), TTL = 2: 2 MiB. Then TG = 3 (64K), TTL = 3: 64 KiB.
  bench.produce([0x2a, 1, 0x20_0000 | 0x600, 0], [0x2a, 1, 0x1_0000 | 0xf00, 0]);
  t.same(bench.problems, []);
  bench.produce([0x2a, 1, 0x1000 | 0x600, 0], [0x2a, 1, 0x1000 | 0xf00, 0]);
  t.match(bench.problems, [
    { channel: 'misuse', actor: 'software', text: /TLBI_S2_IPA vmid 1 0x1000 1 x 4K: the address is not aligned/ },
    { text: /1 x 64K/ },
  ]);
});

t.test('without RIL the range fields do not count', async (t) => {
  const bench = new Bench({ ids: { IDR3: 0x1014 } });
  const table = bench.page();
  bench.map(table, VA, HIT, S2_PAGE);
  bench.memory.storeWords(MISS, [0x315]);
  bench.ste(5, stage2Ste(1, table));
  bench.enable();
  bench.dmaRead(5, VA);
  bench.map(table, VA, MISS, S2_PAGE);
  bench.produce([0x2a | (31 << 12), 1, 0x1400, 0], cmd.sync());
  t.equal(bench.dmaRead(5, VA), 0);
  bench.produce([0x2a, 1, VA | 0x400, 0], cmd.sync());
  t.equal(bench.dmaRead(5, VA), 0x315);
});

t.test('no command makes the device throw', async () => {
  const opcode = fc.oneof(
    fc.constantFrom(
      1,
      2,
      3,
      4,
      5,
      6,
      0x10,
      0x11,
      0x12,
      0x13,
      0x20,
      0x21,
      0x22,
      0x23,
      0x28,
      0x2a,
      0x30,
      0x40,
      0x41,
      0x44,
      0x45,
      0x46,
    ),
    fc.integer({ min: 0, max: 255 }),
  );
  const word = fc.integer({ min: 0, max: 2 ** 32 - 1 });
  const command = fc.tuple(opcode, word, word, word, word);
  // Everything that the model offers: HYP, ATS, PRI, MSI, CD2L, both stall models; substreams; stall tags.
  const ids = { IDR0: 0x08cd_361b, IDR1: 0x0273_8510, IDR5: 0x0004_0074 };
  fc.assert(
    fc.property(fc.array(command, { maxLength: 30 }), (commands) => {
      const bench = new Bench({ ids });
      const table = bench.page();
      bench.map(table, VA, HIT, S2_PAGE);
      bench.ste(5, stage2Ste(1, table));
      bench.enable();
      for (const [op, a, b, c, d] of commands) {
        bench.dmaRead(5, VA);
        bench.produce([((a & ~0xff) | op) >>> 0, b, c, d]);
        bench.write(REG.GERRORN, bench.read(REG.GERROR));
        // Step over a command that is ILLEGAL.
        const cons = bench.read(REG.CMDQ_CONS) & 0x1f;
        bench.memory.storeWords(COMMANDS + (cons & 0xf) * 16, cmd.sync());
        bench.write(REG.GERRORN, bench.read(REG.GERROR));
      }
    }),
    { seed: 2, numRuns: 200 },
  );
});
