/** What to say of a module that does not load. */
import { execFile } from 'node:child_process';
import { pathToFileURL } from 'node:url';
import type { Place } from '../core/diagnostic.js';
import { oneLine } from './describe.js';
import { type Answer, ownStderr } from './lane.js';
import { type Places, toPath } from './places.js';

/** The message and stack of an answer that is not what was ordered. */
export function describeProblem(answer: Answer): { readonly message: string; readonly stack: string } {
  if (answer.kind === 'gone') {
    const stderr = ownStderr(answer.stderr);
    return { message: stderr === '' ? answer.message : `${answer.message}; on standard error: ${stderr}`, stack: '' };
  }
  if (answer.reply.kind === 'broken') return { message: answer.reply.message, stack: answer.reply.stack };
  return { message: `writes to standard output while it loads: ${oneLine(answer.stdout, 200)}`, stack: '' };
}

/** A message with paths below the root made relative, so that it is the same in every checkout. */
export function withoutRoot(message: string, root: string): string {
  return message.replaceAll(`${pathToFileURL(root).href}/`, '').replaceAll(`${root}/`, '');
}

/**
 * The place of a syntax error. The error's stack begins with it where an import names what a module does not export;
 * otherwise Node is asked to check the file.
 * @param message as the lane reported it; nothing is done unless it speaks of a syntax error
 */
export async function placeOfSyntaxError(
  { message, stack }: { readonly message: string; readonly stack: string },
  file: string,
  places: Places,
): Promise<Place | undefined> {
  if (!message.startsWith('SyntaxError')) return undefined;
  return pointedAt(stack, places) ?? pointedAt(await checkSyntax(file), places);
}

function checkSyntax(file: string): Promise<string> {
  return new Promise((resolve) => {
    execFile(process.execPath, ['--check', file], { timeout: 10_000 }, (_error, _stdout, stderr) => resolve(stderr));
  });
}

/** The place that a report begins with: `file:line`, the text of the line, and a caret below the column. */
function pointedAt(report: string, places: Places): Place | undefined {
  const [, where, line, indent = ''] = /^(.+):(\d+)\n.*\n(\s*)\^/.exec(report) ?? [];
  return where === undefined
    ? undefined
    : places.at({ file: toPath(where), line: Number(line), column: indent.length + 1 });
}
