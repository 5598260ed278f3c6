/**
 * What the registers of an ITS hold: Arm IHI 0069 12.19. Plain data; what accesses mean is in
 * `register-access.ts`.
 */
import { get, getAddress } from '../../bits.js';
import {
  BASER_COUNT,
  COMMAND_BYTES,
  COMMAND_QUEUE_ALIGNMENT,
  COMMAND_QUEUE_PAGE_BYTES,
  GITS_CBASER,
} from './layout.js';

/** The registers. Offsets into the command queue are in bytes. */
export class RegisterFile {
  enabled = false;
  /** GITS_CTLR.Quiescent: nothing is under way. */
  quiescent = true;
  readonly cbaser = new Uint32Array(2);
  cwriter = 0;
  creadr = 0;
  stalled = false;
  /** GITS_BASER0 to 7, two words each. */
  readonly basers: readonly Uint32Array[] = Array.from({ length: BASER_COUNT }, () => new Uint32Array(2));

  /** Bytes of the command queue. */
  get queueBytes(): number {
    return (get(this.cbaser, GITS_CBASER.SIZE) + 1) * COMMAND_QUEUE_PAGE_BYTES;
  }

  /** Physical address of the command queue: bits 15:12 are taken as zero, whatever was written (12.19, GITS_CBASER). */
  get queueAddress(): number {
    const address = getAddress(this.cbaser, GITS_CBASER.PHYSICAL_ADDRESS);
    return address - (address % COMMAND_QUEUE_ALIGNMENT);
  }

  /** Whether commands are processed: GITS_CTLR.Enabled, GITS_CBASER.Valid, GITS_CWRITER within the queue (12.19). */
  get runs(): boolean {
    return (
      this.enabled &&
      !this.stalled &&
      get(this.cbaser, GITS_CBASER.VALID) === 1 &&
      this.cwriter < this.queueBytes &&
      this.creadr < this.queueBytes
    );
  }

  /** Moves GITS_CREADR to the next command. */
  advance(): void {
    this.creadr = (this.creadr + COMMAND_BYTES) % this.queueBytes;
  }

  /** Everything as plain data. */
  save(): number[] {
    const flags = [this.enabled, this.quiescent, this.stalled].map(Number);
    return [...flags, this.cwriter, this.creadr, ...this.cbaser, ...this.basers.flatMap((baser) => [...baser])];
  }

  /** Takes over what {@link save} gave. */
  load(state: readonly number[]): void {
    const [enabled, quiescent, stalled, cwriter, creadr, cbaserLo, cbaserHi, ...basers] = state as [
      number,
      number,
      number,
      number,
      number,
      number,
      number,
      ...number[],
    ];
    this.enabled = enabled === 1;
    this.quiescent = quiescent === 1;
    this.stalled = stalled === 1;
    this.cwriter = cwriter;
    this.creadr = creadr;
    this.cbaser.set([cbaserLo, cbaserHi]);
    for (const [n, baser] of this.basers.entries()) baser.set(basers.slice(2 * n, 2 * n + 2));
  }
}
