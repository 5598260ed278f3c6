import { writeFileSync } from 'node:fs';
import path from 'node:path';
import t from 'tap';
import { loadConfiguration } from './config.js';
import { CommandError } from './exit.js';

/** The error that loading this text gives. */
function errorOf(dir: string, text: string): CommandError {
  writeFileSync(path.join(dir, 'tracewright.config.json'), text);
  try {
    loadConfiguration(dir, undefined);
  } catch (error) {
    if (error instanceof CommandError) return error;
    throw error;
  }
  throw new Error('no error');
}

t.test('a configuration is found upwards, and its folder is the root', async (t) => {
  const dir = t.testdir({ 'tracewright.config.json': '{"tree": ["reqs"], "limits": {"operations": 5}}', a: { b: {} } });
  const found = loadConfiguration(path.join(dir, 'a', 'b'), undefined);
  t.equal(found.root, dir);
  t.same(found.tree, ['reqs']);
  t.same(found.types, []);
  t.equal(found.checks, undefined);
  t.equal(found.limits.operations, 5);
});

t.test('without a file the working directory is the root and there is no tree', async (t) => {
  const dir = t.testdir({});
  const found = loadConfiguration(dir, undefined);
  // A file above the test folder (this project's own) may be found: then the root is an ancestor.
  if (found.file === undefined) t.same([found.root, found.tree], [dir, []]);
  else t.ok(dir.startsWith(found.root));
});

t.test('every complaint names the file and the key', async (t) => {
  const dir = t.testdir({});
  t.match(errorOf(dir, '{"tree": "reqs"}'), {
    code: 'config-invalid',
    message: /'tree' must be a list of strings, but is "reqs"/,
  });
  t.match(errorOf(dir, '{"tree": []}'), {
    code: 'config-invalid',
    message: /'tree' must be a list with at least one path/,
  });
  t.match(errorOf(dir, '{"tree": [""]}'), { message: /'tree\[0\]' must be a string that is not empty/ });
  t.match(errorOf(dir, '{"tree": ["r"], "types": ["Xen2"]}'), {
    message: /'types\[0\]' must be an artifact type of letters only/,
  });
  t.match(errorOf(dir, '{"tree": ["r"], "checks": {"files": []}}'), { message: /'checks.bench' must be a string/ });
  t.match(errorOf(dir, '{"tree": ["r"], "limits": {"operations": -1}}'), {
    message: /'limits.operations' must be a number above 0/,
  });
  t.match(errorOf(dir, '{"tree": ["r"], "limitz": {}}'), {
    code: 'config-unknown-key',
    message: /unknown key 'limitz'/,
    hint: /limits/,
  });
  t.match(errorOf(dir, '[]'), { code: 'config-invalid', message: /must be an object/ });
});

t.test('a file that is not JSON is pointed at with line and column', async (t) => {
  const dir = t.testdir({});
  const error = errorOf(dir, '{\n  "tree": [,]\n}');
  t.equal(error.code, 'config-not-json');
  t.match(error.message, /tracewright\.config\.json:2:12: not JSON/);
});

t.test('a file that is given and missing is a usage error', async (t) => {
  const dir = t.testdir({});
  t.throws(() => loadConfiguration(dir, 'other.json'), { code: 'config-unreadable', status: 2 });
  t.throws(() => loadConfiguration(dir, '.'), { code: 'config-unreadable', message: /it is a folder/ });
});
