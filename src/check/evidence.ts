/** Digests of what results depend on, and the files that they are taken of. */
import { createHash } from 'node:crypto';
import { readFileSync, statSync } from 'node:fs';
import path from 'node:path';

/** SHA-256 of bytes or of a text in UTF-8, in hexadecimal. */
export function digestOf(content: Uint8Array | string): string {
  return createHash('sha256').update(content).digest('hex');
}

/**
 * SHA-256 over files: for each, in the order of their paths (UTF-16 code units), the path, a zero byte, the length in
 * decimal, a zero byte, and the bytes.
 * @param root folder that the paths are relative to
 * @throws {Error} if a file cannot be read
 */
export function digestFiles(root: string, paths: readonly string[]): string {
  const hash = createHash('sha256');
  for (const file of [...new Set(paths)].sort()) {
    const bytes = readFileSync(path.join(root, file));
    hash.update(`${file}\0${bytes.length}\0`).update(bytes);
  }
  return hash.digest('hex');
}

const GLOB = /[*?{}[\]!()]/;

/**
 * Files that patterns match, sorted, relative to `root`, with `/` as separator. A pattern that begins with `!` takes
 * files away; `node_modules` is passed over. A plain path that names no file matches nothing.
 */
export async function findFiles(root: string, patterns: readonly string[]): Promise<string[]> {
  const globs = patterns.filter((pattern) => GLOB.test(pattern));
  const found = new Set<string>();
  for (const pattern of patterns) {
    if (GLOB.test(pattern)) continue;
    const file = path.posix.normalize(pattern);
    if (statSync(path.join(root, file), { throwIfNoEntry: false })?.isFile()) found.add(file);
  }
  if (globs.length > 0) {
    const { glob } = await import('tinyglobby');
    for (const file of await glob(globs, { cwd: root, ignore: ['**/node_modules/**'], expandDirectories: false }))
      found.add(file);
  }
  return [...found].sort();
}
