import t from 'tap';
import { MutantMistake, transformSubject } from './subject.js';

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
