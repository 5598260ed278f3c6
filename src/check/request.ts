/** What a run of checks is asked for, and what it gives. */
import type { Diagnostic } from '../core/diagnostic.js';
import type {
  ApplicabilityTable,
  CheckDeclaration,
  Divergence,
  MatrixColumn,
  MutantDeclaration,
} from '../core/matrix.js';
import type { ResultRecord } from '../core/record.js';
import type { Platform } from './bench.js';
import type { CheckConfiguration } from './collect.js';
import type { Limits } from './limits.js';
import type { PreparedLane } from './prepare.js';

/** Which transcripts go into the records: of no run, of runs without a mutant (all, or those that do not pass), of all. */
export type TranscriptMode = 'none' | 'failing' | 'baseline' | 'all';

/** What to run. */
export interface CheckRequest {
  /** Folder of the configuration, absolute. */
  readonly root: string;
  readonly configuration: CheckConfiguration;
  /** Ids of the requirements to check. */
  readonly requirements: readonly string[];
  /** Whether to load every file, so that bindings to what does not exist are seen. False if absent. */
  readonly loadAll?: boolean;
  /** Platforms to run on: names, or patterns in which `*` stands for any run of characters. All if absent. */
  readonly platforms?: readonly string[];
  /** Mutants to run: all, none, or those whose title contains a text. All if absent. */
  readonly mutants?: 'all' | 'none' | { readonly titleContains: string };
  /** True to load and list only. */
  readonly listOnly?: boolean;
  readonly limits?: Partial<Limits>;
  /** Lanes at most; one per core if absent. */
  readonly lanes?: number;
  readonly transcript?: TranscriptMode;
  readonly prepared?: PreparedLane;
  /** Ends every lane when it aborts; the promise is then rejected with its reason. */
  readonly signal?: AbortSignal;
  /** Called after each run. `total` grows while baselines pass. */
  readonly onProgress?: (progress: { readonly done: number; readonly total: number }) => void;
}

/** What running gives. All of it is sorted; nothing depends on the order in which runs ended. */
export interface CheckRun {
  readonly records: readonly ResultRecord[];
  /** Registered checks, those of other requirements in the loaded files too. */
  readonly checks: readonly CheckDeclaration[];
  readonly mutants: readonly MutantDeclaration[];
  /** A column for each platform that was asked for. */
  readonly columns: readonly MatrixColumn[];
  /** The bench's applicability, written out for the requirements and columns. */
  readonly applicability: ApplicabilityTable;
  /** Where the object under check differs from what it stands for. */
  readonly divergences: readonly Divergence[];
  readonly platforms: readonly Platform[];
  readonly diagnostics: readonly Diagnostic[];
}
