/** One call of the program: its configuration, where its output goes, and how it ends. */
import path from 'node:path';
import type { FileSource } from '../core/file-source.js';
import { colourLevel } from './colour.js';
import { type Configuration, type LimitsConfiguration, loadConfiguration } from './config.js';
import { diskSource } from './disk-source.js';
import { CommandError, EXIT } from './exit.js';
import type { CommonOptions } from './options.js';
import { writeStdout, writeWholeFile } from './output.js';

/** Width of a report that goes to no terminal. */
const DEFAULT_WIDTH = 120;

/** What a command works with. */
export interface Session {
  readonly configuration: Configuration;
  /** The files, relative to the configuration's folder. */
  readonly source: FileSource;
  /** Paths of the tree, relative to the configuration's folder: those given, else the configured ones. */
  readonly tree: readonly string[];
  /** True if the tree is another than the configured one: most likely a part of it. */
  readonly partial: boolean;
  readonly limits: LimitsConfiguration;
  /** Columns that a report may take. */
  readonly width: number;
  /** 0 for no colour. */
  readonly colour: 0 | 1;
}

/**
 * Opens a session.
 * @param paths paths of the tree as given on the command line, relative to the working directory
 * @param toFile whether the report goes to a file, so that the terminal's colours and width do not matter
 * @throws CommandError if there is neither a path nor a configuration
 */
export function openSession(options: CommonOptions, paths: readonly string[], toFile = false): Session {
  const cwd = process.cwd();
  const configuration = loadConfiguration(cwd, options.config);
  const given = paths.map(
    (p) => path.relative(configuration.root, path.resolve(cwd, p)).split(path.sep).join('/') || '.',
  );
  const tree = given.length > 0 ? given : configuration.tree;
  if (tree.length === 0) {
    throw new CommandError(
      'no-tree',
      'There is no requirement tree to read: no path was given and no tracewright.config.json was found',
      'Give a path (tracewright matrix docs/reqs), or write a configuration file with at least {"tree": ["docs/reqs"]}.',
    );
  }
  const terminal = process.stdout.isTTY === true && !toFile;
  return {
    configuration,
    source: diskSource(configuration.root),
    tree,
    partial: configuration.tree.length > 0 && [...tree].sort().join('\n') !== [...configuration.tree].sort().join('\n'),
    limits: configuration.limits,
    width: terminal ? process.stdout.columns : DEFAULT_WIDTH,
    colour: colourLevel({ flag: options.color, env: process.env, terminal }),
  };
}

/** Writes a report to standard output or to a file, relative to the working directory. */
export async function deliver(text: string, file: string | undefined): Promise<void> {
  if (file === undefined) await writeStdout(text);
  else writeWholeFile(path.resolve(process.cwd(), file), text);
}

/** A line on standard error that is written over, and only if that is a terminal. */
export interface Progress {
  show(text: string): void;
  clear(): void;
}

/** The progress line of this process. */
export function progressLine(): Progress {
  if (process.stderr.isTTY !== true) return { show() {}, clear() {} };
  return {
    show(text) {
      process.stderr.write(`\r\u001b[2K${text.slice(0, process.stderr.columns - 1)}`);
    },
    clear() {
      process.stderr.write('\r\u001b[2K');
    },
  };
}

const disposers = new Set<() => void>();

/** Registers what must be stopped when a signal ends the run. Returns how to take that back. */
export function onInterrupt(dispose: () => void): () => void {
  disposers.add(dispose);
  return () => disposers.delete(dispose);
}

function endBySignal(status: number): void {
  for (const dispose of disposers) dispose();
  progressLine().clear();
  process.exit(status);
}

function printError(error: unknown): number {
  if (error instanceof CommandError) {
    process.stderr.write(
      `error ${error.code} ${error.message}\n${error.hint === undefined ? '' : `  ${error.hint}\n`}`,
    );
    return error.status;
  }
  const detail = error instanceof Error ? (error.stack ?? error.message) : String(error);
  process.stderr.write(
    `error internal This is a bug in Tracewright, please report it with what you called:\n${detail}\n`,
  );
  return EXIT.internal;
}

/** Runs the program to its end and sets the exit status, whatever happens. */
export async function runToEnd(program: () => Promise<number>): Promise<void> {
  process.once('SIGINT', () => endBySignal(EXIT.interrupted));
  process.once('SIGTERM', () => endBySignal(EXIT.terminated));
  // A reader of either stream that has gone away is its own affair.
  process.stderr.on('error', () => {});
  process.stdout.on('error', () => {});
  try {
    process.exitCode = await program();
  } catch (error) {
    process.exitCode = printError(error);
  }
}
