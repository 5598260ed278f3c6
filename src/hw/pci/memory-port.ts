/**
 * The way of requests to memory with no IOMMU in between: addresses are physical.
 *
 * A request with a PASID, or of another address type than untranslated, is an unsupported request there: without an
 * IOMMU nothing gives those a meaning (PCI Express Base 6.20, 10.2.2).
 */
import { ADDRESS_LIMIT, join } from '../address.js';
import type { Bus } from '../bus.js';
import type { Completion, InFlight, RequestPort, Transaction } from '../transaction.js';

/** Requests straight to the system bus. */
export class MemoryRequestPort implements RequestPort {
  readonly #bus: Bus;

  constructor(bus: Bus) {
    this.#bus = bus;
  }

  request(transaction: Transaction): Completion {
    const { hi, lo, data, write, pasid, addressType, from } = transaction;
    const address = join(hi, lo);
    if (pasid !== undefined || addressType !== 'untranslated' || address + data.length > ADDRESS_LIMIT) return 'abort';
    return this.#bus.transfer(address, data, write, from) ? 'okay' : 'abort';
  }

  begin(transaction: Transaction): InFlight {
    let completion: Completion | undefined;
    return {
      land: () => {
        completion ??= this.request(transaction);
        return completion;
      },
    };
  }
}
