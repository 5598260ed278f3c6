/** The configuration file `tracewright.config.json`: finding, reading and validating it. */
import { existsSync, readFileSync, statSync } from 'node:fs';
import { createRequire } from 'node:module';
import path from 'node:path';
import type { ParseError } from 'jsonc-parser';
import { CommandError } from './exit.js';

/** Name of the file that is looked for from the working directory upwards. */
export const CONFIG_NAME = 'tracewright.config.json';

/** The configuration, all paths relative to {@link Configuration.root}. */
export interface Configuration {
  /** Folder of the configuration file; the working directory where there is none. */
  readonly root: string;
  /** Path of the file, relative to the working directory, for messages; undefined where there is none. */
  readonly file: string | undefined;
  /** Files and folders that hold the requirement tree. */
  readonly tree: readonly string[];
  /** Artifact types from the top of the tree down; empty: any type goes. */
  readonly types: readonly string[];
  readonly checks: ChecksConfiguration | undefined;
  readonly limits: LimitsConfiguration;
}

/** Where checks and mutants are. */
export interface ChecksConfiguration {
  /** The module that defines the bench. */
  readonly bench: string;
  /** Patterns of the modules to load: checks and mutants. */
  readonly files: readonly string[];
  /** Patterns of the sources that reports point at, where the modules are built from them. */
  readonly sources: readonly string[];
}

/** Limits of one run of a check. */
export interface LimitsConfiguration {
  /** Model operations; the same on every machine. */
  readonly operations?: number;
  /** Wall clock, in seconds. */
  readonly watchdogSeconds?: number;
  /** Heap of a lane, in MiB. */
  readonly heapMiB?: number;
  /** Resident memory of a lane, in MiB. */
  readonly memoryMiB?: number;
}

const LIMITS = ['operations', 'watchdogSeconds', 'heapMiB', 'memoryMiB'] as const;

/** Reads values out of a parsed file and names the key in every complaint. */
class KeyReader {
  readonly #file: string;
  constructor(file: string) {
    this.#file = file;
  }

  fail(key: string, expected: string, found: unknown): never {
    const shown = found === undefined ? 'nothing' : JSON.stringify(found).slice(0, 60);
    throw new CommandError('config-invalid', `${this.#file}: '${key}' must be ${expected}, but is ${shown}`);
  }

  object(key: string, value: unknown, known: readonly string[]): Record<string, unknown> {
    if (typeof value !== 'object' || value === null || Array.isArray(value)) this.fail(key, 'an object', value);
    for (const name of Object.keys(value)) {
      if (known.includes(name)) continue;
      const full = key === '' ? name : `${key}.${name}`;
      throw new CommandError(
        'config-unknown-key',
        `${this.#file}: unknown key '${full}'`,
        `Known keys here: ${known.join(', ')}.`,
      );
    }
    return value as Record<string, unknown>;
  }

  string(key: string, value: unknown): string {
    if (typeof value !== 'string' || value === '') this.fail(key, 'a string that is not empty', value);
    return value;
  }

  positive(key: string, value: unknown): number {
    if (typeof value !== 'number' || !(value > 0)) this.fail(key, 'a number above 0', value);
    return value;
  }

  strings(key: string, value: unknown): readonly string[] {
    if (!Array.isArray(value)) this.fail(key, 'a list of strings', value);
    return value.map((entry, index) => this.string(`${key}[${index}]`, entry));
  }
}

/** Parses JSON. A text that is not JSON is read once more by a parser that knows where it went wrong. */
function parseJson(text: string, file: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    // Loaded only when something is wrong: every call of the program reads its configuration.
    const { parse, printParseErrorCode } = createRequire(import.meta.url)(
      'jsonc-parser',
    ) as typeof import('jsonc-parser');
    const errors: ParseError[] = [];
    parse(text, errors, { disallowComments: true });
    const [first] = errors;
    const before = text.slice(0, first?.offset ?? text.length);
    const at = `${before.split('\n').length}:${before.length - before.lastIndexOf('\n')}`;
    const what =
      first === undefined
        ? 'not JSON'
        : printParseErrorCode(first.error)
            .replace(/([a-z])([A-Z])/g, '$1 $2')
            .toLowerCase();
    throw new CommandError('config-not-json', `${file}:${at}: not JSON: ${what}`);
  }
}

function validate(value: unknown, file: string, root: string): Configuration {
  const read = new KeyReader(file);
  const top = read.object('', value, ['$schema', 'tree', 'types', 'checks', 'limits']);
  const tree = read.strings('tree', top.tree);
  if (tree.length === 0) read.fail('tree', 'a list with at least one path', top.tree);
  const types = top.types === undefined ? [] : read.strings('types', top.types);
  for (const [index, type] of types.entries()) {
    if (!/^[A-Za-z]+$/.test(type)) read.fail(`types[${index}]`, 'an artifact type of letters only', type);
  }
  let checks: ChecksConfiguration | undefined;
  if (top.checks !== undefined) {
    const given = read.object('checks', top.checks, ['bench', 'files', 'sources']);
    checks = {
      bench: read.string('checks.bench', given.bench),
      files: read.strings('checks.files', given.files),
      sources: given.sources === undefined ? [] : read.strings('checks.sources', given.sources),
    };
  }
  const limits: Partial<Record<(typeof LIMITS)[number], number>> = {};
  const given = top.limits === undefined ? {} : read.object('limits', top.limits, LIMITS);
  for (const name of LIMITS) {
    const limit = given[name];
    if (limit === undefined) continue;
    limits[name] = read.positive(`limits.${name}`, limit);
  }
  return { root, file, tree, types, checks, limits };
}

/** The nearest configuration file from `from` upwards, or undefined. */
function findUpwards(from: string): string | undefined {
  for (let folder = path.resolve(from); ; folder = path.dirname(folder)) {
    const candidate = path.join(folder, CONFIG_NAME);
    if (existsSync(candidate)) return candidate;
    if (path.dirname(folder) === folder) return undefined;
  }
}

/**
 * Loads the configuration.
 * @param cwd working directory
 * @param given value of `--config`, or undefined to look for {@link CONFIG_NAME} from `cwd` upwards
 * @throws CommandError if the file is missing, is not JSON or has a wrong key
 */
export function loadConfiguration(cwd: string, given: string | undefined): Configuration {
  const file = given === undefined ? findUpwards(cwd) : path.resolve(cwd, given);
  if (file === undefined) {
    return { root: cwd, file: undefined, tree: [], types: [], checks: undefined, limits: {} };
  }
  const shown = path.relative(cwd, file) || file;
  let text: string;
  try {
    if (statSync(file).isDirectory()) throw new Error('it is a folder');
    text = readFileSync(file, 'utf8');
  } catch (error) {
    throw new CommandError(
      'config-unreadable',
      `${shown}: cannot be read: ${(error as Error).message}`,
      'Give an existing file to --config.',
    );
  }
  return validate(parseJson(text, shown), shown, path.dirname(file));
}
