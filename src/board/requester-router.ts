/** The way of a segment's requests behind its root complex, by requester id. */
import type { DeviceNode } from '../firmware/tree.js';
import type { Initiator } from '../hw/bus.js';
import type { Completion, InFlight, RequestPort, Transaction } from '../hw/transaction.js';
import type { StreamPort } from './device-plan.js';
import { type IdMap, mapId } from './id-map.js';

const ABORTED: InFlight = { land: () => 'abort' };

/** What the router goes by. */
export interface RequesterRoutes {
  readonly iommuMap: IdMap;
  readonly msiMap: IdMap;
  /** IOMMUs that were built, by node. */
  readonly iommus: ReadonlyMap<DeviceNode, StreamPort>;
  /** Takes what no IOMMU translates. */
  readonly memory: RequestPort;
}

/**
 * Takes the requests of a segment to the IOMMU and the stream that `iommu-map` gives each requester, or to memory. A
 * request carries the DeviceID that `msi-map` gives its requester, whatever it writes and wherever: so that a doorbell
 * knows the device. (There is one space of DeviceIDs: an ITS that the map does not name would see the same number.)
 */
export class RequesterRouter implements RequestPort {
  readonly #routes: RequesterRoutes;
  readonly #initiators = new Map<number, Initiator | undefined>();

  constructor(routes: RequesterRoutes) {
    this.#routes = routes;
  }

  #initiator(requester: number): Initiator | undefined {
    if (!this.#initiators.has(requester)) {
      const mapped = mapId(this.#routes.msiMap, requester);
      this.#initiators.set(requester, mapped && { deviceId: mapped.id });
    }
    return this.#initiators.get(requester);
  }

  #marked(transaction: Transaction): Transaction {
    const from = this.#initiator(transaction.requester);
    if (from === undefined) return transaction;
    // Field by field: a spread is ten times as slow.
    const { segment, requester, pasid, addressType, privileged, execute, write, hi, lo, data } = transaction;
    return { segment, requester, pasid, addressType, privileged, execute, write, hi, lo, data, from };
  }

  request(transaction: Transaction): Completion {
    const { iommuMap, iommus, memory } = this.#routes;
    const found = mapId(iommuMap, transaction.requester);
    if (found === undefined) return memory.request(this.#marked(transaction));
    return iommus.get(found.target)?.request(found.id, this.#marked(transaction)) ?? 'abort';
  }

  begin(transaction: Transaction): InFlight {
    const { iommuMap, iommus, memory } = this.#routes;
    const found = mapId(iommuMap, transaction.requester);
    if (found === undefined) return memory.begin(this.#marked(transaction));
    return iommus.get(found.target)?.begin(found.id, this.#marked(transaction)) ?? ABORTED;
  }
}
