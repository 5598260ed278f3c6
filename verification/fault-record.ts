/** What IOMMUs record of accesses that they deny, as far as checks look at it. */

/** One record. What an IOMMU does not record is undefined. */
export interface FaultRecord {
  /** What was wrong; `other` for what is no fault of a translation. */
  readonly kind: 'translation' | 'permission' | 'address size' | 'other';
  /** As the IOMMU's specification calls it. */
  readonly name: string;
  readonly streamId: number | undefined;
  readonly write: boolean | undefined;
  readonly inputAddress: number;
  readonly text: string;
}

/** Follows the records of one IOMMU. */
export interface FaultReader {
  /** Passes over everything recorded so far. */
  skip(): void;
  /** The records since the last call, oldest first. */
  take(): FaultRecord[];
}
