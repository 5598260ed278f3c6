import t from 'tap';
import { changedParts, copySubject, MutantMistake, transformSubject, watchSubject } from './subject.js';

const switchOff = () => 1;
const subject = () => ({ lamps: { switchOff, order: ['a', 'b'] }, machine: new Map([['x', 1]]) });

t.test('a mutant returns a new subject', async (t) => {
  const given = subject();
  t.same(
    transformSubject(given, (model) => ({ ...(model as object), extra: 1 })),
    { ...given, extra: 1 },
  );
});

t.test('a change in place is a mistake, at any depth of plain objects and arrays', async (t) => {
  const mistakes: ((model: ReturnType<typeof subject>) => void)[] = [
    (model) => {
      model.lamps.switchOff = () => 2;
    },
    (model) => {
      model.lamps.order.push('c');
    },
    (model) => {
      model.lamps.order.reverse();
    },
    (model) => {
      delete (model as Partial<typeof model>).lamps;
    },
    (model) => {
      Object.defineProperty(model, 'late', { get: () => 1 });
    },
  ];
  for (const mistake of mistakes) {
    t.throws(
      () =>
        transformSubject(subject(), (model) => {
          mistake(model as ReturnType<typeof subject>);
          return { ...(model as object) };
        }),
      { message: /in place/ },
    );
  }
});

t.test('what is no transformation is a mistake', async (t) => {
  t.throws(() => transformSubject(subject(), (model) => model), MutantMistake);
  t.throws(() => transformSubject(subject(), () => undefined), MutantMistake);
});

t.test('a subject that refers to itself is followed once', async (t) => {
  const model: { self?: unknown } = {};
  model.self = model;
  t.ok(transformSubject(model, (given) => ({ ...(given as object) })));
});

t.test('parts that are read are noted by name, and a watched subject is what it was', async (t) => {
  const { subject: watched, read } = watchSubject(subject());
  t.same([...read], []);
  const { lamps } = watched as ReturnType<typeof subject>;
  t.equal(lamps.switchOff(), 1);
  t.equal({ ...lamps }.order.length, 2, 'a spread reads all of a table');
  t.same([...read].sort(), ['lamps', 'lamps.order', 'lamps.switchOff']);
  const cyclic: { self?: unknown; one: number } = { one: 1 };
  cyclic.self = cyclic;
  const copy = watchSubject(cyclic).subject as typeof cyclic;
  t.equal(copy.self, copy);
});

t.test('parts that a mutant replaces are named', async (t) => {
  const given = subject();
  t.same(changedParts(given, { ...given, lamps: { ...given.lamps, switchOff: () => 2 } }), ['lamps.switchOff']);
  t.same(changedParts(given, { ...given, extra: 1 }), ['extra']);
  t.same(changedParts(given, { lamps: given.lamps }), ['machine']);
  t.same(changedParts(given, 5), ['']);
  t.same(changedParts(given, copySubject(given)), []);
  t.same(changedParts(given, { ...given, lamps: { ...given.lamps, order: ['b'] } }), ['lamps.order']);
});

t.test('what is done to a copy is not done to the subject', async (t) => {
  const given = subject();
  const copy = copySubject(given) as typeof given;
  copy.lamps.order.push('c');
  copy.lamps.switchOff = () => 2;
  t.same(given.lamps, { switchOff, order: ['a', 'b'] });
  t.equal(copy.machine, given.machine, 'what is no plain object stands as it is');
});
