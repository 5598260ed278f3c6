/** Registers: offsets and bits as Linux drivers/iommu/ipmmu-vmsa.c and Xen's driver of the same name have them. */
import t from 'tap';
import { pa } from '../../address.js';
import { Bus } from '../../bus.js';
import { Latency } from '../../latency.js';
import { PhysicalMemory } from '../../memory.js';
import { Observer } from '../../observer.js';
import { Ipmmu } from './ipmmu.js';
import { Bench, imuctr, REG } from './ipmmu.test-support.js';

t.test('each of eight contexts of a main instance has registers of its own, and keeps what is in them', async (t) => {
  const bench = new Bench();
  for (let n = 0; n < 8; n++) {
    bench.write(bench.main, n * 0x40 + REG.IMTTLBR0, 0x4100_0fff + n * 0x1000);
    bench.write(bench.main, n * 0x40 + REG.IMTTUBR0, 0xffff_ff00 + n);
    bench.write(bench.main, n * 0x40 + REG.IMMAIR0, 0x44ff_0400 + n);
    bench.write(bench.main, n * 0x40 + REG.IMTTBCR, 0xc000_0040 + n);
  }
  for (let n = 0; n < 8; n++) {
    t.equal(bench.read(bench.main, n * 0x40 + REG.IMTTLBR0), 0x4100_0000 + n * 0x1000, 'bits 31:12');
    t.equal(bench.read(bench.main, n * 0x40 + REG.IMTTUBR0), n, 'bits 7:0');
    t.equal(bench.read(bench.main, n * 0x40 + REG.IMMAIR0), 0x44ff_0400 + n);
    t.equal(bench.read(bench.main, n * 0x40 + REG.IMTTBCR), 0xc000_0040 + n);
  }
});

t.test('IMCTR reads MMUEN, INTEN and VA64 back; a cache has no VA64', async (t) => {
  const bench = new Bench();
  bench.write(bench.main, 0x40, 0x2000_0005);
  t.equal(bench.read(bench.main, 0x40), 0x2000_0005);
  bench.write(bench.cache, 0x40, 0x2000_0005);
  t.equal(bench.read(bench.cache, 0x40), 5);
});

t.test('48 micro-TLBs in two banks: IMUCTR reads MMUEN and TTSEL back and FLUSH as 0, IMUASID all', async (t) => {
  const bench = new Bench();
  for (const n of [0, 31, 32, 47]) {
    bench.write(bench.cache, imuctr(n), 0x73);
    t.equal(bench.read(bench.cache, imuctr(n)), 0x71);
    bench.write(bench.cache, imuctr(n) + 8, 0x1234);
    t.equal(bench.read(bench.cache, imuctr(n) + 8), 0x1234);
  }
  t.same([0x300, 0x4f0, 0x600, 0x6f0], [0, 31, 32, 47].map(imuctr));
  t.equal(bench.read(bench.other, imuctr(0)), 0, 'the other cache has its own');
  t.same(bench.problems, []);
});

t.test('Gen4 has 16 contexts from 0x10000, 64 micro-TLBs at 0x3300, control at 0x1500', async (t) => {
  const memory = new PhysicalMemory();
  memory.addRange(pa(0x4000_0000), 0x1000);
  const main = new Ipmmu({
    name: 'mm',
    generation: 'gen4',
    bus: new Bus(memory),
    observer: new Observer({ problem: ({ text }) => t.fail(text) }),
    latency: new Latency(1, 0),
  });
  const holds = (offset: number, value: number) => {
    main.writeRegister(offset, 4, value);
    t.equal(main.readRegister(offset, 4), value, offset.toString(16));
  };
  holds(0x1_0000 + 0x28, 0x11);
  holds(0x1_0000 + 7 * 0x1040 + 0x28, 0x77);
  holds(0x1_0000 + 8 * 0x1040 + 0x600 + 0x28, 0x88);
  holds(0x1_0000 + 15 * 0x1040 + 0x600 + 0x28, 0xff);
  holds(0x3300 + 31 * 16, 0xf1);
  holds(0x3600 + 31 * 16, 0xf1);
  holds(0x1500, 1);
  holds(0x1504, 8);
  main.writeRegister(0x3300, 4, 0x1f0);
  t.equal(main.readRegister(0x3300, 4), 0x1f0, 'TTSEL 8:4');
});

t.test('control registers are of each instance', async (t) => {
  const bench = new Bench();
  bench.write(bench.main, REG.IMSAUXCTLR, 8);
  bench.write(bench.main, REG.IMSCTLR, 0x11);
  t.equal(bench.read(bench.main, REG.IMSAUXCTLR), 8);
  t.equal(bench.read(bench.main, REG.IMSCTLR), 0x11);
  t.equal(bench.read(bench.cache, REG.IMSAUXCTLR), 0);
  t.equal(bench.read(bench.cache, REG.IMSCTLR), 0);
  t.same(bench.problems, []);
  bench.write(bench.cache, REG.IMSCTLR, 0x1000_0000);
  t.match(bench.problems[0], { channel: 'unmodelled', text: /USE_SECGRP/ });
});

t.test(
  'the tables of a context are the main instance’s alone: a cache that is asked for them is misused',
  async (t) => {
    const bench = new Bench();
    bench.write(bench.cache, 0x40 + REG.IMTTBCR, 0xc000_0058);
    t.equal(bench.read(bench.main, 0x40 + REG.IMTTBCR), 0);
    t.equal(bench.read(bench.cache, 0x40 + REG.IMSTR), 0);
    t.match(bench.problems, [
      { channel: 'misuse', text: 'ds0: a cache has no IMTTBCR (context 1)' },
      { channel: 'misuse', text: 'ds0: a cache has no IMSTR (context 1)' },
    ]);
  },
);

t.test('what no driver uses reads as zero, ignores writes and is reported; accesses have 4 bytes', async (t) => {
  const bench = new Bench();
  bench.write(bench.main, 0x200, 1);
  t.equal(bench.read(bench.main, 0x200), 0);
  bench.write(bench.main, 0x40, 0x8);
  bench.write(bench.cache, imuctr(0), 0x8000_0000);
  bench.write(bench.cache, imuctr(0), 0x81);
  t.same(
    bench.problems.map((problem) => `${problem.channel}: ${problem.actor} ${problem.text}`),
    [
      'unmodelled: mm register 0x200',
      'unmodelled: mm register 0x200',
      'unmodelled: mm IMCTR bits 0x8',
      'unmodelled: ds0 IMUCTR bits 0x80000000',
      'unmodelled: ds0 micro-TLB 0 selects 8, which is no context',
    ],
  );
  t.equal(bench.main.readRegister(0, 2), undefined);
  t.equal(bench.main.writeRegister(0, 1, 0), false);
});

t.test('a cache has a main instance of its generation', async (t) => {
  const { main, cache, bus, latency } = new Bench();
  const observer = new Observer();
  const options = { name: 'x', bus, latency, observer };
  t.throws(() => new Ipmmu({ ...options, generation: 'gen3', main: cache }), /ds0 is a cache itself/);
  t.throws(() => new Ipmmu({ ...options, generation: 'gen4', main }), /mm is of another generation/);
});
