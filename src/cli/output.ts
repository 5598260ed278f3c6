/** Where output goes: standard output, or a file that is written whole or not at all. */
import { randomBytes } from 'node:crypto';
import {
  closeSync,
  fchmodSync,
  fsyncSync,
  openSync,
  realpathSync,
  renameSync,
  rmSync,
  statSync,
  writeSync,
} from 'node:fs';
import path from 'node:path';
import { CommandError, EXIT } from './exit.js';

/**
 * Writes a file through a temporary one beside it, so that a full disk or an interrupt leaves the old file or none. A
 * symbolic link stays one. What is no regular file (a device, a pipe) is written to as it is: a file in its place would
 * take the device away from everybody else.
 * @throws CommandError with status 74
 */
export function writeWholeFile(file: string, text: string): void {
  const before = statSync(file, { throwIfNoEntry: false });
  const bytes = Buffer.from(text, 'utf8');
  if (before?.isDirectory()) throw unwritable(file, 'it is a folder');
  try {
    if (before !== undefined && !before.isFile()) writeThrough(file, bytes);
    else replaceFile(before === undefined ? file : realpathSync(file), bytes, before?.mode);
  } catch (error) {
    // A pipe whose reader has gone away: as with standard output.
    if ((error as NodeJS.ErrnoException).code !== 'EPIPE') throw unwritable(file, (error as Error).message);
  }
}

function unwritable(file: string, why: string): CommandError {
  return new CommandError(
    'output-unwritable',
    `${file}: cannot be written: ${why}`,
    'Nothing was left behind. Give -o a path in a folder that exists and that you may write to.',
    EXIT.output,
  );
}

function writeThrough(file: string, bytes: Uint8Array): void {
  const descriptor = openSync(file, 'w');
  try {
    for (let done = 0; done < bytes.length; ) done += writeSync(descriptor, bytes, done);
  } finally {
    closeSync(descriptor);
  }
}

/** Replaces a regular file, which keeps its mode, or makes one. */
function replaceFile(file: string, bytes: Uint8Array, mode: number | undefined): void {
  const temporary = path.join(path.dirname(file), `.tracewright-${randomBytes(6).toString('hex')}`);
  try {
    const descriptor = openSync(temporary, 'wx');
    try {
      for (let done = 0; done < bytes.length; ) done += writeSync(descriptor, bytes, done);
      if (mode !== undefined) fchmodSync(descriptor, mode & 0o777);
      fsyncSync(descriptor);
    } finally {
      closeSync(descriptor);
    }
    renameSync(temporary, file);
  } catch (error) {
    rmSync(temporary, { force: true });
    throw error;
  }
}

/**
 * Writes to standard output and waits until it has left the process. A reader that has gone away (`| head`) is no
 * error: the run keeps its own status.
 * @throws CommandError with status 74 if the output cannot be written for another reason
 */
export function writeStdout(text: string): Promise<void> {
  return new Promise((resolve, reject) => {
    const failed = (error: NodeJS.ErrnoException) => {
      if (error.code === 'EPIPE') resolve();
      else {
        reject(
          new CommandError(
            'output-unwritable',
            `standard output cannot be written: ${error.message}`,
            undefined,
            EXIT.output,
          ),
        );
      }
    };
    process.stdout.once('error', failed);
    process.stdout.write(text, (error) => {
      if (error) failed(error);
      else resolve();
    });
  });
}
