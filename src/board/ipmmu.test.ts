import t from 'tap';
import { pa } from '../hw/address.js';
import { loadBoard } from './board.js';

const CACHE = 'iommus = <&ds0 33>;';
const MAIN = 'renesas,ipmmu-main = <&mm 0>;';

/** A board with a GICv2, a cache, and its main instance after it; line 16 is the cache, line 23 the device. */
const text = (main = MAIN, streams = CACHE, cache = 'reg = <0x10000000 0x1000>;', more = '') => `/dts-v1/;
/ {
  #address-cells = <1>; #size-cells = <1>; interrupt-parent = <&gic>;
  cpus { #address-cells = <1>; #size-cells = <0>; cpu@0 { device_type = "cpu"; reg = <0>; }; };
  memory@40000000 { device_type = "memory"; reg = <0x40000000 0x1000000>; };
  gic: interrupt-controller@8000000 {
    compatible = "arm,gic-400"; #interrupt-cells = <3>; interrupt-controller;
    reg = <0x08000000 0x1000>, <0x08010000 0x2000>, <0x08020000 0x2000>, <0x08030000 0x2000>;
  };
  tracewright {
    fdt-address = <0x40000000>;
    latency = <0>;
    gic-parameters { compatible = "tracewright,gicv2-parameters"; device = <&gic>; spis = <64>; };
  };
  none: nothing { };
  ds0: iommu@10000000 {
    compatible = "renesas,ipmmu-r8a7795"; #iommu-cells = <1>; ${cache} ${main}
  };
  mm: iommu@20000000 {
    compatible = "renesas,ipmmu-r8a7795"; #iommu-cells = <1>; reg = <0x20000000 0x1000>;
    interrupts = <0 3 4>, <0 4 4>;
  };
  dma@30000000 {
    compatible = "tracewright,platform-device"; reg = <0x30000000 0x1000>; tracewright,dma; ${streams}
  };
  ${more}
};`;

/** Context 1 of the main instance on an empty table, enabled in both instances and selected by micro-TLB 33. */
function parked(machine: ReturnType<ReturnType<typeof loadBoard>['power']>): void {
  const write = (address: number, value: number) => machine.mmio.write(pa(address), 4, value);
  write(0x2000_0504, 8); // IMSAUXCTLR.S2PTE
  write(0x2000_0050, 0x4010_0000); // IMTTLBR0
  write(0x2000_0048, 0xc000_0058); // IMTTBCR: EAE, PMB, SL0 = 1, TSZ0 = 24
  write(0x2000_0040, 0x2000_0007); // IMCTR: VA64, INTEN, FLUSH, MMUEN
  write(0x1000_0040, 0x7);
  write(0x1000_0610, 0x11); // IMUCTR(33): TTSEL = 1, MMUEN
}

const read = { write: false, hi: 0, lo: 0x4020_0000, length: 4 };
/** GICD_ISPENDR1 (Arm IHI 0048B 4.3.7): SPI n is bit n. */
const GICD_ISPENDR1 = pa(0x0800_0204);

t.test('a device comes in at the micro-TLB that iommus names; faults raise the first interrupt', async (t) => {
  const machine = loadBoard(text(), 'x.dts').power();
  t.equal(machine.endpoints.dma('/dma@30000000', read).ok, true, 'before software enables it');
  parked(machine);
  t.equal(machine.mmio.read(GICD_ISPENDR1, 4), 0);
  t.equal(machine.endpoints.dma('/dma@30000000', read).ok, false);
  t.equal(machine.mmio.read(pa(0x2000_0060), 4), 1, 'IMSTR.TF in the main instance');
  t.equal(machine.mmio.read(pa(0x2000_0070), 4), 0x4020_0000, 'IMELAR');
  t.equal(machine.mmio.read(GICD_ISPENDR1, 4), 1 << 3);
  machine.mmio.write(pa(0x2000_0060), 4, 0);
  t.equal(machine.mmio.read(GICD_ISPENDR1, 4), 0, 'level');
});

t.test('a snapshot holds main instance and caches', async (t) => {
  const board = loadBoard(text(), 'x.dts');
  const first = board.power();
  parked(first);
  const second = board.power();
  second.load(first.save());
  t.equal(second.endpoints.dma('/dma@30000000', read).ok, false);
  t.equal(second.mmio.read(pa(0x1000_0610), 4), 0x11);
});

t.test('the number of a cache may be left out; one of Gen4 takes 0x20000 bytes', async (t) => {
  t.doesNotThrow(() => loadBoard(text('renesas,ipmmu-main = <&mm>;'), 'x.dts'));
  const gen4 = (size: string) =>
    `iommu@50000000 { compatible = "renesas,ipmmu-r8a779f0"; #iommu-cells = <1>; reg = <0x50000000 ${size}>; };`;
  t.doesNotThrow(() => loadBoard(text(MAIN, CACHE, undefined, gen4('0x20000')), 'x.dts'));
  t.throws(() => loadBoard(text(MAIN, CACHE, undefined, gen4('0x1000')), 'x.dts'), /0x20000 bytes/);
});

t.test('one that cannot be ends in an error with file, line and column', async (t) => {
  const outcome = (...args: Parameters<typeof text>) => {
    try {
      loadBoard(text(...args), 'x.dts');
      return 'okay';
    } catch (error) {
      return error instanceof Error ? `${error.name} ${error.message}` : 'nothing';
    }
  };
  t.match(outcome(MAIN, CACHE, ''), /^BoardError x\.dts:16:\d+: \/iommu@10000000: the property reg is missing/);
  t.match(outcome(MAIN, CACHE, 'reg = <0x10000000 0x800>;'), /^BoardError x\.dts:17:\d+: .*registers, 0x1000 bytes/);
  t.match(outcome('renesas,ipmmu-main = <77 0>;'), /^BoardError x\.dts:17:\d+: .*no node has the phandle 77/);
  t.match(outcome('renesas,ipmmu-main;'), /0 cells, not a phandle and a number/);
  t.match(outcome('renesas,ipmmu-main = <&mm 0 0>;'), /3 cells, not a phandle and a number/);
  t.match(outcome('renesas,ipmmu-main = <&mm 32>;'), /a main instance has no cache 32/);
  t.match(outcome('renesas,ipmmu-main = <&none 0>;'), /\/nothing is no main instance/);
  t.match(outcome('renesas,ipmmu-main = <&ds0 0>;'), /\/iommu@10000000 is no main instance/);
  const cacheOfCache = `iommu@50000000 { compatible = "renesas,ipmmu-r8a7795"; reg = <0x50000000 0x1000>;
    renesas,ipmmu-main = <&ds0 1>; };`;
  t.match(outcome(MAIN, CACHE, undefined, cacheOfCache), /is a cache itself/);
  const otherGeneration = `iommu@50000000 { compatible = "renesas,ipmmu-r8a779g0"; reg = <0x50000000 0x20000>;
    renesas,ipmmu-main = <&mm 1>; };`;
  t.match(outcome(MAIN, CACHE, undefined, otherGeneration), /is of another generation/);
  t.match(outcome(MAIN, 'iommus = <&ds0 48>;'), /^BoardError x\.dts:24:\d+: \/dma@30000000: .*no micro-TLB 48/);
  t.equal(outcome(MAIN, 'iommus = <&ds0 47>;'), 'okay');
  const badInterrupt = `iommu@50000000 { compatible = "renesas,ipmmu-r8a7795"; reg = <0x50000000 0x1000>;
    interrupts = <0 99 4>; };`;
  t.match(outcome(MAIN, CACHE, undefined, badInterrupt), /<0 99 4> is no input of \/interrupt-controller@8000000/);
});
