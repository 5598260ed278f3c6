/** Built files against their sources: a build that is out of date is an error, not a stale pass. */
import { readdirSync, readFileSync, statSync } from 'node:fs';
import path from 'node:path';
import { digestOf, findFiles } from './evidence.js';
import type { Places } from './places.js';

/** Tells built files that are out of date. */
export interface BuildWatch {
  /** The source (relative to the root) that has changed since a file (absolute path) was built of it, or undefined. */
  newerSource(built: string): string | undefined;
}

/**
 * Prepares the comparison. The source of a built file is the one whose path without extension ends the built one's, as
 * `verification/a.check.ts` ends `dist/verification/a.check.js`; else the one that its source map names. It has changed
 * if its time of modification is later, unless a `.tsbuildinfo` above the built file knows its present text: an
 * incremental build leaves a file as it is when only the time of its source is new, as after a change of branch.
 * @param sources patterns of sources, relative to `root`
 */
export async function watchBuild(root: string, sources: readonly string[], places: Places): Promise<BuildWatch> {
  const stems = new Map<string, string>();
  if (sources.length > 0) for (const source of await findFiles(root, sources)) stems.set(stemOf(source), source);
  const relative = (file: string) => path.relative(root, file).split(path.sep).join('/');
  const byStem = (built: string) => {
    const parts = stemOf(relative(built)).split('/');
    for (let from = 0; from < parts.length; from++) {
      const source = stems.get(parts.slice(from).join('/'));
      if (source !== undefined) return path.join(root, source);
    }
    return undefined;
  };
  return {
    newerSource(built) {
      const source = byStem(built) ?? places.sourceOf(built);
      if (source === undefined || source === built) return undefined;
      const [sourceTime, builtTime] = [modified(source), modified(built)];
      if (sourceTime === undefined || builtTime === undefined || sourceTime <= builtTime) return undefined;
      return isKnownToBuild(root, built, source) ? undefined : relative(source);
    },
  };
}

function modified(file: string): number | undefined {
  return statSync(file, { throwIfNoEntry: false })?.mtimeMs;
}

function isKnownToBuild(root: string, built: string, source: string): boolean {
  const digest = digestOf(readFileSync(source));
  for (let folder = path.dirname(built); folder.startsWith(root); folder = path.dirname(folder)) {
    for (const name of readdirSync(folder)) {
      if (!name.endsWith('.tsbuildinfo')) continue;
      if (readFileSync(path.join(folder, name), 'latin1').includes(`"${digest}"`)) return true;
    }
    if (folder === path.dirname(folder)) break;
  }
  return false;
}

function stemOf(file: string): string {
  return file.replace(/\.[cm]?[jt]sx?$/, '');
}
