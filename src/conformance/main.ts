/**
 * `node main.js FILE...`: replays vector files, prints the report. Exit status 0: all agree or are excepted; 1: something
 * differs, or an exception is not needed; 2: no file given, a file that cannot be read, or no model for its device.
 */
import { pathToFileURL } from 'node:url';
import { EXCEPTIONS } from './exceptions.js';
import { formatReport, isClean, NoModelError, replay } from './replay.js';
import { readVectors, VectorFileError } from './vectors.js';

/** Runs the command with its arguments. The exit status; lines go to `print` and `complain`. */
export function main(
  files: readonly string[],
  print: (line: string) => void,
  complain: (line: string) => void,
): number {
  if (files.length === 0) {
    complain('usage: vectors FILE... (.jsonl or .jsonl.gz)');
    return 2;
  }
  try {
    const report = replay(files.flatMap(readVectors), EXCEPTIONS);
    for (const line of formatReport(report)) print(line);
    return isClean(report) ? 0 : 1;
  } catch (error) {
    if (!(error instanceof VectorFileError || error instanceof NoModelError)) throw error;
    complain(error.message);
    return 2;
  }
}

if (process.argv[1] !== undefined && import.meta.url === pathToFileURL(process.argv[1]).href) {
  process.exitCode = main(
    process.argv.slice(2),
    (line) => process.stdout.write(`${line}\n`),
    (line) => process.stderr.write(`${line}\n`),
  );
}
