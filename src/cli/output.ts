/** Where output goes: standard output, or a file that is written whole or not at all. */
import { randomBytes } from 'node:crypto';
import { closeSync, fsyncSync, openSync, renameSync, rmSync, writeSync } from 'node:fs';
import path from 'node:path';
import { CommandError, EXIT } from './exit.js';

/**
 * Writes a file through a temporary one beside it, so that a full disk or an interrupt leaves the old file or none.
 * @throws CommandError with status 74
 */
export function writeWholeFile(file: string, text: string): void {
  const temporary = path.join(path.dirname(file), `.${path.basename(file)}.${randomBytes(6).toString('hex')}`);
  try {
    const descriptor = openSync(temporary, 'wx');
    try {
      const bytes = Buffer.from(text, 'utf8');
      for (let done = 0; done < bytes.length; ) done += writeSync(descriptor, bytes, done);
      fsyncSync(descriptor);
    } finally {
      closeSync(descriptor);
    }
    renameSync(temporary, file);
  } catch (error) {
    rmSync(temporary, { force: true });
    throw new CommandError(
      'output-unwritable',
      `${file}: cannot be written: ${(error as Error).message}`,
      'Nothing was left behind. Give -o a path in a folder that exists and that you may write to.',
      EXIT.output,
    );
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
          new CommandError('output-unwritable', `standard output cannot be written: ${error.message}`, undefined, EXIT.output),
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
