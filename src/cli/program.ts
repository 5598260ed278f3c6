/**
 * The program: the table of its commands and what each takes. Each command is a file in `commands/`, loaded when it is
 * called.
 */
import { readFileSync } from 'node:fs';
import { Command, CommanderError } from 'commander';
import { CommandError, EXIT } from './exit.js';
import type { CommonOptions } from './options.js';
import { writeStdout } from './output.js';

interface OptionEntry {
  readonly flags: string;
  readonly text: string;
  /** May be given several times; the values make a list. */
  readonly repeats?: true;
}

/** One command of the command line. */
interface CommandEntry {
  readonly name: string;
  readonly arguments: string;
  readonly summary: string;
  readonly options: readonly OptionEntry[];
  readonly examples: readonly string[];
  /** Runs it; the result is the exit status. */
  load(): Promise<{ run(operands: readonly string[], options: never): Promise<number> }>;
}

const PLATFORM: OptionEntry = {
  flags: '--platform <name>',
  text: 'only this platform (`*` stands for any characters; may be repeated)',
  repeats: true,
};
const TREE: OptionEntry = {
  flags: '--tree <path>',
  text: 'requirement tree, instead of the configured one; may be repeated',
  repeats: true,
};
const NO_STRENGTH: OptionEntry = { flags: '--no-strength', text: 'run the checks without their mutants' };

/** The commands, in the order of the help. */
const COMMANDS: readonly CommandEntry[] = [
  {
    name: 'matrix',
    arguments: '[path...]',
    summary: 'import, trace, run the checks with their mutants, and print the coverage matrix',
    options: [
      { flags: '--format <format>', text: 'terminal, markdown or json' },
      { flags: '-o, --output <file>', text: 'write to a file, whole or not at all' },
      PLATFORM,
      NO_STRENGTH,
      {
        flags: '--fail-on <verdict>',
        text: 'a verdict that fails the run besides refuted, error and vacuous; may be repeated',
        repeats: true,
      },
    ],
    examples: [
      'tracewright matrix',
      'tracewright matrix reqs --format json -o matrix.json',
      'tracewright matrix --fail-on weak --fail-on not-run',
    ],
    load: () => import('./commands/matrix.js'),
  },
  {
    name: 'trace',
    arguments: '[path...]',
    summary: 'links and defects only; loads no checks',
    options: [
      { flags: '--format <format>', text: 'terminal or json' },
      { flags: '-o, --output <file>', text: 'write to a file, whole or not at all' },
    ],
    examples: ['tracewright trace', 'tracewright trace docs/reqs --format json'],
    load: () => import('./commands/trace.js'),
  },
  {
    name: 'verify',
    arguments: '[id...]',
    summary: 'run the checks of these requirements (ids, short names or globs; all without one) with their mutants',
    options: [
      PLATFORM,
      { flags: '--mutant <text>', text: 'only mutants whose title holds this text' },
      NO_STRENGTH,
      TREE,
      { flags: '--explain', text: 'print the transcript of the first failing or first platform' },
      { flags: '--list', text: 'list what would run, and run nothing' },
    ],
    examples: [
      'tracewright verify passthrough_map_dev_mem_region',
      "tracewright verify 'XenSwdgn~passthrough_use_iommu_*' --platform arm64-smmuv3",
      'tracewright verify passthrough_use_iommu_to_deny_dma_ops_from_dev --explain',
    ],
    load: () => import('./commands/verify.js'),
  },
  {
    name: 'show',
    arguments: '<id>',
    summary: 'the item, its links, its checks and their evidence',
    options: [NO_STRENGTH, TREE],
    examples: ['tracewright show device_passthrough'],
    load: () => import('./commands/show.js'),
  },
  {
    name: 'why',
    arguments: '<id>',
    summary: 'the shortest path from a red item to what causes it, and what would mend it',
    options: [NO_STRENGTH, TREE],
    examples: ['tracewright why domain_device_assignment'],
    load: () => import('./commands/why.js'),
  },
];

const EXIT_HELP = `
Exit status: 0 met; 1 not met; 2 usage, configuration or a missing path;
3 input that cannot be read; 70 a bug in Tracewright; 74 output cannot be
written; 130 and 143 ended by a signal.`;

function version(): string {
  const file = new URL('../../../package.json', import.meta.url);
  return (JSON.parse(readFileSync(file, 'utf8')) as { version: string }).version;
}

function common(command: Command): Command {
  return command
    .option('--config <file>', 'configuration file; its folder is the root of all paths in it')
    .option('--color', 'colour, whatever the output is')
    .option('--no-color', 'no colour');
}

/** Commander's complaints, in the form of all others. */
function usageText(complaint: string): string {
  const [, message = '', question = ''] = /^(?:error: )?([^\n]*)\n*(?:\((.*)\))?\s*$/.exec(complaint) ?? [];
  const hint = question === '' ? 'tracewright help lists what there is.' : question;
  return `error usage ${message.slice(0, 1).toUpperCase()}${message.slice(1)}\n  ${hint}\n`;
}

/** An empty argument is a variable that was not set: taken as a path, it would mean the working directory. */
function refuseEmpty(operands: readonly string[], options: Readonly<Record<string, unknown>>): void {
  const empty = operands.includes('') || Object.values(options).flat().includes('');
  if (empty) throw new CommandError('empty-argument', 'An argument is empty', 'Give it a value, or leave it out.');
}

/**
 * Builds the program. `finish` is given the exit status of the command that ran, `print` what is to go to standard
 * output besides: help and the version.
 */
function buildProgram(finish: (status: number) => void, print: (text: string) => void): Command {
  const program = common(new Command('tracewright'))
    .description('Requirements you can run: traces a requirement tree and verifies it on modelled hardware.')
    .option('-V, --version', 'print the version')
    .on('option:version', () => {
      print(`${version()}\n`);
      throw new CommanderError(EXIT.met, 'commander.version', 'version');
    })
    .helpCommand('help [command]', 'help for a command')
    .showSuggestionAfterError(true)
    .exitOverride()
    .configureOutput({ writeOut: print, outputError: (complaint, write) => write(usageText(complaint)) })
    .addHelpText('after', `\nWithout a command, tracewright prints the matrix.\n${EXIT_HELP}`);
  for (const entry of COMMANDS) {
    const command = common(program.command(`${entry.name} ${entry.arguments}`).description(entry.summary));
    for (const { flags, text, repeats } of entry.options) {
      if (repeats) command.option(flags, text, (value: string, before: readonly string[] = []) => [...before, value]);
      else command.option(flags, text);
    }
    command.addHelpText('after', `\nExamples:\n${entry.examples.map((line) => `  ${line}`).join('\n')}\n${EXIT_HELP}`);
    command.action(async (operands: string | string[] | undefined) => {
      const list = operands === undefined ? [] : Array.isArray(operands) ? operands : [operands];
      const options = command.optsWithGlobals();
      refuseEmpty(list, options);
      const { run } = await entry.load();
      finish(await run(list, options as never));
    });
  }
  program.action(async () => {
    const operand = program.args[0];
    if (operand !== undefined) throw await unknownCommand(operand);
    refuseEmpty([], program.opts());
    const { run } = await import('./commands/matrix.js');
    finish(await run([], program.opts<CommonOptions>()));
  });
  program.allowExcessArguments(true);
  return program;
}

/** A word that is no command is a question, not a path. */
async function unknownCommand(word: string): Promise<CommandError> {
  const { nearestIds } = await import('../core/nearest.js');
  const names = COMMANDS.map((entry) => entry.name);
  const close = nearestIds(word, [...names, 'help'])[0];
  const hint = close === undefined ? `Commands: ${names.join(', ')}.` : `Did you mean '${close}'?`;
  return new CommandError(
    'unknown-command',
    `There is no command '${word}'`,
    `${hint} For a path: tracewright matrix ${word}`,
  );
}

/** Runs the program with the process's arguments; gives the exit status. */
export async function runProgram(): Promise<number> {
  let status: number = EXIT.met;
  let printed = '';
  const [word, topic] = process.argv.slice(2);
  const known = [...COMMANDS.map((entry) => entry.name), 'help'];
  if (word === 'help' && topic !== undefined && !topic.startsWith('-') && !known.includes(topic))
    throw await unknownCommand(topic);
  try {
    await buildProgram(
      (result) => {
        status = result;
      },
      (text) => {
        printed += text;
      },
    ).parseAsync();
  } catch (error) {
    if (!(error instanceof CommanderError)) throw error;
    // Commander has said what it had to say: help and version are no mistakes, all else is usage.
    status = error.exitCode === 0 ? EXIT.met : EXIT.usage;
  }
  if (printed !== '') await writeStdout(printed);
  return status;
}
