/** What the JSON reports share: their version, and how plain data is laid out. */
import type { Diagnostic, Place } from '../core/diagnostic.js';

/** Version of the JSON reports. A field may be added within a version; none changes its meaning or goes away. */
export const SCHEMA_VERSION = 1;

/** A place as JSON. */
export function placeJson(place: Place | undefined): object | null {
  if (place === undefined) return null;
  const { path, line, column, offset } = place;
  return { path, line, column, offset };
}

/** A diagnostic as JSON. */
export function diagnosticJson({ code, severity, message, hint, place }: Diagnostic): object {
  return { code, severity, message, hint: hint ?? null, place: placeJson(place) };
}

/** JSON text, indented by two spaces, with a line end. Characters that could act outside of JSON are escaped. */
export function jsonText(value: unknown): string {
  const text = JSON.stringify(value, null, 2);
  return `${text.replace(/[\u007f-\u009f\u061c\u200b\u200e\u200f\u2028-\u202e\u2060-\u206f\ufeff]/g, escaped)}\n`;
}

function escaped(char: string): string {
  return `\\u${char.charCodeAt(0).toString(16).padStart(4, '0')}`;
}
