/** The composition of the Xen model as its checks use it: no step is dead, and none is called past the tables. */
import { readdirSync } from 'node:fs';
import t from 'tap';
import type { RunContext } from '../src/check/index.js';
import { type XenSteps, xenSteps } from '../src/xen/steps.js';
import type { PassthroughBench } from './passthrough-bench.js';

type Step = (...args: unknown[]) => unknown;

interface Registered {
  readonly requirement: string;
  readonly title: string;
  readonly options: { readonly aspect?: string };
  readonly body: (given: { bench: PassthroughBench; expect: unknown; platform: unknown }) => void | Promise<void>;
}

/** What the checks register, when their files load. */
const registered: Registered[] = [];
(globalThis as Record<symbol, unknown>)[Symbol.for('tracewright.collector')] = {
  check: (one: Registered) => registered.push(one),
  mutant: () => {},
};

const { bench } = await import('./bench.js');
const { applies } = await import('../src/check/index.js');
for (const folder of readdirSync(new URL('.', import.meta.url), { withFileTypes: true })) {
  if (!folder.isDirectory()) continue;
  for (const file of readdirSync(new URL(`${folder.name}/`, import.meta.url))) {
    if (file.endsWith('.check.js')) await import(new URL(`${folder.name}/${file}`, import.meta.url).href);
  }
}

const reached = new Set<string>();

/** The composition with every step wrapped, so that what is reached through the tables is noted. */
function watched(steps: XenSteps): XenSteps {
  const tables: Record<string, Record<string, Step>> = {};
  for (const [table, entries] of Object.entries(steps)) {
    const wrapped: Record<string, Step> = {};
    for (const [name, step] of Object.entries(entries as Record<string, Step>)) {
      wrapped[name] = (...args) => {
        reached.add(`${table}.${name}`);
        return step(...args);
      };
    }
    tables[table] = wrapped;
  }
  return tables as unknown as XenSteps;
}

const run: RunContext = { count() {}, journal() {}, transcript: undefined, problem() {} };
/** Whether assertions hold is not the matter here. */
const expect = {
  ok() {},
  equal() {},
  notEqual() {},
  deepEqual() {},
  throws(action: () => void) {
    try {
      action();
    } catch {
      // As it should.
    }
  },
  fail(what: string): never {
    throw new Error(what);
  },
};

/** Steps that no check gets Xen to take, each with the reason. Tests beside the steps take them. */
const MISTAKES = 'for mistakes of the driver';
const GUESTS = 'for what a guest may do with its interrupts beside being given them';
const UNREACHED: Readonly<Record<string, string>> = {
  'gic.setActive': GUESTS,
  'gicv2.setActive': GUESTS,
  'gicv3.setActive': GUESTS,
  'irq.handleUnexpected': 'for interrupts that the hardware should not raise',
  'its.skipBadCommand': MISTAKES,
  'trap.hvc': 'checks make hypercalls at the door behind it',
  'trap.systemRegister': GUESTS,
  'vgic.clearActive': GUESTS,
  'vgic.clearPending': GUESTS,
  'vgic.sendSgi': GUESTS,
  'vgic.setActive': GUESTS,
  'vgic.writeSgi1r': GUESTS,
  'vgic.writeSgir': GUESTS,
  'vits.dropTable': GUESTS,
  'vits.invall': GUESTS,
  'vits.movall': GUESTS,
  'vpci.readEntry': GUESTS,
  'vpci.readPage': GUESTS,
};

t.test('every step is taken by a check, through the tables', async (t) => {
  for (const platform of bench.platforms) {
    for (const { requirement, options, body } of registered) {
      const applicability = applies(bench.applicability, requirement, platform);
      if (!applicability.applicable) continue;
      if (options.aspect !== undefined && !applicability.aspects.includes(options.aspect)) continue;
      const on = await bench.start(platform, watched(xenSteps()), run);
      await body({ bench: on, expect, platform });
    }
  }
  const all = Object.entries(xenSteps()).flatMap(([table, entries]) =>
    Object.keys(entries).map((name) => `${table}.${name}`),
  );
  t.same(all.filter((name) => !reached.has(name)).sort(), Object.keys(UNREACHED).sort());
});
