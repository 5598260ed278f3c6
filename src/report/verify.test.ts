import t from 'tap';
import { check, fold, record } from '../matrix/matrix.test-support.js';
import { NO_COLOUR } from './colour.js';
import { verifyText } from './verify.js';

t.test('titles of checks and of surviving mutants keep to the width', async (t) => {
  const title = 'a device that no domain owns reaches no memory, whatever it asks for and however often';
  const matrix = fold({
    lines: ['dsn~a~1'],
    declared: [check('dsn~a~1', title)],
    records: [
      record('dsn~a~1', title, 'pass'),
      record('dsn~a~1', title, 'pass', { mutant: 'the stream table entry stays valid when the device is taken away' }),
    ],
  });
  for (const width of [60, 80, 200]) {
    const text = verifyText({ matrix, rows: matrix.rows }, { colour: NO_COLOUR, width });
    t.same(
      text.split('\n').filter((line) => line.length > width),
      [],
      `${width} columns`,
    );
    t.ok(text.replace(/\s+/g, ' ').includes(`✔ ${title} (`));
    t.ok(text.replace(/\s+/g, ' ').includes('mutant survived: the stream table entry stays valid when'));
  }
});
