/**
 * A transaction: what a requester puts on the interconnect, and what it gets back.
 *
 * A device sees data or an error, never why: the reason is recorded where the hardware records it. (PCI Express Base
 * 2.2: requests and completions; Arm IHI 0070 3.2: StreamID, SubstreamID, and the attributes of a transaction.)
 */

import type { Initiator } from './bus.js';

/** Address type of a request (PCI Express Base 10.2.2, ATS). */
export type AddressType = 'untranslated' | 'translation request' | 'translated';

/** One memory request of a device. May cross pages; whoever translates splits it. */
export interface Transaction {
  /** PCI segment of the requester; 0 for platform devices. */
  readonly segment: number;
  /** Requester id (bus 15:8, device 7:3, function 2:0), or the stream id of a platform device. */
  readonly requester: number;
  /** PASID (SubstreamID), or undefined if the request carries none. */
  readonly pasid: number | undefined;
  readonly addressType: AddressType;
  readonly privileged: boolean;
  /** Instruction fetch rather than data. Only reads can be. */
  readonly execute: boolean;
  readonly write: boolean;
  /** Upper half of the 64-bit byte address. */
  readonly hi: number;
  /** Lower half of the 64-bit byte address. */
  readonly lo: number;
  /** Bytes to write, or a buffer that a read fills. Its length is the length of the request. */
  readonly data: Uint8Array;
  /** What the system knows the requester by behind translation; an IOMMU passes it on with the request. */
  readonly from?: Initiator | undefined;
}

/**
 * How a request ended, as its requester sees it.
 *
 * - `okay`: data moved.
 * - `abort`: terminated with an error completion (slave error, completer abort, unsupported request).
 * - `razwi`: terminated without an error: reads return zero, writes are ignored (Arm IHI 0070 3.12, RAZ/WI).
 */
export type Completion = 'okay' | 'abort' | 'razwi';

/**
 * A request that is translated already and whose bytes have not moved yet: a posted write on its way to memory, a read
 * that has not been served. Whoever translated it may land it first, and must before a synchronization that promises so
 * completes (Arm IHI 0070 3.21.1, CMD_SYNC: transactions translated by invalidated entries have reached memory).
 */
export interface InFlight {
  /** Moves the bytes, the first time it is called; says how the request ended, every time. */
  land(): Completion;
}

/** Something that takes requests: an IOMMU, an interconnect, or a bridge in front of one. */
export interface RequestPort {
  /** Translates a request and moves its bytes at once. */
  request(transaction: Transaction): Completion;
  /** Translates a request now (faults are recorded now) and moves its bytes when it lands. */
  begin(transaction: Transaction): InFlight;
}
