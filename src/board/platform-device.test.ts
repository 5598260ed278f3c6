import t from 'tap';
import { pa } from '../hw/address.js';
import { loadBoard } from './board.js';

/** A board with a GIC-400 and, below /soc at 0x1000_0000, these devices. */
const text = (devices: string) => `/dts-v1/;
/ {
  #address-cells = <2>; #size-cells = <2>; interrupt-parent = <&gic>;
  cpus { #address-cells = <1>; #size-cells = <0>; cpu@0 { device_type = "cpu"; reg = <0>; }; };
  memory@40000000 { device_type = "memory"; reg = <0 0x40000000 0 0x1000000>; };
  gic: interrupt-controller@8000000 {
    compatible = "arm,gic-400"; #interrupt-cells = <3>; interrupt-controller;
    reg = <0 0x08000000 0 0x1000>, <0 0x08010000 0 0x2000>, <0 0x08020000 0 0x2000>, <0 0x08030000 0 0x2000>;
  };
  none: nothing { #iommu-cells = <1>; };
  two: two { #iommu-cells = <2>; };
  soc {
    #address-cells = <1>; #size-cells = <1>; ranges = <0 0 0x10000000 0x100000>;
${devices}
  };
  tracewright {
    fdt-address = <0 0x40000000>;
    gic-parameters { compatible = "tracewright,gicv2-parameters"; device = <&gic>; spis = <64>; };
  };
};`;

const device = (name: string, properties: string) =>
  `    ${name} { compatible = "tracewright,platform-device"; ${properties} };`;

const machineWith = (...devices: string[]) => loadBoard(text(devices.join('\n')), 'x.dts').power();
const DMA = (address: number) => `reg = <0x${address.toString(16)} 0x1000>; tracewright,dma;`;

/** GICD_ISPENDR<n>: 0x200 + 4n (Arm IHI 0048B 4.3.7); SPI 0 is INTID 32, bit 0 of register 1. */
const pendingSpis = (machine: ReturnType<typeof machineWith>) => machine.mmio.read(pa(0x0800_0204), 4);

t.test('every region of reg is on the bus; the first is the engine of a device that makes requests', async (t) => {
  const machine = machineWith(
    device('gpu@0', 'reg = <0x0 0x2000>, <0x4000 0x100>; tracewright,dma;'),
    device('rng@8000', 'reg = <0x8000 0x1000>;'),
  );
  t.equal(machine.mmio.read(pa(0x1000_0000), 4), 0x3144_5754, 'IDENTIFICATION');
  t.equal(machine.mmio.read(pa(0x1000_0008), 4), 0x1000, 'BUFFER_SIZE');
  machine.mmio.write(pa(0x1000_4010), 4, 0x77);
  t.equal(machine.mmio.read(pa(0x1000_4010), 4), 0x77);
  machine.mmio.write(pa(0x1000_8000), 4, 0x78);
  t.equal(machine.mmio.read(pa(0x1000_8000), 4), 0x78);
  t.same(
    machine.map.filter((region) => region.base >= 0x1000_0000 && region.base < 0x1010_0000).map((r) => r.name),
    ['gpu@0', 'gpu@0 1', 'rng@8000'],
  );
  t.same(machine.endpoints.list, [{ name: '/soc/gpu@0', endpoint: '/soc/gpu@0' }], 'the others take no commands');
});

t.test('DMA of a device without an IOMMU goes to memory', async (t) => {
  const machine = machineWith(device('dma@0', DMA(0)));
  const write = { write: true, hi: 0, lo: 0x4010_0000, data: Uint8Array.of(1, 2, 3) };
  t.equal(machine.endpoints.dma('/soc/dma@0', write).ok, true);
  t.same(machine.memory.peek(pa(0x4010_0000), 3), Uint8Array.of(1, 2, 3));
  t.equal(machine.endpoints.dma('/soc/dma@0', { ...write, lo: 0 }).ok, false, 'nothing is there');
});

t.test('an interrupt reaches the input that its specifier names, by command and by the engine', async (t) => {
  const machine = machineWith(device('dma@0', `${DMA(0)} interrupts = <0 5 4>, <0 6 4>;`));
  machine.endpoints.setLine('/soc/dma@0', 1, true);
  t.equal(pendingSpis(machine), 1 << 6);
  machine.endpoints.setLine('/soc/dma@0', 1, false);
  t.equal(pendingSpis(machine), 0, 'level-sensitive after reset');
  machine.mmio.write(pa(0x1000_0034), 4, 2); // INTERRUPT_ENABLE.DONE
  machine.mmio.write(pa(0x1000_002c), 4, 1); // COMMAND: LOAD, of no bytes
  t.equal(pendingSpis(machine), 1 << 5);
  machine.mmio.write(pa(0x1000_0038), 4, 2); // INTERRUPT_STATUS.DONE
  t.equal(pendingSpis(machine), 0);
  t.throws(() => machine.endpoints.setLine('/soc/dma@0', 2, true), /has no interrupt 2/);
  t.throws(() => machine.endpoints.setLine('/soc/dma@1', 0, true), /no endpoint \/soc\/dma@1 takes commands/);
  t.equal(machine.endpoints.signal('/soc/dma@0', 0), 'disabled', 'a platform device sends no messages');
});

t.test('a shared interrupt is pending while one of its devices wants it', async (t) => {
  const machine = machineWith(
    device('a@0', 'reg = <0x0 0x1000>; interrupts = <0 9 4>;'),
    device('b@1000', 'reg = <0x1000 0x1000>; interrupts-extended = <&gic 0 9 4>;'),
  );
  machine.endpoints.setLine('/soc/a@0', 0, true);
  machine.endpoints.setLine('/soc/b@1000', 0, true);
  machine.endpoints.setLine('/soc/a@0', 0, false);
  t.equal(pendingSpis(machine), 1 << 9);
  machine.endpoints.setLine('/soc/b@1000', 0, false);
  t.equal(pendingSpis(machine), 0);
});

t.test('a snapshot keeps registers, lines and what is pending', async (t) => {
  const board = loadBoard(
    text(
      [
        device('a@0', `${DMA(0)} interrupts = <0 9 4>;`),
        device('b@1000', 'reg = <0x1000 0x1000>; interrupts = <0 9 4>;'),
        device('edge@2000', 'reg = <0x2000 0x1000>; interrupts = <0 10 1>;'),
      ].join('\n'),
    ),
    'x.dts',
  );
  const first = board.power();
  first.mmio.write(pa(0x0800_0c08), 4, 2 << 20); // GICD_ICFGR2: INTID 42 is edge-triggered (4.3.13)
  first.endpoints.setLine('/soc/a@0', 0, true);
  first.endpoints.setLine('/soc/edge@2000', 0, true);
  first.mmio.write(pa(0x0800_0284), 4, 1 << 10); // GICD_ICPENDR1: the edge has been seen
  t.equal(pendingSpis(first), 1 << 9);
  const second = board.power();
  second.endpoints.setLine('/soc/b@1000', 0, true);
  second.load(first.save());
  t.equal(pendingSpis(second), 1 << 9, 'no edge anew');
  second.endpoints.setLine('/soc/b@1000', 0, false);
  t.equal(pendingSpis(second), 1 << 9, 'the other device drives it');
  second.endpoints.setLine('/soc/a@0', 0, false);
  t.equal(pendingSpis(second), 0);
});

t.test('devices that cannot be end in an error with file, line and column', async (t) => {
  const outcome = (...devices: string[]) => {
    try {
      machineWith(...devices);
      return 'okay';
    } catch (error) {
      return error instanceof Error ? `${error.name} ${error.message}` : 'nothing';
    }
  };
  t.match(outcome(device('a@0', '')), /^BoardError x\.dts:14:5: \/soc\/a@0: the property reg is missing/);
  t.match(outcome(device('a@0', 'reg = <0 0x800>; tracewright,dma;')), /x\.dts:14:\d+: .*whole pages of 4 KiB/);
  t.match(outcome(device('a@0', 'reg = <0 0x1000 0>;')), /reg: 3 cells are no multiple of 2/);
  t.match(outcome(device('a@0', 'reg = <0x100000 0x1000>;')), /reg: the bus above does not pass it on/);
  t.match(
    outcome(device('a@0', 'reg = <0 0x2000>;'), device('b@1000', 'reg = <0x1000 0x1000>;')),
    /^BoardError x\.dts:15:\d+: \/soc\/b@1000: b@1000 at 0x10001000 overlaps a@0/,
  );
  const interrupts = (value: string) => outcome(device('a@0', `reg = <0 0x1000>; interrupts = ${value};`));
  t.match(interrupts('<0 5>'), /x\.dts:14:\d+: .*interrupts: 2 cells are no multiple of 3/);
  t.match(
    interrupts('<0 64 4>'),
    /x\.dts:14:\d+: .*interrupts: <0 64 4> is no input of \/interrupt-controller@8000000/,
  );
  t.match(interrupts('<7 5 4>'), /<7 5 4> is no input/);
  t.match(outcome(device('a@0', 'reg = <0 0x1000>; interrupts-extended = <99 0 5 4>;')), /no node has the phandle 99/);
  t.match(
    outcome(device('a@0', 'reg = <0 0x1000>; interrupts-extended = <&none 5>;')),
    /interrupts-extended: \/nothing has no #interrupt-cells/,
  );
  const shared = ['a@0', 'b@1000'].map((name, at) =>
    device(name, `reg = <0x${at}000 0x1000>; interrupts = <0 5 ${at === 0 ? 4 : 1}>;`),
  );
  t.match(outcome(...shared), /x\.dts:15:\d+: \/soc\/b@1000: interrupts: <0 5 1> is shared with another device/);
  const iommus = (value: string) => outcome(device('a@0', `${DMA(0)} iommus = ${value};`));
  t.match(iommus('<99 1>'), /x\.dts:14:\d+: .*iommus: no node has the phandle 99/);
  t.match(iommus('<&none>'), /iommus: the last entry is cut short/);
  t.match(iommus('<&gic 1>'), /iommus: \/interrupt-controller@8000000 has no #iommu-cells/);
  t.match(iommus('<&two 1 2>'), /iommus: \/two does not have #iommu-cells = <1>/);
  t.match(iommus('<&none 1>'), /iommus: \/nothing is no IOMMU that the board has/);
  t.match(outcome(device('a@0', 'reg = <0 0x1000>; iommus = <&none 1>;')), /iommus: the device makes no requests/);
});
