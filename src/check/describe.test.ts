import fc from 'fast-check';
import t from 'tap';
import { describeThrown, describeValue, oneLine } from './describe.js';

t.test('a line has no control characters and keeps to its limit', async (t) => {
  t.equal(oneLine('  a\n\tb\u0000c  '), 'a b c');
  t.equal(oneLine('x'.repeat(501)), `${'x'.repeat(499)}…`);
  t.equal(oneLine('x'.repeat(500)), 'x'.repeat(500));
});

t.test('integers of 1024 and above are shown in hexadecimal too', async (t) => {
  t.equal(describeValue(1023), '1023');
  t.equal(describeValue(0x40000000), '1073741824 (0x40000000)');
  t.equal(describeValue(0x10000000000n), '1099511627776n (0x10000000000)');
  t.equal(describeValue(-0), '-0');
  t.equal(describeValue(-4096), '-4096 (-0x1000)');
});

t.test('an error is its name and message, anything else is said to be none', async (t) => {
  t.equal(describeThrown(new TypeError('x')).message, 'TypeError: x');
  t.equal(describeThrown(new RangeError()).message, 'RangeError');
  t.equal(describeThrown('x').message, "threw 'x', which is no Error");
  t.match(describeThrown(new Error('at x:1:1)')).stack, /^\n {4}at /, 'a message is not mistaken for a call');
});

t.test('nothing that is shown throws or takes more than a line', async () => {
  fc.assert(
    fc.property(
      fc.anything({
        withBigInt: true,
        withDate: true,
        withMap: true,
        withSet: true,
        withSparseArray: true,
        withTypedArray: true,
      }),
      (value) => {
        const { message } = describeThrown(value);
        return message.length <= 500 && !message.includes('\n') && describeValue(value).length <= 500;
      },
    ),
    { seed: 7, numRuns: 300 },
  );
});
