/**
 * What an interrupt translation service asks of a redistributor: the state of LPIs, which lives there and in its pending
 * table (Arm IHI 0069, 5.1 and 5.3).
 */

/** A redistributor as an ITS sees it. INTIDs are those of LPIs, 8192 and up. */
export interface LpiTarget {
  /** GICR_TYPER.Processor_Number: what RDbase holds where GITS_TYPER.PTA is 0. */
  readonly processorNumber: number;
  /** Physical address of the RD_base frame: what RDbase holds (bits 51:16) where GITS_TYPER.PTA is 1. */
  readonly address: number;
  /** Makes an LPI pending. Ignored while GICR_CTLR.EnableLPIs is 0, or if its INTID is beyond GICR_PROPBASER.IDbits. */
  setPending(intid: number): void;
  /** Removes the pending state of an LPI. */
  clearPending(intid: number): void;
  /** Whether an LPI is pending here (MOVI takes the state along). */
  isPending(intid: number): boolean;
  /** Reads the configuration of an LPI from the configuration table again. */
  invalidate(intid: number): void;
  /** Reads the configuration of all LPIs again. */
  invalidateAll(): void;
  /** Everything asked before has taken effect. */
  sync(): void;
  /** INTIDs of all LPIs that are pending (MOVALL). */
  pendingLpis(): Iterable<number>;
}
