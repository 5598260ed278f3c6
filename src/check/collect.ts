/** Collecting: which files of checks and mutants there are, and which of them a run has to load. */
import { readFileSync } from 'node:fs';
import path from 'node:path';
import { pathToFileURL } from 'node:url';
import { type Diagnostic, diagnostic } from '../core/diagnostic.js';
import { ID_PATTERN, parseId } from '../core/item.js';
import { digestOf, findFiles } from './evidence.js';

/** Where checks are, as the configuration says. Paths and patterns are relative to its folder. */
export interface CheckConfiguration {
  /** The bench module. */
  readonly bench: string;
  /** Modules of checks and of mutants. */
  readonly files: readonly string[];
  /** Sources to point at, where the modules are built from them. */
  readonly sources: readonly string[];
}

/** A file of checks or mutants to load. */
export interface CheckFile {
  /** Relative to the configuration's folder. */
  readonly path: string;
  readonly absolute: string;
  readonly url: string;
  /** SHA-256 of its bytes. */
  readonly digest: string;
  /** The wanted requirements that its text names at their exact revision. */
  readonly mentions: readonly string[];
}

/** What collecting gives. */
export interface Collected {
  readonly files: readonly CheckFile[];
  readonly diagnostics: readonly Diagnostic[];
}

/**
 * Finds the files to load: those whose text names a wanted requirement, at whatever revision, so that a binding to
 * another revision is seen. An id that a check composes of parts is not found by this.
 * @param all whether to load every file, so that bindings to what does not exist are seen too
 */
export async function collectFiles(
  root: string,
  configuration: CheckConfiguration,
  wanted: readonly string[],
  all: boolean,
): Promise<Collected> {
  const diagnostics: Diagnostic[] = [];
  const files: CheckFile[] = [];
  const ids = new Set(wanted);
  const names = new Set(wanted.map(nameOf));
  const excluded = configuration.files.filter((pattern) => pattern.startsWith('!'));
  const paths = new Set<string>();
  for (const pattern of configuration.files) {
    if (pattern.startsWith('!')) continue;
    const found = await findFiles(root, [pattern, ...excluded]);
    for (const file of found) paths.add(file);
    if (found.length > 0) continue;
    const message = `no file matches '${pattern}' of checks.files`;
    diagnostics.push(
      diagnostic('check-files-missing', message, undefined, 'Build the project first, or mend the pattern.'),
    );
  }
  for (const file of [...paths].sort()) {
    const absolute = path.join(root, file);
    let bytes: Buffer;
    try {
      bytes = readFileSync(absolute);
    } catch (error) {
      diagnostics.push(
        diagnostic('file-unreadable', `${file}: ${(error as Error).message}`, {
          path: file,
          line: 1,
          column: 1,
          offset: 0,
        }),
      );
      continue;
    }
    const named = idsIn(bytes.toString('utf8'));
    if (!all && !named.some((id) => names.has(nameOf(id)))) continue;
    files.push({
      path: file,
      absolute,
      url: pathToFileURL(absolute).href,
      digest: digestOf(bytes),
      mentions: [...new Set(named)].filter((id) => ids.has(id)).sort(),
    });
  }
  return { files, diagnostics };
}

/** Every id in a text, normalised. */
function idsIn(text: string): string[] {
  const found: string[] = [];
  for (const [whole] of text.matchAll(new RegExp(ID_PATTERN, 'gu'))) {
    const id = parseId(whole);
    if (id) found.push(`${id.type}~${id.name}~${id.revision}`);
  }
  return found;
}

function nameOf(id: string): string {
  return id.slice(0, id.lastIndexOf('~'));
}
