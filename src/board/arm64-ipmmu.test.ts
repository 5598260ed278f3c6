import { readFileSync } from 'node:fs';
import t from 'tap';
import { pa } from '../hw/address.js';
import { loadBoard } from './board.js';
import type { BoardMachine } from './machine.js';

const text = readFileSync(new URL('../../../fixtures/boards/arm64-ipmmu.dts', import.meta.url), 'utf8');
const board = loadBoard(text, 'arm64-ipmmu.dts');
const soc = (name: string) => `/soc/${name}`;

const [MAIN, CACHE_0, CACHE_1] = [0xe67b_0000, 0xe674_0000, 0xe774_0000];
const WRITE = { write: true, hi: 0, lo: 0x5000_0000, data: Uint8Array.of(1) };

/** GICD_ISPENDR<n>: 0x200 + 4n (Arm IHI 0048B 4.3.7). */
const isPending = (machine: BoardMachine, spi: number) => {
  const intid = 32 + spi;
  return ((machine.mmio.read(pa(0xf101_0200 + (intid >>> 5) * 4), 4) >>> (intid & 31)) & 1) === 1;
};

t.test('the devices that take commands are those of the board file, and none is a PCI function', async (t) => {
  const machine = board.power();
  t.same(
    machine.endpoints.list.map(({ name }) => name),
    [
      ...['audio@ec500000', 'crypto@e6601000', 'display@feb00000'],
      ...['dma-controller@e6700000', 'dma-controller@e6710000', 'dma-controller@e7300000'],
      ...['ethernet@e6800000', 'gpio@e6050000', 'gpu@fd000000', 'keypad@e6070000', 'mmc@ee140000'],
      ...['spi@e6e90000', 'timer@e61e0000', 'usb@ee080000'],
    ].map(soc),
  );
  t.equal(machine.cpus.count, 4);
});

t.test('with its micro-TLB off a device passes untranslated', async (t) => {
  const machine = board.power();
  for (const name of ['gpu@fd000000', 'mmc@ee140000', 'ethernet@e6800000', 'crypto@e6601000']) {
    t.ok(machine.endpoints.dma(soc(name), WRITE).ok, name);
  }
  t.same(machine.memory.changed(), [{ address: 0x5000_0000, length: 1 }]);
});

/** Makes a context 0 without any translation, and connects a micro-TLB to it: IMTTBCR, IMTTLBR0, IMCTR; IMUCTR. */
function deny(machine: BoardMachine, cache: number, microTlb: number): void {
  const { mmio } = machine;
  mmio.write(pa(MAIN + 0x504), 4, 1 << 3); // IMSAUXCTLR.S2PTE
  mmio.write(pa(MAIN + 0x08), 4, 0xc000_0058); // IMTTBCR: EAE, PMB, SL0 = 1, TSZ0 = 24
  mmio.write(pa(MAIN + 0x10), 4, 0x5100_0000); // IMTTLBR0: a table of zeros
  mmio.write(pa(MAIN), 4, 0x5); // IMCTR: MMUEN, INTEN
  mmio.write(pa(cache), 4, 0x5);
  const at = microTlb < 32 ? 0x300 + 16 * microTlb : 0x600 + 16 * (microTlb - 32);
  mmio.write(pa(cache + at), 4, 1);
}

t.test('a device is at the micro-TLBs that its node names, of the cache that it names', async (t) => {
  const machine = board.power({ latency: 0 });
  deny(machine, CACHE_1, 33);
  const gpu = (stream: number) => machine.endpoints.dma(soc('gpu@fd000000'), { ...WRITE, stream }).ok;
  t.same([gpu(0), gpu(1), gpu(2)], [true, true, false], 'micro-TLBs 0, 1 and 33');
  const both = (stream: number) => machine.endpoints.dma(soc('dma-controller@e7300000'), { ...WRITE, stream }).ok;
  deny(machine, CACHE_1, 2);
  t.same([both(0), both(1)], [true, false], 'micro-TLB 2 of the first cache is another one');
  t.ok(machine.endpoints.dma(soc('dma-controller@e6700000'), WRITE).ok);
  deny(machine, CACHE_0, 0);
  for (const name of ['dma-controller@e6700000', 'dma-controller@e6710000']) {
    t.notOk(machine.endpoints.dma(soc(name), WRITE).ok, `${name}: both are at micro-TLB 0 of the first cache`);
  }
});

t.test('a fault is the first interrupt of the main instance', async (t) => {
  const machine = board.power({ latency: 0 });
  deny(machine, CACHE_1, 34);
  t.notOk(isPending(machine, 196));
  t.notOk(machine.endpoints.dma(soc('mmc@ee140000'), WRITE).ok);
  t.ok(isPending(machine, 196));
  t.notOk(isPending(machine, 197));
  machine.mmio.write(pa(MAIN + 0x20), 4, 0); // IMSTR
  t.notOk(isPending(machine, 196));
});

t.test('a snapshot holds the instances, lines and controller', async (t) => {
  const first = board.power({ latency: 0 });
  deny(first, CACHE_1, 34);
  first.endpoints.dma(soc('mmc@ee140000'), WRITE);
  first.endpoints.setLine(soc('keypad@e6070000'), 0, true);
  const second = board.power({ latency: 0 });
  second.load(first.save());
  t.ok(isPending(second, 196));
  t.ok(isPending(second, 100), 'the interrupt that audio and keypad share');
  t.notOk(second.endpoints.dma(soc('mmc@ee140000'), WRITE).ok);
  second.endpoints.setLine(soc('keypad@e6070000'), 0, false);
  t.notOk(isPending(second, 100));
});

t.test('the order of the nodes does not matter: a cache may stand before its main instance', async (t) => {
  const at = text.indexOf('\t\tipmmu_mm: iommu@');
  const end = text.indexOf('\t\tipmmu_ds0: iommu@');
  const behind = text.indexOf('\t\tregisters@e6060000');
  const moved = text.slice(0, at) + text.slice(end, behind) + text.slice(at, end) + text.slice(behind);
  t.doesNotThrow(() => loadBoard(moved, 'x.dts'));
});

t.test('an IPMMU that cannot be ends in an error with file, line and column', async (t) => {
  const outcome = (from: string, to: string): string => {
    t.ok(text.includes(from), `the board has ${from}`);
    try {
      loadBoard(text.replace(from, to), 'b.dts');
      return 'okay';
    } catch (error) {
      return error instanceof Error ? `${error.name} ${error.message}` : 'nothing';
    }
  };
  t.match(
    outcome('<&ipmmu_mm 0>', '<99 0>'),
    /^BoardError b\.dts:\d+:4: .*renesas,ipmmu-main: no node has the phandle 99/,
  );
  t.match(outcome('<&ipmmu_mm 0>', '<&gic 0>'), /renesas,ipmmu-main: \/soc\/interrupt-controller@f1010000 is no main/);
  t.match(outcome('<&ipmmu_mm 0>', '<&ipmmu_mm 0 0>'), /b\.dts:\d+:4: .*3 cells/);
  t.match(outcome('<&ipmmu_ds1 34>', '<&ipmmu_ds1 48>'), /b\.dts:\d+:4: .*has no micro-TLB 48/);
  t.match(outcome('<0 196 4>', '<0 480 4>'), /b\.dts:\d+:4: .*<0 480 4> is no input of/);
  t.match(
    outcome('0xe67b0000 0x0 0x1000', '0xe67b0000 0x0 0x800'),
    /b\.dts:\d+:4: .*region 0 holds the registers, 0x1000/,
  );
});
