/** A transcript: what happened in a run, in order, as plain data. `verify --explain` prints it. */

/** One line of a transcript. */
export interface TranscriptEntry {
  /** 0 for what an actor does, 1 for what follows from it. */
  readonly depth: number;
  /** Who or what: `xen`, `d1`, `dma`, `cmdq`, `store`, `fault`, `expect`, ... */
  readonly actor: string;
  readonly text: string;
  /** For an assertion: whether it held. */
  readonly held?: boolean;
}

/** Entries in the order in which they happened. */
export type Transcript = readonly TranscriptEntry[];
