/** Requests that are translated, and have not reached memory. */
import type { Bus } from '../../bus.js';
import type { Completion, InFlight, Transaction } from '../../transaction.js';

/** The bytes of one page of a request. */
interface Piece {
  readonly address: number;
  readonly from: number;
  readonly to: number;
}

/** One request on its way. */
export class Flight implements InFlight {
  readonly #transaction: Transaction;
  readonly #bus: Bus;
  readonly #ended: (flight: Flight) => void;
  readonly #pieces: Piece[] = [];
  /** A set of bits: the contexts that translated it; empty for one that passed untranslated. */
  contexts = 0;
  #completion: Completion | undefined;

  /** @param ended called once, when it has its completion */
  constructor(transaction: Transaction, bus: Bus, ended: (flight: Flight) => void) {
    this.#transaction = transaction;
    this.#bus = bus;
    this.#ended = ended;
  }

  /** Adds a page: `data[from, to)` goes to or comes from `address`. */
  add(address: number, from: number, to: number): void {
    this.#pieces.push({ address, from, to });
  }

  /** Ends it with an error; nothing moves. */
  abort(): void {
    this.#completion = 'abort';
    this.#ended(this);
  }

  land(): Completion {
    if (this.#completion !== undefined) return this.#completion;
    this.#completion = this.#transfer() ? 'okay' : 'abort';
    this.#ended(this);
    return this.#completion;
  }

  #transfer(): boolean {
    const { data, write, from: initiator } = this.#transaction;
    for (const { address, from, to } of this.#pieces) {
      const part = from === 0 && to === data.length ? data : data.subarray(from, to);
      if (!this.#bus.transfer(address, part, write, initiator)) return false;
    }
    return true;
  }
}
