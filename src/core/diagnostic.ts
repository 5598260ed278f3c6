/**
 * Diagnostics: what Tracewright has to say about its input.
 *
 * A problem of the user's input is never thrown. It is collected, with a stable code and a place, and all of them are
 * reported. Only misuse of the library throws. The catalogue of codes is `diagnostic-codes.ts`.
 */
import { DIAGNOSTIC_CODES } from './diagnostic-codes.js';

/** How much a diagnostic weighs: an `error` makes the run fail, a `warning` and a `note` only speak. */
export type Severity = 'error' | 'warning' | 'note';

/** Every code that a diagnostic can carry. */
export type DiagnosticCode = keyof typeof DIAGNOSTIC_CODES;

/** A point in a file. `line` and `column` count from 1, `offset` from 0; columns and offsets count UTF-16 code units. */
export interface Place {
  /** Path relative to the configuration's folder, with `/` as separator. */
  readonly path: string;
  readonly line: number;
  readonly column: number;
  readonly offset: number;
}

/** One finding about the input. */
export interface Diagnostic {
  readonly code: DiagnosticCode;
  readonly severity: Severity;
  /** One sentence: what was found and what was expected. */
  readonly message: string;
  /** One sentence: what to do about it. */
  readonly hint?: string;
  /** Where; absent only if the finding is about the run as a whole. */
  readonly place?: Place;
}

/** Makes a diagnostic with the severity that the catalogue gives its code. */
export function diagnostic(code: DiagnosticCode, message: string, place?: Place, hint?: string): Diagnostic {
  return {
    code,
    severity: DIAGNOSTIC_CODES[code].severity,
    message,
    ...(hint === undefined ? {} : { hint }),
    ...(place === undefined ? {} : { place }),
  };
}

/** Formats a place as `path:line:column`. */
export function formatPlace(place: Place): string {
  return `${place.path}:${place.line}:${place.column}`;
}

/** Order of diagnostics in every report: by path, offset, code. UTF-16 code unit order, so no locale changes it. */
export function compareDiagnostics(a: Diagnostic, b: Diagnostic): number {
  const pathA = a.place?.path ?? '';
  const pathB = b.place?.path ?? '';
  if (pathA !== pathB) return pathA < pathB ? -1 : 1;
  const offset = (a.place?.offset ?? 0) - (b.place?.offset ?? 0);
  if (offset !== 0) return offset;
  if (a.code !== b.code) return a.code < b.code ? -1 : 1;
  return a.message < b.message ? -1 : a.message > b.message ? 1 : 0;
}
