import t from 'tap';
import { colourLevel } from './colour.js';

t.test('the flag beats FORCE_COLOR, which beats NO_COLOR, which beats the terminal', async (t) => {
  const level = (flag: boolean | undefined, env: Record<string, string>, terminal: boolean) =>
    colourLevel({ flag, env, terminal });
  t.equal(level(undefined, {}, true), 1);
  t.equal(level(undefined, {}, false), 0);
  t.equal(level(undefined, { NO_COLOR: '1' }, true), 0);
  t.equal(level(undefined, { NO_COLOR: '' }, true), 1, 'an empty NO_COLOR does not count');
  t.equal(level(undefined, { NO_COLOR: '1', FORCE_COLOR: '1' }, false), 1);
  t.equal(level(undefined, { FORCE_COLOR: '0' }, true), 0);
  t.equal(level(false, { FORCE_COLOR: '1' }, true), 0);
  t.equal(level(true, { NO_COLOR: '1' }, false), 1);
  t.equal(level(undefined, { TERM: 'dumb' }, true), 0);
});
