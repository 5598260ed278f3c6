import t from 'tap';
import { type BenchDefinition, defineBench } from './bench.js';

const PLATFORM = { name: 'two-way', machine: 'board', hypervisor: 'none', features: ['horn'] };
const define = (more: Partial<BenchDefinition<object, object>>) =>
  defineBench({
    object: { name: 'lights' },
    platforms: [PLATFORM],
    applicability: [],
    subject: () => ({}),
    start: () => ({}),
    ...more,
  });

t.test('a definition that contradicts itself is refused with a remedy', async (t) => {
  t.throws(() => define({ platforms: [PLATFORM, PLATFORM] }), {
    message: "Two platforms are named 'two-way'. Give each a name of its own.",
  });
  t.throws(() => define({ applicability: [{ requirement: 'Req~x~1', needs: ['horn'] }] }), {
    message:
      "The applicability row for 'Req~x~1' has needs and no reason. Say in 'otherwise' why it is n/a without them.",
  });
  t.throws(
    () => define({ applicability: [{ requirement: 'Req~x~1', aspects: [{ name: 'a', needs: ['horn'] }] }] }),
    /aspect 'a', has needs/,
  );
  t.throws(() => define({ features: ['bell'] }), {
    message: "The platform 'two-way' names the feature 'horn'. Add it to 'features', or mend its name.",
  });
});

t.test('a check or a mutant outside a run says what to do', async (t) => {
  const { check, mutant } = define({});
  t.throws(() => check('Req~x~1', 'title', () => {}), /Cannot register a check outside a run/);
  t.throws(
    () => mutant('title', { violates: ['Req~x~1'] }, (model) => ({ ...model })),
    /Cannot register a mutant outside a run/,
  );
});
