/**
 * The engine: from files to a trace. It reads through the source it is given and knows no process, working directory
 * or global state, so the command line, a watcher and an editor are all clients of this one function.
 */
import { compareDiagnostics, type Diagnostic } from '../core/diagnostic.js';
import type { FileSource } from '../core/file-source.js';
import type { Item } from '../core/item.js';
import type { Trace } from '../core/trace.js';
import { importFiles } from '../import/index.js';
import { linkItems } from '../trace/linker.js';

/** What the engine must be told. */
export interface AnalysisConfiguration {
  /** Files and folders to read, relative to the source's root. */
  readonly paths: readonly string[];
  /** The artifact types that exist: any other that an item has or needs is a diagnostic. Absent or empty: any goes. */
  readonly types?: readonly string[];
}

/** What the engine finds. */
export interface Analysis {
  /** The items in the order in which they stand in the files. */
  readonly items: readonly Item[];
  readonly trace: Trace;
  /** Of reading and of linking, sorted by place. */
  readonly diagnostics: readonly Diagnostic[];
  /** Number of files read. */
  readonly files: number;
}

/** Reads and links a requirement tree. Throws only what is a bug: all that is wrong with the input is a diagnostic. */
export async function analyse(source: FileSource, configuration: AnalysisConfiguration): Promise<Analysis> {
  const { paths, types } = configuration;
  const { items, diagnostics, files } = await importFiles(source, paths);
  const trace = linkItems(items, types === undefined ? {} : { types });
  return { items, trace, diagnostics: [...diagnostics, ...trace.diagnostics].sort(compareDiagnostics), files };
}
