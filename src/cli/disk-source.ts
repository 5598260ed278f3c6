/** A file source over a folder of the disk. */
import { readdirSync, readFileSync, realpathSync, statSync } from 'node:fs';
import path from 'node:path';
import type { FileSource } from '../core/file-source.js';

/**
 * A file source whose paths are relative to `root`. Symbolic links are followed to files and folders below `root` only: a
 * folder elsewhere is passed over, and a file elsewhere, or none at all, is listed but refused when it is read, so that it
 * is not missed unnoticed. A folder that is met twice is listed once, so no loop of links goes on for ever.
 */
export function diskSource(root: string): FileSource {
  const realRoot = realpathSync(root);
  /** Links that were met and lead to nothing that may be read, with the reason. */
  const refused = new Map<string, string>();

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
    const refuse = (why: string) => {
      refused.set(relative, why);
      state.found.push(relative);
    };
    let target: string;
    try {
      target = realpathSync(path.resolve(root, relative));
    } catch {
      refuse('it is a link to nothing');
      return;
    }
    const kind = statSync(target);
    const inside = state.bases.some((base) => target === base || target.startsWith(base + path.sep));
    if (kind.isDirectory()) {
      if (inside) walk(relative, state);
    } else if (kind.isFile()) {
      if (inside) state.found.push(relative);
      else refuse('it is a link to a file outside of the folder that is read; give the file itself');
    }
  }

  return {
    list(given) {
      const relative = path.posix.normalize(given).replace(/\/$/, '').replace(/^\.$/, '');
      const absolute = path.resolve(root, relative);
      const kind = statSync(absolute, { throwIfNoEntry: false });
      if (kind === undefined) return undefined;
      if (!kind.isDirectory()) {
        refused.delete(relative);
        return [relative];
      }
      const state: Walk = { bases: [realRoot, realpathSync(absolute)], seen: new Set(), found: [] };
      walk(relative, state);
      return state.found.sort();
    },
    read(relative) {
      const why = refused.get(relative);
      if (why !== undefined) throw new Error(why);
      const file = path.resolve(root, relative);
      // A pipe or a device may never end.
      if (!statSync(file).isFile()) throw new Error('it is no regular file');
      return readFileSync(file);
    },
  };
}
