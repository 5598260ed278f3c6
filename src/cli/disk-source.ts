/** A file source over a folder of the disk. */
import { readFileSync, readdirSync, realpathSync, statSync } from 'node:fs';
import path from 'node:path';
import type { FileSource } from '../core/file-source.js';

/**
 * A file source whose paths are relative to `root`. Symbolic links are followed to files and folders below `root` only;
 * one that leaves it is passed over, and a folder that is met twice is listed once, so no loop of links goes on for ever.
 */
export function diskSource(root: string): FileSource {
  const realRoot = realpathSync(root);

  /** What one listing has met. `bases` are the folders that links may lead into: the root, and the folder asked for. */
  interface Walk {
    readonly bases: readonly string[];
    readonly seen: Set<string>;
    readonly found: string[];
  }

  function walk(relative: string, state: Walk): void {
    const absolute = path.resolve(root, relative);
    const real = realpathSync(absolute);
    if (state.seen.has(real)) return;
    state.seen.add(real);
    for (const entry of readdirSync(absolute, { withFileTypes: true })) {
      if (entry.name.startsWith('.') || entry.name === 'node_modules') continue;
      const below = relative === '' ? entry.name : `${relative}/${entry.name}`;
      if (entry.isDirectory()) walk(below, state);
      else if (entry.isFile()) state.found.push(below);
      else if (entry.isSymbolicLink()) followLink(below, state);
    }
  }

  function followLink(relative: string, state: Walk): void {
    try {
      const target = realpathSync(path.resolve(root, relative));
      if (!state.bases.some((base) => target === base || target.startsWith(base + path.sep))) return;
      const kind = statSync(target);
      if (kind.isDirectory()) walk(relative, state);
      else if (kind.isFile()) state.found.push(relative);
    } catch {
      // A link to nothing holds no items.
    }
  }

  return {
    list(given) {
      const relative = path.posix.normalize(given).replace(/\/$/, '').replace(/^\.$/, '');
      const absolute = path.resolve(root, relative);
      const kind = statSync(absolute, { throwIfNoEntry: false });
      if (kind === undefined) return undefined;
      if (!kind.isDirectory()) return [relative];
      const state: Walk = { bases: [realRoot, realpathSync(absolute)], seen: new Set(), found: [] };
      walk(relative, state);
      return state.found.sort();
    },
    read(relative) {
      return readFileSync(path.resolve(root, relative));
    },
  };
}
