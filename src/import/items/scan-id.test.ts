import t from 'tap';
import { findIds, findLookAlike, normalisedId, readId, scanId } from './scan-id.js';

const behind = (text: string, at = 0) => scanId(text, at, text.length);

t.test('an id is type~name~revision and ends where the revision ends', async (t) => {
  t.equal(behind('req~a~1'), 7);
  t.equal(behind('req~a_b-c.d~12 and text'), 14);
  t.equal(behind('XenSwdgn~arm64_uart_probe_dt~1`'), 30);
});

t.test('what OpenFastTrace takes for no id is none', async (t) => {
  for (const text of [
    'req',
    'req~',
    'req~a',
    'req~a~',
    'req~a~x',
    'r2~a~1',
    '~a~1',
    'req~1a~1',
    'req~a..b~1',
    'req~a.~1',
    'req~ a~1',
  ]) {
    t.equal(behind(text), -1, text);
  }
});

t.test('a name may hold letters of any script, a type may not', async (t) => {
  t.equal(behind('req~größe~1'), 11);
  t.equal(behind('größe~a~1'), -1);
});

t.test('a revision above 2^31 - 1 is found as an id but cannot be read', async (t) => {
  t.same(readId('req~a~2147483647', 0, 16), { type: 'req', name: 'a', revision: 2147483647 });
  t.equal(readId('req~a~2147483648', 0, 16), undefined);
  t.equal(readId('req~a~99999999999999999999', 0, 26), undefined);
});

t.test('leading zeros of a revision do not count', async (t) => {
  t.equal(normalisedId('req~a~007', 0, 9), 'req~a~7');
  t.equal(normalisedId('req~a~0', 0, 7), 'req~a~0');
});

t.test('ids in a line are found only apart from word characters', async (t) => {
  const text = '[x](#req~a~1) `req~b~2` 1req~c~3 req~d~4x a~b~c~5';
  t.same(
    findIds(text, 0, text.length).map(({ start, end }) => text.slice(start, end)),
    ['req~a~1', 'req~b~2', 'b~c~5'],
  );
});

t.test('a look-alike may have blanks around its tildes', async (t) => {
  const text = ' see XenSwdgn ~ x ~1 there';
  const found = findLookAlike(text, 0, text.length);
  t.equal(text.slice(found?.start, found?.end), 'XenSwdgn ~ x ~1');
  t.equal(findLookAlike('about ~5 or ~/home', 0, 18), undefined);
});
