import t from 'tap';
import { items } from '../trace/items.test-support.js';
import { linkItems } from '../trace/linker.js';
import { bindChecks, diagnoseMutants } from './bind.js';
import { check, fold, mutant, record } from './matrix.test-support.js';

const trace = linkItems(items('dsn~a~2', 'dsn~twice~1', 'dsn~twice~1', 'dsn~a~1'));

function status(requirement: string): string[] {
  return bindChecks(trace, [check(requirement, 'x')]).bindings.map((one) => `${one.status} ${one.items.join(' ')}`);
}

t.test('a check binds the item with the very id', async (t) => {
  t.same(status('dsn~a~1'), ['bound dsn~a~1']);
  t.same(bindChecks(trace, [check('dsn~a~1', 'x')]).diagnostics, []);
});

t.test('another revision is outdated or predated, by the newest that exists', async (t) => {
  t.same(status('dsn~a~0'), ['outdated dsn~a~1 dsn~a~2']);
  t.same(status('dsn~a~3'), ['predated dsn~a~1 dsn~a~2']);
});

t.test('several items with the id make it ambiguous, none orphaned', async (t) => {
  t.same(status('dsn~twice~1'), ['ambiguous dsn~twice~1']);
  t.same(status('dsn~b~1'), ['orphaned ']);
  t.same(status('no id'), ['orphaned ']);
  t.same(status('__proto__'), ['orphaned ']);
});

t.test('whatever is not bound is an error; an orphan names the nearest ids', async (t) => {
  const { diagnostics } = bindChecks(trace, [check('dsn~twce~1', 'x'), check('dsn~a~3', 'y')]);
  t.match(diagnostics, [
    {
      code: 'check-orphaned',
      severity: 'error',
      message: "check 'x' binds dsn~twce~1: no item has that id",
      hint: 'did you mean dsn~twice~1?',
      place: { path: 'checks/lamp.check.ts' },
    },
    { code: 'check-predated', severity: 'error', hint: 'review the check against dsn~a~2 and bind that' },
  ]);
});

t.test('a title stands once within a requirement', async (t) => {
  const { diagnostics } = bindChecks(trace, [check('dsn~a~1', 'x'), check('dsn~a~2', 'x'), check('dsn~a~1', 'x')]);
  t.same(
    diagnostics.map((one) => one.code),
    ['check-duplicate'],
  );
});

t.test('a check at another revision makes the cell of the item that exists an error', async (t) => {
  const matrix = fold({
    lines: ['dsn~a~2'],
    declared: [check('dsn~a~1', 'x')],
    records: [record('dsn~a~1', 'x', 'pass')],
  });
  const cell = matrix.rows[0]?.verdicts['arm64-smmuv3'];
  t.equal(cell?.verdict, 'error');
  t.equal(cell?.reason, "check 'x' binds dsn~a~1: a newer revision exists");
});

t.test('a mutant of an id that does not exist is an error', async (t) => {
  const found = diagnoseMutants(trace, [mutant('m', 'dsn~a~1'), mutant('n', 'dsn~twic~1')]);
  t.match(found, [{ code: 'mutant-unbound', severity: 'error', hint: 'did you mean dsn~twice~1?' }]);
  t.equal(found.length, 1);
});
