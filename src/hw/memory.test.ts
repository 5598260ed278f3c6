import fc from 'fast-check';
import t from 'tap';
import { pa } from './address.js';
import { PhysicalMemory } from './memory.js';

/** 64 KiB of RAM at 1 GiB, and one page at the very top of 52 bits. */
function memory(): PhysicalMemory {
  const m = new PhysicalMemory();
  m.addRange(pa(2 ** 52 - 4096), 4096);
  m.addRange(pa(0x4000_0000), 0x1_0000);
  return m;
}

t.test('RAM is zero until it is written, byte addressable and little-endian', async (t) => {
  const m = memory();
  const out = new Uint32Array(4);
  t.ok(m.load64(0x4000_0000, out));
  t.same([...out.subarray(0, 2)], [0, 0]);
  t.ok(m.write(0x4000_0001, Uint8Array.of(0x11, 0x22, 0x33)));
  t.ok(m.load64(0x4000_0000, out));
  t.same([...out.subarray(0, 2)], [0x3322_1100, 0]);
  t.ok(m.storeWords(0x4000_0010, [1, 0xffff_ffff, 3, 4]));
  t.ok(m.loadWords(0x4000_0010, out, 4));
  t.same([...out], [1, 0xffff_ffff, 3, 4]);
  const bytes = new Uint8Array(3);
  t.ok(m.read(0x4000_0013, bytes));
  t.same([...bytes], [0, 0xff, 0xff]);
});

t.test('accesses cross pages, but never the end of RAM', async (t) => {
  const m = memory();
  const data = Uint8Array.from({ length: 9000 }, (_, i) => i & 0xff);
  t.ok(m.write(0x4000_0ff0, data));
  const read = new Uint8Array(9000);
  t.ok(m.read(0x4000_0ff0, read));
  t.same(read, data);
  t.notOk(m.write(0x4000_fff8, new Uint8Array(9).fill(1)), 'one byte too many');
  const last = new Uint8Array(8).fill(7);
  t.ok(m.read(0x4000_fff8, last));
  t.same([...last], [0, 0, 0, 0, 0, 0, 0, 0], 'and nothing was written');
  const none = new Uint8Array(2).fill(7);
  t.notOk(m.read(0x3fff_ffff, none));
  t.same([...none], [0, 0], 'a failed read gives zeros');
  t.notOk(m.storeWords(0x3fff_fff0, [1, 2, 3, 4]));
  t.notOk(m.loadWords(0x3fff_fff0, new Uint32Array(4), 4));
  t.notOk(m.load64(0x3fff_fff8, new Uint32Array(2)));
});

t.test('the top of 52 bits is as good as any other address', async (t) => {
  const m = memory();
  const out = new Uint32Array(2);
  t.ok(m.write(2 ** 52 - 1, Uint8Array.of(0xab)));
  t.ok(m.load64(2 ** 52 - 8, out));
  t.same([...out], [0, 0xab00_0000]);
  t.ok(m.load64(2 ** 52 - 1, out), 'rounded down to a multiple of 8');
  t.same([...out], [0, 0xab00_0000]);
});

t.test('pages that share a slot of the page cache stay apart', async (t) => {
  const m = new PhysicalMemory();
  m.addRange(pa(0), 0x200_0000);
  for (let i = 0; i < 8; i++) m.write(i * 0x40_0000, Uint8Array.of(i + 1));
  for (let i = 0; i < 8; i++) {
    const byte = new Uint8Array(1);
    m.read(i * 0x40_0000, byte);
    t.equal(byte[0], i + 1);
  }
});

t.test('changed() tells bytes that differ from what they were, joined over pages', async (t) => {
  const m = memory();
  t.same(m.changed(), []);
  m.write(0x4000_2000, Uint8Array.of(5));
  m.write(0x4000_0ffe, Uint8Array.of(1, 2, 3, 4));
  m.write(0x4000_3000, Uint8Array.of(0));
  t.same(m.changed(), [
    { address: 0x4000_0ffe, length: 4 },
    { address: 0x4000_2000, length: 1 },
  ]);
  t.same(m.changed(), [], 'asking begins anew');
  m.write(0x4000_2000, Uint8Array.of(6));
  m.write(0x4000_2000, Uint8Array.of(5));
  t.same(m.changed(), [], 'written back to what it was');
  m.write(0x4000_2000, Uint8Array.of(5, 0, 7));
  t.same(m.changed(), [{ address: 0x4000_2002, length: 1 }]);
});

t.test('poke is no change, and does not hide one', async (t) => {
  const m = memory();
  t.ok(m.poke(0x4000_0fff, Uint8Array.of(1, 2)));
  t.same(m.changed(), []);
  m.write(0x4000_0000, Uint8Array.of(9));
  t.ok(m.poke(0x4000_0001, Uint8Array.of(8)));
  t.same(m.changed(), [{ address: 0x4000_0000, length: 1 }]);
  t.notOk(m.poke(0x3fff_ffff, Uint8Array.of(1)));
});

t.test('a saved memory is loaded as it was', async (t) => {
  const m = memory();
  m.write(0x4000_1234, Uint8Array.of(1, 2, 3));
  m.write(0x4000_8000, Uint8Array.of(0));
  const saved = m.save();
  t.same(
    saved.map((page) => page.address),
    [0x4000_1000],
    'pages of zeros are left out',
  );
  m.write(0x4000_1234, Uint8Array.of(9));
  m.write(0x4000_9000, Uint8Array.of(9));
  m.load(saved);
  const bytes = new Uint8Array(3);
  m.read(0x4000_1234, bytes);
  t.same([...bytes], [1, 2, 3]);
  m.read(0x4000_9000, bytes);
  t.same([...bytes], [0, 0, 0]);
  t.same(m.changed(), [], 'loading is no change');
  const other = new PhysicalMemory();
  other.addRange(pa(0), 4096);
  t.throws(() => other.load(saved), /no RAM for the saved page 0x40001000/);
});

t.test('RAM ranges are whole pages and do not overlap', async (t) => {
  const m = memory();
  t.throws(() => m.addRange(pa(0x5000_0001), 4096), /not whole pages/);
  t.throws(() => m.addRange(pa(0x5000_0000), 4095), /not whole pages/);
  t.throws(() => m.addRange(pa(0x5000_0000), 0), /not whole pages/);
  t.throws(() => m.addRange(pa(0x4000_f000), 0x2000), /0x4000f000 overlaps RAM at 0x40000000/);
  t.same(
    m.ranges.map((r) => r.address),
    [0x4000_0000, 2 ** 52 - 4096],
  );
});

t.test('memory behaves as one flat array of bytes', async () => {
  const operation = fc.tuple(fc.nat(0x2_0100), fc.uint8Array({ minLength: 1, maxLength: 40 }), fc.boolean());
  fc.assert(
    fc.property(fc.array(operation, { maxLength: 30 }), (operations) => {
      const m = new PhysicalMemory();
      m.addRange(pa(0x1000), 0x2_0000);
      const flat = new Uint8Array(0x3_0000);
      for (const [at, data, write] of operations) {
        const inside = at >= 0x1000 && at + data.length <= 0x2_1000;
        if (write) {
          if (m.write(at, data) !== inside) return false;
          if (inside) flat.set(data, at);
        } else {
          const out = new Uint8Array(data.length);
          if (m.read(at, out) !== inside) return false;
          if (inside && Buffer.compare(out, flat.subarray(at, at + data.length)) !== 0) return false;
        }
      }
      const reported = new Uint8Array(flat.length);
      for (const { address, length } of m.changed()) reported.fill(1, address, address + length);
      return flat.every((byte, i) => (byte !== 0) === (reported[i] === 1));
    }),
    { numRuns: 100, seed: 5 },
  );
});
