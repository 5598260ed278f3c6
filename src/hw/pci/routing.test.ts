import t from 'tap';
import { configureBridge, placeEndpoint, type Segment, segment } from './pci.test-support.js';

/** Where the peers' memory is: 2 MiB below the first downstream port, 1 MiB below the second. */
const A = 0x1010_0000;
const B = 0x1020_0000;
const BUFFER = 0x1000;

/**
 * Root port 00:01.0, switch 01:00.0 with downstream ports 02:00.0 and 02:01.0; below the first a device of two functions,
 * 03:00.0 and 03:00.1, below the second 04:00.0.
 */
function example({ acs = false } = {}) {
  const made = segment();
  const { rootComplex, bridge, endpoint } = made;
  const rootPort = bridge(rootComplex.bus, 1, 'root port', acs);
  const upstreamPort = bridge(rootPort.bus, 0, 'upstream port');
  const ports = [
    bridge(upstreamPort.bus, 0, 'downstream port', acs),
    bridge(upstreamPort.bus, 1, 'downstream port', acs),
  ];
  const [first, second] = ports.map(({ bus }) => bus);
  if (first === undefined || second === undefined) throw new Error('two ports');
  const a0 = endpoint(first, 0, { acs });
  const a1 = endpoint(first, 0, { function: 1, acs });
  const b = endpoint(second, 0);
  configureBridge(made, { bus: 0, devfn: 0x08 }, { secondary: 1, subordinate: 4 }, { base: A, limit: B });
  configureBridge(made, { bus: 1, devfn: 0x00 }, { secondary: 2, subordinate: 4 }, { base: A, limit: B });
  configureBridge(made, { bus: 2, devfn: 0x00 }, { secondary: 3, subordinate: 3 }, { base: A, limit: A });
  configureBridge(made, { bus: 2, devfn: 0x08 }, { secondary: 4, subordinate: 4 }, { base: B, limit: B });
  placeEndpoint(made, { bus: 3, devfn: 0 }, A);
  placeEndpoint(made, { bus: 3, devfn: 1 }, A + 0x1_0000);
  placeEndpoint(made, { bus: 4, devfn: 0 }, B);
  return { ...made, a0, a1, b };
}

const write = (address: number, ...bytes: number[]) => ({
  write: true,
  hi: 0,
  lo: address,
  data: Uint8Array.from(bytes),
});
const read = (address: number, length: number) => ({ write: false, hi: 0, lo: address, length });

/** Enables services of ACS in a function: its capability is the first extended one, its control register at 0x106. */
const enable = ({ config }: Pick<Segment, 'config'>, bus: number, devfn: number, services: number) =>
  config.write(bus, devfn, 0x106, 2, services);
const [SV, TB, RR, UF, DT] = [0x1, 0x2, 0x4, 0x10, 0x40];

t.test('the ACS capability is there with the services that are modelled (7.7.8)', async (t) => {
  const { config } = example({ acs: true });
  for (const [bus, devfn, services] of [
    [0, 0x08, 0x5f],
    [2, 0x08, 0x5f],
    [3, 0x00, 0x4c],
  ] as const) {
    t.equal(config.read(bus, devfn, 0x100, 4), 0x0001_000d, 'id 0xd, version 1, the last');
    t.equal(config.read(bus, devfn, 0x104, 2), services);
    t.equal(config.read(bus, devfn, 0x106, 2), 0, 'nothing is enabled out of reset');
    config.write(bus, devfn, 0x106, 2, 0xffff);
    t.equal(config.read(bus, devfn, 0x106, 2), services);
  }
  t.equal(config.read(1, 0, 0x100, 4), 0, 'an upstream port has none');
});

t.test('below one switch a request reaches its peer past any IOMMU', async (t) => {
  const { a0, b, mmio, requests } = example();
  t.equal(a0.run(write(B + BUFFER, 1, 2, 3, 4, 5)).ok, true);
  t.equal(mmio.read(B + BUFFER), 0x0403_0201);
  t.equal(mmio.read(B + BUFFER + 4, 1), 5);
  t.same(b.run(read(A, 4)).data, Uint8Array.of(0x54, 0x57, 0x44, 0x31), 'the registers of its peer');
  t.same(a0.run(read(B + BUFFER + 1, 4)).data, Uint8Array.of(2, 3, 4, 5));
  t.equal(a0.run(write(B + 0x1ffe, 1, 2, 3, 4)).ok, false, 'beyond the end of its memory');
  t.equal(requests.length, 0, 'the root complex saw none of it');
  a0.run(write(0x4000_0000, 9));
  t.match(requests[0], { requester: 0x0300, lo: 0x4000_0000 });
});

t.test('functions of one device reach each other inside it', async (t) => {
  const { a0, a1, mmio, requests } = example();
  t.equal(a0.run(write(A + 0x1_0000 + BUFFER, 0xaa)).ok, true);
  t.equal(mmio.read(A + 0x1_0000 + BUFFER, 1), 0xaa);
  t.same(a1.run(read(A, 1)).data, Uint8Array.of(0x54));
  t.equal(requests.length, 0);
});

t.test('with redirection in the port, and upstream forwarding above, they go to the root complex', async (t) => {
  const made = example({ acs: true });
  const { a0, requests, events } = made;
  enable(made, 2, 0x00, RR);
  t.equal(a0.run(write(B + BUFFER, 1)).ok, false);
  t.equal(requests.length, 0);
  t.match(
    events.find(({ kind }) => kind === 'fault'),
    {
      device: '0000:00:01.0',
      name: 'unsupported request',
      text: /0x10201000 from below lies in the port's own window/,
    },
  );
  enable(made, 0, 0x08, UF);
  a0.run(write(B + BUFFER, 1));
  t.match(requests[0], { requester: 0x0300, lo: B + BUFFER });
});

t.test('a port takes its whole window, whatever is behind it', async (t) => {
  const made = example({ acs: true });
  const { a0, requests, events } = made;
  t.equal(a0.run(write(B + 0x8_0000, 1)).ok, false);
  t.match(events.at(-2), {
    device: '0000:02:00.0',
    name: 'unsupported request',
    text: 'no function decodes 0x10280000',
  });
  enable(made, 2, 0x00, RR);
  enable(made, 0, 0x08, UF);
  a0.run(write(B + 0x8_0000, 1));
  t.match(requests[0], { requester: 0x0300, lo: B + 0x8_0000 });
});

t.test('with redirection in the function too, nothing stays inside the device', async (t) => {
  const made = example({ acs: true });
  const { a0, a1, requests } = made;
  enable(made, 3, 0, RR);
  enable(made, 2, 0x00, RR | UF);
  enable(made, 0, 0x08, UF);
  a0.run(read(A + 0x1_0000, 4));
  t.match(requests[0], { requester: 0x0300, lo: A + 0x1_0000 });
  t.equal(a1.run(read(A, 4)).ok, true, 'function 1 does not redirect');
  t.equal(requests.length, 1);
});

t.test('translated requests stay below the switch where direct translated requests are enabled', async (t) => {
  const made = example({ acs: true });
  const { a0, requests } = made;
  enable(made, 2, 0x00, RR | UF);
  enable(made, 0, 0x08, UF);
  const translated = { ...read(B, 4), addressType: 'translated' } as const;
  a0.run(translated);
  t.equal(requests.length, 1);
  enable(made, 2, 0x00, RR | UF | DT);
  t.equal(a0.run(translated).ok, true);
  t.equal(requests.length, 1);
  a0.run(read(B, 4));
  t.equal(requests.length, 2, 'not translated: redirected all the same');
  t.equal(a0.run({ ...translated, addressType: 'translation request' }).ok, false);
  t.equal(requests.length, 3, 'a translation request asks the root complex');
});

t.test('source validation blocks a requester id of another bus (6.12.1.1)', async (t) => {
  const made = example({ acs: true });
  const { a0, config, requests, events } = made;
  enable(made, 2, 0x00, SV);
  t.equal(a0.run(write(0x4000_0000, 1)).ok, true);
  t.equal(requests.length, 1);
  // The port is told that the bus behind it is another one; the function has not learnt it.
  config.write(2, 0x00, 0x19, 2, 0x0505);
  t.equal(a0.run(write(0x4000_0000, 1)).ok, false);
  t.equal(requests.length, 1);
  t.match(events.at(-2), {
    device: '0000:02:00.0',
    name: 'ACS violation',
    text: 'source validation: requester id 0x300 is of none of the buses behind the port',
  });
  config.write(2, 0x00, 0x19, 2, 0x0202);
  t.equal(a0.run(write(0x4000_0000, 1)).ok, false, 'beyond the subordinate bus');
  enable(made, 2, 0x00, 0);
  t.equal(a0.run(write(0x4000_0000, 1)).ok, true);
});

t.test('translation blocking blocks what claims to be translated, or asks for it', async (t) => {
  const made = example({ acs: true });
  const { a0, requests } = made;
  enable(made, 0, 0x08, TB);
  for (const addressType of ['translated', 'translation request'] as const) {
    t.equal(a0.run({ ...read(0x4000_0000, 4), addressType }).ok, false);
  }
  t.equal(requests.length, 0);
  t.equal(a0.run(read(0x4000_0000, 4)).ok, true);
});

t.test('a bridge without bus master passes no request on, to a peer neither', async (t) => {
  const { a0, config, requests } = example();
  config.write(2, 0x00, 0x04, 2, 2);
  t.equal(a0.run(read(B, 4)).ok, false);
  t.equal(a0.run(read(0x4000_0000, 4)).ok, false);
  config.write(2, 0x00, 0x04, 2, 6);
  config.write(2, 0x08, 0x04, 2, 4);
  t.equal(a0.run(read(B, 4)).ok, false, 'memory space of the port towards the peer is off: the own window above');
  t.equal(requests.length, 0);
});

t.test('integrated endpoints and root ports do not route to each other', async (t) => {
  const made = segment();
  const { rootComplex, bridge, endpoint, requests } = made;
  const first = endpoint(rootComplex.bus, 4);
  const port = bridge(rootComplex.bus, 1, 'root port');
  const behind = endpoint(port.bus, 0);
  configureBridge(made, { bus: 0, devfn: 0x08 }, { secondary: 1, subordinate: 1 }, { base: A, limit: A });
  placeEndpoint(made, { bus: 0, devfn: 0x20 }, B);
  placeEndpoint(made, { bus: 1, devfn: 0 }, A);
  first.run(read(A, 4));
  behind.run(read(B, 4));
  t.same(
    requests.map(({ requester, lo }) => [requester, lo]),
    [
      [0x0020, A],
      [0x0100, B],
    ],
  );
});

/** Root port 00:01.0, bridge 01:00.0 to conventional PCI: 02:00.0, 02:01.0 and a bridge 02:02.0, behind it 03:05.0. */
function conventional() {
  const made = segment();
  const { rootComplex, bridge, endpoint } = made;
  const port = bridge(rootComplex.bus, 1, 'root port', true);
  const toPci = bridge(port.bus, 0, 'pcie-to-pci bridge');
  const first = endpoint(toPci.bus, 0);
  const second = endpoint(toPci.bus, 1, { msi: { vectors: 1, is64Bit: true, isMaskable: false } });
  const further = bridge(toPci.bus, 2, 'conventional');
  const last = endpoint(further.bus, 5);
  configureBridge(made, { bus: 0, devfn: 0x08 }, { secondary: 1, subordinate: 3 }, { base: A, limit: B });
  configureBridge(made, { bus: 1, devfn: 0x00 }, { secondary: 2, subordinate: 3 }, { base: A, limit: B });
  configureBridge(made, { bus: 2, devfn: 0x10 }, { secondary: 3, subordinate: 3 }, { base: B, limit: B });
  placeEndpoint(made, { bus: 2, devfn: 0x00 }, A);
  placeEndpoint(made, { bus: 2, devfn: 0x08 }, A + 0x1_0000);
  placeEndpoint(made, { bus: 3, devfn: 0x28 }, B);
  return { ...made, first, second, last };
}

t.test('what is behind a bridge to conventional PCI shares one requester id: secondary bus, 0.0', async (t) => {
  const { first, second, last, requests, config } = conventional();
  config.write(2, 0x08, 0x44, 4, 0x4000_0000);
  config.write(2, 0x08, 0x42, 2, 1);
  for (const device of [first, second, last]) t.equal(device.run(write(0x4000_0100, 1)).ok, true);
  t.equal(second.signal(0), 'sent');
  t.same(
    requests.map(({ requester }) => requester),
    [0x0200, 0x0200, 0x0200, 0x0200],
  );
});

t.test('conventional functions have no PCI Express capability and 256 bytes of registers', async (t) => {
  const { config } = conventional();
  t.equal(config.read(1, 0x00, 0x42, 2), 0x0072, 'the bridge: version 2, type 7');
  t.equal(config.read(2, 0x00, 0x34, 1), 0, 'no capability at all');
  t.equal(config.read(2, 0x00, 0x06, 2) & 0x10, 0);
  t.equal(config.read(2, 0x08, 0x34, 1), 0x40);
  t.equal(config.read(2, 0x08, 0x40, 1), 0x05, 'MSI is the first');
  t.equal(config.read(2, 0x10, 0x34, 1), 0, 'the conventional bridge');
  t.equal(config.read(2, 0x00, 0x100, 4), 0xffff_ffff);
});

t.test('agents of a conventional bus reach each other on it', async (t) => {
  const { first, second, last, requests } = conventional();
  t.same(first.run(read(A + 0x1_0000, 1)).data, Uint8Array.of(0x54));
  t.same(second.run(read(B, 1)).data, Uint8Array.of(0x54), 'behind the next bridge');
  t.same(last.run(read(A, 1)).data, Uint8Array.of(0x54));
  t.equal(requests.length, 0);
  t.equal(first.run({ ...read(0x4000_0000, 1), pasid: 1 }).ok, false, 'no PASID there');
});

t.test('a conventional bridge on a PCI Express bus is the requester itself', async (t) => {
  const made = segment();
  const { rootComplex, bridge, endpoint, requests } = made;
  const legacy = bridge(rootComplex.bus, 0x1e, 'conventional');
  const device = endpoint(legacy.bus, 3);
  configureBridge(made, { bus: 0, devfn: 0xf0 }, { secondary: 1, subordinate: 1 }, { base: A, limit: A });
  placeEndpoint(made, { bus: 1, devfn: 0x18 }, A);
  t.equal(device.run(write(0x4000_0000, 1)).ok, true);
  t.equal(requests[0]?.requester, 0x00f0);
});
