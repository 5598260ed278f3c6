/**
 * Transactions between their translation and their end: on their way to memory, or stalled. Arm IHI 0070 3.12.2 (stall
 * model), 4.7 (CMD_RESUME, CMD_STALL_TERM, what CMD_SYNC waits for), 5.5.
 *
 * Not modelled: the suppression of duplicate stall records, and early retry.
 */
import type { Bus } from '../../bus.js';
import type { Completion, InFlight, Transaction } from '../../transaction.js';

/** A request that was translated, and has not reached memory yet; or that waits, stalled, for software. */
export interface StallableFlight extends InFlight {
  /** How it ended; undefined while it is on its way or stalled. */
  readonly completion: Completion | undefined;
  /** It waits for CMD_RESUME or CMD_STALL_TERM. Landing it ends it with an abort: its requester no longer waits. */
  readonly stalled: boolean;
}

/** The bytes of one page of a transaction. */
interface Piece {
  readonly address: number;
  readonly from: number;
  readonly to: number;
}

/** One transaction on its way. */
export class Flight implements StallableFlight {
  readonly streamId: number;
  readonly transaction: Transaction;
  readonly #bus: Bus;
  readonly #ended: (flight: Flight) => void;
  #pieces: Piece[] = [];
  completion: Completion | undefined;
  /** Its stall tag, or -1. */
  tag = -1;
  stalled = false;

  /** @param ended called once, when it has its completion */
  constructor(streamId: number, transaction: Transaction, bus: Bus, ended: (flight: Flight) => void) {
    this.streamId = streamId;
    this.transaction = transaction;
    this.#bus = bus;
    this.#ended = ended;
  }

  /** Forgets what was translated, before it is translated again. */
  restart(): void {
    this.#pieces = [];
    this.stalled = false;
    this.tag = -1;
  }

  /** Adds a page: `data[from, to)` goes to or comes from `address`. */
  add(address: number, from: number, to: number): void {
    this.#pieces.push({ address, from, to });
  }

  /** Ends it. */
  end(completion: Completion): void {
    if (this.completion !== undefined) return;
    this.completion = completion;
    this.stalled = false;
    if (completion === 'razwi' && !this.transaction.write) this.transaction.data.fill(0);
    this.#ended(this);
  }

  land(): Completion {
    if (this.completion !== undefined) return this.completion;
    this.end(!this.stalled && this.#transfer() ? 'okay' : 'abort');
    return this.completion ?? 'abort';
  }

  #transfer(): boolean {
    const { data, write, from: initiator } = this.transaction;
    for (const { address, from, to } of this.#pieces) {
      const part = from === 0 && to === data.length ? data : data.subarray(from, to);
      if (!this.#bus.transfer(address, part, write, initiator)) return false;
    }
    return true;
  }
}

/** The stalled transactions, by tag. */
export class StallBuffer {
  readonly #tags = new Map<number, Flight>();
  /** Stalled without a record, because there was no room for one or no tag. */
  readonly #unrecorded = new Set<Flight>();
  readonly #limit: number;

  /** @param limit how many may have a record at once (IDR5.STALL_MAX); at least 1 */
  constructor(limit: number) {
    this.#limit = Math.max(1, limit);
  }

  /** Takes a transaction in. Its tag, or -1 if it has to wait for one. */
  hold(flight: Flight): number {
    flight.stalled = true;
    for (let tag = 0; tag < this.#limit; tag++) {
      if (this.#tags.has(tag)) continue;
      this.#tags.set(tag, flight);
      flight.tag = tag;
      return tag;
    }
    this.#unrecorded.add(flight);
    return -1;
  }

  /** The record of a stalled transaction could not be written: it gives its tag back and is retried later. */
  withhold(flight: Flight): void {
    if (!flight.stalled) return;
    this.release(flight);
    this.#unrecorded.add(flight);
  }

  /** The stalled transaction of a stream with a tag. */
  find(streamId: number, tag: number): Flight | undefined {
    const flight = this.#tags.get(tag);
    return flight?.streamId === streamId ? flight : undefined;
  }

  /** Lets a transaction go. */
  release(flight: Flight): void {
    if (flight.tag >= 0) this.#tags.delete(flight.tag);
    flight.tag = -1;
    this.#unrecorded.delete(flight);
  }

  /** All stalled transactions, of one stream or of all. */
  of(streamId?: number): Flight[] {
    const all = [...this.#tags.values(), ...this.#unrecorded];
    return streamId === undefined ? all : all.filter((flight) => flight.streamId === streamId);
  }

  /** Those without a record, which are taken out to be tried again. */
  takeUnrecorded(): Flight[] {
    const all = [...this.#unrecorded];
    this.#unrecorded.clear();
    return all;
  }

  /** Whether any waits for a record. */
  get hasUnrecorded(): boolean {
    return this.#unrecorded.size > 0;
  }
}
