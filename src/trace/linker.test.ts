import t from 'tap';
import type { Item } from '../core/item.js';
import type { LinkedItem, Trace } from '../core/trace.js';
import { items } from './items.test-support.js';
import { linkItems } from './linker.js';

function linked(trace: Trace, id: string): LinkedItem {
  const found = trace.items.find((one) => one.item.id === id);
  if (found === undefined) throw new Error(`no item ${id}`);
  return found;
}

/** `status id` of each link, outgoing with `→`, incoming with `←`. */
function links(one: LinkedItem): string[] {
  return [
    ...one.outgoing.map(({ status, id }) => `→ ${status} ${id}`),
    ...one.incoming.map(({ status, id }) => `← ${status} ${id}`),
  ];
}

function defects(trace: Trace): string[] {
  return trace.items.filter((one) => one.defect).map((one) => one.item.id);
}

function codes(trace: Trace): string[] {
  return trace.diagnostics.map(({ severity, code }) => `${severity} ${code}`);
}

t.test('a needed type that an item covers is a clean link, seen from both ends', async (t) => {
  const trace = linkItems(items('req~a~1 needs dsn', 'dsn~b~1 covers req~a~1'));
  t.same(links(linked(trace, 'dsn~b~1')), ['→ covers req~a~1']);
  t.same(links(linked(trace, 'req~a~1')), ['← covered shallow dsn~b~1']);
  t.same(linked(trace, 'req~a~1').coveredTypes, ['dsn']);
  t.same(trace.summary, { items: 2, defects: 0 });
  t.same(codes(trace), []);
});

t.test('links lead to the linked items themselves', async (t) => {
  const trace = linkItems(items('req~a~1 needs dsn', 'dsn~b~1 covers req~a~1'));
  t.equal(linked(trace, 'dsn~b~1').outgoing[0]?.other, linked(trace, 'req~a~1'));
  t.equal(linked(trace, 'req~a~1').incoming[0]?.other, linked(trace, 'dsn~b~1'));
});

t.test('a need that nothing covers is a defect, and lists the types in the order of the needs', async (t) => {
  const trace = linkItems(items('req~a~1 needs utest,dsn,impl', 'dsn~b~1 covers req~a~1'));
  t.same(linked(trace, 'req~a~1').coveredTypes, ['dsn']);
  t.same(linked(trace, 'req~a~1').uncoveredTypes, ['utest', 'impl']);
  t.equal(linked(trace, 'req~a~1').deepCoverage, 'uncovered');
  t.same(defects(trace), ['req~a~1']);
});

t.test('a cover of a type that is not needed is unwanted, a defect at both ends', async (t) => {
  const trace = linkItems(items('req~a~1', 'dsn~b~1 covers req~a~1'));
  t.same(links(linked(trace, 'dsn~b~1')), ['→ unwanted req~a~1']);
  t.same(links(linked(trace, 'req~a~1')), ['← unwanted coverage dsn~b~1']);
  t.same(linked(trace, 'req~a~1').overCoveredTypes, ['dsn']);
  t.same(defects(trace), ['dsn~b~1', 'req~a~1']);
  t.same(codes(trace), ['warning cover-unwanted']);
});

t.test('an id that exists at no revision is an orphan, a warning that names the nearest', async (t) => {
  const trace = linkItems(items('req~login~1 needs dsn', 'dsn~b~1 covers req~logn~1'));
  t.same(links(linked(trace, 'dsn~b~1')), ['→ orphaned req~logn~1']);
  t.equal(linked(trace, 'dsn~b~1').outgoing[0]?.other, undefined);
  t.match(trace.diagnostics, [
    {
      code: 'cover-orphaned',
      severity: 'warning',
      message: 'dsn~b~1 covers req~logn~1, which does not exist',
      hint: 'did you mean req~login~1?',
      place: { path: 'tree.rst', line: 2, column: 20 },
    },
  ]);
});

t.test('a missing revision is orphaned, and outdated or predated beside that for every other revision', async (t) => {
  const trace = linkItems(items('req~a~1', 'req~a~3', 'dsn~b~1 covers req~a~2'));
  t.same(links(linked(trace, 'dsn~b~1')), ['→ orphaned req~a~2', '→ predated req~a~1', '→ outdated req~a~3']);
  t.same(links(linked(trace, 'req~a~1')), ['← predated coverage dsn~b~1']);
  t.same(links(linked(trace, 'req~a~3')), ['← outdated coverage dsn~b~1']);
  t.same(defects(trace), ['dsn~b~1', 'req~a~1', 'req~a~3']);
  t.same(codes(trace), ['warning cover-outdated', 'warning cover-predated'], 'the orphan is told by its revisions');
});

t.test('the exact revision wins over others', async (t) => {
  const trace = linkItems(items('req~a~1', 'req~a~2 needs dsn', 'dsn~b~1 covers req~a~2'));
  t.same(links(linked(trace, 'dsn~b~1')), ['→ covers req~a~2']);
  t.same(links(linked(trace, 'req~a~1')), []);
});

t.test('duplicates are paired with the first, whose cover is ambiguous for the covering item alone', async (t) => {
  const trace = linkItems(
    items('req~a~1 needs dsn', 'req~a~1 needs dsn', 'req~a~1 needs dsn', 'dsn~b~1 covers req~a~1'),
  );
  const same = trace.items.filter((one) => one.item.id === 'req~a~1');
  t.same(
    same.map((one) => one.outgoing.length),
    [2, 1, 1],
  );
  t.same(
    same.map((one) => one.incoming.length),
    [0, 0, 0],
  );
  t.same(links(linked(trace, 'dsn~b~1')), ['→ ambiguous req~a~1']);
  t.equal(trace.summary.defects, 4);
  t.same(codes(trace), ['error duplicate-id', 'error duplicate-id', 'warning cover-ambiguous']);
  t.match(trace.diagnostics[0], {
    message: 'req~a~1 is already the id of the item at tree.rst:1:1',
    place: { line: 2 },
  });
});

t.test('unwanted is looked at before duplicates', async (t) => {
  const trace = linkItems(items('req~a~1', 'req~a~1', 'dsn~b~1 covers req~a~1'));
  t.same(links(linked(trace, 'dsn~b~1')), ['→ unwanted req~a~1']);
  t.same(links(linked(trace, 'req~a~1')), ['→ duplicate req~a~1', '← unwanted coverage dsn~b~1']);
});

t.test('a rejected item is no defect, unless it has a duplicate', async (t) => {
  t.same(defects(linkItems(items('req~a~1 needs dsn status rejected'))), []);
  t.same(defects(linkItems(items('req~a~1 status rejected', 'req~a~1'))), ['req~a~1', 'req~a~1']);
});

t.test('a rejected or draft item covers as any other', async (t) => {
  const trace = linkItems(items('req~a~1 needs dsn', 'dsn~b~1 covers req~a~1 status rejected'));
  t.same(defects(trace), []);
});

t.test('deep coverage is the worst of all below, along links that are not clean too', async (t) => {
  const trace = linkItems(
    items(
      'req~a~1 needs dsn',
      'dsn~b~1 needs impl covers req~a~1',
      'req~c~2 needs dsn',
      'dsn~d~1 needs impl covers req~c~1',
    ),
  );
  t.equal(linked(trace, 'req~a~1').deepCoverage, 'uncovered');
  t.same(linked(trace, 'req~a~1').uncoveredTypes, []);
  const outdated = linkItems(items('req~c~2', 'dsn~d~1 needs impl covers req~c~1'));
  t.equal(linked(outdated, 'req~c~2').deepCoverage, 'uncovered');
});

t.test('an item that covers itself, and items that cover one another, are cycles', async (t) => {
  const self = linkItems(items('a~x~1 needs a covers a~x~1'));
  t.equal(linked(self, 'a~x~1').deepCoverage, 'cycle');
  t.match(self.diagnostics, [{ code: 'cover-cycle', message: 'a~x~1 covers itself' }]);
  const two = linkItems(items('a~x~1 needs b covers b~y~1', 'b~y~1 needs a covers a~x~1'));
  t.same(
    two.items.map((one) => one.deepCoverage),
    ['cycle', 'cycle'],
  );
  t.same(codes(two), ['warning cover-cycle'], 'a cycle is reported once');
});

t.test('an item above a cycle in which it takes no part shares its status', async (t) => {
  const trace = linkItems(items('a~a~1 needs b', 'b~b~1 needs c covers a~a~1,c~c~1', 'c~c~1 needs b covers b~b~1'));
  t.equal(linked(trace, 'a~a~1').deepCoverage, 'cycle');
});

t.test('an item that is covered by a duplicate of itself is a cycle, those above it are not', async (t) => {
  // The second b~y covers the first: not needed, so unwanted, which is an incoming link of the first.
  const trace = linkItems(items('a~x~1 needs b', 'b~y~1 covers a~x~1', 'b~y~1 covers b~y~1'));
  t.same(
    trace.items.map((one) => `${one.item.id} ${one.deepCoverage}`),
    ['a~x~1 covered', 'b~y~1 cycle', 'b~y~1 covered'],
  );
});

t.test('a chain of 100,000 items neither recurses nor takes long', async (t) => {
  const [link] = items('a~x~1 needs a covers a~x~1') as [Item];
  const [cover] = link.covers as [Item['covers'][number]];
  const chain = Array.from({ length: 100_000 }, (_, i) => ({
    ...link,
    id: `a~x${i}~1`,
    name: `x${i}`,
    covers: i === 0 ? [] : [{ ...cover, text: `a~x${i - 1}~1` }],
  }));
  const trace = linkItems(chain);
  t.equal(trace.summary.defects, 100_000, 'the last item needs what nothing covers, so nothing above it is covered');
  t.equal(linked(trace, 'a~x0~1').deepCoverage, 'uncovered');
});

t.test('names of object properties are names like any other', async (t) => {
  const trace = linkItems(
    items('req~constructor~1 needs dsn', 'dsn~toString~1 covers req~constructor~1,req~hasOwnProperty~1'),
  );
  t.same(links(linked(trace, 'req~constructor~1')), ['← covered shallow dsn~toString~1']);
  t.same(links(linked(trace, 'dsn~toString~1')), ['→ covers req~constructor~1', '→ orphaned req~hasOwnProperty~1']);
  const proto = [...items('req~a~1 needs dsn', 'dsn~b~1 covers req~a~1')].map((one) => ({ ...one }));
  const [parent, child] = proto as [(typeof proto)[0], (typeof proto)[0]];
  const renamed = { ...parent, id: 'req~__proto__~1', name: '__proto__' };
  const covering = {
    ...child,
    covers: [{ ...(child.covers[0] as (typeof child.covers)[0]), text: 'req~__proto__~1' }],
  };
  t.same(linkItems([renamed, covering]).summary, { items: 2, defects: 0 });
});

t.test('a type that is not configured is an error in a need, a warning for an item', async (t) => {
  const trace = linkItems(items('req~a~1 needs dns', 'spec~b~1'), { types: ['req', 'dsn'] });
  t.same(codes(trace), ['error unknown-needed-type', 'warning unknown-item-type']);
  t.same(codes(linkItems(items('req~a~1 needs dns'))), [], 'without configured types any type goes');
});

t.test('items come out sorted by type, name and number of the revision', async (t) => {
  const trace = linkItems(items('b~a~1', 'a~b~10', 'a~b~9', 'ab~a~1', 'a~a~1'));
  t.same(
    trace.items.map((one) => one.item.id),
    ['a~a~1', 'a~b~9', 'a~b~10', 'ab~a~1', 'b~a~1'],
  );
});
