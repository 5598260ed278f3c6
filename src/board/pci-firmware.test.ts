import t from 'tap';
import { pa } from '../hw/address.js';
import type { Sbdf } from '../hw/machine.js';
import { loadBoard } from './board.js';
import type { BoardMachine } from './machine.js';

/** A board without an IOMMU: buses 2 to 9, ECAM at 0x20000000, windows at 0x10000000 and 0x8000000000. */
function power(functions: string, latency = 0): BoardMachine {
  return loadBoard(
    `/dts-v1/; / {
      #address-cells = <2>; #size-cells = <2>;
      cpus { #address-cells = <1>; #size-cells = <0>; cpu@0 { device_type = "cpu"; reg = <0>; }; };
      memory@40000000 { device_type = "memory"; reg = <0 0x40000000 0 0x1000000>; };
      host: pcie@20000000 {
        compatible = "pci-host-ecam-generic";
        reg = <0 0x20000000 0 0x800000>;
        bus-range = <2 9>;
        #address-cells = <3>; #size-cells = <2>;
        ranges = <0x02000000 0 0x10000000 0 0x10000000 0 0x1000000>,
                 <0x43000000 0x80 0 0x80 0 0x1 0>,
                 <0x01000000 0 0 0 0x3eff0000 0 0x10000>;
      };
      tracewright {
        fdt-address = <0 0x40000000>; latency = <${latency}>;
        plugged { compatible = "tracewright,pci-topology"; host = <&host>; ${functions} };
      };
    };`,
    'small.dts',
  ).power();
}

const endpoint = (address: string, bars: string) =>
  `dma@${address} { compatible = "tracewright,dma-endpoint"; bars = ${bars}; };`;
const bridge = (address: string, behind: string, properties = '') =>
  `bridge@${address} { compatible = "tracewright,pci-bridge"; ${properties} ${behind} };`;

/** ECAM: the window begins with bus 2. */
const config = (
  machine: BoardMachine,
  { bus, device, function: fn }: Omit<Sbdf, 'segment'>,
  offset: number,
  width: 1 | 2 | 4,
) => machine.mmio.read(pa(0x2000_0000 + (bus - 2) * 0x10_0000 + device * 0x8000 + fn * 0x1000 + offset), width);

t.test('buses are numbered depth first, and every bridge reaches all that is behind it', async (t) => {
  const leaf = endpoint('0', '<0 0 0x1000>');
  const machine = power(
    bridge('1', bridge('0', leaf) + bridge('1', leaf)) +
      bridge('2', leaf, 'secondary-bus = <8>;') +
      endpoint('3', '<0 0 0x1000>'),
  );
  t.same(
    machine.endpoints.list.map(({ name }) => name),
    ['0000:02:03.0', '0000:04:00.0', '0000:05:00.0', '0000:08:00.0'],
  );
  const numbers = (bus: number, device: number) => config(machine, { bus, device, function: 0 }, 0x18, 4) & 0xff_ffff;
  t.equal(numbers(2, 1), 0x05_03_02);
  t.equal(numbers(3, 0), 0x04_04_03);
  t.equal(numbers(3, 1), 0x05_05_03);
  t.equal(numbers(2, 2), 0x08_08_02);
});

t.test('everything that firmware placed answers at its place', async (t) => {
  const machine = power(
    endpoint('1', '<0 0 0x1000>, <1 0 0x40000>, <2 0xc 0x4000>') +
      bridge('2', bridge('0', endpoint('0', '<0 0xc 0x200000>, <2 0 0x1000>') + endpoint('1', '<0 0x4 0x1000>'))),
  );
  const base = (bus: number, device: number, register: number) => {
    const low = config(machine, { bus, device, function: 0 }, 0x10 + 4 * register, 4);
    const high = low & 4 ? config(machine, { bus, device, function: 0 }, 0x14 + 4 * register, 4) : 0;
    return high * 2 ** 32 + ((low & 0xffff_fff0) >>> 0);
  };
  t.equal(base(2, 1, 1) % 0x4_0000, 0, 'naturally aligned');
  t.ok(base(2, 1, 2) >= 0x80_0000_0000, '64-bit goes high');
  t.ok(base(4, 0, 0) >= 0x80_0000_0000, 'prefetchable goes high behind a bridge too');
  t.ok(base(4, 1, 0) < 0x1_0000_0000, 'not prefetchable does not');
  for (const [bus, device] of [
    [2, 1],
    [4, 0],
    [4, 1],
  ] as const) {
    t.equal(machine.mmio.read(pa(base(bus, device, 0)), 4), 0x3144_5754, `${bus}:${device}`);
  }
  machine.mmio.write(pa(base(4, 0, 2) + 8), 4, 42);
  t.equal(machine.mmio.read(pa(base(4, 0, 2) + 8), 4), 42);
  t.equal(config(machine, { bus: 2, device: 2, function: 0 }, 0x20, 4), 0x1010_1010, 'one MiB from 0x10100000');
});

t.test('a driver runs an endpoint by its registers, and waits for it', async (t) => {
  const machine = power(endpoint('1', '<0 0 0x2000>'), 6);
  const base = config(machine, { bus: 2, device: 1, function: 0 }, 0x10, 4);
  machine.memory.write(pa(0x4010_0000), Uint8Array.of(1, 2, 3, 4));
  machine.memory.changed();
  machine.mmio.write64(pa(base + 0x10), 0, 0x4010_0000); // SOURCE
  machine.mmio.write64(pa(base + 0x18), 0, 0x4020_0000); // DESTINATION
  machine.mmio.write(pa(base + 0x20), 4, 4); // LENGTH
  machine.mmio.write(pa(base + 0x2c), 4, 3); // COMMAND: COPY
  let polls = 0;
  while (machine.mmio.read(pa(base + 0x30), 4) !== 2) polls++;
  t.ok(polls <= 12, 'two requests of at most 6 accesses each');
  t.same(machine.memory.changed(), [{ address: 0x4020_0000, length: 4 }]);
});

t.test('without an IOMMU addresses are physical, and what only an IOMMU understands is refused', async (t) => {
  const machine = power(endpoint('1', '<0 0 0x2000>'));
  const sbdf = { segment: 0, bus: 2, device: 1, function: 0 };
  const read = { write: false, hi: 0, lo: 0x4000_0000, length: 4 };
  t.same(machine.endpoints.dma(sbdf, read).data, Uint8Array.of(0xd0, 0x0d, 0xfe, 0xed), 'the blob of firmware');
  t.equal(machine.endpoints.dma(sbdf, { ...read, pasid: 1 }).ok, false);
  t.equal(machine.endpoints.dma(sbdf, { ...read, addressType: 'translated' }).ok, false);
  t.equal(machine.endpoints.dma(sbdf, { ...read, hi: 0x10_0000 }).ok, false, 'beyond 52 bits');
  t.equal(machine.endpoints.dma(sbdf, { ...read, lo: 0x5000_0000 }).ok, false, 'no RAM');
});

t.test('PCI I/O space is on the map, and not modelled', async (t) => {
  const machine = power('');
  t.equal(machine.map.find((region) => region.base === 0x3eff_0000)?.name, 'pcie@20000000 I/O');
});
