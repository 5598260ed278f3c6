/** The reports that are text only: a trace, an item, why, a transcript, diagnostics. */
import t from 'tap';
import { diagnostic } from '../core/diagnostic.js';
import { check, fold, record } from '../matrix/matrix.test-support.js';
import { items } from '../trace/items.test-support.js';
import { linkItems } from '../trace/linker.js';
import { why } from '../trace/why.js';
import { NO_COLOUR } from './colour.js';
import { diagnosticsText } from './diagnostics.js';
import { itemText } from './item.js';
import { traceTerminal } from './trace-terminal.js';
import { transcriptText } from './transcript.js';
import { whyText } from './why.js';

const options = { colour: NO_COLOUR, width: 80 };

t.test('a trace lists its defects with what is wrong, then the counts', async (t) => {
  const trace = linkItems(
    items('req~a~1 needs dsn', 'req~b~1 needs dsn', 'dsn~c~1 needs imp covers req~b~1', 'dsn~d~1 covers req~x~1'),
  );
  t.equal(
    traceTerminal({ trace, diagnostics: [] }, options),
    `✘ dsn~c~1  tree.rst:3:1
    uncovered         needs imp
✘ dsn~d~1  tree.rst:4:1
    orphaned          → req~x~1
✘ req~a~1  tree.rst:1:1
    uncovered         needs dsn
✘ req~b~1  tree.rst:2:1
    not deep          ← dsn~c~1 is not covered

✘ 4 items, 4 defects
`,
  );
});

t.test('a clean trace is one line', async (t) => {
  t.equal(traceTerminal({ trace: linkItems(items('req~a~1')), diagnostics: [] }, options), '✔ 1 item, 0 defects\n');
});

t.test('an item shows its links both ways, its checks and its evidence', async (t) => {
  const lines = ['req~a~1 needs dsn title A_lamp', 'dsn~b~1 covers req~a~1'];
  const declared = [check('dsn~b~1', 'it lights')];
  const matrix = fold({
    lines,
    declared,
    records: [record('dsn~b~1', 'it lights', 'pass'), record('dsn~b~1', 'it lights', 'fail', { mutant: 'no wire' })],
  });
  const trace = linkItems(items(...lines));
  const [child, parent] = trace.items;
  t.equal(
    itemText({ linked: child as NonNullable<typeof child>, bindings: matrix.bindings, matrix }, options),
    `dsn~b~1  ✔
tree.rst:2:1

links  ✔ deep, needs nothing
  covers            → req~a~1  tree.rst:2:20

checks
  bound      it lights  checks/lamp.check.ts:10:1

evidence
  arm64-smmuv3    verified 1/1
    pass          it lights (3 assertions, kills 1 of 1)
    killed        mutant: no wire
`,
  );
  t.equal(
    itemText({ linked: parent as NonNullable<typeof parent>, bindings: [] }, options),
    `req~a~1  ✔
A lamp
tree.rst:1:1

links  ✔ deep, needs dsn
  covered shallow   ← dsn~b~1  tree.rst:2:20

checks  none
`,
  );
});

t.test('why shows the path, the cause, what would mend it and where', async (t) => {
  const trace = linkItems(items('mkt~m~1 needs prod', 'prod~p~1 needs dsn covers mkt~m~1'));
  t.equal(
    whyText(why(trace, 'mkt~m~1') as NonNullable<ReturnType<typeof why>>, options),
    `mkt~m~1
  is covered by prod~p~1
prod~p~1 needs 'dsn', and no item of that type covers it
  write an item of type 'dsn' with 'Covers: prod~p~1', or take the need out
  tree.rst:2:60
`,
  );
  t.equal(whyText({ id: 'a~b~1', explanations: [] }, options), '✔ a~b~1: nothing is wrong with it\n');
});

t.test('a transcript lines up its texts, and marks what was expected', async (t) => {
  t.equal(
    transcriptText(
      {
        check: 'a device that no domain owns reaches no memory',
        column: 'arm64-smmuv3',
        transcript: [
          { depth: 0, actor: 'xen', text: 'deassign_device 0000:03:00.0 from d1' },
          { depth: 1, actor: 'store', text: 'STE[0x300]  Config=abort' },
          { depth: 1, actor: 'cmdq', text: 'CFGI_STE 0x300 leaf, CMD_SYNC' },
          { depth: 0, actor: 'expect', text: 'nothing changed', held: true },
          { depth: 0, actor: 'expect', text: 'one fault \u001b[2J', held: false },
        ],
        verdict: { verdict: 'verified', killed: 6, mutants: 6 },
      },
      { ...options, width: 60 },
    ),
    `a device that no domain owns reaches no memory · arm64-smmuv3
  xen     deassign_device 0000:03:00.0 from d1
    store STE[0x300]  Config=abort
    cmdq  CFGI_STE 0x300 leaf, CMD_SYNC
  expect  nothing changed                         expected ✔
  expect  one fault \\u{1b}[2J                     expected ✘
verified · 6 of 6 mutants killed
`,
  );
});

t.test('diagnostics are lines that editors understand, with their counts', async (t) => {
  const place = { path: 'a.rst', line: 3, column: 7, offset: 40 };
  const all = [
    diagnostic('cover-orphaned', 'a covers b, which does not exist', place, 'did you mean c?'),
    diagnostic('no-items', 'nothing in reqs'),
  ];
  t.equal(
    diagnosticsText(all, options),
    `a.rst:3:7 warning cover-orphaned a covers b, which does not exist
  did you mean c?
error no-items nothing in reqs
1 error, 1 warning
`,
  );
  t.equal(diagnosticsText(all, options, 'error'), 'error no-items nothing in reqs\n1 error\n');
  t.equal(diagnosticsText([], options), '');
});
