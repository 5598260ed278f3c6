import t from 'tap';
import { pa } from '../hw/address.js';
import type { Sbdf } from '../hw/machine.js';
import { loadBoard } from './board.js';
import { BoardError } from './board-error.js';

/** A board of one host bridge with ECAM at 0x20000000, buses 0 to 15, and no IOMMU; RAM at 0x40000000. */
const board = (functions: string) =>
  loadBoard(
    `/dts-v1/; / {
      #address-cells = <2>; #size-cells = <2>;
      cpus { #address-cells = <1>; #size-cells = <0>; cpu@0 { device_type = "cpu"; reg = <0>; }; };
      memory@40000000 { device_type = "memory"; reg = <0 0x40000000 0 0x1000000>; };
      host: pcie@20000000 {
        compatible = "pci-host-ecam-generic";
        reg = <0 0x20000000 0 0x1000000>;
        bus-range = <0 15>;
        #address-cells = <3>; #size-cells = <2>;
        ranges = <0x02000000 0 0x10000000 0 0x10000000 0 0x4000000>,
                 <0x43000000 0x80 0 0x80 0 0x1 0>;
      };
      tracewright {
        fdt-address = <0 0x40000000>;
        plugged { compatible = "tracewright,pci-topology"; host = <&host>; ${functions} };
      };
    };`,
    'small.dts',
  );

const node = (model: string, address: string, body: string) =>
  `n@${address} { compatible = "tracewright,${model}"; ${body} };`;
const endpoint = (address: string, body = '') => node('dma-endpoint', address, `bars = <0 0 0x4000>; ${body}`);

/** A machine, with its configuration space by bus, `device << 3 | function`, offset and width. */
function power(functions: string) {
  const machine = board(functions).power();
  const at = (bus: number, devfn: number, offset: number) =>
    pa(0x2000_0000 + bus * 0x10_0000 + devfn * 0x1000 + offset);
  return {
    machine,
    read: (bus: number, devfn: number, offset: number, width: 1 | 2 | 4) =>
      machine.mmio.read(at(bus, devfn, offset), width),
    write: (bus: number, devfn: number, offset: number, width: 1 | 2 | 4, value: number) =>
      machine.mmio.write(at(bus, devfn, offset), width, value),
    names: () => machine.endpoints.list.map(({ name }) => name),
  };
}

const sbdf = (bus: number, device: number, fn: number): Sbdf => ({ segment: 0, bus, device, function: fn });
const dma = { write: true, hi: 0, lo: 0x4010_0000, data: Uint8Array.of(1) };

t.test('interrupts of an endpoint are those of its node', async (t) => {
  const { read } = power(
    endpoint('1', 'interrupt-pin = <3>; msi = <8>; msi-x = <5 2 0x800 2 0x900>;').replace(
      '<0 0 0x4000>',
      '<0 0 0x4000>, <2 0 0x1000>',
    ) + endpoint('2', 'msi = <1 0>; msi-x = <64 0 0x40 0 0x440>;'),
  );
  t.equal(read(0, 8, 0x3d, 1), 3);
  t.equal(read(0, 8, 0x7c, 2), 0x9405, 'MSI of 24 bytes');
  t.equal(read(0, 8, 0x7e, 2), 0x0186, '8 vectors, 64-bit, maskable');
  t.equal(read(0, 8, 0x94, 4), 0x0004_0011, 'MSI-X of 5 vectors');
  t.equal(read(0, 8, 0x98, 4), 0x802);
  t.equal(read(0, 8, 0x9c, 4), 0x902);
  t.equal(read(0, 0x10, 0x3d, 1), 0);
  t.equal(read(0, 0x10, 0x7e, 2), 0, 'one vector, 32-bit');
  t.equal(read(0, 0x10, 0x88, 2), 0x0011, 'behind 10 bytes of MSI');
  t.equal(read(0, 0x10, 0x8c, 4), 0x40);
});

t.test('phantom functions and ACS of an endpoint', async (t) => {
  const { machine, read, write } = power(endpoint('1', 'phantom-functions = <4>; acs;'));
  t.equal(read(0, 8, 0x44, 4) & 0x18, 0x08);
  t.equal(read(0, 8, 0x100, 4), 0x0001_000d);
  write(0, 8, 0x48, 2, 0x0200);
  t.equal(machine.endpoints.dma(sbdf(0, 1, 0), { ...dma, phantom: 4 }).ok, true);
  t.throws(() => machine.endpoints.dma(sbdf(0, 1, 0), { ...dma, phantom: 2 }), RangeError);
});

t.test('ports of a tree: root port, then upstream and downstream ports of switches in turn', async (t) => {
  const bridge = (address: string, body: string) => node('pci-bridge', address, body);
  const { read } = power(
    bridge('1', `acs; ${bridge('0', bridge('2', `acs; ${bridge('0', bridge('0', endpoint('0')))}`))}`),
  );
  // PCI Express Capabilities at 0x42: version 2, type 7:4.
  t.same(
    [
      [0, 0x08],
      [1, 0x00],
      [2, 0x10],
      [3, 0x00],
      [4, 0x00],
      [5, 0x00],
    ].map(([bus, devfn]) => read(bus as number, devfn as number, 0x42, 2)),
    [0x42, 0x52, 0x62, 0x52, 0x62, 0x02],
  );
  t.equal(read(0, 0x08, 0x104, 2), 0x5f, 'ACS of the root port');
  t.equal(read(2, 0x10, 0x104, 2), 0x5f);
  t.equal(read(4, 0x00, 0x100, 4), 0);
});

t.test('what is behind a bridge to conventional PCI is conventional', async (t) => {
  const { machine, read } = power(
    node(
      'pci-bridge',
      '1',
      node('pcie-to-pci-bridge', '0', endpoint('0') + endpoint('1') + node('pci-bridge', '2', endpoint('3'))),
    ) +
      node('pci-bridge', '1e', `pci; ${endpoint('0')}`) +
      endpoint('2', 'pci;'),
  );
  t.equal(read(1, 0x00, 0x42, 2), 0x72);
  for (const [bus, devfn] of [
    [2, 0x00],
    [2, 0x10],
    [3, 0x18],
    [0, 0xf0],
    [4, 0x00],
    [0, 0x10],
  ] as const) {
    t.equal(read(bus, devfn, 0x34, 1), 0, `${bus}:${devfn}: no capability`);
  }
  for (const [bus, device] of [
    [2, 0],
    [3, 3],
    [4, 0],
    [0, 2],
  ] as const) {
    t.equal(machine.endpoints.dma(sbdf(bus, device, 0), dma).ok, true);
  }
});

const SRIOV = `bars = <0 0 0x4000>; sr-iov = <6 8 1>; vf-bars = <0 0 0x2000>, <2 0xc 0x4000>; vf-msi-x = <3 2 0 2 0x1000>;
  vf-device-id = <0x55>;`;

t.test('virtual functions are endpoints, and firmware has placed their memory', async (t) => {
  const { machine, read, write, names } = power(
    node('pci-bridge', '1', node('dma-endpoint', '0', SRIOV)) +
      endpoint('2', '').replace('0 0 0x4000', '0 0 0x1000000'),
  );
  t.same(names(), ['0000:00:02.0', '0000:01:00.0']);
  t.equal(read(1, 0, 0x11a, 2), 0x55);
  const low = read(1, 0, 0x124, 4);
  const high = read(1, 0, 0x130, 4) * 2 ** 32 + read(1, 0, 0x12c, 4) - 0xc;
  t.equal(low % 0x2000, 0);
  t.ok(high >= 0x80_0000_0000);
  t.equal(read(1, 0, 0x108, 2), 0, 'none are enabled');
  write(1, 0, 0x110, 2, 6);
  write(1, 0, 0x108, 2, 9);
  t.same(
    names().slice(2),
    [0, 1, 2, 3, 4, 5].map((n) => `0000:01:01.${n}`),
  );
  t.equal(machine.mmio.read(pa(low + 5 * 0x2000), 4), 0x3144_5754, 'the bridge forwards to the last one');
  t.equal(machine.mmio.read(pa(high + 5 * 0x4000 + 0xc), 4), 1, 'its MSI-X table');
  t.equal(machine.endpoints.dma(sbdf(1, 1, 5), dma).ok, false);
  write(1, 0x0d, 0x04, 2, 4);
  t.equal(machine.endpoints.dma(sbdf(1, 1, 5), dma).ok, true);
});

t.test('nothing else lies where virtual functions may appear', async (t) => {
  const { read } = power(node('dma-endpoint', '0', SRIOV) + node('dma-endpoint', '2', 'bars = <0 0 0x1000>;'));
  const vfs = read(0, 0, 0x124, 4);
  for (const base of [read(0, 0, 0x10, 4), read(0, 0x10, 0x10, 4)]) t.ok(base < vfs || base >= vfs + 6 * 0x2000);
});

t.test('what cannot be is told with node, property and place', async (t) => {
  const wrong: readonly (readonly [string, RegExp])[] = [
    [endpoint('1', 'interrupt-pin = <5>;'), /n@1: interrupt-pin: 1 to 4/],
    [endpoint('1', 'interrupt-pin = <0>;'), /interrupt-pin: 1 to 4/],
    [endpoint('1', 'msi = <3>;'), /msi: give \(vectors, flags\)/],
    [endpoint('1', 'msi = <4 1>;'), /msi: give/],
    [endpoint('1', 'msi = <4 0 0>;'), /msi: give/],
    [endpoint('1', 'msi-x = <4 0 0x40>;'), /msi-x: give \(vectors, table register/],
    [endpoint('1', 'msi-x = <0 0 0x40 0 0x80>;'), /msi-x: 1 to 2048 vectors, not 0/],
    [endpoint('1', 'msi-x = <2049 0 0x40 0 0x80>;'), /not 2049/],
    [endpoint('1', 'msi-x = <1 1 0 0 0x80>;'), /msi-x: there is no base address register 1/],
    [
      endpoint('1', 'msi-x = <1 0 0x30 0 0x80>;'),
      /0x30 to 0x40 does not lie, on 8 bytes, in the 0x40 to 0x2000 of register 0/,
    ],
    [endpoint('1', 'msi-x = <1 0 0x1ff8 0 0x80>;'), /0x1ff8 to 0x2008 does not lie/],
    [endpoint('1', 'msi-x = <1 0 0x44 0 0x80>;'), /0x44 to 0x54 does not lie, on 8 bytes/],
    [endpoint('1', 'msi-x = <4 0 0x40 0 0x78>;'), /the pending bits lie in the table/],
    [endpoint('1', 'phantom-functions = <3>;'), /phantom-functions: 1, 2 or 4/],
    [endpoint('1,0') + endpoint('1,2', 'phantom-functions = <2>;'), /more than the function number/],
    [endpoint('1,0', 'phantom-functions = <2>;') + endpoint('1,2'), /n@1,2: the requests of .*n@1,0 may carry/],
    [endpoint('1', 'sr-iov = <4 1>;'), /sr-iov: give \(virtual functions, first offset, stride\)/],
    [endpoint('1', 'sr-iov = <4 1 0>; vf-bars = <0 0 0x1000>;'), /none of them 0/],
    [endpoint('1', 'sr-iov = <4 1 1>;'), /vf-bars: give/],
    [endpoint('1', 'sr-iov = <4 1 1>; vf-bars = <0 0 0x800>;'), /vf-bars: register 0 cannot be of size 0x800/],
    [endpoint('1', 'sr-iov = <4 0xf6 1>; vf-bars = <0 0 0x1000>;'), /no room on the bus for virtual function 2/],
    [
      endpoint('1', 'sr-iov = <4 6 1>; vf-bars = <0 0 0x1000>;') + endpoint('2'),
      /n@2 has the address of virtual function 2/,
    ],
    [endpoint('1', 'sr-iov = <1 9 1>; vf-bars = <0 0 0x1000>;') + endpoint('2', 'ignores-function-number;'), /n@2 has/],
    [endpoint('1', 'pci; acs;'), /acs: a conventional function has none/],
    [node('pcie-to-pci-bridge', '1', endpoint('0', 'phantom-functions = <4>;')), /phantom-functions: a conventional/],
    [node('pcie-to-pci-bridge', '1', node('pcie-to-pci-bridge', '0', '')), /this bridge is on no conventional bus/],
    [node('pci-bridge', '1', node('pci-bridge', '0', 'acs;')), /acs: the upstream port of a switch has none/],
    [node('nothing', '1', ''), /a function is a tracewright,dma-endpoint/],
  ];
  for (const [functions, message] of wrong) {
    t.throws(() => board(functions).power(), { message, constructor: BoardError }, functions.replaceAll(/\s+/g, ' '));
  }
});
