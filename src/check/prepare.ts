/** Forking a lane ahead, while the tree is being read. This imports little, so that it can come first. */
import { realpathSync } from 'node:fs';
import path from 'node:path';
import { pathToFileURL } from 'node:url';
import { type Lane, openLane } from './lane.js';
import { DEFAULT_LIMITS, type Limits } from './limits.js';

/** A lane that was forked ahead. It loads the bench at once. */
export interface PreparedLane {
  readonly lane: Lane;
  /** `file:` URL of the bench module. */
  readonly bench: string;
  /** Ends it, if it is not to be used after all. */
  dispose(): void;
}

/** What a lane needs to know. */
export interface LaneRequest {
  /** Folder of the configuration, absolute. */
  readonly root: string;
  /** The bench module, relative to it. */
  readonly bench: string;
  /** Those of the run that is to come; what is absent has its default. */
  readonly limits?: Partial<Limits>;
}

/** Forks a lane ahead and lets it load the bench. */
export function prepareLane({ root, bench, limits }: LaneRequest): PreparedLane {
  const url = pathToFileURL(path.join(realRoot(root), bench)).href;
  const lane = openLane(url, { ...DEFAULT_LIMITS, ...limits });
  return { lane, bench: url, dispose: () => lane.dispose() };
}

/** A folder without symbolic links in its path, because that is how Node names modules; as it is if it does not exist. */
export function realRoot(root: string): string {
  try {
    return realpathSync(root);
  } catch {
    return root;
  }
}
