import fc from 'fast-check';
import t from 'tap';
import { describe, encode, get, getAddress, layout, put, putAddress } from './bits.js';

t.test('a field lies where its bits say, also across words', async (t) => {
  const form = layout('example', 128, { LOW: [3, 0], ACROSS: [35, 28], BIT: 63, ADDRESS: [115, 68] });
  const words = Uint32Array.of(0xf000_000a, 0x8000_0005, 0x8765_4320, 0x000f_edcb);
  t.equal(get(words, form.LOW), 0xa);
  t.equal(get(words, form.ACROSS), 0x5f);
  t.equal(get(words, form.BIT), 1);
  t.equal(get(words, form.ADDRESS), 0xfedc_b876_5432);
  t.equal(
    getAddress(words, form.ADDRESS),
    0xfedc_b876_54320,
    'in place: bit 68 has the weight of bit 4 of its doubleword',
  );
});

t.test('putting a value changes no other bit', async (t) => {
  const form = layout('example', 64, { ACROSS: [35, 28] });
  const words = Uint32Array.of(0xffff_ffff, 0xffff_ffff);
  put(words, form.ACROSS, 0);
  t.same([...words], [0x0fff_ffff, 0xffff_fff0]);
  put(words, form.ACROSS, 0xa5);
  t.same([...words], [0x5fff_ffff, 0xffff_fffa]);
});

t.test('a field of 32 bits is unsigned', async (t) => {
  const form = layout('example', 64, { WORD: [63, 32] });
  const words = new Uint32Array(2);
  put(words, form.WORD, 0xffff_ffff);
  t.equal(get(words, form.WORD), 0xffff_ffff);
});

t.test('values and addresses that do not fit are refused', async (t) => {
  const form = layout('example', 64, { NIBBLE: [3, 0], ADDRESS: [51, 12] });
  const words = new Uint32Array(2);
  t.throws(() => put(words, form.NIBBLE, 16), /NIBBLE has 4 bits and cannot hold 16/);
  t.throws(() => put(words, form.NIBBLE, -1), RangeError);
  t.throws(() => put(words, form.NIBBLE, 1.5), RangeError);
  t.throws(() => putAddress(words, form.ADDRESS, 0x1800), /unaligned/);
  t.throws(() => putAddress(words, form.ADDRESS, 2 ** 52), RangeError);
  putAddress(words, form.ADDRESS, 0xf_ffff_ffff_f000);
  t.same([...words], [0xffff_f000, 0x000f_ffff]);
});

t.test('a layout that contradicts itself does not load', async (t) => {
  t.throws(() => layout('x', 32, { A: [3, 0], B: [4, 3] }), /x\.B overlaps A at bit 3/);
  t.throws(() => layout('x', 32, { A: [32, 30] }), /does not lie in 32 bits/);
  t.throws(() => layout('x', 32, { A: [0, 3] }), RangeError);
  t.throws(() => layout('x', 128, { A: [64, 31] }), /touches three words/);
  t.throws(() => layout('x', 64, { A: [63, 0] }), /more than a number holds/);
});

t.test('encode and describe name fields', async (t) => {
  const form = layout('example', 64, { V: 0, CONFIG: [3, 1], TABLE: [51, 12] });
  const words = encode(form, 64, { V: 1, CONFIG: 6, TABLE: 0x40000 });
  t.same([...words], [0x4000_000d, 0]);
  t.equal(describe(form, words), 'V=1 CONFIG=6 TABLE=0x40000000', 'an address is told in place');
});

t.test('what is put is got, and nothing else moves', async () => {
  const place = fc
    .integer({ min: 1, max: 53 })
    .chain((width) =>
      fc.tuple(fc.constant(width), fc.nat(128 - width), fc.bigInt({ min: 0n, max: (1n << BigInt(width)) - 1n })),
    );
  fc.assert(
    fc.property(place, fc.bigInt({ min: 0n, max: (1n << 128n) - 1n }), ([width, lsb, value], before) => {
      if ((lsb + width - 1) >> 5 > (lsb >> 5) + 1) return true;
      const form = layout('x', 128, { F: [lsb + width - 1, lsb] });
      const words = Uint32Array.from({ length: 4 }, (_, i) => Number((before >> BigInt(32 * i)) & 0xffff_ffffn));
      put(words, form.F, Number(value));
      const mask = ((1n << BigInt(width)) - 1n) << BigInt(lsb);
      const after = words.reduce((sum, word, i) => sum | (BigInt(word) << BigInt(32 * i)), 0n);
      return after === ((before & ~mask) | (value << BigInt(lsb))) && BigInt(get(words, form.F)) === value;
    }),
    { numRuns: 500, seed: 6 },
  );
});
