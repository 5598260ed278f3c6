/** From a session to what reporters are told: colours, width, formats. */
import type { Diagnostic } from '../core/diagnostic.js';
import { nearestIds } from '../core/nearest.js';
import { type Colour, NO_COLOUR, type ReportOptions } from '../report/colour.js';
import { diagnosticsText } from '../report/diagnostics.js';
import { CommandError, EXIT, type ExitStatus } from './exit.js';
import type { Session } from './session.js';

/** Colours of a session; loads the colour library only if there is something to colour. */
export async function sessionColours(level: 0 | 1): Promise<Colour> {
  if (level === 0) return NO_COLOUR;
  const { Chalk } = await import('chalk');
  const chalk = new Chalk({ level });
  // One argument only: chalk would join what an array method passes besides.
  return {
    good: (text) => chalk.green(text),
    bad: (text) => chalk.redBright(text),
    warning: (text) => chalk.yellow(text),
    faint: (text) => chalk.dim(text),
    strong: (text) => chalk.bold(text),
  };
}

/** What reporters are told in a session. */
export async function reportOptions(session: Session): Promise<ReportOptions> {
  return { colour: await sessionColours(session.colour), width: session.width };
}

/**
 * The reporter of a format.
 * @throws CommandError if there is no such format
 */
export function reporterOf<Reporter>(table: Readonly<Record<string, Reporter>>, format: string | undefined): Reporter {
  const name = format ?? 'terminal';
  const reporter = Object.hasOwn(table, name) ? table[name] : undefined;
  if (reporter !== undefined) return reporter;
  const near = nearestIds(name, Object.keys(table))[0];
  throw new CommandError(
    'unknown-format',
    `There is no format '${name}'`,
    `${near === undefined ? '' : `Did you mean '${near}'? `}Formats: ${Object.keys(table).join(', ')}.`,
  );
}

/** Writes diagnostics to standard error. Notes are told only when there is nothing worse to look at. */
export async function tell(diagnostics: readonly Diagnostic[], session: Session): Promise<void> {
  const colour = await sessionColours(process.stderr.isTTY === true ? session.colour : 0);
  process.stderr.write(diagnosticsText(diagnostics, { colour }, 'warning'));
}

const MISSING = new Set(['path-missing']);
const UNREADABLE = new Set(['file-unreadable', 'file-not-utf8', 'file-format-unknown', 'no-items']);

/** The exit status of a run that came to its end: a missing path is 2, input that cannot be read 3, not met 1. */
export function statusOf(diagnostics: readonly Diagnostic[], met: boolean): ExitStatus {
  if (diagnostics.some(({ code, severity }) => severity === 'error' && MISSING.has(code))) return EXIT.usage;
  if (diagnostics.some(({ code, severity }) => severity === 'error' && UNREADABLE.has(code))) return EXIT.input;
  return met ? EXIT.met : EXIT.notMet;
}
