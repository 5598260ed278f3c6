import fc from 'fast-check';
import t from 'tap';
import type { MsixDescription } from './msix.js';
import { BAR, segment } from './pci.test-support.js';

/** 70 vectors, table at 0x2000 of base address register 2, pending bits at 0x3000 of register 4. */
const WIDE: MsixDescription = {
  vectors: 70,
  table: { bar: 2, offset: 0x2000 },
  pendingBits: { bar: 4, offset: 0x3008 },
};
const BARS = [
  BAR,
  { index: 2, size: 0x4000, is64Bit: false, prefetchable: false },
  { index: 4, size: 0x4000, is64Bit: false, prefetchable: false },
];
const TABLE = 0x1010_2000;
const PENDING = 0x1020_3008;

/** An endpoint at 00:01.0 with MSI-X behind the PCI Express capability, at 0x7c, its memory placed. */
function example(msix = WIDE) {
  const made = segment();
  const endpoint = made.endpoint(made.rootComplex.bus, 1, { msix, bars: BARS });
  const write = (offset: number, width: 1 | 2 | 4, value: number) => made.config.write(0, 8, offset, width, value);
  const place = () => {
    write(0x10, 4, 0x1000_0000);
    write(0x18, 4, 0x1010_0000);
    write(0x20, 4, 0x1020_0000);
    write(0x04, 2, 6);
  };
  place();
  return {
    ...made,
    endpoint,
    place,
    read: (offset: number, width: 1 | 2 | 4) => made.config.read(0, 8, offset, width),
    write,
  };
}

t.test('the capability says how many entries there are and where (7.7.2.2 to 7.7.2.4)', async (t) => {
  const { read, write } = example();
  t.equal(read(0x7c, 2), 0x0011, 'id 0x11, the last');
  t.equal(read(0x7e, 2), 69, 'entries less one');
  t.equal(read(0x80, 4), 0x2002, 'offset 0x2000 in register 2');
  t.equal(read(0x84, 4), 0x300c, 'offset 0x3008 in register 4');
  write(0x7e, 2, 0xffff);
  t.equal(read(0x7e, 2), 0xc045, 'enable 15, function mask 14; the rest is read-only');
  write(0x80, 4, 0);
  t.equal(read(0x80, 4), 0x2002);
});

t.test('entries come out of reset masked, with 16 bytes each', async (t) => {
  const { mmio } = example();
  for (const vector of [0, 1, 69]) {
    t.equal(mmio.read(TABLE + vector * 16 + 12), 1);
    t.equal(mmio.read(TABLE + vector * 16), 0);
  }
  t.equal(mmio.read(TABLE + 70 * 16 + 12), 0, 'behind the table: plain memory');
  mmio.write(TABLE + 16 + 12, 0xffff_fffe);
  t.equal(mmio.read(TABLE + 16 + 12), 0, 'only the mask bit is there');
  mmio.write(TABLE, 0xffff_ffff);
  t.equal(mmio.read(TABLE), 0xffff_fffc, 'the low bits of an address are 0');
});

t.test('each vector has its own message', async (t) => {
  const { endpoint, mmio, write, requests } = example();
  t.equal(endpoint.signal(69), 'disabled');
  for (const vector of [3, 69]) {
    mmio.write(TABLE + vector * 16, 0x4000_0000 + vector * 4);
    mmio.write(TABLE + vector * 16 + 4, vector === 69 ? 1 : 0);
    mmio.write(TABLE + vector * 16 + 8, 0x8000_0000 + vector);
    mmio.write(TABLE + vector * 16 + 12, 0);
  }
  write(0x7e, 2, 0x8000);
  t.equal(endpoint.signal(3), 'sent');
  t.equal(endpoint.signal(69), 'aborted', 'no memory there');
  t.equal(endpoint.signal(70), 'disabled', 'no such vector');
  t.match(requests[0], { requester: 0x0008, write: true, hi: 0, lo: 0x4000_000c });
  t.same([...(requests[0]?.data ?? [])], [3, 0, 0, 0x80], 'all 32 bits of the data');
  t.match(requests[1], { hi: 1, lo: 0x4000_0114 });
});

t.test('a masked vector is pending in the bit array, and is sent when its mask is cleared', async (t) => {
  const { endpoint, mmio, write, requests } = example();
  write(0x7e, 2, 0x8000);
  mmio.write(TABLE + 65 * 16, 0x4000_0000);
  t.equal(endpoint.signal(65), 'pending');
  t.equal(mmio.read(PENDING + 8), 0x2, 'bit 65');
  t.equal(mmio.read(PENDING), 0);
  mmio.write(TABLE + 65 * 16 + 12, 0);
  t.equal(requests.length, 1);
  t.equal(mmio.read(PENDING + 8), 0);
});

t.test('the function mask masks every vector', async (t) => {
  const { endpoint, mmio, write, requests } = example();
  for (const vector of [0, 31, 32]) {
    mmio.write(TABLE + vector * 16, 0x4000_0000);
    mmio.write(TABLE + vector * 16 + 8, vector);
    mmio.write(TABLE + vector * 16 + 12, 0);
  }
  write(0x7e, 2, 0xc000);
  for (const vector of [32, 0, 31, 5]) t.equal(endpoint.signal(vector), 'pending');
  t.equal(mmio.read(PENDING), 0x8000_0021);
  t.equal(mmio.read(PENDING + 4), 1);
  write(0x7f, 1, 0x80);
  t.same(
    requests.map(({ data }) => data[0]),
    [0, 31, 32],
    'vector 5 has a mask of its own',
  );
  t.equal(mmio.read(PENDING), 0x20);
});

t.test('what the specification leaves undefined is misuse (6.1.4.2)', async (t) => {
  const { mmio, write, problems, endpoint } = example();
  const told = () => problems.splice(0).map(({ text }) => text.replace('0000:00:01.0: ', ''));
  t.equal(mmio.read(TABLE + 12, 1), 1);
  t.same(told(), ['read of 1 bytes of the MSI-X table or pending bits']);
  mmio.write(TABLE + 12, 0, 2);
  t.same(told(), ['write of 2 bytes to the MSI-X table or pending bits']);
  write(0x7e, 2, 0x8000);
  mmio.write(TABLE, 0x4000_0000);
  t.same(told(), ['MSI-X vector 0 gets a new message while it is not masked']);
  mmio.write(TABLE, 0x4000_0000);
  t.same(told(), [], 'the message that it has is no new one');
  endpoint.signal(1);
  mmio.write(PENDING, 0);
  t.same(told(), ['write to the MSI-X pending bits']);
  t.equal(mmio.read(PENDING), 2, 'and it stays pending');
  mmio.write(TABLE + 16, 0x4000_0000);
  mmio.write(TABLE + 28, 0);
  t.same(told(), [], 'a masked entry may change');
});

t.test('MSI and MSI-X both enabled is misuse, told once; MSI-X is then used', async (t) => {
  const made = segment();
  const msi = { vectors: 1, is64Bit: false, isMaskable: false };
  const endpoint = made.endpoint(made.rootComplex.bus, 1, { msi, msix: WIDE, bars: BARS });
  made.config.write(0, 8, 0x04, 2, 6);
  t.equal(made.config.read(0, 8, 0x7d, 1), 0x88, 'MSI-X behind 10 bytes of MSI');
  made.config.write(0, 8, 0x7e, 2, 1);
  t.same(made.problems, []);
  made.config.write(0, 8, 0x8a, 2, 0xc000);
  made.config.write(0, 8, 0x8a, 2, 0xc000);
  t.same(
    made.problems.map(({ channel, text }) => `${channel}: ${text}`),
    ['misuse: 0000:00:01.0: MSI and MSI-X are both enabled'],
  );
  t.equal(endpoint.signal(0), 'pending');
});

t.test('a function level reset masks every entry and forgets what was pending', async (t) => {
  const { endpoint, mmio, write, place, requests } = example();
  write(0x7e, 2, 0xc000);
  mmio.write(TABLE, 0x4000_0000);
  mmio.write(TABLE + 12, 0);
  endpoint.signal(0);
  write(0x48, 2, 0x8000);
  place();
  t.equal(mmio.read(TABLE + 12), 1);
  t.equal(mmio.read(TABLE), 0);
  t.equal(mmio.read(PENDING), 0);
  t.equal(requests.length, 0);
});

t.test('table and pending bits are saved', async (t) => {
  const [one, other] = [example(), example()];
  one.write(0x7e, 2, 0x8000);
  one.mmio.write(TABLE + 69 * 16 + 8, 0x1234);
  one.endpoint.signal(69);
  other.rootComplex.load(one.rootComplex.save());
  t.equal(other.mmio.read(TABLE + 69 * 16 + 8), 0x1234);
  t.equal(other.mmio.read(PENDING + 8), 1 << 5);
  other.mmio.write(TABLE + 69 * 16, 0x4000_0000);
  other.mmio.write(TABLE + 69 * 16 + 12, 0);
  t.equal(other.requests.length, 1);
});

t.test('2048 vectors at most, inside the memory of the function and not on each other', async (t) => {
  const place = (vectors: number, table: [number, number], pendingBits: [number, number]) => () =>
    example({
      vectors,
      table: { bar: table[0], offset: table[1] },
      pendingBits: { bar: pendingBits[0], offset: pendingBits[1] },
    });
  t.throws(place(2049, [2, 0], [4, 0]), /1 to 2048 vectors, not 2049/);
  t.throws(place(0, [2, 0], [4, 0]), RangeError);
  t.throws(place(1024, [2, 0x10], [4, 0]), /table lies in no/);
  t.throws(place(1, [1, 0], [4, 0]), /table lies in no/);
  t.throws(place(1, [2, 4], [4, 0]), /table lies in no/, 'not on 8 bytes');
  t.throws(place(65, [2, 0], [4, 0x3ff8]), /pending bits lie in no/, 'two quadwords');
  t.throws(place(2, [2, 0], [2, 0x18]), /lie in the table/);
  t.doesNotThrow(place(1024, [2, 0], [4, 0x3f80]));
  t.doesNotThrow(place(2, [2, 0], [2, 0x20]));
});

t.test('whatever software and device do, no interrupt is lost and none is invented', async () => {
  const step = fc.oneof(
    fc.record({ do: fc.constant('signal' as const), vector: fc.nat(3) }),
    fc.record({ do: fc.constant('mask' as const), vector: fc.nat(3), value: fc.nat(1) }),
    fc.record({ do: fc.constant('control' as const), value: fc.constantFrom(0, 0x8000, 0xc000) }),
  );
  fc.assert(
    fc.property(fc.array(step, { maxLength: 30 }), (steps) => {
      const { endpoint, mmio, write, requests } = example();
      const state = { control: 0, masked: [1, 1, 1, 1], pending: [0, 0, 0, 0], sent: 0 };
      for (let vector = 0; vector < 4; vector++) mmio.write(TABLE + vector * 16, 0x4000_0000);
      const deliver = () => {
        for (let v = 0; v < 4; v++) {
          if (state.control !== 0x8000 || state.masked[v] || !state.pending[v]) continue;
          state.pending[v] = 0;
          state.sent++;
        }
      };
      for (const s of steps) {
        if (s.do === 'signal') {
          endpoint.signal(s.vector);
          if (state.control !== 0) state.pending[s.vector] = 1;
        } else if (s.do === 'mask') {
          mmio.write(TABLE + s.vector * 16 + 12, s.value);
          state.masked[s.vector] = s.value;
        } else {
          write(0x7e, 2, s.value);
          state.control = s.value;
        }
        deliver();
        const bits = state.pending.reduce((word, bit, v) => word | (bit << v), 0);
        if (requests.length !== state.sent || mmio.read(PENDING) !== bits) return false;
      }
      return true;
    }),
    { numRuns: 200, seed: 3 },
  );
});
