import t from 'tap';
import { pa } from '../hw/address.js';
import { loadBoard } from './board.js';

const REG = '<0 0x1000>, <0x10000 0x2000>, <0x20000 0x2000>, <0x30000 0x2000>';
const PARAMETERS = 'device = <&gic>; spis = <96>; list-registers = <8>;';

const text = (reg = REG, parameters = PARAMETERS, more = '') => `/dts-v1/;
/ {
  #address-cells = <1>; #size-cells = <1>;
  cpus {
    #address-cells = <1>; #size-cells = <0>;
    cpu@0 { device_type = "cpu"; reg = <0>; };
    cpu@1 { device_type = "cpu"; reg = <1>; };
  };
  memory@40000000 { device_type = "memory"; reg = <0x40000000 0x1000000>; };
  gic: interrupt-controller@0 {
    compatible = "arm,gic-400"; #interrupt-cells = <3>; interrupt-controller;
    reg = ${reg};
  };
  ${more}
  tracewright {
    fdt-address = <0x40000000>;
    gic-parameters { compatible = "tracewright,gicv2-parameters"; ${parameters} };
  };
};`;

t.test('the four parts of a GICv2 are where reg says, each CPU with its own', async (t) => {
  const machine = loadBoard(text(), 'x.dts').power();
  // GICD_TYPER at 0x004: ITLinesNumber 4:0 = 3 (128 INTIDs), CPUNumber 7:5 = 1 (Arm IHI 0048B 4.3.2).
  t.equal(machine.mmio.read(pa(0x4), 4) & 0xff, 0x23);
  machine.mmio.write(pa(0x1_0004), 4, 0xf0, 1); // GICC_PMR of CPU 1
  t.equal(machine.mmio.read(pa(0x1_0004), 4, 1), 0xf0);
  t.equal(machine.mmio.read(pa(0x1_0004), 4, 0), 0);
  t.equal(machine.mmio.read(pa(0x2_0004), 4) & 0x3f, 7, 'GICH_VTR.ListRegs: 8 (5.3.2)');
  t.equal(machine.mmio.read(pa(0x3_0004), 4), 0, 'GICV_PMR');
  t.same(
    machine.map.filter((region) => region.base < 0x4000_0000).map((region) => region.name),
    ['distributor', 'CPU interface', 'virtual interface control', 'virtual CPU interface'].map(
      (what) => `interrupt-controller@0 ${what}`,
    ),
  );
});

t.test('a snapshot holds it', async (t) => {
  const board = loadBoard(text(), 'x.dts');
  const first = board.power();
  first.mmio.write(pa(0x104), 4, 0x8000_0000); // GICD_ISENABLER1
  const second = board.power();
  second.load(first.save());
  t.equal(second.mmio.read(pa(0x104), 4), 0x8000_0000);
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
  t.match(
    outcome('<0 0x1000>, <0x10000 0x2000>'),
    /^BoardError x\.dts:12:5: \/interrupt-controller@0: reg: region 2 holds the virtual interface control, 0x1000 bytes/,
  );
  t.match(outcome('<0 0x800>'), /reg: region 0 holds the distributor/);
  t.match(outcome(REG, 'device = <&gic>;'), /^BoardError x\.dts:17:\d+: .*the property spis is missing/);
  t.match(outcome(REG, 'device = <&gic>; spis = <2000>;'), /^BoardError x\.dts:17:\d+: .*spis/);
  t.match(outcome(REG, 'device = <9>; spis = <96>;'), /device: no node has the phandle 9/);
  t.match(outcome(REG, '', ''), /the property device is missing/);
  const another = `other: interrupt-controller@100000 { compatible = "arm,gic-400"; #interrupt-cells = <3>;
    reg = <0x100000 0x1000>, <0x110000 0x2000>, <0x120000 0x2000>, <0x130000 0x2000>; };`;
  t.match(outcome(REG, PARAMETERS, another), /no tracewright,gicv2-parameters below \/tracewright name this device/);
});
