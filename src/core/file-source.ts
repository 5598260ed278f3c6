/** Where files come from: a disk, memory, or a git revision. The engine reads through this and never by itself. */

/** A readable set of files. Paths are relative to the source's root, POSIX. */
export interface FileSource {
  /**
   * Every regular file below `path` (a file itself gives itself), sorted by UTF-16 code unit; undefined if there is
   * nothing at that path. Folders named `node_modules` and those that begin with a dot are passed over.
   */
  list(path: string): readonly string[] | undefined;
  /** The bytes of a file. Throws an `Error` with a message for the user if it cannot be read. */
  read(path: string): Uint8Array;
}

/** A file source over a record of path to text or bytes: for tests and for callers that hold their files in memory. */
export function memorySource(files: Readonly<Record<string, string | Uint8Array>>): FileSource {
  const paths = Object.keys(files).sort();
  const encoder = new TextEncoder();
  return {
    list(path) {
      const base = path === '.' || path === '' ? '' : path.replace(/\/+$/, '');
      const found = paths.filter((p) => base === '' || p === base || p.startsWith(`${base}/`));
      return found.length === 0 ? undefined : found;
    },
    read(path) {
      const content = Object.hasOwn(files, path) ? files[path] : undefined;
      if (content === undefined) throw new Error(`no file '${path}'`);
      return typeof content === 'string' ? encoder.encode(content) : content;
    },
  };
}
