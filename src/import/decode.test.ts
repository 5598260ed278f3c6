import fc from 'fast-check';
import t from 'tap';
import { decode } from './decode.js';

/** Bytes that are often next to each other in ill-formed UTF-8. */
const byte = fc.constantFrom(
  0x41,
  0x0a,
  0x80,
  0xbf,
  0xc1,
  0xc2,
  0xe0,
  0xa0,
  0xed,
  0x9f,
  0xef,
  0xf0,
  0x90,
  0xf4,
  0x8f,
  0xff,
);

t.test('what a strict decoder takes is text; else the place is where it fails', async (t) => {
  fc.assert(
    fc.property(fc.array(byte, { maxLength: 12 }), (values) => {
      const bytes = Uint8Array.from(values);
      const strict = (part: Uint8Array) => {
        try {
          return new TextDecoder('utf-8', { fatal: true }).decode(part);
        } catch {
          return undefined;
        }
      };
      const result = decode(bytes, 'a');
      if (typeof result === 'string') {
        if (result !== strict(bytes)) throw new Error('another text');
        return;
      }
      const at = Number(/byte offset (\d+)/.exec(result.message)?.[1]);
      const before = strict(bytes.subarray(0, at));
      if (strict(bytes) !== undefined || before === undefined) throw new Error(`wrong place ${at}`);
      if (result.place?.offset !== before.length) throw new Error(`wrong offset ${result.place?.offset}`);
      for (let more = 1; more <= 4 && at + more <= bytes.length; more++) {
        if (strict(bytes.subarray(0, at + more)) !== undefined) throw new Error(`valid beyond ${at}`);
      }
    }),
    { seed: 3, numRuns: 3000 },
  );
  t.pass();
});

t.test('surrogates and overlong forms are no UTF-8', async (t) => {
  t.match(decode(Uint8Array.of(0x41, 0xed, 0xa0, 0x80), 'a'), { code: 'file-not-utf8', place: { column: 2 } });
  t.match(decode(Uint8Array.of(0xc0, 0x80), 'a'), { code: 'file-not-utf8', place: { column: 1 } });
});
