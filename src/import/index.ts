/** Import: from files to items. One importer is one line in the table. */
import { compareDiagnostics, type Diagnostic, diagnostic, type Place } from '../core/diagnostic.js';
import type { FileSource } from '../core/file-source.js';
import type { Item } from '../core/item.js';
import { decode } from './decode.js';
import type { Imported } from './items/builder.js';
import { importRst } from './rst/items.js';

/** Imports the text of one file. Never throws on a text. */
export type ImportText = (text: string, path: string) => Imported;

/** A reader of one format. */
export interface Importer {
  readonly name: string;
  /** Extensions with their dot, in lower case. */
  readonly extensions: readonly string[];
  /** Loads the reader; awaited once a run, and only if a file needs it. */
  readonly load: () => Promise<ImportText> | ImportText;
}

/** Every importer. */
export const IMPORTERS: readonly Importer[] = [
  { name: 'rst', extensions: ['.rst'], load: () => importRst },
  {
    name: 'markdown',
    extensions: ['.md', '.markdown'],
    load: async () => (await import('./markdown/index.js')).importMarkdown,
  },
];

/** The result of importing: items in the order of their files and places, and everything found on the way. */
export interface ImportResult {
  readonly items: Item[];
  readonly diagnostics: Diagnostic[];
  /** Files that were read by an importer. */
  readonly files: number;
}

/** The importer for a path, by its extension in any case. */
export function importerFor(path: string): Importer | undefined {
  const dot = path.lastIndexOf('.');
  if (dot <= path.lastIndexOf('/')) return undefined;
  const extension = path.slice(dot).toLowerCase();
  return IMPORTERS.find((importer) => importer.extensions.includes(extension));
}

/**
 * Imports every file at or below the given paths, each once, in the order of their paths. A problem of the input becomes
 * a diagnostic and leaves the other files alone; nothing is thrown for the sake of the input.
 */
export async function importFiles(source: FileSource, paths: readonly string[]): Promise<ImportResult> {
  const diagnostics: Diagnostic[] = [];
  const files = findFiles(source, paths, diagnostics);
  const items: Item[] = [];
  const loaded = new Map<Importer, ImportText>();
  let count = 0;
  for (const path of files) {
    const importer = importerFor(path)!;
    let importText = loaded.get(importer);
    if (importText === undefined) {
      importText = await importer.load();
      loaded.set(importer, importText);
    }
    const imported = importFile(source, path, importText);
    for (const item of imported.items) items.push(item);
    for (const finding of imported.diagnostics) diagnostics.push(finding);
    count++;
  }
  if (items.length === 0) diagnostics.push(noItems(paths, count));
  return { items, diagnostics: diagnostics.sort(compareDiagnostics), files: count };
}

function noItems(paths: readonly string[], files: number): Diagnostic {
  const where = paths.map((path) => `'${path}'`).join(', ');
  const extensions = IMPORTERS.flatMap((importer) => importer.extensions).join(', ');
  return diagnostic(
    'no-items',
    `no specification item in ${where} (${files} ${files === 1 ? 'file' : 'files'} read; ${extensions})`,
  );
}

function findFiles(source: FileSource, paths: readonly string[], diagnostics: Diagnostic[]): string[] {
  const files = new Set<string>();
  for (const given of paths) {
    const place = { path: given, line: 1, column: 1, offset: 0 };
    let found: readonly string[] | undefined;
    try {
      found = source.list(given);
    } catch (error) {
      diagnostics.push(unreadable(given, error, place));
      continue;
    }
    if (found === undefined) {
      diagnostics.push(diagnostic('path-missing', `there is no file or folder '${given}'`, place));
      continue;
    }
    const itself = found.length === 1 && samePath(found[0]!, given);
    for (const path of found) {
      if (importerFor(path)) files.add(path);
      else if (itself) diagnostics.push(formatUnknown(path));
    }
  }
  return [...files].sort();
}

function unreadable(path: string, error: unknown, place: Place): Diagnostic {
  const reason = error instanceof Error ? error.message : String(error);
  return diagnostic('file-unreadable', `'${path}' cannot be read: ${reason}`, place);
}

function samePath(a: string, b: string): boolean {
  return a === b || a === b.replace(/^(?:\.\/)+/, '');
}

function formatUnknown(path: string): Diagnostic {
  const extensions = IMPORTERS.flatMap((importer) => importer.extensions).join(', ');
  const place = { path, line: 1, column: 1, offset: 0 };
  return diagnostic('file-format-unknown', `no importer reads '${path}': known extensions are ${extensions}`, place);
}

function importFile(source: FileSource, path: string, importText: ImportText): Imported {
  const place = { path, line: 1, column: 1, offset: 0 };
  let bytes: Uint8Array;
  try {
    bytes = source.read(path);
  } catch (error) {
    return { items: [], diagnostics: [unreadable(path, error, place)] };
  }
  const text = decode(bytes, path);
  if (typeof text !== 'string') return { items: [], diagnostics: [text] };
  let imported: Imported;
  try {
    imported = importText(text, path);
  } catch (error) {
    // The tables of a text of hundreds of millions of lines do not fit; anything else is a bug and goes on up.
    if (!(error instanceof RangeError)) throw error;
    return {
      items: [],
      diagnostics: [diagnostic('file-too-large', `'${path}' is too large: ${error.message}`, place)],
    };
  }
  const nul = text.indexOf('\0');
  if (nul >= 0) {
    const before = text.slice(0, nul).split(/\r\n|\r|\n/);
    const at = { path, line: before.length, column: before[before.length - 1]!.length + 1, offset: nul };
    imported.diagnostics.push(diagnostic('file-nul-character', 'a NUL character: is this a text file?', at));
  }
  return imported;
}
