/** Registers: Arm IHI 0070 6.3, driven through the device as software does. */
import fc from 'fast-check';
import t from 'tap';
import { Latency } from '../../latency.js';
import { Bench, cmd, REG, stage2Ste } from './smmuv3.test-support.js';

t.test('ID registers read as given, and component IDs identify a CoreSight component (6.3.75)', async (t) => {
  const bench = new Bench();
  t.equal(bench.read(0x0), 0x0d44101b);
  t.equal(bench.read(0x4), 0x02730010);
  t.equal(bench.read(0xc), 0x1414);
  t.equal(bench.read(0x14), 0x74);
  t.equal(bench.read(0x1c), 1);
  t.same(
    [0xff0, 0xff4, 0xff8, 0xffc].map((offset) => bench.read(offset)),
    [0x0d, 0xf0, 0x05, 0xb1],
  );
  bench.write(0x0, 0);
  t.equal(bench.read(0x0), 0x0d44101b, 'read-only');
});

t.test('ID registers that offer what is not modelled are refused', async (t) => {
  // HTTU is IDR0[7:6], BTM is IDR0[5], FWB is IDR3[8].
  t.throws(() => new Bench({ ids: { IDR0: 0x0d44105b } }), /HTTU/);
  t.throws(() => new Bench({ ids: { IDR0: 0x0d44103b } }), /BTM/);
  t.throws(() => new Bench({ ids: { IDR3: 0x1514 } }), /FWB/);
});

t.test('CR0ACK follows CR0 after some accesses, and hardware follows CR0ACK (6.3.9)', async (t) => {
  const bench = new Bench({ latency: new Latency(3, 50) });
  bench.smmu.writeRegister(REG.CR0, 4, 0xd);
  t.equal(bench.read(REG.CR0), 0xd);
  t.equal(bench.read(REG.CR0ACK), 0);
  bench.latency.settle();
  t.equal(bench.read(REG.CR0ACK), 0xd);
  bench.smmu.writeRegister(REG.CR0, 4, 0xc);
  bench.smmu.writeRegister(REG.CR0, 4, 0xd);
  t.match(bench.problems, [{ channel: 'misuse', actor: 'software', text: /CR0 changes bits 0x1/ }]);
});

t.test('unsupported bits of CR0 are not taken: PRIQEN and ATSCHK without PRI and ATS', async (t) => {
  const bench = new Bench();
  bench.write(REG.CR0, 0xffff_ffff);
  t.equal(bench.read(REG.CR0ACK), 0xd);
});

t.test('bases are writable only while their enable is clear in CR0 and CR0ACK (6.3.24, 6.3.26)', async (t) => {
  const bench = new Bench({ latency: new Latency(3, 50) });
  bench.smmu.writeRegister(REG.STRTAB_BASE, 4, 0x4010_0000);
  bench.smmu.writeRegister(REG.CMDQ_BASE, 4, 0x4020_0004);
  bench.smmu.writeRegister(REG.EVENTQ_BASE, 4, 0x4021_0003);
  bench.smmu.writeRegister(REG.CR0, 4, 0xd);
  for (const offset of [REG.STRTAB_BASE, REG.STRTAB_BASE + 4, REG.STRTAB_CFG, REG.CMDQ_BASE, REG.EVENTQ_BASE]) {
    const before = bench.read(offset);
    bench.smmu.writeRegister(offset, 4, 0xffff_ffff);
    t.equal(bench.read(offset), before, 'CR0 set, CR0ACK not yet');
  }
  bench.latency.settle();
  bench.smmu.writeRegister(REG.CR0, 4, 0);
  bench.smmu.writeRegister(REG.STRTAB_BASE, 4, 0);
  t.equal(bench.read(REG.STRTAB_BASE), 0x4010_0000, 'CR0 clear, CR0ACK not yet');
  t.equal(bench.problems.length, 6);
  bench.latency.settle();
  bench.smmu.writeRegister(REG.STRTAB_BASE, 4, 0);
  t.equal(bench.read(REG.STRTAB_BASE), 0);
});

t.test('GBPA takes one write with UPDATE, which clears itself; others are ignored (6.3.14)', async (t) => {
  const bench = new Bench({ latency: new Latency(1, 20) });
  t.equal(bench.dmaWrite(8, 0x4300_0000, 1), 'okay', 'bypass after reset');
  bench.smmu.writeRegister(REG.GBPA, 4, 0x0010_0000);
  t.equal(bench.read(REG.GBPA), 0x1000, 'no UPDATE: ignored');
  bench.smmu.writeRegister(REG.GBPA, 4, 0x8010_1000);
  t.equal(bench.read(REG.GBPA), 0x8010_1000, 'new values and UPDATE show until it is done');
  bench.smmu.writeRegister(REG.GBPA, 4, 0x8000_1000);
  t.equal(bench.dmaWrite(8, 0x4300_0000, 2), 'okay', 'not in effect yet');
  bench.latency.settle();
  t.equal(bench.read(REG.GBPA), 0x0010_1000);
  t.equal(bench.dmaWrite(8, 0x4300_0000, 3), 'abort');
  t.equal(bench.load32(0x4300_0000), 2);
  t.same(bench.events(), [], 'nothing is recorded');
  t.equal(bench.problems.length, 2);
});

t.test('with SMMUEN = 0 an address beyond the output size aborts without a record (3.4)', async (t) => {
  const bench = new Bench();
  bench.enable(0xc);
  t.equal(bench.dmaWrite(8, 2 ** 44, 1), 'abort');
  t.same(bench.events(), []);
});

t.test('a global error is acknowledged by making GERRORN equal (7.5)', async (t) => {
  const bench = new Bench();
  bench.enable();
  bench.produce([0xff, 0, 0, 0]);
  t.equal(bench.read(REG.GERROR), 1, 'CMDQ_ERR');
  t.equal(bench.read(REG.CMDQ_CONS), 0x0100_0000, 'CERROR_ILL at index 0');
  bench.produce(cmd.sync());
  t.equal(bench.read(REG.CMDQ_CONS), 0x0100_0000, 'nothing is consumed while it is active');
  // Software mends the command and acknowledges: consumption goes on without a write to PROD.
  bench.memory.storeWords(0x4020_0000, cmd.sync());
  bench.write(REG.CMDQ_PROD, 2);
  t.equal(bench.read(REG.CMDQ_CONS), 0x0100_0000, 'not even what is mended');
  bench.write(REG.GERRORN, 1);
  t.equal(bench.read(REG.CMDQ_CONS) & 0xfffff, 2);
  t.equal(bench.read(REG.GERROR), 1, 'inactive: the two are equal');
  bench.produce([0xff, 0, 0, 0]);
  t.equal(bench.read(REG.GERROR), 0, 'active again: toggled');
  bench.write(REG.GERRORN, 3);
  t.match(bench.problems, [{ text: /GERRORN toggles bits 0x2/ }]);
});

t.test('accesses of 1 or 2 bytes, unaligned or outside are not taken; reserved registers are RAZ/WI', async (t) => {
  const { smmu } = new Bench();
  t.equal(smmu.readRegister(0x20, 1), undefined);
  t.equal(smmu.writeRegister(0x20, 2, 1), false);
  t.equal(smmu.readRegister(0x21, 4), undefined);
  t.equal(smmu.readRegister(0x2_0000, 4), undefined);
  t.equal(smmu.writeRegister(0x9000, 4, 1), true);
  t.equal(smmu.readRegister(0x9000, 4), 0);
  t.equal(smmu.readRegister(0xa8, 4), 0, 'no page 0 alias of EVENTQ_PROD');
});

t.test('a snapshot keeps registers and leaves caches cold', async (t) => {
  const bench = new Bench();
  const table = bench.page();
  bench.map(table, 0x4000, 0x4300_0000, 0x7ff);
  bench.ste(8, stage2Ste(1, table));
  bench.enable();
  t.equal(bench.dmaWrite(8, 0x4000, 0x11), 'okay');
  bench.map(table, 0x4000, 0x4300_1000, 0x7ff);
  t.equal(bench.dmaWrite(8, 0x4000, 0x22), 'okay');
  t.equal(bench.load32(0x4300_0000), 0x22, 'cached');
  const saved = bench.smmu.save();
  t.same(JSON.parse(JSON.stringify(saved)), saved, 'plain data');
  bench.write(REG.CR0, 0);
  bench.smmu.load(saved);
  t.equal(bench.read(REG.CR0ACK), 0xd);
  t.equal(bench.dmaWrite(8, 0x4000, 0x33), 'okay');
  t.equal(bench.load32(0x4300_1000), 0x33, 'walked again');
  t.throws(() => bench.smmu.load({}), TypeError);
});

t.test('no access to any register makes the device throw', async () => {
  const offset = fc.oneof(
    fc.integer({ min: -8, max: 0x2_0010 }),
    fc.integer({ min: 0, max: 0x100 }).map((n) => n & ~3),
  );
  const access = fc.record({
    offset: fc.oneof(offset, fc.constantFrom(0x100a8, 0x100ac, 0x100c8, 0x100cc)),
    width: fc.constantFrom(1, 2, 4) as fc.Arbitrary<1 | 2 | 4>,
    write: fc.boolean(),
    value: fc.integer({ min: -(2 ** 31), max: 2 ** 32 }),
  });
  fc.assert(
    fc.property(fc.array(access, { maxLength: 40 }), fc.integer({ min: 0, max: 3 }), (accesses, maximum) => {
      const bench = new Bench({ latency: new Latency(7, maximum) });
      for (const { offset, width, write, value } of accesses) {
        if (write) bench.smmu.writeRegister(offset, width, value);
        else {
          const read = bench.smmu.readRegister(offset, width);
          if (read !== undefined && !(Number.isInteger(read) && read >= 0 && read < 2 ** 32)) return false;
        }
        bench.latency.tick();
        bench.dmaRead(8, 0x4300_0000);
      }
      return true;
    }),
    { seed: 1, numRuns: 300 },
  );
});
